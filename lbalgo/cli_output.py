"""What the command line writes: the comparison's table, flows, and the same as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from lbalgo.measure import Balance, Disruption, Row

WIDTH = 100  # columns a table may take
_NAME, _CELL = 22, 6  # a longer name has a line of its own; a figure has at most five characters
_GROUPS = (("", _NAME), ("- shares -", 2), ("-- keys --", 2), ("- one leaves, % -", 3), ("- one joins, % -", 3))
_COLUMNS = "peak", "cv, %", "peak", "p", *("moved", "least", "extra") * 2, "ms", "ns", "ns"
_LEGEND = (
    "peak: the most loaded backend over the mean, per unit of weight; cv: coefficient of variation",
    "p: chance that a fair hash spreads the distinct keys less evenly over the shares than this one did",
    "least: what had to move whatever the algorithm; extra: the rest; ms to build, ns a pick, ns in bulk",
)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of the comparison, none longer than `WIDTH` columns.

    Figures a policy does not have are dashes; why, and how movement was measured if not exactly, stands below its row.
    """
    yield "".join(f"{title:>{_CELL * span}}" if title else " " * span for title, span in _GROUPS) + " build  pick  bulk"
    yield f"{'policy':<{_NAME}}" + "".join(f"{title:>{_CELL}}" for title in _COLUMNS)
    for row in rows:
        yield from _row(row)
    yield ""
    yield from _LEGEND


def _row(row: Row) -> Iterator[str]:
    name = row.name
    if len(name) > _NAME:
        yield from textwrap.wrap(name, WIDTH, break_on_hyphens=False)
        name = ""
    even = [result for result in (row.structure, row.sample) if result is not None]
    structure, sample = even if len(even) == 2 else (None, None)
    cells = [
        _figure(structure.peak_to_mean if structure else None),
        _figure(structure.cv if structure else None, 100),
        _figure(sample.peak_to_mean if sample else None),
        _chance(sample.p if sample else None),
        *_movement(row.leave),
        *_movement(row.join),
        _figure(row.build, 1e3, 3),
        _figure(row.pick, 1e9, 3),
        _figure(row.bulk, 1e9, 3),
    ]
    yield f"{name:<{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)
    notes = [row.reason] if row.reason else []
    for what, change in (("leave", row.leave), ("join", row.join)):
        if change is not None and not change.exact:
            notes.append(f"{what}: moved is sampled on {change.keys} keys, standard error {100 * change.error:.2g} %")
    for note in notes:
        yield from textwrap.wrap(note, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _movement(change: Disruption | None) -> list[str]:
    figures = (None, None, None) if change is None else (change.moved, change.minimal, change.excess)
    return [_figure(figure, 100) for figure in figures]


def _figure(value: float | None, unit: float = 1.0, digits: int = 4) -> str:
    """At most five characters: so many significant digits if they fit, no exponent below 100 000."""
    if value is None or math.isnan(value):
        return "-"
    scaled = value * unit
    for places in range(digits - 1, -1, -1):
        text = f"{scaled:.{places}f}"
        if len(text) <= digits + (places > 0):
            return text
    return text if len(text) <= 5 else f"{scaled:.0e}".replace("e+0", "e").replace("e+", "e")


def _chance(p: float | None) -> str:
    if p is None:
        return "-"
    if p < 1e-9:
        return "<1e-9"
    return f"{p:.3f}" if p >= 0.0005 else f"{p:.0e}".replace("e-0", "e-")


_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


def shown(name: str) -> str:
    r"""An id or a key as text: control characters as ``\xNN``, so that a line stays a line, and a terminal itself.

    Examples
    --------
    >>> print(shown("a\tb"))
    a\x09b
    """
    return name.translate(_ESCAPES)


def movement(name: str, change: Disruption, top: int) -> Iterator[str]:
    """The lines of one policy's movement: the totals, then the largest flows and what is left of them."""
    how = {
        "structure": "exact, on the structure",
        "law": "exact, by the algorithm's law",
        "sample": f"sampled on {change.keys} keys, standard error of moved {_percent(change.error)}",
    }[change.method.value]
    yield f"{name}: {how}"
    yield f"moved {_percent(change.moved)}, at least {_percent(change.minimal)}, in excess {_percent(change.excess)}"
    amounts = change.amounts.tolist()
    for loser, gainer, amount in zip(change.losers[:top], change.gainers[:top], amounts[:top], strict=True):
        yield f"{_percent(amount)}\t{shown(loser)}\t->\t{shown(gainer)}"
    if len(amounts) > top:
        yield f"{_percent(math.fsum(amounts[top:]))}\tin {len(amounts) - top} more flows"


def _percent(value: float) -> str:
    return f"{100 * value:.4f} %"


def row_to_dict(row: Row) -> dict[str, Any]:
    """A row as JSON-ready data: seconds and fractions, None where there is no figure."""
    return {
        "policy": row.name,
        "shares": _balance(row.structure),
        "keys": _balance(row.sample),
        "leave": row.leave and disruption_to_dict(row.leave),
        "join": row.join and disruption_to_dict(row.join),
        "build_seconds": row.build,
        "pick_seconds": row.pick,
        "bulk_pick_seconds": row.bulk,
        "reason": row.reason or None,
    }


def disruption_to_dict(change: Disruption) -> dict[str, Any]:
    """A disruption without its flows as JSON-ready data."""
    return {
        "moved": change.moved,
        "minimal": change.minimal,
        "excess": change.excess,
        "method": change.method.value,
        "error": change.error,
        "keys": change.keys,
    }


def _balance(result: Balance | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "peak_to_mean": result.peak_to_mean,
        "cv": result.cv,
        "chi2": result.chi2,
        "freedom": result.freedom,
        "p": result.p,
        "keys": result.keys,
        "distinct": result.distinct,
    }
