"""Adaptive concurrency: a limit of requests in flight that finds itself, from how long requests take.

What a backend can do at once is its rate times its time (Little); one more only waits. A queue shows in the times, so
the limit is raised while times stay what they are without load, and lowered when they grow. Three rules:

- `AIMD`: one more while the limit is in use; times 0.9 after a drop or a time beyond the timeout.
- `Vegas`: estimates the queue as limit * (1 - least / time) and keeps it between 3 and 6 times log10(limit). The least
  time is measured anew now and then, or a backend that has become slower would never be believed.
- `Gradient2`: moves the limit by the ratio of a long and a short average of the times, plus room for a short queue.

Each takes one sample per window: the mean time, the most requests in flight, whether any was dropped. A window lasts
`window` seconds and until it has `min_samples`. A limit that is not in use says nothing, so it does not grow: all three
need half of it in flight.

Costs: O(1) a request; memory a dozen numbers.
Source: Netflix, concurrency-limits (formulas and defaults read in its source); Brakmo and Peterson, "TCP Vegas", 1995.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lbalgo.active import mix64
from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state, instant
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import check_integer, check_real
from lbalgo.types import Outcome

WINDOW, MIN_SAMPLES, LEAST = 1.0, 10, 100e-6  # Netflix: windows of 1 s, ten samples, none below 100 microseconds
GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment
DROPS = frozenset({Outcome.OVERLOADED, Outcome.TIMEOUT})


class LimitRule(Protocol):
    """How a limit follows the samples: a frozen rule over a dictionary of numbers, which is all its state."""

    def start(self) -> dict[str, float]: ...  # noqa: D102
    def update(self, state: dict[str, float], time: float, in_flight: int, dropped: bool) -> None: ...  # noqa: D102


def check_range(initial: object, least: object, most: object) -> None:
    """Refuses limits that are not 1 <= least <= initial <= most."""
    low = check_integer("least", least, low=1)
    start = check_integer("initial", initial, low=low)
    check_integer("most", most, low=start)


@dataclass(frozen=True)
class AIMD:
    """Additive increase, multiplicative decrease.

    Parameters
    ----------
    initial, least, most : the limit at first, and its bounds.
    backoff : factor after a drop, in (0, 1).
    timeout : seconds; a mean time beyond it counts as a drop.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Netflix, concurrency-limits, `AIMDLimit`.

    Examples
    --------
    >>> rule = AIMD()
    >>> state = rule.start()
    >>> rule.update(state, 0.1, 20, False)
    >>> state["limit"]
    21.0
    """

    initial: int = 20
    least: int = 20
    most: int = 200
    backoff: float = 0.9
    timeout: float = 5.0

    def __post_init__(self) -> None:
        check_range(self.initial, self.least, self.most)
        check_real("backoff", self.backoff, low=0.0, high=1.0, open_low=True)
        check_real("timeout", self.timeout, low=0.0, open_low=True)

    def start(self) -> dict[str, float]:
        """The limit."""
        return {"limit": float(self.initial)}

    def update(self, state: dict[str, float], time: float, in_flight: int, dropped: bool) -> None:
        """Follow one sample."""
        limit = state["limit"]
        if dropped or time > self.timeout:
            limit = float(int(limit * self.backoff))
        elif 2 * in_flight >= limit:
            limit += 1.0
        state["limit"] = min(max(limit, float(self.least)), float(self.most))


@dataclass(frozen=True)
class Vegas:
    """Keeps the estimated queue between two bounds that grow with the logarithm of the limit.

    Parameters
    ----------
    initial, least, most : the limit at first, and its bounds.
    probe : the least time is measured anew after between half and all of this times the limit samples; 0: never.
    seed : of when just, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Netflix, concurrency-limits, `VegasLimit`; Brakmo and Peterson, 1995.

    Examples
    --------
    >>> rule = Vegas()
    >>> state = rule.start()
    >>> for time in (0.1, 0.1, 0.1):
    ...     rule.update(state, time, 20, False)
    >>> state["limit"]
    32.0
    """

    initial: int = 20
    least: int = 1
    most: int = 1000
    probe: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        check_range(self.initial, self.least, self.most)
        check_integer("probe", self.probe, low=0)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def start(self) -> dict[str, float]:
        """The limit, the least time (0: none yet), samples since it was measured, and probes so far."""
        return {"limit": float(self.initial), "least": 0.0, "samples": 0.0, "probes": 0.0}

    def update(self, state: dict[str, float], time: float, in_flight: int, dropped: bool) -> None:
        """Follow one sample."""
        state["samples"] += 1.0
        bits = mix64((self.seed + int(state["probes"]) * GAMMA) & (2**64 - 1))
        after = (0.5 + (bits >> 11) * 2.0**-54) * self.probe * state["limit"]
        if self.probe and state["samples"] >= after:
            state["least"], state["samples"] = time, 0.0
            state["probes"] += 1.0
            return
        if state["least"] == 0.0 or time < state["least"]:
            state["least"] = time
            return
        limit = state["limit"]
        step = float(max(1, int(math.log10(int(limit)))))
        queue = math.ceil(limit * (1.0 - state["least"] / time))
        if dropped:
            limit -= step
        elif 2 * in_flight < limit:
            return
        elif queue <= step:
            limit += 6.0 * step
        elif queue < 3.0 * step:
            limit += step
        elif queue > 6.0 * step:
            limit -= step
        state["limit"] = min(max(limit, float(self.least)), float(self.most))


@dataclass(frozen=True)
class Gradient2:
    """Moves the limit by the ratio of the long to the short average of the times.

    Parameters
    ----------
    initial, least, most : the limit at first, and its bounds.
    tolerance : how many times the long average the times may be without lowering the limit, >= 1.
    queue : room for a queue, >= 0.
    smoothing : share of a step that is taken, in (0, 1].
    long : samples of the long average, >= 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Drops are not looked at.

    Source: Netflix, concurrency-limits, `Gradient2Limit`.

    Examples
    --------
    >>> rule = Gradient2()
    >>> state = rule.start()
    >>> rule.update(state, 0.1, 20, False)
    >>> round(state["limit"], 6)
    20.8
    """

    initial: int = 20
    least: int = 20
    most: int = 200
    tolerance: float = 1.5
    queue: int = 4
    smoothing: float = 0.2
    long: int = 600

    def __post_init__(self) -> None:
        check_range(self.initial, self.least, self.most)
        check_real("tolerance", self.tolerance, low=1.0)
        check_integer("queue", self.queue, low=0)
        check_real("smoothing", self.smoothing, low=0.0, high=1.0, open_low=True)
        check_integer("long", self.long, low=1)

    def start(self) -> dict[str, float]:
        """The limit, the long average, and for its first ten samples their number."""
        return {"limit": float(self.initial), "long": 0.0, "samples": 0.0}

    def update(self, state: dict[str, float], time: float, in_flight: int, dropped: bool) -> None:
        """Follow one sample."""
        if state["samples"] < 10.0:  # the mean of the first ten
            state["samples"] += 1.0
            state["long"] += (time - state["long"]) / state["samples"]
        else:
            state["long"] += (time - state["long"]) * 2.0 / (self.long + 1.0)
        long, limit = state["long"], state["limit"]
        if long > 2.0 * time:
            state["long"] *= 0.95
        if 2 * in_flight < limit:
            return
        gradient = max(0.5, min(1.0, self.tolerance * long / time))
        moved = limit * (1.0 - self.smoothing) + (limit * gradient + self.queue) * self.smoothing
        state["limit"] = min(max(moved, float(self.least)), float(self.most))


class AdaptiveConcurrency:
    """A gate with a limit of requests in flight that follows a rule.

    Parameters
    ----------
    rule : `AIMD`, `Vegas`, `Gradient2` or another `LimitRule`.
    window : seconds a sample is of, at least.
    min_samples : fewest requests of a sample, >= 1.
    ignore_below : seconds; shorter times are not looked at.

    Raises
    ------
    ConfigError : a parameter is out of its range; by `finished`, for what was never started.

    Success and errors alike have taken their time; OVERLOADED and TIMEOUT are drops; CANCELLED says nothing.

    Costs: O(1).
    Source: Netflix, concurrency-limits, `WindowedLimit`.

    Examples
    --------
    >>> gate = AdaptiveConcurrency(AIMD(initial=2, least=1))
    >>> for _ in range(2):
    ...     gate.started(0.0)
    >>> gate.admit(0.0).reason, gate.limit
    (<Reason.CONCURRENCY: 'concurrency'>, 2)
    """

    __slots__ = (
        "_began",
        "_dropped",
        "_most",
        "_state",
        "_sum",
        "_times",
        "ignore_below",
        "in_flight",
        "min_samples",
        "rule",
        "window",
    )

    def __init__(
        self, rule: LimitRule, window: float = WINDOW, min_samples: int = MIN_SAMPLES, ignore_below: float = LEAST
    ) -> None:
        if isinstance(rule, type) or not callable(getattr(rule, "update", None)) or not hasattr(rule, "start"):
            raise ConfigError("rule", rule, "must be a rule, such as Vegas()")
        self.rule = rule
        self.window = check_real("window", window, low=1e-9, high=1e9)
        self.min_samples = check_integer("min_samples", min_samples, low=1)
        self.ignore_below = check_real("ignore_below", ignore_below, low=0.0)
        self.in_flight = 0
        self._state = rule.start()
        self._began: int | None = None
        self._clear()

    def _clear(self) -> None:
        self._sum, self._times, self._most, self._dropped = 0.0, 0, 0, False

    @property
    def limit(self) -> int:
        """How many may be in flight at present."""
        return int(self._state["limit"])

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Whether fewer than the limit are in flight."""
        instant(now)
        return ADMIT if self.in_flight < self.limit else Decision(Reason.CONCURRENCY)

    def started(self, now: float, request: Request = FIRST) -> None:
        """One more is in flight."""
        at = instant(now)
        if self._began is None:
            self._began = at
        self.in_flight += 1
        self._most = max(self._most, self.in_flight)

    def refused(self, now: float, request: Request = FIRST) -> None:
        """Nothing was taken."""
        instant(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """One fewer is in flight; what it took (seconds) goes into the sample.

        Raises
        ------
        ConfigError : latency is neither None nor finite and >= 0, or nothing is in flight.
        """
        at = instant(now)
        if latency is not None:
            latency = check_real("latency", latency, low=0.0)
        if self.in_flight == 0:
            raise ConfigError("request", request, "was never started")
        self.in_flight -= 1
        if latency is None or outcome is Outcome.CANCELLED:
            return
        self._dropped |= outcome in DROPS
        if latency >= self.ignore_below:
            self._sum += latency
            self._times += 1
        if self._began is None:
            self._began = at
        if at - self._began >= instant(self.window) and self._times >= self.min_samples:
            self.rule.update(self._state, self._sum / self._times, self._most, self._dropped)
            self._began = at
            self._clear()
            self._most = self.in_flight

    def snapshot(self, now: float) -> dict[str, Any]:
        """What the rule has learned; the sample that runs, and what is in flight, are gone with the process."""
        instant(now)
        return {"type": "AdaptiveConcurrency", "state": dict(self._state)}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on with what the rule had learned.

        Raises
        ------
        ConfigError : it is none of a gate with such a rule; nothing has been changed.
        """
        instant(now)
        data = check_state("AdaptiveConcurrency", state, "state")["state"]
        fresh = self.rule.start()
        if not isinstance(data, Mapping) or set(data) != set(fresh):
            raise ConfigError("state['state']", data, f"must be the state of {self.rule!r}")
        known = {name: check_real(f"state[{name!r}]", value, low=0.0) for name, value in data.items()}
        least = float(getattr(self.rule, "least", 1))
        known["limit"] = min(max(known["limit"], least), float(getattr(self.rule, "most", math.inf)))
        self._state, self._began = known, None
        self._clear()

    def __repr__(self) -> str:
        return f"AdaptiveConcurrency({self.rule!r}, {self.window!r}, {self.min_samples}, {self.ignore_below!r})"
