"""Varnish: the directors by their own words, health, alternates, warm-up and ramp-up, rebuilds."""

import json
import pickle
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, Endpoint, NoBackend, Outcome, State, View
from lbalgo.active import TicketPicker
from lbalgo.compat.draws import FreeBSDRandom, WordDraws
from lbalgo.compat.machine import MachinePicker
from lbalgo.compat.varnish import Backend, By, Fallback, Hash, Healthy, Random, RoundRobin, Shard, h32
from lbalgo.compat.varnish.hashing import last_values
from lbalgo.compat.varnish.ring import points_of
from lbalgo.testing import FakeClock, check_picker

POLICIES = [
    RoundRobin(),
    Fallback(),
    Fallback(sticky=True),
    Random(),
    Random(srandom=42),
    Hash(),
    Shard(),
    Shard(replicas=3, healthy=Healthy.IGNORE, by=By.BLOB),
    Shard(alt=1, healthy=Healthy.ALL),
    Shard(warmup=0.5, srandom=1),
    Shard(duration=30.0, by=By.URL),
]
KEYED = [policy for policy in POLICIES if isinstance(policy, (Hash, Shard))]
names = pytest.mark.parametrize("policy", POLICIES, ids=[type(p).__name__ for p in POLICIES])
SICK = State.UNHEALTHY


def letters(picker, n, key=None):
    return "".join(picker.pick(key).id for _ in range(n))


def sick(pool, *ids):
    return View.of(pool, states=dict.fromkeys(ids, SICK))


# bad input


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: Backend(""), "id"),
        (lambda: Backend("a", -1), "weight"),
        (lambda: Backend("a", ident=""), "ident"),
        (lambda: Backend("a", rampup=-1), "rampup"),
        (lambda: Backend("a", rampup="3s"), "rampup"),
        (lambda: Fallback(sticky=1), "sticky"),
        (lambda: Random(srandom=2**32), "srandom"),
        (lambda: Shard(replicas=0), "replicas"),
        (lambda: Shard(by="key"), "by"),
        (lambda: Shard(alt=-1), "alt"),
        (lambda: Shard(warmup=1.5), "warmup"),
        (lambda: Shard(warmup=-1), "warmup"),
        (lambda: Shard(duration=-0.1), "duration"),
        (lambda: Shard(rampup=30), "rampup"),
        (lambda: Shard(healthy="ALL"), "healthy"),
        (lambda: Shard(srandom=-1), "srandom"),
        (lambda: Shard(replicas=2**20).build({"a": 1.0, "b": 2.0**12}), "weights['b']"),
        (lambda: Shard.from_dict({"by": "nothing"}), "by"),
        (lambda: Hash.from_dict({"weight": 1}), "weight"),
        (lambda: h32("a", 1), "strings"),
        (lambda: FreeBSDRandom(-1), "seed"),
        (lambda: WordDraws(2**64), "seed"),
        (lambda: Random().build(["a"]).pick(exclude="a"), "exclude"),
        (lambda: Hash().build(["a"]).pick(exclude="a"), "exclude"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


def test_a_refused_build_changes_nothing():
    policy = Shard(replicas=2**20, alt=1)
    picker = policy.build(["a"])
    with pytest.raises(ConfigError):
        policy.build({"a": 1.0, "b": 2.0**12}, previous=picker)
    assert picker.pick("k").id == "a"


# what every director is


@names
def test_policies_and_pickers_survive_json_and_pickle(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    picker = policy.build([Backend("a", 3), Backend("b", ident="x"), Backend("c")])
    letters(picker, 3, "k")
    again = pickle.loads(pickle.dumps(picker))
    assert "".join(again.pick(f"k{i}").id for i in range(30)) == "".join(picker.pick(f"k{i}").id for i in range(30))
    backend = Backend("a", 3.5, "x", 30.0)
    assert Backend.from_dict(json.loads(json.dumps(backend.to_dict()))) == backend


@names
def test_laws_of_pickers(policy):
    pool = {id: 1.0 + i for i, id in enumerate("abcde")}
    able = "abcde" if policy == POLICIES[7] else "bde"
    random = getattr(policy, "warmup", 0) > 0
    keys = [f"k{i}".encode() for i in range(40)]
    check_picker(policy.build(sick(pool, "a", "c")), keys=keys, keyed=policy in KEYED and not random, eligible=able)
    with pytest.raises(NoBackend, match="no backends"):
        policy.build([]).pick()
    if able == "bde":
        with pytest.raises(NoBackend, match="eligible"):
            policy.build(sick(["a"], "a")).pick("k")
    with pytest.raises(NoBackend, match="excluded"):
        policy.build(["a", "b"]).pick("k", exclude=["a", "b"])


@names
def test_pools_of_any_kind(policy):
    endpoints = [Endpoint("a", 2.0), Endpoint("b", 1.0)]
    pools = ({"a": 2, "b": 1}, endpoints, [Backend("a", 2), Backend("b")])
    assert len({"".join(policy.build(pool).pick(f"k{i}").id for i in range(20)) for pool in pools}) == 1


@names
def test_in_a_balancer(policy):
    clock = FakeClock()
    balancer = Balancer(policy, {"a": 2, "b": 1, "c": 1}, clock=clock, seed=3)
    leases = [balancer.acquire("k") for _ in range(8)]
    if isinstance(balancer.picker, MachinePicker):
        machine = balancer.picker.load
        assert sum(machine.at(row) for row in range(3)) == 8
    balancer.update({"b": 3, "c": 1, "d": 1})
    for lease in leases:
        clock.now += 0.25
        lease.done(Outcome.TIMEOUT)
    if isinstance(balancer.picker, MachinePicker):
        assert balancer.picker.load is machine
        assert [machine.at(row) for row in range(4)] == [0.0] * 4
    assert {balancer.acquire(f"k{i}").backend.id for i in range(60)} <= {"b", "c", "d"}
    balancer.picker.check_invariants()


@names
def test_a_rebuild_that_changes_nothing_is_invisible(policy):
    pool = {"a": 3, "b": 2, "c": 1}
    picker, other = policy.build(pool), policy.build(pool)
    for i in range(12):
        other = policy.build(pool, previous=other)
        assert picker.pick(f"k{i}").id == other.pick(f"k{i}").id


@pytest.mark.parametrize("policy", [Hash(), Shard(), Shard(healthy=Healthy.IGNORE)], ids=repr)
def test_bulk_equals_scalar(policy):
    picker = policy.build(sick({"a": 1, "b": 2.5, "c": 7}, "b"))
    assert isinstance(picker, TicketPicker)
    keys = [f"/p{i}" for i in range(500)]
    slots = picker.pick_many(picker.tickets(keys))
    assert [picker.backends[s].id for s in slots] == [picker.pick(k).id for k in keys]
    assert picker.shares().sum() == pytest.approx(1.0)
    assert (
        picker.shares()[1] > 0 if picker.policy.__dict__.get("healthy") is Healthy.IGNORE else picker.shares()[1] == 0
    )
    assert policy.build(picker.view, previous=picker).structure is picker.structure
    assert (
        policy.build({"a": 1, "b": 2.5, "c": 7}).fingerprint() == policy.build({"a": 1, "b": 2.5, "c": 7}).fingerprint()
    )


# round_robin, fallback, random


def test_a_cursor_passes_the_sick():
    policy = RoundRobin()
    picker = policy.build(["a", "b", "c", "d"])
    assert letters(picker, 1) == "a"
    picker = policy.build(sick(["a", "b", "c", "d"], "b", "c"), previous=picker)
    assert letters(picker, 1) == "d"  # b and c have lost their turn
    assert letters(policy.build(["a", "b", "c", "d"], previous=picker), 5) == "abcda"


def test_fallback_and_its_stickiness():
    pool = ["a", "b", "c"]
    for policy, back in ((Fallback(), "a"), (Fallback(sticky=True), "b")):
        picker = policy.build(sick(pool, "a"))
        assert letters(picker, 2) == "bb"
        picker = policy.build(pool, previous=picker)
        assert letters(picker, 2) == back * 2
        assert picker.pick(exclude=[back]).id != back
        assert letters(picker, 1) == back  # what one request avoids moves nobody else
    picker = policy.build(sick(pool, "b"), previous=picker)
    assert letters(picker, 1) == "c"  # on from where it stood, though a is healthy
    assert letters(policy.build(["a", "b"], previous=picker), 1) == "a"  # c has gone


def test_random_is_the_draw_on_the_sum_of_the_healthy():
    weights = {"a": 0.5, "b": 1.25, "c": 0, "d": 10, "e": 3}
    draws, picker = FreeBSDRandom(9), Random(srandom=9).build(sick(weights, "d"))
    able = {id: w for id, w in weights.items() if id != "d" and w}
    for _ in range(200):
        mark = draws() * 2.0**-31 * sum(able.values())
        sums = zip(able, accumulate(able.values()), strict=True)
        assert picker.pick().id == next(id for id, reached in sums if reached > mark)


def test_seeds_of_a_balancer_move_lbalgos_words_only():
    def sequence(policy, seed):
        balancer = Balancer(policy, ["a", "b", "c"], seed=seed)
        return [balancer.acquire("k").backend.id for _ in range(30)]

    for free, bound in ((Random(), Random(srandom=1)), (Shard(warmup=0.5), Shard(warmup=0.5, srandom=1))):
        assert sequence(free, 1) != sequence(free, 2)
        assert sequence(bound, 1) == sequence(bound, 2)


# hash


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.binary(max_size=30), st.data())
def test_hash_is_the_expression_in_doubles(weights, key, data):
    ids = [str(i) for i in range(len(weights))]
    out = data.draw(st.sets(st.sampled_from(ids), max_size=len(ids) - 1))
    picker = Hash().build(sick(dict(zip(ids, weights, strict=True)), *out))
    able = [(id, w) for id, w in zip(ids, weights, strict=True) if id not in out]
    sums = list(accumulate(w for _, w in able))
    mark = h32(key) * 2.0**-32 * sums[-1]
    assert picker.pick(key).id == next(id for (id, _), reached in zip(able, sums, strict=True) if reached > mark)


@given(st.lists(st.floats(0, 1e300) | st.floats(0, 1e-300), min_size=1, max_size=8))
def test_ends_of_the_line_are_exact(weights):
    sums = list(accumulate(weights))
    for end, reached in zip(last_values(weights), sums, strict=True):
        assert end < 0 or end * 2.0**-32 * sums[-1] < reached
        assert end == 2**32 - 1 or not (end + 1) * 2.0**-32 * sums[-1] < reached


def test_what_is_too_light_for_one_value_gets_nothing():
    picker = Hash().build({"b": 1.0, "a": 1e-12, "c": 0})
    assert {picker.pick(f"{i}").id for i in range(300)} == {"b"}
    assert [b.id for b in picker.walk("k")] == ["b"]
    with pytest.raises(NoBackend):
        Hash().build({"c": 0}).pick("k")


# shard


def plain_order(pool, key, replicas=67):
    """Backends in the order of their points from the key's, without a wrap at its end."""
    points = sorted((h32(f"{id}{j}"), k, id) for k, id in enumerate(pool) for j in range(replicas))
    h = h32(key) if isinstance(key, (str, bytes)) else key
    first = next((i for i, p in enumerate(points) if p[0] >= h), len(points) - 1)
    first = 1 if len(points) == 2 else first  # seen with the program: two points, and the second gets every key
    return list(dict.fromkeys(p[2] for p in points[first:] + points[:first]))


@given(st.integers(1, 8), st.text(max_size=8), st.sets(st.sampled_from("abcdefg")), st.integers(1, 5))
def test_shard_is_the_first_healthy_from_the_point(n, key, out, replicas):
    pool = [*"abcdefgh"][:n]
    healthy = [id for id in plain_order(pool, key, replicas) if id not in out]
    picker = Shard(replicas=replicas).build(sick(pool, *(out & {*pool})))
    assert [b.id for b in picker.walk(key)] == healthy
    if healthy:
        assert picker.pick(key).id == healthy[0]
    ignore = Shard(replicas=replicas, healthy=Healthy.IGNORE).build(sick(pool, *(out & {*pool})))
    assert [b.id for b in ignore.walk(key)] == plain_order(pool, key, replicas)


def plain_alternate(order, out, alt, healthy):
    """As the program was seen to do it, one condition a line."""
    alt = min(alt, len(order) - 1)
    if healthy is Healthy.IGNORE:
        return order[alt]
    able = [id for id in order if id not in out]
    if healthy is Healthy.ALL:
        passed, rest = able[:alt], able[alt:]
    else:
        passed, rest = order[:alt], [id for id in order[alt:] if id not in out]
    kept = [id for id in passed[: alt - 1] if id not in out]  # never the alt-th that it skips
    return (rest or kept[-1:] or [None])[0]


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(Healthy),
    st.sets(st.sampled_from("abcdef")),
    st.integers(0, 2**32 - 1),
)
def test_alternates(n, alt, healthy, out, h):
    pool = [*"abcdef"][:n]
    picker = Shard(replicas=5, alt=alt, healthy=healthy, by=By.BLOB).build(sick(pool, *(out & {*pool})))
    expected = plain_alternate(plain_order(pool, h, 5), out, alt, healthy)
    if expected is None:
        with pytest.raises(NoBackend):
            picker.pick(h.to_bytes(4, "big"))
    else:
        assert picker.pick(h.to_bytes(4, "big")).id == expected


def test_one_healthy_backend_may_be_nobody_for_alt_1():
    picker = Shard(alt=1, healthy=Healthy.ALL).build(sick(["a", "b"], "b"))
    with pytest.raises(NoBackend):
        picker.pick("k")
    assert Shard(alt=2, healthy=Healthy.ALL).build(sick(["a", "b", "c"], "b", "c")).pick("k").id == "a"


def test_there_is_no_wrap_around():
    last = max("abc", key=lambda id: points_of([id], [67]).max())
    picker = Shard(by=By.BLOB).build(["a", "b", "c"])
    assert picker.pick(b"\xff\xff\xff\xff").id == last
    first = next(id for id in plain_order("abc", 0))
    assert Shard(by=By.BLOB).build(sick(["a", "b", "c"], last)).pick(b"\xff" * 4).id in {*"abc"} - {last}
    assert picker.pick(b"\0" * 4).id == first


def test_of_two_points_the_second_gets_every_key():
    second = max("ab", key=lambda id: points_of([id], [1])[0])
    picker = Shard(replicas=1).build(["a", "b"])
    assert {picker.pick(f"{i}").id for i in range(200)} == {second}
    assert picker.shares()[["a", "b"].index(second)] == 1.0
    assert next(b.id for b in picker.walk("k")) == second
    assert Shard(replicas=1).build(sick(["a", "b"], second)).pick("k").id != second
    assert {Shard(replicas=1, alt=1).build(["a", "b"]).pick(f"{i}").id for i in range(99)} == {*"ab"} - {second}


def test_what_keys_are():
    pool = ["a", "b", "c", "d", "e"]
    digest = bytes.fromhex("89abcdef") + bytes(28)
    assert Shard(by=By.HASH).build(pool).pick(digest).id == Shard(by=By.BLOB).build(pool).pick(digest[:4]).id
    assert Shard(by=By.BLOB).build(pool).pick(b"\x07").id == Shard(by=By.BLOB).build(pool).pick(b"\0\0\0\x07").id
    urls = [f"/{i}" for i in range(50)]
    by_url, by_key = Shard(by=By.URL).build(pool), Shard().build(pool)
    by_number = Shard(by=By.BLOB).build(pool)
    for url in urls:
        assert by_url.pick(url).id == by_key.pick(url).id == by_number.pick(h32(url).to_bytes(4, "big")).id


def test_idents_and_weights():
    renamed = Shard().build([Backend("x", ident="a"), Backend("y", ident="b")])
    plain = Shard().build(["a", "b"])
    assert [renamed.pick(f"{i}").id == "x" for i in range(99)] == [plain.pick(f"{i}").id == "a" for i in range(99)]
    assert Shard(replicas=10).build({"a": 2.59, "b": 0, "c": 0.5}).structure.size == 25 + 10 + 10 + 1
    assert Shard().build(["a"]).pick().id == "a"


def test_warmup_is_a_probability():
    """Binomial, n = 4000, p = 0.3: eight standard deviations are 232."""
    warm, cold = Shard(warmup=0.3).build([*"abcd"]), Shard().build([*"abcd"])
    keys = [f"k{i}" for i in range(4000)]
    moved = 0
    for key in keys:
        first, second = [b.id for b in cold.walk(key)][:2]
        chosen = warm.pick(key).id
        assert chosen in (first, second)
        moved += chosen == second
    assert abs(moved - 1200) < 232
    always = Shard(warmup=1.0).build([*"abcd"])
    assert all(always.pick(k).id == [b.id for b in cold.walk(k)][1] for k in keys[:50])
    assert Shard(warmup=1.0).build(["a"]).pick("k").id == "a"


def ramping(policy, now, pool=("a", "b", "c"), back="b", after=1000.0):
    """A picker at `now` seconds after `back` was healthy again; the others have been for long."""
    picker = policy.build(pool)
    picker.load.advance(0.0)
    picker = policy.build(sick(pool, back), previous=picker)
    picker.load.advance(after)
    picker = policy.build(pool, previous=picker)
    picker.load.advance(after + now)
    return picker


def owned(pool, id, n):
    cold = Shard().build([*pool])
    found = [k for k in (f"k{i}" for i in range(20 * n)) if cold.pick(k).id == id]
    assert len(found) >= n
    return found[:n]


@pytest.mark.parametrize(("now", "share"), [(0.0, 0.0), (15.0, 0.25), (30.0, 0.5), (59.9, 0.998), (60.0, 1.0)])
def test_rampup_gives_keys_back_as_time_goes(now, share):
    """Binomial, n = 1000: eight standard deviations are at most 127."""
    picker, keys = ramping(Shard(duration=60.0), now), owned("abc", "b", 1000)
    mine = sum(picker.pick(k).id == "b" for k in keys)
    assert abs(mine - 1000 * share) <= 8 * (1000 * share * (1 - share)) ** 0.5
    assert all(picker.pick(k).id == "a" for k in owned("abc", "a", 50))


def test_rampup_false_and_rampup_of_a_backend():
    keys = owned("abc", "b", 50)
    off = ramping(Shard(duration=60.0, rampup=False, warmup=1.0), 0.0)
    assert {off.pick(k).id for k in keys} == {"b"}  # it is ramping up: no warm-up either
    pool = [Backend("a"), Backend("b", rampup=5.0), Backend("c")]
    own = ramping(Shard(), 0.0, pool)
    assert isinstance(own, MachinePicker)
    assert "b" not in {own.pick(k).id for k in keys}
    assert {ramping(Shard(), 5.0, pool).pick(k).id for k in keys} == {"b"}
    assert isinstance(Shard(duration=60.0, rampup=False).build(["a"]), TicketPicker)


def test_at_the_start_everybody_ramps_up_and_so_nobody_is_passed_over():
    picker, cold = Shard(duration=60.0, warmup=1.0).build([*"abc"]), Shard().build([*"abc"])
    for now in (0.0, 59.0):
        picker.load.advance(now)
        assert all(picker.pick(f"{i}").id == cold.pick(f"{i}").id for i in range(50))
    picker.load.advance(60.0)
    assert all(picker.pick(f"{i}").id != cold.pick(f"{i}").id for i in range(50))


def test_warmup_may_use_a_backend_that_ramps_up():
    picker = ramping(Shard(duration=60.0, warmup=1.0), 0.0)
    cold = Shard().build([*"abc"])
    ahead = [k for k in (f"{i}" for i in range(200)) if [b.id for b in cold.walk(k)][:2] == ["a", "b"]]
    assert ahead and all(picker.pick(k).id == "b" for k in ahead)


def test_who_joins_ramps_up():
    policy = Shard(duration=60.0)
    picker = policy.build(["a", "b"])
    picker.load.advance(100.0)
    picker.load.advance(200.0)
    picker = policy.build(["a", "b", "c"], previous=picker)
    assert "c" not in {picker.pick(f"{i}").id for i in range(100)}
    picker.load.advance(260.0)
    assert "c" in {picker.pick(f"{i}").id for i in range(100)}


def test_health_moves_only_keys_of_the_sick():
    pool, keys = [*"abcdefgh"], [f"{i}" for i in range(2000)]
    whole, part = Shard().build(pool), Shard().build(sick(pool, "d"))
    moved = {whole.pick(k).id for k in keys if whole.pick(k).id != part.pick(k).id}
    assert moved == {"d"}
    assert np.flatnonzero(part.shares() == 0).tolist() == [3]
