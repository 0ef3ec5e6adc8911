"""Weighted by report: gRPC's weights and turns, a controller's steps by hand, and a plant that it evens out."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.compat.grpc.stride import Variant, strides, turn
from lbalgo.policies.orca_weights import OrcaWeights
from lbalgo.policies.pid_weights import PidWeights
from lbalgo.policies.weighted_by_report import WeightedByReport
from lbalgo.report import Report

NOW = OrcaWeights(blackout=0.0)


def heard(policy, reports, pool=None, at=0.0, until=1.0):
    picker = policy.build(pool or [f"b{i}" for i in range(len(reports))])
    for row, report in enumerate(reports):
        if report is not None:
            picker.load.reported(row, report, at)
    picker.load.advance(until)
    return picker


@pytest.mark.parametrize(
    ("report", "errors", "weight"),
    [
        (Report(0.5, qps=100.0), 1.0, 200.0),
        (Report(0.5, qps=100.0, eps=50.0), 1.0, 100.0),
        (Report(0.5, qps=100.0, eps=50.0), 0.0, 200.0),
        (Report(0.25, qps=10.0, eps=1.0), 2.5, 20.0),
        (Report(2.0, qps=100.0), 1.0, 50.0),
        (Report(0.0, qps=100.0), 1.0, 0.0),
        (Report(0.5), 1.0, 0.0),
    ],
)
def test_the_weight_of_a_report(report, errors, weight):
    assert OrcaWeights(errors=errors).measured(report) == pytest.approx(weight, rel=1e-14)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=12))
def test_turns_are_those_of_grpc(qps):
    """As grpc-go schedules equal weights and others, but for where it begins; within the bounds both are the same."""
    picker = heard(WeightedByReport(NOW), [Report(0.5, qps=float(q)) for q in qps])
    scaled = strides([q / 0.5 for q in qps], Variant.GO)
    sequence, wanted = 0, []
    for _ in range(60):
        i, sequence = turn(scaled, len(qps), sequence)
        wanted.append(f"b{i}")
    assert [picker.pick().id for _ in range(60)] == wanted


def test_blackout_and_expiry():
    """Ten seconds of reports until they count, three minutes of silence until they do no more."""
    policy = WeightedByReport(OrcaWeights())
    picker = heard(policy, [Report(0.5, qps=30.0), Report(0.5, qps=10.0)], until=9.0)
    assert picker.weights().tolist() == [1.0, 1.0]
    for row, qps in enumerate((30.0, 10.0)):
        picker.load.reported(row, Report(0.5, qps=qps), 9.5)
    picker.load.advance(10.0)
    assert picker.weights().tolist() == [60.0, 20.0]
    picker.load.advance(189.0)
    assert picker.weights().tolist() == [60.0, 20.0]
    picker.load.advance(190.0)
    assert picker.weights().tolist() == [1.0, 1.0]
    for row, qps in enumerate((30.0, 10.0)):
        picker.load.reported(row, Report(0.5, qps=qps), 190.5)
    picker.load.advance(199.0)
    assert picker.weights().tolist() == [1.0, 1.0], "after silence the blackout begins anew"
    picker.load.advance(201.0)
    assert picker.weights().tolist() == [60.0, 20.0]


def test_silence_ends_between_two_steps():
    """The last report at 9.5 has expired at 189.5; one at 189.75 is the first of a new blackout, no step in between."""
    picker = heard(WeightedByReport(OrcaWeights()), [Report(0.5, qps=30.0), Report(0.5, qps=10.0)], until=9.0)
    for now in (9.5, 189.75, 195.0):
        for row, qps in enumerate((30.0, 10.0)):
            picker.load.reported(row, Report(0.5, qps=qps), now)
    picker.load.advance(199.0)
    assert picker.weights().tolist() == [1.0, 1.0]
    picker.load.advance(200.0)
    assert picker.weights().tolist() == [60.0, 20.0]


def test_weights_change_once_a_period():
    picker = heard(WeightedByReport(NOW), [Report(0.5, qps=30.0), Report(0.5, qps=10.0)], until=0.99)
    assert picker.weights().tolist() == [1.0, 1.0]
    picker.load.advance(1.0)
    assert picker.weights().tolist() == [60.0, 20.0] and picker.shares().round(4).tolist() == [0.75, 0.25]
    picker.load.reported(1, Report(0.5, qps=30.0), 1.5)
    assert picker.shares().round(4).tolist() == [0.75, 0.25]
    picker.load.advance(2.0)
    assert picker.shares().tolist() == [0.5, 0.5]


def test_the_unknown_are_as_the_known_are():
    """With equal weights the mean, as in gRPC; else the configured weight times what the known have over theirs."""
    reports = [Report(0.5, qps=30.0), Report(0.5, qps=10.0), None, None]
    assert heard(WeightedByReport(NOW), reports).weights().tolist() == [60.0, 20.0, 40.0, 40.0]
    pool = {"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}
    assert heard(WeightedByReport(NOW), reports, pool).weights().tolist() == [60.0, 20.0, 40.0, 0.0]
    one = heard(WeightedByReport(NOW), [Report(0.5, qps=30.0), None], {"a": 3.0, "b": 1.0})
    assert one.weights().tolist() == [3.0, 1.0], "one alone is no comparison"


def test_no_report_takes_everything_or_nothing():
    picker = heard(WeightedByReport(NOW), [Report(1e-9, qps=1e9), Report(0.5, qps=1.0), Report(0.5, qps=1.0)])
    mean = (1e18 + 4.0) / 3
    assert picker.weights().tolist() == [1e18, mean / 10, mean / 10]
    picker = heard(
        WeightedByReport(OrcaWeights(blackout=0.0, most=2.0)), [Report(0.1, qps=1.0)] + [Report(1.0, qps=1.0)] * 9
    )
    assert picker.weights().tolist() == pytest.approx([3.8, *[1.0] * 9])


SCALE = (1.3 + 1.3 + 1 / 1.5) / 3


@pytest.mark.parametrize(
    ("used", "worth"),
    [
        ((0.2, 0.6), (1.15, 0.85)),  # mean 0.4, errors 0.5 and -0.5, times 0.3
        ((0.5, 0.5), (1.0, 1.0)),
        ((0.0, 0.0), (1.0, 1.0)),
        # errors 1, 1, -2: 1.3, 1.3, and 1 - 0.6 is bounded to 1 / 1.5; then scaled to the mean 1
        ((0.0, 0.0, 0.6), (1.3 / SCALE, 1.3 / SCALE, 1 / 1.5 / SCALE)),
    ],
)
def test_one_step_by_hand(used, worth):
    weights = heard(WeightedByReport(PidWeights()), [Report(u) for u in used]).weights()
    assert weights.tolist() == pytest.approx(worth, rel=1e-14)


def test_two_steps_with_all_three_gains():
    """(0.2, 0.6) twice: errors +-0.5; sums 0.5, then 1; differences 0.5, then 0."""
    rule = PidWeights(proportional=0.2, integral=0.1, derivative=0.05)
    picker = heard(WeightedByReport(rule), [Report(0.2), Report(0.6)])
    first = 0.2 * 0.5 + 0.1 * 0.5 + 0.05 * 0.5
    assert picker.weights().tolist() == pytest.approx([1 + first, 1 - first])
    for row, used in enumerate((0.2, 0.6)):
        picker.load.reported(row, Report(used), 1.5)
    picker.load.advance(2.0)
    second = 0.2 * 0.5 + 0.1 * 1.0
    raw = [(1 + first) * (1 + second), (1 - first) * (1 - second)]
    assert picker.weights().tolist() == pytest.approx([2 * w / sum(raw) for w in raw])


@pytest.mark.parametrize(("used", "frozen"), [((0.9, 1.4), True), ((0.89, 1.4), False), ((0.95, 0.95, 3.0), True)])
def test_where_all_are_hot_weights_stand_still(used, frozen):
    weights = heard(WeightedByReport(PidWeights()), [Report(u) for u in used]).weights()
    assert (weights.tolist() == [1.0] * len(used)) is frozen


def test_who_reports_nothing_new_keeps_its_weight_until_it_is_forgotten():
    picker = heard(WeightedByReport(PidWeights(expiry=5.0)), [Report(0.2), Report(0.6), Report(0.4)])
    first = picker.weights()
    assert first.tolist() == pytest.approx([1.15, 0.85, 1.0])
    picker.load.advance(4.0)
    assert picker.weights().tolist() == first.tolist()
    for row in (0, 2):
        picker.load.reported(row, Report(0.4), 4.5)
    picker.load.advance(5.0)  # b's report is five seconds old, the others' errors are 0
    assert picker.weights().tolist() == pytest.approx([1.15 / 1.075, 1.0, 1.0 / 1.075])


def plant(rule, capacities, periods, others=None, load=0.6):
    """Utilisation by backend after so many periods of reports that follow the shares."""
    picker = WeightedByReport(rule).build([f"b{i}" for i in range(len(capacities))])
    capacities, others = np.array(capacities), np.zeros(len(capacities)) if others is None else np.array(others)
    demand = load * capacities.sum()
    for period in range(periods):
        used = picker.shares() * demand / capacities + others
        for row, each in enumerate(used):
            picker.load.reported(row, Report(float(each), qps=float(demand * picker.shares()[row])), period)
        picker.load.advance(period + 1.0)
        picker.check_invariants()
    return picker.shares() * demand / capacities + others


@pytest.mark.parametrize("rule", [NOW, PidWeights()], ids=lambda rule: type(rule).__name__)
def test_servers_of_three_sizes_are_equally_used(rule):
    """Before, the most used has 0.6 * 3.5 / 1 = 2.1 of its capacity; after twenty periods none is 2 % off the mean."""
    used = plant(rule, [1.0, 1.0, 4.0, 8.0], 20)
    assert used.max() / used.mean() < 1.02


def test_other_work_is_evened_out_by_the_controller_alone():
    """A server that is half busy with something else: measured weights stay where the sum is not even."""
    others = [0.4, 0.0, 0.0, 0.0]
    controlled, measured = plant(PidWeights(), [1.0] * 4, 40, others, 0.5), plant(NOW, [1.0] * 4, 40, others, 0.5)
    assert controlled.max() / controlled.mean() < 1.01
    assert measured.max() / measured.mean() < plant(NOW, [1.0] * 4, 0, others, 0.5).max() / controlled.mean()


USED = st.lists(st.floats(0.0, 3.0), min_size=2, max_size=6)


@given(st.lists(USED, min_size=1, max_size=8), st.floats(1.5, 20.0), st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_weights_stay_positive_and_within_their_bounds(rounds, most, proportional, integral):
    rule = PidWeights(proportional=proportional, integral=integral, most=most)
    picker = WeightedByReport(rule).build([f"b{i}" for i in range(6)])
    for period, used in enumerate(rounds):
        for row, each in enumerate(used):
            picker.load.reported(row, Report(each), float(period))
        picker.load.advance(period + 1.0)
        weights = picker.weights()
        mean = weights[: max(map(len, rounds[: period + 1]))].mean()
        assert (weights > 0.0).all() and np.isfinite(weights).all()
        assert weights.max() <= mean * most * (1 + 1e-9) * 1.5 and weights.min() >= mean / most / 1.5
        assert picker.shares().sum() == pytest.approx(1.0)
        picker.check_invariants()


def test_a_change_of_weights_restarts_nothing():
    """The counter goes on: picks before and after are those of one sequence with the schedule exchanged in between."""
    picker = heard(WeightedByReport(NOW), [Report(0.5, qps=10.0)] * 3, until=0.5)
    before = [picker.pick().id for _ in range(4)]
    picker.load.advance(1.0)
    assert before == ["b0", "b1", "b2", "b0"] and picker.pick().id == "b1"
    rebuilt = picker.policy.build(picker.view, previous=picker)
    assert rebuilt.load is picker.load and rebuilt.pick().id == "b2"


def test_signals_multiply_and_hold_back():
    view = lb.View.of(["a", "b", "c"], factors={"a": 0.5}, states={"c": lb.State.UNHEALTHY})
    picker = heard(WeightedByReport(NOW), [Report(0.5, qps=30.0), Report(0.5, qps=10.0), Report(0.5, qps=10.0)], view)
    assert picker.shares().round(4).tolist() == [0.6, 0.4, 0.0]


def test_in_a_balancer():
    now = [0.0]
    policy = WeightedByReport(NOW)
    balancer = lb.Balancer(policy, ["a", "b"], clock=lambda: now[0], seed=1)
    for id, qps in (("a", 30.0), ("b", 10.0)):
        balancer.report(id, Report(0.5, qps=qps))
    now[0] = 1.0
    picked = [balancer.acquire().backend.id for _ in range(400)]
    assert picked.count("a") == 300
    balancer.update(["b", "a", "c"])
    assert balancer.picker.weights().tolist() == [20.0, 60.0, 40.0]
    with pytest.raises(lb.ConfigError):
        balancer.report("a", "busy")


def test_reports_out_of_order_are_dropped():
    picker = heard(WeightedByReport(NOW), [Report(0.5, qps=30.0, at=9.0), Report(0.5, qps=10.0)])
    picker.load.reported(0, Report(0.5, qps=1.0, at=8.0), 1.5)
    picker.load.advance(2.0)
    assert picker.weights().tolist() == [60.0, 20.0]
    picker.load.restart(0)
    picker.load.reported(0, Report(0.5, qps=50.0, at=1.0), 2.5)
    picker.load.advance(3.0)
    assert picker.weights().tolist() == [100.0, 20.0], "another backend, another clock"


@pytest.mark.parametrize("rule", [NOW, PidWeights()], ids=lambda rule: type(rule).__name__)
def test_snapshots(rule):
    picker = heard(WeightedByReport(rule), [Report(0.2, qps=30.0), Report(0.6, qps=10.0)], until=3.0)
    kept = json.loads(json.dumps(picker.load.snapshot()))
    other = WeightedByReport(rule).build(["b0", "b1"])
    other.load.restore(kept, 100.0)
    assert other.weights().tolist() == pytest.approx(picker.weights().tolist())
    assert other.shares().tolist() == picker.shares().tolist()
    for row, report in enumerate((Report(0.2, qps=30.0), Report(0.6, qps=10.0))):
        for load, now in ((picker.load, 3.5), (other.load, 100.5)):
            load.reported(row, report, now)
    picker.load.advance(4.0)
    other.load.advance(101.0)
    assert other.weights().tolist() == pytest.approx(picker.weights().tolist())
    before = other.weights().tolist()
    for bad in (None, {}, {**kept, "type": "Other"}, {**kept, "rows": 1}, {**kept, "rows": [[0]]}):
        with pytest.raises(lb.ConfigError):
            other.load.restore(bad, 101.0)
    size = len(kept["rows"][0])
    for row in ([-1] + [1.0] * (size - 1), [0, math.nan] + [1.0] * (size - 2), [0, 0.0] + [1.0] * (size - 2)):
        with pytest.raises(lb.ConfigError):
            other.load.restore({**kept, "rows": [row]}, 101.0)
    assert other.weights().tolist() == before


def test_plain_data():
    for rule in (OrcaWeights(period=2.0), PidWeights(0.2, 0.1)):
        policy = WeightedByReport(rule)
        assert WeightedByReport.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
        assert repr(rule.start()) == f"{rule!r}.start()"
    with pytest.raises(lb.ConfigError):
        WeightedByReport.from_dict({"rule": {"type": "Other"}})
    assert WeightedByReport.from_dict({}, rule=NOW).rule == NOW
