"""Random aperture: as many backends as this client's own load is worth, in an order of its own.

A client with little to do that spreads it over a large pool learns nothing of anybody: it has less than one request in
flight at each, and its counts are noise. So it uses only as many as its load fills. The *band* is what a backend should
have in flight, in the mean: where the average over the last seconds, divided by the width of the aperture, has reached
`high`, the aperture widens by one, where it has fallen to `low`, it narrows by one, at each request that begins or
ends. Beyond the aperture nobody is used, unless all within are excluded.

The order of the backends is by their hash under the client's seed, so that clients differ; those that are not eligible
are passed over. Unlike the deterministic `Aperture`, clients need not know of each other; what they pay is evenness: a
backend is in a random number of apertures.

The average is exact for what was in flight: it fades towards the present count with time constant `smooth`.

Costs: build O(N log N), pick O(width), memory 64 bytes a backend.
Source: Finagle, `ApertureLeastLoaded`: `LoadBand` (low 0.875, high 1.125, an average over 15 s), `Expiration` left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.active import mix64, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.estimators.state import check_state
from lbalgo.policies.walked import WORD, OpenRequests, WalkedPicker, walked_picker
from lbalgo.spec import check_integer, check_real, check_row, from_dict, to_dict
from lbalgo.types import Backend, Ids, Outcome, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

LOW, HIGH = 0.875, 1.125  # Finagle
SMOOTH = 15.0  # seconds; Finagle
LEAST = 1  # Finagle's; its deterministic aperture has 12
CHOICES = 2
MOST_CHOICES = 64  # as `PowerOfTwo`
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class RandomAperture:
    """The least loaded of a few of those backends that the client's own load is worth.

    Parameters
    ----------
    client : the client's seed, an integer in [0, 2**64): random, and kept for as long as the client lives.
    low, high : requests in flight for each backend of the aperture, in the mean, at which it narrows and widens; > 0,
        `low` less than `high`.
    smooth : time constant of that mean, in seconds from 1e-3 to 1e9.
    least, most : backends of the aperture, at least and at most, 1 to 2**31 - 1; as many as are eligible, if fewer.
    choices : how many of them to draw by weight x factor and compare, by (requests in flight + 1) / (weight x factor),
        1 to 64.

    Raises
    ------
    ConfigError : a parameter is invalid, or `low` and `high`, or `least` and `most`, are in the wrong order.

    Picking never changes the load: the caller accounts, a `Balancer` for instance. A key is accepted and ignored.
    `walk` is the aperture in draws of `choices`, then the others in the client's order. Width, mean, counts and cursor
    are handed on; the width is `picker.load.width`. A request counts as one, whatever it costs.

    Costs: build O(N log N), pick O(width), memory 64 bytes a backend. Disruption: who joins or leaves takes one place
    of the order.
    Source: Finagle, `LoadBand`.

    Examples
    --------
    >>> picker = RandomAperture(smooth=1.0).build([f"b{i}" for i in range(100)])
    >>> picker.pick().id, picker.load.width
    ('b54', 1)
    >>> for second in range(40):  # ten at a time, each of a second
    ...     for row in range(10):
    ...         picker.load.started(row, 1.0, float(second))
    ...     for row in range(10):
    ...         picker.load.finished(row, Outcome.SUCCESS, 1.0, second + 1.0)
    >>> 9 <= picker.load.width <= 11, len({picker.pick().id for _ in range(1000)}) == picker.load.width
    (True, True)
    """

    client: int = 0
    low: float = LOW
    high: float = HIGH
    smooth: float = SMOOTH
    least: int = LEAST
    most: int = LARGEST
    choices: int = CHOICES

    def __post_init__(self) -> None:
        check_integer("client", self.client, low=0, high=WORD)
        check_real("low", self.low, low=0.0, open_low=True)
        check_real("high", self.high, low=self.low, open_low=True)
        check_real("smooth", self.smooth, low=1e-3, high=1e9)
        check_integer("least", self.least, low=1, high=LARGEST)
        check_integer("most", self.most, low=self.least, high=LARGEST)
        check_integer("choices", self.choices, low=1, high=MOST_CHOICES)

    def start(self) -> BandLoad:
        """A new load: nothing in flight, and the least width."""
        return BandLoad(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> WalkedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> WalkedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> WalkedPicker[Any]:
        """A picker for this view; load, rows and cursor are the previous one's if its policy is equal."""
        view = view_of(view)
        picker = walked_picker(self, view, previous)
        picker.own = sorted(picker.slots, key=lambda at: (xxh64(view.ids[at].encode(), self.client), view.ids[at]))
        return picker

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RandomAperture:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _order(self, picker: WalkedPicker[Any], ticket: int) -> Iterator[int]:
        load: BandLoad = picker.load
        width = load.width
        within = picker.own[:width]
        while within:
            group = []
            for _ in range(min(self.choices, len(within))):
                group.append(within.pop(picker.drawn(within, ticket)))
                ticket = mix64(ticket ^ WORD)
            yield from sorted(group, key=lambda slot: (load.at(picker.lanes[slot]) + 1.0) / picker.weights[slot])
        yield from picker.own[width:]  # beyond: only where all within are excluded


class BandLoad:
    """The live load of `RandomAperture`, made by its `start`.

    Parameters
    ----------
    spec : the policy.

    Attributes
    ----------
    width : backends of the aperture, if so many are eligible.
    total : requests in flight.
    mean : of them, over the last seconds, at the latest instant.
    """

    def __init__(self, spec: RandomAperture) -> None:
        self.spec = spec
        self.width = spec.least
        self.total = 0
        self.mean = 0.0
        self._open = OpenRequests()

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        before = self._open.latest
        self._open.started(row, cost, now)
        self._fade(before)
        self.total += 1
        self._adjust()

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds), however it did."""
        before = self._open.latest
        self._open.finished(row, outcome, latency, now, cost)
        self._fade(before)
        self.total -= 1
        self._adjust()

    def advance(self, now: float) -> None:
        """It is `now`, in seconds; the width stays until a request begins or ends."""
        before = self._open.latest
        self._open.advance(now)
        self._fade(before)

    def _fade(self, before: float) -> None:
        """The mean moves to the count that has stood since `before`."""
        if before < self._open.latest:  # the first instant has nothing before it
            part = math.exp((before - self._open.latest) / self.spec.smooth)
            self.mean = self.total + (self.mean - self.total) * part

    def _adjust(self) -> None:
        each = self.mean / self.width
        if each >= self.spec.high and self.width < self.spec.most:
            self.width += 1
        elif each <= self.spec.low and self.width > self.spec.least:
            self.width -= 1

    def at(self, row: int) -> float:
        """Requests of this client in flight at the backend in `row`."""
        return float(self._open.count(check_row(row)))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is in flight there."""
        count = self._open.count(check_row(row))
        self._open.restart(row)
        self.total -= count

    def snapshot(self) -> dict[str, Any]:
        """Width and mean; what is in flight does not survive a process."""
        return {"type": "RandomAperture", "width": self.width, "mean": self.mean}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Have the width and the mean of a snapshot, as if taken at `now` (seconds).

        Raises
        ------
        ConfigError : it is something else, or of a policy with other bounds; nothing has changed.
        """
        known = check_state("RandomAperture", state, "width", "mean")
        width = check_integer("state['width']", known["width"], low=self.spec.least, high=self.spec.most)
        mean = check_real("state['mean']", known["mean"], low=0.0)
        self.advance(check_real("now", now))
        self.width, self.mean = width, mean

    def check_invariants(self) -> None:
        """Raises AssertionError where the load contradicts itself."""
        assert self.spec.least <= self.width <= self.spec.most, "the width is within its bounds"
        assert self.total >= 0, "nobody ends twice"
        assert self.mean >= 0.0, "a mean of counts is no less than 0"

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"
