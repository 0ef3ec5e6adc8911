"""Ring hash: backends own points on a circle of 2**64 positions, a key goes to the point it meets first.

Point j of a backend is mix64(XXH64(id) + j * GAMMA), j = 1, 2, …: it depends on the id and j alone, neither on the
other backends nor on how many they are, and a heavier backend has the points of a lighter one and more (the *prefix
property*). So a change of one backend moves keys only to it or only from it: no other key ever moves.

The key's successor is the first point at or after its ticket; its nearest point is the closer of the successor and the
point before, which halves the variance of the shares and takes no longer. Points at one position are ordered by id.

Shares are random, Beta(V_i, T - V_i) for V_i of T points: with 100 points each they spread by 10 % of the mean
(7 % by nearest), and only more points help.

Costs: build O(T); pick O(1), for four keys of five or more a single cache line; memory 12 bytes a point, 20 by nearest,
and 16 to 32 bytes of index; disruption minimal. Source: Karger et al., "Consistent Hashing and Random Trees", STOC
1997; the nearest point as in HAProxy.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import KeyHasher, Ring, TicketPicker, arc_shares, derived, moves
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import keyed_picker
from lbalgo.spec import check_enum, check_integer, enum_from_name, to_dict
from lbalgo.types import F64, I32, U64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

POINTS = 100  # per unit of weight; shares then spread by 10 % of the mean
MAX_POINTS = 8_388_608  # Envoy's cap on a ring
GAMMA = np.uint64(0x9E3779B97F4A7C15)
FEW = 3  # a ring of fewer times as many points as come and go is made anew


class Lookup(enum.Enum):
    """Which point of a ring a key belongs to.

    Examples
    --------
    >>> Lookup["NEAREST"]
    <Lookup.NEAREST: 'nearest'>
    """

    SUCCESSOR = "successor"
    NEAREST = "nearest"


@dataclass(frozen=True)
class RingHash:
    """Consistent hashing by points on a circle.

    Parameters
    ----------
    points : points per unit of weight, >= 1; a backend has points * weight of them, halves rounded up.
    lookup : the point a key belongs to: its successor, or the nearest (which halves the variance of the shares).
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).
    max_points : the most points a ring may have, < 2**31.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, a positive weight that gets no point, or a ring above `max_points`.

    Costs: build O(T) for T points (O(T log T) were they not uniform), less from a `previous` whose backends are nearly
    the same, as their points are kept in order; pick O(1), memory 28 to 44 T bytes (by nearest 36 to 52 T), disruption
    minimal, per key. `shares` is exact: lengths of arcs; with coins in play the exact mean over the coins, at O(T) for
    each point a key may have to pass. (On a nearest ring an arc of keys that splits into more than 2**20 / T orders is
    taken, from there on, to go as its middle key does.)
    Source: Karger et al., STOC 1997.

    Examples
    --------
    >>> picker = RingHash().build({"a": 2, "b": 1})
    >>> picker.pick("user-17").id == picker.pick(b"user-17").id
    True
    >>> without = RingHash().build({"a": 2})
    >>> moved = [k for k in range(1000) if picker.pick(k).id != without.pick(k).id]
    >>> {picker.pick(k).id for k in moved}
    {'b'}
    """

    points: int = POINTS
    lookup: Lookup = Lookup.SUCCESSOR
    hasher: Hasher = XXH64()
    seed: int = 0
    max_points: int = MAX_POINTS

    def __post_init__(self) -> None:
        check_integer("points", self.points, low=1)
        check_enum("lookup", self.lookup, Lookup)
        check_hasher(self.hasher, self.seed)
        check_integer("max_points", self.max_points, low=1, high=2**31 - 1)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the ring is the previous one's, into which changed ids and weights are merged."""
        view = view_of(view)
        return keyed_picker(self, view, previous, lambda: self._changed(view, previous) or self._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> RingHash:
        """The policy `to_dict` described."""
        policy: RingHash = policy_from_dict(cls, data, hasher, lookup=enum_from_name(Lookup))
        return policy

    def _structure(self, view: View[Any]) -> Ring:
        counts = self._counts(view.ids, view.weights.tolist())
        if sum(counts) > self.max_points:
            raise ConfigError("max_points", self.max_points, f"the pool's weights ask for {sum(counts)} points")
        slots = np.flatnonzero(view.weights > 0).tolist()
        points, owners = points_of([view.ids[i] for i in slots], slots, [counts[i] for i in slots])
        return Ring(points, owners, len(view), self.lookup is Lookup.NEAREST)

    def _changed(self, view: View[Any], previous: Picker[Any] | None) -> Ring | None:
        """The previous picker's ring, without the points that are too many now, with those that are more.

        None where the whole has to be made anew, or is as soon made.
        """
        if not isinstance(previous, TicketPicker) or not isinstance(previous.structure, Ring):
            return None
        before, ring = previous.view, previous.structure
        if previous.policy != self or ring.ties:
            return None
        places, slots, low, high = moves(before.ids, before.weights, view.ids, view.weights)
        names = [view.ids[slot] if slot >= 0 else before.ids[~slot] for slot in slots]
        few, many = self._counts(names, low), self._counts(names, high)
        differ = [b - a for a, b in zip(few, many, strict=True)]
        grown = sum(n if slot >= 0 else -n for n, slot in zip(differ, slots, strict=True))
        if ring.size + grown > self.max_points or FEW * sum(differ) > ring.size:
            return None
        points, owners = points_of(names, slots, differ, few) if slots else ((), ())
        changed = Ring(points, owners, len(view), ring.nearest, ring, places)
        return None if changed.ties else changed  # those at one position would have to be in order of id

    def _counts(self, ids: Sequence[str], weights: list[float]) -> list[int]:
        """How many points each has: floor(points * weight + 1/2), in integers."""
        known = {weight: _rounded(self.points, weight) for weight in set(weights)}
        counts = [known[weight] for weight in weights]
        if 0 in known.values():
            for name, weight, count in zip(ids, weights, counts, strict=True):
                if weight > 0 and count == 0:
                    why = f"gets no point at {self.points} points per unit of weight; raise it, or points"
                    raise ConfigError(f"weights[{name!r}]", weight, why)
        return counts

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        points, owners = _parts(picker)
        if len(points) == 0:
            return np.zeros(len(picker.backends))
        shares = arc_shares(points, owners, picker.acceptance(), picker.view.eligible, self.lookup is Lookup.NEAREST)
        return np.asarray(shares, dtype=np.float64)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        points, owners = _parts(picker)
        return b"RingHash" + self.lookup.name.encode() + points.astype("<u8").tobytes() + ranks[owners].tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        points, owners = _parts(picker)
        held = np.bincount(owners, minlength=len(picker.backends)).tolist()
        assert held == self._counts(picker.view.ids, picker.view.weights.tolist()), (
            "every backend has the points of its weight, and weight 0 none"
        )
        assert (points[:-1] <= points[1:]).all(), "points ascend"
        tied = np.flatnonzero(points[:-1] == points[1:])
        names = [(picker.view.ids[owners[i]], picker.view.ids[owners[i + 1]]) for i in tied]
        assert all(a <= b for a, b in names), "points at one position are in order of id"


def points_of(
    names: Sequence[str], owners: Sequence[int], counts: Sequence[int], held: Sequence[int] | None = None
) -> tuple[U64, I32]:
    """Points of these names, at least one, so many of each after those it has, and their owners; in order of name.

    Examples
    --------
    >>> whole, few, rest = (points_of("b", [1], [n], [held]) for n, held in ((9, 0), (5, 0), (4, 5)))
    >>> whole[0].tolist() == few[0].tolist() + rest[0].tolist(), rest[1].tolist()
    (True, [1, 1, 1, 1])
    """
    order = sorted(range(len(names)), key=names.__getitem__)
    starts = np.empty(len(names), np.uint64)
    KeyHasher(0).sequence([names[i] for i in order], starts)
    if held is not None:
        starts += np.array([held[i] for i in order], np.uint64) * GAMMA
    many = np.array([counts[i] for i in order], np.int32)
    return derived(starts, many), np.array([owners[i] for i in order], np.int32).repeat(many)


def _rounded(points: int, weight: float) -> int:
    n, d = weight.as_integer_ratio()
    return (2 * points * n + d) // (2 * d)


def _parts(picker: TicketPicker[Any]) -> tuple[U64, I32]:
    ring = picker.structure
    if not isinstance(ring, Ring):
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
    return np.asarray(ring.points(), dtype=np.uint64), np.asarray(ring.owners(), dtype=np.int32)
