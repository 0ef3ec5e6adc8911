"""A user's program, as mypy and pyright read it: own backends, policy, signal and load, and what every call returns."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, assert_type

import numpy as np

import lbalgo as lb
from lbalgo import measure, presets, sim
from lbalgo.closing import Connection, Protocol, Step
from lbalgo.events import Ejected, Event
from lbalgo.gates import Decision, Limits, Request, RetryBudget
from lbalgo.lifecycle import Place
from lbalgo.policies.walked import WalkedPicker
from lbalgo.signals.drained import Phase
from lbalgo.testing import FakeClock, check_picker
from lbalgo.types import F64, I32, U8, U64

B = TypeVar("B", bound=lb.Backend)


@dataclass(frozen=True)
class Host:
    """A backend of the user's own, with more than lbalgo asks for."""

    id: str
    weight: float
    port: int


HOSTS = [Host("a", 2.0, 8001), Host("b", 1.0, 8002), Host("c", 1.0, 8003)]


def backends() -> None:
    """Own objects stay what they are; ids, and ids with weights, become endpoints."""
    own = lb.Maglev().build(HOSTS)
    assert_type(own.pick("user-17"), Host)
    assert_type(own.pick(b"user-17", exclude={"a"}).port, int)
    assert_type(own.backends, tuple[Host, ...])
    assert_type([host.port for host in own.walk(17)], list[int])
    assert_type(lb.RingHash().build(["a", "b"]).pick("k"), lb.Endpoint[Any])
    assert_type(lb.Rendezvous().build({"a": 2, "b": 1}).pick("k"), lb.Endpoint[Any])
    assert_type(lb.Jump().build(HOSTS[1:]).pick("k"), Host)
    assert_type(lb.RoundRobin().build(HOSTS).pick(), Host)
    assert_type(lb.WeightedRoundRobin().build(HOSTS).pick(), Host)
    assert_type(lb.Random().build(HOSTS).pick(), Host)
    assert_type(lb.LeastLoaded(ties=lb.Ties.FIRST).build(HOSTS).pick(), Host)
    assert_type(lb.LeastConnections().build({"a": 1}).pick(), lb.Endpoint[Any])
    assert_type(lb.PowerOfTwo().build(HOSTS).scores(), F64)

    carrying = lb.Random().build([lb.Endpoint(host.id, host.weight, payload=host) for host in HOSTS])
    assert_type(carrying.pick().payload, Host | None)


def views() -> None:
    """A view keeps the type of its backends, and so does what is built from it."""
    view = lb.View.of(HOSTS, states={"b": lb.State.UNHEALTHY})
    assert_type(view, lb.View[Host])
    assert_type(lb.View.of(view, factors={"a": 0.5}), lb.View[Host])
    assert_type(view.restrict([True, True, False]).backends, tuple[Host, ...])
    assert_type(lb.View.of({"a": 1}).backends, tuple[lb.Endpoint[Any], ...])
    before = lb.Maglev().build(view)
    assert_type(lb.Maglev().build(view, previous=before).pick("k"), Host)


def tickets() -> None:
    """The bulk path, and hashes."""
    picker = lb.Maglev(hasher=lb.SipHash(bytes(16))).build(HOSTS)
    assert_type(picker.tickets(["k1", "k2"]), U64)
    assert_type(picker.pick_many(lb.hash_many(["k1", "k2"])), I32)
    assert_type(picker.slot(lb.hash_key("k1", hasher=lb.XXH3())), int)
    assert_type(picker.shares(), F64)
    assert_type(picker.fingerprint(), int)
    certain: lb.TicketDecided = picker
    assert certain.slot(7) == picker.slot(7)
    lb.RingHash(lookup=lb.Lookup.NEAREST, hasher=lambda data: len(data))


def serve(picker: lb.Picker[B], key: lb.Key) -> B:
    """A function of the user's that takes any picker."""
    return picker.pick(key)


@dataclass(frozen=True)
class First:
    """A policy of the user's own: the first eligible backend, always."""

    def build(
        self, view: lb.View[B] | Iterable[B | str] | Mapping[str, float], *, previous: lb.Picker[B] | None = None
    ) -> FirstPicker[B]:
        """A picker for the view."""
        return FirstPicker(view if isinstance(view, lb.View) else lb.View.of(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return {"type": "First"}


class FirstPicker(lb.Picker[B]):
    """What `First` builds."""

    def __init__(self, view: lb.View[B]) -> None:
        self.view = view

    @property
    def backends(self) -> Sequence[B]:
        """All backends of the view."""
        return self.view.backends

    def pick(self, key: lb.Key | None = None, *, exclude: Container[str] = ()) -> B:
        """The first that is not excluded."""
        if isinstance(exclude, (str, bytes)):
            raise lb.ConfigError("exclude", exclude, "must be a collection of ids, not one of them")
        for backend in self.walk(key):
            if backend.id not in exclude:
                return backend
        raise lb.NoBackend("excluded" if self.view.eligible.any() else "ineligible" if len(self.view) else "empty")

    def walk(self, key: lb.Key | None = None) -> Iterator[B]:
        """The eligible backends, as listed."""
        return (b for b, able in zip(self.backends, self.view.eligible.tolist(), strict=True) if able)


@dataclass
class Drained:
    """A signal of the user's own: some ids take no new traffic."""

    drained: frozenset[str] = frozenset()
    version: int = 0
    deadline: float | None = None
    ids: list[str] = field(default_factory=list)

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Remembers the members."""
        self.version += list(ids) != self.ids
        self.ids = list(ids)

    def observe(self, slot: int, outcome: lb.Outcome, latency: float | None, now: float) -> None:
        """Learns nothing."""

    def changed(self, slot: int, old: lb.State, new: lb.State, now: float) -> None:
        """Learns nothing."""

    def advance(self, now: float) -> None:
        """Waits for nothing."""

    def apply(self, factors: F64, states: U8) -> None:
        """Worsens the drained."""
        mine = np.array([lb.State.DRAINING if id in self.drained else lb.State.HEALTHY for id in self.ids], np.uint8)
        np.maximum(states, mine, out=states)

    def snapshot(self) -> dict[str, Any]:
        """Plain data."""
        return {"drained": sorted(self.drained)}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot."""
        self.drained = frozenset(state["drained"])
        self.version += 1


@dataclass(frozen=True)
class Costs:
    """A load of the user's own: the cost of what has been started and not finished."""

    def start(self) -> CostsNow:
        """The live state."""
        return CostsNow()

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return {"type": "Costs"}


class CostsNow:
    """What `Costs` starts."""

    def __init__(self) -> None:
        self.open: dict[int, list[float]] = {}

    def started(self, row: int, cost: float, now: float) -> None:
        """One more."""
        self.open.setdefault(row, []).append(cost)

    def finished(self, row: int, outcome: lb.Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One less."""
        self.open[row].remove(cost)

    def advance(self, now: float) -> None:
        """Time changes nothing."""

    def at(self, row: int) -> float:
        """The open costs of a row."""
        return sum(self.open.get(row, []))


def own_parts() -> None:
    """They satisfy the protocols and work beside the library's own."""
    policy: lb.Policy = First()
    signal: lb.Signal = Drained(frozenset({"a"}))
    load: lb.Load = Costs().start()
    assert load.at(0) == 0.0
    assert_type(First().build(HOSTS).pick(), Host)
    assert_type(serve(First().build(HOSTS), "k"), Host)
    assert_type(serve(lb.Maglev().build(HOSTS), "k"), Host)
    check_picker(First().build(HOSTS), keyed=False)
    for each in (policy, lb.LeastLoaded(load=Costs()), lb.Maglev()):
        balancer = lb.Balancer(each, HOSTS, signals=[signal] if each is policy else [])
        with balancer.acquire("k", cost=2.5) as lease:
            assert (lease.backend.id == "b") or each is not policy


def probes() -> None:
    """What to probe, and what came of it."""
    health = lb.ActiveHealth.of(lb.Probing.balanced(lb.HttpCheck("/healthz", expected=((200, 399),))))
    balancer = lb.Balancer(lb.RoundRobin(), HOSTS, signals=[health], clock=FakeClock(100.0), seed=0)
    for probe in health.take(100.0):
        assert_type(probe.check, lb.TcpCheck | lb.HttpCheck | lb.GrpcCheck)
        if isinstance(probe.check, lb.HttpCheck):
            verdict = probe.check.judge(200, b"ok")
            assert_type(verdict, lb.Verdict)
            balancer.report(probe.id, probe.result(verdict))
    assert_type(health.spec.worst_case_detection(), float)
    assert_type(health.snapshot(), dict[str, Any])


def told() -> None:
    """Policies that are told things."""
    policy = lb.Prequal()
    picker = policy.build(HOSTS)
    assert_type(picker, WalkedPicker[Host])
    assert_type(policy.to_probe(picker), list[Host])
    balancer = lb.Balancer(policy, HOSTS, clock=FakeClock(), seed=0)
    balancer.report("a", lb.Probe(rif=1, latency=0.1))
    assert_type(lb.JoinIdleQueue(told=True).build(["a"]).pick(), lb.Endpoint[Any])
    assert_type(lb.RandomAperture().build(["a"]).pick(), lb.Endpoint[Any])
    assert_type(lb.C3(clients=3).build(HOSTS).pick(), Host)
    assert_type(lb.AdaptiveChoices(lb.InFlight(), 0.1).width(1.0), int | None)
    weighted = lb.WeightedByReport(lb.PidWeights()).build(HOSTS)
    assert_type(weighted.weights(), F64)
    assert_type(weighted.pick(), Host)
    assert_type(lb.OrcaWeights().start().weights([0], [1.0]), list[float])
    for said in (lb.Idle(), lb.Feedback(queue=1, service_time=0.1)):
        assert_type(said, lb.Idle | lb.Feedback)


def shell() -> None:
    """Balancer, leases, events and counters."""
    seen: list[Event] = []
    clock = FakeClock()
    balancer = lb.Balancer(
        lb.PowerOfTwo(),
        HOSTS,
        signals=[lb.SlowStart(window=30.0), lb.OutlierEjection(detectors=(lb.ConsecutiveErrors(2), lb.SuccessRate()))],
        clock=clock,
        seed=1,
        on_event=seen.append,
    )
    assert_type(balancer, lb.Balancer[Host])
    assert_type(balancer.picker, lb.Picker[Host])
    assert_type(balancer.view, lb.View[Host])
    assert_type(balancer.next_deadline, float | None)
    for _ in range(2):
        with balancer.acquire(exclude={"a", "c"}) as lease:
            assert_type(lease, lb.Lease[Host])
            assert_type(lease.backend.port, int)
            lease.status(503)
    balancer.acquire("k").done(lb.Outcome.from_http(200), latency=clock.advance(0.1))
    assert_type([event.id for event in seen if isinstance(event, Ejected)], list[str])
    assert_type(balancer.stats(), lb.Stats)
    assert_type(lb.check_drain(1.0, 2.0, 30.0, 0.0, 0.0), tuple[lb.Finding, ...])
    assert_type(lb.advise(lb.advice.Setup(lb.Maglev(), HOSTS)), tuple[lb.Finding, ...])
    assert_type(lb.advise(lb.advice.Workload(backends=2)), lb.advice.Recommendation)
    assert_type(lb.Drain(30.0).phases(), dict[str, Phase])
    drain: lb.Signal = lb.Drain()
    assert_type(lb.close_plan(Connection(Protocol.HTTP2), 0.0, drain.deadline or 30.0), tuple[Step, ...])
    assert_type(lb.Lifecycle().count(balancer.stats().in_flight, 0.0), tuple[Place, ...])
    assert_type(balancer.stats().in_flight["b"], int)
    state: dict[str, Any] = json.loads(json.dumps(balancer.snapshot()))
    balancer.restore(state)
    balancer.update([*HOSTS, Host("d", 1.0, 8004)])
    assert_type(lb.Balancer(lb.Maglev(), ["a", "b"]).acquire("k").backend, lb.Endpoint[Any])
    gated = lb.Balancer(lb.Maglev(), HOSTS, gates=[Limits(pool=1)])
    for attempt in gated.attempts("k", limit=2, budget=RetryBudget(), on={lb.Outcome.TIMEOUT}):
        assert_type(attempt, lb.Lease[Host])
        assert_type(attempt.outcome, lb.Outcome | None)
        assert_type(attempt.request, Request | None)
        try:
            gated.acquire("k", request=Request(attempt=1))
        except lb.NotAdmitted as refusal:
            assert_type(refusal.decision, Decision)
            assert_type(refusal.request, Request)
    try:
        balancer.report("nobody", None)
    except lb.UnknownBackend as error:
        assert_type(error.id, str)


def measured() -> None:
    """Results are frozen dataclasses, and columns for a DataFrame."""
    before, after = lb.Maglev().build(HOSTS), lb.Maglev().build(HOSTS[:2])
    change = measure.disruption(before, after)
    assert_type(change, measure.Disruption)
    assert_type(change.moved, float)
    assert_type(change.method, measure.Method)
    assert_type(change.losers, tuple[str, ...])
    assert_type(change.amounts, F64)
    result = measure.balance(before, ["k1", "k2"])
    assert_type(result.peak_to_mean, float)
    assert_type(result.p, float | None)
    assert_type(result.ratios, F64)
    assert_type(measure.maglev_size_for(100, 0.001), int)


def known_systems() -> None:
    """Presets give balancers, and parts by their type."""
    preset = presets.nlb()
    parts = preset.parts()
    assert_type(parts.get(lb.FlowTable), lb.FlowTable)
    assert_type(preset.balancer(HOSTS, parts, seed=1), lb.Balancer[Any])
    assert_type(preset.values()[0].shown, str)
    assert_type(preset.unconfirmed, tuple[str, ...])


def simulated() -> None:
    """A scenario is a value; a study asks any executor."""
    scenario = sim.Scenario(lb.PowerOfTwo(), (sim.Servers(3),), sim.Poisson(2.0), duration=20.0)
    result = sim.run(scenario.but(seed=3))
    assert_type(result, sim.Result)
    assert_type(result.quantile(0.99), float)
    assert_type(result.utilisation, F64)
    with ThreadPoolExecutor(1) as executor:
        study = sim.replicate(scenario, 2, executor=executor)
    assert_type(study.interval("mean"), sim.Interval)
    assert_type(sim.vary(scenario, clients=[1, 2]), dict[tuple[Any, ...], sim.Scenario])


def main() -> None:
    """Runs all of it: what the checkers believe is also so."""
    for part in (backends, views, tickets, own_parts, told, shell, measured, known_systems, simulated):
        part()
