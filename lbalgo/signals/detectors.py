"""Detectors: what makes a backend an outlier. Which of them may be ejected, and for how long, `OutlierEjection` says.

Three kinds. *Counting* detectors look at runs of errors and speak at once, when the run reaches a threshold. *Judging*
detectors look at a finished interval as a whole and name the outliers among the backends that had traffic. *Watching*
detectors see more than counts, at a cost: `lbalgo.signals.watching`.

What counts, after Envoy with its split of external and local errors off: SERVER_ERROR, GATEWAY_ERROR, LOCAL_ERROR and
TIMEOUT are errors; of these GATEWAY_ERROR, LOCAL_ERROR (Envoy's 503) and TIMEOUT (its 504) are gateway errors. SUCCESS
and OVERLOADED (429: the backend answers, and tells the truth) are successes. CANCELLED says nothing.

Envoy ships some detectors with an enforcement of 0 %, which is its way to have them off; here a detector that is not
listed is off, and one that is listed acts.
Source: Envoy, "Outlier detection"; gRPC proposal A50 for the two that judge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from lbalgo.signals.watching import Watching
from lbalgo.spec import check_integer, check_real, to_dict

CONSECUTIVE = 5  # Envoy: consecutive_5xx and consecutive_gateway_failure
MINIMUM_HOSTS = 5  # Envoy: success_rate_minimum_hosts and failure_percentage_minimum_hosts
SUCCESS_VOLUME = 100  # Envoy: success_rate_request_volume
STDEV_FACTOR = 1.9  # Envoy: success_rate_stdev_factor, 1900 thousandths
FAILURE_THRESHOLD = 85.0  # Envoy: failure_percentage_threshold
FAILURE_VOLUME = 50  # Envoy: failure_percentage_request_volume
ENFORCEMENT = 100.0


@runtime_checkable
class Judging(Protocol):
    """A detector that looks at a finished interval as a whole."""

    @property
    def enforcement(self) -> float:
        """Percent of its verdicts that are carried out."""
        ...

    def outliers(self, successes: Sequence[int], totals: Sequence[int]) -> list[int]:
        """Positions of the outliers, given what each admitted backend with traffic did (totals are positive)."""
        ...


@dataclass(frozen=True)
class ConsecutiveErrors:
    """Speaks when a backend has failed `threshold` times in a row.

    Parameters
    ----------
    threshold : length of the run, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy, consecutive_5xx. A healthy backend that fails with probability p is suspected p**threshold of the
    time; one that fails every second request is hardly ever caught.

    Examples
    --------
    >>> ConsecutiveErrors(3)
    ConsecutiveErrors(threshold=3, enforcement=100.0)
    """

    threshold: int = CONSECUTIVE
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_integer("threshold", self.threshold, low=1, high=2**63 - 1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class ConsecutiveGatewayErrors:
    """Speaks when a backend could not be reached, or its gateway failed, `threshold` times in a row.

    Parameters
    ----------
    threshold : length of the run, >= 1; an error of another kind ends it, as a success does.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy, consecutive_gateway_failure.
    """

    threshold: int = CONSECUTIVE
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_integer("threshold", self.threshold, low=1, high=2**63 - 1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class SuccessRate:
    """Names the backends whose success rate is far below the mean of all, measured in standard deviations.

    Parameters
    ----------
    minimum_hosts : fewest backends with enough traffic for a verdict, >= 1.
    request_volume : fewest responses in an interval for a backend to be looked at, >= 1.
    stdev_factor : how many (population) standard deviations below the mean are too far, >= 0.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Masking: k of n backends failing alike stand sqrt((n - k) / k) deviations below the mean, however badly they fail;
    with the factor c all are spared once k / n reaches 1 / (1 + c**2), 21.7 % for 1.9.
    Source: Envoy, success_rate_*; gRPC A50.

    Examples
    --------
    >>> SuccessRate(request_volume=10).outliers([10, 10, 10, 10, 5], [10, 10, 10, 10, 10])
    [4]
    >>> SuccessRate().threshold([100.0, 100.0, 100.0, 100.0, 50.0])
    52.0
    """

    minimum_hosts: int = MINIMUM_HOSTS
    request_volume: int = SUCCESS_VOLUME
    stdev_factor: float = STDEV_FACTOR
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_integer("minimum_hosts", self.minimum_hosts, low=1)
        check_integer("request_volume", self.request_volume, low=1)
        check_real("stdev_factor", self.stdev_factor, low=0.0)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def threshold(self, rates: Sequence[float]) -> float:
        """The success rate in percent below which a backend is an outlier among `rates`, which are not empty.

        Computed from the distances to the best rate, summed exactly: the order of the backends does not show, and
        equal rates have no outlier whatever the factor.
        """
        best, n = max(rates), len(rates)
        gaps = [best - rate for rate in rates]
        mean = math.fsum(gaps) / n
        deviation = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / n)
        return best - (mean + self.stdev_factor * deviation)

    def outliers(self, successes: Sequence[int], totals: Sequence[int]) -> list[int]:
        """Positions of the backends below the threshold; none when too few had enough traffic."""
        heard = [i for i, total in enumerate(totals) if total >= self.request_volume]
        if len(heard) < self.minimum_hosts:
            return []
        rates = [success_rate(successes[i], totals[i]) for i in heard]
        low = self.threshold(rates)
        return [i for i, rate in zip(heard, rates, strict=True) if rate < low]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


@dataclass(frozen=True)
class FailurePercentage:
    """Names the backends that failed at least `threshold` percent of their requests in an interval.

    Parameters
    ----------
    threshold : percent of failures, in (0, 100].
    minimum_hosts : fewest backends with enough traffic for a verdict, >= 1.
    request_volume : fewest responses in an interval for a backend to be looked at, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy, failure_percentage_*; gRPC A50 (whose text asks for more than the threshold; Envoy for as much).

    Examples
    --------
    >>> FailurePercentage(50, minimum_hosts=2, request_volume=10).outliers([5, 6, 0], [10, 10, 9])
    [0]
    """

    threshold: float = FAILURE_THRESHOLD
    minimum_hosts: int = MINIMUM_HOSTS
    request_volume: int = FAILURE_VOLUME
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("threshold", self.threshold, low=0.0, high=100.0, open_low=True)
        check_integer("minimum_hosts", self.minimum_hosts, low=1)
        check_integer("request_volume", self.request_volume, low=1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def outliers(self, successes: Sequence[int], totals: Sequence[int]) -> list[int]:
        """Positions of the backends at or over the threshold; none when too few had enough traffic."""
        heard = [i for i, total in enumerate(totals) if total >= self.request_volume]
        if len(heard) < self.minimum_hosts:
            return []
        return [i for i in heard if 100.0 - success_rate(successes[i], totals[i]) >= self.threshold]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


Detector: TypeAlias = ConsecutiveErrors | ConsecutiveGatewayErrors | Judging | Watching


def success_rate(successes: int, total: int) -> float:
    """Percent of the responses that were successes; there was at least one response."""
    return 100.0 * successes / total
