"""JumpBack as a policy: seats, what moves and what returns, history as data, shares, invariants."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import SeatMap, TicketPicker
from lbalgo.policies.jump_back import JumpBack, take_seats

KEYS = [f"key-{i}" for i in range(200)]
POOLS = st.lists(st.sets(st.sampled_from("abcdefghijkl"), max_size=12), min_size=1, max_size=8)


def owners(picker):
    return [picker.pick(key).id for key in KEYS] if picker.view.eligible.any() else [None] * len(KEYS)


@given(POOLS)
def test_along_any_history_only_what_must_move_moves(pools):
    picker, before = None, [None] * len(KEYS)
    here = set()
    for pool in pools:
        picker = JumpBack().build(sorted(pool), previous=picker)
        picker.check_invariants()
        now = owners(picker)
        assert all(a == b or a not in pool or b not in here for a, b in zip(before, now, strict=True))
        before, here = now, pool


@given(POOLS, st.data())
def test_which_seats_are_taken_decides_and_nothing_else(pools, data):
    """Whatever came before, equal seats for those present mean equal mappings, and a stranger's copy agrees."""
    picker = None
    for pool in pools:
        picker = JumpBack().build(data.draw(st.permutations(sorted(pool))), previous=picker)
    copy = JumpBack.from_dict(json.loads(json.dumps(picker.policy.to_dict()))).build(sorted(picker.view.ids))
    assert owners(copy) == owners(picker)
    assert copy.fingerprint() == picker.fingerprint() == pickle.loads(pickle.dumps(picker)).fingerprint()
    assert owners(pickle.loads(pickle.dumps(picker))) == owners(picker)


def test_whoever_comes_back_finds_its_seat():
    picker = JumpBack().build(list("abcdef"))
    home = owners(picker)
    for gone in ("b", "bd", "bde"):
        picker = JumpBack().build([i for i in "abcdef" if i not in gone], previous=picker)
    for gone in ("be", "b", ""):
        picker = JumpBack().build([i for i in "abcdef" if i not in gone], previous=picker)
    assert owners(picker) == home
    assert picker.policy.seats == tuple("abcdef")


def test_nobody_with_weight_has_no_seats_to_check():
    picker = JumpBack().build({"a": 0.0, "b": 0.0})
    picker.check_invariants()
    assert picker.policy.seats == ("a", "b")


def test_free_seats_at_the_end_leave_no_trace():
    shrunk = JumpBack().build(["a", "b"], previous=JumpBack().build(["a", "b", "c", "d"]))
    assert shrunk.fingerprint() == JumpBack().build(["a", "b"]).fingerprint()
    assert shrunk.structure.size == 2


def test_a_stranger_takes_the_first_free_seat_and_with_it_the_leavers_keys():
    picker = JumpBack().build(list("abcdef"))
    home = owners(picker)
    heir = JumpBack().build(list("acdefx"), previous=picker)
    assert owners(heir) == ["x" if owner == "b" else owner for owner in home]


@pytest.mark.parametrize(
    ("seats", "ids", "after"),
    [
        ((), "cab", "abc"),
        ("abc", "", "abc"),
        ("abc", "b", "abc"),
        ("abc", "bz", "zbc"),
        ("abc", "bzy", "ybz"),
        ("abc", "bzyx", "xbyz"),
        ("abc", "abcd", "abcd"),
    ],
)
def test_seats(seats, ids, after):
    assert take_seats(tuple(seats), ids) == tuple(after)


def test_weight_0_and_signals_keep_the_seat():
    base = JumpBack().build(list("abcd"))
    closed = JumpBack().build({"a": 1, "b": 0, "c": 1, "d": 1}, previous=base)
    ejected = JumpBack().build(lb.View.of(list("abcd"), states={"b": lb.State.UNHEALTHY}), previous=base)
    assert ejected.structure is base.structure
    assert owners(ejected) == owners(closed)
    assert all(b == a or a == "b" for a, b in zip(owners(base), owners(closed), strict=True))
    assert owners(JumpBack().build(list("abcd"), previous=closed)) == owners(base)


def test_the_same_seats_at_the_end_of_a_large_pool():
    """More than 64 free seats in a row, and coins besides: the long way round gives the walk's head."""
    ids = [f"b{i:03}" for i in range(150)]
    picker = JumpBack(seats=tuple(ids)).build(ids[148:])
    dim = JumpBack(seats=tuple(ids)).build(lb.View.of(ids[140:], factors={ids[149]: 0.3}))
    for made in (picker, dim):
        for key in KEYS:
            assert made.pick(key) is next(made.walk(key))
    counts = np.bincount(picker.pick_many(picker.tickets(range(400))), minlength=2)
    assert counts.min() > 120


def test_another_policys_picker_has_no_seats_to_give():
    assert JumpBack().build(["b", "a"], previous=lb.Jump().build(["b", "a"])).policy.seats == ("a", "b")


def test_shares():
    assert JumpBack().build({"a": 2, "b": 2, "c": 0}).shares().tolist() == [0.5, 0.5, 0.0]
    thin = JumpBack().build(lb.View.of(["a", "b"], factors={"b": 0.5}))
    assert thin.shares().tolist() == [0.75, 0.25]
    assert JumpBack().build([]).shares().tolist() == []


def test_invariants_are_checked():
    picker = JumpBack().build(["a", "b", "c"])

    def altered(policy, view, structure):
        return TicketPicker(policy, view, structure, picker.hasher, picker.source, picker.cursor, True)

    altered(picker.policy, picker.view, SeatMap([0, 1, 2], 3)).check_invariants()
    for policy, view, structure in (
        (picker.policy, picker.view, SeatMap([0, 2, 1], 3)),
        (picker.policy, picker.view, SeatMap([0, 1], 3)),
        (picker.policy, lb.View.of({"a": 1, "b": 2, "c": 1}), SeatMap([0, 1, 2], 3)),
        (JumpBack(seats=("a", "b")), picker.view, SeatMap([0, 1, 2], 3)),
    ):
        with pytest.raises(AssertionError):
            altered(policy, view, structure).check_invariants()


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: JumpBack(seats="ab"), "seats"),
        (lambda: JumpBack(seats=7), "seats"),
        (lambda: JumpBack(seats=("a", "")), "seats"),
        (lambda: JumpBack(seats=("a", 1)), "seats"),
        (lambda: JumpBack(seats=("a", "b", "a")), "id"),
        (lambda: JumpBack().build({"a": 1, "b": 2}), "weights['b']"),
    ],
)
def test_refused(call, parameter):
    with pytest.raises(lb.ConfigError) as caught:
        call()
    assert caught.value.parameter == parameter


def test_frozen():
    picker = JumpBack().build(["a", "b", "c", "d"])
    tickets = np.arange(12, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert picker.pick_many(tickets).tolist() == FROZEN
    two = JumpBack().build(["a", "d"], previous=picker)
    assert [two.backends[s].id for s in two.pick_many(tickets)] == list(TWO)


FROZEN = [3, 0, 2, 0, 2, 3, 1, 0, 2, 2, 1, 3]  # says nothing of correctness: a change has to be meant
TWO = "dadaddaadaad"
