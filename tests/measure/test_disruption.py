"""Disruption against brute force over every position, and the laws every measurement of it obeys."""

from collections import Counter

import numpy as np
import pandas
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.measure import Method, balance, disruption
from lbalgo.types import State
from tests.statistical.budget import assert_binomial

ids = st.text("abcdef", min_size=1, max_size=2)
pools = st.dictionaries(ids, st.sampled_from([0.0, 1.0, 2.0, 3.5]), min_size=1, max_size=9).filter(
    lambda pool: any(pool.values())
)
SIZE = 211
POLICY = lb.Maglev(table_size=SIZE)


def brute_force(before, after, tickets):
    flows = Counter((before.backends[before.slot(t)].id, after.backends[after.slot(t)].id) for t in tickets)
    return {pair: count for pair, count in flows.items() if pair[0] != pair[1]}


def flows_of(result):
    return dict(zip(zip(result.losers, result.gainers, strict=True), result.amounts, strict=True))


def check_laws(result, before, after):
    flows = flows_of(result)
    assert result.moved == pytest.approx(sum(flows.values()), abs=1e-12)
    assert result.moved == pytest.approx(result.minimal + result.excess, abs=1e-12)
    assert 0 <= result.minimal <= result.moved + 1e-15
    assert 0 <= result.excess <= result.moved + 1e-15
    if result.exact:
        old, new = (dict(zip(b.ids, b.shares, strict=True)) for b in (balance(before), balance(after)))
        minimal = sum(max(0.0, share - new.get(id, 0.0)) for id, share in old.items())
        assert result.minimal == pytest.approx(minimal, abs=1e-9)


@given(pools, pools)
def test_tables_position_by_position(old, new):
    before, after = POLICY.build(old), POLICY.build(new)
    result = disruption(before, after)
    assert (result.method, result.exact, result.error) == (Method.STRUCTURE, True, 0.0)
    expected = brute_force(before, after, range(SIZE))
    assert {pair: round(x * SIZE, 9) for pair, x in flows_of(result).items()} == expected
    check_laws(result, before, after)


@given(pools, st.data())
def test_failed_backends_stay_exact(pool, data):
    """Certain coins leave the owner a function of the position; uncertain ones do not, and are sampled."""
    view = lb.View.of(pool)
    down = data.draw(st.sets(st.sampled_from(sorted(pool))))
    before = POLICY.build(view)
    sick = lb.View.of(view, states=dict.fromkeys(down, State.UNHEALTHY), panic_below=0.0)
    assume(sick.eligible.any())
    after = POLICY.build(sick, previous=before)
    result = disruption(before, after)
    if result.exact:
        expected = brute_force(before, after, range(SIZE))
        assert {pair: round(x * SIZE, 9) for pair, x in flows_of(result).items()} == expected
        # what a position does, every ticket of it does
        assert brute_force(before, after, range(SIZE * 1000, SIZE * 1001)) == expected
    check_laws(result, before, after)
    assert set(result.losers) <= down


def test_walks_that_leave_the_table_are_sampled():
    """A walk looks at 4 N positions; where all of those are down the ticket decides, and not its position."""
    view = lb.View.of({"most": 100.0, "a": 1.0, "b": 1.0}, panic_below=0.0)
    before = POLICY.build(view)
    after = POLICY.build(lb.View.of(view, states={"most": State.UNHEALTHY}, panic_below=0.0), previous=before)
    owners = [{after.slot(position + SIZE * turn) for turn in range(50)} for position in range(SIZE)]
    assert max(map(len, owners)) == 2
    assert disruption(before, after).method is Method.SAMPLE


def test_warming_is_sampled():
    pool = ["a", "b", "c"]
    before = POLICY.build(pool)
    after = POLICY.build(lb.View.of(pool, factors={"a": 0.5}), previous=before)
    result = disruption(before, after)
    assert result.method is Method.SAMPLE
    # the coins accept half of a's positions, to which its share is known exactly
    assert_binomial(round(result.moved * result.keys), result.keys, balance(before).shares[0] / 2)
    assert result.excess == 0


@given(pools)
def test_nothing_moves_between_equals(pool):
    before = POLICY.build(pool)
    after = POLICY.build(dict(reversed(pool.items())))
    for keys in (None, ["a", "b", "c"]):
        result = disruption(before, after, keys)
        assert (result.moved, result.minimal, result.excess, result.losers) == (0.0, 0.0, 0.0, ())


@given(pools, pools, st.lists(st.integers(0, 99), min_size=1, max_size=60))
def test_keys_one_by_one(old, new, keys):
    before, after = POLICY.build(old), POLICY.build(new)
    result = disruption(before, after, keys)
    moved = Counter((before.pick(k).id, after.pick(k).id) for k in keys)
    expected = {pair: count / len(keys) for pair, count in moved.items() if pair[0] != pair[1]}
    assert flows_of(result) == pytest.approx(expected)
    assert (result.method, result.keys) == (Method.SAMPLE, len(keys))
    check_laws(result, before, after)


@given(pools, pools)
def test_backwards_is_the_mirror(old, new):
    there = disruption(POLICY.build(old), POLICY.build(new))
    back = disruption(POLICY.build(new), POLICY.build(old))
    assert (there.moved, there.minimal, there.excess) == (back.moved, back.minimal, back.excess)
    assert flows_of(there) == {(j, i): x for (i, j), x in flows_of(back).items()}


def test_standard_error_counts_repeats():
    """Ten copies of a stream are no more evidence than one."""
    before, after = lb.Maglev().build(["a", "b"]), lb.Maglev().build(["a", "b", "c"])
    once, often = disruption(before, after, range(1000)), disruption(before, after, list(range(1000)) * 10)
    assert once.moved == often.moved
    assert once.error == pytest.approx(often.error) == pytest.approx((once.moved * (1 - once.moved) / 1000) ** 0.5)


def test_sample_agrees_with_structure():
    pool = {f"b{i}": 1 + i % 3 for i in range(20)}
    before, after = lb.Maglev().build(pool), lb.Maglev().build({**pool, "new": 2})
    exact, sampled = disruption(before, after), disruption(before, after, np.arange(100_000, dtype=np.uint64))
    assert_binomial(round(sampled.moved * 100_000), 100_000, exact.moved)


def test_other_hash_is_sampled():
    """With another seed every key's ticket is drawn anew: it stays by chance alone."""
    before, after = lb.Maglev().build({"a": 1, "b": 3}), lb.Maglev(seed=1).build({"a": 1, "b": 3})
    result = disruption(before, after)
    assert result.method is Method.SAMPLE
    law = 1 - (balance(before).shares * balance(after).shares).sum()
    assert_binomial(round(result.moved * result.keys), result.keys, law)


def test_other_size_is_sampled():
    result = disruption(lb.Maglev(table_size=211).build(["a", "b"]), lb.Maglev(table_size=223).build(["a", "b"]))
    assert result.method is Method.SAMPLE


@pytest.mark.parametrize("lookup", list(lb.Lookup))
@given(pools, pools, st.data())
def test_rings_arc_by_arc(lookup, old, new, data):
    """Every arc between neighbouring edges of either ring, found by asking around each point and each midpoint."""
    policy = lb.RingHash(points=2, lookup=lookup)
    before = policy.build(old)
    sick = lb.View.of(
        new, states=dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(new)))), State.UNHEALTHY), panic_below=0.0
    )
    assume(sick.eligible.any())
    after = policy.build(sick)
    result = disruption(before, after)
    assert result.method is Method.STRUCTURE
    points = sorted({int(p) for picker in (before, after) for p in picker.structure.points()})
    middles = {((a + b) // 2 + d + h) % 2**64 for a in points for b in points for h in (0, 2**63) for d in (-1, 0, 1)}
    edges = sorted(middles | {(p + d) % 2**64 for p in points for d in (0, 1)})
    flows = Counter()
    for last, end in zip([edges[-1] - 2**64, *edges], edges, strict=False):
        flows[before.backends[before.slot(end)].id, after.backends[after.slot(end)].id] += end - last
    expected = {pair: size / 2**64 for pair, size in flows.items() if pair[0] != pair[1]}
    assert flows_of(result) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    check_laws(result, before, after)


def test_one_point_owns_the_circle():
    policy = lb.RingHash(points=1)
    assert disruption(policy.build(["a"]), policy.build(["b"])).moved == 1.0
    assert disruption(policy.build(["a"]), policy.build(["a"])).moved == 0.0


@given(pools, pools)
def test_rendezvous_by_law(old, new):
    before, after = lb.Rendezvous().build(old), lb.Rendezvous().build(new)
    result = disruption(before, after)
    assert (result.method, result.exact) == (Method.LAW, True)
    check_laws(result, before, after)


@pytest.mark.parametrize(
    "old, new",
    [
        ({"a": 1, "b": 2, "c": 3}, {"a": 2, "b": 1, "d": 3}),
        ({"a": 1, "b": 2}, lb.View.of({"a": 1, "b": 2, "c": 2}, factors={"a": 0.5, "b": 0.1, "c": 0.3})),
        ({"a": 1, "b": 2, "c": 2}, lb.View.of({"a": 1, "b": 2, "c": 2}, states={"c": State.UNHEALTHY})),
        ({"a": 1e-200, "b": 2e-200}, {"a": 3e200, "b": 1e200, "c": 0}),
    ],
)
def test_rendezvous_keeps_its_law(old, new):
    before, after = lb.Rendezvous().build(old), lb.Rendezvous().build(new)
    law, sampled = disruption(before, after), disruption(before, after, np.arange(100_000, dtype=np.uint64))
    counts = flows_of(sampled)
    assert counts.keys() <= flows_of(law).keys()
    for pair, chance in flows_of(law).items():
        assert_binomial(round(counts.get(pair, 0) * 100_000), 100_000, chance)


@pytest.mark.parametrize("old, new", [(5, 8), (8, 5), (7, 7), (1, 2)])
def test_jump_by_law(old, new):
    before = lb.Jump().build([f"b{i}" for i in range(old)])
    after = lb.Jump().build([f"b{i}" for i in range(new)], previous=before)
    law, sampled = disruption(before, after), disruption(before, after, np.arange(50_000, dtype=np.uint64))
    assert law.method is Method.LAW
    assert law.moved == pytest.approx(1 - min(old, new) / max(old, new))
    assert law.excess == 0.0
    assert_binomial(round(sampled.moved * 50_000), 50_000, law.moved)


def test_jump_with_a_hole_is_sampled():
    before = lb.Jump().build(["a", "b", "c"])
    after = lb.Jump().build({"a": 1, "b": 0, "c": 1}, previous=before)
    result = disruption(before, after)
    assert result.method is Method.SAMPLE
    assert set(result.losers) == {"b"}


@pytest.mark.parametrize("policy", [lb.RingHash(), lb.RingHash(lookup=lb.Lookup.NEAREST), lb.Rendezvous(), lb.Jump()])
@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0])
def test_minimal_algorithms_have_no_excess(policy, weight):
    """Not a little: exactly none, whichever backend joins or leaves or changes weight."""
    if isinstance(policy, lb.Jump):
        weight = 1.0
    pool = {f"b{i}": weight for i in range(10)}
    for old, new in ((pool, {**pool, "new": weight}), ({**pool, "old": weight}, pool)):
        assert disruption(policy.build(old), policy.build(new)).excess == 0.0
    if not isinstance(policy, lb.Jump):
        assert disruption(policy.build(pool), policy.build({**pool, "b3": 2 * weight})).excess == 0.0


def test_refusals():
    maglev = lb.Maglev().build(["a"])
    with pytest.raises(lb.ConfigError, match=r"before.*takes no key"):
        disruption(lb.RoundRobin().build(["a"]), maglev)
    with pytest.raises(lb.ConfigError, match=r"after.*takes no key"):
        disruption(maglev, object())
    with pytest.raises(lb.ConfigError, match="keys"):
        disruption(maglev, maglev, [])
    with pytest.raises(lb.NoBackend):
        disruption(maglev, lb.Maglev().build([]))


def test_keys_may_be_an_iterator():
    before, after = POLICY.build(["a", "b"]), POLICY.build(["a"])
    assert disruption(before, after, iter(range(100))).moved == disruption(before, after, range(100)).moved


def test_columns_make_a_data_frame():
    frame = pandas.DataFrame(disruption(POLICY.build(["a", "b", "c"]), POLICY.build(["a", "b"])).columns())
    assert frame["share"].sum() == pytest.approx(balance(POLICY.build(["a", "b", "c"])).shares[2], abs=0.02)
    assert (frame["share"].diff().dropna() <= 0).all()
