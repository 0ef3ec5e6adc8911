"""Subsetting: coverage and in-degrees by their laws, churn by its bounds, the published sequences, contracts."""

import hashlib
import json
import math
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from benchmarks.subsetting import Shuffled
from lbalgo import Aperture, ConfigError, DeterministicSubset, RandomSubset, Ringsteady, Rocksteadier, State, Subset
from lbalgo.policies.subsetting import _corput
from lbalgo.reference.hashing import xxh64
from lbalgo.testing import KeyedContract, PolicyContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)
RULES = [
    RandomSubset(3, client=11),
    DeterministicSubset(3, client=5),
    Ringsteady(3, client=5),
    Rocksteadier(3, client=12, lot=4),
    Aperture(7, 3, size=3),
]
EVERY = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


class OverSubset:
    """What the contracts take for eligible: what the subset's view does."""

    def eligible(self, view):
        return super().eligible(self.policy.covered(view))


class TestTurnsOverRandom(OverSubset, PolicyContract):
    policy = Subset(lb.RoundRobin(), RandomSubset(3, client=7))
    max_size = 33
    settings = FEW


class TestKeysOverAperture(OverSubset, KeyedContract):
    policy = Subset(lb.Rendezvous(), Aperture(5, 2, size=3))
    weights = some.weights(0.5, 2.0)
    max_size = 33
    settings = FEW


class TestKeysOverRocksteadier(OverSubset, KeyedContract):
    policy = Subset(lb.Maglev(251), Rocksteadier(4, client=3))
    ordered = True
    weights = some.weights(1.0, 2.0)
    max_size = 33
    settings = FEW
    test_listing_order_is_irrelevant = None  # it goes by index


def pool(n):
    return lb.View.of([f"b{i}" for i in range(n)])


def covers(make, clients, n):
    view = pool(n)
    return np.array([make(i).coverage(view) for i in range(clients)])


def ended(before, after):
    """Connections that a client had and has no more, by client."""
    return np.maximum(before - after[:, : before.shape[1]], 0.0).sum(axis=1)


@EVERY
@given(
    weights=st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.5]), max_size=40),
    states=st.lists(st.sampled_from(State), min_size=40, max_size=40),
)
def test_coverage(rule, weights, states):
    ids = [f"h{i}" for i in range(len(weights))]
    view = lb.View.of(dict(zip(ids, weights, strict=True)), states=dict(zip(ids, states, strict=False)))
    cover = rule.coverage(view)
    some_weight = np.array(weights, dtype=float) > 0
    assert cover.shape == (len(view),) and ((cover >= 0) & (cover <= 1)).all()
    assert not cover[~some_weight].any(), "weight 0 is out of the pool"
    assert (cover == rule.coverage(lb.View.of(dict(zip(ids, weights, strict=True))))).all(), "health moves no subset"
    members = int(some_weight.sum())
    if isinstance(rule, Aperture):
        arcs = (cover * weights).sum() / sum(weights) * 7 if members else 0.0
        assert arcs == pytest.approx(min(7, math.ceil(3 * 7 / members)) if members else 0, rel=1e-12)
    else:
        assert sorted(cover[cover > 0].tolist()) == [1.0] * min(3, members)


@EVERY
def test_round_trips(rule):
    policy = Subset(lb.PowerOfTwo(), rule)
    for one in (rule, policy):
        assert type(one).from_dict(json.loads(json.dumps(one.to_dict()))) == one
        assert pickle.loads(pickle.dumps(one)) == one and eval(repr(one), vars(lb)) == one
    assert Subset.from_dict({"policy": "PowerOfTwo"}, rule=rule) == policy


# --- each rule by its law


@given(n=st.integers(1, 60), size=st.integers(1, 20), client=st.integers(0, 2**64 - 1))
def test_random_is_the_order_of_a68(n, size, client):
    ids = [f"b{i}" for i in range(n)]
    first = sorted(ids, key=lambda id: xxh64(id.encode(), client))[:size]
    cover = RandomSubset(size, client).coverage(pool(n))
    assert {id for id, part in zip(ids, cover, strict=True) if part} == set(first)


def test_random_in_degrees_are_binomial():
    """4000 clients, 40 backends, 8 each: chi-square over the backends, alpha 1e-6; they are not independent, as each
    client draws without replacement, which the factor (N - 1) / N / (1 - k / N) accounts for."""
    from scipy.stats import chi2

    seeds = np.random.default_rng(5).integers(0, 2**63, 4000).tolist()
    degrees = covers(lambda i: RandomSubset(8, seeds[i]), 4000, 40).sum(axis=0)
    statistic = ((degrees - 800) ** 2 / 800).sum() / (1 - 8 / 40) * 39 / 40
    assert chi2.ppf(5e-7, 39) < statistic < chi2.isf(5e-7, 39)


@given(n=st.integers(2, 40), size=st.integers(1, 12), data=st.data())
def test_one_change_is_at_most_one_change_a_client(n, size, data):
    gone = data.draw(st.integers(0, n - 1))
    view, left = pool(n), lb.View.of([f"b{i}" for i in range(n) if i != gone])
    for client in range(10):
        before = set(np.flatnonzero(RandomSubset(size, client).coverage(view)).tolist())
        after = {int(left.ids[i][1:]) for i in np.flatnonzero(RandomSubset(size, client).coverage(left))}
        assert before - after == before & {gone}
        assert len(after - before) == (gone in before and n > size)


@given(n=st.integers(1, 60), size=st.integers(1, 20))
def test_deterministic_deals_every_backend_once_a_round(n, size):
    hands = max(n // size, 1)
    cover = covers(lambda i: DeterministicSubset(size, i), 3 * hands, n)
    for turn in range(3):
        dealt = cover[turn * hands : (turn + 1) * hands].sum(axis=0)
        assert set(dealt.tolist()) <= {0.0, 1.0} and dealt.sum() == min(hands * size, n)


@given(n=st.integers(10, 60), size=st.integers(2, 10))
def test_deterministic_moves_one_of_a_hand_while_the_hands_stay(n, size):
    if (n + 1) // size == n // size:
        before = covers(lambda i: DeterministicSubset(size, i), 30, n)
        after = covers(lambda i: DeterministicSubset(size, i), 30, n + 1)
        assert ended(before, after).max() <= 1


def test_the_books_shuffle_moves_a_third():
    """Known figure: 200 clients, 100 backends, 10 each, one joins: 37.4 % of the connections."""
    before, after = (covers(lambda i: Shuffled(10, i), 200, n) for n in (100, 101))
    assert ended(before, after).sum() == 748


def test_van_der_corput():
    """The sequence as published: bit reversal."""
    assert [_corput(i) / 2**64 for i in range(8)] == [0, 1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8, 3 / 8, 7 / 8]


@given(n=st.integers(1, 60), size=st.integers(1, 20), client=st.integers(0, 300))
def test_ringsteady_takes_the_next_on_the_ring(n, size, client):
    here = _corput(client) / 2**64
    places = sorted(range(n), key=lambda i: ((_corput(i) / 2**64) - here) % 1.0)
    cover = Ringsteady(size, client).coverage(pool(n))
    assert set(np.flatnonzero(cover).tolist()) == set(places[:size])


@given(n=st.integers(1, 60), size=st.integers(1, 12), clients=st.integers(1, 64))
def test_ringsteady_lets_a_joiner_take_one_place(n, size, clients):
    before, after = (covers(lambda i: Ringsteady(size, i), clients, m) for m in (n, n + 1))
    assert ended(before, after).max() <= 1


@given(lots=st.integers(1, 5), size=st.integers(1, 12), groups=st.integers(1, 8), lot=st.integers(1, 6))
def test_rocksteadier_is_even_over_whole_lots(lots, size, groups, lot):
    """A lot of clients takes each backend of a lot once a turn, so all in-degrees of a lot are equal."""
    cover = covers(lambda i: Rocksteadier(size, i, lot), groups * lot, lots * lot)
    degrees = cover.sum(axis=0).reshape(lots, lot)
    assert (degrees == degrees[:, :1]).all()
    assert (cover.sum(axis=1) == min(size, lots * lot)).all()


def test_rocksteadier_spreads_the_clients_of_a_lost_backend():
    """Ringsteady's neighbours share nearly all backends, Rocksteadier's meet others: of the 20 clients of a backend,
    how many other backends they have between them, of 99."""
    spread = {}
    for rule in (Ringsteady, Rocksteadier):
        cover = covers(lambda i, rule=rule: rule(10, i), 200, 100)
        mine = cover[cover[:, 40] > 0]
        spread[rule] = int((mine.sum(axis=0) > 0).sum()) - 1
    assert spread[Rocksteadier] > 4 * spread[Ringsteady] and spread[Ringsteady] < 20


@given(
    weights=st.lists(st.sampled_from([1.0, 1.0, 0.3, 4.0]), min_size=1, max_size=40),
    clients=st.integers(1, 30),
    size=st.integers(1, 12),
)
def test_apertures_cover_everybody_alike(weights, clients, size):
    view = lb.View.of({f"b{i}": weight for i, weight in enumerate(weights)})
    cover = np.array([Aperture(clients, i, size).coverage(view) for i in range(clients)])
    arcs = min(clients, math.ceil(size * clients / len(weights)))
    assert cover.sum(axis=0) == pytest.approx(np.full(len(weights), float(arcs)), rel=1e-9)
    wide = (cover * weights).sum(axis=1) / sum(weights)
    assert wide == pytest.approx(np.full(clients, arcs / clients), rel=1e-9)
    assert arcs / clients >= min(size / len(weights), 1.0) - 1e-12


@pytest.mark.parametrize(("others", "ratio"), [(1, 1.0), (2, 0.61), (3, 0.56), (5, 0.53), (9, 0.52)])
def test_pairs_distort_small_apertures(others, ratio):
    """Finagle's table: what a backend of weight 1/2 is drawn beside a whole one, two different ones being drawn."""
    total = others + 0.5
    neither = (others / total) * (others - 1) / (total - 1)
    half = (1 - neither) / 2
    assert half / ((1 - half) / others) == pytest.approx(ratio, abs=0.005)


# --- the combinator


def test_a_subset_is_the_base_policy_over_its_part():
    rule = RandomSubset(4, client=3)
    view = lb.View.of({f"b{i}": 1.0 + i % 3 for i in range(20)}, states={"b3": State.UNHEALTHY})
    picker = Subset(lb.Rendezvous(), rule).build(view)
    inside = lb.Rendezvous().build(view.restrict(rule.coverage(view) > 0))
    keys = [f"k{i}" for i in range(300)]
    assert [picker.pick(key).id for key in keys] == [inside.pick(key).id for key in keys]


def test_parts_count_as_weights():
    class Half:
        def coverage(self, view):
            return np.array([1.0, 0.5, 0.0])

    picker = Subset(lb.WeightedRoundRobin(), Half()).build({"a": 1.0, "b": 2.0, "c": 4.0})
    assert picker.shares().tolist() == [0.5, 0.5, 0.0]


def test_subsets_panic_by_themselves():
    rule = RandomSubset(2, client=1)
    ids = list("abcdef")
    inside = [id for id, part in zip(ids, rule.coverage(lb.View.of(ids)), strict=True) if part]
    view = lb.View.of(ids, states=dict.fromkeys(inside, State.UNHEALTHY))
    assert not view.panic
    picker = Subset(lb.RoundRobin(), rule).build(view)
    assert picker.view.panic and sorted(picker.pick().id for _ in range(2)) == inside


def test_in_a_balancer_with_signals_and_loads():
    balancer = lb.Balancer(
        Subset(lb.PowerOfTwo(), Rocksteadier(5, client=7)),
        [f"b{i}" for i in range(50)],
        signals=[lb.OutlierEjection([lb.ConsecutiveErrors(1)], max_ejection_percent=50)],
        seed=0,
    )
    mine = {backend.id for backend in balancer.picker.walk()}
    assert len(mine) == 5
    leases = [balancer.acquire() for _ in range(50)]
    assert {lease.backend.id for lease in leases} == mine
    leases[0].done(lb.Outcome.SERVER_ERROR)
    assert {backend.id for backend in balancer.picker.walk()} == mine - {leases[0].backend.id}
    balancer.update([f"b{i}" for i in range(51)])
    assert len({backend.id for backend in balancer.picker.walk()} - mine) <= 1
    for lease in leases[1:]:
        lease.done()
    assert balancer.stats().open_leases == 0


@pytest.mark.parametrize(
    "answer", [None, [1.0, 1.0], np.ones(3), np.array([0.5, np.nan]), np.array([1.1, 0.0]), np.array([-0.1, 0.0])]
)
def test_a_rule_that_answers_nonsense_is_named(answer):
    class Own:
        def coverage(self, view):
            return answer

    rule = Own()
    with pytest.raises(ConfigError) as refused:
        Subset(lb.RoundRobin(), rule).build(["a", "b"])
    assert refused.value.parameter == "rule" and refused.value.value is rule


FROZEN = ["f3317cea5a6b4f80", "f87beb88972190a5", "41a167b871aa3756", "b93694b3de33e2a7", "6f227da94961591b"]


def test_subsets_are_frozen():
    """As in test_frozen: figures of this library, which say that nothing has changed."""
    view = lb.View.of({f"ç{i}": 1.0 + random.Random(i).random() for i in range(97)})
    made = [
        lambda i: RandomSubset(9, i),
        lambda i: DeterministicSubset(9, i),
        lambda i: Ringsteady(9, i),
        lambda i: Rocksteadier(9, i),
        lambda i: Aperture(53, i, 9),
    ]
    figures = []
    for make in made:
        cover = np.array([make(i).coverage(view) for i in range(53)])
        figures.append(hashlib.sha256(np.round(cover * 2**20).astype("<i8").tobytes()).hexdigest()[:16])
    assert figures == FROZEN
