"""The joint laws against published figures, their marginals, and brute force on real races."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo.measure.laws import jump_flows, race_flows
from tests.statistical.budget import assert_binomial

weight = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 1e-6, 1e6]) | st.floats(1e-3, 1e3)
weights = st.integers(1, 7).flatmap(
    lambda n: st.tuples(*(st.lists(weight, min_size=n, max_size=n).filter(any) for _ in range(2)))
)


def test_figures_of_the_weighted_race():
    """(1,1,1) -> (2,1,0.5) moves 0.274 of the keys, at least 0.238; (1,2,3,4) -> (4,3,2,1) 0.457, at least 0.400."""
    for before, after, moved, minimal in (
        ([1, 1, 1], [2, 1, 0.5], 0.274, 0.238),
        ([1, 2, 3, 4], [4, 3, 2, 1], 0.457, 0.400),
    ):
        p, q = np.array(before, float), np.array(after, float)
        assert race_flows(p, q)[2].sum() == pytest.approx(moved, abs=5e-4)
        assert np.maximum(0, p / p.sum() - q / q.sum()).sum() == pytest.approx(minimal, abs=5e-4)


@given(weights)
def test_race_marginals(pair):
    """Whatever moves leads exactly from the old shares to the new."""
    before, after = (np.array(w) for w in pair)
    losers, gainers, amounts = race_flows(before, after)
    n = len(before)
    net = np.bincount(gainers, amounts, n) - np.bincount(losers, amounts, n)
    assert np.abs(before / before.sum() + net - after / after.sum()).max() < 1e-12
    assert (losers != gainers).all() and (amounts > 0).all()


@given(weights)
def test_race_backwards(pair):
    before, after = (np.array(w) for w in pair)
    there = {(i, j): x for i, j, x in zip(*race_flows(before, after), strict=True) if x > 1e-15}
    back = {(j, i): x for i, j, x in zip(*race_flows(after, before), strict=True) if x > 1e-15}
    for pair in there.keys() | back.keys():
        assert there.get(pair, 0.0) == pytest.approx(back.get(pair, 0.0), rel=1e-6, abs=1e-13)


def test_race_against_races():
    """Each flow is the chance of a run of 200 000 real races."""
    rng = np.random.default_rng(11)
    before, after = np.array([1.0, 2.0, 3.0, 0.0, 1.0]), np.array([2.0, 1.0, 3.0, 1.0, 0.0])
    times = rng.exponential(size=(200_000, 5))
    with np.errstate(divide="ignore"):
        old, new = (times / before).argmin(axis=1), (times / after).argmin(axis=1)
    law = np.zeros((5, 5))
    losers, gainers, amounts = race_flows(before, after)
    law[losers, gainers] = amounts
    for i in range(5):
        for j in range(5):
            if i != j:
                assert_binomial(((old == i) & (new == j)).sum(), len(old), law[i, j])


@given(weights)
def test_race_scale_is_nothing(pair):
    """Weights matter by their ratios alone; equal ratios move nothing, exactly."""
    before = np.array(pair[0])
    assert len(race_flows(before, before * 3.0)[2]) == 0


def published_jump(key, buckets):
    """Lamping and Veach's jump, from its recurrence."""
    b, j = -1, 0
    while j < buckets:
        b = j
        key = (key * 2862933555777941757 + 1) & (2**64 - 1)
        j = int((b + 1) * (2.0**31 / ((key >> 33) + 1)))
    return b


@pytest.mark.parametrize("old, new", [([0, 1, 2], [0, 1, 2, 3, 4]), ([0, 1, 2, 3], [0, 2, 3]), ([0, 1], [1, 0])])
def test_jump_against_jumps(old, new):
    rng = np.random.default_rng(5)
    keys = rng.integers(0, 2**64, 30_000, dtype=np.uint64).tolist()
    a = np.array([old[published_jump(k, len(old))] for k in keys])
    b = np.array([new[published_jump(k, len(new))] for k in keys])
    n = max(old + new) + 1
    law = np.zeros((n, n))
    losers, gainers, amounts = jump_flows(np.array(old), np.array(new))
    np.add.at(law, (losers, gainers), amounts)
    for i in range(n):
        for j in range(n):
            if i != j:
                assert_binomial(((a == i) & (b == j)).sum(), len(keys), law[i, j])
