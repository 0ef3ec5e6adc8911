"""Envoy's outlier detector: a signal that makes the hosts it ejects UNHEALTHY, tick by tick as Envoy does.

Between ticks, every response counts: runs of failures eject at the response that reaches a threshold exactly. A tick,
every `interval` from the first sync on, in this order:

(a) for each host: if it has been out for its time, it returns and its runs are 0; then the interval's counts become
    readable and counting begins anew;
(b) success rates, then failure percentages, of what the host answered; then the same of local failures, if split;
(c) each host that returned at least an interval ago loses one from its backoff.

An ejection is carried out if at most `max_ejection_percent` of all hosts would be out by it (or nobody is out and one
always may be), and with the probability `enforcing_…`; it lasts base time x backoff, the backoff having grown by one
before, up to a cap, plus jitter. Returns happen on ticks only, so 30 s can become 40.

What goes wrong in Envoy, and here with `quirks` (the default):

- A host can be ejected twice in one tick, by success rate and by failure percentage: its ejections and its backoff grow
  by two, and so does the number of hosts out, of which its return takes back one. That number leaks for ever.
- A host that returns in a tick can be ejected again in it, for what it did while it was out.
- A host that leaves is forgotten, so flapping discovery erases ejections.
- Which of several outliers go while there is room is left to a hash map in Envoy; here the order is that of the hosts.

Without quirks nobody is ejected twice in a tick, nor in the tick of a return; leavers are remembered for
`forget_after` seconds; the worst host goes first. `lbalgo.OutlierEjection` is the native machine.

Costs: a response O(1), a tick O(N), memory O(N).
Source: Envoy 1.40 documentation, "Outlier detection"; replayed event by event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lbalgo.compat.envoy.outlier import HttpResponse, OutlierDetection, OutlierEvent, Result
from lbalgo.compat.envoy.outlier_engine import Engine
from lbalgo.compat.envoy.outlier_monitor import Monitor
from lbalgo.compat.envoy.outlier_snapshot import read_snapshot
from lbalgo.errors import ConfigError
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_instant, nanoseconds
from lbalgo.spec import check_enum, check_integer
from lbalgo.types import F64, U8, Outcome, State

FORGET_AFTER = 300.0  # seconds; the Balancer's default
CODES = {  # of outcomes that are an answer of the host
    Outcome.SUCCESS: 200,
    Outcome.OVERLOADED: 429,
    Outcome.SERVER_ERROR: 500,
    Outcome.GATEWAY_ERROR: 503,
}


class OutlierDetector:
    """A signal that ejects outliers as Envoy does.

    Parameters
    ----------
    settings : Envoy's `outlier_detection`.

    Raises
    ------
    ConfigError : the settings are something else.

    `Outcome`s are taken as: SUCCESS 200, OVERLOADED 429, SERVER_ERROR 500, GATEWAY_ERROR 503; LOCAL_ERROR a failed
    connection (503 unless split), TIMEOUT one after the connection (504 unless split); CANCELLED nothing. Exact codes
    go in through `put_http_response` or `reported`. The law that sync keeps what is known of leavers holds only
    without `quirks`.

    Costs: a response O(1), a tick O(N), sync and apply O(N). Source: Envoy 1.40, "Outlier detection"; replayed.

    Examples
    --------
    >>> signal = OutlierDetector(OutlierDetection(consecutive_5xx=2, max_ejection_percent=50))
    >>> signal.sync(["a:1", "b:1"], 0.0)
    >>> for _ in range(2):
    ...     signal.put_http_response(1, 500, 4.0)
    >>> [(e.id, e.type.name, e.num_ejections) for e in signal.drain_events()]
    [('b:1', 'CONSECUTIVE_5XX', 1)]
    >>> signal.advance(39.0), signal.drain_events(), signal.deadline
    (None, [], 40.0)
    >>> signal.advance(40.0)
    >>> [e.action.name for e in signal.drain_events()]
    ['UNEJECT']
    """

    observes = True
    evidence = None

    def __init__(self, settings: OutlierDetection | None = None) -> None:
        self.spec = OutlierDetection() if settings is None else settings
        if not isinstance(self.spec, OutlierDetection):
            raise ConfigError("settings", settings, "must be an OutlierDetection")
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._engine = Engine(self.spec)
        self._interval = nanoseconds(self.spec.interval)
        self._timeline: Timeline | None = None
        self._next = self._interval  # the next tick
        self._roster: Roster[Monitor] = Roster()
        self._column = np.zeros(0, dtype=np.uint8)
        self._events: list[OutlierEvent] = []

    @property
    def stats(self) -> dict[str, int]:
        """Envoy's counters by name, and the gauge `ejections_active`; those of 0 may be absent."""
        return {**self._engine.stats, "ejections_active": self._engine.active}

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the hosts, in slot order; who leaves is forgotten, unless quirks are off.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        self.advance(now)
        line = self._timeline = self._timeline or Timeline(now)
        left, returned = self._roster.sync(members, line.latest, lambda _: Monitor())
        for monitor in left:
            self._engine.active -= monitor.ejected
            monitor.end_interval()
            monitor.end_interval()
        if self.spec.quirks:
            self._roster.away.clear()
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._engine.active += sum(monitor.ejected for monitor in returned)
        self._follow()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Let time pass to `now` (seconds) and count how a request ended.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` is invalid.
        """
        slot = check_slot(slot, len(self._column))
        if check_enum("outcome", outcome, Outcome) in CODES:
            self.put_result(slot, Result.LOCAL_ORIGIN_CONNECT_SUCCESS, now)
            self.put_http_response(slot, CODES[outcome], now)
        elif outcome is Outcome.LOCAL_ERROR:
            self.put_result(slot, Result.LOCAL_ORIGIN_CONNECT_FAILED, now)
        elif outcome is Outcome.TIMEOUT:
            self.put_result(slot, Result.LOCAL_ORIGIN_CONNECT_SUCCESS, now)
            self.put_result(slot, Result.LOCAL_ORIGIN_TIMEOUT, now)
        else:
            self.advance(now)

    def put_result(self, slot: int, result: Result, now: float) -> None:
        """What happened without an answer of the host; its stand-in status counts unless local errors are split off.

        Raises
        ------
        ConfigError : the slot, the result or `now` (seconds) is invalid.
        """
        slot, code = check_slot(slot, len(self._column)), check_enum("result", result, Result).code
        self.advance(now)
        if self.spec.split_external_local_origin_errors:
            self._engine.local(slot, self._line.latest, failed=code is not None)
        elif code is not None:
            self._engine.respond(slot, code, self._line.latest)
        self._update()

    def put_http_response(self, slot: int, code: int, now: float, *, degraded: bool = False) -> None:
        """The host answered with this HTTP status; `degraded` says that the answer was marked so.

        Raises
        ------
        ConfigError : the slot, the code or `now` (seconds) is invalid.
        """
        slot = check_slot(slot, len(self._column))
        check_integer("code", code, low=100, high=599)
        self.advance(now)
        if degraded and self.spec.detect_degraded_hosts:
            self._engine.degrade(slot, self._line.latest)
        self._engine.respond(slot, code, self._line.latest)
        self._update()

    def reported(self, slot: int, report: Any, now: float) -> None:
        """An `HttpResponse` is put; reports of other kinds are for others."""
        if isinstance(report, HttpResponse):
            self.put_http_response(slot, report.code, now, degraded=report.degraded)

    def passed_health_check(self, slot: int, now: float) -> None:
        """An active health check of the host has succeeded, which ends an ejection unless the settings say otherwise.

        Raises
        ------
        ConfigError : the slot or `now` (seconds) is invalid.
        """
        slot = check_slot(slot, len(self._column))
        self.advance(now)
        if self._engine.monitors[slot].ejected and self.spec.successful_active_health_check_uneject_host:
            self._engine.uneject(slot, self._line.latest)
            self._update()

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a host moved, which is no evidence; time passes to `now` (seconds)."""
        check_slot(slot, len(self._column))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Run the ticks up to `now` (seconds), each at its own instant; an earlier `now` than the latest does nothing.

        Raises
        ------
        ConfigError : `now` is invalid.
        """
        now = check_instant("now", now)
        if self._timeline is None or now <= self._timeline.now:
            return
        latest = self._timeline.see(now)
        self._engine.moved |= self._next <= latest
        while self._next <= latest:
            if self._engine.quiet:  # the ticks left change nothing
                self._next += ((latest - self._next) // self._interval + 1) * self._interval
            else:
                self._engine.tick(self._next)
                self._next += self._interval
        if self._roster.away:
            self._roster.forget(latest - nanoseconds(self.forget_after))
        self._update()

    def apply(self, factors: F64, states: U8) -> None:
        """Write factors of 1; make the ejected at least UNHEALTHY, the degraded at least DEGRADED."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def drain_events(self) -> list[OutlierEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    @property
    def _line(self) -> Timeline:
        assert self._timeline is not None
        return self._timeline

    def _follow(self) -> None:
        """The roster has changed: the engine has its members."""
        self._engine.ids = list(self._roster.members)
        self._engine.monitors = list(self._roster.members.values())
        self._engine.moved = True
        self._update()

    def _update(self) -> None:
        """Bring events, column, version and deadline up to date, where the engine has moved anything."""
        engine = self._engine
        if self.deadline is None and not engine.moved:  # something was counted, so the next tick matters
            engine.moved = not engine.quiet
        if not engine.moved:
            return
        engine.moved = False
        self._events += [replace(event, now=self._line.at(instant)) for instant, event in engine.events]
        engine.events.clear()
        flags = [State.UNHEALTHY if m.ejected else State.DEGRADED if m.degraded else 0 for m in engine.monitors]
        column = np.array(flags, dtype=np.uint8)
        self.version += not np.array_equal(column, self._column)
        self._column = column
        quiet = self._timeline is None or engine.quiet
        self.deadline = None if quiet else self._line.at(self._next)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        return {
            "type": "OutlierDetector",
            "synced": self._timeline is not None,
            "next_tick_in": self._next - latest,
            "active": self._engine.active,
            "draws": self._engine.draws,
            "stats": dict(self._engine.stats),
            "members": {id: monitor.snapshot(latest) for id, monitor in self._roster.members.items()},
            "away": {id: [latest - left, m.snapshot(latest)] for id, (left, m) in self._roster.away.items()},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of an `OutlierDetector`, or `now` is invalid; nothing has been changed.
        """
        now = check_instant("now", now)
        synced, tick, numbers, stats, roster = read_snapshot(state)
        self._timeline = Timeline(now) if synced else None
        self._next, self._roster = min(tick, self._interval), roster
        self._engine.active, self._engine.draws = numbers
        self._engine.stats = stats
        self._follow()

    def __repr__(self) -> str:
        return f"OutlierDetector({self.spec!r})"
