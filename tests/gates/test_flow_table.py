"""Flow tables: flows stay, memory is bounded, floods do no harm; against a model written from the description."""

import json

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, State
from lbalgo.gates.flow_table import KEEPS, FlowTable
from lbalgo.gates.members import Standing

NAMES = ["a", "b", "c", "d"]
POLICY = lb.Maglev(251)


def pool(names=NAMES, states=None, **more):
    return POLICY.build(lb.View.of(names, states=states or {}, **more))


class Model:
    """One list of flows, newest last: [key, id, seen, packets]. Slow, and without cunning."""

    def __init__(self, capacity, young, idle, young_idle):
        self.flows, self.rooms, self.idle = [], {True: young, False: capacity - young}, {True: young_idle, False: idle}
        self.now = None

    def see(self, now):
        self.now = now if self.now is None else max(self.now, now)
        self.flows = [f for f in self.flows if self.now - f[2] < self.idle[f[3] == 1]]

    def pick(self, picker, key, keeps, exclude, opening):
        found = next((f for f in self.flows if f[0] == key), None)
        packets = 1
        if found is not None and not opening and found[1] in keeps and found[1] not in exclude:
            id, packets = found[1], 2
        else:
            id = picker.pick(key, exclude=exclude).id
        self.flows = [f for f in self.flows if f[0] != key]
        mates = [f for f in self.flows if (f[3] == 1) == (packets == 1)]
        if len(mates) >= self.rooms[packets == 1]:
            self.flows.remove(mates[0])
        self.flows.append([key, id, self.now, packets])
        return id


class Flows(RuleBasedStateMachine):
    @initialize(capacity=st.integers(2, 6), draining=st.booleans(), degraded=st.booleans())
    def begin(self, capacity, draining, degraded):
        young = min(max(int(capacity * 0.5), 1), capacity - 1)
        self.make = lambda: FlowTable(
            capacity, 10.0, young_idle=3.0, young_share=0.5, draining=draining, degraded=degraded
        )
        self.table, self.model = self.make(), Model(capacity, young, 10.0, 3.0)
        self.spared = [s for s, kept in ((State.DRAINING, draining), (State.DEGRADED, degraded)) if kept]
        self.now, self.states, self.names = 0.0, {}, NAMES
        self.picker = pool()

    @rule(states=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(list(State))), leaves=st.sampled_from(" abcd"))
    def change(self, states, leaves):
        self.names = [name for name in NAMES if name != leaves]
        self.states = {name: state for name, state in states.items() if name in self.names}
        self.picker = pool(self.names, self.states, panic_below=0.0)

    @rule(
        key=st.integers(0, 4),
        dt=st.sampled_from([0.0, 0.0, 0.5, -1.0, 2.5]),
        exclude=st.sampled_from([(), (), (), {"a"}, {"a", "b"}]),
        opening=st.sampled_from([False, False, False, True]),
    )
    def packet(self, key, dt, exclude, opening):
        self.now += dt
        self.model.see(self.now)
        well = {n for n in self.names if self.states.get(n, State.HEALTHY) is State.HEALTHY}
        keeps = well | {n for n in self.names if self.states.get(n) in self.spared}
        try:
            wanted = self.model.pick(self.picker, key, keeps, exclude, opening)
        except NoBackend:
            with pytest.raises(NoBackend):
                self.table.pick(self.picker, key, now=self.now, exclude=exclude, opening=opening)
            return
        got = self.table.pick(self.picker, key, now=self.now, exclude=exclude, opening=opening)
        assert got.id == wanted and got in self.picker.backends

    @rule(key=st.integers(0, 4))
    def end(self, key):
        held = [f for f in self.model.flows if f[0] == key]
        self.model.flows = [f for f in self.model.flows if f[0] != key]
        assert self.table.end(key) >= bool(held)

    @rule(dt=st.sampled_from([0.0, 1.0, 4.0, 20.0]))
    def wait(self, dt):
        self.now += dt
        self.table.advance(self.now)
        self.model.see(self.now)
        assert len(self.table) == len(self.model.flows)

    @rule()
    def wait_for_the_deadline(self):
        self.table.advance(self.now)
        self.model.see(self.now)
        if self.table.deadline is not None and self.table.deadline > self.now:
            held = len(self.table)
            self.now = self.table.deadline
            self.table.advance(self.now)
            self.model.see(self.now)
            assert len(self.table) < held

    @rule(shift=st.sampled_from([-100.0, 0.0, 64.0]))
    def another_process(self, shift):
        state = json.loads(json.dumps(self.table.snapshot()))
        twin = self.make()
        self.now = (self.model.now or 0.0) + shift
        twin.restore(state, self.now)
        assert twin.snapshot() == state
        self.table = twin
        if self.model.now is not None:
            for flow in self.model.flows:
                flow[2] += shift
        self.model.now = self.now

    @precondition(lambda self: hasattr(self, "table"))
    @invariant()
    def agrees(self):
        self.table.check_invariants()
        for key in range(5):
            held = next((f[1] for f in self.model.flows if f[0] == key), None)
            assert self.table.get(key) == held


TestFlows = Flows.TestCase


def test_flows_stay_when_backends_join():
    flows, two, three = FlowTable(2000), pool(["a", "b"]), pool(["a", "b", "c"])
    before = [flows.pick(two, k, now=0.0).id for k in range(500)]
    assert [flows.pick(three, k, now=1.0).id for k in range(500)] == before
    assert flows.stats().hits == 500 and flows.stats().old == 500
    fresh = [flows.pick(three, 1000 + k, now=1.0).id for k in range(500)]
    assert fresh == [three.pick(1000 + k).id for k in range(500)]
    assert flows.flows() == {name: (before + fresh).count(name) for name in "abc"}


def moved(**more):
    """Whether each of five known flows is decided anew, asked the last one first."""
    flows, two, three = FlowTable(100, 10.0), pool(["a", "b"]), pool(["a", "b", "c"])
    keys = [key for key in range(200) if three.pick(key).id == "c"][:5]
    for now in (0.0, 1.0):
        for key in keys:
            flows.pick(two, key, now=now)
    return [flows.pick(three, key, **{"now": 2.0, **more}).id == "c" for key in reversed(keys)], flows.stats()


def test_a_flow_that_opens_is_decided_anew():
    assert moved()[0] == [False] * 5
    anew, stats = moved(opening=True)
    assert anew == [True] * 5 and stats.ended == 5 and stats.hits == 5


def test_idle_flows_are_decided_anew_even_if_they_were_not_yet_swept():
    assert moved(now=10.9)[0] == [False] * 5
    anew, stats = moved(now=11.0)
    assert anew == [True] * 5 and stats.expired == 5 and stats.old == 0


def test_flows_of_excluded_backends_move():
    anew, stats = moved(exclude={"a", "b"})
    assert anew == [True] * 5 and stats.moved == 5


def test_the_least_recently_used_goes_first():
    flows, picker = FlowTable(4, young_share=0.25), pool()  # room for three old flows
    for now, key in enumerate("aabbccab"):  # the last to be used again are a and b
        flows.pick(picker, key, now=float(now))
    flows.check_invariants()
    for now in (8.0, 9.0):
        flows.pick(picker, "d", now=now)
    assert [flows.get(key) is not None for key in "abcd"] == [True, True, False, True]


def test_a_flood_of_single_packets_leaves_old_flows_alone():
    flows, picker = FlowTable(1000), pool()
    for k in range(700):
        for t in (0.0, 0.1):
            flows.pick(picker, k, now=t)
    for k in range(100_000, 110_000):
        flows.pick(picker, k, now=1.0)
    assert all(flows.get(k) is not None for k in range(700))
    assert flows.stats().young == 250 and len(flows) == 950 and flows.stats().evicted == 10_000 - 250


def test_long_keys_take_no_more_room():
    flows, picker = FlowTable(4), pool()
    long = b"k" * 100_000
    chosen = flows.pick(picker, long, now=0.0)
    assert chosen is picker.pick(long) and flows.get(long) == chosen.id and flows.get(b"k" * 99_999) is None
    flows.check_invariants()


def test_text_bytes_and_integers_are_one_key():
    flows, picker = FlowTable(4), pool()
    flows.pick(picker, "k", now=0.0)
    assert flows.get(b"k") == flows.get(bytearray(b"k")) == picker.pick("k").id
    flows.pick(picker, 7, now=0.0)
    assert flows.get((7).to_bytes(8, "little")) is not None


def test_the_table_of_who_keeps_flows_is_whole():
    assert set(KEEPS) == set(Standing)


def test_a_refused_packet_changes_nothing():
    flows, picker = FlowTable(4), pool()
    flows.pick(picker, "k", now=0.0)
    state = flows.snapshot()
    with pytest.raises(NoBackend):
        flows.pick(pool(["z"], {"z": State.DRAINING}), "k", now=0.0)
    assert flows.snapshot() == state


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda x=x: FlowTable(x), "capacity") for x in (1, 2**24 + 1, 8.0, True, None)),
        *((lambda x=x: FlowTable(8, x), "idle") for x in (0.0, -1.0, float("nan"), "1")),
        *((lambda x=x: FlowTable(8, 10.0, young_idle=x), "young_idle") for x in (0.0, 10.1, None)),
        *((lambda x=x: FlowTable(8, young_share=x), "young_share") for x in (0.0, 1.0, 1.1)),
        *((lambda x=x: FlowTable(8, draining=x), "draining") for x in (1, None)),
        *((lambda x=x: FlowTable(8, degraded=x), "degraded") for x in (1, None)),
        *((lambda x=x: FlowTable(8).pick(pool(), "k", now=x), "now") for x in (None, "1", float("inf"))),
        (lambda: FlowTable(8).pick(pool(), "k", now=0.0, exclude="a"), "exclude"),
        (lambda: FlowTable(8).pick(pool(), -1, now=0.0), "key"),
        (lambda: FlowTable(8).advance(float("nan")), "now"),
    ],
)
def test_what_is_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter


def test_no_key_is_refused():
    with pytest.raises(TypeError):
        FlowTable(8).pick(pool(), None, now=0.0)


GOOD = {"type": "FlowTable", "young": [["6b", "a", 1.0]], "old": []}


@pytest.mark.parametrize(
    "state",
    [
        {},
        None,
        [],
        {**GOOD, "type": "Other"},
        {**GOOD, "more": 1},
        {**GOOD, "young": None},
        {**GOOD, "young": [["6b", "a", 1.0]] * 2},
        {**GOOD, "old": [["6b", "a", 1.0]]},
        {**GOOD, "young": [["6b", "a", 1.0], ["6c", "a", 2.0]]},
        {**GOOD, "young": [["6b", "a", -1.0]]},
        {**GOOD, "young": [["6b", "", 1.0]]},
        {**GOOD, "young": [["x", "a", 1.0]]},
        {**GOOD, "young": [["6b", "a"]]},
        {**GOOD, "young": [[7, "a", 1.0]]},
        {**GOOD, "young": [["6b" * 66, "a", 1.0]]},
        {**GOOD, "young": [[f"{k:02x}", "a", 1.0] for k in range(9)]},
    ],
)
def test_bad_snapshots_change_nothing(state):
    flows = FlowTable(8)
    flows.pick(pool(), "k", now=5.0)
    before = flows.snapshot()
    with pytest.raises(ConfigError):
        flows.restore(state, 9.0)
    assert flows.snapshot() == before
    flows.restore(GOOD, 9.0)
    assert flows.get("k") == "a"
