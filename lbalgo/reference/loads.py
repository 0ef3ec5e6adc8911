"""Plain twin of `lbalgo.kernels.loads`: live loads by row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.columns import array
from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_row
from lbalgo.types import OUTCOME_CODES, Load, Outcome

OUTCOMES = tuple(OUTCOME_CODES)
MOST = 1e300  # loads end here, so that no sum of them is infinite
JOURNAL = 256  # changes that one who keeps an order of loads can catch up with one by one


class LoadState:
    """Base of every plain load; alone it is the load that is 0 everywhere.

    `margin` is what one request more would add to it: what a picker compares is (load + margin) / weight.
    """

    size = 0  # rows below it are mere counts that the compiled twin reads without a call; here there are none
    ones = False  # whether all it holds are counts of requests of cost 1
    margin = 1.0

    def start_(self, row: int, cost: float, now: float) -> None:
        """`started`, unchecked."""

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """`finished`, unchecked; a latency or beginning of NaN is unknown."""

    def finish_(self, row: int, outcome_code: int, latency: float, now: float) -> None:
        """`close_` of a request of cost 1 that began at an unknown instant."""
        self.close_(row, 1.0, math.nan, outcome_code, latency, now)

    def pass_(self, now: float) -> None:
        """`advance`, unchecked."""

    def value(self, row: int) -> float:
        """`at`, unchecked."""
        return 0.0

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

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds), `latency` seconds long (None: unknown)."""
        row = check_row(row)
        if not isinstance(outcome, Outcome):
            raise ConfigError("outcome", outcome, "must be an Outcome")
        took = math.nan if latency is None else check_real("latency", latency, low=0.0)
        now = check_real("now", now)
        self.close_(row, check_real("cost", cost, low=0.0), now - took, OUTCOME_CODES[outcome], took, now)

    def advance(self, now: float) -> None:
        """Time is `now` (seconds); matters only to loads that change with it."""
        self.pass_(check_real("now", now))

    def at(self, row: int) -> float:
        """The load of the backend in `row`, finite and >= 0, at the latest instant it was told."""
        return self.value(check_row(row))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: its load is forgotten."""
        check_row(row)

    def snapshot(self) -> dict[str, Any]:
        """What is worth keeping, as plain data: nothing, of what is in flight."""
        return {"type": "LoadState"}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if taken at `now` (seconds)."""
        if not isinstance(state, Mapping) or dict(state) != {"type": "LoadState"}:
            raise ConfigError("state", state, "must be a snapshot of a load with nothing to keep")
        check_real("now", now)

    def merge(self, other: LoadState) -> None:
        """Know what another of the same kind knows too: nothing, of what is in flight."""
        if type(other) is not type(self):
            raise ConfigError("other", other, f"must be like {self!r}")


class InFlightCounts(LoadState):
    """Requests started and not finished, by row, each as much as its cost."""

    def __init__(self, counts: Iterable[int] = (), costs: Iterable[float] | None = None) -> None:
        given = list(counts)
        held = given if costs is None else list(costs)
        if len(held) != len(given):
            raise ConfigError("costs", costs, "must be as many as counts")
        self._counts = {row: check_row(count, f"counts[{row}]") for row, count in enumerate(given)}
        self._costs = {row: check_real(f"costs[{row}]", cost, low=0.0) for row, cost in enumerate(held)}
        self.ones = given == held
        self.journal, self.changes = [0] * JOURNAL, 0

    def note(self, row: int) -> None:
        """The row's load has changed: whoever keeps an order of loads can read it in the journal."""
        self.journal[self.changes % JOURNAL] = row
        self.changes += 1

    def start_(self, row: int, cost: float, now: float) -> None:
        """One more in flight."""
        self.ones = self.ones and cost == 1.0
        self._counts[row] = self._counts.get(row, 0) + 1
        self._costs[row] = min(self._costs.get(row, 0.0) + cost, MOST)
        self.note(row)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """One fewer in flight."""
        self.ones = self.ones and cost == 1.0
        if not self._counts.get(row):
            raise ConfigError("row", row, "has nothing in flight")
        self._counts[row] -= 1
        self._costs[row] -= cost
        if self._counts[row] == 0 or self._costs[row] < 0.0:
            self._costs[row] = 0.0  # what rounding, or a cost that was not the one it began with, has left
        self.note(row)

    def begun(self, row: int) -> int:
        """`start_` of a request of cost 1, for callers that have no time for a call."""
        self.start_(row, 1.0, 0.0)
        return 0

    def over(self, row: int) -> None:
        """`close_` of one that has begun, where all cost 1."""
        self.close_(row, 1.0, 0.0, 0, 0.0, 0.0)

    def value(self, row: int) -> float:
        """What is in flight."""
        return self._costs.get(row, 0.0)

    def total(self, rows: Any) -> int:
        """What is in flight in all of these rows, a contiguous int64 array, in whole units of cost."""
        return int(sum(self._costs.get(row, 0.0) for row in array("rows", rows, np.int64).tolist()))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing of it is in flight."""
        row = check_row(row)
        if self._counts.pop(row, 0) or row in self._costs:
            self._costs.pop(row)
            self.note(row)

    def _trimmed(self) -> tuple[Any, ...]:
        last = max((row for row, count in self._counts.items() if count), default=-1)
        counts = [self._counts.get(row, 0) for row in range(last + 1)]
        costs = [self._costs.get(row, 0.0) for row in range(last + 1)]
        return (counts,) if costs == counts else (counts, costs)

    def __repr__(self) -> str:
        return f"InFlightCounts({', '.join(map(repr, self._trimmed()))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return InFlightCounts, self._trimmed()


class ForeignLoad(LoadState):
    """Any object with the `Load` protocol, as a `LoadState`; its margin is 1 unless it says another."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.margin = check_real("load.margin", getattr(load, "margin", 1.0), low=0.0)

    def start_(self, row: int, cost: float, now: float) -> None:
        """Handed on."""
        self.load.started(row, cost, now)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Handed on."""
        self.load.finished(row, OUTCOMES[outcome_code], None if math.isnan(latency) else latency, now, cost)

    def pass_(self, now: float) -> None:
        """Handed on."""
        self.load.advance(now)

    def value(self, row: int) -> float:
        """The object's answer; refused unless finite and >= 0."""
        return check_real(f"load.at({row})", self.load.at(row), low=0.0)

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
