"""A cluster's `load_balancing_policy`, read: a list of typed extensions, of which Envoy takes the first that it knows.

One that is not known here is refused, since Envoy may know it; the reader goes on to the next, so that an error names
all that is wrong. Some extensions have another such list inside.

Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.*.v3`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lbalgo.compat.config import Fields
from lbalgo.compat.envoy.orca import ClientSideWeightedRoundRobin, WrrLocality
from lbalgo.compat.envoy.override_host import OverrideHost, OverrideHostSource
from lbalgo.compat.envoy.policy_config import (
    HASHES,
    Common,
    built,
    consistent_hashing,
    factor,
    least_request,
    locality_settings,
    maglev,
    random,
    ring_hash,
    slow_start,
    weighted,
)
from lbalgo.compat.envoy.round_robin import RoundRobin
from lbalgo.compat.envoy.scalars import duration, real
from lbalgo.compat.envoy.subset_config import subset
from lbalgo.errors import ConfigError

PREFIX = "envoy.extensions.load_balancing_policies."


def typed_policy(within: Fields, c: Common) -> Any:
    """The policy of a message with `policies`.

    Raises
    ------
    ConfigError : there are none, or a field has a wrong type or value.
    """
    chosen: Any = None
    policies = within.sections("policies")
    for entry in policies:
        extension = entry.section("typed_extension_config")
        if extension is None:
            raise ConfigError(entry.where("typed_extension_config"), None, "is missing")
        extension.ignore("name")
        if chosen is not None:
            extension.ignore("typed_config")
            continue
        config = extension.section("typed_config")
        if config is None:
            raise ConfigError(extension.where("typed_config"), None, "is missing")
        chosen = _extension(config, c)
    if not policies:
        raise ConfigError(within.where("policies"), [], "must not be empty")
    return RoundRobin(**c.turns()) if chosen is None else chosen  # None: the account has the error


def _extension(config: Fields, c: Common) -> Any:
    makers: dict[str, Callable[[Fields, Common], Any]] = {
        f"{PREFIX}round_robin.v3.RoundRobin": _round_robin,
        f"{PREFIX}least_request.v3.LeastRequest": lambda fields, c: least_request(fields, _locality(fields), c),
        f"{PREFIX}random.v3.Random": lambda fields, c: random(_locality(fields), c),
        f"{PREFIX}ring_hash.v3.RingHash": _ring_hash,
        f"{PREFIX}maglev.v3.Maglev": _maglev,
        f"{PREFIX}client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin": _client_side,
        f"{PREFIX}wrr_locality.v3.WrrLocality": _wrr_locality,
        f"{PREFIX}subset.v3.Subset": _subset,
        f"{PREFIX}override_host.v3.OverrideHost": _override_host,
    }
    kind = config.take("@type", str).rsplit("/", 1)[-1]
    if kind in makers:
        return makers[kind](config, c)
    config.ignore(*config.names())
    config.refuse("@type", f"{kind} is not supported; there are {', '.join(makers)}")
    return None


def _round_robin(fields: Fields, c: Common) -> RoundRobin:
    return built(fields, RoundRobin, slow_start_config=slow_start(fields), **_locality(fields), **c.turns())


def _ring_hash(fields: Fields, c: Common) -> Any:
    given = _hashing(fields)
    if fields.take("use_hostname_for_hashing", bool, False):  # where it stood before the message within
        given["use_hostname_for_hashing"] = True
    given["hash_balance_factor"] = fields.take("hash_balance_factor", factor, given.get("hash_balance_factor"))
    return ring_hash(fields, given, c, ("DEFAULT_HASH", *HASHES))


def _maglev(fields: Fields, c: Common) -> Any:
    return maglev(fields, _hashing(fields), c)


def _hashing(fields: Fields) -> dict[str, Any]:
    given = consistent_hashing(fields.section("consistent_hashing_lb_config"))
    return {**given, "locality_weighted_lb_config": weighted(fields)}


def _locality(fields: Fields) -> dict[str, Any]:
    config = fields.section("locality_lb_config")
    return {} if config is None else locality_settings(config)


def _client_side(fields: Fields, c: Common) -> ClientSideWeightedRoundRobin:
    fields.ignore("enable_oob_load_report", "oob_reporting_period")  # by which way reports come, and how often
    names = ("blackout_period", "weight_expiration_period", "weight_update_period")
    given = {name: fields.take(name, duration, None) for name in names}
    given["error_utilization_penalty"] = fields.take("error_utilization_penalty", real, None)
    metrics = fields.take_list("metric_names_for_computing_utilization", str)
    return built(
        fields,
        ClientSideWeightedRoundRobin,
        metric_names_for_computing_utilization=tuple(metrics),
        slow_start_config=slow_start(fields),
        **{name: value for name, value in given.items() if value is not None},
        **c.turns(),
    )


def _wrr_locality(fields: Fields, c: Common) -> Any:
    inside = _inside(fields, "endpoint_picking_policy", c)
    if not isinstance(inside, ClientSideWeightedRoundRobin):
        where = fields.where("endpoint_picking_policy")
        fields.account.refuse(where, "must be a client-side weighted round robin, as Envoy demands too")
        return inside
    return WrrLocality(inside)


def _subset(fields: Fields, c: Common) -> Any:
    inside = _inside(fields, "subset_lb_policy", c)
    return subset(fields, inside, {"allow_redundant_keys": fields.take("allow_redundant_keys", bool, False)})


def _override_host(fields: Fields, c: Common) -> OverrideHost:
    sources = [_source(entry) for entry in fields.sections("override_host_sources")]
    inside = _inside(fields, "fallback_policy", c)
    return built(fields, OverrideHost, inside, tuple(sources))


def _source(entry: Fields) -> OverrideHostSource:
    metadata, path = entry.section("metadata"), tuple[str, ...]()
    if metadata is not None:
        path = (metadata.take("key", str), *(step.take("key", str) for step in metadata.sections("path")))
    return built(entry, OverrideHostSource, entry.take("header", str, ""), path)


def _inside(fields: Fields, name: str, c: Common) -> Any:
    within = fields.section(name)
    if within is None:
        raise ConfigError(fields.where(name), None, "is missing")
    return typed_policy(within, c)
