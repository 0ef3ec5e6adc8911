"""Plain twin of `lbalgo.kernels.maglev`: the paper's fill for any sequence of turns, and the lookup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbalgo.reference.hashing import mix64
from lbalgo.reference.structure import Structure


def fill(turns: Sequence[int], offset: Sequence[int], skip: Sequence[int], size: int) -> list[int]:
    """The table that turns[0], turns[1], … (repeated from the start when exhausted) make."""
    table = [-1] * size
    position = [int(p) for p in offset]
    for filled in range(size):
        owner = int(turns[filled % len(turns)])
        while table[position[owner]] >= 0:
            position[owner] = (position[owner] + int(skip[owner])) % size
        table[position[owner]] = owner
    return table


class MaglevTable(Structure):
    """A filled table: ticket mod size is a position, the position's owner is the slot."""

    __slots__ = ("_salts", "_table", "size")

    def __init__(self, table: Sequence[int], salts: Sequence[int]) -> None:
        self._table = [int(owner) for owner in table]
        self._salts = [int(s) for s in salts]
        self.size = len(self._table)
        self.slots = len(self._salts)

    def lookup(self, ticket: int) -> int:
        """The owner of position ticket mod size."""
        return self._table[ticket % self.size]

    def table(self) -> list[int]:
        """The owners by position."""
        return list(self._table)

    def walk(self, ticket: int) -> Iterator[int]:
        """The owners of the next positions, at most 4 * slots of them, then rendezvous order of the rest."""
        start = ticket % self.size
        seen: dict[int, None] = {}
        for step in range(min(4 * self.slots, self.size)):
            slot = self._table[(start + step) % self.size]
            if slot not in seen:
                seen[slot] = None
                yield slot
        rest = [slot for slot in range(self.slots) if slot not in seen]
        yield from sorted(rest, key=lambda slot: (-mix64(ticket ^ self._salts[slot]), slot))
