"""A pool in parts, each with a picker of its own and a share of the requests: what priorities and zones have in common.

A request draws its part by share, by its key where it has one, so that a key stays in its part while shares do; then
the part's picker chooses. The walk goes through the drawn part first, then through the others in their order: a retry
that has used up its part goes on in the next.

The part is drawn by mix64(ticket ^ PART), so that within its part a key is as random as before: with the ticket itself
the first part would only know tickets below its share.

A part's picker continues from the part of the same name before; live load is one, whoever counts. Costs: a few integer
operations and a hash of the key more than the part's pick; nothing while one part has everything.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import Cursor, mix64
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.hashing import key_hasher
from lbalgo.policies.loaded import rows_of
from lbalgo.spec import check_integer
from lbalgo.types import F64, I64, Backend, Bool
from lbalgo.view import View

B = TypeVar("B", bound=Backend)
PART = 0x5EED_0F_7AE_9A27  # sets the draw of the part apart from what is drawn within it
GAMMA, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1


@dataclass(frozen=True)
class Part:
    """One part of a pool.

    Attributes
    ----------
    name : by which it continues after a rebuild.
    share : of all requests.
    slots : of its backends in the whole pool.
    picker : its own.
    """

    name: Hashable
    share: float
    slots: I64
    picker: Any


@dataclass(frozen=True)
class Piece:
    """What a part is to be made of: its name, its members by a mask over the pool, its share, when it panics."""

    name: Hashable
    mask: Bool
    share: float
    panic_below: float


def parted(
    policy: Any,
    view: View[B],
    inner: Any,
    pieces: Iterable[Piece],
    previous: Any,
) -> PartedPicker[B]:
    """The picker of a pool in these pieces, each picked from by a picker of `inner`.

    Parameters
    ----------
    policy : the specification that builds it; its `hasher` and `seed` make the tickets of keys.
    view : the whole pool.
    inner : the policy of each part.
    pieces : whose shares sum to 1.
    previous : the picker before, or None.
    """
    rows, unused = rows_of(view, previous)
    columns = view.backends, view.weights, view.factors, view.states
    before: dict[Hashable, Any] = {}
    sibling = previous
    if isinstance(previous, PartedPicker):
        before = {part.name: part.picker for part in previous.parts}
        sibling = next((picker for picker in before.values() if hasattr(picker, "load")), None)
    parts = []
    for piece in pieces:
        whole = View(*columns, panic_below=piece.panic_below, rows=rows, ids=view.ids)
        picker = inner.build(whole.restrict(piece.mask), previous=before.get(piece.name, sibling))
        if hasattr(picker, "load"):
            sibling = picker  # one load for all
        parts.append(Part(piece.name, piece.share, np.flatnonzero(piece.mask), picker))
    cursor = previous.chance if isinstance(previous, PartedPicker) else Cursor()
    return PartedPicker(policy, view, tuple(parts), rows, unused, cursor)


class PartedPicker(Generic[B]):
    """A snapshot of a pool in parts; made by `ByPriority` and `ByZone`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    parts : in order of preference.
    rows : row of each slot.
    unused : the first row that neither this picker nor one before it used.
    chance : state of the generator that draws the part of a request without a key.
    """

    def __init__(
        self,
        policy: Any,
        view: View[B],
        parts: tuple[Part, ...],
        rows: I64,
        unused: int,
        chance: Cursor,
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.parts = parts
        self.rows = rows
        self.unused = unused
        self.chance = chance
        self._ticket = key_hasher(policy.hasher, policy.seed)
        able = [bool(part.picker.view.eligible.any()) for part in parts]
        drawn = [part.share if ok else 0.0 for part, ok in zip(parts, able, strict=True)]
        if not any(drawn) and any(able):
            drawn[able.index(True)] = 1.0  # whoever was meant has nobody
        self._last = max((at for at, share in enumerate(drawn) if share > 0.0), default=None)
        self._ends = [end / sum(drawn) for end in accumulate(drawn)] if self._last is not None else []
        self._lone = self._last if sum(share > 0.0 for share in drawn) == 1 else None
        self._able = any(able)
        load = next((part.picker.load for part in parts if hasattr(part.picker, "load")), None)
        if load is not None:
            self.load = load

    @property
    def cursor(self) -> Any:
        """The first part's cursor, if it has one."""
        return getattr(self.parts[0].picker, "cursor", None) if self.parts else None

    def part(self, key: Any = None) -> Part | None:
        """The part that this key, or the next request without one, draws; None where nobody is eligible."""
        if self._last is None:
            return None
        if self._lone is not None:
            return self.parts[self._lone]
        bits = (self.chance.state + GAMMA) & WORD if key is None else self._ticket(key)
        coin = (mix64(bits ^ PART) >> 11) * 2.0**-53
        for at, end in enumerate(self._ends):
            if coin < end:
                return self.parts[at]
        return self.parts[self._last]

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """What the drawn part's picker picks; with `exclude` the first of the walk that is not in it."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        part = self.part(key)
        chosen: B | None
        if part is None:
            chosen = None
        elif exclude == ():
            chosen = part.picker.pick(key)
        else:
            chosen = next((backend for backend in self._from(part, key) if backend.id not in exclude), None)
            if key is None and chosen is not None:
                part.picker.pick()  # spends the ticket that the walk has looked at
        if chosen is None:
            raise NoBackend("excluded" if self._able else "ineligible" if self.backends else "empty")
        if key is None:
            self.chance.state = (self.chance.state + GAMMA) & WORD
        return chosen

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once: the drawn part's walk, then those of the others in their order."""
        if key is not None:
            self._ticket(key)  # refuses now, not when the walk begins
        part = self.part(key)
        return iter(()) if part is None else self._from(part, key)

    def _from(self, part: Part, key: Any) -> Iterator[B]:
        yield from part.picker.walk(key)
        for other in self.parts:
            if other is not part:
                yield from other.picker.walk(key)

    def shares(self) -> F64:
        """Each slot's share, by the parts' shares and by what their own pickers say."""
        shares = np.zeros(len(self.backends))
        begin = 0.0
        for part, end in zip(self.parts, self._ends, strict=False):
            if end > begin:
                shares[part.slots] = (end - begin) * part.picker.shares()
            begin = end
        return shares

    def reseed(self, seed: int) -> None:
        """Moves all cursors: requests without a key go on from here, an int in [0, 2**64)."""
        check_integer("seed", seed, low=0, high=WORD)
        for part in self.parts:
            if hasattr(part.picker, "reseed"):
                part.picker.reseed(seed)
        self.chance.state = seed

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself or its parts."""
        slots = [slot for part in self.parts for slot in part.slots.tolist()]
        assert len(set(slots)) == len(slots), "parts do not overlap"
        assert self._ends == sorted(self._ends), "shares are not negative"
        for part in self.parts:
            assert [b.id for b in part.picker.backends] == [self.view.ids[slot] for slot in part.slots]
            if hasattr(part.picker, "check_invariants"):
                part.picker.check_invariants()

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _rebuilt, (self.policy, self.view, [cursor.state for cursor in _cursors(self)])

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"


def _cursors(picker: Any) -> list[Any]:
    """Every cursor in a picker and its parts, in an order of its own."""
    if isinstance(picker, PartedPicker):
        return [picker.chance, *(cursor for part in picker.parts for cursor in _cursors(part.picker))]
    cursor = getattr(picker, "cursor", None)
    return [] if cursor is None else [cursor]


def _rebuilt(policy: Any, view: View[Any], states: list[int]) -> Any:
    """The picker of the view with its cursors where they stood; live loads begin anew."""
    picker = policy.build(view)
    for cursor, state in zip(_cursors(picker), states, strict=True):
        cursor.state = state
    return picker
