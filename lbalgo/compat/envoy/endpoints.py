"""A ClusterLoadAssignment, read: hosts, their states, and the settings that come with them.

Source: Envoy 1.40, `config.endpoint.v3` (ClusterLoadAssignment, LocalityLbEndpoints, LbEndpoint, Endpoint).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lbalgo.compat.config import Fields
from lbalgo.compat.envoy.host import Host, Locality
from lbalgo.compat.envoy.scalars import enum_of, whole
from lbalgo.errors import ConfigError
from lbalgo.types import State

HEALTH = {
    "UNKNOWN": State.HEALTHY,
    "HEALTHY": State.HEALTHY,
    "UNHEALTHY": State.UNHEALTHY,
    "DRAINING": State.DRAINING,
    "TIMEOUT": State.UNHEALTHY,
    "DEGRADED": State.DEGRADED,
}
NUMBERS = ("UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")  # of the enum HealthStatus


@dataclass
class Assignment:
    """What a ClusterLoadAssignment says of the choice of a host.

    Parameters
    ----------
    hosts : in list order.
    states : of those that are not healthy, by id.
    overprovisioning_factor, weighted_priority_health : of its `policy`.
    """

    hosts: list[Host] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    overprovisioning_factor: int = 140
    weighted_priority_health: bool = False


def read_assignment(fields: Fields, *, told: bool = False) -> Assignment:
    """The hosts of a ClusterLoadAssignment.

    Parameters
    ----------
    told : whether a running Envoy wrote it, which says 0 where a locality has no weight.

    Raises
    ------
    ConfigError : a field has a wrong type or value, or two endpoints have one address.
    """
    made = Assignment()
    fields.ignore("cluster_name")
    settings = fields.section("policy")
    if settings is not None:
        made.overprovisioning_factor = settings.take("overprovisioning_factor", whole, 140)
        made.weighted_priority_health = settings.take("weighted_priority_health", bool, False)
        settings.ignore("endpoint_stale_after")  # when to forget an assignment is discovery's question
        settings.refuse("drop_overloads", "requests are not dropped here")
    seen: dict[str, str] = {}
    for group in fields.sections("endpoints"):
        for host, state, path in _group(group, told):
            if host.id in seen:
                raise ConfigError(path, host.id, f"is the address of {seen[host.id]} too")
            seen[host.id] = path
            made.hosts.append(host)
            if state is not State.HEALTHY:
                made.states[host.id] = state
    return made


def _group(group: Fields, told: bool) -> list[tuple[Host, State, str]]:
    """The hosts of one LocalityLbEndpoints."""
    locality: Locality = ("", "", "")
    place = group.section("locality")
    if place is not None:
        locality = (place.take("region", str, ""), place.take("zone", str, ""), place.take("sub_zone", str, ""))
    weight = group.take("load_balancing_weight", whole, 0)
    if "load_balancing_weight" in group and weight < (not told):
        raise ConfigError(group.where("load_balancing_weight"), weight, "must be at least 1")
    priority = group.take("priority", whole, 0)
    group.ignore("metadata", "proximity", "id")  # no policy reads them
    found = []
    for entry in group.sections("lb_endpoints"):
        status = entry.take("health_status", enum_of(NUMBERS), "UNKNOWN")
        metadata = _labels(entry)
        endpoint = entry.section("endpoint")
        if endpoint is None:
            raise ConfigError(entry.where("endpoint"), None, "is missing")
        endpoint.ignore("health_check_config", "additional_addresses")  # other addresses of the same host
        address, own = _address(endpoint), entry.take("load_balancing_weight", whole, 1)
        hostname = endpoint.take("hostname", str, "")
        try:
            host = Host(address, own, None, hostname, priority, locality, weight, metadata)
        except ConfigError as error:
            field = {"weight": entry.where("load_balancing_weight"), "priority": group.where("priority")}
            where = field.get(error.parameter, f"{endpoint.path}.{error.parameter}")
            raise ConfigError(where, error.value, error.why) from None
        found.append((host, HEALTH[status], endpoint.path))
    return found


def _labels(entry: Fields) -> tuple[tuple[str, Any], ...]:
    """The endpoint metadata in the namespace of load balancing; other namespaces are other filters' business."""
    metadata = entry.section("metadata")
    if metadata is None:
        return ()
    metadata.ignore("typed_filter_metadata")
    filters = metadata.section("filter_metadata")
    if filters is None:
        return ()
    filters.ignore(*(name for name in filters.names() if name != "envoy.lb"))
    labels: dict[str, Any] = filters.take("envoy.lb", dict, {})
    return tuple(labels.items())


def _address(endpoint: Fields) -> str:
    """The address as Envoy writes it: `ip:port`, `[v6]:port`, or the path of a socket."""
    address = endpoint.section("address")
    if address is None:
        raise ConfigError(endpoint.where("address"), None, "is missing")
    pipe, internal = address.section("pipe"), address.section("envoy_internal_address")
    if pipe is not None:
        pipe.ignore("mode")
        return pipe.take("path", str)
    if internal is not None:
        internal.ignore("endpoint_id")
        return f"envoy://{internal.take('server_listener_name', str)}/"
    place = address.section("socket_address")
    if place is None:
        raise ConfigError(address.path, None, "must have a socket_address or a pipe")
    place.ignore("protocol", "ipv4_compat", "resolver_name", "network_namespace_filepath")
    name, port = place.take("address", str), place.take("port_value", whole)
    if not 0 <= port <= 65535:
        raise ConfigError(place.where("port_value"), port, "must be a port from 0 to 65535")
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
