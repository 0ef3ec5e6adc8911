"""The script that replays everything: what it prints, and that one strange configuration hides no other."""

import json
import re
from pathlib import Path

import pytest

from tests.golden.replay import main
from tests.golden.systems import pieces

VECTORS = Path(__file__).parent / "vectors"
STEMS = sorted(VECTORS.rglob("*.json"))


def total(capsys, *directories):
    status = main([str(d) for d in directories])
    *lines, last = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"TOTAL (\d+) configurations (\d+) decisions (\d+) mismatches", last)
    return status, lines, [int(number) for number in found.groups()]


@pytest.mark.parametrize("path", STEMS, ids=lambda p: p.stem)
def test_pieces_have_every_configuration_once(capsys, tmp_path, path):
    """A file of its own for each configuration: as many configurations and decisions as in one file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    status, _, whole = total(capsys, alone(tmp_path / "one", path.stem, [data]))
    assert (status, whole[2]) == (0, 0) and whole[0] > 0
    assert total(capsys, alone(tmp_path / "many", path.stem, pieces(data)))[::2] == (0, whole)


def alone(folder, stem, parts):
    for i, part in enumerate(parts):
        (folder / str(i)).mkdir(parents=True)
        (folder / str(i) / f"{stem}.json").write_text(json.dumps(part))
    return folder


@pytest.mark.parametrize(
    ("stem", "spoil"),
    [
        ("classic/nginx", lambda data: data["configs"][2].update(surprise=1)),
        ("classic/libmemcached", lambda data: data["configs"][3].update(hash="rot13")),
        ("envoy/round_robin", lambda data: next(iter(data["cfg"].values())).update(surprise=1)),
        ("envoy/hash_policy_retry", lambda data: next(iter(data["retry"].values())).update(surprise=1)),
        ("envoy/orca_weights", lambda data: data["cases"][0].update(surprise=1)),
        ("envoy/zone_aware", lambda data: next(iter(data["cfg2"].values())).update(surprise=1)),
    ],
)
def test_what_is_not_understood_fails_and_hides_nothing(capsys, tmp_path, stem, spoil):
    data = json.loads((VECTORS / f"{stem}.json").read_text(encoding="utf-8"))
    name = Path(stem).name
    _, good, before = total(capsys, alone(tmp_path / "good", name, [data]))
    spoil(data)
    status, lines, after = total(capsys, alone(tmp_path / "bad", name, [data]))
    strange = [line for line in lines if "not understood" in line]
    assert status == 1 and len(strange) == 1
    assert after[2] == 0 and len(good) - 2 <= len(lines) <= len(good)
    assert 0 < after[1] < before[1]


def test_a_wrong_decision_fails(capsys, tmp_path):
    data = json.loads((VECTORS / "classic/varnish.json").read_text(encoding="utf-8"))
    picks = data["configs"][0]["picks"]
    data["configs"][0]["picks"] = picks[:-1] + ("0" if picks[-1] != "0" else "1")
    status, _, found = total(capsys, alone(tmp_path, "varnish", [data]))
    assert (status, found[2]) == (1, 1)


def test_nothing_and_nonsense(capsys, tmp_path):
    assert total(capsys, tmp_path) == (2, [], [0, 0, 0])
    for i, data in enumerate(([], 3, {}, {"system": "squid", "configs": [{}]}, {"cfg": {"a": {"odd": 1}}})):
        status, lines, _ = total(capsys, alone(tmp_path / f"n{i}", "unknown", [data]))
        assert status == 1 and all("not understood" in line for line in lines)
