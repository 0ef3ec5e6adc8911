"""The parameters of gRPC's outlier detection and the two rules that judge a finished interval; see `outlier`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_duration
from lbalgo.spec import check_integer, to_dict

UINT32 = 2**32 - 1


@dataclass(frozen=True)
class SuccessRateEjection:
    """Ejects endpoints whose success rate is far below the mean of all.

    Parameters
    ----------
    stdev_factor : thousandths of a (population) standard deviation below the mean that are too far, a uint32.
    enforcement_percentage : percent of its verdicts that are carried out, 0 to 100.
    minimum_hosts : fewest endpoints with enough volume for a verdict, a uint32.
    request_volume : fewest calls in an interval for an endpoint to be looked at, a uint32; 0 is as 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: gRPC A50.
    """

    stdev_factor: int = 1900
    enforcement_percentage: int = 100
    minimum_hosts: int = 5
    request_volume: int = 100

    def __post_init__(self) -> None:
        check_integer("stdev_factor", self.stdev_factor, low=0, high=UINT32)
        check_integer("enforcement_percentage", self.enforcement_percentage, low=0, high=100)
        check_integer("minimum_hosts", self.minimum_hosts, low=0, high=UINT32)
        check_integer("request_volume", self.request_volume, low=0, high=UINT32)

    def failing(self, counts: Sequence[tuple[int, int]]) -> Callable[[int, int], bool] | None:
        """Which (successes, failures) make an outlier among these, all of enough volume; None if too few have it."""
        if len(counts) < self.minimum_hosts or not counts:
            return None
        rates = [good / (good + bad) for good, bad in counts]
        mean = math.fsum(rates) / len(rates)
        deviation = math.sqrt(math.fsum((rate - mean) ** 2 for rate in rates) / len(rates))
        least = mean - deviation * (self.stdev_factor / 1000)
        return lambda good, bad: good / (good + bad) < least

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class FailurePercentageEjection:
    """Ejects endpoints that failed more than `threshold` percent of their calls.

    Parameters
    ----------
    threshold : percent, 0 to 100; at it nobody is ejected yet.
    enforcement_percentage : percent of its verdicts that are carried out, 0 to 100; 100 is the default here, while a
        cluster from xDS that does not set it has the whole detector off.
    minimum_hosts : fewest endpoints with enough volume for a verdict, a uint32.
    request_volume : fewest calls in an interval for an endpoint to be looked at, a uint32; 0 is as 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: gRPC A50, algorithm (its field comment says "greater than or equal").
    """

    threshold: int = 85
    enforcement_percentage: int = 100
    minimum_hosts: int = 5
    request_volume: int = 50

    def __post_init__(self) -> None:
        check_integer("threshold", self.threshold, low=0, high=100)
        check_integer("enforcement_percentage", self.enforcement_percentage, low=0, high=100)
        check_integer("minimum_hosts", self.minimum_hosts, low=0, high=UINT32)
        check_integer("request_volume", self.request_volume, low=0, high=UINT32)

    def failing(self, counts: Sequence[tuple[int, int]]) -> Callable[[int, int], bool] | None:
        """Which (successes, failures) make an outlier; None if too few endpoints have enough volume."""
        if len(counts) < self.minimum_hosts or not counts:
            return None
        return lambda good, bad: 100 * bad > self.threshold * (good + bad)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class OutlierRules:
    """The parameters of an `OutlierDetection`, as it describes itself."""

    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_time: float = 300.0
    max_ejection_percent: int = 10
    success_rate_ejection: SuccessRateEjection | None = None
    failure_percentage_ejection: FailurePercentageEjection | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_duration("interval", self.interval)
        check_duration("base_ejection_time", self.base_ejection_time, zero=True)
        check_duration("max_ejection_time", self.max_ejection_time, zero=True)
        check_integer("max_ejection_percent", self.max_ejection_percent, low=0, high=100)
        for name, kind in (
            ("success_rate_ejection", SuccessRateEjection),
            ("failure_percentage_ejection", FailurePercentageEjection),
        ):
            if not isinstance(getattr(self, name), (kind, type(None))):
                raise ConfigError(name, getattr(self, name), f"must be a {kind.__name__}, or None")
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)
