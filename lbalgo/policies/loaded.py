"""What building a picker by live load has in common: load, rows and cursor handed on."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from lbalgo.active import AliasTable, LoadPicker, Urn
from lbalgo.columns import LAST_OWNER, MOST_BALLS
from lbalgo.errors import ConfigError
from lbalgo.loads.overdue import Overdue
from lbalgo.loads.specs import started
from lbalgo.policies.building import cursor_of
from lbalgo.policies.round_robin import whole_weights
from lbalgo.policies.weighted_random import alias_table
from lbalgo.spec import check_real
from lbalgo.types import I64, Backend, LoadSpec, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)

FEW_BALLS = 1024  # 8 KiB; of more backends four each, 32 bytes


def load_picker(
    policy: Any,
    view: View[B],
    previous: Picker[B] | None,
    spec: LoadSpec,
    *,
    choices: int | None = None,
    first: bool = False,
    force_after: float | None = None,
) -> LoadPicker[B]:
    """A picker by live load; `choices` None compares all.

    With `force_after` the load is one in which those that got no request for so long count as idle.

    The previous picker's load is taken over if its specification is equal; otherwise a new one starts from 0.
    """
    spec = spec if force_after is None else Overdue(spec, force_after)
    compared = len(view) if choices is None else choices
    table = drawing(view) if compared < np.count_nonzero(view.eligible) else None
    same = isinstance(previous, LoadPicker) and previous.spec == spec
    load = previous.load if isinstance(previous, LoadPicker) and same else started(spec)
    rows, unused = rows_of(view, previous)
    return LoadPicker(policy, view, spec, load, rows, unused, table, cursor_of(previous), compared, first)


def drawing(view: View[Any]) -> AliasTable | Urn:
    """What draws the eligible by weight x factor: an urn where few balls are enough, else an alias table."""
    slots = np.flatnonzero(view.eligible)
    limit = min(max(FEW_BALLS, 4 * len(slots)), MOST_BALLS) if len(view.weights) <= LAST_OWNER else 0
    weights = whole_weights(view.weights[slots].tolist(), view.factors[slots].tolist(), limit)
    return alias_table(view) if weights is None else Urn(slots, weights, len(view))


def check_force_after(value: object) -> None:
    """None, or seconds > 0."""
    if value is not None:
        check_real("force_after", value, low=0.0, open_low=True)


def rows_of(view: View[Any], previous: Picker[Any] | None) -> tuple[I64, int]:
    """The row of each slot, and the first row never used: the view's rows, or the previous picker's by id.

    A backend that joins gets a row nobody had before: requests to those that left may still be open in theirs.

    Raises
    ------
    ConfigError : the view's rows are not distinct integers in [0, 2**31).
    """
    known: dict[str, int] = {}
    unused = 0
    if hasattr(previous, "unused"):  # a picker with a load that is kept by row
        before: Any = previous
        known, unused = dict(zip(before.view.ids, before.rows.tolist(), strict=True)), before.unused
    if view.rows is None:
        rows = np.empty(len(view), dtype=np.int64)
        for slot, id in enumerate(view.ids):
            rows[slot] = known.get(id, unused)
            unused += id not in known
    else:
        rows = view.rows
        for row in rows[(rows < 0) | (rows >= 2**31)].tolist():
            raise ConfigError("rows", row, "must be in [0, 2**31)")
        if len(np.unique(rows)) != len(rows):
            raise ConfigError("rows", rows.tolist(), "must be distinct")
        unused = max(unused, int(rows.max(initial=-1)) + 1)
    return rows, unused
