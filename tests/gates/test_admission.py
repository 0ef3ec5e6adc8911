"""Admission gates: what all promise, then each by its figures."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError, Outcome
from lbalgo.estimators import LogHistogram, censored_quantile
from lbalgo.gates import (
    AIMD,
    AdaptiveConcurrency,
    AdaptiveThrottle,
    Criticality,
    Decision,
    Gates,
    Gradient2,
    Hedging,
    Limits,
    Order,
    Queue,
    RateControl,
    Reason,
    Request,
    RetryBudget,
    RetryConcurrency,
    RetryQuota,
    Shedding,
    Vegas,
)
from lbalgo.testing.gates import requests
from tests.statistical.budget import assert_binomial, assert_chi_square

OK, BUSY = Outcome.SUCCESS, Outcome.OVERLOADED
FIRST, RETRY, HEDGE = Request(), Request(attempt=1), Request(hedge=True)
MAKERS = {
    "limits": lambda: Limits(3, 2, Queue(2)),
    "retry budget": lambda: RetryBudget(10.0, 0.2, 0.5),
    "retry concurrency": lambda: RetryConcurrency(50, 1),
    "retry quota": lambda: RetryQuota(20),
    "hedging": lambda: Hedging(min_samples=3),
    "throttle": lambda: AdaptiveThrottle(1.5, 10.0, 10),
    "vegas": lambda: AdaptiveConcurrency(Vegas(initial=3), 1.0, 1),
    "gradient": lambda: AdaptiveConcurrency(Gradient2(initial=3, least=2), 1.0, 1),
    "aimd": lambda: AdaptiveConcurrency(AIMD(initial=3, least=2), 1.0, 1),
    "rates": lambda: RateControl(1.0, 2.0),
    "shedding": Shedding,
    "several": lambda: Gates([RetryBudget(), Limits(3), AdaptiveThrottle()]),
}
EVERY = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@EVERY
def test_reprs(make):
    gate = make()
    again = eval(repr(gate))
    assert repr(again) == repr(gate) and again.snapshot(0.0) == gate.snapshot(0.0)


def test_what_was_never_started_does_not_end():
    for gate in (Limits(), AdaptiveConcurrency(AIMD())):
        with pytest.raises(ConfigError) as refused:
            gate.finished(0.0, FIRST, OK)
        assert refused.value.parameter == "request"
    limits, retries = Limits(), RetryConcurrency()
    limits.started(0.0, Request("a"))
    retries.started(0.0)
    for gate, request in ((limits, Request("b")), (retries, RETRY)):
        with pytest.raises(ConfigError):
            gate.finished(0.0, request, OK)
    assert limits.in_flight == retries.in_flight == 1


# --- limits


@given(
    st.lists(st.one_of(st.just("come"), st.just("end"), st.just("release")), max_size=60),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_nobody_overtakes_and_the_limit_holds(steps, pool, room):
    limits = Limits(pool, queue=Queue(room, Order.FIFO, timeout=1e6, target=None))
    flying, line, names = [], [], iter(range(1000))
    for step in steps:
        if step == "come":
            request = Request(f"b{next(names)}")
            decision = limits.admit(0.0, request)
            assert decision.admitted == (not line and len(flying) < pool)
            assert decision.may_wait == (not decision.admitted and len(line) < room)
            if decision.admitted:
                limits.started(0.0, request)
                flying.append(request)
            else:
                assert decision.reason is (Reason.POOL_LIMIT if decision.may_wait else Reason.QUEUE_FULL)
                assert limits.wait(0.0, request) == decision.may_wait
                line += [request] * decision.may_wait
        elif step == "end" and flying:
            limits.finished(0.0, flying.pop(0), OK, 0.1)
        elif step == "release":
            go, late = limits.released(0.0)
            places = max(0, pool - len(flying))
            assert (go, late) == (line[:places], [])
            line = line[places:]
            if go and places == len(go):
                assert not limits.admit(0.0, Request("another", bits=7)).admitted, "their places are kept"
            for at, request in enumerate(go):
                assert limits.admit(0.0, request).admitted
                if at % 2:
                    limits.refused(0.0, request)  # by another gate: its place is free again
                else:
                    limits.started(0.0, request)
                    flying.append(request)
        assert limits.in_flight == len(flying) <= pool


def test_a_place_is_kept_for_who_was_released():
    limits = Limits(1, queue=Queue(2, Order.FIFO, target=None))
    limits.started(0.0, Request("a"))
    for bits in (1, 2):
        assert limits.wait(0.0, Request(bits=bits))
    limits.finished(0.0, Request("a"), OK)
    assert limits.released(0.0) == ([Request(bits=1)], [])
    assert limits.released(0.0) == ([], []), "one place, one caller"
    assert not limits.admit(0.0, Request(bits=3)).admitted
    assert limits.admit(0.0, Request("b", bits=1)).admitted, "wherever it goes"
    limits.refused(0.0, Request(bits=3))
    assert limits.admit(0.0, Request(bits=1)).admitted, "another's refusal is none of its business"
    limits.started(0.0, Request("b", bits=1))
    assert not limits.admit(0.0, Request(bits=1)).admitted, "a place is taken once"
    assert limits.released(0.0) == ([], [])
    limits.finished(0.0, Request("b", bits=1), OK)
    assert limits.released(0.0) == ([Request(bits=2)], [])
    limits.refused(0.0, Request(bits=2))
    assert limits.admit(0.0, Request(bits=3)).admitted


def test_limits_of_backends():
    limits = Limits(None, 2)
    for _ in range(2):
        limits.started(0.0, Request("a"))
    assert limits.admit(0.0, Request("a")) == Decision(Reason.BACKEND_LIMIT)
    assert limits.admit(0.0, Request("b")).admitted and limits.admit(0.0).admitted
    assert limits.full() == {"a"}
    limits.finished(0.0, Request("a"), OK)
    assert limits.admit(0.0, Request("a")).admitted and limits.full() == frozenset()
    for request in (Request("a"), FIRST):
        assert Limits(5, 0).admit(0.0, request).reason is Reason.BACKEND_LIMIT
    assert Limits(0).admit(0.0) == Decision(Reason.POOL_LIMIT)
    assert not Limits(0).wait(0.0) and Limits(0).released(0.0) == ([], [])


def test_a_queue_times_out():
    limits = Limits(0, queue=Queue(5, timeout=1.0))
    for now in (0.0, 0.5):
        assert limits.wait(now, Request(f"at {now}"))
    assert limits.queue.deadline == 1.0
    assert limits.released(1.0) == ([], [Request("at 0.0")])
    assert limits.released(1.4) == ([], [])
    assert limits.released(1.5) == ([], [Request("at 0.5")]) and limits.queue.deadline is None


def test_controlled_delay():
    """Overloaded after an interval whose least delay exceeds the target; then who waited twice the target is dropped,
    but never the first of an interval."""
    queue = Queue(100, Order.FIFO, timeout=100.0, target=0.005, interval=0.1)
    for k in range(60):
        queue.push(k * 0.001, k)
    assert queue.pop(0.1) == (0, []) and not queue.overloaded  # delays of 100 ms, but the first interval
    assert queue.pop(0.15)[0] == 1
    served, dropped = queue.pop(0.201)
    assert (served, dropped, queue.overloaded) == (2, [], True)
    served, dropped = queue.pop(0.202)
    assert served is None and dropped == list(range(3, 60)), "all have waited for more than 10 ms"
    queue.push(0.202, "soon")
    assert queue.pop(0.21) == ("soon", []) and queue.overloaded, "8 ms are within twice the target"
    for k in range(3):
        queue.push(0.21, k)
    assert queue.pop(0.212) == (0, []), "2 ms are no reason"
    assert queue.pop(0.305) == (1, []) and not queue.overloaded, "the interval before served one within the target"


def test_the_newest_first_only_while_overloaded():
    queue = Queue(100, Order.ADAPTIVE, timeout=100.0)
    for now in (0.0, 0.0, 0.0, 0.3):
        queue.push(now, now)
    assert queue.pop(0.1)[0] == 0.0 and queue.pop(0.15)[0] == 0.0
    queue.push(0.3, "new")
    assert queue.pop(0.3)[0] == 0.0 and queue.overloaded, "who asks first is asked in the order of before"
    queue.push(0.3, "newest")
    assert queue.pop(0.3)[0] == "newest"
    lifo = Queue(3, Order.LIFO, target=None)
    for k in "abcd":
        lifo.push(0.0, k)
    assert [lifo.pop(0.0)[0] for _ in range(4)] == ["c", "b", "a", None]


# --- retries


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=80),
    st.sampled_from([0.0, 0.1, 0.2, 1.0, 2.0]),
    st.sampled_from([0.0, 0.1, 0.5]),
)
def test_the_law_of_the_retry_budget(steps, ratio, least):
    """Within every window of the grid: retries <= ratio * requests + reserve, and a retry is refused only if one more
    would break that."""
    budget, now, seen = RetryBudget(10.0, least, ratio), 0, []
    for pause, retry in steps:
        now += pause
        window = [r for at, r in seen if now // 4 - at // 4 < 10]  # quarters of a second; slices of one second
        retries, firsts = sum(window), len(window) - sum(window)
        allowed = retries + 1 <= ratio * firsts + least * 10 + 1e-9
        request = RETRY if retry else FIRST
        assert budget.admit(now / 4, request).admitted == (allowed or not retry)
        if allowed or not retry:
            budget.started(now / 4, request)
            seen.append((now, retry))


@pytest.mark.parametrize("rate", [1, 10, 200, 1000])
def test_everything_fails_and_the_load_stays_at_1_2_times(rate):
    """Finagle's budget, every request and every retry failing, each retried up to three times: 60 s."""
    budget, sent = RetryBudget(), 0
    for k in range(60 * rate):
        now = k / rate
        for attempt in range(4):
            request = Request(attempt=attempt)
            if not budget.admit(now, request).admitted:
                break
            budget.started(now, request)
            sent += 1
    assert sent <= 1.2 * 60 * rate + 10 * (60 + 10)
    if rate >= 200:
        assert sent >= 1.2 * 60 * rate + 10 * (60 - 10), "and the budget is used"
    if rate == 1:
        assert sent == 4 * 60, "little traffic is retried in full"


def test_without_a_budget_layers_multiply():
    """r attempts in each of three layers: r**3; with a budget of 20 % in each: 1.2**3 and the reserves."""

    def send(layers, budgets, now):
        if not layers:
            return 1
        done = 0
        for attempt in range(4):
            request = Request(attempt=attempt)
            if budgets is not None:
                if not budgets[layers - 1].admit(now, request).admitted:
                    break
                budgets[layers - 1].started(now, request)
            done += send(layers - 1, budgets, now)
        return done

    assert send(3, None, 0.0) == 64
    budgets = [RetryBudget(min_per_second=0) for _ in range(3)]
    total = sum(send(3, budgets, k / 1000) for k in range(3000))
    assert 1.2**3 * 3000 * 0.99 <= total <= 1.2**3 * 3000 + 1e-6


def test_five_requests_pay_for_one_retry_however_a_fifth_is_rounded():
    for n in range(1, 400):
        budget = RetryBudget(min_per_second=0)
        for _ in range(n):
            budget.started(0.0)
        allowed = 0
        while budget.admit(0.0, RETRY).admitted:
            budget.started(0.0, RETRY)
            allowed += 1
        assert allowed == n // 5


def test_retries_in_flight():
    gate = RetryConcurrency()  # Envoy: 20 % and 3
    assert (gate.percent, gate.min_concurrent) == (20.0, 3)
    for _ in range(3):
        assert gate.admit(0.0, RETRY).admitted
        gate.started(0.0, RETRY)
    assert gate.admit(0.0, RETRY).reason is Reason.RETRY_BUDGET and gate.admit(0.0).admitted
    for _ in range(16):
        gate.started(0.0)
    assert not gate.admit(0.0, RETRY).admitted, "4 of 19 are more"
    gate.started(0.0)
    assert gate.admit(0.0, RETRY).admitted, "4 of 20 are 20 %"
    gate.started(0.0, RETRY)
    assert not gate.admit(0.0, RETRY).admitted
    gate.finished(0.0, RETRY, OK)
    assert gate.admit(0.0, RETRY).admitted


def test_the_quota():
    """500, 5 a retry and 10 after a timeout, given back by its success; 1 for a first attempt that succeeds."""
    quota = RetryQuota()
    late = Request(attempt=1, after_timeout=True)
    for k in range(50):
        assert quota.admit(0.0, late).admitted and quota.left == 500 - 10 * k
        quota.started(0.0, late)
    assert not quota.admit(0.0, late).admitted and not quota.admit(0.0, RETRY).admitted and quota.admit(0.0).admitted
    for _ in range(5):
        assert not quota.admit(0.0, RETRY).admitted
        quota.finished(0.0, FIRST, OK, 0.1)
        quota.finished(0.0, FIRST, Outcome.SERVER_ERROR, 0.1)
    assert quota.admit(0.0, RETRY).admitted and not quota.admit(0.0, late).admitted
    quota.started(0.0, RETRY)
    quota.finished(0.0, RETRY, OK)
    assert quota.left == 5
    quota.restore({"type": "RetryQuota", "left": 10_000}, 0.0)
    assert quota.left == 500


# --- hedging


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=40), st.floats(0.01, 1.0))
def test_the_product_limit_estimate(times, q):
    """Against the textbook's loop over distinct times; ends before stops at the same time."""
    ended, still = LogHistogram(), LogHistogram()
    for k, end in times:
        (ended if end else still).add(1e-5 * 2.0 ** (k / 2))
    lasting, wanted = 1.0, None
    for k in sorted({k for k, _ in times}):
        at_risk = sum(other >= k for other, _ in times)
        lasting *= 1 - sum(end and other == k for other, end in times) / at_risk
        if lasting <= 1 - q + 1e-12 and any(end and other == k for other, end in times):
            wanted = 1e-5 * 2.0 ** (k / 2)
            break
    said = censored_quantile(ended, still, q)
    assert (said is None) == (wanted is None)
    assert said is None or abs(said / wanted - 1) <= ended.relative_error * (1 + 1e-9)


def test_without_stops_it_is_the_quantile():
    ended = LogHistogram()
    for k in range(1, 1001):
        ended.add(k / 1000)
    for q in (0.1, 0.5, 0.95, 1.0):
        assert censored_quantile(ended, LogHistogram(), q) == ended.quantile(q)
    for bad in (None, LogHistogram(steps=4)):
        with pytest.raises(ConfigError):
            censored_quantile(ended, bad, 0.5)


def test_the_tail_of_exponential_times():
    """q = 0.95: 5 % more requests, and a 99th percentile of (ln 100 + ln 20) / 2 = 3.80 means instead of 4.605."""
    rng, gate = np.random.default_rng(2), Hedging(ratio=1.0, window=1e6, min_samples=1900)
    taken, copies, n, delay = [], 0, 20_000, None
    for k in range(n + 2000):
        now = k / 100
        gate.started(now)
        first = float(rng.exponential(1.0))
        if k < 2000:
            gate.finished(now, FIRST, OK, first)
            delay = gate.delay(now + 0.01)  # the last is kept: the law is about a fixed one
            continue
        if first <= delay:
            taken.append(first)
            continue
        assert gate.admit(now, HEDGE).admitted
        gate.started(now, HEDGE)
        copies += 1
        second = delay + float(rng.exponential(1.0))
        taken.append(min(first, second))
    late = math.exp(-delay)
    assert abs(late - 0.05) < 0.02
    assert_binomial(copies, n, late)
    p99 = (math.log(100) + delay) / 2
    assert_binomial(sum(t > p99 for t in taken), n, 0.01)
    assert (math.log(100) + math.log(20)) / 2 == pytest.approx(3.80, abs=0.005)


def test_losers_make_nothing_look_fast():
    """Half of the requests are copies' losers, stopped after 1: the median is still that of all times."""
    rng, gate = np.random.default_rng(4), Hedging(0.75, min_samples=1)
    for value in rng.exponential(1.0, 4000):
        if value > 1.0 and rng.random() < 0.8:
            gate.finished(0.0, FIRST, Outcome.CANCELLED, 1.0)
        else:
            gate.finished(0.0, FIRST, OK, float(value))
    assert gate.delay(0.0) == pytest.approx(math.log(4), rel=0.15)
    naive = gate._ended.quantile(0.75, 0.0)
    assert naive < 1.0


def test_hedges_have_a_budget_and_need_knowledge():
    gate = Hedging(min_per_second=0, min_samples=2)
    assert gate.delay(0.0) is None and gate.admit(0.0).admitted
    assert gate.admit(0.0, HEDGE) == Decision(Reason.HEDGE_BUDGET)
    for _ in range(20):
        gate.started(0.0)
    assert gate.admit(0.0, HEDGE).admitted
    gate.started(0.0, HEDGE)
    assert not gate.admit(0.0, HEDGE).admitted
    for value in (1e-5, 1e-5):
        gate.finished(0.0, FIRST, OK, value)
    gate.finished(0.0, FIRST, Outcome.SERVER_ERROR, 5.0)
    assert gate.delay(0.0) == 0.001, "never below the least delay; errors are no times"
    assert gate.delay(1000.0) is None


# --- throttling


def offered(throttle, capacity, rate, seconds, rng):
    """Per second: how many a backend of this capacity gets to see, evenly offered, in the last half."""
    seen = 0
    for second in range(seconds):
        served = 0
        for k in range(rate):
            now = second + k / rate
            request = Request(bits=int(rng.integers(2**64, dtype=np.uint64)))
            if not throttle.admit(now, request).admitted:
                throttle.refused(now, request)
                continue
            throttle.started(now, request)
            ok = served < capacity
            served += ok
            throttle.finished(now, request, OK if ok else BUSY, 0.01)
            seen += second >= seconds // 2
    return seen / (seconds - seconds // 2)


@pytest.mark.parametrize(("k", "rate", "wanted"), [(2.0, 1000, 200), (2.0, 200, 200), (2.0, 90, 90), (1.5, 400, 150)])
def test_the_throttle_at_saturation(k, rate, wanted):
    """min(offered, k * capacity): a backend that serves 100 a second sees 200, offered 1000 (within 2 %)."""
    seen = offered(AdaptiveThrottle(k, 30.0, 30), 100, rate, 120, np.random.default_rng(1))
    assert seen == pytest.approx(wanted, rel=0.02)


def test_the_formula():
    throttle = AdaptiveThrottle(2.0, cap=0.9)
    assert throttle.probability(0.0) == 0.0
    for _ in range(100):
        throttle.started(0.0)
    for _ in range(20):
        throttle.finished(0.0, FIRST, OK)
    for outcome in (BUSY, Outcome.TIMEOUT, Outcome.LOCAL_ERROR):
        throttle.finished(0.0, FIRST, outcome)
    assert throttle.probability(0.0) == (100 - 40) / 101
    throttle.refused(0.0)
    assert throttle.probability(0.0) == (101 - 40) / 102
    throttle.finished(0.0, FIRST, Outcome.SERVER_ERROR)
    assert throttle.probability(0.0) == (101 - 42) / 102
    for _ in range(10_000):
        throttle.started(0.0)
    assert throttle.probability(0.0) == 0.9
    assert throttle.admit(0.0, Request(bits=2**64 - 1)).admitted and throttle.probability(200.0) == 0.0


# --- adaptive concurrency


def steps(rule, samples):
    state, limits = rule.start(), []
    for time, in_flight, dropped in samples:
        rule.update(state, time, in_flight, dropped)
        limits.append(state["limit"])
    return limits


def test_aimd_by_hand():
    samples = [(0.1, 20, False), (0.1, 10, False), (6.0, 21, False), (0.1, 21, True), (0.1, 200, False)]
    assert steps(AIMD(), samples) == [21.0, 21.0, 20.0, 20.0, 21.0]
    assert steps(AIMD(initial=200), [(0.1, 200, False), (0.1, 200, True)]) == [200.0, 180.0]


def test_vegas_by_hand():
    """Steps of log10(limit), whole: 1 below 100, 2 from 100 on; the first sample is the least time."""
    busy = [(0.1, 20, False), (0.1, 20, False), (0.1, 3, False), (0.11, 26, False), (0.2, 26, False)]
    # least; queue 0: +6; not in use; queue ceil(26 * 1/11) = 3: neither below 3 nor above 6; queue 13: -1
    assert steps(Vegas(probe=0), busy) == [20.0, 26.0, 26.0, 26.0, 25.0]
    # queue ceil(20 * (1 - 1/1.08)) = 2: below 3, +1; a drop: -1
    assert steps(Vegas(probe=0), [(0.1, 20, False), (0.108, 20, False), (0.108, 21, True)]) == [20.0, 21.0, 20.0]
    # queue ceil(20 * (1 - 1/1.05)) = 1: none to speak of, +6
    assert steps(Vegas(probe=0), [(0.1, 20, False), (0.105, 20, False)]) == [20.0, 26.0]
    assert steps(Vegas(initial=150, probe=0), [(0.1, 150, False), (0.1, 150, False)])[-1] == 162.0
    assert steps(Vegas(initial=1, probe=0), [(0.1, 1, False), (0.1, 1, True)])[-1] == 1.0


def test_vegas_measures_the_least_time_anew():
    rule, samples = Vegas(initial=4, seed=9), 0
    state = rule.start()
    for _ in range(400):
        rule.update(state, 0.1, 1, False)  # not in use: the limit stays 4
    assert 400 / 120 - 1 <= state["probes"] <= 400 / 60 + 1, "every 60 to 120 samples"
    probes = state["probes"]
    while state["probes"] == probes:
        rule.update(state, 0.3, 1, False)
        samples += 1
    assert samples <= 120 and state["least"] == 0.3, "a slower backend is believed in the end"


def test_gradient2_by_hand():
    first = 0.8 * 20 + 0.2 * (20 + 4)
    assert steps(Gradient2(), [(0.1, 20, False)]) == [first]
    # second sample: long = 0.15 of two, 1.5 * 0.15 / 0.2 = 1.125, so no gradient
    two = [(0.1, 20, False), (0.2, 20, False)]
    assert steps(Gradient2(), two)[-1] == pytest.approx(0.8 * first + 0.2 * (first + 4))
    # ten at 0.1, then one at 1.0: long = 0.1 + 0.9 * 2 / 601, gradient at its bound of 0.5
    limits = steps(Gradient2(initial=100), [(0.1, 9, False)] * 10 + [(1.0, 100, False)])
    assert limits[-1] == pytest.approx(0.8 * 100 + 0.2 * (50 + 4))
    state = Gradient2().start()
    for _ in range(10):
        Gradient2().update(state, 1.0, 0, False)
    Gradient2().update(state, 0.1, 0, False)
    assert state["long"] == pytest.approx((1.0 - 0.9 * 2 / 601) * 0.95) and state["limit"] == 20.0


def test_windows():
    gate = AdaptiveConcurrency(AIMD(initial=20), window=1.0, min_samples=3)
    for _ in range(12):
        gate.started(0.0)
    for now, latency in ((0.5, 0.1), (0.6, 0.1), (0.9, 0.1), (0.99, 0.1)):
        gate.finished(now, FIRST, OK, latency)
    assert gate.limit == 20
    gate.finished(1.0, FIRST, Outcome.CANCELLED, 0.1)
    gate.finished(1.1, FIRST, OK, None)
    assert gate.limit == 20, "neither says anything"
    gate.finished(1.2, FIRST, OK, 0.1)
    assert gate.limit == 21
    gate.finished(2.3, FIRST, OK, 1e-5)
    gate.finished(2.3, FIRST, OK, 0.1)
    gate.finished(2.4, FIRST, BUSY, 0.1)
    assert gate.limit == 21, "two samples only: one was too short to count"
    gate.finished(2.5, FIRST, OK, 0.1)
    assert gate.limit == 20, "OVERLOADED is a drop: 18, and at least 20"


def saturated(rule, samples, state):
    """Limits at a server with 10 places of 0.1 s, whose times grow with what is beyond, all of the limit in flight."""
    limits = []
    for _ in range(samples):
        in_flight = int(state["limit"])
        rule.update(state, 0.1 * max(1.0, in_flight / 10), in_flight, False)
        limits.append(state["limit"])
    return limits


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [(Vegas(initial=4, probe=0), 10, 17), (AIMD(least=1, initial=1, timeout=0.2), 17, 21)],
    ids=["Vegas", "AIMD"],
)
def test_the_limit_finds_what_a_server_can_do(rule, low, high):
    """Little: 10 in flight are enough. Vegas keeps 3 to 6 waiting; AIMD goes to its timeout, 20, and back."""
    limits = saturated(rule, 500, rule.start())
    assert low <= min(limits[100:]) and max(limits[100:]) <= high


def test_gradient2_holds_for_a_while_and_then_drifts():
    """After light load: 1.5 * 10 places and 4, which is 19; but what lasts becomes the long average."""
    rule = Gradient2(least=1)
    state = rule.start()
    for _ in range(300):
        rule.update(state, 0.1, 6, False)
    limits = saturated(rule, 30, state)
    assert 18 <= limits[-1] <= 21
    assert saturated(rule, 2000, state)[-1] == 200.0


# --- shedding


@given(st.floats(0, 2), st.floats(0, 2), st.integers(0, 2**64 - 1))
def test_the_laws_of_shedding(u, v, bits):
    low, high = sorted((u, v))
    gate = Shedding()
    gate.measured(low, 0.0)
    shares = [gate.share(c) for c in Criticality]
    assert shares == sorted(shares), "what matters more is shed less"
    calm = [gate.admit(0.0, Request(criticality=c, bits=bits)).admitted for c in Criticality]
    gate.measured(high, 0.0)
    busy = [gate.admit(0.0, Request(criticality=c, bits=bits)).admitted for c in Criticality]
    assert all(before or not after for before, after in zip(calm, busy, strict=True)), "who is shed stays shed"


def test_the_share_that_is_shed():
    assert Shedding().admit(0.0, Request(bits=0)).admitted, "nothing is shed of a share of 0"
    gate, rng = Shedding(), np.random.default_rng(6)
    gate.measured(0.75, 0.0)
    coins = [int(b) for b in rng.integers(2**64, size=4000, dtype=np.uint64)]
    shed = sum(not gate.admit(0.0, Request(criticality=Criticality.SHEDDABLE, bits=b)).admitted for b in coins)
    assert_binomial(shed, 4000, 0.25)
    assert all(gate.admit(0.0, Request(bits=b)).admitted for b in coins[:100])
    assert gate.admit(0.0, Request(criticality=Criticality.SHEDDABLE)).reason is Reason.SHED


# --- merging


@pytest.mark.parametrize("make", [lambda: RetryBudget(10.0, 0.0), lambda: AdaptiveThrottle(2.0, 10.0, 10), Hedging])
@given(
    script=st.lists(
        st.tuples(st.integers(0, 12), requests(), st.sampled_from(Outcome), st.floats(0.0, 2.0)),
        max_size=30,
    )
)
def test_workers_that_share_what_they_saw(make, script):
    whole, parts, now = make(), [make(), make()], 0.0
    for at, (pause, request, outcome, latency) in enumerate(script):
        now += pause / 4
        for gate in (whole, parts[at % 2]):
            gate.started(now, request)
            gate.finished(now, request, outcome, latency)
    parts[0].merge(parts[1])
    asked = [Request(attempt=1), Request(hedge=True), Request(bits=2**63)]
    assert [parts[0].admit(now, r) for r in asked] == [whole.admit(now, r) for r in asked]
    for other in (None, 7, type("Other", (), {})()):
        with pytest.raises(ConfigError):
            parts[0].merge(other)


NAN = math.nan
TIMES, QUOTA = ("timeout", "interval", "target"), ("quota", "cost", "timeout_cost", "refund")
HEDGING = ("ratio", "min_per_second", "min_delay", "min_samples", "window")


@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        *((n, lambda n=n, x=x: Limits(**{n: x})) for n in ("pool", "per_backend") for x in (-1, 1.5, True, "1")),
        *(("queue", lambda x=x: Limits(queue=x)) for x in (5, Queue, [])),
        *(("capacity", lambda x=x: Queue(x)) for x in (-1, 1.5, None)),
        *(("order", lambda x=x: Queue(1, x)) for x in ("fifo", None)),
        *(
            (n, lambda n=n, x=x: Queue(**{n: x}))
            for n in ("timeout", "interval", "target")
            for x in (0.0, -1.0, NAN, "1")
        ),
        *(("ttl", lambda x=x: RetryBudget(x)) for x in (0.0, NAN, None)),
        *((n, lambda n=n, x=x: RetryBudget(**{n: x})) for n in ("min_per_second", "ratio") for x in (-1.0, NAN, "1")),
        *(("slots", lambda x=x: RetryBudget(slots=x)) for x in (0, 1.5)),
        *(("percent", lambda x=x: RetryConcurrency(x)) for x in (-1, 101, NAN)),
        *(("min_concurrent", lambda x=x: RetryConcurrency(20, x)) for x in (-1, 1.5)),
        *(
            (n, lambda n=n, x=x: RetryQuota(**{n: x}))
            for n in ("quota", "cost", "timeout_cost", "refund")
            for x in (-1, 0.5)
        ),
        *(("quantile", lambda x=x: Hedging(x)) for x in (0.0, 1.1, NAN)),
        *(
            (n, lambda n=n: Hedging(**{n: -1}))
            for n in ("ratio", "min_per_second", "min_delay", "min_samples", "window")
        ),
        *(("latency", lambda x=x: Hedging().finished(0.0, FIRST, OK, x)) for x in (-1.0, NAN, "1")),
        *(("k", lambda x=x: AdaptiveThrottle(x)) for x in (1.0, 0.5, NAN, "2")),
        *((n, lambda n=n: AdaptiveThrottle(**{n: -1})) for n in ("window", "slots", "cap")),
        *(("rejections", lambda x=x: AdaptiveThrottle(rejections=x)) for x in ("x", 7, ["success"])),
        ("outcome", lambda: AdaptiveThrottle().finished(0.0, FIRST, "success")),
        *(("rule", lambda x=x: AdaptiveConcurrency(x)) for x in (None, AIMD, 7)),
        *((n, lambda n=n: AdaptiveConcurrency(AIMD(), **{n: -1})) for n in ("window", "min_samples", "ignore_below")),
        *(("initial", lambda k=k: k(initial=5, least=6)) for k in (AIMD, Vegas, Gradient2)),
        *(("most", lambda k=k: k(initial=50, most=49)) for k in (AIMD, Vegas, Gradient2)),
        *(("least", lambda k=k: k(least=0)) for k in (AIMD, Vegas, Gradient2)),
        *(("backoff", lambda x=x: AIMD(backoff=x)) for x in (0.0, 1.1)),
        ("timeout", lambda: AIMD(timeout=0.0)),
        *(("probe", lambda x=x: Vegas(probe=x)) for x in (-1, 1.5)),
        ("seed", lambda: Vegas(seed=-1)),
        *(
            (n, lambda n=n, x=x: RateControl(**{n: x}))
            for n in ("interval", "initial", "least", "backoff", "growth", "step", "hysteresis")
            for x in (-1.0, NAN, "1", None)
        ),
        ("initial", lambda: RateControl(initial=1.0, least=2.0)),
        ("backoff", lambda: RateControl(backoff=1.0)),
        ("outcome", lambda: RateControl().finished(0.0, Request("a"), "success")),
        ("tolerance", lambda: Gradient2(tolerance=0.9)),
        ("queue", lambda: Gradient2(queue=-1)),
        *(("smoothing", lambda x=x: Gradient2(smoothing=x)) for x in (0.0, 1.1)),
        ("long", lambda: Gradient2(long=0)),
        *(("ramps", lambda x=x: Shedding(x)) for x in ("x", 7, [(0, 1)] * 3, [(0, 1)] * 5, [(1, 0)] * 4, [7] * 4)),
        ("ramps", lambda: Shedding([(0.5, 1), (0.6, 1), (0.5, 1), (0.5, 1)])),
        *(("utilisation", lambda x=x: Shedding().measured(x, 0.0)) for x in (-1, NAN, "1")),
        *(("gates", lambda x=x: Gates(x)) for x in (7, "ab", None)),
        *(("gates[0]", lambda x=x: Gates([x])) for x in (7, Limits, None)),
        *(("backend", lambda x=x: Request(x)) for x in ("", 7, b"a")),
        *(("attempt", lambda x=x: Request(attempt=x)) for x in (-1, 1.0, True)),
        *(("hedge", lambda x=x: Request(hedge=x)) for x in (1, None)),
        *(("after_timeout", lambda x=x: Request(after_timeout=x)) for x in (1, None)),
        *(("criticality", lambda x=x: Request(criticality=x)) for x in (1, "CRITICAL")),
        *(("bits", lambda x=x: Request(bits=x)) for x in (-1, 2**64, 0.5)),
    ],
)
def test_refused(parameter, call):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter


def test_a_restore_that_fails_halfway_has_changed_nothing():
    several = Gates([RetryQuota(20), Shedding()])
    kept = several.snapshot(0.0)
    spoilt = {"type": "Gates", "gates": [{"type": "RetryQuota", "left": 3}, {"type": "Other"}]}
    with pytest.raises(ConfigError):
        several.restore(spoilt, 0.0)
    assert several.snapshot(0.0) == kept


def test_the_coin_is_uniform():
    coins = [Request(bits=int(b)).coin for b in np.random.default_rng(8).integers(2**64, size=2000, dtype=np.uint64)]
    assert_chi_square(np.histogram(coins, 20, (0, 1))[0], np.full(20, 0.05))
    assert Request(bits=2**64 - 1).coin == 1 - 2.0**-53 and Request(bits=2**63).coin == 0.5
