"""Plain twin of `lbalgo.kernels.alias`: the alias method on whole tickets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lbalgo.columns import column, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD, mix64
from lbalgo.reference.structure import Structure

TICKETS = 1 << 64
STEP = 1  # what a link adds before it is mixed, so that ticket 0 does not map to itself


class AliasTable(Structure):
    """Owners with their numbers of tickets, which sum to 2**64 (one owner alone has 0, that is 2**64 mod 2**64)."""

    __slots__ = ("_cuts", "_edges", "_pairs", "_salts", "size")

    def __init__(self, owners: Sequence[int], counts: Sequence[int], salts: Sequence[int]) -> None:
        self._salts: list[int] = words("salts", salts).tolist()
        given: list[int] = column("owners", owners, 0, len(self._salts) - 1, np.int32).tolist()
        left: list[int] = words("counts", counts).tolist()
        total = TICKETS if len(left) > 1 else 0
        if len(left) != len(given) or sum(left) != total or (len(left) > 1 and not all(left)):
            raise ConfigError("counts", counts, "must be one for each owner, positive, with the sum 2**64")
        self.size = len(given)
        self.slots = len(self._salts)
        self._edges = [-(-b * TICKETS // self.size) for b in range(self.size + 1)]
        left = left if self.size > 1 else [TICKETS]
        room = [high - low for low, high in zip(self._edges, self._edges[1:], strict=False)]
        self._cuts = self._edges[:-1]
        self._pairs = [[owner, owner] for owner in given]
        lows = [b for b in range(self.size) if left[b] < room[b]]
        highs = [b for b in range(self.size) if left[b] >= room[b]]
        while lows:
            poor, rich = lows.pop(), highs[-1]
            self._cuts[poor] = self._edges[poor] + left[poor]
            self._pairs[poor][1] = given[rich]
            left[rich] -= room[poor] - left[poor]
            if left[rich] < room[rich]:
                lows.append(highs.pop())

    def lookup(self, ticket: int) -> int:
        """The owner of the ticket's part of its bucket."""
        bucket = ticket * self.size >> 64
        return self._pairs[bucket][ticket >= self._cuts[bucket]]

    def owner(self, ticket: int) -> int:
        """`lookup`; the compiled twin saves a call here."""
        return self.lookup(ticket)

    def owned(self) -> list[int]:
        """How many of the 2**64 tickets each slot owns, counted from the table."""
        counts = [0] * self.slots
        for b, (low, cut) in enumerate(zip(self._edges, self._cuts, strict=False)):
            counts[self._pairs[b][0]] += cut - low
            counts[self._pairs[b][1]] += self._edges[b + 1] - cut
        return counts

    def _walk(self, ticket: int) -> Iterator[int]:
        """The owners of a chain of rehashed tickets, at most 4 * size of them, then rendezvous order of the rest."""
        seen: set[int] = set()
        link = ticket
        for _ in range(4 * self.size):
            slot = self.lookup(link)
            if slot not in seen:
                seen.add(slot)
                yield slot
                if len(seen) == self.size:
                    return
            link = mix64((link + STEP) & WORD)
        rest = {first for first, _ in self._pairs} - seen
        yield from sorted(rest, key=lambda slot: (-mix64(ticket ^ self._salts[slot]), slot))
