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

    With a ring `before` of no two points at one position, its points are here too: those of its slot i are of slot
    places[i]. A point goes if its owner is said to be ~i; all points of a slot must if it has no place, but -1.
    """

    __slots__ = ("_at", "_owner", "members", "nearest", "size", "ties")

    _at: list[int]
    _owner: list[int]
    size: int
    ties: bool

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
        stay: dict[int, int] = {}
        moved: list[int] = []
        where: list[int] = []
        whose: list[int] = []
        if before is not None:
            moved = column("places", places, -1, slots - 1, np.int32).tolist()
            if len(moved) != before.slots:
                raise ConfigError("places", places, f"must be one for each of {before.slots} slots")
            if before.ties:
                raise ConfigError("before", before, "must have no two points at one position")
            stay = dict(zip(before._at, before._owner, strict=True))
        if before is None or len(points) or len(owners):
            where = words("points", points).tolist()
            whose = column("owners", owners, -len(moved), slots - 1, np.int32).tolist()
            if len(where) + len(stay) >= 1 << 31:
                raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
            if len(whose) != len(where):
                raise ConfigError("owners", owners, "must be as many as there are points")
        for point, owner in zip(where, whose, strict=True):
            if owner < 0 and stay.pop(point, None) != ~owner:
                raise ConfigError("points", points, "must be their owners' where they go")
        if any(moved[owner] < 0 for owner in stay.values()):
            raise ConfigError("places", places, "must be some where points stay")
        come = [k for k in range(len(where)) if whose[k] >= 0]
        where, whose = (
            [*stay, *(where[k] for k in come)],
            [*map(moved.__getitem__, stay.values()), *(whose[k] for k in come)],
        )
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
) -> tuple[I32, list[int], list[float], list[float]]:
    """The slot now of each id before, -1 if it has gone; and whose weights differ, the lesser and the greater weight.

    Who weighs more is named by its slot, who weighs less or has gone by ~slot, its slot before.
    """
    for name, given, whose in (("weights", weights, ids), ("weights_now", weights_now, ids_now)):
        if len(array(name, given, np.float64)) != len(whose):
            raise ConfigError(name, given, "must be one for each id")
    had = dict(zip(ids, weights.tolist(), strict=True))
    now = dict(zip(ids_now, weights_now.tolist(), strict=True))
    slots = {name: slot for slot, name in enumerate(ids_now)}
    less = [(~slot, now.get(name, 0.0), w) for slot, (name, w) in enumerate(had.items()) if w > now.get(name, 0.0)]
    more = [(slots[name], had.get(name, 0.0), w) for name, w in now.items() if w > had.get(name, 0.0)]
    changes = less + more
    places = np.array([slots.get(name, -1) for name in ids], dtype=np.int32)
    return places, [slot for slot, _, _ in changes], [low for _, low, _ in changes], [high for _, _, high in changes]
