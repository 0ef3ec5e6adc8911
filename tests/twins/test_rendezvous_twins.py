"""The compiled race equals the plain one: every score computed, no pruning, no even shortcut, no blocks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
import lbalgo.reference.rendezvous as plain
from lbalgo.kernels import rendezvous as compiled
from lbalgo.policies.rendezvous import rates
from tests.levels import at_every_level
from tests.words import undrawn

TICKETS = st.integers(0, 2**64 - 1)
PLACES = st.one_of(
    st.integers(0, 2**52 - 1), st.integers(0, 51).map(lambda j: 2**j), st.integers(2**52 - 99, 2**52 - 1)
)


@given(st.lists(PLACES, min_size=1, max_size=200))
def test_logarithm(places):
    assert [compiled.neg_log(k).hex() for k in places] == [plain.neg_log(k).hex() for k in places]


@st.composite
def columns(draw):
    """Salts (with repetitions, so that scores tie), mantissas and exponents from narrow to absurd."""
    n = draw(st.one_of(st.integers(1, 12), st.integers(1, 1000)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    salts = rng.integers(0, 2**64, n, dtype=np.uint64)
    if draw(st.booleans()):
        salts = rng.choice(salts[: max(n // 3, 1)], n)
    if draw(st.booleans()):
        mantissas = np.full(n, draw(st.sampled_from([0.5, 0.75])))
    else:
        mantissas = rng.uniform(0.5, 1.0, n)
    width = draw(st.sampled_from([0, 1, 3, 30, 2000]))
    exponents = rng.integers(-width, width + 1, n)
    if draw(st.booleans()):  # all but a few alike
        few = rng.random(n) < 0.1
        mantissas, exponents = np.where(few, mantissas, 0.625), np.where(few, exponents, 0)
    return salts, rng.permutation(n).astype(np.int32), mantissas, exponents, n


def in_bulk(structure, tickets):
    out = np.empty(len(tickets), np.int32)
    structure.slot_many(np.array(tickets, np.uint64), out)
    return out.tolist()


def same(columns, tickets):
    fast, slow = compiled.RendezvousRace(*columns), plain.RendezvousRace(*columns)
    assert (fast.size, fast.slots, fast.even) == (slow.size, slow.slots, slow.even)
    expected = [slow.slot(ticket) for ticket in tickets]
    assert all(found == expected for found in at_every_level(lambda: in_bulk(fast, tickets)))
    assert all(found == expected for found in at_every_level(lambda: [fast.slot(ticket) for ticket in tickets]))
    for ticket, slot in zip(tickets, expected, strict=True):
        order = list(fast.walk(ticket))
        assert order == list(slow.walk(ticket))
        assert sorted(order) == sorted(columns[1])
        assert order[0] == slot


@given(columns(), st.lists(TICKETS, min_size=1, max_size=8))
def test_race(columns, tickets):
    same(columns, tickets)


@given(
    st.lists(st.tuples(st.floats(1e-300, 1e300), st.floats(1e-300, 1.0)), min_size=1, max_size=40),
    st.lists(TICKETS, min_size=1, max_size=8),
)
def test_race_of_a_view(pool, tickets):
    weights = {f"b{i:02}": w for i, (w, _) in enumerate(pool)}
    view = lb.View.of(weights, factors={f"b{i:02}": f for i, (_, f) in enumerate(pool)})
    same(((np.arange(len(pool)) * 77).astype(np.uint64), range(len(pool)), *rates(view), len(pool)), tickets)


@pytest.mark.parametrize("race", [compiled.RendezvousRace, plain.RendezvousRace])
def test_ties_go_to_the_larger_u_then_to_the_first(race):
    """Equal salts draw equal u: among equal weights the first wins, wherever its stretch lies."""
    for n in (2, 63, 64, 65, 200):
        for mantissas in ([0.5] * n, [0.5] * n + [0.5000001]):
            salts = [7] * n + [8] * (len(mantissas) - n)
            built = race(salts, list(range(len(salts)))[::-1], mantissas, [0] * n + [-3000] * (len(salts) - n), n + 1)
            assert list(built.walk(99))[:n] == list(range(len(salts)))[::-1][:n]
            assert set(at_every_level(lambda: built.slot(99))) == {len(salts) - 1}  # noqa: B023 - called at once


@pytest.mark.parametrize("race", [compiled.RendezvousRace, plain.RendezvousRace])
@pytest.mark.parametrize("mantissas", [[0.5, 0.5], [0.5, 0.5, 0.6]], ids=["even", "weighted"])
def test_the_twelve_bits_that_u_does_not_have_decide_nothing(race, mantissas):
    """Two draws that differ below u only: a tie, and the first id's, though its 64 bits are the lesser."""
    assert plain.draw(undrawn(123456789 << 12), 0) == 123456789
    ticket = 0xFEEDFACE
    for k in (2**52 - 1, 2**51, 12345):
        salts = [undrawn(k << 12) ^ ticket, undrawn(k << 12 | 4095) ^ ticket, 99][: len(mantissas)]
        built = race(salts, range(len(salts)), mantissas, [0, 0, -100][: len(salts)], len(salts))
        assert built.even == (len(salts) == 2)
        assert built.slot(ticket) == next(built.walk(ticket)) == 0


@pytest.mark.parametrize(("n", "count"), [(2, 12_000), (6, 6_000), (20, 2_000), (130, 400)])
def test_pruning_changes_no_answer(n, count):
    """Unequal weights, many tickets: where a bound is too tight, a rival close behind the leader is passed over."""
    rng = np.random.default_rng(n)
    columns = rng.integers(0, 2**64, n, dtype=np.uint64), range(n), rng.uniform(0.5, 1, n), rng.integers(-3, 4, n), n
    tickets = rng.integers(0, 2**64, count, dtype=np.uint64).tolist()
    fast, slow = compiled.RendezvousRace(*columns), plain.RendezvousRace(*columns)
    expected = [slow.slot(ticket) for ticket in tickets]
    assert all(found == expected for found in at_every_level(lambda: in_bulk(fast, tickets)))


@pytest.mark.parametrize(("n", "count"), [(9, 6_000), (16, 4_000), (130, 400)])
@pytest.mark.parametrize("heavy", [0.1, 0.999, 1.001, 4.0, 40.0])
def test_a_few_that_weigh_something_else(n, count, heavy):
    """The few win what is theirs, be they a little or much lighter or heavier than all others."""
    rng = np.random.default_rng(n)
    weights = np.ones(n)
    weights[rng.choice(n, n // 8, replace=False)] = heavy
    columns = rng.integers(0, 2**64, n, dtype=np.uint64), range(n), *np.frexp(weights), n
    tickets = rng.integers(0, 2**64, count, dtype=np.uint64).tolist()
    fast, slow = compiled.RendezvousRace(*columns), plain.RendezvousRace(*columns)
    expected = [slow.slot(ticket) for ticket in tickets]
    assert len({weights[slot] for slot in expected}) == 2, "both kinds win"
    assert all(found == expected for found in at_every_level(lambda: in_bulk(fast, tickets)))
    assert all(found == expected for found in at_every_level(lambda: [fast.slot(ticket) for ticket in tickets]))


def test_who_weighs_a_little_less_and_draws_the_same_is_scored():
    """All draw the same; the first weighs less by the last bit, which the rounding of its score may hide: a tie."""
    columns = [7] * 9, range(9), [math.nextafter(0.75, 0.0)] + [0.75] * 8, [0] * 9, 9
    fast, slow = compiled.RendezvousRace(*columns), plain.RendezvousRace(*columns)
    expected = [slow.slot(ticket) for ticket in range(100)]
    assert set(expected) == {0, 1}
    assert all(found == expected for found in at_every_level(lambda: in_bulk(fast, list(range(100)))))
    assert all(found == expected for found in at_every_level(lambda: [fast.slot(ticket) for ticket in range(100)]))


@pytest.mark.parametrize("race", [compiled.RendezvousRace, plain.RendezvousRace])
@pytest.mark.parametrize("first", [0, 1])
def test_of_unequal_weights_that_tie_the_larger_u_wins(race, first):
    """Quotients may round to one double though neither u nor weight is equal; the listing does not decide then."""
    ticket, pairs = 77, [(2251799813697593, 1592262918144537), (2251799813697608, 1592262918144553)]
    for larger, lesser in pairs:
        assert plain.neg_log(larger) / 0.5 == plain.neg_log(lesser) / 0.75
        runners = [(undrawn(larger << 12) ^ ticket, 0.5), (undrawn(lesser << 12) ^ ticket, 0.75)]
        salts, mantissas = zip(*(runners if first == 0 else runners[::-1]), strict=True)
        built = race(salts, [0, 1], mantissas, [0, 0], 2)
        assert built.slot(ticket) == first
        assert list(built.walk(ticket)) == [first, 1 - first]
