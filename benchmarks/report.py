"""`python -m benchmarks.report [--measure [table ...] | --bars]`: the documentation's page "Performance".

`--measure` runs the tables first (all of them and the growth over N, in about ten minutes on a quiet machine), or those
named, and keeps what they say in `results.json`: times, bars with their ratios of the same rounds, and growth. Of what
other machines measured before, the ratios are kept beside them. `--bars`, on another machine, measures the bars alone
and puts them beside what is there. Without either the page is written anew from what is there. Nothing on the page is
written by hand but this file's sentences.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import lbalgo as lb

from . import scale
from .bars import ratios
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
KEPT = ("machine", "commit", "load", "bars")  # of a run on another machine
HEAD = """# Performance

Losses stand beside wins, and before them. Made by `python -m benchmarks.report`, from runs on

{machines}

The load is the highest average before a table; a quiet machine's is below 2, as the run counts itself. Times, growth
and memory are those of A.

Times are the least of rounds in which all cases of a table take turns, each with a start that is not counted and then
in parts, the least of which counts, in three to twenty processes one after the other: as many as it takes for two to
come within 2 % of the least of each (the run of a3ade01: whole slices, in one process). They say little about your
machine; ratios within a table carry over better.
`python benchmarks/bars.py` measures all ratios anew, `python -m benchmarks` all times, `python -m benchmarks.scale` the
growth; `.ci/instructions` counts instructions of picks and builds beside those of the commit before, which needs no
quiet machine.
"""
GROWTH = """## Scale

Pools of equal backends, and how a pick and a build grow from 1000 to the largest pool: the exponent of N, beside what
is claimed. 0 is constant or logarithmic, 1 is linear. An exponent of up to 0.7 where the steps are constant are misses
of the caches: each step goes to another place in memory, and so do the objects that are given out. Memory is what a
process grows by, beside the least bytes that hold the same facts (`python -m benchmarks.scale`).
"""


def processor() -> str:
    """What the processor says it is; its name alone may be that of a family of them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        lines = []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family')}, model {facts.get('model')})"


def commit() -> str:
    """The commit that is measured, or what is about to follow it."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=PAGE.parent, check=True, capture_output=True, text=True
    ).stdout.strip()


def this_machine() -> str:
    """What it is called on the page."""
    from lbalgo.active import lanes

    return (
        f"{os.cpu_count()} processors, {platform.machine()}, {processor()}, SIMD level {lanes.level()}, "
        f"CPython {platform.python_version()}"
    )


def measured(tables: Iterable[str], known: dict[str, Any]) -> dict[str, Any]:
    """What is known, with these tables (or "scale") measured anew; of another machine, only its ratios stay known."""
    machine = this_machine()
    if known.get("machine", machine) != machine:
        before = {part: known[part] for part in KEPT}
        known = {"elsewhere": [one for one in [before, *known["elsewhere"]] if one["machine"] != machine]}
    known = {"ns": {}, "bars": {}, "scale": {}, "load": {}, "commit": {}, "elsewhere": []} | known
    known["machine"] = machine
    for table in tables:
        print(table, file=sys.stderr, flush=True)
        known["load"][table], known["commit"][table] = os.getloadavg()[0], commit()
        if table == "scale":
            known["scale"] = {name: row(name, *found) for name, *found in scale.everything(scale.SIZES[-1])}
            continue
        ns = known["ns"][table] = fill(table, quick=False)
        known["bars"][table] = [[*bar, ns[bar.what] / ns[bar.than]] for bar in bars(table)]
    return known


def beside(known: dict[str, Any]) -> dict[str, Any]:
    """What is known, with the bars of this machine measured anew and kept as those of one of the others."""
    run: dict[str, Any] = {"machine": this_machine(), "commit": {}, "load": {}, "bars": {}}
    for table in TABLES:
        print(table, file=sys.stderr, flush=True)
        run["load"][table], run["commit"][table] = os.getloadavg()[0], commit()
        run["bars"][table] = [[*bar, ratio] for bar, ratio in ratios(table, quick=False)]
    return known | {"elsewhere": [run, *[one for one in known["elsewhere"] if one["machine"] != run["machine"]]]}


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


def verdict(table: str, worst: float, most: float) -> str:
    """What is said of the worst ratio beside its bar."""
    if table == "peers" and worst > 1:
        return "**the peer is faster**"
    return "**missed**" if worst > most else "met"


def runs(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was measured of bars, on this machine and on others."""
    return [found, *found["elsewhere"]]


def bar_rows(found: dict[str, Any], tables: Iterable[str], missed: bool = False) -> list[list[str]]:
    """A line for each bar, or for each that is missed anywhere."""
    rows = []
    for table in tables:
        known = [{(what, than): ratio for what, than, _, ratio in run["bars"].get(table, [])} for run in runs(found)]
        for what, than, most, _ in found["bars"].get(table, []):
            ratios = [ratio[what, than] for ratio in known if (what, than) in ratio]
            cells = [f"{ratio[what, than]:.3g}" if (what, than) in ratio else "" for ratio in known]
            if max(ratios) > most or not missed:
                rows.append([f"{what} / {than}", *cells, f"{most:.3g}", verdict(table, max(ratios), most)])
    return rows


def account(run: dict[str, Any]) -> str:
    """Where and of what a run was, and how it ended."""
    missed = [ratio > most for rows in run["bars"].values() for _, _, most, ratio in rows]
    commits, load = ", ".join(sorted(set(run["commit"].values()))), max(run["load"].values())
    return f"{run['machine']}; commit {commits}: {sum(missed)} of {len(missed)} bars missed, load {load:.0f}"


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
    names = [chr(ord("A") + at) for at in range(len(runs(found)))]
    ratios = ["ratio of times", *names, "at most", ""]
    everything = [table for tables, _, _ in SECTIONS.values() for table in tables]
    machines = [f"- {name}: {account(run)}" for name, run in zip(names, runs(found), strict=True)]
    out = [HEAD.format(machines="\n".join(machines)), "## Losses", ""]
    out += lines(ratios, bar_rows(found, everything, missed=True))
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
    parser.add_argument(
        "--bars", action="store_true", help="measure the bars alone, beside what was measured elsewhere"
    )
    options = parser.parse_args(arguments)
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if options.bars and (options.measure is not None or found.get("machine", this_machine()) == this_machine()):
        parser.error("--bars is for another machine than that of the times: --measure them")
    if options.bars or options.measure is not None:
        if lb.kernels() != "cython":
            print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
            return 2
        steps = [beside] if options.bars else [partial(measured, [table]) for table in options.measure or choices]
        for step in steps:
            found = step(found)
            RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
