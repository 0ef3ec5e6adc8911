"""JumpBack, MultiProbe, StableTable, TopK against their laws: uniform orders, words drawn, shares, zones drawn."""

import itertools

import numpy as np
import pytest

import lbalgo as lb
import lbalgo.reference.jump_back as plain
from lbalgo.active import choose, jump_back
from lbalgo.policies.jump_back import JumpBack
from lbalgo.policies.multi_probe import MultiProbe
from lbalgo.policies.stable_table import StableTable
from lbalgo.policies.top_k import TopK
from tests.statistical.budget import assert_binomial, assert_chi_square, assert_mean

TICKETS = np.random.default_rng(1125).integers(0, 2**64, 60_000, dtype=np.uint64)
FEW = TICKETS[:20_000].tolist()


@pytest.mark.parametrize("buckets", [1, 2, 3, 5, 8, 33, 100, 1000])
def test_buckets_are_uniform(buckets):
    """20 000 tickets; at 1000 buckets a spread of 7 % beyond chance would be seen."""
    counts = np.bincount([jump_back(t, buckets) for t in FEW], minlength=buckets)
    assert_chi_square(counts, np.full(buckets, 1 / buckets))


def test_the_published_function_at_two_sizes():
    """Why the order does not use it: of the tickets in bucket 6 of 7 not a third each are in the buckets of 3."""
    below = [jump_back(t, 3) for t in TICKETS.tolist() if jump_back(t, 7) == 6]
    assert_chi_square(np.bincount(below, minlength=3), [12 / 48, 19 / 48, 17 / 48])


@pytest.mark.parametrize(("n", "m"), [(3, 7), (8, 9), (10, 11)])
def test_owners_at_two_sizes_have_the_joint_law(n, m):
    """P(i, i) = 1/m, P(i, j) = 1/(n m) for j >= n, and nothing else."""
    small, large = (JumpBack().build([f"b{i:02}" for i in range(size)]) for size in (n, m))
    joint = np.bincount(small.pick_many(TICKETS) * m + large.pick_many(TICKETS), minlength=n * m)
    law = np.zeros((n, m))
    law[np.arange(n), np.arange(n)] = 1 / m
    law[:, n:] = 1 / (n * m)
    assert_chi_square(joint, law.ravel())


@pytest.mark.parametrize("buckets", [3, 5, 9, 17, 65, 1025])
def test_words_drawn(buckets, monkeypatch):
    """At n = q + 1, q a power of two, the most are drawn: 1 + c / (1 - c^2), c = (q - 1) / (2 q), below 5/3.

    With chance c the first word leads above the buckets; then each half of a word goes on with chance c.
    """
    drawn = []

    def counted(word, mix=plain.mix64):
        drawn[-1] += 1
        return mix(word)

    monkeypatch.setattr(plain, "mix64", counted)
    for ticket in FEW[:10_000]:
        drawn.append(0)
        plain.jump_back(ticket, buckets)
    c = (buckets - 2) / (2 * (buckets - 1))
    go_on = c * c  # after a further word
    mean, square = c / (1 - go_on), c * (1 + go_on) / (1 - go_on) ** 2
    assert 1 + mean < 5 / 3
    assert square - mean**2 < 2 / 3
    assert_mean(drawn, 1 + mean, (square - mean**2) ** 0.5)


@pytest.mark.parametrize("buckets", [2, 4, 8, 1024])
def test_one_word_is_enough_at_powers_of_two(buckets, monkeypatch):
    drawn = []
    monkeypatch.setattr(plain, "mix64", lambda word, mix=plain.mix64: drawn.append(word) or mix(word))
    for ticket in FEW[:1000]:
        plain.jump_back(ticket, buckets)
    assert len(drawn) == 1000


@pytest.mark.parametrize(("k", "n"), [(3, 10), (2, 7), (5, 6)])
def test_the_first_k_are_a_uniform_set(k, n):
    sets = {chosen: place for place, chosen in enumerate(itertools.combinations(range(n), k))}
    counts = np.bincount([sets[tuple(sorted(choose(t, k, n)))] for t in FEW], minlength=len(sets))
    assert_chi_square(counts, np.full(len(sets), 1 / len(sets)))


def test_the_order_is_a_uniform_permutation():
    """More than the sets say: it makes the heir of a free seat uniform too."""
    orders = {order: place for place, order in enumerate(itertools.permutations(range(5)))}
    counts = np.bincount([orders[tuple(choose(t, 5, 5))] for t in FEW], minlength=120)
    assert_chi_square(counts, np.full(120, 1 / 120))


@pytest.mark.parametrize(("k", "n"), [(3, 10), (1, 10), (4, 4)])
def test_a_set_changes_with_chance_k_of_n_plus_1_and_by_one(k, n):
    """3 / 11 for three of ten."""
    changed = 0
    for ticket in FEW:
        before, after = set(choose(ticket, k, n)), set(choose(ticket, k, n + 1))
        assert after - before <= {n}
        changed += before != after
    assert_binomial(changed, len(FEW), k / (n + 1))


def test_free_seats_shift_their_keys_evenly():
    """Six of ten seats taken, freed in the middle: equal shares, and a free seat's keys spread evenly over the rest."""
    ids = [f"b{i}" for i in range(10)]
    whole = JumpBack().build(ids)
    rest = JumpBack().build([i for i in ids if i not in ("b1", "b4", "b5", "b9")], previous=whole)
    slots = rest.pick_many(TICKETS)
    assert_chi_square(np.bincount(slots, minlength=6), np.full(6, 1 / 6))
    for gone in (1, 9):
        assert_chi_square(np.bincount(slots[whole.pick_many(TICKETS) == gone], minlength=6), np.full(6, 1 / 6))


@pytest.mark.parametrize(("taken", "total"), [(1, 20), (5, 20), (50, 60)])
def test_seats_looked_at(taken, total):
    """The place of the first of a marked among t in a uniform order: (t + 1) / (a + 1) in the mean."""
    places = []
    for ticket in FEW[:3000]:
        order = choose(ticket, total, total)
        places.append(1 + next(k for k, seat in enumerate(order) if seat % total < taken))
    mean = (total + 1) / (taken + 1)
    variance = (total + 1) * (total - taken) * taken / ((taken + 1) ** 2 * (taken + 2))
    assert_mean(places, mean, variance**0.5)


SIGNALS = {
    "plain": {},
    "warming": {"factors": {"b0": 0.1, "b1": 0.5, "b2": 0.9}},
    "ejected": {"states": {"b3": lb.State.UNHEALTHY, "b4": lb.State.DRAINING}},
}


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("policy", [MultiProbe(), MultiProbe(probes=3, points=10)], ids=["paper", "hybrid"])
def test_sampled_tickets_follow_the_shares_of_multi_probe(policy, signals):
    picker = policy.build(lb.View.of({f"b{i}": 1.0 + i % 2 for i in range(16)}, **signals))
    assert_chi_square(np.bincount(picker.pick_many(TICKETS), minlength=16), picker.shares())


@pytest.mark.parametrize("signals", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("policy", [JumpBack(), StableTable(1009)], ids=["JumpBack", "StableTable"])
def test_and_those_of_seats_and_of_stable_tables(policy, signals):
    before = policy.build([f"b{i}" for i in range(20)])
    picker = policy.build(lb.View.of([f"b{i}" for i in range(16)], **signals), previous=before)
    assert_chi_square(np.bincount(picker.pick_many(TICKETS), minlength=16), picker.shares())


def test_many_coins_are_sampled():
    """Twelve coins: the mean over 1024 draws of them, which may be off by 5 standard errors of 1/32 of the share."""
    view = lb.View.of([f"b{i}" for i in range(14)], factors={f"b{i}": 0.5 for i in range(12)})
    picker = MultiProbe().build(view)
    sampled = np.bincount(picker.pick_many(TICKETS), minlength=14) / len(TICKETS)
    assert picker.shares().sum() == pytest.approx(1)
    assert sampled == pytest.approx(picker.shares(), rel=5 / 32, abs=0.002)


@pytest.mark.parametrize(("probes", "points"), [(2, 2000), (5, 4000), (21, 10_000)])
def test_the_limits_of_multi_probe(probes, points):
    """Over many rings the largest share is k / (k - 1) times the mean, the mean square deviation 1 / (2 k - 1).

    Both are the limits of many points; what is missing at this many is below the spread of the sample's mean.
    """
    rings = [MultiProbe(probes).build([f"{r}-{i}" for i in range(points)]).shares() * points for r in range(30)]
    peaks, squares = [ring.max() for ring in rings], [ring.var() for ring in rings]
    assert_mean(peaks, probes / (probes - 1), np.std(peaks, ddof=1))
    assert_mean(squares, 1 / (2 * probes - 1), np.std(squares, ddof=1))


def test_zones_come_as_weighted_draws_without_replacement():
    """Over rendezvous the zones of the first two replicas follow Plackett and Luce with the zones' sums of weights, and
    within its zone a replica is drawn by weight."""
    weights = {"x": [1.0, 2.0, 3.0], "y": [2.0], "z": [1.0, 1.0]}
    pool = [lb.Endpoint(f"{z}{i}", w, zone=z) for z, many in weights.items() for i, w in enumerate(many)]
    place = {b.id: k for k, b in enumerate(pool)}
    picker, n = TopK(lb.Rendezvous(), k=2).build(pool), len(pool)
    whole, sums = sum(b.weight for b in pool), {z: sum(many) for z, many in weights.items()}
    law = np.zeros((n, n))
    for a, b in itertools.product(pool, pool):
        if a.zone != b.zone:
            law[place[a.id], place[b.id]] = a.weight / whole * b.weight / (whole - sums[a.zone])
    counts = np.zeros((n, n))
    for key in range(20_000):
        first, second = picker.replicas(key)
        counts[place[first.id], place[second.id]] += 1
    assert_chi_square(counts.ravel(), law.ravel())


def test_a_leaver_moves_exactly_its_share():
    pool = [f"b{i:02}" for i in range(30)]
    for policy in (JumpBack(), MultiProbe(), StableTable()):
        before = policy.build(pool)
        after = policy.build([i for i in pool if i != "b13"], previous=before)
        moved = sum(
            before.backends[a].id != after.backends[b].id
            for a, b in zip(before.pick_many(TICKETS).tolist(), after.pick_many(TICKETS).tolist(), strict=True)
        )
        assert_binomial(moved, len(TICKETS), before.shares()[13])
