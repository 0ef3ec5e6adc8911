"""What happens in a run beside requests: changes of servers, publications, samples; and the counts they start from.

Everything here is rare, and a plan of the engine: a function that is called at its instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lbalgo.active import InFlightCounts
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.sim.changes import Cold, Crash, FailFast, Faulty, Join, Leave, Slow, Weigh
from lbalgo.sim.result import Result
from lbalgo.types import OUTCOME_CODES, Outcome

OUTCOMES = tuple(Outcome)
BOARD = "needs a policy by InFlight, and neither signals nor gates, costs or changing members"


class Happening:
    """What is planned for one run."""

    def __init__(self, run: Any) -> None:
        self.run, self.engine, self.stations = run, run.engine, run.stations
        scenario = run.scenario
        self.speeds = [group.speed for group in scenario.servers for _ in range(group.count)]
        self.endpoints = {endpoint.id: endpoint for endpoint in scenario.endpoints}
        self.members = {endpoint.id: endpoint for endpoint in scenario.at_first}
        n = len(run.ids)
        self.base = np.zeros((n, 2))
        self.times: list[float] = []
        self.looks: list[Any] = []
        self.before = np.zeros((n, 2))
        if scenario.warmup > 0.0:
            self._at(scenario.warmup, self._warmed)
        for change in scenario.changes:
            self._plan(change)
        if scenario.board is not None:
            if not run.pickers or any(type(getattr(p, "load", None)) is not InFlightCounts for p in run.pickers):
                raise ConfigError("board", scenario.board, BOARD)
            self.engine.silent = True
            self._at(0.0, self._publish)
        if scenario.sample is not None:
            self._at(scenario.sample, self._look)

    def _at(self, when: float, what: Callable[[float], object]) -> None:
        if when <= self.run.scenario.duration:
            self.engine.plan(when, what)

    def areas(self, now: float) -> Any:
        """Integrals of slots busy and requests present, by server."""
        return np.array([self.stations.areas(server, now) for server in range(len(self.run.ids))])

    def _warmed(self, now: float) -> None:
        self.base = self.areas(now)

    def _look(self, now: float) -> None:
        areas = self.areas(now)
        self.times.append(now)
        self.looks.append(areas - self.before)
        self.before = areas
        self._at(self.run.scenario.sample * (len(self.times) + 1), self._look)

    def _publish(self, now: float) -> None:
        board = self.run.scenario.board
        counts = [self.stations.present(server) for server in range(len(self.run.ids))]
        if board.delay > 0.0:
            self._at(now + board.delay, lambda then: self._write(counts, then))
        else:
            self._write(counts, now)
        self._at(now + board.period, self._publish)

    def _write(self, counts: list[int], now: float) -> None:
        for picker in self.run.pickers:
            load = picker.load
            for row, count in enumerate(counts):
                load.restart(row)
                for _ in range(count):
                    load.started(row, 1.0, now)

    def _plan(self, change: Any) -> None:
        server = self.run.index[change.server]
        engine = self.engine
        begin: Callable[[float], object]
        end: Callable[[float], object] | None = None
        if isinstance(change, (Join, Leave, Weigh)):
            begin = lambda now: self._members(change)  # noqa: E731
        elif isinstance(change, Slow):
            begin = lambda now: self.stations.set_speed(server, change.speed, now)  # noqa: E731
            end = lambda now: self.stations.set_speed(server, self.speeds[server], now)  # noqa: E731
        elif isinstance(change, Crash):
            begin = lambda now: engine.crash(server, OUTCOME_CODES[change.outcome])  # noqa: E731
            end = lambda now: self.stations.restart(server, now)  # noqa: E731
        elif isinstance(change, FailFast):
            begin = lambda now: self._fail(server, change, change.share)  # noqa: E731
            end = lambda now: self._fail(server, change, 0.0)  # noqa: E731
        elif isinstance(change, Faulty):
            begin = lambda now: self._fault(server, change, change.share)  # noqa: E731
            end = lambda now: self._fault(server, change, 0.0)  # noqa: E731
        else:
            begin = lambda now: self._chill(server, change)  # noqa: E731
        self._at(change.at, begin)
        until: float | None = getattr(change, "until", None)
        if end is not None and until is not None:
            self._at(until, end)

    def _members(self, change: Join | Leave | Weigh) -> None:
        id = change.server
        if isinstance(change, Leave):
            self.members.pop(id, None)
        elif isinstance(change, Join):
            self.members[id] = self.endpoints[id]
        else:
            known = self.endpoints[id]
            told: Endpoint[None] = Endpoint(id, change.weight, zone=known.zone, priority=known.priority)
            self.endpoints[id] = told
            if id in self.members:
                self.members[id] = told
        for balancer in self.run.balancers:
            balancer.update([self.members[i] for i in self.run.ids if i in self.members])

    def _fail(self, server: int, change: FailFast, share: float) -> None:
        engine = self.engine
        engine.touched = True
        engine.failing[server], engine.fails_after[server] = share, change.after
        engine.fail_code[server] = OUTCOME_CODES[change.outcome]

    def _fault(self, server: int, change: Faulty, share: float) -> None:
        self.engine.touched = True
        self.engine.faulty[server], self.engine.fault_code[server] = share, OUTCOME_CODES[change.outcome]

    def _chill(self, server: int, change: Cold) -> None:
        self.engine.touched = True
        self.engine.cold[server], self.engine.cooling[server] = change.extra, math.exp(-1.0 / change.requests)

    def result(self) -> Result:
        """What has come of it."""
        run, engine = self.run, self.engine
        scenario, n = run.scenario, len(run.ids)
        areas = self.areas(engine.now) - self.base
        groups = [group for group in scenario.servers for _ in range(group.count)]
        latencies, histogram = run.kept_as()
        slots = np.array([group.slots for group in groups], dtype=np.int64)
        looks = np.array(self.looks).reshape(len(self.looks), n, 2)
        spans = np.diff([0.0, *self.times])[:, None]
        return Result(
            ids=tuple(run.ids),
            duration=scenario.duration,
            warmup=scenario.warmup,
            arrived=engine.arrived,
            ended=engine.ended,
            refused=engine.refused,
            events=engine.events,
            outcomes={outcome: engine.counts[code] for code, outcome in enumerate(OUTCOMES) if engine.counts[code]},
            refusals=dict(sorted(engine.refusals.items())),
            latencies=latencies,
            histogram=histogram,
            received=np.array(engine.received, dtype=np.int64),
            answered=np.array(engine.answered, dtype=np.int64).reshape(len(OUTCOMES), n).T,
            busy=areas[:, 0],
            jobs=areas[:, 1],
            slots=slots,
            most=np.array([self.stations.most(server) for server in range(n)], dtype=np.int64),
            present=np.array([self.stations.present(server) for server in range(n)], dtype=np.int64),
            times=np.array(self.times),
            busy_over_time=looks[:, :, 0] / spans,
            jobs_over_time=looks[:, :, 1] / spans,
            repeated=engine.repeated,
            moved=engine.moved,
            happened=tuple(run.events),
            rows=None if engine.rows is None else tuple(engine.rows),
        )
