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
    assert {f"{at}transport_socket", f"{at}name", f"{at}health_checks"} <= set(loaded.irrelevant)
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
    assert load(cluster(**fields)).policy == policy


def test_one_error_names_every_unsupported_field():
    bad = cluster(
        nonsense=1,
        common_lb_config={"ignore_new_hosts_until_first_hc": True, "later": {"x": [1], "y": 2}},
        lb_subset_config={"fallback_policy": "ANY_ENDPOINT"},
        ring_hash_lb_config={},
    )
    bad["load_assignment"]["policy"] = {"drop_overloads": [{}]}
    with pytest.raises(lb.ConfigError) as refused:
        load(bad)
    wanted = {
        "nonsense",
        "common_lb_config.ignore_new_hosts_until_first_hc",
        "common_lb_config.later.x",
        "common_lb_config.later.y",
        "lb_subset_config",
        "ring_hash_lb_config",
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
        (["load_assignment", "endpoints", 0, "priority"], "1", "load_assignment.endpoints[0].priority"),
        (["load_assignment", "endpoints", 0, "priority"], 200, "priority"),
        (
            ["load_assignment", "endpoints", 0, "lb_endpoints", 1, "health_status"],
            "SICK",
            "load_assignment.endpoints[0].lb_endpoints[1].health_status",
        ),
        (["load_assignment", "endpoints", 0, "lb_endpoints", 1, "load_balancing_weight"], 0, "weight"),
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
        (
            ["load_balancing_policy"],
            typed("other.v3.Other"),
            "load_balancing_policy.policies[0].typed_extension_config.typed_config.@type",
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
    for field, value in (("interval", "soon"), ("consecutive_5xx", "3"), ("max_ejection_percent", 101)):
        with pytest.raises(lb.ConfigError) as refused:
            load(cluster(outlier_detection={field: value}))
        assert refused.value.parameter.endswith(field)
