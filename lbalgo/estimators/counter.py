"""How much happened within the last seconds: a ring of exact counts, each of a slice of the window.

The window is cut into `slots` slices on a grid. Time drops whole slices, so at any instant what counts is everything
of the last `slots - 1` slices and of the one that runs: the count covers between (slots - 1) / slots of the window and
all of it, and within that is exact. Unlike an average that fades, it does not depend on how the traffic is spread.

Costs: add O(1), and O(slots) after a pause; read O(slots); memory `slots` numbers.
Source: linkerd2-proxy's circuit breaker counts in ten such slices, with this reason; tower's retry budget likewise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state, instant
from lbalgo.spec import check_integer, check_real

SLOTS = 10  # linkerd2-proxy and tower: ten slices


class WindowedCounter:
    """The sum of what was added within the last `window` seconds, to within one slice.

    Parameters
    ----------
    window : seconds.
    slots : number of slices, 1 to 10000.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Slices begin at multiples of their width in the caller's clock, so that those of several workers fall together and
    merge exactly; where they do not, a merge drops each slice by the older of the two beginnings.

    Costs: `add` O(1), `total` O(slots), memory `slots` numbers.

    Examples
    --------
    >>> counter = WindowedCounter(10.0)
    >>> counter.add(1.5)
    >>> counter.add(4.0, 2)
    >>> counter.total(10.9), counter.total(11.0), counter.total(14.0)
    (3, 2, 0)
    """

    __slots__ = ("_began", "_counts", "_width", "slots", "window")

    def __init__(self, window: float, slots: int = SLOTS) -> None:
        self.window = check_real("window", window, low=1e-3, high=1e9)
        self.slots = check_integer("slots", slots, low=1, high=10_000)
        self._width = max(1, instant(self.window) // self.slots)
        self._counts: list[float] = [0] * self.slots  # newest first
        self._began: int | None = None

    def add(self, now: float, amount: float = 1) -> None:
        """Add an amount (finite, >= 0) at `now` (seconds); an earlier instant counts at the latest.

        Raises
        ------
        ConfigError : the amount or `now` is invalid.
        """
        at = instant(now)
        check_real("amount", amount, low=0.0)
        self.add_at(at, amount)

    def add_at(self, at: int, amount: float = 1) -> None:
        """`add` at an instant in whole nanoseconds, unchecked."""
        self._turn(at)
        self._counts[0] += amount

    def _turn(self, at: int) -> None:
        if self._began is None:
            self._began = at - at % self._width
        turns = (at - self._began) // self._width
        if turns > 0:
            self._counts = [0] * min(turns, self.slots) + self._counts[: max(0, self.slots - turns)]
            self._began += turns * self._width

    def total(self, now: float) -> float:
        """The sum of what counts at `now` (seconds); integers stay integers."""
        return self.total_at(instant(now))

    def total_at(self, at: int) -> float:
        """`total` at an instant in whole nanoseconds, unchecked."""
        turns = 0 if self._began is None else max(0, (at - self._began) // self._width)
        return sum(self._counts[: max(0, self.slots - turns)])

    def clear(self) -> None:
        """Forget everything."""
        self._counts = [0] * self.slots
        self._began = None

    def begin_at(self, at: int) -> None:
        """Forget everything, and let slices begin at an instant in whole nanoseconds."""
        self._counts = [0] * self.slots
        self._began = at

    def merge(self, other: WindowedCounter) -> None:
        """Add what another has counted lately by the same clock; `other` stays as it is.

        Raises
        ------
        ConfigError : `other` is no counter of the same window and slots.
        """
        if not isinstance(other, WindowedCounter) or (other._width, other.slots) != (self._width, self.slots):
            raise ConfigError("other", other, f"must be like {self!r}")
        if other._began is None:
            return
        theirs = WindowedCounter(self.window, self.slots)
        theirs._began, theirs._counts = other._began, list(other._counts)
        if self._began is None:
            self._began = theirs._began
        theirs._turn(self._began)
        self._turn(theirs._began)
        self._counts = [mine + their for mine, their in zip(self._counts, theirs._counts, strict=True)]
        self._began = min(self._began, theirs._began)

    def snapshot(self, now: float) -> dict[str, Any]:
        """The state at `now` (seconds) as plain data; the beginning of the newest slice as an age in nanoseconds."""
        return self.snapshot_at(instant(now))

    def snapshot_at(self, at: int) -> dict[str, Any]:
        """`snapshot` at an instant in whole nanoseconds."""
        age = None if self._began is None else at - self._began
        return {"type": "WindowedCounter", "window": self.window, "age": age, "counts": list(self._counts)}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot, as if it had been taken at `now` (seconds).

        Raises
        ------
        ConfigError : the state is none of a counter of this window and slots, or `now` is invalid; nothing has changed.
        """
        self.restore_at(state, instant(now))

    def restore_at(self, state: Mapping[str, Any], at: int) -> None:
        """`restore` at an instant in whole nanoseconds."""
        state = check_state("WindowedCounter", state, "window", "age", "counts")
        if state["window"] != self.window:
            raise ConfigError("state['window']", state["window"], f"must be {self.window!r}")
        counts = state["counts"]
        if not isinstance(counts, (list, tuple)) or len(counts) != self.slots:
            raise ConfigError("state['counts']", counts, f"must be {self.slots} amounts")
        for amount in counts:
            check_real("state['counts']", amount, low=0.0)
        age = state["age"]
        self._began, self._counts = None if age is None else at - check_integer("state['age']", age), list(counts)

    def __repr__(self) -> str:
        return f"WindowedCounter(window={self.window!r}, slots={self.slots})"
