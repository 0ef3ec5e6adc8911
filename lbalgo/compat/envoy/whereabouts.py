"""Where a cluster is in what was given: in a bootstrap, in an admin config dump, or it is all there is.

Nothing is judged here: what is around the cluster (listeners, other clusters, the admin interface) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.config import typed
from lbalgo.compat.envoy.host import Locality
from lbalgo.errors import ConfigError


@dataclass(frozen=True)
class Whereabouts:
    """A cluster and what belongs to it.

    Parameters
    ----------
    value, path : the cluster as it is written, and where.
    assignment : path and value of a ClusterLoadAssignment kept elsewhere.
    locality : of the proxy.
    fleet : path and value of the assignment of the cluster that `local_cluster_name` names.
    unknown_fleet : whether there is such a cluster whose endpoints are not here.
    """

    value: Any
    path: str
    assignment: tuple[str, Any] | None = None
    locality: Locality | None = None
    fleet: tuple[str, Any] | None = None
    unknown_fleet: bool = False


def snake(name: str) -> str:
    """A field's name as protocol buffers have it, whichever way JSON has written it.

    Examples
    --------
    >>> snake("lbPolicy"), snake("lb_policy"), snake("@type"), snake("envoy.lb")
    ('lb_policy', 'lb_policy', '@type', 'envoy.lb')
    """
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda m: f"_{m[0].lower()}", name)


def find_cluster(data: Any, name: str | None) -> Whereabouts:
    """The cluster of this name, or the only one.

    Raises
    ------
    ConfigError : there is none of this name; there are several and no name; what should be a mapping is none.
    """
    root = typed("configuration", data, dict)
    if _get(root, "configs") is not None:
        return _dumped(root, name)
    resources = _get(root, "static_resources")
    if resources is None:
        own = _get(root, "name")
        if name is not None and own != name:
            raise ConfigError("name", name, f"is not that of the cluster, {own!r}")
        return Whereabouts(root, "")
    clusters = list(_entries(resources, "static_resources", "clusters"))
    path, chosen = _named(clusters, name)
    local = _local_cluster(root)
    fleet = _fleet(clusters, {}, local)
    return Whereabouts(chosen, path, None, _locality(_get(root, "node")), fleet, bool(local) and fleet is None)


def _dumped(root: Any, name: str | None) -> Whereabouts:
    """What `/config_dump?include_eds` tells: clusters, static and warmed, and their endpoints."""
    clusters: list[tuple[str, Any]] = []
    endpoints: dict[Any, tuple[str, Any]] = {}
    locality, local = None, ""
    for path, part in _entries(root, "", "configs"):
        kind = str(_get(part, "@type")).rsplit(".", 1)[-1]
        if kind == "ClustersConfigDump":
            for group in ("static_clusters", "dynamic_active_clusters"):
                for at, entry in _entries(part, path, group):
                    if _get(entry, "cluster") is not None:
                        inner = typed(f"{at}.cluster", _get(entry, "cluster"), dict)
                        clusters.append((f"{at}.cluster", {k: v for k, v in inner.items() if k != "@type"}))
        elif kind == "EndpointsConfigDump":
            for group in ("static_endpoint_configs", "dynamic_endpoint_configs"):
                for at, entry in _entries(part, path, group):
                    inner = typed(f"{at}.endpoint_config", _get(entry, "endpoint_config"), dict)
                    endpoints[_get(inner, "cluster_name")] = (f"{at}.endpoint_config", inner)
        elif kind == "BootstrapConfigDump" and _get(part, "bootstrap") is not None:
            bootstrap = typed(f"{path}.bootstrap", _get(part, "bootstrap"), dict)
            locality, local = _locality(_get(bootstrap, "node")), _local_cluster(bootstrap)
    path, chosen = _named(clusters, name)
    own = None if _get(chosen, "load_assignment") is not None else _endpoints(chosen, endpoints)
    fleet = _fleet(clusters, endpoints, local)
    return Whereabouts(chosen, path, own, locality, fleet, bool(local) and fleet is None)


def _endpoints(cluster: Any, endpoints: Mapping[Any, tuple[str, Any]]) -> tuple[str, Any] | None:
    """What a dump has of the endpoints of a cluster that does not say them itself."""
    eds = _get(cluster, "eds_cluster_config")
    service = _get(eds, "service_name") if isinstance(eds, Mapping) else None
    return endpoints.get(service or _get(cluster, "name"))


def _local_cluster(bootstrap: Any) -> str:
    manager = _get(bootstrap, "cluster_manager")
    name = _get(typed("cluster_manager", manager, dict), "local_cluster_name") if manager is not None else None
    return typed("cluster_manager.local_cluster_name", name, str) if name else ""


def _fleet(
    clusters: list[tuple[str, Any]], endpoints: Mapping[Any, tuple[str, Any]], name: str
) -> tuple[str, Any] | None:
    """Path and value of the assignment of the proxy's own cluster, if both are known."""
    for path, cluster in clusters:
        if name and _get(cluster, "name") == name:
            own = _get(cluster, "load_assignment")
            return _endpoints(cluster, endpoints) if own is None else (f"{path}.load_assignment", own)
    return None


def _get(mapping: Any, name: str) -> Any:
    """A field by its name, in either spelling."""
    for key, value in mapping.items():
        if isinstance(key, str) and snake(key) == name:
            return value
    return None


def _entries(mapping: Any, path: str, name: str) -> Iterator[tuple[str, Any]]:
    """Path and value of each mapping in a list."""
    where = f"{path}.{name}" if path else name
    value = _get(typed(path or "configuration", mapping, dict), name)
    for i, entry in enumerate([] if value is None else typed(where, value, list)):
        yield f"{where}[{i}]", typed(f"{where}[{i}]", entry, dict)


def _named(clusters: list[tuple[str, Any]], name: str | None) -> tuple[str, Any]:
    names = [_get(cluster, "name") for _, cluster in clusters]
    if name is None and len(clusters) == 1:
        return clusters[0]
    if name not in names:
        raise ConfigError("name", name, f"must be one of {', '.join(map(str, names)) or 'none'}")
    return clusters[names.index(name)]


def _locality(node: Any) -> Locality | None:
    place = _get(typed("node", node, dict), "locality") if node is not None else None
    if place is None:
        return None
    region, zone, sub_zone = (
        typed(f"node.locality.{name}", _get(typed("node.locality", place, dict), name) or "", str)
        for name in ("region", "zone", "sub_zone")
    )
    return region, zone, sub_zone
