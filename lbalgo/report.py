"""`Report`: what a backend says of itself, in the terms of ORCA (open request cost aggregation: Envoy and gRPC)."""

from __future__ import annotations

from dataclasses import dataclass

from lbalgo.spec import check_real, check_time


@dataclass(frozen=True)
class Report:
    """One load report of one backend.

    Parameters
    ----------
    utilisation : of what it has least of: 0 idle, 1 full; above 1 where queues are counted.
    qps : requests a second that it serves, >= 0.
    eps : of those, errors a second, >= 0.
    at : instant (seconds) at which the backend made it, on the backend's own clock; None: reports are in order.

    Raises
    ------
    ConfigError : a number is not finite, or negative; `at` is no instant.

    Source: gRPC A51 and A58 and Envoy's ORCA (`application_utilization`, `rps_fractional`, `eps`).

    Examples
    --------
    >>> Report(0.75, qps=200.0, eps=2.0)
    Report(utilisation=0.75, qps=200.0, eps=2.0, at=None)
    """

    utilisation: float
    qps: float = 0.0
    eps: float = 0.0
    at: float | None = None

    def __post_init__(self) -> None:
        check_real("utilisation", self.utilisation, low=0.0)
        check_real("qps", self.qps, low=0.0)
        check_real("eps", self.eps, low=0.0)
        if self.at is not None:
            check_time("at", self.at)
