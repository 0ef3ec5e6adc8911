"""The tables of timings, and the run that fills one.

Where a process has its code and its data is drawn when it starts, and now and then a case takes a tenth or a third
longer in one process, from beginning to end, than in all others; and on a core that is shared with others, a case may
find none of its slices quiet. So a table is filled by several processes, until of every case the two least times, each
of another process, are close to one another: a least time that was found once may be one that others have yet to find.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from .timing import Bar, Case, measure

TABLES = ("scalar", "peers", "bulk", "build", "lease", "affinity", "loads", "compat", "dialects", "simulator")
SLOW = ("build", "compat", "dialects", "simulator")  # calls of milliseconds: fewer rounds, longer slices
FEWEST, MOST = 3, 20  # processes that fill a table
CLOSE = 1.02  # the second least time of a case over the least, at which the least is taken to be found


def module(table: str) -> Any:
    """The module of a table, imported when it is wanted: some need packages that nobody else does."""
    return import_module(f"{__package__}.{table}")


def bars(table: str) -> tuple[Bar, ...]:
    """The bars of a table; most have none."""
    found: tuple[Bar, ...] = getattr(module(table), "BARS", ())
    return found


def fill(table: str, quick: bool, only: set[str] | None = None) -> dict[str, float]:
    """Nanoseconds per item of every case of a table, or of those named in `only`."""
    if quick:
        return part(table, True, only)
    asked = json.dumps([table, sorted(only) if only is not None else None])
    command, root = [sys.executable, "-m", __name__], Path(__file__).resolve().parents[1]
    runs: list[dict[str, float]] = []
    while len(runs) < MOST:
        said = subprocess.run(command, input=asked, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
        runs.append(json.loads(said.splitlines()[-1]))
        times = {name: sorted(run[name] for run in runs) for name in runs[0]}
        if len(runs) >= FEWEST and all(ns[1] <= CLOSE * ns[0] for ns in times.values()):
            break
    return {name: ns[0] for name, ns in times.items()}


def part(table: str, quick: bool, only: set[str] | None) -> dict[str, float]:
    """What one process makes of it."""
    cases: list[Case] = [case for case in module(table).cases(quick) if only is None or case.name in only]
    rounds = 7 if quick else 5
    return measure(cases, rounds=rounds, slice_ms=10.0) if table in SLOW else measure(cases, rounds=3 * rounds)


if __name__ == "__main__":
    asked_table, asked_cases = json.load(sys.stdin)
    print(json.dumps(part(asked_table, False, None if asked_cases is None else set(asked_cases))))
