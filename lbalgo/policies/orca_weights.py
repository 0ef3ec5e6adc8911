"""`OrcaWeights`: a weight is what a backend could serve if it were full.

Requests a second over utilisation, errors counting as utilisation so that failing fast earns nothing. It is an open
loop: each report is a measurement by itself, whatever the weights were, so that one report is enough. It wants requests
that are alike: where some backends get the dear ones, equal rates are not equal work.

A weight counts after `blackout` seconds of reports, as one that has just started is idle for another reason than being
fast, and until `expiry` seconds after the last.

Costs: O(1) a report, O(N) a period; memory 300 bytes a backend.
Source: gRPC A58.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.policies.report_weights import MOST, PERIOD, ROWS, ReportWeights, checked_rows
from lbalgo.report import Report
from lbalgo.spec import check_real, from_dict, to_dict

BLACKOUT, EXPIRY = 10.0, 180.0  # seconds; gRPC's
ERRORS = 1.0  # gRPC's


@dataclass(frozen=True)
class OrcaWeights:
    """Requests a second over utilisation, as gRPC weighs.

    Parameters
    ----------
    blackout : seconds for which reports must have come until they count, >= 0.
    expiry : seconds after which a report counts no more, > 0.
    period : seconds between new weights, from 1e-3 to 1e9.
    errors : utilisation that an error share of 1 stands for, from 0 to 1e9.
    most : bound of a weight over the mean, and of the mean over a weight, from 1 to 1e6.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A report without requests or of utilisation 0 measures nothing, and is dropped.

    Source: gRPC A58.

    Examples
    --------
    >>> OrcaWeights().measured(Report(0.5, qps=100.0, eps=10.0))  # 100 / (0.5 + 0.1 * 1.0)
    166.66666666666669
    """

    blackout: float = BLACKOUT
    expiry: float = EXPIRY
    period: float = PERIOD
    errors: float = ERRORS
    most: float = MOST

    def __post_init__(self) -> None:
        check_real("blackout", self.blackout, low=0.0)
        check_real("expiry", self.expiry, low=0.0, open_low=True)
        check_real("period", self.period, low=1e-3, high=1e9)
        check_real("errors", self.errors, low=0.0, high=1e9)
        check_real("most", self.most, low=1.0, high=1e6)

    def measured(self, report: Report) -> float:
        """The weight that a report makes; 0 if it measures nothing."""
        if report.qps <= 0.0 or report.utilisation <= 0.0:
            return 0.0
        return report.qps / (report.utilisation + report.eps / report.qps * self.errors)

    def start(self) -> ReportWeights:
        """A new state, without reports."""
        return ReportWeights(self, Measuring(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> OrcaWeights:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


class Measuring:
    """The reports of `OrcaWeights`: by row, the weight measured last, when, and since when reports came (seconds)."""

    def __init__(self, spec: OrcaWeights) -> None:
        self.spec = spec
        self.rows: dict[int, tuple[float, float, float]] = {}
        self.known: dict[int, float] = {}

    def hear(self, row: int, report: Report, now: float) -> None:
        """A report came in."""
        weight = self.spec.measured(report)
        if weight > 0.0:
            _, came, since = self.rows.get(row, (0.0, -math.inf, now))
            self.rows[row] = weight, now, now if now - came >= self.spec.expiry else since

    def step(self, now: float) -> None:
        """New weights."""
        spec = self.spec
        self.rows = {row: kept for row, kept in self.rows.items() if now - kept[1] < spec.expiry}
        self.known = {row: w for row, (w, _, since) in self.rows.items() if now - since >= spec.blackout}

    def weight(self, row: int, configured: float) -> float | None:
        """The weight of a row, None if it is not known."""
        return self.known.get(row)

    def forget(self, row: int) -> None:
        """Nothing was heard of this row."""
        self.rows.pop(row, None)
        self.known.pop(row, None)

    def snapshot(self, now: float) -> list[list[float]]:
        """Row, weight, and how long ago its last and its first report were (seconds)."""
        return [[row, weight, now - came, now - since] for row, (weight, came, since) in self.rows.items()]

    def restore(self, rows: Any, now: float) -> None:
        """Know what a snapshot says, and nothing else."""
        known = {}
        for row, weight, came, since in checked_rows(rows, 4):
            known[row] = check_real(ROWS, weight, low=0.0, open_low=True), now - came, now - max(came, since)
        self.rows = known
        self.step(now)
