"""The urn: each pair of backends has the tickets of the law of drawing without replacement, within few."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import AliasTable, Urn
from lbalgo.policies import loaded
from lbalgo.policies.loaded import drawing
from lbalgo.reference.hashing import GAMMA, mix64
from tests.both import both

TICKETS = 2**64


def first(low, high, holds):
    """The first of [low, high) for which that holds, as it does for all after it; high if for none."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


@pytest.mark.parametrize("urn", both("urn"), ids=lambda module: module.__name__)
@pytest.mark.parametrize("weights", [[1, 1], [3, 1], [1, 1, 1], [2, 3, 1, 1], [1, 9], [5, 1, 4]])
def test_tickets_of_each_pair(urn, weights):
    """Balls lie in the order of their slots: as tickets ascend so do the first ones, and the second ones of each."""
    balls, slots = sum(weights), range(0, 2 * len(weights), 2)
    pair = urn.Urn(slots, weights, 2 * len(weights)).pair
    counts = dict.fromkeys(permutations(slots, 2), 0)
    end = 0
    for ball in range(balls):
        begin, end = end, -(-(ball + 1) * TICKETS // balls)
        one = pair(begin)[0]
        assert pair(end - 1)[0] == one
        for two in slots:
            after = first(begin, end, lambda ticket, two=two: pair(ticket)[1] > two)
            if after > begin:
                counts[one, two] += after - begin
            begin = after
        assert begin == end
    assert end == TICKETS
    for one, two in permutations(range(len(weights)), 2):
        law = Fraction(weights[one] * weights[two] * TICKETS, balls * (balls - weights[one]))
        assert abs(counts[2 * one, 2 * two] - law) < 2 * weights[one] * weights[two]


@given(
    st.lists(st.integers(1, 9) | st.integers(1, 5000), min_size=2, max_size=60),
    st.lists(st.integers(0, TICKETS - 1) | st.sampled_from([0, 1, 2**63, TICKETS - 1]), max_size=20),
)
def test_distinct_and_alike(weights, tickets):
    slots = list(range(1, 2 * len(weights), 2))
    urns = [module.Urn(slots, weights, 2 * len(weights)) for module in both("urn")]
    for urn in urns:
        assert (urn.size, urn.slots, urn.balls) == (len(weights), 2 * len(weights), sum(weights))
    for ticket in tickets:
        drawn = {urn.pair(ticket) for urn in urns}
        assert len(drawn) == 1
        one, two = drawn.pop()
        assert one != two
        assert one in slots
        assert two in slots


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), st.integers(0, TICKETS - 1))
def test_a_pick_of_two_draws_the_pair_of_its_first_ticket(weights, seed):
    picker = lb.PowerOfTwo().build({str(i): w for i, w in enumerate(weights)})
    picker.reseed(seed)
    for _ in range(3):
        ticket = mix64((picker.cursor.state + GAMMA) % TICKETS)
        assert tuple(picker.drawn(picker.cursor.state)) == picker.table.pair(ticket)
        picker.pick()


@pytest.mark.parametrize(
    ("weights", "kind"),
    [
        ([1.0] * 1000, Urn),
        ([2.5] * 3 + [5.0], Urn),
        ([0.1, 0.2, 0.3], Urn),
        ([1.0, 1.0, 1022.0], Urn),
        ([1.0, 1.0, 1023.0], AliasTable),
        ([1.0, 2.0**0.5, 3.0], AliasTable),
        ([1.0, 5.0] * 500, Urn),
        ([1.0, 9.0] * 500, AliasTable),
    ],
)
def test_few_balls_are_an_urn(weights, kind):
    table = drawing(lb.View.of({str(i): w for i, w in enumerate(weights)}))
    assert type(table) is kind
    assert table.size == len(weights)


def test_ejected_and_warming_backends_weigh_what_they_are():
    view = lb.View.of({"a": 2.0, "b": 4.0, "c": 6.0, "d": 8.0}, factors={"b": 0.25}, states={"c": lb.State.UNHEALTHY})
    table = drawing(view)
    assert (table.size, table.balls) == (3, 11)
    names = [table.pair(int(t))[0] for t in np.linspace(0, TICKETS - 2**12, 1100).astype(np.uint64)]
    assert [abs(names.count(slot) - count) <= 1 for slot, count in enumerate((200, 100, 0, 800))] == [True] * 4


@pytest.mark.parametrize("urn", both("urn"), ids=lambda module: module.__name__)
def test_the_same_balls_by_other_names(urn):
    given = urn.Urn([0, 2, 3], [2, 3, 1], 4)
    names = [7, 1, 9, 4]
    named = given.named(names)
    assert (named.size, named.balls, named.slots) == (3, 6, 10)
    for ticket in range(0, TICKETS, TICKETS // 997):
        assert named.pair(ticket) == tuple(names[slot] for slot in given.pair(ticket))
    for wrong in ([7, 1, 9], [7, 1, 9, 4, 5], [7, 1, 9, 9], [7, 1, 9, -1], [7, 1, 9, 2**24], [7, 1, 9, 0.5], []):
        with pytest.raises(lb.ConfigError, match="names" if wrong != [7, 1, 9, 9] else "distinct"):
            given.named(wrong)


@pytest.mark.parametrize("urn", both("urn"), ids=lambda module: module.__name__)
def test_the_last_that_a_ball_can_name(urn):
    assert set(urn.Urn([3, 2**24 - 1], [1, 1], 2**25).pair(0)) == {3, 2**24 - 1}
    with pytest.raises(lb.ConfigError, match="owners"):
        urn.Urn([3, 2**24], [1, 1], 2**25)


def test_more_slots_than_a_ball_can_name_are_an_alias_table(monkeypatch):
    view = lb.View.of({"a": 1.0, "b": 1.0, "c": 1.0})
    for limit, kind in ((2, AliasTable), (3, Urn)):
        monkeypatch.setattr(loaded, "LAST_OWNER", limit)
        assert type(drawing(view)) is kind
