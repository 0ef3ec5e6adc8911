"""A cluster's load-balancing policy, read from its legacy fields: `lb_policy` and the messages that configure it.

What the typed extensions (`extension_config`) have in common with them is read here too.

Source: Envoy 1.40, `config.cluster.v3.Cluster` (lb_policy and the *_lb_config fields), `common.v3`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.compat.config import Fields
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.least_request import LeastRequest, SelectionMethod
from lbalgo.compat.envoy.maglev import Maglev
from lbalgo.compat.envoy.random import Random
from lbalgo.compat.envoy.ring_hash import HashFunction, RingHash
from lbalgo.compat.envoy.round_robin import RoundRobin
from lbalgo.compat.envoy.scalars import duration, enum_of, percent, runtime_double, whole
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ForceLocalZone, LocalityBasis, ZoneAwareLbConfig
from lbalgo.errors import ConfigError

P = TypeVar("P")

LEGACY = ("ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "", "MAGLEV", "CLUSTER_PROVIDED")
HASHES = ("XX_HASH", "MURMUR_HASH_2")
CONFIGS = {  # a policy's own message
    "RING_HASH": "ring_hash_lb_config",
    "MAGLEV": "maglev_lb_config",
    "LEAST_REQUEST": "least_request_lb_config",
    "ROUND_ROBIN": "round_robin_lb_config",
    "CLUSTER_PROVIDED": "original_dst_lb_config",
}
PARTIAL = ("zone_aware_lb_config", "locality_weighted_lb_config", "consistent_hashing_lb_config")


@dataclass
class Common:
    """What all policies of one cluster are given, wherever it was written."""

    overprovisioning_factor: int
    weighted_priority_health: bool
    healthy_panic_threshold: float
    local_locality: Locality | None
    local_cluster: tuple[Callers, ...] = ()
    active_health_checks: bool = False

    def keyed(self) -> dict[str, Any]:
        """The parameters of a policy with a key."""
        return {
            "overprovisioning_factor": self.overprovisioning_factor,
            "weighted_priority_health": self.weighted_priority_health,
            "healthy_panic_threshold": self.healthy_panic_threshold,
            "local_locality": self.local_locality,
        }

    def turns(self) -> dict[str, Any]:
        """The parameters of a policy without a key."""
        checks = {"active_health_checks": self.active_health_checks}
        return {**self.keyed(), **checks, "local_cluster": self.local_cluster}


def built(fields: Fields, make: Callable[..., P], *args: Any, **given: Any) -> P:
    """What is made of these parameters; errors name the field they came from."""
    try:
        return make(*args, **given)
    except ConfigError as error:
        if error.parameter.partition("[")[0] not in fields:
            raise
        raise ConfigError(fields.where(error.parameter), error.value, error.why) from None


def legacy_policy(cluster: Fields, name: str, kind: str, c: Common) -> Any:
    """The policy of `lb_policy`, the message that configures it, and `common_lb_config`.

    Parameters
    ----------
    kind : the type of the cluster.
    """
    own = CONFIGS.get(name, "")
    cluster.ignore(*(field for field in CONFIGS.values() if field != own))  # of policies that are not in force
    empty = Fields({}, account=cluster.account)
    fields = (cluster.section(own) if own else None) or empty
    settings = cluster.section("common_lb_config") or empty
    if name in ("RING_HASH", "MAGLEV"):
        settings.ignore("zone_aware_lb_config")  # hash balancers do not look at zones
        hashing = settings.section("consistent_hashing_lb_config")
        given = {**consistent_hashing(hashing), "locality_weighted_lb_config": weighted(settings)}
        if given.get("use_hostname_for_hashing") and hashing is not None and kind != "STRICT_DNS":
            why = f"goes with type STRICT_DNS, not with {kind}"
            raise ConfigError(hashing.where("use_hostname_for_hashing"), True, why)
        return ring_hash(fields, given, c) if name == "RING_HASH" else maglev(fields, given, c)
    settings.ignore("consistent_hashing_lb_config")  # the other policies hash nothing
    if name == "LEAST_REQUEST":
        return least_request(fields, locality_settings(settings), c)
    if name == "RANDOM":
        return random(locality_settings(settings), c)
    if name != "ROUND_ROBIN":
        raise ConfigError(cluster.where("lb_policy"), name, "is a policy that the cluster itself brings")
    return built(fields, RoundRobin, slow_start_config=slow_start(fields), **locality_settings(settings), **c.turns())


def ring_hash(fields: Fields, given: dict[str, Any], c: Common, functions: tuple[str, ...] = HASHES) -> RingHash:
    """The policy of a ring hash's message; `given` comes from others."""
    return built(
        fields,
        RingHash,
        fields.take("minimum_ring_size", whole, 1024),
        fields.take("maximum_ring_size", whole, 8388608),
        HashFunction[fields.take("hash_function", enum_of(functions), functions[0])],
        **given,
        **c.keyed(),
    )


def maglev(fields: Fields, given: dict[str, Any], c: Common) -> Maglev:
    """The policy of a Maglev's message; `given` comes from others."""
    return built(fields, Maglev, fields.take("table_size", whole, 65537), **given, **c.keyed())


def consistent_hashing(fields: Fields | None) -> dict[str, Any]:
    """The parameters of a `consistent_hashing_lb_config`; keys are given, so that it may not say what is hashed."""
    if fields is None:
        return {}
    fields.refuse("hash_policy", "what is hashed of a request is RequestHash's; give keys or hashes")
    return {
        "use_hostname_for_hashing": fields.take("use_hostname_for_hashing", bool, False),
        "hash_balance_factor": fields.take("hash_balance_factor", factor, None),
    }


def factor(path: str, value: Any) -> int:
    """A bound of loads, in percent."""
    found = whole(path, value)
    if found < 100:
        raise ConfigError(path, value, "must be at least 100")
    return found


def least_request(fields: Fields, locality: dict[str, Any], c: Common) -> LeastRequest:
    """The policy of a least request's message."""
    method = fields.take("selection_method", enum_of(("N_CHOICES", "FULL_SCAN")), "N_CHOICES")
    return built(
        fields,
        LeastRequest,
        fields.take("choice_count", whole, 2),
        fields.take("active_request_bias", runtime_double, 1.0),
        SelectionMethod[method],
        fields.take("enable_full_scan", bool, False),
        slow_start_config=slow_start(fields),
        **locality,
        **c.turns(),
    )


def random(locality: dict[str, Any], c: Common) -> Random:
    """The policy `Random`, which has no message of its own but for localities."""
    settings = c.turns()
    del settings["active_health_checks"]
    return Random(**locality, **settings)


def locality_settings(fields: Fields) -> dict[str, Any]:
    """`locality_weighted_lb_config` or `zone_aware_lb_config`, as parameters of a policy without a key."""
    settings: dict[str, Any] = {"locality_weighted_lb_config": weighted(fields)}
    zones = fields.section("zone_aware_lb_config")
    if zones is None:
        return settings
    force = zones.section("force_local_zone")
    basis = enum_of(tuple(b.name for b in LocalityBasis))
    settings["zone_aware_lb_config"] = built(
        zones,
        ZoneAwareLbConfig,
        zones.take("routing_enabled", percent, 100.0),
        zones.take("min_cluster_size", whole, 6),
        zones.take("fail_traffic_on_panic", bool, False),
        None if force is None else ForceLocalZone(force.take("min_size", whole, 1)),
        LocalityBasis[zones.take("locality_basis", basis, "HEALTHY_HOSTS_NUM")],
    )
    return settings


def weighted(fields: Fields) -> bool:
    """Whether an empty `locality_weighted_lb_config` is there."""
    return fields.section("locality_weighted_lb_config") is not None


def slow_start(fields: Fields) -> SlowStartConfig | None:
    """The slow start of a policy's message; a window of 0 is none."""
    config = fields.section("slow_start_config")
    if config is None:
        return None
    window = config.take("slow_start_window", duration, 0.0)
    aggression, least = config.take("aggression", runtime_double, 1.0), config.take("min_weight_percent", percent, 10.0)
    return built(config, SlowStartConfig, window, aggression, least) if window else None
