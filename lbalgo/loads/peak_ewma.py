"""`PeakEwma`: latency that rises at once and falls slowly, times what is in flight.

How long would the next request take here? About the latency seen lately, times the requests ahead of it and itself:

    load = latency * (in flight + 1)

The latency is an average over time that is quick to believe bad news. A sample above it replaces it; one below
moves it by 1 - exp(-t / tau), t being the time since the sample before. While nothing comes a read lets it fade as
exp(-t / tau): whoever is avoided for being slow looks better and better, until it is tried again. Without that, the
worst of a pool would under two choices never be heard of again.

*Cold start.* Of one that was never measured nothing is known. The rule of one trial: while it is idle its load is 0, so
that it is tried at once, and while its first request is out its load is beyond all others, so that it is tried once.
With `initial` it has that latency instead, until it is measured.

A failure that comes fast looks like a fast answer, and draws traffic to the backend that fails: wrap the load in
`FailurePenalty`. A request that was cancelled or timed out took longer than it seems, so its latency can only raise the
average. For long polling, and streams that stay open, latency says nothing.

Costs: start and finish O(1), the latter with two exponentials, a read with one, two choices mostly with none; once in
64 `tau` a finish is O(N); memory 48 bytes a row.
Sources: Finagle, `p2cPeakEwma` (rule and constant; there a read writes its fading down, here it does not, so that loads
do not depend on who looks); tower's `PeakEwma` for a latency assumed at first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import LatencyLoad
from lbalgo.spec import check_real, from_dict, to_dict

TAU = 10.0  # seconds; Finagle's and linkerd's


@dataclass(frozen=True)
class PeakEwma:
    """Latency, quick to rise and slow to fall, times what is in flight and one more; seconds.

    Parameters
    ----------
    tau : seconds in which what was seen fades to 1/e, from 1e-3 to 1e9.
    initial : latency assumed of one never measured, seconds from 0 to 1e9; None: the rule of one trial.

    Raises
    ------
    ConfigError : a parameter is out of its range; by the state, as `InFlight`.

    Latency is per unit of cost, and what is in flight is the sum of costs.

    Costs: O(1) each, an exponential a read; 40 bytes a row.
    Source: Finagle, `p2cPeakEwma`.

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> load = PeakEwma().start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.finished(0, Outcome.SUCCESS, 0.1, 0.1)
    >>> load.started(0, 1.0, 0.1)
    >>> load.at(0), load.at(1)
    (0.2, 0.0)
    >>> load.advance(10.1)
    >>> round(load.at(0), 4)
    0.0736
    """

    tau: float = TAU
    initial: float | None = None

    def __post_init__(self) -> None:
        check_real("tau", self.tau, low=1e-3, high=1e9)
        if self.initial is not None:
            check_real("initial", self.initial, low=0.0, high=1e9)

    def start(self) -> LatencyLoad:
        """A new state, in which nobody was measured."""
        return LatencyLoad(self, self.tau, True, True, math.nan if self.initial is None else self.initial)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> PeakEwma:
        """The load `to_dict` described."""
        return from_dict(cls, data)
