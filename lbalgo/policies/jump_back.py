"""JumpBack: equal shares by arithmetic on the key alone, for pools in which anybody may leave and come back.

Backends have *seats*, 0, 1, 2, …. A key has an order of all seats; the first of it that is taken serves. The order is
made after JumpBackHash, which maps a key to one of n buckets in constant expected time, with balance as good as chance
allows and no key moved but to the newest bucket; it goes on with the consistent choose-k construction, whose sets of
the first k are uniform, nested, and change by one seat at most when a seat is added. (The published function draws all
ranges of buckets from one word; that is too little here, so each range has words of its own: docs/theory/jump_back.md.
`lbalgo.active.jump_back` is the published one.) Two things follow. A key whose
seat falls free moves and no other does, and when it is taken again the key is back. And which seats are taken decides
alone: no list of past events is kept, unlike in AnchorHash or MementoHash.

What has to be remembered is who has which seat. `seats` of the policy that a picker carries (`picker.policy.seats`)
is that memory, plain data: whoever joins takes the seat it had, if that is still free, else the first free one.

Costs: build O(N log N); pick O(1) while all seats are taken; with a of t seats taken (t + 1) / (a + 1) seats are looked
at in the mean, which costs the square of their number. (The source says 1 + ln(t / a); the first k being a uniform set,
the mean is that of drawing without replacement.) Memory 4 bytes a seat; disruption minimal.
Source: Ertl, "JumpBackHash: Say Goodbye to the Modulo Operation to Distribute Keys Uniformly to Buckets", Software:
Practice and Experience 55(3), 2025, arXiv 2403.18682; Neubeck, consistent-choose-k (github/rust-gems), 2025.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import SeatMap, Structure, TicketPicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, DuplicateBackend
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import first_accepting, keyed_picker
from lbalgo.spec import check_id, to_dict
from lbalgo.types import F64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class JumpBack:
    """Consistent hashing without a table, with equal weights, for pools that change anywhere.

    Parameters
    ----------
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).
    seats : ids by seat, of those that are in the pool and of those that may come back. A picker's policy has the seats
        it was built with; give them to another process, and it maps keys alike.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, weights above 0 that are not all equal.

    Built with neither `seats` nor `previous`, backends take seats in order of id. Weight 0 keeps the seat, unserved.

    Costs: build O(N log N); pick O(1) expected (3.2 random words at most) without free seats, else (t + 1) / (a + 1)
    seats in the mean with a of t taken, at a cost that grows with the square; walk O(N^2); memory 4 bytes a seat;
    disruption minimal, per key. `shares` is the law: equal, and with coins in play the chance of being first to accept.
    Source: Ertl 2025; Neubeck 2025.

    Examples
    --------
    >>> picker = JumpBack().build(["a", "b", "c", "d"])
    >>> without = JumpBack().build(["a", "c", "d"], previous=picker)
    >>> {picker.pick(k).id for k in range(1000) if picker.pick(k).id != without.pick(k).id}
    {'b'}
    >>> JumpBack().build(["c", "b", "a", "d"], previous=without).fingerprint() == picker.fingerprint()
    True
    >>> JumpBack().build(["c", "x", "a", "d"], previous=without).policy.seats
    ('a', 'x', 'c', 'd')
    """

    hasher: Hasher = XXH64()
    seed: int = 0
    seats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_hasher(self.hasher, self.seed)
        if isinstance(self.seats, (str, bytes)) or not isinstance(self.seats, Iterable):
            raise ConfigError("seats", self.seats, "must be ids, one for each seat")
        object.__setattr__(self, "seats", tuple(self.seats))
        for name in self.seats:
            check_id(name, "seats")
        if len(set(self.seats)) != len(self.seats):
            raise DuplicateBackend(next(name for name in self.seats if self.seats.count(name) > 1))

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; seats are those of `previous`, if that is a picker of a `JumpBack`, else `seats`."""
        view = view_of(view)
        used = view.weights[view.weights > 0]
        if len(used) and (used != used[0]).any():
            odd = int(((view.weights > 0) & (view.weights != used[0])).argmax())
            raise ConfigError(
                f"weights[{view.ids[odd]!r}]", float(view.weights[odd]), f"must be 0 or {used[0]:g}, like the others"
            )
        before = self.seats
        if isinstance(previous, TicketPicker) and isinstance(previous.policy, JumpBack):
            before = previous.policy.seats
        seated = dataclasses.replace(self, seats=take_seats(before, view.ids))
        return keyed_picker(seated, view, previous, lambda: seated._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> JumpBack:
        """The policy `to_dict` described."""
        policy: JumpBack = policy_from_dict(cls, data, hasher)
        return policy

    def _slots(self, view: View[Any]) -> list[int]:
        """The slot in each seat up to the last that is served, -1 where nobody is."""
        slot = {name: k for k, name in enumerate(view.ids) if view.weights[k] > 0}
        seats = [slot.get(name, -1) for name in self.seats]
        while seats and seats[-1] < 0:
            seats.pop()
        return seats

    def _structure(self, view: View[Any]) -> Structure:
        return SeatMap(self._slots(view), len(view))

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        shares = np.zeros(len(picker.backends))
        able = np.flatnonzero(picker.view.eligible)
        if len(able):
            accept = picker.acceptance()[able]
            law = first_accepting(accept) + np.prod(1.0 - accept) / len(able)
            shares[able] = 1.0 / len(able) if picker.plain else law
        return shares

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.empty(len(order) + 1, dtype="<i4")
        ranks[[*order, -1]] = [*range(len(order)), -1]
        return b"JumpBack" + ranks[self._slots(picker.view)].tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        weights, structure = picker.view.weights, picker.structure
        assert len(np.unique(weights[weights > 0])) <= 1, "weights above 0 are equal"
        assert set(picker.view.ids) <= set(self.seats), "every backend has a seat"
        if (weights > 0).any():
            assert isinstance(structure, SeatMap), "whoever has weight is served by seat"
            assert list(structure.seats()) == self._slots(picker.view), "seats are those of the policy"


def take_seats(seats: tuple[str, ...], ids: Iterable[str]) -> tuple[str, ...]:
    """The seats when these are in the pool: a seat's holder keeps it, in order of id others take the first free ones.

    Examples
    --------
    >>> take_seats(("a", "b", "c"), ["x", "c", "y", "z"])
    ('x', 'y', 'c', 'z')
    """
    here, taken = set(ids), list(seats)
    free = iter([seat for seat, name in enumerate(seats) if name not in here])
    for name in sorted(here.difference(seats)):
        seat = next(free, None)
        if seat is None:
            taken.append(name)
        else:
            taken[seat] = name
    return tuple(taken)
