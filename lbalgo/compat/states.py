"""States that a configuration gives: the one signal that never changes its mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.signals.roster import check_ids, check_slot
from lbalgo.signals.timeline import check_instant
from lbalgo.spec import check_enum, check_id
from lbalgo.types import F64, U8, Outcome, State


class FixedStates:
    """A signal that says of some backends what a configuration says: this one is unhealthy, that one drains.

    Parameters
    ----------
    states : id to `State`; backends that are not named are HEALTHY.

    Raises
    ------
    ConfigError : an id or a state is invalid.

    Costs: sync and apply O(N); it observes nothing.
    Source: the `health_status` of an Envoy endpoint, the `disabled` of an HAProxy server.

    Examples
    --------
    >>> from lbalgo import Balancer, RoundRobin
    >>> fixed = FixedStates({"b": State.UNHEALTHY})
    >>> Balancer(RoundRobin(), ["a", "b", "c"], signals=[fixed]).view.eligible.tolist()
    [True, False, True]
    """

    observes = False

    def __init__(self, states: Mapping[str, State]) -> None:
        if not isinstance(states, Mapping):
            raise ConfigError("states", states, "must be a mapping from id to State")
        self.given = {check_id(id): check_enum(f"states[{id!r}]", s, State) for id, s in states.items()}
        self.version = 0
        self.deadline: float | None = None
        self._column = np.zeros(0, np.uint8)

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, _ = check_ids(ids), check_instant("now", now)
        column = np.array([self.given.get(id, State.HEALTHY) for id in members], dtype=np.uint8)
        self.version += not np.array_equal(column, self._column)
        self._column = column

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Outcomes change nothing."""
        check_slot(slot, len(self._column))
        check_enum("outcome", outcome, Outcome)
        check_instant("now", now)

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """What others say changes nothing."""
        check_slot(slot, len(self._column))
        check_enum("old", old, State)
        check_enum("new", new, State)
        check_instant("now", now)

    def advance(self, now: float) -> None:
        """Time changes nothing."""
        check_instant("now", now)

    def apply(self, factors: F64, states: U8) -> None:
        """Worsen each state to the one given."""
        np.maximum(states, self._column, out=states)

    def snapshot(self) -> dict[str, Any]:
        """The type alone: the states are the configuration's."""
        return {"type": "FixedStates"}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Nothing to restore.

        Raises
        ------
        ConfigError : the state is none of a `FixedStates`, or `now` is invalid.
        """
        check_instant("now", now)
        if state != {"type": "FixedStates"}:
            raise ConfigError("state", state, "must be a snapshot of a FixedStates")

    def __repr__(self) -> str:
        shown = ", ".join(f"{id!r}: State.{state.name}" for id, state in self.given.items())
        return f"FixedStates({{{shown}}})"
