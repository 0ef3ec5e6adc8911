"""Policies that are told things, unchanged in the simulator: what servers say there reaches them through balancers."""

import pytest

import lbalgo as lb
from lbalgo import sim
from lbalgo.loads import Reported
from lbalgo.policies import (
    C3,
    AdaptiveChoices,
    Feedback,
    Idle,
    JoinIdleQueue,
    OrcaWeights,
    PidWeights,
    Prequal,
    WeightedByReport,
)
from lbalgo.report import Report

ALIKE = {"servers": 20, "arrivals": sim.Poisson(16.0), "duration": 600.0, "warmup": 60.0}
SIZES = (sim.Servers(4, slots=1, name="one"), sim.Servers(4, slots=1, speed=4.0, name="four"))
RANDOM = 1 / (1 - 0.8)  # mean time in system if each server is a queue of its own


def mean(policy, **more):
    """Mean time in system; the same twice, to the last bit."""
    scenario = sim.Scenario(policy, **{**ALIKE, **more})
    first, second = sim.run(scenario), sim.run(scenario)
    assert first.fingerprint() == second.fingerprint() and first.error_rate == 0.0
    return first.mean


def test_prequal():
    """Probes answered at once: far below random choice, for one client and for ten."""
    assert mean(Prequal(), probes=sim.Probes()) < RANDOM / 2.5
    assert mean(Prequal(), probes=sim.Probes(), clients=10) < RANDOM / 2


def test_join_idle_queue():
    """With ten clients that count their own requests a server is idle to most of them; told by it, they know."""
    blind = mean(JoinIdleQueue(), clients=10)
    told = mean(JoinIdleQueue(told=True), clients=1, reports=sim.Reports(lambda v: Idle(), period=None))
    assert mean(JoinIdleQueue()) < 1.25 < blind and told < RANDOM


def test_c3():
    said = sim.Reports(lambda v: Feedback(v.jobs, v.service))
    assert mean(C3(clients=3), clients=3, reports=said) < RANDOM / 2


@pytest.mark.parametrize("period", [0.1, 1.0, 10.0])
def test_adaptive_choices(period):
    """Hardly worse than two choices by the same reports: three of twenty are more of a herd than of a hundred."""
    load = Reported(blackout=0.0)
    said = sim.Reports(lambda v: Report(float(v.jobs)), period=period)
    two = mean(lb.PowerOfTwo(load=load), reports=said)
    assert mean(AdaptiveChoices(load, 1.0), reports=said) < 1.15 * two


@pytest.mark.parametrize("rule", [OrcaWeights(blackout=0.0, period=10.0), PidWeights(period=10.0, expiry=60.0)])
def test_weighted_by_report(rule):
    """Servers four times as fast as others, at 60 %: by turns alone the slow ones drown, by weights none does."""
    said = sim.Reports(lambda v: Report(v.utilisation, qps=v.qps), period=10.0)
    fleet = {"servers": SIZES, "arrivals": sim.Poisson(0.6 * 20), "duration": 1500.0, "warmup": 500.0}
    even = sim.run(sim.Scenario(WeightedByReport(rule), reports=said, **fleet))
    turns = sim.run(sim.Scenario(lb.RoundRobin(), **fleet))
    assert even.utilisation.max() / even.utilisation.mean() < 1.1 and even.mean < turns.mean / 10
