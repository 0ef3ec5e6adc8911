"""IPVS's hashing schedulers: SipHash against other implementations, tables and tries against plain ones."""

import ipaddress
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, State, View
from lbalgo.active import siphash24
from lbalgo.compat.ipvs import (
    AddressHash,
    DestinationHashing,
    HSipHash,
    MaglevHashing,
    RealServer,
    SourceHashing,
    hash_input,
)
from lbalgo.compat.ipvs.hashing import halfsiphash, siphash
from lbalgo.compat.ipvs.tables import SIZES, turns

ALL = [f"10.0.{i // 250}.{i % 250 + 1}:80" for i in range(400)]
CLIENTS = [f"192.168.{i % 256}.{i // 256 + 1}" for i in range(600)]


# -- hashes


@given(st.binary(max_size=40), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_siphash_2_4_is_the_native_one(data, k0, k1):
    assert siphash(data, k0, k1, 2, 4) == siphash24(data, k0, k1)


def test_siphash_1_3_is_that_of_others():
    """Two programs' SipHash-1-3 of the bytes 00 01 02 …, recorded by number of bytes.

    OpenSSL 3.0 under the key 00 … 0f: ``openssl mac -macopt c-rounds:1 -macopt d-rounds:3 -macopt size:8 -macopt
    hexkey:000102030405060708090a0b0c0d0e0f SIPHASH``, eight bytes, little-endian. CPython 3.11's `hash` of bytes, whose
    key is 0 if PYTHONHASHSEED is.
    """
    openssl = {
        0: "dcc40f055801acab",
        1: "93ca577df39bf4c9",
        3: "fbf7dde7b80af88b",
        4: "2883d388605775cf",
        7: "4011b19b987d92d3",
        8: "8e9a298d11959036",
        12: "a2d9b457b184a378",
        15: "5699512a6dd820d3",
        33: "bff98f7ae5b9544d",
    }
    k0, k1 = 0x0706050403020100, 0x0F0E0D0C0B0A0908
    assert {n: siphash(bytes(range(n)), k0, k1, 1, 3).to_bytes(8, "little").hex() for n in openssl} == openssl
    python = {
        1: 0x68A914128E01E473,
        4: 0x7CC43F98813E4DBD,
        8: 0xEAD411E67EBE2EEA,
        15: 0xF30EB725BB91C9EA,
        16: 0x8972188433A5C5B7,
        39: 0x6C76B6D34BB6D26B,
    }
    assert {n: siphash(bytes(range(n)), 0, 0, 1, 3) for n in python} == python


def test_halfsiphash_2_4_vectors():
    """The first of the authors' vectors: key 00 … 07, input 00 01 …, 32 bits, little-endian."""
    published = ["a9359f5b", "27475ab8", "fa62a603", "8afee704", "2a6e4689", "c5fab669", "5863fc23", "8bcf63c5"]
    got = [halfsiphash(bytes(range(n)), 0x03020100, 0x07060504, 2, 4).to_bytes(4, "little").hex() for n in range(8)]
    assert got == published


def test_hsiphash_is_cut_to_32_bits():
    assert HSipHash.BITS_64(b"abcd", 5, 6) == siphash(b"abcd", 5, 6, 1, 3) % 2**32
    assert HSipHash.BITS_32(b"abcd", 5, 6) == halfsiphash(b"abcd", 5, 6, 1, 3)


@given(st.integers(0, 2**32 - 1))
def test_multiplicative_hashes(x):
    assert AddressHash.GOLDEN.bucket(x) == (x * 0x61C88647) % 2**32 // 2**24
    assert AddressHash.KNUTH.bucket(x) == (x * 2654435761) % 256


# -- keys


@pytest.mark.parametrize(
    ("key", "with_port", "number"),
    [
        ("10.0.0.1", True, 0x0A000001),
        ("10.0.0.1:80", True, 0x0A000051),
        ("10.0.0.1:80", False, 0x0A000001),
        ("255.255.255.255:1", True, 0),
        ("[1:2:3:4:5:6:7:8]:9", True, (0x00010002 ^ 0x00030004 ^ 0x00050006 ^ 0x00070008) + 9),
        ("::1", False, 1),
        (bytes([10, 0, 0, 1]), True, 0x0A000001),
        (ipaddress.ip_address("::5").packed, True, 5),
        (77, True, 77),
    ],
)
def test_keys(key, with_port, number):
    assert hash_input(key, with_port) == number


@pytest.mark.parametrize("key", ["", "a", "10.0.0.1:x", "10.0.0.1:65536", "[::1", b"abc", 2**32, -1, "\ud800"])
def test_bad_keys(key):
    with pytest.raises(ConfigError):
        hash_input(key, True)
    with pytest.raises(ConfigError):
        SourceHashing().build(["a"]).pick(key)


@pytest.mark.parametrize("key", [None, 1.5, True, ()])
def test_keys_of_other_types(key):
    with pytest.raises(TypeError):
        hash_input(key, True)


# -- sh and dh


def buckets(weights):
    """256 of: each server `weight` times in a row, once if it is 0, again and again."""
    row = [i for i, w in enumerate(weights) for _ in range(max(1, w))]
    return [row[i % len(row)] for i in range(256)]


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.sampled_from(AddressHash),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_sh_as_the_plain_one(weights, hash, fallback, x):
    picker = SourceHashing(sh_fallback=fallback, hash=hash).build({f"s{i}": w for i, w in enumerate(weights)})
    table = buckets(weights)
    assert picker.table.tolist() == table
    h0 = hash.bucket(x)
    tries = [table[h0]]
    if fallback:
        tries += [table[((i + h0) % 256 + h0) & 255] for i in range(256)]
    expected = next((i for i in tries if weights[i] > 0), -1)
    assert picker.slot(x) == expected
    assert picker.pick_many(np.array([x], dtype=np.uint64)).tolist() == [expected]
    if expected < 0:
        with pytest.raises(NoBackend) as refused:
            picker.pick(x)
        assert refused.value.reason == "ineligible"
    else:
        assert picker.pick(x).id == f"s{expected}"


def test_a_dead_bucket_gets_nobody_without_fallback():
    pool = {"a": 1, "b": 0, "c": 1}
    plain, able = SourceHashing().build(pool), SourceHashing(sh_fallback=True).build(pool)
    none = [client for client in CLIENTS if plain.slot(hash_input(client, False)) < 0]
    assert 150 < len(none) < 250  # a third of the buckets: 86 of 256
    # a bucket's first further try is its double: of three equal servers all that the second loses goes to the third
    assert {able.pick(client).id for client in none} == {"c"}
    assert [able.pick(c).id for c in CLIENTS if c not in none] == [plain.pick(c).id for c in CLIENTS if c not in none]
    assert plain.shares().sum() == pytest.approx(1 - 85 / 256)
    assert able.shares().sum() == pytest.approx(1.0)


def test_shares_of_sh_are_those_of_the_buckets():
    picker = SourceHashing(sh_fallback=True).build({"a": 2, "b": 0, "c": 5})
    n = 2**32 // 4099
    tickets = (np.arange(n, dtype=np.uint64) * np.uint64(4099))[:: n // 4000]
    got = np.bincount(picker.pick_many(tickets), minlength=3) / len(tickets)
    assert np.allclose(got, picker.shares(), atol=0.05)
    counts = [0, 0, 0]
    table = picker.table.tolist()
    for h in range(256):
        counts[next(o for o in [table[h], *(table[(2 * h + i) % 256] for i in range(256))] if o != 1)] += 1
    assert (picker.shares() * 256).tolist() == counts


def test_weights_beyond_256_leave_the_last_ones_nothing():
    assert SourceHashing().build({"a": 200, "b": 100, "c": 50}).shares().tolist() == [200 / 256, 56 / 256, 0.0]


def test_ports():
    with_port, without = SourceHashing(sh_port=True).build(ALL[:5]), SourceHashing().build(ALL[:5])
    ports = [f"192.0.2.1:{port}" for port in range(1000, 1200)]
    assert len({with_port.pick(key).id for key in ports}) == 5
    assert len({without.pick(key).id for key in ports}) == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_dh_ignores_weights_but_for_0(weights, x):
    picker = DestinationHashing().build({f"s{i}": w for i, w in enumerate(weights)})
    slot = (x * 0x61C88647 % 2**32 >> 24) % 256 % len(weights)
    assert picker.slot(x) == (slot if weights[slot] else -1)


# -- mh


def plain_maglev(places, counts, size, digest):
    """Each server in turn takes `counts` consecutive free positions of its permutation."""
    sums = [(int(ipaddress.ip_address(address)) + port) % 2**32 for address, port in places]
    offset = [digest(x.to_bytes(4, "little"), 2654435761, 2654435761) % size for x in sums]
    skip = [digest(x.to_bytes(4, "little"), 2654446892, 2654446892) % (size - 1) + 1 for x in sums]
    table, following, filled = [-1] * size, [0] * len(places), 0
    while True:
        for i, count in enumerate(counts):
            for _ in range(count):
                while table[c := (offset[i] + following[i] * skip[i]) % size] >= 0:
                    following[i] += 1
                table[c] = i
                filled += 1
                if filled == size:
                    return table


@pytest.mark.parametrize("hash", HSipHash)
@pytest.mark.parametrize(("weights", "index"), [([1, 1, 1], 8), ([3, 1], 8), ([100, 50, 0, 1], 9), ([65535, 1], 12)])
def test_mh_as_the_plain_one(weights, index, hash):
    names = ALL[: len(weights)]
    picker = MaglevHashing(index, hash=hash).build(dict(zip(names, weights, strict=True)))
    size = SIZES[index - 8]
    places = [(name.partition(":")[0], 80) for name in names]
    assert picker.table.tolist() == plain_maglev(places, turns(weights, index), size, hash)
    for client in CLIENTS[:50]:
        x = int(ipaddress.ip_address(client))
        owner = picker.table[hash(x.to_bytes(4, "little"), 2654435761, 2654435761) % size]
        assert picker.slot(x) == (owner if weights[owner] else -1)


def test_turns_by_hand():
    assert turns([6, 3, 9], 12) == [2, 1, 3]
    assert turns([100, 1], 12) == [50, 1]  # fls(100) = 7, one more than 6 bits
    assert turns([64, 1], 12) == [32, 1] and turns([63, 1], 12) == [63, 1]
    assert turns([0, 5], 12) == [0, 1] and turns([0, 0], 12) == [0, 0]
    assert turns([1000, 1], 17) == [250, 1]  # 10 bits into 8


def test_a_weight_of_0_keeps_its_positions():
    policy = MaglevHashing(9)
    before = policy.build({ALL[0]: 2, ALL[1]: 1, ALL[2]: 1})
    off = policy.build({ALL[0]: 2, ALL[1]: 0, ALL[2]: 1}, previous=before)
    assert off.table.tolist() == before.table.tolist()
    assert off.last_weight == {ALL[0]: 2, ALL[1]: 1, ALL[2]: 1}
    dead = [c for c in CLIENTS if before.pick(c).id == ALL[1]]
    assert dead and all(off.slot(hash_input(c, False)) == -1 for c in dead)
    assert pickle.loads(pickle.dumps(off)).table.tolist() == off.table.tolist()
    drained = policy.build(View.of({ALL[0]: 2, ALL[1]: 1, ALL[2]: 1}, states={ALL[1]: State.DRAINING}), previous=before)
    assert drained.table.tolist() == before.table.tolist() and drained.slot(hash_input(dead[0], False)) == -1
    fresh = policy.build({ALL[0]: 2, ALL[1]: 0, ALL[2]: 1})
    assert 1 not in fresh.table, "a server that never had a weight has no turn"
    removed = policy.build(
        View.of({ALL[0]: 2, ALL[1]: 1, ALL[2]: 1}, states={ALL[1]: State.UNHEALTHY}), previous=before
    )
    assert 1 not in removed.table


def test_mh_fallback():
    policy, pool = MaglevHashing(8, mh_fallback=True), {ALL[0]: 1, ALL[1]: 1, ALL[2]: 1}
    before = policy.build(pool)
    off = policy.build({**pool, ALL[1]: 0}, previous=before)
    size = SIZES[0]
    for client in CLIENTS[:100]:
        x = int(ipaddress.ip_address(client))

        def at(offset, x=x):
            return off.table[
                HSipHash.BITS_64(((x + offset) % 2**32).to_bytes(4, "little"), 2654435761, 2654435761) % size
            ]

        first = HSipHash.BITS_64(x.to_bytes(4, "little"), 2654435761, 2654435761) % size
        tries = [at(0), *(at((i + first) % size) for i in range(size))]
        assert off.slot(x) == next(o for o in tries if o != 1)
    assert off.shares().sum() == pytest.approx(1.0) and off.shares()[1] == 0


def test_mh_shares_and_disruption():
    policy = MaglevHashing()
    before = policy.build(ALL[:10])
    assert np.abs(before.shares() * 4093 - 409.3).max() < 1
    after = policy.build(ALL[:9])
    keys = before.tickets(CLIENTS)
    old, new = before.pick_many(keys), after.pick_many(keys)
    moved = (old != new).mean()
    own = (old == 9).mean()
    assert own <= moved < own + 0.15


def test_order_of_addition():
    policy = SourceHashing()
    first = policy.build(["a", "b"])
    turned = policy.build(["b", "a"], previous=first)
    assert [turned.view.ids[slot] for slot in turned.table[:2]] == ["a", "b"], "the list keeps its order"
    away = policy.build(View.of(["a", "b"], states={"a": State.UNHEALTHY}), previous=first)
    back = policy.build(["a", "b"], previous=away)
    assert [back.view.ids[slot] for slot in back.table[:2]] == ["b", "a"], "who returns is added at the end"


# -- pickers


@pytest.mark.parametrize(
    "policy",
    [SourceHashing(True, True, AddressHash.KNUTH), DestinationHashing(AddressHash.KNUTH), MaglevHashing(8, True, True)],
)
def test_pickers(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    picker = policy.build([RealServer(name, 1 + i) for i, name in enumerate(ALL[:4])])
    picker.check_invariants()
    assert [picker.backends[s].id for s in picker.pick_many(picker.tickets(CLIENTS)).tolist()] == [
        picker.pick(client).id for client in CLIENTS
    ]
    for client in CLIENTS[:20]:
        walk = [server.id for server in picker.walk(client)]
        assert walk[0] == picker.pick(client).id and len(set(walk)) == len(walk)
        if len(walk) > 1:
            assert picker.pick(client, exclude=walk[:1]).id == walk[1]
        with pytest.raises(NoBackend) as refused:
            picker.pick(client, exclude=ALL[:4])
        assert refused.value.reason == "excluded"
    twin = pickle.loads(pickle.dumps(picker))
    assert twin.fingerprint() == picker.fingerprint()
    assert [twin.pick().id for _ in range(30)] == [picker.pick().id for _ in range(30)]
    assert len({picker.pick().id for _ in range(300)}) == 4, "without a key everybody is met"
    other = policy.build(ALL[:5])
    assert other.fingerprint() != picker.fingerprint()
    with pytest.raises(ConfigError, match="exclude"):
        picker.pick("10.0.0.1", exclude="10.0.0.1:80")
    with pytest.raises(ConfigError, match="keys"):
        picker.tickets("10.0.0.1")
    with pytest.raises(ConfigError, match="tickets"):
        picker.pick_many([1, 2])


@pytest.mark.parametrize("policy", [SourceHashing(), DestinationHashing(), MaglevHashing()])
def test_empty_pools(policy):
    empty = policy.build([])
    assert empty.shares().tolist() == [] and list(empty.walk("10.0.0.1")) == []
    with pytest.raises(NoBackend, match="no backends"):
        empty.pick("10.0.0.1")
    none = policy.build({ALL[0]: 0})
    assert none.slot(5) == -1 and none.shares().tolist() == [0.0]
    with pytest.raises(NoBackend) as refused:
        none.pick("10.0.0.1")
    assert refused.value.reason == "ineligible"


def test_in_a_balancer():
    balancer = Balancer(MaglevHashing(mh_fallback=True), ALL[:5], seed=1)
    with balancer.acquire("192.0.2.1") as lease:
        kept = lease.backend.id
    balancer.update([name for name in ALL[:5] if name != kept])
    assert balancer.acquire("192.0.2.1").backend.id != kept
    assert balancer.acquire("192.0.2.1", exclude=[balancer.picker.pick("192.0.2.1").id]).backend.id != kept


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: SourceHashing(1), "sh_port"),
        (lambda: SourceHashing(sh_fallback=None), "sh_fallback"),
        (lambda: SourceHashing(hash="golden"), "hash"),
        (lambda: DestinationHashing(hash=1), "hash"),
        (lambda: MaglevHashing(7), "table_index"),
        (lambda: MaglevHashing(18), "table_index"),
        (lambda: MaglevHashing(mh_port="yes"), "mh_port"),
        (lambda: MaglevHashing(mh_fallback=0), "mh_fallback"),
        (lambda: MaglevHashing(hash=64), "hash"),
        (lambda: MaglevHashing().build(["web-1"]), "address"),
        (lambda: SourceHashing().build({"a": 0.5}), "weights['a']"),
    ],
)
def test_bad_input(make, parameter):
    with pytest.raises(ConfigError) as refused:
        make()
    assert refused.value.parameter == parameter


def test_a_third_of_the_keys_stays_with_sh():
    """sh is no consistent hash: of n servers one more leaves a key alone only where i mod n and i mod (n + 1) agree."""
    two, three = SourceHashing().build(["a", "b"]), SourceHashing().build(["a", "b", "c"])
    stay = np.mean(two.table == three.table)
    assert math.isclose(stay, 1 / 3, abs_tol=0.01)
