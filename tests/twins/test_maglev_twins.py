"""The compiled fill and table equal the paper's loop and the plain table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo.reference.maglev as plain
from lbalgo.kernels import maglev as compiled
from tests.levels import at_every_level

PRIMES = [2, 3, 5, 7, 11, 13, 17, 31, 101, 251, 509, 1009, 2003, 4093]
TICKETS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=10)


@st.composite
def fills(draw):
    """Turns of any period over any backends; permutations at random, coinciding, or at the ends of their ranges."""
    size = draw(st.sampled_from(PRIMES))
    n = draw(st.sampled_from([k for k in (1, 2, 7, 8, 9, 15, 16, 17, 33, 60) if k <= size]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["random", "coinciding", "extreme"]))
    if kind == "random":
        offset, skip = rng.integers(0, size, n), rng.integers(1, size, n) if size > 2 else np.ones(n, int)
    elif kind == "coinciding":
        offset, skip = np.full(n, size - 1), np.full(n, max(size // 2, 1))
    else:
        offset, skip = rng.choice([0, size - 1], n), rng.choice([1, size - 1], n)
    if draw(st.booleans()):
        turns = rng.permutation(n)
    else:
        turns = rng.integers(0, n, draw(st.one_of(st.just(size), st.integers(1, 2 * size))))
    return turns.tolist(), offset.tolist(), skip.tolist(), size


@given(fills())
def test_fill(case):
    turns, offset, skip, size = case
    wanted = plain.fill(turns, offset, skip, size)
    for table in at_every_level(lambda: compiled.fill(turns, offset, skip, size)):
        assert table.dtype == np.int32
        assert table.tolist() == wanted
    taken = (turns * (size // len(turns) + 1))[:size]
    assert np.bincount(wanted).tolist() == np.bincount(taken).tolist()


def same(table, salts, tickets):
    fast, slow = compiled.MaglevTable(table, salts), plain.MaglevTable(table, salts)
    assert (fast.size, fast.slots) == (slow.size, slow.slots) == (len(table), len(salts))
    assert fast.table().tolist() == slow.table() == list(table)
    bulk = np.empty(len(tickets), np.int32)
    fast.slot_many(np.array(tickets, np.uint64), bulk)
    for ticket, slot in zip(tickets, bulk.tolist(), strict=True):
        assert fast.slot(ticket) == slow.slot(ticket) == slot == table[ticket % len(table)]
        assert list(fast.walk(ticket)) == list(slow.walk(ticket))
        assert sorted(fast.walk(ticket)) == list(range(len(salts)))


@given(st.data(), TICKETS)
def test_table(data, tickets):
    slots = data.draw(st.integers(1, 30))
    table = data.draw(st.lists(st.integers(0, slots - 1), min_size=1, max_size=200))
    salts = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=slots, max_size=slots))
    same(table, salts, [*tickets, 0, 2**64 - 1, len(table) - 1])


def test_tables_on_both_sides_of_sixteen_bits():
    for slots in (65536, 65537, 70000):
        table = (np.arange(131071) * 7919 % slots).tolist()
        fast = compiled.MaglevTable(table, np.arange(slots))
        assert fast.table().tolist() == table
        tickets = np.arange(5000, dtype=np.uint64) * 0x9E3779B97F4A7C15
        bulk = np.empty(5000, np.int32)
        fast.slot_many(tickets, bulk)
        assert bulk.tolist() == [table[t % 131071] for t in tickets.tolist()]
        assert fast.slot(131070) == table[131070]


@pytest.mark.parametrize("module", [plain, compiled])
def test_no_position_after_the_last_of_the_walk_counts(module):
    """Four slots, 16 positions: slots 2 and 3 have the 16th and 17th, so the one is found and the other left over."""
    for sixteenth, order in ((2, [0, 1, 2, 3]), (3, [0, 1, 3, 2])):
        table = [0, 1] * 7 + [0, sixteenth, 5 - sixteenth, 0, 1]
        assert list(module.MaglevTable(table, [1, 2, 3, 4]).walk(0)) == order
    orders = set()
    for salts in ([1, 2, 3, 4], [1, 2, 4, 3]):  # both have later ones: their salts alone decide, whoever comes first
        table = [0, 1] * 8 + [2, 3, 0]
        orders.add(tuple(module.MaglevTable(table, salts).walk(0)))
    assert orders == {(0, 1, 2, 3), (0, 1, 3, 2)}
