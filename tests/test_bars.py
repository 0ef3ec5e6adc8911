"""`benchmarks/bars.py` with made-up times: what it prints, what it exits with, what a quick run leaves out."""

import json

import pytest

from benchmarks import bars, timing
from benchmarks.timing import Bar, Case

WANTED = (Bar("fast", "floor", 1.5), Bar("slow", "floor", 2.0), Bar("far", "floor", 9.0))


@pytest.fixture
def times(monkeypatch):
    made = {"floor": 10.0, "fast": 15.0, "slow": 20.0, "far": 30.0, "other": 1.0}
    monkeypatch.setattr(bars, "TABLES", ("made up", "bare"))
    monkeypatch.setattr(bars, "bars", lambda table: WANTED if table == "made up" else ())
    monkeypatch.setattr(bars, "fill", lambda table, quick, only: {name: made[name] for name in only & made.keys()})
    monkeypatch.setattr(bars.lb, "kernels", lambda: "cython")
    return made


def test_a_bar_is_met_up_to_its_number(times, capsys):
    assert bars.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok      1.500 <= 1.5    fast / floor",
        "ok      2.000 <= 2      slow / floor",
        "ok      3.000 <= 9      far / floor",
        "3 bars, 0 missed",
    ]
    times["slow"] = 20.1
    assert bars.main(["made up"]) == 1
    assert "MISS    2.010 <= 2      slow / floor\n" in capsys.readouterr().out
    assert bars.main(["bare"]) == 0
    assert capsys.readouterr().out == "0 bars, 0 missed\n"


def test_as_json(times, capsys):
    times["far"] = 91.0
    assert bars.main(["--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert rows[2] == {"table": "made up", "what": "far", "than": "floor", "most": 9.0, "ratio": 9.1}


def test_only_a_quick_run_may_lack_a_case(times, capsys):
    del times["far"]
    assert bars.main(["--quick"]) == 0
    assert capsys.readouterr().out.endswith("2 bars, 0 missed\n")
    with pytest.raises(KeyError, match="far"):
        bars.main([])


def test_the_plain_twins_are_not_timed(times, monkeypatch, capsys):
    monkeypatch.setattr(bars.lb, "kernels", lambda: "python")
    assert bars.main([]) == 2
    assert capsys.readouterr().out == ""


def test_a_moment_that_is_quiet_is_found_in_a_slice(monkeypatch):
    """Of a clock that only those who are timed move on: each item takes 200 ns, but every 50th part of a slice 100."""
    clock, calls = [0], []

    def run(n):
        calls.append(n)
        clock[0] += n * (100 if len(calls) % 50 == 0 else 200)

    monkeypatch.setattr(timing, "perf_counter_ns", lambda: clock[0])
    case = Case("it", run, per=2)
    assert timing.measure([case], rounds=5, slice_ms=1.0) == {"it": 50.0}
    assert len(case.times) == 5 * timing.PARTS
    assert sorted(set(case.times)) == [50.0, 100.0]
    assert calls[-timing.PARTS - 1] == case.count // timing.WARMING
    assert calls[-1] == case.count // timing.PARTS
    whole = Case("one", lambda n: run(10_000 * n))
    timing.measure([whole], rounds=2, slice_ms=1.0)
    assert (whole.count, len(whole.times)) == (1, 2)
