"""Weighted round robin by reports: against A58's pseudo-code, transcribed, over drawn histories."""

import json
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, State, UnknownBackend, View
from lbalgo.compat.grpc import (
    Endpoint,
    OrcaReport,
    Variant,
    WeightedRoundRobin,
    normalized_weights,
    raw_weights,
    strides,
    utilization,
    weight_of,
)
from lbalgo.compat.states import FixedStates
from lbalgo.testing import FakeClock


class Subchannel:
    """UpdateWeight, OnSubchannelBecomesReady and GetWeight of A58."""

    def __init__(self):
        self.non_empty_since = math.inf
        self.last_updated = -math.inf
        self.weight = 0.0

    def update(self, qps, eps, used, penalty, now):
        if used > 0 and qps > 0:
            used += eps / qps * penalty
        new = 0 if used == 0 else qps / used
        if new == 0:
            return
        if self.non_empty_since == math.inf:
            self.non_empty_since = now
        self.last_updated, self.weight = now, new

    def get(self, now, expiration, blackout):
        if now - self.last_updated >= expiration:
            self.non_empty_since = math.inf
            return 0
        if blackout > 0 and now - self.non_empty_since < blackout:
            return 0
        return self.weight


events = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 12)),
        st.tuples(
            st.just("report"), st.integers(0, 2), st.sampled_from([0, 1, 10, 30]), st.sampled_from([0, 1, 5]),
            st.sampled_from([0.0, 0.25, 0.5]),
        ),
        st.tuples(st.just("ready"), st.sets(st.integers(0, 2))),
    ),
    max_size=40,
)  # fmt: skip


@given(events, st.sampled_from([0, 3, 10]), st.sampled_from([4, 20]), st.sampled_from([1, 3]), st.sampled_from(Variant))
def test_as_the_pseudo_code(history, blackout, expiration, period, variant):
    ids = ["a", "b", "c"]
    policy = WeightedRoundRobin(
        blackout_period=float(blackout),
        weight_expiration_period=float(expiration),
        weight_update_period=float(period),
        variant=variant,
    )
    picker = policy.build(ids)
    picker.machine.advance(0.0)
    model, up, now, due = [Subchannel() for _ in ids], [0, 1, 2], 0, period
    expected = strides([0.0] * 3, variant)
    for event in history:
        if event[0] == "wait":
            for _ in range(event[1]):  # second by second, as a timer would
                now += 1
                if now == due:
                    due += period
                    expected = strides([model[i].get(now, expiration, blackout) for i in up], variant)
            picker.machine.advance(float(now))
        elif event[0] == "report":
            _, i, qps, eps, used = event
            model[i].update(qps, eps, used, 1.0, now)
            report = OrcaReport(application_utilization=used, rps_fractional=float(qps), eps=float(eps))
            picker.machine.reported(i, report, float(now))
        else:
            wanted = sorted(event[1])
            if wanted != up:
                for i in set(wanted) - set(up):
                    model[i].non_empty_since = math.inf
                up, due = wanted, now + period
                expected = strides([model[i].get(now, expiration, blackout) for i in up], variant)
            states = {ids[i]: State.UNHEALTHY for i in range(3) if i not in up}
            picker = policy.build(View.of(ids, states=states), previous=picker)
        assert picker.machine.strides == expected
        assert picker.machine.rows == up
        picker.check_invariants()


@pytest.mark.parametrize(
    ("report", "names", "used"),
    [
        (OrcaReport(cpu_utilization=0.3), (), 0.3),
        (OrcaReport(cpu_utilization=0.3, application_utilization=0.2), (), 0.2),
        (OrcaReport(cpu_utilization=0.3, mem_utilization=0.9), ("mem_utilization",), 0.9),
        (OrcaReport(named_metrics={"q.x": 0.4, "r": 0.6}), ("named_metrics.q.x",), 0.4),
        (OrcaReport(named_metrics={"q": 0.4}, utilization={"q": 0.7}), ("named_metrics.q", "utilization.q"), 0.7),
        (OrcaReport(cpu_utilization=0.3, named_metrics={"q": math.nan}), ("named_metrics.q",), 0.3),
        (OrcaReport(cpu_utilization=0.3, named_metrics={"q": -1.0}), ("named_metrics.q", "nonsense", "no.such"), 0.3),
    ],
)
def test_utilization(report, names, used):
    assert utilization(report, names) == used


def test_weights_by_hand():
    report = OrcaReport(cpu_utilization=0.5, rps_fractional=100.0, eps=25.0)
    assert weight_of(report, 0.0) == 200.0
    assert weight_of(report, 1.0) == 100 / 0.75
    assert weight_of(OrcaReport(cpu_utilization=0.5, eps=3.0)) == 0.0
    with pytest.raises(ConfigError, match="rps_fractional"):
        weight_of(OrcaReport(cpu_utilization=1e-300, rps_fractional=1e100))


def test_in_a_balancer():
    clock = FakeClock()
    balancer = Balancer(WeightedRoundRobin(blackout_period=0.0), ["a", "b", "c"], clock=clock, seed=0)
    for id, qps in {"a": 40.0, "b": 20.0, "c": 20.0}.items():
        balancer.report(id, OrcaReport(cpu_utilization=1.0, rps_fractional=qps))
    clock.advance(1.0)
    served = [balancer.acquire().backend.id for _ in range(400)]
    assert abs(served.count("a") - 200) <= 2
    balancer.update(["a", "c"])
    assert {balancer.acquire().backend.id for _ in range(20)} == {"a", "c"}
    balancer.update(["a", "b", "c"])
    assert balancer.picker.machine.strides == strides([40.0, 0.0, 20.0]), "b is forgotten, and counts as the mean"
    clock.advance(180.0)
    balancer.acquire().done()
    assert balancer.picker.machine.strides is None, "expired"
    with pytest.raises(UnknownBackend):
        balancer.report("z", OrcaReport())
    with pytest.raises(ConfigError, match="report"):
        balancer.report("a", {"cpu": 1})


def test_the_counter_goes_on_over_rebuilds():
    policy = WeightedRoundRobin(start=7)
    picker = policy.build(["a", "b", "c"])
    first = [picker.pick().id for _ in range(4)]
    assert first == ["b", "c", "a", "b"]
    after = policy.build(View.of(["a", "b", "c"], states={"a": State.UNHEALTHY}), previous=picker)
    assert after.pick().id == "c"  # number 11 of two


def test_exclude_and_walk():
    picker = WeightedRoundRobin(blackout_period=0.0).build(["a", "b", "c"])
    for row, qps in enumerate((100.0, 1.0, 50.0)):
        picker.machine.reported(row, OrcaReport(cpu_utilization=1.0, rps_fractional=qps), 0.0)
    picker.machine.advance(1.0)
    assert sorted(backend.id for backend in picker.walk()) == ["a", "b", "c"]
    assert next(picker.walk()).id == picker.pick().id
    assert {picker.pick(exclude=["a"]).id for _ in range(50)} == {"b", "c"}
    with pytest.raises(NoBackend) as refused:
        picker.pick(exclude=["a", "b", "c"])
    assert refused.value.reason == "excluded"


def test_skipping_ahead_is_turning_on():
    """A request that excludes some comes out where turning one by one would, at the counter's wrap too."""
    for start in (0, 11, 2**32 - 3):
        picker = WeightedRoundRobin(blackout_period=0.0, start=start).build(["a", "b", "c"])
        for row, qps in enumerate((100.0, 7.0, 50.0)):
            picker.machine.reported(row, OrcaReport(cpu_utilization=1.0, rps_fractional=qps), 0.0)
        picker.machine.advance(1.0)
        one = pickle.loads(pickle.dumps(picker))
        got = picker.pick(exclude=["a", "c"]).id
        for _ in range(10**4):
            if (slow := one.pick().id) == "b":
                break
        assert got == slow == "b" and picker.machine.sequence == one.machine.sequence


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"blackout_period": -1.0}, "blackout_period"),
        ({"weight_expiration_period": 0.0}, "weight_expiration_period"),
        ({"weight_update_period": "1s"}, "weight_update_period"),
        ({"error_utilization_penalty": -0.5}, "error_utilization_penalty"),
        ({"metric_names_for_computing_utilization": "cpu"}, "metric_names_for_computing_utilization"),
        ({"variant": "go"}, "variant"),
        ({"start": 2**32}, "start"),
    ],
)
def test_bad_parameters(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        WeightedRoundRobin(**fields)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"cpu_utilization": "1"}, "cpu_utilization"),
        ({"rps_fractional": -1.0}, "rps_fractional"),
        ({"eps": math.nan}, "eps"),
        ({"mem_utilization": math.inf}, "mem_utilization"),
        ({"named_metrics": [("a", 1.0)]}, "named_metrics"),
        ({"utilization": {"a": None}}, "utilization['a']"),
    ],
)
def test_bad_reports(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        OrcaReport(**fields)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("weight", [0.5, 0.0, 2.0**32])
def test_weights_no_uint32_are_refused_and_nothing_changes(weight):
    policy = WeightedRoundRobin()
    picker = policy.build({"a": 1, "b": 2})
    before = (list(picker.machine.rows), picker.machine.sequence)
    with pytest.raises(ConfigError) as refused:
        policy.build({"a": 1, "b": weight}, previous=picker)
    assert (refused.value.parameter, refused.value.value) == ("weights['b']", weight)
    assert (picker.machine.rows, picker.machine.sequence) == before


def test_round_trips():
    policy = WeightedRoundRobin(metric_names_for_computing_utilization=("named_metrics.q",), variant=Variant.GO)
    assert WeightedRoundRobin.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    with pytest.raises(ConfigError):
        WeightedRoundRobin.from_dict({"odd": 1})


def test_only_the_ready_are_used():
    fixed = FixedStates({"b": State.UNHEALTHY, "c": State.DRAINING, "d": State.DEGRADED})
    balancer = Balancer(WeightedRoundRobin(), [Endpoint(id) for id in "abcd"], signals=[fixed], seed=3)
    assert {balancer.acquire().backend.id for _ in range(8)} == {"a"}
    with pytest.raises(NoBackend):
        WeightedRoundRobin().build([]).pick()


def test_locality_weights():
    tree = [(3, [1, 1]), (1, [100])]
    assert raw_weights(tree) == [[3, 3], [100]]
    one = 2**31
    assert normalized_weights(tree) == [[(one * 3 // 4) * (one // 2) >> 31] * 2, [one // 4]]
    assert normalized_weights([(1, [1, 2**31])])[0][0] == 1, "at least 1"
    for bad, parameter in (([(0, [1])], "localities[0].weight"), ([(1, [1, 0])], "localities[0].endpoints[1]")):
        with pytest.raises(ConfigError) as refused:
            normalized_weights(bad)
        assert refused.value.parameter == parameter
    with pytest.raises(ConfigError, match="sum"):
        normalized_weights([(1, [2**31, 2**31])])


localities = st.tuples(st.integers(1, 100), st.lists(st.integers(1, 100), min_size=1, max_size=4))


@given(st.lists(localities, min_size=1, max_size=4))
def test_normalised_weights_are_products_of_shares(tree):
    total = sum(weight for weight, _ in tree)
    for (weight, endpoints), found in zip(tree, normalized_weights(tree), strict=True):
        for each, got in zip(endpoints, found, strict=True):
            assert abs(got / 2**31 - weight / total * each / sum(endpoints)) < 3 / 2**31


def test_defaults():
    """A58's; Envoy's penalty is 0."""
    policy = WeightedRoundRobin()
    assert (policy.blackout_period, policy.weight_expiration_period, policy.weight_update_period) == (10.0, 180.0, 1.0)
    assert policy.error_utilization_penalty == 1.0


def test_who_expired_begins_a_blackout_anew():
    picker = WeightedRoundRobin(blackout_period=5.0, weight_expiration_period=8.0).build(["a", "b"])
    machine, report = picker.machine, OrcaReport(cpu_utilization=1.0, rps_fractional=4.0)
    machine.reported(0, report, 0.0)
    for now, known in ((4.0, False), (5.0, True), (7.0, True), (8.0, False)):
        machine.advance(now)
        assert (machine.strides is not None) == known
    machine.reported(0, report, 9.0)
    for now, known in ((13.0, False), (14.0, True)):
        machine.advance(now)
        assert (machine.strides is not None) == known


def test_an_update_period_below_a_tenth_counts_as_one():
    picker = WeightedRoundRobin(blackout_period=0.0, weight_update_period=0.001).build(["a", "b"])
    picker.machine.reported(0, OrcaReport(cpu_utilization=1.0, rps_fractional=4.0), 0.0)
    picker.machine.advance(0.09)
    assert picker.machine.strides is None
    picker.machine.advance(0.1)
    assert picker.machine.strides is not None
