"""Plain twin of `lbalgo.kernels.urn`: two distinct backends of whole weights are drawn by one ticket.

An urn holds as many balls of each backend as its weight is. A ticket names a ball by its place among all of them, which
is the upper half of the product of both. The lower half is what the ticket has left: in the same way it names one of
the others' balls, once those of the first backend are taken out. So nobody is drawn twice, however heavy, and nothing
has to be drawn again.

Of B balls, b of them the first one's backend's, each pair of balls has 2**64 / (B (B - b)) tickets within one.

Source: sampling without replacement from an urn; a bounded draw by one multiplication (Lemire, "Fast random integer
generation in an interval", ACM TOMACS 29, 2019), here without rejection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lbalgo.columns import MOST_BALLS, column, count, word
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD


class Urn:
    """Balls of at least two owners, which are distinct slots, in this order; at most 2**20 in all."""

    __slots__ = ("_owners", "_spans", "balls", "size", "slots")

    def __init__(self, owners: Sequence[int], weights: Sequence[int], slots: int) -> None:
        self.slots = count("slots", slots)
        given: list[int] = column("owners", owners, 0, self.slots - 1, np.int32).tolist()
        balls: list[int] = column("weights", weights, 1, MOST_BALLS, np.int32).tolist()
        if len(given) < 2 or len(set(given)) < len(given):
            raise ConfigError("owners", owners, "must be at least two, distinct")
        if len(balls) != len(given) or sum(balls) > MOST_BALLS:
            raise ConfigError("weights", weights, f"must be one for each owner, at most {MOST_BALLS} in all")
        self.size, self.balls = len(given), sum(balls)
        self._owners: list[int] = []  # of each ball
        self._spans = [(0, 0)] * self.slots  # of each slot its first ball, and how many it has
        for owner, own in zip(given, balls, strict=True):
            self._spans[owner] = len(self._owners), own
            self._owners += [owner] * own

    def owner(self, ticket: int) -> int:
        """The slot of the ball that a ticket names."""
        return self._owners[ticket * self.balls >> 64]

    def other(self, ticket: int, slot: int) -> int:
        """The slot of the ball that it names next, where `slot` is its owner."""
        start, own = self._spans[slot]
        at = (ticket * self.balls & WORD) * (self.balls - own) >> 64
        return self._owners[at + own if at >= start else at]

    def pair(self, ticket: int) -> tuple[int, int]:
        """The two slots that a ticket names."""
        ticket = word("ticket", ticket)
        one = self.owner(ticket)
        return one, self.other(ticket, one)
