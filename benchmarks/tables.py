"""The tables of timings, and the run that fills one."""

from __future__ import annotations

from types import ModuleType

from . import affinity, build, bulk, compat, dialects, lease, loads, peers, scalar, simulator
from .timing import Bar, Case, measure

TABLES: dict[str, ModuleType] = {
    "scalar": scalar,
    "peers": peers,
    "bulk": bulk,
    "build": build,
    "lease": lease,
    "affinity": affinity,
    "loads": loads,
    "compat": compat,
    "dialects": dialects,
    "simulator": simulator,
}
SLOW = ("build", "compat", "dialects", "simulator")  # calls of milliseconds: fewer rounds, longer slices


def bars(table: str) -> tuple[Bar, ...]:
    """The bars of a table; most have none."""
    found: tuple[Bar, ...] = getattr(TABLES[table], "BARS", ())
    return found


def fill(table: str, quick: bool, only: set[str] | None = None) -> dict[str, float]:
    """Nanoseconds per item of every case of a table, or of those named in `only`."""
    cases: list[Case] = [case for case in TABLES[table].cases(quick) if only is None or case.name in only]
    rounds = 7 if quick else 15
    return measure(cases, rounds=rounds, slice_ms=10.0) if table in SLOW else measure(cases, rounds=3 * rounds)
