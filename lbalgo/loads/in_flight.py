"""`InFlight`: how much a backend has open, as this process knows it.

The oldest and sturdiest load signal: it needs no clock and no report from the backend, reacts to the very request that
made it stale, and a slow backend shows in it at once, because what is slow stays open (Little: open = rate * time).
Its limits are those of a local count: with many clients, each of which rarely has more than one request open at a
backend, it says little about the backend.

Costs: start, finish and read O(1); memory 8 bytes a row, 16 once costs differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import InFlightCounts
from lbalgo.spec import from_dict, to_dict


@dataclass(frozen=True)
class InFlight:
    """The sum of the costs of requests started and not yet finished; outcome, latency and time are ignored.

    Raises
    ------
    ConfigError : by the state, for a row that is no integer in [0, 2**31), a cost or latency that is not finite and
        >= 0, an instant that is not finite, and for finishing what was never started.

    Costs: O(1) each, 8 bytes a row, 16 once costs differ.
    Source: what HAProxy, nginx and Envoy call least connections or least request counts just this.

    Examples
    --------
    >>> load = InFlight().start()
    >>> load.started(3, 1.0, 0.0)
    >>> load.at(3), load.at(4)
    (1.0, 0.0)
    """

    def start(self) -> InFlightCounts:
        """A new count, 0 in every row."""
        return InFlightCounts()

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> InFlight:
        """The load `to_dict` described."""
        return from_dict(cls, data)
