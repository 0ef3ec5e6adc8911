"""Captured decisions of twemproxy and libmemcached, one by one; and that a changed constant would be seen."""

import json
from pathlib import Path

import numpy as np
import pytest

import lbalgo.reference.digests as plain
from lbalgo.compat.memcached import draws, hashes, libmemcached, server, twemproxy
from tests.golden.systems import Strange, replayer
from tests.golden.systems.memcached import replay

VECTORS = Path(__file__).parent / "vectors" / "classic"
FILES = {stem: json.loads((VECTORS / f"{stem}.json").read_text("utf-8")) for stem in ("twemproxy", "libmemcached")}


def replayed(stem, wanted=lambda config: True):
    data = FILES[stem]
    return list(replay(stem, {**data, "configs": [c for c in data["configs"] if wanted(c)]}))


@pytest.mark.parametrize("stem", FILES)
def test_every_configuration_replays(stem):
    assert replayer(stem, FILES[stem]) is replay
    results = replayed(stem)
    assert len(results) >= len([c for c in FILES[stem]["configs"] if c.get("algo") != "note"])
    assert all(result.decisions >= 400 for result in results)
    assert [result for result in results if result.mismatches] == []


def wrong(stem, wanted):
    """Whether every one of these configurations has a mismatch."""
    results = replayed(stem, wanted)
    assert results
    return all(result.mismatches > 0 for result in results)


def dialect(name, hash=None):
    return lambda c: c.get("dist") == name and hash in (None, c["hash"]) and c.get("set") != "n50w"


def test_points_of_a_server(monkeypatch):
    """With 15 bits of hash nearly all keys are on one point, whatever the others are: crc32 sees nothing. The points of
    fnv1a_64 are so close together that half of them are as good as all, for three servers."""
    monkeypatch.setattr(twemproxy, "POINTS_PER_SERVER", 80)
    assert wrong("twemproxy", lambda c: c["dist"] == "ketama" and c["hash"] != "crc32")
    monkeypatch.setattr(libmemcached, "POINTS_PER_SERVER", 50)
    monkeypatch.setattr(libmemcached, "POINTS_PER_SERVER_KETAMA", 80)
    assert wrong(
        "libmemcached", lambda c: "dist" in c and c["dist"] != "modula" and c["hash"] != "crc" and c["set"] != "n3"
    )


def test_counts_in_single_precision(monkeypatch):
    def exact(weights, per_server, epsilon):
        return weights * per_server // 4 * len(weights) // int(weights.sum())

    monkeypatch.setattr(libmemcached, "float32_counts", exact)
    assert wrong("libmemcached", lambda c: c.get("dist") == "weighted" and c["set"] == "n50")


def test_the_port_that_is_left_out(monkeypatch):
    for module in (server, twemproxy, libmemcached):
        monkeypatch.setattr(module, "DEFAULT_PORT", 11212)
    assert wrong("libmemcached", lambda c: c.get("set") == "n8p" and c["dist"] != "modula")


def plainly(monkeypatch):
    """From here on the plain twin hashes, whose constants can be changed."""
    for name, text in plain.TEXTS.items():
        monkeypatch.setitem(hashes.DIGESTS, name, text)
    monkeypatch.setattr(libmemcached, "numbered32", plain.numbered32)


def test_md5(monkeypatch):
    for module in (libmemcached, twemproxy):
        monkeypatch.setattr(module, "numbered_md5", lambda *given: ~plain.numbered_md5(*given))
    assert wrong("twemproxy", dialect("ketama"))
    assert wrong("libmemcached", lambda c: c.get("dist") == "weighted" and c["hash"] != "crc")  # as above


@pytest.mark.parametrize(
    ("constant", "hash"),
    [
        ("FNV_PRIME_32", "fnv1_32"),
        ("FNV_PRIME_32", "fnv1a_32"),
        ("FNV_PRIME_64", "fnv1_64"),
        ("FNV_PRIME_64", "fnv1a_64"),
        ("MURMUR_SEED", "murmur"),
        ("MURMUR_SEED", "murmur3"),
        ("MURMUR_M", "murmur"),
        ("JENKINS_START", "jenkins"),
    ],
)
def test_constants_of_hashes(monkeypatch, constant, hash):
    plainly(monkeypatch)
    monkeypatch.setattr(plain, constant, getattr(plain, constant) + 2)
    assert wrong("libmemcached", lambda c: c.get("hash") == hash)
    if hash != "murmur3":
        assert wrong("twemproxy", lambda c: c["hash"] == hash and c["dist"] != "random")


def test_signed_characters(monkeypatch):
    signed = ("one_at_a_time", "fnv1_64", "fnv1a_64", "fnv1_32", "fnv1a_32")
    plainly(monkeypatch)
    monkeypatch.setattr(plain, "chars", list)
    assert wrong("twemproxy", lambda c: c["hash"] in signed and c["dist"] != "random" and c["keys"] == "mix")
    assert wrong("libmemcached", lambda c: c.get("hash") in signed and c.get("keys") == "mix")


def test_a_register_that_is_cut_to_16_bits_is_not_crc16(monkeypatch):
    whole = hashes.DIGESTS["crc16"]
    monkeypatch.setitem(hashes.DIGESTS, "crc16", lambda key: whole(key) & 0xFFFF)
    assert wrong("twemproxy", lambda c: c["hash"] == "crc16")


def test_fifteen_bits(monkeypatch):
    plainly(monkeypatch)
    monkeypatch.setattr(plain, "CRC_BITS", 0xFFFF)
    assert wrong("twemproxy", lambda c: c["hash"] == "crc32" and c["dist"] == "modula")
    assert wrong(
        "libmemcached", lambda c: c.get("hash") == "crc" and c.get("dist") == "consistent" and c["set"] != "n5w"
    )


def test_tags(monkeypatch):
    monkeypatch.setattr(twemproxy, "tagged", lambda key, tag: key)
    assert wrong("twemproxy", lambda c: "hash_tag" in c)


def test_draws(monkeypatch):
    generator = draws.GlibcRandom
    monkeypatch.setattr(draws, "GlibcRandom", lambda seed: generator(seed + 1))
    assert wrong("twemproxy", dialect("random"))


def test_ejection(monkeypatch):
    monkeypatch.setattr(twemproxy, "live", lambda view, ejects: np.ones(len(view), dtype=bool))
    assert wrong("twemproxy", lambda c: "eject" in c)


def test_the_tie_of_two_points_goes_to_the_earlier_server():
    """Two names, one point: twemproxy sorts servers by name, libmemcached keeps them as they were added."""
    ids = [f"10.1.{i // 250}.{i % 250}" for i in range(1000)]
    counts = np.full(len(ids), 40)
    points = plain.numbered_md5([f"{i}-" for i in ids], counts)
    order = np.argsort(points, kind="stable")
    pairs = np.flatnonzero(np.diff(points[order].astype(np.int64)) == 0)
    assert len(pairs), "of 160 000**2 / 2 pairs one in 2**32 shares its point: three expected"
    weighted = libmemcached.Libmemcached(distribution=libmemcached.LibmemcachedDistribution.CONSISTENT_WEIGHTED)
    for pair in pairs.tolist():
        first, second = sorted((ids[int(order[i]) // 160] for i in (pair, pair + 1)), key=lambda i: (len(i), i))
        ticket = int(points[order[pair]]) << 32
        for pool in ([first, second], [second, first]):
            assert pool[twemproxy.Twemproxy().build(pool).slot(ticket)] == first
            assert pool[weighted.build(pool).slot(ticket)] == pool[0]


@pytest.mark.parametrize(
    ("stem", "change"),
    [
        ("twemproxy", {"surprise": 1}),
        ("twemproxy", {"keys": "rot13"}),
        ("twemproxy", {"servers": [{"host": "a", "port": 1, "priority": 2}]}),
        ("libmemcached", {"algo": "other"}),
        ("libmemcached", {"surprise": 1}),
        ("libmemcached", {"bundled_same": False, "bundled": None, "bundled_picks": None}),
    ],
)
def test_what_is_not_understood_is_refused(stem, change):
    config = {**FILES[stem]["configs"][7], **change}
    if change.get("bundled_same") is False:
        del config["bundled_picks"], config["bundled"]
    with pytest.raises(Strange):
        list(replay(stem, {**FILES[stem], "configs": [config]}))


def test_servers_stand_in_the_order_of_their_names():
    """Seen live: twemproxy sorts the servers it reads, shorter names first."""
    table = twemproxy.Twemproxy(distribution=twemproxy.TwemproxyDistribution.MODULA)
    picker = table.build(["127.0.0.1:20000", "127.0.0.1:9000", "127.0.0.1:10000"])
    slots = picker.pick_many(np.arange(3, dtype=np.uint64))
    assert [picker.backends[slot].id for slot in slots] == ["127.0.0.1:9000", "127.0.0.1:10000", "127.0.0.1:20000"]
