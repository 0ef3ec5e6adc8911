"""Explanations in every room of `lbalgo.compat`: they end with the pick, spend nothing, and tell what decided."""

import binascii
import copy
import hashlib
import re
import zlib

import pytest
import xxhash

import lbalgo as lb
from lbalgo import State, View
from lbalgo.compat import apache, envoy, grpc, haproxy, ipvs, katran, memcached, nginx, redis, varnish

ADDRESSES = [f"10.0.0.{i}:80" for i in range(1, 5)]
WORKERS = [apache.Worker("a", 5, route="x"), apache.Worker("b", 1), apache.Worker("c", 1, status="H")]
NODES = [redis.Node("a", ((0, 8191),)), redis.Node("b", ((8192, 16383),)), redis.Node("c")]
LEVELS = [envoy.Host(address, priority=i // 2) for i, address in enumerate(ADDRESSES)]
WEIGHTED = [envoy.Host(address, weight=1 + i) for i, address in enumerate(ADDRESSES)]
PLACES = [envoy.Host(a, locality=("", f"z{i % 2}", ""), locality_weight=1 + i % 2) for i, a in enumerate(ADDRESSES)]
STAGES = [envoy.Host(a, metadata={"stage": ("prod", "dev")[i % 2]}) for i, a in enumerate(ADDRESSES)]
LIBMEMCACHED, TWEMPROXY = memcached.LibmemcachedDistribution, memcached.TwemproxyDistribution
CONSISTENT = haproxy.HashType.parse("consistent")
SELECTORS = (envoy.SubsetSelector(("stage",)),)
CASES = [
    # policy, pool, key, the steps between key and states
    (memcached.Twemproxy(hash_tag="{}"), ADDRESSES, "a{k}", "hashed hash point lookup"),
    (memcached.Twemproxy(distribution=TWEMPROXY.MODULA), ADDRESSES, "k", "hashed hash position"),
    (memcached.Twemproxy(distribution=TWEMPROXY.RANDOM), ADDRESSES, "k", "servers draw"),
    (memcached.Libmemcached(), ADDRESSES, "k", "hashed hash position"),
    (memcached.Libmemcached(distribution=LIBMEMCACHED.CONSISTENT), ADDRESSES, "k", "hashed hash point lookup"),
    (memcached.Libmemcached(distribution=LIBMEMCACHED.RANDOM), ADDRESSES, "k", "servers draw"),
    (redis.Cluster(), NODES, "{foo}bar", "tag hash slot"),
    (katran.Katran(table_size=1009), ADDRESSES, "k", "hash position"),
    (varnish.Hash(), ADDRESSES, "/", "hash point lookup"),
    (varnish.Shard(), ADDRESSES, "/", "hash point lookup"),
    (varnish.Shard(alt=1), ADDRESSES, "/", "hash point lookup order alt"),
    (varnish.Shard(alt=1), ADDRESSES, None, "hash point lookup order alt"),
    (varnish.Shard(warmup=0.5, duration=9.0), ADDRESSES, "/", "hash point lookup order ramp-up warm-up"),
    (varnish.RoundRobin(), ADDRESSES, None, "usable cursor"),
    (varnish.Fallback(sticky=True), ADDRESSES, None, "usable from"),
    (varnish.Random(srandom=42), ADDRESSES, None, "usable draw"),
    (apache.ByRequests(), WORKERS, None, "lbset lbstatus"),
    (apache.ByRequests(), WORKERS, "x", "route lbset lbstatus"),
    (apache.ByBusyness(), WORKERS, None, "lbset lbstatus"),
    (apache.ByTraffic(), WORKERS, None, "lbset traffic"),
    (grpc.RingHash(), ADDRESSES, "k", "hash point lookup passed"),
    (grpc.PickFirst(), ADDRESSES, None, "order|in use"),
    (grpc.LeastRequest(), ADDRESSES, None, "in flight|drawn"),
    (grpc.WeightedRoundRobin(), ADDRESSES, None, "sequence strides"),
    *((ipvs.VirtualService(s), ADDRESSES, None, "servers") for s in ipvs.Scheduler if s.value not in ("rr", "wrr")),
    (ipvs.VirtualService(ipvs.Scheduler.RR), ADDRESSES, None, "servers turn"),
    (ipvs.VirtualService(ipvs.Scheduler.WRR), ADDRESSES, None, "servers turn cw"),
    (ipvs.LocalityLeastConnection(), ADDRESSES, "192.0.2.1", "destination servers"),
    (ipvs.SourceHashing(sh_fallback=True), ADDRESSES, "192.0.2.1", "number hash position"),
    (ipvs.DestinationHashing(), ADDRESSES, "192.0.2.4", "number hash position"),
    (ipvs.MaglevHashing(mh_fallback=True), ADDRESSES, "192.0.2.1", "number hash position"),
    (ipvs.MaglevHashing(mh_fallback=True), ADDRESSES, None, "number hash position"),
    (nginx.IpHash(), ADDRESSES, nginx.address("192.0.3.1"), "hashed hash place peers"),
    (nginx.Hash(), ADDRESSES, "k", "hash place peers"),
    (nginx.Hash(), ADDRESSES, "", "peers"),
    (nginx.Hash(consistent=True), ADDRESSES, "k", "hash point lookup name peers"),
    (nginx.RoundRobin(), ADDRESSES, None, "peers"),
    (nginx.LeastConn(), ADDRESSES, None, "peers"),
    (nginx.Random(two=True, srandom=1), ADDRESSES, None, "drawn peers"),
    (nginx.LeastTime(), ADDRESSES, None, "score peers"),
    (nginx.RoundRobin(), ADDRESSES[1:2], None, "alone"),
    (haproxy.Hash(haproxy.Uri()), ADDRESSES, "/a?b", "sample hash map"),
    (haproxy.Hash(haproxy.Source()), ADDRESSES, haproxy.source_key("10.0.0.1"), "sample hash map"),
    (haproxy.Hash(haproxy.UrlParam("u")), ADDRESSES, "/", "sample serving cursor"),
    (haproxy.Hash(haproxy.UrlParam("u"), CONSISTENT), ADDRESSES, "/", "sample serving turn"),
    (haproxy.Hash(haproxy.Uri(), CONSISTENT), ADDRESSES, "/a", "sample hash point lookup"),
    (
        haproxy.Hash(haproxy.Uri(), CONSISTENT, hash_balance_factor=150),
        ADDRESSES,
        "/a",
        "sample hash serving point lookup limits",
    ),
    (
        haproxy.Hash(
            haproxy.Uri(),
            CONSISTENT,
            hash_preserve_affinity=haproxy.Affinity.MAXCONN,
            version=haproxy.Version.V3_2,
        ),
        ADDRESSES,
        "/a",
        "sample hash serving point lookup maxconn",
    ),
    (haproxy.RoundRobin(), ADDRESSES, None, "serving turn init curr next"),
    (haproxy.StaticRR(), ADDRESSES, None, "serving cursor"),
    (haproxy.LeastConn(), ADDRESSES, None, "serving keys"),
    (haproxy.First(), ADDRESSES, None, "serving|numeric ids"),
    (haproxy.Random(), ADDRESSES, None, "serving drawn"),
    (envoy.RingHash(), WEIGHTED, "k", "hash point lookup"),
    (envoy.Maglev(1021), WEIGHTED, "k", "hash position"),
    (envoy.RingHash(), LEVELS, "k", "hash|priority loads|priority|point|lookup"),
    (envoy.Maglev(1021), LEVELS, None, "hash|priority loads|priority|position"),
    (
        envoy.RingHash(hash_balance_factor=120),
        WEIGHTED,
        "k",
        "hash|priority loads|priority|point|lookup|slots|active/slots",
    ),
    (envoy.RoundRobin(start=5), LEVELS, None, "word|priority loads|priority|source|index"),
    (envoy.RoundRobin(), WEIGHTED, None, "word|priority loads|priority|source|deadlines"),
    (
        envoy.RoundRobin(locality_weighted_lb_config=True, locality_start=1),
        PLACES,
        None,
        "word|priority loads|priority|source|index",
    ),
    (envoy.LeastRequest(), LEVELS, None, "word|priority loads|priority|source|in flight"),
    (envoy.LeastRequest(enable_full_scan=True), LEVELS, None, "word|priority loads|priority|source|in flight"),
    (envoy.Random(), LEVELS, None, "word|priority loads|priority|source|index"),
    (envoy.ClientSideWeightedRoundRobin(), LEVELS, None, "word|priority loads|priority|source|index"),
    (envoy.LoadAwareLocality(envoy.Maglev(1021)), PLACES, "k", "shares locality hash position"),
    (
        envoy.Subset(envoy.Maglev(1021), SELECTORS),
        STAGES,
        envoy.SelectionContext({"stage": "dev"}, key="k"),
        "subset key hash position",
    ),
    (
        envoy.OverrideHost(envoy.Maglev(1021), (envoy.OverrideHostSource("x-host"),)),
        LEVELS,
        envoy.SelectionContext(headers={"x-host": ADDRESSES[1]}),
        "named",
    ),
]


def names_of(text):
    return text.split("|") if "|" in text else text.split()


def views(pool):
    whole = View.of(pool)
    ids = whole.ids
    return [whole] if len(ids) == 1 else [whole, View.of(pool, states={ids[0]: State.UNHEALTHY})]


def built(policy, view):
    """A picker that has picked and heard of requests."""
    picker = policy.build(view)
    for _ in range(3):
        if hasattr(picker, "machine"):
            chosen = picker.pick(None if not isinstance(policy, nginx.IpHash) else b"\x0a\x00\x00\x01")
            picker.load.started(picker.rows[picker.view.ids.index(chosen.id)], 1.0, 1.0)
    return picker


@pytest.mark.parametrize(("policy", "pool", "key", "names"), CASES, ids=lambda x: type(x).__name__)
def test_it_ends_with_the_pick_and_spends_nothing(policy, pool, key, names):
    for view in views(pool):
        picker = built(policy, view)
        twin = copy.deepcopy(picker)
        told = lb.explain(picker, key)
        assert told == lb.explain(picker, key)
        assert told.backend == next(iter(picker.walk(key))).id
        assert told.steps[-1] == ("pick", told.backend)
        assert all(text and isinstance(text, str) for _, text in told.steps)
        assert [picker.pick(key).id for _ in range(6)] == [twin.pick(key).id for _ in range(6)]


@pytest.mark.parametrize(("policy", "pool", "key", "names"), CASES, ids=lambda x: type(x).__name__)
def test_every_stage_is_told(policy, pool, key, names):
    keyed = key is not None and not isinstance(key, envoy.SelectionContext)
    want = ["policy", *["key"] * keyed, *names_of(names), "states", "walk", "pick"]
    assert [name for name, _ in lb.explain(built(policy, views(pool)[-1]), key).steps] == want


@pytest.mark.parametrize(("policy", "pool", "key", "names"), CASES, ids=lambda x: type(x).__name__)
def test_with_nobody_to_serve_it_says_so(policy, pool, key, names):
    if isinstance(policy, envoy.OverrideHost):
        return  # who is named serves in any state
    view = View.of(pool, states=dict.fromkeys(View.of(pool).ids, State.UNHEALTHY))
    picker = policy.build(view)
    served = [backend.id for backend in picker.walk(key)]
    told = lb.explain(picker, key)
    assert told.backend == (served[0] if served else None)
    assert served or told.steps[-1][1].startswith("nobody")


def sha_32(data):
    return int.from_bytes(hashlib.sha256(data).digest()[-4:], "little")


def fnv1a(data, h, prime):
    for byte in data:
        h = (h ^ byte) * prime & 0xFFFFFFFF
    return h


HASHES = [
    (memcached.Twemproxy(hash_tag="{}"), ADDRESSES, "a{k7}", f"0x{fnv1a(b'k7', 0x84222325, 0x1B3):08x} by fnv1a_64"),
    (
        memcached.Libmemcached(memcached.LibmemcachedHash.MD5, prefix_key="ns", hash_with_prefix_key=True),
        ADDRESSES,
        "k",
        f"0x{int.from_bytes(hashlib.md5(b'nsk').digest()[:4], 'little'):08x} by md5",
    ),
    (
        memcached.Libmemcached(memcached.LibmemcachedHash.CRC),
        ADDRESSES,
        "k",
        f"0x{zlib.crc32(b'k') >> 16 & 0x7FFF:08x} by crc32",
    ),
    (redis.Cluster(), NODES, "123456789", "0x31c3 by CRC-16/XMODEM"),  # the check value of the CRC catalogues
    (redis.Cluster(), NODES, "{foo}bar", f"0x{binascii.crc_hqx(b'foo', 0):04x} by CRC-16/XMODEM"),
    (katran.Katran(table_size=1009), ADDRESSES, "k", f"0x{xxhash.xxh64_intdigest(b'k'):016x} by XXH64()"),
    (varnish.Hash(), ADDRESSES, "/x", f"0x{sha_32(b'/x'):08x} by the last 4 bytes of SHA-256, little-endian"),
    (varnish.Shard(alt=1), ADDRESSES, "/x", f"0x{sha_32(b'/x'):08x} by the last 4 bytes of SHA-256, little-endian"),
    (varnish.Shard(by=varnish.By.BLOB), ADDRESSES, b"\0\0\4\xd2", "0x000004d2 by its first 4 bytes, big-endian"),
    (grpc.RingHash(), ADDRESSES, "k", f"0x{xxhash.xxh64_intdigest(b'k'):016x} by XXH64"),
    (envoy.RingHash(), LEVELS, "k", f"0x{xxhash.xxh64_intdigest(b'k'):016x} by XXH64"),
    (envoy.Maglev(101), WEIGHTED, "k", f"0x{xxhash.xxh64_intdigest(b'k'):016x} by XXH64"),
    (envoy.Maglev(101, ready_hash=True), WEIGHTED, 0xABC, "0x0000000000000abc by the caller"),
    # 0x61C88647 times the address, the upper 8 of 32 bits
    (
        ipvs.SourceHashing(),
        ADDRESSES,
        "192.0.2.1",
        f"0x{0xC0000201 * 0x61C88647 % 2**32 >> 24:02x} by the GOLDEN product",
    ),
    (nginx.Hash(consistent=True), ADDRESSES, "k", f"0x{zlib.crc32(b'k'):08x} by CRC-32"),
    (
        nginx.Hash(),
        ADDRESSES,
        "k",
        f"{zlib.crc32(b'k') >> 16 & 0x7FFF}, which is bits 16 to 30 of 0x{zlib.crc32(b'k'):08x}, the CRC-32",
    ),
    # 89 -> 113 * 89 + 192 -> … mod 6271, over three bytes of the address
    (
        nginx.IpHash(),
        ADDRESSES,
        nginx.address("192.0.2.1"),
        f"{(((89 * 113 + 192) * 113 + 0) * 113 + 2) % 6271}, below 6271",
    ),
    (haproxy.Hash(haproxy.Uri()), ADDRESSES, "ab", f"0x{97 * 65599 + 98:08x} by sdbm"),
    (
        haproxy.Hash(hash_type=haproxy.HashType.parse("map-based crc32")),
        ADDRESSES,
        "k",
        f"0x{zlib.crc32(b'k'):08x} by crc32",
    ),
    (haproxy.Hash(haproxy.Source()), ADDRESSES, haproxy.source_key("10.0.0.1"), "0x0a000001 by folding"),
]


@pytest.mark.parametrize(("policy", "pool", "key", "text"), HASHES, ids=lambda x: type(x).__name__)
def test_the_hash_is_that_of_an_independent_calculation(policy, pool, key, text):
    assert dict(lb.explain(policy.build(pool), key).steps)["hash"] == text


def points(texts, count):
    """Points of a dialect out of (owner, function of a number)."""
    return sorted((point(j), owner) for owner, point in texts for j in range(count))


def crc_chain(host, port):
    def point(j):
        before = b"\0\0\0\0"
        for _ in range(j + 1):
            h = zlib.crc32(host + b"\0" + port + before)
            before = h.to_bytes(4, "little")
        return h

    return point


RINGS = [
    (
        varnish.Shard(),
        [(a, lambda j, a=a: sha_32(f"{a}{j}".encode())) for a in ADDRESSES],
        67,
        sha_32,
    ),
    (
        nginx.Hash(consistent=True),
        [(a, crc_chain(*(part.encode() for part in a.split(":")))) for a in ADDRESSES],
        160,
        zlib.crc32,
    ),
]


@pytest.mark.parametrize(("policy", "texts", "count", "digest"), RINGS, ids=lambda x: type(x).__name__)
def test_points_have_the_width_of_their_dialect(policy, texts, count, digest):
    ring, picker = points(texts, count), policy.build(ADDRESSES)
    for key in (f"k{i}" for i in range(30)):
        steps, h = dict(lb.explain(picker, key).steps), digest(key.encode())
        # beyond the last point: its owner's in Varnish, the first one's in nginx
        beyond = (0xFFFFFFFF, ring[-1][1]) if isinstance(policy, varnish.Shard) else ring[0]
        point, owner = next((pair for pair in ring if pair[0] >= h), beyond)
        assert steps["point"].startswith(f"0x{point:08x} of {owner!r}")
        assert steps["pick"] == owner


@pytest.mark.parametrize("names", ["abcdefgh"[:n] for n in range(2, 9)])  # the last boundary is past zero in some
def test_haproxy_tells_the_nearest_point_not_its_boundary(names):
    from lbalgo.compat.haproxy.hashing import full_avalanche, sdbm

    picker = haproxy.Hash(haproxy.Uri(), CONSISTENT).build(list(names))
    ring = [(full_avalanche(4096 * puid + j), name) for puid, name in enumerate(names, 1) for j in range(16)]
    for key in (f"/k{i}" for i in range(60)):
        h = full_avalanche(sdbm(key.encode()))
        far = {min((p - h) % 2**32, (h - p) % 2**32): (p, name) for p, name in ring}
        point, owner = far[min(far)]
        steps = dict(lb.explain(picker, key).steps)
        assert steps["point"].startswith(f"0x{point:08x} of {owner!r}") and steps["pick"] == owner


def test_a_priority_is_told_with_its_reason():
    down = {ADDRESSES[0]: State.UNHEALTHY}  # 1 of 2 at 140 %: 70 % stay, 30 % go on
    picker = envoy.RingHash().build(View.of(LEVELS, states=down))
    for key in range(40):
        h = xxhash.xxh64_intdigest(key.to_bytes(8, "little"))
        steps = dict(lb.explain(picker, key).steps)
        assert steps["priority loads"] == "0: 70 % healthy, 0 % degraded; 1: 30 % healthy, 0 % degraded"
        assert steps["priority"] == f"{int(h % 100 + 1 > 70)}: h % 100 + 1 = {h % 100 + 1}"


def test_loads_are_told_as_they_are():
    picker = envoy.Maglev(101, hash_balance_factor=100).build(["a:1", "b:1"])
    first = picker.pick("k").id
    for _ in range(3):
        picker.load.started(picker.rows[picker.view.ids.index(first)], 1.0, 0.0)
    other = next(id for id in ("a:1", "b:1") if id != first)
    steps = dict(lb.explain(picker, "k").steps)
    assert steps["slots"] == "4 in all: 100 % of 4 requests"
    assert steps["active/slots"] == f"{first} 3/2, {other} 0/2"
    assert steps["position"].endswith(repr(first)) and steps["pick"] == other


def test_accounts_are_told_as_they_are():
    picker = apache.ByRequests().build(WORKERS)
    assert [picker.pick().id for _ in range(2)] == ["a", "a"]
    assert dict(lb.explain(picker).steps)["lbstatus"] == "a -200 + 500, 0 busy; b 200 + 100, 0 busy"
    picker = nginx.RoundRobin().build({"a": 5, "b": 1, "c": 1})
    assert picker.pick().id == "a"
    peers = re.findall(r"(\w) current (-?\d+) \+ (\d)", dict(lb.explain(picker).steps)["peers"])
    assert peers == [("a", "-2", "5"), ("b", "1", "1"), ("c", "1", "1")]


def test_failed_tries_are_told():
    names = [f"10.0.0.{i}:80" for i in range(1, 4)]
    for policy, step in ((nginx.Hash(), "place"), (nginx.Hash(consistent=True), "name")):
        told = 0
        for key in (f"k{i}" for i in range(60)):
            first = next(iter(policy.build(names).walk(key))).id
            picker = policy.build(View.of(names, states={first: State.UNHEALTHY}))
            steps = dict(lb.explain(picker, key).steps)
            assert f"{first!r}, not able" in steps[step] or f"{first}, not able" in steps[step]
            told += 1
        assert told == 60


def test_a_dead_bucket_is_told():
    view = View.of(ADDRESSES, states={ADDRESSES[1]: State.DRAINING})
    picker = ipvs.SourceHashing().build(view)
    dead = next(f"192.0.2.{i}" for i in range(256) if not list(picker.walk(f"192.0.2.{i}")))
    told = lb.explain(picker, dead)
    assert told.backend is None and told.steps[-1][1].startswith("nobody")
    assert f"{ADDRESSES[1]!r}, which takes nothing" in dict(told.steps)["position"]


def test_heartbeats_are_told():
    picker = apache.Heartbeat().build(["a", "b"])
    assert dict(lb.explain(picker).steps)["ready"] == "nobody"
    picker.machine.reported(0, apache.Ready(1, 3), 1.0)
    assert dict(lb.explain(picker).steps)["ready"] == "a 3"


def test_states_of_machines_are_not_a_view_s_panic():
    view = View.of(["a", "b", "c"], states={"a": State.UNHEALTHY, "b": State.UNHEALTHY})
    assert view.panic
    steps = dict(lb.explain(nginx.RoundRobin().build(view)).steps)
    assert steps["states"] == "1 healthy of 3; a UNHEALTHY; b UNHEALTHY" and steps["walk"] == "c"


def test_subsets_are_told():
    picker = envoy.Subset(envoy.Maglev(101), SELECTORS).build(STAGES)
    told = dict(lb.explain(picker, envoy.SelectionContext({"stage": "dev"}, key="k")).steps)
    assert told["subset"] == "stage='dev': 2 hosts" and told["pick"] in ADDRESSES[1::2]
    assert dict(lb.explain(picker, "k").steps)["subset"] == "none, and no fallback"
