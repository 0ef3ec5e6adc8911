"""`DrainGate`: counts leases for a `Drain`, and ends its patience with sessions.

It refuses no request for itself. It names, as `full()`, the backends that keep no sessions any more, so that an
affinity gate does not go there: those whose deadline is over, and with `sticky=False` all that drain. The picker would
not go there anyway.

Costs: O(1) a request, O(N) while its backend drains; memory O(backends with requests in flight).
Source: ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state, instant
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.signals.drain import Drain
from lbalgo.spec import check_enum
from lbalgo.types import Outcome


class DrainGate:
    """A gate that counts what is in flight for a drain, and closes its backends to sessions.

    Parameters
    ----------
    drain : the signal, of the same balancer; it can have one gate, and has it before the balancer is made.

    Raises
    ------
    ConfigError : it is no `Drain`, or has a gate already; by `finished`, for what was never started.

    Costs: O(1) a request, O(N) while its backend drains.
    Source: ours.

    Examples
    --------
    >>> import lbalgo as lb
    >>> from lbalgo.signals import DrainOrder
    >>> from lbalgo.testing import FakeClock
    >>> drain, clock = Drain(30), FakeClock()
    >>> balancer = lb.Balancer(lb.RoundRobin(), ["a"], signals=[drain], gates=[DrainGate(drain)], clock=clock, seed=0)
    >>> lease = balancer.acquire()
    >>> balancer.report("a", DrainOrder.BEGIN)
    >>> drain.phases()
    {'a': <Phase.DRAINING: 'draining'>}
    >>> lease.done()
    >>> drain.phases()
    {'a': <Phase.EMPTY: 'empty'>}
    """

    __slots__ = ("drain",)

    def __init__(self, drain: Drain) -> None:
        if check_enum("drain", drain, Drain).counts is not None:
            raise ConfigError("drain", drain, "has a gate already")
        drain.counts, drain.observes = {}, True
        self.drain = drain

    def full(self) -> frozenset[str]:
        """The ids of the backends that keep no sessions any more."""
        return self.drain.closed()

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Whether it may go to its backend; without one it may."""
        instant(now)
        return Decision(Reason.BACKEND_LIMIT) if request.backend in self.drain.closed() else ADMIT

    def started(self, now: float, request: Request = FIRST) -> None:
        """A request was sent; it is counted by its backend, if that is said."""
        instant(now)
        if request.backend is not None:
            self.drain.counted(request.backend, 1, now)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """It does not go, and was not counted."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A started request has ended.

        Raises
        ------
        ConfigError : no such request is in flight.
        """
        instant(now)
        if request.backend is not None:
            self.drain.counted(request.backend, -1, now)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Nothing survives: what is in flight is gone with the process."""
        instant(now)
        return {"type": "DrainGate"}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on counting; what was in flight in the process that was saved is not known here."""
        check_state("DrainGate", state)
        instant(now)

    def __repr__(self) -> str:
        return f"DrainGate({self.drain!r})"
