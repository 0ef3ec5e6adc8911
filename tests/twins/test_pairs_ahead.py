"""Pairs are drawn ahead, at every SIMD level, and said by the rows of those in them: no pick may show it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.kernels import load_picker as fast_picker
from lbalgo.kernels import loads as fast_loads
from lbalgo.reference import loads
from tests.levels import at_every_level
from tests.twins.test_load_picker_twins import twins

PICKS = 150  # more than two times as many as are drawn at once
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("picks"), st.sampled_from([1, 2, 63, 64, 65, PICKS])),
        st.tuples(st.just("reseed"), st.integers(0, 2**64 - 1)),
        st.tuples(st.just("exclude"), st.sets(st.integers(0, 9), max_size=3)),
        st.tuples(st.just("cost"), st.sampled_from([1.0, 1.0, 0.5, 3.0])),
        st.tuples(st.just("restart"), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=8,
)


def played(picker, load, rows, events):
    """Whom a picker picks: each has one request more from then on, and sometimes one fewer."""
    slots, out = {backend.id: slot for slot, backend in enumerate(picker.backends)}, []
    for name, argument in events:
        if name == "picks":
            for i in range(argument):
                out.append(picker.pick().id)
                load.started(int(rows[slots[out[-1]]]), 1.0, 0.0)
                if i % 3 == 2:
                    load.finished(int(rows[slots[out[-3]]]), lb.Outcome.SUCCESS, None, 0.0)
        elif name == "reseed":
            picker.reseed(argument)
        elif name == "exclude":
            out.append(picker.pick(exclude={f"b{i}" for i in argument}).id)
        elif name == "cost":
            load.started(int(rows[0]), argument, 0.0)
        else:
            load.restart(int(rows[argument]))
        out.append(picker.cursor.state)
    return out


def same(weights, rows, state, events, urns):
    view = lb.View.of({f"b{i}": w for i, w in enumerate(weights)})

    def plain():
        load = loads.InFlightCounts()
        return played(
            twins(view, rows, fast_loads.InFlightCounts(), load, 2, False, state, urns)[0], load, rows, events
        )

    def fast():
        load = fast_loads.InFlightCounts()
        return played(twins(view, rows, load, loads.InFlightCounts(), 2, False, state, urns)[1], load, rows, events)

    expected = plain()
    for got in at_every_level(fast):
        assert got == expected


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.1]), min_size=10, max_size=14).filter(
        lambda w: sum(map(bool, w)) > 2
    ),
    st.data(),
    st.integers(0, 2**64 - 1),
    EVENTS,
    st.booleans(),
)
def test_same_picks_by_whatever_rows(weights, data, state, events, urns):
    rows = data.draw(st.permutations(range(len(weights))) | st.just(range(len(weights))))
    gap = data.draw(st.sampled_from([0, 0, 5, 1000, 10**6]))
    rows = np.array([row + gap * (row > 4) for row in rows], np.int64)
    same(weights, rows, state, [*events, ("picks", PICKS)], urns)


@pytest.mark.parametrize("urns", [True, False])
@pytest.mark.parametrize("size", [3, 64, 1000])
def test_same_picks_of_many(size, urns):
    rows = np.arange(size)
    same([1 + i % 3 for i in range(size)], rows, 7, [("picks", 2000)], urns)
    same([1 + i % 3 for i in range(size)], rows[::-1].copy(), 7, [("picks", 2000)], urns)


def test_no_pairs_of_more_slots_than_a_word_can_name(monkeypatch):
    events, rows = [("picks", PICKS)], np.array([2, 0, 1, 3])
    for limit in (3, 4, 5):
        monkeypatch.setattr(fast_picker, "LAST_OWNER", limit)
        same([1.0, 2.0, 3.0, 1.0], rows, limit, events, False)
        same([1.0, 2.0, 3.0, 1.0], rows, limit, events, True)
