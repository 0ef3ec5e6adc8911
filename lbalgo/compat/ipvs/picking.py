"""`AddressPicker`: the picker of the schedulers that hash an address, `sh`, `dh` and `mh`.

Their decision is a function of one 32-bit number, folded address plus port, which is the ticket. A bucket whose server
takes no connections is no decision at all, unless the fallback flag is set: then the same number is hashed again with
an offset, until a server is found that does. So these schedulers leave keys unserved while others are idle, which
no native policy does; `slot` is then -1, and `pick` raises NoBackend.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import Cursor, mix64, xxh64
from lbalgo.columns import word
from lbalgo.compat.ipvs.server import WORD, hash_input
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_integer
from lbalgo.types import F64, I32, U64, Backend, Key
from lbalgo.view import View

B = TypeVar("B", bound=Backend)
GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment


class AddressPicker(Generic[B]):
    """A picker by address; made by the policies, not by hand.

    Parameters
    ----------
    policy : the frozen specification; it has `tries(size, ticket)`, the positions that a ticket comes to in turn,
        and `explain_number(ticket)`.
    view : the view it was built from.
    table : slot of each position, an int32 array; empty if there are no servers.
    open : which slots take connections.
    listed : ids of the servers on the list, in order of addition.
    cursor : of picks without a key, handed on from the previous picker.
    last_weight : by id, the weights that the table was made with, where they need not be the present ones.

    Cost: pick O(1), O(tries) with fallback where servers take no connections.
    """

    def __init__(
        self,
        policy: Any,
        view: View[B],
        table: I32,
        open: Any,
        listed: tuple[str, ...],
        cursor: Cursor,
        last_weight: Mapping[str, int] | None = None,
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.table = table
        self.open = open
        self.listed = listed
        self.cursor = cursor
        self.last_weight = dict(last_weight or {})

    def pick(self, key: Key | None = None, *, exclude: Container[str] = ()) -> B:
        """The server for this address; NoBackend if its bucket's server takes no connections."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        ticket = self._ticket(key)
        for slot in self._order(ticket):
            if self.view.ids[slot] not in exclude:
                if key is None:
                    self.cursor.state = (self.cursor.state + GAMMA) % 2**64
                return self.backends[slot]
        if len(self.backends) == 0:
            raise NoBackend("empty")
        raise NoBackend("excluded" if exclude else "ineligible")

    def walk(self, key: Key | None = None) -> Iterator[B]:
        """The servers this address may get, in order: its bucket's, and with fallback those of further tries."""
        return (self.backends[slot] for slot in self._order(self._ticket(key)))

    def explain(self, key: Key | None = None) -> Steps:
        """The number that is hashed, the hash, and the positions tried, with their servers."""
        ticket = self._ticket(key)
        what = "drawn" if key is None else f"the address, folded{' with its port' * self.policy.with_port}"
        steps = [("number", f"0x{ticket:08x}, {what}")]
        if len(self.table) == 0:
            return steps
        steps.append(self.policy.explain_number(ticket))
        tries = []
        for position in self.policy.tries(len(self.table), ticket):
            slot = int(self.table[position])
            tries.append(f"{position} of {self.view.ids[slot]!r}{'' if self.open[slot] else ', which takes nothing'}")
            if self.open[slot]:
                break
        return [*steps, ("position", f"{listing(tries, '; ')}; of {len(self.table)}")]

    def _ticket(self, key: Key | None) -> int:
        if key is None:
            return mix64((self.cursor.state + GAMMA) % 2**64) % WORD
        return hash_input(key, self.policy.with_port)

    def _order(self, ticket: int) -> Iterator[int]:
        if len(self.table) == 0:
            return
        seen, able = set[int](), int(np.count_nonzero(self.open))
        for position in self.policy.tries(len(self.table), ticket):
            slot = int(self.table[position])
            if self.open[slot] and slot not in seen:
                seen.add(slot)
                yield slot
            if len(seen) == able:
                return

    def tickets(self, keys: Any) -> U64:
        """The 32-bit numbers of many addresses, as uint64."""
        if isinstance(keys, (str, bytes)):
            raise ConfigError("keys", keys, "must be a collection of keys, not one key")
        return np.array([hash_input(key, self.policy.with_port) for key in keys], dtype=np.uint64)

    def slot(self, ticket: int) -> int:
        """The slot of a ticket, which is taken mod 2**32; -1 if it gets no server."""
        return next(self._order(word("ticket", ticket) % WORD), -1)

    def pick_many(self, tickets: U64) -> I32:
        """Slots of a one-dimensional uint64 array of tickets, as int32, -1 for those that get no server."""
        if not isinstance(tickets, np.ndarray) or tickets.dtype != np.uint64 or tickets.ndim != 1:
            raise ConfigError("tickets", tickets, "must be a one-dimensional array of dtype uint64")
        return np.array([self.slot(ticket) for ticket in tickets.tolist()], dtype=np.int32)

    def shares(self) -> F64:
        """Each server's share of the positions; without fallback less than 1 in all while some take no connections.

        With fallback the positions of those that take none are shared out as the others are, which is exact for `sh`
        and what to expect of `mh`.
        """
        if len(self.table) == 0 or not self.open.any():
            return np.zeros(len(self.backends))
        return np.asarray(self.policy.shares_of(self.table, self.open), dtype=np.float64)

    def fingerprint(self) -> int:
        """64 bits over all that decides: equal means the same mapping."""
        order = sorted(range(len(self.backends)), key=self.view.ids.__getitem__)
        ranks = np.empty(len(order), dtype="<i4")
        ranks[order] = np.arange(len(order))
        parts = [repr(self.policy).encode(), ranks[self.table].tobytes()]
        parts += [self.view.ids[slot].encode() + b"\0" + bytes([int(self.open[slot])]) for slot in order]
        return xxh64(b"\0".join(parts))

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts its view."""
        assert len(self.open) == len(self.view), "one flag for each slot"
        assert len(self.table) == 0 or 0 <= self.table.min() <= self.table.max() < len(self.view), "owners are slots"

    def reseed(self, seed: int) -> None:
        """Moves the cursor of picks without a key, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=2**64 - 1)

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        table, able = self.table.tolist(), list(map(bool, self.open))
        return restored, (self.policy, self.view, table, able, self.listed, self.cursor.state, self.last_weight)


def restored(
    policy: Any,
    view: View[B],
    table: list[int],
    able: list[bool],
    listed: tuple[str, ...],
    state: int,
    last_weight: Mapping[str, int],
) -> AddressPicker[B]:
    """The picker that was pickled, with the list's order and the weights that its history gave it."""
    owners = np.array(table, dtype=np.int32)
    return AddressPicker(policy, view, owners, np.array(able, dtype=np.bool_), listed, Cursor(state), last_weight)
