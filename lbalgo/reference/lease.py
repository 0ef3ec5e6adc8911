"""`Lease`: a request on its way to a backend, and how it came to its end.

A lease knows the desk that gave it out, and hands itself back there once: by `done`, by leaving its block, or by being
dropped. A finaliser may run at any moment and must do nothing but write that down; the desk reads it later.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/lease.pxd`.
"""

from __future__ import annotations

import math
from types import GenericAlias
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import check_real
from lbalgo.types import Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.loads import LoadState

UNKNOWN = math.nan
OUTCOMES = tuple(Outcome)
CODES = len(OUTCOMES)
CANCELLED = OUTCOMES.index(Outcome.CANCELLED)
TIMEOUT = OUTCOMES.index(Outcome.TIMEOUT)
LOCAL_ERROR = OUTCOMES.index(Outcome.LOCAL_ERROR)


class Desk:
    """Where leases are handed back: what a `Lease` asks of a `Balancer`.

    Attributes
    ----------
    abandoned : row, load, visit, cost and beginning of each lease that was dropped without a word.
    """

    abandoned: list[tuple[int, LoadState | None, Any, float, float]]

    def end_(self, lease: Lease, code: int, latency: float, pause: float) -> None:
        """The request has ended; latency and pause in seconds, NaN if unknown."""


@cython.freelist(64)
@cython.no_gc_clear  # its end has to find its desk, even inside a cycle
@cython.cclass
class Lease:
    """A request on its way to `backend`; made by `Balancer.acquire`."""

    __class_getitem__: Any = classmethod(GenericAlias)
    backend: Any
    desk: Desk | None
    load: LoadState | None
    visit: Any
    row: int
    said: int
    ended: int
    began: float
    cost: float
    pause: float

    def __init__(self) -> None:
        raise TypeError("a lease is made by Balancer.acquire")

    def done(
        self, outcome: Outcome | None = None, *, latency: float | None = None, retry_after: float | None = None
    ) -> None:
        """The request has ended; said again, it does nothing."""
        code = max(self.said, 0) if outcome is None else _code(outcome)
        took = UNKNOWN if latency is None else check_real("latency", latency, low=0.0)
        pause = UNKNOWN if retry_after is None else check_real("retry_after", retry_after, low=0.0)
        self._end(code, took, pause)

    def _end(self, code: int, took: float, pause: float) -> None:
        desk = self.desk  # kept alive to the end of the call: this lease may be the last that knows it, and forgets it
        if desk is not None:
            desk.end_(self, code, took, pause)

    def status(self, http_status: int) -> None:
        """The backend answered with this HTTP status: that is the outcome, unless `done` is given another."""
        self.said = _code(Outcome.from_http(http_status))

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it is open."""
        return None if self.ended < 0 else OUTCOMES[self.ended]

    @property
    def retry_after(self) -> float | None:
        """Seconds for which the backend asked to be spared when it ended; None if it did not, or is open."""
        return None if self.ended < 0 or self.pause != self.pause else self.pause

    @property
    def delay(self) -> float:
        """Seconds to wait before sending, as the backend has asked to be spared; 0 but for some retries."""
        return 0.0 if self.visit is None else self.visit.delay

    @property
    def request(self) -> Any:
        """What the gates were asked, with the bits that its retries and hedges keep; None if there was no gate."""
        return None if self.visit is None else self.visit.request

    @property
    def choice(self) -> Any:
        """What the affinity gate answered (of `Sticky` the `Choice`, with the cookie to set), or None."""
        return None if self.visit is None else self.visit.choice

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is not None and self.said <= 0:  # an error the backend has answered with stands
            if issubclass(kind, TimeoutError):
                self.said = TIMEOUT
            elif issubclass(kind, OSError):
                self.said = LOCAL_ERROR
            else:
                self.said = CANCELLED
        self._end(max(self.said, 0), UNKNOWN, UNKNOWN)
        if error is None or self.visit is None:
            return False
        course = self.visit.course
        return course is not None and course.keeps(error)

    def __repr__(self) -> str:
        return f"<Lease of {self.backend!r}, {'open' if self.row >= 0 else 'ended'}>"

    def __reduce__(self) -> Any:
        raise TypeError("a lease belongs to its balancer and cannot be copied or pickled")

    def __dealloc__(self) -> None:
        if self.desk is not None and self.row >= 0 and self.desk.abandoned is not None:
            self.desk.abandoned.append((self.row, self.load, self.visit, self.cost, self.began))


def _code(outcome: Outcome) -> int:
    for code in range(CODES):
        if OUTCOMES[code] is outcome:
            return code
    raise ConfigError("outcome", outcome, "must be an Outcome")


def serve(lease: Any, outcome: Outcome | None) -> None:
    """`done` with nothing but an outcome, or none: the compiled class's short way in."""
    one: Lease = cython.cast(Lease, lease)
    one._end(max(one.said, 0) if outcome is None else _code(outcome), UNKNOWN, UNKNOWN)


if not cython.compiled:  # what the compiler makes of the class, by hand
    Lease.desk, Lease.load, Lease.visit, Lease.row, Lease.said, Lease.ended = None, None, None, -1, -1, -1
    Lease.__del__ = Lease.__dealloc__  # type: ignore[attr-defined]
else:
    short_entry(Lease, "done")  # type: ignore[name-defined]  # noqa: F821
