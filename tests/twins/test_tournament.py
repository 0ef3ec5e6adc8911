"""The tournament against a plain scan, and its twins against each other, through any history of starts and ends."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from tests.twins.test_load_picker_twins import fast_loads, loads, twins

DONE = lb.Outcome.SUCCESS
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 3.0])
STEPS = st.lists(
    st.tuples(st.sampled_from(["start", "start", "end", "pick", "restart"]), st.integers(0, 10**6)), max_size=120
)


def scan(picker, weights, first):
    """Those of least score; the first alone where ties go to it."""
    scores = {i: (picker.load.at(i) + 1) / w for i, w in enumerate(weights) if w}
    least = [i for i, score in scores.items() if score == min(scores.values())]
    return least[:1] if first else least


@given(st.lists(WEIGHTS, min_size=1, max_size=100), STEPS, st.booleans(), st.booleans())
def test_the_least_of_all(weights, steps, first, many):
    """At every pick both twins give the same one, it is of least score, and the tree is what its loads say."""
    if not any(weights):
        return
    view = lb.View.of({f"b{i}": w for i, w in enumerate(weights)})
    pair = twins(view, np.arange(len(weights)), fast_loads.InFlightCounts(), loads.InFlightCounts(), 1000, first, 7)
    flying = Counter()
    for what, number in steps:
        row = number % len(weights)
        if what == "pick":
            got = {picker.pick().id for picker in pair}
            assert len(got) == 1
            for picker in pair:
                assert int(got.copy().pop()[1:]) in scan(picker, weights, first)
                picker.order.check_invariants()
            continue
        for picker in pair:
            for _ in range(300 if many and number % 7 == 0 else 1):  # more changes than the journal holds
                if what == "start":
                    picker.load.started(row, 1.0, 0.0)
                elif what == "end" and flying[row]:
                    picker.load.finished(row, DONE, None, 0.0)
                    break
            if what == "restart":
                picker.load.restart(row)
        if what == "start":
            flying[row] += 300 if many and number % 7 == 0 else 1
        elif what == "end":
            flying[row] -= flying[row] > 0
        else:
            flying[row] = 0


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 65, 513])
@pytest.mark.parametrize("idle", [0.02, 0.4, 1.0])
def test_the_tied_are_drawn_by_weight(size, idle):
    """Counts of who is drawn, in weight classes, within 5 standard deviations; nobody with a greater score is."""
    weights = [1.0 + i % 2 for i in range(size)]
    picker = lb.LeastLoaded().build({f"b{i}": w for i, w in enumerate(weights)})
    tied = [i for i in range(size) if i % 50 < 50 * idle]
    for i in range(size):
        for _ in range(int(weights[i]) * (2 if i in tied else 3) - 1):
            picker.load.started(i, 1.0, 0.0)  # (load + 1) / weight is 2 or 3
    picks = 8000
    counts = Counter(int(picker.pick().id[1:]) for _ in range(picks))
    assert set(counts) <= set(tied)
    heavy = sum(weights[i] for i in tied if weights[i] == 2) / sum(weights[i] for i in tied)
    got = sum(count for i, count in counts.items() if weights[i] == 2)
    assert abs(got - picks * heavy) <= 5 * (picks * heavy * (1 - heavy)) ** 0.5 + 1e-9
    half = sum(weights[i] for i in tied[: len(tied) // 2]) / sum(weights[i] for i in tied)
    got = sum(counts[i] for i in tied[: len(tied) // 2])
    assert abs(got - picks * half) <= 5 * (picks * half * (1 - half)) ** 0.5 + 1e-9


def test_a_pick_is_a_function_of_loads_and_ticket():
    """Two pickers that came to the same loads by different ways pick the same."""
    one, two = (lb.LeastLoaded().build([f"b{i}" for i in range(300)]) for _ in range(2))
    for i in range(300):
        one.load.started(i, 1.0, 0.0)
        one.pick()
    for i in range(0, 300, 3):
        one.load.finished(i, DONE, None, 0.0)
        one.pick()
    for i in range(300):
        if i % 3:
            two.load.started(i, 1.0, 0.0)
    one.reseed(9)
    two.reseed(9)
    assert [one.pick().id for _ in range(200)] == [two.pick().id for _ in range(200)]


def test_rows_far_apart_are_read_one_by_one():
    rows = np.array([0, 2**30])
    view = lb.View([lb.Endpoint("a"), lb.Endpoint("b")], np.ones(2), np.ones(2), np.zeros(2, np.uint8), rows=rows)
    picker = lb.LeastLoaded().build(view)
    assert picker.order is None
    picker.load.started(0, 1.0, 0.0)
    assert picker.pick().id == "b"
