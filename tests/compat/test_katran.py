"""Katran's Maglev: its turns, its 32 bits, and the laws that hold."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, State, View
from lbalgo.compat import katran
from lbalgo.compat.katran import Katran, MaglevVersion, Real
from lbalgo.hashing import SipHash
from lbalgo.testing import KeyedContract, check_picker

V1, V2 = MaglevVersion.V1, MaglevVersion.V2
POOL = [Real(f"r{i}", 1 + i % 3, (i * 0x9E3779B97F4A7C15 + 1) % 2**64) for i in range(7)]


class Dialect(KeyedContract):
    weights = st.sampled_from([1.0, 2.0, 5.0, 0.0])
    max_size = 20
    settings = settings(max_examples=settings.default.max_examples // 8)
    test_signals_move_only_what_fell_or_rose = None  # health rebuilds the table; others' turns come earlier
    test_keys_only_return_while_signals_rise = None  # likewise

    def eligible(self, view):
        picker = self.policy.build(view)
        return frozenset(i for i, able in zip(picker.view.ids, picker.view.eligible.tolist(), strict=True) if able)


class TestV1(Dialect):
    policy = Katran(V1, 251)


class TestV2(Dialect):
    policy = Katran(V2, 1009, seed=5)


def plain_turns(version, weights, size):
    """The rules as they are told, turn by turn."""
    turns, account, first = [], [0] * len(weights), True
    while len(turns) < size:
        for i, w in enumerate(weights):
            account[i] += w
            if version is V1:
                turns += [i] * (w if first else 1)
            elif account[i] >= max(weights):
                account[i] -= max(weights)
                turns.append(i)
        first = False
    return turns[:size]


def plain_table(turns, offset, skip, size):
    """Position k of an endpoint is ((offset + k * skip) mod 2**32) mod size."""
    table, count = [-1] * size, [0] * len(offset)
    for i in turns:
        while True:
            position = ((offset[i] + count[i] * skip[i]) & 0xFFFFFFFF) % size
            count[i] += 1
            if table[position] < 0:
                table[position] = i
                break
    return table


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 300))
def test_turns_are_those_of_the_rules(weights, size):
    given_weights = np.array(weights)
    assert katran.turns_v1(given_weights, size).tolist() == plain_turns(V1, weights, size)
    assert katran.turns_v2(given_weights, size).tolist() == plain_turns(V2, weights, size)


def test_turns_of_great_weights():
    weights = np.array([2**31 - 1, 1, 2**30])
    turns = katran.turns_v2(weights, 65537)
    assert len(turns) == 65537
    assert np.bincount(turns, minlength=3).tolist() == [43692, 0, 21845]
    assert katran.turns_v1(weights, 100).tolist() == [0] * 100


@pytest.mark.parametrize("version", MaglevVersion)
def test_tables_are_those_of_the_rules(version):
    policy = Katran(version, 1009)
    order = sorted(range(7), key=lambda i: POOL[i].hash)
    offset, skip = katran.places([POOL[i].hash for i in order], 1009)
    turns = plain_turns(version, [POOL[i].weight for i in order], 1009)
    expected = [order[i] for i in plain_table(turns, offset.tolist(), skip.tolist(), 1009)]
    assert np.asarray(policy.build(POOL).structure.table()).tolist() == expected


def test_an_overflow_is_calculated_as_it_happens():
    policy = Katran(V2, 200003, emulate_overflow=True)
    order = sorted(range(7), key=lambda i: POOL[i].hash)
    offset, skip = katran.places([POOL[i].hash for i in order], 200003)
    assert int((offset + 200002 * skip).max()) >= 2**32
    turns = plain_turns(V2, [POOL[i].weight for i in order], 200003)
    expected = [order[i] for i in plain_table(turns, offset.tolist(), skip.tolist(), 200003)]
    table = np.asarray(policy.build(POOL).structure.table()).tolist()
    assert table == expected
    wide = np.asarray(katran.maglev_fill(np.array(turns), offset, skip, 200003))
    assert table != [order[i] for i in wide.tolist()], "the wrap shows"


def test_the_last_skips_of_the_usual_table_overflow_too(monkeypatch):
    """offset + k * skip reaches 2**32 at 65537 only for the greatest: there the exact way is taken, without a flag."""
    monkeypatch.setattr(katran, "places", lambda hashes, size: (np.array([65536, 3]), np.array([65536, 7])))
    used = []
    plain = katran.overflowing_fill
    monkeypatch.setattr(katran, "overflowing_fill", lambda *a: used.append(1) or plain(*a))
    table = np.asarray(Katran(V1).build([Real("a", 60000, 1), Real("b", 1, 2)]).structure.table())
    assert used == [1] and np.bincount(table).tolist() == [62768, 2769]
    monkeypatch.setattr(katran, "places", lambda hashes, size: (np.array([5, 3]), np.array([65530, 7])))
    Katran(V1).build([Real("a", 1, 1), Real("b", 1, 2)])
    assert used == [1]


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: Katran(version=1), "version"),
        (lambda: Katran(table_size=1), "table_size"),
        (lambda: Katran(table_size=65536), "table_size"),
        (lambda: Katran(table_size=65539), "table_size"),
        (lambda: Katran(table_size=100003), "table_size"),
        (lambda: Katran(emulate_overflow=1), "emulate_overflow"),
        (lambda: Katran(hasher=3), "hasher"),
        (lambda: Katran(seed=-1), "seed"),
        (lambda: Real("", 1, 1), "id"),
        (lambda: Real("a", 0.5, 1), "weight"),
        (lambda: Real("a", 2**31, 1), "weight"),
        (lambda: Real("a", 1, 2**64), "hash"),
        (lambda: Katran().build({"a": 0.5}), "weights['a']"),
        (lambda: Katran().build({"a": 2.0**31}), "weights['a']"),
        (lambda: Katran.from_dict({"version": "V3"}), "maglevversion"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


def test_nobody_one_and_weight_zero():
    with pytest.raises(NoBackend, match="no backends"):
        Katran().build([]).pick("a")
    with pytest.raises(NoBackend, match="eligible"):
        Katran().build({"a": 0}).pick("a")
    alone = Katran(table_size=251).build([Real("a", 0, 1), Real("b", 3, 2)])
    assert alone.shares().tolist() == [0.0, 1.0]
    three = Katran(table_size=251).build([Real("a", 0, 1), Real("b", 1, 2), Real("c", 1, 3)])
    two = Katran(table_size=251).build([Real("b", 1, 2), Real("c", 1, 3)])
    assert (np.asarray(three.structure.table()) - 1).tolist() == np.asarray(two.structure.table()).tolist()


def test_health_leaves_out():
    view = View.of(POOL, states={"r0": State.UNHEALTHY, "r1": State.DRAINING, "r2": State.DEGRADED})
    some, rest = Katran(table_size=251).build(view), Katran(table_size=251).build(POOL[2:])
    assert (np.asarray(some.structure.table()) - 2).tolist() == np.asarray(rest.structure.table()).tolist()
    check_picker(some)


def test_v1_shifts_counts_and_v2_shares_out():
    pool = [Real("a", 1, 11), Real("b", 10, 12)]
    v1, v2 = (Katran(v, 1009).build(pool).shares() * 1009 for v in (V1, V2))
    assert v1.round().tolist() == [500, 509]
    assert v2.round().tolist() == [91, 918]


def test_ids_have_the_hash_of_their_name():
    assert (
        Katran(table_size=251).build(["a", "b"]).fingerprint()
        == Katran(table_size=251).build([Real("a"), Real("b")]).fingerprint()
    )


def test_policies_and_pickers_survive_json_and_pickle():
    for policy in (Katran(), Katran(V1, 251, seed=7), Katran(V2, 100003, emulate_overflow=True)):
        assert (
            Katran.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy == pickle.loads(pickle.dumps(policy))
        )
    secret = SipHash(bytes(16))
    policy = Katran(hasher=secret)
    assert Katran.from_dict(json.loads(json.dumps(policy.to_dict())), hasher=secret) == policy
    picker = Katran(V1, 251).build(POOL)
    assert pickle.loads(pickle.dumps(picker)).fingerprint() == picker.fingerprint()
    picker.check_invariants()
    assert pickle.loads(pickle.dumps(POOL[0])) == POOL[0]


def test_in_a_balancer():
    balancer = Balancer(Katran(table_size=1009), POOL, seed=0)
    leases = [balancer.acquire(f"k{i}") for i in range(30)]
    balancer.update(POOL[1:])
    assert balancer.acquire("k").backend.id != "r0"
    for lease in leases:
        lease.done()
    with pytest.raises(ConfigError):
        balancer.update({"x": 0.25})
    assert [b.id for b in balancer.picker.backends] == [r.id for r in POOL[1:]]
