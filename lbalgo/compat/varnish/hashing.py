"""Varnish's hash director: a key's share of the sum of weights decides.

r = H32(key) / 2**32 in [0, 1); the first healthy backend at which the sum of the healthy weights so far is greater than
r times the sum of them all, in doubles. So every backend has one interval of hash values, from where the one before
ends; a backend that fails or comes back moves the ends of all the others: most keys move.

As data: a ring with one point a backend, the last hash value that the doubles give it, found by bisection on the very
same expression; the last backend's is the end of the ring. What is shorter than one value has no point: it gets no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

from lbalgo.active import Ring, TicketPicker
from lbalgo.compat.structures import dialect_picker, raw_hasher, structure_check, structure_content, structure_shares
from lbalgo.compat.varnish.backend import H32, h32, healthy
from lbalgo.endpoint import Endpoint
from lbalgo.explaining import Steps, hash_step
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)
VALUES = 1 << 32  # of the hash


def last_values(weights: list[float]) -> list[int]:
    """For each backend the last hash value at which it, or one before it, is used; -1 for none.

    Examples
    --------
    >>> [hex(value) for value in last_values([1.0, 3.0])]
    ['0x3fffffff', '0xffffffff']
    """
    sums = list(accumulate(weights))  # one rounding after the other, which `sum` need not do
    found = []
    for reached in sums:
        low, high = -1, VALUES - 1
        while low < high:  # h * 2**-32 is exact, and its product with the total does not fall as h grows
            middle = (low + high + 1) // 2
            if middle * 2.0**-32 * sums[-1] < reached:
                low = middle
            else:
                high = middle - 1
        found.append(low)
    return found


@dataclass(frozen=True)
class Hash:
    """The hash director: a key's place on the healthy backends laid end to end by weight.

    A walk, and so `exclude`, goes on to the next backend on the line; Varnish itself has no second choice.
    Factors (slow start) and panic play no part; UNHEALTHY and DRAINING backends are sick, and weight 0 gets nothing.

    Costs: build O(32 N), pick O(1), memory 28 N bytes; disruption: any change of weights, members or health moves most
    keys, and so does the listing order. `shares` is exact.
    Source: Varnish 7.1 documentation, vmod_directors, "hash"; replayed against 7.1.1.

    Examples
    --------
    >>> picker = Hash().build({"a": 1, "b": 3})
    >>> picker.shares().tolist()
    [0.25, 0.75]
    >>> [picker.pick(url).id for url in ("/", "/b", "/f")]
    ['b', 'b', 'a']
    """

    hash_bits: ClassVar[int] = 32

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the line is the previous picker's if nothing changed."""
        view = view_of(view)
        able = np.flatnonzero(healthy(view) & (view.weights > 0))
        last = np.array(last_values(view.weights[able].tolist()), dtype=np.int64)
        some = np.diff(last, prepend=-1) > 0
        usable = np.zeros(len(view), dtype=bool)
        usable[able[some]] = True
        points = (last[some].astype(np.uint64) << np.uint64(32)) | np.uint64(0xFFFFFFFF)
        owners = able[some].astype(np.int32)
        return dialect_picker(
            self, view, previous, usable, lambda: Ring(points, owners, len(view)), raw_hasher(hash_ticket)
        )

    def explain_key(self, data: bytes) -> Steps:
        """The hash of a key."""
        return [hash_step(h32(data), H32)]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Hash:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


def hash_ticket(key: bytes) -> int:
    """The 32 bits of the hash in the upper half of a ticket."""
    return h32(key) << 32
