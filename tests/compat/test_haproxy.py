"""HAProxy's pickers: what is refused, what survives, and the rules that vectors cannot show."""

import copy
import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lbalgo import Balancer, ConfigError, Endpoint, NoBackend, State, View
from lbalgo.compat import haproxy
from lbalgo.compat.haproxy import (
    Affinity,
    Check,
    Expr,
    First,
    Function,
    Hash,
    HashKey,
    HashType,
    Hdr,
    HealthChecks,
    LeastConn,
    Method,
    Observe,
    OnError,
    Random,
    RoundRobin,
    Server,
    SlowStart,
    Source,
    StaticRR,
    Uri,
    UrlParam,
    Version,
    full_avalanche,
)
from lbalgo.compat.haproxy.generator import SEED, Xorshift32
from lbalgo.compat.haproxy.structures import HashRing, base_of, map_table

CONSISTENT, MAP = HashType.parse("consistent"), HashType.parse("map-based")
POLICIES = [
    RoundRobin(version=Version.V3_4, tgroup=2),
    StaticRR(allbackups=True),
    LeastConn(seed=7),
    First(fullconn=100),
    Random(draws=3, hash_balance_factor=150, seed=None),
    Hash(Source(), CONSISTENT, hash_balance_factor=101),
    Hash(Uri(whole=True, len=9, depth=2, path_only=True), MAP),
    Hash(UrlParam("uid"), HashType.parse("consistent none avalanche"), version=Version.V3_0, rekeyed_ids=True),
    Hash(Hdr("host", use_domain_only=True), hash_preserve_affinity=Affinity.MAXQUEUE, version=Version.V3_2),
    Hash(Expr("src,ipmask(24)")),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: type(p).__name__)
def test_policies_survive_plain_data_and_pickle(policy):
    assert type(policy).from_dict(policy.to_dict()) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert dataclasses.replace(policy, version=policy.version) == policy


def test_servers_survive_plain_data():
    check = Check(rise=1, fastinter=0.5, observe=Observe.LAYER7, on_error=OnError.SUDDEN_DEATH)
    server = Server("s", 7, puid=9, backup=True, maxconn=3, hash_key=HashKey.GUID, guid="g", addr="::1", check=check)
    assert Server.from_dict(server.to_dict()) == server
    assert Server.from_dict(Server("s").to_dict()) == Server("s")


BAD = [
    (lambda: Server("s", 257), "weight", 257),
    (lambda: Server("s", 1.0), "weight", 1.0),
    (lambda: Server("s", puid=0), "puid", 0),
    (lambda: Server(""), "id", ""),
    (lambda: Server("s", maxconn=-1), "maxconn", -1),
    (lambda: Server("s", slowstart=-1), "slowstart", -1),
    (lambda: Server("s", hash_key="id"), "hash_key", "id"),
    (lambda: Server("s", addr="localhost"), "addr", "localhost"),
    (lambda: Server("s", port=65536), "port", 65536),
    (lambda: Server("s", check=3), "check", 3),
    (lambda: Server("s", backup=1), "backup", 1),
    (lambda: Check(rise=0), "rise", 0),
    (lambda: Check(inter=0), "inter", 0),
    (lambda: Check(observe="layer7"), "observe", "layer7"),
    (lambda: Check(error_limit=0), "error_limit", 0),
    (lambda: HashType("consistent"), "method", "consistent"),
    (lambda: HashType(Method.CONSISTENT, avalanche=True), "avalanche", True),
    (lambda: HashType.parse("consistent md5"), "hash_type", "consistent md5"),
    (lambda: HashType.parse("consistent avalanche"), "hash_type", "consistent avalanche"),
    (lambda: HashType.parse(""), "hash_type", ""),
    (lambda: Uri(depth=-1), "depth", -1),
    (lambda: Uri(whole=1), "whole", 1),
    (lambda: UrlParam(""), "name", ""),
    (lambda: Hdr(3), "name", 3),
    (lambda: Hash("uri"), "balance", "uri"),
    (lambda: Hash(hash_type="consistent"), "hash_type", "consistent"),
    (lambda: Hash(hash_balance_factor=100), "hash_balance_factor", 100),
    (lambda: Hash(hash_balance_factor=True), "hash_balance_factor", True),
    (lambda: Hash(hash_preserve_affinity="maxconn"), "hash_preserve_affinity", "maxconn"),
    (lambda: Hash(hash_preserve_affinity=Affinity.MAXCONN), "hash_preserve_affinity", Affinity.MAXCONN),
    (lambda: Hash(hash_type=HashType.parse("map-based none")), "hash_type.function", Function.NONE),
    (lambda: Hash(rekeyed_ids=True), "rekeyed_ids", True),
    (lambda: Hash(version="2.6"), "version", "2.6"),
    (lambda: Random(draws=0), "draws", 0),
    (lambda: Random(seed=0), "seed", 0),
    (lambda: Random(rekeyed_ids=True, version=Version.V3_4), "rekeyed_ids", True),
    (lambda: RoundRobin(tgroup=1), "tgroup", 1),
    (lambda: RoundRobin(allbackups=None), "allbackups", None),
    (lambda: StaticRR(fullconn=-1), "fullconn", -1),
    (lambda: LeastConn(seed="x"), "seed", "x"),
    (lambda: SlowStart({"a": "10s"}), "slowstart['a']", "10s"),
    (lambda: HealthChecks({"a": 1}), "checks", 1),
    (lambda: HealthChecks(spread_checks=51), "spread_checks", 51),
    (lambda: HealthChecks(weights={"a": 257}), "weight", 257),
    (lambda: haproxy.source_key("x"), "addr", "x"),
    (lambda: haproxy.parse_agent(b"up"), "line", b"up"),
    (lambda: Hash.from_dict({"type": "Hash", "balance": {"type": "Cookie"}}), "balance", "Cookie"),
    (lambda: RoundRobin().build({"a": 0.5}), "weights['a']", 0.5),
    (lambda: Hash().build({"a": 257}), "weights['a']", 257.0),
    (lambda: First().build([Server("a", puid=3), Server("b", puid=3)]), "backends['b'].puid", 3),
    (lambda: Hash().build([Server("a", hash_key=HashKey.ADDR)]), "backends['a'].hash_key", HashKey.ADDR),
    (
        lambda: Hash(version=Version.V3_2).build([Server("a", hash_key=HashKey.ID32)]),
        "backends['a'].hash_key",
        HashKey.ID32,
    ),
    (
        lambda: Hash(version=Version.V3_2).build([Server("a", hash_key=HashKey.GUID)]),
        "backends['a'].hash_key",
        HashKey.GUID,
    ),
    (lambda: First().build([Server("a", maxconn=9, minconn=3)]), "backends['a'].minconn", 3),
    (lambda: Hash(Source()).build(["a", "b"]).pick("text!"), "key", b"text!"),
    (lambda: Hash(Hdr()).build(["a", "b"]).tickets([","]), "key", b","),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_is_named(number):
    call, parameter, value = BAD[number]
    with pytest.raises(ConfigError) as refused:
        call()
    assert (refused.value.parameter, refused.value.value) == (parameter, value)


@pytest.mark.parametrize("policy", [*POLICIES[:5], Hash(), Hash(hash_type=CONSISTENT)], ids=lambda p: type(p).__name__)
def test_a_refused_build_changes_nothing(policy):
    servers = [Server("a"), Server("b", 2)]
    picker, other = (policy.build(servers) for _ in range(2))
    for bad in ([*servers, Server("c", minconn=1, maxconn=2), Server("d", puid=1)], [*servers, Endpoint("c", 0.5)]):
        before = copy.deepcopy(picker.load)
        with pytest.raises(ConfigError):
            policy.build(bad, previous=picker)
        assert pickle.dumps(before) == pickle.dumps(copy.deepcopy(picker.load))
    assert [picker.pick().id for _ in range(9)] == [other.pick().id for _ in range(9)]


@pytest.mark.parametrize("policy", [*POLICIES[:5], Hash(), Hash(hash_type=CONSISTENT)], ids=lambda p: type(p).__name__)
def test_inside_a_balancer(policy):
    now = [0.0]
    checks = HealthChecks(Check(rise=1, fall=1))
    balancer = Balancer(policy, [Server("a"), Server("b"), Server("c")], signals=[checks], clock=lambda: now[0], seed=1)
    held = [balancer.acquire(f"k{i}") for i in range(30)]
    checks.checked("b", False, 1.0)
    now[0] = 1.0
    balancer.advance()
    more = [balancer.acquire(f"k{i}") for i in range(40)]
    assert {lease.backend.id for lease in more} <= {"a", "c"}
    for lease in held:
        lease.done()
    balancer.update([Server("a"), Server("c"), Server("d")])
    more += [balancer.acquire(f"k{i}") for i in range(60)]
    assert {lease.backend.id for lease in more[40:]} <= {"a", "c", "d"}
    if not isinstance(policy, (StaticRR, First)) and getattr(policy, "hash_type", CONSISTENT) is CONSISTENT:
        balancer.update([Server("a", 3), Server("c"), Server("d")])
    assert balancer.stats().open_leases == 100
    with pytest.raises(ConfigError):
        balancer.update([Server("a"), Endpoint("c", 1.5)])


def test_what_a_static_algorithm_accepts_at_run_time():
    for policy in (StaticRR(), Hash()):
        picker = policy.build(["a", "b", "c"])
        with pytest.raises(ConfigError) as refused:
            policy.build(View.of(["a", "b", "c"], weights={"b": 3}), previous=picker)
        assert refused.value.parameter == "weights['b']"
        drained = policy.build(View.of(["a", "b", "c"], weights={"b": 0}), previous=picker)
        assert {drained.pick().id for _ in range(9)} == {"a", "c"}
        back = policy.build(["a", "b", "c"], previous=drained)
        assert {back.pick().id for _ in range(9)} == {"a", "b", "c"}


def test_numeric_ids_by_position():
    """As `show servers state` of 2.6.12 gives them."""
    given_ids = [None, 3, None, None, 1, 20, None, None]
    servers = [Server(f"s{i}", puid=puid) for i, puid in enumerate(given_ids)]
    assert haproxy.numeric_ids(servers) == [2, 3, 4, 5, 1, 20, 8, 9]
    assert haproxy.numeric_ids([Server("new"), Server("old")], {"old": 1}) == [2, 1]


def test_numeric_ids_stay_while_servers_leave():
    policy = Hash(hash_type=CONSISTENT)
    keys = [f"k{i}" for i in range(500)]
    before = policy.build(["a", "b", "c"])
    running = policy.build(["b", "c"], previous=before)
    moved = {before.pick(key).id for key in keys if before.pick(key).id != running.pick(key).id}
    assert moved == {"a"}
    restarted = policy.build(["b", "c"])  # b has the numeric id that a had
    assert any(before.pick(key).id not in ("a", restarted.pick(key).id) for key in keys)


def test_backups():
    servers = [Server("a"), Server("b1", backup=True), Server("b2", backup=True)]
    down = View.of(servers, states={"a": State.UNHEALTHY})
    for policy in POLICIES[:5]:
        some, every = (dataclasses.replace(policy, allbackups=given) for given in (False, True))
        assert some.build(servers).pick().id == "a"
        assert {some.build(down).pick().id for _ in range(5)} == {"b1"}
        picker, seen = every.build(down), set()
        for _ in range(6):
            seen.add(chosen := picker.pick().id)
            picker.load.started(picker.view.ids.index(chosen), 1.0, 0.0)
        assert seen == ({"b1"} if isinstance(policy, First) else {"b1", "b2"})
    only = Hash(allbackups=False).build(down)
    assert only.shares().tolist() == [0.0, 1.0, 0.0]
    with pytest.raises(NoBackend) as refused:
        RoundRobin().build(View.of(servers, states=dict.fromkeys(("a", "b1", "b2"), State.UNHEALTHY))).pick()
    assert refused.value.reason == "ineligible"


@pytest.mark.parametrize("policy", [RoundRobin(), StaticRR(), LeastConn(), First()], ids=lambda p: type(p).__name__)
def test_saturated_servers_are_passed_over_until_all_are(policy):
    balancer = Balancer(policy, [Server("a", maxconn=2), Server("b", maxconn=3)])
    leases = [balancer.acquire() for _ in range(5)]
    assert sorted(lease.backend.id for lease in leases) == ["a", "a", "b", "b", "b"]
    with pytest.raises(NoBackend) as refused:
        balancer.acquire()
    assert refused.value.reason == "overloaded"
    leases[0].done()
    assert balancer.acquire().backend.id == leases[0].backend.id


def test_random_waits_for_a_saturated_winner():
    picker = Random(draws=1).build([Server("a", maxconn=1), Server("b")])
    picker.load.started(0, 1.0, 0.0)
    answers = []
    for _ in range(40):
        try:
            answers.append(picker.pick().id)
        except NoBackend as refused:
            answers.append(refused.reason)
    assert set(answers) == {"overloaded", "b"}


def test_hashing_does_not_pass_over_saturated_servers_but_turns_do():
    for kind in (MAP, CONSISTENT):
        picker = Hash(hash_type=kind).build([Server("a", maxconn=1), Server("b")])
        keys = [key for key in map(str, range(50)) if picker.pick(key).id == "a"]
        picker.load.started(0, 1.0, 0.0)
        assert keys and all(picker.pick(key).id == "a" for key in keys)
        assert {picker.pick().id for _ in range(9)} == {"b"}


def test_affinity_when_everybody_is_full():
    policy = Hash(hash_type=CONSISTENT, hash_preserve_affinity=Affinity.MAXQUEUE, version=Version.V3_4)
    picker = policy.build([Server(i, maxconn=1, maxqueue=1) for i in "abc"])
    first = picker.pick("key").id
    for _ in range(2):
        picker.load.started("abc".index(first), 1.0, 0.0)
    second = picker.pick("key").id
    assert second != first
    for name in "abc":
        for _ in range(2):
            picker.load.started("abc".index(name), 1.0, 0.0)
    assert picker.pick("key").id in "abc"
    unlimited = policy.build([Server(i, maxconn=1) for i in "abc"])
    for _ in range(9):
        unlimited.load.started("abc".index(first), 1.0, 0.0)
    assert unlimited.pick("key").id == first


def test_dynamic_maxconn_in_a_pool():
    picker = First(fullconn=10).build([Server("a", maxconn=8, minconn=2), Server("b")])
    taken, limits = "", []
    for _ in range(12):
        limits.append(picker.load.farm.maxconn(0))
        taken += picker.pick().id
        picker.load.started("ab".index(taken[-1]), 1.0, 0.0)
    assert limits == [2, 2, 2, 3, 4, 4, 5, 6, 7, 8, 8, 8]
    assert taken == "aabaabaaaabb"


def test_maxconn_rises_during_a_slow_start():
    servers = [Server("a", maxconn=10, slowstart=10), Server("b")]
    picker = First().build(View.of(servers, states={"a": State.UNHEALTHY}))
    picker.load.advance(100.0)
    picker = First().build(servers, previous=picker)
    free = []
    for now in (100.0, 105.0, 110.0):
        picker.load.advance(now)
        free.append(picker.load.farm.maxconn(0))
    assert free == [1, 5, 10]


@given(weights=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_the_map_has_the_weights(weights):
    table = map_table(weights)
    assert [table.count(i) for i in range(len(weights))] == weights


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    bases=st.lists(st.integers(0, 2**32 - 1), min_size=5, max_size=5),
    values=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30),
)
def test_the_ring_is_that_of_nearest_points(sizes, bases, values):
    """Against the rule as it is told: the nearer of the points around a hash, the one behind if both are as near."""
    entries = tuple((i, base, size) for i, (size, base) in enumerate(zip(sizes, bases, strict=False)))
    ring = HashRing(entries, len(entries))
    points = sorted(
        (full_avalanche((base + j) % 2**32), i, j) for i, (_, base, size) in enumerate(entries) for j in range(size)
    )
    keys = [point for point, _, _ in points]
    ends = [(a + b) // 2 for a, b in itertools.pairwise(keys)]
    for value in [*values, *keys, *ends, *(end + 1 for end in ends), 0, 2**32 - 1]:
        after = next((k for k, key in enumerate(keys) if key >= value), 0)
        behind = after - 1
        nearest = behind if (value - keys[behind]) % 2**32 <= (keys[after] - value) % 2**32 else after
        forward = [points[(nearest + k) % len(points)][1] for k in range(len(points))]
        assert list(ring.walk(value)) == list(dict.fromkeys(forward))
        assert ring.before(value) == points[(nearest - 1) % len(points)][1]


def test_bases_of_hash_keys():
    server = Server("s", hash_key=HashKey.ADDR_PORT, addr="127.0.0.1", port=80)
    address = int.from_bytes(b"\x7f\0\0\x01", "little")
    assert base_of(server, 5, False) == full_avalanche((full_avalanche(80) + address) % 2**32)
    assert base_of(dataclasses.replace(server, hash_key=HashKey.ADDR), 5, False) == full_avalanche(address)
    for kind in (HashKey.GUID, HashKey.ADDR, HashKey.ADDR_PORT):  # nothing to be made of: the numeric id
        assert base_of(Server("s", hash_key=kind), 5, False) == 5 * 4096
    assert base_of(Server("s"), 5, True) == full_avalanche(5)
    assert base_of(Server("s", hash_key=HashKey.ID32), 1, False) == full_avalanche(1 << 24)
    six = dataclasses.replace(server, addr="2001:db8::1")
    assert base_of(six, 5, False) != base_of(dataclasses.replace(six, port=81), 5, False)


def test_rekeyed_ids_move_nearly_all_keys():
    old = Hash(hash_type=CONSISTENT, version=Version.V3_0).build(list("abcdefgh"))
    new = Hash(hash_type=CONSISTENT, version=Version.V3_0, rekeyed_ids=True).build(list("abcdefgh"))
    moved = sum(old.pick(str(k)).id != new.pick(str(k)).id for k in range(1000))
    assert 800 < moved < 950  # 7 of 8 stay nowhere


def test_distant_ids_collide():
    """Only 20 bits of a numeric id count; of two servers with the same points each gets one side."""
    assert base_of(Server("a"), 1, False) == base_of(Server("b"), 2**20 + 1, False)
    entries = tuple((i, 4096, 16) for i in range(3))
    assert {owner for value in range(0, 2**32, 2**22 + 1) for owner in [next(HashRing(entries, 3).walk(value))]} == {
        0,
        2,
    }


def test_random_draws_by_weight():
    """Chi-square against the arcs' lengths, at alpha = 1e-6; the generator is fixed, so it fails always or never."""
    servers = [Server("a", 5), Server("b", 1), Server("c", 10)]
    picker = Random(draws=1, seed=12345).build(servers)
    counts = dict.fromkeys("abc", 0)
    for _ in range(20_000):
        counts[picker.pick().id] += 1
    shares = Hash(hash_type=CONSISTENT).build(servers).shares()
    assert stats.chisquare(list(counts.values()), shares * 20_000).pvalue > 1e-6


def test_two_draws_prefer_the_less_loaded():
    picker = Random().build(["a", "b"])
    for _ in range(5):
        picker.load.started(0, 1.0, 0.0)
    counts = [picker.pick().id for _ in range(4000)].count("b")
    share = Hash(hash_type=CONSISTENT).build(["a", "b"]).shares()[0]
    spread = 5 * math.sqrt(4000 * share**2 * (1 - share**2))  # 5 standard deviations: alpha < 1e-6
    assert abs(4000 - counts - 4000 * share**2) < spread


def test_since_3_4_the_rate_decides_between_equals():
    for version, wanted in ((Version.V2_6, 0.5), (Version.V3_4, 0.25)):
        picker = Random(version=version).build([Server("a"), Server("b")])
        for _ in range(50):
            picker.load.started(0, 1.0, 10.5)
            picker.load.finished(0, None, None, 10.5)
        share = Hash(hash_type=CONSISTENT).build(["a", "b"]).shares()[0]
        expected = share if wanted == 0.5 else share**2
        counts = [picker.pick().id for _ in range(4000)].count("a")
        assert abs(counts - 4000 * expected) < 5 * math.sqrt(4000 * 0.25)


def test_seeds():
    policy = Random(draws=1, seed=None)
    pools = [Balancer(policy, list("abcdef"), seed=seed) for seed in (1, 1, 2)]
    sequences = ["".join(pool.acquire().backend.id for _ in range(30)) for pool in pools]
    assert sequences[0] == sequences[1] != sequences[2]
    fixed = [Balancer(Random(draws=1), list("abcdef"), seed=seed) for seed in (1, 2)]
    assert len({"".join(pool.acquire().backend.id for _ in range(30)) for pool in fixed}) == 1
    draw = Xorshift32(None)
    draw.reseed(0)
    assert draw.state == SEED


def test_thread_groups_begin_elsewhere():
    sequences = [
        "".join(picker.pick().id for _ in range(6))
        for picker in (RoundRobin(version=Version.V3_2, tgroup=g).build(list("abc")) for g in range(3))
    ]
    assert sequences == ["abcabc", "bcabca", "cabcab"]


def test_keys_of_requests():
    assert Uri(depth=1).sample(b"/a/b") == b"/a"
    assert Uri(len=3, depth=3).sample(b"/a?b") == b"/a"
    assert UrlParam("u").sample(b"/?u=") == b"" and UrlParam("u").sample(b"/?u") is None
    assert UrlParam("u").sample(b"/?x&u=1&u=2") == b"1"
    domains = {b"a.b.c": b"b", b"plain": b"plain", b".a": b".a", b"a.": b"a", b"a..b": b"a.", b"": None, b",x": None}
    for header, wanted in domains.items():
        assert Hdr(use_domain_only=True).sample(header) == wanted
    assert Hdr().sample(b'"a,b",c') == b'"a,b"' and Hdr().sample(b'"a\\",b",c') == b'"a\\",b"'


def test_an_empty_sample_is_hashed_and_a_missing_one_takes_a_turn():
    picker = Hash(UrlParam("u"), HashType.parse("map-based sdbm avalanche")).build(list("abcde"))
    assert {picker.pick("/?u=").id for _ in range(5)} == {"abcde"[full_avalanche(0) % 5]}
    assert "".join(picker.pick("/").id for _ in range(7)) == "abcdeab"
    assert "".join(b.id for b in picker.walk("/")) == "cdeab"


def test_turns_on_the_ring_go_point_by_point():
    policy = Hash(hash_type=CONSISTENT)
    servers = [Server("a"), Server("b", 2), Server("c")]
    ring = HashRing(((0, 4096, 16), (1, 8192, 32), (2, 12288, 16)), 3)
    picker = policy.build(servers)
    assert [picker.pick().id for _ in range(70)] == ["abc"[i] for i in [*ring.order, *ring.order[:6]]]


def test_a_lone_server_spends_no_turn():
    for kind in (MAP, CONSISTENT):
        policy = Hash(hash_type=kind)
        picker, other = policy.build(["a", "b", "c"]), policy.build(["a", "b", "c"])
        view = View.of(["a", "b", "c"], states={"b": State.UNHEALTHY, "c": State.UNHEALTHY})
        alone = policy.build(view, previous=picker)
        assert {alone.pick().id for _ in range(5)} == {"a"}
        back = policy.build(["a", "b", "c"], previous=alone)
        assert [back.pick().id for _ in range(9)] == [other.pick().id for _ in range(9)]


def test_pickled_pickers_go_on():
    for policy in [*POLICIES[:5], Hash(), Hash(hash_type=CONSISTENT)]:
        picker = policy.build({"a": 1, "b": 2, "c": 3})
        for _ in range(5):
            picker.load.started("abc".index(picker.pick().id), 1.0, 0.0)
        twin = pickle.loads(pickle.dumps(picker))
        assert [picker.pick().id for _ in range(20)] == [twin.pick().id for _ in range(20)]
        picker.check_invariants()


def test_bulk_equals_scalar():
    for kind in (MAP, CONSISTENT):
        picker = Hash(hash_type=kind).build({"a": 1, "b": 2, "c": 3})
        keys = [f"k{i}" for i in range(300)]
        slots = picker.pick_many(picker.tickets(keys))
        assert ["abc"[slot] for slot in slots] == [picker.pick(key).id for key in keys]
        assert picker.slot(int(picker.tickets(["k7"])[0])) == slots[7]


def test_shares_of_the_ring_are_exact():
    picker = Hash(hash_type=CONSISTENT).build({"a": 1, "b": 2})
    tickets = np.arange(0, 2**32, 2**15, dtype=np.uint64) << np.uint64(32)
    counts = np.bincount(picker.pick_many(tickets), minlength=2) / len(tickets)
    assert np.abs(counts - picker.shares()).max() < 48 / len(tickets)
