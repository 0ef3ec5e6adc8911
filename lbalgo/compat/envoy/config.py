"""Envoy's configuration, read: a cluster and its endpoints become a policy, hosts, their states and the detector.

A cluster comes as it is written (static bootstrap, or a Cluster with its ClusterLoadAssignment) or as a running Envoy
tells it (admin `config_dump`). Mappings as JSON and YAML make them, or the text. Field names may be in snake case or
in the camel case that JSON made from protocol buffers uses.

Every field of the cluster lands in one list: it is honoured, it cannot change the choice of a host (`IRRELEVANT`, and
the lists beside the messages they belong to), or it is refused. The rest of a bootstrap (listeners, admin, other
clusters, …) is not the cluster's, and is not looked at.

Source: Envoy 1.40, `config.cluster.v3.Cluster`, `config.bootstrap.v3.Bootstrap`, `admin.v3.ConfigDump`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.compat.config import Account, Fields, Loaded
from lbalgo.compat.envoy.detection_config import detector_of
from lbalgo.compat.envoy.endpoints import Assignment, read_assignment
from lbalgo.compat.envoy.extension_config import typed_policy
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.policy_config import CONFIGS, LEGACY, PARTIAL, Common, legacy_policy
from lbalgo.compat.envoy.scalars import enum_of, percent
from lbalgo.compat.envoy.subset_config import subset
from lbalgo.compat.envoy.whereabouts import Whereabouts, find_cluster, snake
from lbalgo.compat.envoy.zone_aware import Callers
from lbalgo.compat.markup import parse
from lbalgo.errors import ConfigError
from lbalgo.types import State

TYPES = ("STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST")
IRRELEVANT = (
    # names and statistics
    *("name", "alt_stat_name", "metadata", "track_timeout_budgets", "track_cluster_stats", "lrs_server"),
    "lrs_report_endpoint_metrics",
    # how endpoints are discovered: they are given here
    *("eds_cluster_config", "dns_refresh_rate", "dns_failure_refresh_rate", "respect_dns_ttl", "dns_lookup_family"),
    *("dns_resolvers", "use_tcp_for_dns", "dns_resolution_config", "typed_dns_resolver_config", "dns_jitter"),
    *("wait_for_warm_on_init", "cleanup_interval"),
    # connections and protocols to a host that has been chosen
    *("connect_timeout", "per_connection_buffer_limit_bytes", "max_requests_per_connection", "upstream_bind_config"),
    *("transport_socket", "transport_socket_matches", "transport_socket_matcher", "upstream_connection_options"),
    *("http_protocol_options", "http2_protocol_options", "common_http_protocol_options", "filters"),
    *("upstream_http_protocol_options", "typed_extension_protocol_options", "protocol_selection", "upstream_config"),
    *("connection_pool_per_downstream_connection", "per_connection_buffer_high_watermark_timeout"),
    # limits that refuse a request once its host is chosen
    "circuit_breakers",
    # probes are sent by the caller, who gives their verdicts as states
    *("close_connections_on_host_health_failure", "ignore_health_on_host_removal"),
)


def load(
    cluster: Mapping[str, Any] | str,
    assignment: Mapping[str, Any] | str | None = None,
    *,
    name: str | None = None,
    locality: Locality | None = None,
    strict: bool = True,
) -> Loaded:
    """The decisions of one Envoy cluster.

    Parameters
    ----------
    cluster : a bootstrap with static clusters, one cluster, or an admin config dump; a mapping, or its text.
    assignment : the ClusterLoadAssignment, in place of the cluster's own.
    name : of the cluster, where there are several.
    locality : region, zone and sub-zone of the proxy; by default that of the bootstrap's `node`.
    strict : whether an unsupported field is an error; if not, it is in the result's list.

    Raises
    ------
    ConfigError : fields are unsupported (one error names all of them) or have a wrong type or value; there is no such
        cluster, or there are several and no name.

    Costs: O(size of the configuration).
    Source: Envoy 1.40, `config.cluster.v3.Cluster`, `config.endpoint.v3.ClusterLoadAssignment`.

    Examples
    --------
    >>> sockets = [{"address": "10.0.0.1", "port_value": port} for port in (1, 2)]
    >>> hosts = [{"endpoint": {"address": {"socket_address": socket}}} for socket in sockets]
    >>> loaded = load({"name": "api", "connect_timeout": "1s", "lb_policy": "MAGLEV", "load_assignment": {
    ...     "cluster_name": "api", "endpoints": [{"lb_endpoints": hosts}]}})
    >>> loaded.policy.table_size, loaded.balancer(seed=1).acquire("user-17").backend.id
    (65537, '10.0.0.1:1')
    >>> loaded.irrelevant
    ('load_assignment.cluster_name', 'name', 'connect_timeout')
    """
    data = parse(cluster, "cluster") if isinstance(cluster, str) else cluster
    given = parse(assignment, "assignment") if isinstance(assignment, str) else assignment
    found = find_cluster(data, name)
    account = Account()
    fields = Fields(found.value, found.path, account, snake)
    chosen = _assignment(fields, found, given)
    kind = fields.take("type", enum_of(TYPES), "STATIC")
    if kind in ("LOGICAL_DNS", "ORIGINAL_DST"):
        fields.refuse("type", f"{kind} has no list of hosts to choose from")
    fields.refuse("cluster_type", "a cluster of its own kind chooses hosts in its own way")
    fields.refuse("preconnect_policy", "looking ahead for connections changes the turns of hosts")
    checked = bool(fields.take("health_checks", list, []))  # by whom, and how often, is the caller's
    common = Common(
        chosen.overprovisioning_factor,
        chosen.weighted_priority_health,
        50.0,
        found.locality if locality is None else locality,
        callers_of(found),
        checked,
    )
    settings = fields.section("common_lb_config")
    if settings is not None:
        common.healthy_panic_threshold = settings.take("healthy_panic_threshold", percent, 50.0)
        settings.ignore("update_merge_window", "close_connections_on_host_set_change")  # when, not what
        settings.refuse("ignore_new_hosts_until_first_hc", "give hosts that wait for a first check as DRAINING")
        settings.refuse("override_host_status", "wrap the policy in OverrideHost")
    policy = _policy(fields, kind, common)
    if found.unknown_fleet and hasattr(policy, "local_cluster"):
        account.refuse("cluster_manager.local_cluster_name", "the endpoints of that cluster are not here")
    detector = detector_of(fields.section("outlier_detection"))
    fields.ignore(*IRRELEVANT)
    fields.settle()
    return Loaded(
        policy,
        tuple(chosen.hosts),
        () if detector is None else (detector,),
        tuple(chosen.states.items()),
        **account.close(strict=strict),
    )


def _policy(fields: Fields, kind: str, common: Common) -> Any:
    name = fields.take("lb_policy", enum_of((*LEGACY, "LOAD_BALANCING_POLICY_CONFIG")), "ROUND_ROBIN")
    typed_config, subsets = fields.section("load_balancing_policy"), fields.section("lb_subset_config")
    if typed_config is None:
        if name == "LOAD_BALANCING_POLICY_CONFIG":
            raise ConfigError(fields.where("load_balancing_policy"), None, "is missing")
        policy = legacy_policy(fields, name, kind, common)
        return policy if subsets is None else subset(subsets, policy, {})
    fields.ignore(*CONFIGS.values())  # of policies that are not in force
    fields.refuse("lb_subset_config", "is not combined with load_balancing_policy")
    settings = fields.section("common_lb_config")
    for field in PARTIAL if settings is not None else ():
        settings.refuse(field, "is not combined with load_balancing_policy")  # type: ignore[union-attr]
    return typed_policy(typed_config, common)


def _assignment(fields: Fields, found: Whereabouts, given: Any) -> Assignment:
    """The endpoints: those given beside the cluster, those that a dump has of it, or its own."""
    told = given is None and found.assignment is not None
    elsewhere = found.assignment if given is None else ("assignment", given)
    if elsewhere is not None:
        fields.ignore("load_assignment")  # another takes its place
        outside = Fields(elsewhere[1], elsewhere[0], fields.account, snake)
        outside.ignore("@type")
        made = read_assignment(outside, told=told)
        outside.settle()
        return made
    own = fields.section("load_assignment")
    if own is None:
        raise ConfigError(fields.where("load_assignment"), None, "is missing: give the assignment")
    return read_assignment(own)


def callers_of(found: Whereabouts) -> tuple[Callers, ...]:
    """Where the proxy's own fleet runs, by the hosts of its cluster."""
    if found.fleet is None:
        return ()
    path, assignment = found.fleet
    made = read_assignment(Fields(assignment, path, Account(), snake), told=True)
    lost = (State.UNHEALTHY, State.DRAINING)
    return tuple(Callers(h.locality, 1, int(made.states.get(h.id) in lost), h.weight) for h in made.hosts)
