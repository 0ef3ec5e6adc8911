"""Health checks, observed traffic and agents as a signal for a `Balancer`.

Whoever performs the checks reports them: `HealthChecks.checked` and `told`. `next_check` says when a check is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.compat.haproxy.agent import Agent
from lbalgo.compat.haproxy.health import Check, Health, Observe
from lbalgo.compat.haproxy.slow_start import FORGET_AFTER, check_snapshot
from lbalgo.errors import ConfigError, UnknownBackend
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_age, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum, check_integer
from lbalgo.types import F64, U8, Outcome, State

LAYER4 = {Outcome.LOCAL_ERROR}
LAYER7 = {Outcome.LOCAL_ERROR, Outcome.SERVER_ERROR, Outcome.GATEWAY_ERROR, Outcome.TIMEOUT}


class _Record:
    """A server's health, its agent, and when its next check is due (seconds)."""

    __slots__ = ("agent", "due", "health")

    def __init__(self, check: Check | None, agent: Agent, now: float) -> None:
        self.health = None if check is None else Health(check)
        self.agent = agent
        self.due = None if check is None else now

    def state(self) -> State:
        """The worse of what checks and agent say."""
        down = self.health is not None and not self.health.up
        return max(State.UNHEALTHY if down else State.HEALTHY, self.agent.state)


class HealthChecks:
    """Health checks, observed traffic and agents of all servers.

    Parameters
    ----------
    checks : a `Check` for all servers, or by id; None, or no entry, for servers that are not checked.
    weights : configured weight of each server, by id, of which an agent's per cents are; 1 for the others.
    maxconns : configured maxconn of each server, by id; 0 for the others.
    spread_checks : the most per cent by which an interval is shorter or longer.

    Raises
    ------
    ConfigError : an argument is out of range or of another type.

    A server is UNHEALTHY while checks or agent say so, or in maintenance; DRAINING while its agent drains it. What an
    agent makes of weight and maxconn is read from `agent(id)`, for the servers given to `Balancer.update`: weights may
    rise above the configured ones, which no factor can say. Observed traffic: LOCAL_ERROR for layer4; also
    SERVER_ERROR, GATEWAY_ERROR and TIMEOUT for layer7. HAProxy does not count the statuses 501 and 505: report SUCCESS.

    Costs: O(1) a report, O(N) to apply. Source: HAProxy Configuration Manual, "check", "observe", "agent-check".

    Examples
    --------
    >>> signal = HealthChecks(Check(rise=1, fall=1))
    >>> signal.sync(["a"], 0.0)
    >>> signal.checked("a", False, 2.0)
    >>> signal.status("a"), signal.next_check("a")
    ('DOWN', 4.0)
    """

    evidence = None

    def __init__(
        self,
        checks: Check | Mapping[str, Check] | None = None,
        *,
        weights: Mapping[str, int] | None = None,
        maxconns: Mapping[str, int] | None = None,
        spread_checks: int = 0,
    ) -> None:
        given = checks.values() if isinstance(checks, Mapping) else () if checks is None else (checks,)
        for check in given:
            check_enum("checks", check, Check)
        self._checks: Any = dict(checks) if isinstance(checks, Mapping) else checks
        self._weights, self._maxconns = dict(weights or {}), dict(maxconns or {})
        for id in {*self._weights, *self._maxconns}:
            self._agent_of(id)
        self.spread_checks = check_integer("spread_checks", spread_checks, low=0, high=50)
        self.observes = any(check.observe is not Observe.NONE for check in given)
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._timeline: Timeline | None = None
        self._roster: Roster[_Record] = Roster()
        self._column = np.zeros(0, np.uint8)

    def _agent_of(self, id: str) -> Agent:
        return Agent(self._weights.get(id, 1), self._maxconns.get(id, 0))

    def _check_of(self, id: str) -> Check | None:
        found: Check | None = self._checks.get(id) if isinstance(self._checks, dict) else self._checks
        return found

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Makes `ids` the servers; new ones are up, one failed check from down.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        line = self._timeline = self._timeline or Timeline(now)
        self._roster.forget(line.see(now) - nanoseconds(self.forget_after))
        at = line.now
        self._roster.sync(members, line.latest, lambda id: _Record(self._check_of(id), self._agent_of(id), at))
        self._update()

    def checked(self, id: str, passed: bool, now: float, *, draw: float = 0.5) -> None:
        """A check of a server has ended.

        Parameters
        ----------
        id, passed, now : which, how, and when (seconds).
        draw : where in the spread the next interval is, 0 to 1.

        Raises
        ------
        UnknownBackend : no server has this id; ConfigError : it is not checked, or an argument is invalid.
        """
        record = self._record(id)
        check_bool("passed", passed)
        if record.health is None:
            raise ConfigError("id", id, "is a server without checks")
        record.health.interval(self.spread_checks, draw)
        self.advance(now)
        (record.health.passed if passed else record.health.failed)()
        record.due = self._now() + record.health.interval(self.spread_checks, draw)
        self._update()

    def told(self, id: str, line: str, now: float) -> None:
        """A server's agent has sent a line.

        Raises
        ------
        UnknownBackend : no server has this id; ConfigError : an argument is invalid.
        """
        record = self._record(id)
        self.advance(now)
        record.agent.reply(line)
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """A request has ended; CANCELLED says nothing.

        Raises
        ------
        ConfigError : an argument is invalid.
        """
        slot = check_slot(slot, len(self._column))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)
        record = list(self._roster.members.values())[slot]
        if record.health is None or outcome is Outcome.CANCELLED:
            return
        errors = LAYER4 if record.health.check.observe is Observe.LAYER4 else LAYER7
        record.health.seen(outcome in errors)
        if record.health.hurried and record.due is not None:
            record.due = min(record.due, self._now() + record.health.interval())
        self._update()

    def agent(self, id: str) -> Agent:
        """What a server's agent has said.

        Raises
        ------
        UnknownBackend : no server has this id.
        """
        return self._record(id).agent

    def status(self, id: str) -> str:
        """A server's health as the statistics show it.

        Raises
        ------
        UnknownBackend : no server has this id.
        """
        record = self._record(id)
        if record.agent.status == "no check" and record.health is not None:
            return record.health.status
        return record.agent.status

    def next_check(self, id: str) -> float | None:
        """When a server's next check is due, in seconds; None if it is not checked.

        Raises
        ------
        UnknownBackend : no server has this id.
        """
        return self._record(id).due

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """What other signals say changes no check."""

    def advance(self, now: float) -> None:
        """It is `now` (seconds); time alone changes no state."""
        now = check_instant("now", now)
        if self._timeline is not None:
            self._roster.forget(self._timeline.see(now) - nanoseconds(self.forget_after))

    def apply(self, factors: F64, states: U8) -> None:
        """Writes factor 1, and raises every server's state to its own."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data."""
        now, latest = self._now(), self._timeline.latest if self._timeline else 0
        return {
            "type": "HealthChecks",
            "synced": self._timeline is not None,
            "members": {id: _dump(record, now) for id, record in self._roster.members.items()},
            "away": {id: [latest - left, _dump(record, now)] for id, (left, record) in self._roster.away.items()},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot whose last instant is `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of `HealthChecks` with these checks; nothing has been changed.
        """
        now = check_instant("now", now)
        check_snapshot(state, "HealthChecks")
        roster: Roster[_Record] = Roster()
        try:
            check_ids([*state["members"], *state["away"]])
            for id, known in state["members"].items():
                roster.members[id] = self._load(id, known, now)
            for id, (left, known) in state["away"].items():
                age = check_age(f"state['away'][{id!r}]", left, low=0)
                roster.away[id] = -age, self._load(id, known, now)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("state", state, "must be a snapshot of these HealthChecks") from None
        self._timeline = Timeline(now) if state["synced"] else None
        self._roster = roster
        self._update()

    def _load(self, id: str, known: Any, now: float) -> _Record:
        record = _Record(self._check_of(id), self._agent_of(id), now)
        if (known["health"] is None) != (record.health is None):
            raise ConfigError(
                f"state[{id!r}]", known["health"], "must be there if the server is checked, and only then"
            )
        if record.health is not None:
            record.health.restore(known["health"])
            record.due = now + float(known["due"])
        up, drain, maint, weight, maxconn = known["agent"]
        agent = record.agent
        agent.up, agent.drain, agent.maint = (check_bool("agent", flag) for flag in (up, drain, maint))
        agent.weight = check_integer("agent.weight", weight, low=0, high=256)
        agent.maxconn = check_integer("agent.maxconn", maxconn, low=0)
        return record

    def _now(self) -> float:
        return self._timeline.now if self._timeline else 0.0

    def _record(self, id: str) -> _Record:
        if id not in self._roster.members:
            raise UnknownBackend(id)
        return self._roster.members[id]

    def _update(self) -> None:
        column = np.array([record.state() for record in self._roster.members.values()], dtype=np.uint8)
        self.version += not np.array_equal(column, self._column)
        self._column = column


def _dump(record: _Record, now: float) -> dict[str, Any]:
    agent = record.agent
    return {
        "health": None if record.health is None else record.health.snapshot(),
        "due": None if record.due is None else record.due - now,
        "agent": [agent.up, agent.drain, agent.maint, agent.weight, agent.maxconn],
    }
