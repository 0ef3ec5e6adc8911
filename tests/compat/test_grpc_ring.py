"""ring_hash: its ring against a plain one, its walk against A61 and A76 transcribed, and what a failure moves."""

import itertools
import json
import math
import pickle

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, State, UnknownBackend, View
from lbalgo.compat.grpc import (
    Action,
    ChannelIdHash,
    Connectivity,
    Decision,
    Endpoint,
    HeaderHash,
    OtherHash,
    RingHash,
    RingWalk,
    aggregated,
    kick,
    route_hash,
)
from lbalgo.compat.states import FixedStates

READY, IDLE, CONNECTING, FAILED = (
    Connectivity.READY,
    Connectivity.IDLE,
    Connectivity.CONNECTING,
    Connectivity.TRANSIENT_FAILURE,
)
NAMES = [f"10.0.0.{i}:80" for i in range(1, 8)]


def xx(text):
    return xxhash.xxh64_intdigest(text.encode())


def plain_ring(keys, weights, least=1024, most=4096):
    """A42's construction, loop by loop."""
    total = sum(weights)
    normal = [w / total for w in weights]
    scale = min(math.ceil(min(normal) * least) / min(normal), float(most))
    ring, current, target = [], 0.0, 0.0
    for i, key in enumerate(keys):
        target += scale * normal[i]
        k = 0
        while current < target:
            ring.append((xx(f"{key}_{k}"), i))
            k, current = k + 1, current + 1
    return sorted(ring)


def first(ring, h):
    """The first point not below the hash; past the end, point 0."""
    return next((i for i, (point, _) in enumerate(ring) if point >= h), 0)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=7),
    st.sampled_from([(1024, 4096), (10, 17), (1, 1), (100, 8388608)]),
    st.integers(0, 10**6),
)
def test_as_the_plain_ring(weights, sizes, salt):
    least, most = sizes
    names = NAMES[: len(weights)]
    policy = RingHash(least, most, ring_size_cap=4096)
    picker = policy.build([Endpoint(n, w) for n, w in zip(names, weights, strict=True)])
    ring = plain_ring(names, weights, min(least, 4096), min(most, 4096))
    assert np.asarray(picker.structure.points(), dtype=np.uint64).tolist() == [point for point, _ in ring]
    assert np.asarray(picker.structure.owners()).tolist() == [owner for _, owner in ring]
    for key in (f"k{salt + i}" for i in range(20)):
        assert picker.pick(key).id == names[ring[first(ring, xx(key))][1]]


def test_sizes():
    assert RingHash().build(NAMES[:3]).structure.size == 1026
    heavy = {name: 1 if name == NAMES[0] else 1000 for name in NAMES}
    assert RingHash().build(heavy).structure.size == 4096, "the cap, where Envoy's ring has 8388608"
    assert RingHash(1024, 8388608).build(heavy).structure.size == 4096, "the client's cap, whatever is configured"
    assert RingHash(ring_size_cap=64).build(NAMES[:3]).structure.size == 64
    assert RingHash(max_ring_size=8388608, ring_size_cap=8388608).build(heavy).structure.size == 6001


def test_keys_of_endpoints():
    key = RingHash().build([Endpoint("a", hash_key="web-0"), Endpoint("b", addresses=("10.0.0.1:80", "[::1]:80"))])
    ring = plain_ring(["web-0", "10.0.0.1:80"], [1, 1])
    assert np.asarray(key.structure.points(), dtype=np.uint64).tolist() == [point for point, _ in ring]
    turned = RingHash().build([Endpoint("b", addresses=("[::1]:80", "10.0.0.1:80"))])
    assert np.asarray(turned.structure.points(), dtype=np.uint64).tolist() == [
        p for p, _ in plain_ring(["[::1]:80"], [1])
    ]


def test_a_failure_moves_the_failed_endpoint_s_keys_only():
    policy = RingHash()
    before = policy.build(NAMES)
    after = policy.build(View.of(NAMES, states={NAMES[2]: State.UNHEALTHY}), previous=before)
    assert after.structure is before.structure, "the ring stays"
    keys = [f"key-{i}" for i in range(3000)]
    old, new = before.pick_many(before.tickets(keys)), after.pick_many(after.tickets(keys))
    moved = old != new
    assert (old[moved] == 2).all() and (new != 2).all() and moved.sum() == (old == 2).sum() > 0
    ring = plain_ring(NAMES, [1] * 7)
    for key, slot in zip(keys[:200], new[:200].tolist(), strict=True):
        walk = (ring[(first(ring, xx(key)) + i) % len(ring)][1] for i in itertools.count())
        assert slot == next(owner for owner in walk if owner != 2)


def test_who_is_not_listed_has_no_points():
    view = View.of(NAMES, states={NAMES[1]: State.DRAINING, NAMES[3]: State.DEGRADED})
    picker = RingHash().build(view)
    assert set(np.asarray(picker.structure.owners()).tolist()) == {0, 2, 4, 5, 6}
    back = RingHash().build(View.of(NAMES), previous=picker)
    assert back.fingerprint() == RingHash().build(NAMES).fingerprint()


states = st.lists(st.sampled_from(Connectivity), min_size=1, max_size=7)


def transcribed(ring, h, state_of, random_hash):
    """The pseudo-code of A61, and of A76 for a random hash, point by point: (action, endpoint, connect)."""
    at = first(ring, h)
    requested, connect = CONNECTING in state_of.values(), None
    for i in range(len(ring)):
        owner = ring[(at + i) % len(ring)][1]
        if state_of[owner] is READY:
            return Action.PICK, owner, connect
        if random_hash:
            if not requested and state_of[owner] is IDLE:
                requested, connect = True, owner
        elif state_of[owner] is IDLE:
            return Action.QUEUE, None, owner
        elif state_of[owner] is CONNECTING:
            return Action.QUEUE, None, None
    if random_hash and requested:
        return Action.QUEUE, None, connect
    return Action.FAIL, ring[at][1], None


@given(states, st.integers(0, 2**64 - 1), st.booleans())
def test_the_walk_is_that_of_the_pseudo_code(given_states, request_hash, random_hash):
    names = NAMES[: len(given_states)]
    walk = RingWalk(RingHash(min_ring_size=20).build(names))
    ring = plain_ring(names, [1] * len(names), 20)
    action, endpoint, connect = transcribed(ring, request_hash, dict(enumerate(given_states)), random_hash)
    decision = walk.decide_hash(request_hash, dict(zip(names, given_states, strict=True)), random=random_hash)
    assert decision.action is action
    assert (decision.endpoint and decision.endpoint.id) == (None if endpoint is None else names[endpoint])
    assert (decision.connect and decision.connect.id) == (None if connect is None else names[connect])


@given(states)
def test_the_aggregated_state(given_states):
    """A42's rules as a list, the first that holds."""
    n = {state: given_states.count(state) for state in Connectivity}
    rules = [
        (n[READY] >= 1, READY),
        (n[FAILED] >= 2, FAILED),
        (n[CONNECTING] >= 1, CONNECTING),
        (n[FAILED] == 1 and len(given_states) > 1, CONNECTING),
        (n[IDLE] >= 1, IDLE),
        (True, FAILED),
    ]
    state = next(state for holds, state in rules if holds)
    assert aggregated(given_states) is state
    wanted = state in (FAILED, CONNECTING) and not n[CONNECTING] and n[IDLE]
    assert kick(given_states) == (given_states.index(IDLE) if wanted else None)


def test_a_whole_outage_is_tried_one_after_the_other():
    """Each failure kicks the next: in the end all were tried, though no pick came."""
    known, kicks = [FAILED, FAILED, IDLE, IDLE, IDLE], []
    while (at := kick(known)) is not None:
        kicks.append(at)
        known[at] = FAILED
    assert kicks == [2, 3, 4]


def test_pickers():
    picker = RingHash().build(dict(zip(NAMES, range(1, 8), strict=True)))
    keys = [f"key-{i}" for i in range(500)]
    assert [picker.backends[s].id for s in picker.pick_many(picker.tickets(keys)).tolist()] == [
        picker.pick(key).id for key in keys
    ]
    for key in keys[:20]:
        walk = [backend.id for backend in picker.walk(key)]
        assert sorted(walk) == sorted(NAMES) and walk[0] == picker.pick(key).id
        assert picker.pick(key, exclude=walk[:2]).id == walk[2]
    assert abs(picker.shares().sum() - 1) < 1e-12
    twin = pickle.loads(pickle.dumps(picker))
    assert twin.fingerprint() == picker.fingerprint()
    picker.check_invariants()
    policy = RingHash(100, 200, 150, "x-key")
    assert RingHash.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_shares_with_a_failure_are_exact():
    picker = RingHash(min_ring_size=50).build(View.of(NAMES[:4], states={NAMES[1]: State.UNHEALTHY}))
    ring = plain_ring(NAMES[:4], [1] * 4, 50)
    shares = [0.0] * 4
    for i, (point, _) in enumerate(ring):
        length = (point - ring[i - 1][0]) % 2**64
        owner = next(ring[(i + k) % len(ring)][1] for k in range(len(ring)) if ring[(i + k) % len(ring)][1] != 1)
        shares[owner] += length / 2**64
    assert np.allclose(picker.shares(), shares, atol=1e-12)


def test_endpoints_without_a_point_are_not_eligible():
    picker = RingHash(1, 1).build(NAMES[:3])
    assert picker.view.eligible.tolist() == [True, False, False]
    assert [backend.id for backend in picker.walk("k")] == [NAMES[0]]


def test_in_a_balancer():
    fixed = FixedStates({NAMES[0]: State.UNHEALTHY})
    balancer = Balancer(RingHash(), NAMES, signals=[fixed], seed=1, panic_below=0.0)
    with balancer.acquire("a") as lease:
        assert lease.backend.id != NAMES[0]
    balancer.update(NAMES[1:])
    assert balancer.acquire("a").backend.id in NAMES[1:]
    balancer.update([])
    with pytest.raises(NoBackend, match="no backends"):
        balancer.acquire("a")
    with pytest.raises(NoBackend) as refused:
        RingHash().build(View.of(["a"], states={"a": State.UNHEALTHY})).pick("k")
    assert refused.value.reason == "ineligible"


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"min_ring_size": 0}, "min_ring_size"),
        ({"max_ring_size": 8388609}, "max_ring_size"),
        ({"min_ring_size": 5000}, "min_ring_size"),
        ({"ring_size_cap": 0}, "ring_size_cap"),
        ({"request_hash_header": "x-bin"}, "request_hash_header"),
        ({"request_hash_header": "X"}, "request_hash_header"),
        ({"request_hash_header": "a b"}, "request_hash_header"),
        ({"request_hash_header": None}, "request_hash_header"),
    ],
)
def test_bad_parameters(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        RingHash(**fields)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0**32])
def test_bad_weights(weight):
    with pytest.raises(ConfigError) as refused:
        RingHash().build({"a": 1.0, "b": weight})
    assert refused.value.parameter == "weights['b']"


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"id": ""}, "id"),
        ({"id": "a", "weight": 0}, "weight"),
        ({"id": "a", "addresses": ["x"]}, "addresses"),
        ({"id": "a", "addresses": ("x", "")}, "addresses[1]"),
        ({"id": "a", "hash_key": 3}, "hash_key"),
    ],
)
def test_bad_endpoints(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        Endpoint(**fields)
    assert refused.value.parameter == parameter


def test_bad_walks():
    walk = RingWalk(RingHash().build(["a"]))
    with pytest.raises(UnknownBackend):
        walk.decide("k", {"b": READY})
    with pytest.raises(ConfigError, match="Connectivity"):
        walk.decide("k", {"a": "READY"})
    with pytest.raises(ConfigError, match="request_hash"):
        walk.decide_hash(-1, {})
    with pytest.raises(ConfigError, match="picker"):
        RingWalk(object())
    with pytest.raises(NoBackend):
        RingWalk(RingHash().build([])).decide("k", {})
    assert walk.decide("k", {}) == Decision(Action.QUEUE, connect=walk.picker.backends[0])


def test_request_keys():
    policy = RingHash(request_hash_header="session")
    assert policy.request_key({"session": "a"}) == "a"
    assert policy.request_key({"session": ["a", "b"]}) == "a,b"
    assert policy.request_key({"session": []}) is None and policy.request_key({}) is None
    assert RingHash().request_key({"session": "a"}) is None


def rotl1(x):
    return ((x << 1) | (x >> 63)) & (2**64 - 1)


def test_route_hashes():
    a, b = HeaderHash("a"), HeaderHash("b")
    headers = {"a": ["1", "2"], "b": "x"}
    assert route_hash([a], headers) == xx("1,2")
    assert route_hash([a, b], headers) == rotl1(xx("1,2")) ^ xx("x")
    assert route_hash([a, ChannelIdHash()], headers, 5) == rotl1(xx("1,2")) ^ 5
    assert route_hash([HeaderHash("a", terminal=True), b], headers) == xx("1,2")
    assert route_hash([HeaderHash("none", terminal=True), b], headers) == xx("x"), "terminal without a hash goes on"
    assert route_hash([OtherHash(), HeaderHash("x-bin")], {"x-bin": "1"}) is None
    assert route_hash([OtherHash(terminal=True), b], headers) == xx("x")
    assert route_hash([b, OtherHash(terminal=True), a], headers) == xx("x")
    assert route_hash([HeaderHash("a", r"(\d),(\d)", r"\2-\1-\0\\")], headers) == xx("2-1-1,2\\")
    for bad, parameter in (({"header_name": 1}, "header_name"), ({"header_name": "a", "regex": "("}, "regex")):
        with pytest.raises(ConfigError) as refused:
            HeaderHash(**bad)
        assert refused.value.parameter == parameter
