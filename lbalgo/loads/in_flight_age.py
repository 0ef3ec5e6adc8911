"""`InFlightAge`: the greater of a latency and the mean age of what is still open.

A latency is learned when a request ends. From a backend that hangs nothing ends, so an average of latencies goes on
saying what it said before; the age of what is open is the one thing a caller sees by itself before the first of them
is over. When requests are older than the latency that was expected of them, their age is the better estimate, and a
lower bound.

Ages are told apart by when the lease began, which a `Balancer` passes on; where it is not known, the end of a request
of mean age is assumed.

Costs: start, finish and read O(1) beside the load within; memory 32 bytes a row.
Source: kratos (`p2c`, "predict": the mean age of what is open replaces a latency that half of it exceeds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import AgeLoad
from lbalgo.loads.latency_ewma import LatencyEwma
from lbalgo.loads.specs import check_load, loaded_from_dict, started
from lbalgo.spec import to_dict
from lbalgo.types import LoadSpec


@dataclass(frozen=True)
class InFlightAge:
    """The greater of a load in seconds and the mean age of open requests, per unit of cost.

    Parameters
    ----------
    load : specification of a latency, such as `LatencyEwma`.

    Raises
    ------
    ConfigError : `load` is no specification of a load; by the state, as `InFlight`.

    Costs: O(1) each; 32 bytes a row.
    Source: kratos, `p2c`.

    Examples
    --------
    >>> load = InFlightAge(LatencyEwma(initial=0.01)).start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.at(0)
    0.01
    >>> load.advance(3.0)
    >>> load.at(0)
    3.0
    """

    load: LoadSpec = LatencyEwma(peak=True)

    def __post_init__(self) -> None:
        check_load(self.load)

    def start(self) -> AgeLoad:
        """A new state, in which nothing is open."""
        return AgeLoad(self, started(self.load))

    def to_dict(self) -> dict[str, object]:
        """Plain data, the load's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> InFlightAge:
        """The load `to_dict` described; `load` supplies one of one's own."""
        spec: InFlightAge = loaded_from_dict(cls, data, load)
        return spec
