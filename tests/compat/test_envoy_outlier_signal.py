"""Envoy's outlier detector as a signal: laws, defaults, splits, quirks, snapshots, bad input."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import settings

import lbalgo as lb
from lbalgo import ConfigError, Outcome, State
from lbalgo.compat.envoy import (
    Action,
    EjectionType,
    HttpResponse,
    OutlierDetection,
    OutlierDetector,
    OutlierEvent,
    Result,
)
from lbalgo.errors import DuplicateBackend
from lbalgo.testing import FakeClock, SignalContract
from lbalgo.testing.laws import certify

SETTINGS = OutlierDetection(
    consecutive_5xx=3,
    interval=5.0,
    base_ejection_time=7.0,
    max_ejection_percent=60,
    enforcing_consecutive_5xx=80,
    success_rate_minimum_hosts=2,
    success_rate_request_volume=2,
    success_rate_stdev_factor=500,
    failure_percentage_minimum_hosts=1,
    failure_percentage_request_volume=3,
    failure_percentage_threshold=50,
    enforcing_failure_percentage=70,
    consecutive_gateway_failure=2,
    enforcing_consecutive_gateway_failure=50,
    max_ejection_time=20.0,
    max_ejection_time_jitter=1.5,
    seed=5,
)


def changed(**fields):
    return OutlierDetection.from_dict({**SETTINGS.to_dict(), **fields})


class Contract(SignalContract):
    longest = 30.0
    settings = settings(max_examples=15)
    spec = SETTINGS

    def signal(self):
        return OutlierDetector(self.spec)


class Forgetful(Contract):
    test_flapping_erases_nothing = None  # Envoy forgets who leaves


class Tame(Contract):
    spec = changed(quirks=False)


class Split(Forgetful):
    spec = changed(
        split_external_local_origin_errors=True, consecutive_local_origin_failure=2, detect_degraded_hosts=True
    )


@pytest.mark.parametrize("contract", [Forgetful, Tame, Split], ids=lambda c: c.__name__)
def test_laws(contract):
    assert certify(contract) > 10


def detector(hosts=4, now=0.0, **fields):
    signal = OutlierDetector(OutlierDetection(**fields))
    signal.sync([f"{i}:1" for i in range(hosts)], now)
    return signal


def put(signal, slot, *codes, now=0.5):
    for code in codes:
        if code < 0:
            signal.put_result(slot, Result.LOCAL_ORIGIN_CONNECT_FAILED, now)
        else:
            signal.put_result(slot, Result.LOCAL_ORIGIN_CONNECT_SUCCESS, now)
            signal.put_http_response(slot, code, now)


def told(signal):
    return [(e.id, e.type.name, e.action.name, e.enforced, e.num_ejections) for e in signal.drain_events()]


def column(signal, n=4):
    states = np.zeros(n, np.uint8)
    signal.apply(np.ones(n), states)
    return [State(s).name for s in states]


def test_defaults_are_envoys():
    spec = OutlierDetection()
    assert (spec.interval, spec.base_ejection_time, spec.longest, spec.max_ejection_percent) == (10.0, 30.0, 300.0, 10)
    assert {kind.name: spec.enforcing(kind) for kind in EjectionType} == {
        "CONSECUTIVE_5XX": 100,
        "CONSECUTIVE_GATEWAY_FAILURE": 0,
        "SUCCESS_RATE": 100,
        "CONSECUTIVE_LOCAL_ORIGIN_FAILURE": 100,
        "SUCCESS_RATE_LOCAL_ORIGIN": 100,
        "FAILURE_PERCENTAGE": 0,
        "FAILURE_PERCENTAGE_LOCAL_ORIGIN": 0,
        "DEGRADED": 100,
    }
    assert OutlierDetector().spec == spec
    assert (spec.always_eject_one_host, spec.split_external_local_origin_errors, spec.detect_degraded_hosts) == (
        False,
    ) * 3


@pytest.mark.parametrize(("hosts", "out"), [(9, 0), (10, 1), (20, 2)])
def test_ten_percent_of_nine_hosts_is_nobody(hosts, out):
    signal = detector(hosts)
    for slot in range(hosts):
        put(signal, slot, *[500] * 5)
    assert len(signal.drain_events()) == out
    assert signal.stats["ejections_active"] == out
    assert signal.stats.get("ejections_overflow", 0) == hosts - out
    assert signal.stats["ejections_detected_consecutive_5xx"] == hosts


def test_one_host_may_always_be_out():
    signal = detector(3, always_eject_one_host=True)
    for slot in range(3):
        put(signal, slot, *[500] * 5)
    assert told(signal) == [("0:1", "CONSECUTIVE_5XX", "EJECT", True, 1)]
    assert signal.stats["ejections_overflow"] == 2


def test_a_run_past_its_threshold_does_not_fire_again():
    """While the host is out, the run goes on, past the number that would fire."""
    signal = detector(consecutive_5xx=2, max_ejection_percent=100)
    put(signal, 0, *[500] * 9)
    assert len(told(signal)) == 1
    signal.advance(30.0)
    assert told(signal) == [], "30 s of ejection from 0.5 on end on the tick at 40"
    signal.advance(40.0)
    assert told(signal) == [("0:1", "CONSECUTIVE_5XX", "UNEJECT", True, 1)]
    put(signal, 0, 500, now=41.0)
    assert told(signal) == [], "runs begin anew at the return"
    put(signal, 0, 500, now=41.0)
    assert told(signal) == [("0:1", "CONSECUTIVE_5XX", "EJECT", True, 2)]


def test_thresholds_of_zero_are_off():
    signal = detector(consecutive_5xx=0, consecutive_gateway_failure=0, max_ejection_percent=100)
    put(signal, 0, *[503] * 300)
    assert told(signal) == []


def test_backoff_grows_and_is_taken_back():
    """Two base times at the second ejection in a row; each interval in peace takes one back, and none below 0."""
    signal = detector(consecutive_5xx=1, base_ejection_time=15.0, max_ejection_percent=100)
    put(signal, 0, 500, now=1.0)
    signal.advance(20.0)
    assert told(signal)[-1][2] == "UNEJECT"
    put(signal, 0, 500, now=21.0)
    signal.advance(50.0)
    assert told(signal)[-1][2] == "EJECT", "30 s: until 51"
    signal.advance(60.0)
    assert told(signal)[-1][2] == "UNEJECT"
    signal.advance(100.0)
    assert signal.deadline is None, "two intervals have taken both back: no tick has anything to do"
    put(signal, 0, 500, now=101.0)
    signal.advance(120.0)
    assert told(signal)[-1][2] == "UNEJECT", "one base time again"


@pytest.mark.parametrize(("longest", "until"), [(None, 10_000.0), (40.0, 100.0)])
def test_ejections_have_a_cap(longest, until):
    spec = {"consecutive_5xx": 1, "base_ejection_time": 35.0, "max_ejection_percent": 100, "max_ejection_time": longest}
    signal, now, lasted = detector(**spec), 0.0, []
    for _ in range(14):
        put(signal, 0, 500, now=now)
        began = now
        while signal.snapshot()["members"]["0:1"]["ejected"]:
            now = signal.deadline
            signal.advance(now)
        lasted.append(now - began)
    assert max(lasted) == (300.0 if longest is None else 40.0)
    assert lasted[0] == 40.0


def test_jitter_is_added_in_whole_milliseconds():
    seen = set()
    for seed in range(30):
        signal = detector(max_ejection_percent=100, consecutive_5xx=1, max_ejection_time_jitter=20.0, seed=seed)
        put(signal, 0, 500)
        jitter = signal.snapshot()["members"]["0:1"]["jitter"]
        assert 0 <= jitter <= 20 * 10**9 and jitter % 10**6 == 0
        signal.advance(1000.0)
        seen.add(signal.drain_events()[-1].now)
    assert seen == {40.0, 50.0}


def test_enforcement_is_a_chance():
    fired = enforced = 0
    for seed in range(400):
        signal = detector(max_ejection_percent=100, consecutive_5xx=1, enforcing_consecutive_5xx=30, seed=seed)
        put(signal, 0, 500)
        (event,) = signal.drain_events()
        fired += 1
        enforced += event.enforced
    assert abs(enforced - 0.3 * fired) < 62, "Bernstein's bound at 1e-6 is 61"


def test_gateway_errors_fire_before_the_others():
    signal = detector(
        consecutive_5xx=2,
        consecutive_gateway_failure=2,
        enforcing_consecutive_gateway_failure=100,
        max_ejection_percent=100,
    )
    put(signal, 0, 503, 504)
    assert [event[1] for event in told(signal)] == ["CONSECUTIVE_GATEWAY_FAILURE"]
    put(signal, 1, 500, 503)
    assert [event[1] for event in told(signal)] == ["CONSECUTIVE_5XX"]
    put(signal, 2, 503, 200, 503)
    assert told(signal) == [], "a success ends both runs"


def test_local_errors_are_statuses_unless_split():
    joint = detector(consecutive_5xx=2, max_ejection_percent=100)
    put(joint, 0, -1, -1)
    assert [event[1] for event in told(joint)] == ["CONSECUTIVE_5XX"]
    joint.put_result(1, Result.LOCAL_ORIGIN_TIMEOUT, 0.5)
    joint.put_result(1, Result.LOCAL_ORIGIN_TIMEOUT, 0.5)
    assert joint.stats["ejections_detected_consecutive_5xx"] == 2
    split = detector(
        consecutive_5xx=2,
        consecutive_local_origin_failure=3,
        max_ejection_percent=100,
        split_external_local_origin_errors=True,
    )
    put(split, 0, -1, -1, 500, -1, -1, -1)
    assert [event[1] for event in told(split)] == ["CONSECUTIVE_LOCAL_ORIGIN_FAILURE"], "the answer ended the run"
    put(split, 1, 500, 500)
    assert [event[1] for event in told(split)] == ["CONSECUTIVE_5XX"]


def test_rates_of_local_results_have_kinds_of_their_own():
    signal = detector(
        5,
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=0,
        success_rate_request_volume=10,
        failure_percentage_request_volume=10,
        enforcing_failure_percentage_local_origin=100,
        max_ejection_percent=100,
        success_rate_stdev_factor=1000,
    )
    for slot in range(4):
        put(signal, slot, *[200] * 10)
    put(signal, 4, *[-1] * 10)
    signal.advance(10.0)
    assert [(event[0], event[1], event[4]) for event in told(signal)] == [
        ("4:1", "SUCCESS_RATE_LOCAL_ORIGIN", 1),
        ("4:1", "FAILURE_PERCENTAGE_LOCAL_ORIGIN", 2),
    ]
    assert signal.stats["ejections_detected_local_origin_success_rate"] == 1
    assert signal.stats["ejections_enforced_local_origin_failure_percentage"] == 1
    assert "ejections_success_rate" not in signal.stats, "an older counter knows the external ones only"


def outlying(quirks):
    signal = detector(
        6,
        quirks=quirks,
        consecutive_5xx=0,
        success_rate_request_volume=10,
        failure_percentage_request_volume=10,
        enforcing_failure_percentage=100,
        failure_percentage_threshold=50,
        max_ejection_percent=100,
    )
    for slot in range(5):
        put(signal, slot, *[200] * 10)
    put(signal, 5, *[500] * 10)
    signal.advance(10.0)
    return signal


def test_two_ejections_in_a_tick_leak():
    signal = outlying(quirks=True)
    assert [(event[1], event[4]) for event in told(signal)] == [("SUCCESS_RATE", 1), ("FAILURE_PERCENTAGE", 2)]
    assert signal.stats["ejections_active"] == 2, "of one host"
    signal.advance(60.0)
    assert told(signal) == [], "twice the base time"
    signal.advance(70.0)
    assert told(signal)[-1][2] == "UNEJECT"
    assert signal.stats["ejections_active"] == 1, "and so it stays"
    tame = outlying(quirks=False)
    assert [(event[1], event[4]) for event in told(tame)] == [("SUCCESS_RATE", 1)]
    tame.advance(40.0)
    assert tame.stats["ejections_active"] == 0


@pytest.mark.parametrize("quirks", [True, False])
def test_ejected_again_for_what_it_did_while_out(quirks):
    signal = outlying(quirks)
    signal.advance(69.0 if quirks else 39.0)
    signal.drain_events()
    for slot in range(5):
        put(signal, slot, *[200] * 10, now=69.5 if quirks else 39.5)
    put(signal, 5, *[500] * 10, now=69.5 if quirks else 39.5)
    signal.advance(70.0 if quirks else 40.0)
    actions = [event[2] for event in told(signal)]
    assert actions == (["UNEJECT", "EJECT", "EJECT"] if quirks else ["UNEJECT"])


@pytest.mark.parametrize("quirks", [True, False])
def test_under_the_budget_the_first_go_or_the_worst(quirks):
    signal = detector(
        10,
        quirks=quirks,
        consecutive_5xx=0,
        failure_percentage_request_volume=10,
        enforcing_failure_percentage=100,
        failure_percentage_threshold=50,
        enforcing_success_rate=0,
        success_rate_minimum_hosts=100,
    )
    for slot in range(8):
        put(signal, slot, *[200] * 10)
    put(signal, 8, *[500] * 8, *[200] * 2)
    put(signal, 9, *[500] * 10)
    signal.advance(10.0)
    assert [event[0] for event in told(signal)] == ["8:1" if quirks else "9:1"]
    assert signal.stats["ejections_overflow"] == 1


def test_success_rates_need_hosts_and_volume():
    for hosts, volume, seen in ((4, 100, 0), (5, 99, 0), (5, 100, 1)):
        signal = detector(hosts, consecutive_5xx=0, max_ejection_percent=100, success_rate_stdev_factor=1000)
        for slot in range(hosts - 1):
            put(signal, slot, *[200] * volume)
        put(signal, hosts - 1, *[500] * volume)
        signal.advance(10.0)
        assert [event[1] for event in told(signal)].count("SUCCESS_RATE") == seen


def test_a_degraded_answer():
    signal = detector(detect_degraded_hosts=True, max_ejection_percent=0)
    signal.reported(1, HttpResponse(200, degraded=True), 0.5)
    signal.put_http_response(1, 200, 0.5, degraded=True)
    assert told(signal) == [("1:1", "DEGRADED", "EJECT", True, 0)]
    assert signal.stats["ejections_detected_degradation"] == 1
    assert column(signal) == ["HEALTHY", "DEGRADED", "HEALTHY", "HEALTHY"]
    signal.advance(30.0)
    assert column(signal)[1] == "DEGRADED"
    signal.advance(40.0)
    assert column(signal)[1] == "HEALTHY"
    off = detector()
    off.put_http_response(1, 200, 0.5, degraded=True)
    assert told(off) == []
    both = detector(detect_degraded_hosts=True, consecutive_5xx=1, max_ejection_percent=100)
    both.put_http_response(1, 500, 0.5, degraded=True)
    assert column(both)[1] == "UNHEALTHY"


def test_a_passed_health_check_ends_an_ejection():
    for allowed in (True, False):
        signal = detector(
            consecutive_5xx=1, max_ejection_percent=100, successful_active_health_check_uneject_host=allowed
        )
        put(signal, 0, 500)
        signal.passed_health_check(0, 1.0)
        signal.passed_health_check(1, 1.0)
        assert (column(signal)[0] == "HEALTHY") is allowed
        assert len(signal.drain_events()) == 1 + allowed


def test_outcomes_stand_for_what_they_say():
    codes = {
        Outcome.SUCCESS: 0,
        Outcome.OVERLOADED: 0,
        Outcome.CANCELLED: 0,
        Outcome.SERVER_ERROR: 1,
        Outcome.GATEWAY_ERROR: 1,
        Outcome.LOCAL_ERROR: 1,
        Outcome.TIMEOUT: 1,
    }
    for outcome, failures in codes.items():
        signal = detector(consecutive_5xx=1, max_ejection_percent=100)
        signal.observe(0, outcome, None, 0.5)
        assert len(signal.drain_events()) == failures, outcome


def test_who_leaves_takes_its_ejection_along():
    signal = detector(consecutive_5xx=1, max_ejection_percent=100)
    put(signal, 0, 500)
    signal.sync(["1:1", "2:1"], 1.0)
    assert signal.stats["ejections_active"] == 0
    signal.sync(["0:1", "1:1", "2:1"], 2.0)
    assert column(signal, 3) == ["HEALTHY"] * 3, "Envoy knows nothing of it any more"
    tame = detector(consecutive_5xx=1, max_ejection_percent=100, quirks=False)
    put(tame, 0, 500)
    tame.sync(["1:1", "2:1"], 1.0)
    tame.sync(["1:1", "2:1", "0:1"], 2.0)
    assert column(tame, 3) == ["HEALTHY", "HEALTHY", "UNHEALTHY"]
    assert tame.stats["ejections_active"] == 1


def test_event_has_all_that_envoys_log_has():
    signal = detector(2, consecutive_5xx=1, max_ejection_percent=100, base_ejection_time=5.0)
    put(signal, 0, 500, now=3.25)
    signal.advance(10.0)
    put(signal, 0, 500, now=12.75)
    assert signal.drain_events() == [
        OutlierEvent(3.25, "0:1", EjectionType.CONSECUTIVE_5XX, Action.EJECT, True, 1),
        OutlierEvent(10.0, "0:1", EjectionType.CONSECUTIVE_5XX, Action.UNEJECT, True, 1, secs_since_last_action=6),
        OutlierEvent(12.75, "0:1", EjectionType.CONSECUTIVE_5XX, Action.EJECT, True, 2, secs_since_last_action=2),
    ]


def test_events_reach_the_balancers_observer():
    clock, seen = FakeClock(), []
    signal = OutlierDetector(OutlierDetection(consecutive_5xx=1, max_ejection_percent=100))
    pool = lb.Balancer(lb.RoundRobin(), ["a", "b"], signals=[signal], clock=clock, seed=1, on_event=seen.append)
    with pool.acquire() as lease:
        lease.status(500)
    kinds = [type(event).__name__ for event in seen]
    assert "OutlierEvent" in kinds and "StateChanged" in kinds
    pool.report("a", HttpResponse(200))
    pool.report("a", "something else")


BAD = [(name, value) for name in ("interval", "base_ejection_time") for value in (0, -1, "x", float("nan"))] + [
    ("max_ejection_time", 0),
    ("max_ejection_time_jitter", -1),
    ("max_ejection_percent", 101),
    ("failure_percentage_threshold", -1),
    ("enforcing_success_rate", 100.5),
    ("consecutive_5xx", -1),
    ("success_rate_stdev_factor", 2**32),
    ("detect_degraded_hosts", 1),
    ("quirks", None),
    ("seed", 2**64),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=repr)
def test_bad_settings(name, value):
    with pytest.raises(ConfigError) as caught:
        OutlierDetection(**{name: value})
    assert caught.value.parameter == name


def test_bad_calls_change_nothing():
    signal = detector(3)
    put(signal, 0, 500, 500)
    before = signal.snapshot()
    for call in (
        lambda: signal.observe(3, Outcome.SUCCESS, None, 1.0),
        lambda: signal.observe(0, "success", None, 1.0),
        lambda: signal.observe(0, Outcome.SUCCESS, None, float("nan")),
        lambda: signal.put_result(0, 503, 1.0),
        lambda: signal.put_result(-1, Result.LOCAL_ORIGIN_TIMEOUT, 1.0),
        lambda: signal.put_http_response(0, 99, 1.0),
        lambda: signal.put_http_response(0, True, 1.0),
        lambda: signal.changed(0, 0, 1, 1.0),
        lambda: signal.passed_health_check(9, 1.0),
        lambda: signal.advance("now"),
        lambda: signal.sync("ab", 1.0),
        lambda: OutlierDetector({}),
        lambda: HttpResponse(99),
        lambda: HttpResponse(200, 1),
    ):
        with pytest.raises(ConfigError):
            call()
    with pytest.raises(DuplicateBackend):
        signal.sync(["a", "a"], 1.0)
    assert signal.snapshot() == before


def test_bad_snapshots_change_nothing():
    signal = outlying(quirks=False)
    signal.sync([f"{i}:1" for i in range(5)], 11.0)
    good = json.loads(json.dumps(signal.snapshot()))
    member = next(iter(good["members"]))
    spoilt = [None, {}, {**good, "type": "OutlierEjection"}, {k: v for k, v in good.items() if k != "draws"}]
    for path, values in {
        ("synced",): [1],
        ("next_tick_in",): [0, 1.5, -3],
        ("active",): ["1"],
        ("draws",): [-1],
        ("stats",): [[], {"x": "y"}],
        ("members",): [[]],
        ("away",): [{"5:1": 3}, {"5:1": [-1, {}]}, {"0:1": good["away"]["5:1"]}],
        ("members", member): [{}, 3],
        ("members", member, "run_5xx"): [-1, True],
        ("members", member, "ejected"): [1, True],
        ("members", member, "external"): [[1], [2, 1], [0, -1]],
        ("members", member, "unejected_at"): [-5, 1.5],
    }.items():
        for value in values:
            one = copy.deepcopy(good)
            inside = one
            for name in path[:-1]:
                inside = inside[name]
            inside[path[-1]] = value
            spoilt.append(one)
    for state in spoilt:
        with pytest.raises(ConfigError):
            signal.restore(state, 20.0)
        assert signal.snapshot() == good
    with pytest.raises(ConfigError):
        signal.restore(good, float("inf"))
    signal.restore(good, 20.0)
    assert signal.snapshot() == good


def test_copies_and_plain_data():
    assert OutlierDetection.from_dict(json.loads(json.dumps(SETTINGS.to_dict()))) == SETTINGS
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS
    assert repr(SETTINGS) in repr(OutlierDetector(SETTINGS))
    signal = outlying(quirks=True)
    other = pickle.loads(pickle.dumps(signal))
    for each in (signal, other):
        each.advance(200.0)
    assert signal.drain_events() == other.drain_events()
    assert signal.snapshot() == other.snapshot()
