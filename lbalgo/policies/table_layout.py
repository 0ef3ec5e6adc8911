"""`TableLayout`: who owns each position of a stable table, and who owned it before; frozen, comparable, plain data.

A layout is what a `StableTable` remembers. Positions are ticket mod size. Owners are indices into `ids`, 4 bytes each,
little-endian, so that a layout is hashed, compared and pickled as three small objects; `to_dict` makes lists of them.
An id that owns no position and owned none before is forgotten.

Costs: 8 bytes a position. Source: the two owners a position of Beamer (NSDI 2018) and of Unimog's buckets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from lbalgo.columns import column, word
from lbalgo.errors import ConfigError, DuplicateBackend
from lbalgo.spec import check_id
from lbalgo.types import I32, I64


@dataclass(frozen=True)
class TableLayout:
    """Owner and previous owner of each position of a table.

    Parameters
    ----------
    ids : whoever owns or owned a position, ascending.
    owners, previous : indices into `ids`, one for each position, as little-endian 32-bit integers.

    Raises
    ------
    ConfigError : ids, owners and previous do not fit each other.

    Examples
    --------
    >>> layout = TableLayout.of(["b", "a"], [0, 1, 1], [0, 0, 1])
    >>> layout.ids, layout.owner_of(4), layout.previous_of(4)
    (('a', 'b'), 'a', 'b')
    """

    ids: tuple[str, ...]
    owners: bytes
    previous: bytes

    def __post_init__(self) -> None:
        if isinstance(self.ids, (str, bytes)) or not isinstance(self.ids, Sequence) or not self.ids:
            raise ConfigError("ids", self.ids, "must be one or more ids")
        object.__setattr__(self, "ids", tuple(self.ids))
        for name in self.ids:
            check_id(name, "ids")
        for one, next_one in pairwise(self.ids):
            if one == next_one:
                raise DuplicateBackend(one)
            if one > next_one:
                raise ConfigError("ids", self.ids, "must ascend")
        for name in ("owners", "previous"):
            packed = getattr(self, name)
            if not isinstance(packed, bytes) or not packed or len(packed) % 4 or len(packed) != len(self.owners):
                raise ConfigError(name, packed, "must be bytes, four for each position, as many as owners")
            if np.frombuffer(packed, dtype="<u4").max() >= len(self.ids):
                raise ConfigError(name, packed, f"must hold indices below {len(self.ids)}")

    @classmethod
    def of(cls, ids: Sequence[str], owners: Any, previous: Any) -> TableLayout:
        """The layout of these indices into `ids`, in whatever order those come; ids that nobody refers to go."""
        now = column("owners", owners, 0, len(ids) - 1, np.int64)
        was = column("previous", previous, 0, len(ids) - 1, np.int64)
        used = np.unique(np.concatenate((now, was))).tolist()
        names: list[str] = sorted(str(ids[k]) for k in used)
        rank = np.zeros(len(ids), dtype="<u4")
        place = {name: k for k, name in enumerate(names)}
        for k in used:
            rank[k] = place[str(ids[k])]
        return cls(tuple(names), rank[now].tobytes(), rank[was].tobytes())

    @property
    def size(self) -> int:
        """Number of positions."""
        return len(self.owners) // 4

    def owner_indices(self) -> I32:
        """The owner of each position, as an index into `ids`."""
        return np.frombuffer(self.owners, dtype="<u4").astype(np.int32)

    def previous_indices(self) -> I32:
        """The previous owner of each position, as an index into `ids`; the owner where there was no other."""
        return np.frombuffer(self.previous, dtype="<u4").astype(np.int32)

    def owner_of(self, ticket: int) -> str:
        """The id that owns a ticket's position."""
        return self._at(self.owners, ticket)

    def previous_of(self, ticket: int) -> str:
        """The id that owned a ticket's position before its last change: where an older flow may be."""
        return self._at(self.previous, ticket)

    def _at(self, packed: bytes, ticket: int) -> str:
        start = 4 * (word("ticket", ticket) % self.size)
        return self.ids[int.from_bytes(packed[start : start + 4], "little")]

    def changed(self, other: TableLayout) -> I64:
        """The positions that have another owner in the other layout, a table of the same size.

        Raises
        ------
        ConfigError : it is of another size, or no layout.
        """
        if not isinstance(other, TableLayout) or other.size != self.size:
            raise ConfigError("other", other, f"must be a layout of {self.size} positions")
        mine = np.array(self.ids, dtype=object)[self.owner_indices()]
        return np.flatnonzero(mine != np.array(other.ids, dtype=object)[other.owner_indices()])

    def to_dict(self) -> dict[str, object]:
        """Lists of ids and indices."""
        owners, previous = self.owner_indices().tolist(), self.previous_indices().tolist()
        return {"type": "TableLayout", "ids": list(self.ids), "owners": owners, "previous": previous}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableLayout:
        """The layout `to_dict` described."""
        if not isinstance(data, Mapping) or set(data) - {"type"} != {"ids", "owners", "previous"}:
            raise ConfigError("TableLayout", data, "must be a mapping with ids, owners and previous")
        if data.get("type", "TableLayout") != "TableLayout":
            raise ConfigError("type", data["type"], "must be 'TableLayout'")
        packed = {}
        for name in ("owners", "previous"):
            packed[name] = column(name, data[name], 0, 2**31 - 1, np.int64).astype("<u4").tobytes()
        return cls(data["ids"], **packed)


def layout_from_dict(layout: Any, size: int) -> TableLayout | None:
    """The layout itself, or the one plain data describe, of so many positions; None stays."""
    if layout is None:
        return None
    made = layout if isinstance(layout, TableLayout) else TableLayout.from_dict(layout)
    if made.size != size:
        raise ConfigError("layout", layout, f"must have {size} positions, not {made.size}")
    return made
