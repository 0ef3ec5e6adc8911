"""The life of a backend, from joining to removal, told from a balancer's events.

Signals know one thing each: how probes went, who is ejected, who warms up, who drains. `Lifecycle` puts what they said
into one word a backend, its *stage*, with the instant since when, the event that made it so, and the moves that are
possible from here. It only listens; nothing is decided by it, and it can follow a live balancer or a recorded log.

An event changes what is known of a backend: its merged state, whether it is ejected, whether it warms up, whether
leases are open. What is known has one foremost *cause*, the first of these that holds: drained, draining, ejected,
unhealthy, degraded, warming, none. When the cause changes, `TRANSITIONS` (in `lbalgo.stages`) says where
that leads. A move that is not in the table is an error: events are missing, or come from two balancers.

Three things no event can say. A stage is as of the latest event: what is due by time is found by `Balancer.advance` or
the next request. Open leases are no events: `count` is told them. And panic is the pool's, not a backend's: in it a
backend gets traffic though its stage says otherwise, as it gets none at weight 0.

Costs: O(1) an event, O(members and leavers) for a change of members and for `count`; memory O(members and leavers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lbalgo.errors import ConfigError, LBError, UnknownBackend
from lbalgo.events import Ejected, Event, MembersChanged, Readmitted, StateChanged, Warmed, Warming
from lbalgo.spec import check_integer, check_real, check_time
from lbalgo.stages import TRANSITIONS, Cause, Stage
from lbalgo.types import State

FORGET_AFTER = 300.0  # seconds; the Balancer's default


class UndeclaredTransition(LBError):
    """The events say of a backend what cannot happen to it where it is.

    Parameters
    ----------
    id : the backend.
    stage : where it is.
    cause : what has no move from there.

    Examples
    --------
    >>> raise UndeclaredTransition("a", Stage.REMOVED, Cause.OUTLIER)
    Traceback (most recent call last):
    lbalgo.lifecycle.UndeclaredTransition: 'a' is removed: outlier is no way from there
    """

    def __init__(self, id: str, stage: Stage, cause: Cause) -> None:
        super().__init__(id, stage, cause)
        self.id, self.stage, self.cause = id, stage, cause

    def __str__(self) -> str:
        return f"{self.id!r} is {self.stage.value}: {self.cause.value} is no way from there"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a backend is, since when, and why.

    Attributes
    ----------
    id, stage : the backend, and where in its life it is.
    since : when it came there, seconds.
    before : where it was before; REMOVED for the first time in the pool.
    cause : what moved it.
    event : the event that said so; None if it was the count of open leases.
    """

    id: str
    stage: Stage
    since: float
    before: Stage
    cause: Cause
    event: Event | None

    @property
    def next(self) -> dict[Cause, Stage]:
        """The moves that are possible from here."""
        return {cause: to for (at, cause), to in TRANSITIONS.items() if at is self.stage}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the events have said of a member."""

    state: State = State.HEALTHY
    ejected: bool = False
    warming: bool = False
    empty: bool = False

    def cause(self) -> Cause:
        """The foremost."""
        if self.state is State.DRAINING:
            return Cause.EMPTY if self.empty else Cause.DRAIN
        if self.ejected:
            return Cause.OUTLIER
        if self.state is State.UNHEALTHY:
            return Cause.FAILING
        if self.state is State.DEGRADED:
            return Cause.DEGRADED
        return Cause.COLD if self.warming else Cause.WELL


class Lifecycle:
    """Follows the events of one balancer and knows of each backend where in its life it is.

    Parameters
    ----------
    forget_after : seconds for which a removed backend is still known.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Give it to the balancer as `on_event` from the beginning, or call it from there; calls must not overlap, as the
    balancer's do not. Called with an event, or told open leases by `count`, it gives the places that somebody has
    come to by it, in order. Reading is `[id]`, `in` and `places()`.

    Costs: O(1) an event, O(N) a change of members.

    Examples
    --------
    >>> from lbalgo import Balancer, RoundRobin, SlowStart
    >>> from lbalgo.testing import FakeClock
    >>> clock, life = FakeClock(), Lifecycle()
    >>> balancer = Balancer(RoundRobin(), ["a"], signals=[SlowStart(30)], clock=clock, seed=0, on_event=life)
    >>> balancer.update(["a", "b"])
    >>> life["a"].stage, life["b"].stage
    (<Stage.HEALTHY: 'healthy'>, <Stage.WARMING: 'warming'>)
    >>> _ = clock.advance(30.0), balancer.advance()
    >>> life["b"].stage, life["b"].since
    (<Stage.HEALTHY: 'healthy'>, 30.0)
    """

    def __init__(self, forget_after: float = FORGET_AFTER) -> None:
        self.forget_after = check_real("forget_after", forget_after, low=0.0)
        self._known: dict[str, _Known] = {}  # of the members
        self._places: dict[str, Place] = {}

    def __call__(self, event: Event) -> tuple[Place, ...]:
        """Take note of what happened; where it has led.

        Raises
        ------
        UndeclaredTransition : this cannot have happened; nothing has been changed.
        """
        if isinstance(event, MembersChanged):
            return self._members(event)
        if isinstance(event, StateChanged):
            facts: dict[str, Any] = {"state": event.new, "empty": False}
            if event.new < State.UNHEALTHY:  # a restored balancer does not say that it readmits
                facts["ejected"] = False
            return self._learn(event.id, event.now, event, **facts)
        if isinstance(event, Ejected):
            return self._learn(event.id, event.now, event, ejected=True)
        if isinstance(event, Warming):
            return self._learn(event.id, event.now, event, warming=True)
        if isinstance(event, Warmed):
            return self._learn(event.id, event.now, event, warming=False)
        if isinstance(event, Readmitted) and event.id in self._known:  # else it has left, ejected
            return self._learn(event.id, event.now, event, ejected=False)
        return ()

    def count(self, in_flight: Mapping[str, int], now: float) -> tuple[Place, ...]:
        """Take note of how many leases are open at `now` (seconds), as `Stats.in_flight` has it; where it has led.

        Only those who drain are looked up; who is not in the mapping has none.

        Raises
        ------
        ConfigError : a count is no integer >= 0, or `now` is no time; nothing has been changed.
        """
        if not isinstance(in_flight, Mapping):
            raise ConfigError("in_flight", in_flight, "must map ids to counts")
        now = check_time("now", now)
        draining = [id for id, known in self._known.items() if known.state is State.DRAINING]
        empty = {id: not check_integer(f"in_flight[{id!r}]", in_flight.get(id, 0), low=0) for id in draining}
        return tuple(s for id in draining for s in self._learn(id, now, None, empty=empty[id]))

    def __getitem__(self, id: str) -> Place:
        """Where a backend is; UnknownBackend if it never was here, or has been forgotten."""
        if id not in self._places:
            raise UnknownBackend(id)
        return self._places[id]

    def __contains__(self, id: object) -> bool:
        return id in self._places

    def places(self) -> dict[str, Place]:
        """Where everybody is, by id, those removed lately included."""
        return dict(self._places)

    def _members(self, event: MembersChanged) -> tuple[Place, ...]:
        for id in event.joined:
            if id in self._known:
                raise UndeclaredTransition(id, self._places[id].stage, Cause.JOINED)
        for id in event.left:
            if id not in self._known:
                raise UndeclaredTransition(id, Stage.REMOVED, Cause.LEFT)
        moves, held, cold = [], set(event.held), set(event.cold)
        for id in event.joined:
            state = State.UNHEALTHY if id in held else State.HEALTHY  # held, until it is said by what
            known = self._known[id] = _Known(state, warming=id in cold)
            moves.append(self._move(id, Cause.JOINED, event.now, event))
            if state is State.HEALTHY:
                moves.append(self._move(id, known.cause(), event.now, event))
        for id in event.left:
            moves.append(self._move(id, Cause.LEFT, event.now, event))
            del self._known[id]
        gone = [s for s in self._places.values() if s.stage is Stage.REMOVED]
        for place in gone:
            if event.now - place.since > self.forget_after:
                del self._places[place.id]
        return tuple(moves)

    def _learn(self, id: str, now: float, event: Event | None, **facts: Any) -> tuple[Place, ...]:
        """One more fact of a member, which moves it if its foremost cause is another now."""
        known = self._known.get(id)
        learnt = replace(known or _Known(), **facts)
        if known is None:
            raise UndeclaredTransition(id, Stage.REMOVED, learnt.cause())
        moved = learnt.cause() is not known.cause()
        place = (self._move(id, learnt.cause(), now, event),) if moved else ()
        self._known[id] = learnt
        return place

    def _move(self, id: str, cause: Cause, now: float, event: Event | None) -> Place:
        """Every move."""
        before = self._places[id].stage if id in self._places else Stage.REMOVED
        if (before, cause) not in TRANSITIONS:
            raise UndeclaredTransition(id, before, cause)
        place = self._places[id] = Place(id, TRANSITIONS[before, cause], now, before, cause, event)
        return place

    def __repr__(self) -> str:
        return f"Lifecycle(forget_after={self.forget_after!r})"
