"""Envoy's outlier detection: its settings, its kinds of events, and what it is told.

`lbalgo.compat.envoy.outlier_detector` has the machine. Everything here is data.

Source: Envoy 1.40 documentation, "Outlier detection"; `config.cluster.v3.OutlierDetection` (names and defaults) and
`data.cluster.v3.OutlierDetectionEvent`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from lbalgo.signals.timeline import check_duration
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict

MAX_EJECTION_TIME = 300.0  # seconds; Envoy's default, or the base time if that is longer
U32 = 2**32 - 1


class EjectionType(enum.Enum):
    """What a host was ejected for, by Envoy's names.

    Examples
    --------
    >>> EjectionType.CONSECUTIVE_5XX.stat
    'consecutive_5xx'
    """

    CONSECUTIVE_5XX = "consecutive_5xx"
    CONSECUTIVE_GATEWAY_FAILURE = "consecutive_gateway_failure"
    SUCCESS_RATE = "success_rate"
    CONSECUTIVE_LOCAL_ORIGIN_FAILURE = "consecutive_local_origin_failure"
    SUCCESS_RATE_LOCAL_ORIGIN = "local_origin_success_rate"
    FAILURE_PERCENTAGE = "failure_percentage"
    FAILURE_PERCENTAGE_LOCAL_ORIGIN = "local_origin_failure_percentage"
    DEGRADED = "degradation"

    @property
    def stat(self) -> str:
        """How the counters `ejections_detected_…` and `ejections_enforced_…` go on."""
        return self.value


class Action(enum.Enum):
    """What happened to the host.

    Examples
    --------
    >>> Action.EJECT.name
    'EJECT'
    """

    EJECT = "eject"
    UNEJECT = "uneject"


class Result(enum.Enum):
    """How a request ended, as Envoy's detector is told; `LOCAL_…` without an answer from the host.

    Examples
    --------
    >>> Result.LOCAL_ORIGIN_TIMEOUT.code
    504
    """

    LOCAL_ORIGIN_CONNECT_SUCCESS = None
    LOCAL_ORIGIN_TIMEOUT = 504
    LOCAL_ORIGIN_CONNECT_FAILED = 503

    @property
    def code(self) -> int | None:
        """The status that stands for it where local errors are not split off; None stands for nothing."""
        code: int | None = self.value
        return code


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, for `OutlierDetector.reported` (and so for `Balancer.report`).

    Parameters
    ----------
    code : HTTP status, 100 to 599.
    degraded : whether it carried the header `x-envoy-degraded`.

    Raises
    ------
    ConfigError : the code is no status.

    Examples
    --------
    >>> HttpResponse(200, degraded=True).code
    200
    """

    code: int
    degraded: bool = False

    def __post_init__(self) -> None:
        check_integer("code", self.code, low=100, high=599)
        check_bool("degraded", self.degraded)


@dataclass(frozen=True, slots=True)
class OutlierEvent:
    """A line of Envoy's outlier event log.

    Attributes
    ----------
    now : seconds.
    id : the host.
    type : the detector; on UNEJECT always CONSECUTIVE_5XX, the default of Envoy's enum.
    action : EJECT or UNEJECT.
    enforced : whether the host was in fact ejected; True on UNEJECT.
    num_ejections : of this host so far, this one included.
    host_success_rate : percent, truncated, where a rate decided; else None.
    cluster_average_success_rate, cluster_success_rate_ejection_threshold : the same, where success rates were compared.
    secs_since_last_action : whole seconds since the opposite action; None if there was none.
    """

    now: float
    id: str
    type: EjectionType
    action: Action
    enforced: bool
    num_ejections: int
    host_success_rate: int | None = None
    cluster_average_success_rate: int | None = None
    cluster_success_rate_ejection_threshold: int | None = None
    secs_since_last_action: int | None = None


@dataclass(frozen=True)
class OutlierDetection:
    """Envoy's `outlier_detection`, by its names and with its defaults.

    Parameters
    ----------
    consecutive_5xx, consecutive_gateway_failure, consecutive_local_origin_failure : runs that eject; 0 disables.
    interval : seconds from tick to tick.
    base_ejection_time : seconds, times the backoff of the host.
    max_ejection_time : seconds no ejection exceeds, jitter aside; None is 300 or the base time if that is longer.
    max_ejection_time_jitter : seconds; a random whole number of milliseconds up to this is added.
    max_ejection_percent : most hosts out at a time.
    always_eject_one_host : whether one may be out however few hosts there are.
    success_rate_minimum_hosts, success_rate_request_volume : hosts with that many requests in an interval needed.
    success_rate_stdev_factor : thousandths of a standard deviation below the mean at which a host is out.
    failure_percentage_minimum_hosts, failure_percentage_request_volume, failure_percentage_threshold : likewise, by
        percent of failures.
    enforcing_consecutive_5xx, enforcing_consecutive_gateway_failure, enforcing_consecutive_local_origin_failure,
    enforcing_success_rate, enforcing_local_origin_success_rate, enforcing_failure_percentage,
    enforcing_failure_percentage_local_origin : percent of verdicts carried out.
    split_external_local_origin_errors : whether what happens without an answer of the host is judged apart.
    successful_active_health_check_uneject_host : whether a passed health check ends an ejection.
    detect_degraded_hosts : whether a response marked as degraded degrades its host.
    quirks : whether to go wrong where Envoy does; see `OutlierDetector`.
    seed : of enforcement and jitter, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy 1.40, `config.cluster.v3.OutlierDetection`.

    Examples
    --------
    >>> OutlierDetection(base_ejection_time=400.0).longest
    400.0
    """

    consecutive_5xx: int = 5
    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_percent: int = 10
    enforcing_consecutive_5xx: int = 100
    enforcing_success_rate: int = 100
    success_rate_minimum_hosts: int = 5
    success_rate_request_volume: int = 100
    success_rate_stdev_factor: int = 1900
    consecutive_gateway_failure: int = 5
    enforcing_consecutive_gateway_failure: int = 0
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failure: int = 5
    enforcing_consecutive_local_origin_failure: int = 100
    enforcing_local_origin_success_rate: int = 100
    failure_percentage_threshold: int = 85
    enforcing_failure_percentage: int = 0
    enforcing_failure_percentage_local_origin: int = 0
    failure_percentage_minimum_hosts: int = 5
    failure_percentage_request_volume: int = 50
    max_ejection_time: float | None = None
    max_ejection_time_jitter: float = 0.0
    successful_active_health_check_uneject_host: bool = True
    always_eject_one_host: bool = False
    detect_degraded_hosts: bool = False
    quirks: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            percent = field.name.startswith("enforcing_") or field.name in (
                "max_ejection_percent",
                "failure_percentage_threshold",
            )
            if field.type == "bool":
                check_bool(field.name, value)
            elif percent:
                check_integer(field.name, value, low=0, high=100)
            elif field.name == "seed":
                check_integer("seed", value, low=0, high=2**64 - 1)
            elif field.type == "int":
                check_integer(field.name, value, low=0, high=U32)
        check_duration("interval", self.interval)
        check_duration("base_ejection_time", self.base_ejection_time)
        if self.max_ejection_time is not None:
            check_duration("max_ejection_time", self.max_ejection_time)
        check_duration("max_ejection_time_jitter", self.max_ejection_time_jitter, zero=True)

    @property
    def longest(self) -> float:
        """Seconds no ejection exceeds, jitter aside."""
        return (
            max(MAX_EJECTION_TIME, self.base_ejection_time)
            if self.max_ejection_time is None
            else self.max_ejection_time
        )

    def enforcing(self, kind: EjectionType) -> int:
        """Percent of the verdicts of one kind that are carried out.

        Examples
        --------
        >>> OutlierDetection().enforcing(EjectionType.FAILURE_PERCENTAGE)
        0
        """
        return {
            EjectionType.CONSECUTIVE_5XX: self.enforcing_consecutive_5xx,
            EjectionType.CONSECUTIVE_GATEWAY_FAILURE: self.enforcing_consecutive_gateway_failure,
            EjectionType.SUCCESS_RATE: self.enforcing_success_rate,
            EjectionType.CONSECUTIVE_LOCAL_ORIGIN_FAILURE: self.enforcing_consecutive_local_origin_failure,
            EjectionType.SUCCESS_RATE_LOCAL_ORIGIN: self.enforcing_local_origin_success_rate,
            EjectionType.FAILURE_PERCENTAGE: self.enforcing_failure_percentage,
            EjectionType.FAILURE_PERCENTAGE_LOCAL_ORIGIN: self.enforcing_failure_percentage_local_origin,
            EjectionType.DEGRADED: 100,
        }[kind]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> OutlierDetection:
        """The settings `to_dict` described."""
        return from_dict(cls, data)


def truncated(percent: float) -> int:
    """A percentage as the event log has it: an unsigned 32-bit integer, truncated.

    Examples
    --------
    >>> truncated(83.33), truncated(-4.2)
    (83, 0)
    """
    return int(percent) if percent >= 0 and math.isfinite(percent) else 0
