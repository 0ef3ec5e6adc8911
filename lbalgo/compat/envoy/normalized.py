"""Weights as Envoy's hash balancers see them: normalised to shares, in the order in which points and turns are given.

A table is made of the healthy hosts of one priority, or of all its hosts in panic; never of degraded ones, whatever
the priority's degraded load. Without locality weights hosts keep their list order and w = weight / sum. With them hosts
go locality by locality, and w = weight * (locality weight / sum over all localities) / sum of the locality's hosts in
the table; localities without weight are left out. Every operation is one of doubles, in this order, because the
rounding decides who gets the last point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lbalgo.compat.envoy.host import Host
from lbalgo.compat.envoy.hosts import HostSet


@dataclass(frozen=True)
class Normalized:
    """Hosts of one table and their shares.

    Parameters
    ----------
    slots : in the order that matters.
    weights : positive shares, as many as slots.
    least, most : least weight but at most 1.0, greatest weight but at least 0.0.

    Examples
    --------
    >>> Normalized((0, 1), (0.25, 0.75)).least
    0.25
    """

    slots: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def least(self) -> float:
        """The least weight, but at most 1."""
        return min(1.0, *self.weights) if self.weights else 1.0

    @property
    def most(self) -> float:
        """The greatest weight, but at least 0."""
        return max(0.0, *self.weights) if self.weights else 0.0


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
    >>> normalized(host_sets(hosts, [0, 0])[0], hosts, panic=False, by_locality=False).weights
    (0.25, 0.75)
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
