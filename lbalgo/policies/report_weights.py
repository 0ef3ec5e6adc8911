"""How reports become weights: two rules, each with the live state that hears the reports.

`OrcaWeights`: a weight is what a backend could serve if it were full, requests a second over utilisation, errors
counting as utilisation. It is an open loop: each report is a measurement by itself, whatever the weights were.

`PidWeights`: a closed loop. Each backend has a controller that compares its utilisation with the mean of all and moves
its weight so that the two meet. It needs no request rate, and it is right where requests are not alike, where a
backend does other work too, or where many clients choose: it does not ask why a backend is busier than the others.
Where all are *hot* it stands still: then nothing that weights can do would help, and differences among the saturated
are noise.

A controller's step, with e = (mean - own) / mean, is

    weight *= 1 + proportional * e + integral * sum(e) + derivative * (e - e before)

at most by half up and a third down, after which weights are scaled to keep their mean. The step is relative, so that
weights stay positive, and it adds up, so that the proportional part alone leaves no error.

Both publish new weights every `period`, in steps counted from the first report, and bound a weight to `most` times the
mean and its inverse, so that no report, however wrong, takes a backend out or gives it everything. Of whom nothing
counts (no report, not yet for `blackout`, not for `expiry`) the weight is the configured one times what the others
are, on average, worth more than theirs; with fewer than two known weights all have the configured ones.

Costs: O(1) a report, O(N) a period; memory 300 bytes a backend.
Sources: gRPC A58 (weight, blackout, expiry, period), grpc-java (bounds of 10 and a tenth); Dropbox, "What's new with
Robinhood, our in-house load balancing service", 2024 (a PID controller a node, the mean as its set point, its output
the change of the weight; no formula, no gains); Cloudflare's Unimog (stand still where all are saturated). The relative
step and the constants of the controller are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.walked import OpenRequests
from lbalgo.report import Report
from lbalgo.spec import check_real, check_row, from_dict, to_dict
from lbalgo.types import Outcome

BLACKOUT, EXPIRY, PERIOD, ERRORS = 10.0, 180.0, 1.0, 1.0  # gRPC's; seconds
MOST = 10.0  # times the mean; grpc-java's, and its inverse
PROPORTIONAL, INTEGRAL, DERIVATIVE = 0.3, 0.0, 0.0  # ours: a third of the error in a period
STALE = 10.0  # seconds after which a report is no part of the mean; ours
HOT = 0.9  # utilisation; ours
ROWS = "state['rows']"
RISE, FALL, WINDUP = 1.5, 1 / 1.5, 1.0  # bounds of a step and of the sum of errors


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
    expiry: float = STALE
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
        for row, weight, came, since in _checked(rows, 4):
            known[row] = check_real(ROWS, weight, low=0.0, open_low=True), now - came, now - max(came, since)
        self.rows = known
        self.step(now)


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
        for row, worth, age in _checked(rows, 3):
            known[row] = one = Controller()
            one.worth, one.came = check_real(ROWS, worth, low=0.0, open_low=True), now - age
            one.used = math.nan
        self.rows = known


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

    def __init__(self, spec: Any, rule: Measuring | Controlling) -> None:
        self.spec, self.rule, self.version = spec, rule, 0
        self._open = OpenRequests()
        self._due = math.inf
        self._made: dict[int, float] = {}

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        self._open.started(row, cost, now)
        self._publish()

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """A request to the backend in `row` ended at `now` (seconds)."""
        self._open.finished(row, outcome, latency, now)
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


def _checked(rows: Any, size: int) -> list[Any]:
    """Rows of a snapshot: a row's number, and numbers >= 0."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) and len(row) == size for row in rows):
        raise ConfigError(ROWS, rows, f"must be rows of {size} numbers")
    return [[check_row(row[0], ROWS), *(check_real(ROWS, x, low=0.0) for x in row[1:])] for row in rows]
