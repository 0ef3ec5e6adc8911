"""Least request: of a few endpoints drawn at random, the one with the fewest requests in flight.

Draws are with replacement, so that with two endpoints the busier one still gets a quarter of the requests. Weights are
ignored. Requests count per policy: those of other channels are not known.

Costs: pick O(choice_count); memory O(N). Described only: the draws here come from lbalgo's 64-bit words.
Source: gRPC A48.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.active import mix64
from lbalgo.compat.grpc.endpoint import check_weights, ready
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import Backend, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

CHOICES = 2  # A48's default
MOST_CHOICES = 10  # A48: more counts as this many
GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment


class Words:
    """64-bit random words, by SplitMix64: what stands for the real program's generator where that is not specified.

    Examples
    --------
    >>> words = Words(7)
    >>> words.below(6), words.below(6)
    (3, 0)
    """

    __slots__ = ("state",)

    def __init__(self, state: int) -> None:
        self.state = state

    def next(self) -> int:
        """The next word."""
        self.state = (self.state + GAMMA) % 2**64
        return mix64(self.state)

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        return self.next() % n

    def unit(self) -> float:
        """A number in (0, 1), of 53 bits."""
        return ((self.next() >> 12) + 0.5) * 2.0**-52


@dataclass(frozen=True)
class LeastRequest:
    """gRPC's `least_request`: the least loaded of `choice_count` READY endpoints drawn with replacement.

    Parameters
    ----------
    choice_count : draws, >= 2; more than 10 count as 10.
    seed : of the draws, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no uint32 >= 1 (it is not used here).

    The first drawn is kept unless a later one has strictly fewer requests in flight. A key is accepted and ignored.
    `exclude` takes endpoints out of the draw, which in gRPC nothing does. Bare builds draw the same;
    `reseed` moves them.

    Costs: pick O(choice_count + N if some are excluded), memory O(N).
    Source: gRPC A48. Described only.

    Examples
    --------
    >>> picker = LeastRequest(choice_count=10).build(["a", "b"])
    >>> picker.load.started(0, 1.0, 0.0)
    >>> {picker.pick().id for _ in range(20)}
    {'b'}
    """

    choice_count: int = CHOICES
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("choice_count", self.choice_count, low=2)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]:
        """A picker for this view; counts and draws are those of the previous picker of an equal policy."""
        return machine_picker(self, view_of(view), previous, lambda: Fewest(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LeastRequest:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


class Fewest:
    """The machine of `LeastRequest`: who is READY, and requests in flight by row."""

    def __init__(self, policy: LeastRequest) -> None:
        self.draws = min(policy.choice_count, MOST_CHOICES)
        self.words = Words(policy.seed)
        self.rows: list[int] = []
        self.active: dict[int, int] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """The READY among these are drawn from; counts of requests that still run are kept."""
        check_weights(view)
        self.rows = [row for row, able in zip(rows, ready(view).tolist(), strict=True) if able]
        self.active = {row: n for row, n in self.active.items() if n}

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """Of the rows drawn, the first of those with the fewest requests."""
        rows = [row for row in self.rows if row not in skip] if skip else self.rows
        if not rows:
            return -1
        return min(self._drawn(rows), key=self.at)

    def _drawn(self, rows: Sequence[int]) -> list[int]:
        return [rows[self.words.below(len(rows))] for _ in range(self.draws)]

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """Who is READY, with requests in flight, and who is drawn."""
        if not self.rows:
            return [("in flight", "nobody is READY")]
        told = listing(f"{name(row)} {self.at(row):.0f}" for row in self.rows)
        return [("in flight", told), ("drawn", listing(map(name, self._drawn(self.rows))))]

    def started(self, row: int, cost: float, now: float) -> None:
        """One more in flight."""
        self.active[row] = self.active.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One fewer in flight, however it ended."""
        self.active[row] = max(0, self.active.get(row, 0) - 1)

    def advance(self, now: float) -> None:
        """Time plays no part."""

    def at(self, row: int) -> float:
        """Requests in flight."""
        return float(self.active.get(row, 0))

    def reseed(self, seed: int) -> None:
        """Moves the draws."""
        self.words.state = seed
