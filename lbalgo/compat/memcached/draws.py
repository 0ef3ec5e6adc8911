"""Distribution by chance: `random() mod servers`, as both clients have it, weights ignored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Sequence
from typing import Any

from lbalgo.compat.glibc import GlibcRandom
from lbalgo.explaining import Steps, listing
from lbalgo.types import Bool, Outcome
from lbalgo.view import View


class RandomMachine:
    """A machine that draws a server for each request from the C library's `random()`.

    Parameters
    ----------
    seed : of the generator.
    usable : which slots of a view may be drawn.
    place : what backends are ordered by before one is drawn; None for the order in which they are listed.

    A server that a request has tried is drawn past; the real programs do not retry. Cost: O(1) a draw.

    Examples
    --------
    >>> from lbalgo import View
    >>> machine = RandomMachine(1, lambda view: view.states == 0)
    >>> machine.sync([0, 1, 2], View.of(["a", "b", "c"]))
    >>> [machine.choose(None, ()) for _ in range(5)]
    [1, 1, 0, 1, 2]
    """

    def __init__(
        self, seed: int, usable: Callable[[View[Any]], Bool], place: Callable[[Any], Any] | None = None
    ) -> None:
        self._draw = GlibcRandom(seed)
        self._usable = usable
        self._place = place
        self._rows: list[int] = []
        self._open: dict[int, int] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """The usable rows, in order; the generator goes on."""
        able = [slot for slot, usable in enumerate(self._usable(view).tolist()) if usable]
        if self._place is not None:
            able.sort(key=[self._place(backend) for backend in view.backends].__getitem__)
        self._rows = [rows[slot] for slot in able]

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row drawn; -1 without drawing if there is none."""
        if not any(row not in skip for row in self._rows):
            return -1
        while True:
            row = self._rows[self._draw() % len(self._rows)]
            if row not in skip:
                return row

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The next draw, and whom it is drawn among."""
        servers = ("servers", f"{len(self._rows)}: {listing(map(name, self._rows))}")
        return [servers, ("draw", f"{self._draw()} of random(), mod {len(self._rows)}")] if self._rows else []

    def started(self, row: int, cost: float, now: float) -> None:
        """Counts it."""
        self._open[row] = self._open.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """Counts it off."""
        self._open[row] -= 1

    def advance(self, now: float) -> None:
        """Time plays no part."""

    def at(self, row: int) -> float:
        """Requests in flight."""
        return float(self._open.get(row, 0))

    def restart(self, row: int) -> None:
        """The row is somebody else's."""
        self._open.pop(row, None)

    def reseed(self, seed: int) -> None:
        """Goes on from the low 32 bits of another seed."""
        self._draw = GlibcRandom(seed & 0xFFFFFFFF)

    def __deepcopy__(self, memo: Any) -> RandomMachine:
        other = copy.copy(self)
        other._draw, other._open = copy.deepcopy(self._draw, memo), dict(self._open)
        return other
