"""Zone-aware routing: keep traffic in the proxy's own locality as far as its hosts there can bear it.

Two distributions are compared, in whole hundredths of a percent that truncate: where the callers are (`local_cluster`,
the proxy's own fleet) and where the healthy hosts are. If the own locality has at least its share of hosts, all its
traffic stays there (*direct*). If it has less, the part it can bear stays and the rest is spread over the other
localities in proportion to what they have beyond their own callers' needs (*residual*).

It concerns priority 0 only, and only healthy hosts. Skipped, so that all healthy hosts are used alike: fewer than two
localities on either side, no caller in the own locality, fewer than `min_cluster_size` healthy hosts, or a fleet in
panic. `force_local_zone` keeps everything local if `min_size` hosts are healthy there and lifts the bound on the
callers' localities, but not that on the cluster's size.

Source: Envoy 1.40 documentation, "Zone aware routing"; statistics were compared with captured ones. Described only:
what a fleet of one locality and one in panic do, and degraded hosts, which are used without regard to localities.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from lbalgo.compat.envoy.host import NOWHERE, WEIGHTS, Host, Locality, check_locality
from lbalgo.compat.envoy.hosts import HostSet, locality_from, panic_threshold
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict

WHOLE = 10_000  # shares are integers of this
MIN_CLUSTER_SIZE = 6  # Envoy's default
MIN_SIZE = 1  # Envoy's default for force_local_zone


class LocalityBasis(enum.Enum):
    """What the shares of localities are shares of.

    Examples
    --------
    >>> LocalityBasis.HEALTHY_HOSTS_NUM.value
    0
    """

    HEALTHY_HOSTS_NUM = 0
    HEALTHY_HOSTS_WEIGHT = 1


@dataclass(frozen=True)
class ForceLocalZone:
    """Envoy's `force_local_zone`.

    Parameters
    ----------
    min_size : healthy hosts the own locality must have for all traffic to stay there.

    Raises
    ------
    ConfigError : no integer from 0 to 2**32 - 1.

    Examples
    --------
    >>> ForceLocalZone()
    ForceLocalZone(min_size=1)
    """

    min_size: int = MIN_SIZE

    def __post_init__(self) -> None:
        check_integer("min_size", self.min_size, low=0, high=WEIGHTS)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ForceLocalZone:
        """The configuration `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class ZoneAwareLbConfig:
    """Envoy's `zone_aware_lb_config`; these defaults hold wherever the callers are known and nothing is configured.

    Parameters
    ----------
    routing_enabled : percent of picks that look at localities, 0 to 100; its whole part counts.
    min_cluster_size : healthy hosts below which localities are not looked at.
    fail_traffic_on_panic : whether a priority in panic serves nobody instead of using all its hosts.
    force_local_zone : keeps all traffic local where enough hosts are healthy; None does not.
    locality_basis : whether hosts or their weights are counted.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Source: Envoy 1.40, `LocalityLbConfig.ZoneAwareLbConfig`.

    Examples
    --------
    >>> ZoneAwareLbConfig(force_local_zone=ForceLocalZone(2)).min_cluster_size
    6
    """

    routing_enabled: float = 100.0
    min_cluster_size: int = MIN_CLUSTER_SIZE
    fail_traffic_on_panic: bool = False
    force_local_zone: ForceLocalZone | None = None
    locality_basis: LocalityBasis = LocalityBasis.HEALTHY_HOSTS_NUM

    def __post_init__(self) -> None:
        check_real("routing_enabled", self.routing_enabled, low=0.0, high=100.0)
        check_integer("min_cluster_size", self.min_cluster_size, low=0, high=2**64 - 1)
        check_bool("fail_traffic_on_panic", self.fail_traffic_on_panic)
        if self.force_local_zone is not None and not isinstance(self.force_local_zone, ForceLocalZone):
            raise ConfigError("force_local_zone", self.force_local_zone, "must be a ForceLocalZone or None")
        check_enum("locality_basis", self.locality_basis, LocalityBasis)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ZoneAwareLbConfig:
        """The configuration `to_dict` described."""
        nested = {
            "force_local_zone": lambda given: (
                given if not isinstance(given, Mapping) else ForceLocalZone.from_dict(given)
            ),
            "locality_basis": enum_from_name(LocalityBasis),
        }
        return from_dict(cls, data, nested)


@dataclass(frozen=True)
class Callers:
    """Part of the proxy's own fleet, the hosts of `local_cluster_name`, in one locality.

    Parameters
    ----------
    locality : region, zone, sub-zone.
    hosts : how many there are.
    unhealthy : how many of them are neither healthy nor degraded.
    weight : of each, 1 to 2**32 - 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Callers(("", "a", ""), 4).healthy
    4
    """

    locality: Locality = NOWHERE
    hosts: int = 1
    unhealthy: int = 0
    weight: int = 1

    def __post_init__(self) -> None:
        check_locality("locality", self.locality)
        check_integer("hosts", self.hosts, low=0)
        check_integer("unhealthy", self.unhealthy, low=0, high=self.hosts)
        check_integer("weight", self.weight, low=1, high=WEIGHTS)

    @property
    def healthy(self) -> int:
        """How many can be reckoned with."""
        return self.hosts - self.unhealthy

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Callers:
        """The callers `to_dict` described."""
        return from_dict(cls, data, {"locality": locality_from})


@dataclass(frozen=True)
class ZoneRouting:
    """Where the picks of priority 0 go, by locality.

    Parameters
    ----------
    direct : whether all stay in the first locality, the own one.
    local_share : of `WHOLE` picks, how many stay there if not.
    residual : running sums of what each locality can take beyond its own callers' needs.
    fleet_in_panic : whether the callers are too few healthy to be gone by.

    Examples
    --------
    >>> ZoneRouting(False, 6250, (0, 1000, 1500)).choose(iter([6250, 999]).__next__)
    1
    """

    direct: bool
    local_share: int
    residual: tuple[int, ...]
    fleet_in_panic: bool = False

    def choose(self, draw: Any) -> int:
        """The index of a locality; `draw` gives random 64-bit words."""
        if self.direct or draw() % WHOLE < self.local_share:
            return 0
        if self.residual[-1] == 0:  # truncation left nothing anywhere
            return int(draw() % len(self.residual))
        threshold = draw() % self.residual[-1]
        return next(i for i, capacity in enumerate(self.residual) if threshold < capacity)

    def shares(self) -> tuple[float, ...]:
        """The share of picks of each locality.

        Examples
        --------
        >>> ZoneRouting(False, 6250, (0, 1000, 1500)).shares()
        (0.625, 0.25, 0.125)
        """
        n = len(self.residual)
        local = 1.0 if self.direct else self.local_share / WHOLE
        total = self.residual[-1]
        steps = [b - a for a, b in zip((0, *self.residual), self.residual, strict=False)]
        rest = [(1.0 - local) * (step / total if total else 1.0 / n) for step in steps]
        return (local + rest[0], *rest[1:])


def zone_routing(
    upstream: HostSet,
    hosts: Sequence[Host],
    callers: Sequence[Callers],
    local_locality: Locality | None,
    config: ZoneAwareLbConfig,
    healthy_panic_threshold: float = 50.0,
) -> ZoneRouting | None:
    """How priority 0 routes by locality; None if it does not.

    Parameters
    ----------
    upstream : the host set of priority 0.
    hosts : by slot, for their weights.
    callers : the proxy's own fleet.
    local_locality : where the proxy runs.
    config : settings.
    healthy_panic_threshold : percent of healthy callers under which the fleet is in panic.

    Cost: O(N).

    Examples
    --------
    >>> from lbalgo.compat.envoy.hosts import host_sets
    >>> zones = [("", z, "") for z in "abc"]
    >>> hosts = [Host(f"{z[1]}:{i}", locality=z) for z, n in zip(zones, (5, 10, 5)) for i in range(n)]
    >>> (p0,) = host_sets(hosts, [0] * 20, zones[0])
    >>> fleet = [Callers(z, n) for z, n in zip(zones, (4, 4, 2))]
    >>> zone_routing(p0, hosts, fleet, zones[0], ZoneAwareLbConfig()).shares()
    (0.625, 0.25, 0.125)
    """
    force = config.force_local_zone
    fleet = {c.locality for c in callers if c.hosts}
    if len(upstream.localities) < 2 or (len(fleet) < 2 and force is None):
        return None
    if local_locality not in fleet or len(upstream.healthy) < config.min_cluster_size:
        return None
    by_weight = config.locality_basis is LocalityBasis.HEALTHY_HOSTS_WEIGHT
    calling: dict[Locality, int] = {}
    for c in callers:
        calling[c.locality] = calling.get(c.locality, 0) + c.healthy * (c.weight if by_weight else 1)
    serving = [sum(hosts[s].weight for s in p.healthy) if by_weight else len(p.healthy) for p in upstream.localities]
    local = [WHOLE * calling.get(p.locality, 0) // max(1, sum(calling.values())) for p in upstream.localities]
    up = [WHOLE * able // max(1, sum(serving)) for able in serving]
    fleet_in_panic = _in_panic(callers, panic_threshold(healthy_panic_threshold))
    direct, local_share = False, 0
    if upstream.local:
        forced = force is not None and len(upstream.localities[0].healthy) >= force.min_size
        direct = (up[0] > 0 and up[0] >= local[0]) or forced
        local_share = up[0] * WHOLE // local[0] if local[0] else 0
    beyond = [max(0, u - w) for u, w in zip(up, local, strict=True)]
    if upstream.local:
        beyond[0] = 0  # it has what it can bear
    return ZoneRouting(direct, local_share, tuple(accumulate(beyond)), fleet_in_panic)


def _in_panic(callers: Sequence[Callers], threshold: int) -> bool:
    everybody = sum(c.hosts for c in callers)
    return 100.0 * sum(c.healthy for c in callers) / everybody < threshold
