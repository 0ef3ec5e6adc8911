"""Adaptive choices: how many backends are compared depends on how old what is known of them is.

With fresh loads of all backends the best is to compare all. As loads age that turns into a herd: until the next report
everybody runs to the few that looked idle. A hundred servers at 90 % load whose queues are published every T service
times have a mean time in system of 1.5 at T = 0.1 if all are compared, but of 57 at T = 20, where two choices have 7
and random choice, as always, 10. So the older, the fewer: all below a tenth of a service time, three below 3, two below
20, then one, which is random choice. It is the age that counts, not T: a fixed number is too timid right after a
report, or too bold right before the next.

Each backend has an age of its own, and with it a *width*. Backends are drawn one after the other by weight x factor,
and the j-th drawn is compared if its width is at least j. If one of those is so fresh that all may be compared, all
that are as fresh take part. If the first is too old to be compared at all it is taken as it is, so that those of whom
nothing is heard get what random choice would give them. Where all have one age, that is the rule above.

Costs: pick O(1), O(N) where loads are fresh; memory 100 bytes a backend besides the load.
Source: Mitzenmacher, "How useful is old information?", IEEE TPDS 11, 2000, for the effect; the figures above from an
independent simulation; the rule is ours, we know of nobody who adapts the number of choices to the age of the signal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, overload

from lbalgo.active import ForeignLoad
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.loads.specs import check_load, loaded_from_dict, started
from lbalgo.policies.walked import UNIT, OpenRequests, WalkedPicker, walked_picker
from lbalgo.spec import check_integer, check_real, check_row, to_dict
from lbalgo.types import Backend, Ids, LoadSpec, Outcome, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)
Widths = tuple[tuple[float, int | None], ...]

WIDTHS: Widths = ((0.1, None), (3.0, 3), (20.0, 2))  # ours, by trial; see the page
MOST_CHOICES = 64  # as `PowerOfTwo`


@dataclass(frozen=True)
class AdaptiveChoices:
    """The least loaded of as many as the age of their loads allows.

    Parameters
    ----------
    load : specification of a load that is told by reports (`Reported`, or a sum with it).
    service_time : mean time to serve a request, the measure of age; seconds from 1e-9 to 1e9.
    widths : pairs of an age, in service times, and how many are compared below it, None being all: ages ascend, numbers
        from 2 to 64 descend. Beyond the last age one is drawn and taken.

    Raises
    ------
    ConfigError : a parameter is invalid, or the load is not told by reports (when built); by the live load, as the load
        within.

    The score is (load + margin) / (weight x factor), as in `PowerOfTwo`; of equal scores the first drawn wins. Picking
    never changes the load: the caller accounts, a `Balancer` for instance, whose `report` tells of the backends' loads.
    The load within hears of every request as of cost 1. Load, ages and cursor are handed on.

    Costs: build O(N), pick O(1), or O(N) where loads are fresh, memory 64 bytes a backend and 100 of the ages,
    disruption does not apply.
    Source: Mitzenmacher, IEEE TPDS 11, 2000; the rule is ours.

    Examples
    --------
    >>> from lbalgo.loads import Reported
    >>> policy = AdaptiveChoices(Reported(blackout=0.0), service_time=0.1)
    >>> [policy.width(age) for age in (0.0, 0.02, 0.5, 2.0)]
    [None, 3, 2, 1]
    """

    load: LoadSpec
    service_time: float
    widths: Widths = WIDTHS

    def __post_init__(self) -> None:
        check_load(self.load)
        check_real("service_time", self.service_time, low=1e-9, high=1e9)
        check_widths(self.widths)

    def width(self, age: float) -> int | None:
        """How many a backend may be one of whose load is so old (seconds); None: all, 1: it is not compared."""
        for limit, choices in self.widths:
            if age < limit * self.service_time:
                return choices
        return 1

    def start(self) -> AgedLoad:
        """A new load, of which nothing was heard."""
        return AgedLoad(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> WalkedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> WalkedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> WalkedPicker[Any]:
        """A picker for this view; load, ages, rows and cursor are the previous one's if its policy is equal."""
        return walked_picker(self, view_of(view), previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the load's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> AdaptiveChoices:
        """The policy `to_dict` described; `load` supplies a load of one's own."""
        policy: AdaptiveChoices = loaded_from_dict(cls, data, load, widths=_tuples)
        return policy

    def _order(self, picker: WalkedPicker[Any], ticket: int) -> Iterator[int]:
        load, lanes = picker.load, picker.lanes
        most = max((choices or 1 for _, choices in self.widths), default=1)
        fresh = next((limit * self.service_time for limit, choices in self.widths if choices is None), 0.0)
        seen, left = set[int](), list[int]()  # given, and drawn but not yet given

        def score(slot: int) -> float:
            return (load.at(lanes[slot]) + load.margin) / picker.weights[slot]  # type: ignore[no-any-return]

        drawn = (slot for slot in picker.sample(ticket) if slot not in seen)
        while len(seen) < len(picker.slots):
            left = [slot for slot in left if slot not in seen]
            left += islice(drawn, most - len(left))
            widths = [self.width(load.age(lanes[slot])) for slot in left]
            if widths[0] == 1:
                seen.add(left[0])
                yield left[0]
                continue
            scores = {slot: score(slot) for at, slot in enumerate(left) if (widths[at] or most) > at}
            if None in widths:
                for slot in picker.slots:
                    if load.age(lanes[slot]) < fresh and slot not in seen and slot not in left:
                        scores[slot] = score(slot)
            seen.update(scores)
            yield from _ascending(picker, scores, left, ticket)


class AgedLoad:
    """A load and, for each row, when it last heard a report; made by `AdaptiveChoices.start`.

    Parameters
    ----------
    spec : the policy.

    Attributes
    ----------
    load : the load within.
    margin : what a request more would add to it.
    """

    def __init__(self, spec: AdaptiveChoices) -> None:
        self.spec = spec
        self.load: Any = started(spec.load)
        told: Any = self.load.load if isinstance(self.load, ForeignLoad) else self.load
        if not callable(getattr(told, "reported", None)):
            raise ConfigError("load", spec.load, "must be a load that is told by reports, such as Reported()")
        self.margin: float = getattr(told, "margin", 1.0)
        self._told = told
        self._open = OpenRequests()
        self._came: dict[int, tuple[float, float]] = {}  # when, and when the backend made it; seconds

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        self.load.started(self._open.started(row, cost, now), cost, now)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds)."""
        row, took = self._open.finished(row, outcome, latency, now, cost)
        self.load.finished(row, outcome, took, now, cost)

    def reported(self, row: int, report: Any, now: float) -> None:
        """The backend in `row` says this of itself, at `now` (seconds); older than what it said before, it is dropped.

        Raises
        ------
        ConfigError : the load within refuses it; the row or `now` is invalid.
        """
        row, now = check_row(row), check_real("now", now)
        self._told.reported(row, report, now)
        made = getattr(report, "at", None)
        if made is not None and made <= self._came.get(row, (0.0, -math.inf))[1]:
            return
        self.advance(now)
        self._came[row] = self._open.latest, -math.inf if made is None else made

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self._open.advance(now)
        self.load.advance(now)

    def at(self, row: int) -> float:
        """The load within."""
        return float(self.load.at(row))

    def age(self, row: int) -> float:
        """Seconds since the last report of the backend in `row`; infinite if there was none."""
        came = self._came.get(row)
        return math.inf if came is None else self._open.latest - came[0]

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing was heard of it."""
        row = self._open.restart(row)
        self._came.pop(row, None)
        self.load.restart(row)

    def snapshot(self) -> dict[str, Any]:
        """Ages of reports, in seconds, and what the load within keeps; instants of the backends' own are not in it."""
        inner = self._told.snapshot() if hasattr(self._told, "snapshot") else None
        return {"type": "AdaptiveChoices", "ages": [[row, self.age(row)] for row in self._came], "load": inner}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds).

        Raises
        ------
        ConfigError : it is something else; nothing has changed.
        """
        known = check_state("AdaptiveChoices", state, "ages", "load")
        name, rows = "state['ages']", known["ages"]
        if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) and len(row) == 2 for row in rows):
            raise ConfigError(name, rows, "must be rows, each with an age")
        ages = {check_row(row, name): check_real(name, age, low=0.0) for row, age in rows}
        if (known["load"] is None) is hasattr(self._told, "restore"):
            raise ConfigError("state['load']", known["load"], "must be there if and only if the load keeps anything")
        latest = max(self._open.latest, check_real("now", now))
        if known["load"] is not None:
            self._told.restore(known["load"], latest)
        self.advance(latest)
        self._came = {row: (latest - age, -math.inf) for row, age in ages.items()}

    def check_invariants(self) -> None:
        """Raises AssertionError where the load contradicts itself."""
        assert all(self.age(row) >= 0.0 for row in self._came), "no report is from the future"

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


def check_widths(widths: Any) -> None:
    """Refuses what are no pairs of an age and a number, ages ascending, numbers descending from None or 64 to 2.

    Raises
    ------
    ConfigError : naming the pair.
    """
    if not isinstance(widths, tuple) or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in widths):
        raise ConfigError("widths", widths, "must be a tuple of pairs of an age and a number of choices")
    age, width = 0.0, math.inf
    for at, (limit, choices) in enumerate(widths):
        age = check_real(f"widths[{at}][0]", limit, low=age, open_low=True)
        if choices is not None:
            check_integer(f"widths[{at}][1]", choices, low=2, high=MOST_CHOICES)
        if (choices or MOST_CHOICES + 1) >= width:
            raise ConfigError(f"widths[{at}][1]", choices, "must be less than the one before")
        width = choices or MOST_CHOICES + 1


def _tuples(widths: object) -> object:
    """Pairs from plain data."""
    if not isinstance(widths, Sequence) or isinstance(widths, (str, bytes)):
        return widths
    return tuple(tuple(pair) if isinstance(pair, list) else pair for pair in widths)


def _ascending(picker: Any, scores: Mapping[int, float], drawn: list[int], ticket: int) -> Iterator[int]:
    """Slots by ascending score; of equal ones those drawn come first, as drawn, then the others as they would be."""

    def place(slot: int) -> tuple[float, float]:
        if slot in drawn:
            return 0.0, float(drawn.index(slot))
        coin = (picker.coin(slot, ticket) >> 11) + 0.5
        return 1.0, -math.log(coin * UNIT) / picker.weights[slot]  # ascending: drawn by weight, without replacement

    least = min(scores.values())
    first = min((slot for slot, score in scores.items() if score == least), key=place)
    yield first
    yield from sorted(scores.keys() - {first}, key=lambda slot: (scores[slot], place(slot)))
