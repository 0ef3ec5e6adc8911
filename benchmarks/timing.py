"""Minima over interleaved rounds.

Machines are noisy and drift; so every case of a table runs once in every round, in an order drawn anew so that none
keeps step with what else the machine does, the least time of each case counts, and what is compared are ratios within
one run. A slice of time follows a shorter one that is not counted: what is in the caches shall be the case's own, not
the last one's, and a case of more data needs longer for that. And it is timed in parts: a core that is shared with
others may be left alone for a few tenths of a millisecond, and never for a slice. Times are gross of the loop that
makes the calls; the case "empty loop" shows what that is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from random import Random
from time import perf_counter_ns
from typing import Any, NamedTuple

WARMING = 3  # one part in so many of a slice is run before it, uncounted
PARTS = 16  # of a slice, each with a time of its own


@dataclass
class Case:
    """One thing to time: `run(n)` does it n times (or, with `per`, handles `per` items each time)."""

    name: str
    run: Callable[[int], object]
    per: int = 1
    count: int = 1
    times: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Least nanoseconds per item over the parts of all rounds."""
        return min(self.times)


class Bar(NamedTuple):
    """The time of one case over that of another in the same run, and the most it may be."""

    what: str
    than: str
    most: float


def statement(name: str, source: str, per: int = 1, **names: Any) -> Case:
    """A case that runs one line of Python in a loop, its names bound as local variables."""
    scope: dict[str, Any] = {"repeat": repeat, **names}
    bound = ", ".join(f"{n}={n}" for n in names)
    exec(f"def run(n, {bound}):\n for _ in repeat(None, n):\n  {source}", scope)
    return Case(name, scope["run"], per)


def over_keys(name: str, source: str, keys: list[Any], **names: Any) -> Case:
    """A case that runs one line of Python for each `k` of the keys, again and again."""
    scope: dict[str, Any] = {"repeat": repeat, "keys": keys, **names}
    bound = ", ".join(f"{n}={n}" for n in [*names, "keys"])
    exec(f"def run(n, {bound}):\n for _ in repeat(None, n):\n  for k in keys:\n   {source}", scope)
    return Case(name, scope["run"], len(keys))


def measure(cases: list[Case], *, rounds: int = 15, slice_ms: float = 3.0) -> dict[str, float]:
    """Nanoseconds per item of each case: the least part of `rounds` interleaved slices of about `slice_ms`."""
    for case in cases:
        case.run(1)
        while True:
            # of three, or one interruption makes slices too short to warm caches
            spent = min(_timed(case, case.count) for _ in range(3))
            if spent > slice_ms * 1e6 / 4 or case.count > 1 << 24:
                case.count = max(1, int(case.count * slice_ms * 1e6 / max(spent, 1)))
                break
            case.count *= 4
    draws = Random(1)
    for _ in range(rounds):
        for case in draws.sample(cases, len(cases)):
            case.run(case.count // WARMING)
            parts = min(PARTS, case.count)
            size = case.count // parts
            case.times += [_timed(case, size) / (size * case.per) for _ in range(parts)]
    return {case.name: case.best for case in cases}


def _timed(case: Case, n: int) -> int:
    start = perf_counter_ns()
    case.run(n)
    return perf_counter_ns() - start
