"""Plain twin of `lbalgo.kernels.loads`: live loads by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lbalgo.columns import array
from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_row
from lbalgo.types import OUTCOME_CODES, Load, Outcome

OUTCOMES = tuple(OUTCOME_CODES)


class LoadState:
    """Base of every plain load; alone it is the load that is 0 everywhere."""

    __slots__ = ()
    size = 0  # rows below it are mere counts that the compiled twin reads without a call; here there are none

    def start_(self, row: int, cost: float, now: float) -> None:
        """`started`, unchecked."""

    def finish_(self, row: int, outcome_code: int, latency: float, now: float) -> None:
        """`finished`, unchecked; a latency of NaN is unknown."""

    def value(self, row: int) -> float:
        """`at`, unchecked."""
        return 0.0

    def count(self, row: int) -> float:
        """`value` of a row below `size`."""
        return self.value(row)

    def read(self, row: int) -> float:
        """`value`; the compiled twin saves a call here if the load is a mere count."""
        return self.value(row)

    def values(self, rows: Sequence[int], start: int, n: int, out: list[float]) -> None:
        """`value` of n rows, from rows[start] on."""
        for i in range(n):
            out[i] = self.value(rows[start + i])

    def started(self, row: int, cost: float, now: float) -> None:
        """A request of this cost was sent to the backend in `row` at `now` (seconds)."""
        self.start_(check_row(row), check_real("cost", cost, low=0.0), check_real("now", now))

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """A request to the backend in `row` ended at `now` (seconds), `latency` seconds long (None: unknown)."""
        row = check_row(row)
        if not isinstance(outcome, Outcome):
            raise ConfigError("outcome", outcome, "must be an Outcome")
        took = math.nan if latency is None else check_real("latency", latency, low=0.0)
        self.finish_(row, OUTCOME_CODES[outcome], took, check_real("now", now))

    def advance(self, now: float) -> None:
        """Time is `now` (seconds); matters only to loads that decay."""
        check_real("now", now)

    def at(self, row: int) -> float:
        """The load of the backend in `row`, finite and >= 0."""
        return self.value(check_row(row))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: its load is forgotten."""
        check_row(row)


class InFlightCounts(LoadState):
    """Requests started and not finished, by row."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Iterable[int] = ()) -> None:
        self._counts = {row: check_row(count, f"counts[{row}]") for row, count in enumerate(counts)}

    def start_(self, row: int, cost: float, now: float) -> None:
        """One more in flight."""
        self._counts[row] = self._counts.get(row, 0) + 1

    def finish_(self, row: int, outcome_code: int, latency: float, now: float) -> None:
        """One fewer in flight."""
        if not self._counts.get(row):
            raise ConfigError("row", row, "has nothing in flight")
        self._counts[row] -= 1

    def value(self, row: int) -> float:
        """How many are in flight."""
        return float(self._counts.get(row, 0))

    def total(self, rows: Any) -> int:
        """How many are in flight in all of these rows, a contiguous int64 array."""
        return sum(self._counts.get(row, 0) for row in array("rows", rows, np.int64).tolist())

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing of it is in flight."""
        self._counts.pop(check_row(row), None)

    def _trimmed(self) -> list[int]:
        last = max((row for row, count in self._counts.items() if count), default=-1)
        return [self._counts.get(row, 0) for row in range(last + 1)]

    def __repr__(self) -> str:
        return f"InFlightCounts({self._trimmed()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return InFlightCounts, (self._trimmed(),)


class ForeignLoad(LoadState):
    """Any object with the `Load` protocol, as a `LoadState`."""

    __slots__ = ("load",)

    def __init__(self, load: Load) -> None:
        self.load = load

    def start_(self, row: int, cost: float, now: float) -> None:
        """Handed on."""
        self.load.started(row, cost, now)

    def finish_(self, row: int, outcome_code: int, latency: float, now: float) -> None:
        """Handed on."""
        self.load.finished(row, OUTCOMES[outcome_code], None if math.isnan(latency) else latency, now)

    def value(self, row: int) -> float:
        """The object's answer; refused unless finite and >= 0."""
        return check_real(f"load.at({row})", self.load.at(row), low=0.0)

    def advance(self, now: float) -> None:
        """Time is `now` (seconds)."""
        self.load.advance(check_real("now", now))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on; a load that has no `restart` remembers."""
        row = check_row(row)
        forget = getattr(self.load, "restart", None)
        if forget is not None:
            forget(row)

    def __repr__(self) -> str:
        return f"ForeignLoad({self.load!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ForeignLoad, (self.load,)
