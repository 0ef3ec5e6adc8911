"""Plain twin of `lbalgo.kernels.jump_back`: JumpBackHash, the order of all buckets, seats of which some are free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo.columns import column, count, word
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import GAMMA, WORD, mix64
from lbalgo.reference.structure import Structure

LEVEL = 0xD1B54A32D192ED03  # any odd constant other than GAMMA: sets the words of one range apart


def jump_back(ticket: int, buckets: int) -> int:
    """The published function: the bucket, in [0, buckets), of a 64-bit ticket; buckets in [1, 2**31)."""
    state, buckets = word("ticket", ticket), count("buckets", buckets)
    if buckets == 1:
        return 0
    state = (state + GAMMA) & WORD
    v = mix64(state)
    u = (v ^ (v >> 32)) & ((1 << (buckets - 1).bit_length()) - 1)
    while u:
        q = 1 << (u.bit_length() - 1)
        half = v >> 32 if u.bit_count() % 2 else v
        b = q + (half & (q - 1))
        while b >= buckets:
            state = (state + GAMMA) & WORD
            w = mix64(state)
            b = w & (2 * q - 1)
            if b >= buckets:
                b = (w >> 32) & (2 * q - 1)
        if b >= q:
            return b
        u ^= q
    return 0


def bucket(ticket: int, buckets: int) -> int:
    """As `jump_back`, with words of its own for each range: only so are the buckets at two sizes independent."""
    u = mix64((ticket + GAMMA) & WORD) & ((1 << (buckets - 1).bit_length()) - 1)
    while u:
        q = 1 << (u.bit_length() - 1)
        state = (ticket + q * LEVEL) & WORD
        b = q + (mix64(state) & (q - 1))
        while b >= buckets:
            state = (state + GAMMA) & WORD
            w = mix64(state)
            b = w & (2 * q - 1)
            if b >= buckets:
                b = (w >> 32) & (2 * q - 1)
        if b >= q:
            return b
        u ^= q
    return 0


def _order(ticket: int, buckets: int) -> Iterator[int]:
    """Every bucket once, in the ticket's order."""
    chosen: list[int] = []  # so far, descending
    for k in range(buckets):
        below = buckets
        for j in range(k + 1):
            i = k - j
            candidate = bucket(mix64(ticket ^ mix64(i)) if i else ticket, below - i) + i
            if j == k or candidate > chosen[j]:
                chosen.insert(j, candidate)
                yield candidate
                break
            below = chosen[j]


def choose(ticket: int, k: int, buckets: int) -> list[int]:
    """The first k of the ticket's order of all buckets; k in [1, buckets], buckets in [1, 2**31)."""
    ticket, k, buckets = word("ticket", ticket), count("k", k), count("buckets", buckets)
    if k > buckets:
        raise ConfigError("k", k, f"must be an integer from 1 to {buckets}")
    order = _order(ticket, buckets)
    return [next(order) for _ in range(k)]


class SeatMap(Structure):
    """Seats in order, each with its slot or -1 for nobody: a ticket is served by the first seat of its order taken."""

    __slots__ = ("_seats", "size")

    def __init__(self, seats: Any, slots: int) -> None:
        self.slots = count("slots", slots)
        self._seats: list[int] = column("seats", seats, -1, self.slots - 1, np.int32).tolist()
        taken = [slot for slot in self._seats if slot >= 0]
        if not taken or len(set(taken)) != len(taken):
            raise ConfigError("seats", seats, "must name at least one slot, and none twice")
        self.size = len(self._seats)

    def lookup(self, ticket: int) -> int:
        """The head of the walk."""
        return next(self._walk(ticket))

    def seats(self) -> list[int]:
        """The slots by seat, -1 for nobody."""
        return list(self._seats)

    def _walk(self, ticket: int) -> Iterator[int]:
        """Slots in the ticket's order of their seats."""
        for seat in _order(ticket, self.size):
            if self._seats[seat] >= 0:
                yield self._seats[seat]
