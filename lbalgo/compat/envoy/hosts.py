"""Envoy's host sets: who is healthy in each priority, how much traffic a priority gets, and when it panics.

A priority with fewer healthy hosts than its overprovisioning factor covers hands the rest of its traffic on to the
next; all percentages are integers and truncate, as Envoy's do. When too few hosts of a priority are available it
*panics*: health is ignored there and every host is used, excluded ones too. When all priorities panic (*total panic*)
traffic goes by number of hosts.

Everything here is a pure function of hosts, states and settings. Source: Envoy 1.40 documentation, "Priority levels",
"Degraded endpoints", "Panic threshold"; replayed against captured decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.envoy.host import WEIGHTS, Host, Locality, check_locality
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_integer, check_real
from lbalgo.types import State

OVERPROVISIONING = 140  # percent; Envoy's default
PANIC = 50  # percent; Envoy's default


@dataclass(frozen=True)
class LocalityHosts:
    """The hosts of one locality inside one priority.

    Parameters
    ----------
    locality : region, zone, sub-zone.
    weight : the locality's weight; 0 if it has none.
    hosts, healthy, degraded, excluded : slots, in list order.
    """

    locality: Locality
    weight: int
    hosts: tuple[int, ...]
    healthy: tuple[int, ...]
    degraded: tuple[int, ...]
    excluded: tuple[int, ...]


@dataclass(frozen=True)
class HostSet:
    """The hosts of one priority.

    Parameters
    ----------
    hosts, healthy, degraded, excluded : slots, in list order.
    localities : hosts per locality: the proxy's own first if it has hosts here, the others sorted.
    local : whether the first locality is the proxy's own.
    """

    hosts: tuple[int, ...]
    healthy: tuple[int, ...]
    degraded: tuple[int, ...]
    excluded: tuple[int, ...]
    localities: tuple[LocalityHosts, ...]
    local: bool = False


def host_sets(
    hosts: Sequence[Host], states: Sequence[int], local_locality: Locality | None = None
) -> tuple[HostSet, ...]:
    """One `HostSet` for each priority from 0 to the highest in use; at least one.

    Parameters
    ----------
    hosts : by slot.
    states : `State` values by slot.
    local_locality : where the proxy itself runs; None if unknown.

    Raises
    ------
    ConfigError : hosts of one locality and priority disagree on the locality's weight, or weights of one locality sum
        to more than 2**32 - 1.

    Cost: O(N log N).

    Examples
    --------
    >>> sets = host_sets([Host("a:1"), Host("b:1", priority=1)], [State.DRAINING, State.HEALTHY])
    >>> [(s.hosts, s.healthy, s.excluded) for s in sets]
    [((0,), (), (0,)), ((1,), (1,), ())]
    """
    ranks = [host.priority for host in hosts]
    lowest = max(ranks, default=0)
    levels: list[list[int]] = [[] for _ in range(lowest + 1)] if lowest else [list(range(len(hosts)))]
    for slot, rank in enumerate(ranks if lowest else ()):
        levels[rank].append(slot)
    return tuple([_host_set(level, hosts, states, local_locality) for level in levels])


def _host_set(
    level: Sequence[int], hosts: Sequence[Host], states: Sequence[int], local_locality: Locality | None
) -> HostSet:
    where, parts = [hosts[slot].locality for slot in level], _by_health(level, states)
    if where and where.count(where[0]) == len(where):
        one = LocalityHosts(where[0], _locality_weight(hosts, level), *parts)
        return HostSet(*parts, (one,), where[0] == local_locality)
    places: dict[Locality, list[int]] = {}
    for slot, place in zip(level, where, strict=True):
        places.setdefault(place, []).append(slot)
    order = sorted(places, key=lambda place: (place != local_locality, place))
    localities = tuple(
        LocalityHosts(p, _locality_weight(hosts, places[p]), *_by_health(places[p], states)) for p in order
    )
    return HostSet(*parts, localities, local_locality in places)


def _by_health(
    slots: Sequence[int], states: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    everybody, theirs = tuple(slots), [states[slot] for slot in slots]
    if not any(theirs):
        return everybody, everybody, (), ()

    def of(state: int) -> tuple[int, ...]:
        return tuple([slot for slot, its in zip(everybody, theirs, strict=True) if its == state])

    return everybody, of(State.HEALTHY), of(State.DEGRADED), of(State.DRAINING)


def _locality_weight(hosts: Sequence[Host], slots: Sequence[int]) -> int:
    weight = hosts[slots[0]].locality_weight
    given = [hosts[slot].locality_weight for slot in slots]
    if given.count(weight) != len(given):
        odd = next(i for i, other in enumerate(given) if other != weight)
        raise ConfigError(
            "locality_weight", given[odd], f"of {hosts[slots[odd]].id!r} must be its locality's, {weight}"
        )
    total = sum([hosts[slot].weight for slot in slots])
    if total > WEIGHTS:
        raise ConfigError("weight", total, f"in sum of the locality {hosts[slots[0]].locality!r} exceeds {WEIGHTS}")
    return weight


@dataclass(frozen=True)
class PriorityLoad:
    """How traffic is divided among priorities, in percent.

    Parameters
    ----------
    healthy, degraded : percent of all traffic, by priority, for its healthy and its degraded hosts; sum to 100.
    panic : by priority, whether health is ignored there.
    health, degradation : by priority, percent available, overprovisioned; what `previous_priorities` redistributes.
    """

    healthy: tuple[int, ...]
    degraded: tuple[int, ...]
    panic: tuple[bool, ...]
    health: tuple[int, ...] = ()
    degradation: tuple[int, ...] = ()

    @property
    def total_panic(self) -> bool:
        """Whether every priority panics."""
        return all(self.panic)

    def choose(self, h: int) -> tuple[int, bool]:
        """The priority of the request whose hash (or random word) is `h`, and whether its degraded hosts are meant.

        `h % 100 + 1` is compared with the running sum of the healthy loads, then of the degraded ones.

        Examples
        --------
        >>> load = PriorityLoad((70, 0), (0, 30), (False, False))
        >>> load.choose(169), load.choose(170)
        ((0, False), (1, True))
        """
        x, total = h % 100 + 1, 0
        for loads, degraded in ((self.healthy, False), (self.degraded, True)):
            for priority, load in enumerate(loads):
                total += load
                if total >= x:
                    return priority, degraded
        raise AssertionError("loads sum to 100")

    def explain(self, h: int) -> Steps:
        """The loads, and the priority of this hash or random word."""
        loads = zip(self.healthy, self.degraded, self.panic, strict=True)
        told = (f"{p}: {a} % healthy, {b} % degraded{', in panic' * panics}" for p, (a, b, panics) in enumerate(loads))
        priority, degraded = self.choose(h)
        which = f"{priority}{', its degraded hosts' * degraded}"
        return [("priority loads", listing(told, "; ")), ("priority", f"{which}: h % 100 + 1 = {h % 100 + 1}")]


def priority_load(
    sets: Sequence[HostSet],
    hosts: Sequence[Host],
    *,
    overprovisioning_factor: int = OVERPROVISIONING,
    healthy_panic_threshold: float = PANIC,
    weighted_priority_health: bool = False,
) -> PriorityLoad:
    """Loads and panic of every priority.

    Parameters
    ----------
    sets : the host sets, by priority.
    hosts : by slot, for their weights.
    overprovisioning_factor : percent by which available hosts count; 140.
    healthy_panic_threshold : percent of available hosts under which a priority panics; 0 never.
    weighted_priority_health : whether weights replace counts in the health of a priority; never in panic.

    Cost: O(N).

    Examples
    --------
    >>> hosts = [Host(f"a:{i}", priority=i // 5) for i in range(7)]
    >>> states = [State.HEALTHY] * 3 + [State.UNHEALTHY] * 2 + [State.HEALTHY] * 2
    >>> priority_load(host_sets(hosts, states), hosts).healthy
    (84, 16)
    """

    def size(slots: Sequence[int]) -> int:
        return sum(hosts[slot].weight for slot in slots) if weighted_priority_health else len(slots)

    health: list[int] = []
    degradation: list[int] = []
    for s in sets:
        counted = size(s.hosts) - size(s.excluded)
        for into, slots in ((health, s.healthy), (degradation, s.degraded)):
            into.append(min(100, overprovisioning_factor * size(slots) // counted) if counted > 0 else 0)
    healthy, degraded = spread(health, degradation)
    available = min(100, sum(health) + sum(degradation))
    threshold = panic_threshold(healthy_panic_threshold)
    if available == 0 and threshold == 0:  # nobody may serve, and nobody may panic
        healthy[0] = 100
        panic = [False] * len(sets)
    else:
        panic = [available != 100 and _below(s, threshold) for s in sets]
        if all(panic):
            healthy, degraded = _by_number(sets), [0] * len(sets)
    return PriorityLoad(tuple(healthy), tuple(degraded), tuple(panic), tuple(health), tuple(degradation))


def spread(health: Sequence[int], degradation: Sequence[int]) -> tuple[list[int], list[int]]:
    """Percent of traffic by priority, healthy first, then degraded; what truncation leaves goes to the first able.

    Examples
    --------
    >>> spread([50, 50, 50], [0, 0, 0])
    ([50, 50, 0], [0, 0, 0])
    """
    total = min(100, sum(health) + sum(degradation))
    left, loads = 100 if total else 0, []
    for availability in (health, degradation):
        load = []
        for percent in availability:
            load.append(min(left, percent * 100 // total) if total else 0)
            left -= load[-1]
        loads.append(load)
    for load, availability in zip(loads, (health, degradation), strict=True):
        first = next((p for p, percent in enumerate(availability) if percent > 0), None)
        if left and first is not None:
            load[first] += left
            left = 0
    return loads[0], loads[1]


def panic_threshold(percent: float) -> int:
    """The whole percentage that a configured threshold becomes: through hundredths of 1 in double, then truncated.

    So 57 becomes 56, and anything below 1 never panics; the running program was seen to do so.

    Examples
    --------
    >>> panic_threshold(50), panic_threshold(61), panic_threshold(57), panic_threshold(0.9)
    (50, 61, 56, 0)
    """
    return int(100 * (percent / 100.0))


def _below(s: HostSet, threshold: int) -> bool:
    counted = len(s.hosts) - len(s.excluded)
    if counted == 0:
        return threshold > 0
    return 100.0 * len(s.healthy) / counted + 100.0 * len(s.degraded) / counted < threshold


def _by_number(sets: Sequence[HostSet]) -> list[int]:
    everybody = sum(len(s.hosts) for s in sets)
    if everybody == 0:
        return [100] + [0] * (len(sets) - 1)
    loads = [100 * len(s.hosts) // everybody for s in sets]
    loads[next(p for p, s in enumerate(sets) if s.hosts)] += 100 - sum(loads)
    return loads


def effective_locality_weights(
    s: HostSet, *, degraded: bool = False, overprovisioning_factor: int = OVERPROVISIONING
) -> tuple[float, ...]:
    """Locality weights as RoundRobin, LeastRequest and Random use them: scaled down where too few hosts are available.

    Parameters
    ----------
    s : the host set.
    degraded : whether the degraded hosts of each locality are meant, not the healthy ones.
    overprovisioning_factor : percent; 140.

    Examples
    --------
    >>> hosts = [Host(f"a:{i}", locality=("", "x", ""), locality_weight=3) for i in range(4)]
    >>> (one,) = host_sets(hosts, [State.HEALTHY] * 2 + [State.UNHEALTHY] * 2)
    >>> effective_locality_weights(one)
    (2.0999999999999996,)
    """
    weights = []
    for place in s.localities:
        counted = len(place.hosts) - len(place.excluded)
        able = len(place.degraded if degraded else place.healthy)
        scale = min(1.0, overprovisioning_factor / 100.0 * (able / counted)) if counted else 0.0
        weights.append(place.weight * scale)
    return tuple(weights)


def check_settings(policy: Any) -> None:
    """The settings that all of Envoy's policies share: overprovisioning, panic, locality of the proxy."""
    check_integer("overprovisioning_factor", policy.overprovisioning_factor, low=1, high=WEIGHTS)
    check_real("healthy_panic_threshold", policy.healthy_panic_threshold, low=0.0, high=100.0)
    check_bool("weighted_priority_health", policy.weighted_priority_health)
    check_bool("locality_weighted_lb_config", policy.locality_weighted_lb_config)
    if policy.local_locality is not None:
        check_locality("local_locality", policy.local_locality)


def locality_from(data: object) -> Locality | None:
    """A locality as plain data has it, a list, or None; what is neither stays for `check_settings` to refuse."""
    return tuple(data) if isinstance(data, list) else data  # type: ignore[return-value]
