"""Compiled and plain periods, strides and alias tables decide and walk alike."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo.reference.alias as plain_alias
import lbalgo.reference.period as plain_period
import lbalgo.reference.stride as plain_stride
from lbalgo.errors import ConfigError
from lbalgo.kernels import alias as fast_alias
from lbalgo.kernels import period as fast_period
from lbalgo.kernels import stride as fast_stride
from lbalgo.policies.round_robin import strides
from lbalgo.policies.weighted_random import ticket_counts

TICKETS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**32, 2**63, 2**64 - 2, 2**64 - 1])
WEIGHTS = st.floats(5e-324, 1e308) | st.floats(0.01, 100) | st.sampled_from([1.0, 2.0, 1e-9])


def alike(fast_one, plain_one, tickets, slots):
    assert fast_one.slots == plain_one.slots == slots
    out = np.empty(len(tickets), dtype=np.int32)
    fast_one.slot_many(np.array(tickets, dtype=np.uint64), out)
    for ticket, slot in zip(tickets, out.tolist(), strict=True):
        assert fast_one.slot(ticket) == plain_one.slot(ticket) == slot
        walk = list(fast_one.walk(ticket))
        assert walk == list(plain_one.walk(ticket))
        assert walk[0] == slot
        assert len(set(walk)) == len(walk)


def spread(n, data):
    """n slots of a view that has gaps."""
    gaps = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    slots = [i + g for i, g in zip(range(n), itertools.accumulate(gaps), strict=True)]
    return slots, slots[-1] + 1 + data.draw(st.integers(0, 2))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60) | st.lists(st.integers(1, 3), min_size=1, max_size=1000))
def test_smooth_period(weights):
    assert fast_period.smooth_period(weights).tolist() == plain_period.smooth_period(weights)


@given(st.data(), st.lists(st.integers(1, 300), min_size=1, max_size=40), st.lists(TICKETS, min_size=1, max_size=8))
def test_period(data, weights, tickets):
    slots, width = spread(len(weights), data)
    table = [slots[i] for i in plain_period.smooth_period(weights)]
    one, two = fast_period.Period(table, width), plain_period.Period(table, width)
    assert one.size == two.size == len(table)
    assert one.table().tolist() == two.table() == table
    alike(one, two, tickets, width)
    assert set(one.walk(tickets[0])) == set(slots)


@given(st.data(), st.lists(WEIGHTS, min_size=1, max_size=40), st.lists(TICKETS, min_size=1, max_size=8))
def test_stride(data, weights, tickets):
    slots, width = spread(len(weights), data)
    rates = strides(weights)
    one, two = fast_stride.Stride(slots, rates, width), plain_stride.Stride(slots, rates, width)
    assert one.strides() == two.strides() == list(zip(slots, rates.tolist(), strict=True))
    alike(one, two, tickets, width)
    assert set(one.walk(tickets[0])) == set(slots)


@given(st.data(), st.lists(WEIGHTS, min_size=1, max_size=40), st.lists(TICKETS, min_size=1, max_size=8))
def test_alias(data, weights, tickets):
    slots, width = spread(len(weights), data)
    counts = ticket_counts(weights)
    salts = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=width, max_size=width))
    arguments = slots, np.array([c % 2**64 for c in counts], dtype=np.uint64), salts
    one, two = fast_alias.AliasTable(*arguments), plain_alias.AliasTable(*arguments)
    assert one.owned() == two.owned()
    assert [one.owned()[s] for s in slots] == counts
    alike(one, two, tickets, width)
    assert set(one.walk(tickets[0])) == set(slots)


@settings(max_examples=6)
@given(st.integers(900, 1000), st.integers(0, 2**32), TICKETS)
def test_a_thousand_backends(n, seed, ticket):
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 4, n)
    slots = list(range(n))
    counts = np.array(ticket_counts(weights.tolist()), dtype=np.uint64)
    whole = rng.integers(1, 20, n).tolist()
    table = plain_period.smooth_period(whole)
    assert fast_period.smooth_period(whole).tolist() == table
    pairs = (
        (fast_period.Period(table, n), plain_period.Period(table, n)),
        (fast_stride.Stride(slots, strides(weights), n), plain_stride.Stride(slots, strides(weights), n)),
        (fast_alias.AliasTable(slots, counts, slots), plain_alias.AliasTable(slots, counts, slots)),
    )
    tickets = [ticket, *rng.integers(0, 2**64, 3, dtype=np.uint64).tolist()]
    for one, two in pairs:
        alike(one, two, tickets, n)


@pytest.mark.parametrize("modules", [(fast_period, fast_stride, fast_alias), (plain_period, plain_stride, plain_alias)])
def test_both_refuse_what_no_policy_makes(modules):
    """Never served, never ending, or out of bounds."""
    period, stride, alias = modules
    for sequence in ([], [0, 3], [-1, 0]):
        with pytest.raises(ConfigError, match="sequence"):
            period.Period(sequence, 3)
    for rates in ([], [65535], [0, 65535], [1, 65534], [65535, 65536]):
        with pytest.raises(ConfigError, match="strides"):
            stride.Stride([0, 1], rates, 2)
    for counts in ([], [0], [0, 0], [2**63, 2**63 - 1], [0, 2**64 - 1], [2**63, 2**62, 2**62]):
        with pytest.raises(ConfigError, match="counts"):
            alias.AliasTable([0, 1], np.array(counts, dtype=np.uint64), [1, 2])


def test_a_place_past_the_end_comes_after_the_last():
    """Slots 0 and 2 are found by place alone: the first position comes one step after the last, and not with it."""
    for module in (fast_period, plain_period):
        period = module.Period([0, *[1] * 40, 2], 3)
        assert list(period.walk(1)) == [1, 2, 0]
        assert list(period.walk(41)) == [2, 0, 1]


@pytest.mark.parametrize("module", [fast_alias, plain_alias])
@pytest.mark.parametrize(("tickets", "order"), [((16, 32, 34, 72), [0, 1, 2]), ((65, 114, 59), [0, 2, 1])])
def test_twelve_links_of_three_owners_count_and_no_more(module, tickets, order):
    """Slot 0 has nearly all. The last link of 34, 59 and 72 leads to another; those of the rest would if there were 15.

    All of them would end in the other order if it was the other way.
    """
    rare = 2**58
    table = module.AliasTable([0, 1, 2], np.array([2**64 - 2 * rare, rare, rare], np.uint64), [1, 2, 3])
    assert [list(table.walk(ticket)) for ticket in tickets] == [order] * len(tickets)
