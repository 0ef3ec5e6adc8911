"""The parameters of an `OutlierEjection`: what a signal says of itself, checked once, frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lbalgo.errors import ConfigError
from lbalgo.signals.detectors import ConsecutiveErrors, ConsecutiveGatewayErrors, Detector, Judging
from lbalgo.signals.timeline import check_duration
from lbalgo.signals.watching import Watching
from lbalgo.spec import check_bool, check_integer, check_real, to_dict

DETECTORS: tuple[Detector, ...] = (ConsecutiveErrors(),)
INTERVAL = 10.0  # seconds; this and the next three are Envoy's defaults
BASE_EJECTION_TIME = 30.0  # seconds
MAX_EJECTION_TIME = 300.0  # seconds
MAX_EJECTION_PERCENT = 10.0
COUNTING = (ConsecutiveErrors, ConsecutiveGatewayErrors)


@dataclass(frozen=True)
class EjectionRules:
    """The parameters of an `OutlierEjection`, as it describes itself."""

    detectors: tuple[Detector, ...] = DETECTORS
    interval: float = INTERVAL
    base_ejection_time: float = BASE_EJECTION_TIME
    max_ejection_time: float = MAX_EJECTION_TIME
    max_ejection_percent: float = MAX_EJECTION_PERCENT
    always_eject_one: bool = True
    max_ejection_time_jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.detectors, (str, bytes)) or not isinstance(self.detectors, Iterable):
            raise ConfigError("detectors", self.detectors, "must be a collection of detectors")
        object.__setattr__(self, "detectors", tuple(self.detectors))
        for at, detector in enumerate(self.detectors):
            if isinstance(detector, type) or not isinstance(detector, (*COUNTING, Judging, Watching)):
                raise ConfigError(f"detectors[{at}]", detector, "must be a detector")
            if type(detector) in [type(earlier) for earlier in self.detectors[:at]]:
                raise ConfigError(f"detectors[{at}]", detector, "is the second of its kind")
        check_duration("interval", self.interval)
        check_duration("base_ejection_time", self.base_ejection_time)
        check_duration("max_ejection_time", self.max_ejection_time)
        if self.max_ejection_time < self.base_ejection_time:
            raise ConfigError("max_ejection_time", self.max_ejection_time, "must be >= base_ejection_time")
        check_real("max_ejection_percent", self.max_ejection_percent, low=0.0, high=100.0)
        check_bool("always_eject_one", self.always_eject_one)
        check_duration("max_ejection_time_jitter", self.max_ejection_time_jitter, zero=True)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)
