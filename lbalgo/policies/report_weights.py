"""`ReportWeights`: the live state of a rule that makes weights of reports, and what all such rules have in common.

A rule hears reports, and every `period`, counted from the first report, takes a step to new weights. Between two steps
weights stand still. A weight is bounded to `most` times the mean and its inverse, so that no report, however wrong,
takes a backend out or gives it everything. Of whom nothing counts the weight is the configured one times what the
others are, on average, worth more than theirs; with fewer than two known weights all have the configured ones.

Costs: O(1) a report, O(N) a period; memory 300 bytes a backend.
Source: gRPC A58 (period, the mean for the unknown, no weights below two); grpc-java (bounds of 10 and a tenth).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.walked import OpenRequests
from lbalgo.report import Report
from lbalgo.spec import check_real, check_row
from lbalgo.types import Outcome

ROWS = "state['rows']"
PERIOD = 1.0  # seconds; gRPC's
MOST = 10.0  # times the mean; grpc-java's, and its inverse


class Learning(Protocol):
    """What a rule keeps by row; instants in seconds."""

    def hear(self, row: int, report: Report, now: float) -> None:
        """A report came in."""

    def step(self, now: float) -> None:
        """New weights."""

    def weight(self, row: int, configured: float) -> float | None:
        """The weight of a row, None if it is not known."""
        ...

    def forget(self, row: int) -> None:
        """Nothing was heard of this row."""

    def snapshot(self, now: float) -> list[list[float]]:
        """What was learned, each a row and numbers >= 0; ages instead of instants."""
        ...

    def restore(self, rows: Any, now: float) -> None:
        """Know what a snapshot says, and nothing else; ConfigError, and no change, if it is something else."""


class ReportWeights:
    """The live state of a rule, made by its `start`; also the load of a `WeightedByReport`.

    Parameters
    ----------
    spec : the rule.
    rule : what it keeps.

    Attributes
    ----------
    version : moves when new weights are published.
    """

    def __init__(self, spec: Any, rule: Learning) -> None:
        self.spec, self.rule, self.version = spec, rule, 0
        self._open = OpenRequests()
        self._due = math.inf
        self._made: dict[int, float] = {}

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        self._open.started(row, cost, now)
        self._publish()

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds)."""
        self._open.finished(row, outcome, latency, now, cost)
        self._publish()

    def reported(self, row: int, report: Any, now: float) -> None:
        """The backend in `row` says this of itself, at `now` (seconds); older than what it said before, it is dropped.

        Raises
        ------
        ConfigError : `report` is no `Report`; the row or `now` is invalid.
        """
        row, now = check_row(row), check_real("now", now)
        if not isinstance(report, Report):
            raise ConfigError("report", report, "must be a Report")
        self.advance(now)
        if report.at is not None:
            if report.at <= self._made.get(row, -math.inf):
                return
            self._made[row] = report.at
        self.rule.hear(row, report, self._open.latest)
        if self._due == math.inf:
            self._due = self._open.latest + self.spec.period

    def advance(self, now: float) -> None:
        """It is `now`, in seconds: weights that are due are published."""
        self._open.advance(now)
        self._publish()

    def _publish(self) -> None:
        latest, period = self._open.latest, self.spec.period
        if latest >= self._due:
            self._due += math.floor((latest - self._due) / period) * period
            self.rule.step(self._due)
            self._due += period
            self.version += 1

    def weights(self, rows: Sequence[int], configured: Sequence[float]) -> list[float]:
        """The weights of these rows, of which these are configured; 0 stays 0.

        The unknown have their configured weight, times what the known ones have over theirs in sum.
        """
        pairs = [
            (self.rule.weight(row, c), c) if c > 0.0 else (None, 0.0) for row, c in zip(rows, configured, strict=True)
        ]
        known = [(weight, c) for weight, c in pairs if weight is not None]
        if len(known) < 2:
            return list(configured)
        ratio = math.fsum(weight for weight, _ in known) / math.fsum(c for _, c in known)
        most = self.spec.most
        return [
            c * ratio if weight is None else min(max(weight, c * ratio / most), c * ratio * most) for weight, c in pairs
        ]

    def at(self, row: int) -> float:
        """Requests of this client in flight at the backend in `row`."""
        return float(self._open.count(check_row(row)))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing was heard of it."""
        row = self._open.restart(row)
        self._made.pop(row, None)
        self.rule.forget(row)

    def snapshot(self) -> dict[str, Any]:
        """What the rule has learned, with ages in seconds; instants of the backends' own are not in it."""
        return {"type": type(self.spec).__name__, "rows": self.rule.snapshot(self._open.latest)}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot of an equal rule says, as if taken at `now` (seconds), and nothing else.

        Raises
        ------
        ConfigError : it is something else; what was learned has not changed.
        """
        rows = check_state(type(self.spec).__name__, state, "rows")["rows"]
        self._open.advance(now)
        self.rule.restore(rows, self._open.latest)
        self._made.clear()
        self._due = self._open.latest + self.spec.period if rows else math.inf
        self.version += 1

    def check_invariants(self) -> None:
        """Raises AssertionError where the state contradicts itself."""
        assert self._open.latest < self._due, "what was due is done"

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


def checked_rows(rows: Any, size: int) -> list[Any]:
    """Rows of a snapshot: a row's number, and numbers >= 0.

    Raises
    ------
    ConfigError : they are something else.
    """
    if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) and len(row) == size for row in rows):
        raise ConfigError(ROWS, rows, f"must be rows of {size} numbers")
    return [[check_row(row[0], ROWS), *(check_real(ROWS, x, low=0.0) for x in row[1:])] for row in rows]
