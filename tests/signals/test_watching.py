"""The detectors that test and watch: their figures, by exact calculation, and what the machine makes of them."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lbalgo import Balancer as LoadBalancer
from lbalgo import ConfigError, ConsecutiveErrors, Maglev, Outcome, OutlierEjection, State, SuccessRate
from lbalgo.estimators import WindowedCounter, binomial_threshold
from lbalgo.events import Ejected, EjectionWithheld, Readmitted
from lbalgo.signals import Breaker, FailureEwma, LatencyQuantile, Sequential, Statistical
from lbalgo.signals.breaker import TRANSITIONS, Cause, Phase
from lbalgo.testing import FakeClock
from tests.statistical.budget import ALPHA

OK, BAD = Outcome.SUCCESS, Outcome.SERVER_ERROR
SECOND = 10**9


def pool(n, *detectors, **parameters):
    signal = OutlierEjection(detectors, **{"max_ejection_percent": 100, **parameters})
    signal.sync([str(i) for i in range(n)], 0.0)
    return signal


def out(signal, n):
    states = np.zeros(n, np.uint8)
    signal.apply(np.ones(n), states)
    return np.flatnonzero(states).tolist()


# --- Statistical


@pytest.mark.parametrize(("n", "bad", "severity"), [(9, 2, 30), (4, 1, 30), (100, 22, 30), (10, 5, 100), (11, 5, 9)])
def test_no_masking_until_half_the_pool_is_bad(n, bad, severity):
    """Where the mean less 1.9 deviations sees nobody, the exact test sees all (of 100 requests each)."""
    successes, totals = [100 - severity] * bad + [100] * (n - bad), [100] * n
    if bad * 100 >= 22 * n or n == 4:
        assert SuccessRate(minimum_hosts=1).outliers(successes, totals) == []
    assert Statistical().outliers(successes, totals) == list(range(bad))


def test_more_than_half_bad_is_the_pool():
    assert Statistical().outliers([50] * 6 + [100] * 5, [100] * 11) == []


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12), st.floats(1e-6, 1))
def test_statistical_is_the_exact_rule(counts, budget):
    detector = Statistical(budget, tolerated=0.05, factor=1.5, minimum_hosts=2, request_volume=8)
    rows = [(good, good + bad) for good, bad in counts]
    heard = [(good, n) for good, n in rows if n >= 8]
    found = [rows[i] for i in detector.outliers([r[0] for r in rows], [r[1] for r in rows])]
    if len(heard) < 2:
        assert found == []
        return
    rates = sorted((n - good) / n for good, n in heard)
    bound = min(1.0, max(0.05, 1.5 * rates[(len(rates) - 1) // 2]))
    for good, n in heard:
        p = stats.binom.sf(n - good - 1, n, bound)
        if (n - good) / n > bound and abs(p * len(heard) / budget - 1) > 1e-9:
            assert ((good, n) in found) == (p <= budget / len(heard))
    assert all((n - good) / n > bound for good, n in found)


def test_the_budget_of_false_ejections_holds():
    """20 backends that fail as often as is tolerated, 100 requests an interval: the budget holds."""
    detector, rng, intervals = Statistical(false_ejections=0.2, factor=1.0), np.random.default_rng(3), 3000
    hosts, requests = 20, 100
    alpha = 0.2 / hosts
    k = binomial_threshold(requests, 0.01, alpha)
    wanted, found, judged = stats.binom.sf(k - 1, requests, 0.01), 0, 0
    for drawn in rng.binomial(requests, 0.01, (intervals, hosts)):
        failures = [int(f) for f in drawn]
        named = detector.outliers([requests - f for f in failures], [requests] * hosts)
        if sorted(failures)[(hosts - 1) // 2] <= 1:  # the tolerated rate is the bound, so the rule is the threshold
            assert named == [i for i, f in enumerate(failures) if f >= k]
        found, judged = found + len(named), judged + hosts
    assert wanted <= alpha
    assert 0 < found <= stats.binom.isf(ALPHA, judged, alpha)


def test_statistical_needs_hosts_with_volume():
    detector = Statistical(minimum_hosts=4, request_volume=50)
    assert detector.outliers([0, 50, 50], [50] * 3) == []
    assert detector.outliers([0, 50, 50, 49], [50, 50, 50, 49]) == []
    assert detector.outliers([0, 50, 50, 50], [50] * 4) == [0]


def test_the_budget_itself_is_within_the_budget():
    """Ten failures of ten have chance 2**-10 at the tolerated half, which is what one of four hosts may spend."""
    assert Statistical(2.0**-8, tolerated=0.5, request_volume=10).outliers([0, 10, 10, 10], [10] * 4) == [0]
    assert Statistical(2.0**-8.001, tolerated=0.5, request_volume=10).outliers([0, 10, 10, 10], [10] * 4) == []


def test_what_is_acceptable_is_a_rate():
    assert Statistical(tolerated=0.05, factor=2.0).acceptable([0.7, 0.8, 0.9]) == 1.0
    assert Statistical(tolerated=0.05, factor=2.0).acceptable([0.1, 0.2, 0.9]) == 0.4
    assert Statistical(tolerated=0.05, factor=2.0).acceptable([0.0, 0.01, 0.9]) == 0.05


# --- Sequential


def walk(test, p):
    """Exact: chance that a test of a backend with failure rate p ejects, and its mean length."""
    watch_up, watch_down, up, down = test.failure, test.success, test.upper, test.lower
    mass, n, ejected, length = {0: 1.0}, 0, 0.0, 0.0
    while sum(mass.values()) > 1e-13:
        n += 1
        after = {}
        for failures, chance in mass.items():
            for more, part in ((1, p), (0, 1 - p)):
                f = failures + more
                total = f * watch_up + (n - f) * watch_down
                if total >= up - 1e-12:
                    ejected += chance * part
                    length += n * chance * part
                elif total <= down + 1e-12:
                    length += n * chance * part
                else:
                    after[f] = after.get(f, 0.0) + chance * part
        mass = after
    return ejected, length


@pytest.mark.parametrize(
    ("test", "run", "bad", "good"),
    [
        (Sequential(0.01, 0.1, 1e-3, 1e-3), 3, 47.7, 96.6),
        (Sequential(0.05, 0.5, 1e-3, 0.01), 3, 8.2, None),
    ],
)
def test_walds_test(test, run, bad, good):
    """Wald's figures, and the exact ones beyond them; his bounds hold; a run ejects."""
    false, length = walk(test, test.healthy)
    found, delay = walk(test, test.failing)
    assert false <= test.false_ejection / (1 - test.missed)
    assert 1 - found <= test.missed / (1 - test.false_ejection)
    approximately = [
        (chance * test.upper + (1 - chance) * test.lower) / (p * test.failure + (1 - p) * test.success)
        for p, chance in ((test.failing, 1 - test.missed), (test.healthy, test.false_ejection))
    ]
    assert approximately[0] == pytest.approx(bad, abs=0.05) and delay >= approximately[0]
    assert good is None or approximately[1] == pytest.approx(good, abs=0.05)
    assert length >= approximately[1], "sums overshoot, which Wald's figures leave out"
    watch = test.watch(0)
    assert [watch.observe(BAD, None, 0) for _ in range(run)] == [False] * (run - 1) + [True]


def test_a_test_that_accepts_begins_anew():
    watch = Sequential(0.05, 0.5, 1e-3, 0.01).watch(0)
    for _ in range(7):
        watch.observe(OK, None, 0)
    assert watch.sum == pytest.approx(7 * math.log(0.5 / 0.95))
    watch.observe(OK, None, 0)
    assert watch.sum == 0.0
    assert not watch.observe(Outcome.OVERLOADED, None, 0) and watch.sum < 0


def test_a_sum_at_a_bound_decides():
    """With these numbers one failure adds the upper bound to the last bit, and one success the lower."""
    test = Sequential(0.25, 0.5, false_ejection=0.25, missed=0.5)
    assert (test.failure, test.success) == (test.upper, test.lower)
    watch = test.watch(0)
    assert not watch.observe(OK, None, 0) and watch.sum == 0.0
    assert watch.observe(BAD, None, 0) and watch.sum == 0.0


def test_a_restart_begins_a_new_test():
    watch = Sequential().watch(0)
    assert not watch.observe(BAD, None, 0) and watch.sum > 0
    watch.restart(1, False)
    assert watch.sum == 0.0


@given(
    st.floats(1e-4, 0.4), st.floats(1.05, 2.4), st.floats(-9, -1), st.floats(-5, -1), st.sampled_from([0.0, 1e-9, 50.0])
)
def test_a_restored_sum_beyond_the_bound_is_one_failure_short(healthy, times, false, missed, beyond):
    test = Sequential(healthy, healthy * times, 10.0**false, 10.0**missed)
    for failures in (True, False):
        watch = test.watch(0)
        watch.restore({"type": "Sequential", "sum": test.upper + beyond}, 0)
        assert watch.sum == pytest.approx(max(test.upper - test.failure, test.lower), abs=1e-12)
        assert watch.observe(BAD if failures else OK, None, 0) == failures


def test_a_difference_that_is_rounded_down_still_trips():
    test = Sequential(0.206, 0.92, 1e-6, 1e-4)
    assert test.upper - test.failure + test.failure < test.upper
    watch = test.watch(0)
    watch.restore({"type": "Sequential", "sum": test.upper}, 0)
    assert watch.observe(BAD, None, 0)


def test_sequential_in_the_machine():
    signal = pool(3, Sequential(0.05, 0.5, 1e-3, 0.01))
    for _ in range(3):
        signal.observe(1, BAD, None, 1.0)
    assert signal.drain_events() == [Ejected(1.0, "1", "Sequential", 1, 31.0)]
    assert signal.evidence is None


# --- FailureEwma


@pytest.mark.parametrize("rate", [2, 10, 100])
def test_failure_ewma_trips_when_the_exponential_crosses(rate):
    signal = pool(2, FailureEwma())
    at = next(k for k in range(1, 100 * rate) if not signal.observe(0, BAD, None, k / rate) and out(signal, 2))
    assert (at - 1) / rate < 30 * math.log(1 / 0.8) <= at / rate


def test_failure_ewma_needs_volume_and_speaks_on_failures():
    watch = FailureEwma(request_volume=3).watch(0)
    assert not watch.observe(BAD, None, 20 * SECOND)
    assert not watch.observe(BAD, None, 25 * SECOND)
    assert not watch.observe(OK, None, 25 * SECOND)
    assert watch.observe(BAD, None, 25 * SECOND)
    watch.restart(26 * SECOND, True)
    assert watch.average.read_at(26 * SECOND) == 1.0 and watch.volume.total_at(26 * SECOND) == 0


def test_failure_ewma_at_its_thresholds():
    """A failure at the very instant of the beginning weighs nothing: the average is 1 still, and not below 1."""
    watch = FailureEwma(success_rate=1.0, request_volume=1).watch(0)
    assert not watch.observe(BAD, None, 0) and watch.average.read_at(0) == 1.0
    assert watch.observe(BAD, None, 1000)
    watch = FailureEwma(request_volume=3).watch(0)
    assert [watch.observe(BAD, None, 25 * SECOND) for _ in range(3)] == [False, False, True]


# --- LatencyQuantile


def latencies(signal, n, slow, times, requests=100, now=1.0):
    rng = np.random.default_rng(7)
    for slot in range(n):
        for value in rng.exponential(0.05, requests) * (times if slot in slow else 1):
            signal.observe(slot, OK, float(value), now)


@pytest.mark.parametrize(("n", "slow"), [(10, []), (10, [3]), (20, [0, 19]), (5, [1, 2])])
def test_slow_backends_are_found_and_no_others(n, slow):
    signal = pool(n, LatencyQuantile(0.9))
    latencies(signal, n, slow, 5.0)
    assert out(signal, n) == []
    signal.advance(10.0)
    assert out(signal, n) == slow


@pytest.mark.parametrize(("slow", "first", "then"), [(0.9, "1", "3"), (1.8, "3", "1")])
def test_the_worst_is_ejected_first_then_by_id(slow, first, then):
    signal = pool(5, LatencyQuantile(0.5), max_ejection_percent=20)
    for slot, seconds in enumerate((0.1, 0.9, 0.1, slow, 0.1)):
        for _ in range(50):
            signal.observe(slot, OK, seconds, 1.0)
    signal.advance(10.0)
    assert [(type(e).__name__, e.id) for e in signal.drain_events()] == [("Ejected", first), ("EjectionWithheld", then)]


def test_an_interval_has_its_own_latencies():
    signal = pool(3, LatencyQuantile(0.5, request_volume=20))
    for slot in (0, 1, 2):
        for _ in range(19):
            signal.observe(slot, OK, 5.0 if slot == 1 else 0.1, 1.0)
    signal.advance(10.0)
    for slot in (0, 1, 2):
        for _ in range(19):
            signal.observe(slot, OK, 5.0 if slot == 1 else 0.1, 11.0)
    signal.advance(20.0)
    assert out(signal, 3) == [], "19 and 19 are not 38 in one interval"


def test_what_counts_as_a_latency():
    watch = LatencyQuantile().watch(0)
    for outcome in Outcome:
        watch.observe(outcome, 0.1, 0)
        watch.observe(outcome, None, 0)
    assert watch.latencies.count == 3  # SUCCESS, OVERLOADED, TIMEOUT


def heard(detector, *seconds):
    """Ten latencies each."""
    watches = [detector.watch(0) for _ in seconds]
    for watch, value in zip(watches, seconds, strict=True):
        for _ in range(10):
            watch.observe(OK, value, 0)
    return watches


def test_a_slow_quantile_at_its_thresholds():
    """Ten of ten beyond the median have chance 2**-10, which is what one of four hosts may spend, and ten are heard."""
    detector = LatencyQuantile(0.5, false_ejections=2.0**-8, request_volume=10)
    watches = heard(detector, 0.01, 0.01, 0.01, 0.04)
    pool, slow = (watches[k].latencies.quantile(0.5) for k in (0, 3))
    assert detector.compare(watches) == [(3, slow / pool)], "and how many times slower it is"
    assert LatencyQuantile(0.5, slow / pool * 0.999, 2.0**-8.001, request_volume=10).compare(watches) == []
    assert slow / pool * pool == slow
    assert LatencyQuantile(0.5, slow / pool, 1.0, request_volume=10).compare(watches) == [], "as slow is not slower"


def test_the_budget_of_false_ejections_holds_for_latencies():
    """20 equal backends, multiple 1: beyond the pool's median by chance alone, at most as often as stated."""
    detector, rng, found, intervals = (
        LatencyQuantile(0.9, 1.0001, 0.5, request_volume=1),
        np.random.default_rng(5),
        0,
        60,
    )
    for _ in range(intervals):
        watches = [detector.watch(0) for _ in range(20)]
        for watch in watches:
            for value in rng.exponential(0.1, 60):
                watch.latencies.add(float(value))
        found += len(detector.compare(watches))
    assert found <= stats.binom.isf(ALPHA, intervals * 20, 0.5 / 20)


# --- Breaker


def test_every_transition_of_the_breaker():
    assert set(TRANSITIONS) == {
        *((Phase.CLOSED, c) for c in (Cause.TRIPPED, Cause.READMITTED)),
        *((Phase.OPEN, c) for c in (Cause.TRIPPED, Cause.WITHHELD, Cause.READMITTED)),
        *((Phase.HALF_OPEN, c) for c in (Cause.TRIPPED, Cause.READMITTED, Cause.PROVED)),
    }
    watch = Breaker(50, 10.0, 4, probes=2).watch(0)
    said = [watch.observe(o, None, 0) for o in (OK, BAD, OK, BAD)]
    assert (said, watch.phase) == ([False, False, False, True], Phase.OPEN)
    watch.restart(SECOND, False)
    assert watch.phase is Phase.CLOSED and not watch.observe(BAD, None, SECOND)
    watch.restart(2 * SECOND, True)
    assert watch.phase is Phase.HALF_OPEN
    assert not watch.observe(OK, None, 3 * SECOND) and watch.observe(BAD, None, 3 * SECOND)
    watch.restart(9 * SECOND, True)
    for _ in range(2):
        assert not watch.observe(OK, None, 10 * SECOND)
    assert watch.phase is Phase.CLOSED and not watch.observe(BAD, None, 11 * SECOND)


def test_half_a_percent_short_is_short():
    """100 of 201 are 49.75 percent."""
    watch = Breaker(50, 10.0, 201).watch(0)
    assert not any(watch.observe(outcome, None, 0) for outcome in [OK] * 101 + [BAD] * 100)
    assert watch.observe(BAD, None, 0), "101 of 202"


def test_every_move_begins_the_window_anew():
    """Slices begin at the move, wherever that is."""
    half = SECOND // 2

    def begun(watch, at, now):
        fresh = WindowedCounter(10.0)
        fresh.begin_at(at)
        state = watch.snapshot(now)
        assert state["failed"] == state["total"] == fresh.snapshot_at(now)

    watch = Breaker(50, 10.0, 2, probes=1).watch(half)
    begun(watch, half, 3 * SECOND)
    for at in (4 * SECOND, 4 * SECOND + half):
        watch.observe(BAD, None, at)
    begun(watch, 4 * SECOND + half, 6 * SECOND)
    watch.restart(7 * SECOND + half, False)
    begun(watch, 7 * SECOND + half, 9 * SECOND)
    watch.restart(10 * SECOND + half, True)
    begun(watch, 10 * SECOND + half, 12 * SECOND)
    watch.observe(BAD, None, 13 * SECOND + half)
    begun(watch, 13 * SECOND + half, 14 * SECOND)
    watch.restart(15 * SECOND + half, True)
    watch.observe(OK, None, 16 * SECOND + half)
    assert watch.phase is Phase.CLOSED
    begun(watch, 16 * SECOND + half, 18 * SECOND)


def test_stragglers_and_overload_prove_nothing():
    watch = Breaker(probes=1).watch(0)
    watch.restart(10 * SECOND, True)
    assert not watch.observe(BAD, 2.5, 12 * SECOND)
    assert not watch.observe(OK, 2.5, 12 * SECOND) and watch.phase is Phase.HALF_OPEN
    assert not watch.observe(Outcome.OVERLOADED, 1.0, 12 * SECOND) and watch.phase is Phase.HALF_OPEN
    assert not watch.observe(OK, 2.0, 12 * SECOND) and watch.phase is Phase.CLOSED


def test_the_window_slides():
    watch = Breaker(50, 10.0, 10).watch(0)
    for _ in range(9):
        assert not watch.observe(BAD, None, 0)
    assert not watch.observe(BAD, None, 10 * SECOND), "nine of them are too old"


def test_a_breaker_in_the_machine_opens_for_longer_each_time():
    signal = pool(2, Breaker(50, 10.0, 4, probes=2), ConsecutiveErrors(100))
    for _ in range(4):
        signal.observe(0, BAD, None, 1.0)
    for _ in range(9):
        signal.observe(0, BAD, None, 20.0)  # stragglers
    signal.advance(40.0)
    signal.observe(0, BAD, 0.1, 41.0)
    assert signal.drain_events() == [
        Ejected(1.0, "0", "Breaker", 1, 31.0),
        Readmitted(40.0, "0"),
        Ejected(41.0, "0", "Breaker", 2, 101.0),
    ]


def test_who_was_ejected_by_another_is_on_probation_too():
    signal = pool(2, ConsecutiveErrors(2), Breaker(probes=2))
    for _ in range(2):
        signal.observe(0, BAD, None, 1.0)
    signal.advance(40.0)
    signal.observe(0, BAD, None, 41.0)
    assert [e.detector for e in signal.drain_events() if isinstance(e, Ejected)] == ["ConsecutiveErrors", "Breaker"]


# --- the machine


def test_one_budget_and_a_new_beginning_when_withheld():
    signal = pool(3, Breaker(50, 10.0, 2), max_ejection_percent=34)
    for slot in (0, 1):
        for _ in range(2):
            signal.observe(slot, BAD, None, 1.0)
    signal.observe(1, BAD, None, 1.0)
    assert signal.drain_events() == [
        Ejected(1.0, "0", "Breaker", 1, 31.0),
        EjectionWithheld(1.0, "1", "Breaker", "budget"),
    ]
    signal.observe(1, BAD, None, 1.0)
    assert signal.drain_events() == [EjectionWithheld(1.0, "1", "Breaker", "budget")]


def test_a_withheld_verdict_begins_the_average_anew():
    signal = pool(2, FailureEwma(request_volume=1), max_ejection_percent=0, always_eject_one=False)
    for k in range(1, 101):
        signal.observe(0, BAD, None, k / 10)
    assert [e.now for e in signal.drain_events()] == [6.7], "and not with every failure from then on"


def test_a_note_of_no_run_says_nothing_where_others_watch():
    signal = pool(2, Sequential(), ConsecutiveErrors(2))
    signal.observe(0, BAD, None, 1.0)
    before = signal.snapshot()
    signal.tripped(0, 1.0)
    assert (signal.snapshot(), signal.drain_events()) == (before, [])


def test_the_first_listed_speaks_where_several_do():
    for detectors in ((Breaker(50, 10.0, 2), ConsecutiveErrors(2)), (ConsecutiveErrors(2), Breaker(50, 10.0, 2))):
        signal = pool(2, *detectors)
        for _ in range(2):
            signal.observe(0, BAD, None, 1.0)
        assert [e.detector for e in signal.drain_events()] == [type(detectors[0]).__name__]


ALL = (
    FailureEwma(5.0, 0.4, 2),
    Sequential(0.05, 0.5, 1e-12, 0.01),
    Breaker(50, 10.0, 5, 2),
    LatencyQuantile(0.5, request_volume=3),
    Statistical(0.01),
    ConsecutiveErrors(6),
)


def test_a_restart_on_another_clock_goes_on():
    rng = np.random.default_rng(11)
    signal, now, shift = pool(5, *ALL), 0.0, 0.0
    other = pool(5, *ALL)
    for k in range(5000):
        now += int(rng.integers(0, 4)) / 64  # whole nanoseconds by either clock
        slot, ill = int(rng.integers(5)), k % 1000 > 300
        bad = rng.random() < (0.6 if ill and slot == k // 1000 else 0.02)
        value = float(rng.exponential(0.1)) * (8 if ill and slot == 4 else 1)
        for each, t in ((signal, now), (other, now + shift)):
            each.observe(slot, BAD if bad else OK, value, t)
        if k % 500 == 250:
            kept = json.loads(json.dumps(other.snapshot()))
            other, shift = OutlierEjection(ALL, max_ejection_percent=100), shift + 4096.0
            other.restore(kept, now + shift)
            assert other.snapshot() == kept
        assert out(signal, 5) == out(other, 5)
        assert signal.snapshot() == other.snapshot()
    kinds = {e.detector for e in signal.drain_events() if isinstance(e, Ejected)}
    assert len(kinds) >= 3, kinds


def test_a_snapshot_of_other_detectors():
    """Watches that are not in it begin anew; what nobody keeps any more is dropped."""
    kept = pool(2, Sequential(), ConsecutiveErrors()).snapshot()
    signal = OutlierEjection([Breaker()])
    signal.restore(kept, 5.0)
    assert signal.snapshot()["members"]["0"]["watches"] == {"Breaker": Breaker().watch(0).snapshot(0)}
    plain = OutlierEjection()
    plain.restore(kept, 5.0)
    assert "watches" not in plain.snapshot()["members"]["0"]


@pytest.mark.parametrize("detector", [d for d in ALL if hasattr(d, "watch")], ids=lambda d: type(d).__name__)
def test_spoilt_watches_change_nothing(detector):
    signal = pool(2, detector)
    signal.observe(0, BAD, 0.2, 1.0)
    kept = signal.snapshot()
    name = type(detector).__name__
    watch = kept["members"]["0"]["watches"][name]
    bad = [{}, None, {**watch, "more": 1}, {**watch, "type": "Other"}]
    bad += [{**watch, key: value} for key in set(watch) - {"type"} for value in (None, "x", {}, [1])]
    for spoilt in [{name: b} for b in bad] + [7, None]:
        state = json.loads(json.dumps(kept))
        state["members"]["0"]["watches"] = spoilt
        with pytest.raises(ConfigError):
            signal.restore(state, 9.0)
        assert signal.snapshot() == kept


@pytest.mark.parametrize("latency", [-1.0, math.nan, math.inf, "1", True])
def test_a_latency_nobody_can_use(latency):
    signal = pool(2, LatencyQuantile())
    before = signal.snapshot()
    with pytest.raises(ConfigError) as refused:
        signal.observe(0, OK, latency, 1.0)
    assert refused.value.parameter == "latency" and signal.snapshot() == before


def test_in_a_balancer():
    """A signal that watches is told latencies by the balancer's own clock."""
    clock = FakeClock(0.0)
    signal = OutlierEjection([LatencyQuantile(0.5)], interval=1000.0, max_ejection_percent=50)
    balancer = LoadBalancer(Maglev(251), ["a", "b", "c"], signals=[signal], clock=clock, seed=1)
    for k in range(300):
        lease = balancer.acquire(f"key-{k}")
        clock.advance(0.5 if lease.backend.id == "b" else 0.01)
        lease.done()
    assert balancer.view.states.tolist() == [0, 0, 0]
    clock.set(1000.0)
    balancer.advance()
    assert balancer.view.states.tolist() == [0, State.UNHEALTHY, 0]
    assert balancer.stats().ejections == {"LatencyQuantile": 1}


KINDS = {
    Statistical: {
        "false_ejections": [0, -1, 1.1, math.nan, "1"],
        "tolerated": [0, 1.1, math.nan],
        "factor": [0.9, math.nan, math.inf],
        "minimum_hosts": [1, 2.5, True],
        "request_volume": [0, 1.5],
        "enforcement": [-1, 101],
    },
    Sequential: {
        "healthy": [0, -0.1, math.nan, 1.1],
        "failing": [0.05, 0.01, 1.0, math.nan],
        "false_ejection": [0, 1.1, math.nan],
        "missed": [0, 1.0, 1.1, "1"],
        "enforcement": [-1, math.nan],
    },
    FailureEwma: {
        "window": [0, -1, math.nan, "1", 1e-4],
        "success_rate": [0, 1.1, math.nan],
        "request_volume": [0, 1.5, True],
        "enforcement": [-1, 101],
    },
    LatencyQuantile: {
        "quantile": [0, 1.0, -1, math.nan],
        "multiple": [1.0, 0, math.nan],
        "false_ejections": [0, 1.1],
        "minimum_hosts": [1, 1.5],
        "request_volume": [0, True],
        "enforcement": [-1, None],
    },
    Breaker: {
        "failures": [0, 100.5, math.nan],
        "window": [0, 1e-4, math.nan, None],
        "request_volume": [0, 2.5],
        "probes": [0, True, 1.5],
        "enforcement": [-1, 101],
    },
}


@pytest.mark.parametrize(
    ("kind", "parameter", "value"),
    [(kind, name, value) for kind, fields in KINDS.items() for name, values in fields.items() for value in values],
)
def test_bad_parameters(kind, parameter, value):
    with pytest.raises(ConfigError) as caught:
        kind(**{parameter: value})
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", KINDS)
def test_description(kind):
    detector = kind(enforcement=40)
    assert eval(repr(detector)) == detector and hash(detector) == hash(kind(enforcement=40))
    assert detector.to_dict()["type"] == kind.__name__
    signal = OutlierEjection([detector])
    assert eval(repr(signal)).spec == signal.spec
