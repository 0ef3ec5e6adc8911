"""The tables of timings, and the run that fills one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .timing import Bar, Case, measure

TABLES = ("scalar", "peers", "bulk", "build", "lease", "affinity", "loads", "compat", "dialects", "simulator")
SLOW = ("build", "compat", "dialects", "simulator")  # calls of milliseconds: fewer rounds, longer slices


def module(table: str) -> Any:
    """The module of a table, imported when it is wanted: some need packages that nobody else does."""
    return import_module(f"{__package__}.{table}")


def bars(table: str) -> tuple[Bar, ...]:
    """The bars of a table; most have none."""
    found: tuple[Bar, ...] = getattr(module(table), "BARS", ())
    return found


def fill(table: str, quick: bool, only: set[str] | None = None) -> dict[str, float]:
    """Nanoseconds per item of every case of a table, or of those named in `only`."""
    cases: list[Case] = [case for case in module(table).cases(quick) if only is None or case.name in only]
    rounds = 7 if quick else 15
    return measure(cases, rounds=rounds, slice_ms=10.0) if table in SLOW else measure(cases, rounds=3 * rounds)
