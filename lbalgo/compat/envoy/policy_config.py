"""A cluster's load-balancing policy, read: the legacy fields of a cluster, or the typed extension that replaces them.

Source: Envoy 1.40, `config.cluster.v3.Cluster` (lb_policy and the *_lb_config fields), and
`envoy.extensions.load_balancing_policies.*.v3`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.config import Fields, typed
from lbalgo.compat.envoy.endpoints import enum_of
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.least_request import LeastRequest, SelectionMethod
from lbalgo.compat.envoy.maglev import Maglev
from lbalgo.compat.envoy.random import Random
from lbalgo.compat.envoy.ring_hash import HashFunction, RingHash
from lbalgo.compat.envoy.round_robin import RoundRobin
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ForceLocalZone, LocalityBasis, ZoneAwareLbConfig
from lbalgo.errors import ConfigError

LEGACY = ("ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "", "MAGLEV", "CLUSTER_PROVIDED")
PREFIX = "envoy.extensions.load_balancing_policies."
HASHES = ("DEFAULT_HASH", "XX_HASH", "MURMUR_HASH_2")  # of the typed extension; the legacy enum begins at XX_HASH
ABSENT = ("ring_hash_lb_config", "maglev_lb_config", "least_request_lb_config", "round_robin_lb_config")


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


def legacy_policy(cluster: Fields, name: str, locality: dict[str, Any], consistent: dict[str, Any], c: Common) -> Any:
    """The policy of `lb_policy` and the field that configures it.

    Parameters
    ----------
    locality : parameters that `common_lb_config` gives for localities.
    consistent : parameters that its `consistent_hashing_lb_config` gives.
    """
    own = {"RING_HASH": ABSENT[0], "MAGLEV": ABSENT[1], "LEAST_REQUEST": ABSENT[2], "ROUND_ROBIN": ABSENT[3]}.get(name)
    for field in ABSENT:
        if field != own:
            cluster.refuse(field, f"configures another policy than {name}")
    config = cluster.section(own) if own else None
    fields = Fields({}, account=cluster.account) if config is None else config
    if name == "RING_HASH":
        return RingHash(
            fields.take("minimum_ring_size", int, 1024),
            fields.take("maximum_ring_size", int, 8388608),
            HashFunction[fields.take("hash_function", enum_of(HASHES[1:]), "XX_HASH")],
            **consistent,
            **_weighted_only(cluster, locality),
            **c.keyed(),
        )
    if name == "MAGLEV":
        size = fields.take("table_size", int, 65537)
        return Maglev(size, **consistent, **_weighted_only(cluster, locality), **c.keyed())
    if any(consistent.values()):
        where = f"{cluster.where('common_lb_config')}.consistent_hashing_lb_config"
        raise ConfigError(where, consistent, f"has no meaning for {name}")
    if name == "LEAST_REQUEST":
        return _least_request(fields, locality, c)
    if name == "RANDOM":
        return _random(locality, c)
    if name != "ROUND_ROBIN":
        raise ConfigError(cluster.where("lb_policy"), name, "is a policy that the cluster itself brings")
    return RoundRobin(slow_start_config=_slow_start(fields), **locality, **c.turns())


def typed_policy(policies: list[Fields], c: Common) -> Any:
    """The policy of `load_balancing_policy`: the first extension that is known here; those before it are refused."""
    chosen: Any = None
    for entry in policies:
        extension = entry.section("typed_extension_config")
        if extension is None:
            raise ConfigError(entry.where("typed_extension_config"), None, "is missing")
        extension.ignore("name")
        if chosen is not None:
            extension.ignore("typed_config")  # Envoy takes the first it knows
            continue
        config = extension.section("typed_config")
        if config is None:
            raise ConfigError(extension.where("typed_config"), None, "is missing")
        chosen = _extension(config, c)
    if chosen is None:
        raise ConfigError("load_balancing_policy.policies", [], "must not be empty")
    return chosen


def _extension(config: Fields, c: Common) -> Any:
    kind = config.take("@type", str).rsplit("/", 1)[-1]
    makers: dict[str, Callable[[Fields, Common], Any]] = {
        f"{PREFIX}round_robin.v3.RoundRobin": _typed_round_robin,
        f"{PREFIX}least_request.v3.LeastRequest": _typed_least_request,
        f"{PREFIX}random.v3.Random": lambda fields, c: _random(_locality(fields), c),
        f"{PREFIX}ring_hash.v3.RingHash": _typed_ring_hash,
        f"{PREFIX}maglev.v3.Maglev": _typed_maglev,
    }
    if kind not in makers:
        raise ConfigError(config.where("@type"), kind, f"is not supported; there are {', '.join(makers)}")
    return makers[kind](config, c)


def _typed_round_robin(fields: Fields, c: Common) -> RoundRobin:
    return RoundRobin(slow_start_config=_slow_start(fields), **_locality(fields), **c.turns())


def _typed_least_request(fields: Fields, c: Common) -> LeastRequest:
    return _least_request(fields, _locality(fields), c)


def _typed_ring_hash(fields: Fields, c: Common) -> RingHash:
    consistent = consistent_hashing(fields.section("consistent_hashing_lb_config"))
    if fields.take("use_hostname_for_hashing", bool, False):
        consistent["use_hostname_for_hashing"] = True
    factor = fields.take("hash_balance_factor", int, None)
    if factor:
        consistent["hash_balance_factor"] = factor
    name = fields.take("hash_function", enum_of(HASHES), "DEFAULT_HASH")
    return RingHash(
        fields.take("minimum_ring_size", int, 1024),
        fields.take("maximum_ring_size", int, 8388608),
        HashFunction[name],
        locality_weighted_lb_config=_present(fields, "locality_weighted_lb_config"),
        **consistent,
        **c.keyed(),
    )


def _typed_maglev(fields: Fields, c: Common) -> Maglev:
    consistent = consistent_hashing(fields.section("consistent_hashing_lb_config"))
    weighted = _present(fields, "locality_weighted_lb_config")
    return Maglev(
        fields.take("table_size", int, 65537), locality_weighted_lb_config=weighted, **consistent, **c.keyed()
    )


def consistent_hashing(fields: Fields | None) -> dict[str, Any]:
    """The parameters of a `consistent_hashing_lb_config`; keys are given, so that it may not say what is hashed."""
    if fields is None:
        return {}
    fields.refuse("hash_policy", "what is hashed of a request is RequestHash's; give keys or hashes")
    factor = fields.take("hash_balance_factor", int, 0)
    return {
        "use_hostname_for_hashing": fields.take("use_hostname_for_hashing", bool, False),
        "hash_balance_factor": factor or None,
    }


def _least_request(fields: Fields, locality: dict[str, Any], c: Common) -> LeastRequest:
    method = fields.take("selection_method", enum_of(("N_CHOICES", "FULL_SCAN")), "N_CHOICES")
    return LeastRequest(
        fields.take("choice_count", int, 2),
        fields.take("active_request_bias", runtime_double, 1.0),
        SelectionMethod[method],
        fields.take("enable_full_scan", bool, False),
        slow_start_config=_slow_start(fields),
        **locality,
        **c.turns(),
    )


def _random(locality: dict[str, Any], c: Common) -> Random:
    settings = c.turns()
    del settings["active_health_checks"]
    return Random(**locality, **settings)


def _locality(fields: Fields) -> dict[str, Any]:
    config = fields.section("locality_lb_config")
    return {} if config is None else locality_settings(config)


def locality_settings(fields: Fields) -> dict[str, Any]:
    """`locality_weighted_lb_config` or `zone_aware_lb_config`, as parameters of a policy without a key."""
    weighted, zones = _present(fields, "locality_weighted_lb_config"), fields.section("zone_aware_lb_config")
    if zones is None:
        return {"locality_weighted_lb_config": weighted}
    force = zones.section("force_local_zone")
    config = ZoneAwareLbConfig(
        zones.take("routing_enabled", percent, 100.0),
        zones.take("min_cluster_size", int, 6),
        zones.take("fail_traffic_on_panic", bool, False),
        None if force is None else ForceLocalZone(force.take("min_size", int, 1)),
        LocalityBasis[zones.take("locality_basis", enum_of(tuple(b.name for b in LocalityBasis)), "HEALTHY_HOSTS_NUM")],
    )
    return {"locality_weighted_lb_config": weighted, "zone_aware_lb_config": config}


def _weighted_only(cluster: Fields, locality: dict[str, Any]) -> dict[str, Any]:
    """Hash balancers know locality weights; zones they do not look at, as Envoy's do not."""
    return {"locality_weighted_lb_config": locality.get("locality_weighted_lb_config", False)}


def _present(fields: Fields, name: str) -> bool:
    """Whether an empty message is there."""
    if name not in fields:
        return False
    config = fields.section(name)
    return config is not None


def _slow_start(fields: Fields) -> SlowStartConfig | None:
    config = fields.section("slow_start_config")
    if config is None:
        return None
    return SlowStartConfig(
        config.take("slow_start_window", duration),
        config.take("aggression", runtime_double, 1.0),
        config.take("min_weight_percent", percent, 10.0),
    )


def duration(path: str, value: Any) -> float:
    """Seconds of a protocol buffer's duration: ``"1.5s"`` or a mapping of seconds and nanos."""
    if isinstance(value, str) and value.endswith("s"):
        try:
            return float(value[:-1])
        except ValueError:
            pass
    if isinstance(value, dict) and set(value) <= {"seconds", "nanos"}:
        whole = typed(f"{path}.seconds", value.get("seconds", 0), int)
        return whole + typed(f"{path}.nanos", value.get("nanos", 0), int) / 1e9
    raise ConfigError(path, value, 'must be a duration such as "1.5s"')


def percent(path: str, value: Any) -> float:
    """A `Percent`, as a mapping with `value`."""
    if isinstance(value, dict) and set(value) <= {"value"}:
        return typed(f"{path}.value", value.get("value", 0.0), float)
    raise ConfigError(path, value, "must be a mapping with a value in percent")


def runtime_double(path: str, value: Any) -> float:
    """A `RuntimeDouble`: its default value; what the runtime would make of the key is not known here."""
    if isinstance(value, dict) and set(value) <= {"default_value", "runtime_key"} and "default_value" in value:
        return typed(f"{path}.default_value", value["default_value"], float)
    raise ConfigError(path, value, "must be a mapping with a default_value")
