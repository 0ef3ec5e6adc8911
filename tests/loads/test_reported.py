"""Reports and blends: what counts when, what is dropped, and every step of probation."""

import math

import pytest

import lbalgo as lb
from lbalgo.loads import Blend, InFlight, Reported, Sum
from lbalgo.reference.reported_loads import ANSWERED, FAILED, NEXT, PROBATION, TRUSTED, UNSAID
from lbalgo.report import Report
from lbalgo.testing import FakeClock

OK, BAD, CANCELLED = lb.Outcome.SUCCESS, lb.Outcome.SERVER_ERROR, lb.Outcome.CANCELLED
NAN, INF = math.nan, math.inf


def test_blackout_and_expiry():
    load = Reported(unknown=0.25).start()
    for now, counts in ((100.0, False), (105.0, False), (109.9, False), (110.0, True), (111.0, True)):
        load.reported(0, Report(0.9), now)
        assert load.at(0) == (0.9 if counts else 0.25), now
    load.advance(111.0 + 179.9)
    assert load.at(0) == 0.9
    load.advance(111.0 + 180.0)
    assert load.at(0) == 0.25
    load.reported(0, Report(0.8), 300.0)
    assert load.at(0) == 0.25, "after silence the blackout begins again"
    load.reported(0, Report(0.8), 310.0)
    assert load.at(0) == 0.8
    assert load.at(1) == load.at(10**6) == 0.25


def test_errors_are_a_share():
    load = Reported(errors=2.0, blackout=0.0).start()
    for report, value in (
        (Report(0.5, 100.0, 10.0), 0.7),
        (Report(0.5, 0.0, 10.0), 0.5),
        (Report(0.0), 0.0),
        (Report(0.5, 1.0, 50.0), 2.5),
    ):
        load.reported(3, report, 1.0)
        assert load.at(3) == pytest.approx(value)


def test_a_report_made_before_the_last_one_is_dropped():
    load = Reported(blackout=0.0).start()
    load.reported(0, Report(0.3, at=50.0), 1.0)
    for at in (49.0, 50.0):
        load.reported(0, Report(0.9, at=at), 2.0)
        assert load.at(0) == 0.3
    load.reported(0, Report(0.4, at=51.0), 0.5)
    assert load.at(0) == 0.4, "the backend's clock orders them, not ours"
    load.reported(0, Report(0.6), 3.0)
    assert load.at(0) == 0.6, "without an instant the order is that of arrival"
    load.reported(1, Report(0.9, at=-5.0), 3.0)
    assert load.at(1) == 0.9, "every backend has a clock of its own"


@pytest.mark.parametrize("field", ["utilisation", "qps", "eps"])
@pytest.mark.parametrize("value", [NAN, INF, -INF, -0.1, "1", None, True])
def test_impossible_reports_are_refused(field, value):
    with pytest.raises(lb.ConfigError) as refused:
        Report(**{"utilisation": 0.5, field: value})
    assert refused.value.parameter == field


@pytest.mark.parametrize("made", [Reported(blackout=0.0), Blend(reports=Reported(blackout=0.0)), Sum(Reported())])
def test_what_is_no_report_changes_nothing(made):
    load = made.start()
    load.reported(0, Report(0.5), 1.0)
    before = load.at(0)
    for row, report, now in ((0, {"utilisation": 1.0}, 2.0), (0, None, 2.0), (-1, Report(1.0), 2.0)):
        with pytest.raises(lb.ConfigError):
            load.reported(row, report, now)
    for now in (NAN, INF, "1"):
        with pytest.raises(lb.ConfigError):
            load.reported(0, Report(1.0), now)
    assert load.at(0) == before


def test_reports_reach_the_load_through_the_balancer():
    clock = FakeClock()
    policy = lb.LeastLoaded(Sum(InFlight(), Reported(blackout=0.0, unknown=0.0), weights=(0.0, 1.0)))
    balancer = lb.Balancer(policy, ["a", "b"], clock=clock, seed=1)
    balancer.report("a", Report(0.9))
    balancer.report("b", Report(0.1))
    assert {balancer.acquire().backend.id for _ in range(20)} == {"b"}


EVENT = {ANSWERED: OK, FAILED: BAD, UNSAID: CANCELLED}


@pytest.mark.parametrize(("state", "event"), list(NEXT))
def test_every_step_of_probation(state, event):
    load = Blend().start()
    load.started(0, 1.0, 0.0)
    load.finished(0, OK if state == TRUSTED else BAD, 0.1, 1.0)
    assert (load.snapshot()["parts"][0]["rows"][0]["state"] == TRUSTED) is (state == TRUSTED)
    load.started(0, 1.0, 2.0)
    load.finished(0, EVENT[event], 0.1, 3.0)
    load.started(0, 1.0, 3.0)
    beyond = load.at(0) > 1e9
    assert beyond is (NEXT[state, event] == PROBATION)


def test_the_blend_by_hand():
    load = Blend(utilisation=2.0, errors=10.0, tau=30.0, ramp=90.0, reports=Reported(0.0, 0.0, blackout=0.0)).start()
    assert load.at(0) == 10.0, "a newcomer counts a tenth"
    load.started(0, 1.0, 0.0)
    load.finished(0, BAD, 0.1, 0.0)
    load.started(0, 1.0, 30.0)
    load.finished(0, OK, 0.1, 30.0)
    kept = math.exp(-1)
    assert load.error_share(0) == pytest.approx(kept / (kept + 1 + 1))
    load.reported(0, Report(0.5), 45.0)
    load.started(0, 3.0, 45.0)
    share = kept * math.exp(-0.5) / ((kept + 1) * math.exp(-0.5) + 1)
    assert load.at(0) == pytest.approx(4 * (1 + 2 * 0.5) * (1 + 10 * share) / 0.5)


def test_snapshot_restore_and_merge():
    spec = Blend(reports=Reported(blackout=0.0))
    load, heir, third = spec.start(), spec.start(), spec.start()
    load.reported(0, Report(0.75), 1.0)
    load.started(0, 1.0, 1.0)
    load.finished(0, OK, 0.1, 2.0)
    load.advance(5.0)
    heir.restore(load.snapshot(), 1005.0)
    assert heir.at(0) == pytest.approx(load.at(0), rel=1e-9)
    third.advance(5.0)
    third.merge(load)
    assert third.at(0) == load.at(0)
    for bad in ({}, None, {"type": "Blend", "parts": []}, {**load.snapshot(), "type": "Reported"}):
        with pytest.raises(lb.ConfigError):
            heir.restore(bad, 1006.0)
    with pytest.raises(lb.ConfigError):
        heir.merge(Blend(tau=1.0).start())
