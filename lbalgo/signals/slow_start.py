"""Slow start: a backend that joins, or comes back to health, gets its share in steps rather than at once.

Caches are cold, connections unopened, code not yet compiled: a new backend that takes its full share in the first
second may fail and never warm up. Its weight is multiplied by a factor that rises from `floor` to 1 during `window`:

    factor(t) = max((t / window) ** (1 / aggression), floor)

Aggression 1 is a straight line, above 1 it rises early, below 1 late. A factor that moved with every request would
make every request rebuild, so the ramp is sampled at `steps` instants and held between them: each backend that warms
moves the version at most `steps` times.

Costs: O(1) per join, O(N) per step; memory O(N).
Source: Envoy, "Slow start mode" (slow_start_config: slow_start_window, aggression, min_weight_percent).
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.events import Event, Warmed, Warming
from lbalgo.signals.roster import Roster, check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_age, check_duration, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum, check_integer, check_real, to_dict
from lbalgo.types import F64, U8, Outcome, State

AGGRESSION = 1.0  # Envoy's default: linear
FLOOR = 0.1  # Envoy's min_weight_percent default, 10 %
STEPS = 10  # ours: each step of a linear ramp is a tenth of the backend's share
FORGET_AFTER = 300.0  # seconds; the Balancer's default
BIRTH = 0.001  # seconds; Envoy counts no backend younger than a millisecond
EXACT = decimal.Context(prec=40, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])


@dataclass(frozen=True)
class Ramp:
    """The parameters of a `SlowStart`, and the factors they mean; as `SlowStart` describes them.

    Examples
    --------
    >>> Ramp(window=30, steps=4).factors()
    (0.1, 0.25, 0.5, 0.75)
    """

    window: float
    aggression: float = AGGRESSION
    floor: float = FLOOR
    steps: int = STEPS

    def __post_init__(self) -> None:
        check_duration("window", self.window)
        check_real("aggression", self.aggression, low=0.0, open_low=True)
        check_real("floor", self.floor, low=0.0, high=1.0, open_low=True)
        check_integer("steps", self.steps, low=1, high=10_000)

    def factors(self) -> tuple[float, ...]:
        """The factor held during each step: the ramp at the step's first instant, at least 1 ms in.

        Powers are taken in decimal arithmetic, so that every machine has the same bits.
        """
        window, power = Decimal(float(self.window)), EXACT.divide(Decimal(1), Decimal(float(self.aggression)))
        born = EXACT.divide(Decimal(BIRTH), window)
        ages = [max(EXACT.divide(Decimal(step), Decimal(self.steps)), born) for step in range(self.steps)]
        ramp = [float(age if power == 1 else EXACT.power(age, power)) for age in ages]
        return tuple(min(max(value, float(self.floor)), 1.0) for value in ramp)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class SlowStart:
    """A signal that lets backends warm up: full weight only `window` seconds after they joined or became healthy.

    Parameters
    ----------
    window : seconds from the first request to the full share.
    aggression : shape of the ramp, > 0: 1 linear, above it rises early, below it rises late.
    floor : least factor, in (0, 1].
    steps : number of steps of the ramp, 1 to 10000.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Slow start begins when a backend joins and when its merged state returns to HEALTHY. The backends of the first sync
    are warm. One that left and comes back within `forget_after` seconds goes on where it was.

    Costs: sync O(N), a step O(N), apply O(N); it observes no outcomes.
    Source: Envoy, "Slow start mode".

    Examples
    --------
    >>> import numpy as np
    >>> signal = SlowStart(window=30, steps=4)
    >>> signal.sync(["a"], 0.0)
    >>> signal.sync(["a", "b"], 60.0)
    >>> signal.advance(75.0)
    >>> factors, states = np.ones(2), np.zeros(2, np.uint8)
    >>> signal.apply(factors, states)
    >>> factors.tolist(), signal.deadline
    ([1.0, 0.5], 82.5)
    """

    observes = False
    evidence = None

    def __init__(self, window: float, aggression: float = AGGRESSION, floor: float = FLOOR, steps: int = STEPS) -> None:
        self.spec = Ramp(window, aggression, floor, steps)
        self.version = 0
        self.deadline: float | None = None
        self.forget_after = FORGET_AFTER
        self._factors = self.spec.factors()
        self._window = nanoseconds(window)
        self._timeline: Timeline | None = None
        self._roster: Roster[_Warming] = Roster()
        self._column = np.ones(0)
        self._announced: dict[str, int] = {}  # since when each member warms, as the last event said
        self._events: list[Event] = []

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order; who is new to it starts slowly, unless the pool itself is new.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        first = self._timeline is None
        line = self._timeline = self._timeline or Timeline(now)
        self._roster.forget(line.see(now) - nanoseconds(self.forget_after))
        self._roster.sync(members, line.latest, lambda _: _Warming(None if first else line.latest))
        self._roster.forget(line.latest - nanoseconds(self.forget_after))
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Outcomes say nothing about warmth; only time passes."""
        check_slot(slot, len(self._column))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a backend moved: a return to HEALTHY is a new start.

        Raises
        ------
        ConfigError : the slot, a state or `now` (seconds) is invalid.
        """
        slot = check_slot(slot, len(self._column))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)
        if self._timeline and new is State.HEALTHY and old is not State.HEALTHY:
            list(self._roster.members.values())[slot].since = self._timeline.latest
            self._update()

    def advance(self, now: float) -> None:
        """Let time pass up to `now` (seconds); an earlier instant than the latest changes nothing."""
        now = check_instant("now", now)
        if self._timeline is not None and now > self._timeline.now:
            self._roster.forget(self._timeline.see(now) - nanoseconds(self.forget_after))
            self._update()

    def apply(self, factors: F64, states: U8) -> None:
        """Write every backend's factor, 1 when warm; states stay as they are."""
        factors[:] = self._column

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._timeline.latest if self._timeline else 0
        return {
            "type": "SlowStart",
            "synced": self._timeline is not None,
            "members": {id: warming.age(latest) for id, warming in self._roster.members.items()},
            "away": {id: [latest - left, warming.age(latest)] for id, (left, warming) in self._roster.away.items()},
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of a `SlowStart`, or `now` is invalid; nothing has been changed.
        """
        now = check_instant("now", now)
        if not isinstance(state, Mapping) or set(state) != {"type", "synced", "members", "away"}:
            raise ConfigError("state", state, "must be a snapshot of a SlowStart")
        if state["type"] != "SlowStart":
            raise ConfigError("state['type']", state["type"], "must be 'SlowStart'")
        check_bool("state['synced']", state["synced"])
        roster: Roster[_Warming] = Roster()
        try:
            check_ids([*state["members"], *state["away"]])
            for id, age in state["members"].items():
                roster.members[id] = _Warming.aged(id, age)
            for id, (left, age) in state["away"].items():
                roster.away[id] = (-check_age(f"state['away'][{id!r}]", left, low=0), _Warming.aged(id, age))
        except (AttributeError, TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError("state", state, "must be a snapshot of a SlowStart") from None
        self._timeline = Timeline(now) if state["synced"] else None
        self._roster = roster
        self._announced = self._begun()
        self._update()

    def _update(self) -> None:
        """Bring column, version and deadline up to the latest instant."""
        latest = self._timeline.latest if self._timeline else 0
        column, due = np.ones(len(self._roster.members)), []
        steps, window = self.spec.steps, self._window
        for slot, warming in enumerate(self._roster.members.values()):
            if warming.since is not None:
                step = (latest - warming.since) * steps // window
                if step < steps:
                    column[slot] = self._factors[step]
                    due.append(warming.since - (-(step + 1) * window // steps))
                else:
                    warming.since = None
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self.deadline = self._timeline.at(min(due)) if self._timeline and due else None
        if self._timeline:
            self._announce(self._timeline)

    def _announce(self, line: Timeline) -> None:
        """The events that lead from what was said to what is; who has left is passed over in silence."""
        begun = self._begun()
        for id, since in self._announced.items():
            if id in self._roster.members and id not in begun:
                self._events.append(Warmed(line.at(since + self._window), id))
        for id, since in begun.items():
            if self._announced.get(id) != since:
                self._events.append(Warming(line.now, id, line.at(since + self._window)))
        self._announced = begun

    def _begun(self) -> dict[str, int]:
        return {id: warming.since for id, warming in self._roster.members.items() if warming.since is not None}

    def __repr__(self) -> str:
        return repr(self.spec).replace("Ramp", "SlowStart", 1)


class _Warming:
    """When a backend's warm-up began, in nanoseconds; None once it is warm."""

    __slots__ = ("since",)

    def __init__(self, since: int | None) -> None:
        self.since = since

    def age(self, latest: int) -> int | None:
        return None if self.since is None else latest - self.since

    @classmethod
    def aged(cls, id: str, age: object) -> _Warming:
        return cls(None if age is None else -check_age(f"state[{id!r}]", age, low=0))
