"""Envoy's configuration read in: every form it comes in, every field accounted for, one error for all that is not."""

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.compat import envoy
from lbalgo.compat.envoy.config import load

BOOTSTRAP = """
node:
  id: proxy
  locality: {region: r, zone: a}
cluster_manager: {local_cluster_name: fleet}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
static_resources:
  listeners: [{name: in, anything: goes}]
  clusters:
  - name: api
    type: STATIC
    connect_timeout: 0.25s
    lb_policy: LEAST_REQUEST
    least_request_lb_config:
      choice_count: 3
      active_request_bias: {default_value: 0.5, runtime_key: bias}
      slow_start_config: {slow_start_window: 30s, aggression: {default_value: 2.0}, min_weight_percent: {value: 5}}
    common_lb_config:
      healthy_panic_threshold: {value: 30}
      update_merge_window: 2s
      zone_aware_lb_config: {min_cluster_size: 3, routing_enabled: {value: 90}}
    health_checks: [{timeout: 1s, interval: 2s, tcp_health_check: {}}]
    transport_socket: {name: tls, typed_config: {"@type": whatever}}
    load_assignment:
      cluster_name: api
      policy: {overprovisioning_factor: 200, weighted_priority_health: true}
      endpoints:
      - locality: {region: r, zone: a}
        lb_endpoints:
        - endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}, hostname: one}
          load_balancing_weight: 3
          metadata: {filter_metadata: {envoy.lb: {canary: true, hash_key: k1}, other: {x: 1}}}
        - endpoint: {address: {socket_address: {address: "::1", port_value: 81}}}
          health_status: UNHEALTHY
      - locality: {region: r, zone: b}
        priority: 1
        load_balancing_weight: 7
        lb_endpoints:
        - endpoint: {address: {pipe: {path: /tmp/s}}}
          health_status: DRAINING
        - {endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 80}}}, health_status: 5}
  - name: fleet
    load_assignment:
      cluster_name: fleet
      endpoints:
      - locality: {region: r, zone: a}
        lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.1.0.1, port_value: 1}}}}]
"""


def endpoints(*ports, **more):
    socket = {"address": "10.0.0.1"}
    return {
        "cluster_name": "c",
        "endpoints": [
            {
                "lb_endpoints": [
                    {"endpoint": {"address": {"socket_address": {**socket, "port_value": p}}}} for p in ports
                ]
            }
        ],
        **more,
    }


def cluster(**fields):
    return {"name": "c", "load_assignment": endpoints(1, 2, 3), **fields}


def typed(kind, **config):
    config = {"@type": f"type.googleapis.com/envoy.extensions.load_balancing_policies.{kind}", **config}
    return {"policies": [{"typed_extension_config": {"name": "x", "typed_config": config}}]}


def test_a_bootstrap():
    loaded = load(BOOTSTRAP, name="api")
    assert loaded.policy == envoy.LeastRequest(
        3,
        0.5,
        slow_start_config=envoy.SlowStartConfig(30.0, 2.0, 5.0),
        zone_aware_lb_config=envoy.ZoneAwareLbConfig(90.0, 3),
        local_cluster=(envoy.Callers(("r", "a", "")),),
        local_locality=("r", "a", ""),
        overprovisioning_factor=200,
        healthy_panic_threshold=30.0,
        weighted_priority_health=True,
        active_health_checks=True,
    )
    near, far = ("r", "a", ""), ("r", "b", "")
    assert loaded.backends == (
        envoy.Host("10.0.0.1:80", 3, hostname="one", locality=near, metadata={"canary": True, "hash_key": "k1"}),
        envoy.Host("[::1]:81", locality=near),
        envoy.Host("/tmp/s", priority=1, locality=far, locality_weight=7),
        envoy.Host("10.0.0.3:80", priority=1, locality=far, locality_weight=7),
    )
    assert dict(loaded.states) == {
        "[::1]:81": lb.State.UNHEALTHY,
        "/tmp/s": lb.State.DRAINING,
        "10.0.0.3:80": lb.State.DEGRADED,
    }
    assert loaded.unsupported == ()
    at = "static_resources.clusters[0]."
    assert {f"{at}transport_socket", f"{at}name"} <= set(loaded.irrelevant)
    assert f"{at}health_checks" in loaded.honoured
    assert f"{at}least_request_lb_config.choice_count" in loaded.honoured
    assert all(path.startswith(at) for path in loaded.honoured + loaded.irrelevant)
    assert loaded.balancer(seed=1).acquire().backend.id in ("10.0.0.1:80", "10.0.0.3:80")
    assert loaded.view().states.tolist() == [0, 2, 3, 1]


def test_no_field_is_in_two_lists():
    loaded = load(BOOTSTRAP, name="api")
    paths = loaded.honoured + loaded.irrelevant
    assert len(set(paths)) == len(paths)


def camel(data):
    if isinstance(data, dict):
        return {_camel(k): camel(v) for k, v in data.items()}
    return [camel(v) for v in data] if isinstance(data, list) else data


def _camel(name):
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def test_both_spellings_say_the_same():
    one = cluster(lb_policy="RING_HASH", ring_hash_lb_config={"minimum_ring_size": 64, "hash_function": 1})
    two = camel(one)
    assert "ringHashLbConfig" in two
    assert load(one).policy == load(two).policy == envoy.RingHash(64, hash_function=envoy.HashFunction.MURMUR_HASH_2)
    assert load(two).backends == load(one).backends
    with pytest.raises(lb.ConfigError) as refused:
        load({**one, "lbPolicy": "MAGLEV"})
    assert refused.value.parameter == "lbPolicy"


def test_a_config_dump():
    dump = {
        "configs": [
            {
                "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
                "bootstrap": {"node": {"locality": {"zone": "z"}}},
            },
            {
                "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
                "static_clusters": [{"cluster": {"@type": "c", **cluster(lb_policy="MAGLEV")}, "last_updated": "x"}],
                "dynamic_active_clusters": [
                    {
                        "cluster": {
                            "name": "d",
                            "type": "EDS",
                            "eds_cluster_config": {"service_name": "s"},
                            "lb_policy": "RANDOM",
                        }
                    }
                ],
            },
            {
                "@type": "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump",
                "dynamic_endpoint_configs": [{"endpoint_config": endpoints(7, cluster_name="s")}],
            },
        ]
    }
    text = json.dumps(dump)
    assert load(text, name="c").policy == envoy.Maglev(local_locality=("", "z", ""))
    loaded = load(text, name="d")
    assert loaded.policy == envoy.Random(local_locality=("", "z", ""))
    assert [b.id for b in loaded.backends] == ["10.0.0.1:7"]
    with pytest.raises(lb.ConfigError) as refused:
        load(text)
    assert refused.value.parameter == "name"


def test_an_assignment_beside_the_cluster():
    loaded = load({"name": "c", "type": "EDS", "lb_policy": "MAGLEV"}, endpoints(5, 6))
    assert [b.id for b in loaded.backends] == ["10.0.0.1:5", "10.0.0.1:6"]
    assert "assignment.cluster_name" in loaded.irrelevant
    with pytest.raises(lb.ConfigError) as refused:
        load({"name": "c", "type": "EDS"})
    assert refused.value.parameter == "load_assignment"


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, envoy.RoundRobin()),
        ({"lb_policy": 5}, envoy.Maglev()),
        ({"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 101}}, envoy.Maglev(101)),
        (
            {
                "lb_policy": "RING_HASH",
                "type": "STRICT_DNS",
                "common_lb_config": {
                    "consistent_hashing_lb_config": {"use_hostname_for_hashing": True, "hash_balance_factor": 120},
                    "locality_weighted_lb_config": {},
                },
            },
            envoy.RingHash(use_hostname_for_hashing=True, hash_balance_factor=120, locality_weighted_lb_config=True),
        ),
        (
            {"round_robin_lb_config": {"slow_start_config": {"slow_start_window": "60s"}}},
            envoy.RoundRobin(slow_start_config=envoy.SlowStartConfig(60.0)),
        ),
        ({"load_balancing_policy": typed("maglev.v3.Maglev", table_size=7)}, envoy.Maglev(7)),
        (
            {
                "load_balancing_policy": typed(
                    "ring_hash.v3.RingHash", hash_function="MURMUR_HASH_2", locality_weighted_lb_config={}
                )
            },
            envoy.RingHash(hash_function=envoy.HashFunction.MURMUR_HASH_2, locality_weighted_lb_config=True),
        ),
        (
            {"load_balancing_policy": typed("least_request.v3.LeastRequest", selection_method="FULL_SCAN")},
            envoy.LeastRequest(selection_method=envoy.SelectionMethod.FULL_SCAN),
        ),
        (
            {
                "load_balancing_policy": typed(
                    "random.v3.Random",
                    locality_lb_config={"zone_aware_lb_config": {"force_local_zone": {"min_size": 2}}},
                )
            },
            envoy.Random(zone_aware_lb_config=envoy.ZoneAwareLbConfig(force_local_zone=envoy.ForceLocalZone(2))),
        ),
        ({"load_balancing_policy": typed("round_robin.v3.RoundRobin")}, envoy.RoundRobin()),
    ],
)
def test_policies(fields, policy):
    loaded = load(cluster(**fields))
    assert loaded.policy == policy
    assert loaded.policy.build(loaded.view()) is not None


CLIENT_SIDE = "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin"


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        (
            {
                "load_balancing_policy": typed(
                    CLIENT_SIDE,
                    blackout_period="5s",
                    weight_update_period="2s",
                    error_utilization_penalty=0.5,
                    metric_names_for_computing_utilization=["named_metrics.x"],
                    enable_oob_load_report=True,
                    oob_reporting_period="5s",
                )
            },
            envoy.ClientSideWeightedRoundRobin(
                5.0,
                weight_update_period=2.0,
                error_utilization_penalty=0.5,
                metric_names_for_computing_utilization=("named_metrics.x",),
            ),
        ),
        (
            {
                "load_balancing_policy": typed(
                    "wrr_locality.v3.WrrLocality", endpoint_picking_policy=typed(CLIENT_SIDE, blackout_period="0s")
                )
            },
            envoy.WrrLocality(envoy.ClientSideWeightedRoundRobin(0.0)),
        ),
        (
            {
                "lb_policy": "MAGLEV",
                "lb_subset_config": {
                    "fallback_policy": "DEFAULT_SUBSET",
                    "default_subset": {"stage": "prod"},
                    "subset_selectors": [
                        {"keys": ["stage"], "single_host_per_subset": True},
                        {"keys": ["a", "b"], "fallback_policy": "KEYS_SUBSET", "fallback_keys_subset": ["a"]},
                    ],
                    "list_as_any": True,
                    "metadata_fallback_policy": "FALLBACK_LIST",
                },
            },
            envoy.Subset(
                envoy.Maglev(),
                (
                    envoy.SubsetSelector(("stage",), single_host_per_subset=True),
                    envoy.SubsetSelector(("a", "b"), envoy.SubsetFallback.KEYS_SUBSET, ("a",)),
                ),
                envoy.SubsetFallback.DEFAULT_SUBSET,
                {"stage": "prod"},
                list_as_any=True,
                metadata_fallback_policy=envoy.MetadataFallback.FALLBACK_LIST,
            ),
        ),
        (
            {
                "load_balancing_policy": typed(
                    "subset.v3.Subset",
                    fallback_policy="ANY_ENDPOINT",
                    allow_redundant_keys=True,
                    subset_selectors=[{"keys": ["stage"]}],
                    subset_lb_policy=typed("maglev.v3.Maglev", table_size="11"),
                )
            },
            envoy.Subset(
                envoy.Maglev(11),
                (envoy.SubsetSelector(("stage",)),),
                envoy.SubsetFallback.ANY_ENDPOINT,
                allow_redundant_keys=True,
            ),
        ),
        (
            {
                "load_balancing_policy": typed(
                    "override_host.v3.OverrideHost",
                    override_host_sources=[
                        {"header": "x-dest"},
                        {"metadata": {"key": "envoy.lb", "path": [{"key": "to"}, {"key": "host"}]}},
                    ],
                    fallback_policy=typed("random.v3.Random"),
                )
            },
            envoy.OverrideHost(
                envoy.Random(),
                (envoy.OverrideHostSource("x-dest"), envoy.OverrideHostSource(metadata=("envoy.lb", "to", "host"))),
            ),
        ),
    ],
)
def test_policies_around_others_and_those_by_reports(fields, policy):
    loaded = load(cluster(**fields))
    assert loaded.policy == policy
    assert loaded.policy.build(loaded.view()) is not None


def test_a_subset_through_a_balancer():
    data = cluster(lb_subset_config={"subset_selectors": [{"keys": ["stage"]}]})
    entries = data["load_assignment"]["endpoints"][0]["lb_endpoints"]
    for entry, stage in zip(entries, ("prod", "test", "prod"), strict=True):
        entry["metadata"] = {"filter_metadata": {"envoy.lb": {"stage": stage}}}
    balancer = load(data).balancer(seed=1)
    wanted = envoy.SelectionContext({"stage": "test"})
    assert {balancer.acquire(wanted).backend.id for _ in range(4)} == {"10.0.0.1:2"}
    with pytest.raises(lb.NoBackend):
        balancer.acquire()


def test_numbers_as_a_running_envoy_writes_them():
    """64-bit numbers are text in its JSON; Envoy reads whole numbers with a fraction of zero too."""
    rings = {"minimum_ring_size": "64", "maximum_ring_size": "128"}
    found = load(cluster(lb_policy="RING_HASH", ring_hash_lb_config=rings, outlier_detection={"consecutive_5xx": "3"}))
    assert found.policy == envoy.RingHash(64, 128)
    assert found.signals[0].spec.consecutive_5xx == 3
    assert load(cluster(lb_policy="MAGLEV", maglev_lb_config={"table_size": 11.0})).policy == envoy.Maglev(11)
    panic = load(cluster(common_lb_config={"healthy_panic_threshold": {"value": "40.5"}})).policy
    assert panic.healthy_panic_threshold == 40.5
    for wrong in ("", "1.5", "ten", True, 1.5, "9" * 21, []):
        with pytest.raises(lb.ConfigError):
            load(cluster(lb_policy="MAGLEV", maglev_lb_config={"table_size": wrong}))


@pytest.mark.parametrize(
    "field", ["zone_aware_lb_config", "locality_weighted_lb_config", "consistent_hashing_lb_config"]
)
def test_a_typed_policy_is_not_combined_with_what_it_replaces(field):
    """Envoy refuses these; so nothing of them is dropped in silence."""
    data = cluster(common_lb_config={field: {}}, load_balancing_policy=typed("round_robin.v3.RoundRobin"))
    with pytest.raises(lb.ConfigError) as refused:
        load(data)
    assert refused.value.value == (f"common_lb_config.{field}",)
    with pytest.raises(lb.ConfigError) as refused:
        load(cluster(lb_subset_config={}, load_balancing_policy=typed("round_robin.v3.RoundRobin")))
    assert refused.value.value == ("lb_subset_config",)


def test_messages_of_policies_that_are_not_in_force_are_irrelevant():
    """Envoy takes them, and does not look at them."""
    loaded = load(cluster(lb_policy="MAGLEV", ring_hash_lb_config={"minimum_ring_size": 7}))
    assert loaded.policy == envoy.Maglev()
    assert "ring_hash_lb_config" in loaded.irrelevant
    consistent = {"consistent_hashing_lb_config": {"hash_balance_factor": 120}}
    loaded = load(cluster(common_lb_config=consistent))
    assert loaded.policy == envoy.RoundRobin()
    assert "common_lb_config.consistent_hashing_lb_config" in loaded.irrelevant


@pytest.mark.parametrize("kind", ["STATIC", "EDS", "STRICT_DNS"])
def test_hostnames_are_hashed_of_names_that_are_looked_up(kind):
    consistent = {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}
    data = cluster(type=kind, lb_policy="MAGLEV", common_lb_config=consistent)
    if kind == "STRICT_DNS":
        assert load(data).policy.use_hostname_for_hashing
        return
    with pytest.raises(lb.ConfigError) as refused:
        load(data)
    assert refused.value.parameter == "common_lb_config.consistent_hashing_lb_config.use_hostname_for_hashing"


def test_an_extension_that_is_not_known_is_refused_with_the_rest():
    policies = (
        typed("other.v3.Other", deep={"er": 1})["policies"] + typed("maglev.v3.Maglev", table_size=11)["policies"]
    )
    data = cluster(load_balancing_policy={"policies": policies}, odd=1)
    at = "load_balancing_policy.policies[0].typed_extension_config.typed_config.@type"
    with pytest.raises(lb.ConfigError) as refused:
        load(data)
    assert set(refused.value.value) == {"odd", at}
    loose = load(data, strict=False)
    assert loose.policy == envoy.Maglev(11)
    assert set(loose.unsupported) == {"odd", at}
    inside = typed("wrr_locality.v3.WrrLocality", endpoint_picking_policy=typed("round_robin.v3.RoundRobin"))
    with pytest.raises(lb.ConfigError) as refused:
        load(cluster(load_balancing_policy=inside))
    at = "load_balancing_policy.policies[0].typed_extension_config.typed_config.endpoint_picking_policy"
    assert refused.value.value == (at,)


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 1}}, "maglev_lb_config.table_size"),
        ({"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 5000077}}, "maglev_lb_config.table_size"),
        (
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 9, "maximum_ring_size": 8}},
            "ring_hash_lb_config.minimum_ring_size",
        ),
        (
            {
                "lb_policy": "MAGLEV",
                "common_lb_config": {"consistent_hashing_lb_config": {"hash_balance_factor": 0}},
            },
            "common_lb_config.consistent_hashing_lb_config.hash_balance_factor",
        ),
        (
            {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 1}},
            "least_request_lb_config.choice_count",
        ),
        ({"lb_subset_config": {"locality_weight_aware": True}}, "lb_subset_config.locality_weight_aware"),
        (
            {"lb_subset_config": {"subset_selectors": [{"keys": []}]}},
            "lb_subset_config.subset_selectors[0].keys",
        ),
    ],
)
def test_what_envoy_refuses_is_refused_by_its_path(fields, parameter):
    with pytest.raises(lb.ConfigError) as refused:
        load(cluster(**fields))
    assert refused.value.parameter == parameter


def test_the_dump_of_a_cluster_whose_endpoints_are_told():
    """As Envoy 1.40 writes it: health and weights of all, 0 for a locality without weight, the fleet by name."""
    local = endpoints(1)
    local["endpoints"][0] |= {"locality": {"zone": "z"}, "load_balancing_weight": 0}
    told = endpoints(7, 8, cluster_name="s")
    told["endpoints"][0] |= {"locality": {}, "load_balancing_weight": 0}
    for entry in told["endpoints"][0]["lb_endpoints"]:
        entry |= {"health_status": "HEALTHY", "load_balancing_weight": 1}
        entry["endpoint"]["health_check_config"] = {}
    eds = {"type": "EDS", "eds_cluster_config": {"eds_config": {"ads": {}}, "service_name": "s"}}
    dump = {
        "configs": [
            {
                "@type": "x.BootstrapConfigDump",
                "bootstrap": {
                    "node": {"locality": {"zone": "z"}},
                    "cluster_manager": {"local_cluster_name": "fleet"},
                },
            },
            {
                "@type": "x.ClustersConfigDump",
                "dynamic_active_clusters": [
                    {"cluster": {"name": "d", **eds}},
                    {"cluster": {"name": "fleet", "type": "EDS"}},
                ],
            },
            {
                "@type": "x.EndpointsConfigDump",
                "dynamic_endpoint_configs": [
                    {"endpoint_config": told},
                    {"endpoint_config": {**local, "cluster_name": "fleet"}},
                ],
            },
        ]
    }
    loaded = load(dump, name="d")
    assert [b.id for b in loaded.backends] == ["10.0.0.1:7", "10.0.0.1:8"]
    assert loaded.backends[0].locality_weight == 0
    place = ("", "z", "")
    assert loaded.policy == envoy.RoundRobin(local_locality=place, local_cluster=(envoy.Callers(place),))
    dump["configs"][2]["dynamic_endpoint_configs"].pop()
    with pytest.raises(lb.ConfigError) as refused:
        load(dump, name="d")
    assert refused.value.value == ("cluster_manager.local_cluster_name",)
    dump["configs"][1]["dynamic_active_clusters"][0]["cluster"]["lb_policy"] = "MAGLEV"
    assert load(dump, name="d").policy == envoy.Maglev(local_locality=place), "hash balancers ask no fleet"


def test_one_error_names_every_unsupported_field():
    bad = cluster(
        nonsense=1,
        common_lb_config={"ignore_new_hosts_until_first_hc": True, "later": {"x": [1], "y": 2}},
        lb_subset_config={"fallback_policy": "ANY_ENDPOINT", "odd": 1},
        round_robin_lb_config={"odd": {}},
    )
    bad["load_assignment"]["policy"] = {"drop_overloads": [{}]}
    with pytest.raises(lb.ConfigError) as refused:
        load(bad)
    wanted = {
        "nonsense",
        "common_lb_config.ignore_new_hosts_until_first_hc",
        "common_lb_config.later.x",
        "common_lb_config.later.y",
        "lb_subset_config.odd",
        "round_robin_lb_config.odd",
        "load_assignment.policy.drop_overloads",
    }
    assert set(refused.value.value) == wanted
    assert all(path in str(refused.value) for path in wanted)
    assert set(load(bad, strict=False).unsupported) == wanted


@pytest.mark.parametrize(
    ("path", "value", "parameter"),
    [
        (["lb_policy"], "FASTEST", "lb_policy"),
        (["lb_policy"], 4, "lb_policy"),
        (["type"], "SIDEWAYS", "type"),
        (["load_assignment", "endpoints"], 3, "load_assignment.endpoints"),
        (["load_assignment", "endpoints", 0, "priority"], "one", "load_assignment.endpoints[0].priority"),
        (["load_assignment", "endpoints", 0, "priority"], 200, "load_assignment.endpoints[0].priority"),
        (
            ["load_assignment", "endpoints", 0, "lb_endpoints", 1, "health_status"],
            "SICK",
            "load_assignment.endpoints[0].lb_endpoints[1].health_status",
        ),
        (
            ["load_assignment", "endpoints", 0, "lb_endpoints", 1, "load_balancing_weight"],
            0,
            "load_assignment.endpoints[0].lb_endpoints[1].load_balancing_weight",
        ),
        (
            ["load_assignment", "endpoints", 0, "load_balancing_weight"],
            0,
            "load_assignment.endpoints[0].load_balancing_weight",
        ),
        (
            ["load_assignment", "endpoints", 0, "lb_endpoints", 1, "endpoint"],
            None,
            "load_assignment.endpoints[0].lb_endpoints[1].endpoint",
        ),
        (
            [
                "load_assignment",
                "endpoints",
                0,
                "lb_endpoints",
                1,
                "endpoint",
                "address",
                "socket_address",
                "port_value",
            ],
            1,
            "load_assignment.endpoints[0].lb_endpoints[1].endpoint",
        ),
        (["common_lb_config"], {"healthy_panic_threshold": 50}, "common_lb_config.healthy_panic_threshold"),
        (
            ["round_robin_lb_config"],
            {"slow_start_config": {"slow_start_window": 60}},
            "round_robin_lb_config.slow_start_config.slow_start_window",
        ),
        (["load_balancing_policy"], {"policies": []}, "load_balancing_policy.policies"),
    ],
)
def test_what_is_wrong_is_named(path, value, parameter):
    data = copy.deepcopy(cluster())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(lb.ConfigError) as refused:
        load(data)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    "text", ["{", "a: [", "a: 1\na: 2", '{"a": 1, "a": 2}', "- x", "3", "", "{a: {b: 1, b: 2}}", "\t:"]
)
def test_text_that_is_none(text):
    with pytest.raises(lb.ConfigError):
        load(text)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_whatever_a_field_holds_it_is_read_or_refused(data):
    """One field of a good cluster replaced by anything: a result or a ConfigError, never another exception."""
    made = copy.deepcopy(
        cluster(lb_policy="RING_HASH", ring_hash_lb_config={"minimum_ring_size": 8}, common_lb_config={})
    )
    place = made
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            place = inner
        else:
            break
    place[key] = data.draw(PLAIN)
    with contextlib.suppress(lb.ConfigError):
        load(made, strict=data.draw(st.booleans()))


@given(st.text())
def test_any_text(text):
    with contextlib.suppress(lb.ConfigError):
        load(text)


def test_detection():
    found = {
        "interval": "1.5s",
        "base_ejection_time": "20s",
        "max_ejection_percent": 50,
        "consecutive_5xx": 3,
        "split_external_local_origin_errors": True,
        "enforcing_failure_percentage": None,
    }
    loaded = load(cluster(outlier_detection=found))
    (detector,) = loaded.signals
    assert detector.spec == envoy.OutlierDetection(
        interval=1.5,
        base_ejection_time=20.0,
        max_ejection_percent=50,
        consecutive_5xx=3,
        split_external_local_origin_errors=True,
    )
    assert load(cluster()).signals == ()
    balancer = load(cluster(outlier_detection={"consecutive_5xx": 2, "max_ejection_percent": 100})).balancer(seed=1)
    for _ in range(30):
        balancer.acquire().done(lb.Outcome.SERVER_ERROR)
    assert balancer.view.states.tolist().count(lb.State.UNHEALTHY) == 3
    with pytest.raises(lb.ConfigError) as refused:
        load(cluster(outlier_detection={"monitors": [], "quirks": False, "interval": "1s"}))
    assert refused.value.value == ("outlier_detection.monitors", "outlier_detection.quirks")
    for field, value in (("interval", "soon"), ("consecutive_5xx", "three"), ("max_ejection_percent", 101)):
        with pytest.raises(lb.ConfigError) as refused:
            load(cluster(outlier_detection={field: value}))
        assert refused.value.parameter == f"outlier_detection.{field}"
