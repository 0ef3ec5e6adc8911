"""Latency averages and ages: the published formulas by hand, the rule of one trial, and what samples count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.loads import FailurePenalty, InFlight, InFlightAge, LatencyEwma, PeakEwma, Product
from lbalgo.testing import FakeClock

OK, BAD, TIMEOUT, CANCELLED = (
    lb.Outcome.SUCCESS,
    lb.Outcome.SERVER_ERROR,
    lb.Outcome.TIMEOUT,
    lb.Outcome.CANCELLED,
)


def served(load, row, took, end, outcome=OK, cost=1.0):
    load.started(row, cost, end - took)
    load.finished(row, outcome, took, end, cost)


SAMPLES = st.lists(st.tuples(st.integers(0, 40_000), st.floats(1e-3, 100.0)), min_size=1, max_size=20)


@given(SAMPLES, st.floats(0.1, 100.0), st.floats(0, 50))
def test_peak_ewma_is_finagles_rule_unread(samples, tau, wait):
    """cost = rtt if above, else cost * w + rtt * (1 - w) with w = exp(-dt / tau); a read applies a sample of 0."""
    load, cost, now, last = PeakEwma(tau).start(), None, 0.0, 0.0
    for ticks, took in samples:
        now += ticks / 1024
        load.started(0, 1.0, now)
        load.finished(0, OK, took, now)
        w = math.exp(-(now - last) / tau)
        cost = took if cost is None or took > cost else cost * w + took * (1 - w)
        last = now
        assert load.at(0) == pytest.approx(cost, rel=1e-12)
        assert load.at(0) >= took * (1 - 1e-12), "an average after a sample is never below the sample"
    load.advance(now + wait)
    assert load.at(0) == pytest.approx(cost * math.exp(-wait / tau), rel=1e-12)


@given(SAMPLES)
def test_the_plain_average_is_over_time_and_stays(samples):
    load, mean, now, last = LatencyEwma(7.0).start(), None, 0.0, 0.0
    for ticks, took in samples:
        now += ticks / 1024
        load.started(0, 1.0, now)
        load.finished(0, OK, took, now)
        w = math.exp(-(now - last) / 7.0)
        mean = took if mean is None else mean * w + took * (1 - w)
        last = now
    assert load.at(0) == pytest.approx(mean, rel=1e-12)
    load.advance(now + 1e6)
    assert load.at(0) == pytest.approx(mean, rel=1e-12)


def test_one_trial():
    """Nobody knows a newcomer: idle it is tried before all others, while on trial after all others."""
    load = PeakEwma().start()
    served(load, 0, 0.001, 1.0)
    assert load.at(1) == 0.0
    load.started(1, 1.0, 1.0)
    for _ in range(1000):
        load.started(0, 1.0, 1.0)
    assert load.at(1) > load.at(0) > 0.0
    load.finished(1, OK, 0.5, 1.5)
    assert load.at(1) == 0.5
    picker = lb.PowerOfTwo(load=PeakEwma()).build(["old", "new"])
    served(picker.load, 0, 0.001, 1.0)
    picks = []
    for _ in range(10):
        picks.append(picker.pick().id)
        picker.load.started(0 if picks[-1] == "old" else 1, 1.0, 1.0)
    assert picks == ["new"] + ["old"] * 9


def test_an_assumed_latency_instead_of_the_trial():
    load = PeakEwma(initial=0.03).start()
    assert load.at(5000) == load.at(0) == 0.03
    load.started(0, 1.0, 0.0)
    assert load.at(0) == 0.06
    load.finished(0, OK, 1.0, 1.0)
    assert load.at(0) == 1.0


def test_what_took_longer_than_it_seems_can_only_raise():
    for outcome in (TIMEOUT, CANCELLED):
        load = PeakEwma().start()
        served(load, 0, 1.0, 1.0)
        served(load, 0, 0.1, 1.0, outcome)
        assert load.at(0) == 1.0
        served(load, 0, 3.0, 4.0, outcome)
        assert load.at(0) == 3.0
        served(load, 1, 0.2, 4.0, outcome)
        assert load.at(1) == 0.2, "the only thing known of it"


def test_latency_is_per_unit_of_cost_and_what_is_open_is_the_sum_of_costs():
    load = PeakEwma().start()
    served(load, 0, 2.0, 2.0, cost=4.0)
    assert load.at(0) == 0.5
    load.started(0, 3.0, 2.0)
    load.started(0, 2.0, 2.0)
    assert load.at(0) == 0.5 * 6
    load.finished(0, OK, None, 2.0, 3.0)
    assert load.at(0) == 0.5 * 3
    served(load, 0, 9.0, 2.0, cost=0.0)
    assert load.at(0) == 0.5 * 3, "nothing was learned from a request that costs nothing"


HISTORY = st.lists(st.tuples(st.booleans(), st.floats(0, 5), st.integers(0, 2048)), max_size=30)


@given(HISTORY)
def test_peak_ewma_is_the_product_of_its_parts(history):
    whole, parts, now, open_ = PeakEwma().start(), Product(InFlight(), LatencyEwma(peak=True)).start(), 0.0, 0
    for start, took, ticks in history:
        now += ticks / 1024
        if not start and not open_:
            continue
        open_ += 1 if start else -1
        for load in (whole, parts):
            if start:
                load.started(0, 1.0, now)
            else:
                load.finished(0, OK, took, now)
        assert whole.at(0) == pytest.approx(parts.at(0), rel=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000), st.integers(0, 30)), max_size=60))
def test_the_age_is_the_mean_age_of_what_is_open(steps):
    """Beginnings known: the mean over the open requests, whichever of them ends."""
    load, now, open_ = InFlightAge(LatencyEwma(1.0, initial=0.0)).start(), 1e9, []
    for start, ticks, which in steps:
        now += ticks / 1024
        if start or not open_:
            load.started(0, 1.0, now)
            open_.append(now)
        else:
            began = open_.pop(which % len(open_))
            load.load.restart(0)  # nothing is learned, so that only the age shows
            load.load.started(0, 1.0, now)
            load.finished(0, OK, now - began, now)
            load.load.restart(0)
            for _ in open_:
                load.load.started(0, 1.0, now)
        load.advance(now)
        mean = sum(now - began for began in open_) / len(open_) if open_ else 0.0
        assert load.at(0) == pytest.approx(mean, rel=1e-9, abs=1e-6)


def test_an_end_of_unknown_beginning_leaves_the_mean_age():
    load = InFlightAge(LatencyEwma(initial=0.0)).start()
    for began in (0.0, 1.0, 5.0):
        load.started(0, 1.0, began)
    load.advance(6.0)
    assert load.at(0) == 4.0
    load.finished(0, OK, None, 6.0)
    assert load.at(0) == 4.0
    load.finished(0, OK, None, 6.0)
    load.finished(0, OK, None, 6.0)
    assert load.at(0) == 0.0


def test_a_hung_backend_is_seen_before_anything_ends():
    """Peak EWMA still prefers the one that hangs, for its short queue; the age of what is open does not."""
    peak, aged = PeakEwma().start(), Product(InFlight(), InFlightAge(LatencyEwma(peak=True))).start()
    for load in (peak, aged):
        served(load, 0, 0.01, 1.0)
        served(load, 1, 0.01, 1.0)
        for row, open_ in ((0, 3), (1, 20)):  # 0 hangs, 1 has much to do
            for i in range(open_):
                load.started(row, 1.0, 1.0 if row == 0 else 2.995 + i / 10_000)
        load.advance(3.0)
    assert peak.at(0) < peak.at(1)
    assert aged.at(0) == pytest.approx(4 * 2.0)
    assert aged.at(1) < 0.4


def test_a_penalty_is_a_soft_ejection_of_the_published_length():
    """tau * ln(penalty / latency of the peers): 10 * ln(5 / 0.01) = 62.1 s."""
    load = FailurePenalty(PeakEwma(10.0), 5.0).start()
    served(load, 0, 1e-4, 1.0, BAD)
    assert load.at(0) == 5.0
    for now, still in ((1.0 + 62.0, True), (1.0 + 62.3, False)):
        load.advance(now)
        assert (load.at(0) > 0.01) is still
    served(load, 1, 9.0, 70.0, BAD)
    assert load.at(1) == 9.0, "a failure that took longer counts as long as it took"
    served(load, 2, 0.5, 70.0, CANCELLED)
    assert load.at(2) == 0.5


def test_the_sinkhole_and_its_cure():
    """One of ten fails at once: peak EWMA sends it all that meet it (2 / n), the penalty next to nothing."""
    lost = {}
    for name, load in (("peak", PeakEwma()), ("penalty", FailurePenalty(PeakEwma()))):
        clock, rng = FakeClock(), np.random.default_rng(1)
        balancer = lb.Balancer(lb.PowerOfTwo(load=load), [f"b{i}" for i in range(10)], clock=clock, seed=3)
        open_, failed, n = [], 0, 4000
        for _ in range(n):
            clock.advance(rng.exponential(0.002))
            while open_ and open_[0][0] <= clock():
                open_.pop(0)[1].done()
            lease = balancer.acquire()
            if lease.backend.id == "b0":
                lease.done(BAD)
                failed += 1
            else:
                open_.append((clock() + 0.01, lease))
        lost[name] = failed / n
    assert abs(lost["peak"] - 0.2) < 5 * math.sqrt(0.2 * 0.8 / 4000)
    assert lost["penalty"] < 0.01


def test_costs_of_leases_reach_the_load():
    clock = FakeClock()
    balancer = lb.Balancer(lb.LeastLoaded(), ["a"], clock=clock, seed=1)
    leases = [balancer.acquire(cost=cost) for cost in (0.1, 5.0, 0.2)]
    load = balancer.picker.load
    assert load.at(0) == pytest.approx(5.3)
    leases[1].done()
    assert load.at(0) == pytest.approx(0.3)
    del leases[0]
    balancer.stats()
    assert load.at(0) == pytest.approx(0.2)
    leases[-1].done()
    assert load.at(0) == 0.0


def test_beginnings_of_leases_reach_the_load_whatever_latency_is_told():
    """The latency a caller measures (to the first byte) is no beginning: the lease's own is."""
    clock = FakeClock()
    load = InFlightAge(LatencyEwma(initial=0.0))
    balancer = lb.Balancer(lb.LeastLoaded(load), ["a"], clock=clock, seed=1)
    old = balancer.acquire()
    clock.advance(10.0)
    young = balancer.acquire()
    clock.advance(1.0)
    old.done(latency=0.001)
    state = balancer.picker.load
    state.advance(clock())
    assert state.at(0) == pytest.approx(1.0)
    young.done()


def test_snapshots_carry_estimates_over_and_leave_what_is_open():
    load, heir = PeakEwma().start(), PeakEwma().start()
    served(load, 0, 1.0, 5.0)
    load.started(0, 1.0, 6.0)
    load.advance(10.0)
    heir.started(1, 1.0, 99.0)
    heir.restore(load.snapshot(), 100.0)
    assert heir.at(0) == pytest.approx(load.at(0) / 2)
    heir.advance(110.0)
    assert heir.at(0) == pytest.approx(math.exp(-1.5))


@given(SAMPLES, SAMPLES)
def test_merging_is_symmetric_and_idle_changes_nothing(one, two):
    for spec in (PeakEwma(), LatencyEwma()):

        def made(samples, spec=spec):
            load, now = spec.start(), 0.0
            for ticks, took in samples:
                now += ticks / 1024
                served(load, 0, took, now)
            return load

        first, second = made(one), made(two)
        first.merge(made(two))
        second.merge(made(one))
        end = 1e4
        first.advance(end)
        second.advance(end)
        assert first.at(0) == pytest.approx(second.at(0), rel=1e-9)
        before = first.at(0)
        first.merge(spec.start())
        assert first.at(0) == before
