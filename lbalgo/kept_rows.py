"""What loads keep by row: columns that grow, and snapshots of rows with ages instead of instants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_row


def grown(values: Any, size: int, fill: float, native: bool) -> Any:
    """A column of `size` numbers that begins with these and goes on with `fill`; an array if native, else a list.

    Examples
    --------
    >>> grown([1.0], 3, 0.5, False)
    [1.0, 0.5, 0.5]
    """
    if not native:
        return [*values, *[fill] * (size - len(values))]
    wider = np.full(size, fill, dtype=np.float64)
    wider[: len(values)] = values
    return wider


def check_kept(kind: str, state: object, *fields: str) -> dict[int, tuple[float, ...]]:
    """The rows of a snapshot of a load of this kind, each the fields' numbers; JSON's string keys are rows too.

    Raises
    ------
    ConfigError : it is something else, or a number is not finite and >= 0.

    Examples
    --------
    >>> check_kept("Reported", {"type": "Reported", "rows": {"3": {"age": 1.0}}}, "age")
    {3: (1.0,)}
    """
    rows = state.get("rows") if isinstance(state, Mapping) and set(state) == {"type", "rows"} else None
    if not isinstance(state, Mapping) or not isinstance(rows, Mapping) or state.get("type") != kind:
        raise ConfigError("state", state, f"must be a snapshot of a load of type {kind}")
    kept: dict[int, tuple[float, ...]] = {}
    for name, known in rows.items():
        row = check_row(int(name) if isinstance(name, str) and name.isdecimal() else name, "state['rows']")
        if not isinstance(known, Mapping) or set(known) != set(fields):
            raise ConfigError(f"state['rows'][{row}]", known, f"must have {', '.join(fields)}")
        kept[row] = tuple(check_real(f"state['rows'][{row}]['{f}']", known[f], low=0.0, high=1e300) for f in fields)
    return kept


def check_part(kind: str, state: object, parts: int) -> list[Any]:
    """The parts' states in a snapshot of a load that is made of others.

    Raises
    ------
    ConfigError : it is something else.
    """
    inner = state.get("parts") if isinstance(state, Mapping) and set(state) == {"type", "parts"} else None
    if (
        not isinstance(state, Mapping)
        or state.get("type") != kind
        or not isinstance(inner, list)
        or len(inner) != parts
    ):
        raise ConfigError("state", state, f"must be a snapshot of a load of type {kind} with {parts} parts")
    return inner


def check_same(other: Any, load: Any) -> None:
    """Refuses what is no load of the same specification, the only ones that merge.

    Raises
    ------
    ConfigError : it is another.
    """
    if type(other) is not type(load) or getattr(other, "spec", None) != load.spec:
        raise ConfigError("other", other, f"must be a load of {load.spec!r}")
