"""`check_invariants` is itself checked: each picker here contradicts its view in one way, and has to say so."""

import itertools

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.active import AliasTable, JumpBuckets, MaglevTable, Period, RendezvousRace, Ring, Stride, TicketPicker
from lbalgo.policies.building import COUNTER, KEYED, RANDOM


def rebuilt(picker, structure, view=None):
    """The picker with another structure (or view) than its policy would have made."""
    return TicketPicker(
        picker.policy,
        picker.view if view is None else view,
        structure,
        picker.hasher,
        picker.source,
        picker.cursor,
        picker.source == KEYED and not isinstance(picker.policy, lb.Rendezvous),
    )


def refused(picker, structure, view=None):
    picker.check_invariants()
    with pytest.raises(AssertionError):
        rebuilt(picker, structure, view).check_invariants()


def maglev(table):
    return MaglevTable(np.asarray(table, dtype=np.int32), np.zeros(4, dtype=np.uint64))


def moved(counts):
    """A table in which each slot owns so many positions."""
    return maglev(np.repeat(np.arange(len(counts)), counts))


def _fair(counts):
    """Whether one T puts all of the first three counts within 1 of T * w, w = 1, 1/3, 1/3."""
    lows = [(counts[0] - 1), 3 * (counts[1] - 1), 3 * (counts[2] - 1)]
    highs = [(counts[0] + 1), 3 * (counts[1] + 1), 3 * (counts[2] + 1)]
    return max(lows) <= min(highs) and min(counts[:3]) > 0 and counts[3] == 0


SEVEN = [c for c in itertools.product(range(8), repeat=4) if sum(c) == 7]


@pytest.mark.parametrize("counts", SEVEN, ids=str)
def test_maglev_is_judged_as_its_law_says(counts):
    """Every way to give seven positions to weights 3, 1, 1 and 0: one T has to put all within 1 of T * w."""
    picker = lb.Maglev(table_size=7).build({"a": 3.0, "b": 1.0, "c": 1.0, "d": 0.0})
    if _fair(counts):
        rebuilt(picker, moved(counts)).check_invariants()
    else:
        refused(picker, moved(counts))


def test_maglev_sizes():
    refused(lb.Maglev(table_size=7).build(["a"]), MaglevTable(np.zeros(5, np.int32), np.zeros(1, np.uint64)))


def test_maglev_without_weight_has_no_table():
    refused(lb.Maglev(table_size=7).build({"a": 0.0}), MaglevTable(np.zeros(7, np.int32), np.zeros(1, np.uint64)))


def test_maglev_leaves_nobody_with_weight_out():
    """At a tenth of the weight nothing at all is within 1 of T * w for T = 7, and still it is refused."""
    picker = lb.Maglev(table_size=7).build(list("abcd"))
    view = lb.View.of({"a": 1.0, "b": 0.1, "c": 0.0, "d": 0.0})
    rebuilt(picker, moved([6, 1, 0, 0]), view).check_invariants()
    refused(picker, moved([7, 0, 0, 0]), view)


def test_ring_ties_after_the_first():
    picker = lb.RingHash(points=1).build(["a", "b", "c"])
    points = np.array([1, 2, 2], dtype=np.uint64)
    rebuilt(picker, Ring(points, np.array([1, 0, 2]), 3)).check_invariants()
    refused(picker, Ring(points, np.array([1, 2, 0]), 3))


def test_ring():
    picker = lb.RingHash(points=2).build({"a": 2.0, "b": 1.0, "c": 0.0})
    points = np.array(picker.structure.points(), dtype=np.uint64)
    owners = np.asarray(picker.structure.owners())
    rebuilt(picker, Ring(points, owners, 3)).check_invariants()
    refused(picker, Ring(points[1:], owners[1:], 3))
    swapped = owners.copy()
    swapped[owners == 1] = 0
    refused(picker, Ring(points, swapped, 3))
    tied = np.repeat(points[:1], len(points))
    order = np.sort(owners)
    rebuilt(picker, Ring(tied, order, 3)).check_invariants()
    refused(picker, Ring(tied, order[::-1], 3))


def test_rendezvous():
    picker = lb.Rendezvous().build({"a": 2.0, "b": 1.0, "c": 0.0})
    half, one = np.array([0.5, 0.5]), np.array([2, 1])
    rebuilt(picker, RendezvousRace([1, 2], [0, 1], half, one, 3)).check_invariants()
    refused(picker, RendezvousRace([1, 2], [0, 2], half, one, 3))
    refused(picker, RendezvousRace([1], [0], half[:1], one[:1], 3))
    refused(picker, RendezvousRace([1, 2, 3], [0, 1, 1], np.array([0.5] * 3), np.array([2, 1, 1]), 3))
    refused(picker, RendezvousRace([1, 2], [0, 1], half, np.array([1, 1]), 3))


def test_jump():
    picker = lb.Jump().build(["a", "b"])
    refused(picker, JumpBuckets(np.array([True, True])), lb.View.of({"a": 1.0, "b": 2.0}))
    with pytest.raises(lb.ConfigError):
        rebuilt(picker, JumpBuckets(np.array([True])))
    refused(lb.Jump().build({"a": 0.0, "b": 0.0}), JumpBuckets(np.array([True, True])))


def test_round_robin():
    picker = lb.WeightedRoundRobin().build({"a": 2.0, "b": 1.0, "c": 0.0})
    assert picker.source == COUNTER
    rebuilt(picker, Period([0, 1, 0], 3)).check_invariants()
    refused(picker, Period([0, 1, 1], 3))
    refused(picker, Period([0, 1, 0, 2], 3))
    refused(picker, Period([0, 0, 0], 3))
    tight = lb.WeightedRoundRobin(max_period=3).build({"a": 2.0, "b": 1.0})
    tight.check_invariants()
    refused(tight, Period([0, 1, 0, 0, 1, 0], 2))
    short = lb.WeightedRoundRobin(max_period=2).build({"a": 2.0, "b": 1.0})
    assert isinstance(short.structure, Stride)
    refused(short, Period([0, 1, 0], 2))
    uneven = lb.WeightedRoundRobin().build({"a": 2.0, "b": 2.0**0.5})
    refused(uneven, Stride(np.array([0, 1]), np.array([65535, 46341], dtype=np.uint32), 2))


def test_random():
    picker = lb.Random().build({"a": 3.0, "b": 1.0, "c": 0.0})
    assert picker.source == RANDOM
    quarter = 1 << 62
    salts = [1, 2, 3]
    rebuilt(picker, AliasTable([0, 1], np.array([3 * quarter, quarter], np.uint64), salts)).check_invariants()
    refused(picker, AliasTable([0, 1], np.array([2 * quarter, 2 * quarter], np.uint64), salts))
    refused(picker, AliasTable([0, 2], np.array([3 * quarter, quarter], np.uint64), salts))
    refused(picker, AliasTable([0], np.array([0], np.uint64), salts))
