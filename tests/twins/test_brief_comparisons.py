"""Two choices compare products where those are sure to tell what the scores do: the picks are those of the scores."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.kernels import estimated_loads as fast_estimated
from lbalgo.kernels import loads as fast_loads
from lbalgo.loads import PeakEwma
from lbalgo.reference import estimated_loads, loads
from tests.twins.test_load_picker_twins import twins

TAU, SIZE = 10.0, 5
LEAPS = st.sampled_from([0.0, 0.0, 1e-9, 0.1, 3.0, 50.0, 300.0, 639.0, 641.0, 2000.0, 1e5])
TOOK = st.sampled_from([0.0, 0.01, 0.01, 0.01 * (1 + 2.0**-52), 0.0101, 5e-324, 1e-200, 1e9, 2.0])
COSTS = st.sampled_from([1.0, 1.0, 1.0, 0.1, 2.0, 1e-12, 1e200])
WEIGHTS = st.lists(
    st.sampled_from([1.0, 1.0, 2.0, 3.0, 0.1, 1 + 2.0**-52, 1e-25, 1e-250]), min_size=SIZE, max_size=SIZE
)
ROWS = st.integers(0, SIZE - 1)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), ROWS, TOOK, COSTS),
        st.tuples(st.just("request"), ROWS, TOOK, COSTS),
        st.tuples(st.just("open"), ROWS, COSTS),
        st.tuples(st.just("leap"), LEAPS),
        st.tuples(st.just("pick")),
        st.tuples(st.just("pick")),
        st.tuples(st.just("forget"), ROWS),
        st.tuples(st.just("restore"), LEAPS),
        st.tuples(st.just("merge")),
    ),
    max_size=30,
)


def played(load, picker, events):
    """The ids picked, each as the scores have it: the second drawn where its score is less, else the first."""
    now, out = 100.0, []
    for name, *given_ in events:
        if name == "request":
            row, took, cost = given_
            load.started(row, cost, now)
            now += min(took, 10.0)
            load.finished(row, lb.Outcome.SUCCESS, took, now, cost)
        elif name == "open":
            load.started(given_[0], given_[1], now)
        elif name == "leap":
            now += given_[0]
            load.advance(now)
        elif name == "forget":
            load.restart(given_[0])
        elif name == "restore":
            kept, now = load.snapshot(), now + given_[0]
            load.restore(kept, now)
        elif name == "merge":
            load.merge(load)
        one, two = picker.drawn(picker.cursor.state)
        scores = picker.scores()
        out.append(picker.pick().id)
        assert out[-1] == f"b{two if scores[two] < scores[one] else one}"
    return out


@given(WEIGHTS, EVENTS, st.integers(0, 2**64 - 1), st.sampled_from([float("nan"), 0.05]))
@example([1.0] * SIZE, [("request", row, 0.01 + row, 1.0) for row in range(SIZE)] + [("leap", 1e5)] * 9, 1, 0.05)
@example([1.0] * SIZE, [("request", 4 - row, 0.01 + row, 1.0) for row in range(SIZE)] + [("pick",)] * 9, 2, 0.05)
def test_peaks(weights, events, state, initial):
    view, rows = lb.View.of({f"b{i}": w for i, w in enumerate(weights)}), np.arange(SIZE)
    spec = PeakEwma(TAU)
    fast, plain = (m.LatencyLoad(spec, TAU, True, True, initial) for m in (fast_estimated, estimated_loads))
    plain_picker, fast_picker = twins(view, rows, fast, plain, 2, False, state)
    assert played(plain, plain_picker, events) == played(fast, fast_picker, events)


@given(WEIGHTS, EVENTS, st.integers(0, 2**64 - 1), st.booleans())
@pytest.mark.parametrize("most", [1, 2**31 - 1])
def test_counts(most, weights, events, state, whole):
    view, rows = lb.View.of({f"b{i}": w for i, w in enumerate(weights)}), np.arange(SIZE)
    opened = [("open", row, 1.0 if whole else cost) for name, row, cost in (e for e in events if e[0] == "open")]
    events = [*opened, ("forget", 1), *opened, ("pick",)]
    fast, plain = fast_loads.InFlightCounts([most, 0, most - 1]), loads.InFlightCounts([most, 0, most - 1])
    plain_picker, fast_picker = twins(view, rows, fast, plain, 2, False, state)
    assert played(plain, plain_picker, events) == played(fast, fast_picker, events)


def test_ties_but_for_rounding():
    """Scores that in truth are one number, a and 3 a over 3: division decides, whoever compares."""
    view, rows = lb.View.of({"b0": 1.0, "b1": 3.0, "b2": 3.0}), np.arange(3)
    for k in range(1, 300):
        counts, peaks = loads.InFlightCounts(), estimated_loads.LatencyLoad(PeakEwma(TAU), TAU, True, True, 0.05)
        peaks.started(2, 1.0, 0.0)
        peaks.finished(2, lb.Outcome.SUCCESS, 0.0, 0.0)  # the epoch is this instant
        for row, share in enumerate([1.0, 3.0, 3.0]):
            counts.started(row, (1 + k / 10) * share - 1, 0.0)
            peaks.started(row, 1.0, 0.0)
            peaks.finished(row, lb.Outcome.SUCCESS, k / 10 * share, 1.0 + k / 7)
        peaks.advance(80.0)
        for load in (counts, peaks):
            picker = twins(view, rows, fast_loads.InFlightCounts(), load, 2, False, k)[0]
            assert played(load, picker, [("pick",)] * 4)
