"""Plain twin of `lbalgo.kernels.ring`: points on the circle of 2**64 positions, and who is met from a ticket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo.columns import array, column, count, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD
from lbalgo.reference.structure import Structure
from lbalgo.types import F64, I32


class Ring(Structure):
    """A ring of points; the ticket's successor, or its nearest point, names the slot.

    With a ring `before`, its points are here too: those of its slot i are of slot places[i], or gone where that is -1.
    """

    __slots__ = ("_at", "_owner", "members", "nearest", "size", "ties")

    _at: list[int]
    _owner: list[int]
    size: int

    def __init__(
        self,
        points: Any,
        owners: Any,
        slots: int,
        nearest: bool = False,
        before: Ring | None = None,
        places: Any = None,
    ) -> None:
        slots = count("slots", slots)
        where: list[int] = []
        whose: list[int] = []
        if before is not None:
            moved: list[int] = column("places", places, -1, slots - 1, np.int32).tolist()
            if len(moved) != before.slots:
                raise ConfigError("places", places, f"must be one for each of {before.slots} slots")
            kept = [k for k in range(before.size) if moved[before._owner[k]] >= 0]
            where, whose = [before._at[k] for k in kept], [moved[before._owner[k]] for k in kept]
        if before is None or len(points) or len(owners):
            more: list[int] = words("points", points).tolist()
            their: list[int] = column("owners", owners, 0, slots - 1, np.int32).tolist()
            if len(more) + (0 if before is None else before.size) >= 1 << 31:
                raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
            if len(their) != len(more):
                raise ConfigError("owners", owners, "must be as many as there are points")
            where, whose = where + more, whose + their
        if not where:
            raise ConfigError("places", places, "must leave the ring a point")
        order = sorted(range(len(where)), key=where.__getitem__)
        self._at = [where[k] for k in order]
        self._owner = [whose[k] for k in order]
        self.size, self.slots, self.nearest, self.members = len(where), slots, nearest, len(set(whose))
        self.ties = len(set(where)) < len(where)

    def _ahead(self, ticket: int, i: int) -> int:
        return (self._at[i] - ticket) & WORD

    def _behind(self, ticket: int, j: int) -> int:
        """One less than the distance back: a point at the ticket itself lies ahead, and behind a whole turn away."""
        return (ticket - self._at[j] - 1) & WORD

    def lookup(self, ticket: int) -> int:
        """The owner of the successor, or of the nearest point, the one behind if both are as near."""
        i = bisect_left(self._at, ticket) % self.size
        if self.nearest and self._behind(ticket, i - 1) < self._ahead(ticket, i):
            return self._owner[i - 1]
        return self._owner[i]

    def points(self) -> list[int]:
        """The points in order."""
        return list(self._at)

    def owners(self) -> list[int]:
        """The owners of the points in order."""
        return list(self._owner)

    def _walk(self, ticket: int) -> Iterator[int]:
        """Each owner once: clockwise from the ticket, or, on a nearest ring, outward on both sides by distance."""
        i = bisect_left(self._at, ticket) % self.size
        j = (i - 1) % self.size
        seen: set[int] = set()
        for _ in range(self.size):
            if self.nearest and self._behind(ticket, j) < self._ahead(ticket, i):
                slot = self._owner[j]
                j = (j - 1) % self.size
            else:
                slot = self._owner[i]
                i = (i + 1) % self.size
            if slot not in seen:
                seen.add(slot)
                yield slot
                if len(seen) == self.members:
                    return


def moves(
    ids: tuple[str, ...], weights: F64, ids_now: tuple[str, ...], weights_now: F64
) -> tuple[I32, list[int], list[float]]:
    """The slot now of each id before, -1 if it has gone or weighs less; and slots that weigh more, and weighed."""
    for name, given, whose in (("weights", weights, ids), ("weights_now", weights_now, ids_now)):
        if len(array(name, given, np.float64)) != len(whose):
            raise ConfigError(name, given, "must be one for each id")
    now = {name: (slot, w) for slot, (name, w) in enumerate(zip(ids_now, weights_now.tolist(), strict=True))}
    kept = {name: w for name, w in zip(ids, weights.tolist(), strict=True) if name in now and w <= now[name][1]}
    places = [now[name][0] if name in kept else -1 for name in ids]
    more = {slot: kept.get(name, 0.0) for name, (slot, w) in now.items() if w > kept.get(name, 0.0)}
    return np.array(places, dtype=np.int32), list(more), list(more.values())
