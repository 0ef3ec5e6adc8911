"""A ring that is changed step by step is, bit for bit, the ring that is made anew, at every step and SIMD level.

Two of the ids were made to collide: points of theirs lie at one position, where the order is that of the ids, whoever
came first.
"""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import lbalgo as lb
from lbalgo.active import xxh64
from tests.levels import LEVELS, level

GAMMA = 0x9E3779B97F4A7C15
ONE, OTHER = "b1456", "RvD9TP8c"
IDS = [ONE, OTHER, *(f"10.0.0.{i}:80" for i in range(14))]
WEIGHTS = [0.0, 0.3, 1.0, 1.0, 2.5]
TICKETS = np.random.default_rng(3).integers(0, 2**64, 200, dtype=np.uint64)


def test_the_two_collide():
    assert xxh64(OTHER.encode()) == (xxh64(ONE.encode()) + 2 * GAMMA) % 2**64
    assert lb.RingHash().build([ONE, OTHER]).structure.ties
    assert not lb.RingHash().build([ONE]).structure.ties


def same(changed, fresh):
    """Whether two rings are equal in everything that can be asked, at their points and edges above all."""
    assert type(changed) is type(fresh)
    assert changed.slots == fresh.slots
    if not fresh.slots:
        return
    for what in ("size", "members", "nearest", "ties"):
        assert getattr(changed, what) == getattr(fresh, what), what
    points = np.asarray(fresh.points(), dtype=np.uint64)
    assert np.array_equal(changed.points(), points)
    assert np.array_equal(changed.owners(), fresh.owners())
    half = points + ((np.roll(points, -1) - points) >> np.uint64(1))
    near = [at + np.uint64(step) for at in (points, half) for step in (2**64 - 1, 0, 1)]
    tickets = np.concatenate([*near, TICKETS, np.arange(256, dtype=np.uint64) << np.uint64(56)])
    found, wanted = np.empty(len(tickets), np.int32), np.empty(len(tickets), np.int32)
    changed.slot_many(tickets, found)
    fresh.slot_many(tickets, wanted)
    assert np.array_equal(found, wanted)
    assert [changed.slot(t) for t in tickets[::7].tolist()] == wanted[::7].tolist()
    for ticket in TICKETS[:3].tolist():
        assert list(changed.walk(ticket)) == list(fresh.walk(ticket))


class RingChanges(RuleBasedStateMachine):
    lookup = lb.Lookup.SUCCESSOR

    def __init__(self):
        super().__init__()
        self.policy = lb.RingHash(points=10, lookup=self.lookup)
        self.members = dict.fromkeys(IDS[2:10], 1.0)
        self.states, self.factors = {}, {}
        self.picker = self.policy.build(self.view())

    def view(self):
        here = [{i: x for i, x in columns.items() if i in self.members} for columns in (self.states, self.factors)]
        return lb.View.of(self.members, states=here[0], factors=here[1])

    @rule(id=st.sampled_from(IDS), weight=st.sampled_from(WEIGHTS), place=st.integers(0, 16))
    def join(self, id, weight, place):
        if id not in self.members:
            listed = list(self.members.items())
            listed.insert(place, (id, weight))
            self.members = dict(listed)

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def leave(self, data):
        del self.members[data.draw(st.sampled_from(sorted(self.members)))]

    @precondition(lambda self: self.members)
    @rule(data=st.data(), weight=st.sampled_from(WEIGHTS))
    def reweight(self, data, weight):
        self.members[data.draw(st.sampled_from(sorted(self.members)))] = weight

    @rule(id=st.sampled_from(IDS), state=st.sampled_from(lb.State))
    def eject_or_drain(self, id, state):
        self.states[id] = state

    @rule(id=st.sampled_from(IDS), factor=st.sampled_from([0.25, 1.0]))
    def warm(self, id, factor):
        self.factors[id] = factor

    @rule(data=st.data())
    def list_otherwise(self, data):
        self.members = dict(data.draw(st.permutations(list(self.members.items()))))

    @rule(id=st.sampled_from([ONE, OTHER]))
    def collide(self, id):
        if self.members.pop(id, None) is None:
            self.members[id] = 1.0

    @rule(few=st.integers(1, 4), weight=st.sampled_from(WEIGHTS))
    def several_at_once(self, few, weight):
        for id in IDS[-few:]:
            if self.members.pop(id, None) is None:
                self.members[id] = weight

    @invariant()
    def is_as_if_made_anew(self):
        self.picker = self.policy.build(self.view(), previous=self.picker)
        same(self.picker.structure, self.policy.build(self.view()).structure)
        self.picker.check_invariants()


class NearestChanges(RingChanges):
    lookup = lb.Lookup.NEAREST


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("machine", [RingChanges, NearestChanges])
def test_changed_rings(machine, name):
    with level(name):
        run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))


def test_a_balancer_changes_its_ring(monkeypatch):
    """After the first build every change of a few members is merged into the ring that is there."""
    weights = {f"10.0.0.{i}:80": 1.0 for i in range(20)}
    balancer = lb.Balancer(lb.RingHash(points=10), weights, clock=lambda: 0.0)
    with monkeypatch.context() as patch:
        patch.delattr(lb.RingHash, "_structure")
        steps = [{**weights, "new": 2.0}, dict(list(weights.items())[3:]), {**weights, "10.0.0.7:80": 0.5}]
        for now in (*steps, weights):
            balancer.update(now)
            balancer.acquire("key").done()
            changed = balancer.picker.structure
            with monkeypatch.context() as back:
                back.setattr(lb.RingHash, "_structure", WHOLE, raising=False)
                same(changed, lb.RingHash(points=10).build(now).structure)
        with pytest.raises(AttributeError):
            lb.RingHash(points=10).build(weights)


WHOLE = lb.RingHash._structure
