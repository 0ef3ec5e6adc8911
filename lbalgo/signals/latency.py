"""`LatencyQuantile`: a backend that answers, but whose slow requests are far slower than those of the pool.

A backend can be an outlier without one error. Each interval every backend's latencies go into a histogram of fixed
relative error. The pool's quantile is the lower median of the backends' quantiles, not the quantile of all requests
together: if one of ten backends is slow, its requests *are* the slowest tenth of the pool, and it would be compared
with itself.

The 0.99-quantile of a hundred requests is little more than their maximum, so a rule that only compares quantiles ejects
at random. Here a backend is an outlier if its quantile exceeds `multiple` times the pool's, and the number of its
requests beyond that bound is more than chance explains: of a backend as fast as the pool a share of at most
1 - quantile lies beyond, which makes it an exact binomial test with a budget of false ejections, as in `Statistical`.

What counts: SUCCESS, OVERLOADED, and TIMEOUT, whose latency is a lower bound. Other errors are quick or slow for
reasons of their own, and a backend that fails fast is not a fast one.

Costs: an outcome some microseconds in Python; a tick O(N * buckets); memory 1.7 kB a backend.
Source: the test is the sign test for quantiles, Conover, *Practical Nonparametric Statistics*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators import LogHistogram, binomial_tail
from lbalgo.estimators.state import check_state
from lbalgo.signals.detectors import ENFORCEMENT
from lbalgo.signals.statistical import lower_median
from lbalgo.signals.watching import FALSE_EJECTIONS
from lbalgo.spec import check_integer, check_real, to_dict
from lbalgo.types import Outcome

QUANTILE = 0.99
MULTIPLE = 2.0  # ours: beyond the 4.4 % of the histogram and the noise of a median by far
HOSTS = 3  # ours: of two, nobody can say which is the odd one
VOLUME = 20  # ours: fewer make no quantile for the median; what they prove the test itself knows
COUNTED = frozenset({Outcome.SUCCESS, Outcome.OVERLOADED, Outcome.TIMEOUT})


@dataclass(frozen=True)
class LatencyQuantile:
    """Names the backends whose latency quantile exceeds a multiple of the pool's, beyond what chance explains.

    Parameters
    ----------
    quantile : which one, in (0, 1).
    multiple : how many times the pool's quantile is too slow, > 1.
    false_ejections : most false ejections in an interval, on average, > 0 and <= 1; the default is one a day.
    minimum_hosts : fewest backends with enough traffic for a verdict, >= 2.
    request_volume : fewest latencies in an interval for a backend to be looked at, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: watches every outcome in Python, some microseconds each; 1.7 kB a backend.
    Source: the sign test for quantiles; `LogHistogram`.

    Examples
    --------
    >>> detector = LatencyQuantile(0.9)
    >>> watches = [detector.watch(0) for _ in range(4)]
    >>> for watch, seconds in zip(watches, (0.01, 0.01, 0.011, 0.05)):
    ...     for _ in range(50):
    ...         _ = watch.observe(Outcome.SUCCESS, seconds, 0)
    >>> [position for position, _ in detector.compare(watches)]
    [3]
    """

    quantile: float = QUANTILE
    multiple: float = MULTIPLE
    false_ejections: float = FALSE_EJECTIONS
    minimum_hosts: int = HOSTS
    request_volume: int = VOLUME
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("quantile", self.quantile, low=0.0, high=1.0, open_low=True)
        if self.quantile == 1.0:
            raise ConfigError("quantile", self.quantile, "must be below 1")
        check_real("multiple", self.multiple, low=1.0, open_low=True)
        check_real("false_ejections", self.false_ejections, low=0.0, high=1.0, open_low=True)
        check_integer("minimum_hosts", self.minimum_hosts, low=2)
        check_integer("request_volume", self.request_volume, low=1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def watch(self, now: int) -> LatencyWatch:
        """An empty histogram."""
        return LatencyWatch()

    def compare(self, watches: Sequence[LatencyWatch]) -> list[tuple[int, float]]:
        """The outliers among the backends with enough latencies: position, and quantile over the pool's."""
        heard = [(i, w.latencies) for i, w in enumerate(watches) if w.latencies.count >= self.request_volume]
        if len(heard) < self.minimum_hosts:
            return []
        quantiles = [histogram.quantile(self.quantile) or 0.0 for _, histogram in heard]
        pool = lower_median(quantiles)
        bound, alpha = self.multiple * pool, self.false_ejections / len(heard)
        return [
            (i, quantile / pool)
            for (i, histogram), quantile in zip(heard, quantiles, strict=True)
            if quantile > bound
            and binomial_tail(histogram.at_least(bound), histogram.count, 1.0 - self.quantile) <= alpha
        ]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class LatencyWatch:
    """The latencies of one backend in the running interval."""

    __slots__ = ("latencies",)

    def __init__(self) -> None:
        self.latencies = LogHistogram()

    def observe(self, outcome: Outcome, latency: float | None, now: int) -> bool:
        """Count the latency; False, as verdicts are for the tick."""
        if latency is not None and outcome in COUNTED:
            self.latencies.add(latency)
        return False

    def rotate(self) -> None:
        """Begin a new interval."""
        self.latencies.clear()

    def restart(self, now: int, readmitted: bool) -> None:
        """Begin anew."""
        self.latencies.clear()

    def snapshot(self, now: int) -> dict[str, Any]:
        """The state as plain data."""
        return {"type": "LatencyQuantile", "latencies": self.latencies.snapshot()}

    def restore(self, state: Mapping[str, Any], now: int) -> None:
        """Go on from a snapshot."""
        self.latencies.restore(check_state("LatencyQuantile", state, "latencies")["latencies"])
