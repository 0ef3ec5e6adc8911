"""nginx's captured decisions, all of them, and that each constant of its dialects decides."""

import json
import zlib
from pathlib import Path

import pytest

from lbalgo.compat import glibc
from lbalgo.compat.nginx import hashing, methods, upstream
from tests.golden.systems import Strange
from tests.golden.systems import nginx as replayer

DATA = json.loads((Path(__file__).parent / "vectors" / "classic" / "nginx.json").read_text(encoding="utf-8"))
CONFIGS = {f"{c['section']} {c['set']} {c.get('method', '')}".strip(): c for c in DATA["configs"]}


@pytest.mark.parametrize("name", CONFIGS)
def test_captured(name):
    result = replayer.replay_config(CONFIGS[name])
    assert result.decisions > 70
    assert result.mismatches == 0


def test_every_configuration_is_replayed():
    assert len(list(replayer.replay("nginx", DATA))) == len(DATA["configs"]) == len(CONFIGS)


def fails(name):
    return replayer.replay_config(CONFIGS[name]).mismatches > 0


@pytest.mark.parametrize(
    ("name", "where", "constant", "value"),
    [
        ("hashes n10down ip_hash", hashing, "START", 88),
        ("hashes n10down ip_hash", hashing, "FACTOR", 31),
        ("hashes n10down ip_hash", hashing, "MODULUS", 6269),
        ("hashes n10down hash $http_x_key", hashing, "crc32", lambda data, start=0: zlib.crc32(data, start) ^ 0x10000),
        ("hashes n3 hash $http_x_key consistent", hashing, "POINTS", 159),
        ("fails fchash0 hash $http_x_key consistent", hashing, "OFTEN", 2),
        ("rnd r5t random two", replayer, "SEED", 2),
        ("rnd r10d random two", glibc, "SEPARATION", 4),
        ("rnd r10d random two", methods, "OFTEN", 0),
        ("timed timed", replayer, "seconds", lambda text: int(text[:-1]) + 1),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_another_constant_is_noticed(monkeypatch, name, where, constant, value):
    monkeypatch.setattr(where, constant, value)
    assert fails(name)


def last_greatest(peers):
    """Smooth weighted round robin in which the last of the greatest wins."""
    total, best = 0, None
    for peer in peers:
        peer.current += peer.effective
        total += peer.effective
        peer.effective = min(peer.effective + 1, peer.weight)
        if best is None or peer.current >= best.current:
            best = peer
    if best is not None:
        best.current -= total
    return best


def test_another_tie_rule_is_noticed(monkeypatch):
    monkeypatch.setattr(upstream, "smooth", last_greatest)
    assert fails("rr eq3")


def test_another_least_conn_tie_is_noticed(monkeypatch):
    monkeypatch.setattr(
        methods, "fewest", lambda peers, score: min(peers, key=lambda p: score(p) / p.weight) if peers else None
    )
    assert fails("held lc5 least_conn")


def test_another_recovery_is_noticed(monkeypatch):
    monkeypatch.setattr(upstream.Upstream, "single", property(lambda self: True))
    assert fails("fails f3 rr")


def test_what_is_not_understood_is_strange():
    for change in ({"algo": "other"}, {"method": "hash a b c"}, {"keys": "other"}, {"new": 1}):
        with pytest.raises(Strange):
            replayer.replay_config({**CONFIGS["hashes n3 hash $http_x_key consistent"], **change})
    for server in ({"addr": "a:1", "zone": 1}, {"addr": "a:1", "fail_timeout": "3w"}):
        with pytest.raises(Strange):
            replayer.replay_config({**CONFIGS["rr eq3"], "servers": [server]})
