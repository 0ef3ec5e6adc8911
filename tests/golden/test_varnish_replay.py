"""Varnish's captured decisions, all of them, and that each constant of its dialects decides."""

import json
from pathlib import Path

import numpy as np
import pytest

from lbalgo.compat import draws
from lbalgo.compat.varnish import alternates, backend, hashing, ring, shard, turns
from tests.golden.systems import Strange
from tests.golden.systems import varnish as replayer

DATA = json.loads((Path(__file__).parent / "vectors" / "classic" / "varnish.json").read_text(encoding="utf-8"))
CONFIGS = {c["set"]: c for c in DATA["configs"]}


@pytest.mark.parametrize("name", CONFIGS)
def test_captured(name):
    result = replayer.replay_config(CONFIGS[name])
    assert result.decisions >= 100
    assert result.mismatches == 0


def test_every_configuration_is_replayed():
    assert len(list(replayer.replay("varnish", DATA))) == len(DATA["configs"]) == len(CONFIGS)


def wrapping_ring(idents, weights, replicas, usable=None):
    """The ring as it is documented: with wrap-around."""
    whole = ring.ring_of(idents, weights, replicas, usable)
    points, owners = np.array(whole.points(), np.uint64), np.array(whole.owners(), np.int32)
    return ring.Ring(points[:-1], owners[:-1], len(idents))


def from_one(idents, counts):
    """The points as they are documented: counted from 1."""
    found = [backend.h32(f"{i}{k}") for i, n in zip(idents, counts, strict=True) for k in range(1, n + 1)]
    return np.array(found, np.uint32)


@pytest.mark.parametrize(
    ("name", "where", "constant", "value"),
    [
        ("n3", ring, "points_of", from_one),
        ("n50", ring, "h32", lambda key: backend.h32(key) ^ 1 << 31),
        ("n5url", ring, "h32", lambda key: backend.h32(key) ^ 1 << 31),
        ("h10", hashing, "VALUES", 1 << 31),
        ("h5f", hashing, "h32", lambda key: backend.h32(key) ^ 1 << 31),
        ("r10", replayer, "SEED", 41),
        ("r10", draws, "SEPARATION", 4),
        ("r10", draws, "DISCARDED", 311),
        ("rr5s", turns, "InTurn", lambda: turns.FirstHealthy(False)),
        ("fb2", turns, "healthy", lambda view: view.states >= 0),
        ("n10alt1", alternates.ShardMachine, "alternate", lambda self, order, able: able[2]),
        ("n10alt1", alternates, "ring_of", lambda *given: ring.ring_of(*given[:2], given[2] - 1)),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_another_constant_is_noticed(monkeypatch, name, where, constant, value):
    monkeypatch.setattr(where, constant, value)
    assert replayer.replay_config(CONFIGS[name]).mismatches > 0


def test_wrap_around_is_noticed(monkeypatch):
    monkeypatch.setattr(shard, "ring_of", wrapping_ring)
    assert replayer.replay_config(CONFIGS["n3"]).mismatches > 0


def test_what_is_not_understood_is_strange():
    for change in ({"algo": "other"}, {"keys": "other"}, {"new": 1}, {"args": ", other=1"}, {"n": 3}):
        with pytest.raises(Strange):
            replayer.replay_config({**CONFIGS["n3"], **change})
