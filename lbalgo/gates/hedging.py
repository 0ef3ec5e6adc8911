"""`Hedging`: a second copy of a request that takes longer than most, while a budget lasts.

Wait until the request is older than the q-quantile of what requests take; then, and not before, send a copy to another
backend, take the first answer and cancel the other. A share 1 - q of the requests gets a copy, and the tail becomes
that of the better of two: for exponential times and q = 0.95 the 99th percentile falls from 4.605 to 3.80 means, at 5 %
more requests. In a pool that is slow as a whole every request would be copied, which is the last thing it needs: so
hedges have a budget of their own.

The loser's time is not known, only that it took longer: it counts as *censored* (`censored_quantile`). The copy must
not go to the same backend: hand the first one's id to `exclude`.

Costs: O(1) a request, O(buckets) for the delay; memory four histograms and two counters.
Source: Dean and Barroso, "The Tail at Scale", CACM 56 (2013); the budget after Finagle's backup requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.estimators import WindowedHistogram, censored_quantile
from lbalgo.estimators.state import check_state, instant
from lbalgo.gates.retry_budget import RetryBudget
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import check_integer, check_real
from lbalgo.types import Outcome

QUANTILE = 0.95  # Dean and Barroso: defer until the 95th percentile
RATIO = 0.05  # what that quantile makes of the load when nothing is wrong
MIN_PER_SECOND = 1.0  # ours: a trickle, so that little traffic is hedged too
MIN_DELAY = 0.001  # seconds; Finagle: no copy within a millisecond
MIN_SAMPLES = 100  # ours: the 95th percentile of fewer is a guess
WINDOW = 60.0  # seconds; ours: half a minute at least


class Hedging:
    """A gate for hedges, which also says how long to wait before one.

    Parameters
    ----------
    quantile : of the latencies, after which a copy is sent, in (0, 1).
    ratio : copies a request pays for.
    min_per_second : copies that are always allowed, per second, saved up for ten seconds.
    min_delay : seconds before which no copy is sent.
    min_samples : fewest latencies within the window for there to be a delay.
    window : seconds for which a latency counts, at most.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: O(1) a request, `delay` O(buckets).
    Source: Dean and Barroso, "The Tail at Scale", CACM 56 (2013).

    Examples
    --------
    >>> hedging = Hedging(min_samples=20)
    >>> for k in range(1, 21):
    ...     hedging.started(0.0)
    ...     hedging.finished(1.0, Request(), Outcome.SUCCESS, k / 100)
    >>> round(hedging.delay(1.0), 3), hedging.admit(1.0, Request(hedge=True)).admitted
    (0.194, True)
    """

    __slots__ = ("_budget", "_ended", "_open", "min_delay", "min_samples", "quantile", "window")

    def __init__(
        self,
        quantile: float = QUANTILE,
        ratio: float = RATIO,
        min_per_second: float = MIN_PER_SECOND,
        min_delay: float = MIN_DELAY,
        min_samples: int = MIN_SAMPLES,
        window: float = WINDOW,
    ) -> None:
        self.quantile = check_real("quantile", quantile, low=0.0, high=1.0, open_low=True)
        self.min_delay = check_real("min_delay", min_delay, low=0.0)
        self.min_samples = check_integer("min_samples", min_samples, low=1)
        self.window = check_real("window", window, low=1e-3, high=1e9)
        self._budget = RetryBudget(min_per_second=min_per_second, ratio=ratio)
        self._ended, self._open = WindowedHistogram(window), WindowedHistogram(window)

    def delay(self, now: float) -> float | None:
        """Seconds after which a request that is still open may be copied; None while too little is known."""
        ended, still = self._ended.at(now), self._open.at(now)
        if ended.count + still.count < self.min_samples:
            return None
        quantile = censored_quantile(ended, still, self.quantile)
        return None if quantile is None else max(self.min_delay, quantile)

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """What is no copy always; a copy if one is paid for."""
        if not request.hedge:
            instant(now)
            return ADMIT
        paid = self._budget.admit(now, Request(attempt=1)).admitted
        return ADMIT if paid else Decision(Reason.HEDGE_BUDGET)

    def started(self, now: float, request: Request = FIRST) -> None:
        """A request pays in, a copy takes out."""
        self._budget.started(now, Request(attempt=1 if request.hedge else 0))

    def refused(self, now: float, request: Request = FIRST) -> None:
        """What was not sent neither pays nor costs."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A success has taken its latency (seconds); what was cancelled or timed out would have taken longer.

        Raises
        ------
        ConfigError : latency is neither None nor finite and >= 0.
        """
        instant(now)
        if latency is not None:
            latency = check_real("latency", latency, low=0.0)
            if outcome is Outcome.SUCCESS:
                self._ended.add(latency, now)
            elif outcome in (Outcome.CANCELLED, Outcome.TIMEOUT):
                self._open.add(latency, now)

    def merge(self, other: Hedging) -> None:
        """Take in what another worker has seen by the same clock.

        Raises
        ------
        ConfigError : `other` does not have the same window.
        """
        self._ended.merge(getattr(other, "_ended", other))  # type: ignore[arg-type]
        self._open.merge(other._open)
        self._budget.merge(other._budget)

    def snapshot(self, now: float) -> dict[str, Any]:
        """The latencies and the budget."""
        return {
            "type": "Hedging",
            "ended": self._ended.snapshot(now),
            "open": self._open.snapshot(now),
            "budget": self._budget.snapshot(now),
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot.

        Raises
        ------
        ConfigError : it is none of a `Hedging` with this window; nothing has been changed.
        """
        state = check_state("Hedging", state, "ended", "open", "budget")
        ended, still = WindowedHistogram(self.window), WindowedHistogram(self.window)
        ended.restore(state["ended"], now)
        still.restore(state["open"], now)
        self._budget.restore(state["budget"], now)
        self._ended, self._open = ended, still

    def __repr__(self) -> str:
        budget = self._budget
        return (
            f"Hedging({self.quantile!r}, {budget.ratio!r}, {budget.min_per_second!r}, "
            f"{self.min_delay!r}, {self.min_samples}, {self.window!r})"
        )
