"""Katran's Maglev, V1 and V2: tables over endpoints that are known by a number, a weight and a 64-bit hash.

Both fill as the Maglev paper does, with offset and skip from MurmurHash3 of the endpoint's hash, endpoints taking turns
in the order of their hashes. They differ in what a weight is:

* V1: in the first round an endpoint places as many entries as its weight says, in every later round one. A weight only
  shifts the count by weight - 1, so 1 : 10 gives about 1 : 1. It is meant for weights that add up to the table size.
* V2: each round adds the weight to an account; whoever has the greatest weight on it pays that and places one entry. So
  shares are proportional to weights, and in the first round only the heaviest place.

Endpoints of weight 0 are dropped first; a single endpoint has the whole table. Positions are calculated in 32 bits:
((offset + k * skip) mod 2**32) mod size. Below 65537 the wrap cannot happen; at 65537, Katran's own size, only a skip
within one of the greatest reaches it, at the very end of its permutation. In larger tables it spoils the permutation,
so they have to be asked for.

Source: "Open-sourcing Katran, a scalable network load balancer" (Engineering at Meta, 2018); Eisenbud et al., NSDI
2016; tables captured from Katran's own hashing library.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mmh3
import numpy as np

from lbalgo.active import MaglevTable, TicketPicker, maglev_fill, xxh64
from lbalgo.compat.structures import dialect_picker, salts_of, structure_check, structure_content, structure_shares
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, key_hasher, policy_from_dict
from lbalgo.spec import check_bool, check_enum, check_id, check_integer, enum_from_name, is_prime, to_dict
from lbalgo.types import I32, I64, Bool, Picker, Pool
from lbalgo.view import View, view_of

CH_RINGS_SIZE = 65537  # Katran's table
OFFSET_WORD, OFFSET_SEED = 42, 0
SKIP_WORD, SKIP_SEED = 2718281828, 2307
MAX_WEIGHT = 2**31 - 1
WRAP = 2**32

__all__ = ["CH_RINGS_SIZE", "Katran", "MaglevVersion", "Real"]


class MaglevVersion(enum.Enum):
    """Which of Katran's hash functions makes the table.

    Examples
    --------
    >>> MaglevVersion["V2"]
    <MaglevVersion.V2: 'MaglevV2'>
    """

    V1 = "Maglev"
    V2 = "MaglevV2"


@dataclass(frozen=True, slots=True)
class Real:
    """An endpoint.

    Parameters
    ----------
    id : name or address.
    weight : whole, >= 0; 0 leaves it out.
    hash : its 64-bit hash; Katran's is that of folly::IPAddress and depends on the build, so it is asked for here. None
        takes XXH64 of the id, which is no Katran's.

    Raises
    ------
    ConfigError : a field is invalid.

    Examples
    --------
    >>> Real("10.0.0.1", 2, 10732227427272997928).weight
    2
    """

    id: str
    weight: int = 1
    hash: int | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=0, high=MAX_WEIGHT)
        if self.hash is not None:
            check_integer("hash", self.hash, low=0, high=2**64 - 1)


@dataclass(frozen=True)
class Katran:
    """Katran's consistent hashing.

    Parameters
    ----------
    version : V1 or V2.
    table_size : positions, a prime; Katran's ring size.
    emulate_overflow : whether tables above 65537 are built, with the 32-bit overflow they have in Katran.
    hasher : of keys. Katran hashes the flow in the data path; a ready hash goes to `slot` or `pick_many`.
    seed : of the key hash, in [0, 2**64).

    Raises
    ------
    ConfigError : a field is invalid; a table above 65537 that was not asked for; at build, a weight that is not whole.

    Backends: `Real`, or ids, whose hash is then XXH64 of the id. Endpoints that are neither UNHEALTHY nor DRAINING are
    in the table; Katran is told who is healthy and builds it from them. Endpoints of one hash stay in listing order.

    Costs: build O(M log M) as `Maglev`; with overflow about 0.2 us a probe, in Python. Pick O(1); memory 1 or 2 bytes a
    position. Disruption near the minimum for V2; for V1 a weight change moves what comes after it in the first round.
    `shares` is exact. Source: as above.

    Examples
    --------
    >>> picker = Katran(table_size=1009).build([Real("a", 1, 3), Real("b", 3, 7)])
    >>> (picker.shares() * 1009).round().astype(int).tolist()
    [252, 757]
    >>> Katran(table_size=100003)
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: table_size = 100003: overflows 32 bits in Katran; at most 65537, or emulate_overflow
    """

    version: MaglevVersion = MaglevVersion.V2
    table_size: int = CH_RINGS_SIZE
    emulate_overflow: bool = False
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        check_enum("version", self.version, MaglevVersion)
        check_integer("table_size", self.table_size, low=2, high=2**31 - 1)
        if not is_prime(self.table_size):
            raise ConfigError("table_size", self.table_size, "must be prime")
        check_bool("emulate_overflow", self.emulate_overflow)
        if self.table_size > CH_RINGS_SIZE and not self.emulate_overflow:
            why = f"overflows 32 bits in Katran; at most {CH_RINGS_SIZE}, or emulate_overflow"
            raise ConfigError("table_size", self.table_size, why)
        check_hasher(self.hasher, self.seed)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view."""
        view = view_of(view)
        odd = (view.weights != np.floor(view.weights)) | (view.weights > MAX_WEIGHT)
        for slot in np.flatnonzero(odd).tolist():
            raise ConfigError(f"weights[{view.ids[slot]!r}]", view.weights[slot], f"must be whole, 0 to {MAX_WEIGHT}")
        usable: Bool = (view.states < 2) & (view.weights > 0)
        hasher = key_hasher(self.hasher, self.seed)
        return dialect_picker(self, view, previous, usable, lambda: self._structure(view, usable), hasher)

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> Katran:
        """The policy `to_dict` described."""
        policy: Katran = policy_from_dict(cls, data, hasher, version=enum_from_name(MaglevVersion))
        return policy

    def _structure(self, view: View[Any], usable: Bool) -> MaglevTable:
        hashes = {slot: hash_of(view.backends[slot]) for slot in np.flatnonzero(usable).tolist()}
        # turns are taken in the order of the hashes, so the order of listing does not matter
        order = np.array(sorted(hashes, key=hashes.__getitem__))
        if len(order) == 1:
            return MaglevTable(np.full(self.table_size, order[0]), salts_of(view))
        offset, skip = places([hashes[slot] for slot in order.tolist()], self.table_size)
        make = turns_v1 if self.version is MaglevVersion.V1 else turns_v2
        turns = make(view.weights[order].astype(np.int64), self.table_size)
        reach = offset + (self.table_size - 1) * skip
        fill = maglev_fill if int(reach.max()) < WRAP else overflowing_fill
        table = np.asarray(fill(turns, offset, skip, self.table_size))
        return MaglevTable(order[table], salts_of(view))

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


def hash_of(real: Any) -> int:
    """The endpoint's own hash, or XXH64 of its id."""
    own = getattr(real, "hash", None)
    return own if isinstance(own, int) else xxh64(real.id.encode())


def places(hashes: list[int], size: int) -> tuple[I64, I64]:
    """Offset and skip of each endpoint: the first 64 bits of MurmurHash3 x64 128 over its hash and a constant."""
    offset, skip = [], []
    for h in hashes:
        start = h.to_bytes(8, "little")
        offset.append(_murmur(start + OFFSET_WORD.to_bytes(8, "little"), OFFSET_SEED) % size)
        skip.append(_murmur(start + SKIP_WORD.to_bytes(8, "little"), SKIP_SEED) % (size - 1) + 1)
    return np.array(offset, dtype=np.int64), np.array(skip, dtype=np.int64)


def _murmur(data: bytes, seed: int) -> int:
    return mmh3.hash64(data, seed, x64arch=True, signed=False)[0]


def turns_v1(weights: I64, size: int) -> I32:
    """V1: `weight` turns each, then one each, for `size` turns.

    Examples
    --------
    >>> turns_v1(np.array([2, 1]), 6).tolist()
    [0, 0, 1, 0, 1, 0]
    """
    many = np.arange(len(weights), dtype=np.int32)
    first = np.repeat(many, np.minimum(weights, size))[:size]
    rest = np.resize(many, max(size - len(first), 0))
    return np.concatenate((first, rest)).astype(np.int32)


def turns_v2(weights: I64, size: int) -> I32:
    """V2: the turns of the first rounds, at least `size` of them.

    After r rounds an endpoint of weight w has had floor(r * w / max) turns, so turn k falls into round
    ceil(k * max / w); inside a round the order is that of the endpoints.

    Examples
    --------
    >>> turns_v2(np.array([1, 2, 1]), 6).tolist()
    [1, 0, 1, 2, 1, 0]
    """
    most = int(weights.max())
    rounds = -(-(size + len(weights)) * most // int(weights.sum()))  # each account is short of at most one turn
    counts = np.minimum([rounds * w // most for w in weights.tolist()], size)
    owner = np.repeat(np.arange(len(weights)), counts)
    k = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + 1
    at = -(-k * most // weights[owner])
    return owner[np.lexsort((owner, at))][:size].astype(np.int32)


def overflowing_fill(turns: I32, offset: I64, skip: I64, size: int) -> list[int]:
    """The fill with positions that wrap at 2**32 before they are reduced; no permutation, but it ends.

    Once they wrap, an endpoint's positions repeat before all were met; it goes on, its counter being 32 bits wide as
    well, until a free one comes.
    """
    starts, steps, count = offset.tolist(), skip.tolist(), [0] * len(offset)
    table, order = [-1] * size, turns.tolist()
    for filled in range(size):
        owner = order[filled % len(order)]
        start, step, k = starts[owner], steps[owner], count[owner]
        position = (start + k * step) % WRAP % size
        while table[position] >= 0:
            k += 1
            position = (start + k * step) % WRAP % size
        table[position] = owner
        count[owner] = k + 1
    return table
