"""`python -m benchmarks.report [--measure [table ...]]`: the page "Performance" of the documentation, from the results.

`--measure` runs the tables first (all of them and the growth over N, in about ten minutes on a quiet machine), or those
named, and keeps what they say in `results.json`: times, bars with their ratios of the same rounds, and growth. Without
it the page is written anew from what is there. Nothing on the page is written by hand but this file's sentences.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lbalgo as lb

from . import scale
from .tables import TABLES, bars, fill

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
SECTIONS = {  # title: tables whose bars it shows, those whose times it shows too, and what to know of them
    "Load": (
        ("scalar", "peers", "bulk"),
        ("scalar", "peers", "bulk"),
        "A pick by itself, keys of 16 characters; then many tickets (numbers of 64 bits) in one call. The loop that "
        'makes the calls is in every time: "empty loop" is what it costs.',
    ),
    "Build": (
        ("build", "compat", "dialects"),
        ("build",),
        "From backends to a picker, beside C that does the same plainly: one remainder for every probe of a table, the "
        "C library's sort for a ring. Native builds first, then those of other systems.",
    ),
    "Workload": (
        ("lease", "loads", "affinity", "simulator"),
        ("lease", "loads", "affinity", "simulator"),
        "Whole requests: picked, accounted for and ended, with slow start and ejection listening; picks by live loads; "
        "gates that remember flows and cookies; and simulated requests, by the event.",
    ),
}
HEAD = """# Performance

Losses stand beside wins, and before them. Made by `python -m benchmarks.report`, from a run on {machine}
(load average before a table at most {load:.0f}; a quiet machine is below 2, as the run counts itself).

Times are the least of rounds in which all cases of a table take turns, each with a start that is not counted, and say
little about your machine; ratios within a table carry over better. `python benchmarks/bars.py` measures all ratios
anew, `python -m benchmarks` all times, `python -m benchmarks.scale` the growth; `.ci/instructions` counts instructions
of picks and builds beside those of the commit before, which needs no quiet machine.
"""
GROWTH = """## Scale

Pools of equal backends, and how a pick and a build grow from 1000 to the largest pool: the exponent of N, beside what
is claimed. 0 is constant or logarithmic, 1 is linear. An exponent of up to 0.7 where the steps are constant are misses
of the caches: each step goes to another place in memory, and so do the objects that are given out. Memory is what a
process grows by, beside the least bytes that hold the same facts (`python -m benchmarks.scale`).
"""


def measured(tables: Iterable[str], known: dict[str, Any]) -> dict[str, Any]:
    """What is known, with these tables (or "scale") measured anew."""
    from lbalgo.active import lanes

    known = {"ns": {}, "bars": {}, "scale": {}, "load": {}} | known
    known["machine"] = (
        f"{os.cpu_count()} processors, {platform.machine()}, SIMD level {lanes.level()}, "
        f"CPython {platform.python_version()}"
    )
    for table in tables:
        print(table, file=sys.stderr, flush=True)
        known["load"][table] = os.getloadavg()[0]
        if table == "scale":
            known["scale"] = {name: row(name, *found) for name, *found in scale.everything(scale.SIZES[-1])}
            continue
        ns = known["ns"][table] = fill(table, quick=False)
        known["bars"][table] = [[*bar, ns[bar.what] / ns[bar.than]] for bar in bars(table)]
    return known


def row(name: str, points: list[scale.Point], held: int | None) -> dict[str, Any]:
    """A policy's growth, as JSON holds it."""
    claim = scale.CLAIMS[name]
    return {
        "points": [asdict(point) for point in points],
        "growth": [scale.slope(points, "pick"), scale.slope(points, "build")],
        "claimed": [claim.pick, claim.build],
        "held": held,
        "least": claim.least(points[-1].n),
    }


def time(ns: float) -> str:
    """Nanoseconds with three digits, in a unit that suits them."""
    rounded = float(f"{ns:.3g}")
    unit = min(int(math.log10(max(rounded, 1.0))) // 3, 3)
    return f"{rounded / 1000**unit:g} {('ns', 'µs', 'ms', 's')[unit]}"


def lines(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A table in Markdown, its numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)] + [""]


def verdict(table: str, ratio: float, most: float) -> str:
    """What is said of a ratio beside its bar."""
    if table == "peers" and ratio > 1:
        return "**the peer is faster**"
    return "**missed**" if ratio > most else "met"


def bar_rows(found: dict[str, Any], tables: Iterable[str], missed: bool = False) -> list[list[str]]:
    """A line for each bar, or for each that is missed."""
    return [
        [f"{what} / {than}", f"{ratio:.3g}", f"{most:.3g}", verdict(table, ratio, most)]
        for table in tables
        for what, than, most, ratio in found["bars"].get(table, [])
        if ratio > most or not missed
    ]


def growth(found: dict[str, Any]) -> list[str]:
    """How picks, builds and memory grow."""
    rows = []
    for name, one in found["scale"].items():
        cells = [name]
        for of, exponent, claim in zip(("pick", "build"), one["growth"], one["claimed"], strict=True):
            first, last = (time(one["points"][at][of]) for at in (0, -1))
            cells += [first, last, f"{exponent:.2f}", claim]
        held = "" if one["held"] is None else f"{one['held'] / 1e6:.1f} MB"
        rows.append([*cells, held, f"{one['least'] / 1e6:.1f} MB"])
    if not rows:
        return []
    sizes = [f"{point['n']:,}" for point in next(iter(found["scale"].values()))["points"]]
    ends = [f"N = {sizes[0]}", f"N = {sizes[-1]}"]
    head = ["policy", f"pick, {ends[0]}", ends[1], "exponent", "claimed", f"build, {ends[0]}", ends[1], "exponent"]
    return [GROWTH, *lines([*head, "claimed", "held", "least"], rows)]


def page(found: dict[str, Any]) -> str:
    """The page."""
    ratios = ["ratio of times", "measured", "at most", ""]
    everything = [table for tables, _, _ in SECTIONS.values() for table in tables]
    lost, made = bar_rows(found, everything, missed=True), bar_rows(found, everything)
    out = [HEAD.format(machine=found["machine"], load=max(found["load"].values())), "## Losses", ""]
    out += [f"{len(lost)} of {len(made)} bars are missed.", "", *lines(ratios, lost)]
    for title, (tables, timed, what) in SECTIONS.items():
        if title == "Workload":
            out += growth(found)
        out += [f"## {title}", "", what, ""]
        rows = bar_rows(found, tables)
        out += lines(ratios, rows) if rows else []
        for table in timed:
            times = found["ns"].get(table, {})
            if times:
                out += [f"### Times: {table}", "", f"`python -m benchmarks {table}`, each time of one.", ""]
                out += lines(["case", "time"], [[name, time(ns)] for name, ns in times.items()])
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    choices = [*TABLES, "scale"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__.split("\n\n")[0])
    parser.add_argument("--measure", nargs="*", choices=[*choices, []], help="measure these tables first (all)")
    options = parser.parse_args(arguments)
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if options.measure is not None:
        if lb.kernels() != "cython":
            print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
            return 2
        for table in options.measure or choices:
            found = measured([table], found)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
