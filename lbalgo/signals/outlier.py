"""Outlier ejection: a backend that fails, alone or beside its peers, is left out for a while, then tried again.

One machine and one budget for any number of detectors. A verdict is carried out only while few enough backends are
ejected and with the detector's enforcement probability; otherwise it is withheld, and an event says so. The n-th
ejection lasts n times the base time, up to a cap, plus jitter; every tick a readmitted backend stays takes one back.

Time is a grid of ticks, `interval` apart, from the first sync. Each tick, in this order: ejections that have been
served end, and the runs of errors of the readmitted begin anew; the judging detectors see the finished interval, all of
them the same one, and name outliers, the worst first; backends readmitted before this tick lose one from their backoff.
The counting detectors speak between the ticks, with the outcome that completes the run; so do the watching ones, which
are shown every outcome (`lbalgo.signals.watching`), unless they compare, on ticks.

After Envoy, from whose machine this one differs where that one goes wrong: a backend is not ejected twice in one tick
by two detectors, and the number of ejected backends is that of ejected *members*, however they stopped being one.

Costs: an outcome O(1), some nanoseconds in `Evidence`, some microseconds if a detector watches; a tick
O(N log N); sync O(N); memory O(members and leavers).
Source: Envoy, "Outlier detection"; gRPC proposal A50.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.active import Evidence, mix64
from lbalgo.errors import ConfigError
from lbalgo.events import Ejected, EjectionWithheld, Event, Readmitted
from lbalgo.signals.detectors import ConsecutiveErrors, ConsecutiveGatewayErrors, Detector, Judging, success_rate
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.rules import (
    BASE_EJECTION_TIME,
    COUNTING,
    DETECTORS,
    INTERVAL,
    MAX_EJECTION_PERCENT,
    MAX_EJECTION_TIME,
    EjectionRules,
)
from lbalgo.signals.standing import NO_EVIDENCE, SERVING_TIME, TRANSITIONS, Record, Standing, Trigger
from lbalgo.signals.timeline import Timeline, check_age, check_instant, nanoseconds
from lbalgo.signals.watching import Comparing, Watches, Watching
from lbalgo.spec import LIMIT, check_bool, check_enum, check_integer, check_real
from lbalgo.types import F64, OUTCOME_CODES, U8, Outcome, State

FORGET_AFTER = 300.0  # seconds; the Balancer's default
GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment


class OutlierEjection:
    """A signal that calls outliers UNHEALTHY for a while.

    Parameters
    ----------
    detectors : what makes an outlier, at most one of a kind; where several speak at once, the first one listed first.
    interval : seconds from tick to tick.
    base_ejection_time : seconds the first ejection lasts; the n-th in a row lasts n times as long.
    max_ejection_time : seconds no ejection exceeds, jitter aside.
    max_ejection_percent : most of the members that may be ejected at a time, 0 to 100.
    always_eject_one : whether one may be ejected however small the pool.
    max_ejection_time_jitter : seconds; each ejection lasts longer by a random part of this.
    seed : of jitter and enforcement, in [0, 2**64); processes that must not march in step need seeds of their own.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A member that leaves keeps its record for `forget_after` seconds: if it returns in time its ejection goes on, also
    beyond the budget. Ejections end on ticks, so they last up to an interval longer than `Ejected.until` says.

    Costs: `observe` O(1), tick O(N log N), sync and apply O(N).
    Source: Envoy, "Outlier detection".

    Examples
    --------
    >>> signal = OutlierEjection(detectors=[ConsecutiveErrors(2)])
    >>> signal.sync(["a", "b", "c"], 0.0)
    >>> for _ in range(2):
    ...     signal.observe(1, Outcome.SERVER_ERROR, None, 4.0)
    >>> states = np.zeros(3, np.uint8)
    >>> signal.apply(np.ones(3), states)
    >>> states.tolist(), signal.deadline
    ([0, 2, 0], 40.0)
    >>> signal.drain_events()
    [Ejected(now=4.0, id='b', detector='ConsecutiveErrors', times=1, until=34.0)]
    """

    observes = True
    evidence: Evidence | None  # where a Balancer may note outcomes itself; None if a detector has to see them

    def __init__(
        self,
        detectors: Iterable[Detector] = DETECTORS,
        interval: float = INTERVAL,
        base_ejection_time: float = BASE_EJECTION_TIME,
        max_ejection_time: float = MAX_EJECTION_TIME,
        max_ejection_percent: float = MAX_EJECTION_PERCENT,
        always_eject_one: bool = True,
        max_ejection_time_jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.spec = EjectionRules(
            detectors,  # type: ignore[arg-type]
            interval,
            base_ejection_time,
            max_ejection_time,
            max_ejection_percent,
            always_eject_one,
            max_ejection_time_jitter,
            seed,
        )
        self._watching = [d for d in self.spec.detectors if isinstance(d, Watching)]
        self._comparing = [d for d in self._watching if isinstance(d, Comparing)]
        self._judging: list[Judging] = [d for d in self.spec.detectors if isinstance(d, Judging)]
        thresholds = {type(d): d.threshold for d in self.spec.detectors if isinstance(d, COUNTING)}
        self._rows = Evidence(thresholds.get(ConsecutiveErrors, 0), thresholds.get(ConsecutiveGatewayErrors, 0))
        self.evidence = None if self._watching else self._rows
        self._judges = bool(self._judging or self._comparing)  # whether ticks come even if nobody is ejected
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._interval = nanoseconds(interval)
        self._base, self._cap = nanoseconds(base_ejection_time), nanoseconds(max_ejection_time)
        self._timeline: Timeline | None = None
        self._next = self._interval  # the next tick
        self._roster: Roster[Record] = Roster()
        self._records: list[Record] = []  # of the members, by slot
        self._column = np.zeros(0, dtype=np.uint8)
        self._active = 0
        self._draws = 0
        self._events: list[Event] = []

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order; survivors keep everything, leavers until they are forgotten.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        self.advance(now)
        line = self._timeline = self._timeline or Timeline(now)
        rows: dict[str, tuple[int, ...]] = dict(zip(self._roster.members, self._rows.rows(), strict=True))
        left, returned = self._roster.sync(members, line.latest, Record)
        self._records = list(self._roster.members.values())
        for record in left:
            record.evidence = rows[record.id]
            self._move(record, Trigger.LEFT, line.now)
        for record in returned:
            rows[record.id] = record.evidence
            self._move(record, Trigger.RETURNED, line.now)
        for record in self._records:
            if record.standing is Standing.UNKNOWN:
                self._move(record, Trigger.JOINED, line.now)
                record.watches = {type(d).__name__: d.watch(line.latest) for d in self._watching}
        self._rows.load([rows.get(id, NO_EVIDENCE) for id in members])
        self._forget()
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Let time pass to `now` (seconds), count the outcome, and eject if that completes a run of errors.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` is invalid.
        """
        slot, code = check_slot(slot, len(self._records)), OUTCOME_CODES[check_enum("outcome", outcome, Outcome)]
        if latency is not None and self._watching:
            latency = check_real("latency", latency, low=0.0, high=LIMIT)
        self.advance(now)
        tripped = self._rows.record(slot, code)
        said = self._watched(slot, outcome, latency) if self._watching else ()
        if tripped or said:
            self._speak(slot, said)

    def _watched(self, slot: int, outcome: Outcome, latency: float | None) -> list[Watching]:
        """Show the outcome to whoever watches; those that call the backend an outlier now."""
        record = self._records[slot]
        assert self._timeline is not None
        if record.standing is not Standing.ADMITTED or outcome is Outcome.CANCELLED:
            return []
        now, watches = self._timeline.latest, record.watches
        return [d for d in self._watching if watches[type(d).__name__].observe(outcome, latency, now)]

    def tripped(self, slot: int, now: float) -> None:
        """What has to follow when `evidence` said, at `now` (seconds), that a run of this slot reached its threshold.

        Raises
        ------
        ConfigError : the slot or `now` is invalid.
        """
        slot = check_slot(slot, len(self._records))
        self.advance(now)
        self._speak(slot, ())

    def _speak(self, slot: int, said: Sequence[Watching]) -> None:
        """What follows an outcome that completed a run, or made a watching detector speak; in the order of listing."""
        record, line = self._records[slot], self._timeline
        assert line is not None
        errors, gateway = self._rows.streaks(slot)
        for detector in self.spec.detectors:
            if record.standing is not Standing.ADMITTED:
                break
            if isinstance(detector, COUNTING):
                general = isinstance(detector, ConsecutiveErrors)
                run = errors if general else gateway  # others may have failed since it was noted
                if run >= detector.threshold:
                    self._suspect(record, detector, line.latest, line.now)
                    self._rows.clear(slot, general, not general)
            elif isinstance(detector, Watching) and detector in said:
                self._suspect(record, detector, line.latest, line.now)
                if record.standing is Standing.ADMITTED:
                    record.watches[type(detector).__name__].restart(line.latest, False)
        self._update()

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a backend moved, which is no evidence; time passes to `now` (seconds)."""
        check_slot(slot, len(self._records))
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
        if self._next <= latest:
            due = self._next if self._judges else self._pending()
            while due is not None and due <= latest:
                self._tick(due, self._timeline.at(due))
                self._next = due + self._interval
                due = self._pending()  # without further outcomes
            self._next += max(0, (latest - self._next) // self._interval + 1) * self._interval
            self._update()
        self._forget()

    def apply(self, factors: F64, states: U8) -> None:
        """Write factors of 1, and make the ejected at least UNHEALTHY."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        rows = zip(self._records, self._rows.rows(), strict=True)
        return {
            "type": "OutlierEjection",
            "synced": self._timeline is not None,
            "next_tick_in": self._next - latest,
            "draws": self._draws,
            "members": {record.id: record.snapshot(latest, row) for record, row in rows},
            "away": {
                id: [latest - left, record.snapshot(latest, record.evidence)]
                for id, (left, record) in self._roster.away.items()
            },
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Parameters need not be those of the signal that made the snapshot; no events are made of what is restored.

        Raises
        ------
        ConfigError : the state is none of an `OutlierEjection`, or `now` is invalid; nothing has been changed.
        """
        now, keys = check_instant("now", now), {"type", "synced", "next_tick_in", "draws", "members", "away"}
        if not isinstance(state, Mapping) or set(state) != keys or state["type"] != "OutlierEjection":
            raise ConfigError("state", state, "must be a snapshot of an OutlierEjection")
        synced = check_bool("state['synced']", state["synced"])
        tick = check_age("state['next_tick_in']", state["next_tick_in"], low=1)
        draws = check_integer("state['draws']", state["draws"], low=0)
        for part in ("members", "away"):
            if not isinstance(state[part], Mapping):
                raise ConfigError(f"state[{part!r}]", state[part], "must be a mapping from id to record")
        check_ids([*state["members"], *state["away"]])
        roster: Roster[Record] = Roster()
        for id, data in state["members"].items():
            roster.members[id] = Record.restored(id, data, (Standing.ADMITTED, Standing.EJECTED))
        for id, data in state["away"].items():
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise ConfigError(f"state['away'][{id!r}]", data, "must be an age and a record")
            left = -check_age(f"state['away'][{id!r}]", data[0], low=0)
            roster.away[id] = left, Record.restored(id, data[1], (Standing.AWAY, Standing.AWAY_EJECTED))
        for record in [*roster.members.values(), *(record for _, record in roster.away.values())]:
            record.watches = self._watches(record.watches)
        self._timeline = Timeline(now) if synced else None
        self._next, self._draws, self._roster = min(tick, self._interval), draws, roster
        self._records = list(roster.members.values())
        self._active = sum(record.standing is Standing.EJECTED for record in self._records)
        for record in self._everyone():
            if record.standing not in SERVING_TIME:
                record.evidence = self._short_of_thresholds(record.evidence)
        self._rows.load([record.evidence for record in self._records])
        self._update()

    def _watches(self, states: Watches) -> Watches:
        """Watches that go on from their snapshots, and new ones where there is none."""
        watches: Watches = {}
        for detector in self._watching:
            name = type(detector).__name__
            watches[name] = detector.watch(0)
            if name in states:
                watches[name].restore(states[name], 0)
        return watches

    def _short_of_thresholds(self, evidence: tuple[int, ...]) -> tuple[int, ...]:
        """A restored run that is beyond a threshold lowered meanwhile is one error short: the next error trips."""
        errors, gateway = self._rows.error_threshold, self._rows.gateway_threshold
        return (
            min(evidence[0], errors - 1) if errors else evidence[0],
            min(evidence[1], gateway - 1) if gateway else evidence[1],
            *evidence[2:],
        )

    def _everyone(self) -> list[Record]:
        return [*self._records, *(record for _, record in self._roster.away.values())]

    def _tick(self, instant: int, now: float) -> None:
        over = [r for r in self._everyone() if r.standing in SERVING_TIME and self._ends(r) <= instant]
        verdicts = self._verdicts(over)  # the only step that runs foreign code: nothing has been changed yet
        slots = {record.id: slot for slot, record in enumerate(self._records)}
        for record in over:
            record.readmitted_at = instant
            record.evidence = (0, 0, *record.evidence[2:])
            if record.id in slots:
                self._rows.clear(slots[record.id])
            for watch in record.watches.values():
                watch.restart(instant, True)
            self._move(record, Trigger.EXPIRED, now)
        if self._judging:
            self._rows.take()
            for _, record in self._roster.away.values():
                record.evidence = (*record.evidence[:2], 0, 0)
        for comparing in self._comparing:
            for record in self._everyone():
                record.watches[type(comparing).__name__].rotate()
        for detector, outliers in verdicts:
            for record in outliers:
                if record.standing is Standing.ADMITTED:
                    self._suspect(record, detector, instant, now)
        for record in self._everyone():
            served = record.readmitted_at
            if record.standing not in SERVING_TIME and served is not None and instant - served >= self._interval:
                record.backoff = max(0, record.backoff - 1)

    def _verdicts(self, over: list[Record]) -> list[tuple[Detector, list[Record]]]:
        """The outliers each judging and comparing detector names among the admitted with traffic, the worst first."""
        rows = zip(self._records, self._rows.rows(), strict=True) if self._judging else ()
        heard = [
            (record, row[2], row[3])
            for record, row in rows
            if row[3] and (record.standing is Standing.ADMITTED or record in over)
        ]
        _, successes, totals = (list(column) for column in zip(*heard, strict=True)) if heard else ([], [], [])
        verdicts: list[tuple[Detector, list[Record]]] = []
        for detector in self.spec.detectors:
            if isinstance(detector, Comparing):
                watched = [record for record in self._records if record.standing is Standing.ADMITTED]
                found = detector.compare([record.watches[type(detector).__name__] for record in watched])
                order = sorted((-badness, watched[position].id, position) for position, badness in found)
                verdicts.append((detector, [watched[position] for _, _, position in order]))
            elif isinstance(detector, Judging):
                named = [heard[position] for position in detector.outliers(successes, totals)]
                named.sort(key=lambda entry: (success_rate(entry[1], entry[2]), entry[0].id))
                verdicts.append((detector, [record for record, _, _ in named]))
        return verdicts

    def _suspect(self, record: Record, detector: Detector, instant: int, now: float) -> None:
        """Carry a verdict out, or withhold it."""
        name, rules = type(detector).__name__, self.spec
        fits = 100 * (self._active + 1) <= rules.max_ejection_percent * len(self._records)
        if not fits and not (rules.always_eject_one and self._active == 0):
            self._move(record, Trigger.WITHHELD, now)
            self._events.append(EjectionWithheld(now, record.id, name, "budget"))
        elif detector.enforcement < 100 and self._draw() * 100 >= detector.enforcement:
            self._move(record, Trigger.WITHHELD, now)
            self._events.append(EjectionWithheld(now, record.id, name, "enforcement"))
        else:
            record.detector, record.ejected_at, record.times = name, instant, record.times + 1
            jitter = rules.max_ejection_time_jitter
            record.jitter = nanoseconds(self._draw() * jitter) if jitter else 0
            if record.backoff * self._base < self._cap + self._base:
                record.backoff += 1
            self._move(record, Trigger.TRIPPED, now)

    def _move(self, record: Record, trigger: Trigger, now: float) -> None:
        """Every change of standing, and with it the number of the ejected and the events that balance it."""
        before, record.standing = record.standing, TRANSITIONS[record.standing, trigger]
        entered = (record.standing is Standing.EJECTED) - (before is Standing.EJECTED)
        self._active += entered
        if entered > 0:
            assert self._timeline is not None
            until = self._timeline.at(self._ends(record))
            self._events.append(Ejected(now, record.id, record.detector, record.times, until))
        elif entered < 0:
            self._events.append(Readmitted(now, record.id))

    def _ends(self, record: Record) -> int:
        """The instant from which the next tick ends this ejection."""
        assert record.ejected_at is not None
        return record.ejected_at + min(record.backoff * self._base, self._cap) + record.jitter

    def _pending(self) -> int | None:
        """The first tick that ends an ejection or takes a backoff back, if there is one."""
        due = []
        for record in self._everyone():
            if record.standing in SERVING_TIME:
                due.append(self._ends(record))
            elif record.backoff and record.readmitted_at is not None:
                due.append(record.readmitted_at + self._interval)
        if not due:
            return None
        late = max(0, min(due) - self._next)
        return self._next - (-late // self._interval) * self._interval

    def _forget(self) -> None:
        if self._timeline and self._roster.away:
            for record in self._roster.forget(self._timeline.latest - nanoseconds(self.forget_after)):
                self._move(record, Trigger.FORGOTTEN, self._timeline.now)

    def _draw(self) -> float:
        """The next random number in [0, 1), of 53 bits."""
        self._draws += 1
        return (mix64((self.spec.seed + self._draws * GAMMA) & (2**64 - 1)) >> 11) * 2.0**-53

    def _update(self) -> None:
        """Bring column, version and deadline up to date."""
        ejected = (record.standing is Standing.EJECTED for record in self._records)
        column = np.fromiter(ejected, np.uint8, len(self._records)) * np.uint8(State.UNHEALTHY)
        self.version += not np.array_equal(column, self._column)
        self._column = column
        due = self._next if self._judges else self._pending()
        self.deadline = None if self._timeline is None or due is None else self._timeline.at(due)

    def __repr__(self) -> str:
        return repr(self.spec).replace("EjectionRules", "OutlierEjection", 1)
