"""Loads that are estimated from how requests went, by row: latency, and the age of what is still open.

Time is what the load was told last; reads project to it and change nothing. A request of cost c that took t seconds is
a sample of t / c: latency is that of one unit of cost, and what is in flight is the sum of costs.

`LatencyLoad` is the average that peak EWMA is made of (see `lbalgo.loads.PeakEwma`), `AgeLoad` the greater of another
load and the mean age of what is open.

A peak fades by the same factor in every row, so which of two is greater does not change while nothing is measured. Each
row's is therefore kept as it was at one instant, the epoch, too: two of them compare without an exponential, but for
rounding; whoever compares them and finds them too close to tell asks for the values.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/estimated_loads.pxd`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.kept_rows import check_kept, check_part, check_same, grown
from lbalgo.spec import check_real, check_row
from lbalgo.types import OUTCOME_CODES, Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from math import exp

    from lbalgo.reference.loads import LoadState

NATIVE = cython.compiled
NAN, NEVER = math.nan, -math.inf
MOST = 1e300
LONGEST = 1e9  # seconds a sample counts at most, so that products with what is in flight stay finite
UNTRIED = 1e12  # load of a unit in flight to somebody never measured: beyond all that can be
FAINT = 1e-150  # a peak that has faded below it by the epoch is not kept
LONG = 64.0  # time constants after which there is another epoch: far enough from what overflows
CANCELLED, TIMEOUT = OUTCOME_CODES[Outcome.CANCELLED], OUTCOME_CODES[Outcome.TIMEOUT]


class LatencyLoad(LoadState):
    """Latency averaged over time, by row; made by `PeakEwma.start` and `LatencyEwma.start`.

    Parameters
    ----------
    spec : the specification it was made from.
    tau : seconds after which a sample counts 1/e.
    peak : whether a sample above the average replaces it, and the average fades to 0 while none come.
    pending : whether it is multiplied by what is in flight and one more.
    initial : latency assumed of those never measured, seconds; NaN: the rule of one trial.
    """

    def __init__(self, spec: Any, tau: float, peak: bool, pending: bool, initial: float) -> None:
        self.spec, self.tau, self.peak, self.pending, self.initial = spec, tau, peak, pending, initial
        self.rate, self.margin = 1.0 / tau, 0.0
        self.latest, self.room = NEVER, 0
        self.epoch = self.until = NEVER
        self.lasting = peak and pending
        self.flying = self.costs = self.average = self.when = self.seen = grown((), 0, 0.0, NATIVE)
        self.faded = self.flying
        self._make_room(0)

    def _make_room(self, row: int) -> None:
        if row >= self.room:
            size = max(row + 1, 2 * self.room, 64)
            self.flying, self.costs = grown(self.flying, size, 0.0, NATIVE), grown(self.costs, size, 0.0, NATIVE)
            self.average, self.when = grown(self.average, size, 0.0, NATIVE), grown(self.when, size, NEVER, NATIVE)
            self.faded = grown(self.faded, size, NAN, NATIVE)
            self.seen, self.room = grown(self.seen, size, 0.0, NATIVE), size

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.latest = max(self.latest, now)

    def _fade(self, row: int) -> None:
        """What a row's average is at the epoch, which is far in the future or the past of no row that counts."""
        faded = NAN
        if self.when[row] > NEVER:
            faded = self.average[row] * exp((self.when[row] - self.epoch) * self.rate)
        self.faded[row] = faded if faded > FAINT else NAN

    def _fade_all(self) -> None:
        self.epoch, self.until = self.latest, self.latest + LONG * self.tau
        for row in range(self.room):
            self._fade(row)

    def start_(self, row: int, cost: float, now: float) -> None:
        """More in flight."""
        if row >= self.room:
            self._make_room(row)
        self.latest = max(self.latest, now)
        self.flying[row] += 1.0
        self.costs[row] = min(self.costs[row] + cost, MOST)

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Less in flight, and a sample."""
        if row >= self.room or self.flying[row] == 0.0:
            raise ConfigError("row", row, "has nothing in flight")
        self.latest = max(self.latest, now)
        self.flying[row] -= 1.0
        self.costs[row] = max(self.costs[row] - cost, 0.0) if self.flying[row] > 0.0 else 0.0
        if latency == latency and cost > 0.0:
            bound = outcome_code in (CANCELLED, TIMEOUT)
            self._sample(row, min(latency / cost, LONGEST), bound)

    def _sample(self, row: int, took: float, bound: bool) -> None:
        """A latency, or one that would have been longer."""
        if self.when[row] == NEVER:
            self.average[row] = took
        elif bound and took < self._now(row):
            return  # that it takes longer than less is no news
        else:
            kept = exp((self.when[row] - self.latest) * self.rate)
            if self.peak and took > self.average[row]:
                self.average[row] = took
            else:
                self.average[row] = self.average[row] * kept + took * (1.0 - kept)
            self.seen[row] *= kept
        self.seen[row] += 1.0
        self.when[row] = self.latest
        if self.lasting:
            if self.latest > self.until:
                self._fade_all()
            else:
                self._fade(row)

    def _now(self, row: int) -> float:
        """The average of a measured row, at the latest instant."""
        if self.peak and self.latest > self.when[row]:
            return self.average[row] * exp((self.when[row] - self.latest) * self.rate)  # type: ignore[no-any-return]
        return self.average[row]  # type: ignore[no-any-return]

    def value(self, row: int) -> float:
        """Latency, times what would be in flight with one more."""
        if row >= self.room:
            return 0.0 if self.initial != self.initial else self.initial
        latency = self.initial
        if self.when[row] > NEVER:
            latency = self._now(row)
        elif latency != latency:
            latency = 0.0 if self.flying[row] == 0.0 else UNTRIED
        return latency * (self.costs[row] + 1.0) if self.pending else latency

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is known of it."""
        row = check_row(row)
        if row < self.room:
            self.flying[row] = self.costs[row] = self.average[row] = self.seen[row] = 0.0
            self.when[row], self.faded[row] = NEVER, NAN

    def snapshot(self) -> dict[str, Any]:
        """What is known of each measured row as plain data, with ages in seconds; what is in flight is not in it."""
        rows = {
            row: {"average": self.average[row], "weight": self.seen[row], "age": self.latest - self.when[row]}
            for row in range(self.room)
            if self.when[row] > NEVER
        }
        return {"type": type(self.spec).__name__, "rows": rows}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds), and of other rows nothing."""
        rows = check_kept(type(self.spec).__name__, state, "average", "weight", "age")
        self.latest = max(self.latest, check_real("now", now))
        self._make_room(max(rows, default=0))
        for row in range(self.room):
            self.when[row] = NEVER
        for row, (average, weight, age) in rows.items():
            self.average[row], self.seen[row], self.when[row] = min(average, LONGEST), weight, self.latest - age
        if self.lasting:
            self._fade_all()

    def merge(self, other: Any) -> None:
        """Know what another, by the same clock and with the same rows, has measured too; `other` stays as it is.

        Of a peak the greater is kept, of an average the mean by the weight of what each has seen lately.
        """
        check_same(other, self)
        its: LatencyLoad = other
        self.latest = max(self.latest, its.latest)
        self._make_room(its.room - 1)
        for row in range(its.room):
            theirs = its.when[row]
            if theirs == NEVER:
                continue
            mine = self.when[row]
            if mine == NEVER:
                self.average[row], self.seen[row], self.when[row] = its.average[row], its.seen[row], theirs
                continue
            at = max(mine, theirs)
            fade, other_fade = exp((mine - at) * self.rate), exp((theirs - at) * self.rate)
            weight, other_weight = self.seen[row] * fade, its.seen[row] * other_fade
            if self.peak:
                self.average[row] = max(self.average[row] * fade, its.average[row] * other_fade)
            elif weight + other_weight > 0.0:
                share = other_weight / (weight + other_weight)
                self.average[row] += (its.average[row] - self.average[row]) * share
            self.seen[row], self.when[row] = weight + other_weight, at
        if self.lasting:
            self._fade_all()

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


class AgeLoad(LoadState):
    """The greater of a load and the mean age of what is open; made by `InFlightAge.start`."""

    def __init__(self, spec: Any, load: LoadState) -> None:
        self.spec, self.load, self.margin = spec, load, 0.0
        self.latest, self.room = NEVER, 0
        self.flying = self.costs = self.begun = self.zero = grown((), 0, 0.0, NATIVE)
        self._make_room(0)

    def _make_room(self, row: int) -> None:
        if row >= self.room:
            size = max(row + 1, 2 * self.room, 64)
            self.flying, self.costs = grown(self.flying, size, 0.0, NATIVE), grown(self.costs, size, 0.0, NATIVE)
            self.begun, self.zero = grown(self.begun, size, 0.0, NATIVE), grown(self.zero, size, 0.0, NATIVE)
            self.room = size

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.latest = max(self.latest, now)
        self.load.pass_(now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """One more is open."""
        if row >= self.room:
            self._make_room(row)
        self.load.start_(row, cost, now)
        self.latest = max(self.latest, now)
        if self.flying[row] == 0.0:
            self.zero[row] = self.latest  # beginnings are counted from here: small numbers keep their last digits
        self.flying[row] += 1.0
        self.costs[row] = min(self.costs[row] + cost, MOST)
        self.begun[row] += self.latest - self.zero[row]

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """One is open no more: the one that began then, or if nobody knows, one of mean age."""
        if row >= self.room or self.flying[row] == 0.0:
            raise ConfigError("row", row, "has nothing in flight")
        self.load.close_(row, cost, began, outcome_code, latency, now)
        self.latest = max(self.latest, now)
        mean = self.begun[row] / self.flying[row]
        self.flying[row] -= 1.0
        if self.flying[row] == 0.0:
            self.costs[row] = self.begun[row] = 0.0
            return
        self.costs[row] = max(self.costs[row] - cost, 0.0)
        if began != began:
            began = now - latency
        then = began - self.zero[row] if began == began else mean
        self.begun[row] -= min(max(then, 0.0), self.latest - self.zero[row])
        self.begun[row] = min(max(self.begun[row], 0.0), self.flying[row] * (self.latest - self.zero[row]))

    def value(self, row: int) -> float:
        """The greater of the two."""
        load = self.load.value(row) + self.load.margin
        if row < self.room and self.flying[row] > 0.0 and self.costs[row] > 0.0:
            age = (self.flying[row] * (self.latest - self.zero[row]) - self.begun[row]) / self.costs[row]
            load = max(load, min(age, LONGEST))
        return load

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is open, nothing is known."""
        self.load.restart(row)
        row = check_row(row)
        if row < self.room:
            self.flying[row] = self.costs[row] = self.begun[row] = 0.0

    def reported(self, row: int, report: Any, now: float) -> None:
        """For the load within."""
        within: Any = self.load
        if hasattr(within, "reported"):
            within.reported(row, report, now)

    def snapshot(self) -> dict[str, Any]:
        """What the load within knows."""
        return {"type": "InFlightAge", "parts": [self.load.snapshot()]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """The load within knows what a snapshot says."""
        self.load.restore(check_part("InFlightAge", state, 1)[0], now)
        self.latest = max(self.latest, check_real("now", now))

    def merge(self, other: Any) -> None:
        """The load within knows what another's knows too."""
        check_same(other, self)
        its: AgeLoad = other
        self.load.merge(its.load)

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"
