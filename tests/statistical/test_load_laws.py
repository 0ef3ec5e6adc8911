"""Laws of least loaded and of two choices, against closed forms, each with its share of the false-alarm budget."""

import heapq
import itertools
from collections import Counter

import numpy as np
import pytest

import lbalgo as lb
from tests.statistical.budget import assert_chi_square

PICKS = 20_000


def picked(picker, picks=PICKS):
    counts = Counter(picker.pick().id for _ in range(picks))
    return [counts[b.id] for b in picker.backends]


def loaded(policy, pool, counts):
    picker = policy.build(pool)
    picker.reseed(20)
    for row, count in zip(picker.rows.tolist(), counts, strict=True):
        for _ in range(count):
            picker.load.started(row, 1.0, 0.0)
    return picker


@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_distinct_loads_get_their_rank_s_share(n):
    """Law 1: the r-th best of n gets 2 (n - r) / (n (n - 1)); the worst gets nothing."""
    picker = loaded(lb.PowerOfTwo(), [f"b{i}" for i in range(n)], range(n))
    assert_chi_square(picked(picker), [2 * (n - r) / (n * (n - 1)) for r in range(1, n + 1)])


@pytest.mark.parametrize("choices", [1, 3, 5])
def test_distinct_loads_and_more_choices(choices):
    """The r-th best is picked if it is drawn and the others drawn are worse: C(n - r, d - 1) / C(n, d)."""
    n = 12
    picker = loaded(lb.PowerOfTwo(choices=choices), [f"b{i}" for i in range(n)], range(n))
    ways = [np.prod([(n - r - k) / (k + 1) for k in range(choices - 1)]) for r in range(1, n + 1)]
    assert_chi_square(picked(picker), np.array(ways) / sum(ways))


def light_to_heavy(n):
    """Share of one backend of weight 1/2 over that of one of n - 1 of weight 1, each winning half its pairs."""
    total = n - 0.5
    light = 0.5 / total + (n - 1) / total * 0.5 / (total - 1)
    return light, light / ((2 - light) / (n - 1))


@pytest.mark.parametrize("n, published", [(2, 1.0), (3, 0.609), (4, 0.559), (6, 0.531), (10, 0.516), (10_000, 0.500)])
def test_half_a_weight_has_the_published_share(n, published):
    """Law 2 in closed form: what Finagle publishes as 1.0, .61, .56, .53, .52, .50."""
    assert round(light_to_heavy(n)[1], 3) == published


@pytest.mark.parametrize("n", [3, 4, 6, 10])
def test_half_a_weight_is_drawn_that_often(n):
    """Law 2 of the draws themselves: how often the light backend is among the two."""
    picker = lb.PowerOfTwo().build({f"b{i}": 0.5 if i == 0 else 1.0 for i in range(n)})
    tickets = np.random.default_rng(2).integers(0, 2**64, PICKS, dtype=np.uint64)
    hits = sum(0 in picker.drawn(int(t)) for t in tickets)
    light, _ = light_to_heavy(n)
    assert_chi_square([hits, PICKS - hits], [light, 1 - light])


@pytest.mark.parametrize("weights", [[1, 2, 4, 8], [5, 5, 1, 1, 1], [0.1, 10, 0.1, 3]])
@pytest.mark.parametrize("choices", [1, 2, 3])
def test_draws_are_successive_samples(weights, choices):
    """Ordered draws follow w_i / W, w_j / (W - w_i), ...: one cell for each ordered outcome."""
    picker = lb.PowerOfTwo(choices=choices).build({f"b{i}": w for i, w in enumerate(weights)})
    tickets = np.random.default_rng(3).integers(0, 2**64, PICKS, dtype=np.uint64)
    counts = Counter(tuple(picker.drawn(int(t))) for t in tickets)
    law = successive(weights, choices)
    assert_chi_square([counts[o] for o in law], list(law.values()))


def successive(weights, count):
    law = {}
    for outcome in itertools.permutations(range(len(weights)), count):
        chance, left = 1.0, float(sum(weights))
        for slot in outcome:
            chance *= weights[slot] / left
            left -= weights[slot]
        law[outcome] = chance
    return law


def test_draws_past_the_table_follow_the_same_law():
    """One backend is nearly all of the weight: the others are drawn from the missing, by weight."""
    weights = [1e15, 1.0, 2.0, 3.0]
    picker = lb.PowerOfTwo(choices=3).build({f"b{i}": w for i, w in enumerate(weights)})
    tickets = np.random.default_rng(4).integers(0, 2**64, PICKS, dtype=np.uint64)
    counts = Counter(tuple(picker.drawn(int(t))) for t in tickets)
    law = {(0, *(s + 1 for s in rest)): p for rest, p in successive(weights[1:], 2).items()}
    assert_chi_square([counts[o] for o in law], list(law.values()))


@pytest.mark.parametrize(
    "weights, counts", [([2, 4, 6], [1, 3, 5]), ([1, 1, 1, 1], [2] * 4), ([1, 2, 3, 4] * 5, [0, 1, 2, 3] * 5)]
)
@pytest.mark.parametrize("policy", [lb.LeastLoaded(), lb.PowerOfTwo(choices=64), lb.PowerOfTwo()], ids=repr)
def test_a_pool_tied_as_a_whole_is_served_by_weight(policy, weights, counts):
    """All scores equal: everybody gets w / W, whether all are compared or the first drawn wins."""
    picker = loaded(policy, {f"b{i}": w for i, w in enumerate(weights)}, counts)
    assert len(set(picker.scores())) == 1
    assert_chi_square(picked(picker), np.array(weights) / sum(weights))


def test_some_tied_at_the_bottom_are_served_by_weight():
    picker = loaded(lb.LeastLoaded(), {"a": 1, "b": 2, "c": 4, "d": 4, "e": 6}, [0, 1, 4, 3, 5])
    assert picker.scores().tolist() == [1.0, 1.0, 1.25, 1.0, 1.0]
    assert_chi_square(picked(picker), [1 / 13, 2 / 13, 0, 4 / 13, 6 / 13])


def test_the_second_of_the_tied_is_drawn_by_weight_too():
    """The whole walk over a tied pool is a sample without replacement, so retries are fair as well."""
    weights = [1, 2, 3]
    picker = loaded(lb.LeastLoaded(), {f"b{i}": w for i, w in enumerate(weights)}, [0, 1, 2])
    counts = Counter()
    for _ in range(PICKS):
        counts[tuple(picker.backends.index(b) for b in picker.walk())] += 1
        picker.pick()
    law = successive(weights, 3)
    assert_chi_square([counts[o] for o in law], list(law.values()))


@pytest.mark.parametrize("erlang", [0.067, 0.1, 1.0])
def test_ties_to_the_first_starve_the_others(erlang):
    """Law 3: with a Erlang offered and servers to spare, server 0 takes 1 / (1 + a).

    Between two requests that server 0 takes lies one service of it, of length exp(1); the Poisson arrivals meanwhile
    go elsewhere. Their number is geometric, independent from one service to the next: P(k) = (1 - q) q^k with
    q = a / (1 + a), so that server 0's share is 1 / (1 + a).
    """
    rng = np.random.default_rng(5)
    picker = lb.LeastLoaded(ties=lb.Ties.FIRST).build([f"b{i}" for i in range(40)])
    now, ends, elsewhere, gaps = 0.0, [], 0, []
    done = lb.Outcome.SUCCESS
    while len(gaps) < 4000:
        now += rng.exponential(1 / erlang)
        while ends and ends[0][0] <= now:
            end, row = heapq.heappop(ends)
            picker.load.finished(row, done, None, end)
        slot = int(picker.pick().id[1:])
        row = int(picker.rows[slot])
        picker.load.started(row, 1.0, now)
        heapq.heappush(ends, (now + rng.exponential(), row))
        if slot == 0:
            gaps.append(elsewhere)
            elsewhere = 0
        else:
            elsewhere += 1
    q = erlang / (1 + erlang)
    cells = 12
    law = [(1 - q) * q**k for k in range(cells)] + [q**cells]
    counts = np.bincount(np.minimum(gaps[1:], cells), minlength=cells + 1)
    assert_chi_square(counts, law)
