"""`LatencyEwma`: latency averaged over time, and nothing else.

A part for other loads: `Product(InFlight(), LatencyEwma(peak=True))` is `PeakEwma`, and
`Product(InFlight(), InFlightAge(LatencyEwma(peak=True)))` sees a request that hangs as well. By itself it leaves out
what is in flight, and sends everybody to the one that was fastest last.

The plain average stays where it is while nothing comes: who was slow once and is avoided since stays slow, so use it
with `force_after`. With `peak` it rises at once and fades, as in `PeakEwma`.

Costs: as `PeakEwma`.
Source: Finagle, `Ema` (an average over time, in which a burst counts once); go-zero and kratos use such averages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import LatencyLoad
from lbalgo.loads.peak_ewma import TAU
from lbalgo.spec import check_bool, check_real, from_dict, to_dict


@dataclass(frozen=True)
class LatencyEwma:
    """Latency of a unit of cost, averaged over time; seconds.

    Parameters
    ----------
    tau : seconds after which a sample counts 1/e, from 1e-3 to 1e9.
    peak : whether a sample above the average replaces it, and the average fades while none come.
    initial : latency assumed of one never measured, seconds from 0 to 1e9; None: the rule of one trial (`PeakEwma`).

    Raises
    ------
    ConfigError : a parameter is out of its range; by the state, as `InFlight`.

    Costs: O(1) each; 40 bytes a row.
    Source: Finagle, `Ema`.

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> load = LatencyEwma().start()
    >>> for now in (1.0, 2.0):
    ...     load.started(0, 1.0, now - 0.5)
    ...     load.finished(0, Outcome.SUCCESS, 0.5, now)
    >>> load.at(0)
    0.5
    """

    tau: float = TAU
    peak: bool = False
    initial: float | None = None

    def __post_init__(self) -> None:
        check_real("tau", self.tau, low=1e-3, high=1e9)
        check_bool("peak", self.peak)
        if self.initial is not None:
            check_real("initial", self.initial, low=0.0, high=1e9)

    def start(self) -> LatencyLoad:
        """A new state, in which nobody was measured."""
        return LatencyLoad(self, self.tau, self.peak, False, math.nan if self.initial is None else self.initial)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LatencyEwma:
        """The load `to_dict` described."""
        return from_dict(cls, data)
