"""The page "Performance": what the results say, no more, and a loss is called one."""

from types import SimpleNamespace

import pytest

from benchmarks import report, tables
from benchmarks.timing import Bar

BARS = [["ours", "theirs", 1.0, 1.5], ["ours", "plain C", 2.0, 1.999]]


def test_the_page_is_what_the_results_say():
    assert report.page(report.json.loads(report.RESULTS.read_text("utf-8"))) == report.PAGE.read_text("utf-8")


def test_losses_come_first():
    found = {
        "machine": "a machine",
        "commit": {"scalar": "c0ffee", "bulk": "ace"},
        "load": {"scalar": 1.2},
        "scale": {},
        "elsewhere": [],
    }
    found |= {"ns": {"scalar": {"ours": 12345.0}}, "bars": {"scalar": BARS}}
    page = report.page(found)
    losses, load = page.split("## Load")
    assert "- A: a machine; commit ace, c0ffee: 1 of 2 bars missed, load 1\n" in losses
    assert "| ours / theirs | 1.5 | 1 | **missed** |" in losses and "plain C" not in losses
    assert "| ours / plain C | 2 | 2 | met |" in load and "| ours | 12.3 µs |" in load
    assert "## Scale" not in page


def test_a_loss_on_any_machine_is_one():
    other = {
        "machine": "another",
        "commit": {"scalar": "ace"},
        "load": {"scalar": 0.4},
        "bars": {"scalar": [["ours", "plain C", 2.0, 2.5]]},
    }
    found = {
        "machine": "a machine",
        "commit": {"scalar": "c0ffee", "bulk": "ace"},
        "load": {"scalar": 1.2},
        "scale": {},
        "elsewhere": [other],
    }
    found |= {"ns": {"scalar": {"ours": 12345.0}}, "bars": {"scalar": BARS}}
    losses = report.page(found).split("## Load")[0]
    assert "- B: another; commit ace: 1 of 1 bars missed, load 0\n" in losses
    assert "| ours / theirs | 1.5 |  | 1 | **missed** |" in losses
    assert "| ours / plain C | 2 | 2.5 | 2 | **missed** |" in losses


def test_another_machine_keeps_its_ratios(monkeypatch):
    monkeypatch.setattr(report, "processor", lambda: "one")
    monkeypatch.setattr(report, "commit", lambda: "c0ffee")
    monkeypatch.setattr(report, "fill", lambda table, quick: {"ours": 3.0, "theirs": 2.0})
    monkeypatch.setattr(report, "bars", lambda table: [Bar("ours", "theirs", 1.0)])
    first = report.measured(["scalar", "peers"], {})
    assert first["elsewhere"] == [] and first["bars"]["scalar"] == [["ours", "theirs", 1.0, 1.5]]
    assert report.measured(["scalar"], first)["bars"].keys() == {"scalar", "peers"}
    monkeypatch.setattr(report, "processor", lambda: "two")
    second = report.measured(["scalar"], first)
    assert second["elsewhere"] == [{part: first[part] for part in report.KEPT}]
    assert second["bars"].keys() == second["ns"].keys() == {"scalar"} and ", two, " in second["machine"]
    monkeypatch.setattr(report, "processor", lambda: "one")
    third = report.measured(["scalar"], second)
    assert [one["machine"] for one in third["elsewhere"]] == [second["machine"]]


def test_bars_of_this_machine_beside_those_of_the_times(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(report, "commit", lambda: "c0ffee")
    monkeypatch.setattr(report.lb, "kernels", lambda: "cython")
    monkeypatch.setattr(report, "TABLES", ("scalar", "peers"))
    ratios = {"scalar": [(Bar("ours", "theirs", 1.0), 1.5)], "peers": []}
    monkeypatch.setattr(report, "ratios", lambda table, quick: ratios[table])
    times = {"machine": "of the times", "commit": {"scalar": "ace"}, "load": {"scalar": 1.0}, "scale": {}}
    times |= {"ns": {"scalar": {"ours": 3.0}}, "bars": {"scalar": [["ours", "theirs", 1.0, 0.9]]}, "elsewhere": []}
    report.RESULTS.write_text(report.json.dumps(times), "utf-8")
    for _ in range(2):
        assert report.main(["--bars"]) == 0
    found = report.json.loads(report.RESULTS.read_text("utf-8"))
    (run,) = found.pop("elsewhere")
    assert found | {"elsewhere": []} == times
    assert run["machine"] == report.this_machine() and run["commit"] == dict.fromkeys(ratios, "c0ffee")
    assert run["bars"] == {"scalar": [["ours", "theirs", 1.0, 1.5]], "peers": []}
    assert "| ours / theirs | 0.9 | 1.5 | 1 | **missed** |" in report.PAGE.read_text("utf-8")
    monkeypatch.setattr(report, "this_machine", lambda: "of the times")
    for wrong in (["--bars"], ["--bars", "--measure"]):
        with pytest.raises(SystemExit):
            report.main(wrong)


def test_a_peer_that_is_faster():
    assert report.verdict("peers", 1.2, 1.0) == "**the peer is faster**"
    assert report.verdict("peers", 0.05, 1 / 40) == "**missed**"
    assert report.verdict("scalar", 1.2, 1.5) == "met"


def test_three_digits():
    given = (0.351, 999.4, 999.6, 12345.0, 9.999e8, 1.2e9)
    assert [report.time(ns) for ns in given] == ["0.351 ns", "999 ns", "1 µs", "12.3 µs", "1 s", "1.2 s"]


def test_a_time_is_the_least_and_was_nearly_found_twice(monkeypatch):
    assert tables.fill("lease", False, set()) == {}

    def filled(*said):
        lines = iter(said)
        monkeypatch.setattr(tables.subprocess, "run", lambda *given, **how: SimpleNamespace(stdout=next(lines)))
        return tables.fill("lease", False, {"a", "b"}), len(list(lines))

    noisy, quiet = '{"a": 2.0, "b": 1.0}', '{"a": 1.01, "b": 3.0}'
    lucky = 'peers may say things\n{"a": 1.0, "b": 1.5}\n'
    assert filled(noisy, noisy, noisy, lucky) == ({"a": 2.0, "b": 1.0}, 1)
    assert filled(noisy, lucky, quiet, noisy) == ({"a": 1.0, "b": 1.0}, 0)
    assert filled(lucky, *[noisy] * tables.MOST) == ({"a": 1.0, "b": 1.0}, 1)
