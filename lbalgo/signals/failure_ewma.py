"""`FailureEwma`: a backend whose success rate, averaged over time with an exponential memory, falls below a threshold.

Finagle's rule of failure accrual by success rate. The average is over time, not over requests: every outcome holds from
the one before it to itself, and what was `window` seconds ago counts 1/e. So a burst that fails in one instant is one
bad instant, and detection does not depend on the rate of requests: if everything fails, the average falls as
exp(-t / window) and crosses the threshold s at

    t = window * ln(1 / s)        (30 s and 0.8: 6.69 s, and up to one inter-arrival more)

Finagle's own page puts it at window * (1 - s), 6 s. The average begins at 1 when the backend joins or is readmitted;
Finagle instead does not judge within the first window.

Costs: an outcome is one exponential and a few additions in Python, some microseconds; a dozen numbers a backend.
Source: Finagle, failure accrual (`FailureAccrualPolicy.successRateWithinDuration`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.estimators import Ewma, WindowedCounter
from lbalgo.estimators.state import check_state
from lbalgo.signals.detectors import ENFORCEMENT
from lbalgo.signals.timeline import check_duration
from lbalgo.signals.watching import ERRORS
from lbalgo.spec import check_integer, check_real, to_dict
from lbalgo.types import Outcome

WINDOW = 30.0  # seconds; this and the next two are Finagle's defaults
SUCCESS_RATE = 0.8
REQUEST_VOLUME = 5


@dataclass(frozen=True)
class FailureEwma:
    """Speaks when a backend's success rate, averaged over time, is below a threshold.

    Parameters
    ----------
    window : seconds after which what was counts 1/e, at least a millisecond.
    success_rate : the threshold, in (0, 1].
    request_volume : fewest responses within the last window, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: watches every outcome in Python, some microseconds each.
    Source: Finagle, failure accrual by success rate.

    Examples
    --------
    >>> round(FailureEwma().detection, 3)
    6.694
    """

    window: float = WINDOW
    success_rate: float = SUCCESS_RATE
    request_volume: int = REQUEST_VOLUME
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("window", check_duration("window", self.window), low=1e-3, high=1e9)
        check_real("success_rate", self.success_rate, low=0.0, high=1.0, open_low=True)
        check_integer("request_volume", self.request_volume, low=1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    @property
    def detection(self) -> float:
        """Seconds after which a backend that fails always is found, given enough requests."""
        return self.window * math.log(1.0 / self.success_rate)

    def watch(self, now: int) -> FailureEwmaWatch:
        """A new watch, of a backend that is as good as any."""
        return FailureEwmaWatch(self, now)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class FailureEwmaWatch:
    """The average of one backend, and how many responses it is made of."""

    __slots__ = ("_spec", "average", "volume")

    def __init__(self, spec: FailureEwma, now: int) -> None:
        self._spec = spec
        self.average, self.volume = Ewma(spec.window), WindowedCounter(spec.window)
        self.restart(now, False)

    def observe(self, outcome: Outcome, latency: float | None, now: int) -> bool:
        """Move the average; whether it is below the threshold."""
        failed = outcome in ERRORS
        self.average.add_at(0.0 if failed else 1.0, now)
        self.volume.add_at(now)
        rate = self.average.read_at(now)
        assert rate is not None
        return failed and rate < self._spec.success_rate and self.volume.total_at(now) >= self._spec.request_volume

    def restart(self, now: int, readmitted: bool) -> None:
        """Begin again as good as any."""
        self.average.start_at(1.0, now)
        self.volume.begin_at(now)

    def snapshot(self, now: int) -> dict[str, Any]:
        """The state as plain data."""
        parts = self.average.snapshot_at(now), self.volume.snapshot_at(now)
        return {"type": "FailureEwma", "average": parts[0], "volume": parts[1]}

    def restore(self, state: Mapping[str, Any], now: int) -> None:
        """Go on from a snapshot of a watch with this window."""
        state = check_state("FailureEwma", state, "average", "volume")
        average, volume = Ewma(self._spec.window), WindowedCounter(self._spec.window)
        average.restore_at(state["average"], now)
        volume.restore_at(state["volume"], now)
        self.average, self.volume = average, volume
