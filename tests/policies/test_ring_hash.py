"""RingHash: points, shares, the laws of a keyed policy, and what is refused."""

import json
import pickle

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import derived, mix64
from lbalgo.policies import ring_hash

GAMMA = 0x9E3779B97F4A7C15
TICKETS = np.random.default_rng(11).integers(0, 2**64, 20_000, dtype=np.uint64)
POLICIES = [lb.RingHash(points=20), lb.RingHash(points=20, lookup=lb.Lookup.NEAREST)]
POOLS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.05, 0.1, 1.0, 1.0, 2.5, 7.0]),
    min_size=1,
    max_size=12,
)
either = pytest.mark.parametrize("policy", POLICIES, ids=["successor", "nearest"])


def owners(picker, tickets=TICKETS):
    return np.array([b.id for b in picker.backends])[picker.pick_many(tickets)]


def moved(before, after):
    """(old owner, new owner) of every ticket that has another one."""
    old, new = owners(before), owners(after)
    return list(zip(old[old != new].tolist(), new[old != new].tolist(), strict=True))


def test_points_are_those_of_the_id_alone():
    picker = lb.RingHash(points=3).build({"b": 1, "a": 2, "z": 0})
    listed = sorted(
        (mix64((xxhash.xxh64_intdigest(name.encode()) + j * GAMMA) % 2**64), slot)
        for slot, (name, count) in enumerate([("b", 3), ("a", 6)])
        for j in range(1, count + 1)
    )
    assert list(zip(picker.structure.points(), picker.structure.owners(), strict=True)) == listed


COUNTS = [(1, 1.49, 1), (1, 1.5, 2), (100, 0.005, 1), (3, 2.5, 8), (10, 0.35, 3), (10, 0.25, 3), (7, 1e5, 700_000)]


@pytest.mark.parametrize(("points", "weight", "count"), COUNTS)
def test_counts_round_half_up_exactly(points, weight, count):
    """The double 0.35 is a little less than 7/20: ten of it are less than 3.5, though 10 * 0.35 rounds to 3.5."""
    assert lb.RingHash(points=points).build({"a": weight}).structure.size == count


@given(POOLS, st.integers(0, 1))
def test_laws_of_a_picker(pool, which):
    policy = POLICIES[which]
    picker = policy.build(pool)
    picker.check_invariants()
    eligible = sorted(name for name, weight in pool.items() if weight > 0)
    if not eligible:
        with pytest.raises(lb.NoBackend):
            picker.pick("k")
        assert picker.shares().tolist() == [0.0] * len(pool)
        return
    keys = [f"key-{i}" for i in range(30)]
    tickets = picker.tickets(keys)
    slots = picker.pick_many(tickets).tolist()
    for key, ticket, slot in zip(keys, tickets.tolist(), slots, strict=True):
        walk = [b.id for b in picker.walk(key)]
        assert sorted(walk) == eligible
        assert walk[0] == picker.pick(key).id == picker.backends[slot].id
        assert slot == picker.slot(ticket)
        if len(walk) > 1:
            assert picker.pick(key, exclude=walk[:1]).id == walk[1]
    shares = picker.shares()
    assert abs(shares.sum() - 1) < 1e-12
    assert ((shares > 0) == (picker.view.weights > 0)).all()
    turned = policy.build(dict(reversed(pool.items())))
    assert turned.fingerprint() == picker.fingerprint()
    assert (owners(turned, tickets) == owners(picker, tickets)).all()
    copy = pickle.loads(pickle.dumps(picker))
    assert copy.fingerprint() == picker.fingerprint()
    assert copy.pick_many(tickets).tolist() == slots


@either
def test_joining_leaving_and_weights_move_only_what_they_must(policy):
    pool = {f"b{i}": 1 + i % 3 for i in range(20)}
    base = policy.build(pool)
    for change in ({**pool, "new": 2}, {k: w for k, w in pool.items() if k != "b4"}):
        joined, left = change.keys() - pool.keys(), pool.keys() - change.keys()
        moves = moved(base, policy.build(change))
        assert moves
        assert all(old in left or new in joined for old, new in moves)
    rising, falling = moved(base, policy.build({**pool, "b7": 4})), moved(base, policy.build({**pool, "b7": 0.5}))
    assert {new for _, new in rising} == {"b7"}
    assert {old for old, _ in falling} == {"b7"}
    both = moved(base, policy.build({**pool, "b7": 4, "b8": 0.5, "new": 1}))
    assert all(old == "b8" or new in ("b7", "new") for old, new in both)


@either
def test_signals_move_only_what_they_may_and_rebuild_nothing(policy):
    """A moved key's old owner has fallen, or its new owner has risen; recovery brings every key back."""
    pool = {f"b{i}": 1 for i in range(12)}
    base = policy.build(pool)
    view = lb.View.of(pool, factors={"b1": 0.3, "b2": 0.7}, states={"b3": lb.State.UNHEALTHY})
    worse = policy.build(view, previous=base)
    worse.check_invariants()
    assert worse.structure is base.structure
    down = moved(base, worse)
    assert {old for old, _ in down} == {"b1", "b2", "b3"}
    lost = (owners(base) == "b3").sum()
    assert sum(old == "b3" for old, _ in down) == lost, "an ejected backend serves nobody"
    middle = policy.build(lb.View.of(pool, factors={"b1": 0.6, "b2": 0.4}), previous=worse)
    for old, new in moved(worse, middle):
        assert old == "b2" or new in ("b1", "b3")
    again = policy.build(pool, previous=middle)
    assert moved(base, again) == []
    assert again.fingerprint() == base.fingerprint()


@either
def test_everybody_thinned_or_nobody_eligible(policy):
    pool = {"a": 1, "b": 1, "c": 1}
    state = dict.fromkeys(pool, lb.State.DRAINING)
    nobody = policy.build(lb.View.of(pool, states=state))
    assert nobody.shares().tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(lb.NoBackend) as caught:
        nobody.pick("k")
    assert caught.value.reason == "ineligible"
    view = lb.View.of(pool, factors={"a": 0.01, "b": 0.01}, states={"c": lb.State.DRAINING})
    slow = policy.build(view)
    assert abs(slow.shares().sum() - 1) < 1e-12
    assert set(owners(slow).tolist()) == {"a", "b"}
    with pytest.raises(lb.NoBackend) as caught:
        policy.build([]).pick("k")
    assert caught.value.reason == "empty"


@either
def test_shares_are_the_lengths_of_the_arcs(policy):
    """Between its midpoints on a nearest ring, from the point before on the other; in whole steps of 2**-64."""
    picker = policy.build({"a": 1, "b": 2, "c": 0.5})
    points, whose = (np.asarray(part()).tolist() for part in (picker.structure.points, picker.structure.owners))
    length = [0.0, 0.0, 0.0]
    for k, owner in enumerate(whose):
        back = (points[k] - points[k - 1]) % 2**64
        ahead = (points[(k + 1) % len(points)] - points[k]) % 2**64
        length[owner] += ((back + ahead) / 2 if policy.lookup is lb.Lookup.NEAREST else back) / 2**64
    assert picker.shares() == pytest.approx(length, abs=1e-15)


def test_different_rings_have_different_fingerprints():
    made = [
        lb.RingHash(**change).build(pool)
        for change in ({}, {"points": 99}, {"lookup": lb.Lookup.NEAREST}, {"seed": 1}, {"hasher": lb.XXH3()})
        for pool in ({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "c": 1})
    ]
    assert len({p.fingerprint() for p in made}) == len(made)


def test_an_incremental_history_leads_to_the_same_ring():
    policy = lb.RingHash()
    picker = policy.build(["a", "b"])
    for pool in (["a", "b", "c"], ["c", "a"], ["c"], ["c", "d", "b"], ["b", "a"]):
        picker = policy.build(pool, previous=picker)
    assert picker.fingerprint() == policy.build(["a", "b"]).fingerprint()


CALM = st.dictionaries(st.sampled_from("abcdefghijkl"), st.sampled_from([0.0, 0.05, 1.0, 1.01, 2.0]), max_size=3)


@given(st.integers(0, 1), st.lists(st.tuples(CALM, st.integers(0, 12), st.booleans()), min_size=1, max_size=12))
def test_any_history_leads_to_the_ring_made_anew(which, changes):
    """Ids come, go and come again, weights rise and fall, some at once, and slots are listed in another order."""
    policy, pool = POLICIES[which], dict.fromkeys("abcdefghijkl", 1.0)
    picker = policy.build(pool)
    for changed, gone, turn in changes:
        pool = {name: w for name, w in {**pool, **changed}.items() if name != "abcdefghijklm"[gone]}
        if turn:
            pool = dict(reversed(pool.items()))
        picker, anew = policy.build(pool, previous=picker), policy.build(pool)
        picker.check_invariants()
        assert picker.structure.slots == anew.structure.slots
        if anew.structure.slots:
            for fact in ("size", "members", "ties", "nearest"):
                assert getattr(picker.structure, fact) == getattr(anew.structure, fact)
            assert np.array_equal(picker.structure.points(), anew.structure.points())
            assert np.array_equal(picker.structure.owners(), anew.structure.owners())
            assert np.array_equal(picker.pick_many(TICKETS), anew.pick_many(TICKETS))


@either
@pytest.mark.parametrize(
    ("change", "points"),
    [({"b7": 2}, 20), ({"b8": 1}, 20), ({"b8": 0}, 40), ({"b7": None}, 20), ({"new": 1}, 20), ({"b7": 2, "b8": 1}, 40)],
    ids=["rise", "fall", "to nothing", "leave", "join", "rise and fall"],
)
def test_a_change_derives_only_the_points_that_come_or_go(policy, monkeypatch, change, points):
    pool = {f"b{i}": 1 + (i == 8) for i in range(20)}
    before = policy.build(pool)
    now = {name: w for name, w in {**pool, **change}.items() if w is not None}
    made = []
    monkeypatch.setattr(ring_hash, "derived", lambda *of: made.append(derived(*of)) or made[-1])
    after = policy.build(now, previous=before)
    assert [len(part) for part in made] == [points]
    assert after.fingerprint() == policy.build(now).fingerprint()


def test_plain_data():
    policy = lb.RingHash(points=7, lookup=lb.Lookup.NEAREST, hasher=lb.XXH3(), seed=3, max_points=1000)
    data = json.loads(json.dumps(policy.to_dict()))
    assert data["lookup"] == "NEAREST"
    assert lb.RingHash.from_dict(data) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(lb.RingHash.from_dict(data))
    secret = lb.RingHash(hasher=lb.SipHash(bytes(16)))
    assert lb.RingHash.from_dict(secret.to_dict(), hasher=lb.SipHash(bytes(16))) == secret
    with pytest.raises(lb.ConfigError):
        lb.RingHash.from_dict(secret.to_dict())


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("points", 0),
        ("points", 1.5),
        ("points", True),
        ("points", "100"),
        ("lookup", "NEAREST"),
        ("lookup", None),
        ("hasher", "xxh64"),
        ("hasher", lb.XXH64),
        ("seed", -1),
        ("seed", 2**64),
        ("seed", 1.0),
        ("max_points", 0),
        ("max_points", 2**31),
        ("max_points", None),
    ],
)
def test_refused_parameters(parameter, value):
    with pytest.raises(lb.ConfigError) as caught:
        lb.RingHash(**{parameter: value})
    assert caught.value.parameter == parameter
    assert caught.value.value is value


@pytest.mark.parametrize(
    ("pool", "parameter", "value"),
    [
        ({"a": 1, "b": 0.004}, "weights['b']", 0.004),
        ({"a": 1, "b": 5e-324}, "weights['b']", 5e-324),
        ({"a": 1e4}, "max_points", 1000),
        ({"a": 1e308}, "max_points", 1000),
        ({"a": 5, "b": 5.01}, "max_points", 1000),
        ({"a": -1}, "weights['a']", -1),
        ({"a": float("nan")}, "weights['a']", None),
    ],
)
def test_refused_pools(pool, parameter, value):
    with pytest.raises(lb.ConfigError) as caught:
        lb.RingHash(max_points=1000).build(pool)
    assert caught.value.parameter == parameter
    assert value is None or caught.value.value == value


def test_a_refused_build_changes_nothing():
    policy = lb.RingHash(max_points=250)
    picker = policy.build(["a", "b"])
    before, state = picker.fingerprint(), picker.cursor.state
    for pool in (["a", "b", "c"], {"a": 1, "b": 1.6}, {"a": 1, "b": 0.001}):
        with pytest.raises(lb.ConfigError):
            policy.build(pool, previous=picker)
    assert (picker.fingerprint(), picker.cursor.state) == (before, state)
    assert policy.build({"a": 1.5, "b": 1}).structure.size == 250


def test_one_prefix_law_for_all_weights():
    """The points of a weight are the first of those of a larger one, so they are a subset."""
    policy = lb.RingHash(points=10)
    last: set[int] = set()
    for weight in (0.05, 0.1, 0.55, 1, 1.04, 3, 40):
        points = {int(p) for p in policy.build({"a": weight}).structure.points()}
        assert last <= points
        last = points


@either
def test_points_at_one_position_are_ordered_by_id(policy, monkeypatch):
    """Derived points practically never collide; here they are made to."""
    monkeypatch.setattr(ring_hash, "derived", lambda *of: derived(*of) >> np.uint64(60))
    pool = {"c": 1, "a": 1, "d": 2, "b": 1}
    picker, turned = policy.build(pool), policy.build(dict(reversed(pool.items())))
    picker.check_invariants()
    tickets = np.arange(20, dtype=np.uint64)
    assert owners(picker, tickets).tolist() == owners(turned, tickets).tolist()
    assert picker.fingerprint() == turned.fingerprint()
    risen = {**pool, "b": 1.2}
    assert policy.build(risen, previous=picker).fingerprint() == policy.build(risen).fingerprint()


@either
def test_a_point_that_comes_to_where_one_is_makes_the_ring_anew(policy, monkeypatch):
    monkeypatch.setattr(ring_hash, "derived", lambda *of: derived(*of) >> np.uint64(48))
    pool, before, tied = {"a": 1, "b": 1}, None, 0
    for i in range(60):
        before = policy.build(pool, previous=before)
        tied += before.structure.ties
        before.check_invariants()
        assert before.fingerprint() == policy.build(pool).fingerprint()
        pool = dict.fromkeys([*pool, f"c{i}"][i % 3 == 2 :], 1)
    assert 0 < tied < 60


def test_the_cap_may_be_anything_an_index_can_name():
    assert lb.RingHash(points=1, max_points=1).build(["a"]).pick("k").id == "a"
    assert lb.RingHash(max_points=2**31 - 1).build(["a"]).pick("k").id == "a"
