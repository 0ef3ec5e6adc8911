"""`AdaptiveThrottle`: a client that stops sending what would only be refused.

A backend that refuses requests pays for each refusal, and beyond some load it does nothing else. So the client looks at
its own last two minutes, of `requests` it wanted to send and `accepts` that were not refused, and drops a request by
itself with probability

    p = max(0, (requests - k * accepts) / (requests + 1))

Requests it drops count as requests. At saturation it sends about k times what is accepted: with k = 2 and a backend
that serves 100 a second it sends 200, offered 200 or 1000. A smaller k sends less in vain but takes longer to notice
that the backend is better; below about 1.3 a backend that is merely bursty is throttled for good.

Refused is OVERLOADED, and by default also what says that the backend did not answer (TIMEOUT, LOCAL_ERROR).
CANCELLED counts as accepted. An error the backend answered with is an answer.

Costs: O(slots) a decision; memory two counters.
Source: Beyer et al., *Site Reliability Engineering*, chapter 21, "Handling Overload", client-side throttling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators import WindowedCounter
from lbalgo.estimators.state import check_state, instant
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import check_enum, check_integer, check_real
from lbalgo.types import Outcome

K = 2.0  # the book's default
WINDOW = 120.0  # seconds; the book's two minutes
SLOTS = 120  # ours: slices of a second
CAP = 1.0  # ours: the book has none; below 1 some requests always get through
REJECTIONS = (Outcome.OVERLOADED, Outcome.TIMEOUT, Outcome.LOCAL_ERROR)


class AdaptiveThrottle:
    """A gate that drops requests a client can expect to be refused.

    Parameters
    ----------
    k : how many times what is accepted the client sends, > 1.
    window : seconds of history.
    slots : slices of it.
    cap : most probability of dropping a request, in [0, 1].
    rejections : outcomes that mean that the request was not accepted.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Needs `Request.bits`, 64 random bits for each request.

    Costs: O(slots) a decision.
    Source: Beyer et al., *Site Reliability Engineering*, chapter 21.

    Examples
    --------
    >>> throttle = AdaptiveThrottle()
    >>> for _ in range(9):
    ...     throttle.started(0.0)
    >>> throttle.finished(0.0, Request(), Outcome.SUCCESS)
    >>> throttle.probability(1.0)
    0.7
    """

    __slots__ = ("_accepts", "_requests", "cap", "k", "rejections", "slots", "window")

    def __init__(
        self,
        k: float = K,
        window: float = WINDOW,
        slots: int = SLOTS,
        cap: float = CAP,
        rejections: Iterable[Outcome] = REJECTIONS,
    ) -> None:
        self.k = check_real("k", k, low=1.0, open_low=True)
        self.window = check_real("window", window, low=1e-3, high=1e9)
        self.slots = check_integer("slots", slots, low=1, high=10_000)
        self.cap = check_real("cap", cap, low=0.0, high=1.0)
        if isinstance(rejections, str) or not isinstance(rejections, Iterable):
            raise ConfigError("rejections", rejections, "must be a collection of outcomes")
        self.rejections = tuple(check_enum("rejections", outcome, Outcome) for outcome in rejections)
        self._requests, self._accepts = WindowedCounter(window, slots), WindowedCounter(window, slots)

    def probability(self, now: float) -> float:
        """The probability with which a request is dropped at `now` (seconds)."""
        requests, accepts = self._requests.total(now), self._accepts.total(now)
        return min(self.cap, max(0.0, (requests - self.k * accepts) / (requests + 1.0)))

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Drop the request if its coin is below the probability."""
        return Decision(Reason.THROTTLED) if request.coin < self.probability(now) else ADMIT

    def started(self, now: float, request: Request = FIRST) -> None:
        """One more request."""
        self._requests.add(now)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """One more request, too: that the client wanted to send it counts."""
        self._requests.add(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """One more accepted, unless it was refused."""
        instant(now)
        if check_enum("outcome", outcome, Outcome) not in self.rejections:
            self._accepts.add(now)

    def merge(self, other: AdaptiveThrottle) -> None:
        """Take in what another worker has counted by the same clock.

        Raises
        ------
        ConfigError : `other` is no throttle of the same window.
        """
        if not isinstance(other, AdaptiveThrottle) or (other.window, other.slots) != (self.window, self.slots):
            raise ConfigError("other", other, f"must be like {self!r}")
        self._requests.merge(other._requests)
        self._accepts.merge(other._accepts)

    def snapshot(self, now: float) -> dict[str, Any]:
        """What was counted lately."""
        parts = self._requests.snapshot(now), self._accepts.snapshot(now)
        return {"type": "AdaptiveThrottle", "requests": parts[0], "accepts": parts[1]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot of a throttle with the same window.

        Raises
        ------
        ConfigError : it is none; nothing has been changed.
        """
        state = check_state("AdaptiveThrottle", state, "requests", "accepts")
        requests, accepts = WindowedCounter(self.window, self.slots), WindowedCounter(self.window, self.slots)
        requests.restore(state["requests"], now)
        accepts.restore(state["accepts"], now)
        self._requests, self._accepts = requests, accepts

    def __repr__(self) -> str:
        said = "" if self.rejections == REJECTIONS else f", rejections=({', '.join(map(str, self.rejections))},)"
        return f"AdaptiveThrottle({self.k!r}, {self.window!r}, {self.slots}, {self.cap!r}{said})"
