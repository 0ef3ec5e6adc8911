"""Katran's tables, by digest and position by position; and that a changed constant would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat import katran
from tests.golden.systems import Strange, replayer
from tests.golden.systems.katran import replay

DATA = json.loads((Path(__file__).parent / "vectors" / "classic" / "katran.json").read_text("utf-8"))
SMALL = {**DATA, "configs": [c for c in DATA["configs"] if c["ring"] < 65537]}


def test_every_configuration_replays():
    assert replayer("katran", DATA) is replay
    results = list(replay("katran", DATA))
    assert [(r.decisions, r.mismatches) for r in results] == [(c["ring"], 0) for c in DATA["configs"]]


@pytest.mark.parametrize("constant", ["OFFSET_WORD", "OFFSET_SEED", "SKIP_WORD", "SKIP_SEED"])
def test_constants_are_seen(monkeypatch, constant):
    monkeypatch.setattr(katran, constant, getattr(katran, constant) + 1)
    assert all(result.mismatches for result in replay("katran", SMALL))


@pytest.mark.parametrize(("one", "other"), [("turns_v1", "turns_v2"), ("turns_v2", "turns_v1")])
def test_turns_are_seen(monkeypatch, one, other):
    algo = {"turns_v1": "maglev1", "turns_v2": "maglev2"}[one]
    monkeypatch.setattr(katran, one, getattr(katran, other))
    weighted = [c for c in SMALL["configs"] if c["algo"] == algo and len({w for _, w, _ in c["endpoints"]}) > 1]
    assert weighted
    assert all(result.mismatches for result in replay("katran", {**DATA, "configs": weighted}))


def test_a_table_of_nobody_stays_as_it_was():
    """-1 in every position, as the words "ring untouched" say."""
    ring = {**SMALL["configs"][0], "endpoints": [], "counts": [], "picks": "-" * 251, "ring": 251, "every": 1, "n": 251}
    ring["sha256"] = "6bdba7b2d9e5e5e8d1e0f8e3c9b7a6d5"  # no such digest: exactly one mismatch
    (result,) = replay("katran", {**DATA, "configs": [ring]})
    assert result.mismatches == 1


@pytest.mark.parametrize("change", [{"algo": "maglev3"}, {"surprise": 1}])
def test_what_is_not_understood_is_refused(change):
    with pytest.raises(Strange):
        list(replay("katran", {**DATA, "configs": [{**SMALL["configs"][0], **change}]}))
