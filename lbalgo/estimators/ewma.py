"""Averages that forget: the past counts exp(-age / tau).

Two, which differ in what they average over. `Ewma` averages over *time*: each value holds from the one before it to
itself, so a burst of a thousand values in one instant counts no more than one. It is what Finagle's failure accrual and
peak EWMA use. `DecayingMean` averages over *values*: each counts 1 when it comes and less as it ages.

Reads project: asked at a later instant they say what the average is then, without being changed. The mean of what came
does not move while nothing comes, its weight does; an `Ewma` with a value of `rest` drifts there.

Merging: two `DecayingMean`s add up to the mean of both streams, exactly. For an average over time there is no such law
(both held a value at every instant); `Ewma.merge` takes the mean of the two by the weight of what each has seen, which
is symmetric, associative, and changes nothing if one has seen nothing or both say the same.

Costs: O(1) everything, one exponential; memory three numbers.
Source: Finagle (Twitter), `Ema` and `RequestsSuccessRate`, for the average over time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import NANOSECONDS, check_state, instant
from lbalgo.spec import check_integer, check_real


def faded(elapsed: int, tau: float) -> float:
    """How much something counts after `elapsed` nanoseconds, >= 0.

    Examples
    --------
    >>> faded(0, 10.0), round(faded(10**10, 10.0), 4)
    (1.0, 0.3679)
    """
    return math.exp(-(elapsed / NANOSECONDS) / tau) if elapsed > 0 else 1.0


class Ewma:
    """An exponentially weighted average over time.

    Parameters
    ----------
    tau : seconds after which what was counts 1/e.
    rest : value to which a read drifts while nothing comes; None: it stays.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    The first value is taken whole. Law: after `start(1.0, t0)` and then zeros only, the value at t is
    exp(-(t - t0) / tau), however often they come.

    Costs: O(1), one exponential.
    Source: Finagle, `Ema`.

    Examples
    --------
    >>> rate = Ewma(tau=30.0)
    >>> rate.start(1.0, now=0.0)
    >>> for now in range(1, 8):
    ...     rate.add(0.0, now)
    >>> round(rate.read(7.0), 4)
    0.7919
    """

    __slots__ = ("_at", "_value", "_weight", "rest", "tau")

    def __init__(self, tau: float, rest: float | None = None) -> None:
        self.tau = check_real("tau", tau, low=1e-9, high=1e9)
        self.rest = None if rest is None else check_real("rest", rest)
        self._at: int | None = None
        self._value = self._weight = 0.0

    def start(self, value: float, now: float) -> None:
        """Begin with a value (finite) at `now` (seconds), which counts as one that came."""
        at, value = instant(now), check_real("value", value)
        self.start_at(value, at)

    def start_at(self, value: float, at: int) -> None:
        """`start` at an instant in whole nanoseconds, unchecked."""
        self._at, self._value, self._weight = at, value, 1.0

    def add(self, value: float, now: float) -> None:
        """Take in a value (finite) at `now` (seconds); at no later an instant than the latest it has no weight.

        Raises
        ------
        ConfigError : the value or `now` is invalid.
        """
        at, value = instant(now), check_real("value", value)
        self.add_at(value, at)

    def add_at(self, value: float, at: int) -> None:
        """`add` at an instant in whole nanoseconds, unchecked."""
        if self._at is None:
            self.start_at(value, at)
            return
        kept = faded(at - self._at, self.tau)
        self._value = self._value * kept + value * (1.0 - kept)
        self._weight = self._weight * kept + 1.0
        self._at = max(self._at, at)

    def read(self, now: float) -> float | None:
        """The average at `now` (seconds); None before the first value."""
        return self.read_at(instant(now))

    def read_at(self, at: int) -> float | None:
        """`read` at an instant in whole nanoseconds, unchecked."""
        if self._at is None:
            return None
        if self.rest is None:
            return self._value
        kept = faded(at - self._at, self.tau)
        return self._value * kept + self.rest * (1.0 - kept)

    def merge(self, other: Ewma) -> None:
        """Take the mean of this and another by the same clock, weighted by what each has seen lately.

        Raises
        ------
        ConfigError : `other` is no `Ewma` of the same tau and rest.
        """
        if not isinstance(other, Ewma) or (other.tau, other.rest) != (self.tau, self.rest):
            raise ConfigError("other", other, f"must be like {self!r}")
        if other._at is None:
            return
        if self._at is None:
            self._at, self._value, self._weight = other._at, other._value, other._weight
            return
        at = max(self._at, other._at)
        mine, theirs = self.read_at(at), other.read_at(at)
        assert mine is not None
        assert theirs is not None
        weight = self._weight * faded(at - self._at, self.tau)
        their_weight = other._weight * faded(at - other._at, self.tau)
        both = weight + their_weight
        self._value = mine if both == 0.0 else mine + (theirs - mine) * (their_weight / both)
        self._at, self._weight = at, both

    def snapshot(self, now: float) -> dict[str, Any]:
        """The state at `now` (seconds) as plain data; the latest instant as an age in nanoseconds."""
        return self.snapshot_at(instant(now))

    def snapshot_at(self, at: int) -> dict[str, Any]:
        """`snapshot` at an instant in whole nanoseconds."""
        age = None if self._at is None else at - self._at
        return {"type": "Ewma", "age": age, "value": self._value, "weight": self._weight}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if it had been taken at `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of an `Ewma`, or `now` is invalid; nothing has been changed.
        """
        self.restore_at(state, instant(now))

    def restore_at(self, state: Mapping[str, Any], at: int) -> None:
        """`restore` at an instant in whole nanoseconds."""
        state = check_state("Ewma", state, "age", "value", "weight")
        value = check_real("state['value']", state["value"])
        weight = check_real("state['weight']", state["weight"], low=0.0)
        age = state["age"]
        self._at = None if age is None else at - check_integer("state['age']", age)
        self._value, self._weight = value, weight

    def __repr__(self) -> str:
        return f"Ewma(tau={self.tau!r}, rest={self.rest!r})"


class DecayingMean:
    """A mean, and a rate, in which a value of `tau` seconds ago counts 1/e of one of now.

    Parameters
    ----------
    tau : seconds after which a value counts 1/e.

    Raises
    ------
    ConfigError : tau is out of its range.

    Law: mean = sum of x_i * exp(-age_i / tau) / weight, weight = sum of exp(-age_i / tau); a merge is that of both.

    Costs: O(1), one exponential.
    Source: Cormode et al., "Forward decay", ICDE 2009, for decayed sums.

    Examples
    --------
    >>> mean = DecayingMean(tau=10.0)
    >>> mean.add(1.0, now=0.0)
    >>> mean.add(4.0, now=0.0)
    >>> mean.mean(), round(mean.weight(now=10.0), 4)
    (2.5, 0.7358)
    """

    __slots__ = ("_at", "_sum", "_weight", "tau")

    def __init__(self, tau: float) -> None:
        self.tau = check_real("tau", tau, low=1e-9, high=1e9)
        self._at: int | None = None
        self._sum = self._weight = 0.0

    def add(self, value: float, now: float) -> None:
        """Take in a value (finite) at `now` (seconds); one of an earlier instant counts as old as it is.

        Raises
        ------
        ConfigError : the value or `now` is invalid.
        """
        at, value = instant(now), check_real("value", value)
        if self._at is None:
            self._at = at
        self._fade(at)
        counts = faded(self._at - at, self.tau)
        self._sum += value * counts
        self._weight += counts

    def _fade(self, at: int) -> None:
        assert self._at is not None
        kept = faded(at - self._at, self.tau)
        self._sum, self._weight, self._at = self._sum * kept, self._weight * kept, max(self._at, at)

    def mean(self) -> float | None:
        """The mean, which does not move while nothing comes; None before the first value, or once all have faded."""
        return self._sum / self._weight if self._weight > 0.0 else None

    def weight(self, now: float) -> float:
        """How many values of now those that came are worth; divided by tau it is the rate at which they come."""
        at = instant(now)
        return self._weight * faded(at - self._at, self.tau) if self._at is not None else 0.0

    def merge(self, other: DecayingMean) -> None:
        """Take in what another has seen by the same clock; `other` stays as it is.

        Raises
        ------
        ConfigError : `other` is no `DecayingMean` of the same tau.
        """
        if not isinstance(other, DecayingMean) or other.tau != self.tau:
            raise ConfigError("other", other, f"must be like {self!r}")
        if other._at is None:
            return
        if self._at is None:
            self._at = other._at
        self._fade(other._at)
        kept = faded(self._at - other._at, self.tau)
        self._sum += other._sum * kept
        self._weight += other._weight * kept

    def snapshot(self, now: float) -> dict[str, Any]:
        """The state at `now` (seconds) as plain data; the latest instant as an age in nanoseconds."""
        at = instant(now)
        age = None if self._at is None else at - self._at
        return {"type": "DecayingMean", "age": age, "sum": self._sum, "weight": self._weight}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if it had been taken at `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of a `DecayingMean`, or `now` is invalid; nothing has been changed.
        """
        at, state = instant(now), check_state("DecayingMean", state, "age", "sum", "weight")
        total = check_real("state['sum']", state["sum"])
        weight = check_real("state['weight']", state["weight"], low=0.0)
        age = state["age"]
        self._at = None if age is None else at - check_integer("state['age']", age)
        self._sum, self._weight = total, weight

    def __repr__(self) -> str:
        return f"DecayingMean(tau={self.tau!r})"
