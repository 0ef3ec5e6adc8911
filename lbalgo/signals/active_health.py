"""Active health: probes at intervals, and what their results make of a backend.

The signal does no I/O. It says what to probe and when, as data: a probe that is due is *offered*; the caller takes it
(`take`), sends it, and reports how it ended (`reported`, or `Balancer.report`). A probe that was taken and has not been
reported when its timeout is over has failed; one that nobody takes stays on offer, so that a caller who was asleep
finds one probe a backend, not a hundred, and has ruined nobody by sleeping.

`fall` failures in a row make a backend UNHEALTHY, `rise` passes in a row make it HEALTHY again; the first probe of all
decides alone. A single pass ends a run of failures, and the reverse. A pass may say that the backend asks to be served
last: while it is well it is DEGRADED then, until a pass does not say so. The next probe begins an interval after the
last one *began*: `interval` while all is well, `down_interval` while the backend is down, `fast_interval` in between.

Maybe it is me. When most backends fail at once, it is rather the prober's network that has failed, and to mark them all
would do harm. The guard holds fire while more than `hold_share` of the members, and at least two, began to fail within
the last `hold_window` seconds; those that have failed for longer count on neither side. What would be down is HELD: it
stays HEALTHY, an event says so, and each further failure asks the guard again. As a run of failures grows older than
the window, a hold ends by itself: if it was not me, the pool is told late, but it is told.

Chance comes from the seed, the id and the number of the probe: no backend's jitter depends on who else is there.

Costs: a probe O(log N), and O(N) if it would make a backend UNHEALTHY; sync O(N log N), apply O(N); memory O(N).
Source: HAProxy (rise, fall, the three intervals); Lifeguard (Dadgar, Phillips, Currey 2018) for the doubt in oneself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from lbalgo.active import mix64
from lbalgo.errors import ConfigError
from lbalgo.events import Event, HealthChanged, HealthHeld
from lbalgo.hashing import hash_key
from lbalgo.signals.checks import Check, Verdict
from lbalgo.signals.probed import OUT, TRANSITIONS, Health, Probe, ProbeResult, Record, Trigger
from lbalgo.signals.probing import CHECK, FALL, HOLD_SHARE, INTERVAL, JITTER, RISE, TIMEOUT, Probing
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import NANOSECONDS, Timeline, check_age, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum
from lbalgo.types import F64, U8, Outcome, State

FORGET_AFTER = 300.0  # seconds; the Balancer's default
GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment
LATE = Verdict(False, "timeout")


class ActiveHealth:
    """A signal that has backends probed, and calls those UNHEALTHY that fail.

    Parameters
    ----------
    check : what to send and what to expect.
    interval : seconds from the beginning of one probe to that of the next, while all is well.
    timeout : seconds a probe may take.
    rise, fall : passes in a row that make an unhealthy backend healthy, failures in a row that do the reverse.
    fast_interval : seconds between probes while a run of either is under way; None: `interval`.
    down_interval : seconds between probes of a backend that is down; None: `interval`.
    jitter : share of itself by which any interval may be shorter, 0 to 0.5.
    spread : seconds within which a new backend is first probed, at random; None: `interval`.
    initial : what a backend is until its first probe has ended, UNHEALTHY or HEALTHY.
    hold_share : share of the members that must begin to fail at once for the guard to hold fire; 1 never holds.
    hold_window : seconds that "at once" is; None: twice the worst case of detection.
    seed : of jitter and spread, in [0, 2**64); probers that must not march in step need seeds of their own.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: as the module says.
    Source: HAProxy's health checks; the guard after Lifeguard.

    Examples
    --------
    >>> health = ActiveHealth(interval=5, timeout=2, fall=2, jitter=0, spread=0)
    >>> health.sync(["a"], 0.0)
    >>> probe, = health.take(0.0)
    >>> probe
    Probe(id='a', check=TcpCheck(send=b'', expect=b''), number=1, timeout=2)
    >>> health.reported(0, probe.result(Verdict(True)), 0.1)
    >>> health.deadline, health.spec.worst_case_detection()
    (5.0, 12.0)
    >>> health.drain_events()
    [HealthChanged(now=0.1, id='a', state=<State.HEALTHY: 0>, reason='')]
    """

    observes = False
    evidence = None

    def __init__(
        self,
        check: Check = CHECK,
        interval: float = INTERVAL,
        timeout: float = TIMEOUT,
        rise: int = RISE,
        fall: int = FALL,
        fast_interval: float | None = None,
        down_interval: float | None = None,
        jitter: float = JITTER,
        spread: float | None = None,
        initial: State = State.UNHEALTHY,
        hold_share: float = HOLD_SHARE,
        hold_window: float | None = None,
        seed: int = 0,
    ) -> None:
        times, more = (check, interval, timeout, rise, fall, fast_interval, down_interval), (jitter, spread, initial)
        self._begin(Probing(*times, *more, hold_share, hold_window, seed))

    @classmethod
    def of(cls, spec: Probing) -> ActiveHealth:
        """The signal with these parameters, as one of the presets `Probing` has.

        Raises
        ------
        ConfigError : it is no `Probing`.

        Examples
        --------
        >>> ActiveHealth.of(Probing.conservative()).spec.interval
        30.0
        """
        made = cls.__new__(cls)
        made._begin(check_enum("spec", spec, Probing))
        return made

    def _begin(self, spec: Probing) -> None:
        self.spec = spec
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._interval, self._timeout = nanoseconds(spec.interval), nanoseconds(spec.timeout)
        self._fast = self._interval if spec.fast_interval is None else nanoseconds(spec.fast_interval)
        self._down = self._interval if spec.down_interval is None else nanoseconds(spec.down_interval)
        self._spread = self._interval if spec.spread is None else nanoseconds(spec.spread)
        held = 2 * spec.worst_case_detection() if spec.hold_window is None else spec.hold_window
        self._window = nanoseconds(held)
        self._timeline: Timeline | None = None
        self._roster: Roster[Record] = Roster()
        self._records: list[Record] = []  # of the members, by slot
        self._column = np.zeros(0, dtype=np.uint8)
        self._agenda: list[tuple[int, str, int]] = []  # a heap of what is due, by instant, id and token
        self._outbox: deque[Probe] = deque()  # offered; whoever takes one leaves a note in the inbox, from any thread
        self._inbox: deque[tuple[Probe, float]] = deque()
        self._events: list[Event] = []

    def take(self, now: float) -> list[Probe]:
        """The probes to send at `now` (seconds), each given once; their timeouts run from now.

        May be called by any thread, beside a `Balancer` that has the signal: call its `advance` after, as `deadline`
        is the next instant for both. A backend may have left by the time its probe is answered.

        Raises
        ------
        ConfigError : `now` is invalid.
        """
        now, probes = check_instant("now", now), []
        outbox, inbox = self._outbox, self._inbox
        while outbox:
            try:
                probe = outbox.popleft()
            except IndexError:  # another thread was faster
                break
            inbox.append((probe, now))
            probes.append(probe)
        return probes

    def reported(self, slot: int, report: Any, now: float) -> None:
        """A `ProbeResult` counts if its probe has not timed out; reports of other kinds are for others.

        Raises
        ------
        ConfigError : the slot or `now` (seconds) is invalid, or the result is another backend's.
        """
        slot = check_slot(slot, len(self._records))
        record = self._records[slot]
        if isinstance(report, ProbeResult):
            if report.id != record.id:
                raise ConfigError("report", report, f"is not of {record.id!r}")
            self.advance(now)
            assert self._timeline is not None
            if record.taken is not None and record.number == report.number:
                self._judge(record, report.verdict, self._timeline.latest)
                self._run(self._timeline)

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order; who is new is probed within `spread`, who returns when it was due.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        self.advance(now)
        line = self._timeline = self._timeline or Timeline(now)
        _, returned = self._roster.sync(members, line.latest, lambda id: self._join(id, line.latest))
        for record in returned:
            record.drop()
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._seat()
        self._run(line)

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Outcomes of requests are no probes; only time passes.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` (seconds) is invalid.
        """
        check_slot(slot, len(self._records))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a backend moved, which is no probe; only time passes.

        Raises
        ------
        ConfigError : the slot, a state or `now` (seconds) is invalid.
        """
        check_slot(slot, len(self._records))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let time pass to `now` (seconds): what was taken and is late fails, what is due is offered.

        Raises
        ------
        ConfigError : `now` is invalid.
        """
        now, line = check_instant("now", now), self._timeline
        if line is None:
            return
        noted = bool(self._inbox)
        while self._inbox:
            self._started(*self._inbox.popleft(), line)
        if noted or now > line.now:
            self._roster.forget(line.see(now) - nanoseconds(self.forget_after))
            self._run(line)

    def apply(self, factors: F64, states: U8) -> None:
        """Write factors of 1; make those that are down at least UNHEALTHY, and who asks for it at least DEGRADED."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def health(self, slot: int) -> Health:
        """Where a backend stands with its probes.

        Raises
        ------
        ConfigError : the slot is invalid.
        """
        return self._records[check_slot(slot, len(self._records))].health

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen.

        Probes under way are not in it: they end with their process, and are due again in the next.
        """
        latest = self._timeline.latest if self._timeline else 0
        away = self._roster.away.items()
        return {
            "type": "ActiveHealth",
            "synced": self._timeline is not None,
            "members": {record.id: record.snapshot(latest) for record in self._records},
            "away": {id: [latest - left, record.snapshot(latest)] for id, (left, record) in away},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of an `ActiveHealth`, or `now` is invalid; nothing has been changed.
        """
        now, keys = check_instant("now", now), {"type", "synced", "members", "away"}
        if not isinstance(state, Mapping) or set(state) != keys or state["type"] != "ActiveHealth":
            raise ConfigError("state", state, "must be a snapshot of an ActiveHealth")
        synced = check_bool("state['synced']", state["synced"])
        for part in ("members", "away"):
            if not isinstance(state[part], Mapping):
                raise ConfigError(f"state[{part!r}]", state[part], "must be a mapping from id to record")
        check_ids([*state["members"], *state["away"]])
        roster: Roster[Record] = Roster()
        for id, data in state["members"].items():
            roster.members[id] = Record.restored(id, data)
        for id, data in state["away"].items():
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise ConfigError(f"state['away'][{id!r}]", data, "must be an age and a record")
            left = -check_age(f"state['away'][{id!r}]", data[0], low=0)
            roster.away[id] = left, Record.restored(id, data[1])
        self._timeline = Timeline(now) if synced else None
        self._roster, self._inbox = roster, deque()
        self._seat()
        if self._timeline is not None:
            self._run(self._timeline)

    def _seat(self) -> None:
        """The members have changed: their slots, and all that is kept by slot or by who is there."""
        self._records = list(self._roster.members.values())
        for slot, record in enumerate(self._records):
            record.slot = slot
        column = np.fromiter((self._state(r) for r in self._records), np.uint8, len(self._records))
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self._outbox = deque(self._probe(record) for record in self._records if record.offered)
        self._agenda = [(r.due, r.id, r.token) for r in self._records if not r.offered and r.taken is None]
        self._agenda += [(r.taken + self._timeout, r.id, r.token) for r in self._records if r.taken is not None]
        heapify(self._agenda)
        self.deadline = None

    def _run(self, line: Timeline) -> None:
        """Everything that is due by now, in the order of time: what is late fails, what is to begin is offered."""
        agenda, members = self._agenda, self._roster.members
        while agenda and (agenda[0][0] <= line.latest or members[agenda[0][1]].token != agenda[0][2]):
            instant, id, token = heappop(agenda)
            record = members[id]
            if record.token == token:
                if record.taken is not None:
                    self._judge(record, LATE, instant)
                else:
                    record.offered, record.number = True, record.number + 1
                    self._outbox.append(self._probe(record))
        self.deadline = line.at(agenda[0][0]) if agenda else None

    def _plan(self, record: Record, instant: int) -> None:
        """What is next for this backend, instead of whatever was."""
        record.token += 1
        heappush(self._agenda, (instant, record.id, record.token))

    def _started(self, probe: Probe, now: float, line: Timeline) -> None:
        """A probe was taken at `now`; if it is still the one on offer, its timeout runs."""
        record = self._roster.members.get(probe.id)
        if record is not None and record.offered and record.number == probe.number:
            record.offered, record.taken = False, max(line.latest, nanoseconds(now - line.origin))
            self._plan(record, record.taken + self._timeout)

    def _judge(self, record: Record, verdict: Verdict, instant: int) -> None:
        """A probe has ended: the move it means, its event, and when the next one begins."""
        assert self._timeline is not None and record.taken is not None
        before, began, record.taken = self._state(record), record.taken, None
        now = self._timeline.at(instant)
        trigger = self._passed(record, verdict) if verdict.passed else self._failed(record, verdict, instant, now)
        record.health = TRANSITIONS[record.health, trigger]
        state = self._state(record)
        if state is not before:
            self._events.append(HealthChanged(now, record.id, state, verdict.reason))
            self._column[record.slot] = state
            self.version += 1
        if record.health in (Health.UP, Health.DOWN):
            record.run = 0
        record.due = began + self._step(record)
        self._plan(record, record.due)

    def _passed(self, record: Record, verdict: Verdict) -> Trigger:
        record.began, record.degraded = None, verdict.degraded
        record.run += 1
        risen = record.health is Health.PENDING or (record.health in OUT and record.run >= self.spec.rise)
        return Trigger.ROSE if risen else Trigger.PASSED

    def _failed(self, record: Record, verdict: Verdict, instant: int, now: float) -> Trigger:
        if record.began is None:
            record.began = instant
        if record.health in OUT:
            return Trigger.FAILED
        record.run += 1
        falls = verdict.final or record.run >= self.spec.fall or record.health in (Health.PENDING, Health.HELD)
        if not falls:
            return Trigger.FAILED
        if self._state(record) is State.UNHEALTHY:  # it is as good as down already
            return Trigger.FELL
        failing, members = self._doubt(record, instant)
        if failing < 2 or failing <= self.spec.hold_share * members:
            return Trigger.FELL
        if record.health is not Health.HELD:
            self._events.append(HealthHeld(now, record.id, failing, members, verdict.reason))
        return Trigger.HELD

    def _doubt(self, record: Record, instant: int) -> tuple[int, int]:
        """How many members began to fail within the window, and of how many; none if this one did not."""
        since = instant - self._window
        old = sum(r.began is not None and r.began <= since for r in self._records)
        if record.began is None or record.began <= since:
            return 0, len(self._records) - old
        return sum(r.began is not None for r in self._records) - old, len(self._records) - old

    def _step(self, record: Record) -> int:
        """Nanoseconds from the beginning of the probe that has ended to the next one's."""
        if record.health is Health.UP:
            longest = self._interval
        else:
            longest = self._down if record.health is Health.DOWN else self._fast
        return longest - self._draw(record.id, record.number, nanoseconds(longest * self.spec.jitter / NANOSECONDS))

    def _probe(self, record: Record) -> Probe:
        return Probe(record.id, self.spec.check, record.number, self.spec.timeout)

    def _join(self, id: str, now: int) -> Record:
        return Record(id, now + self._draw(id, 0, self._spread))

    def _draw(self, id: str, number: int, most: int) -> int:
        """A random whole number from 0 to `most`."""
        base = mix64(hash_key(id, seed=self.spec.seed))
        return (mix64((base + number * GAMMA) & (2**64 - 1)) * (most + 1)) >> 64

    def _state(self, record: Record) -> State:
        if record.health is Health.PENDING:
            return self.spec.initial
        if record.health in OUT:
            return State.UNHEALTHY
        return State.DEGRADED if record.degraded else State.HEALTHY

    def __repr__(self) -> str:
        return repr(self.spec).replace("Probing", "ActiveHealth", 1)
