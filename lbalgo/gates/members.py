"""Who may keep what a gate remembers: the members of the picker of the moment, by id, and how each stands.

A picker with a view says more than a picker without: states, weights, loads. Of one without, its `walk` says who is
eligible, and that is all there is. The answer for one picker is made once, O(N), and kept as long as it is asked for.

Which members keep what they have is a table. Eligible is eligible, in panic too. A DEGRADED backend, and one that
DRAINING or weight 0 spares from new traffic, keeps it if the gate was made so; UNHEALTHY ones never do.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.types import State


class Standing(enum.Enum):
    """How a remembered backend stands with the pool of the moment."""

    ELIGIBLE = "eligible"
    DEGRADED = "degraded"
    DRAINING = "draining"  # on its way out, or of weight 0: no new traffic
    UNHEALTHY = "unhealthy"
    GONE = "gone"


STANDINGS: dict[State, Standing] = {  # of members that are not eligible; a HEALTHY one then has weight 0
    State.HEALTHY: Standing.DRAINING,
    State.DEGRADED: Standing.DEGRADED,
    State.UNHEALTHY: Standing.UNHEALTHY,
    State.DRAINING: Standing.DRAINING,
}


class Members:
    """The members of one picker.

    Parameters
    ----------
    picker : any picker; one with a `view` says how each stands.

    Attributes
    ----------
    slots : id to slot.
    standings : of each slot.

    Cost: O(N) once for each picker.

    Examples
    --------
    >>> import lbalgo as lb
    >>> members = Members(lb.Maglev(7).build(lb.View.of(["a", "b"], states={"b": State.DRAINING})))
    >>> members.of("a"), members.of("b"), members.of("z")
    (<Standing.ELIGIBLE: 'eligible'>, <Standing.DRAINING: 'draining'>, <Standing.GONE: 'gone'>)
    """

    __slots__ = ("_shares", "backends", "picker", "slots", "standings")

    def __init__(self, picker: Any) -> None:
        self.picker = picker
        self._shares: tuple[list[bool], list[float], float] | None = None
        self.backends: tuple[Any, ...] = tuple(picker.backends)
        self.slots: dict[str, int] = {backend.id: slot for slot, backend in enumerate(self.backends)}
        view = getattr(picker, "view", None)
        if view is None or tuple(view.ids) != tuple(self.slots):
            able = {backend.id for backend in picker.walk()}
            self.standings = [Standing.ELIGIBLE if id in able else Standing.UNHEALTHY for id in self.slots]
        else:
            self.standings = [
                Standing.ELIGIBLE if able else STANDINGS[State(state)]
                for able, state in zip(view.eligible.tolist(), view.states.tolist(), strict=True)
            ]

    def shares(self) -> tuple[list[bool], list[float], float]:
        """Of each slot whether it is eligible and its part of the weight, and the whole; made when first asked."""
        if self._shares is None:
            view = getattr(self.picker, "view", None)
            given = [b.weight for b in self.backends] if view is None else (view.weights * view.factors).tolist()
            able = [standing is Standing.ELIGIBLE for standing in self.standings]
            weights = [weight if ok else 0.0 for weight, ok in zip(given, able, strict=True)]
            self._shares = able, weights, math.fsum(weights)
        return self._shares

    def of(self, id: str) -> Standing:
        """How the backend of this id stands."""
        slot = self.slots.get(id)
        return Standing.GONE if slot is None else self.standings[slot]


def members_of(picker: Any, known: Members | None) -> Members:
    """The members of this picker: those known, if they are its."""
    return known if known is not None and known.picker is picker else Members(picker)


def never(slot: int) -> bool:
    """Nobody is full."""
    return False


def fullness(picker: Any, members: Members, loads: Sequence[float] | None, factor: float) -> Callable[[int], bool]:
    """Which slots have no room: an eligible one is full at ceil(factor * (total + 1) * its share of the weight).

    Parameters
    ----------
    picker : its load is taken where `loads` is None.
    members : the picker's.
    loads : of each slot, >= 0.
    factor : >= 1, so that not all can be full.

    Raises
    ------
    ConfigError : there are no loads, or not one number for each slot.

    Cost: O(N). Source: the caps of bounded loads (Mirrokni, Thorup, Zadimoghaddam, SODA 2018), as in `BoundedLoad`.
    """
    if loads is None:
        load, rows = getattr(picker, "load", None), getattr(picker, "rows", None)
        if load is None or rows is None:
            raise ConfigError("loads", None, "must be given: this picker has no load")
        loads = [load.at(row) for row in rows.tolist()]
    able, weights, whole = members.shares()
    try:
        counts = list(map(float, loads))
        total = math.fsum(compress(counts, able))
        valid = len(counts) == len(able) and min(counts, default=0.0) >= 0.0 and not any(map(math.isnan, counts))
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ConfigError("loads", loads, f"must be one number >= 0 for each of {len(members.backends)} backends")

    def full(slot: int) -> bool:  # whoever takes no new traffic is not bounded: it empties by itself
        return able[slot] and counts[slot] >= math.ceil(factor * (total + 1) * weights[slot] / whole)

    return full
