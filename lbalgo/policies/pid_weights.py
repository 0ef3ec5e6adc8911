"""`PidWeights`: a controller for each backend takes its utilisation to the mean of all.

It is a closed loop: utilisation is compared with the mean, and the weight moved so that the two meet. It needs no
request rate, and does not ask why a backend is busier than the others: dear requests, other work, other clients. Where
all are *hot* it stands still: then nothing that weights can do would help, and differences among the saturated are
noise.

A step, with e = (mean - own) / mean, is

    weight *= 1 + proportional * e + integral * sum(e) + derivative * (e - e before)

at most by half up and a third down, after which weights are scaled to keep their mean. It is relative, so that weights
stay positive, and it adds up, so that the proportional part alone leaves no error.

Costs: O(1) a report, O(N) a period; memory 300 bytes a backend.
Sources: Dropbox, "What's new with Robinhood, our in-house load balancing service", 2024 (a controller a node, the mean
as its set point, its output the change of the weight, weights normalised; no formula, no gains); Cloudflare's Unimog
(stand still where all are saturated), as told by others. The relative step and all constants are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.policies.report_weights import MOST, PERIOD, ROWS, ReportWeights, checked_rows
from lbalgo.report import Report
from lbalgo.spec import check_real, from_dict, to_dict

PROPORTIONAL, INTEGRAL, DERIVATIVE = 0.3, 0.0, 0.0  # a third of the error in a period
EXPIRY = 10.0  # seconds after which a report is no part of the mean
HOT = 0.9  # utilisation
ERRORS = 1.0  # as `OrcaWeights`
RISE, FALL, WINDUP = 1.5, 1 / 1.5, 1.0  # bounds of a step, and of the sum of errors


@dataclass(frozen=True)
class PidWeights:
    """A controller for each backend that takes its utilisation to the mean of all.

    Parameters
    ----------
    proportional, integral, derivative : gains, for relative errors, from 0 to 10.
    hot : utilisation at which one is hot, > 0; where all are weights stand still.
    expiry : seconds after which a report counts no more, > 0; one of whom nothing else comes is forgotten.
    period : seconds between steps, from 1e-3 to 1e9; longer than it takes for weights to show in reports.
    errors : utilisation that an error share of 1 stands for, from 0 to 1e9.
    most : bound of a weight over the mean, and of the mean over a weight, from 1 to 1e6.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    One of whom no report came since the last step keeps its weight.

    Source: in the manner of Dropbox's Robinhood, 2024; formula and constants ours.

    Examples
    --------
    >>> from lbalgo.report import Report
    >>> state = PidWeights().start()
    >>> for row, utilisation in enumerate((0.2, 0.6)):
    ...     state.reported(row, Report(utilisation), 0.0)
    >>> state.advance(1.0)
    >>> [round(weight, 6) for weight in state.weights([0, 1], [1.0, 1.0])]
    [1.15, 0.85]
    """

    proportional: float = PROPORTIONAL
    integral: float = INTEGRAL
    derivative: float = DERIVATIVE
    hot: float = HOT
    expiry: float = EXPIRY
    period: float = PERIOD
    errors: float = ERRORS
    most: float = MOST

    def __post_init__(self) -> None:
        for gain in ("proportional", "integral", "derivative"):
            check_real(gain, getattr(self, gain), low=0.0, high=10.0)
        check_real("hot", self.hot, low=0.0, open_low=True)
        check_real("expiry", self.expiry, low=0.0, open_low=True)
        check_real("period", self.period, low=1e-3, high=1e9)
        check_real("errors", self.errors, low=0.0, high=1e9)
        check_real("most", self.most, low=1.0, high=1e6)

    def start(self) -> ReportWeights:
        """A new state, without reports."""
        return ReportWeights(self, Controlling(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> PidWeights:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


class Controller:
    """One backend's: its weight over the configured one, its utilisation and errors, and when it reported (seconds)."""

    __slots__ = ("before", "came", "fresh", "sum", "used", "worth")

    def __init__(self) -> None:
        self.worth, self.used, self.before, self.sum, self.came, self.fresh = 1.0, 0.0, 0.0, 0.0, 0.0, False


class Controlling:
    """The controllers of `PidWeights`, by row."""

    def __init__(self, spec: PidWeights) -> None:
        self.spec = spec
        self.rows: dict[int, Controller] = {}

    def hear(self, row: int, report: Report, now: float) -> None:
        """A report came in."""
        one = self.rows.setdefault(row, Controller())
        share = min(report.eps / report.qps, 1.0) if report.qps > 0.0 else 0.0
        one.used, one.came, one.fresh = report.utilisation + self.spec.errors * share, now, True

    def step(self, now: float) -> None:
        """All controllers of whom there is news move."""
        self.rows = {row: one for row, one in self.rows.items() if now - one.came < self.spec.expiry}
        known = [one for one in self.rows.values() if not math.isnan(one.used)]  # NaN: restored, and not yet heard of
        if len(known) < 2:
            return
        mean = math.fsum(one.used for one in known) / len(known)
        frozen = mean == 0.0 or min(one.used for one in known) >= self.spec.hot
        for one in known:
            if one.fresh and not frozen:
                self._move(one, (mean - one.used) / mean)
            one.fresh = False
        if not frozen:
            scale = math.fsum(one.worth for one in known) / len(known)
            for one in known:
                one.worth /= scale

    def _move(self, one: Controller, error: float) -> None:
        spec = self.spec
        one.sum = min(max(one.sum + error, -WINDUP), WINDUP)
        out = spec.proportional * error + spec.integral * one.sum + spec.derivative * (error - one.before)
        one.before = error
        one.worth = min(max(one.worth * min(max(1.0 + out, FALL), RISE), 1.0 / spec.most), spec.most)

    def weight(self, row: int, configured: float) -> float | None:
        """The weight of a row, None if it is not known."""
        one = self.rows.get(row)
        return None if one is None else configured * one.worth

    def forget(self, row: int) -> None:
        """Nothing was heard of this row."""
        self.rows.pop(row, None)

    def snapshot(self, now: float) -> list[list[float]]:
        """Row, weight over the configured one, and how long ago its last report was (seconds)."""
        return [[row, one.worth, now - one.came] for row, one in self.rows.items()]

    def restore(self, rows: Any, now: float) -> None:
        """Know what a snapshot says, and nothing else; controllers begin anew from there."""
        known = dict[int, Controller]()
        for row, worth, age in checked_rows(rows, 3):
            known[row] = one = Controller()
            one.worth, one.came = check_real(ROWS, worth, low=0.0, open_low=True), now - age
            one.used = math.nan
        self.rows = known
