"""``lbalgo simulate``: a scenario from a TOML file, run, as a table, as JSON or as a figure."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import lbalgo
from lbalgo.cli_input import InputError, read_text
from lbalgo.cli_output import shown
from lbalgo.errors import LBError
from lbalgo.sim.intervals import interval
from lbalgo.sim.reading import read_toml
from lbalgo.sim.result import Result
from lbalgo.sim.running import run
from lbalgo.sim.traces import read_trace

SERVERS = 20  # lines of servers: the busiest, if there are more
Drawing = Callable[[str, Callable[[Any, Any], Any]], Callable[[Any], None]]


def add_simulate(commands: Any, parents: list[argparse.ArgumentParser], epilog: str) -> argparse.ArgumentParser:
    """The command's options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate", parents=parents, help="what a scenario comes to", epilog=epilog
    )
    parser.add_argument("scenario", metavar="SCENARIO.toml", help="what is simulated; - reads standard input")
    parser.add_argument("--trace", metavar="FILE", help="requests recorded as CSV or JSON lines: time, key, cost")
    parser.add_argument("--seed", metavar="N", type=int, help="another seed than the scenario's")
    parser.add_argument("--runs", metavar="N", type=int, default=1, help="so many seeds, from that one on; default 1")
    parser.add_argument("--plot", metavar="FILE", help="also draw a figure of the first run (.png, .pdf or .svg)")
    return parser


def simulate(args: argparse.Namespace, progress: Callable[[str], None], drawing: Drawing) -> list[str]:
    """The lines of the answer.

    Raises
    ------
    InputError : the scenario cannot be read or run; the text says where and why.
    """
    if args.runs < 1:
        raise InputError(f"--runs {args.runs}: must be >= 1")
    name = "standard input" if args.scenario == "-" else args.scenario
    try:
        scenario = read_toml(read_text(args.scenario))
        if args.trace is not None:
            scenario = read_trace(read_text(args.trace)).into(scenario)
        if args.seed is not None:
            scenario = scenario.but(seed=args.seed)
        save = drawing(args.plot, lambda plotting, result: plotting.plot_simulation(result)) if args.plot else None
        results: list[Result] = []
        for k in range(args.runs):
            which = f"run {k + 1} of {args.runs}: " if args.runs > 1 else ""
            each = scenario.but(seed=(scenario.seed + k) % 2**64)
            results.append(run(each, progress=lambda done, which=which: progress(f"{which}{100 * done:.0f} %")))  # type: ignore[misc]
    except LBError as error:
        raise InputError(f"{name}: {error}") from None
    progress("")
    if save is not None:
        save(results[0])
    if args.json:
        facts = {"scenario": name, "seed": scenario.seed, "kernels": lbalgo.kernels()}
        runs = [{**result.summary(), "servers": result.columns()} for result in results]
        return [json.dumps(_finite({**facts, "runs": runs}), indent=1)]
    return list(_table(results))


def _finite(data: Any) -> Any:
    """JSON knows no nan."""
    if isinstance(data, dict):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _table(results: list[Result]) -> Iterator[str]:
    first = results[0]
    rows = [result.summary() for result in results]
    yield f"{len(first.ids)} servers, {first.duration:g} s, of which {first.span:g} measured"
    yield ""
    for figure in ("arrived", "ended", "refused", "in_system", "ejections", "moved"):
        yield f"{figure.replace('_', ' '):<22}{sum(row[figure] for row in rows) / len(rows):>14,.0f}"
    for figure in ("throughput", "error_rate", "utilisation", "utilisation_most", "imbalance"):
        yield _line(figure.replace("_", " "), [row[figure] for row in rows])
    for figure in ("mean", "p50", "p90", "p99", "p99.9"):
        yield _line(f"latency {figure}", [row[figure] for row in rows])
    for what in ("outcomes", "refusals"):
        for name in sorted({name for row in rows for name in row[what]}):
            yield f"{what[:-1]} {shown(name):<14}{sum(row[what].get(name, 0) for row in rows) / len(rows):>13,.0f}"
    yield ""
    columns = first.columns()
    order = sorted(range(len(first.ids)), key=lambda i: -columns["utilisation"][i])[:SERVERS]
    yield f"{'server':<22}" + "".join(f"{title:>13}" for title in ("received", "failed", "utilisation", "mean jobs"))
    for i in sorted(order):
        cells = columns["received"][i], columns["failed"][i], columns["utilisation"][i], columns["mean_jobs"][i]
        yield f"{shown(columns['id'][i]):<22}{cells[0]:>13,}{cells[1]:>13,}{cells[2]:>13.4f}{cells[3]:>13.4g}"
    if len(first.ids) > SERVERS:
        yield f"the busiest {SERVERS} of {len(first.ids)}; --json has all"
    if len(results) > 1:
        yield f"means of {len(results)} runs with 95 % confidence intervals; servers are those of the first run"


def _line(name: str, values: list[float]) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return f"{name:<22}{'-':>14}"
    if len(known) < 2:
        return f"{name:<22}{known[0]:>14.4g}"
    band = interval(known)
    return f"{name:<22}{band.mean:>14.4g} ± {band.half:.2g}"
