"""Plain twin of `lbalgo.kernels.period`: one smooth period, and reading it by number."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np

from lbalgo.columns import column, count
from lbalgo.errors import ConfigError
from lbalgo.reference.structure import Structure


def smooth_period(weights: Sequence[int]) -> list[int]:
    """One period of smooth weighted round robin over integer weights > 0: each index, weights[index] times.

    Every turn each backend gains its weight; the greatest (the first of several) is served and pays the total. Equal
    weights take turns among themselves in listing order, so one current value a class of equal weights is enough.
    """
    given: list[int] = column("weights", weights, 1, 2**31 - 1, np.int64).tolist()
    if sum(given) >= 2**31:
        raise ConfigError("weights", weights, "must sum to less than 2**31")
    members: dict[int, list[int]] = {}
    for i, w in enumerate(given):
        members.setdefault(w, []).append(i)
    gains, classes = list(members.keys()), list(members.values())
    total = sum(g * len(c) for g, c in members.items())
    value, head = [0] * len(classes), [0] * len(classes)
    period = []
    for _ in range(total):
        value = [v + g for v, g in zip(value, gains, strict=True)]
        best = max(range(len(classes)), key=lambda d: (value[d], -classes[d][head[d]]))
        period.append(classes[best][head[best]])
        head[best] += 1
        if head[best] == len(classes[best]):
            head[best] = 0
            value[best] -= total
    return period


class Period(Structure):
    """A sequence that repeats: number mod size is a position, the position's owner is the slot."""

    __slots__ = ("_owners", "_places", "size")

    def __init__(self, sequence: Sequence[int], slots: int) -> None:
        slots = count("slots", slots)
        self._owners: list[int] = column("sequence", sequence, 0, slots - 1, np.int32).tolist()
        self.size = len(self._owners)
        self.slots = slots
        self._places: dict[int, list[int]] = {}
        for place, owner in enumerate(self._owners):
            self._places.setdefault(owner, []).append(place)

    def lookup(self, ticket: int) -> int:
        """The owner of position ticket mod size."""
        return self._owners[ticket % self.size]

    def owner(self, ticket: int) -> int:
        """`lookup`; the compiled twin saves a call here."""
        return self.lookup(ticket)

    def table(self) -> list[int]:
        """The owners by position."""
        return list(self._owners)

    def _walk(self, ticket: int) -> Iterator[int]:
        """The owners of the next positions."""
        begin = ticket % self.size

        def after(slot: int) -> int:
            places = self._places[slot]
            return (places[bisect_left(places, begin) % len(places)] - begin) % self.size

        yield from sorted(self._places, key=after)
