"""Envoy's policies without a key: the laws of pickers, bad input, updates, priorities, localities, slow start, ORCA."""

import collections
import json
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, Outcome, State, View
from lbalgo.compat import envoy
from lbalgo.compat.envoy.edf import Edf
from lbalgo.compat.envoy.locality import LocalityTurns
from lbalgo.testing import FakeClock, PolicyContract
from lbalgo.testing import strategies as some
from lbalgo.testing.laws import certify

A, B, C = ("", "a", ""), ("", "b", ""), ("", "c", "")
POLICIES = [
    envoy.RoundRobin(),
    envoy.RoundRobin(edf_start=205_711_497, start=3),
    envoy.LeastRequest(choice_count=3),
    envoy.LeastRequest(selection_method=envoy.SelectionMethod.FULL_SCAN, active_request_bias=0.5),
    envoy.Random(),
    envoy.ClientSideWeightedRoundRobin(),
    envoy.WrrLocality(),
    envoy.RoundRobin(slow_start_config=envoy.SlowStartConfig(3.0)),
    envoy.RoundRobin(locality_weighted_lb_config=True),
    envoy.LoadAwareLocality(envoy.Random(), local_locality=A),
    envoy.Random(
        local_cluster=(envoy.Callers(A, 2), envoy.Callers(B, 2)),
        local_locality=A,
        zone_aware_lb_config=envoy.ZoneAwareLbConfig(min_cluster_size=1),
    ),
]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_laws(policy):
    class Contract(PolicyContract):
        weights = some.whole_weights(9, zero=False)
        max_size = 12
        settings = settings(max_examples=10)

        # A scheduler starts anew whenever health changes, as Envoy's does.
        test_no_rebuild_restarts_a_sequence = None
        # Envoy panics in ways of its own, and then uses DRAINING hosts too: see test_panic.
        test_panic_serves_the_unhealthy_but_never_the_draining = None
        test_nobody_eligible_is_refused = None

        def eligible(self, view):
            picker = self.policy.build(view)
            machines = [p.load for p in getattr(picker, "pickers", {0: picker}).values()]
            return frozenset(m.hosts[slot].id for m in machines for slot in m.candidates())

    Contract.policy = policy
    assert certify(Contract) > 8


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_plain_data_pickles_and_reprs(policy):
    again = type(policy).from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again == policy and hash(again) == hash(policy)
    assert pickle.loads(pickle.dumps(policy)) == policy
    with pytest.raises(ConfigError, match="odd"):
        type(policy).from_dict({"odd": 1})
    picker = policy.build({"a:1": 1, "b:1": 3})
    assert repr(getattr(policy, "endpoint_picking_policy", policy))[:40] in repr(picker)
    picker.check_invariants()


BAD = [
    ("start", -1),
    ("start", 2**64),
    ("edf_start", 1.5),
    ("locality_start", True),
    ("locality_starts", 3),
    ("locality_starts", ("x",)),
    ("overprovisioning_factor", 0),
    ("healthy_panic_threshold", 101),
    ("healthy_panic_threshold", math.nan),
    ("weighted_priority_health", 1),
    ("locality_weighted_lb_config", 0),
    ("zone_aware_lb_config", {}),
    ("slow_start_config", 3),
    ("local_cluster", "a"),
    ("local_cluster", (3,)),
    ("local_locality", "a"),
    ("active_health_checks", None),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=repr)
def test_bad_settings(name, value):
    for kind in (envoy.RoundRobin, envoy.LeastRequest, envoy.ClientSideWeightedRoundRobin):
        with pytest.raises(ConfigError) as caught:
            kind(**{name: value})
        assert caught.value.parameter.split("[")[0] == name
        assert repr(caught.value.value) in repr(value)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: envoy.LeastRequest(choice_count=1), "choice_count"),
        (lambda: envoy.LeastRequest(choice_count=2**32), "choice_count"),
        (lambda: envoy.LeastRequest(active_request_bias="1"), "active_request_bias"),
        (lambda: envoy.LeastRequest(active_request_bias=math.inf), "active_request_bias"),
        (lambda: envoy.LeastRequest(selection_method="FULL_SCAN"), "selection_method"),
        (lambda: envoy.LeastRequest(enable_full_scan=1), "enable_full_scan"),
        (lambda: envoy.SlowStartConfig(0.0), "slow_start_window"),
        (lambda: envoy.SlowStartConfig(1.0, aggression="2"), "aggression"),
        (lambda: envoy.SlowStartConfig(1.0, aggression=math.inf), "aggression"),
        (lambda: envoy.SlowStartConfig(1.0, min_weight_percent=101), "min_weight_percent"),
        (lambda: envoy.ZoneAwareLbConfig(routing_enabled=-1), "routing_enabled"),
        (lambda: envoy.ZoneAwareLbConfig(min_cluster_size=-1), "min_cluster_size"),
        (lambda: envoy.ZoneAwareLbConfig(fail_traffic_on_panic=1), "fail_traffic_on_panic"),
        (lambda: envoy.ZoneAwareLbConfig(force_local_zone=1), "force_local_zone"),
        (lambda: envoy.ZoneAwareLbConfig(locality_basis=1), "locality_basis"),
        (lambda: envoy.ForceLocalZone(-1), "min_size"),
        (lambda: envoy.Callers("a"), "locality"),
        (lambda: envoy.Callers(A, -1), "hosts"),
        (lambda: envoy.Callers(A, 2, 3), "unhealthy"),
        (lambda: envoy.Callers(A, 2, 1, 0), "weight"),
        (lambda: envoy.ClientSideWeightedRoundRobin(blackout_period=-1), "blackout_period"),
        (lambda: envoy.ClientSideWeightedRoundRobin(weight_expiration_period=-1), "weight_expiration_period"),
        (lambda: envoy.ClientSideWeightedRoundRobin(weight_update_period=math.nan), "weight_update_period"),
        (lambda: envoy.ClientSideWeightedRoundRobin(error_utilization_penalty=-0.1), "error_utilization_penalty"),
        (
            lambda: envoy.ClientSideWeightedRoundRobin(metric_names_for_computing_utilization="x"),
            "metric_names_for_computing_utilization",
        ),
        (lambda: envoy.WrrLocality(envoy.RoundRobin()), "endpoint_picking_policy"),
        (lambda: envoy.OrcaLoadReport(cpu_utilization=-1), "cpu_utilization"),
        (lambda: envoy.OrcaLoadReport(named_metrics=3), "named_metrics"),
        (lambda: envoy.OrcaLoadReport(named_metrics={"x": math.nan}), "named_metrics['x']"),
        (lambda: Edf([]), "weights"),
        (lambda: Edf([1.0, 0.0]), "weights[1]"),
        (lambda: Edf([1.0], -1), "picks"),
        (
            lambda: envoy.RoundRobin(locality_weighted_lb_config=True, zone_aware_lb_config=envoy.ZoneAwareLbConfig()),
            "zone_aware_lb_config",
        ),
    ],
)
def test_bad_parameters(make, name):
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.parameter == name


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0**32])
def test_weights_envoy_would_not_take_change_nothing(weight):
    picker = envoy.RoundRobin().build({"a:1": 1, "b:1": 2})
    first = [picker.pick().id for _ in range(3)]
    with pytest.raises(ConfigError) as caught:
        envoy.RoundRobin().build({"a:1": 1, "b:1": weight}, previous=picker)
    assert (caught.value.parameter, caught.value.value) == ("weights['b:1']", weight)
    other = envoy.RoundRobin().build({"a:1": 1, "b:1": 2})
    assert first == [other.pick().id for _ in range(3)]
    assert [picker.pick().id for _ in range(30)] == [other.pick().id for _ in range(30)]


def test_numbers_envoy_takes_for_its_default():
    assert (
        envoy.LeastRequest(active_request_bias=-1.0)
        == envoy.LeastRequest()
        == envoy.LeastRequest(active_request_bias=math.nan)
    )
    assert envoy.SlowStartConfig(1.0, aggression=-2) == envoy.SlowStartConfig(1.0)
    assert envoy.SlowStartConfig(1.0, aggression=math.nan) == envoy.SlowStartConfig(1.0)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 2**64 - 1))
def test_the_start_is_what_that_many_picks_leave(weights, start):
    """A start after P picks goes on like a scheduler that made them, up to the ties that 1e-13 decides."""
    edf = Edf(weights, start)
    edf.check_invariants()
    total, period = sum(weights), sum(weights)
    counts = collections.Counter(edf.pick(weights.__getitem__) for _ in range(period))
    assert all(abs(counts[i] - w * period / total) <= 1 for i, w in enumerate(weights))
    edf.check_invariants()


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8, unique=True), st.integers(0, 3000))
def test_small_starts_are_picks(weights, start):
    """Counts after P + n picks from 0 and after n picks from P differ by at most one for each host."""
    slow, quick = Edf(weights, 0), Edf(weights, start)
    done = collections.Counter(slow.pick(weights.__getitem__) for _ in range(start))
    assert all(abs(done[i] - int(w * start / sum(weights))) <= len(weights) for i, w in enumerate(weights))
    assert quick.now == pytest.approx(slow.now, abs=2.0)


def test_indices_survive_updates_and_are_apart():
    """The index goes on over a change of members; in panic another one is in use."""
    policy = envoy.RoundRobin()
    picker = policy.build(["a:1", "b:1", "c:1"])
    assert [picker.pick().id for _ in range(4)] == ["a:1", "b:1", "c:1", "a:1"]
    picker = policy.build(["a:1", "b:1", "c:1", "d:1", "e:1"], previous=picker)
    assert picker.pick().id == "e:1", "index 4 of 5"
    sick = View.of(["a:1", "b:1", "c:1"], states={"a:1": State.UNHEALTHY, "b:1": State.UNHEALTHY})
    picker = policy.build(sick, previous=picker)
    assert [picker.pick().id for _ in range(2)] == ["a:1", "b:1"], "the index of all hosts is at its start"
    picker = policy.build(["a:1", "b:1", "c:1"], previous=picker)
    assert picker.pick().id == "c:1", "index 5 of 3"


def test_a_scheduler_starts_anew_at_every_change_but_not_without_one():
    policy = envoy.RoundRobin(edf_start=29_499_642)
    weights = {"a:1": 1, "b:1": 2, "c:1": 3}
    picker = policy.build(weights)
    start = [picker.pick().id for _ in range(4)]
    assert start == ["c:1", "b:1", "c:1", "a:1"]
    picker = policy.build(weights, previous=picker)
    assert picker.pick().id == "b:1", "nothing has changed"
    picker = policy.build({**weights, "d:1": 1}, previous=picker)
    picker = policy.build(weights, previous=picker)
    assert [picker.pick().id for _ in range(4)] == start, "from the same point again: frequent updates favour c:1"


def test_a_priority_that_has_not_changed_goes_on():
    def pool(extra):
        return [
            *(envoy.Host(f"{i}:1", i + 1, priority=1) for i in range(3)),
            *(envoy.Host(f"x{i}:1", priority=0) for i in range(extra)),
        ]

    policy = envoy.RoundRobin(edf_start=1)
    sick = {f"x{i}:1": State.UNHEALTHY for i in range(3)}
    kept = policy.build(View.of(pool(2), states={k: v for k, v in sick.items() if k != "x2:1"}))
    alone = policy.build(pool(0))
    picks = [kept.pick().id for _ in range(4)]
    assert picks == [alone.pick().id for _ in range(4)]
    kept = policy.build(View.of(pool(3)[::-1][::-1], states=sick), previous=kept)
    assert [kept.pick().id for _ in range(9)] == [alone.pick().id for _ in range(9)]


def test_reseeding_moves_what_the_policy_left_open():
    def first(policy, seed):
        picker = policy.build([f"{i}:1" for i in range(97)])
        picker.reseed(seed)
        return picker.pick().id

    assert len({first(envoy.RoundRobin(), seed) for seed in range(20)}) > 10
    assert {first(envoy.RoundRobin(start=5), seed) for seed in range(5)} == {"5:1"}
    assert len({first(envoy.Random(), seed) for seed in range(20)}) > 10


def test_panic():
    """Below half, all hosts of the priority are used, DRAINING ones too; with fail_traffic_on_panic nobody is."""
    states = {"a:1": State.UNHEALTHY, "b:1": State.UNHEALTHY, "c:1": State.DRAINING}
    view = View.of(["a:1", "b:1", "c:1", "d:1"], states=states)
    for policy in (envoy.RoundRobin(), envoy.LeastRequest(), envoy.Random()):
        picker = policy.build(view)
        assert {picker.pick().id for _ in range(200)} == {"a:1", "b:1", "c:1", "d:1"}
        calm = type(policy)(healthy_panic_threshold=0).build(view)
        assert {calm.pick().id for _ in range(50)} == {"d:1"}
        failing = type(policy)(zone_aware_lb_config=envoy.ZoneAwareLbConfig(fail_traffic_on_panic=True)).build(view)
        with pytest.raises(NoBackend, match="no backend is eligible"):
            failing.pick()
        assert list(failing.walk()) == []


def test_degraded_hosts_serve_what_the_healthy_cannot():
    states = {"b:1": State.DEGRADED, "c:1": State.DEGRADED, "d:1": State.UNHEALTHY}
    picker = envoy.RoundRobin().build(View.of(["a:1", "b:1", "c:1", "d:1"], states=states))
    assert picker.load.load.healthy == (35,) and picker.load.load.degraded == (65,)
    counts = collections.Counter(picker.pick().id for _ in range(4000))
    assert set(counts) == {"a:1", "b:1", "c:1"}
    assert abs(counts["b:1"] - counts["c:1"]) <= 1
    assert abs(counts["a:1"] - 1400) < 160, "Bernstein's bound at 1e-6 is 162"


def test_exclusion_spends_turns_and_never_gives_an_excluded_host():
    picker = envoy.RoundRobin().build(["a:1", "b:1", "c:1"])
    assert picker.pick(exclude={"a:1"}).id == "b:1"
    assert picker.pick().id == "c:1", "the turn of a:1 was spent"
    order = [host.id for host in picker.walk()]
    assert order == ["a:1", "b:1", "c:1"]
    assert picker.pick(exclude={"a:1", "b:1"}).id == "c:1"


def test_localities_of_a_priority_take_turns_by_effective_weight():
    hosts = [
        envoy.Host(f"{zone[1]}{i}:1", locality=zone, locality_weight=w)
        for zone, w in ((A, 1), (B, 3))
        for i in range(2)
    ]
    picker = envoy.RoundRobin(locality_weighted_lb_config=True, locality_start=0).build(hosts)
    counts = collections.Counter(picker.pick().id[0] for _ in range(400))
    assert counts == {"a": 100, "b": 300}
    half = View.of(hosts, states={"b0:1": State.UNHEALTHY})
    picker = envoy.RoundRobin(locality_weighted_lb_config=True, locality_start=0).build(half)
    counts = collections.Counter(picker.pick().id for _ in range(3100))
    assert counts["b1:1"] == pytest.approx(3100 * 2.1 / 3.1, abs=1), "half of the hosts at 140 % is 0.7"
    assert envoy.Random(locality_weighted_lb_config=True).build(hosts).pick().id


def test_localities_without_weight_take_no_turns():
    assert not LocalityTurns([0.0, 0.0], 3)
    hosts = [envoy.Host("a:1", locality=A), envoy.Host("b:1", locality=B)]
    picker = envoy.RoundRobin(locality_weighted_lb_config=True).build(hosts)
    assert [picker.pick().id for _ in range(2)] == ["a:1", "b:1"], "as if nothing was said"


FLEET = (envoy.Callers(A, 4), envoy.Callers(B, 4), envoy.Callers(C, 2))


def upstream(**zones):
    return [envoy.Host(f"{z}{i}:1", locality=("", z, "")) for z, n in zones.items() for i in range(n)]


def routing(hosts, callers=FLEET, own=A, **config):
    (p0,) = envoy.host_sets(hosts, [0] * len(hosts), own)
    return envoy.zone_routing(p0, hosts, callers, own, envoy.ZoneAwareLbConfig(**config))


def test_when_localities_are_not_looked_at():
    assert routing(upstream(a=6)) is None, "one locality of hosts"
    assert routing(upstream(a=3, b=3), callers=(envoy.Callers(A, 4),)) is None, "one locality of callers"
    forced = routing(upstream(a=3, b=3), callers=(envoy.Callers(A, 4),), force_local_zone=envoy.ForceLocalZone())
    assert forced is not None and forced.direct
    assert routing(upstream(a=3, b=3), own=("", "z", "")) is None, "no caller in the own locality"
    assert routing(upstream(a=3, b=3), own=None) is None
    assert routing(upstream(a=2, b=3)) is None, "fewer than 6"
    assert routing(upstream(a=2, b=3), min_cluster_size=5) is not None
    sick = (envoy.Callers(A, 4, 3), envoy.Callers(B, 4, 3))
    assert routing(upstream(a=3, b=3), callers=sick).fleet_in_panic


def test_residual_capacity_without_any_left_is_spread_evenly():
    zones = envoy.ZoneRouting(False, 0, (0, 0, 0))
    draws = iter([9999, 5])
    assert zones.choose(draws.__next__) == 2
    assert zones.shares() == (1 / 3, 1 / 3, 1 / 3)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_shares_are_what_choose_gives(serving, calling):
    hosts = upstream(**{"abcde"[i]: n for i, n in enumerate(serving)})
    callers = tuple(envoy.Callers(("", "abcde"[i], ""), n) for i, n in enumerate(calling))
    zones = routing(hosts, callers, min_cluster_size=1)
    assert sum(zones.shares()) == pytest.approx(1.0)
    assert all(share >= 0 for share in zones.shares())
    picked = {zones.choose(iter([first, second]).__next__) for first in (0, 9999) for second in range(0, 20000, 97)}
    assert picked <= {i for i, share in enumerate(zones.shares()) if share > 0}


def test_a_fleet_in_panic_is_not_gone_by():
    sick = (envoy.Callers(A, 4, 3), envoy.Callers(B, 4, 3))
    for fails in (False, True):
        config = envoy.ZoneAwareLbConfig(fail_traffic_on_panic=fails)
        picker = envoy.RoundRobin(zone_aware_lb_config=config, local_cluster=sick, local_locality=A).build(
            upstream(a=9, b=3)
        )
        if fails:
            with pytest.raises(NoBackend):
                picker.pick()
        else:
            assert {picker.pick().id[0] for _ in range(12)} == {"a", "b"}


def test_routing_enabled_is_a_chance():
    config = envoy.ZoneAwareLbConfig(routing_enabled=25.9)
    policy = envoy.Random(zone_aware_lb_config=config, local_cluster=FLEET, local_locality=A)
    picker = policy.build(upstream(a=10, b=10))
    assert routing(upstream(a=10, b=10)).direct
    local = sum(picker.pick().id[0] == "a" for _ in range(8000))
    assert abs(local - 8000 * (0.25 + 0.75 / 2)) < 250, "Bernstein's bound at 1e-6 is 244"


def test_slow_start_in_a_balancer():
    """A host that joins has a tenth of its weight at first, and all of it after the window."""
    clock = FakeClock()
    policy = envoy.RoundRobin(slow_start_config=envoy.SlowStartConfig(10.0))
    pool = lb.Balancer(policy, ["a:1", "b:1", "c:1"], clock=clock, seed=1, signals=[])
    clock.advance(100.0)
    pool.acquire().done()
    pool.update(["a:1", "b:1", "c:1", "new:1"])

    def share(n=310):
        return sum(lease.backend.id == "new:1" for lease in (pool.acquire() for _ in range(n))) / n

    assert share() == pytest.approx(0.1 / 3.1, abs=1 / 300)
    clock.advance(5.0)
    share()
    assert share() == pytest.approx(0.5 / 3.5, abs=1 / 150)
    clock.advance(6.0)
    share()
    assert share() == pytest.approx(1 / 4, abs=1 / 150)


def test_a_host_in_slow_start_waits_for_its_turn_though_it_is_warm_by_then():
    """The weight is read when a host goes back in: a long pause does not help the one that went in at a thousandth."""
    slow = envoy.SlowStartConfig(10.0, min_weight_percent=0.1)
    policy = envoy.RoundRobin(slow_start_config=slow, edf_start=0)
    picker = policy.build(["a:1"])
    picker.load.advance(0.0)
    picker.load.advance(100.0)
    picker = policy.build(["a:1", "new:1"], previous=picker)
    picker.load.advance(200.0)
    picks = [picker.pick().id for _ in range(1002)]
    assert picks.index("new:1") >= 999, "its deadline was set at a thousandth of the weight"


@pytest.mark.parametrize("checked", [False, True])
def test_which_return_begins_a_slow_start(checked):
    policy = envoy.RoundRobin(slow_start_config=envoy.SlowStartConfig(10.0), active_health_checks=checked)
    picker = policy.build(["a:1", "b:1"])
    picker.load.advance(0.0)
    picker.load.advance(100.0)
    picker = policy.build(View.of(["a:1", "b:1"], states={"b:1": State.UNHEALTHY}), previous=picker)
    picker.load.advance(200.0)
    picker = policy.build(["a:1", "b:1"], previous=picker)
    assert picker.load.healthy_since == {0: 0.0, 1: 200.0 if checked else 0.0}
    assert bool(picker.load._schedulers) is checked


def test_least_request_by_weight_reads_what_is_in_flight():
    policy = envoy.LeastRequest(edf_start=0)
    pool = lb.Balancer(policy, {"a:1": 1, "b:1": 2}, seed=1)
    leases = [pool.acquire() for _ in range(30)]
    counts = collections.Counter(lease.backend.id for lease in leases)
    assert counts["b:1"] > counts["a:1"] > 8, "the root of the weights, not their ratio"
    for lease in leases:
        lease.done()
    assert pool.stats().open_leases == 0
    assert pool.picker.load.at(0) == 0.0
    pool.picker.check_invariants()


def test_a_departed_host_is_forgotten_and_its_requests_end_quietly():
    pool = lb.Balancer(envoy.LeastRequest(), ["a:1", "b:1"], seed=1, forget_after=0.0)
    leases = [pool.acquire() for _ in range(8)]
    pool.update(["a:1"])
    pool.update(["a:1", "c:1"])
    for lease in leases:
        lease.done(Outcome.SERVER_ERROR)
    assert all(pool.picker.load.at(row) == 0.0 for row in range(4))
    assert {pool.acquire().backend.id for _ in range(40)} == {"a:1", "c:1"}


def test_an_ejected_host_is_left_out():
    clock = FakeClock()
    detector = envoy.OutlierDetector(envoy.OutlierDetection(consecutive_5xx=2, max_ejection_percent=50))
    pool = lb.Balancer(envoy.RoundRobin(), ["a:1", "b:1", "c:1"], signals=[detector], clock=clock, seed=1)
    clock.advance(4.0)
    for _ in range(12):
        with pool.acquire() as lease:
            lease.status(500 if lease.backend.id == "b:1" else 200)
    assert {pool.acquire().backend.id for _ in range(9)} == {"a:1", "c:1"}
    clock.advance(31.0)
    pool.advance()
    assert {pool.acquire().backend.id for _ in range(9)} == {"a:1", "c:1"}, "returns are on ticks only"
    clock.advance(5.0)
    pool.advance()
    assert {pool.acquire().backend.id for _ in range(9)} == {"a:1", "b:1", "c:1"}


def weighted(**given):
    return envoy.ClientSideWeightedRoundRobin(**given).build(["a:1", "b:1", "c:1"])


def report(picker, row, now, cpu=0.5, qps=100.0):
    picker.load.reported(row, envoy.OrcaLoadReport(cpu_utilization=cpu, rps_fractional=qps), now)


def test_weights_wait_for_the_blackout_and_expire():
    picker = weighted()
    picker.load.advance(0.0)
    for second in range(10):
        report(picker, 0, float(second))
        picker.load.advance(second + 0.5)
    assert picker.load.weights == [1, 1, 1]
    picker.load.advance(10.0)
    assert picker.load.weights == [200, 200, 200], "the median is for those who have said nothing"
    report(picker, 1, 10.5, qps=50.0)
    picker.load.advance(22.0)
    assert picker.load.weights == [200, 100, 150]
    picker.load.advance(189.0)
    assert picker.load.weights == [200, 100, 150], "180 s old is not too old"
    picker.load.advance(190.0)
    assert picker.load.weights == [100, 100, 100], "of the first nobody has heard for 181 s"
    report(picker, 0, 190.5, qps=25.0)
    picker.load.advance(192.0)
    assert picker.load.weights == [1, 1, 1], "the second has expired, the first is in its blackout again"


def test_utilisation_comes_from_the_configured_metrics_first():
    report = envoy.OrcaLoadReport(0.5, 0.3, 0.4, 100.0, 0.0, {"x": 0.8}, {"queue": 0.2, "disk": 0.1}, {"cost": 2.0})
    weigh = envoy.report_weight
    assert weigh(report) == 250, "the application's before the processor's"
    assert weigh(report, ("named_metrics.queue", "named_metrics.disk")) == 500
    assert weigh(report, ("named_metrics.*",)) == 500
    assert weigh(report, ("utilization.x", "mem_utilization")) == 125
    assert weigh(report, ("named_metrics.absent", "odd.x")) == 250
    assert weigh(report, ("request_cost.cost",)) == 50
    assert weigh(envoy.OrcaLoadReport(0.5, rps_fractional=100)) == 200
    assert weigh(envoy.OrcaLoadReport(rps_fractional=100, eps=10), penalty=2.0) == 500, "errors alone are utilisation"


def test_reports_through_a_balancer():
    clock = FakeClock()
    policy = envoy.ClientSideWeightedRoundRobin(blackout_period=0.0, edf_start=0)
    pool = lb.Balancer(policy, ["a:1", "b:1"], clock=clock, seed=1)
    pool.acquire().done()
    for id, cpu in (("a:1", 0.5), ("b:1", 0.25)):
        pool.report(id, envoy.OrcaLoadReport(cpu_utilization=cpu, rps_fractional=1000))
    pool.report("a:1", "of another kind")
    clock.advance(1.0)
    assert collections.Counter(pool.acquire().backend.id for _ in range(30)) == {"a:1": 10, "b:1": 20}
    pool.update(["b:1", "c:1"])
    assert pool.picker.load.weights == [4000, 1], "who joins has the configured weight until the next update"
    clock.advance(1.0)
    pool.acquire().done()
    assert pool.picker.load.weights == [4000, 4000]


def test_a_weight_of_zero_restarts_the_sequence_at_every_update():
    picker = weighted(blackout_period=0.0, edf_start=0)
    picker.load.advance(0.0)
    for row, qps in enumerate((0.1, 1000.0, 1000.0)):
        report(picker, row, 0.0, qps=qps)
    picker.load.advance(1.0)
    assert picker.load.weights == [1, 2000, 2000]
    starts = []
    for second in range(2, 5):
        starts.append(picker.pick().id)
        picker.load.advance(float(second))
    assert starts == ["b:1", "b:1", "b:1"]


def test_wrr_locality_is_its_inside_with_localities_weighted():
    policy = envoy.WrrLocality()
    hosts = [envoy.Host("a:1", locality=A, locality_weight=1), envoy.Host("b:1", locality=B, locality_weight=2)]
    picker = policy.build(hosts)
    assert picker.policy.locality_weighted_lb_config
    assert picker.machine is policy.build(hosts, previous=picker).machine
    assert collections.Counter(picker.pick().id for _ in range(300)) == {"a:1": 100, "b:1": 200}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(2, 4), st.booleans())
@settings(max_examples=40)
def test_choices_follow_their_law(active, choices, full):
    law = envoy.choice_law(active, choices, full_scan=full)
    assert sum(law) == pytest.approx(1.0)
    method = envoy.SelectionMethod.FULL_SCAN if full else envoy.SelectionMethod.N_CHOICES
    picker = envoy.LeastRequest(choice_count=choices, selection_method=method).build(
        [f"{i}:1" for i in range(len(active))]
    )
    for row, busy in enumerate(active):
        for _ in range(busy):
            picker.load.started(row, 1.0, 0.0)
    n, log = 500, math.log(2e6 * len(active))
    counts = collections.Counter(picker.pick().id for _ in range(n))
    for i, p in enumerate(law):
        slack = log / 3 + math.sqrt(log * log / 9 + 2 * log * n * p * (1 - p))
        assert abs(counts[f"{i}:1"] - n * p) <= (slack if 0 < p < 1 else 0)


def test_traffic_stays_local_until_that_is_busier():
    hosts = [envoy.Host(f"{z[1]}{i}:1", locality=z) for z in (A, B) for i in range(2)]
    policy = envoy.LoadAwareLocality(local_locality=A, remote_probe_fraction=0.1, weight_expiration_period=60.0)
    clock = FakeClock()
    pool = lb.Balancer(policy, hosts, clock=clock, seed=1)

    def away(n=4000):
        leases = [pool.acquire() for _ in range(n)]
        for lease in leases:
            lease.done()
        return sum(lease.backend.id[0] == "b" for lease in leases) / n

    def say(zone, cpu):
        for i in range(2):
            pool.report(f"{zone}{i}:1", envoy.OrcaLoadReport(cpu_utilization=cpu))
        clock.advance(1.0)

    noise = 0.035  # Bernstein's bound at 1e-6 is 0.043 for a half and 0.028 for a tenth
    assert abs(away() - 0.1) < noise
    say("b", 0.5)
    say("a", 0.55)
    assert abs(away() - 0.1) < noise, "within the threshold"
    say("a", 0.75)
    assert abs(away() - 2 / 3) < 0.043
    say("a", 1.5)
    assert away() == 1.0
    say("b", 2.0)
    assert abs(away() - 0.5) < 0.043, "all overloaded: by number of hosts"
    clock.advance(100.0)
    assert abs(away() - 0.1) < noise, "nothing is known any more"
    pool.update(hosts[2:])
    assert away(20) == 1.0


def test_utilization_is_smoothed():
    policy = envoy.LoadAwareLocality(local_locality=A, smoothing_time_constant=10.0, remote_probe_fraction=0.0)
    picker = policy.build([envoy.Host("a:1", locality=A), envoy.Host("b:1", locality=B)])
    picker.load.advance(0.0)
    picker.load.reported(0, envoy.OrcaLoadReport(cpu_utilization=0.0), 0.5)
    picker.load.advance(1.0)
    picker.load.reported(0, envoy.OrcaLoadReport(application_utilization=1.0), 1.5)
    picker.load.advance(2.0)
    assert picker.load.shares == (1.0, 0.0), "a tenth of the way"
    picker.load.advance(12.0)
    assert picker.load.shares[0] == pytest.approx(math.exp(-1.1) / (1 + math.exp(-1.1)))
    picker.check_invariants()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint_picking_policy", 3),
        ("local_locality", "a"),
        ("weight_update_period", 0),
        ("utilization_variance_threshold", -1),
        ("smoothing_time_constant", -1),
        ("remote_probe_fraction", 1.5),
        ("weight_expiration_period", math.nan),
    ],
)
def test_bad_load_aware_settings(name, value):
    with pytest.raises(ConfigError) as caught:
        envoy.LoadAwareLocality(**{name: value})
    assert caught.value.parameter in (name, "policy")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 2)), min_size=1, max_size=5),
    st.booleans(),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_load_aware_shares_are_shares(places, local, threshold, probe):
    hosts, busy = zip(*places, strict=True)
    shares = envoy.load_aware_shares(hosts, busy, local=local, threshold=threshold, probe=probe)
    assert sum(shares) == pytest.approx(1.0) and min(shares) >= 0.0
    if sum(hosts):
        assert all(share == 0.0 or n for share, n in zip(shares, hosts, strict=True))
    if local and hosts[0] and sum(hosts[1:]) and any(n and u < 1.0 for n, u in places):
        assert 1.0 - shares[0] >= probe - 1e-9
