"""`Breaker`: a circuit breaker as a detector: closed, open, half-open.

Closed, it counts the failures within a sliding window and speaks when their share is too large and the window has seen
enough. Open is the ejection, which the machine serves: its length, its growth when it follows another, its jitter, and
the budget that no detector may overdraw are the machine's. Half-open is what follows the readmission, by whichever
detector the backend was ejected: one failure opens it again at once, `probes` successes close it.

The usual breaker lets a fixed number of requests through while half-open. A signal cannot: it says what a backend is
good for, not who may go. It is the length of the probation that is counted here, not its traffic; a slow start beside
it keeps the traffic low (the readmitted begin slowly).

Stragglers: outcomes that arrive while open are not shown to it, and half-open it ignores those of requests that began
before the readmission, which it knows where latencies are told. OVERLOADED proves nothing while half-open: the backend
is there, but did not do the work.

Costs: an outcome some microseconds in Python; two dozen numbers a backend.
Source: Nygard, *Release It!*, for the pattern; linkerd2-proxy for the window of ten slices and the volume.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.estimators import WindowedCounter
from lbalgo.estimators.state import check_state
from lbalgo.signals.detectors import ENFORCEMENT
from lbalgo.signals.timeline import check_age, check_duration, nanoseconds
from lbalgo.signals.watching import ERRORS
from lbalgo.spec import check_integer, check_real, enum_from_name, to_dict
from lbalgo.types import Outcome

FAILURES = 50.0  # percent; ours, the middle of what others use
WINDOW = 10.0  # seconds; linkerd2-proxy: ten slices of one second
REQUEST_VOLUME = 20  # linkerd2-proxy's example of min_requests
PROBES = 3  # ours: more than one, as one success is no proof


class Phase(enum.Enum):
    """Where a breaker is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Cause(enum.Enum):
    """What moves a breaker."""

    TRIPPED = "tripped"
    WITHHELD = "withheld"
    READMITTED = "readmitted"
    PROVED = "proved"


TRANSITIONS: dict[tuple[Phase, Cause], Phase] = {
    (Phase.CLOSED, Cause.TRIPPED): Phase.OPEN,
    (Phase.CLOSED, Cause.READMITTED): Phase.HALF_OPEN,  # another detector had ejected it
    (Phase.OPEN, Cause.TRIPPED): Phase.OPEN,  # admitted all the same, by a snapshot that says so
    (Phase.OPEN, Cause.WITHHELD): Phase.CLOSED,
    (Phase.OPEN, Cause.READMITTED): Phase.HALF_OPEN,
    (Phase.HALF_OPEN, Cause.TRIPPED): Phase.OPEN,
    (Phase.HALF_OPEN, Cause.READMITTED): Phase.HALF_OPEN,  # another detector had ejected it
    (Phase.HALF_OPEN, Cause.PROVED): Phase.CLOSED,
}


@dataclass(frozen=True)
class Breaker:
    """Speaks when too large a share of the requests in a window failed, and after a readmission at the first failure.

    Parameters
    ----------
    failures : percent of failures, in (0, 100].
    window : seconds the share is of, at least a millisecond.
    request_volume : fewest responses within the window, >= 1.
    probes : successes after a readmission that end the probation, >= 1.
    enforcement : percent of its verdicts that are carried out, 0 to 100.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: watches every outcome in Python, some microseconds each.
    Source: Nygard, *Release It!*; linkerd2-proxy for window and volume.

    Examples
    --------
    >>> watch = Breaker(failures=50, request_volume=4).watch(0)
    >>> [watch.observe(Outcome.TIMEOUT, None, 0) for _ in range(4)], watch.phase
    ([False, False, False, True], <Phase.OPEN: 'open'>)
    """

    failures: float = FAILURES
    window: float = WINDOW
    request_volume: int = REQUEST_VOLUME
    probes: int = PROBES
    enforcement: float = ENFORCEMENT

    def __post_init__(self) -> None:
        check_real("failures", self.failures, low=0.0, high=100.0, open_low=True)
        check_real("window", check_duration("window", self.window), low=1e-3, high=1e9)
        check_integer("request_volume", self.request_volume, low=1)
        check_integer("probes", self.probes, low=1)
        check_real("enforcement", self.enforcement, low=0.0, high=100.0)

    def watch(self, now: int) -> BreakerWatch:
        """A closed breaker."""
        return BreakerWatch(self, now)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)


class BreakerWatch:
    """The breaker of one backend."""

    __slots__ = ("_spec", "failed", "phase", "proofs", "readmitted_at", "total")

    def __init__(self, spec: Breaker, now: int) -> None:
        self._spec = spec
        self.phase = Phase.CLOSED
        self.failed, self.total = WindowedCounter(spec.window), WindowedCounter(spec.window)
        self.failed.begin_at(now)
        self.total.begin_at(now)
        self.proofs = 0
        self.readmitted_at = now

    def observe(self, outcome: Outcome, latency: float | None, now: int) -> bool:
        """Count the outcome; whether it opens the breaker."""
        failed = outcome in ERRORS
        if self.phase is Phase.HALF_OPEN:
            if latency is not None and now - nanoseconds(latency) < self.readmitted_at:
                return False  # a straggler
            if failed:
                return self._move(Cause.TRIPPED, now)
            self.proofs += outcome is Outcome.SUCCESS
            return self.proofs >= self._spec.probes and self._move(Cause.PROVED, now)
        self.total.add_at(now)
        if not failed:
            return False
        self.failed.add_at(now)
        total = self.total.total_at(now)
        enough = total >= self._spec.request_volume
        return (
            enough and 100 * self.failed.total_at(now) >= self._spec.failures * total and self._move(Cause.TRIPPED, now)
        )

    def _move(self, cause: Cause, now: int) -> bool:
        """Every change of phase; whether the breaker is open now. What was counted is of the phase before."""
        self.phase = TRANSITIONS[self.phase, cause]
        self.failed.begin_at(now)
        self.total.begin_at(now)
        self.proofs = 0
        return self.phase is Phase.OPEN

    def restart(self, now: int, readmitted: bool) -> None:
        """The ejection is over, or was withheld."""
        self.readmitted_at = now
        self._move(Cause.READMITTED if readmitted else Cause.WITHHELD, now)

    def snapshot(self, now: int) -> dict[str, Any]:
        """The state as plain data."""
        return {
            "type": "Breaker",
            "phase": self.phase.name,
            "proofs": self.proofs,
            "readmitted_for": now - self.readmitted_at,
            "failed": self.failed.snapshot_at(now),
            "total": self.total.snapshot_at(now),
        }

    def restore(self, state: Mapping[str, Any], now: int) -> None:
        """Go on from a snapshot of a breaker with this window."""
        state = check_state("Breaker", state, "phase", "proofs", "readmitted_for", "failed", "total")
        phase = enum_from_name(Phase)(state["phase"])
        proofs = check_integer("state['proofs']", state["proofs"], low=0)
        age = check_age("state['readmitted_for']", state["readmitted_for"])
        failed, total = WindowedCounter(self._spec.window), WindowedCounter(self._spec.window)
        failed.restore_at(state["failed"], now)
        total.restore_at(state["total"], now)
        self.phase, self.proofs, self.readmitted_at, self.failed, self.total = phase, proofs, now - age, failed, total
