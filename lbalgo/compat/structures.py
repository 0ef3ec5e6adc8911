"""Dialects whose decision is a function of the key: their own points, turns and hash on the native structures.

A dialect makes a `Ring` or a `MaglevTable` out of the backends that the real system would put into it, and says how a
key becomes a ticket. The rest (scalar and bulk path, walk, shares, fingerprint) is the native picker's. Real systems
leave a backend out of the structure when it fails, so acceptance coins play no part: the structure is the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import KeyHasher, MaglevTable, Ring, Structure, TicketPicker, arc_shares
from lbalgo.policies.building import KEYED, cursor_of
from lbalgo.types import F64, U64, Backend, Bool, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)
_RAW = 3  # the kernel's kind for a function of bytes whose answer is the ticket as it is


def raw_hasher(digest: Callable[[bytes], int]) -> KeyHasher:
    """A key hasher whose ticket is what `digest` makes of the key's bytes, in [0, 2**64), unchanged."""
    return KeyHasher(_RAW, 0, 0, 0, digest)


def dialect_picker(
    policy: Any,
    view: View[B],
    previous: Picker[B] | None,
    usable: Bool,
    structure: Callable[[], Structure],
    hasher: KeyHasher,
    *,
    anew: bool = False,
) -> TicketPicker[B]:
    """A picker by key over the backends in `usable`, one boolean a slot; nobody else is eligible.

    `structure` is called only if policy, backends, weights or the usable differ from the previous picker's, or if it is
    to be made `anew`; it is not called at all if nobody is usable.
    """
    shown = shown_view(view, usable)
    if (
        not anew
        and isinstance(previous, TicketPicker)
        and previous.policy == policy
        and previous.view.backends == shown.backends
        and np.array_equal(previous.view.weights, shown.weights)
        and np.array_equal(previous.view.eligible, shown.eligible)
    ):
        built = previous.structure
    else:
        built = structure() if usable.any() else Structure()
    return TicketPicker(policy, shown, built, hasher, KEYED, cursor_of(previous), False)


class ShownView(View[B]):
    """A view that shows as eligible whom a dialect uses; in a pickle and in print it is the view it was made from.

    The states that decided are in that view, so whoever builds from a copy of a picker decides the same.
    """

    __slots__ = ("origin",)
    origin: View[B]

    def __repr__(self) -> str:
        return repr(self.origin)

    def __reduce__(self) -> Any:
        return _itself, (self.origin,)


def _itself(view: View[Any]) -> View[Any]:
    return view


def shown_view(view: View[B], usable: Bool) -> View[B]:
    """The view with those in `usable`, one boolean a slot, for the eligible, and without factors."""
    if usable.all() and view.weights.all() and not view.states.any() and (view.factors == 1.0).all():
        return view  # says so already
    states = np.where(usable, 0, 2).astype(np.uint8)
    weights = np.where(usable & (view.weights == 0), 1.0, view.weights)  # some systems use backends of weight 0
    factors = np.ones(len(view))
    shown = ShownView(view.backends, weights, factors, states, panic_below=0.0, rows=view.rows, ids=view.ids)
    shown.origin = view
    return shown


def structure_shares(policy: Any, picker: TicketPicker[Any]) -> F64:
    """Exact shares of tickets: lengths of arcs, or positions of the table."""
    structure, slots = picker.structure, len(picker.backends)
    if isinstance(structure, Ring):
        everybody = picker.acceptance()
        shares = arc_shares(
            structure.points(), structure.owners(), everybody, picker.view.eligible, bool(structure.nearest)
        )
        return np.asarray(shares, dtype=np.float64)
    if isinstance(structure, MaglevTable):
        return np.bincount(np.asarray(structure.table()), minlength=slots) / structure.size
    return np.zeros(slots)


def structure_content(policy: Any, picker: TicketPicker[Any], order: list[int]) -> bytes:
    """All that decides, as bytes, whatever order the backends are listed in."""
    structure = picker.structure
    ranks = np.empty(len(order), dtype="<i4")
    ranks[order] = np.arange(len(order))
    if isinstance(structure, Ring):
        points = np.asarray(structure.points(), dtype="<u8").tobytes()
        return b"Ring" + bytes([structure.nearest]) + points + ranks[np.asarray(structure.owners())].tobytes()
    if isinstance(structure, MaglevTable):
        return b"Table" + ranks[np.asarray(structure.table())].tobytes()
    return b""


def structure_check(policy: Any, picker: TicketPicker[Any]) -> None:
    """Nobody who is not eligible owns a point or a position."""
    structure = picker.structure
    owners: Any = ()
    if isinstance(structure, Ring):
        points, owners = np.asarray(structure.points(), dtype=np.uint64), np.asarray(structure.owners())
        assert (points[:-1] <= points[1:]).all(), "points ascend"
    elif isinstance(structure, MaglevTable):
        owners = np.asarray(structure.table())
    assert picker.view.eligible[np.unique(owners).astype(np.int64)].all(), "only the eligible own anything"


def salts_of(view: View[Any]) -> Any:
    """What a `MaglevTable` wants besides its owners: salts of the order in which walks end."""
    z = hashes_of(view.ids)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # mix64, of all at once
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hashes_of(keys: Sequence[str | bytes], seed: int = 0) -> U64:
    """XXH64 of each of these.

    Examples
    --------
    >>> hashes_of(["", b"a"]).tolist()
    [17241709254077376921, 15154266338359012955]
    """
    out = np.empty(len(keys), dtype=np.uint64)
    KeyHasher(0, seed).sequence(keys, out)
    return out
