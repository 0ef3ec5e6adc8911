"""Maglev in the mean: disruption against simulated figures, bias of a dominating share, shares under coins."""

import math

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.policies.maglev import phased_turns
from tests.statistical.budget import assert_chi_square, assert_mean, assert_same_mean

FAST = lb.kernels() == "cython"
RUNS = 40 if FAST else 3  # the plain fill takes 0.2 s a table
EXCESS = [  # table size, backends, mean excess in percent of the table over 20 tables of random offsets and skips
    (65537, 3, 0.016),
    (65537, 10, 0.234),
    (65537, 50, 0.454),
    (65537, 100, 0.560),
    (65537, 300, 0.853),
    (65537, 1000, 0.570),
    (655373, 100, 0.137),
    (655373, 1000, 0.325),
]


@pytest.mark.parametrize(("size", "n", "percent"), EXCESS if FAST else EXCESS[1:4])
def test_excess_when_one_backend_leaves_or_joins(size, n, percent):
    """Positions that change though the backend that leaves does not hold them. Between the same two tables a joining
    backend changes the same positions without taking them, so this is the figure of an addition as well."""
    policy, excess = lb.Maglev(table_size=size), []
    for run in range(RUNS if size < 10**5 else 8):
        ids = [f"{run}-{i}" for i in range(n)]
        whole = policy.build(ids).structure.table()
        rest = policy.build(ids[1:]).structure.table()
        left = np.asarray(whole) != 0
        excess.append(100 * np.mean((np.asarray(whole) != np.asarray(rest) + 1) & left))
    assert_same_mean(excess, percent, 20)


@pytest.mark.parametrize(("k", "percent"), [(5, 1.82), (10, 2.33), (20, 2.67), (50, 3.26), (100, 3.54)])
def test_excess_when_several_of_a_thousand_leave(k, percent):
    """The setting of the paper's figure 12, whose values are plotted only; simulated with 40 tables each."""
    policy, excess = lb.Maglev(), []
    for run in range(12 if FAST else 2):
        ids = [f"{run}-{i}" for i in range(1000)]
        whole = np.asarray(policy.build(ids).structure.table())
        rest = np.asarray(policy.build(ids[k:]).structure.table()) + k
        excess.append(100 * np.mean((whole != rest) & (whole >= k)))
    assert_same_mean(excess, percent, 40)


def test_a_dominating_share_is_unbiased():
    """One of share 0.9 and 999 light ones: Adams' rule gives it 439 positions too few, Jefferson's 560 too many.

    A light one's quota is 6.56, so its count is 6 or 7 with the phase's chance: variance f (1 - f), f = 0.56. The heavy
    one takes up 0.9 of the sum of their errors.
    """
    size, light = 65537, 0.1 / 999
    f = size * light % 1
    deviation = 0.9 * math.sqrt(999 * f * (1 - f))
    errors = []
    for trial in range(40):
        names = [b"%d-%d" % (trial, i) for i in range(1000)]
        counts = np.bincount(phased_turns([0.9] + [light] * 999, names, size))
        assert set(counts[1:].tolist()) <= {6, 7}
        errors.append(counts[0] - 0.9 * size)
    assert_mean(errors, 0, deviation)


@pytest.mark.parametrize("far", [False, True])
def test_shares_under_coins(far):
    """Tickets in the proportions that `shares` gives as the mean over the coins; `far`: beyond the window, too."""
    weights = {"a": 300.0, "b": 290.0, "c": 1.0, "d": 1.0} if far else {f"b{i}": 1.0 + i % 3 for i in range(12)}
    ids = list(weights)
    view = lb.View.of(weights, factors={ids[0]: 0.05, ids[1]: 0.3, ids[2]: 0.9}, states={ids[-1]: lb.State.UNHEALTHY})
    picker = lb.Maglev(table_size=1009).build(view)
    rng = np.random.default_rng(5)
    tickets = rng.integers(0, 2**64, 60_000 if FAST else 6_000, dtype=np.uint64)
    assert_chi_square(np.bincount(picker.pick_many(tickets), minlength=len(ids)), picker.shares())
