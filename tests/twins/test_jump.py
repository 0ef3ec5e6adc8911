"""Jump: compiled equals plain, errors included."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.jump as plain
from lbalgo.errors import ConfigError
from lbalgo.kernels.jump import JumpBuckets, jump

WORD = st.integers(0, 2**64 - 1)


@given(WORD, st.integers(1, 2**31 - 1) | st.integers(1, 1000))
@example(2**64 - 1, 2**31 - 1)
def test_function(ticket, buckets):
    assert jump(ticket, buckets) == plain.jump(ticket, buckets) < buckets


@given(WORD, st.integers(1, 10**6))
def test_a_ticket_stays_or_jumps_to_the_newest_bucket(ticket, buckets):
    assert jump(ticket, buckets + 1) in (jump(ticket, buckets), buckets)


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.lists(WORD, min_size=1, max_size=20))
@example([False] * 39 + [True], list(range(50)))
@example([True] + [False] * 300, list(range(50)))
@example([True] * 200, list(range(5)))  # some are in none of 800 jumps
def test_structures(mask, tickets):
    fast, slow = JumpBuckets(np.array(mask)), plain.JumpBuckets(mask)
    assert fast.slots == slow.slots == len(mask)
    got = np.empty(len(tickets), dtype=np.int32)
    fast.slot_many(np.array(tickets, dtype=np.uint64), got)
    for ticket, bulk in zip(tickets, got.tolist(), strict=True):
        walk = list(slow.walk(ticket))
        assert list(fast.walk(ticket)) == walk
        assert sorted(walk) == [slot for slot, on in enumerate(mask) if on]
        assert fast.slot(ticket) == slow.slot(ticket) == walk[0] == bulk


@given(st.integers(1, 200), WORD)
def test_closing_a_bucket_takes_it_out_of_the_walk_and_changes_nothing_else(buckets, ticket):
    whole = np.ones(buckets, dtype=bool)
    walk = list(JumpBuckets(whole).walk(ticket))
    for closed in walk[: min(3, buckets - 1)]:
        whole[closed] = False
        walk.remove(closed)
        assert list(JumpBuckets(whole).walk(ticket)) == walk


@pytest.mark.parametrize("function", [jump, plain.jump])
@pytest.mark.parametrize(
    ("parameter", "ticket", "buckets"),
    [
        ("buckets", 1, 0),
        ("buckets", 1, -1),
        ("buckets", 1, 2**31),
        ("buckets", 1, 2**70),
        ("ticket", -1, 3),
        ("ticket", 2**64, 3),
    ],
)
def test_out_of_range(function, parameter, ticket, buckets):
    with pytest.raises(ConfigError) as caught:
        function(ticket, buckets)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("function", [jump, plain.jump])
@pytest.mark.parametrize(("ticket", "buckets"), [("a", 3), (1.5, 3), (1, 2.0), (None, 1)])
def test_not_an_integer(function, ticket, buckets):
    with pytest.raises(TypeError):
        function(ticket, buckets)


@pytest.mark.parametrize("kind", [JumpBuckets, plain.JumpBuckets])
@pytest.mark.parametrize("mask", [np.array([], bool), np.array([False]), np.array([[True]])])
def test_masks(kind, mask):
    with pytest.raises(ConfigError) as caught:
        kind(mask)
    assert caught.value.parameter == "mask"


@pytest.mark.parametrize("kind", [JumpBuckets, plain.JumpBuckets])
@pytest.mark.parametrize(("ticket", "order"), [(5285, [0, 5]), (16993, [0, 5]), (56828, [5, 0]), (163900, [5, 0])])
def test_the_last_of_the_jumps_counts(kind, ticket, order):
    """23 jumps of these tickets lead into closed buckets, the 24th does not; three would go elsewhere without it."""
    buckets = kind([True, False, False, False, False, True])
    assert buckets.slot(ticket) == order[0]
    assert list(buckets.walk(ticket)) == order


@pytest.mark.parametrize("kind", [JumpBuckets, plain.JumpBuckets])
@pytest.mark.parametrize("ticket", [4650, 23939, 41700, 90720])
def test_no_jump_after_the_last_counts(kind, ticket):
    """All 24 jumps of these tickets lead into closed buckets; one of the next six would lead into 0."""
    assert list(kind([True, False, False, False, False, True]).walk(ticket)) == [5, 0]
