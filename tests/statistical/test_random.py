"""Random's picks are independent draws of its law; a retry draws from the law of those that are left."""

import numpy as np
import pytest

import lbalgo as lb

from .budget import assert_chi_square

POOLS = {
    "equal": [1.0] * 10,
    "mixed": [0.1 * (1 + i % 7) for i in range(50)],
    "steep": [2.0**-i for i in range(20)],
}


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("seed", [0, 1])
def test_shares(name, seed):
    picker = lb.Random().build({str(i): w for i, w in enumerate(POOLS[name])})
    picker.reseed(seed)
    slots = picker.pick_many(picker.tickets(range(100_000)))
    assert_chi_square(np.bincount(slots, minlength=len(POOLS[name])), picker.shares())


def test_successive_picks_are_independent():
    picker = lb.Random().build({"a": 4, "b": 2, "c": 1, "d": 1})
    slots = picker.pick_many(picker.tickets(range(200_000)))
    pairs = slots[0::2] * 4 + slots[1::2]
    law = np.outer(picker.shares(), picker.shares()).ravel()
    assert_chi_square(np.bincount(pairs, minlength=16), law)


def test_a_retry_draws_from_those_left():
    picker = lb.Random().build({"a": 4, "b": 2, "c": 1, "d": 1})
    counts = np.zeros(4)
    for _ in range(20_000):
        counts["abcd".index(picker.pick(exclude={"a"}).id)] += 1
    assert_chi_square(counts, [0, 0.5, 0.25, 0.25])


def test_the_second_of_a_walk_is_drawn_from_those_left():
    picker = lb.Random().build({"a": 4, "b": 2, "c": 1, "d": 1})
    p = picker.shares()
    counts, law = np.zeros((4, 4)), np.zeros((4, 4))
    for _ in range(20_000):
        first, second = ("abcd".index(b.id) for b, _ in zip(picker.walk(), range(2), strict=False))
        counts[first, second] += 1
        picker.pick()
    for i in range(4):
        law[i] = p[i] * p / (1 - p[i])
        law[i, i] = 0
    assert_chi_square(counts.ravel(), law.ravel())
