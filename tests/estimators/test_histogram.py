"""The log-bucket histogram: its error, its merge, its window."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.estimators import LogHistogram, WindowedHistogram

values = st.floats(1e-6, 99.99)
streams = st.lists(st.one_of(values, st.sampled_from([1e-6, 2e-6, 4e-6, 1e-6 * 2**20])), max_size=60)


def filled(stream, **shape):
    histogram = LogHistogram(**shape)
    for value in stream:
        histogram.add(value)
    return histogram


def exact(stream, q):
    """The least value that at least q of the stream do not exceed."""
    return sorted(stream)[max(1, math.ceil(q * len(stream))) - 1]


def test_the_stated_layout():
    """From a microsecond to 100 s in eighths of a doubling: 213 buckets, off by 4.4 % at most."""
    histogram = LogHistogram()
    assert len(histogram.counts()) == 213 + 2
    assert histogram.relative_error == pytest.approx(0.0443, abs=5e-5)
    assert LogHistogram(1.0, 8.0, 1).middle(1) == math.sqrt(2)


@given(streams.filter(len), st.floats(0, 1), st.sampled_from([1, 8, 31]))
def test_a_quantile_is_within_the_stated_error(stream, q, steps):
    histogram = filled(stream, steps=steps)
    true, said = exact(stream, q), histogram.quantile(q)
    assert abs(said / true - 1) <= histogram.relative_error * (1 + 1e-9)


def test_the_error_is_reached():
    """The bound is no looser than it has to be: a value on a border is off by just that."""
    histogram = filled([1e-6 * 2**20])
    assert histogram.quantile(0.5) / (1e-6 * 2**20) - 1 == pytest.approx(histogram.relative_error, rel=1e-9)


@given(streams, streams, st.floats(0, 1))
def test_the_merge_is_the_histogram_of_both(left, right, q):
    merged, whole = filled(left), filled(left + right)
    merged.merge(filled(right))
    assert (merged.counts(), merged.count, merged.quantile(q)) == (whole.counts(), whole.count, whole.quantile(q))


@given(streams, values)
def test_at_least_counts_no_value_too_many(stream, bound):
    said, true = filled(stream).at_least(bound), sum(value >= bound for value in stream)
    above = sum(value >= bound * 2 ** (1 / 8) * (1 + 1e-9) for value in stream)
    assert above <= said <= true


def test_at_least_on_a_border_is_exact():
    histogram = filled([1.0, 2.0, 4.0, 4.1], low=1.0, high=8.0, steps=1)
    assert [histogram.at_least(x) for x in (1.0, 2.0, 4.0, 3.9, 8.0)] == [4, 3, 2, 2, 0]


def test_values_beyond_the_range():
    histogram = filled([0.0, 1e-9, 100.0, 1e12])
    assert [histogram.quantile(q) for q in (0.0, 0.5, 0.6, 1.0)] == [1e-6, 1e-6, 100.0, 100.0]
    assert histogram.at_least(100.0) == 2 and histogram.counts()[0] == 2


def test_empty_and_cleared():
    histogram = LogHistogram()
    assert histogram.quantile(0.5) is None and len(histogram) == 0
    histogram.add(1.0, times=3)
    assert len(histogram) == 3
    histogram.clear()
    assert histogram.quantile(1.0) is None and histogram.counts() == [0] * 215


@given(streams)
def test_snapshots(stream):
    histogram, other = filled(stream), filled([1.0])
    other.restore(json.loads(json.dumps(histogram.snapshot())))
    assert (other.counts(), other.count) == (histogram.counts(), len(stream))
    assert eval(repr(other)).snapshot() == LogHistogram().snapshot()


class Window:
    """The rule of the window on paper: halves on a grid of the clock, all values kept."""

    def __init__(self, window):
        self.half, self.values = window / 2, []

    def add(self, value, now):
        self.values.append((now // self.half, value))

    def at(self, now):
        return sorted(value for half, value in self.values if now // self.half - half <= 1)


@given(
    st.lists(st.tuples(st.integers(0, 40), values, st.booleans()), max_size=40),
    st.integers(0, 40),
    st.integers(-(10**6), 10**6),
)
def test_a_window_keeps_a_half_to_the_whole_of_it(steps, wait, origin):
    """And two that share the stream by the same clock merge into what one would have had of it."""
    now, model = origin * 4, Window(64)
    one, parts = WindowedHistogram(16.0), [WindowedHistogram(16.0), WindowedHistogram(16.0)]
    for pause, value, which in steps:
        now += pause
        for each in (one, parts[which]):
            each.add(value, now / 4)
        model.add(value, now)
    now += wait
    kept = model.at(now)
    assert one.count(now / 4) == len(kept)
    assert one.at(now / 4).counts() == filled(kept).counts()
    before = parts[1].snapshot(now / 4)
    parts[0].merge(parts[1])
    assert parts[0].at(now / 4).counts() == filled(kept).counts()
    assert parts[1].snapshot(now / 4) == before, "the other stays as it is"
    again = WindowedHistogram(16.0)
    again.restore(json.loads(json.dumps(one.snapshot(now / 4))), 5000.0)
    for later in (0, 1, 30, 32, 64):
        assert again.count(5000.0 + later / 4) == one.count((now + later) / 4)


@pytest.mark.parametrize("ahead", [0.0, 1.0, 3.5, 7.5, 9.0])
def test_a_merge_of_other_phases_keeps_nothing_for_longer_than_a_window(ahead):
    one, other = WindowedHistogram(16.0), WindowedHistogram(16.0)
    other.add(1.0, 0.0)
    other.restore(other.snapshot(5.0), 5.0 + ahead)  # the grid is `ahead` later now, the value is of instant `ahead`
    one.add(2.0, 5.0 + ahead)
    one.merge(other)
    assert one.count(5.0 + ahead) == 2
    assert one.at(ahead + 16.001).at_least(0.5) <= 1
    assert one.count(5.0 + ahead + 16.001) == 0


def test_late_values_count_at_the_latest_instant_and_reads_change_nothing():
    one = WindowedHistogram(16.0)
    one.add(1.0, 100.0)
    before = one.snapshot(100.0)
    assert one.count(500.0) == 0 and one.quantile(0.5, 500.0) is None
    assert one.snapshot(100.0) == before
    one.add(1.0, 3.0)
    assert one.count(100.0) == 2 and one.count(3.0) == 2


NAN = math.nan


@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        *(("low", lambda x=x: LogHistogram(low=x)) for x in (0.0, -1.0, NAN, "1", None)),
        *(("high", lambda x=x: LogHistogram(high=x)) for x in (1e-6, 1e-7, NAN, math.inf)),
        *(("steps", lambda x=x: LogHistogram(steps=x)) for x in (0, 129, 8.0, True)),
        *(("value", lambda x=x: filled([x])) for x in (-1.0, NAN, math.inf, "1", None, True)),
        *(("times", lambda x=x: LogHistogram().add(1.0, x)) for x in (-1, 1.5, True)),
        *(("q", lambda x=x: filled([1.0]).quantile(x)) for x in (-0.1, 1.1, NAN, None)),
        *(("value", lambda x=x: filled([1.0]).at_least(x)) for x in (-0.1, NAN, None)),
        *(("other", lambda x=x: LogHistogram().merge(x)) for x in (None, LogHistogram(steps=4), 7)),
        *(("window", lambda x=x: WindowedHistogram(x)) for x in (0.0, -1.0, NAN, "1", 1e10)),
        *(("now", lambda x=x: WindowedHistogram(1.0).add(1.0, x)) for x in (NAN, math.inf, "1", None)),
        ("value", lambda: WindowedHistogram(1.0).add(-1.0, 0.0)),
        *(("other", lambda x=x: WindowedHistogram(1.0).merge(x)) for x in (None, WindowedHistogram(2.0))),
        ("other", lambda: WindowedHistogram(1.0).merge(WindowedHistogram(1.0, steps=4))),
    ],
)
def test_refused(parameter, call):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: {},
        lambda s: None,
        lambda s: {**s, "more": 1},
        lambda s: {**s, "type": "Other"},
        lambda s: {**s, "steps": 4},
        lambda s: {**s, "counts": 7},
        *(lambda s, c=c: {**s, "counts": [c]} for c in (7, [1], [-1, 1], [1, 0], [1, 1.5], [215, 1], [1, 2**63])),
    ],
)
def test_spoilt_snapshots_change_nothing(spoil):
    histogram = filled([1.0, 2.0])
    before = histogram.counts()
    with pytest.raises(ConfigError):
        histogram.restore(spoil(histogram.snapshot()))
    recent = WindowedHistogram(8.0)
    recent.add(1.0, 3.0)
    kept = recent.snapshot(5.0)
    with pytest.raises(ConfigError):
        recent.restore({**kept, "previous": spoil(kept["previous"])}, 9.0)
    with pytest.raises(ConfigError):
        recent.restore({**kept, "window": 1.0}, 9.0)
    with pytest.raises(ConfigError):
        recent.restore({**kept, "age": 0.5}, 9.0)
    assert histogram.counts() == before and recent.snapshot(5.0) == kept


def test_on_a_long_stream():
    """The quantiles of fifty thousand exponential latencies, against those of NumPy."""
    histogram = LogHistogram()
    sample = np.random.default_rng(1).exponential(0.1, 50_000)
    for value in sample:
        histogram.add(float(value))
    for q in (0.5, 0.9, 0.99, 0.999):
        true = np.quantile(sample, q, method="inverted_cdf")
        assert abs(histogram.quantile(q) / true - 1) <= histogram.relative_error * (1 + 1e-9)
