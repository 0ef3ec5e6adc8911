"""Jump: positions, membership at the end only, the laws of a keyed policy, and what is refused."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb

TICKETS = np.random.default_rng(12).integers(0, 2**64, 20_000, dtype=np.uint64)
POOLS = st.lists(st.sampled_from([0.0, 2.0, 2.0]), min_size=1, max_size=15)


def pool_of(n, **weights):
    return {f"b{i}": weights.get(f"b{i}", 1.0) for i in range(n)}


def moved(before, after):
    """(old slot, new slot) of every ticket that has another one."""
    old, new = before.pick_many(TICKETS), after.pick_many(TICKETS)
    return list(zip(old[old != new].tolist(), new[old != new].tolist(), strict=True))


@given(POOLS)
def test_laws_of_a_picker(weights):
    pool = {f"b{i}": w for i, w in enumerate(weights)}
    picker = lb.Jump().build(pool)
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
    assert picker.shares().tolist() == [1 / len(eligible) if w else 0.0 for w in weights]
    copy = pickle.loads(pickle.dumps(picker))
    assert copy.fingerprint() == picker.fingerprint()
    assert copy.pick_many(tickets).tolist() == slots


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 999])
def test_append_moves_keys_only_to_the_new_one_and_pop_only_from_it(n):
    small = lb.Jump().build(pool_of(n))
    large = lb.Jump().build(pool_of(n + 1), previous=small)
    moves = moved(small, large)
    assert moves
    assert {new for _, new in moves} == {n}
    assert moved(large, lb.Jump().build(pool_of(n), previous=large)) == [(new, old) for old, new in moves]


def test_weight_zero_keeps_its_position_and_moves_only_its_own_keys():
    whole = lb.Jump().build(pool_of(10))
    part = lb.Jump().build(pool_of(10, b3=0.0), previous=whole)
    moves = moved(whole, part)
    assert {old for old, _ in moves} == {3}
    assert {new for _, new in moves} == set(range(10)) - {3}
    assert len(moves) == (whole.pick_many(TICKETS) == 3).sum()
    appended = moved(part, lb.Jump().build(pool_of(11, b3=0.0), previous=part))
    assert {new for _, new in appended} == {10}


def test_signals_move_only_what_they_may_and_rebuild_nothing():
    base = lb.Jump().build(pool_of(12))
    view = lb.View.of(pool_of(12), factors={"b1": 0.3, "b2": 0.7}, states={"b3": lb.State.UNHEALTHY})
    worse = lb.Jump().build(view, previous=base)
    worse.check_invariants()
    assert worse.structure is base.structure
    down = moved(base, worse)
    assert {old for old, _ in down} == {1, 2, 3}
    assert sum(old == 3 for old, _ in down) == (base.pick_many(TICKETS) == 3).sum()
    middle = lb.Jump().build(lb.View.of(pool_of(12), factors={"b1": 0.6, "b2": 0.4}), previous=worse)
    assert all(old == 2 or new in (1, 3) for old, new in moved(worse, middle))
    again = lb.Jump().build(pool_of(12), previous=middle)
    assert moved(base, again) == []
    assert again.fingerprint() == base.fingerprint()


@pytest.mark.parametrize(
    "ids", [["b", "c"], ["a", "c"], ["b", "a", "c"], ["x", "a", "b", "c"], ["a", "b", "x"], ["a", "x", "b", "c"], ["x"]]
)
def test_other_membership_changes_are_refused_and_change_nothing(ids):
    picker = lb.Jump().build(["a", "b", "c"])
    before = picker.fingerprint()
    with pytest.raises(lb.ConfigError, match="only at the end") as caught:
        lb.Jump(seed=5).build(ids, previous=picker)
    assert caught.value.parameter == "backends"
    assert caught.value.value == tuple(ids)
    assert picker.fingerprint() == before
    assert [b.id for b in lb.Jump().build(ids).backends] == ids, "without a previous picker any pool is a first one"


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "x", "y"]])
def test_changes_at_the_end_are_not(ids):
    picker = lb.Jump().build(["a", "b", "c"])
    assert lb.Jump().build(ids, previous=picker).view.ids == tuple(ids)
    other = lb.Maglev(table_size=101).build(["z", "a"])
    assert lb.Jump().build(ids, previous=other).view.ids == tuple(ids), "another policy's backends do not matter"


def test_positions_are_what_the_fingerprint_tells():
    pools = [["a", "b"], ["b", "a"], ["a", "c"], ["a"], ["a", "b", "c"], {"a": 1, "b": 0}, {"a": 0, "b": 1}]
    made = [policy.build(pool) for policy in (lb.Jump(), lb.Jump(seed=1), lb.Jump(hasher=lb.XXH3())) for pool in pools]
    assert len({p.fingerprint() for p in made}) == len(made)
    assert lb.Jump().build(["a", "b"]).fingerprint() == lb.Jump().build({"a": 3, "b": 3}).fingerprint()


def test_plain_data():
    policy = lb.Jump(hasher=lb.Murmur3(), seed=9)
    assert lb.Jump.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    secret = lb.Jump(hasher=lb.SipHash(bytes(16)))
    assert lb.Jump.from_dict(secret.to_dict(), hasher=lb.SipHash(bytes(16))) == secret
    with pytest.raises(lb.ConfigError):
        lb.Jump.from_dict({"type": "RingHash"})


@pytest.mark.parametrize(
    ("parameter", "value"), [("hasher", "xxh64"), ("hasher", None), ("seed", -1), ("seed", True), ("seed", 2**64)]
)
def test_refused_parameters(parameter, value):
    with pytest.raises(lb.ConfigError) as caught:
        lb.Jump(**{parameter: value})
    assert (caught.value.parameter, caught.value.value) == (parameter, value)


@pytest.mark.parametrize(
    ("pool", "parameter", "value"),
    [
        ({"a": 1, "b": 2}, "weights['b']", 2.0),
        ({"a": 0, "b": 2, "c": 0, "d": 2.0000000000000004}, "weights['d']", 2.0000000000000004),
        ({"a": -1}, "weights['a']", -1),
    ],
)
def test_refused_pools(pool, parameter, value):
    with pytest.raises(lb.ConfigError) as caught:
        lb.Jump().build(pool)
    assert (caught.value.parameter, caught.value.value) == (parameter, value)
