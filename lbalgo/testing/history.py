"""Histories of a signal: steps that name ids rather than slots, and the run that plays them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from lbalgo.types import F64, U8, Outcome, State

Step = tuple[str, float, Any]  # what happens, seconds since the step before, with what


class Run:
    """A signal, the instant it has reached, its members and the states last announced for them."""

    def __init__(self, signal: Any, now: float, members: tuple[str, ...]) -> None:
        self.signal, self.now, self.members = signal, now, members
        self.announced: dict[str, State] = {}

    def take(self, step: Step) -> None:
        """Plays one step; what concerns somebody who is no member only lets time pass."""
        what, wait, of = step
        self.now += wait
        if what == "sync":
            self.members = tuple(of)
            self.signal.sync(list(of), self.now)
        elif what == "advance" or of[0] not in self.members:
            self.signal.advance(self.now)
        elif what == "changed":
            old = self.announced.get(of[0], State.HEALTHY)
            if old is not of[1]:
                self.announced[of[0]] = of[1]
                self.signal.changed(self.members.index(of[0]), old, of[1], self.now)
        else:
            slot = self.members.index(of[0])
            for _ in range(6 if what == "burst" else 1):
                self.signal.observe(slot, of[1], of[2] if what == "observe" else None, self.now)

    def repeat(self, outcomes: Iterable[Outcome], now: float) -> None:
        """Observes each outcome of the first member six times."""
        for outcome in outcomes:
            for _ in range(6):
                self.signal.observe(0, outcome, None, now)

    def applied(self, factor: float = 1.0, state: State = State.HEALTHY) -> tuple[F64, U8]:
        """The columns after `apply` over these values."""
        factors = np.full(len(self.members), factor)
        states = np.full(len(self.members), state, dtype=np.uint8)
        self.signal.apply(factors, states)
        return factors, states

    def answers(self) -> dict[str, tuple[float, int]]:
        """Id to (factor, state)."""
        factors, states = self.applied()
        return dict(zip(self.members, zip(factors.tolist(), states.tolist(), strict=True), strict=True))

    def tell(self) -> tuple[dict[str, tuple[float, int]], float | None]:
        """All that can be seen from outside: the answers and the deadline."""
        return self.answers(), self.signal.deadline
