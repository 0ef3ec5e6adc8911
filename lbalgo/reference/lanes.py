"""Plain twin of `lbalgo.kernels.lanes`: without compiled kernels there is one level."""

from __future__ import annotations

from lbalgo.columns import LEVELS, level_of


def levels() -> tuple[str, ...]:
    """The levels there are, from the lowest to the highest."""
    return LEVELS[:1]


def level() -> str:
    """The level in use."""
    return LEVELS[0]


def use(name: str, parameter: str = "level") -> None:
    """From now on this level, one of `levels()`; an error names it as `parameter`."""
    level_of(parameter, name, levels())
