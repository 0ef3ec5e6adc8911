"""Weights as Envoy's hash balancers see them: normalised to shares, in the order in which points and turns are given.

A table is made of the healthy hosts of one priority, or of all its hosts in panic; never of degraded ones, whatever
the priority's degraded load. Without locality weights hosts keep their list order and w = weight / sum. With them hosts
go locality by locality, and w = weight * (locality weight / sum over all localities) / sum of the locality's hosts in
the table; localities without weight are left out. Every operation is one of doubles, in this order, because the
rounding decides who gets the last point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lbalgo.compat.envoy.host import Host
from lbalgo.compat.envoy.hosts import HostSet
from lbalgo.types import F64, I32


class Normalized:
    """Hosts of one table and their shares.

    Parameters
    ----------
    slots : in the order that matters.
    weights : positive shares, as many as slots.
    ids : the ids, if these are what is hashed; else None.

    Examples
    --------
    >>> Normalized((0, 1), (0.25, 0.75)).least
    0.25
    """

    def __init__(self, slots: Any, weights: Any, ids: tuple[str, ...] | None = None) -> None:
        self.slots: I32 = np.asarray(slots, dtype=np.int32)
        self.weights: F64 = np.asarray(weights, dtype=np.float64)
        self.ids = ids

    @property
    def least(self) -> float:
        """The least weight, but at most 1."""
        return float(self.weights.min(initial=1.0))

    def __len__(self) -> int:
        return len(self.slots)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Normalized):
            return NotImplemented
        return np.array_equal(self.slots, other.slots) and np.array_equal(self.weights, other.weights)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Normalized({self.slots.tolist()}, {self.weights.tolist()})"


def normalized(s: HostSet, hosts: Sequence[Host], *, panic: bool, by_locality: bool) -> Normalized:
    """The hosts that a hash balancer uses of one priority, with their shares.

    Parameters
    ----------
    s : the priority's hosts.
    hosts : by slot.
    panic : whether the priority panics: all hosts instead of the healthy.
    by_locality : whether locality weights count.

    Cost: O(N).

    Examples
    --------
    >>> from lbalgo.compat.envoy.hosts import host_sets
    >>> hosts = [Host("a:1", 1), Host("b:1", 3)]
    >>> normalized(host_sets(hosts, [0, 0])[0], hosts, panic=False, by_locality=False)
    Normalized([0, 1], [0.25, 0.75])
    """
    if not by_locality:
        return Normalized(*_shares(s.hosts if panic else s.healthy, hosts, 1.0))
    total = sum(place.weight for place in s.localities)
    slots: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    for place in s.localities:
        if place.weight:
            more, theirs = _shares(place.hosts if panic else place.healthy, hosts, place.weight / total)
            slots, weights = slots + more, weights + theirs
    return Normalized(slots, weights)


def _shares(
    slots: tuple[int, ...], hosts: Sequence[Host], locality: float
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    raw = [hosts[slot].weight for slot in slots]
    total = sum(raw)
    return slots, tuple([weight * locality / total for weight in raw])
