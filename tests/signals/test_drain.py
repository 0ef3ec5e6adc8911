"""Drain: its table, its instants, its two ways of counting, sessions until the deadline, and what is refused."""

import json
import math

import numpy as np
import pytest

from lbalgo import (
    Balancer,
    ConfigError,
    DuplicateBackend,
    Lifecycle,
    NoBackend,
    Outcome,
    RoundRobin,
    SlowStart,
    State,
)
from lbalgo.events import DrainCalledOff, Drained, Draining, DrainOverdue
from lbalgo.gates import Request, Sticky, Why
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.signals.drain import Drain
from lbalgo.signals.drained import TRANSITIONS, DrainOrder, OpenLeases, Phase, Trigger
from lbalgo.stages import Stage
from lbalgo.testing import FakeClock, GateContract, SignalContract

BEGIN, CALL_OFF = DrainOrder.BEGIN, DrainOrder.CALL_OFF


def states(signal, n):
    factors, out = np.full(n, 0.5), np.zeros(n, np.uint8)
    signal.apply(factors, out)
    assert (factors == 1.0).all()
    return [State(x) for x in out.tolist()]


def synced(*ids, **arguments):
    signal = Drain(**{"deadline": 30.0, **arguments})
    signal.sync(list(ids), 0.0)
    return signal


class Ordered(Drain):
    """Takes its orders and counts from outcomes, so that the histories of the contract reach every phase."""

    SAID = {  # noqa: RUF012
        Outcome.OVERLOADED: BEGIN,
        Outcome.TIMEOUT: BEGIN,
        Outcome.SUCCESS: CALL_OFF,
        Outcome.SERVER_ERROR: OpenLeases(0),
        Outcome.LOCAL_ERROR: OpenLeases(2),
    }

    def observe(self, slot, outcome, latency, now):
        super().observe(slot, outcome, latency, now)
        if outcome in self.SAID:
            self.reported(slot, self.SAID[outcome], now)


class TestLaws(SignalContract):
    longest = 40.0

    def signal(self):
        return Ordered(30.0)


class TestGateLaws(GateContract):
    def gate(self):
        return DrainGate(synced("a", "b"))


def test_every_move_and_no_other():
    """Each phase is reached, each thing that can happen is done to it, and the table says where that leads."""
    ways = {
        Phase.SERVING: [],
        Phase.DRAINING: [(1.0, BEGIN), (1.0, OpenLeases(1))],
        Phase.EMPTY: [(1.0, BEGIN), (1.0, OpenLeases(0))],
        Phase.OVERDUE: [(1.0, BEGIN), (31.0, OpenLeases(1))],
    }
    happenings = {
        (Phase.SERVING, Trigger.BEGUN): (2.0, BEGIN),
        (Phase.DRAINING, Trigger.EMPTIED): (2.0, OpenLeases(0)),
        (Phase.DRAINING, Trigger.EXPIRED): (31.0, None),
        (Phase.DRAINING, Trigger.CALLED_OFF): (2.0, CALL_OFF),
        (Phase.EMPTY, Trigger.BUSY): (2.0, OpenLeases(3)),
        (Phase.EMPTY, Trigger.EXPIRED): (31.0, OpenLeases(3)),
        (Phase.EMPTY, Trigger.CALLED_OFF): (2.0, CALL_OFF),
        (Phase.OVERDUE, Trigger.EMPTIED): (32.0, OpenLeases(0)),
        (Phase.OVERDUE, Trigger.CALLED_OFF): (32.0, CALL_OFF),
    }
    assert set(happenings) == set(TRANSITIONS)
    for (at, trigger), (now, report) in happenings.items():
        signal = synced("a")
        for when, said in ways[at]:
            signal.reported(0, said, when)
        assert signal.phase(0) is at
        signal.reported(0, report, now)
        signal.advance(now)
        assert signal.phase(0) is TRANSITIONS[at, trigger], (at, trigger)
    nothings = {
        Phase.SERVING: [(2.0, CALL_OFF), (2.0, OpenLeases(0)), (2.0, OpenLeases(1)), (99.0, None)],
        Phase.DRAINING: [(2.0, BEGIN), (2.0, OpenLeases(5)), (30.999, None)],
        Phase.EMPTY: [(2.0, BEGIN), (2.0, OpenLeases(0)), (99.0, None)],
        Phase.OVERDUE: [(99.0, BEGIN), (99.0, OpenLeases(5)), (99.0, None)],
    }
    for at, reports in nothings.items():
        for now, report in reports:
            signal = synced("a")
            for when, said in ways[at]:
                signal.reported(0, said, when)
            signal.drain_events()
            signal.reported(0, report, now)
            signal.advance(now)
            assert (signal.phase(0), signal.drain_events()) == (at, []), (at, now, report)


def test_a_timeline_by_hand():
    signal = synced("a", "b", "c")
    signal.reported(1, BEGIN, 5.0)
    assert states(signal, 3) == [State.HEALTHY, State.DRAINING, State.HEALTHY]
    assert signal.deadline == 35.0
    signal.reported(2, BEGIN, 10.0)
    signal.reported(2, OpenLeases(4), 12.0)
    version = signal.version
    signal.advance(34.999999999)
    assert signal.phases() == {"b": Phase.DRAINING, "c": Phase.DRAINING}
    signal.advance(100.0)
    assert signal.phases() == {"b": Phase.OVERDUE, "c": Phase.OVERDUE}
    assert (signal.version, signal.deadline) == (version, None), "the deadline changes no state"
    signal.reported(2, OpenLeases(0), 101.0)
    signal.reported(1, CALL_OFF, 102.0)
    assert states(signal, 3) == [State.HEALTHY, State.HEALTHY, State.DRAINING]
    assert signal.drain_events() == [
        Draining(5.0, "b", 35.0),
        Draining(10.0, "c", 40.0),
        DrainOverdue(35.0, "b", None),
        DrainOverdue(40.0, "c", 4),
        Drained(101.0, "c"),
        DrainCalledOff(102.0, "b"),
    ]


def test_a_drain_begun_anew_has_a_deadline_and_a_count_of_its_own():
    signal = synced("a")
    signal.reported(0, BEGIN, 0.0)
    signal.reported(0, OpenLeases(0), 1.0)
    signal.reported(0, BEGIN, 20.0)
    assert signal.deadline == 30.0, "a second order is no second drain"
    signal.reported(0, CALL_OFF, 25.0)
    signal.reported(0, BEGIN, 26.0)
    assert (signal.deadline, signal.phase(0)) == (56.0, Phase.DRAINING), "the old count is no count any more"


def test_who_leaves_and_returns_drains_on():
    signal = synced("a", "b")
    signal.reported(0, BEGIN, 1.0)
    signal.sync(["b"], 2.0)
    assert (signal.deadline, signal.phases()) == (None, {})
    signal.sync(["b", "a"], 20.0)
    assert (signal.deadline, states(signal, 2)) == (31.0, [State.HEALTHY, State.DRAINING])
    signal.sync(["b"], 21.0)
    signal.sync(["b", "a"], 50.0)
    assert signal.drain_events() == [Draining(1.0, "a", 31.0), DrainOverdue(50.0, "a", None)]
    signal.sync(["b"], 60.0)
    signal.sync(["b", "a"], 360.0)
    assert states(signal, 2) == [State.HEALTHY, State.HEALTHY], "forgotten after 300 s"


@pytest.mark.parametrize("sticky", [True, False])
def test_whom_sessions_may_visit(sticky):
    signal = synced("a", "b", sticky=sticky)
    assert signal.closed() == frozenset()
    signal.reported(0, BEGIN, 1.0)
    assert signal.closed() == (frozenset() if sticky else {"a"})
    signal.reported(0, OpenLeases(0), 2.0)
    signal.advance(30.999)
    assert signal.closed() == (frozenset() if sticky else {"a"})
    signal.advance(31.0)
    assert (signal.closed(), signal.phase(0)) == ({"a"}, Phase.EMPTY)
    signal.reported(0, CALL_OFF, 32.0)
    assert signal.closed() == frozenset()


def counted(*, sticky=True, gates=(), **arguments):
    clock, drain, events = FakeClock(1_700_000_000.0), Drain(30.0, sticky), []
    balancer = Balancer(
        RoundRobin(),
        ["a", "b", "c"],
        signals=[drain],
        gates=[DrainGate(drain), *gates],
        clock=clock,
        seed=0,
        on_event=events.append,
        **arguments,
    )
    return clock, drain, balancer, events


def test_in_flight_is_kept_new_is_refused_and_the_end_is_told():
    clock, drain, balancer, events = counted()
    leases = [balancer.acquire() for _ in range(9)]
    ours = [lease for lease in leases if lease.backend.id == "a"]
    assert len(ours) == 3
    balancer.report("a", BEGIN)
    assert {balancer.acquire().backend.id for _ in range(9)} == {"b", "c"}
    for lease in ours[:2]:
        lease.done()
    clock.advance(1.0)
    assert drain.phases() == {"a": Phase.DRAINING}
    ours[2].done()
    assert events[-1] == Drained(1_700_000_001.0, "a"), "at once"
    assert drain.phases() == {"a": Phase.EMPTY}
    kinds = (Draining, Drained, DrainOverdue)
    began = 1_700_000_000.0
    assert [e for e in events if isinstance(e, kinds)] == [
        Draining(began, "a", began + 30.0),
        Drained(began + 1.0, "a"),
    ]
    assert balancer.stats().in_flight["a"] == 0
    assert "a" not in drain.counts, "nothing is kept of who has nothing"


def test_overdue_with_what_is_left():
    clock, _, balancer, events = counted()
    leases = [balancer.acquire() for _ in range(6)]
    balancer.report("a", BEGIN)
    clock.advance(30.0)
    balancer.advance()
    assert events[-1] == DrainOverdue(1_700_000_030.0, "a", 2)
    assert balancer.view.states.tolist() == [State.DRAINING, 0, 0]
    assert balancer.stats().open_leases == len(leases)


def test_nobody_is_left_when_all_drain_and_panic_does_not_help():
    _, _, balancer, _ = counted(panic_below=1.0)
    for id in "abc":
        balancer.report(id, BEGIN)
    with pytest.raises(NoBackend) as refused:
        balancer.acquire()
    assert refused.value.reason == "ineligible"


@pytest.mark.parametrize(
    ("sticky", "later", "why"),
    [
        (True, 29.999, Why.HIT),
        (True, 30.0, Why.EXCLUDED),
        (False, 0.0, Why.EXCLUDED),
        (False, 31.0, Why.EXCLUDED),
    ],
)
def test_sessions_are_kept_until_the_deadline(sticky, later, why):
    clock, drain, balancer, _ = counted(sticky=sticky, gates=[Sticky((bytes(16),))])
    first = balancer.acquire()
    home, cookie = first.backend.id, first.choice.cookie
    first.done()
    balancer.report(home, BEGIN)
    assert drain.phases() == {home: Phase.EMPTY}
    clock.advance(later)
    with balancer.acquire(session=cookie) as again:
        assert again.choice.why is why
        assert (again.backend.id == home) is (why is Why.HIT)
        assert drain.phases() == {home: Phase.DRAINING if why is Why.HIT else Phase.EMPTY}


def test_without_the_gate_sticky_alone_decides():
    drain, clock = Drain(30.0), FakeClock(1_700_000_000.0)
    gates = [Sticky((bytes(16),))]
    balancer = Balancer(RoundRobin(), ["a", "b"], signals=[drain], gates=gates, clock=clock, seed=0)
    first = balancer.acquire()
    balancer.report(first.backend.id, BEGIN)
    balancer.report(first.backend.id, OpenLeases(balancer.stats().in_flight[first.backend.id]))
    assert drain.phases() == {first.backend.id: Phase.DRAINING}
    clock.advance(99.0)
    assert balancer.acquire(session=first.choice.cookie).choice.why is Why.HIT, "until it leaves"


def test_a_snapshot_goes_on_in_another_process():
    signal = synced("a", "b", "c")
    signal.reported(0, BEGIN, 1.0)
    signal.reported(1, BEGIN, 2.0)
    signal.reported(1, OpenLeases(0), 3.0)
    signal.sync(["b", "c"], 4.0)
    other = Drain(30.0)
    other.restore(json.loads(json.dumps(signal.snapshot())), 1000.0)
    other.sync(["a", "b", "c"], 1000.0)
    assert other.phases() == {"a": Phase.DRAINING, "b": Phase.EMPTY}
    assert other.deadline == 1027.0
    assert other.snapshot()["members"]["a"] == {"phase": "DRAINING", "draining_for": 3 * 10**9}


def test_a_balancer_carries_its_drains_over():
    clock, drain, balancer, _ = counted()
    lease = balancer.acquire()
    balancer.report(lease.backend.id, BEGIN)
    clock.advance(10.0)
    balancer.advance()
    kept = json.loads(json.dumps(balancer.snapshot()))
    _, other, heir, _ = counted()
    heir.restore(kept)
    assert other.phases() == {lease.backend.id: Phase.EMPTY}
    assert other.deadline == 1_700_000_020.0, "10 s of it are over; the other clock stands at its beginning"
    assert {heir.acquire().backend.id for _ in range(9)} == {*"abc"} - {lease.backend.id}
    assert drain.phases() == {lease.backend.id: Phase.DRAINING}


def test_the_lifecycle_follows_a_drain():
    life, clock = Lifecycle(), FakeClock()
    drain = Drain(30.0)
    gates = [DrainGate(drain)]
    signals = [drain, SlowStart(10.0)]
    balancer = Balancer(RoundRobin(), ["a", "b"], signals=signals, gates=gates, clock=clock, seed=0, on_event=life)
    leases = [balancer.acquire() for _ in range(2)]
    balancer.report("a", BEGIN)
    assert life["a"].stage is Stage.DRAINING
    for lease in leases:
        lease.done()
    life.count(balancer.stats().in_flight, clock())
    assert (life["a"].stage, drain.phases()) == (Stage.DRAINED, {"a": Phase.EMPTY})
    balancer.report("a", CALL_OFF)
    assert life["a"].stage is Stage.WARMING


def test_a_restored_drain_with_a_gate_counts_its_own_process():
    signal = synced("a", "b")
    signal.reported(0, BEGIN, 1.0)
    other = Drain(30.0)
    DrainGate(other)
    other.restore(signal.snapshot(), 0.0)
    assert other.phases() == {"a": Phase.EMPTY}, "nothing is in flight from here"


def test_repr_is_the_signal():
    assert repr(Drain(5, sticky=False)) == "Drain(deadline=5.0, sticky=False)"
    assert repr(DrainGate(Drain())) == "DrainGate(Drain(deadline=300.0, sticky=True))"


@pytest.mark.parametrize("deadline", [0, -1.0, math.nan, math.inf, "30", None, 1e-10])
def test_bad_deadlines(deadline):
    with pytest.raises(ConfigError) as refused:
        Drain(deadline)
    assert refused.value.parameter == "deadline"


GOOD = {"phase": "DRAINING", "draining_for": 5}
CALLS = [
    ("reported", (2, BEGIN, 9.0), ConfigError, "slot"),
    ("reported", (0, BEGIN, math.nan), ConfigError, "now"),
    ("reported", (0, None, math.nan), ConfigError, "now"),
    ("phase", (-1,), ConfigError, "slot"),
    ("counted", ("a", 1, 9.0), ConfigError, "id"),
    ("sync", (["c", "c"], 9.0), DuplicateBackend, "id"),
    ("sync", (["c"], math.inf), ConfigError, "now"),
    ("advance", ("1",), ConfigError, "now"),
    ("observe", (0, "success", None, 9.0), ConfigError, "outcome"),
    ("changed", (0, 0, State.HEALTHY, 9.0), ConfigError, "old"),
    ("restore", ({}, 9.0), ConfigError, "state"),
    ("restore", ({"type": "Drain", "synced": 1, "members": {}, "away": {}}, 9.0), ConfigError, "state['synced']"),
    ("restore", ({"type": "Drain", "synced": True, "members": [], "away": {}}, 9.0), ConfigError, "state['members']"),
    ("restore", ({"type": "Drain", "synced": True, "members": {}, "away": 7}, 9.0), ConfigError, "state['away']"),
    *(
        ("restore", ({"type": "Drain", "synced": True, "members": {"a": record}, "away": {}}, 9.0), ConfigError, name)
        for record, name in [
            (7, "state['a']"),
            ({**GOOD, "more": 1}, "state['a']"),
            ({**GOOD, "phase": "GONE"}, "phase"),
            ({**GOOD, "phase": "SERVING"}, "state['a']['draining_for']"),
            ({**GOOD, "draining_for": None}, "state['a']['draining_for']"),
            ({**GOOD, "draining_for": -1}, "state['a']['draining_for']"),
            ({**GOOD, "draining_for": 0.5}, "state['a']['draining_for']"),
        ]
    ),
    (
        "restore",
        ({"type": "Drain", "synced": True, "members": {}, "away": {"a": [GOOD]}}, 9.0),
        ConfigError,
        "state['away']['a']",
    ),
    (
        "restore",
        ({"type": "Drain", "synced": True, "members": {}, "away": {"a": [-1, GOOD]}}, 9.0),
        ConfigError,
        "state['away']['a']",
    ),
]


@pytest.mark.parametrize(("method", "arguments", "error", "parameter"), CALLS)
def test_bad_calls_change_nothing(method, arguments, error, parameter):
    signal = synced("a", "b")
    signal.reported(1, BEGIN, 1.0)
    before = signal.snapshot(), signal.version, signal.deadline, states(signal, 2)
    with pytest.raises(error) as refused:
        getattr(signal, method)(*arguments)
    assert refused.value.parameter == parameter
    assert (signal.snapshot(), signal.version, signal.deadline, states(signal, 2)) == before


def test_one_counts_and_nobody_else():
    drain = synced("a")
    gate = DrainGate(drain)
    for call, parameter in [
        (lambda: DrainGate(drain), "drain"),
        (lambda: DrainGate(7), "drain"),
        (lambda: drain.reported(0, OpenLeases(0), 1.0), "report"),
        (lambda: gate.finished(1.0, Request("a"), Outcome.SUCCESS), "id"),
        (lambda: OpenLeases(-1), "count"),
        (lambda: OpenLeases(True), "count"),
    ]:
        with pytest.raises(ConfigError) as refused:
            call()
        assert refused.value.parameter == parameter
    assert drain.counts == {}


def test_a_closed_backend_is_not_admitted_by_name():
    drain = synced("a", "b")
    gate = DrainGate(drain)
    drain.reported(0, BEGIN, 0.0)
    asked = [Request("a"), Request("b"), Request()]
    assert [gate.admit(29.0, request).admitted for request in asked] == [True, True, True]
    drain.advance(30.0)
    assert [gate.admit(30.0, request).admitted for request in asked] == [False, True, True]
