"""Drain: a backend on its way out keeps what it has, gets nothing new, and somebody says when it may be stopped.

Who is told to drain is DRAINING from that instant: no policy picks it, not in panic either, and what is in flight ends
as it would have. Two things can happen. It becomes *empty*: no lease is open, and it may be stopped. Or the deadline
passes first and it is *overdue*: whoever has waited so long may cut what is left. Both are events. A drain can be
called off at any time.

The deadline cuts nothing and changes no state: it is a report, and the end of patience with sessions. `Sticky` keeps
sessions on a backend that drains (its `draining`), so an empty one can become busy again; beside the gate `DrainGate`
it keeps them until the deadline only, or, with `sticky=False`, not at all.

A signal hears the ends of requests, not their beginnings, so it cannot count. Either the gate counts for it, exactly,
or the caller reports `OpenLeases` from `Stats.in_flight` when it likes; until then a drain is not called empty.

Costs: an order and a count O(N), as are sync and apply; advance O(1) between deadlines. Without a gate it observes
nothing, and costs a request nothing. Memory O(N).
Source: the life of a target at AWS ELB (draining until the deregistration delay is over, or at once when nothing is in
flight); Envoy and Kubernetes for the rest of the words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.events import DrainCalledOff, Drained, Draining, DrainOverdue, Event
from lbalgo.signals.drained import TRANSITIONS, DrainOrder, OpenLeases, Phase, Record, Trigger
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_age, check_duration, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum
from lbalgo.types import F64, U8, Outcome, State

DEADLINE = 300.0  # seconds; AWS ELB: deregistration_delay.timeout_seconds, 0 to 3600
FORGET_AFTER = 300.0  # seconds; the Balancer's default


class Drain:
    """A signal that takes backends out of new traffic, and says when they are empty or overdue.

    Parameters
    ----------
    deadline : seconds from the beginning of a drain until it is overdue.
    sticky : whether, beside a `DrainGate`, sessions are kept until the deadline; False sends them away at once.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A drain begins and is called off by `Balancer.report(id, DrainOrder.BEGIN)` and `CALL_OFF`. A second BEGIN changes
    nothing: the deadline stays. One that leaves and comes back within `forget_after` seconds drains on.

    Costs: O(N) an order, nothing a request.
    Source: AWS ELB, deregistration delay.

    Examples
    --------
    >>> drain = Drain(deadline=30)
    >>> drain.sync(["a", "b"], 0.0)
    >>> drain.reported(0, DrainOrder.BEGIN, 5.0)
    >>> drain.reported(0, OpenLeases(2), 6.0)
    >>> drain.phase(0), drain.deadline
    (<Phase.DRAINING: 'draining'>, 35.0)
    >>> drain.reported(0, OpenLeases(0), 12.0)
    >>> drain.drain_events()
    [Draining(now=5.0, id='a', until=35.0), Drained(now=12.0, id='a')]
    """

    evidence = None

    def __init__(self, deadline: float = DEADLINE, sticky: bool = True) -> None:
        self.patience = check_duration("deadline", deadline)
        self.sticky = check_bool("sticky", sticky)
        self.observes = False  # True with a gate: so a balancer asks for news whenever a request has ended
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self.counts: dict[str, int] | None = None  # a gate's: leases open by id
        self._patience = nanoseconds(deadline)
        self._timeline: Timeline | None = None
        self._reached = 0  # the latest instant brought up to date
        self._roster: Roster[Record] = Roster()
        self._column = np.zeros(0, dtype=np.uint8)
        self._draining = False  # whether any member is
        self._events: list[Event] = []

    def reported(self, slot: int, report: Any, now: float) -> None:
        """A `DrainOrder` begins or ends a drain, `OpenLeases` may end it; reports of other kinds are for others.

        Raises
        ------
        ConfigError : the slot or `now` (seconds) is invalid, or leases are reported where a gate counts them.
        """
        slot, now = check_slot(slot, len(self._column)), check_instant("now", now)
        if not isinstance(report, (DrainOrder, OpenLeases)):
            return
        if isinstance(report, OpenLeases) and self.counts is not None:
            raise ConfigError("report", report, "would be the second count: a DrainGate counts already")
        self.advance(now)
        record = list(self._roster.members.values())[slot]
        if isinstance(report, OpenLeases):
            record.open = report.count
        elif report is DrainOrder.BEGIN and record.phase is Phase.SERVING:
            self._move(record, Trigger.BEGUN)
        elif report is DrainOrder.CALL_OFF and record.phase is not Phase.SERVING:
            self._move(record, Trigger.CALLED_OFF)
        self._update()

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order; who is new serves, who returns is where it was.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        line = self._timeline = self._timeline or Timeline(now)
        self.advance(now)
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._roster.sync(members, line.latest, Record)
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """How requests end says nothing of a drain; only time passes.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` (seconds) is invalid.
        """
        check_slot(slot, len(self._column))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a backend moved, which moves no drain; only time passes.

        Raises
        ------
        ConfigError : the slot, a state or `now` (seconds) is invalid.
        """
        check_slot(slot, len(self._column))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let time pass up to `now` (seconds): drains whose deadline is over are overdue.

        Raises
        ------
        ConfigError : `now` is invalid.
        """
        now, line = check_instant("now", now), self._timeline
        if line is not None and now > line.now:
            latest = line.see(now)
            if self.deadline is not None and now >= self.deadline:
                self._update()
            self._reached = latest

    def apply(self, factors: F64, states: U8) -> None:
        """Write factors of 1, and make those that drain DRAINING."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def counted(self, id: str, change: int, now: float) -> None:
        """A lease of this id begins (1) or ends (-1) at `now` (seconds); called by the gate.

        Raises
        ------
        ConfigError : no gate is there to count, `now` is invalid, or more end than began.
        """
        now, counts = check_instant("now", now), self.counts
        if counts is None or counts.get(id, 0) + change < 0:
            raise ConfigError("id", id, "has no lease open" if counts is not None else "is not counted by a gate")
        self.advance(now)
        counts[id] = counts.get(id, 0) + change
        if not counts[id]:
            del counts[id]
        record = self._roster.members.get(id)
        if record is not None and record.phase is not Phase.SERVING:
            self._update()

    def closed(self) -> frozenset[str]:
        """The ids of the members that keep no sessions any more."""
        if self._timeline is None or not self._draining:
            return frozenset()
        now, whole = self._timeline.latest, not self.sticky
        return frozenset(
            id
            for id, record in self._roster.members.items()
            if record.began is not None and (whole or record.began + self._patience <= now)
        )

    def phase(self, slot: int) -> Phase:
        """Where a backend is in its drain.

        Raises
        ------
        ConfigError : the slot is invalid.
        """
        return list(self._roster.members.values())[check_slot(slot, len(self._column))].phase

    def phases(self) -> dict[str, Phase]:
        """Where everybody is who drains, by id, in slot order."""
        return {id: record.phase for id, record in self._roster.members.items() if record.began is not None}

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        away = self._roster.away.items()
        return {
            "type": "Drain",
            "synced": self._timeline is not None,
            "members": {id: record.snapshot(latest) for id, record in self._roster.members.items()},
            "away": {id: [latest - left, record.snapshot(latest)] for id, (left, record) in away},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of a `Drain`, or `now` is invalid; nothing has been changed.
        """
        now, keys = check_instant("now", now), {"type", "synced", "members", "away"}
        if not isinstance(state, Mapping) or set(state) != keys or state["type"] != "Drain":
            raise ConfigError("state", state, "must be a snapshot of a Drain")
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
        self._timeline, self._reached = Timeline(now) if synced else None, 0
        self._roster = roster
        self._update()

    def _update(self) -> None:
        """Bring phases, column, version and deadline up to the latest instant and the latest counts."""
        line, members = self._timeline, self._roster.members
        self._draining = line is not None and any(record.began is not None for record in members.values())
        if line is not None and self._draining:
            draining = [(r.began + self._patience, r) for r in members.values() if r.began is not None]
            late = [(due, r) for due, r in draining if due <= line.latest and r.phase is Phase.DRAINING]
            for due, record in sorted(late, key=lambda entry: entry[0]):
                self._move(record, Trigger.EXPIRED, max(due, self._reached))  # of who returns it was over before
            for due, record in draining:
                if self.counts is not None:
                    record.open = self.counts.get(record.id, 0)
                if record.open == 0 and record.phase is not Phase.EMPTY:
                    self._move(record, Trigger.EMPTIED)
                elif record.open and record.phase is Phase.EMPTY:
                    self._move(record, Trigger.BUSY if line.latest < due else Trigger.EXPIRED)
            ahead = [due for due, _ in draining if due > line.latest]
            self.deadline = line.at(min(ahead)) if ahead else None
        else:
            self.deadline = None
        self._reached = line.latest if line is not None else 0
        states = (State.HEALTHY if record.began is None else State.DRAINING for record in members.values())
        column = np.fromiter(states, np.uint8, len(members))
        self.version += not np.array_equal(column, self._column)
        self._column = column

    def _move(self, record: Record, trigger: Trigger, instant: int | None = None) -> None:
        """Every move, and its event."""
        line = self._timeline
        assert line is not None
        record.phase = TRANSITIONS[record.phase, trigger]
        now = line.now if instant is None else line.at(instant)
        if trigger is Trigger.BEGUN:
            record.began, record.open = line.latest, None
        if trigger is Trigger.CALLED_OFF:
            record.began = None
            self._events.append(DrainCalledOff(now, record.id))
        elif record.phase is Phase.DRAINING and record.began is not None:
            self._events.append(Draining(now, record.id, line.at(record.began + self._patience)))
        elif record.phase is Phase.EMPTY:
            self._events.append(Drained(now, record.id))
        else:
            self._events.append(DrainOverdue(now, record.id, record.open))

    def __repr__(self) -> str:
        return f"Drain(deadline={self.patience!r}, sticky={self.sticky!r})"
