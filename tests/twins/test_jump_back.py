"""JumpBackHash and the order of all buckets: compiled equals plain, errors included, and the laws of the order."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.jump_back as plain
from lbalgo.errors import ConfigError
from lbalgo.kernels.jump_back import SeatMap, choose, jump_back
from tests.both import both

WORD = st.integers(0, 2**64 - 1)
SEATS = st.lists(st.booleans(), min_size=1, max_size=30).filter(any)


def seats_of(mask):
    """Slots in order, -1 where the mask is False."""
    count = iter(range(len(mask)))
    return [next(count) if on else -1 for on in mask]


@given(WORD, st.integers(1, 2**31 - 1) | st.integers(1, 1000))
@example(2**64 - 1, 2**31 - 1)
@example(0, 2**30 + 1)
def test_function(ticket, buckets):
    assert jump_back(ticket, buckets) == plain.jump_back(ticket, buckets) < buckets


@pytest.mark.parametrize("buckets", [2, 3, 5, 6, 9, 17, 33, 100, 2**20 + 1, 2**31 - 1])
def test_the_rarer_draws(buckets):
    """Just above a power of two nearly half of all draws are beyond the last bucket, and are drawn again and again."""
    tickets = np.random.default_rng(buckets).integers(0, 2**64, 500, dtype=np.uint64).tolist()
    assert [jump_back(ticket, buckets) for ticket in tickets] == [
        plain.jump_back(ticket, buckets) for ticket in tickets
    ]
    if buckets < 50:
        assert [choose(t, 2, buckets) for t in tickets[:100]] == [plain.choose(t, 2, buckets) for t in tickets[:100]]


@given(WORD, st.integers(1, 2**31 - 2) | st.integers(1, 70))
def test_a_ticket_stays_or_goes_to_the_newest_bucket(ticket, buckets):
    assert jump_back(ticket, buckets + 1) in (jump_back(ticket, buckets), buckets)


@given(WORD, st.integers(1, 24), st.data())
def test_orders(ticket, buckets, data):
    k = data.draw(st.integers(1, buckets))
    order = choose(ticket, k, buckets)
    assert order == plain.choose(ticket, k, buckets) == choose(ticket, buckets, buckets)[:k]
    assert len(set(order)) == k
    assert order[0] == plain.bucket(ticket, buckets)


@given(WORD, st.integers(1, 40))
def test_a_bucket_more_enters_the_order_and_changes_nothing_else(ticket, buckets):
    order = choose(ticket, buckets + 1, buckets + 1)
    order.remove(buckets)
    assert order == choose(ticket, buckets, buckets)


@given(SEATS, st.lists(WORD, min_size=1, max_size=20))
@example([False] * 80 + [True], list(range(20)))
@example([True] + [False] * 80, list(range(20)))
@example([True] * 70, [7])
def test_structures(mask, tickets):
    seats = seats_of(mask)
    fast, slow = SeatMap(seats, len(mask)), plain.SeatMap(seats, len(mask))
    assert list(fast.seats()) == slow.seats() == seats
    got = np.empty(len(tickets), dtype=np.int32)
    fast.slot_many(np.array(tickets, dtype=np.uint64), got)
    for ticket, bulk in zip(tickets, got.tolist(), strict=True):
        walk = list(slow.walk(ticket))
        assert list(fast.walk(ticket)) == walk
        assert sorted(walk) == [slot for slot in seats if slot >= 0]
        assert walk == [seats[seat] for seat in choose(ticket, len(mask), len(mask)) if mask[seat]]
        assert fast.slot(ticket) == slow.slot(ticket) == walk[0] == bulk


@given(SEATS, WORD, st.integers(1, 9))
def test_free_seats_at_the_end_are_immaterial(mask, ticket, more):
    seats = seats_of(mask)
    assert list(SeatMap(seats + [-1] * more, 99).walk(ticket)) == list(SeatMap(seats, 99).walk(ticket))


BAD = [
    (lambda m: m.jump_back(1, 0), ConfigError, "buckets"),
    (lambda m: m.jump_back(1, 2**31), ConfigError, "buckets"),
    (lambda m: m.jump_back(-1, 3), ConfigError, "ticket"),
    (lambda m: m.jump_back(2**64, 3), ConfigError, "ticket"),
    (lambda m: m.jump_back(1.5, 3), TypeError, None),
    (lambda m: m.choose(1, 0, 3), ConfigError, "k"),
    (lambda m: m.choose(1, 4, 3), ConfigError, "k"),
    (lambda m: m.choose(-1, 1, 3), ConfigError, "ticket"),
    (lambda m: m.choose(1, 1, 0), ConfigError, "buckets"),
    (lambda m: m.choose(1, True, 3), TypeError, None),
    (lambda m: m.SeatMap([], 1), ConfigError, "seats"),
    (lambda m: m.SeatMap([-1, -1], 1), ConfigError, "seats"),
    (lambda m: m.SeatMap([0, 0], 2), ConfigError, "seats"),
    (lambda m: m.SeatMap([0, 2], 2), ConfigError, "seats"),
    (lambda m: m.SeatMap([0, -2], 2), ConfigError, "seats"),
    (lambda m: m.SeatMap([0], 0), ConfigError, "slots"),
]


@pytest.mark.parametrize("module", both("jump_back"))
@pytest.mark.parametrize(("call", "error", "parameter"), BAD)
def test_refused(module, call, error, parameter):
    with pytest.raises(error) as caught:
        call(module)
    assert getattr(caught.value, "parameter", None) == parameter
