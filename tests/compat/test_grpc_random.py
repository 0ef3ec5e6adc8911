"""What gRPC draws: least request, shuffles, subsets. Distributions within derived bounds, everything else exactly."""

import itertools
import json
import math
import pickle
from collections import Counter

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, RoundRobin, State, View
from lbalgo.compat.grpc import (
    Endpoint,
    LeastRequest,
    PickFirst,
    RandomSubsetting,
    Shuffle,
    interleaved,
    shuffled,
    subset,
    weighted_order,
)

ALPHA = 4.9  # standard deviations: 1e-6 on both sides


def close(count, n, p):
    return abs(count - n * p) <= ALPHA * math.sqrt(n * p * (1 - p)) + 1


# -- least_request


@pytest.mark.parametrize("draws", [2, 3, 10, 50])
def test_shares_of_least_request(draws):
    """P(busiest of n) is that all draws are of it, (1 / n) ** draws; draws above 10 count as 10."""
    picker = LeastRequest(draws, seed=7).build(["a", "b"])
    picker.load.started(0, 1.0, 0.0)
    n = 4000
    busy = sum(picker.pick().id == "a" for _ in range(n))
    assert close(busy, n, 0.5 ** min(draws, 10))


def test_ties_keep_the_first_drawn():
    n = 6000
    picker = LeastRequest().build(["a", "b", "c"])
    counts = Counter(picker.pick().id for _ in range(n))
    assert all(close(counts[id], n, 1 / 3) for id in "abc")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 2**64 - 1))
def test_least_request_as_the_pseudo_code(loads, seed):
    ids = [f"s{i}" for i in range(len(loads))]
    picker = LeastRequest(3, seed=seed).build(ids)
    for row, load in enumerate(loads):
        for _ in range(load):
            picker.load.started(row, 1.0, 0.0)
    words = pickle.loads(pickle.dumps(picker.machine.words))
    candidate = None
    for _ in range(3):
        sampled = words.below(len(ids))
        if candidate is None or loads[sampled] < loads[candidate]:
            candidate = sampled
    assert picker.pick().id == ids[candidate]


def test_counts_in_a_balancer():
    balancer = Balancer(LeastRequest(10), ["a", "b", "c"], seed=5)
    leases = [balancer.acquire() for _ in range(90)]
    counts = Counter(lease.backend.id for lease in leases)
    assert max(counts.values()) - min(counts.values()) <= 2
    gone = [lease for lease in leases if lease.backend.id == "a"]
    balancer.update(["b", "c", "d"])
    for lease in gone:
        lease.done()
    assert balancer.acquire().backend.id == "d", "of ten draws one is of the idle one, but for (2/3) ** 10"
    for lease in leases:
        lease.done()
    assert balancer.picker.machine.at(1) == 0


def test_only_ready_endpoints():
    view = View.of(["a", "b", "c", "d"], states={"a": State.UNHEALTHY, "b": State.DRAINING, "c": State.DEGRADED})
    picker = LeastRequest().build(view)
    assert {picker.pick().id for _ in range(10)} == {"d"}
    assert [backend.id for backend in picker.walk()] == ["d"]
    with pytest.raises(NoBackend):
        picker.pick(exclude={"d"})
    with pytest.raises(NoBackend, match="no backends"):
        LeastRequest().build([]).pick()


# -- pick_first


def test_pick_first_sticks():
    policy = PickFirst()
    picker = policy.build(["a", "b", "c"])
    assert {picker.pick().id for _ in range(5)} == {"a"}
    picker = policy.build(View.of(["a", "b", "c"], states={"a": State.UNHEALTHY}), previous=picker)
    assert picker.pick().id == "b"
    picker = policy.build(["a", "b", "c"], previous=picker)
    assert picker.pick().id == "b", "the one in use stays in use"
    picker = policy.build(["c", "a", "b"], previous=picker)
    assert picker.pick().id == "b"
    picker = policy.build(["c", "a"], previous=picker)
    assert picker.pick().id == "c"
    assert picker.pick(exclude=["c"]).id == "a"
    assert [backend.id for backend in picker.walk()] == ["c", "a"]


def test_shuffles_are_uniform():
    n, seen = 6000, Counter()
    words = LeastRequest(seed=3).build(["a"]).machine.words
    for _ in range(n):
        seen[tuple(shuffled(3, words.below))] += 1
    assert set(seen) == set(itertools.permutations(range(3)))
    assert all(close(count, n, 1 / 6) for count in seen.values())


def test_weighted_shuffles_follow_weights():
    """The first place by w / W, the second by w / (W - first): Plackett and Luce."""
    weights, n, seen = [1, 2, 5], 8000, Counter()
    words = LeastRequest(seed=11).build(["a"]).machine.words
    for _ in range(n):
        seen[tuple(weighted_order(weights, words.unit))] += 1
    for order in itertools.permutations(range(3)):
        p = weights[order[0]] / 8 * weights[order[1]] / (8 - weights[order[0]])
        assert close(seen[order], n, p)


def test_keys_of_the_weighted_shuffle():
    """u ** (1 / w): 0.5, 0.9, 0.9 ** 0.5; equal keys stay as listed."""
    assert weighted_order([1, 1, 2], iter([0.5, 0.9, 0.9]).__next__) == [2, 1, 0]
    assert weighted_order([1, 1], iter([0.5, 0.5]).__next__) == [0, 1]


def test_the_list_is_shuffled_when_it_changes_only():
    policy = PickFirst(True, seed=1)
    view = View.of([f"s{i}" for i in range(20)])
    picker = policy.build(view)
    order = list(picker.machine.order)
    assert order != list(range(20))
    picker = policy.build(View.of(view, states={"s0": State.UNHEALTHY}), previous=picker)
    assert picker.machine.order == order
    picker = policy.build([f"s{i}" for i in range(21)], previous=picker)
    assert picker.machine.order != order and sorted(picker.machine.order) == list(range(21))
    heavy = [Endpoint("a", 10**6), Endpoint("b"), Endpoint("c")]
    firsts = Counter(PickFirst(True, Shuffle.WEIGHTED, seed).build(heavy).pick().id for seed in range(200))
    assert firsts["a"] >= 199  # b or c first: 2e-6 a time


def test_a_balancer_moves_the_shuffle():
    got = {Balancer(PickFirst(True), ["a", "b", "c", "d"], seed=seed).acquire().backend.id for seed in range(40)}
    assert got == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("addresses", "order"),
    [
        (["1.1.1.1:1", "1.1.1.2:1", "[::1]:1", "[::2]:1", "[::3]:1"], [0, 2, 1, 3, 4]),
        (["::1", "1.1.1.1", "::2"], [0, 1, 2]),
        (["/run/a", "/run/b", "1.1.1.1:1"], [0, 2, 1]),
        (["a:1", "b:1"], [0, 1]),
        ([], []),
    ],
)
def test_families_take_turns(addresses, order):
    assert interleaved(addresses) == [addresses[i] for i in order]


def test_endpoints_are_tried_by_their_interleaved_addresses():
    pool = [
        Endpoint("a", addresses=("1.1.1.1:1", "[::1]:1")),
        Endpoint("b", addresses=("1.1.1.2:1",)),
        Endpoint("c", addresses=("[::3]:1",)),
    ]
    assert [backend.id for backend in PickFirst().build(pool).walk()] == ["a", "b", "c"]
    six = [Endpoint("x", addresses=("1.1.1.1:1",)), Endpoint("y", addresses=("1.1.1.2:1",)), pool[2]]
    assert [backend.id for backend in PickFirst().build(six).walk()] == ["x", "c", "y"]


# -- random_subsetting


@given(st.sets(st.integers(0, 200), max_size=30), st.integers(1, 12), st.integers(0, 2**64 - 1))
def test_subsets_as_the_pseudo_code(numbers, size, seed):
    addresses = [f"10.0.0.{i}:80" for i in sorted(numbers)]
    if size >= len(addresses):
        assert subset(addresses, size, seed) == list(range(len(addresses)))
    else:
        hashes = sorted((xxhash.xxh64_intdigest(a.encode(), seed), i) for i, a in enumerate(addresses))
        assert subset(addresses, size, seed) == [i for _, i in hashes[:size]]


@given(st.sets(st.integers(0, 60), min_size=3, max_size=30), st.integers(1, 8), st.integers(0, 2**64 - 1), st.data())
def test_one_leaver_changes_one_place_at_most(numbers, size, seed, data):
    addresses = [f"10.0.0.{i}:80" for i in sorted(numbers)]
    gone = data.draw(st.sampled_from(addresses))
    left = [a for a in addresses if a != gone]
    before = {addresses[i] for i in subset(addresses, size, seed)}
    after = {left[i] for i in subset(left, size, seed)}
    assert before - {gone} <= after and len(after - before) <= 1


def test_clients_spread_evenly():
    """Each of n servers is in the subset of a client with probability k / n, by symmetry of the hash."""
    addresses, clients, k = [f"10.0.0.{i}:80" for i in range(20)], 2000, 5
    counts = Counter(i for seed in range(clients) for i in subset(addresses, k, seed * 0x9E3779B97F4A7C15 % 2**64))
    assert all(close(counts[i], clients, k / 20) for i in range(20))


def test_subsetting_in_a_balancer():
    names = [f"10.0.0.{i}:80" for i in range(10)]
    policy = RandomSubsetting(RoundRobin(), 3, seed=4)
    balancer = Balancer(policy, names, seed=1)
    order = [names[i] for i in subset(names, 3, 4)]
    got = [balancer.acquire().backend.id for _ in range(6)]
    assert set(got) == set(order) and got[:3] == got[3:]
    balancer.update([name for name in names if name != order[0]])
    assert order[0] not in {balancer.acquire().backend.id for _ in range(6)}
    dropped = View.of(names, states={order[0]: State.DRAINING})
    assert order[0] not in [backend.id for backend in policy.build(dropped).backends]
    failed = View.of(names, states={order[0]: State.UNHEALTHY})
    assert order[0] in [backend.id for backend in policy.build(failed).backends], "who fails stays in the subset"


# -- bad input, round trips


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: LeastRequest(1), "choice_count"),
        (lambda: LeastRequest(2.0), "choice_count"),
        (lambda: LeastRequest(seed=-1), "seed"),
        (lambda: LeastRequest().build({"a": 0.5}), "weights['a']"),
        (lambda: PickFirst(1), "shuffle_address_list"),
        (lambda: PickFirst(shuffle="weighted"), "shuffle"),
        (lambda: PickFirst(seed=2**64), "seed"),
        (lambda: PickFirst().build({"a": 0}), "weights['a']"),
        (lambda: RandomSubsetting(RoundRobin(), 0), "subset_size"),
        (lambda: RandomSubsetting(RoundRobin(), 1, -1), "seed"),
        (lambda: RandomSubsetting("round_robin", 1), "child_policy"),
        (lambda: subset(["a"], 0, 0), "subset_size"),
        (lambda: subset(["a"], 1, 2**64), "seed"),
    ],
)
def test_bad_input(make, parameter):
    with pytest.raises(ConfigError) as refused:
        make()
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("policy", [LeastRequest(3, 4), PickFirst(True, Shuffle.WEIGHTED, 9)])
def test_round_trips(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    picker = policy.build(["a", "b", "c"])
    picker.pick()
    twin = pickle.loads(pickle.dumps(picker))
    assert [picker.pick().id for _ in range(9)] == [twin.pick().id for _ in range(9)]


def test_subsetting_round_trip():
    policy = RandomSubsetting(RoundRobin(), 3, 4)
    data = json.loads(json.dumps(policy.to_dict()))
    assert RandomSubsetting.from_dict(data, RoundRobin.from_dict(data["child_policy"])) == policy
