"""`WalkedPicker`: pickers whose policy computes an order of preference from a live load of its own and a ticket.

What a policy has to say is one pure function, `_order(picker, ticket)`: the slots of all that are eligible, best first.
The pick is its head, a retry the first of it that is not excluded, and `walk` shows it whole without spending anything.
The policy's live load is made by its `start()`, is told of requests by whoever accounts, and is handed on from picker
to picker while the policy stays the same; so is the cursor, a SplitMix64 generator that gives a ticket a request.

A ticket is all the randomness a decision has: what it needs more of is hashed from it. So a recorded state of the
cursor and an equal load give the same pick again.

Costs: build O(N), the alias table; pick as the policy's order; memory 64 bytes a backend.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import Cursor, mix64
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.excluding import check_exclude
from lbalgo.policies.building import cursor_of
from lbalgo.policies.loaded import rows_of
from lbalgo.policies.weighted_random import alias_table
from lbalgo.rebuilding import rebuild
from lbalgo.spec import check_integer, check_real, check_row
from lbalgo.types import I64, Backend, Outcome, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)

GAMMA, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1
UNIT = 2.0**-53
LEAST = 2.0**-1000  # a weight so much less than the greatest counts as this


class WalkedPicker(Generic[B]):
    """A snapshot that decides by its policy's order; made by the policies, not by hand.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    load : the policy's live load, read at every pick and never changed by one.
    rows : row of each slot in the load.
    unused : the first row that neither this picker nor one before it used.
    cursor : generator state, handed on from the previous picker.

    Attributes
    ----------
    slots : of the eligible.
    weights : weight x factor of each slot, scaled by one power of two; 0 where not eligible.
    factors : factor of each slot.
    lanes : row of each slot, as a list.
    slot_of : slot of each row that is eligible.
    own : what the policy has prepared for this view, if it does.
    """

    def __init__(self, policy: Any, view: View[B], load: Any, rows: I64, unused: int, cursor: Cursor) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.load = load
        self.rows = rows
        self.unused = unused
        self.cursor = cursor
        self.slots: list[int] = np.flatnonzero(view.eligible).tolist()
        scaled = np.ldexp(view.weights, -int(np.frexp(view.weights.max(initial=0.0))[1])) * view.factors
        self.weights: list[float] = np.where(view.eligible, np.maximum(scaled, LEAST), 0.0).tolist()
        self.factors: list[float] = view.factors.tolist()
        self.lanes: list[int] = rows.tolist()
        self.slot_of = {self.lanes[slot]: slot for slot in self.slots}
        self.own: Any = None
        self._table = alias_table(view) if len(self.slots) > 1 else None

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The head of the order, or the first of it that is not excluded; a key is accepted and ignored."""
        check_exclude(exclude)
        slots: Iterator[int] = self.policy._order(self, self.ticket)
        for slot in slots:
            if exclude == () or self.view.ids[slot] not in exclude:
                self.cursor.state = (self.cursor.state + GAMMA) & WORD
                return self.backends[slot]
        raise NoBackend("excluded" if self.slots else "ineligible" if self.backends else "empty")

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once, best first; consumes no ticket, and starts with what `pick` would return."""
        return map(self.backends.__getitem__, self.policy._order(self, self.ticket))

    @property
    def ticket(self) -> int:
        """The 64 bits that decide the next request, unspent."""
        return mix64((self.cursor.state + GAMMA) & WORD)

    def sample(self, ticket: int) -> Iterator[int]:
        """All eligible slots, drawn one after the other by weight x factor, without replacement.

        The distinct values of independent draws in order of first appearance are such a sample; after 4 N draws the
        missing are drawn from the missing alone, which is the same law.
        """
        if self._table is None:
            yield from self.slots
            return
        seen: set[int] = set()
        for draw in range(4 * len(self.slots)):
            slot = self._table.slot(mix64((ticket + draw * GAMMA) & WORD))
            if slot not in seen:
                seen.add(slot)
                yield slot
                if len(seen) == len(self.slots):
                    return
        missing = [slot for slot in self.slots if slot not in seen]
        while missing:
            ticket = mix64(ticket ^ WORD)
            at = self.drawn(missing, ticket)
            yield missing.pop(at)

    def drawn(self, slots: list[int], ticket: int) -> int:
        """The place in a list of slots, one at least, that the ticket draws by weight x factor."""
        mark = (ticket >> 11) * UNIT * math.fsum(self.weights[slot] for slot in slots)
        for at, slot in enumerate(slots):
            mark -= self.weights[slot]
            if mark < 0.0:
                return at
        return len(slots) - 1

    def ascending(self, ranks: Mapping[int, Any], ticket: int) -> Iterator[int]:
        """Slots by ascending rank, those of equal rank in an order of the ticket's; the first costs O(n) only."""
        if ranks:
            least = min(ranks.values())
            tied = [slot for slot, rank in ranks.items() if rank == least]
            first = min(tied, key=lambda slot: self.coin(slot, ticket)) if len(tied) > 1 else tied[0]
            yield first
            yield from sorted(ranks.keys() - {first}, key=lambda slot: (ranks[slot], self.coin(slot, ticket)))

    def coin(self, slot: int, ticket: int) -> int:
        """64 bits that belong to this slot and ticket: they order those that are tied."""
        return mix64((ticket + slot * GAMMA) & WORD)

    def reseed(self, seed: int) -> None:
        """Moves the cursor: the sequence of tickets goes on from here, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=WORD)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts its view, or its load itself."""
        assert len(self.backends) == len(self.view) == len(set(self.lanes)), "one backend and one row for each slot"
        assert [weight > 0.0 for weight in self.weights] == self.view.eligible.tolist(), "the eligible have weight"
        assert sorted(self.policy._order(self, self.ticket)) == self.slots, "the order is of all eligible"
        self.load.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)


def walked_picker(policy: Any, view: View[B], previous: Picker[B] | None) -> WalkedPicker[B]:
    """A picker for this view; load, rows and cursor are the previous one's if its policy is equal."""
    rows, unused = rows_of(view, previous)
    goes_on = isinstance(previous, WalkedPicker) and previous.policy == policy
    load = previous.load if isinstance(previous, WalkedPicker) and goes_on else policy.start()
    return WalkedPicker(policy, view, load, rows, unused, cursor_of(previous))


class OpenRequests:
    """Requests in flight by row and the latest instant: what every load here begins with, and checks its events by.

    Attributes
    ----------
    latest : seconds; -infinity before the first event.
    """

    __slots__ = ("_counts", "latest")

    def __init__(self) -> None:
        self.latest = -math.inf
        self._counts: dict[int, int] = {}

    def started(self, row: int, cost: float, now: float) -> int:
        """One more; returns the row, checked."""
        row, _, now = check_row(row), check_real("cost", cost, low=0.0), check_real("now", now)
        self.latest = max(self.latest, now)
        self._counts[row] = self._counts.get(row, 0) + 1
        return row

    def finished(
        self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0
    ) -> tuple[int, float | None]:
        """One fewer; returns row and latency, checked.

        Raises
        ------
        ConfigError : something is invalid, or nothing of the row is in flight.
        """
        row = check_row(row)
        if not isinstance(outcome, Outcome):
            raise ConfigError("outcome", outcome, "must be an Outcome")
        took = None if latency is None else check_real("latency", latency, low=0.0)
        now = check_real("now", now)
        check_real("cost", cost, low=0.0)
        if row not in self._counts:
            raise ConfigError("row", row, "has nothing in flight")
        self.latest = max(self.latest, now)
        if self._counts[row] == 1:
            del self._counts[row]
        else:
            self._counts[row] -= 1
        return row, took

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self.latest = max(self.latest, check_real("now", now))

    def count(self, row: int) -> int:
        """Requests of the row in flight."""
        return self._counts.get(row, 0)

    def restart(self, row: int) -> int:
        """The row belongs to another backend from now on; returns it, checked."""
        row = check_row(row)
        self._counts.pop(row, None)
        return row
