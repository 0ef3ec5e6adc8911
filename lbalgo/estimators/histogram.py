"""Quantiles of a stream, from a histogram whose buckets grow by a fixed ratio.

A value in [low, high) falls into one of about log2(high / low) * steps buckets, each 2**(1 / steps) times as wide as
the one before; a quantile is answered by the geometric middle of the bucket in which it lies. So the answer is off by
at most 2**(1 / (2 * steps)) - 1 of the true value, whatever the stream: 4.4 % with 8 steps to a doubling, in 213
buckets from a microsecond to 100 seconds. Values outside are counted, and answered by `low` or `high`: no error is
stated for them.

Counts add up, so merging is exact: the merged histogram is that of both streams. A histogram has no age; the
`WindowedHistogram` keeps two that take turns, and thereby what came within the last half to whole window.

The q-quantile of n values is the least of them that at least q * n do not exceed (the inverse of the empirical
distribution function), the least one for q = 0.

Costs: add O(log buckets), some comparisons in C; quantile O(buckets); memory 8 bytes a bucket; nothing is allocated.
Source: after Tene's HdrHistogram and Masson, Rim, Lee, "DDSketch", VLDB 2019, for the fixed relative error.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state, instant
from lbalgo.spec import check_integer, check_real

LOW, HIGH = 1e-6, 100.0  # seconds: faster than any network, slower than any patience
STEPS = 8  # buckets to a doubling: 4.4 % error in 213 buckets
MOST = 2**63 - 1  # a count in a snapshot


class LogHistogram:
    """A histogram with buckets of a fixed ratio: any quantile within a stated relative error, exactly mergeable.

    Parameters
    ----------
    low, high : the range within which the error holds, in the unit of the values (seconds for latencies).
    steps : buckets to a doubling, 1 to 128; the relative error is 2**(1 / (2 * steps)) - 1.

    Raises
    ------
    ConfigError : a parameter is out of its range, or low is not below high.

    Costs: `add` O(log buckets), `quantile` O(buckets); memory 8 bytes for each of log2(high / low) * steps buckets.
    Source: Masson, Rim, Lee, "DDSketch", VLDB 2019.

    Examples
    --------
    >>> histogram = LogHistogram()
    >>> for milliseconds in range(1, 101):
    ...     histogram.add(milliseconds / 1000)
    >>> round(histogram.quantile(0.5), 4), round(histogram.relative_error, 4)
    (0.0484, 0.0443)
    """

    __slots__ = ("_bounds", "_counts", "count", "high", "low", "steps")

    def __init__(self, low: float = LOW, high: float = HIGH, steps: int = STEPS) -> None:
        self.low = check_real("low", low, low=0.0, open_low=True)
        self.high = check_real("high", high, low=0.0, open_low=True)
        self.steps = check_integer("steps", steps, low=1, high=128)
        if not self.low < self.high:
            raise ConfigError("high", high, "must be above low")
        buckets = max(1, math.ceil(math.log2(self.high / self.low) * self.steps - 1e-9))
        self._bounds = [self.low * math.exp2(i / self.steps) for i in range(buckets)] + [self.high]
        self._counts = [0] * (buckets + 2)  # below the range, the buckets, above it
        self.count = 0

    @property
    def relative_error(self) -> float:
        """The most by which a quantile in the range can be off, as a part of it."""
        return math.exp2(0.5 / self.steps) - 1.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value (finite, >= 0), or the same value several times.

        Raises
        ------
        ConfigError : the value or `times` (>= 0) is invalid.
        """
        value = check_real("value", value, low=0.0)
        times = check_integer("times", times, low=0)
        self._counts[bisect_right(self._bounds, value)] += times
        self.count += times

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0 <= q <= 1) of what was counted, within `relative_error`; None if nothing was."""
        q = check_real("q", q, low=0.0, high=1.0)
        if not self.count:
            return None
        rank, seen = max(1, math.ceil(q * self.count)), 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return self.middle(bucket)
        raise AssertionError("counts add up")  # pragma: no cover

    def middle(self, bucket: int) -> float:
        """What stands for the values of a bucket: its geometric middle; `low` and `high` for those beyond the range."""
        if bucket == 0:
            return self.low
        if bucket == len(self._bounds):
            return self.high
        return math.sqrt(self._bounds[bucket - 1] * self._bounds[bucket])

    def at_least(self, value: float) -> int:
        """How many counted values are known to be at least `value`: those of the buckets that lie above it whole."""
        first = bisect_right(self._bounds, check_real("value", value, low=0.0))
        exact = first > 0 and self._bounds[first - 1] == value
        return sum(self._counts[first if exact else first + 1 :])

    def counts(self) -> list[int]:
        """The counts: of values below `low`, of each bucket, of values of at least `high`."""
        return list(self._counts)

    def clear(self) -> None:
        """Forget everything."""
        self._counts = [0] * len(self._counts)
        self.count = 0

    def merge(self, other: LogHistogram) -> None:
        """Count what another histogram has counted, which stays as it is.

        Raises
        ------
        ConfigError : `other` is no histogram of the same range and steps.
        """
        if not isinstance(other, LogHistogram) or self._layout() != other._layout():
            raise ConfigError("other", other, f"must be like {self!r}")
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self.count += other.count

    def _layout(self) -> tuple[float, float, int]:
        return self.low, self.high, self.steps

    def snapshot(self) -> dict[str, Any]:
        """The state as plain data: the buckets that are not empty, and their counts."""
        filled = [[bucket, count] for bucket, count in enumerate(self._counts) if count]
        return {"type": "LogHistogram", "low": self.low, "high": self.high, "steps": self.steps, "counts": filled}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot.

        Raises
        ------
        ConfigError : the state is none of a histogram of this range and steps; nothing has been changed.
        """
        state = check_state("LogHistogram", state, "low", "high", "steps", "counts")
        if (state["low"], state["high"], state["steps"]) != self._layout():
            raise ConfigError("state", state, f"must be of {self!r}")
        counts = [0] * len(self._counts)
        if not isinstance(state["counts"], (list, tuple)):
            raise ConfigError("state['counts']", state["counts"], "must be pairs of a bucket and its count")
        for pair in state["counts"]:
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise ConfigError("state['counts']", pair, "must be a bucket and its count")
            bucket = check_integer("state['counts']", pair[0], low=0, high=len(counts) - 1)
            counts[bucket] = check_integer("state['counts']", pair[1], low=1, high=MOST)
        self._counts, self.count = counts, sum(counts)

    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        return f"LogHistogram(low={self.low!r}, high={self.high!r}, steps={self.steps})"


class WindowedHistogram:
    """A `LogHistogram` of what came lately: two that take turns, each for half a window.

    Parameters
    ----------
    window : seconds; a value counts for at least half of it and at most all of it.
    low, high, steps : as of `LogHistogram`.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Halves begin at multiples of half a window in the caller's clock, so that those of several workers fall together and
    merge exactly. Where they do not (one was restored on another clock) the merge keeps the older beginning: nothing
    counts for longer than a window, some for less than half of one.

    Costs: `add` O(log buckets), and O(buckets) once in half a window; memory two histograms.

    Examples
    --------
    >>> recent = WindowedHistogram(10.0)
    >>> recent.add(0.2, now=1.0)
    >>> recent.count(7.0), recent.count(12.0)
    (1, 0)
    """

    __slots__ = ("_began", "_current", "_half", "_previous", "window")

    def __init__(self, window: float, low: float = LOW, high: float = HIGH, steps: int = STEPS) -> None:
        self.window = check_real("window", window, low=1e-6, high=1e9)
        self._half = instant(self.window) // 2
        self._current, self._previous = LogHistogram(low, high, steps), LogHistogram(low, high, steps)
        self._began: int | None = None

    def add(self, value: float, now: float) -> None:
        """Count a value (finite, >= 0) at `now` (seconds); an earlier instant counts at the latest.

        Raises
        ------
        ConfigError : the value or `now` is invalid.
        """
        at, value = instant(now), check_real("value", value, low=0.0)
        self._turn(at)
        self._current.add(value)

    def _turn(self, at: int) -> None:
        if self._began is None:
            self._began = at - at % self._half
        turns = (at - self._began) // self._half
        if turns > 0:
            if turns == 1:
                self._current, self._previous = self._previous, self._current
            else:
                self._previous.clear()
            self._current.clear()
            self._began += turns * self._half

    def _seen(self, now: float) -> list[LogHistogram]:
        """The histograms that still count at `now`."""
        at = instant(now)
        turns = 0 if self._began is None else (at - self._began) // self._half
        return [self._current, self._previous] if turns <= 0 else [self._current] if turns == 1 else []

    def at(self, now: float) -> LogHistogram:
        """What counts at `now` (seconds), as a histogram of its own. Cost: O(buckets)."""
        whole = LogHistogram(*self._current._layout())
        for part in self._seen(now):
            whole.merge(part)
        return whole

    def count(self, now: float) -> int:
        """How many values count at `now` (seconds)."""
        return sum(part.count for part in self._seen(now))

    def quantile(self, q: float, now: float) -> float | None:
        """The q-quantile of what counts at `now` (seconds); None if nothing does. Cost: O(buckets)."""
        return self.at(now).quantile(q)

    def merge(self, other: WindowedHistogram) -> None:
        """Count what another has counted lately by the same clock; `other` stays as it is.

        Raises
        ------
        ConfigError : `other` is no windowed histogram of the same shape.
        """
        alike = isinstance(other, WindowedHistogram) and self._half == other._half
        if not alike or self._current._layout() != other._current._layout():
            raise ConfigError("other", other, f"must be like {self!r}")
        if other._began is None:
            return
        theirs = WindowedHistogram(self.window, *self._current._layout())
        theirs._began = other._began
        theirs._current.merge(other._current)
        theirs._previous.merge(other._previous)
        if self._began is None:
            self._began = theirs._began
        theirs._turn(self._began)
        self._turn(theirs._began)
        self._current.merge(theirs._current)
        self._previous.merge(theirs._previous)
        self._began = min(self._began, theirs._began)

    def snapshot(self, now: float) -> dict[str, Any]:
        """The state at `now` (seconds) as plain data; the beginning of the present half as an age in nanoseconds."""
        at = instant(now)
        age = None if self._began is None else at - self._began
        parts = self._current.snapshot(), self._previous.snapshot()
        return {
            "type": "WindowedHistogram",
            "window": self.window,
            "age": age,
            "current": parts[0],
            "previous": parts[1],
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if it had been taken at `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of such a histogram, or `now` is invalid; nothing has been changed.
        """
        at = instant(now)
        state = check_state("WindowedHistogram", state, "window", "age", "current", "previous")
        if state["window"] != self.window:
            raise ConfigError("state['window']", state["window"], f"must be {self.window!r}")
        if state["age"] is not None:
            check_integer("state['age']", state["age"])
        layout = self._current._layout()
        current, previous = LogHistogram(*layout), LogHistogram(*layout)
        current.restore(state["current"])
        previous.restore(state["previous"])
        self._began = None if state["age"] is None else at - state["age"]
        self._current, self._previous = current, previous

    def __repr__(self) -> str:
        return repr(self._current).replace("LogHistogram(", f"WindowedHistogram(window={self.window!r}, ", 1)
