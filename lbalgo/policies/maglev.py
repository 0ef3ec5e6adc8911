"""Maglev: a table of prime size in which every backend holds its share of positions, within one.

Each backend has a preference list over all positions, a permutation made of an offset and a skip that come from its
id. Backends take turns; whose turn it is claims its next preferred position that is free. A key's hash mod the table
size is a position, its owner the answer: one remainder and one load, whatever the pool's size.

The paper leaves weights open. Here turn k >= 1 of backend i falls at time (k - phi_i) / w_i with a phase phi_i in
[0, 1) from the id; the M earliest turns, by (time, id), fill. The phase keeps equal light backends from gaining a
position all in the same instant, which is what biases the usual rules: every backend's count is within 1 of T * w_i, T
the time of the last turn. The rule is the same for equal weights.

Costs: build O(M log M) probes expected; pick O(1); memory a byte a position up to 256 backends, then ceil(log2 N) bits;
disruption near the minimum while M is well above 100 N, and never zero excess (measured in the docs).
Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import MaglevTable, TicketPicker, maglev_fill, mix64, phased, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import first_accepting, keyed_picker
from lbalgo.spec import check_integer, is_prime, to_dict
from lbalgo.types import F64, I32, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

TABLE_SIZE = 65537  # the paper's "small" table, and Envoy's and Katran's default


@dataclass(frozen=True)
class Maglev:
    """Consistent hashing by a lookup table of prime size.

    Parameters
    ----------
    table_size : number of positions M, a prime below 2**31; 100 positions for each backend keep shares within 1 %.
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).

    Raises
    ------
    ConfigError : the size is no such prime, or less than the backends with weight; hasher or seed are invalid.

    Costs: build O(M log M), pick O(1), memory M bytes (ceil(log2 N) bits a position beyond 256 backends), disruption
    close to minimal (0.56 % excess when one of 100 backends leaves M = 65537). `shares` is exact for the table; with
    coins in play it is the exact mean over them.
    Source: Eisenbud et al., NSDI 2016, 3.4.

    Examples
    --------
    >>> picker = Maglev().build({"a": 2, "b": 1})
    >>> picker.pick("user-17").id == picker.pick(b"user-17").id
    True
    >>> (picker.shares() * 65537).round().astype(int).tolist()
    [43691, 21846]
    """

    table_size: int = TABLE_SIZE
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("table_size", self.table_size, low=2, high=2**31 - 1)  # positions are 32-bit
        if not is_prime(self.table_size):
            raise ConfigError("table_size", self.table_size, "must be prime")
        check_hasher(self.hasher, self.seed)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the table is the previous one's if only signals moved."""
        view = view_of(view)
        return keyed_picker(self, view, previous, lambda: self._structure(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> Maglev:
        """The policy `to_dict` described."""
        policy: Maglev = policy_from_dict(cls, data, hasher)
        return policy

    def _structure(self, view: View[Any]) -> MaglevTable:
        weighted = np.flatnonzero(view.weights > 0)
        if len(weighted) > self.table_size:
            raise ConfigError(
                "table_size", self.table_size, f"must be at least the {len(weighted)} backends with weight"
            )
        names = [view.ids[i].encode() for i in weighted]
        offset = np.array([xxh64(n) % self.table_size for n in names], dtype=np.uint32)
        skip = np.array([xxh64(n, 1) % (self.table_size - 1) + 1 for n in names], dtype=np.uint32)
        turns = phased_turns(view.weights[weighted].tolist(), names, self.table_size)
        table = np.asarray(maglev_fill(turns, offset, skip, self.table_size))
        return MaglevTable(weighted[table], [mix64(xxh64(i.encode())) for i in view.ids])

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        table = _owners(picker)
        if len(table) == 0:
            return np.zeros(len(picker.backends))
        if picker.plain:
            return np.bincount(table, minlength=len(picker.backends)) / len(table)
        return _thinned_shares(table, picker.acceptance(), picker.view.eligible)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(len(order), dtype=np.int32)
        return b"Maglev" + ranks[_owners(picker)].astype("<i4").tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        table, weights = _owners(picker), picker.view.weights
        if not (weights > 0).any():
            assert len(table) == 0, "no table without weight"
            return
        assert len(table) == self.table_size, "the table has its size"
        counts = np.bincount(table, minlength=len(weights))
        assert (counts[weights == 0] == 0).all(), "weight 0 owns no position"
        assert (counts[weights > 0] > 0).all(), "every weight owns a position"
        rate = weights[weights > 0] / weights.max()
        times, slack = counts[weights > 0] / rate, 1.0 / rate
        assert (times - slack).max() <= (times + slack).min(), "one T puts every count within 1 of T * w"


def phased_turns(weights: list[float], names: list[bytes], size: int) -> I32:
    """Owners of the `size` earliest turns of the phased rule; for equal weights one round, to be repeated.

    Parameters
    ----------
    weights : positive weights.
    names : the ids as UTF-8, for phases (XXH64 with seed 2, 53 bits) and ties.
    size : number of turns.

    Raises
    ------
    ConfigError : a weight so small that its first turn comes after the last position is given.
    """
    phase = np.array([(xxh64(name, 2) >> 11) * 2.0**-53 for name in names])
    rank = np.empty(len(names), dtype=np.int64)
    rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    rate = np.array(weights) / max(weights)
    if (rate == 1.0).all():
        return np.lexsort((rank, 1.0 - phase)).astype(np.int32)
    order = np.argsort(rank)
    turns = order[phased(phase[order], np.maximum(rate[order], 5e-324), size)]  # a ratio that is lost gets no turn
    idle = np.flatnonzero(np.bincount(turns, minlength=len(names)) == 0)
    if len(idle):
        i = int(idle[0])
        raise ConfigError(
            f"weights[{names[i].decode()!r}]",
            weights[i],
            f"gets no position in a table of {size}; raise it, or table_size",
        )
    return turns.astype(np.int32)


def _owners(picker: TicketPicker[Any]) -> I32:
    structure = picker.structure
    return np.asarray(structure.table() if isinstance(structure, MaglevTable) else [], dtype=np.int32)


def _thinned_shares(table: I32, accept: F64, eligible: Any) -> F64:
    """Exact mean over the acceptance coins, position by position."""
    n, size = len(accept), len(table)
    shares = np.bincount(table[accept[table] == 1.0], minlength=n).astype(np.float64)
    doubled = np.concatenate((table, table)).tolist()
    chance, able = accept.tolist(), eligible.tolist()
    for position in np.flatnonzero(accept[table] < 1.0).tolist():
        seen: set[int] = set()
        left, head = 1.0, -1
        for slot in doubled[position : position + min(4 * n, size)]:
            if slot in seen:
                continue
            seen.add(slot)
            if able[slot]:
                head = slot if head < 0 else head
                shares[slot] += left * chance[slot]
                left *= 1.0 - chance[slot]
                if left == 0.0:
                    break
        if left > 0.0:
            rest = np.array([s for s in range(n) if s not in seen and able[s]], dtype=np.int64)
            if len(rest):
                shares[rest] += left * first_accepting(accept[rest])
                left *= float(np.prod(1.0 - accept[rest]))
            if head >= 0:
                shares[head] += left
            elif len(rest):
                shares[rest] += left / len(rest)
    return shares / size
