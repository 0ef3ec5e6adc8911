"""Rows of two: GLB's vectors and law, what a drain does, previous owners, and who takes a packet."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, State
from lbalgo.active import siphash24
from lbalgo.gates.chances import chances, deliver
from lbalgo.gates.second_chance import SecondChance
from lbalgo.policies.stable_table import StableTable

SECRET = bytes.fromhex("49a3d861d661ae5ab06ed9326871a2f5")  # GLB's own test
HOSTS = {"a": "1.1.1.1", "b": "1.1.1.2", "c": "1.1.1.3", "d": "1.1.1.4"}
SMALL = SecondChance(SECRET, rows=1000)
NAMES = [f"b{i}" for i in range(6)]


def pairs(picker):
    return [tuple(backend.id for backend in picker.row(k)) for k in range(picker.policy.rows)]


@pytest.mark.parametrize(("row", "order"), [(0, "dcba"), (0xFFFF, "abdc"), (0xBB44, "dabc")])
def test_the_orders_of_glb(row, order):
    policy = SecondChance(SECRET)
    assert policy.order(row, tuple(HOSTS.values())) == [HOSTS[name] for name in order]
    assert [b.id for b in policy.build(list(HOSTS.values())).row(row)] == [HOSTS[name] for name in order[:2]]


@pytest.mark.parametrize(("row", "seed"), [(0, "491c53a72df4c837"), (0xFFFF, "f223c0cc65161620")])
def test_the_row_seeds_of_glb(row, seed):
    assert SecondChance(SECRET)._seeds(np.array([row])).tobytes().hex() == seed


def test_rows_against_the_scalar_hash():
    k0, k1 = (int.from_bytes(half, "little") for half in (SECRET[:8], SECRET[8:]))

    def score(row, name):
        seed = siphash24(row.to_bytes(4, "big"), k0, k1).to_bytes(8, "little")
        return siphash24(seed + name.encode(), k0, k1).to_bytes(8, "little")

    for row, (one, two) in enumerate(pairs(SMALL.build(NAMES))):
        assert [one, two] == sorted(NAMES, key=lambda name: score(row, name))[:2]


def test_primary_and_secondary_follow_plackett_luce():
    """Equal scores: each ordered pair of 4 has 1/12 of 65536 rows; chi-square, alpha 1e-9."""
    picker = SecondChance(SECRET).build(list(HOSTS.values()))
    found = pairs(picker)
    counts = [found.count(pair) for pair in itertools.permutations(HOSTS.values(), 2)]
    assert sum(counts) == 65536 and stats.chisquare(counts).pvalue > 1e-9


def test_a_drain_changes_places_and_nothing_else():
    before = SMALL.build(NAMES)
    drained = SMALL.build(lb.View.of(NAMES, states={"b2": State.DRAINING}), previous=before)
    for (one, two), after in zip(pairs(before), pairs(drained), strict=True):
        assert after == ((two, one) if one == "b2" else (one, two))
    drained.check_invariants()


def test_a_drained_backend_leaves_without_a_flow_broken():
    """Flows begun before the drain find their backend by the second chance; those begun during it by the first."""
    before = SMALL.build(NAMES)
    drained = SMALL.build(lb.View.of(NAMES, states={"b2": State.DRAINING}), previous=before)
    left = SMALL.build([name for name in NAMES if name != "b2"], previous=drained)
    for key in range(3000):
        old, young = before.pick(key).id, drained.pick(key).id
        assert deliver(drained.chances(key), {old}.__contains__).id == old
        assert left.pick(key).id == young
        if old != "b2":
            assert deliver(left.chances(key), {old}.__contains__).id == old


def test_a_join_takes_rows_and_the_second_chance_knows_from_whom():
    before, after = SMALL.build(NAMES), SMALL.build([*NAMES, "new"])
    taken = 0
    for key in range(3000):
        old = before.pick(key).id
        assert deliver(after.chances(key), {old}.__contains__).id == old
        taken += after.pick(key).id == "new"
    assert stats.binomtest(taken, 3000, 1 / 7).pvalue > 1e-9


@given(st.lists(st.sampled_from(list(State)), min_size=6, max_size=6), st.sampled_from([0.0, 0.5]))
def test_rows_in_any_health(states, panic):
    view = lb.View.of(NAMES, states=dict(zip(NAMES, states, strict=True)), panic_below=panic)
    fresh = SMALL.build(NAMES)
    picker = SMALL.build(view, previous=fresh)
    able = {name for name, ok in zip(NAMES, view.eligible.tolist(), strict=True) if ok}
    if not able:
        with pytest.raises(NoBackend):
            picker.row(0)
        return
    picker.check_invariants()
    assert picker.fingerprint() == SMALL.build(view).fingerprint()
    for row in range(0, 1000, 7):
        order = SMALL.order(row, tuple(NAMES))
        primary, second = (backend.id for backend in picker.row(row))
        assert primary == next(name for name in order if name in able)
        assert second == (order[1] if primary == order[0] else order[0])
    for key in range(20):
        walk = [backend.id for backend in picker.walk(key)]
        assert set(walk) == able and len(walk) == len(able)
        assert walk[0] == picker.pick(key).id == picker.chances(key)[0].id
        for k in range(1, len(walk)):
            assert picker.pick(key, exclude=set(walk[:k])).id == walk[k]
    tickets = picker.tickets(range(50))
    assert [picker.backends[s].id for s in picker.pick_many(tickets)] == [picker.pick(k).id for k in range(50)]
    assert [picker.backends[s] for s in picker.second_many(tickets)] == [picker.chances(k)[1] for k in range(50)]


def test_requests_without_a_key():
    picker = SMALL.build(NAMES)
    for _ in range(20):
        head = next(picker.walk())
        assert picker.pick() is head
    head = next(picker.walk())
    assert picker.pick(exclude={head.id}) is not head and picker.pick() is not None


@pytest.mark.parametrize(("pool", "reason"), [([], "empty"), ({"a": 0.0}, "ineligible")])
def test_nobody(pool, reason):
    picker = SMALL.build(pool)
    for call in (lambda: picker.pick("k"), lambda: picker.pick("k", exclude={"z"}), lambda: picker.chances("k")):
        with pytest.raises(NoBackend) as refused:
            call()
        assert refused.value.reason == reason


def test_one_backend_has_no_second():
    picker = SMALL.build(["a"])
    assert [b.id for b in picker.chances("k")] == ["a"]
    picker.check_invariants()
    with pytest.raises(NoBackend) as refused:
        picker.pick("k", exclude={"a"})
    assert refused.value.reason == "excluded"


def test_listing_order_and_copies():
    picker, other = SMALL.build(NAMES), SMALL.build(NAMES[::-1])
    assert picker.fingerprint() == other.fingerprint() != SecondChance(bytes(16), 1000).build(NAMES).fingerprint()
    twin = pickle.loads(pickle.dumps(picker))
    assert twin.fingerprint() == picker.fingerprint() and pairs(twin) == pairs(picker)
    assert SecondChance.from_dict(SMALL.to_dict(), secret=SECRET) == SMALL
    assert "49a3" not in repr(SMALL) and "secret" not in SMALL.to_dict()
    assert abs(picker.shares().sum() - 1) < 1e-12


@given(st.permutations(NAMES), st.integers(1, 5))
def test_previous_owners_cover_any_one_change(order, kept):
    """Whatever one change of the pool: a flow of a backend that stays finds it by the first or the second chance."""
    table = StableTable(251)
    before = table.build(sorted(order))
    for pool in (sorted(order[:kept]), [*sorted(order), "n1", "n2"], {**dict.fromkeys(order, 1.0), order[0]: 2.0}):
        after = table.build(pool, previous=before)
        members = {backend.id for backend in after.backends}
        for key in range(100):
            old = before.pick(key).id
            if old in members:
                assert deliver(chances(after, key), {old}.__contains__).id == old
            path = chances(after, key)
            assert path[0] is after.pick(key) and len({backend.id for backend in path}) == len(path)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda x=x: SecondChance(x), "secret") for x in (b"short", "text, 16 letters", None)),
        *((lambda x=x: SecondChance(SECRET, x), "rows") for x in (0, 2**24 + 1, 8.0, True)),
        (lambda: SecondChance(SECRET, hasher="XXH64"), "hasher"),
        (lambda: SecondChance(SECRET, seed=-1), "seed"),
        (lambda: SMALL.build({"a": 1.0, "b": 2.0}), "weights['b']"),
        (lambda: SMALL.build(NAMES).row(1000), "row"),
        (lambda: SMALL.build(NAMES).second_many([1]), "tickets"),
        (lambda: SMALL.build(NAMES).pick("k", exclude="a"), "exclude"),
        (lambda: chances(lb.Maglev(7).build(["a"]), "k"), "picker"),
        (lambda: deliver((), bool), "path"),
    ],
)
def test_what_is_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
