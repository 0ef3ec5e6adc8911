"""twemproxy and libmemcached as policies: the laws that hold, their parameters, their life in a balancer."""

import json
import pickle
import zlib

import mmh3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, Endpoint, NoBackend, Outcome, State, View
from lbalgo.compat import memcached as mc
from lbalgo.compat.glibc import GlibcRandom
from lbalgo.compat.memcached import hashes
from lbalgo.compat.memcached.server import address
from lbalgo.testing import FakeClock, KeyedContract, PolicyContract, check_picker
from lbalgo.testing import strategies as some

POOL = [f"10.0.0.{i}:11212" for i in range(1, 7)]
MODULA, RANDOM = mc.TwemproxyDistribution.MODULA, mc.TwemproxyDistribution.RANDOM
D, H = mc.LibmemcachedDistribution, mc.LibmemcachedHash
RINGS = [d for d in D if d not in (D.MODULA, D.RANDOM)]


FEW = settings(max_examples=settings.default.max_examples // 8)


class Dialect(KeyedContract):
    """The laws of policies by key, over whoever the dialect puts into its structure."""

    weights = st.sampled_from([1.0, 1.0, 2.0, 3.0])
    max_size = 12
    settings = FEW

    def eligible(self, view):
        picker = self.policy.build(view)
        return frozenset(i for i, able in zip(picker.view.ids, picker.view.eligible.tolist(), strict=True) if able)


class TestTwemproxyKetama(Dialect):
    policy = mc.Twemproxy()
    test_nobody_eligible_is_refused = None  # states do not matter


class TestTwemproxyEjecting(Dialect):
    policy = mc.Twemproxy(mc.TwemproxyHash.MD5, auto_eject_hosts=True)
    test_signals_move_only_what_fell_or_rose = None  # the point counts of all depend on who is live
    test_keys_only_return_while_signals_rise = None  # likewise


class TestTwemproxyModula(Dialect):
    policy = mc.Twemproxy(mc.TwemproxyHash.MURMUR, MODULA)
    test_nobody_eligible_is_refused = None  # states do not matter


class TestLibmemcachedRing(Dialect):
    policy = mc.Libmemcached(H.MURMUR3, D.CONSISTENT, auto_eject_hosts=True)
    test_signals_move_only_what_fell_or_rose = None  # likewise, if weights differ
    test_keys_only_return_while_signals_rise = None


class TestLibmemcachedSpy(Dialect):
    policy = mc.Libmemcached(H.JENKINS, D.CONSISTENT_KETAMA_SPY, sort_hosts=True)
    test_nobody_eligible_is_refused = None  # states do not matter


class TestLibmemcachedModula(Dialect):
    policy = mc.Libmemcached()
    test_nobody_eligible_is_refused = None  # states do not matter
    test_listing_order_is_irrelevant = None  # positions are those of the list


class Drawn(PolicyContract):
    weights = st.sampled_from([1.0, 2.0])
    max_size = 8
    settings = FEW
    test_nobody_eligible_is_refused = None  # states do not matter

    def eligible(self, view):
        return frozenset(view.ids)


class TestTwemproxyRandom(Drawn):
    policy = mc.Twemproxy(distribution=RANDOM)


class TestLibmemcachedRandom(Drawn):
    policy = mc.Libmemcached(distribution=D.RANDOM)


# parameters


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: mc.Twemproxy(hash="md5"), "hash"),
        (lambda: mc.Twemproxy(distribution="ketama"), "distribution"),
        (lambda: mc.Twemproxy(hash_tag="{"), "hash_tag"),
        (lambda: mc.Twemproxy(hash_tag="éé"), "hash_tag"),
        (lambda: mc.Twemproxy(hash_tag=None), "hash_tag"),
        (lambda: mc.Twemproxy(auto_eject_hosts=1), "auto_eject_hosts"),
        (lambda: mc.Twemproxy(seed=-1), "seed"),
        (lambda: mc.Libmemcached(hash=mc.TwemproxyHash.MD5), "hash"),
        (lambda: mc.Libmemcached(hash=H.HSIEH), "hash"),
        (lambda: mc.Libmemcached(point_hash=H.HSIEH), "point_hash"),
        (lambda: mc.Libmemcached(point_hash="md5"), "point_hash"),
        (lambda: mc.Libmemcached(distribution=2), "distribution"),
        (lambda: mc.Libmemcached(version="1.1.4"), "version"),
        (lambda: mc.Libmemcached(prefix_key="a" * 128), "prefix_key"),
        (lambda: mc.Libmemcached(prefix_key=b"a"), "prefix_key"),
        (lambda: mc.Libmemcached(sort_hosts=0), "sort_hosts"),
        (lambda: mc.Libmemcached(seed=2**32), "seed"),
        (lambda: mc.Server(""), "id"),
        (lambda: mc.Server("a:0"), "id"),
        (lambda: mc.Server("a:65536"), "id"),
        (lambda: mc.Server("a", 1.5), "weight"),
        (lambda: mc.Server("a", -1), "weight"),
        (lambda: mc.Server("a", 1, ""), "name"),
        (lambda: mc.Twemproxy().build({"a": 0}), "weights['a']"),
        (lambda: mc.Twemproxy().build({"a": 1.5}), "weights['a']"),
        (lambda: mc.Twemproxy().build({"a": 2.0**31}), "weights['a']"),
        (lambda: mc.Twemproxy().build(dict.fromkeys("abc", 2**31 - 1)), "weights"),
        (lambda: mc.Twemproxy(distribution=MODULA).build({"a": 2**24, "b": 1}), "weights"),
        (lambda: mc.Libmemcached().build({"a": 0.5}), "weights['a']"),
        (lambda: mc.generate_hash_value("a", "md5"), "hash"),
        (lambda: mc.AutoEject(server_failure_limit=0), "server_failure_limit"),
        (lambda: mc.AutoEject(server_retry_timeout=0.5), "server_retry_timeout"),
        (lambda: mc.pylibmc(None), "behaviors"),
        (lambda: mc.pylibmc({"hush": 1}), "behaviors['hush']"),
        (lambda: mc.pylibmc({"hash": "sha1"}), "behaviors['hash']"),
        (lambda: mc.pylibmc({"hash": "hsieh"}), "hash"),
        (lambda: mc.pylibmc({"distribution": 7}), "behaviors['distribution']"),
        (lambda: GlibcRandom(2**32), "seed"),
        (lambda: mc.Twemproxy.from_dict({"hash": "SHA1"}), "twemproxyhash"),
        (lambda: mc.Libmemcached.from_dict({"colour": 1}), "colour"),
    ],
)
def test_bad_input_is_named(make, parameter):
    with pytest.raises(ConfigError) as error:
        make()
    assert error.value.parameter == parameter


@pytest.mark.parametrize("distribution", [mc.TwemproxyDistribution.KETAMA, MODULA, RANDOM])
def test_a_refused_build_changes_nothing(distribution):
    policy = mc.Twemproxy(distribution=distribution)
    picker = policy.build(POOL)
    expected = [b.id for b in policy.build(POOL).walk("key")]
    with pytest.raises(ConfigError):
        policy.build({"a": 1, "b": 0.5}, previous=picker)
    assert [b.id for b in picker.walk("key")] == expected


POLICIES = [
    *(mc.Twemproxy(h, d, "{}", True, 7) for h in mc.TwemproxyHash for d in mc.TwemproxyDistribution),
    *(mc.Libmemcached(h, d, True, H.CRC, "p:", True, True, True) for h in H if h is not H.HSIEH for d in D),
    mc.Libmemcached(version=mc.Version.V1_0_16),
]


def test_policies_survive_json_and_pickle():
    for policy in POLICIES:
        assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
        assert pickle.loads(pickle.dumps(policy)) == policy
    server = mc.Server("10.0.0.1:1", 3, "a")
    assert pickle.loads(pickle.dumps(server)) == server
    assert repr(mc.AutoEject(3, 5)) == "AutoEject(server_failure_limit=3, server_retry_timeout=5)"


def test_pickers_pass_the_laws_and_survive_pickle():
    for policy in POLICIES:
        picker = policy.build([mc.Server(i, 1 + k % 2) for k, i in enumerate(POOL)])
        keyed = policy.distribution.value != "random"
        check_picker(picker, keyed=keyed, eligible=POOL)
        picker.check_invariants()
        if keyed:
            again = pickle.loads(pickle.dumps(picker))
            assert again.fingerprint() == picker.fingerprint()
            keys = [b"k%d" % i for i in range(50)]
            assert again.pick_many(picker.tickets(keys)).tolist() == [POOL.index(picker.pick(key).id) for key in keys]


def test_nobody_and_one():
    for policy in (mc.Twemproxy(), mc.Libmemcached(distribution=D.CONSISTENT), mc.Twemproxy(distribution=RANDOM)):
        with pytest.raises(NoBackend, match="no backends"):
            policy.build([]).pick("a")
        assert {policy.build(["a"]).pick(key).id for key in ("", "a", "b")} == {"a"}


# names and points


@pytest.mark.parametrize(
    ("id", "host", "port"),
    [
        ("a", "a", 11211),
        ("a:1", "a", 1),
        ("/s", "/s", 0),
        ("::1:5", "::1", 5),
        (":5", ":5", 11211),
        ("a:x", "a:x", 11211),
    ],
)
def test_addresses(id, host, port):
    assert address(id) == (host, port) == (mc.Server(id).host, mc.Server(id).port)


def test_a_pool_may_be_ids_a_mapping_endpoints_or_servers():
    for policy in (mc.Twemproxy(), mc.Libmemcached(distribution=D.CONSISTENT)):
        prints = {
            policy.build(pool).fingerprint()
            for pool in (POOL, dict.fromkeys(POOL, 1), [Endpoint(i) for i in POOL], [mc.Server(i) for i in POOL])
        }
        assert len(prints) == 1


def test_a_name_moves_a_server_but_only_in_twemproxy():
    named = [mc.Server(i, 1, f"node-{k}") for k, i in enumerate(POOL)]
    assert mc.Twemproxy().build(named).fingerprint() != mc.Twemproxy().build(POOL).fingerprint()
    ring = mc.Libmemcached(distribution=D.CONSISTENT)
    assert ring.build(named).fingerprint() == ring.build(POOL).fingerprint()


def test_a_server_of_too_small_a_share_has_no_points():
    picker = mc.Twemproxy().build({"a": 1, "b": 1000})
    assert [b.id for b in picker.walk("key")] == ["b"]
    assert picker.shares().tolist() == [0.0, 1.0]


def test_a_weight_of_zero_is_one_for_libmemcached():
    for distribution in (D.MODULA, D.CONSISTENT, D.CONSISTENT_WEIGHTED):
        policy = mc.Libmemcached(distribution=distribution)
        zero, one = policy.build({"a": 0, "b": 1}), policy.build({"a": 1, "b": 1})
        assert [zero.pick(k).id for k in range(50)] == [one.pick(k).id for k in range(50)]


@given(st.binary(max_size=60))
def test_hashes_against_other_implementations(data):
    assert hashes.DIGESTS["murmur3"](data) == mmh3.hash(data, 0xDEADBEEF * len(data) & 0xFFFFFFFF, signed=False)
    h, g = 0x811C9DC5, 0xCBF29CE484222325
    for byte in data:
        char = byte - 256 if byte > 127 else byte
        h = (h ^ char & 0xFFFFFFFF) * 0x01000193 & 0xFFFFFFFF
        g = g * 0x100000001B3 & (1 << 64) - 1 ^ char & (1 << 64) - 1
    assert hashes.DIGESTS["fnv1a_32"](data) == h
    assert hashes.DIGESTS["fnv1_64"](data) == g & 0xFFFFFFFF
    assert hashes.DIGESTS["crc32a"](data) == zlib.crc32(data)


@pytest.mark.parametrize("hash", mc.TwemproxyHash)
def test_an_empty_key_hashes_to_zero_in_twemproxy(hash):
    assert mc.Twemproxy(hash).build(POOL).tickets([b""]).tolist() == [0]


# twemproxy's particulars


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (b"a{b}c", b"b"),
        (b"{}x", b"{}x"),
        (b"{x", b"{x"),
        (b"x}{y}", b"y"),
        (b"{{a}}", b"{a"),
        (b"}{", b"}{"),
        (b"", b""),
    ],
)
def test_tags(key, part):
    assert mc.tagged(key, "{}") == part
    assert mc.tagged(key, "") == key


def test_a_tag_of_one_character_twice():
    assert mc.tagged(b"a$b$c", "$$") == b"b"
    assert mc.tagged(b"a$bc", "$$") == b"a$bc"


def test_states_matter_only_where_hosts_are_ejected():
    view = View.of(POOL, states={POOL[0]: State.UNHEALTHY, POOL[1]: State.DRAINING, POOL[2]: State.DEGRADED})
    still = mc.Twemproxy().build(view)
    assert still.fingerprint() == mc.Twemproxy().build(POOL).fingerprint()
    out = mc.Twemproxy(auto_eject_hosts=True).build(view)
    assert out.fingerprint() != still.fingerprint()
    assert {b.id for b in out.walk("a")} == set(POOL[2:])
    modula = mc.Libmemcached(auto_eject_hosts=True).build(view)
    assert {b.id for b in modula.walk("a")} == set(POOL)


def test_the_draws_of_the_c_library():
    expected = [1804289383, 846930886, 1681692777, 1714636915, 1957747793, 424238335, 719885386, 1649760492]
    draws = GlibcRandom()
    assert [draws() for _ in range(8)] == expected
    assert GlibcRandom(0)() == expected[0]
    picker = mc.Twemproxy(distribution=RANDOM).build(POOL)
    assert [picker.pick("any").id for _ in range(8)] == [POOL[d % len(POOL)] for d in expected]
    negative = GlibcRandom(2**32 - 1)
    assert all(0 <= negative() < 2**31 for _ in range(100))


def test_draws_go_on_when_the_pool_changes():
    draws = GlibcRandom()
    policy = mc.Twemproxy(distribution=RANDOM)
    picker = policy.build(POOL)
    assert picker.pick().id == POOL[draws() % 6]
    picker = policy.build(POOL[:4], previous=picker)
    assert picker.pick().id == POOL[draws() % 4]
    assert picker.pick(exclude=POOL[:3]).id == POOL[3]
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick(exclude=POOL)


# libmemcached's particulars


def test_a_heavier_server_changes_the_points_of_all():
    plain = mc.Libmemcached(distribution=D.CONSISTENT)
    weighted = mc.Libmemcached(distribution=D.CONSISTENT_WEIGHTED)
    assert plain.build(POOL).fingerprint() != weighted.build(POOL).fingerprint()
    heavy = dict.fromkeys(POOL, 1) | {POOL[0]: 2}
    assert plain.build(heavy).fingerprint() == weighted.build(heavy).fingerprint()


def test_the_flag_that_spy_keeps():
    spy = mc.Libmemcached(distribution=D.CONSISTENT_KETAMA_SPY)
    kept = mc.Libmemcached(distribution=D.CONSISTENT_KETAMA_SPY, ketama_weighted=True)
    assert spy.build(POOL).structure.size == 600
    assert kept.build(POOL).structure.size == 960


def test_points_may_have_been_hashed_by_another_function():
    before = mc.Libmemcached(H.DEFAULT, D.CONSISTENT).build(POOL)
    after = mc.Libmemcached(H.MD5, D.CONSISTENT, point_hash=H.DEFAULT).build(POOL)
    assert np.array_equal(before.structure.points(), after.structure.points())
    assert before.tickets(["a"]).tolist() != after.tickets(["a"]).tolist()


def test_the_prefix_is_hashed_only_if_asked_for():
    plain, kept = (mc.Libmemcached(prefix_key=p).build(POOL) for p in ("", "app:"))
    hashed = mc.Libmemcached(prefix_key="app:", hash_with_prefix_key=True).build(POOL)
    keys = [b"k%d" % i for i in range(30)]
    assert plain.tickets(keys).tolist() == kept.tickets(keys).tolist()
    assert hashed.tickets(keys).tolist() == plain.tickets([b"app:" + k for k in keys]).tolist()
    assert hashed.tickets([b"x" * 246, b"x" * 247]).tolist() == [plain.tickets([b"app:" + b"x" * 246])[0], 0]


def test_sorted_hosts():
    policy = mc.Libmemcached(sort_hosts=True)
    pool = ["b:2", "b:10", "a:3"]
    owners = [pool[s] for s in np.asarray(policy.build(pool).structure.table()).tolist()]
    assert owners == ["a:3", "b:2", "b:10"]


@pytest.mark.parametrize(
    ("behaviors", "hash", "distribution", "flag"),
    [
        ({}, H.DEFAULT, D.MODULA, False),
        ({"ketama": False}, H.DEFAULT, D.MODULA, False),
        ({"ketama_weighted": False}, H.DEFAULT, D.CONSISTENT_KETAMA, False),
        ({"ketama": True, "hash": "crc"}, H.CRC, D.CONSISTENT_KETAMA, False),
        ({"distribution": "consistent_weighted", "hash": "crc"}, H.CRC, D.CONSISTENT_WEIGHTED, True),
        ({"distribution": "consistent ketama spy", "ketama_weighted": 1}, H.MD5, D.CONSISTENT_KETAMA_SPY, True),
        ({"distribution": "modula", "ketama_weighted": 1}, H.MD5, D.MODULA, True),
        ({"distribution": "consistent", "ketama_weighted": 1, "tcp_nodelay": True}, H.MD5, D.CONSISTENT, False),
        ({"hash": H.JENKINS, "ketama_hash": "crc", "distribution": D.RANDOM}, H.JENKINS, D.RANDOM, False),
    ],
)
def test_behaviours(behaviors, hash, distribution, flag):
    policy = mc.pylibmc(behaviors)
    assert (policy.hash, policy.distribution, policy.ketama_weighted) == (hash, distribution, flag)
    assert policy.version is mc.Version.V1_0_16


def test_behaviours_that_are_flags():
    policy = mc.pylibmc({"remove_failed": 4, "_sort_hosts": True, "_hash_with_prefix_key": False})
    assert (policy.auto_eject_hosts, policy.sort_hosts, policy.hash_with_prefix_key) == (True, True, False)


# in a balancer


def test_ejection_and_return_in_a_balancer():
    clock = FakeClock()
    policy = mc.Twemproxy(auto_eject_hosts=True)
    balancer = Balancer(policy, POOL, signals=[mc.AutoEject(2, 1000)], clock=clock, seed=0, panic_below=0.0)
    key = "user:7"
    owner = balancer.acquire(key)
    first = owner.backend.id
    owner.done(Outcome.TIMEOUT)
    again = balancer.acquire(key)
    assert again.backend.id == first
    again.done(Outcome.LOCAL_ERROR)
    second = balancer.acquire(key)
    assert second.backend.id != first
    second.done()
    survivors = [i for i in POOL if i != first]
    assert balancer.picker.fingerprint() != policy.build(POOL).fingerprint()
    assert second.backend.id == policy.build(survivors).pick(key).id
    clock.advance(1.0)
    with balancer.acquire(key) as lease:
        assert lease.backend.id == second.backend.id  # not before more than the timeout is over
    clock.advance(0.000001)
    with balancer.acquire(key) as lease:
        assert lease.backend.id == first


def test_with_everybody_out_requests_fail():
    clock = FakeClock()
    policy = mc.Twemproxy(auto_eject_hosts=True)
    balancer = Balancer(policy, POOL[:2], signals=[mc.AutoEject(1, 1000)], clock=clock, seed=0, panic_below=0.0)
    for _ in range(2):
        balancer.acquire("a").done(Outcome.TIMEOUT)
    with pytest.raises(NoBackend, match="eligible"):
        balancer.acquire("a")
    clock.advance(1.5)
    balancer.acquire("a").done()


def test_members_and_weights_change_in_a_balancer():
    for policy in (mc.Twemproxy(), mc.Twemproxy(distribution=RANDOM), mc.Libmemcached(distribution=D.CONSISTENT)):
        balancer = Balancer(policy, POOL, seed=0)
        open_leases = [balancer.acquire(f"k{i}") for i in range(20)]
        balancer.update(POOL[1:])
        balancer.update(dict.fromkeys(POOL, 1) | {POOL[2]: 3, "10.9.9.9": 1})
        for lease in open_leases:
            lease.done()
        assert balancer.stats().open_leases == 0
        assert balancer.acquire("k").backend.id in {*POOL, "10.9.9.9"}
        with pytest.raises(ConfigError):
            balancer.update({"x": 0.5})
        assert len(balancer.picker.backends) == 7


@pytest.mark.parametrize("ring", RINGS)
def test_a_server_that_leaves_moves_its_own_keys_if_points_stay(ring):
    """100 points a server whatever the others are; weighted rings keep 40 groups for six or five equal servers."""
    policy = mc.Libmemcached(H.MD5, ring)
    six, five = policy.build(POOL), policy.build(POOL[1:])
    for i in range(300):
        before = six.pick(f"k{i}").id
        assert before == POOL[0] or five.pick(f"k{i}").id == before


def test_views_override_weights():
    view = View.of(POOL, weights={POOL[0]: 5})
    assert (
        mc.Twemproxy().build(view).fingerprint()
        == mc.Twemproxy().build(dict.fromkeys(POOL, 1) | {POOL[0]: 5}).fingerprint()
    )


@given(some.keys())
def test_hash_values_take_any_key(key):
    for hash in H:
        assert 0 <= mc.generate_hash_value(key, hash) < 2**32
