"""Multi-probe: a ring with one point a backend, which a key asks at several places; the closest answer counts.

A plain ring needs hundreds of points a backend before arcs are even. Here a key has k probes instead; each finds the
point that follows it, and the point that follows its probe most closely serves. A point with a long arc is found by
more probes, but seldom as the closest: shares stop growing with the arc. With T points and gaps g_j before them the
share of point i is exactly

    H(g_i),   H(x) = integral over t in [0, x] of k (1 - F(t))^(k - 1),   F(t) = sum_j min(g_j, t).

For many points the largest share is k / (k - 1) times the mean: 1.05 for k = 21. That bounds the peak and nothing
else: the standard deviation is 1 / sqrt(2 k - 1), 16 % at k = 21, and some backend gets next to nothing. More points a
backend even that out: V of them divide it by sqrt(V).

A backend's rank is its least distance from any probe, which no other backend can change: disruption is minimal.
Heavier backends have more points, as on the plain ring, with the same prefix property.

Costs: build O(T log T); pick O(k); memory 28 to 44 bytes a point; disruption minimal.
Source: Appleton and O'Reilly, "Multi-probe consistent hashing", 2015, arXiv 1505.00062. The law of the shares is
derived in docs/theory/multi_probe.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import ProbedRing, TicketPicker, derived, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import keyed_picker
from lbalgo.policies.ring_hash import RingHash, points_of
from lbalgo.spec import check_integer, to_dict
from lbalgo.types import F64, I32, U64, Backend, Bool, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

PROBES = 21  # the paper's: at most 1.05 times the mean
POINTS = 1  # per unit of weight, the paper's
MAX_PROBES = 1024  # a peak of 1.001; a pick then costs a thousand searches
MAX_POINTS = 8_388_608  # as on a plain ring
SETS = 10  # so many coins at most are followed through all their outcomes, 2**10 sets of acceptors
SAMPLES = 1024  # sets of acceptors that stand for the rest: an error of 3 % of what the coins change


@dataclass(frozen=True)
class MultiProbe:
    """Consistent hashing by few points and many probes: small memory, no hot spot, uneven below the peak.

    Parameters
    ----------
    probes : places at which a key asks, 1 to 1024; 1 is a plain ring (of one point a backend).
    points : points per unit of weight, >= 1; a backend has points * weight of them, halves rounded up.
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is invalid; at build, a positive weight that gets no point, or more than 8388608 points.

    Costs: build O(T log T) for T points; pick O(probes) searches; walk O(T log probes); memory 28 to 44 T bytes;
    disruption minimal, per key. `shares` is exact, by the law above; with more than 10 acceptance coins in play it is
    the mean of the law over 1024 fixed draws of them.
    Source: Appleton and O'Reilly 2015.

    Examples
    --------
    >>> picker = MultiProbe().build([f"b{i}" for i in range(1000)])
    >>> shares = picker.shares() * 1000
    >>> bool(shares.max() < 1.06), round(float(shares.std()), 2), bool(shares.min() < 0.1)
    (True, 0.15, True)
    """

    probes: int = PROBES
    points: int = POINTS
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("probes", self.probes, low=1, high=MAX_PROBES)
        check_integer("points", self.points, low=1)
        check_hasher(self.hasher, self.seed)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the ring is the previous one's if only signals moved."""
        view = view_of(view)
        return keyed_picker(self, view, previous, lambda: self._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> MultiProbe:
        """The policy `to_dict` described."""
        policy: MultiProbe = policy_from_dict(cls, data, hasher)
        return policy

    def _structure(self, view: View[Any]) -> ProbedRing:
        counts = self._counts(view)
        if sum(counts) > MAX_POINTS:
            raise ConfigError("points", self.points, f"the pool's weights ask for {sum(counts)} points")
        slots = np.flatnonzero(view.weights > 0).tolist()
        points, owners = points_of([view.ids[i] for i in slots], slots, [counts[i] for i in slots])
        return ProbedRing(points, owners, len(view), self.probes)

    def _counts(self, view: View[Any]) -> list[int]:
        return RingHash(points=self.points)._counts(view.ids, view.weights.tolist())

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        points, owners = _parts(picker)
        eligible, accept = picker.view.eligible, picker.acceptance()
        if not eligible.any():
            return np.zeros(len(picker.backends))
        unsure = np.flatnonzero((accept > 0) & (accept < 1)).tolist()
        shares = np.zeros(len(picker.backends))
        if len(unsure) <= SETS:
            for outcome in range(1 << len(unsure)):
                took, chance = accept == 1.0, 1.0
                for bit, slot in enumerate(unsure):
                    took[slot] = outcome >> bit & 1
                    chance *= accept[slot] if took[slot] else 1.0 - accept[slot]
                shares += chance * self._law(points, owners, took if took.any() else eligible)
            return shares
        starts = np.array([xxh64(name.encode(), 1) for name in picker.view.ids], dtype=np.uint64)
        coins = derived(starts, np.full(len(starts), SAMPLES)).reshape(len(starts), SAMPLES) * 2.0**-64
        for draw in range(SAMPLES):
            took = coins[:, draw] < accept
            shares += self._law(points, owners, took if took.any() else eligible) / SAMPLES
        return shares

    def _law(self, points: U64, owners: I32, among: Bool) -> F64:
        """Shares of the slots, were those in `among` the only ones."""
        kept = among[owners]
        return np.bincount(
            owners[kept], weights=closest_shares(points[kept], self.probes), minlength=len(among)
        ).astype(np.float64)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.empty(len(order), dtype="<i4")
        ranks[order] = np.arange(len(order))
        points, owners = _parts(picker)
        return (
            b"MultiProbe" + self.probes.to_bytes(4, "little") + points.astype("<u8").tobytes() + ranks[owners].tobytes()
        )

    def _check(self, picker: TicketPicker[Any]) -> None:
        points, owners = _parts(picker)
        assert (points[:-1] < points[1:]).all(), "points ascend"
        held = np.bincount(owners, minlength=len(picker.backends)).tolist()
        assert held == self._counts(picker.view), "every backend has the points of its weight, and weight 0 none"
        if isinstance(picker.structure, ProbedRing):
            assert picker.structure.probes == self.probes, "the ring is asked as often as it should be"


def closest_shares(points: U64, probes: int) -> F64:
    """The law of the shares of points in ascending order, each with the chance that it follows a probe most closely.

    Examples
    --------
    >>> closest_shares(np.array([0, 2**62], np.uint64), 1).tolist()
    [0.75, 0.25]
    """
    n = len(points)
    gaps = (points - np.roll(points, 1)).astype(np.float64) * 2.0**-64
    if n == 1:
        return np.ones(1)
    order = np.argsort(gaps, kind="stable")
    knots = np.concatenate(([0.0], gaps[order]))
    ahead = n - np.arange(n)  # how many gaps reach to the next knot
    # 1 - F at a knot is the sum of what the longer gaps have left: from the end, so that nothing cancels
    rest = np.concatenate((np.cumsum((ahead * np.diff(knots))[::-1])[::-1], [0.0]))
    shares = np.empty(n)
    shares[order] = np.cumsum((rest[:-1] ** probes - rest[1:] ** probes) / ahead)
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _parts(picker: TicketPicker[Any]) -> tuple[U64, I32]:
    structure = picker.structure
    if not isinstance(structure, ProbedRing):
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
    return np.asarray(structure.ring.points(), dtype=np.uint64), np.asarray(structure.ring.owners(), dtype=np.int32)
