"""Plain twin of `lbalgo.kernels.probed_ring`: a ring that a ticket asks at several places at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import GAMMA, WORD, mix64
from lbalgo.reference.ring import Ring
from lbalgo.reference.structure import Structure


class ProbedRing(Structure):
    """A ring asked at `probes` places; of points at one position only the first given counts."""

    __slots__ = ("probes", "ring")

    def __init__(self, points: Any, owners: Any, slots: int, probes: int) -> None:
        where: list[int] = words("points", points).tolist()
        whose: list[int] = column("owners", owners, 0, count("slots", slots) - 1, np.int32).tolist()
        if len(whose) != len(where):
            raise ConfigError("owners", owners, "must be as many as there are points")
        first: dict[int, int] = {}
        for point, owner in zip(where, whose, strict=True):
            first.setdefault(point, owner)
        self.ring = Ring(list(first), list(first.values()), slots)
        self.probes = count("probes", probes)
        self.slots = slots

    def lookup(self, ticket: int) -> int:
        """The owner of the point that follows its probe most closely."""
        return self.nearest([mix64((ticket + i * GAMMA) & WORD) for i in range(self.probes)])

    def nearest(self, probes: Any) -> int:
        """The slot whose point follows one of these probes most closely: 64-bit words, chosen by the caller."""
        return next(self._ranked(words("probes", probes).tolist()))

    def _ranked(self, probes: list[int]) -> Iterator[int]:
        pairs = [
            (*min(((point - probe) & WORD, i) for i, probe in enumerate(probes)), owner)
            for point, owner in zip(self.ring.points(), self.ring.owners(), strict=True)
        ]
        yield from dict.fromkeys(owner for _, _, owner in sorted(pairs))

    def _walk(self, ticket: int) -> Iterator[int]:
        """Owners by their least distance from a probe."""
        return self._ranked([mix64((ticket + i * GAMMA) & WORD) for i in range(self.probes)])
