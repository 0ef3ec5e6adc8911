"""Loads made of loads: sums, products, penalties for failures, and the turn of those long without a request.

A load that is made of others tells them everything it is told, and asks them. What it asks for is the load with one
request more, value + margin, so that an idle count is 1 in a product and not 0.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/combined_loads.pxd`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lbalgo.kept_rows import check_kept, check_part, check_same, grown
from lbalgo.spec import check_real, check_row
from lbalgo.types import OUTCOME_CODES, Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.loads import ForeignLoad, LoadState

NATIVE = cython.compiled
NEVER = -math.inf
MOST = 1e300
SUCCESS, CANCELLED = OUTCOME_CODES[Outcome.SUCCESS], OUTCOME_CODES[Outcome.CANCELLED]


def hear(load: LoadState, row: int, report: Any, now: float) -> None:
    """The load, or the object that it stands for, hears a report if it listens."""
    bare: Any = load
    listener = bare.load if isinstance(load, ForeignLoad) else bare
    if hasattr(listener, "reported"):
        listener.reported(row, report, now)


class CombinedLoad(LoadState):
    """The sum or the product of loads; made by `Sum.start` and `Product.start`.

    Parameters
    ----------
    spec : the specification it was made from.
    parts : the loads, at least one.
    weights : of a sum, what each counts; empty: it is a product.
    """

    def __init__(self, spec: Any, parts: Sequence[LoadState], weights: Sequence[float] = ()) -> None:
        self.spec, self.parts, self.margin = spec, tuple(parts), 0.0
        self.product = len(weights) == 0
        self.weights = grown(list(weights), max(len(weights), 1), 1.0, NATIVE)

    def pass_(self, now: float) -> None:
        """It is `now`."""
        for part in self.parts:
            part.pass_(now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """For all."""
        for part in self.parts:
            part.start_(row, cost, now)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """For all."""
        for part in self.parts:
            part.close_(row, cost, began, outcome_code, latency, now)

    def value(self, row: int) -> float:
        """The sum or the product of what the parts are with one request more."""
        total, i = 0.0, 0
        if self.product:
            total = 1.0
            for part in self.parts:
                total *= part.read(row) + part.margin
        else:
            for part in self.parts:
                total += self.weights[i] * (part.read(row) + part.margin)
                i += 1
        return total if total < MOST else MOST

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on."""
        for part in self.parts:
            part.restart(row)

    def reported(self, row: int, report: Any, now: float) -> None:
        """For those that listen."""
        for part in self.parts:
            hear(part, row, report, now)

    def snapshot(self) -> dict[str, Any]:
        """The parts' snapshots."""
        return {"type": type(self.spec).__name__, "parts": [part.snapshot() for part in self.parts]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from the parts' snapshots."""
        known = check_part(type(self.spec).__name__, state, len(self.parts))
        saved = [part.snapshot() for part in self.parts]
        try:
            for part, its in zip(self.parts, known, strict=True):
                part.restore(its, now)
        except BaseException:
            for part, its in zip(self.parts, saved, strict=True):
                part.restore(its, now)
            raise

    def merge(self, other: Any) -> None:
        """Part by part."""
        check_same(other, self)
        its: CombinedLoad = other
        for part, like in zip(self.parts, its.parts, strict=True):
            part.merge(like)

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


class PenaltyLoad(LoadState):
    """A load that is told a failure took longer than it did; made by `FailurePenalty.start`."""

    def __init__(self, spec: Any, load: LoadState, penalty: float) -> None:
        self.spec, self.load, self.penalty, self.margin = spec, load, penalty, load.margin

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.load.pass_(now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """Handed on."""
        self.load.start_(row, cost, now)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Handed on; a failure took at least the penalty, for each unit of cost."""
        if outcome_code != SUCCESS and outcome_code != CANCELLED:
            least = self.penalty * max(cost, 1e-9)
            if latency == latency and began != began:
                began = now - latency
            if not latency > least:
                latency = least
        self.load.close_(row, cost, began, outcome_code, latency, now)

    def value(self, row: int) -> float:
        """The load within."""
        return self.load.value(row)

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on."""
        self.load.restart(row)

    def reported(self, row: int, report: Any, now: float) -> None:
        """For the load within."""
        hear(self.load, row, report, now)

    def snapshot(self) -> dict[str, Any]:
        """That of the load within."""
        return {"type": "FailurePenalty", "parts": [self.load.snapshot()]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot."""
        self.load.restore(check_part("FailurePenalty", state, 1)[0], now)

    def merge(self, other: Any) -> None:
        """The loads within."""
        check_same(other, self)
        its: PenaltyLoad = other
        self.load.merge(its.load)

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


class OverdueLoad(LoadState):
    """A load that is 0 for those that got no request for so long; made by `Overdue.start`."""

    def __init__(self, spec: Any, load: LoadState, after: float) -> None:
        self.spec, self.load, self.after, self.margin = spec, load, after, 0.0
        self.latest, self.room, self.last = NEVER, 0, grown((), 0, 0.0, NATIVE)
        self._make_room(0)

    def _make_room(self, row: int) -> None:
        if row >= self.room:
            size = max(row + 1, 2 * self.room, 64)
            self.last, self.room = grown(self.last, size, NEVER, NATIVE), size

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.latest = max(self.latest, now)
        self.load.pass_(now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """It has got one."""
        if row >= self.room:
            self._make_room(row)
        self.load.start_(row, cost, now)
        self.latest = self.last[row] = max(self.latest, now)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Handed on."""
        self.load.close_(row, cost, began, outcome_code, latency, now)
        self.latest = max(self.latest, now)

    def value(self, row: int) -> float:
        """0 for who waits too long, else the load with one more."""
        if row >= self.room or self.last[row] == NEVER or self.latest - self.last[row] >= self.after:
            return 0.0
        total = self.load.read(row) + self.load.margin
        return total if total < MOST else MOST

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on, which never got a request."""
        self.load.restart(row)
        row = check_row(row)
        if row < self.room:
            self.last[row] = NEVER

    def reported(self, row: int, report: Any, now: float) -> None:
        """For the load within."""
        hear(self.load, row, report, now)

    def snapshot(self) -> dict[str, Any]:
        """Ages of the last requests, and what the load within knows."""
        ages = {row: {"age": self.latest - self.last[row]} for row in range(self.room) if self.last[row] > NEVER}
        return {"type": "Overdue", "parts": [{"type": "last", "rows": ages}, self.load.snapshot()]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot."""
        ages, inner = check_part("Overdue", state, 2)
        rows = check_kept("last", ages, "age")
        now = check_real("now", now)
        self.load.restore(inner, now)
        self._make_room(max(rows, default=0))
        self.latest = max(self.latest, now)
        for row in range(self.room):
            self.last[row] = NEVER
        for row, (age,) in rows.items():
            self.last[row] = self.latest - age

    def merge(self, other: Any) -> None:
        """The later request counts."""
        check_same(other, self)
        its: OverdueLoad = other
        self.load.merge(its.load)
        self._make_room(its.room - 1)
        self.latest = max(self.latest, its.latest)
        for row in range(its.room):
            self.last[row] = max(self.last[row], its.last[row])

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"
