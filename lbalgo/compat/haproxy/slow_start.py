"""Slow starts as a signal for a `Balancer`: weights that rise in sixteenths, once a second, after a server came up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.compat.haproxy.limits import slowstart_seconds, slowstart_step
from lbalgo.compat.haproxy.server import check_slowstart
from lbalgo.errors import ConfigError
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import NANOSECONDS, Timeline, check_age, check_instant, nanoseconds
from lbalgo.spec import check_enum
from lbalgo.types import F64, U8, Outcome, State

FORGET_AFTER = 300.0  # seconds; the Balancer's default


class SlowStart:
    """Weights that rise in sixteenths, once a second, after a server came up; never at start.

    Parameters
    ----------
    slowstart : seconds, for all servers or by id; 0 for none. Milliseconds are rounded up to whole seconds.

    Raises
    ------
    ConfigError : a time is no number from 0 to 2147483.648.

    Only dynamic algorithms follow it. Servers that join later (added at run time) start slowly, as those that come up.
    Costs: O(N) a second while anybody is warming. Source: HAProxy Configuration Manual, "slowstart".

    Examples
    --------
    >>> import numpy as np
    >>> signal = SlowStart(10)
    >>> signal.sync(["a"], 0.0)
    >>> signal.changed(0, State.UNHEALTHY, State.HEALTHY, 60.0)
    >>> signal.advance(65.5)
    >>> factors, states = np.ones(1), np.zeros(1, np.uint8)
    >>> signal.apply(factors, states)
    >>> factors.tolist(), signal.deadline
    ([0.5625], 66.0)
    """

    observes = False
    evidence = None

    def __init__(self, slowstart: float | Mapping[str, float]) -> None:
        if isinstance(slowstart, Mapping):
            times = {id: check_slowstart(value, f"slowstart[{id!r}]") for id, value in slowstart.items()}
            self._default, self._times = 0.0, times
        else:
            self._default, self._times = check_slowstart(slowstart), {}
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._timeline: Timeline | None = None
        self._roster: Roster[list[int | None]] = Roster()  # one element: when it came up, None once it is warm
        self._column = np.ones(0)

    def slowstart(self, id: str) -> float:
        """The configured time of a server, in seconds."""
        return self._times.get(id, self._default)

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Makes `ids` the servers; the first are warm.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        first = self._timeline is None
        line = self._timeline = self._timeline or Timeline(now)
        self._roster.forget(line.see(now) - nanoseconds(self.forget_after))
        self._roster.sync(members, line.latest, lambda _: [None if first else line.latest])
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Outcomes say nothing about warmth."""
        check_slot(slot, len(self._column))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """A server that was down and is up begins to warm.

        Raises
        ------
        ConfigError : the slot, a state or `now` (seconds) is invalid.
        """
        slot = check_slot(slot, len(self._column))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)
        if self._timeline and old is State.UNHEALTHY and new is not State.UNHEALTHY:
            list(self._roster.members.values())[slot][0] = self._timeline.latest
            self._update()

    def advance(self, now: float) -> None:
        """It is `now` (seconds); an earlier instant than the latest changes nothing."""
        now = check_instant("now", now)
        if self._timeline is not None and now > self._timeline.now:
            self._roster.forget(self._timeline.see(now) - nanoseconds(self.forget_after))
            self._update()

    def apply(self, factors: F64, states: U8) -> None:
        """Writes every server's sixteenths; states stay."""
        factors[:] = self._column

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds."""
        latest = self._timeline.latest if self._timeline else 0
        ages = {id: None if up[0] is None else latest - up[0] for id, up in self._roster.members.items()}
        away = {
            id: [latest - left, None if up[0] is None else latest - up[0]]
            for id, (left, up) in self._roster.away.items()
        }
        return {"type": "SlowStart", "synced": self._timeline is not None, "members": ages, "away": away}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot whose last instant is `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of a `SlowStart`, or `now` is invalid; nothing has been changed.
        """
        now = check_instant("now", now)
        check_snapshot(state, "SlowStart")
        roster: Roster[list[int | None]] = Roster()
        try:
            check_ids([*state["members"], *state["away"]])
            for id, age in state["members"].items():
                roster.members[id] = [_since(id, age)]
            for id, (left, age) in state["away"].items():
                roster.away[id] = -check_age(f"state['away'][{id!r}]", left, low=0), [_since(id, age)]
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("state", state, "must be a snapshot of a SlowStart") from None
        self._timeline = Timeline(now) if state["synced"] else None
        self._roster = roster
        self._update()

    def _update(self) -> None:
        latest = self._timeline.latest if self._timeline else 0
        column, due = np.ones(len(self._roster.members)), []
        for slot, (id, up) in enumerate(self._roster.members.items()):
            if up[0] is None:
                continue
            seconds, age = slowstart_seconds(self.slowstart(id)), (latest - up[0]) // NANOSECONDS
            if age >= seconds:
                up[0] = None
                continue
            column[slot] = slowstart_step(age, seconds) / 16
            due.append(up[0] + (age + 1) * NANOSECONDS)
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self.deadline = self._timeline.at(min(due)) if self._timeline and due else None

    def __repr__(self) -> str:
        return f"SlowStart({self._times or self._default!r})"


def _since(id: str, age: object) -> int | None:
    return None if age is None else -check_age(f"state[{id!r}]", age, low=0)


def check_snapshot(state: Any, kind: str) -> None:
    """Refuses what is no snapshot of this kind of signal."""
    if not isinstance(state, Mapping) or set(state) != {"type", "synced", "members", "away"}:
        raise ConfigError("state", state, f"must be a snapshot of {kind}")
    if state["type"] != kind or not isinstance(state["synced"], bool):
        raise ConfigError("state['type']", state["type"], f"must be {kind!r}")
