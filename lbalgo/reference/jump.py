"""Plain twin of `lbalgo.kernels.jump`: the published jump function, and buckets some of which may be closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lbalgo.columns import count, flags, word
from lbalgo.reference.hashing import GAMMA, WORD, mix64
from lbalgo.reference.structure import Structure


def jump(ticket: int, buckets: int) -> int:
    """The published function: the bucket, in [0, buckets), of a 64-bit ticket; buckets in [1, 2**31)."""
    ticket, buckets = word("ticket", ticket), count("buckets", buckets)
    b, j = -1, 0
    while j < buckets:
        b = j
        ticket = (ticket * 2862933555777941757 + 1) & WORD
        j = int((b + 1) * (2147483648.0 / ((ticket >> 33) + 1)))
    return b


class JumpBuckets(Structure):
    """Buckets in order, some of which may be closed: a ticket that jumps into a closed one is rehashed."""

    __slots__ = ("_open",)

    def __init__(self, mask: Sequence[bool]) -> None:
        self._open: list[bool] = flags("mask", mask).tolist()
        self.slots = len(self._open)

    def lookup(self, ticket: int) -> int:
        """The head of the walk."""
        return next(self._walk(ticket))

    def _walk(self, ticket: int) -> Iterator[int]:
        """Open buckets by jumps of the ticket and its rehashes, 4 * slots in all, then by rendezvous of the rest."""
        link = ticket
        seen: set[int] = set()
        for _ in range(4 * self.slots):
            slot = jump(link, self.slots)
            if slot not in seen:
                seen.add(slot)
                if self._open[slot]:
                    yield slot
            link = mix64((link + GAMMA) & WORD)
        rest = [slot for slot in range(self.slots) if self._open[slot] and slot not in seen]
        yield from sorted(rest, key=lambda slot: (-mix64(ticket ^ mix64(slot)), slot))
