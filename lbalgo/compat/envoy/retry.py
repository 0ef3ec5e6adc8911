"""Which host a retry goes to: Envoy's host selection attempts, retry host predicates and retry priorities.

Envoy knows no walk. A retry asks the balancer again, up to `host_selection_retry_max_attempts` + 1 times, until the
predicates accept; the last host is used even if they do not. A hash balancer gets the same hash every time and, as the
attempt, how often it has been asked *for this retry*: so with the default of 1 every retry has the same two candidates,
and without a predicate all retries go to the first host.

Source: Envoy 1.40 documentation, `RetryPolicy`, "Retry plugin configuration"; previous_hosts is replayed, the other
predicates and previous_priorities are described only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lbalgo.active import TicketPicker
from lbalgo.columns import word
from lbalgo.compat.envoy.bounded_load import BoundedPicker
from lbalgo.compat.envoy.composite import PriorityPicker, attempt_slot
from lbalgo.compat.envoy.host import frozen_metadata, host_of
from lbalgo.compat.envoy.hosts import PriorityLoad
from lbalgo.errors import NoBackend
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict
from lbalgo.types import Backend

B = TypeVar("B", bound=Backend)


def choose_host(picker: TicketPicker[B] | PriorityPicker[B] | BoundedPicker[B], h: int, attempt: int = 0) -> B:
    """The host a hash policy's picker chooses for a ready request hash.

    Parameters
    ----------
    picker : what `RingHash` or `Maglev` built.
    h : request hash, in [0, 2**64).
    attempt : how often the balancer has been asked for this retry, from 0.

    Raises
    ------
    NoBackend : there is no host.

    Cost: as a pick; a further attempt on a ring O(points).

    Examples
    --------
    >>> from lbalgo.compat.envoy import Maglev
    >>> picker = Maglev().build(["127.0.0.1:21000", "127.0.0.1:21001"])
    >>> [choose_host(picker, 12345, attempt).id for attempt in range(3)]
    ['127.0.0.1:21000', '127.0.0.1:21000', '127.0.0.1:21001']
    """
    h = word("hash", h)
    check_integer("attempt", attempt, low=0)
    if isinstance(picker, TicketPicker):
        slot = attempt_slot(picker.structure, h, attempt)
    else:
        slot = picker.choose(h, attempt)
    if slot < 0:
        raise NoBackend("ineligible" if len(picker.backends) else "empty")
    chosen: B = picker.backends[slot]
    return chosen


@dataclass(frozen=True)
class RetryPolicy:
    """Which host the next try of a request goes to.

    Parameters
    ----------
    host_selection_retry_max_attempts : how often a rejected host is replaced; 0 is Envoy's "not set", which means 1.
    previous_hosts : whether hosts that the request has tried are rejected.
    omit_canary_hosts : whether hosts with the metadata `canary` are rejected.
    omit_host_metadata : hosts whose metadata have all of these are rejected; a list matches if it contains the value.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type.

    Source: Envoy 1.40, `envoy.extensions.retry.host`; previous_hosts replayed, the others described only.

    Examples
    --------
    >>> from lbalgo.compat.envoy import Maglev
    >>> picker = Maglev().build(["127.0.0.1:21000", "127.0.0.1:21001", "127.0.0.1:21002"])
    >>> retry = RetryPolicy(5, previous_hosts=True)
    >>> first = retry.choose(picker, 7, [])
    >>> retry.choose(picker, 7, [first.id]) != first
    True
    """

    host_selection_retry_max_attempts: int = 1
    previous_hosts: bool = False
    omit_canary_hosts: bool = False
    omit_host_metadata: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        name = "host_selection_retry_max_attempts"
        check_integer(name, self.host_selection_retry_max_attempts, low=0, high=2**63 - 1)
        check_bool("previous_hosts", self.previous_hosts)
        check_bool("omit_canary_hosts", self.omit_canary_hosts)
        object.__setattr__(self, "omit_host_metadata", frozen_metadata(self.omit_host_metadata))

    def choose(
        self, picker: TicketPicker[B] | PriorityPicker[B] | BoundedPicker[B], h: int, tried: Sequence[str] = ()
    ) -> B:
        """The host for the next try of the request with this hash; `tried` are the ids of its tries so far.

        The predicates have no say in the first try.
        """
        last = choose_host(picker, h)
        for attempt in range(1, (self.host_selection_retry_max_attempts or 1) + 1):
            if not tried or not self.rejects(last, tried):
                break
            last = choose_host(picker, h, attempt)
        return last

    def rejects(self, backend: Any, tried: Sequence[str]) -> bool:
        """Whether a predicate turns this host down."""
        if self.previous_hosts and backend.id in tried:
            return True
        if not self.omit_canary_hosts and not self.omit_host_metadata:
            return False
        host = host_of(backend)
        return (self.omit_canary_hosts and host.canary) or (
            bool(self.omit_host_metadata) and all(_has(host.labels, k, v) for k, v in self.omit_host_metadata)
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RetryPolicy:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


def _has(labels: Mapping[str, Any], name: str, value: Any) -> bool:
    found = labels.get(name)
    return name in labels and (found == value or (isinstance(found, tuple) and value in found))


def previous_priorities(load: PriorityLoad, tried: Sequence[int], update_frequency: int) -> PriorityLoad:
    """Loads of the priorities for the next retry, those tried left out (described only).

    Hash balancers do not ask for it: only RoundRobin, LeastRequest, Random and their like choose a priority by it.

    Parameters
    ----------
    load : the original loads.
    tried : priority of each try so far.
    update_frequency : after every so many tries the loads are worked out again, all tried priorities at 0.

    When all priorities with hosts have been tried, it starts over.

    Examples
    --------
    >>> load = PriorityLoad((100, 0), (0, 0), (False, False), (100, 100), (0, 0))
    >>> [previous_priorities(load, tried, 1).healthy for tried in ([], [0], [0, 1])]
    [(100, 0), (0, 100), (100, 0)]
    """
    check_integer("update_frequency", update_frequency, low=1)
    attempted: list[int] = []
    excluded: set[int] = set()
    current = load
    for priority in tried:
        attempted.append(priority)
        if len(attempted) < update_frequency:
            current = load
        elif len(attempted) % update_frequency == 0:
            excluded |= set(attempted)
            spread = _without(load, excluded)
            if spread is None:
                attempted, excluded = [], set()
                spread = _without(load, excluded)
            current = load if spread is None else spread
    return current


def _without(load: PriorityLoad, excluded: set[int]) -> PriorityLoad | None:
    able = [
        [0 if p in excluded else percent for p, percent in enumerate(each)] for each in (load.health, load.degradation)
    ]
    total, left = min(100, sum(map(sum, able))), 100
    if total == 0:
        return None
    loads = [[0] * len(able[0]), [0] * len(able[0])]
    while left:
        for part, percents in zip(loads, able, strict=True):
            for p, percent in enumerate(percents):
                more = min(left, percent * 100 // total)
                part[p] += more
                left -= more
    return replace(load, healthy=tuple(loads[0]), degraded=tuple(loads[1]))
