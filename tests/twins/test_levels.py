"""`Levels` against the tournament, whose answers its are, through any history of starts and ends; by both twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.reference.bits import lowest, ones
from lbalgo.reference.hashing import GAMMA, WORD, mix64
from lbalgo.reference.tournament import Tournament
from tests.twins.test_load_picker_twins import fast_loads, loads, twins

DONE = lb.Outcome.SUCCESS
SIZES = st.one_of(st.integers(1, 70), st.sampled_from([511, 512, 513, 1100]))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "end", "rise", "restart", "pick", "pick"]),
        st.integers(0, 10**6),
        st.sampled_from([1, 1, 1, 15, 16, 17, 63, 64, 65, 300]),
    ),
    max_size=40,
)


def pair(size, first=False):
    """The plain picker of all and the compiled one, each with counts of its own."""
    view = lb.View.of({f"b{i}": 0.3 for i in range(size)})
    return twins(view, np.arange(size), fast_loads.InFlightCounts(), loads.InFlightCounts(), size, first, 7)


def change(load, flying, what, row, times):
    if what == "start":
        for _ in range(times):
            load.started(row, 1.0, 0.0)
    elif what == "end":
        for _ in range(min(times, flying[row])):
            load.finished(row, DONE, None, 0.0)
    elif what == "rise":
        for place in range(len(flying)):
            load.started(place, 1.0, 0.0)
    else:
        load.restart(row)


@given(SIZES, STEPS, st.booleans())
def test_the_answers_of_a_tournament(size, steps, first):
    """Whatever has begun and ended, all backends by one or one by many: the two orders, and both twins, agree."""
    pickers = pair(size, first)
    plain = pickers[0]
    tree = Tournament(plain.load, np.arange(size), np.full(size, 0.3), first)
    flying = [0] * size
    for what, number, times in steps:
        row = number % size
        if what == "pick":
            for picker in pickers:
                picker.reseed(number)
                picker.order.check_invariants()
            expected = tree.least(mix64((number + GAMMA) & WORD))
            assert [picker.pick().id for picker in pickers] == [f"b{expected}"] * 2
            assert flying[expected] == min(flying)
            continue
        for picker in pickers:
            change(picker.load, flying, what, row, times)
        if what == "start":
            flying[row] += times
        elif what == "end":
            flying[row] -= min(times, flying[row])
        elif what == "rise":
            flying = [n + 1 for n in flying]
        else:
            flying[row] = 0


@pytest.mark.parametrize("size", [2, 65, 600])
@pytest.mark.parametrize("apart", [1, 70])
@pytest.mark.parametrize("tied", [1, 2, 0.1, 0.5])
def test_a_few_tied_anywhere(size, apart, tied):
    """Of k tied any is drawn, as often as any other (within 5 standard deviations), whatever is far above them."""
    few = max(int(size * tied), 1) if tied < 1 else min(tied, size - 1)
    chosen = np.random.default_rng(5).choice(size, few, replace=False).tolist()
    for picker in pair(size):
        for place in range(size):
            for _ in range(3 if place in chosen else 3 + apart):
                picker.load.started(place, 1.0, 0.0)
        counts = dict.fromkeys(chosen, 0)
        for _ in range(4000):
            counts[int(picker.pick().id[1:])] += 1
        share = 1 / few
        assert all(abs(n - 4000 * share) <= 5 * (4000 * share * (1 - share)) ** 0.5 for n in counts.values())


def test_one_far_behind_catches_up():
    """The least leaves the levels by the upper end, and by the lower: at every step it is who has least."""
    for picker in pair(40):
        for place in range(40):
            for _ in range(200 if place else 1):
                picker.load.started(place, 1.0, 0.0)
        for _ in range(199):
            assert picker.pick().id == "b0"
            picker.order.check_invariants()
            picker.load.started(0, 1.0, 0.0)
        for _ in range(150):
            picker.load.finished(7, DONE, None, 0.0)
            assert picker.pick().id == "b7"
            picker.order.check_invariants()


def test_costs_other_than_one_are_for_a_tournament():
    """From the first such request on, and as if it had never been otherwise."""
    for picker in pair(20):
        picker.load.started(3, 1.0, 0.0)
        picker.pick()
        assert type(picker.order).__name__ == "Levels"
        for place in range(20):
            picker.load.started(place, 0.25 if place == 3 else 2.5, 0.0)
        assert picker.pick().id == "b3"
        assert type(picker.order).__name__ == "Tournament"
        picker.order.check_invariants()


def test_weights_that_differ_are_for_a_tournament():
    assert type(lb.LeastLoaded().build({"a": 1.0, "b": 2.0}).order).__name__ == "Tournament"
    assert type(lb.LeastLoaded().build({"a": 2.0, "b": 2.0}).order).__name__ == "Levels"


@given(st.integers(1, WORD))
def test_bits(word):
    text = f"{word:b}"
    assert lowest(word) == len(text) - len(text.rstrip("0"))
    assert ones(word) == text.count("1")
