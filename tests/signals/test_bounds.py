"""Every bound a signal puts on its parameters and snapshots, from both sides, and what the error names."""

import math

import numpy as np
import pytest

import lbalgo as lb
from lbalgo import Breaker, FailureEwma, LatencyQuantile, Outcome, OutlierEjection, Sequential, SlowStart, Statistical
from lbalgo.spec import LIMIT

DETECTORS = (
    lb.ConsecutiveErrors,
    lb.ConsecutiveGatewayErrors,
    lb.SuccessRate,
    lb.FailurePercentage,
    Statistical,
    Sequential,
    FailureEwma,
    LatencyQuantile,
    Breaker,
)
TAKEN = [
    *((kind, "enforcement", value) for kind in DETECTORS for value in (0, 0.5, 100)),
    *((Breaker, "failures", value) for value in (5e-324, 1.0, 100)),
    *((kind, "window", value) for kind in (Breaker, FailureEwma) for value in (1e-3, 1.0, 1e9)),
    *((kind, "request_volume", 1) for kind in (Breaker, FailureEwma, LatencyQuantile, Statistical, lb.SuccessRate)),
    *((Breaker, "probes", 1), (FailureEwma, "success_rate", 1.0), (LatencyQuantile, "quantile", 1 - 2**-53)),
    *((OutlierEjection, "seed", value) for value in (0, 2 * 64, 2**64 - 1)),
    (OutlierEjection, "max_ejection_time", LIMIT),
]
REFUSED = [
    *((kind, "enforcement", value) for kind in DETECTORS for value in (-5e-324, 100.5, 101, math.inf)),
    *((kind, "window", value) for kind in (Breaker, FailureEwma) for value in (0.0009, 1e9 + 0.5, 1e300)),
    *((LatencyQuantile, "quantile", value) for value in (0.0, 1.0, 1.5)),
    *((Sequential, "failing", value) for value in (0.05, 1.0, 1.5)),
    *((Sequential, "missed", value) for value in (1.0 - 1e-6, 1.0, 1.5)),
    *((OutlierEjection, name, 2 * LIMIT) for name in ("interval", "max_ejection_time", "max_ejection_time_jitter")),
    (OutlierEjection, "seed", 2**64),
]


@pytest.mark.parametrize(("kind", "parameter", "value"), TAKEN)
def test_taken(kind, parameter, value):
    made = kind(**{parameter: value})
    assert getattr(made.spec if kind is OutlierEjection else made, parameter) == value


@pytest.mark.parametrize(("kind", "parameter", "value"), REFUSED)
def test_refused(kind, parameter, value):
    with pytest.raises(lb.ConfigError) as refused:
        kind(**{parameter: value})
    assert (refused.value.parameter, refused.value.value) == (parameter, value)


def test_chances_of_error_that_sum_to_one_leave_nothing_to_test():
    with pytest.raises(lb.ConfigError) as refused:
        Sequential(false_ejection=0.5, missed=0.5)
    assert (refused.value.parameter, refused.value.value) == ("missed", 0.5)


def test_the_second_of_a_kind_is_named():
    second = lb.ConsecutiveErrors(3)
    with pytest.raises(lb.ConfigError) as refused:
        OutlierEjection([lb.ConsecutiveErrors(2), second])
    assert (refused.value.parameter, refused.value.value) == ("detectors[1]", second)


def test_a_latency_beyond_all_clocks_is_refused_by_whoever_watches():
    signal = OutlierEjection([LatencyQuantile()])
    signal.sync(["a"], 0.0)
    with pytest.raises(lb.ConfigError) as refused:
        signal.observe(0, Outcome.SUCCESS, 2 * LIMIT, 1.0)
    assert (refused.value.parameter, refused.value.value) == ("latency", 2 * LIMIT)


@pytest.mark.parametrize("make", [OutlierEjection, lambda: SlowStart(10.0)], ids=["outlier", "slow start"])
def test_before_the_first_sync(make):
    """Nobody is there, nothing is due, and an empty pool is no change."""
    signal = make()
    assert (signal.version, signal.deadline) == (0, None)
    for call in (
        lambda: signal.observe(0, Outcome.SUCCESS, None, 1.0),
        lambda: signal.changed(0, lb.State.HEALTHY, lb.State.DEGRADED, 1.0),
    ):
        with pytest.raises(lb.ConfigError) as refused:
            call()
        assert (refused.value.parameter, refused.value.value) == ("slot", 0)
    signal.advance(5.0)
    signal.apply(np.ones(0), np.zeros(0, np.uint8))
    signal.sync([], 6.0)
    assert (signal.version, signal.deadline) == (0, None)


def ejection(*detectors):
    signal = OutlierEjection(detectors, max_ejection_percent=100)
    signal.sync(["a", "b"], 0.0)
    return signal


SPOILT = [
    *((Breaker(), "proofs", value, "state['proofs']") for value in (-1, 1.0, None)),
    *((Breaker(), "readmitted_for", value, "state['readmitted_for']") for value in (None, 0.5)),
    *((Sequential(), "sum", value, "state['sum']") for value in (None, "0", math.nan)),
]


@pytest.mark.parametrize(("detector", "key", "value", "parameter"), SPOILT)
def test_the_entry_that_spoils_a_watch_is_named(detector, key, value, parameter):
    signal = ejection(detector)
    kept = signal.snapshot()
    state = signal.snapshot()
    state["members"]["a"]["watches"][type(detector).__name__][key] = value
    with pytest.raises(lb.ConfigError) as refused:
        signal.restore(state, 9.0)
    assert refused.value.parameter == parameter
    assert refused.value.value is value
    assert signal.snapshot() == kept


def test_watches_that_are_no_mapping_are_named():
    signal = ejection(Breaker())
    state = signal.snapshot()
    state["members"]["a"]["watches"] = [7]
    with pytest.raises(lb.ConfigError) as refused:
        signal.restore(state, 9.0)
    assert (refused.value.parameter, refused.value.value) == ("state['a']['watches']", [7])


@pytest.mark.parametrize("members", [7, None, ["a"]])
def test_a_slow_start_says_which_snapshot_it_refused(members):
    signal = SlowStart(10.0)
    state = {**signal.snapshot(), "members": members}
    with pytest.raises(lb.ConfigError) as refused:
        signal.restore(state, 9.0)
    assert (refused.value.parameter, refused.value.value) == ("state", state)


def test_a_newcomer_has_a_clean_record():
    signal = ejection(lb.ConsecutiveErrors())
    assert signal.snapshot()["members"]["a"] == {
        "standing": "ADMITTED",
        "detector": "",
        "backoff": 0,
        "times": 0,
        "ejected_for": None,
        "jitter": 0,
        "readmitted_for": None,
        "evidence": [0, 0, 0, 0],
    }
    assert ejection(Breaker()).snapshot()["members"]["a"]["watches"]["Breaker"]["proofs"] == 0
