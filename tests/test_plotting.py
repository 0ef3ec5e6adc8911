"""Figures: they say what was measured, are written where asked, and need nothing until one is drawn."""

import subprocess
import sys

import pytest

import lbalgo as lb
from lbalgo import plotting
from lbalgo.cli import main
from lbalgo.measure import Row, balance, compare, disruption

POOL = {"a": 2, "b": 1, "c$x^2$": 1, "d": 0}


def test_balance_shows_every_ratio():
    result = balance(lb.RingHash().build(POOL))
    axis = plotting.plot_balance(result).axes[0]
    tops = [bar.get_y() + bar.get_height() for bar in axis.patches]
    assert tops[:3] == pytest.approx(result.ratios[:3])
    assert f"{result.peak_to_mean:.3f}" in axis.get_title()


def test_disruption_shows_the_largest_flows():
    pool = {f"b{i}": 1 for i in range(8)}
    result = disruption(lb.Maglev().build(pool), lb.Maglev().build({**pool, "new": 1}))
    axis = plotting.plot_disruption(result, top=5).axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx(100 * result.amounts[:5])
    assert f"{len(result.amounts) - 5} smaller flows" in axis.get_title()


def test_nothing_moved_is_a_figure_too(tmp_path):
    picker = lb.Maglev().build(POOL)
    plotting.plot_disruption(disruption(picker, picker)).savefig(tmp_path / "none.png")


def test_comparison_stacks_least_and_excess():
    policies = {
        "maglev": lb.Maglev(table_size=211),
        "round_robin": lb.RoundRobin(),
        "jump": lb.Jump(),
        "x" * 90: lb.Random(),
    }
    rows = list(compare(policies, lb.View.of(POOL), range(100), timer=lambda: 0.0))
    figure = plotting.plot_comparison(rows)
    least, extra = figure.axes[1].containers
    assert least[0].get_width() == pytest.approx(100 * rows[0].leave.minimal)
    assert extra[0].get_width() == pytest.approx(100 * rows[0].leave.excess)
    assert extra[0].get_x() == pytest.approx(100 * rows[0].leave.minimal)
    assert [text.get_text() for text in figure.axes[1].texts] == ["n/a"] * 3
    assert [text.get_text() for text in figure.axes[0].texts] == ["n/a"]


@pytest.mark.parametrize("name", ["figure.png", "figure.svg", "figure.pdf"])
def test_figures_are_written(tmp_path, capsys, name):
    pool = tmp_path / "pool.json"
    pool.write_text('{"a": 2, "b": 1}')
    keys = tmp_path / "keys"
    keys.write_text("k1\nk2\n")
    argv = [
        "compare",
        "--backends",
        str(pool),
        "--keys",
        str(keys),
        "--policy",
        "maglev",
        "--plot",
        str(tmp_path / name),
    ]
    assert main(argv) == 0
    start = (tmp_path / name).read_bytes()[:5]
    assert start in (b"\x89PNG\r", b"<?xml", b"%PDF-")


def test_refusals():
    with pytest.raises(lb.ConfigError, match="rows"):
        plotting.plot_comparison([])
    with pytest.raises(lb.ConfigError, match="top"):
        plotting.plot_disruption(disruption(*[lb.Maglev().build(POOL)] * 2), top=0)


def test_without_matplotlib_the_extra_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"lbalgo\[plot\]"):
        plotting.plot_comparison([Row("maglev")])
    assert main(["compare", "--plot", str(tmp_path / "figure.png")]) == 2
    assert "lbalgo[plot]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_matplotlib_is_imported_late():
    code = "import sys, lbalgo.plotting, lbalgo.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore:the plain-Python kernels", "-c", code]).returncode == 0
