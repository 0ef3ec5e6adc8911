"""The tables of timings, and the run that fills one.

Where a process has its code and its data is drawn when it starts, and now and then a case takes a tenth or a third
longer in one process, from beginning to end, than in all others. So a table is filled by several, each with its part of
the rounds, and the least time of a case is that of all of them.
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
PROCESSES = 3


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
    least: dict[str, float] = {}
    for _ in range(PROCESSES):
        said = subprocess.run(command, input=asked, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
        found: dict[str, float] = json.loads(said.splitlines()[-1])
        least = {name: min(ns, least.get(name, ns)) for name, ns in found.items()}
    return least


def part(table: str, quick: bool, only: set[str] | None) -> dict[str, float]:
    """What one process makes of it."""
    cases: list[Case] = [case for case in module(table).cases(quick) if only is None or case.name in only]
    rounds = 7 if quick else 5
    return measure(cases, rounds=rounds, slice_ms=10.0) if table in SLOW else measure(cases, rounds=3 * rounds)


if __name__ == "__main__":
    asked_table, asked_cases = json.load(sys.stdin)
    print(json.dumps(part(asked_table, False, None if asked_cases is None else set(asked_cases))))
