"""HAProxy's two structures for keys, as data for the native ones: the map and the ring.

*Map* (``map-based``, static-rr): a table of as many positions as the effective weights sum to. For each position every
server gains its weight; the server with the greatest *quotient* by the table's size takes it and pays the size. The
quotient is truncated, so that most servers tie and the first of them wins: weights 1, 2, 3 give 0 2 1 2 1 2, where
smooth round robin gives another order.

*Ring* (``consistent``): 16 points per unit of weight at `full_avalanche(base + j)`, j = 0, 1, …; a key belongs to the
nearest point, and to the one behind if both are as near. A request that cannot use its server goes on *forward* from
that point. The native ring walks forward only from a successor, so the ring is given as successors of boundaries: a
point's boundary is the last hash that is nearest to it, half-way to the next point, rounded down. Points and hashes
have 32 bits and are put into the upper half of the native ring's 64, where boundaries are whole and shares exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lbalgo.active import Ring
from lbalgo.compat.haproxy.farm import Farm
from lbalgo.compat.haproxy.hashing import U32, full_avalanche, full_avalanches
from lbalgo.compat.haproxy.server import HashKey, Server, packed
from lbalgo.explaining import Steps

SPREAD = 4096  # numbers to a numeric id: the points of the greatest weight
RANKS = 1 << 20  # more than the points that can share a position


def map_table(weights: Sequence[int]) -> list[int]:
    """Owner of each position, by index of its effective weight.

    Examples
    --------
    >>> map_table([1, 2, 3]), map_table([1]), map_table([])
    ([0, 2, 1, 2, 1, 2], [0], [])
    """
    size = sum(weights)
    ew = np.array(weights, dtype=np.int64)
    score = np.zeros(len(ew), dtype=np.int64)
    table = []
    for _ in range(size):
        score += ew
        owner = int(np.trunc((score + size) / size).argmax())  # the first of the greatest quotients
        score[owner] -= size
        table.append(owner)
    return table


def base_of(server: Server, puid: int, rekeyed_ids: bool) -> int:
    """The number from which a server's points count, by its ``hash-key``.

    Parameters
    ----------
    server, puid : who, and its numeric id.
    rekeyed_ids : whether `id` is hashed, as 3.0.0 to mid-3.2 did by accident.

    Examples
    --------
    >>> base_of(Server("a"), 3, False), base_of(Server("a"), 2**20 + 3, False)
    (12288, 12288)
    """
    import xxhash

    kind = server.hash_key
    if kind is HashKey.GUID and server.guid is not None:
        return xxhash.xxh32_intdigest(server.guid.encode(), 0)
    if kind in (HashKey.ADDR, HashKey.ADDR_PORT) and server.addr is not None:
        seed = full_avalanche(server.port) if kind is HashKey.ADDR_PORT else 0
        address = packed(server.addr)
        if len(address) == 16:
            return xxhash.xxh32_intdigest(address, seed)
        # network order, read as a little-endian number: what x86 and ARM make of it
        return full_avalanche((seed + int.from_bytes(address, "little")) & U32)
    if kind is HashKey.ID32:
        return full_avalanche(int.from_bytes((puid & U32).to_bytes(4, "big"), "little"))
    # 32 bits: only the low 20 of a numeric id count
    return full_avalanche(puid) if rekeyed_ids else puid * SPREAD & U32


class HashRing:
    """The ring of some servers; immutable.

    Parameters
    ----------
    entries : owner, base and number of points of each server, in the order of the configuration.
    slots : one more than the greatest owner.

    Attributes
    ----------
    ring : boundaries and owners, for the kernel.
    order : owners of the points, by position.

    Costs: build O(T log T) for T points, 8 T bytes besides the native ring's.
    """

    def __init__(self, entries: tuple[tuple[int, int, int], ...], slots: int) -> None:
        self.entries = entries
        self.slots = slots
        bases = np.array([base for _, base, _ in entries], dtype=np.uint32)
        counts = np.array([ew for _, _, ew in entries], dtype=np.int64)
        owners = np.repeat(np.array([owner for owner, _, _ in entries], dtype=np.int32), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        steps = (np.arange(len(owners)) - first).astype(np.uint32)
        keys = full_avalanches(np.repeat(bases, counts) + steps)
        # a native ring sorts them; points at one position: the one inserted first comes first
        sorted_ring = Ring(keys.astype(np.uint64) << np.uint64(32), owners, slots)
        keys = np.asarray(sorted_ring.points(), dtype=np.uint64) >> np.uint64(32)
        owners = np.asarray(sorted_ring.owners(), dtype=np.int32)
        following = np.append(keys[1:], keys[0] + np.uint64(1 << 32))
        ends = (keys + following) // np.uint64(2)  # rounded down: a hash half-way belongs to the point behind
        if len(keys) > 1 and 0 < keys[0] == keys[-1]:  # all at one position: behind the first is the last
            ends[:-1] -= np.uint64(1)
        self.order, self._rolled = owners, 0
        if ends[-1] > U32:  # the last point's boundary lies beyond zero, before the first's
            ends, owners, self._rolled = np.roll(ends & np.uint64(U32), 1), np.roll(owners, 1), 1
        self.ring = Ring(ends << np.uint64(32), owners, slots)
        ranks = np.arange(len(keys)) - np.searchsorted(keys, keys)
        self._places = keys * np.uint64(RANKS) + ranks.astype(np.uint64)

    def walk(self, value: int) -> Iterator[int]:
        """Owners from the point nearest to a hash forward, each once."""
        return self.ring.walk(value << 32)

    def explain(self, value: int, name: Callable[[int], str]) -> Steps:
        """The point nearest to a hash."""
        borders = np.asarray(self.ring.points(), dtype=np.uint64)
        at = (int(np.searchsorted(borders, np.uint64(value << 32))) - self._rolled) % len(borders)
        point = int(self._places[at]) // RANKS
        far = min((point - value) & U32, (value - point) & U32) / (U32 + 1)
        return [
            ("point", f"0x{point:08x} of {name(int(self.order[at]))!r}, {far:.3g} of the circle away"),
            ("lookup", f"nearest of {len(borders)} points"),
        ]

    def turn(self, state: int) -> tuple[int, int]:
        """The owner of the first point at or after a place, and the place after that point."""
        at = int(np.searchsorted(self._places, np.uint64(state))) % len(self._places)
        return int(self.order[at]), int(self._places[at]) + 1

    def after(self, state: int) -> tuple[int, int]:
        """The owner and the place, on this ring, of what is behind a point of an earlier ring that may be gone.

        The next point stands for one that is gone; past the last point there is nobody, and the place is 0.
        """
        at = int(np.searchsorted(self._places, np.uint64(state - 1)))
        return (int(self.order[at]), int(self._places[at]) + 1) if at < len(self._places) else (-1, 0)

    def before(self, value: int) -> int:
        """The owner of the point before the one nearest to a hash."""
        points = np.asarray(self.ring.points())
        at = int(np.searchsorted(points, np.uint64(value << 32))) % len(points)
        return int(np.asarray(self.ring.owners())[at - 1])

    def __deepcopy__(self, memo: Any) -> HashRing:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return HashRing, (self.entries, self.slots)


def ring_entries(farm: Farm, owners: dict[int, int], rekeyed_ids: bool) -> tuple[tuple[int, int, int], ...]:
    """Owner, base and number of points of each server that serves."""
    found = []
    for row in farm.serving:
        s = farm.standings[row]
        found.append((owners[row], base_of(s.server, s.puid, rekeyed_ids), s.ew))
    return tuple(found)
