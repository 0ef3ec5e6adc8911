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
from typing import Any

import numpy as np

from lbalgo.columns import LAST_OWNER, MOST_BALLS, column, count, word
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD


class Urn:
    """Balls of at least two owners, which are distinct slots, in this order; at most 2**20 in all."""

    __slots__ = ("_balls", "balls", "size", "slots")

    def __init__(self, owners: Sequence[int], weights: Sequence[int], slots: int) -> None:
        self.slots = count("slots", slots)
        given: list[int] = column("owners", owners, 0, min(self.slots - 1, LAST_OWNER), np.int32).tolist()
        balls: list[int] = column("weights", weights, 1, MOST_BALLS, np.int32).tolist()
        if len(given) < 2 or len(set(given)) < len(given):
            raise ConfigError("owners", owners, "must be at least two, distinct")
        if len(balls) != len(given) or sum(balls) > MOST_BALLS:
            raise ConfigError("weights", weights, f"must be one for each owner, at most {MOST_BALLS} in all")
        self.size, self.balls = len(given), sum(balls)
        self._balls: list[tuple[int, int, int]] = []  # of each its owner, the owner's first ball, and how many it has
        for owner, own in zip(given, balls, strict=True):
            self._balls += [(owner, len(self._balls), own)] * own

    def owner(self, ticket: int) -> int:
        """The slot of the ball that a ticket names."""
        return self._balls[ticket * self.balls >> 64][0]

    def other(self, ticket: int) -> int:
        """The slot of the ball that it names next, once all of the first one's owner are taken out."""
        _, start, own = self._balls[ticket * self.balls >> 64]
        at = (ticket * self.balls & WORD) * (self.balls - own) >> 64
        return self._balls[at + own if at >= start else at][0]

    def named(self, names: Any) -> Urn:
        """The same balls, in the same order, of owners who have other names: one for each slot, distinct."""
        given: list[int] = column("names", names, 0, LAST_OWNER, np.int32).tolist()
        if len(given) != self.slots:
            raise ConfigError("names", names, f"must be one for each of {self.slots} slots")
        owners = [(owner, own) for i, (owner, start, own) in enumerate(self._balls) if i == start]
        return Urn([given[owner] for owner, _ in owners], [own for _, own in owners], max(given) + 1)

    def pair(self, ticket: int) -> tuple[int, int]:
        """The two slots that a ticket names."""
        ticket = word("ticket", ticket)
        return self.owner(ticket), self.other(ticket)
