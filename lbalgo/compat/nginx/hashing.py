"""nginx's methods by key: ``ip_hash``, ``hash`` and ``hash ... consistent``.

All three make one place out of the key and look for an able peer from there; each has its own way of trying on, and at
its 21st failed try round robin takes over, whatever the key.

* ``ip_hash``: h starts at 89; for each byte b of the address (of an IPv4 address the first three: clients of one /24
  stay together), h = (113 h + b) mod 6271. Place h mod W on the peers laid end to end by weight, W their sum; peers
  that are down keep theirs. A failed try goes over the same bytes again from the h it has. There are 6271 values, so
  peers beyond a total weight of 6271 get nothing.
* ``hash``: H starts at 0; in round k, H += (CRC-32(k in decimal, except in round 0, then the key) >> 16) & 0x7fff, as
  Cache::Memcached does. Place H mod W as above.
* ``hash ... consistent``: a ring of 32-bit points, 160 for each unit of weight, as Cache::Memcached::Fast makes them: a
  chain of CRC-32 over host, NUL, port and the value before (four zero bytes first). The key's place is the first point
  at or after its CRC-32. Its owner is a *name*; among the peers of that name a turn of smooth weighted round robin
  decides. A failed try goes on to the next point, not to the next name.

The methods keep where they are for as long as a request lasts. Here a request that has tried peers begins again and
meets them again; the meeting at which a peer was chosen the first time was no failed try, and is not counted as one.

Costs: a choice O(1) tries of O(N); the ring takes one CRC-32 a point and a sort, 28 to 44 bytes a point.
Source: nginx documentation, ngx_http_upstream_module, "hash", "ip_hash"; behaviour of nginx 1.22.1.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any
from zlib import crc32

import numpy as np

from lbalgo.active import Ring, chained
from lbalgo.compat.nginx.upstream import OFTEN, Peer, Upstream, smooth
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing, place_steps

POINTS = 160  # for each unit of weight
START, FACTOR, MODULUS = 89, 113, 6271
NOBODY = b"\0\0\0"  # hashed for a client without an address, such as one on a Unix socket


class ByPlace:
    """Peers laid end to end by weight; `places` gives the place of each try, without end."""

    def __init__(self, places: Callable[[bytes], Iterator[int]], check: Callable[[bytes | None], bytes]) -> None:
        self.places = places
        self.check = check
        self.ends: list[int] = []

    def built(self, upstream: Upstream) -> None:
        """Lays the peers end to end."""
        self.ends = list(accumulate(peer.weight for peer in upstream.primaries))

    def __call__(self, upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
        """The peer for the next request, None if there is none."""
        data = self.check(key)
        if not data or not self.ends:
            return upstream.in_turn(skip)
        failed, met = 0, set[int]()
        for _, peer in self.tries(upstream, data):
            if upstream.able(peer, skip):
                return peer
            if peer.row in skip and peer.row not in met:
                met.add(peer.row)
                continue
            failed += 1
            if failed > OFTEN:
                break
        return upstream.in_turn(skip)

    def tries(self, upstream: Upstream, data: bytes) -> Iterator[tuple[int, Peer]]:
        """The places of these bytes among the weights, and whose they are."""
        for place in self.places(data):
            at = place % self.ends[-1]
            yield at, upstream.primaries[bisect_right(self.ends, at)]

    def explain(self, upstream: Upstream, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The tries, up to the first peer that is able."""
        data = self.check(key)
        if not data or not self.ends:
            return []
        tries = ((f"{at} of {name(peer.row)!r}", peer) for at, peer in self.tries(upstream, data))
        return [("place", f"{until_able(upstream, tries)}; of {self.ends[-1]}")]


def until_able(upstream: Upstream, tries: Iterator[tuple[str, Peer]]) -> str:
    """What is tried, up to the first peer that is able."""
    told = []
    for text, peer in islice(tries, OFTEN + 1):
        able = upstream.able(peer, ())
        told.append(text if able else f"{text}, not able")
        if able:
            break
    return listing(told, "; ")


def ip_places(data: bytes) -> Iterator[int]:
    """The places that ``ip_hash`` tries for these bytes of an address."""
    h = START
    while True:
        for byte in data:
            h = (h * FACTOR + byte) % MODULUS
        yield h


def ip_bytes(key: bytes | None) -> bytes:
    """The bytes of an address that ``ip_hash`` hashes.

    Raises
    ------
    ConfigError : the key is neither 4 nor 16 bytes.
    """
    if key is None:
        return NOBODY
    if len(key) not in (4, 16):
        raise ConfigError("key", key, "must be the 4 or 16 bytes of an address, see nginx.address")
    return key[:3] if len(key) == 4 else key


def hash_places(data: bytes) -> Iterator[int]:
    """The places that ``hash`` tries for this key."""
    total = (crc32(data) >> 16) & 0x7FFF
    again = 1
    while True:
        yield total
        total = (total + ((crc32(data, crc32(b"%d" % again)) >> 16) & 0x7FFF)) & 0xFFFFFFFF
        again += 1


def hash_bytes(key: bytes | None) -> bytes:
    """The key as it is; none is the empty one."""
    return key or b""


def host_and_port(name: str) -> tuple[bytes, bytes]:
    """Host and port of a configured name: split at the last colon if only digits follow; a Unix socket has no port.

    Examples
    --------
    >>> host_and_port("10.0.0.1:80"), host_and_port("[::1]"), host_and_port("unix:/run/app:1")
    ((b'10.0.0.1', b'80'), (b'[::1]', b''), (b'/run/app:1', b''))
    """
    if name[:5].lower() == "unix:":
        return name[5:].encode(), b""
    host, colon, port = name.rpartition(":")
    if colon and all(c in "0123456789" for c in port):
        return host.encode(), port.encode()
    return name.encode(), b""


def chain_start(name: str) -> int:
    """The CRC-32 that all points of a configured name go on from.

    Examples
    --------
    >>> hex(chain_start("127.0.0.1:80"))
    '0x5d561a4e'
    """
    host, port = host_and_port(name)
    return crc32(host + b"\0" + port)


def ring_of(names: Sequence[str], weights: Sequence[int]) -> Ring:
    """The ring of these peers; its owners are numbers of names, in the order of their first peers.

    Points of 32 bits sit in the upper half of the ring. Of equal points the first one stays, in the order of the peers
    and of each chain, and the others are dropped: a failed try goes on by one point, so a double would cost a try.
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    counts = [POINTS * weight for weight in weights]
    points = chained([chain_start(name) for name in names], counts).astype(np.uint64) << np.uint64(32)
    ring = Ring(points, np.repeat([numbers[name] for name in names], counts), len(numbers))
    places = np.asarray(ring.points(), dtype=np.uint64)
    first = np.append(True, places[1:] != places[:-1])  # the ring's order is stable
    return ring if first.all() else Ring(places[first], np.asarray(ring.owners(), dtype=np.int32)[first], len(numbers))


class ByPoint:
    """The ring, and whose names own it."""

    hash_bits = 32

    def __init__(self) -> None:
        self.of: tuple[tuple[str, int], ...] = ()
        self.ring: Ring | None = None
        self.points: Any = None
        self.owners: Any = None
        self.peers: list[list[int]] = []  # positions among the primaries, by number of the name

    def built(self, upstream: Upstream) -> None:
        """Makes the ring, if names or weights are other ones than before."""
        names = [peer.server.name or peer.server.id for peer in upstream.primaries]
        of = tuple(zip(names, (peer.weight for peer in upstream.primaries), strict=True))
        if of != self.of:
            self.lay(of)

    def lay(self, of: tuple[tuple[str, int], ...]) -> None:
        """Makes the ring of these names and weights."""
        names = [name for name, _ in of]
        self.of = of
        self.ring = ring_of(names, [weight for _, weight in of]) if of else None
        self.points = self.owners = None
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        self.peers = [[] for _ in numbers]
        for position, name in enumerate(names):
            self.peers[numbers[name]].append(position)

    def __call__(self, upstream: Upstream, key: bytes | None, skip: Container[int]) -> Peer | None:
        """The peer for the next request, None if there is none."""
        if not key or self.ring is None:
            return upstream.in_turn(skip)
        for number in self.tries(self.ring, crc32(key)):
            chosen = self.turn(upstream, number, skip)
            if chosen is not None:
                return chosen
        return upstream.in_turn(skip)

    def tries(self, ring: Ring, place: int) -> Iterator[int]:
        """Numbers of names: of the first point at or after a place, and of those behind it."""
        yield ring.slot(place << 32)
        if self.points is None:
            self.points = (np.asarray(ring.points(), np.uint64) >> np.uint64(32)).tolist()
            self.owners = np.asarray(ring.owners()).tolist()
        first = bisect_left(self.points, place)
        for index in range(first + 1, first + OFTEN + 1):
            yield self.owners[index % len(self.owners)]

    def explain(self, upstream: Upstream, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The point, and the names tried, up to the first that has a peer that is able."""
        if not key or self.ring is None:
            return []
        names, place = list(dict.fromkeys(name for name, _ in self.of)), crc32(key)
        steps = place_steps(self.ring, place << 32, names.__getitem__, self)
        theirs = ([upstream.primaries[i] for i in self.peers[number]] for number in self.tries(self.ring, place))
        best = ((peers[0], next((p for p in peers if upstream.able(p, ())), peers[0])) for peers in theirs)
        tries = ((first.server.name or first.server.id, peer) for first, peer in best)
        return [*steps, ("name", until_able(upstream, tries))]

    def turn(self, upstream: Upstream, number: int, skip: Container[int]) -> Peer | None:
        """A turn among the able peers of one name."""
        peers = [upstream.primaries[position] for position in self.peers[number]]
        return smooth([peer for peer in peers if upstream.able(peer, skip)])

    def __deepcopy__(self, memo: dict[int, Any]) -> ByPoint:
        return copy.copy(self)  # what it holds is replaced when peers change, never altered

    def __getstate__(self) -> Any:
        return self.of

    def __setstate__(self, of: Any) -> None:
        self.lay(of)
