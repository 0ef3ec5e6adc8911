"""Random: the tickets each backend owns, counted exactly, and the generator's continuity."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import mix64
from lbalgo.policies.weighted_random import ticket_counts

WEIGHTS = st.lists(st.floats(5e-324, 1e308) | st.floats(0.1, 10) | st.just(1.0), min_size=1, max_size=24)


def counted(picker, n):
    """Tickets per slot, found by bisection on `slot` alone: k pieces, each of at most two runs."""
    edges = [-(-b * 2**64 // n) for b in range(n + 1)]
    counts = [0] * len(picker.backends)
    for low, high in pairwise(edges):
        head, tail = picker.slot(low), picker.slot(high - 1)
        cut, end = low, high if head == tail else high - 1
        while cut < end:
            middle = (cut + end) // 2
            cut, end = (middle + 1, end) if picker.slot(middle) == head else (cut, middle)
        counts[head] += cut - low
        counts[tail] += high - cut
    return counts


def check_law(counts, weights):
    """Within one ticket of w / W for all but the heaviest, which has the rest; at least one ticket for everybody."""
    assert sum(counts) == 2**64
    total = sum(map(Fraction, weights))
    heaviest = weights.index(max(weights))
    for i, (count, w) in enumerate(zip(counts, weights, strict=True)):
        exact = Fraction(w) / total * 2**64
        assert count >= 1
        if i == heaviest:
            assert abs(count - exact) < len(weights)
        else:
            assert count == 1 if exact < 1 else exact - 1 < count <= exact


@given(WEIGHTS)
def test_tickets_owned(weights):
    picker = lb.Random().build({f"b{i}": w for i, w in enumerate(weights)})
    counts = counted(picker, len(weights))
    check_law(counts, weights)
    assert counts == ticket_counts(weights)
    assert picker.shares().tolist() == [float(Fraction(c, 2**64)) for c in counts]
    picker.check_invariants()


def test_sixteenths_are_exact():
    """1, 2, 3, 4 and 6 of 16, without a ticket of difference."""
    picker = lb.Random().build({"a": 1, "b": 2, "c": 3, "d": 4, "e": 6})
    assert [c * 16 for c in counted(picker, 5)] == [2**64 * w for w in (1, 2, 3, 4, 6)]


def test_only_the_eligible_are_drawn_by_weight_times_factor():
    view = lb.View.of(
        {"a": 4, "b": 1, "c": 1, "z": 0, "d": 9}, factors={"a": 0.25, "c": 0.5}, states={"d": lb.State.DRAINING}
    )
    picker = lb.Random().build(view)
    check_law([c for c in counted(picker, 3) if c], [1.0, 1.0, 0.5])
    assert picker.shares().tolist() == pytest.approx([0.4, 0.4, 0.2, 0, 0], rel=1e-15)


@pytest.mark.parametrize("policy", [lb.Random(), lb.WeightedRoundRobin()])
@pytest.mark.parametrize("factors", [{"a": 0.1}, {"a": 0.1, "b": 0.1}])
def test_a_product_too_small_for_a_double_still_counts(policy, factors):
    view = lb.View.of({"a": 5e-324, "b": 5e-324}, factors=factors)
    assert policy.build(view).shares().tolist() == [0.5, 0.5]


def test_tickets_are_splitmix64():
    """Its published first outputs from seed 0."""
    picker = lb.Random().build(["a"])
    assert picker.tickets(range(3)).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_walk_rehashes_the_ticket():
    picker = lb.Random().build({"a": 3, "b": 2, "c": 1})
    for _ in range(50):
        (ticket,) = picker.tickets([0]).tolist()
        order = []
        while len(order) < 3:
            backend = picker.backends[picker.slot(ticket)]
            if backend not in order:
                order.append(backend)
            ticket = mix64(ticket + 1)
        assert list(picker.walk()) == order
        picker.pick()


def test_walk_reaches_backends_that_are_never_drawn():
    picker = lb.Random().build({"a": 1.0, **{f"b{i}": 1e-300 for i in range(20)}})
    orders = set()
    for _ in range(10):
        walk = [b.id for b in picker.walk()]
        assert walk[0] == "a"
        assert sorted(walk) == sorted(picker.view.ids)
        orders.add(tuple(walk))
        picker.pick()
    assert len(orders) == 10


@pytest.mark.parametrize("keys", [(b"abc", [0, 1, 3]), ["a", "b"], "an iterator", np.arange(2), (b"", [0, 0, 0])])
def test_as_many_tickets_as_keys_whatever_they_come_in(keys):
    picker = lb.Random().build(["a", "b"])
    keys = iter("ab") if isinstance(keys, str) else keys  # made here: it serves once, and tests are run more than once
    assert picker.tickets(keys).tolist() == picker.tickets([1, 2]).tolist()
