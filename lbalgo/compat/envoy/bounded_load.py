"""Envoy's `hash_balance_factor`: a hash balancer whose hosts may have so many percent of the mean load.

With A requests active in the cluster (the whole cluster, whatever priority) and a host's a, both without the new one:
total = ((A + 1) * factor + 99) // 100, slots = max(ceil(total * w), 1), load = a / slots. The host that the hash names
is kept if its load is at most 1; so a host that has all its slots filled still takes one more.

Otherwise the priority's hosts are shuffled by a generator that the hash seeds, and the first whose load is at most 1
is taken, else the least loaded: the shuffle is the key's own, so its overflow always tries the same hosts.

The generator is MT19937 seeded with the low 32 bits of the hash; a draw below k is next // (2**32 // k), repeated while
that is k or more (the rule of libstdc++'s uniform distribution).

Costs: pick O(1) while the host has room; an overflow seeds the generator (624 words) and shuffles, O(N).
Source: Envoy 1.40 documentation, `hash_balance_factor`; Mirrokni, Thorup, Zadimoghaddam, SODA 2018; replayed.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from typing import Any, Generic, TypeVar

from lbalgo.columns import word
from lbalgo.compat.envoy.composite import PriorityPicker, first_allowed
from lbalgo.compat.envoy.host import WEIGHTS
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.explaining import Steps, listing
from lbalgo.rebuilding import rebuild
from lbalgo.spec import check_integer, check_row
from lbalgo.types import I64, U64, Backend, Outcome

B = TypeVar("B", bound=Backend)


def check_balance_factor(value: object) -> None:
    """None, or a percentage that Envoy accepts."""
    if value is not None:
        check_integer("hash_balance_factor", value, low=100, high=WEIGHTS)


class Mt19937:
    """The Mersenne Twister of 32 bits, its words made as they are asked for.

    Parameters
    ----------
    seed : 32 bits.

    Source: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998.

    Examples
    --------
    >>> Mt19937(5489).word()
    3499211612
    """

    def __init__(self, seed: int) -> None:
        self._state = state = [seed & 0xFFFFFFFF]
        for i in range(1, 624):
            state.append((1812433253 * (state[-1] ^ (state[-1] >> 30)) + i) & 0xFFFFFFFF)
        self._at = 0

    def word(self) -> int:
        """The next 32 bits."""
        s, i = self._state, self._at
        self._at = (i + 1) % 624
        y = (s[i] & 0x80000000) | (s[self._at] & 0x7FFFFFFF)
        s[i] = y = s[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def below(self, k: int) -> int:
        """A number in [0, k)."""
        width = (1 << 32) // k
        while True:
            x = self.word() // width
            if x < k:
                return x


def shuffled(h: int, n: int) -> Iterator[int]:
    """0 to n - 1 in the order in which the request hash `h` tries the hosts of its priority.

    Examples
    --------
    >>> sorted(shuffled(7, 5)), list(shuffled(7, 5)) == list(shuffled(7 + 2**32, 5))
    ([0, 1, 2, 3, 4], True)
    """
    random, order = Mt19937(h & 0xFFFFFFFF), list(range(n))
    for i in range(n):
        j = i + random.below(n - i)
        order[i], order[j] = order[j], order[i]
        yield order[i]


class ClusterLoad:
    """Requests in flight, by row and in the whole cluster: those to hosts that have left count until they end.

    Examples
    --------
    >>> load = ClusterLoad()
    >>> load.started(0, 1.0, 0.0)
    >>> load.at(0), load.total
    (1.0, 1)
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.total = 0

    def started(self, row: int, cost: float, now: float) -> None:
        """One more in flight."""
        self._counts[check_row(row)] = self.active(row) + 1
        self.total += 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One fewer in flight; ConfigError if there is none."""
        if self.active(check_row(row)) == 0:
            raise ConfigError("row", row, "has nothing in flight")
        self._counts[row] -= 1
        self.total -= 1

    def advance(self, now: float) -> None:
        """Nothing depends on time."""

    def active(self, row: int) -> int:
        """How many are in flight to the host in `row`."""
        return self._counts.get(row, 0)

    def at(self, row: int) -> float:
        """`active` as a load."""
        return float(self.active(row))

    def restart(self, row: int) -> None:
        """`row` belongs to another host from now on: nothing of it is in flight."""
        self.total -= self._counts.pop(check_row(row), 0)


class BoundedPicker(Generic[B]):
    """A hash balancer with bounded loads; the load is its own, and is handed on from picker to picker.

    Parameters
    ----------
    base : chooses by hash alone.
    factor : percent.
    load : requests in flight.
    rows : row of each slot.
    unused : the first row nobody had yet.

    Whoever picks has to account: a `Balancer`, or ``picker.load.started(picker.rows[slot], 1.0, now)``. A key's `walk`
    begins with what `pick` would return now, goes on with the hosts that have room in the order of the key's shuffle,
    then with the full ones by load.

    Costs: as the module's.
    """

    def __init__(self, base: PriorityPicker[B], factor: int, load: ClusterLoad, rows: I64, unused: int) -> None:
        self.base = base
        self.policy = base.policy
        self.view = base.view
        self.backends = base.backends
        self.factor = factor
        self.load = load
        self.rows = rows
        self.unused = unused
        self.cursor = base.cursor
        self._rows: list[int] = rows.tolist()
        self._lines: list[list[int]] = [n.slots.tolist() for n in base.levels]
        self._weights = [dict(zip(n.slots.tolist(), n.weights.tolist(), strict=True)) for n in base.levels]

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The backend for this key, or for a random word if there is none."""
        h = self.base.peek(key)
        if exclude == ():
            slot = self.choose(h)
            if slot < 0:
                self.base.refuse()
        else:
            slot = first_allowed(self.order(h), self.view.ids, exclude)
            if slot < 0:
                if not self.view.eligible.any():
                    self.base.refuse()
                raise NoBackend("excluded" if self.choose(h) >= 0 else "ineligible")
        self.base.spend(key)
        return self.backends[slot]

    def walk(self, key: Any = None) -> Iterator[B]:
        """The backends in the order in which the next request with this key would try them."""
        return map(self.backends.__getitem__, self.order(self.base.peek(key)))

    def loads(self, priority: int) -> dict[int, float]:
        """Active requests over slots, by slot, of the hosts of one priority."""
        total = self._total()
        return {slot: self._load(slot, w, total) for slot, w in self._weights[priority].items()}

    def choose(self, h: int, attempt: int = 0) -> int:
        """The slot for the request hash `h` at a retry's host selection attempt; -1 if there is no host."""
        first = self.base.choose(h, attempt)
        if first < 0:
            return first
        priority, total = self.base.priority_of(h), self._total()
        weights, slots = self._weights[priority], self._lines[priority]
        best, least = first, self._load(first, weights[first], total)
        if least <= 1.0:
            return first
        for i in shuffled(h, len(slots)):
            if slots[i] == first:
                continue
            load = self._load(slots[i], weights[slots[i]], total)
            if load <= 1.0:
                return slots[i]
            if load < least:
                best, least = slots[i], load
        return best

    def slot(self, ticket: int) -> int:
        """The slot of a ready request hash, as loads are now."""
        slot = self.choose(word("ticket", ticket))
        if slot < 0:
            self.base.refuse()
        return slot

    def tickets(self, keys: Any) -> U64:
        """Request hashes of many keys."""
        return self.base.tickets(keys)

    def order(self, h: int) -> Iterator[int]:
        """Slots in order of preference of the request hash `h`, as loads are now."""
        first, mine = self.base.choose(h), self.base.priority_of(h)
        if first < 0:
            return
        seen = set()
        for slot in self._tries(h, mine, first):
            seen.add(slot)
            yield slot
        for slot in self.base.order(h):
            if slot not in seen:
                yield slot

    def _tries(self, h: int, priority: int, first: int) -> Iterator[int]:
        loads = self.loads(priority)
        line = self._line(h, priority, first)
        yield from (slot for slot in line if loads[slot] <= 1.0)
        yield from sorted((slot for slot in line if loads[slot] > 1.0), key=loads.__getitem__)

    def _line(self, h: int, priority: int, first: int) -> list[int]:
        slots = self._lines[priority]
        return [first, *(slots[i] for i in shuffled(h, len(slots)) if slots[i] != first)]

    def explain(self, key: Any = None) -> Steps:
        """The steps without bounds, and who has room, in the order of the hash's shuffle."""
        h, total = self.base.peek(key), self._total()
        steps, first, priority = self.base.explain(key), self.base.choose(h), self.base.priority_of(h)
        if first < 0:
            return steps
        steps.append(("slots", f"{total} in all: {self.factor} % of {self.load.total + 1} requests"))
        weights = self._weights[priority]
        told = (
            f"{self.view.ids[slot]} {self.load.active(self._rows[slot])}/{self._slots(weights[slot], total)}"
            for slot in self._line(h, priority, first)
        )
        return [*steps, ("active/slots", listing(told))]

    def _total(self) -> int:
        return ((self.load.total + 1) * self.factor + 99) // 100

    def _load(self, slot: int, weight: float, total: int) -> float:
        return self.load.active(self._rows[slot]) / self._slots(weight, total)

    def _slots(self, weight: float, total: int) -> int:
        return max(math.ceil(total * weight), 1)

    def reseed(self, seed: int) -> None:
        """Moves the random words of requests without a key, an int in [0, 2**64)."""
        self.base.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself."""
        self.base.check_invariants()
        assert len(set(self._rows)) == len(self.backends), "one row for each backend"

    def __repr__(self) -> str:
        return repr(self.base)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)
