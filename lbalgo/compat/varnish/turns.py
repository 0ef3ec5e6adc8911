"""Varnish's directors without a key: `RoundRobin`, `Fallback`, `Random`.

* round_robin: a cursor goes through the backends in their order; the first healthy one is used, and the cursor stands
  behind it. Backends it passes over lose their turn.
* fallback: the first healthy one. Sticky, it stays where it is until that backend is sick, and then looks on from
  there, not from the beginning: a better one that comes back is not used before the worse one fails.
* random: r in [0, 1) of 31 random bits; the first healthy backend at which the sum of the healthy weights so far is
  greater than r times the sum of them all, in doubles.

Costs: O(N) a pick; memory O(N). Source: Varnish 7.1 documentation, vmod_directors.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar, overload

from lbalgo.compat.draws import Draws, FreeBSDRandom, WordDraws
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.varnish.backend import healthy
from lbalgo.endpoint import Endpoint
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict
from lbalgo.types import Backend, Ids, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


class Director:
    """A machine for `lbalgo.compat.machine.machine_picker` out of a director's backends and one way to choose.

    Parameters
    ----------
    method : chooses the position of a backend, -1 for none; called with the director and with which positions can be
        used now.
    """

    def __init__(self, method: Any) -> None:
        self.method = method
        self.rows: list[int] = []
        self.weights: list[float] = []
        self.usable: list[bool] = []
        self.open: dict[int, int] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Make these the backends, in this order."""
        self.rows = list(rows)
        self.weights = view.weights.tolist()
        self.usable = (healthy(view) & (view.weights > 0)).tolist()
        self.open = {row: count for row, count in self.open.items() if count}

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of the backend; those tried are taken for sick."""
        usable = [ok and row not in skip for row, ok in zip(self.rows, self.usable, strict=True)]
        position = self.method(self, usable) if any(usable) else -1
        return -1 if position < 0 else self.rows[position]

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """Who is usable, and what the method tells."""
        names = [name(row) for row in self.rows]
        told = listing(f"{n} {w:.6g}" for n, w, ok in zip(names, self.weights, self.usable, strict=True) if ok)
        steps: Steps = self.method.explain(self, names) if any(self.usable) else []
        return [("usable", told or "nobody"), *steps]

    def started(self, row: int, cost: float, now: float) -> None:
        """One request more is under way, which decides nothing here."""
        self.open[row] = self.open.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One request less is under way."""
        self.open[row] = max(self.open.get(row, 0) - 1, 0)

    def advance(self, now: float) -> None:
        """Time decides nothing here."""

    def at(self, row: int) -> float:
        """Requests under way."""
        return float(self.open.get(row, 0))

    def reseed(self, seed: int) -> None:
        """Moves lbalgo's own words, if they are drawn from."""
        if hasattr(self.method, "reseed"):
            self.method.reseed(seed)


class InTurn:
    """The cursor of round_robin."""

    def __init__(self) -> None:
        self.next = 0

    def __call__(self, director: Director, usable: list[bool]) -> int:
        """The next usable position from the cursor, which moves behind it."""
        for _ in usable:
            position = self.next % len(usable)
            self.next = position + 1
            if usable[position]:
                return position
        return -1

    def explain(self, director: Director, names: list[str]) -> Steps:
        """Where the cursor stands."""
        return [("cursor", f"before {names[self.next % len(names)]}")]


class FirstHealthy:
    """The place of a sticky fallback."""

    def __init__(self, sticky: bool) -> None:
        self.sticky = sticky
        self.row = -1  # of the backend it stays with

    def __call__(self, director: Director, usable: list[bool]) -> int:
        """The first usable position, sticky from where it stands; a backend that only this request avoids is kept."""
        start = director.rows.index(self.row) if self.sticky and self.row in director.rows else 0
        for step in range(len(usable)):
            position = (start + step) % len(usable)
            if usable[position]:
                if not (step and director.usable[start]):
                    self.row = director.rows[position]
                return position
        return -1

    def explain(self, director: Director, names: list[str]) -> Steps:
        """Where a sticky one looks first."""
        stays = self.sticky and self.row in director.rows
        return [("from", f"{names[director.rows.index(self.row)]}, the last used" if stays else "the first")]


class ByWeight:
    """The generator of random."""

    def __init__(self, draws: Draws) -> None:
        self.draws = draws

    def __call__(self, director: Director, usable: list[bool]) -> int:
        """The position at which the sum of usable weights passes r times the whole."""
        positions = [position for position, ok in enumerate(usable) if ok]
        sums = list(accumulate(director.weights[position] for position in positions))
        mark = self.mark(sums[-1])
        return next(position for position, reached in zip(positions, sums, strict=True) if reached > mark)

    def mark(self, total: float) -> float:
        """A draw from 0 to the sum of the weights."""
        return self.draws() * 2.0**-31 * total

    def explain(self, director: Director, names: list[str]) -> Steps:
        """The next draw."""
        total = list(accumulate(w for w, ok in zip(director.weights, director.usable, strict=True) if ok))[-1]
        return [("draw", f"{self.mark(total):.6g} of the {total:.6g} that the usable weigh")]

    def reseed(self, seed: int) -> None:
        """Moves lbalgo's own words; a real generator stays where its seed has put it."""
        if isinstance(self.draws, WordDraws):
            self.draws.state = seed


@dataclass(frozen=True)
class RoundRobin:
    """The round_robin director: every healthy backend in turn.

    A key is accepted and ignored, and so are weights, except that 0 takes no traffic, and factors (slow start).
    Costs: build O(N), pick O(N) past sick backends, memory O(N); disruption does not apply.
    Source: Varnish 7.1 documentation, vmod_directors, "round_robin"; replayed against 7.1.1.

    Examples
    --------
    >>> picker = RoundRobin().build(["a", "b", "c"])
    >>> " ".join(picker.pick().id for _ in range(4))
    'a b c a'
    """

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Director:
        return Director(InTurn())


@dataclass(frozen=True)
class Fallback:
    """The fallback director: the first healthy backend in listing order.

    Parameters
    ----------
    sticky : stay with the backend in use until it is sick, even if a better one is healthy again.

    Raises
    ------
    ConfigError : `sticky` is no bool.

    A key is accepted and ignored, and so are weights, except that 0 takes no traffic, and factors (slow start).
    Costs: build O(N), pick O(N) past sick backends, memory O(N); disruption does not apply.
    Source: Varnish 7.1 documentation, vmod_directors, "fallback"; replayed against 7.1.1.

    Examples
    --------
    >>> from lbalgo import State, View
    >>> policy = Fallback(sticky=True)
    >>> picker = policy.build(View.of(["a", "b"], states={"a": State.UNHEALTHY}))
    >>> picker.pick().id, policy.build(["a", "b"], previous=picker).pick().id
    ('b', 'b')
    """

    sticky: bool = False

    def __post_init__(self) -> None:
        check_bool("sticky", self.sticky)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Fallback:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Director:
        return Director(FirstHealthy(self.sticky))


@dataclass(frozen=True)
class Random:
    """The random director: healthy backends by weight.

    Parameters
    ----------
    srandom : the seed of Varnish's testable generator (its debug command ``debug.srandom``); None for lbalgo's own
        words, which a balancer seeds. (Unless told so Varnish seeds from the system's entropy.)

    Raises
    ------
    ConfigError : the seed is no integer in [0, 2**32).

    A key is accepted and ignored, and so are factors (slow start).
    Costs: build and pick O(N), memory O(N); disruption does not apply.
    Source: Varnish 7.1 documentation, vmod_directors, "random"; replayed against 7.1.1.

    Examples
    --------
    >>> picker = Random(srandom=42).build({"a": 1, "b": 3})
    >>> " ".join(picker.pick().id for _ in range(6))
    'b a b b a b'
    """

    srandom: int | None = None

    def __post_init__(self) -> None:
        if self.srandom is not None:
            check_integer("srandom", self.srandom, low=0, high=2**32 - 1)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the machine of the previous picker goes on, without one it starts anew."""
        return machine_picker(self, view_of(view), previous, self._start)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Random:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _start(self) -> Director:
        return Director(ByWeight(draws_of(self.srandom)))


def draws_of(srandom: int | None) -> Draws:
    """Varnish's generator for a seed, or lbalgo's words."""
    return WordDraws() if srandom is None else FreeBSDRandom(srandom)
