"""StableTable: a table that is exactly even and changes no more positions than it must, because it remembers itself.

Maglev fills a table from the ids alone and pays with positions that change for no reason; rendezvous moves the minimum
and pays with shares that are even only by chance. A table that is *repaired* instead of refilled has both. When the
pool changes, each backend's quota of positions is computed anew; those that own more than their quota give up the
surplus, those that own less are given it. So exactly sum max(0, old_i - new_i) positions change, and no table can do
with fewer.

Quotas are the counts of Maglev's phased rule: the floor or the ceiling of M / N where weights are equal, else within 1
of T * w for one T. A backend more can only lower the others' quotas, so a joiner takes from all and nobody else gains,
and a leaver gives to all and nobody else loses.

Which positions a backend gives up: first those that belonged before to somebody who is now short, which get them back,
then in an order by hash. So a backend that leaves and comes back finds the table as it was. Each position keeps its
previous owner (`TableLayout.previous`): where a flow may have been begun, for a second try as in Beamer or Unimog.

The price is history: the table depends on the pools that were, not only on the pool that is. `picker.policy.layout` is
that history, plain data; whoever has to agree needs it. Without it a table begins as Maglev's of the same size.

Costs: build O(M log M) after a change, else O(1); pick O(1), one remainder and one load; memory a byte a position for
picking, ceil(log2 N) bits beyond 256 backends, and 8 bytes for the layout; disruption minimal.
Source: after the tables with a remembered predecessor of Olteanu et al., "Stateless Datacenter Load-balancing with
Beamer", NSDI 2018; the repair is the greedy solution of a transportation problem.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import MaglevTable, Structure, TicketPicker, derived, mix64, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import keyed_picker
from lbalgo.policies.maglev import TABLE_SIZE, Maglev, phased_turns
from lbalgo.policies.table_layout import TableLayout, layout_from_dict
from lbalgo.spec import to_dict
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class StableTable:
    """Consistent hashing by a table that is repaired: exact balance and least disruption at once, with a memory.

    Parameters
    ----------
    table_size : number of positions, a prime.
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).
    layout : the table to begin with, `picker.policy.layout` of another picker; None begins as `Maglev` does. With
        `previous` the layout is the previous picker's.

    Raises
    ------
    ConfigError : a parameter is invalid; the layout is of another size; at build, a positive weight that gets no
        position.

    Costs: build O(M log M) for M positions where ids or weights changed; pick O(1); memory M bytes (as `Maglev`) and
    8 M for the layout; disruption minimal: just sum max(0, old quota - new quota) positions change hands. `shares`
    is exact for the table; with coins in play the exact mean over the coins.
    Source: after Olteanu et al., "Beamer", NSDI 2018.

    Examples
    --------
    >>> three = StableTable(table_size=101).build(["a", "b", "c"])
    >>> two = StableTable(table_size=101).build(["a", "c"], previous=three)
    >>> len(three.policy.layout.changed(two.policy.layout)), round(three.shares()[1] * 101)
    (34, 34)
    >>> back = StableTable(table_size=101).build(["a", "b", "c"], previous=two)
    >>> back.fingerprint() == three.fingerprint()
    True
    """

    table_size: int = TABLE_SIZE
    hasher: Hasher = XXH64()
    seed: int = 0
    layout: TableLayout | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        Maglev(self.table_size)  # refuses what is no prime
        check_hasher(self.hasher, self.seed)
        object.__setattr__(self, "layout", layout_from_dict(self.layout, self.table_size))

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view, whose table is the previous picker's, repaired where ids or weights changed."""
        view = view_of(view)
        kept = self._kept(view, previous)
        return keyed_picker(kept, view, previous, lambda: kept._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data, the layout's in it; a secret or a function is not."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> StableTable:
        """The policy `to_dict` described."""
        policy: StableTable = policy_from_dict(cls, data, hasher)
        return policy

    def quotas(self, view: View[Any]) -> I64:
        """Positions that are each slot's due."""
        weighted = np.flatnonzero(view.weights > 0)
        due = np.zeros(len(view), dtype=np.int64)
        if len(weighted) > self.table_size:
            raise ConfigError(
                "table_size", self.table_size, f"must be at least the number of backends, {len(weighted)}"
            )
        if len(weighted):
            names = [view.ids[slot].encode() for slot in weighted]
            turns = phased_turns(view.weights[weighted].tolist(), names, self.table_size)
            due[weighted] = np.bincount(np.resize(turns, self.table_size))
        return due

    def _kept(self, view: View[Any], previous: Picker[Any] | None) -> StableTable:
        """This policy with the layout for this view; the previous picker's own where only signals moved."""
        before = self.layout
        if isinstance(previous, TicketPicker) and isinstance(previous.policy, StableTable):
            mine = previous.policy
            if mine.table_size == self.table_size and mine.layout is not None:
                before = mine.layout
            if (
                dataclasses.replace(mine, layout=self.layout) == self
                and previous.view.ids == view.ids
                and np.array_equal(previous.view.weights, view.weights)
            ):
                return mine
        return dataclasses.replace(self, layout=self._repaired(before, view))

    def _repaired(self, before: TableLayout | None, view: View[Any]) -> TableLayout | None:
        due = self.quotas(view)
        if not due.any():
            return before  # nobody to own anything: the table waits
        if before is None:
            table: Any = Maglev(self.table_size).build(view).structure
            return TableLayout.of(view.ids, np.asarray(table.table()), np.asarray(table.table()))
        return repaired(before, dict(zip(view.ids, due.tolist(), strict=True)))

    def _structure(self, view: View[Any]) -> Structure:
        layout = self.layout
        assert layout is not None, "whoever has weight has a table"
        slot = {name: k for k, name in enumerate(view.ids)}
        owners = np.array([slot.get(name, -1) for name in layout.ids], dtype=np.int32)
        return MaglevTable(owners[layout.owner_indices()], [mix64(xxh64(i.encode())) for i in view.ids])

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        return Maglev(self.table_size)._shares(picker)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        return b"StableTable" + Maglev(self.table_size)._content(picker, order)

    def _check(self, picker: TicketPicker[Any]) -> None:
        Maglev(self.table_size)._check(picker)
        if isinstance(picker.structure, MaglevTable):
            counts = np.bincount(picker.structure.table(), minlength=len(picker.backends))
            assert (counts == self.quotas(picker.view)).all(), "everybody owns its quota"


def repaired(before: TableLayout, due: Mapping[str, int]) -> TableLayout:
    """The layout in which each id owns as many positions as are its due, with the fewest changes.

    Parameters
    ----------
    before : the layout so far.
    due : id to number of positions; their sum is the table's size.

    Cost: O(M log M).

    Examples
    --------
    >>> before = TableLayout.of(("a", "b"), np.array([0, 0, 1, 1, 0]), np.array([0, 0, 1, 1, 0]))
    >>> after = repaired(before, {"a": 1, "b": 2, "c": 2})
    >>> len(before.changed(after)), [after.ids[k] for k in after.owner_indices()].count("c")
    (2, 2)
    """
    ids = tuple(sorted(set(before.ids) | set(due)))
    index = {name: k for k, name in enumerate(ids)}
    renamed = np.array([index[name] for name in before.ids], dtype=np.int64)
    owners, previous = renamed[before.owner_indices()], renamed[before.previous_indices()]
    wanted = np.array([due.get(name, 0) for name in ids], dtype=np.int64)
    short = wanted - np.bincount(owners, minlength=len(ids))  # positions to get (> 0) or to give up (< 0)
    if not short.any():
        return before
    salts = np.array([xxh64(name.encode(), 3) for name in ids], dtype=np.uint64)
    lots = derived(np.zeros(1, np.uint64), np.array([len(owners)]))  # one random word a position
    lots ^= salts[owners]
    back = short[previous] > 0  # whoever had it before is short now
    order = np.lexsort((lots, ~back, owners))  # by owner: first what may go back, then by lot
    place = np.arange(len(owners)) - np.searchsorted(owners[order], owners[order])
    freed = order[place < -short[owners[order]]]
    freed = freed[np.argsort(lots[freed], kind="stable")]
    taken = np.full(len(freed), -1, dtype=np.int64)
    for k, who in enumerate(previous[freed].tolist()):  # first to whom it was
        if short[who] > 0:
            taken[k] = who
            short[who] -= 1
    needy = np.repeat(np.arange(len(ids)), np.maximum(short, 0))
    needy = needy[np.argsort(derived(np.zeros(1, np.uint64), np.array([len(needy)])), kind="stable")]
    taken[taken < 0] = needy
    previous[freed] = owners[freed]
    owners[freed] = taken
    return TableLayout.of(ids, owners, previous)
