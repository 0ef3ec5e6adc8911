"""Plain twin of `lbalgo.kernels.stride`: static strides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lbalgo.columns import column, count
from lbalgo.errors import ConfigError
from lbalgo.reference.structure import Structure

TOP = 65535  # the greatest stride
HALF = 32767  # neighbours start half a turn apart


class Stride(Structure):
    """Static strides: backend n mod k is served in generation n div k iff adding its stride then passes 65535."""

    __slots__ = ("_owners", "_strides", "size")

    def __init__(self, owners: Sequence[int], strides: Sequence[int], slots: int) -> None:
        slots = count("slots", slots)
        self._owners: list[int] = column("owners", owners, 0, slots - 1, np.int32).tolist()
        self._strides: list[int] = column("strides", strides, 1, TOP, np.uint32).tolist()
        if len(self._strides) != len(self._owners) or max(self._strides) != TOP:
            raise ConfigError("strides", strides, f"must be one for each owner, from 1 to {TOP}, and {TOP} among them")
        self.size = len(self._owners)
        self.slots = slots

    def settle(self, ticket: int) -> int:
        """The first sequence number at or after `ticket` at which somebody is served."""
        while True:
            generation, i = divmod(ticket, self.size)
            if (self._strides[i] * generation + i * HALF) % TOP >= TOP - self._strides[i]:
                return ticket
            ticket = (ticket + 1) % 2**64

    def lookup(self, ticket: int) -> int:
        """The backend served at the first number at or after `ticket` that serves one."""
        return self.owner(self.settle(ticket))

    def owner(self, ticket: int) -> int:
        """`lookup` of a number at which somebody is served."""
        return self._owners[ticket % self.size]

    def strides(self) -> list[tuple[int, int]]:
        """(slot, stride) of every backend, in the order of its turns."""
        return list(zip(self._owners, self._strides, strict=True))

    def _walk(self, ticket: int) -> Iterator[int]:
        """The backends in the order of the next number at which each is served."""
        generation, begin = divmod(self.settle(ticket), self.size)

        def turn(i: int) -> tuple[int, int]:
            first = generation + (i < begin)
            value = (self._strides[i] * first + i * HALF) % TOP
            return first + (TOP - value - 1) // self._strides[i], i

        for i in sorted(range(self.size), key=turn):
            yield self._owners[i]
