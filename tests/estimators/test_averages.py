"""Averages that forget, counts in a window, tails: their laws, by hand, by fractions and by SciPy."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lbalgo import ConfigError
from lbalgo.estimators import DecayingMean, Ewma, WindowedCounter, binomial_tail, binomial_threshold

reals = st.floats(-100, 100)
arrivals = st.lists(st.tuples(st.integers(0, 40), reals, st.booleans()), min_size=1, max_size=30)


def test_failures_only_cross_the_threshold_when_the_exponential_does():
    """W = 30 s and 0.8: 6.69 s, whatever the rate (Finagle's page says 6 s, which is window * 0.2)."""
    for rate in (1, 10, 1000):
        average = Ewma(30.0)
        average.start(1.0, 0.0)
        k = 0
        while average.read(k / rate) >= 0.8:
            k += 1
            average.add(0.0, k / rate)
        assert (k - 1) / rate < 30 * math.log(1 / 0.8) <= k / rate
    assert 30 * math.log(1 / 0.8) == pytest.approx(6.694, abs=5e-4)


@given(arrivals)
def test_an_average_over_time_is_its_recursion(steps):
    average, now, wanted, last = Ewma(5.0), 0, None, None
    for pause, value, _ in steps:
        now += pause
        average.add(value, now / 4)
        kept = 1.0 if last is None else math.exp(-(now - last) / 20)
        wanted = value if wanted is None else wanted * kept + value * (1 - kept)
        last = now
        assert average.read(now / 4) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_burst_in_one_instant_is_one_value():
    average = Ewma(5.0)
    average.add(3.0, 1.0)
    for _ in range(1000):
        average.add(9.0, 1.0)
    assert average.read(1.0) == 3.0


def test_reads_project_and_change_nothing():
    average = Ewma(10.0, rest=0.0)
    assert average.read(0.0) is None
    average.add(8.0, 0.0)
    before = average.snapshot(3.0)
    assert average.read(10.0) == pytest.approx(8 / math.e)
    assert average.read(-5.0) == 8.0, "an earlier instant is the latest"
    assert average.snapshot(3.0) == before
    still = Ewma(10.0)
    still.add(8.0, 0.0)
    assert still.read(1e9) == 8.0


@given(arrivals, st.integers(0, 100))
def test_the_mean_is_the_decayed_sum_and_merges_exactly(steps, wait):
    whole, parts, now, seen = DecayingMean(5.0), [DecayingMean(5.0), DecayingMean(5.0)], 0, []
    for pause, value, which in steps:
        now += pause
        whole.add(value, now / 4)
        parts[which].add(value, now / 4)
        seen.append((now, value))
    weights = [math.exp(-(now - at) / 20) for at, _ in seen]
    mean = math.fsum(w * v for w, (_, v) in zip(weights, seen, strict=True)) / math.fsum(weights)
    later = now + wait
    assert whole.mean() == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert whole.weight(later / 4) == pytest.approx(math.fsum(weights) * math.exp(-wait / 20), rel=1e-9)
    for left, right in (parts, parts[::-1]):
        merged = DecayingMean(5.0)
        merged.merge(left)
        merged.merge(right)
        assert merged.mean() == pytest.approx(mean, rel=1e-9, abs=1e-9)
        assert merged.weight(later / 4) == pytest.approx(whole.weight(later / 4), rel=1e-9)


def test_a_late_value_counts_as_old_as_it_is():
    one, other = DecayingMean(5.0), DecayingMean(5.0)
    for now, value in ((0.0, 1.0), (7.0, 2.0)):
        one.add(value, now)
    for now, value in ((7.0, 2.0), (0.0, 1.0)):
        other.add(value, now)
    assert one.mean() == pytest.approx(other.mean()) and one.weight(9.0) == pytest.approx(other.weight(9.0))


@given(st.lists(arrivals, min_size=3, max_size=3))
def test_the_merge_of_averages_over_time(streams):
    def made(steps):
        average, now = Ewma(5.0), 0
        for pause, value, _ in steps:
            now += pause
            average.add(value, now / 4)
        return average, now / 4

    a, b, c = (made(steps)[0] for steps in streams)
    end = max(made(steps)[1] for steps in streams)
    ab, ba = made(streams[0])[0], made(streams[1])[0]
    ab.merge(b)
    ba.merge(a)
    assert ab.read(end) == pytest.approx(ba.read(end), rel=1e-9, abs=1e-7)
    bc = made(streams[1])[0]
    bc.merge(c)
    left, right = ab, made(streams[0])[0]
    left.merge(c)
    right.merge(bc)
    assert left.read(end) == pytest.approx(right.read(end), rel=1e-9, abs=1e-7)
    empty = Ewma(5.0)
    same = a.snapshot(end)
    a.merge(empty)
    assert a.snapshot(end) == same
    empty.merge(a)
    assert empty.snapshot(end) == same


@pytest.mark.parametrize("make", [lambda: Ewma(5.0, rest=1.0), lambda: DecayingMean(5.0), lambda: WindowedCounter(5.0)])
@given(steps=arrivals, wait=st.integers(0, 80))
def test_a_restored_one_goes_on(make, steps, wait):
    one, now = make(), 0
    add = (lambda e, v, t: e.add(t, abs(v))) if isinstance(one, WindowedCounter) else (lambda e, v, t: e.add(v, t))
    say = {Ewma: lambda e, t: e.read(t), DecayingMean: lambda e, t: (e.mean(), e.weight(t))}.get(
        type(one), lambda e, t: e.total(t)
    )
    for pause, value, _ in steps:
        now += pause
        add(one, value, now / 4)
    other = make()
    other.restore(json.loads(json.dumps(one.snapshot((now + wait) / 4))), 4096.0)
    shift = 4096.0 - (now + wait) / 4
    for later in (0, 3, 9):
        now += wait + later
        assert say(other, now / 4 + shift) == say(one, now / 4)
        add(one, 7.0, now / 4)
        add(other, 7.0, now / 4 + shift)
        wait = 0


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.booleans()), max_size=40),
    st.integers(0, 60),
    st.sampled_from([1, 2, 5, 10]),
    st.integers(-(10**6), 10**6),
)
def test_a_windowed_count_is_exact_on_its_grid(steps, wait, slots, origin):
    one, parts = WindowedCounter(10.0, slots), [WindowedCounter(10.0, slots), WindowedCounter(10.0, slots)]
    now, seen, width = origin * 10, [], 40 // slots if slots != 1 else 40
    for pause, amount, which in steps:
        now += pause
        one.add(now / 4, amount)
        parts[which].add(now / 4, amount)
        seen.append((now, amount))
    now += wait
    wanted = sum(amount for at, amount in seen if now // width - at // width < slots)
    assert one.total(now / 4) == wanted
    parts[0].merge(parts[1])
    assert parts[0].total(now / 4) == wanted
    assert sum(a for at, a in seen if at > now - 40 + width) <= wanted <= sum(a for at, a in seen if at > now - 40)


def test_counts_late_cleared_and_read_ahead():
    counter = WindowedCounter(10.0)
    counter.add(50.0)
    counter.add(3.0)
    assert counter.total(50.0) == counter.total(3.0) == 2
    before = counter.snapshot(50.0)
    assert counter.total(1000.0) == 0 and counter.snapshot(50.0) == before
    counter.clear()
    assert counter.total(50.0) == 0


def test_counters_of_other_phases_keep_nothing_too_long():
    one, other = WindowedCounter(10.0), WindowedCounter(10.0)
    other.add(0.0, 5)
    other.restore(other.snapshot(2.0), 2.5)  # its slices now begin at the halves
    one.add(2.75, 7)
    one.merge(other)
    assert one.total(2.75) == 12
    assert one.total(10.51) == 7 and one.total(12.75) == 0


@pytest.mark.parametrize(
    ("p", "rows"),
    [
        (0.001, "2/3 2/4 3/4 3/5 4/6"),
        (0.01, "3/5 4/6 5/7 6/9 9/13"),
        (0.05, "5/7 6/9 9/13 14/19 22/28"),
        (0.10, "6/8 8/11 14/18 21/28 35/44"),
    ],
)
def test_binomial_thresholds(p, rows):
    for n, row in zip((10, 20, 50, 100, 200), rows.split(), strict=True):
        assert f"{binomial_threshold(n, p, 1e-3)}/{binomial_threshold(n, p, 1e-6)}" == row


@given(st.integers(0, 3000), st.floats(0, 1), st.data())
def test_the_tail_is_exact(n, p, data):
    k = data.draw(st.one_of(st.integers(-1, n + 1), st.integers(int(n * p) - 3, int(n * p) + 3)))
    assert binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("n", "p"), [(10, 0.3), (1000, 0.01), (1_000_000, 0.2)])
def test_the_tail_is_exact_far_out(n, p):
    for k in range(int(n * p), min(n, int(n * p + 9 * math.sqrt(n * p))), max(1, n // 1000)):
        assert binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-7)


@given(st.integers(0, 300), st.floats(0, 1), st.floats(1e-12, 1))
def test_the_threshold_is_the_least(n, p, alpha):
    k = binomial_threshold(n, p, alpha)
    assert k == n + 1 or binomial_tail(k, n, p) <= alpha
    assert k == 0 or binomial_tail(k - 1, n, p) > alpha


NAN = math.nan


@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        *(("tau", lambda x=x, k=k: k(x)) for x in (0.0, -1.0, NAN, math.inf, "1", None) for k in (Ewma, DecayingMean)),
        *(("rest", lambda x=x: Ewma(1.0, x)) for x in (NAN, "1", True)),
        *(("value", lambda x=x, k=k: k(1.0).add(x, 0.0)) for x in (NAN, "1", None) for k in (Ewma, DecayingMean)),
        *(("now", lambda x=x, k=k: k(1.0).add(1.0, x)) for x in (NAN, "1", None) for k in (Ewma, DecayingMean)),
        ("now", lambda: Ewma(1.0).read(NAN)),
        ("value", lambda: Ewma(1.0).start(NAN, 0.0)),
        *(("other", lambda x=x: Ewma(1.0).merge(x)) for x in (None, Ewma(2.0), Ewma(1.0, 0.0), DecayingMean(1.0))),
        *(("other", lambda x=x: DecayingMean(1.0).merge(x)) for x in (None, DecayingMean(2.0), Ewma(1.0))),
        *(("window", lambda x=x: WindowedCounter(x)) for x in (0.0, -1.0, NAN, "1", None)),
        *(("slots", lambda x=x: WindowedCounter(1.0, x)) for x in (0, 1.5, True, 10_001)),
        *(("amount", lambda x=x: WindowedCounter(1.0).add(0.0, x)) for x in (-1, NAN, "1")),
        *(("now", lambda x=x: WindowedCounter(1.0).add(x)) for x in (NAN, "1", None)),
        *(("other", lambda x=x: WindowedCounter(1.0).merge(x)) for x in (None, WindowedCounter(2.0))),
        ("other", lambda: WindowedCounter(1.0).merge(WindowedCounter(1.0, 5))),
        ("k", lambda: binomial_tail(1.0, 2, 0.5)),
        ("n", lambda: binomial_tail(1, -1, 0.5)),
        *(("p", lambda x=x: binomial_tail(1, 2, x)) for x in (-0.1, 1.1, NAN)),
        *(("alpha", lambda x=x: binomial_threshold(2, 0.5, x)) for x in (0.0, 1.1, NAN)),
    ],
)
def test_refused(parameter, call):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("make", [lambda: Ewma(5.0), lambda: DecayingMean(5.0), lambda: WindowedCounter(5.0)])
def test_spoilt_snapshots_change_nothing(make):
    one = make()
    if isinstance(one, WindowedCounter):
        one.add(1.0, 3)
    else:
        one.add(3.0, 1.0)
    kept = one.snapshot(2.0)
    spoilt = [{}, None, {**kept, "type": "Other"}, {**kept, "more": 1}, {**kept, "age": 0.5}, {**kept, "age": "1"}]
    for name in set(kept) - {"type", "age"}:
        spoilt += [{**kept, name: bad} for bad in (NAN, "1", None, [1], -1 if name == "weight" else "x")]
    for bad in spoilt:
        with pytest.raises(ConfigError):
            one.restore(bad, 9.0)
        assert one.snapshot(2.0) == kept
    with pytest.raises(ConfigError):
        one.restore(kept, NAN)
    assert eval(repr(one)).snapshot(0.0) == make().snapshot(0.0)
