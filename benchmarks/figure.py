"""A figure: what one expects, where that comes from, what was measured, and whether the two agree.

What is measured is a sample: one value from each of several independent replications, so the mean has a t interval. A
figure is ok if that interval and the expectation, give or take what the expectation itself may be off by, meet; and
only if the interval is narrow: one so wide that everything agrees with it proves nothing. A figure that is only known
to lie on one side of something is ok if the whole interval does.

The chance that a right figure is missed is `ALPHA`, or less, when its seeds are drawn anew; seeds are constant, so
that a table that was ok stays so until the code changes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lbalgo.sim import Interval, Result, Scenario, interval, run

ALPHA = 1e-4
RUNS = 20
NARROW = 0.05  # half of an interval over the expectation, at most, unless the expectation is less certain than that


class Origin(enum.Enum):
    """Where an expectation comes from."""

    LAW = "exact law"
    PUBLISHED = "published"
    SIMULATION = "independent simulation"


class Side(enum.Enum):
    """How what is measured should stand to what is expected."""

    EQUAL = ""
    BELOW = "< "
    ABOVE = "> "


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    what : in words.
    expected : what it should be.
    origin : where that comes from.
    sample : what was measured: a value from each replication, or just one where there is no chance in it.
    within : what the expectation may be off by, as a part of it.
    side : whether it should be met, or be on one side of what was measured.
    """

    what: str
    expected: float
    origin: Origin
    sample: Sequence[float]
    within: float = 0.0
    side: Side = Side.EQUAL

    @property
    def band(self) -> Interval:
        """The measured mean, with its confidence interval."""
        if len(self.sample) == 1:
            return Interval(float(self.sample[0]), 0.0, 1.0 - ALPHA, 1)
        return interval([float(value) for value in self.sample], 1.0 - ALPHA)

    @property
    def ok(self) -> bool:
        """Whether what was measured is what was expected."""
        band, margin = self.band, self.within * abs(self.expected)
        if self.side is Side.BELOW:
            return band.high < self.expected
        if self.side is Side.ABOVE:
            return band.low > self.expected
        narrow = max(self.within, NARROW) * abs(self.expected)
        return abs(band.mean - self.expected) <= margin + band.half + 1e-12 and band.half <= narrow

    def row(self) -> tuple[str, str, str, str, str]:
        """What the table says."""
        margin = f" ± {100 * self.within:.2g} %" if self.within else ""
        band = self.band
        measured = f"{band.mean:.4g}" if band.n == 1 else str(band)
        expected = f"{self.side.value}{self.expected:.4g}{margin}"
        return self.what, expected, self.origin.value, measured, "ok" if self.ok else "missed"


HEAD = ("figure", "expected", "where from", "measured", "")


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [HEAD, *(figure.row() for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def mean(result: Result) -> float:
    return result.mean


def p99(result: Result) -> float:
    return result.quantile(0.99)


def samples(scenario: Scenario, *asked: Callable[[Result], float], runs: int = RUNS) -> list[list[float]]:
    """By what is asked of a run: its values over replications, which are those of seeds from the scenario's on."""
    results = [run(scenario.but(seed=scenario.seed + i)) for i in range(runs)]
    return [[ask(result) for result in results] for ask in asked or (mean,)]


def sample(scenario: Scenario, ask: Callable[[Result], float] = mean, runs: int = RUNS) -> list[float]:
    """What is asked of each of several runs."""
    return samples(scenario, ask, runs=runs)[0]
