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

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.active import mix64
from lbalgo.compat.envoy.outlier import Action, EjectionType, HttpResponse, OutlierDetection, OutlierEvent, Result
from lbalgo.compat.envoy.outlier_monitor import Monitor
from lbalgo.compat.envoy.outlier_rates import verdicts
from lbalgo.compat.envoy.outlier_snapshot import read_snapshot
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import GAMMA, WORD
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_instant, nanoseconds
from lbalgo.spec import check_enum, check_integer
from lbalgo.types import F64, U8, Outcome, State

FORGET_AFTER = 300.0  # seconds; the Balancer's default
MILLISECOND = 10**6  # nanoseconds
GATEWAY = (502, 503, 504)
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

    Attributes
    ----------
    stats : Envoy's counters by name; `ejections_active` is the gauge.

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
        self.stats: dict[str, int] = {}
        self._interval = nanoseconds(self.spec.interval)
        self._base, self._cap = nanoseconds(self.spec.base_ejection_time), nanoseconds(self.spec.longest)
        self._timeline: Timeline | None = None
        self._next = self._interval
        self._roster: Roster[Monitor] = Roster()
        self._ids: list[str] = []
        self._monitors: list[Monitor] = []
        self._column = np.zeros(0, dtype=np.uint8)
        self._active = 0
        self._draws = 0
        self._events: list[OutlierEvent] = []

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
            self._active -= monitor.ejected
            monitor.external, monitor.local, monitor.ended_external, monitor.ended_local = (
                [0, 0],
                [0, 0],
                [0, 0],
                [0, 0],
            )
        if self.spec.quirks:
            self._roster.away.clear()
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._active += sum(monitor.ejected for monitor in returned)
        self._ids, self._monitors = list(members), list(self._roster.members.values())
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Let time pass to `now` (seconds) and count how a request ended.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` is invalid.
        """
        slot = check_slot(slot, len(self._monitors))
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
        monitor = self._monitors[check_slot(slot, len(self._monitors))]
        code = check_enum("result", result, Result).code
        self.advance(now)
        if not self.spec.split_external_local_origin_errors:
            if code is not None:
                self._respond(slot, code)
            return
        monitor.local[1] += 1
        if code is None:
            monitor.local[0] += 1
            monitor.run_local = 0
        else:
            monitor.run_local += 1
            if monitor.run_local == self.spec.consecutive_local_origin_failure:
                self._fire(slot, EjectionType.CONSECUTIVE_LOCAL_ORIGIN_FAILURE)
        self._wake()

    def put_http_response(self, slot: int, code: int, now: float, *, degraded: bool = False) -> None:
        """The host answered with this HTTP status; `degraded` says that the answer was marked so.

        Raises
        ------
        ConfigError : the slot, the code or `now` (seconds) is invalid.
        """
        slot = check_slot(slot, len(self._monitors))
        check_integer("code", code, low=100, high=599)
        self.advance(now)
        if degraded and self.spec.detect_degraded_hosts:
            self._degrade(slot)
        self._respond(slot, code)

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
        slot = check_slot(slot, len(self._monitors))
        self.advance(now)
        if self._monitors[slot].ejected and self.spec.successful_active_health_check_uneject_host:
            self._uneject(slot, self._line.latest)
            self._update()

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a host moved, which is no evidence; time passes to `now` (seconds)."""
        check_slot(slot, len(self._monitors))
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
        due = self._next <= latest
        while self._next <= latest:
            if all(monitor.quiet for monitor in self._monitors):  # the ticks left change nothing
                self._next += ((latest - self._next) // self._interval + 1) * self._interval
            else:
                self._tick(self._next)
                self._next += self._interval
        if self._roster.away:
            self._roster.forget(latest - nanoseconds(self.forget_after))
        if due:
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

    def _respond(self, slot: int, code: int) -> None:
        monitor, spec = self._monitors[slot], self.spec
        monitor.external[1] += 1
        if code < 500:
            monitor.external[0] += 1
            monitor.run_5xx = monitor.run_gateway = 0
        else:
            monitor.run_gateway = monitor.run_gateway + 1 if code in GATEWAY else 0
            if monitor.run_gateway and monitor.run_gateway == spec.consecutive_gateway_failure:
                self._fire(slot, EjectionType.CONSECUTIVE_GATEWAY_FAILURE)
            monitor.run_5xx += 1
            if monitor.run_5xx == spec.consecutive_5xx:
                self._fire(slot, EjectionType.CONSECUTIVE_5XX)
        self._wake()

    def _wake(self) -> None:
        """Something was counted, so the next tick matters."""
        if self.deadline is None:
            self.deadline = self._line.at(self._next)

    def _fire(self, slot: int, kind: EjectionType) -> None:
        """A run has reached its threshold. While the host is out nothing happens, and the run goes on."""
        monitor = self._monitors[slot]
        if monitor.ejected:
            return
        self._eject(slot, kind, self._line.latest)
        self._update()
        if kind is EjectionType.CONSECUTIVE_5XX:
            monitor.run_5xx = 0
        elif kind is EjectionType.CONSECUTIVE_GATEWAY_FAILURE:
            monitor.run_gateway = 0
        else:
            monitor.run_local = 0

    def _eject(self, slot: int, kind: EjectionType, instant: int, rates: tuple[int, ...] = ()) -> None:
        spec, monitor = self.spec, self._monitors[slot]
        self._count(f"ejections_detected_{kind.stat}")
        plain = kind in (EjectionType.CONSECUTIVE_5XX, EjectionType.SUCCESS_RATE)  # older counters know these two only
        if plain:
            self._count(f"ejections_{kind.stat}")
        room = 100.0 * (self._active + 1) / len(self._monitors) <= spec.max_ejection_percent
        if not room and not (spec.always_eject_one_host and self._active == 0):
            self._count("ejections_overflow")
            return
        if plain:
            self._count("ejections_total")
        enforced = self._chance(spec.enforcing(kind))
        if enforced:
            self._count("ejections_enforced_total")
            self._count(f"ejections_enforced_{kind.stat}")
            self._active += 1
            monitor.ejected, monitor.ejected_at = True, instant
            monitor.num_ejections += 1
            jitter = nanoseconds(spec.max_ejection_time_jitter) // MILLISECOND
            monitor.jitter = self._draw() % (jitter + 1) * MILLISECOND if jitter else 0
            if monitor.backoff * self._base < self._cap + self._base:
                monitor.backoff += 1
        self._tell(slot, kind, Action.EJECT, enforced, instant, rates)

    def _uneject(self, slot: int, instant: int) -> None:
        monitor = self._monitors[slot]
        self._active -= 1
        monitor.ejected, monitor.unejected_at = False, instant
        monitor.run_5xx = monitor.run_gateway = monitor.run_local = 0
        self._tell(slot, EjectionType.CONSECUTIVE_5XX, Action.UNEJECT, True, instant)

    def _degrade(self, slot: int) -> None:
        monitor = self._monitors[slot]
        if not monitor.degraded:
            self._count("ejections_detected_degradation")
            monitor.degraded, monitor.degraded_at = True, self._line.latest
            monitor.degradations += monitor.degradations * self._base < self._cap + self._base
            self._tell(slot, EjectionType.DEGRADED, Action.EJECT, True, self._line.latest)
            self._update()

    def _tell(
        self, slot: int, kind: EjectionType, action: Action, enforced: bool, instant: int, rates: tuple[int, ...] = ()
    ) -> None:
        monitor = self._monitors[slot]
        last = monitor.unejected_at if action is Action.EJECT else monitor.ejected_at
        since = None if last is None else (instant - last) // 10**9
        rate, mean, threshold = (*rates, None, None, None)[:3]
        now, times = self._line.at(instant), monitor.num_ejections
        self._events.append(
            OutlierEvent(now, self._ids[slot], kind, action, enforced, times, rate, mean, threshold, since)
        )

    def _tick(self, instant: int) -> None:
        returned = set()
        for slot, monitor in enumerate(self._monitors):
            if monitor.ejected and self._over(monitor.ejected_at, monitor.backoff, monitor.jitter, instant):
                self._uneject(slot, instant)
                returned.add(slot)
            if monitor.degraded and self._over(monitor.degraded_at, monitor.degradations, 0, instant):
                monitor.degraded = False
            monitor.end_interval()
        self._judge(instant, returned, lambda m: m.ended_external, local=False)
        if self.spec.split_external_local_origin_errors:
            self._judge(instant, returned, lambda m: m.ended_local, local=True)
        for monitor in self._monitors:
            at = monitor.unejected_at
            if not monitor.ejected and at is not None and instant - at >= self._interval:
                monitor.backoff = max(0, monitor.backoff - 1)

    def _over(self, since: int | None, backoff: int, jitter: int, instant: int) -> bool:
        return since is not None and min(self._base * backoff, self._cap) + jitter <= instant - since

    def _judge(self, instant: int, returned: set[int], counts: Callable[[Monitor], list[int]], *, local: bool) -> None:
        quirks = self.spec.quirks
        readable = {
            slot: (counts(m)[0], counts(m)[1])
            for slot, m in enumerate(self._monitors)
            if not m.ejected and counts(m)[1] and (quirks or slot not in returned)
        }
        for verdict in verdicts(self.spec, len(self._monitors), readable, local=local):
            if quirks or not self._monitors[verdict.slot].ejected:
                self._eject(verdict.slot, verdict.kind, instant, verdict.rates)

    def _chance(self, percent: int) -> bool:
        return percent >= 100 or (percent > 0 and self._draw() % 100 < percent)

    def _draw(self) -> int:
        self._draws += 1
        return mix64((self.spec.seed + self._draws * GAMMA) & WORD)

    def _count(self, name: str) -> None:
        self.stats[name] = self.stats.get(name, 0) + 1

    def _update(self) -> None:
        """Bring column, version, deadline and gauge up to date."""
        column = np.array(
            [State.UNHEALTHY if m.ejected else State.DEGRADED if m.degraded else State.HEALTHY for m in self._monitors],
            dtype=np.uint8,
        )
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self.stats["ejections_active"] = self._active
        quiet = self._timeline is None or all(monitor.quiet for monitor in self._monitors)
        self.deadline = None if quiet else self._line.at(self._next)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        return {
            "type": "OutlierDetector",
            "synced": self._timeline is not None,
            "next_tick_in": self._next - latest,
            "active": self._active,
            "draws": self._draws,
            "stats": dict(self.stats),
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
        self._next, (self._active, self._draws) = min(tick, self._interval), numbers
        self.stats, self._roster = stats, roster
        self._ids, self._monitors = list(roster.members), list(roster.members.values())
        self._update()

    def __repr__(self) -> str:
        return f"OutlierDetector({self.spec!r})"
