"""TopK: k distinct backends, zones in rounds, one replica for each that fails, the base policy's pick untouched."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies.top_k import ReplicaPicker, TopK
from lbalgo.testing import check_picker

KEYS = [f"key-{i}" for i in range(60)]
POOLS = st.lists(st.sampled_from([None, "x", "y", "z"]), min_size=1, max_size=9).map(
    lambda zones: [lb.Endpoint(f"b{i}", 1.0 + i % 3, zone=zone) for i, zone in enumerate(zones)]
)


def by_hand(walk, zones):
    """The walk sorted, stably, by how many of the zone came before."""
    seen, ranks = {}, []
    for backend in walk:
        zone = backend.id if backend.zone is None or not zones else f"zone {backend.zone}"
        ranks.append(seen.get(zone, 0) if zones else 0)
        seen[zone] = seen.get(zone, 0) + 1
    return [backend for _, _, backend in sorted(zip(ranks, range(len(ranks)), walk, strict=True), key=lambda x: x[:2])]


@given(POOLS, st.integers(1, 5), st.booleans())
def test_the_order_is_the_walk_sorted_by_zone(pool, k, zones):
    picker, base = TopK(lb.Rendezvous(), k=k, spread=zones).build(pool), lb.Rendezvous().build(pool)
    picker.check_invariants()
    check_picker(picker)
    for key in KEYS[:20]:
        wanted = by_hand(list(base.walk(key)), zones)
        assert list(picker.walk(key)) == wanted
        assert picker.replicas(key) == tuple(wanted[:k])
        assert picker.pick(key) is base.pick(key)
        assert picker.pick(key, exclude={wanted[0].id, "nobody"}) is wanted[1] if len(wanted) > 1 else True


@given(POOLS, st.integers(1, 5), st.booleans(), st.data())
def test_one_that_fails_is_replaced_by_one(pool, k, zones, data):
    """Of the replicas of any key only the one that left changes, ejected or gone, and no zone gains a second early."""
    policy = TopK(lb.Rendezvous(), k=k, spread=zones)
    gone = data.draw(st.sampled_from([b.id for b in pool]))
    whole, rest = policy.build(pool), policy.build([b for b in pool if b.id != gone])
    ejected = policy.build(lb.View.of(pool, states={gone: lb.State.UNHEALTHY}, panic_below=0.0), previous=whole)
    for key in KEYS[:20] if len(pool) > 1 else ():
        before, after = ({b.id for b in p.replicas(key)} for p in (whole, rest))
        assert before - after == before & {gone}
        assert len(after - before) <= 1
        assert ejected.replicas(key) == rest.replicas(key)


def test_zones_before_seconds():
    pool = [lb.Endpoint(f"{z}{i}", zone=z) for z, n in (("x", 6), ("y", 2), ("z", 1)) for i in range(n)]
    picker = TopK(lb.Rendezvous(), k=5).build(pool)
    for key in KEYS:
        zones = [b.zone for b in picker.replicas(key)]
        assert sorted(zones[:3]) == ["x", "y", "z"]
        assert sorted(zones[3:]) == ["x", "y"]


def test_backends_of_ones_own_type_have_no_zone():
    class Own:
        weight = 1.0

        def __init__(self, id):
            self.id = id

    picker = TopK(lb.RingHash(), k=2).build([Own("a"), Own("b"), Own("c")])
    assert len({b.id for b in picker.replicas("k")}) == 2


def test_a_zone_named_like_an_id_is_another_thing():
    pool = [lb.Endpoint("a", zone="b"), lb.Endpoint("b"), lb.Endpoint("c", zone="b")]
    picker = TopK(lb.Rendezvous(), k=2).build(pool)
    assert all({"a", "c"} != {b.id for b in picker.replicas(key)} for key in KEYS)


def test_without_a_key_replicas_are_of_the_next_ticket():
    picker = TopK(lb.Rendezvous(), k=2).build(list("abcd"))
    for _ in range(10):
        first = picker.replicas()[0]
        assert picker.pick() is first
    order = list(picker.walk())
    assert picker.pick(exclude={order[0].id}) is order[1]


def test_a_ticket_is_spent_by_each_request_without_a_key_and_by_no_other():
    picker = TopK(lb.Rendezvous(), k=2).build(list("abcd"))
    picker.reseed(7)
    picker.pick()
    after = picker.cursor.state
    assert after != 7
    for key, exclude, state in ((None, {"a"}, after), ("k", (), 7), ("k", {"a"}, 7)):
        picker.reseed(7)
        picker.pick(key, exclude=exclude)
        assert picker.cursor.state == state


def test_fingerprint_and_pickle():
    pool = [lb.Endpoint("a", zone="x"), lb.Endpoint("b", zone="x"), lb.Endpoint("c", zone="y")]
    moved = [lb.Endpoint("a", zone="x"), lb.Endpoint("b", zone="y"), lb.Endpoint("c", zone="y")]
    made = [TopK(lb.Rendezvous(), k, s).build(p) for k in (1, 2) for s in (True, False) for p in (pool, moved)]
    assert len({p.fingerprint() for p in made}) == 6, "without zones it does not matter who is where"
    for picker in made:
        picker.pick()
        copy = pickle.loads(pickle.dumps(picker))
        assert copy.fingerprint() == picker.fingerprint()
        assert [copy.replicas(k) for k in KEYS] == [picker.replicas(k) for k in KEYS]
        assert copy.pick() == picker.pick()


def test_previous_is_passed_on():
    first = TopK(lb.Jump()).build(["a", "b"])
    first.pick()
    assert TopK(lb.Jump()).build(["a", "b", "c"], previous=first).cursor is first.cursor
    with pytest.raises(lb.ConfigError, match="only at the end"):
        TopK(lb.Jump()).build(["b"], previous=first)


def test_invariants_are_checked():
    good = TopK(lb.Rendezvous(), k=2).build([lb.Endpoint("a", zone="x"), lb.Endpoint("b", zone="y")])
    good.check_invariants()

    class Twice(ReplicaPicker):
        def walk(self, key=None):
            return iter(self.backends[:1] * 2)

    class Second(ReplicaPicker):
        def walk(self, key=None):
            return iter(list(self.base.walk(key))[::-1])

    for kind in (Twice, Second):
        with pytest.raises(AssertionError):
            kind(good.policy, good.view, good.base).check_invariants()


@pytest.mark.parametrize(
    ("call", "error", "parameter"),
    [
        *((lambda p=p: TopK(p), lb.ConfigError, "policy") for p in ("Maglev", None, lb.Maglev)),
        *((lambda k=k: TopK(lb.Maglev(), k), lb.ConfigError, "k") for k in (0, -1, 1.5, True, None, math.inf)),
        *((lambda s=s: TopK(lb.Maglev(), spread=s), lb.ConfigError, "spread") for s in (1, "zones", None)),
        (lambda: TopK(lb.PowerOfTwo()).build(["a"]), lb.ConfigError, "policy"),
        (lambda: TopK(lb.Maglev(251)).build(["a"]).pick("k", exclude="a"), lb.ConfigError, "exclude"),
        (lambda: TopK.from_dict({"policy": "NoSuch"}), lb.ConfigError, "policy"),
    ],
)
def test_refused(call, error, parameter):
    with pytest.raises(error) as caught:
        call()
    assert caught.value.parameter == parameter
