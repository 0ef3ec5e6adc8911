"""The exponential race obeys its law: shares w / sum w over a big range of weights, and the order by Plackett-Luce."""

import numpy as np
import pytest

import lbalgo as lb
from tests.statistical.budget import assert_binomial, assert_chi_square

# each pick of the plain twin, proven equal elsewhere, costs a logarithm a backend in Python: it gets fewer
COUNT = 400_000 if lb.kernels() == "cython" else 4_000
TICKETS = np.arange(1, COUNT + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
POOLS = {
    "even": [1.0] * 20,
    "one to ten": [1.0 + i % 10 for i in range(30)],
    "seven decades": [10.0 ** (i / 2) for i in range(15)],
    "one heavy": [0.9] + [0.1 / 99] * 99,
    "near the end of the range": [1e300 * (1 + i) for i in range(8)],
}


@pytest.mark.parametrize("weights", POOLS.values(), ids=POOLS)
def test_shares(weights):
    """What a sample of this size cannot see, the exact oracle of tests/golden does."""
    picker = lb.Rendezvous().build({f"b{i}": w for i, w in enumerate(weights)})
    counts = np.bincount(picker.pick_many(TICKETS), minlength=len(weights))
    law = np.array(weights) / max(weights)
    assert_chi_square(counts, law / law.sum())
    assert_chi_square(counts, picker.shares())


def test_second_choices_follow_plackett_and_luce():
    weights = np.array([1.0, 2.0, 4.0, 8.0])
    picker = lb.Rendezvous().build({f"b{i}": w for i, w in enumerate(weights)})
    joint = np.zeros((4, 4))
    for ticket in TICKETS[:40_000].tolist():
        walk = picker.structure.walk(ticket)
        joint[next(walk), next(walk)] += 1
    law = np.array(
        [[0 if i == j else w * v / (15 * (15 - w)) for j, v in enumerate(weights)] for i, w in enumerate(weights)]
    )
    assert_chi_square(joint.ravel(), law.ravel())


def test_keys_of_a_leaver_spread_by_weight():
    weights = {f"b{i}": 1.0 + i for i in range(6)}
    before = lb.Rendezvous().build(weights).pick_many(TICKETS)
    after = lb.Rendezvous().build({**weights, "b5": 0}).pick_many(TICKETS)
    moved = before != after
    assert (before[moved] == 5).all()
    assert_binomial(moved.sum(), len(TICKETS), 6 / 21)
    assert_chi_square(np.bincount(after[moved], minlength=5), np.arange(1, 6) / 15)


def test_one_weight_up_moves_the_difference_of_its_shares():
    before = lb.Rendezvous().build({"a": 1, "b": 1, "c": 1}).pick_many(TICKETS)
    after = lb.Rendezvous().build({"a": 2, "b": 1, "c": 1}).pick_many(TICKETS)
    assert_binomial((before != after).sum(), len(TICKETS), 1 / 2 - 1 / 3)
    assert (after[before != after] == 0).all()
