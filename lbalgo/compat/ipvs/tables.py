"""The schedulers of IPVS that hash an address: sh (source), dh (destination) and mh (Maglev by source).

sh and dh fill 256 buckets with the servers in list order, again and again; in sh each stands `weight` times in a row
(once if its weight is 0), in dh once. mh fills a table of prime size as Maglev does, but each server in its turn takes
several free positions of its permutation: weight / g >> shift of them, at least one, where g is the weights' greatest
common divisor and shift brings the greatest into half as many bits as the size has.

A server of weight 0 keeps its buckets, in mh as many as its last weight gave it: setting a weight to 0 rebuilds
nothing, and its keys get no server at all unless the fallback flag is set. Connections are not counted here: whether a
server is overloaded the view says (DEGRADED), not its thresholds.

Costs: build O(256) or O(M log M); pick O(1); memory 4 M bytes; mh moves few keys beyond the minimum, sh and dh most.
Described only. Sources: ipvsadm(8); Eisenbud et al., "Maglev", NSDI 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import maglev_fill
from lbalgo.compat.ipvs.hashing import AddressHash, HSipHash
from lbalgo.compat.ipvs.picking import AddressPicker
from lbalgo.compat.ipvs.server import WORD, check_weights, folded, parse
from lbalgo.explaining import hash_step
from lbalgo.policies.building import cursor_of
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import F64, I32, Backend, Bool, Picker, Pool, State
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

BUCKETS = 256
SIZES = (251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071)  # by table index, from 8 on
TABLE_INDEX = 12  # the kernel's default: 4093
HASH1 = 2654435761  # both words of the key
HASH2 = 2654446892


@dataclass(frozen=True)
class SourceHashing:
    """IPVS's `sh`: the server by the client's address.

    Parameters
    ----------
    sh_port : whether the client's port counts too.
    sh_fallback : whether a client whose server takes no connections gets another one.
    hash : the multiplicative hash of the kernel's version.

    Raises
    ------
    ConfigError : a parameter is of another type; at build, a weight that is no integer from 0 to 65535.

    Only the first 256 turns of the list have buckets: with weights that sum to more, the last servers get nothing.
    `pick` raises NoBackend for a client whose server takes no connections, unless with fallback; `pick_many` says -1.

    Costs: build O(256), pick O(1), memory 1 KiB; nearly all keys move when a server joins or leaves.
    Source: ipvsadm(8). Described only.

    Examples
    --------
    >>> picker = SourceHashing().build(["a", "b", "c"])
    >>> picker.pick("192.0.2.7").id == picker.pick("192.0.2.7:4711").id
    True
    """

    sh_port: bool = False
    sh_fallback: bool = False
    hash: AddressHash = AddressHash.GOLDEN

    def __post_init__(self) -> None:
        check_bool("sh_port", self.sh_port)
        check_bool("sh_fallback", self.sh_fallback)
        check_enum("hash", self.hash, AddressHash)

    @property
    def with_port(self) -> bool:
        """Whether a key's port counts."""
        return self.sh_port

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> AddressPicker[B]:
        """A picker for this view; servers that were in the previous picker's list keep their order there."""
        view = view_of(view)
        weights = check_weights(view)
        order = [slot for slot in in_order(view, previous) for _ in range(max(1, effective(view, weights, slot)))]
        return _picker(self, view, previous, weights, cycle(order))

    def tries(self, size: int, ticket: int) -> Iterator[int]:
        """The bucket of a ticket and, with fallback, those of all offsets, beginning at its own."""
        first = self.hash.bucket(ticket)
        yield first
        if self.sh_fallback:
            for i in range(size):
                yield (first + i + first) % size  # the offset i + first is added to the hash

    def explain_number(self, ticket: int) -> tuple[str, str]:
        """The step that tells the hash of a number."""
        return hash_step(self.hash.bucket(ticket), f"the {self.hash.name} product", 8)

    def shares_of(self, table: I32, open: Bool) -> F64:
        """Exact: a bucket decides, fallback included."""
        counts = np.zeros(len(open))
        for first in range(len(table)):
            tries = [first, *((2 * first + i) % len(table) for i in range(len(table) if self.sh_fallback else 0))]
            slot = next((int(table[position]) for position in tries if open[table[position]]), -1)
            if slot >= 0:
                counts[slot] += 1
        return counts / len(table)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> SourceHashing:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"hash": enum_from_name(AddressHash)})


@dataclass(frozen=True)
class DestinationHashing:
    """IPVS's `dh`: the server by the destination address, for transparent caches.

    Parameters
    ----------
    hash : the multiplicative hash of the kernel's version.

    Raises
    ------
    ConfigError : `hash` is no `AddressHash`; at build, a weight that is no integer from 0 to 65535.

    Weights count only in that 0 takes nothing; the buckets of such a server are then dead.

    Costs: build O(256), pick O(1), memory 1 KiB; nearly all keys move when a server joins or leaves.
    Source: ipvsadm(8). Described only.

    Examples
    --------
    >>> DestinationHashing().build(["a", "b"]).shares()
    array([0.5, 0.5])
    """

    hash: AddressHash = AddressHash.GOLDEN
    with_port: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        check_enum("hash", self.hash, AddressHash)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> AddressPicker[B]:
        """A picker for this view; servers that were in the previous picker's list keep their order there."""
        view = view_of(view)
        return _picker(self, view, previous, check_weights(view), cycle(in_order(view, previous)))

    def tries(self, size: int, ticket: int) -> Iterator[int]:
        """The bucket of a ticket."""
        yield self.hash.bucket(ticket)

    def explain_number(self, ticket: int) -> tuple[str, str]:
        """The step that tells the hash of a number."""
        return hash_step(self.hash.bucket(ticket), f"the {self.hash.name} product", 8)

    def shares_of(self, table: I32, open: Bool) -> F64:
        """Exact: the buckets of those that take connections."""
        return np.where(open, np.bincount(table, minlength=len(open)), 0) / len(table)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return {"type": "DestinationHashing", "hash": self.hash.name}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> DestinationHashing:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"hash": enum_from_name(AddressHash)})


@dataclass(frozen=True)
class MaglevHashing:
    """IPVS's `mh`: Maglev hashing of the client's address.

    Parameters
    ----------
    table_index : 8 to 17, which prime the table's size is: 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521,
        131071; a constant of the kernel's build.
    mh_port : whether the client's port counts too.
    mh_fallback : whether a client whose server takes no connections gets another one.
    hash : the kernel's hsiphash; tables of kernels with 32-bit words differ.

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no integer from 0 to 65535, or an id that
        is no address (``10.0.0.1:80``, ``[fd00::1]:80``), which gives a server its place.

    A weight set to 0 keeps the server's positions while the picker is built from the previous one; `last_weight` of a
    picker says which weights its table was made with.

    Costs: build O(M log M), pick O(1), memory 4 M bytes; disruption close to minimal.
    Source: ipvsadm(8); Eisenbud et al., NSDI 2016. Described only.

    Examples
    --------
    >>> picker = MaglevHashing().build({"10.0.0.1:80": 2, "10.0.0.2:80": 1})
    >>> (picker.shares() * 4093).round().astype(int).tolist()
    [2729, 1364]
    """

    table_index: int = TABLE_INDEX
    mh_port: bool = False
    mh_fallback: bool = False
    hash: HSipHash = HSipHash.BITS_64

    def __post_init__(self) -> None:
        check_integer("table_index", self.table_index, low=8, high=17)
        check_bool("mh_port", self.mh_port)
        check_bool("mh_fallback", self.mh_fallback)
        check_enum("hash", self.hash, HSipHash)

    @property
    def with_port(self) -> bool:
        """Whether a key's port counts."""
        return self.mh_port

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> AddressPicker[B]:
        """A picker for this view; a server whose weight is 0 now keeps the positions it had in the previous one."""
        view = view_of(view)
        weights = check_weights(view)
        places = [parse(id) for id in view.ids]
        known: dict[str, int] = {}
        if isinstance(previous, AddressPicker) and previous.policy == self:
            known = previous.last_weight
        last = {}
        for slot in in_order(view, previous):
            weight = effective(view, weights, slot)
            last[slot] = weight or known.get(view.ids[slot], 0)
        kept = {view.ids[slot]: weight for slot, weight in last.items()}
        return _picker(self, view, previous, weights, self._table(places, last), kept)

    def _table(self, places: list[tuple[bytes, int]], last: dict[int, int]) -> I32:
        counts = turns(list(last.values()), self.table_index)
        if not any(counts):
            return np.zeros(0, dtype=np.int32)
        size = SIZES[self.table_index - 8]
        slots = list(last)
        sums = [(folded(places[slot][0]) + places[slot][1]) % WORD for slot in slots]
        offset = [self._hash(x, HASH1) % size for x in sums]
        skip = [self._hash(x, HASH2) % (size - 1) + 1 for x in sums]
        turn = [i for i, count in enumerate(counts) for _ in range(count)]
        return np.array(slots, dtype=np.int32)[np.asarray(maglev_fill(turn, offset, skip, size))]

    def _hash(self, x: int, word: int) -> int:
        return self.hash((x % WORD).to_bytes(4, "little"), word, word)

    def tries(self, size: int, ticket: int) -> Iterator[int]:
        """The position of a ticket and, with fallback, those of all offsets, beginning at its own."""
        first = self._hash(ticket, HASH1) % size
        yield first
        if self.mh_fallback:
            for i in range(size):
                yield self._hash(ticket + (i + first) % size, HASH1) % size

    def explain_number(self, ticket: int) -> tuple[str, str]:
        """The step that tells the hash of a number."""
        return hash_step(self._hash(ticket, HASH1), f"hsiphash, {self.hash.name}")

    def shares_of(self, table: I32, open: Bool) -> F64:
        """Shares of positions; with fallback, of those of the servers that take connections."""
        counts = np.where(open, np.bincount(table, minlength=len(open)), 0)
        return counts / (counts.sum() if self.mh_fallback else len(table))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> MaglevHashing:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"hash": enum_from_name(HSipHash)})


def turns(weights: list[int], table_index: int) -> list[int]:
    """How many positions in a row each server takes in its turn.

    Examples
    --------
    >>> turns([100, 200, 0], 12), turns([1000, 1], 12)
    ([1, 2, 0], [62, 1])
    """
    divisor = math.gcd(*weights)
    if divisor == 0:
        return [0] * len(weights)
    shift = max(0, (max(weights) // divisor).bit_length() - table_index // 2)
    return [max(1, weight // divisor >> shift) if weight else 0 for weight in weights]


def in_order(view: View[Any], previous: Picker[Any] | None) -> list[int]:
    """Slots of the servers on the list, in order of addition: those of the previous picker first, in its order."""
    here = [slot for slot in range(len(view)) if view.states[slot] != State.UNHEALTHY]
    known: dict[str, int] = {}
    if isinstance(previous, AddressPicker):
        known = {id: at for at, id in enumerate(previous.listed)}
    return sorted(here, key=lambda slot: known.get(view.ids[slot], len(known)))


def effective(view: View[Any], weights: list[int], slot: int) -> int:
    """The weight of a server, 0 if it is DRAINING."""
    return 0 if view.states[slot] == State.DRAINING else weights[slot]


def cycle(order: list[int]) -> I32:
    """The first 256 of these slots, repeated."""
    return np.resize(np.array(order, dtype=np.int32), BUCKETS if order else 0)


def _picker(
    policy: Any,
    view: View[B],
    previous: Picker[B] | None,
    weights: list[int],
    table: I32,
    last_weight: Mapping[str, int] | None = None,
) -> AddressPicker[B]:
    able = np.array(
        [view.states[slot] == State.HEALTHY and weights[slot] > 0 for slot in range(len(view))], dtype=np.bool_
    )
    listed = tuple(view.ids[slot] for slot in in_order(view, previous))
    return AddressPicker(policy, view, table, able, listed, cursor_of(previous), last_weight)
