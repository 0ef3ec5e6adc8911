"""Which hosts a pick is among: Envoy's *host sources*, and the turns of weighted localities.

A source is a priority and one of: all its hosts (panic), its healthy or degraded ones, or those of one of its
localities. Every source has an index and, if weights differ, a scheduler of its own.

With `locality_weighted_lb_config` the localities take turns in a scheduler as hosts do (`lbalgo.compat.envoy.edf`), by
weights that shrink where too few hosts are available. The scheduler is made anew, from another random start, whenever
the host set is.

Source: Envoy 1.40 documentation, "Locality weighted load balancing"; replayed with the start given.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lbalgo.compat.envoy.edf import Edf
from lbalgo.compat.envoy.hosts import HostSet


class Among(enum.IntEnum):
    """Which hosts of a priority.

    Examples
    --------
    >>> Among.LOCALITY_HEALTHY.name
    'LOCALITY_HEALTHY'
    """

    ALL = 0
    HEALTHY = 1
    DEGRADED = 2
    LOCALITY_HEALTHY = 3
    LOCALITY_DEGRADED = 4


@dataclass(frozen=True, slots=True)
class Source:
    """Some of the hosts of a priority.

    Parameters
    ----------
    priority : of the host set.
    among : which of its hosts.
    locality : index among the host set's localities; 0 where that does not matter.

    Examples
    --------
    >>> Source(0, Among.HEALTHY)
    Source(priority=0, among=<Among.HEALTHY: 1>, locality=0)
    """

    priority: int
    among: Among
    locality: int = 0

    @property
    def local(self) -> bool:
        """Whether it is one locality's."""
        return self.among >= Among.LOCALITY_HEALTHY


def sources_of(priority: int, s: HostSet) -> dict[Source, tuple[int, ...]]:
    """Every source of a priority and its hosts, as slots.

    Examples
    --------
    >>> from lbalgo.compat.envoy.host import Host
    >>> from lbalgo.compat.envoy.hosts import host_sets
    >>> (one,) = host_sets([Host("a:1"), Host("b:1")], [0, 2])
    >>> sources_of(0, one)[Source(0, Among.HEALTHY)]
    (0,)
    """
    found = {
        Source(priority, Among.ALL): s.hosts,
        Source(priority, Among.HEALTHY): s.healthy,
        Source(priority, Among.DEGRADED): s.degraded,
    }
    for i, place in enumerate(s.localities):
        found[Source(priority, Among.LOCALITY_HEALTHY, i)] = place.healthy
        found[Source(priority, Among.LOCALITY_DEGRADED, i)] = place.degraded
    return found


class LocalityTurns:
    """The turns of the localities of one host set.

    Parameters
    ----------
    weights : effective weights, by locality; those of 0 take no turns.
    picks : P, see `Edf`.

    Examples
    --------
    >>> turns = LocalityTurns([1.0, 0.0, 3.0], 0)
    >>> [turns.next() for _ in range(4)]
    [2, 2, 0, 2]
    """

    __slots__ = ("_edf", "_indices", "_weights")

    def __init__(self, weights: Sequence[float], picks: int) -> None:
        self._indices = [i for i, weight in enumerate(weights) if weight > 0]
        self._weights = [weights[i] for i in self._indices]
        self._edf = Edf(self._weights, picks) if self._indices else None

    def __bool__(self) -> bool:
        return self._edf is not None

    def next(self) -> int:
        """The index of the locality whose turn it is; there must be one."""
        assert self._edf is not None
        return self._indices[self._edf.pick(self._weights.__getitem__)]
