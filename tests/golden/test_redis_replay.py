"""Slots as CLUSTER KEYSLOT gives them; and that a changed constant would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat import redis
from tests.golden.systems import Strange, replayer
from tests.golden.systems.redis import replay

DATA = json.loads((Path(__file__).parent / "vectors" / "classic" / "redis.json").read_text("utf-8"))


def test_every_configuration_replays():
    assert replayer("redis", DATA) is replay
    results = list(replay("redis", DATA))
    assert len(results) == len(DATA["configs"])
    assert [(r.decisions, r.mismatches) for r in results] == [(c["n"], 0) for c in DATA["configs"]]


def test_tags_are_seen(monkeypatch):
    monkeypatch.setattr(redis, "tagged", lambda key: key)
    assert all(result.mismatches for result in replay("redis", DATA))


def test_the_number_of_slots_is_seen(monkeypatch):
    monkeypatch.setattr(redis, "SLOTS", 8192)
    assert all(result.mismatches for result in replay("redis", DATA))


@pytest.mark.parametrize("change", [{"algo": "other"}, {"keys": "rot13"}, {"surprise": 1}])
def test_what_is_not_understood_is_refused(change):
    with pytest.raises(Strange):
        list(replay("redis", {**DATA, "configs": [{**DATA["configs"][0], **change}]}))
