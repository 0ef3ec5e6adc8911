"""Tests instead of thresholds: how many failures are more than chance, with the chance of a false ejection stated.

`Statistical` asks of a finished interval how likely a backend with an acceptable failure rate would have failed that
often: the exact tail of the binomial distribution. Acceptable is what the pool bears anyway, the median backend's rate
times a factor, and never less than a tolerated rate. A backend is an outlier if its tail is at most
`false_ejections / tests`, so that all tests of an interval together eject an acceptable backend with at most that
probability (Bonferroni). The median is not moved by what the worst backends do, until they are half of the pool; a mean
less k deviations is blind from 21.7 % on (see `SuccessRate`).

`Sequential` does not wait for the interval. With every outcome it moves a sum by the logarithm of how much likelier the
outcome is for a failing backend than for a healthy one, until the sum reaches the upper bound ln((1 - missed) /
false_ejection), which ejects, or the lower one ln(missed / (1 - false_ejection)), which begins a new test. Wald: a test
of a healthy backend ejects it with probability at most false_ejection / (1 - missed), and no test with those error
rates needs fewer requests on average.

Costs: `Statistical` O(N) tails a tick and nothing on the way of a request; `Sequential` some microseconds an
outcome, in Python, and one number a backend.
Source: Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Stat. 16 (1945).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.estimators.tails import binomial_tail
from lbalgo.signals.detectors import ENFORCEMENT
from lbalgo.signals.watching import ERRORS, FALSE_EJECTIONS
from lbalgo.spec import check_integer, check_real, to_dict
from lbalgo.types import Outcome

TOLERATED = 0.01  # ours: one request in a hundred is nobody's reason to eject
FACTOR = 2.0  # ours: twice the median backend; without it a busy pool ejects for differences that do not matter
VOLUME = 10  # ours: fewer responses make no rate for the median; what they prove the test itself knows
HOSTS = 3  # ours: of two, nobody can say which is the odd one
HEALTHY, FAILING = 0.05, 0.5  # ours: what to live with, and what to find
FALSE, MISSED = 1e-6, 0.01  # ours: with these rates a test ends after some ten requests


@dataclass(frozen=True)
class Statistical:
    """Names the backends that failed more often than chance explains, by an exact binomial test against the pool.

    Parameters
    ----------
    false_ejections : most false ejections in an interval, on average, > 0 and <= 1; the default is one a day.
    tolerated : failure rate that is acceptable in any pool, in (0, 1).
    factor : multiple of the median backend's failure rate that is acceptable, >= 1.
    minimum_hosts : fewest backends with enough traffic for a verdict, >= 2.
    request_volume : fewest responses in an interval for a backend to be looked at, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    The budget is exact for backends whose true failure rate is at most `tolerated`; above it the median is itself an
    estimate, for whose error the factor leaves room.

    Costs: O(N) tails and a sort a tick, nothing on the way of a request.
    Source: the exact binomial test; Bonferroni's inequality.

    Examples
    --------
    >>> detector = Statistical()
    >>> detector.outliers([100, 99, 98, 91], [100] * 4), detector.outliers([50, 50, 100, 100], [100] * 4)
    ([], [0, 1])
    """

    false_ejections: float = FALSE_EJECTIONS
    tolerated: float = TOLERATED
    factor: float = FACTOR
    minimum_hosts: int = HOSTS
    request_volume: int = VOLUME
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("false_ejections", self.false_ejections, low=0.0, high=1.0, open_low=True)
        check_real("tolerated", self.tolerated, low=0.0, high=1.0, open_low=True)
        check_real("factor", self.factor, low=1.0)
        check_integer("minimum_hosts", self.minimum_hosts, low=2)
        check_integer("request_volume", self.request_volume, low=1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def acceptable(self, rates: Sequence[float]) -> float:
        """The failure rate up to which a backend is acceptable in a pool of these rates, which are not empty."""
        return min(1.0, max(self.tolerated, self.factor * lower_median(rates)))

    def outliers(self, successes: Sequence[int], totals: Sequence[int]) -> list[int]:
        """Positions of the backends that failed too often; none when too few had enough traffic."""
        heard = [i for i, total in enumerate(totals) if total >= self.request_volume]
        if len(heard) < self.minimum_hosts:
            return []
        rates = [(totals[i] - successes[i]) / totals[i] for i in heard]
        bound, alpha = self.acceptable(rates), self.false_ejections / len(heard)
        return [
            i
            for i, rate in zip(heard, rates, strict=True)
            if rate > bound and binomial_tail(totals[i] - successes[i], totals[i], bound) <= alpha
        ]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


def lower_median(values: Sequence[float]) -> float:
    """The lower of the middle values: that of a good backend as long as at most half are bad."""
    return sorted(values)[(len(values) - 1) // 2]


@dataclass(frozen=True)
class Sequential:
    """Speaks when the outcomes so far decide, by Wald's sequential test, that a backend is failing, not healthy.

    Parameters
    ----------
    healthy : failure rate of a backend to be kept, in (0, 1).
    failing : failure rate of a backend to be ejected, above `healthy` and below 1.
    false_ejection : chance that a test of a healthy backend ends in its ejection, in (0, 1).
    missed : chance that a test of a failing one ends without, in (0, 1).
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range, or false_ejection + missed is not below 1.

    Costs: watches every outcome in Python; one number a backend.
    Source: Wald, Ann. Math. Stat. 16 (1945).

    Examples
    --------
    >>> test = Sequential(healthy=0.01, failing=0.1, false_ejection=1e-3, missed=1e-3)
    >>> [round(x, 3) for x in (test.failure, test.success, test.upper, test.lower)]
    [2.303, -0.095, 6.907, -6.907]
    """

    healthy: float = HEALTHY
    failing: float = FAILING
    false_ejection: float = FALSE
    missed: float = MISSED
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("healthy", self.healthy, low=0.0, high=1.0, open_low=True)
        check_real("failing", self.failing, low=self.healthy, high=1.0, open_low=True)
        if self.failing == 1.0:
            raise ConfigError("failing", self.failing, "must be below 1")
        check_real("false_ejection", self.false_ejection, low=0.0, high=1.0, open_low=True)
        check_real("missed", self.missed, low=0.0, high=1.0, open_low=True)
        if not self.false_ejection + self.missed < 1.0:
            raise ConfigError("missed", self.missed, "must be below 1 - false_ejection")
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    @property
    def failure(self) -> float:
        """What a failure adds: the logarithm of the likelihood ratio."""
        return math.log(self.failing / self.healthy)

    @property
    def success(self) -> float:
        """What a success adds, a negative number."""
        return math.log((1.0 - self.failing) / (1.0 - self.healthy))

    @property
    def upper(self) -> float:
        """The sum that ejects."""
        return math.log((1.0 - self.missed) / self.false_ejection)

    @property
    def lower(self) -> float:
        """The sum that ends a test without."""
        return math.log(self.missed / (1.0 - self.false_ejection))

    def watch(self, now: int) -> SequentialWatch:
        """A new test."""
        return SequentialWatch(self)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class SequentialWatch:
    """The sum of a running test."""

    __slots__ = ("_failure", "_lower", "_success", "_upper", "sum")

    def __init__(self, test: Sequential) -> None:
        self._failure, self._success, self._upper, self._lower = test.failure, test.success, test.upper, test.lower
        self.sum = 0.0

    def observe(self, outcome: Outcome, latency: float | None, now: int) -> bool:
        """Move the sum; whether it has reached the upper bound."""
        self.sum += self._failure if outcome in ERRORS else self._success
        failing = self.sum >= self._upper
        if failing or self.sum <= self._lower:
            self.sum = 0.0  # decided: what comes is another test
        return failing

    def restart(self, now: int, readmitted: bool) -> None:
        """Begin a new test."""
        self.sum = 0.0

    def snapshot(self, now: int) -> dict[str, Any]:
        """The state as plain data."""
        return {"type": "Sequential", "sum": self.sum}

    def restore(self, state: Mapping[str, Any], now: int) -> None:
        """Go on from a snapshot; a sum beyond the bounds, which may have been others then, is one failure short."""
        total = check_real("state['sum']", check_state("Sequential", state, "sum")["sum"])
        if total >= self._upper:
            total = math.nextafter(self._upper - self._failure, math.inf)  # the difference may be rounded down
        self.sum = max(total, self._lower)
