"""Decisions of mod_proxy_balancer, one by one; and that a changed constant would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat.apache import methods, worker
from tests.golden.systems import Strange, replayer
from tests.golden.systems.apache import METHODS, replay

DATA = json.loads((Path(__file__).parent / "vectors" / "classic" / "apache.json").read_text("utf-8"))


def wrong(*algos):
    some = [c for c in DATA["configs"] if c["algo"] in algos]
    assert some
    return [result.mismatches > 0 for result in replay("apache", {**DATA, "configs": some})]


def test_every_configuration_replays():
    assert replayer("apache", DATA) is replay
    results = list(replay("apache", DATA))
    assert [(r.decisions, r.mismatches) for r in results] == [(c["n"], 0) for c in DATA["configs"]]


def test_the_tie_of_byrequests_is_seen(monkeypatch):
    monkeypatch.setattr(methods, "higher_status", lambda one, best: one.lbstatus >= best.lbstatus)
    assert any(wrong("byrequests"))


def test_the_tie_of_bybusyness_is_seen(monkeypatch):
    monkeypatch.setattr(methods, "less_busy", lambda one, best: one.busy < best.busy)
    assert all(wrong("bybusyness"))


def test_hundredths_are_seen(monkeypatch):
    for name, value in (("SCALE", 1.0), ("LEAST", 1), ("MOST", 100)):
        monkeypatch.setattr(worker, name, value)
    assert all(wrong("bytraffic"))


def test_the_status_line_is_seen(monkeypatch):
    monkeypatch.setattr(worker.Traffic.of.__func__, "__defaults__", (worker.STATUS_LINE + 2,))
    assert all(wrong("bytraffic"))


def test_sets_standbys_and_disabled_workers_are_seen(monkeypatch):
    for field in ("lbset", "status"):
        some = [c for c in DATA["configs"] if any(field in server for server in c["servers"])]
        plain = [{**c, "servers": [{k: v for k, v in s.items() if k != field} for s in c["servers"]]} for c in some]
        results = replay("apache", {**DATA, "configs": plain})
        assert any(result.mismatches > 0 for result in results)


@pytest.mark.parametrize(
    "change", [{"algo": "bymood"}, {"surprise": 1}, {"n": 3}, {"servers": [{"port": 1, "hcmethod": "GET"}]}]
)
def test_what_is_not_understood_is_refused(change):
    assert "bymood" not in METHODS
    with pytest.raises(Strange):
        list(replay("apache", {**DATA, "configs": [{**DATA["configs"][0], **change}]}))
