"""Plain twin of `lbalgo.kernels.maglev`: the paper's fill for any sequence of turns, and the lookup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import mix64
from lbalgo.reference.structure import Structure
from lbalgo.spec import is_prime


def fill(turns: Sequence[int], offset: Sequence[int], skip: Sequence[int], size: int) -> list[int]:
    """The table that turns[0], turns[1], … (repeated from the start when exhausted) make.

    The size is a prime below 2**31, so that every owner's positions are all of the table; offsets are in [0, size),
    skips in [1, size), turns owners that have both.
    """
    size = count("size", size)
    if not is_prime(size):
        raise ConfigError("size", size, "must be prime")
    position: list[int] = column("offset", offset, 0, size - 1, np.uint32).tolist()
    stride: list[int] = column("skip", skip, 1, size - 1, np.uint32).tolist()
    order: list[int] = column("turns", turns, 0, len(position) - 1, np.int32).tolist()
    if len(stride) != len(position):
        raise ConfigError("skip", skip, "must be as many as offset")
    table = [-1] * size
    for filled in range(size):
        owner = order[filled % len(order)]
        while table[position[owner]] >= 0:
            position[owner] = (position[owner] + stride[owner]) % size
        table[position[owner]] = owner
    return table


class MaglevTable(Structure):
    """A filled table: ticket mod size is a position, the position's owner is the slot."""

    __slots__ = ("_salts", "_table", "size")

    def __init__(self, table: Sequence[int], salts: Sequence[int]) -> None:
        self._salts: list[int] = words("salts", salts).tolist()
        self._table: list[int] = column("table", table, 0, len(self._salts) - 1, np.int32).tolist()
        self.size = len(self._table)
        self.slots = len(self._salts)

    def lookup(self, ticket: int) -> int:
        """The owner of position ticket mod size."""
        return self._table[ticket % self.size]

    def table(self) -> list[int]:
        """The owners by position."""
        return list(self._table)

    def _walk(self, ticket: int) -> Iterator[int]:
        """The owners of the next positions, at most 4 * slots of them, then rendezvous order of the rest."""
        start = ticket % self.size
        seen: set[int] = set()
        for step in range(min(4 * self.slots, self.size)):
            slot = self._table[(start + step) % self.size]
            if slot not in seen:
                seen.add(slot)
                yield slot
        rest = [slot for slot in range(self.slots) if slot not in seen]
        yield from sorted(rest, key=lambda slot: (-mix64(ticket ^ self._salts[slot]), slot))
