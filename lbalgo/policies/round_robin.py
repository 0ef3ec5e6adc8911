"""Round robin and weighted round robin: a sequence of turns, read by a counter.

Small integer weights give one *smooth* period, computed once: in every turn each backend gains its weight, the one with
the most is served and pays the sum of all weights (nginx's rule). After t turns backend i of n has been served at most
1 - 1/n times more, and at most H_n - 1 times fewer, than its exact due t * w_i / W (H_n = 1 + 1/2 + … + 1/n; the proof
is in the docs), and exactly w_i times in a period. Weights that make no short period are served by *static strides*:
turn n belongs to backend n mod k, who takes it in the fraction w_i / max w of its turns, evenly, by modular arithmetic
on n; whoever does not is skipped.

Both are pure functions of a sequence number: the state is one counter, which no rebuild restarts.

Costs: build O(W sqrt(W)) at worst for a period of W turns, O(k) for strides; pick O(1) for a period, at most k steps
for strides, k max w / W on average; memory 8 W + 4 N or 8 k bytes.
Sources: Igor Sysoev, nginx upstream round robin, 2012 (smooth rule); gRPC's weighted_round_robin (static strides).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import Period, Stride, Structure, TicketPicker, smooth_period
from lbalgo.endpoint import Endpoint
from lbalgo.policies.building import COUNTER, unkeyed_picker
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import F64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

MAX_PERIOD = 65536  # 512 KiB of table, and 50 ms at worst to make it
TOP_STRIDE = 65535  # gRPC's: the greatest weight's stride, 16 bits
DENOMINATOR = 10_000  # weights of up to four decimals count as fractions


@dataclass(frozen=True)
class RoundRobin:
    """Every eligible backend in turn, in listing order; weights count only in that 0 takes no traffic.

    A backend with a factor below 1 (slow start) is served in that fraction of its turns. A key is accepted and ignored,
    so that one call site serves every policy.

    Costs: build O(N), pick O(1), else as `WeightedRoundRobin` with equal weights. `shares` is exact for the sequence.
    Source: Nagle, "On Packet Switches with Infinite Storage", RFC 970, 1985.

    Examples
    --------
    >>> picker = RoundRobin().build(["a", "b", "c"])
    >>> [picker.pick().id for _ in range(4)]
    ['a', 'b', 'c', 'a']
    """

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the sequence goes on where the previous one's stands."""
        view = view_of(view)
        return unkeyed_picker(self, view, previous, lambda: _sequence(*self._turns(view)), COUNTER)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _turns(self, view: View[Any]) -> tuple[View[Any], F64, int]:
        return view, np.ones(len(view)), MAX_PERIOD

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        return _shares(picker)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        return _content(picker, order)

    def _check(self, picker: TicketPicker[Any]) -> None:
        _check(picker, *self._turns(picker.view))


@dataclass(frozen=True)
class WeightedRoundRobin:
    """Turns in proportion to weight, spread evenly: weights 5, 1, 1 give a a b a c a a.

    Parameters
    ----------
    max_period : longest period kept as a table, in turns, 1 to 2**24. A weight (and a slow-start factor) is read as the
        fraction with a denominator of at most 10 000 that is nearest, if that is the same double; if all are, and
        weight x factor as integers without a common divisor sum to at most `max_period`, the sequence is the smooth
        period, in which backend i is served exactly its integer times. Else it is static strides: weight x factor over
        the greatest, times 65535, rounded to the nearest integer of at least 1; in 65535 generations a backend is
        served exactly its stride times. A weight below 1/131070 of the greatest therefore counts as 1/65535.

    Raises
    ------
    ConfigError : `max_period` is no integer from 1 to 2**24.

    A key is accepted and ignored. Costs: pick O(1), with strides at most N steps; build O(W sqrt(W)) for a period of W,
    else O(N); memory 8 W + 4 N or 8 N bytes; disruption does not apply. `shares` is exact for the sequence.
    Source: nginx's smooth weighted round robin (Sysoev, 2012); static strides as in gRPC.

    Examples
    --------
    >>> picker = WeightedRoundRobin().build({"a": 5, "b": 1, "c": 1})
    >>> " ".join(picker.pick().id for _ in range(7))
    'a a b a c a a'
    >>> WeightedRoundRobin().build({"a": 0.5, "b": 0.25}).shares() * 3
    array([2., 1.])
    """

    max_period: int = MAX_PERIOD

    def __post_init__(self) -> None:
        check_integer("max_period", self.max_period, low=1, high=1 << 24)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the sequence goes on where the previous one's stands."""
        view = view_of(view)
        return unkeyed_picker(self, view, previous, lambda: _sequence(*self._turns(view)), COUNTER)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WeightedRoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _turns(self, view: View[Any]) -> tuple[View[Any], F64, int]:
        return view, view.weights, self.max_period

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        return _shares(picker)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        return _content(picker, order)

    def _check(self, picker: TicketPicker[Any]) -> None:
        _check(picker, *self._turns(picker.view))


def whole_weights(weights: Iterable[float], factors: Iterable[float], limit: int) -> list[int] | None:
    """Integers without a common divisor in the ratio of weight x factor, summing to at most `limit`; None if none do.

    Examples
    --------
    >>> whole_weights([3.0, 0.5], [1.0, 0.1], 100)
    [60, 1]
    >>> whole_weights([1.0, 1e6], [1.0, 1.0], 100), whole_weights([1.0, 0.5**0.5], [1.0, 1.0], 100)
    (None, None)
    """
    pairs = list(zip(weights, factors, strict=True))
    if pairs and all(factor == 1.0 and weight.is_integer() for weight, factor in pairs):  # as is most common
        given = [int(weight) for weight, _ in pairs]
        divisor = math.gcd(*given)
        return [weight // divisor for weight in given] if sum(given) <= limit * divisor else None
    total, divisor, multiple = Fraction(0), 0, 1
    ratios: dict[tuple[float, float], Fraction] = {}
    for pair, count in Counter(pairs).items():
        parts = [Fraction(x).limit_denominator(DENOMINATOR) for x in pair]
        if [float(part) for part in parts] != list(pair):
            return None
        ratio = ratios[pair] = parts[0] * parts[1]
        total += ratio * count
        divisor = math.gcd(divisor, ratio.numerator)
        multiple = math.lcm(multiple, ratio.denominator)
        if total * multiple > limit * divisor:  # the sum of the integers so far, which can only grow
            return None
    whole = {pair: int(ratio * multiple) // divisor for pair, ratio in ratios.items()}
    return [whole[pair] for pair in pairs]


def strides(weights: Sequence[float] | F64) -> Any:
    """Weights > 0 scaled so that the greatest is 65535, rounded to integers >= 1."""
    given = np.asarray(weights, dtype=np.float64)
    return np.maximum(np.floor(given / given.max() * TOP_STRIDE + 0.5), 1.0).astype(np.uint32)


def _sequence(view: View[Any], weights: F64, limit: int) -> Structure:
    slots = np.flatnonzero(view.eligible)
    weight, factor = weights[slots], view.factors[slots]
    whole = whole_weights(weight.tolist(), factor.tolist(), limit)
    if whole is not None:
        return Period(slots[np.asarray(smooth_period(whole))], len(view))
    return Stride(slots, strides(_effective(weight, factor)), len(view))


def _effective(weight: F64, factor: F64) -> F64:
    """Weight x factor, which may underflow but not to 0."""
    return np.maximum(weight * factor, np.nextafter(0, 1))


def _counts(picker: TicketPicker[Any]) -> F64:
    """How often each backend is served in one period of the structure."""
    structure = picker.structure
    counts = np.zeros(len(picker.backends))
    if isinstance(structure, Period):
        counts += np.bincount(structure.table(), minlength=len(counts))
    elif isinstance(structure, Stride):
        for slot, stride in structure.strides():
            counts[slot] = stride
    return counts


def _shares(picker: TicketPicker[Any]) -> F64:
    counts = _counts(picker)
    return counts / max(float(counts.sum()), 1.0)


def _content(picker: TicketPicker[Any], order: list[int]) -> bytes:
    structure = picker.structure
    ranks = np.empty(len(order), dtype="<i4")
    ranks[order] = np.arange(len(order))
    if isinstance(structure, Period):
        return b"Period" + ranks[np.asarray(structure.table())].tobytes()
    if isinstance(structure, Stride):
        return b"Stride" + b"".join(
            int(ranks[slot]).to_bytes(4, "little") + stride.to_bytes(4, "little")
            for slot, stride in structure.strides()
        )
    return b""


def _check(picker: TicketPicker[Any], view: View[Any], weights: F64, limit: int) -> None:
    counts, structure = _counts(picker), picker.structure
    assert ((counts > 0) == view.eligible).all(), "the eligible backends have turns, and nobody else"
    slots = np.flatnonzero(view.eligible)
    if isinstance(structure, Period):
        assert structure.size <= limit, "the period is within its limit"
        assert counts[slots].tolist() == whole_weights(weights[slots].tolist(), view.factors[slots].tolist(), limit)
    elif isinstance(structure, Stride):
        due = strides(_effective(weights[slots], view.factors[slots]))
        assert counts[slots].tolist() == due.tolist(), "everybody has the stride of its weight"
