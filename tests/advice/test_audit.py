"""The audit: every check on both sides of its threshold, fixes that are followed, names that exist."""

import dataclasses
import importlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.advice import CHECKS, Facts, Setup, affinity, audit, ejecting, overload, probing, stopping, tables, weighing
from lbalgo.advice import warming as warm
from lbalgo.compat import envoy, haproxy, nginx
from lbalgo.draining import check_drain
from lbalgo.findings import Severity
from lbalgo.gates import AdaptiveThrottle, DrainGate, Fallback, Limits, RetryBudget, Sticky
from lbalgo.measure.maglev_law import maglev_excess
from lbalgo.sim.reading import read_scenario

NOTE, WARNING, ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR
SECRETS = (b"0123456789abcdef",)
DRAIN = lb.Drain(30.0)


def pool(n):
    return [f"b{i}" for i in range(n)]


def of(n=10, policy=None, facts=None, **parts):
    """A native setup of n equal backends."""
    return Setup(lb.RoundRobin() if policy is None else policy, pool(n), facts=Facts(**(facts or {})), **parts)


def sticky(*signals, gates=(), **fields):
    return of(signals=list(signals), gates=[Sticky(SECRETS, **fields), *gates])


def proxy(*servers, lines="", **facts):
    """An HAProxy backend."""
    text = "backend app\n" + "".join(f"    {line}\n" for line in lines.split(";") if line)
    text += "".join(f"    server s{i} 10.0.0.{i + 1}:80 {words}\n" for i, words in enumerate(servers))
    return Setup.of(haproxy.load(text, strict=False), Facts(**facts))


def upstream(body, **facts):
    return Setup.of(nginx.load(f"upstream api {{ {body} }}", strict=False), Facts(**facts))


def cluster(n=10, localities=None, facts=None, **fields):
    """An Envoy cluster."""

    def host(i):
        return {"endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": i + 1}}}}

    endpoints = [{"lb_endpoints": [host(i) for i in range(n)]}]
    if localities:
        endpoints = [
            {"locality": {"zone": f"z{k}"}, "load_balancing_weight": weight, "lb_endpoints": [host(k)]}
            for k, weight in enumerate(localities)
        ]
    data = {"name": "api", "load_assignment": {"cluster_name": "api", "endpoints": endpoints}, **fields}
    return Setup.of(envoy.load(data, strict=False), Facts(**(facts or {})))


def ejection(n=10, detectors=None, facts=None, panic=0.5, **fields):
    detectors = (lb.ConsecutiveErrors(),) if detectors is None else detectors
    return of(n, facts=facts, panic_below=panic, signals=[lb.OutlierEjection(detectors, **fields)])


def probes(facts=None, **fields):
    return of(facts=facts, signals=[lb.ActiveHealth(**fields)])


MODULAR = "balance source;hash-type map-based"
RING = "balance source;hash-type consistent"
OVERRIDES = envoy.OverrideHost(envoy.RoundRobin(), (envoy.OverrideHostSource("x-host"),))
BY_METADATA = envoy.OverrideHost(envoy.RoundRobin(), (envoy.OverrideHostSource(metadata=("ns", "host")),))

# (check, a setup it is content with, one a step further that it is not, the field it names, how bad it is)
TABLE = [
    (stopping.drain_times, of(facts={"p99": 5, "drain": 5}), of(facts={"p99": 5.1, "drain": 5}), "drain", ERROR),
    (
        stopping.drain_times,
        of(facts={"p99": 30.0}, signals=[DRAIN]),
        of(facts={"p99": 30.1}, signals=[DRAIN]),
        "drain",
        ERROR,
    ),
    (
        stopping.drain_times,
        of(facts={"p99": 5, "drain": 30, "grace": 30}),
        of(facts={"p99": 5, "drain": 30, "grace": 29.9}),
        "grace",
        WARNING,
    ),
    (stopping.sessions_stay, sticky(DRAIN, gates=[DrainGate(DRAIN)]), sticky(DRAIN), "gates", WARNING),
    (stopping.sessions_stay, sticky(DRAIN, draining=False), sticky(DRAIN), "gates", WARNING),
    (stopping.sessions_stay, sticky(), sticky(DRAIN), "gates", WARNING),
    (
        affinity.sticky_without_fallback,
        sticky(fallback=Fallback.PICK),
        sticky(fallback=Fallback.REFUSE),
        "Sticky.fallback",
        ERROR,
    ),
    (
        affinity.sticky_without_fallback,
        proxy("cookie a", lines="cookie SRV insert;option redispatch"),
        proxy("cookie a", lines="cookie SRV insert"),
        "cookie",
        ERROR,
    ),
    (
        affinity.sticky_without_fallback,
        proxy("cookie a"),  # which names nothing, as the backend has no cookie
        proxy("cookie a", lines="cookie SRV insert;no option redispatch"),
        "cookie",
        ERROR,
    ),
    (affinity.endless_sessions, sticky(ttl=None, idle=60.0), sticky(ttl=None), "Sticky.ttl", WARNING),
    (affinity.endless_sessions, sticky(), sticky(ttl=None), "Sticky.ttl", WARNING),
    (affinity.unbounded_sessions, sticky(spill=1.25), sticky(), "Sticky.spill", NOTE),
    (affinity.written_by_clients, proxy("cookie a"), proxy("", lines="cookie SRV insert"), "cookie", NOTE),
    (
        affinity.written_by_clients,
        Setup(BY_METADATA, ["10.0.0.1:80"], system="envoy"),
        Setup(OVERRIDES, ["10.0.0.1:80"], system="envoy"),
        "override_host_sources",
        WARNING,
    ),
    (
        affinity.chosen_keys,
        of(policy=lb.Maglev(hasher=lb.SipHash(SECRETS[0])), facts={"strangers": True}),
        of(policy=lb.Maglev(), facts={"strangers": True}),
        "hasher",
        WARNING,
    ),
    (
        affinity.chosen_keys,
        of(policy=lb.BoundedLoad(lb.RingHash())),
        of(policy=lb.BoundedLoad(lb.RingHash()), facts={"strangers": True}),
        "hasher",
        WARNING,
    ),
    (
        affinity.chosen_keys,
        cluster(lb_policy="ROUND_ROBIN", facts={"strangers": True}),
        cluster(lb_policy="MAGLEV", facts={"strangers": True}),
        "policy",
        WARNING,
    ),
    (
        affinity.address_affinity,
        of(10, facts={"address_keys": True, "nat_share": 0.1}),
        of(10, facts={"address_keys": True, "nat_share": 0.11}),
        "address_keys",
        WARNING,
    ),
    (affinity.address_affinity, of(), of(facts={"address_keys": True}), "address_keys", WARNING),
    (
        affinity.address_affinity,
        upstream("least_conn; server a; server b;"),
        upstream("ip_hash; server a; server b;"),
        "ip_hash",
        WARNING,
    ),
    (
        affinity.address_affinity,
        proxy("", "", lines="balance uri"),
        proxy("", "", lines="balance source"),
        "balance",
        WARNING,
    ),
    (overload.no_bound, of(gates=[Limits()]), of(), "gates", WARNING),
    (overload.no_bound, of(gates=[Limits(None, 9)]), of(gates=[Limits(None)]), "gates", WARNING),
    (
        overload.no_bound,
        of(policy=lb.ByPriority(lb.BoundedLoad(lb.Maglev(251)))),
        of(policy=lb.ByPriority(lb.Maglev(251))),
        "gates",
        WARNING,
    ),
    (overload.no_bound, proxy("maxconn 1", "maxconn 1"), proxy("maxconn 1", ""), "maxconn", WARNING),
    (
        overload.no_bound,
        upstream("server a max_conns=1; server b max_conns=1;"),
        upstream("server a max_conns=1; server b;"),
        "max_conns",
        WARNING,
    ),
    (overload.no_bound, proxy("maxconn 1", "weight 0"), proxy("maxconn 1", "weight 1"), "maxconn", WARNING),
    (overload.no_bound, cluster(circuit_breakers={}), cluster(), "circuit_breakers", NOTE),
    (
        overload.first_without_end,
        proxy("maxconn 1", "", lines="balance first"),
        proxy("", "maxconn 1", lines="balance first"),
        "maxconn",
        ERROR,
    ),
    (overload.retries_without_budget, of(), of(facts={"retries": 1}), "retries", WARNING),
    (
        overload.retries_without_budget,
        of(facts={"retries": 1}, gates=[RetryBudget()]),
        of(facts={"retries": 1}, gates=[Limits()]),
        "retries",
        WARNING,
    ),
    (
        overload.throttled_for_good,
        of(gates=[AdaptiveThrottle(1.3)]),
        of(gates=[AdaptiveThrottle(1.29)]),
        "AdaptiveThrottle.k",
        WARNING,
    ),
    (probing.nobody_watches, ejection(), of(), "signals", ERROR),
    (probing.nobody_watches, probes(), of(signals=[lb.SlowStart(30)]), "signals", ERROR),
    (probing.nobody_watches, proxy("check", "check"), proxy("check", ""), "check", ERROR),
    (
        probing.nobody_watches,
        upstream("server a; server b;"),
        upstream("server a; server b max_fails=0;"),
        "max_fails",
        ERROR,
    ),
    (
        probing.nobody_watches,
        upstream("server a max_fails=0;"),  # to whom else?
        upstream("server a max_fails=0; server b;"),
        "max_fails",
        ERROR,
    ),
    (probing.nobody_watches, proxy("check", "weight 0"), proxy("check", "weight 1"), "check", ERROR),
    (probing.nobody_watches, cluster(outlier_detection={}), cluster(), "health_checks", ERROR),
    (probing.nobody_watches, cluster(health_checks=[{}]), cluster(), "health_checks", ERROR),
    (
        probing.late_detection,
        probes({"detect_within": 17.0}, interval=5, timeout=2, fall=3),
        probes({"detect_within": 16.9}, interval=5, timeout=2, fall=3),
        "ActiveHealth",
        WARNING,
    ),
    (
        probing.late_detection,
        proxy("check inter 2s fall 3", detect_within=8.0),
        proxy("check inter 2s fall 3", detect_within=7.9),
        "server s0 check",
        WARNING,
    ),
    (probing.late_detection, of(), probes(), "ActiveHealth", NOTE),
    (probing.one_failure_decides, probes(fall=2), probes(fall=1), "ActiveHealth", WARNING),
    (probing.one_failure_decides, proxy("check fall 2"), proxy("check fall 1"), "server s0 check", WARNING),
    (
        probing.slow_probes,
        probes(interval=5, timeout=5),
        probes(interval=5, timeout=5.1),
        "ActiveHealth",
        WARNING,
    ),
    (tables.not_prime, of(facts={"table_size": 65537}), of(facts={"table_size": 65536}), "table_size", ERROR),
    (
        tables.moves_too_much,
        of(100, lb.Maglev(), {"max_excess": 1.001 * maglev_excess(100, 65537)}),
        of(100, lb.Maglev(), {"max_excess": 0.999 * maglev_excess(100, 65537)}),
        "table_size",
        WARNING,
    ),
    (tables.moves_too_much, of(140, lb.Maglev()), of(160, lb.Maglev()), "table_size", WARNING),
    (
        tables.moves_too_much,
        cluster(2, lb_policy="MAGLEV", maglev_lb_config={"table_size": 101}),
        cluster(20, lb_policy="MAGLEV", maglev_lb_config={"table_size": 101}),
        "table_size",
        WARNING,
    ),
    (
        tables.moves_too_much,
        of(100, lb.Maglev(), {"max_excess": maglev_excess(100, 65537)}),
        of(3, lb.Maglev(101), {"max_excess": 1e-9}),
        "table_size",
        WARNING,
    ),
    (
        tables.moves_too_much,
        of(1, lb.Maglev(101), {"max_excess": 1e-9}),
        of(101, lb.Maglev(101), {"max_excess": 1e-9}),
        "table_size",
        WARNING,
    ),
    (tables.too_coarse, of(2, facts={"table_size": 200}), of(3, facts={"table_size": 3}), "table_size", WARNING),
    (tables.too_coarse, of(2, lb.Maglev(211)), of(2, lb.Maglev(199)), "table_size", WARNING),
    (tables.too_coarse, of(2, lb.Maglev(211)), of(4, facts={"table_size": 3}), "table_size", ERROR),
    (tables.uneven, of(1, lb.RingHash(points=1)), of(2, lb.RingHash(points=1)), "points", WARNING),
    (tables.uneven, of(10, lb.RingHash(points=1000)), of(10, lb.RingHash(points=4)), "points", WARNING),
    (
        tables.moves_nearly_all,
        upstream("hash $uri consistent; server a; server b;"),
        upstream("hash $uri; server a; server b;"),
        "hash",
        WARNING,
    ),
    (
        tables.moves_nearly_all,
        upstream("ip_hash; server a;"),
        upstream("ip_hash; server a; server b;"),
        "ip_hash",
        WARNING,
    ),
    (tables.moves_nearly_all, proxy("", "", lines=RING), proxy("", "", lines=MODULAR), "hash-type", WARNING),
    (
        tables.points_change,
        cluster(50, lb_policy="RING_HASH"),  # 21 points each, and with 49 hosts as well
        cluster(10, lb_policy="RING_HASH"),
        "minimum_ring_size",
        WARNING,
    ),
    (
        tables.points_change,
        cluster(1, lb_policy="RING_HASH"),
        cluster(2, lb_policy="RING_HASH"),
        "minimum_ring_size",
        WARNING,
    ),
    (
        warm.begins_at_the_top,
        of(signals=[lb.SlowStart(30, floor=0.99)]),
        of(signals=[lb.SlowStart(30, floor=1.0)]),
        "SlowStart.window",
        WARNING,
    ),
    (
        warm.warms_alone,
        of(2, signals=[lb.SlowStart(30)]),
        of(1, signals=[lb.SlowStart(30)]),
        "SlowStart.window",
        WARNING,
    ),
    (
        warm.weights_stand_still,
        proxy("check slowstart 9s", "check", lines=RING),
        proxy("check slowstart 9s", "check", lines=MODULAR),
        "slowstart",
        WARNING,
    ),
    (
        warm.weights_stand_still,
        proxy("check slowstart 9s", lines="balance leastconn"),
        proxy("check slowstart 9s", lines="balance static-rr"),
        "slowstart",
        WARNING,
    ),
    (
        warm.weights_stand_still,
        upstream("least_conn; server a slow_start=9s; server b;"),
        upstream("ip_hash; server a slow_start=9s; server b;"),
        "slow_start",
        WARNING,
    ),
    (
        warm.weights_stand_still,
        upstream("ip_hash; server a; server b;"),
        upstream("ip_hash; server a; server b slow_start=9s;"),
        "slow_start",
        WARNING,
    ),
    (warm.never_begins, proxy("check slowstart 9s"), proxy("slowstart 9s"), "slowstart", WARNING),
    (
        warm.sees_no_requests,  # 0.1 + 0.1 + 0.2 + … + 0.9 is 4.6 of 10 s
        of(10, facts={"rate": 10 / 4.6 + 0.01}, signals=[lb.SlowStart(10)]),
        of(10, facts={"rate": 10 / 4.6 - 0.01}, signals=[lb.SlowStart(10)]),
        "SlowStart.window",
        WARNING,
    ),
    (
        warm.sees_no_requests,
        of(1, facts={"rate": 0.01}, signals=[lb.SlowStart(10)]),
        of(2, facts={"rate": 0.01}, signals=[lb.SlowStart(10)]),
        "SlowStart.window",
        WARNING,
    ),
    (
        ejecting.never_ejects,
        ejection(10, always_eject_one=False),
        ejection(9, always_eject_one=False),
        "max_ejection_percent",
        WARNING,
    ),
    (
        ejecting.never_ejects,
        cluster(10, outlier_detection={}),
        cluster(9, outlier_detection={}),
        "max_ejection_percent",
        WARNING,
    ),
    (
        ejecting.never_ejects,
        ejection(10, [lb.ConsecutiveErrors(enforcement=1)]),
        ejection(10, [lb.ConsecutiveErrors(enforcement=0)]),
        "detectors",
        WARNING,
    ),
    (
        ejecting.ejects_all,
        ejection(10, max_ejection_percent=50),
        ejection(10, max_ejection_percent=60),
        "max_ejection_percent",
        WARNING,
    ),
    (
        ejecting.ejects_all,
        ejection(10, max_ejection_percent=99, panic=0.0),
        ejection(10, max_ejection_percent=100, panic=0.0),
        "max_ejection_percent",
        ERROR,
    ),
    (ejecting.ejects_all, ejection(2), ejection(1), "max_ejection_percent", WARNING),
    (
        ejecting.too_few_hosts,
        ejection(5, [lb.FailurePercentage()]),
        ejection(4, [lb.FailurePercentage()]),
        "FailurePercentage.minimum_hosts",
        WARNING,
    ),
    (
        ejecting.too_few_hosts,
        cluster(5, outlier_detection={}),
        cluster(4, outlier_detection={}),
        "success_rate_minimum_hosts",
        WARNING,
    ),
    (
        ejecting.masked,  # of 5, one stands 2 deviations below
        ejection(5, [lb.SuccessRate(stdev_factor=1.99)]),
        ejection(5, [lb.SuccessRate(stdev_factor=2.0)]),
        "SuccessRate.stdev_factor",
        WARNING,
    ),
    (
        ejecting.too_little_traffic,
        ejection(10, [lb.SuccessRate()], {"rate": 100.0}),
        ejection(10, [lb.SuccessRate()], {"rate": 99.0}),
        "SuccessRate.request_volume",
        WARNING,
    ),
    (
        ejecting.failures_of_one,
        upstream("server a max_fails=3; server b;"),
        upstream("server a max_fails=3;"),
        "max_fails",
        NOTE,
    ),
    (
        weighing.weights_ignored,
        Setup(lb.WeightedRoundRobin(), {"a": 1, "b": 2}),
        Setup(lb.RoundRobin(), {"a": 1, "b": 2}),
        "weight",
        WARNING,
    ),
    (weighing.weights_ignored, of(2, lb.Jump()), Setup(lb.Jump(), {"a": 1, "b": 2}), "weight", ERROR),
    (
        weighing.weights_ignored,
        Setup(lb.RoundRobin(), {"a": 1, "b": 0}),
        Setup(lb.RoundRobin(), {"a": 1, "b": 2, "c": 0}),
        "weight",
        WARNING,
    ),
    (
        weighing.weights_ignored,
        proxy("weight 2", "weight 2", lines="balance first"),
        proxy("weight 1", "weight 2", lines="balance first"),
        "weight",
        WARNING,
    ),
    (
        weighing.locality_weights_ignored,
        cluster(localities=[1, 2], common_lb_config={"locality_weighted_lb_config": {}}),
        cluster(localities=[1, 2]),
        "load_balancing_weight",
        WARNING,
    ),
    (weighing.nobody_has_weight, Setup(None, {"a": 1, "b": 0}), Setup(None, {"a": 0, "b": 0}), "weight", ERROR),
]


@pytest.mark.parametrize(
    ("check", "well", "ill", "field", "severity"), TABLE, ids=[f"{row[0].__name__}-{i}" for i, row in enumerate(TABLE)]
)
def test_both_sides_of_a_threshold(check, well, ill, field, severity):
    assert list(check(well)) == []
    (finding,) = check(ill)
    assert (finding.field, finding.severity) == (field, severity)
    assert finding in audit(ill)
    assert finding.consequence and finding.fix and "\n" not in str(finding)


def test_every_check_has_a_row():
    assert {check for check, *_ in TABLE} == set(CHECKS)
    assert len(set(CHECKS)) == len(CHECKS)


def test_a_good_configuration_has_no_findings():
    drain = lb.Drain(30.0)
    good = Setup(
        lb.PowerOfTwo(),
        pool(10),
        [lb.OutlierEjection(), lb.SlowStart(30), drain],
        [Limits(), RetryBudget(), DrainGate(drain)],
        facts=Facts(p99=2.0, grace=40.0, pre_stop=5.0, propagation=5.0, rate=100.0, retries=2),
    )
    assert audit(good) == ()


def test_the_worst_come_first():
    severities = [finding.severity for finding in audit(proxy("", "slowstart 9s", lines="balance first;cookie A"))]
    assert severities == sorted(severities, reverse=True)
    assert {ERROR, WARNING, NOTE} == set(severities)


def test_the_kinds_that_checks_know_exist():
    known = [*affinity.ADDRESSES, *affinity.KEYED, *overload.BOUNDS, *overload.BUDGETS, *probing.WATCHERS]
    known += [*tables.MODULAR, *warm.STATIC, *weighing.IGNORING, *weighing.REFUSING, *affinity.PUBLIC]
    for name in known:
        system, _, kind = name.rpartition(".")
        rooms = [f"lbalgo.compat.{system}"] if system else ["lbalgo", "lbalgo.gates"]
        assert any(hasattr(importlib.import_module(room), kind) for room in rooms), name


def test_what_is_said_to_ignore_weights_does():
    """Not by name alone: equal picks whatever the weights, in the policies of the table."""
    alike, unlike = ([haproxy.Server("a", weight=1, maxconn=9), haproxy.Server("b", weight=w)] for w in (1, 200))
    for policy, pools in (
        (lb.RoundRobin(), ({"a": 1, "b": 1}, {"a": 1, "b": 200})),
        (haproxy.First(), (alike, unlike)),
        (envoy.Random(), ({"a:1": 1, "b:1": 1}, {"a:1": 1, "b:1": 200})),
    ):
        first, second = ([picker.pick().id for _ in range(50)] for picker in map(policy.build, pools))
        assert first == second
    for policy in (lb.Jump(), lb.JumpBack()):
        with pytest.raises(ConfigError):
            policy.build({"a": 1, "b": 2})


@given(n=st.integers(1, 60), percent=st.floats(0, 100), always=st.booleans())
def test_the_cap_is_the_machine_s(n, percent, always):
    """Fail everybody, and count who is out."""
    rules = {"max_ejection_percent": percent, "always_eject_one": always}
    signal = lb.OutlierEjection([lb.ConsecutiveErrors(1)], **rules)
    signal.sync(pool(n), 0.0)
    for slot in range(n):
        signal.observe(slot, lb.Outcome.SERVER_ERROR, None, 1.0)
    out = sum(type(event).__name__ == "Ejected" for event in signal.drain_events())
    cap = ejecting.cap_of(ejection(n, **rules))
    assert cap.most(n) == out


@given(n=st.integers(2, 40), factor=st.floats(0.1, 7.0), rate=st.integers(0, 99))
def test_a_masked_outlier_is_one_that_the_detector_misses(n, factor, rate):
    detector = lb.SuccessRate(minimum_hosts=1, request_volume=1, stdev_factor=factor)
    told = bool(list(ejecting.masked(ejection(n, [detector]))))
    named = detector.outliers([100] * (n - 1) + [rate], [100] * n)
    reach = (n - 1) ** 0.5
    if abs(reach - factor) > 1e-9:  # else rounding decides
        assert told == (named == [])


@given(n=st.integers(2, 2000), allowed=st.floats(1e-4, 0.5), size=st.sampled_from([101, 2003, 65537]))
def test_a_table_s_fix_leaves_nothing_to_find(n, allowed, size):
    setup = of(n, facts={"table_size": size, "max_excess": allowed})
    for finding in tables.moves_too_much(setup):
        better = int(finding.fix.split("table_size to ")[1].split(",")[0])
        assert not list(tables.moves_too_much(of(n, facts={"table_size": better, "max_excess": allowed})))


@given(interval=st.floats(0.1, 60), part=st.floats(0.01, 1), fall=st.integers(1, 9), wanted=st.floats(0.1, 100))
def test_a_probe_s_fix_is_in_time(interval, part, fall, wanted):
    setup = probes({"detect_within": wanted}, interval=interval, timeout=interval * part, fall=fall)
    for finding in probing.late_detection(setup):
        words = finding.fix.split()
        better = {"interval": float(words[4]), "timeout": float(words[10])}
        worst = lb.ActiveHealth(fall=fall, **better).spec.worst_case_detection()
        assert worst <= wanted * 1.01  # of numbers written with three digits


def test_a_fix_is_one_of_that_system():
    (native,) = overload.retries_without_budget(of(facts={"retries": 1}))
    (theirs,) = overload.retries_without_budget(proxy("", retries=1))
    assert "RetryBudget" in native.fix and "RetryBudget" not in theirs.fix


def test_drains_are_check_drain_s():
    facts = {"p99": 9.0, "drain": 3.0, "grace": 4.0, "pre_stop": 1.0, "propagation": 2.0}
    assert tuple(stopping.drain_times(of(facts=facts))) == check_drain(**facts)


def test_what_is_not_stated_is_not_judged():
    assert list(stopping.drain_times(of(facts={"drain": 1, "grace": 0}))) == []
    assert list(stopping.drain_times(of(signals=[DRAIN]))) == []
    assert list(warm.sees_no_requests(of(signals=[lb.SlowStart(1e-3)]))) == []


def test_an_empty_pool_is_audited():
    for setup in (Setup(), Setup(lb.Maglev(), [], [lb.OutlierEjection([lb.SuccessRate()])], facts=Facts(rate=1.0))):
        audit(setup)


def test_the_parts_of_a_scenario_can_be_audited():
    data = {"policy": "RoundRobin", "servers": 3, "duration": 1, "arrivals": {"type": "Poisson", "rate": 1}}
    scenario = read_scenario({**data, "signals": ["OutlierEjection"]})
    parts = [make() for make in scenario.signals]
    assert {f.field for f in audit(Setup(scenario.policy, pool(3), parts))} == {"gates"}


def test_facts_are_plain_data():
    facts = Facts(p99=1.0, table_size=7, strangers=True)
    assert Facts.from_dict(facts.to_dict()) == facts


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Facts)])
def test_facts_refuse(name):
    for value in ("many", float("nan"), -1, [1]):
        with pytest.raises(ConfigError) as refused:
            Facts(**{name: value})
        assert refused.value.parameter == name


def test_setups_refuse():
    for call, parameter in (
        (partial(Setup, lb.Maglev), "policy"),
        (partial(Setup, "Maglev"), "policy"),
        (partial(Setup, backends="abc"), "backends"),
        (partial(Setup, signals=[lb.SlowStart]), "signals"),
        (partial(Setup, signals=[3]), "signals"),
        (partial(Setup, signals=lb.SlowStart(3)), "signals"),
        (partial(Setup, gates=[None]), "gates"),
        (partial(Setup, panic_below=2), "panic_below"),
        (partial(Setup, facts={}), "facts"),
        (partial(Setup, system="varnish"), "system"),
        (partial(Setup.of, lb.Maglev()), "loaded"),
        (partial(audit, lb.Maglev()), "setup"),
    ):
        with pytest.raises(ConfigError) as refused:
            call()
        assert refused.value.parameter == parameter
