"""Retry budgets: how many retries the whole of the traffic may cause, however each request would like to be retried.

Without one, r attempts in each of L layers make r**L requests of one when everything fails: 64 for three layers of four
attempts. With a budget of a ratio b the load is at most 1 + b times the traffic, whatever fails.

Three rules, after those who run them:

- `RetryBudget` (Finagle): retries of the last `ttl` seconds may be `ratio` of the requests of the same time, plus a
  reserve of `min_per_second * ttl`, so that little traffic can be retried too.
- `RetryConcurrency` (Envoy): retries in flight may be a percentage of the requests in flight, and at least a few.
- `RetryQuota` (botocore): a bucket from which a retry takes, more after a timeout; what succeeds gives back.

Costs: O(slots) a decision for the first, O(1) for the others.
Source: Finagle, `RetryBudget`; Envoy, circuit breakers (retry_budget); botocore, standard retry mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators import WindowedCounter
from lbalgo.estimators.state import check_state, instant
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import check_integer, check_real
from lbalgo.types import Outcome

TTL, MIN_PER_SECOND, RATIO = 10.0, 10.0, 0.2  # Finagle's defaults
PERCENT, MIN_CONCURRENT = 20.0, 3  # Envoy's documented defaults: budget_percent, min_retry_concurrency
QUOTA, COST, TIMEOUT_COST, REFUND = 500, 5, 10, 1  # botocore
REFUSED = Decision(Reason.RETRY_BUDGET)
ROUNDING = 1e-9  # of ratio * requests: 5 * 0.2 buys one retry, however 0.2 is rounded


class RetryBudget:
    """A gate for retries: at most a ratio of the recent requests, plus a reserve.

    Parameters
    ----------
    ttl : seconds a request counts.
    min_per_second : retries that are always allowed, per second, saved up for `ttl` seconds.
    ratio : retries a request pays for.
    slots : slices of the window.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Law: the retries within a window never exceed ratio * (first attempts within it) + min_per_second * ttl.

    Costs: O(slots) a decision; memory two counters.
    Source: Finagle, `RetryBudget`.

    Examples
    --------
    >>> budget, retry = RetryBudget(min_per_second=0), Request(attempt=1)
    >>> for _ in range(9):
    ...     budget.started(0.0)
    >>> budget.admit(0.0, retry).admitted
    True
    >>> budget.started(0.0, retry)
    >>> budget.admit(0.0, retry).reason, budget.balance(10.0)
    (<Reason.RETRY_BUDGET: 'retry budget'>, 0.0)
    """

    __slots__ = ("_requests", "_retries", "min_per_second", "ratio", "slots", "ttl")

    def __init__(
        self, ttl: float = TTL, min_per_second: float = MIN_PER_SECOND, ratio: float = RATIO, slots: int = 10
    ) -> None:
        self.ttl = check_real("ttl", ttl, low=1e-3, high=1e9)
        self.min_per_second = check_real("min_per_second", min_per_second, low=0.0)
        self.ratio = check_real("ratio", ratio, low=0.0)
        self.slots = check_integer("slots", slots, low=1, high=10_000)
        self._requests, self._retries = WindowedCounter(ttl, slots), WindowedCounter(ttl, slots)

    def balance(self, now: float) -> float:
        """How many retries may start at `now` (seconds)."""
        paid = self.ratio * self._requests.total(now) + self.min_per_second * self.ttl
        return max(0.0, paid - self._retries.total(now))

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """First attempts always; a retry if one is paid for."""
        balance = self.balance(now)
        return ADMIT if request.attempt == 0 or balance >= 1.0 - ROUNDING else REFUSED

    def started(self, now: float, request: Request = FIRST) -> None:
        """A first attempt pays in, a retry takes out."""
        (self._retries if request.attempt else self._requests).add(now)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """What was not sent neither pays nor costs."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """How it ended does not matter."""
        instant(now)

    def merge(self, other: RetryBudget) -> None:
        """Take in what another worker has counted by the same clock.

        Raises
        ------
        ConfigError : `other` is no budget of the same window.
        """
        if not isinstance(other, RetryBudget) or (other.ttl, other.slots) != (self.ttl, self.slots):
            raise ConfigError("other", other, f"must be like {self!r}")
        self._requests.merge(other._requests)
        self._retries.merge(other._retries)

    def snapshot(self, now: float) -> dict[str, Any]:
        """What was counted lately."""
        parts = self._requests.snapshot(now), self._retries.snapshot(now)
        return {"type": "RetryBudget", "requests": parts[0], "retries": parts[1]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot of a budget with the same window.

        Raises
        ------
        ConfigError : it is none; nothing has been changed.
        """
        state = check_state("RetryBudget", state, "requests", "retries")
        requests, retries = WindowedCounter(self.ttl, self.slots), WindowedCounter(self.ttl, self.slots)
        requests.restore(state["requests"], now)
        retries.restore(state["retries"], now)
        self._requests, self._retries = requests, retries

    def __repr__(self) -> str:
        return f"RetryBudget({self.ttl!r}, {self.min_per_second!r}, {self.ratio!r}, {self.slots})"


class RetryConcurrency:
    """A gate for retries: those in flight may be a percentage of all in flight, and at least a few.

    Parameters
    ----------
    percent : of the requests in flight, retries included, 0 to 100.
    min_concurrent : retries in flight that are always allowed, >= 0.

    Raises
    ------
    ConfigError : a parameter is out of its range; by `finished`, for what was never started.

    Costs: O(1).
    Source: Envoy, circuit breakers, retry_budget.

    Examples
    --------
    >>> gate = RetryConcurrency(min_concurrent=1)
    >>> gate.started(0.0, Request(attempt=1))
    >>> gate.admit(0.0, Request(attempt=1)).admitted
    False
    """

    __slots__ = ("in_flight", "min_concurrent", "percent", "retries")

    def __init__(self, percent: float = PERCENT, min_concurrent: int = MIN_CONCURRENT) -> None:
        self.percent = check_real("percent", percent, low=0.0, high=100.0)
        self.min_concurrent = check_integer("min_concurrent", min_concurrent, low=0)
        self.in_flight = self.retries = 0

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """First attempts always; a retry while there are fewer than the percentage allows."""
        instant(now)
        most = max(self.min_concurrent, int(self.percent * self.in_flight / 100.0))
        return ADMIT if request.attempt == 0 or self.retries < most else REFUSED

    def started(self, now: float, request: Request = FIRST) -> None:
        """One more is in flight."""
        instant(now)
        self.in_flight += 1
        self.retries += request.attempt > 0

    def refused(self, now: float, request: Request = FIRST) -> None:
        """Nothing was taken."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """One fewer is in flight."""
        instant(now)
        retry = request.attempt > 0
        if self.in_flight == 0 or (retry and self.retries == 0):
            raise ConfigError("request", request, "was never started")
        self.in_flight -= 1
        self.retries -= retry

    def snapshot(self, now: float) -> dict[str, Any]:
        """Nothing survives: what is in flight is gone with the process."""
        instant(now)
        return {"type": "RetryConcurrency"}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Begin empty."""
        check_state("RetryConcurrency", state)
        instant(now)

    def __repr__(self) -> str:
        return f"RetryConcurrency({self.percent!r}, {self.min_concurrent})"


class RetryQuota:
    """A gate for retries: a bucket they take from and successes refill; it does not know time.

    Parameters
    ----------
    quota : what the bucket holds, and holds at first, >= 0.
    cost : what a retry takes, >= 1.
    timeout_cost : what a retry takes whose attempt before timed out, >= 1.
    refund : what a first attempt that succeeds gives, >= 0; a retry that succeeds gives back what it took.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: O(1).
    Source: botocore, standard retry mode (quota 500; the costs as its documentation is quoted by others).

    Examples
    --------
    >>> quota = RetryQuota(quota=5)
    >>> quota.started(0.0, Request(attempt=1))
    >>> quota.left, quota.admit(0.0, Request(attempt=1)).admitted
    (0, False)
    >>> quota.finished(0.0, Request(attempt=1), Outcome.SUCCESS)
    >>> quota.left
    5
    """

    __slots__ = ("cost", "left", "quota", "refund", "timeout_cost")

    def __init__(
        self, quota: int = QUOTA, cost: int = COST, timeout_cost: int = TIMEOUT_COST, refund: int = REFUND
    ) -> None:
        self.quota = check_integer("quota", quota, low=0)
        self.cost = check_integer("cost", cost, low=1)
        self.timeout_cost = check_integer("timeout_cost", timeout_cost, low=1)
        self.refund = check_integer("refund", refund, low=0)
        self.left = quota

    def price(self, request: Request) -> int:
        """What an attempt takes: nothing if it is the first."""
        return 0 if not request.attempt else self.timeout_cost if request.after_timeout else self.cost

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """First attempts always; a retry if the bucket has what it takes."""
        instant(now)
        return ADMIT if self.price(request) <= self.left else REFUSED

    def started(self, now: float, request: Request = FIRST) -> None:
        """A retry takes."""
        instant(now)
        self.left = max(0, self.left - self.price(request))

    def refused(self, now: float, request: Request = FIRST) -> None:
        """Nothing was taken."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A success gives back."""
        instant(now)
        if outcome is Outcome.SUCCESS:
            self.left = min(self.quota, self.left + (self.price(request) or self.refund))

    def snapshot(self, now: float) -> dict[str, Any]:
        """What is left."""
        instant(now)
        return {"type": "RetryQuota", "left": self.left}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on with what was left, at most the quota.

        Raises
        ------
        ConfigError : it is no snapshot of a `RetryQuota`; nothing has been changed.
        """
        instant(now)
        left = check_integer("state['left']", check_state("RetryQuota", state, "left")["left"], low=0)
        self.left = min(left, self.quota)

    def __repr__(self) -> str:
        return f"RetryQuota({self.quota}, {self.cost}, {self.timeout_cost}, {self.refund})"
