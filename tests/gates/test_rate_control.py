"""Rate control: the schedule and the curve by hand, and what it does to queues where servers cannot follow."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import sim
from lbalgo.gates import Limits, RateControl, Reason, Request
from lbalgo.policies import C3
from lbalgo.testing import FakeClock

OK, A = lb.Outcome.SUCCESS, Request("a")


def interval(gate, at, sent, answered, outcome=OK):
    """An interval of one second: so many sent in it, and so many ends, the last of them when it is over."""
    for _ in range(sent):
        gate.started(at, A)
    for k in range(answered):
        gate.finished(at + (1.0 if k == answered - 1 else 0.5), A, outcome, 0.1)


def lowered(limit=10.0, **more):
    """A gate whose limit has been lowered at 3.0."""
    gate = RateControl(1.0, limit, **more)
    for at in (0.0, 1.0, 2.0):
        interval(gate, at, 9, 8)
    return gate


def test_requests_are_metered_by_the_limit():
    """Four a second: four at once, then one each quarter of a second; who asks early is told how early."""
    gate = RateControl(1.0, 4.0)
    for _ in range(4):
        assert gate.admit(0.0, A).admitted
        gate.started(0.0, A)
    assert gate.admit(0.0, A).reason is Reason.BACKEND_LIMIT
    assert gate.admit(0.125, A).retry_after == 0.125
    assert gate.full() == {"a"}
    assert gate.admit(0.125, Request("b")).admitted and gate.admit(0.125).admitted
    assert gate.admit(0.25, A).admitted
    assert gate.full() == frozenset()
    gate.started(0.25, A)
    assert not gate.admit(0.499, A).admitted
    assert gate.admit(0.5, A).admitted
    for _ in range(4):
        assert gate.admit(100.0, A).admitted, "what was not sent is not saved up"
        gate.started(100.0, A)
    assert not gate.admit(100.0, A).admitted


@given(st.floats(0.3, 20.0), st.lists(st.floats(0.0, 0.5), max_size=80))
def test_no_more_goes_than_the_limit(limit, pauses):
    """In time t at most a burst, and limit * t; and one that is asked for all the time goes at that rate."""
    gate, now, gone = RateControl(1.0, limit, 0.1), 0.0, 0
    for pause in pauses:
        now += pause
        while gate.admit(now, A).admitted:
            gate.started(now, A)
            gone += 1
        wait = gate.admit(now, A).retry_after
        assert wait > 0.0
        assert gate.admit(now + wait, A).admitted
        assert gone <= limit * now + max(1.0, limit) + 1e-6
        assert gone > limit * now - 1.0


def test_it_is_lowered_where_answers_are_missing_once_it_has_stood():
    gate = RateControl(1.0, 10.0)
    for at, limit in ((0.0, 10.0), (1.0, 10.0), (2.0, 2.0), (3.0, 2.0)):
        interval(gate, at, 9, 8)
        if at < 3.0:
            assert gate.limit("a") == limit, at
    assert gate.limit("b") == 10.0


@pytest.mark.parametrize("hysteresis", [0.0, 1.0, 5.0])
def test_how_long_it_stands(hysteresis):
    gate = RateControl(1.0, 10.0, hysteresis=hysteresis)
    limits = []
    for at in range(8):
        interval(gate, float(at), 9, 8)
        limits.append(gate.limit("a"))
    assert limits.index(2.0) == int(hysteresis)


def test_who_answers_all_is_left_alone_however_little_that_is():
    gate = RateControl(1.0, 10.0)
    for at in range(20):
        interval(gate, float(at), 3, 3)
    assert gate.limit("a") == 10.0


@pytest.mark.parametrize("outcome", [lb.Outcome.TIMEOUT, lb.Outcome.OVERLOADED, lb.Outcome.LOCAL_ERROR])
def test_what_is_no_answer_is_missing(outcome):
    gate = RateControl(1.0, 10.0)
    for at in range(4):
        interval(gate, float(at), 3, 3, outcome)
    assert gate.limit("a") == 2.0
    for at in range(20):
        interval(gate, float(at), 3, 3, lb.Outcome.SERVER_ERROR)
    assert gate.limit("a") >= 2.0, "an error is an answer"


@pytest.mark.parametrize("since", [1.0, 2.0, 5.0, 10.0, 14.0])
def test_it_is_raised_by_the_cubic_curve(since):
    """From 2 on, lowered from 10: 0.01 (T - K)**3 + 10 with K = cbrt(10 * 0.2 / 0.01) = 5.85 s."""
    gate = lowered(growth=0.01, step=1e9)
    assert gate.limit("a") == 2.0
    answers = 2 * int(since) + 1
    for k in range(answers + 1):
        gate.started(3.0, A)
        gate.finished(3.5 if k < answers else 3.0 + since, A, OK, 0.1)
    wanted = 0.01 * (since - 200 ** (1 / 3)) ** 3 + 10.0
    assert gate.limit("a") == pytest.approx(max(wanted, 2.0), rel=1e-12)
    assert (gate.limit("a") > 10.0) is (since > 5.85)


def test_a_limit_that_was_raised_stands_as_well():
    gate = lowered(growth=0.01, step=1.0, hysteresis=2.0)
    interval(gate, 3.0, 5, 5)
    assert gate.limit("a") == 3.0
    for at, limit in ((4.0, 3.0), (5.0, 3.0), (6.0, 3.0 * 0.2)):
        interval(gate, at, 3, 2)
        assert gate.limit("a") == pytest.approx(limit), at


def test_a_step_bounds_a_raise_and_the_least_a_fall():
    gate = lowered(step=0.5)
    interval(gate, 3.0, 5, 5)
    assert gate.limit("a") == 2.5
    gate = RateControl(1.0, 1.0, 0.5)
    for at in range(10):
        interval(gate, float(at), 9, 1, lb.Outcome.TIMEOUT)
    assert gate.limit("a") == 0.5
    assert gate.admit(10.0, A).retry_after > 10.0, "ninety were sent against its word"


def test_in_a_balancer_the_next_best_takes_what_the_best_may_not():
    clock = FakeClock()
    gate = RateControl(1.0, 2.0)
    balancer = lb.Balancer(C3(), ["a", "b"], gates=[gate], clock=clock, seed=1)
    leases = [balancer.acquire() for _ in range(4)]
    assert sorted(lease.backend.id for lease in leases) == ["a", "a", "b", "b"]
    with pytest.raises(lb.NotAdmitted) as refused:
        balancer.acquire()
    assert refused.value.decision.reason is Reason.BACKEND_LIMIT
    clock.advance(0.5)
    assert {balancer.acquire().backend.id for _ in range(2)} == {"a", "b"}


def load(rate, gate):
    """Twenty clients, nine servers of four slots and 4 ms: a thousand requests a second each are all they can do."""
    return sim.run(
        sim.Scenario(
            C3(clients=20),
            sim.Servers(9, slots=4),
            sim.Poisson(9000.0 * rate),
            duration=4.0,
            warmup=1.0,
            service=sim.Exponential(0.004),
            clients=20,
            reports=sim.Reports(sim.feedback),
            gates=gate,
        )
    )


@pytest.mark.skipif(lb.kernels() != "cython", reason="without compiled kernels it takes long")
def test_under_overload_queues_are_shorter_and_servers_as_busy():
    """And shorter by far where a number in flight is the bound, if somebody knows the number."""
    free, bound, limited = load(2.0, ()), load(2.0, (RateControl,)), load(2.0, (partial(Limits, None, 2),))
    assert limited.mean < 0.1 * bound.mean
    assert limited.utilisation.mean() > 0.99
    assert bound.mean < 0.8 * free.mean
    assert bound.utilisation.mean() > 0.99
    assert bound.refusals.keys() == {"backend limit"}


@pytest.mark.skipif(lb.kernels() != "cython", reason="without compiled kernels it takes long")
def test_where_servers_can_follow_it_is_not_felt():
    free, bound = load(0.7, ()), load(0.7, (RateControl,))
    assert bound.refused < 0.001 * bound.arrived
    assert bound.mean == pytest.approx(free.mean, rel=0.05)
