"""Random: every request goes to a backend drawn by weight, independently of all others.

The alias method draws in constant time: k equal buckets, each shared by at most two backends. Here it is built on whole
tickets. Backend i owns c_i of the 2**64 tickets, c_i = floor(2**64 * w_i / W) and at least 1, and the heaviest owns
what is left; a ticket times k, upper half, is its bucket, and the ticket itself is the coin. Shares are therefore exact
rationals: within 2**-64 of w_i / W for everybody, and within N * 2**-64 for the heaviest.

Costs: build O(N); pick O(1); memory 16 k + 8 N bytes.
Sources: Walker, "An Efficient Method for Generating Discrete Random Variables with General Distributions", ACM TOMS 3,
1977; Vose, "A Linear Algorithm for Generating Random Numbers with a Given Distribution", IEEE TSE 17, 1991.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import AliasTable, TicketPicker, mix64, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.policies.building import RANDOM, unkeyed_picker
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import F64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
TICKETS = 1 << 64


@dataclass(frozen=True)
class Random:
    """A backend drawn in proportion to weight x factor, from a seeded generator.

    A key is accepted and ignored, so that one call site serves every policy. A bare build draws the same sequence every
    time; `reseed` moves it.

    Costs: build O(N), pick O(1), memory 16 bytes for each eligible backend and 8 for each; disruption does not apply.
    `shares` is exact for the table: within 2**-64 of the law, N * 2**-64 for the heaviest backend.
    Source: Walker, ACM TOMS 3, 1977; Vose, IEEE TSE 17, 1991; tickets from SplitMix64 (Steele, Lea, Flood 2014).

    Examples
    --------
    >>> picker = Random().build({"a": 3, "b": 1})
    >>> picker.shares()
    array([0.75, 0.25])
    >>> "".join(picker.pick().id for _ in range(16))
    'aaaaaaaaaaaabbbb'
    """

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the generator goes on where the previous one's stands."""
        view = view_of(view)
        return unkeyed_picker(self, view, previous, lambda: alias_table(view), RANDOM)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Random:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        return np.array([count / TICKETS for count in _owned(picker)], dtype=np.float64)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        counts = _owned(picker)
        slots = np.flatnonzero(picker.view.eligible).tolist()
        ranks = {slot: rank for rank, slot in enumerate(order)}
        parts = [ranks[slot].to_bytes(4, "little") + counts[slot].to_bytes(9, "little") for slot in slots]
        return b"Alias" + b"".join(parts)

    def _check(self, picker: TicketPicker[Any]) -> None:
        counts, view = _owned(picker), picker.view
        slots = np.flatnonzero(view.eligible)
        assert [count > 0 for count in counts] == view.eligible.tolist(), "the eligible own tickets, and nobody else"
        if len(slots):
            assert [counts[slot] for slot in slots] == ticket_counts(_effective(view, slots)), "all own their due"


def ticket_counts(weights: Iterable[float]) -> list[int]:
    """How many of 2**64 tickets each weight > 0 owns: floor(2**64 * w / W), at least 1; the heaviest owns the rest.

    Examples
    --------
    >>> [hex(c) for c in ticket_counts([1.0, 3.0])]
    ['0x4000000000000000', '0xc000000000000000']
    """
    values = list(weights)
    ratios = {w: w.as_integer_ratio() for w in set(values)}
    denominator = max(d for _, d in ratios.values())  # powers of two, so that the greatest is a multiple of all
    units = {w: n * (denominator // d) for w, (n, d) in ratios.items()}
    total = sum(units[w] for w in values)
    owned = {w: max(unit * TICKETS // total, 1) for w, unit in units.items()}
    counts = [owned[w] for w in values]
    heaviest = values.index(max(values))
    counts[heaviest] += TICKETS - sum(counts)
    return counts


def _effective(view: View[Any], slots: Any) -> list[float]:
    product: list[float] = np.maximum(view.weights[slots] * view.factors[slots], np.nextafter(0, 1)).tolist()
    return product


def alias_table(view: View[Any]) -> AliasTable:
    """The table that draws the eligible backends of a view by weight x factor; at least one has to be eligible."""
    slots = np.flatnonzero(view.eligible)
    counts = [count % TICKETS for count in ticket_counts(_effective(view, slots))]
    return AliasTable(slots, np.array(counts, dtype=np.uint64), [mix64(xxh64(i.encode())) for i in view.ids])


def _owned(picker: TicketPicker[Any]) -> list[int]:
    structure = picker.structure
    return structure.owned() if isinstance(structure, AliasTable) else [0] * len(picker.backends)
