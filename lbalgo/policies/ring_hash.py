"""Ring hash: backends own points on a circle of 2**64 positions, a key goes to the point it meets first.

Point j of a backend is mix64(XXH64(id) + j * GAMMA), j = 1, 2, …: it depends on the id and j alone, neither on the
other backends nor on how many they are, and a heavier backend has the points of a lighter one and more (the *prefix
property*). So a change of one backend moves keys only to it or only from it: no other key ever moves.

The key's successor is the first point at or after its ticket; its nearest point is the closer of the successor and the
point before, which halves the variance of the shares at no cost. Points at one position are ordered by id.

Shares are random, Beta(V_i, T - V_i) for V_i of T points: with 100 points each they spread by 10 % of the mean
(7 % by nearest), and only more points help.

Costs: build O(T); pick O(1), two dependent cache lines; memory 12 bytes a point and 8 to 16 bytes of index; disruption
minimal. Source: Karger et al., "Consistent Hashing and Random Trees", STOC 1997; the nearest point as in HAProxy.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import Ring, TicketPicker, xxh64
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import keyed_picker
from lbalgo.spec import check_enum, check_integer, enum_from_name, to_dict
from lbalgo.types import F64, I32, I64, U64, Backend, Bool, Picker
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

POINTS = 100  # per unit of weight; shares then spread by 10 % of the mean
MAX_POINTS = 8_388_608  # Envoy's and gRPC's cap on a ring
GAMMA = 0x9E3779B97F4A7C15  # any odd constant: distinct points for distinct j
ARC = np.dtype(
    [
        ("low", np.uint64),  # first ticket
        ("span", np.uint64),  # last ticket minus first, so that an arc may be the whole circle
        ("right", np.int64),  # next point clockwise, not reduced modulo the number of points
        ("left", np.int64),  # next point back
        ("going", np.float64),  # chance that nobody asked so far has accepted
        ("head", np.int64),  # first eligible slot of the walk, -1 before there is one
        ("asked", np.int64),  # eligible slots asked
    ]
)


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

    Costs: build O(T log T) at worst and O(T) for T uniform points (these), pick O(1), memory 20 to 28 T bytes,
    disruption minimal, per key. `shares` is exact: lengths of arcs; with coins in play their exact mean over the coins,
    at O(T) for each backend that a key may have to pass.
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

    def build(
        self,
        view: View[B] | Iterable[B | str] | Mapping[str, float],
        *,
        previous: Picker[B] | None = None,
    ) -> TicketPicker[B]:
        """A picker for this view; the ring is the previous one's if only signals moved."""
        view = view_of(view)
        return keyed_picker(self, view, previous, lambda: self._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> RingHash:
        """The policy `to_dict` described."""
        policy: RingHash = policy_from_dict(cls, data, hasher, lookup=enum_from_name(Lookup))
        return policy

    def _structure(self, view: View[Any]) -> Ring:
        order: list[int] = sorted(np.flatnonzero(view.weights > 0).tolist(), key=view.ids.__getitem__)
        counts = self._counts(view)
        if sum(counts) > self.max_points:
            raise ConfigError("max_points", self.max_points, f"the pool's weights ask for {sum(counts)} points")
        many = np.array([counts[slot] for slot in order], dtype=np.int64)
        starts = np.array([xxh64(view.ids[slot].encode()) for slot in order], dtype=np.uint64)
        owners = np.repeat(np.array(order, dtype=np.int32), many)
        return Ring(derived_points(starts, many), owners, len(view), self.lookup is Lookup.NEAREST)

    def _counts(self, view: View[Any]) -> list[int]:
        """Points by slot: floor(points * weight + 1/2), in integers."""
        counts = []
        for name, weight in zip(view.ids, view.weights.tolist(), strict=True):
            n, d = weight.as_integer_ratio()
            counts.append((2 * self.points * n + d) // (2 * d))
            if weight > 0 and counts[-1] == 0:
                why = f"gets no point at {self.points} points per unit of weight; raise it, or points"
                raise ConfigError(f"weights[{name!r}]", weight, why)
        return counts

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        points, owners = _parts(picker)
        if len(points) == 0:
            return np.zeros(len(picker.backends))
        return arc_shares(
            points, owners, picker.acceptance(), np.asarray(picker.view.eligible), self.lookup is Lookup.NEAREST
        )

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        points, owners = _parts(picker)
        return b"RingHash" + self.lookup.name.encode() + points.astype("<u8").tobytes() + ranks[owners].tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        points, owners = _parts(picker)
        held = np.bincount(owners, minlength=len(picker.backends)).tolist()
        assert held == self._counts(picker.view), "every backend has the points of its weight, and weight 0 none"
        assert (points[:-1] <= points[1:]).all(), "points ascend"
        names = np.array(picker.view.ids)[owners]
        assert (names[:-1] < names[1:])[(points[:-1] == points[1:])].all(), "points at one position are in order of id"


def derived_points(starts: U64, counts: I64) -> U64:
    """Points mix64(start + j * GAMMA), j = 1 … count, of each start in turn; wraps mod 2**64.

    Examples
    --------
    >>> from lbalgo.active import mix64
    >>> made = derived_points(np.array([7], np.uint64), np.array([2]))
    >>> made.tolist() == [mix64(7 + GAMMA), mix64(7 + 2 * GAMMA - 2**64)]
    True
    """
    first = np.cumsum(counts) - counts
    z = (np.arange(1, int(counts.sum()) + 1) - np.repeat(first, counts)).astype(np.uint64)
    z *= np.uint64(GAMMA)
    z += np.repeat(starts, counts)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z


def arc_shares(points: U64, owners: I32, accept: F64, eligible: Bool, nearest: bool) -> F64:
    """Exact shares of a ring, as a mean over the acceptance coins, to the rounding of doubles.

    Parameters
    ----------
    points, owners : the ring in order.
    accept : for each slot the chance that it accepts a ticket, 0 where it is not eligible.
    eligible : for each slot whether it may be chosen at all.
    nearest : whether walks go outward on both sides rather than clockwise.

    All tickets between two points walk alike, so arcs of tickets are walked at once, step by step; on a nearest ring an
    arc splits where the next points on its two sides are equally far. The points passed after `step` steps are a window
    of the ring, so whether an owner has been passed is asked of the distance to its neighbouring point. An arc is done
    when a ticket of it has gone on with chance below 2**-64, or has asked every eligible backend; what has gone on
    belongs to the first eligible backend of the walk.
    """
    size, everybody = len(points), int(np.count_nonzero(eligible[np.unique(owners)]))
    before, after = _recurrence(owners)
    filled = np.flatnonzero(points != np.roll(points, 1)) if points[0] != points[-1] else np.array([0])
    arcs = np.zeros(len(filled), dtype=ARC)
    arcs["low"] = np.roll(points, 1)[filled] + np.uint64(1)
    arcs["span"] = points[filled] - arcs["low"]
    arcs["right"], arcs["left"], arcs["going"], arcs["head"] = filled, filled - 1, 1.0, -1
    shares = np.zeros(len(accept))
    for step in range(size):
        turn = np.zeros(len(arcs), dtype=bool)  # whether the point on the left comes next
        if nearest and step < size - 1:
            behind = points[arcs["left"] % size]
            wide = points[arcs["right"] % size] - behind - np.uint64(1)
            half = (wide >> np.uint64(1)) + (wide & np.uint64(1))  # up to here the left point is as near, or nearer
            start = arcs["low"] - behind
            turn, reach = half >= start, half - start
            cut = np.flatnonzero(turn & (reach < arcs["span"]))
            ends = arcs[cut]
            ends["low"] += reach[cut] + np.uint64(1)
            ends["span"] -= reach[cut] + np.uint64(1)
            arcs["span"][cut] = reach[cut]
            arcs, turn = np.concatenate((arcs, ends)), np.concatenate((turn, np.zeros(len(cut), dtype=bool)))
        place = np.where(turn, arcs["left"], arcs["right"]) % size
        owner = owners[place]
        able = (np.where(turn, after[place], before[place]) > step) & eligible[owner]
        chance = np.where(able, accept[owner], 0.0)
        mass = (arcs["span"].astype(np.float64) + 1.0) * 2.0**-64 * arcs["going"]
        shares += np.bincount(owner, mass * chance, minlength=len(accept))
        arcs["head"] = np.where((arcs["head"] < 0) & able, owner, arcs["head"])
        arcs["asked"] += able
        arcs["going"] *= 1.0 - chance
        arcs["right"] += ~turn
        arcs["left"] -= turn
        done = (arcs["going"] < 2.0**-64) | (arcs["asked"] == everybody)
        rest = done & (arcs["head"] >= 0)
        shares += np.bincount(arcs["head"][rest], (mass * (1.0 - chance))[rest], minlength=len(accept))
        arcs = arcs[~done]
        if len(arcs) == 0:
            break
    return shares


def _recurrence(owners: I32) -> tuple[I64, I64]:
    """For each point, how many points back, and ahead, the same owner has its next: `size` if it has no other."""
    size = len(owners)
    order = np.argsort(owners, kind="stable")
    grouped = owners[order]
    first = np.flatnonzero(np.append(True, grouped[1:] != grouped[:-1]))
    back = np.roll(order, 1)
    back[first] = order[np.append(first[1:], size) - 1]  # an owner's first point follows its last, around the circle
    before, after = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    before[order] = (order - back - 1) % size + 1
    after[back] = before[order]
    return before, after


def _parts(picker: TicketPicker[Any]) -> tuple[U64, I32]:
    ring = picker.structure
    if not isinstance(ring, Ring):
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
    return np.asarray(ring.points(), dtype=np.uint64), np.asarray(ring.owners(), dtype=np.int32)
