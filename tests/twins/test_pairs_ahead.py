"""Pairs are drawn ahead, at every SIMD level, and said by the rows of those in them: no pick may show it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.kernels import load_picker as fast_picker
from lbalgo.kernels import loads as fast_loads
from lbalgo.reference import loads
from lbalgo.reference.hashing import GAMMA, mix64
from lbalgo.reference.urn import Urn
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


def state_of(ticket):
    """The state of a cursor whose next ticket this is."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        ticket ^= (ticket >> shift) ^ (ticket >> 2 * shift)
        ticket = ticket * pow(factor, -1, 2**64) % 2**64
    return (ticket - GAMMA) % 2**64


def first_and_last_tickets(weights):
    """Tickets of which the last bit tells whose the second ball is, or nearly so; an odd number of balls."""
    urn = Urn(range(len(weights)), weights, len(weights))
    for own in set(weights):
        others = urn.balls - own
        for at in range(1, others):
            for left in range(at * 2**64 // others - 3, at * 2**64 // others + 4):
                ball = -left * pow(2**64, -1, urn.balls) % urn.balls
                ticket = (ball * 2**64 + left) // urn.balls
                if weights[urn.owner(ticket)] == own:
                    yield ticket, urn.pair(ticket)


def test_every_bit_of_a_ticket_counts():
    weights = [1, 2, 3, 1, 1, 3, 3, 2, 1, 2]
    view, rows = lb.View.of({f"b{i}": w for i, w in enumerate(weights)}), np.arange(len(weights))
    cases = list(first_and_last_tickets(weights))
    assert len(cases) > 100

    def fast():
        load = fast_loads.InFlightCounts()
        picker, out = twins(view, rows, load, loads.InFlightCounts(), 2, False, 0)[1], []
        for at, (ticket, (one, _)) in enumerate(cases):
            load.started(one, 1.0, 0.0)
            load.started(one, 1.0, 0.0)
            load.started(one, 1.0, 0.0)
            before = at % 64  # pairs of the same block: this is to be seen at every place of it
            picker.reseed((state_of(ticket) - before * 2 * GAMMA) % 2**64)
            for _ in range(before):
                picker.pick()
            assert picker.drawn(picker.cursor.state)[0] == one
            out.append(picker.pick().id)
            load.restart(one)
        return out

    for got in at_every_level(fast):
        assert got == [f"b{two}" for _, (_, two) in cases]
    assert {mix64((state_of(ticket) + GAMMA) % 2**64) - ticket for ticket, _ in cases} == {0}


class Picking:
    """A load that is read by one who picks meanwhile, and then sets the cursor to where it was, or wherever."""

    def __init__(self, moves):
        self.moves, self.picker, self.inside = moves, None, False

    def at(self, row):
        if not self.inside and self.moves:
            self.inside = True
            state, (picks, back) = self.picker.cursor.state, self.moves.pop()
            if back is not None:
                self.picker.reseed((state + back * 2 * GAMMA) % 2**64)
            for _ in range(picks):
                self.picker.pick()
            self.inside = False
        return float(row % 3)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 2, 63, 64, 65]), st.sampled_from([None, 0, -1, -2, -64, 1, 5])), max_size=20
    ),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_a_load_may_pick_while_it_is_read(moves, state, urns):
    view, rows, out = lb.View.of({f"b{i}": 1 + i % 3 for i in range(9)}), np.arange(9), []
    for i in range(2):
        load = Picking(list(moves))
        kinds = fast_loads.ForeignLoad(load), loads.ForeignLoad(load)
        load.picker = twins(view, rows, *kinds, 2, False, state, urns)[i]
        out.append([(load.picker.pick().id, load.picker.cursor.state) for _ in range(PICKS)])
    assert out[0] == out[1]
