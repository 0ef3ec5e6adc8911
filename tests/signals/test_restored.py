"""What is restored goes on as if nothing had happened: beside the machine that was never interrupted."""

import numpy as np
import pytest

import lbalgo as lb
from lbalgo import Outcome


def machine(*detectors, **rules):
    detectors = detectors or (lb.ConsecutiveErrors(1),)
    signal = lb.OutlierEjection(detectors=detectors, max_ejection_percent=100, **rules)
    signal.sync(["a", "b", "c"], 0.0)
    return signal


def restored(signal, now):
    again = machine(*signal.spec.detectors)
    again.restore(signal.snapshot(), now)
    again.sync(["a", "b", "c"], now)
    return again


def seen(signal):
    factors, states = np.ones(3), np.zeros(3, np.uint8)
    signal.apply(factors, states)
    return signal.snapshot(), signal.deadline, states.tolist()


@pytest.mark.parametrize("cut", [40.0, 40.5, 43.0, 49.0, 50.0, 55.0])
def test_time_served_counts_from_the_readmission(cut):
    """Ejected at 1, twice as long the second time; readmitted on a tick; every healthy interval takes one back."""
    one = machine()
    one.observe(0, Outcome.SERVER_ERROR, None, 1.0)
    one.advance(40.0)
    one.observe(0, Outcome.SERVER_ERROR, None, 40.0)
    for _ in range(2):
        one.observe(1, Outcome.SERVER_ERROR, None, 5.0)
    one.advance(cut)
    two = restored(one, cut)
    for now in np.arange(cut, 200.0, 2.5).tolist():
        one.advance(now)
        two.advance(now)
        assert seen(one) == seen(two)


def test_at_the_instant_of_readmission():
    one = machine()
    one.observe(0, Outcome.SERVER_ERROR, None, 0.0)
    one.advance(30.0)
    assert one.snapshot()["members"]["a"]["readmitted_for"] == 0
    assert seen(restored(one, 30.0)) == seen(one)


def test_the_largest_and_the_smallest_are_taken():
    one = machine(lb.SuccessRate())
    state = one.snapshot()
    state["members"]["a"]["evidence"] = [0, 0, 2**63 - 1, 2**63 - 1]
    state["next_tick_in"] = 1
    one.restore(state, 5.0)
    assert one.snapshot() == state


def test_runs_that_nobody_counts_stay_as_they_are():
    """Without a detector of errors there is no threshold for their run to be short of."""
    one = machine(lb.ConsecutiveGatewayErrors(9))
    state = one.snapshot()
    state["members"]["a"]["evidence"] = [7, 3, 8, 1]
    one.restore(state, 5.0)
    assert one.snapshot()["members"]["a"]["evidence"] == [7, 3, 8, 1]
