"""Plain twin of `lbalgo.kernels.structure`: what every structure shares, and the cursor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo.columns import array, slots_for, tickets_of, word


class Cursor:
    """The 64 bits that move when a picker without a key picks."""

    __slots__ = ("state",)

    def __init__(self, state: int = 0) -> None:
        self.state = word("state", state)

    def __repr__(self) -> str:
        return f"Cursor({self.state})"


class Structure:
    """Base of every plain structure; alone it is the empty one, whose every lookup answers -1."""

    __slots__ = ("slots",)
    slots: int

    def __init__(self) -> None:
        self.slots = 0

    def lookup(self, ticket: int) -> int:
        """The slot a ticket is decided to, -1 if the structure is empty."""
        return -1

    def settle(self, ticket: int) -> int:
        """The first sequence number at or after `ticket` at which somebody is served."""
        return ticket

    def slot(self, ticket: int) -> int:
        """The slot a ticket is decided to, -1 if the structure is empty."""
        return self.lookup(word("ticket", ticket))

    def slot_many(self, tickets: Any, out: Any) -> None:
        """Slots of a contiguous uint64 array into a contiguous int32 array of the same length."""
        array("out", out, np.int32, len(array("tickets", tickets, np.uint64)))
        for i, ticket in enumerate(tickets.tolist()):
            out[i] = self.lookup(ticket)

    def slots_of(self, tickets: Any, out: Any) -> Any:
        """Slots of a one-dimensional uint64 array, in `out` or, if that is None, in a new int32 array."""
        given = tickets_of(tickets)
        slots = slots_for(given, out)
        self.slot_many(given, slots)
        return slots

    def walk(self, ticket: int) -> Iterator[int]:
        """Every slot of the structure once, in the base order of the ticket."""
        return self._walk(word("ticket", ticket))

    def _walk(self, ticket: int) -> Iterator[int]:
        return iter(())
