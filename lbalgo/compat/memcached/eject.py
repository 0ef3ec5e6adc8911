"""How twemproxy ejects servers: `auto_eject_hosts`, `server_failure_limit`, `server_retry_timeout`.

A failure is a connection to the server that ends in an error or a timeout; any answer clears the count. The failure
that makes `server_failure_limit` in a row ejects the server, the count starts anew, and the ring is rebuilt from the
live ones. After `server_retry_timeout` the server is live again without having been asked: if it is still down, it
costs another `server_failure_limit` requests. There is no limit to how many servers may be out; with all out, requests
fail until the first timeout is over.

The real program looks at the clock, in whole microseconds, only when a request comes, and lets servers return once the
first of them has been out for more than its timeout; the ring is then the one that this signal gives for that time.

A quirk: a server that is out, fails once more and then answers (on a connection that was open before) is forgiven. It
returns with the next rebuild, whatever its own timeout.

Source: twemproxy 0.5, "auto_eject_hosts" and "Liveness"; the ring of the survivors is replayed, times are described.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_age, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum, check_integer, to_dict
from lbalgo.types import F64, U8, Outcome, State

SERVER_FAILURE_LIMIT = 2  # twemproxy's default
SERVER_RETRY_TIMEOUT = 30_000  # milliseconds; twemproxy's default
FORGET_AFTER = 300.0  # seconds; the Balancer's default
FAILURES = (Outcome.LOCAL_ERROR, Outcome.TIMEOUT)  # the connection failed; every other outcome but CANCELLED answered


@dataclass(frozen=True)
class Ejection:
    """The parameters of an `AutoEject`.

    Examples
    --------
    >>> Ejection().server_retry_timeout
    30000
    """

    server_failure_limit: int = SERVER_FAILURE_LIMIT
    server_retry_timeout: int = SERVER_RETRY_TIMEOUT

    def __post_init__(self) -> None:
        check_integer("server_failure_limit", self.server_failure_limit, low=1, high=2**31 - 1)
        check_integer("server_retry_timeout", self.server_retry_timeout, low=1, high=2**31 - 1)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class AutoEject:
    """A signal that ejects servers as twemproxy does; for `Twemproxy(auto_eject_hosts=True)`.

    Parameters
    ----------
    server_failure_limit : failures in a row that eject a server, >= 1.
    server_retry_timeout : how long it is out, in milliseconds as the configuration has it, >= 1.

    Raises
    ------
    ConfigError : a parameter is invalid.

    LOCAL_ERROR and TIMEOUT are failures, CANCELLED is nothing, every other outcome is an answer.

    Costs: observe O(1), an ejection or a return O(N) and a rebuild.
    Source: twemproxy 0.5, "auto_eject_hosts".

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> signal = AutoEject(server_failure_limit=2, server_retry_timeout=1000)
    >>> signal.sync(["a", "b"], 0.0)
    >>> signal.observe(0, Outcome.TIMEOUT, None, 1.0)
    >>> signal.observe(0, Outcome.TIMEOUT, None, 2.0)
    >>> factors, states = np.ones(2), np.zeros(2, np.uint8)
    >>> signal.apply(factors, states)
    >>> states.tolist(), round(signal.deadline, 3)
    ([2, 0], 3.0)
    """

    observes = True
    evidence = None

    def __init__(
        self, server_failure_limit: int = SERVER_FAILURE_LIMIT, server_retry_timeout: int = SERVER_RETRY_TIMEOUT
    ) -> None:
        self.spec = Ejection(server_failure_limit, server_retry_timeout)
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._timeline: Timeline | None = None
        self._roster: Roster[_Record] = Roster()
        self._slots: list[_Record] = []
        self._column = np.zeros(0, np.uint8)

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        line = self._timeline = self._timeline or Timeline(now)
        self._roster.forget(line.see(now) - nanoseconds(self.forget_after))
        self._roster.sync(members, line.latest, lambda _: _Record())
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """A request has ended; `now` in seconds.

        Raises
        ------
        ConfigError : slot, outcome or `now` is invalid.
        """
        record = self._slots[check_slot(slot, len(self._slots))]
        check_enum("outcome", outcome, Outcome)
        self.advance(now)
        if outcome in FAILURES:
            record.failures += 1
            if record.failures >= self.spec.server_failure_limit:
                assert self._timeline is not None
                record.failures, record.forgiven = 0, False
                self._rebuild()
                record.until = self._timeline.latest + self.spec.server_retry_timeout * 1_000_000
                self._update()
        elif outcome is not Outcome.CANCELLED and record.failures:
            record.failures, record.forgiven = 0, True

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """What other signals say is nothing to it."""
        check_slot(slot, len(self._slots))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let time pass up to `now` (seconds); an earlier instant than the latest changes nothing."""
        now = check_instant("now", now)
        if self._timeline is not None and now > self._timeline.now:
            self._roster.forget(self._timeline.see(now) - nanoseconds(self.forget_after))
            self._update()

    def apply(self, factors: F64, states: U8) -> None:
        """Ejected servers are UNHEALTHY at least; factors stay as they are, which is 1."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are nanoseconds relative to the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        return {
            "type": "AutoEject",
            "synced": self._timeline is not None,
            "members": {id: record.row(latest) for id, record in self._roster.members.items()},
            "away": {id: [latest - left, record.row(latest)] for id, (left, record) in self._roster.away.items()},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of an `AutoEject`, or `now` is invalid; nothing has been changed.
        """
        now = check_instant("now", now)
        if not isinstance(state, Mapping) or set(state) != {"type", "synced", "members", "away"}:
            raise ConfigError("state", state, "must be a snapshot of an AutoEject")
        if state["type"] != "AutoEject":
            raise ConfigError("state['type']", state["type"], "must be 'AutoEject'")
        check_bool("state['synced']", state["synced"])
        roster: Roster[_Record] = Roster()
        try:
            check_ids([*state["members"], *state["away"]])
            for id, row in state["members"].items():
                roster.members[id] = _Record.of(id, row)
            for id, (left, row) in state["away"].items():
                roster.away[id] = (-check_age(f"state['away'][{id!r}]", left, low=0), _Record.of(id, row))
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("state", state, "must be a snapshot of an AutoEject") from None
        self._timeline = Timeline(now) if state["synced"] else None
        self._roster = roster
        self._update()

    def _rebuild(self) -> None:
        """What a rebuild of the ring does: whoever has been out long enough, or was forgiven, is live."""
        latest = self._timeline.latest if self._timeline else 0
        for record in self._slots:
            if record.until is not None and (record.forgiven or record.until < latest):
                record.until = None

    def _update(self) -> None:
        """Bring column, version and deadline up to the latest instant."""
        self._slots = list(self._roster.members.values())
        line = self._timeline
        due = [record.until for record in self._slots if record.until is not None]
        if line is not None and due and min(due) < line.latest:
            self._rebuild()
            due = [record.until for record in self._slots if record.until is not None]
        out = [record.until is not None for record in self._slots]
        column = np.array(out, dtype=np.uint8) * np.uint8(State.UNHEALTHY)
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self.deadline = line.at(min(due) + 1) if line is not None and due else None

    def __repr__(self) -> str:
        return repr(self.spec).replace("Ejection", "AutoEject", 1)


class _Record:
    """Failures in a row, until when the server is out (nanoseconds, or None), and whether it was forgiven meanwhile."""

    __slots__ = ("failures", "forgiven", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.until: int | None = None
        self.forgiven = False

    def row(self, latest: int) -> list[Any]:
        return [self.failures, None if self.until is None else self.until - latest, self.forgiven]

    @classmethod
    def of(cls, id: str, row: Any) -> _Record:
        name = f"state[{id!r}]"
        record, (failures, left, forgiven) = cls(), row
        record.failures = check_integer(name, failures, low=0)
        record.until = None if left is None else check_age(name, left)
        record.forgiven = check_bool(name, forgiven)
        return record
