"""Smooth weighted round robin as nginx and Apache serve it, and gRPC's static strides."""

import json
from collections import Counter
from pathlib import Path

import pytest

import lbalgo as lb
import lbalgo.reference.period as plain_period
import lbalgo.reference.stride as plain_stride
from lbalgo.active import Period, Stride, smooth_period
from lbalgo.policies.round_robin import strides

CAPTURED = json.loads((Path(__file__).parent / "smooth_wrr.json").read_text())
SMOOTH = [plain_period.smooth_period, smooth_period]
STRIDES = [plain_stride.Stride, Stride]


@pytest.mark.parametrize("smooth", SMOOTH)
@pytest.mark.parametrize(
    ("weights", "period"),
    [
        ((5, 1, 1), "aabacaa"),  # the example of nginx's announcement
        ((1, 1, 1), "abc"),
        ((1,), "a"),
        ((2, 1), "aba"),
        ((4, 2, 1), "abacaba"),
        ((1, 2, 3), "cbacbc"),
    ],
)
def test_periods_by_hand(smooth, weights, period):
    assert "".join("abc"[i] for i in smooth(weights)) == period


@pytest.mark.parametrize("case", CAPTURED, ids=lambda c: f"{c['program'][:6]} {c['weights']}")
def test_captured_from_the_programs(case):
    """Servers that are down, disabled, spare or of another set are not part of the pool."""
    pool = {str(i): w for i, w in enumerate(case["weights"])}
    states = {str(i): lb.State.DRAINING for i, used in enumerate(case["usable"]) if not used}
    picker = lb.WeightedRoundRobin().build(lb.View.of(pool, states=states))
    assert "".join(picker.pick().id for _ in case["picks"]) == case["picks"]


def served(structure, n):
    """The first n picks and the sequence numbers that serve them."""
    slots, numbers, number = [], [], 0
    for _ in range(n):
        slots.append(structure.slot(number))
        while number % structure.size != slots[-1]:
            number += 1
        numbers.append(number)
        number += 1
    return slots, numbers


@pytest.mark.parametrize("kind", STRIDES)
def test_grpc_weights_1_2_3(kind):
    """By hand from gRPC's rule: (w g + i 32767) mod 65535 >= 65535 - w, with scaled weights 21845, 43690, 65535."""
    rates = strides([1.0, 2.0, 3.0])
    assert rates.tolist() == [21845, 43690, 65535]
    slots, numbers = served(kind([0, 1, 2], rates, 3), 6)
    assert Counter(slots) == {0: 1, 1: 2, 2: 3}
    rule = [
        n for n in range(12) if (rates.tolist()[n % 3] * (n // 3) + (n % 3) * 32767) % 65535 >= 65535 - rates[n % 3]
    ]
    assert numbers == rule[:6]
    assert slots == [n % 3 for n in rule[:6]]


@pytest.mark.parametrize("kind", STRIDES)
def test_grpc_equal_weights_take_turns(kind):
    assert served(kind([0, 1, 2], strides([300.0] * 3), 3), 3000)[0] == [0, 1, 2] * 1000


def test_grpc_heaviest_is_served_in_every_generation():
    """In gRPC's own test 65535 * mean picks over weights 1, 2, 3 hold the heaviest 65535 times."""
    picker = lb.WeightedRoundRobin(max_period=1).build({"a": 1, "b": 2, "c": 3})
    assert isinstance(picker.structure, Stride)
    slots = picker.pick_many(picker.tickets(range(65535 * 2)))
    assert Counter(slots.tolist()) == {0: 21845, 1: 43690, 2: 65535}


def test_whole_weights_make_a_period_and_others_strides():
    build = lb.WeightedRoundRobin().build
    assert isinstance(build({"a": 3.0, "b": 1.0}).structure, Period)
    assert isinstance(build({"a": 0.5, "b": 0.25}).structure, Period)
    assert isinstance(build({"a": 0.1, "b": 0.2, "c": 0.7}).structure, Period)
    assert isinstance(build({"a": 0.1, "b": 2**0.5}).structure, Stride)
    assert isinstance(build({"a": 1e6, "b": 1.0}).structure, Stride)
