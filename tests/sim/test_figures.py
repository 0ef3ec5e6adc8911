"""The quick part of `python benchmarks/figures.py load-aware`, and the rule by which a figure is missed.

Each interval holds with a chance of 1 - 1e-4 (`ALPHA`); there are about a hundred of them, so that with seeds drawn
anew a right library would miss one in a hundred tables. Seeds are constant.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import lbalgo as lb
from benchmarks import figures
from benchmarks.figure import Figure, Origin, Side, table

pytestmark = pytest.mark.skipif(lb.kernels() != "cython", reason="without compiled kernels it takes minutes")
NOISE = (-1.0, 0.5, 1.0, -0.5) * 5


def around(mean, noise):
    return [mean + noise * each for each in NOISE]


def figure(expected, sample, **more):
    return Figure("a figure", expected, Origin.LAW, sample, **more)


@pytest.mark.parametrize("function", figures.TABLES["load-aware"], ids=lambda function: function.__name__)
def test_known_figures(function):
    found = list(function(True))
    assert all(each.ok for each in found), "\n" + table(each for each in found if not each.ok)


def test_a_figure_beside_the_interval_is_missed():
    half = figure(10.0, around(10.0, 0.1)).band.half
    assert 0.07 < half < 0.11  # t of 19 degrees at 1e-4, 4.9, times .081 / sqrt(20)
    assert figure(10.0, around(10.0 + 0.99 * half, 0.1)).ok
    assert not figure(10.0, around(10.0 + 1.01 * half, 0.1)).ok
    assert not figure(10.0, around(10.0 - 1.01 * half, 0.1)).ok


def test_what_the_expectation_may_be_off_by_is_added():
    half = figure(10.0, around(10.0, 0.1)).band.half
    assert figure(10.0, around(10.09 + half, 0.1), within=0.01).ok
    assert not figure(10.0, around(10.11 + half, 0.1), within=0.01).ok


def test_an_interval_that_agrees_with_everything_proves_nothing():
    assert figure(10.0, around(10.0, 0.5)).band.half < 0.5
    assert figure(10.0, around(10.0, 0.5)).ok
    assert not figure(10.0, around(10.0, 0.7)).ok
    assert figure(10.0, around(10.0, 0.7), within=0.1).ok


def test_a_side_is_kept_by_the_whole_interval():
    assert figure(10.0, around(9.0, 0.1), side=Side.BELOW).ok
    assert not figure(10.0, around(9.95, 0.1), side=Side.BELOW).ok
    assert not figure(10.0, around(9.0, 0.1), side=Side.ABOVE).ok
    assert figure(10.0, around(11.0, 0.1), side=Side.ABOVE).ok


def test_one_value_without_chance_is_met_or_not():
    assert figure(0.5, [0.5]).ok
    assert not figure(0.5, [0.5001]).ok
    assert figure(0.5, [0.5001], within=0.001).ok


def test_the_table_says_all_of_it():
    text = table([figure(10.0, around(10.0, 0.1), within=0.01), figure(2.0, [3.0], side=Side.BELOW)])
    head, rule, first, second = text.splitlines()
    assert len(rule) == len(head) == len(first) == len(second)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (first, second)]
    assert cells[0][:3] == ["a figure", "10 ± 1 %", "exact law"]
    assert cells[0][4] == "ok"
    assert cells[1][1:] == ["< 2", "exact law", "3", "missed"]


def test_a_missed_figure_is_the_command_s_status(monkeypatch, capsys):
    def good(quick):
        yield figure(1.0, [1.0])

    def bad(quick):
        yield figure(1.0, [1.0 if quick else 2.0])

    monkeypatch.setitem(figures.TABLES, "load-aware", (good, bad))
    for arguments, status in (([], 1), (["--quick"], 0), (["good"], 0), (["bad"], 1)):
        monkeypatch.setattr(sys, "argv", ["figures.py", "load-aware", *arguments])
        assert figures.main() == status
        assert "figures, " in capsys.readouterr().out


def test_it_runs_as_a_script_and_as_a_module():
    root = Path(figures.__file__).resolve().parents[1]
    for how in (["benchmarks/figures.py"], ["-m", "benchmarks.figures"]):
        done = subprocess.run([sys.executable, *how, "--help"], cwd=root, capture_output=True, text=True, check=True)
        assert "load-aware" in done.stdout
