"""Ring and jump against their laws: sampled tickets against the shares, shares against Beta, iterations against H_n."""

import numpy as np
import pytest
from scipy import stats

import lbalgo as lb
from lbalgo.active import JumpBuckets
from tests.statistical.budget import ALPHA, assert_binomial, assert_chi_square, assert_mean

TICKETS = np.random.default_rng(2024).integers(0, 2**64, 200_000, dtype=np.uint64)
POOL = {f"b{i}": 1 + (i % 4) / 2 for i in range(40)}
SMALL = {f"b{i}": POOL[f"b{i}"] for i in range(16)}
SIGNALS = {
    "plain": {},
    "warming": {"factors": {"b0": 0.1, "b1": 0.5, "b2": 0.9}},
    "ejected": {"states": {"b3": lb.State.UNHEALTHY, "b4": lb.State.DRAINING}},
    "both": {"factors": {f"b{i}": 0.05 for i in range(1, 16)}, "states": {"b0": lb.State.UNHEALTHY}},
}


@pytest.mark.parametrize("lookup", lb.Lookup)
def test_sampled_tickets_follow_the_shares_of_a_ring(lookup):
    picker = lb.RingHash(lookup=lookup).build(POOL)
    assert_chi_square(np.bincount(picker.pick_many(TICKETS), minlength=40), picker.shares())


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("lookup", lb.Lookup)
def test_and_those_of_a_ring_with_signals(lookup, signals):
    picker = lb.RingHash(points=10, lookup=lookup).build(lb.View.of(SMALL, **signals))
    assert_chi_square(np.bincount(picker.pick_many(TICKETS[:30_000]), minlength=16), picker.shares())


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS)
def test_sampled_tickets_follow_the_law_of_jump(signals):
    picker = lb.Jump().build(lb.View.of(dict.fromkeys(SMALL, 1.0), **signals))
    assert_chi_square(np.bincount(picker.pick_many(TICKETS[:30_000]), minlength=16), picker.shares())


def test_jump_with_closed_positions():
    picker = lb.Jump().build({f"b{i}": float(i % 3 == 0) for i in range(40)})
    assert_chi_square(np.bincount(picker.pick_many(TICKETS[:60_000]), minlength=40), picker.shares())


@pytest.mark.parametrize(("n", "m"), [(3, 7), (10, 11)])
def test_jump_owners_at_two_sizes_have_the_joint_law(n, m):
    """P(i, i) = 1/m, P(i, j) = 1/(n m) for j >= n, and nothing else."""
    small, large = (lb.Jump().build([f"b{i}" for i in range(size)]) for size in (n, m))
    joint = np.bincount(small.pick_many(TICKETS) * m + large.pick_many(TICKETS), minlength=n * m)
    law = np.zeros((n, m))
    law[np.arange(n), np.arange(n)] = 1 / m
    law[:, n:] = 1 / (n * m)
    assert_chi_square(joint, law.ravel())


@pytest.mark.parametrize(("buckets", "sample"), [(2, 20_000), (10, 10_000), (300, 1000)])
def test_jump_visits_as_many_buckets_as_it_should(buckets, sample):
    """A ticket's bucket changes at each size with chance 1 / size: H_n of changes in the mean, with known variance.

    The changes are counted through the function from outside: as sizes rise to n, the values that are taken.
    """
    tickets = TICKETS[:sample]
    changes, last, now = np.ones(sample), np.zeros(sample, dtype=np.int32), np.empty(sample, dtype=np.int32)
    for size in range(2, buckets + 1):
        JumpBuckets(np.ones(size, dtype=bool)).slot_many(tickets, now)
        changes += now != last
        last[:] = now
    terms = 1 / np.arange(1, buckets + 1)
    assert_mean(changes, terms.sum(), np.sqrt(terms.sum() - (terms**2).sum()))


@pytest.mark.parametrize("which", range(3))
def test_shares_of_a_ring_are_beta(which):
    """One backend of each of many rings of other ids: its share is Beta(V, T - V)."""
    weight, others, points = [(1, 9, 10), (3, 7, 5), (1, 3, 100)][which]
    policy = lb.RingHash(points=points)
    sample = [policy.build({f"x{r}": weight} | {f"y{r}-{i}": 1 for i in range(others)}).shares()[0] for r in range(400)]
    p = stats.kstest(sample, stats.beta(points * weight, points * others).cdf).pvalue
    assert p > ALPHA, f"Kolmogorov-Smirnov p = {p:.3g}"


def test_nearest_halves_the_variance():
    """Mean squared deviations over many rings against the laws of both lookups, the spread taken from the sample."""
    pools = [[f"{r}-{i}" for i in range(50)] for r in range(200)]
    spread = {
        lookup: [((lb.RingHash(lookup=lookup).build(pool).shares() * 50 - 1) ** 2).mean() for pool in pools]
        for lookup in lb.Lookup
    }
    n, v = 50, 100
    successor = (n - 1) / (n * v + 1)
    assert_mean(spread[lb.Lookup.SUCCESSOR], successor, np.std(spread[lb.Lookup.SUCCESSOR]))
    nearest = nearest_variance(n, v)
    assert_mean(spread[lb.Lookup.NEAREST], nearest, np.std(spread[lb.Lookup.NEAREST]))
    assert 0.49 < nearest / successor < 0.52


def nearest_variance(n, v):
    """Squared coefficient of variation of a nearest share, from the Dirichlet gaps of T = n v points.

    Each of the backend's v points takes half of the gap on either side; a gap between two of its points, of which there
    are v (v - 1) / (T - 1) in the mean, counts whole.
    """
    t = n * v
    pairs = v * (v - 1) / (t - 1)  # neighbours both of this backend: gaps counted twice at one half
    square = (2 * v - 2 * pairs) / 4 + pairs  # sum of squares of the gaps' coefficients
    # gaps: E[g^2] = 2 / (t (t + 1)), E[g g'] = 1 / (t (t + 1))
    second = (square + v**2) / (t * (t + 1))
    return second / (v / t) ** 2 - 1


def test_a_leaver_moves_exactly_its_share():
    pool = {f"b{i}": 1 for i in range(30)}
    for policy in (lb.RingHash(), lb.RingHash(lookup=lb.Lookup.NEAREST), lb.Jump()):
        before, after = policy.build(pool), policy.build({k: 1 for k in pool if k != "b29"})
        moved = int((before.pick_many(TICKETS) != after.pick_many(TICKETS)).sum())
        assert_binomial(moved, len(TICKETS), before.shares()[29])
