"""What a gate is asked, and what it answers: frozen data."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lbalgo.spec import check_bool, check_enum, check_id, check_integer


class Criticality(enum.IntEnum):
    """How much it matters that a request is served; more critical is smaller.

    Source: Beyer et al., *Site Reliability Engineering*, chapter 21, "Handling Overload".
    """

    CRITICAL_PLUS = 0
    CRITICAL = 1
    SHEDDABLE_PLUS = 2
    SHEDDABLE = 3


class Reason(enum.Enum):
    """Why a request was not admitted."""

    POOL_LIMIT = "pool limit"
    BACKEND_LIMIT = "backend limit"
    QUEUE_FULL = "queue full"
    QUEUE_TIMEOUT = "queue timeout"
    RETRY_BUDGET = "retry budget"
    HEDGE_BUDGET = "hedge budget"
    THROTTLED = "throttled"
    CONCURRENCY = "concurrency"
    SHED = "shed"


@dataclass(frozen=True, slots=True)
class Request:
    """What a gate is told of a request.

    Parameters
    ----------
    backend : id of the backend it is to go to; None before one was picked.
    attempt : 0 for the first attempt, 1 for the first retry, and so on.
    hedge : whether it is a copy of a request that is still open.
    after_timeout : whether the attempt before this one timed out.
    criticality : how much it matters.
    bits : 64 random bits of its own, kept by its retries; in [0, 2**64). Of 0, none: a balancer gives it some.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Request(attempt=1).criticality
    <Criticality.CRITICAL: 1>
    """

    backend: str | None = None
    attempt: int = 0
    hedge: bool = False
    after_timeout: bool = False
    criticality: Criticality = Criticality.CRITICAL
    bits: int = 0

    def __post_init__(self) -> None:
        if self.backend is not None:
            check_id(self.backend, "backend")
        check_integer("attempt", self.attempt, low=0)
        check_bool("hedge", self.hedge)
        check_bool("after_timeout", self.after_timeout)
        check_enum("criticality", self.criticality, Criticality)
        check_integer("bits", self.bits, low=0, high=2**64 - 1)

    def to(self, backend: str) -> Request:
        """The request on its way to this backend, whose id is known to be one."""
        return _known(backend, self.attempt, self.hedge, self.after_timeout, self.criticality, self.bits)

    def numbered(self, bits: int) -> Request:
        """The request with these 64 bits, known to be such."""
        return _known(self.backend, self.attempt, self.hedge, self.after_timeout, self.criticality, bits)

    @property
    def coin(self) -> float:
        """The bits as a number in [0, 1)."""
        return (self.bits >> 11) * 2.0**-53


_NEW = object.__new__
_backend, _attempt, _hedge, _late, _criticality, _bits = (  # what sets a slot, whatever is frozen
    getattr(Request, name).__set__ for name in Request.__slots__
)


def _known(backend: str | None, attempt: int, hedge: bool, late: bool, criticality: Criticality, bits: int) -> Request:
    """A request of values that have been checked: it is made twice for every request, so not a third time."""
    request = _NEW(Request)
    _backend(request, backend)
    _attempt(request, attempt)
    _hedge(request, hedge)
    _late(request, late)
    _criticality(request, criticality)
    _bits(request, bits)
    return request


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go, and if not, why.

    Parameters
    ----------
    reason : None if it may go.
    may_wait : whether it may wait in the queue of the gate that refused it.
    retry_after : seconds after which asking again makes sense; None where nothing is known.

    Examples
    --------
    >>> ADMIT.admitted, Decision(Reason.SHED).admitted
    (True, False)
    """

    reason: Reason | None = None
    may_wait: bool = False
    retry_after: float | None = None

    @property
    def admitted(self) -> bool:
        """Whether the request may go."""
        return self.reason is None


ADMIT = Decision()
FIRST = Request()
