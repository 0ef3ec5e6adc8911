"""`PriorityPicker`: hash balancing over several priorities, each with a table of its own.

The request's hash h decides twice: h % 100 + 1 is compared with the running sum of the priorities' loads, then h is
looked up in that priority's table. So a key keeps its priority while the loads do not change.

Envoy's hash balancers look only at *which* priority the loads name, not at whether its healthy or its degraded hosts
were meant: the table has the healthy ones, or all in panic. Where the degraded load sends a key to a priority without a
healthy host, there is no host: `NoBackend`, though others could serve.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from lbalgo.active import Cursor, KeyHasher, MaglevTable, Ring, Structure, arc_shares, mix64, xxh64
from lbalgo.columns import word
from lbalgo.compat.envoy.hosts import PriorityLoad
from lbalgo.compat.envoy.normalized import Normalized
from lbalgo.compat.structures import raw_hasher
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.explaining import Steps, hash_step, place_steps
from lbalgo.hashing import digest_keys
from lbalgo.rebuilding import rebuild
from lbalgo.reference.hashing import GAMMA, WORD
from lbalgo.spec import check_integer
from lbalgo.types import F64, I32, U64, Backend
from lbalgo.view import View

B = TypeVar("B", bound=Backend)

XX_HASH = KeyHasher(0, 0)  # XXH64 with seed 0: every request hash of Envoy


def _ready(data: bytes) -> int:
    if len(data) != 8:
        raise ConfigError("key", data, "must be a ready request hash, an int in [0, 2**64)")
    return int.from_bytes(data, "little")


READY = raw_hasher(_ready)  # the key is the request hash: an int, whose bytes these are


def explain_key(policy: Any, data: bytes) -> Steps:
    """The request hash of a key."""
    return [hash_step(request_hasher(policy)(data), "the caller" if policy.ready_hash else "XXH64", 64)]


def request_hasher(policy: Any) -> KeyHasher:
    """What makes a request hash of a key for this policy."""
    return READY if policy.ready_hash else XX_HASH


class PriorityPicker(Generic[B]):
    """A snapshot that decides by the request's hash: priority first, then host.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : shows who is in a table of a priority with traffic as eligible.
    levels : hosts and shares of each priority's table.
    tables : the tables, by priority; an empty `Structure` where there is no host.
    priorities : loads of the priorities.
    cursor : state of the words that stand in for the hash of a request without a key.

    A key's `walk` goes through the table of its priority, then through the other priorities that have traffic. Where
    the key's priority has no host, `walk` is empty and picking raises `NoBackend`; `shares` then sum to less than 1.

    Costs: pick O(1), two lookups; walk O(N). Source: as the policy's.
    """

    def __init__(
        self,
        policy: Any,
        view: View[B],
        levels: Sequence[Normalized],
        tables: Sequence[Structure],
        priorities: PriorityLoad,
        cursor: Cursor,
    ) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.levels = tuple(levels)
        self.tables = tuple(tables)
        self.priorities = priorities
        self.cursor = cursor
        self.hasher = request_hasher(policy)
        self._priority = [priorities.choose(residue)[0] for residue in range(100)]
        self._loaded = sorted(set(self._priority))
        self._eligible = view.eligible.tolist()

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The backend for this key, or for a random word if there is none."""
        h = self.peek(key)
        if exclude == ():
            slot = self.choose(h)
            if slot < 0:
                self.refuse()
        else:
            slot = first_allowed(self.order(h), self.view.ids, exclude)
            if slot < 0:
                if not self.view.eligible.any():
                    self.refuse()
                raise NoBackend("excluded" if self.choose(h) >= 0 else "ineligible")
        self.spend(key)
        return self.backends[slot]

    def walk(self, key: Any = None) -> Iterator[B]:
        """The backends of the key's priority, best first, then those of other priorities with traffic."""
        return map(self.backends.__getitem__, self.order(self.peek(key)))

    def explain(self, key: Any = None) -> Steps:
        """The priority, and where the hash falls in its table."""
        h = self.peek(key)
        table, names = self.tables[self.priority_of(h)], self.view.ids.__getitem__
        steps = [hash_step(h, "chance", 64)] if key is None else []
        return [*steps, *self.priorities.explain(h), *(place_steps(table, h, names) or [("table", "has no host")])]

    def priority_of(self, h: int) -> int:
        """The priority of the request hash `h`."""
        return self._priority[h % 100]

    def choose(self, h: int, attempt: int = 0) -> int:
        """The slot for the request hash `h` at a retry's host selection attempt; -1 if there is no host."""
        return attempt_slot(self.tables[self._priority[h % 100]], h, attempt)

    def order(self, h: int) -> Iterator[int]:
        """Slots in order of preference of the request hash `h`."""
        first = self._priority[h % 100]
        if self.tables[first].slots == 0:
            return
        for priority in (first, *(p for p in self._loaded if p != first)):
            theirs = set(self.levels[priority].slots.tolist())
            for slot in self.tables[priority].walk(h):
                if slot in theirs and self._eligible[slot]:
                    yield slot

    def peek(self, key: Any) -> int:
        """The hash of this key, or the next random word, which stays unspent."""
        return mix64((self.cursor.state + GAMMA) & WORD) if key is None else self.hasher(key)

    def spend(self, key: Any) -> None:
        """A request was picked for; without a key it has used up a random word."""
        if key is None:
            self.cursor.state = (self.cursor.state + GAMMA) & WORD

    def refuse(self) -> None:
        """Raises NoBackend with its reason."""
        raise NoBackend("ineligible" if len(self.backends) else "empty")

    def tickets(self, keys: Any) -> U64:
        """Request hashes of many keys."""
        return digest_keys(self.hasher, keys)

    def slot(self, ticket: int) -> int:
        """The slot of a ready request hash."""
        slot = self.choose(word("ticket", ticket))
        if slot < 0:
            self.refuse()
        return slot

    def pick_many(self, tickets: U64) -> I32:
        """Slots of a one-dimensional uint64 array of request hashes; NoBackend if any of them has no host."""
        if not isinstance(tickets, np.ndarray) or tickets.dtype != np.uint64 or tickets.ndim != 1:
            raise ConfigError("tickets", tickets, "must be a one-dimensional array of dtype uint64")
        out = np.empty(len(tickets), dtype=np.int32)
        priority = np.array(self._priority)[(tickets % np.uint64(100)).astype(np.int64)]
        for p in np.unique(priority).tolist():
            here = priority == p
            part = np.empty(int(here.sum()), dtype=np.int32)
            self.tables[p].slot_many(np.ascontiguousarray(tickets[here]), part)
            out[here] = part
        if len(out) and out.min() < 0:
            self.refuse()
        return out

    def shares(self) -> F64:
        """Each backend's share of all request hashes; exact but for ring positions being taken as uniform mod 100."""
        total = np.zeros(len(self.backends))
        for p in self._loaded:
            residues = [r for r in range(100) if self._priority[r] == p]
            total += _table_shares(self.tables[p], residues, len(total), self.view.eligible)
        return total

    def fingerprint(self) -> int:
        """64 bits over all that decides: equal means the same mapping, whatever order backends are listed in."""
        order = sorted(range(len(self.backends)), key=self.view.ids.__getitem__)
        ranks = np.empty(len(order), dtype="<i4")
        ranks[order] = np.arange(len(order))
        parts = [bytes(self._priority), "\n".join(self.view.ids[slot] for slot in order).encode()]
        parts += [_content(self.tables[p], ranks) for p in self._loaded]
        return xxh64(b"".join(parts))

    def reseed(self, seed: int) -> None:
        """Moves the random words of requests without a key, an int in [0, 2**64)."""
        self.cursor.state = check_integer("seed", seed, low=0, high=WORD)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself."""
        for p in self._loaded:
            owners = set(_owners(self.tables[p]).tolist())
            assert owners <= set(self.levels[p].slots.tolist()), "a table has hosts of its priority only"
            assert all(self._eligible[slot] for slot in owners), "who owns anything is eligible"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return rebuild, (self.policy, self.view, self.cursor.state)


def attempt_slot(table: Structure, h: int, attempt: int) -> int:
    """The slot for a request hash at the attempt-th host selection of a retry; -1 if the table is empty.

    A ring goes on by that many points (not hosts, so it may stay where it is), a Maglev table looks up
    h ^ (2**64 - attempt).

    Cost: O(1) for the first attempt and for tables, O(T) for a ring.
    """
    if attempt == 0 or table.slots == 0:
        return table.slot(h)
    if isinstance(table, Ring):
        points = np.asarray(table.points(), dtype=np.uint64)
        index = int(np.searchsorted(points, np.uint64(h))) % len(points)
        return int(table.owners()[(index + attempt) % len(points)])
    return table.slot(h ^ (WORD + 1 - attempt))


def first_allowed(order: Iterator[int], ids: Sequence[str], exclude: Container[str]) -> int:
    """The first slot whose id is not excluded; -1 if there is none."""
    if isinstance(exclude, (str, bytes)):
        raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
    return next((slot for slot in order if ids[slot] not in exclude), -1)


def _owners(table: Structure) -> Any:
    if isinstance(table, MaglevTable):
        return np.asarray(table.table())
    return np.asarray(table.owners() if isinstance(table, Ring) else (), dtype=np.int32)


def _table_shares(table: Structure, residues: Sequence[int], n: int, eligible: Any) -> Any:
    """Shares of the hashes whose remainder by 100 is one of the residues."""
    if isinstance(table, Ring):
        whole = arc_shares(table.points(), table.owners(), eligible.astype(np.float64), eligible, False)
        return np.asarray(whole) * (len(residues) / 100)
    owners = _owners(table)
    if len(owners) and 100 % len(owners) == 0:  # 2 and 5 divide 100: the position is not independent of the residue
        return np.bincount(owners[np.array(residues) % len(owners)], minlength=n) / 100
    return np.bincount(owners, minlength=n) / max(1, len(owners)) * (len(residues) / 100)


def _content(table: Structure, ranks: Any) -> bytes:
    points = np.asarray(table.points()).astype("<u8").tobytes() if isinstance(table, Ring) else b""
    owners: bytes = ranks[_owners(table)].tobytes()
    return len(points).to_bytes(8, "little") + len(owners).to_bytes(8, "little") + points + owners
