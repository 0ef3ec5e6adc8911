"""Subsetting rules: which backends one client of many talks to.

With C clients and N backends a full mesh is C x N connections, each idle most of the time and each a health check; and
a client that spreads few requests over many backends sees each too seldom to learn anything about it. A subset of k
cuts the mesh to C x k. What it costs is balance, and what is asked of a rule is threefold: every backend is in as many
subsets as every other; a backend that comes or goes changes few of them; and the clients that lose one backend do not
all lean on the same others.

A rule answers with the *coverage* of each backend, 0 to 1: how much of its weight this client may use. For subsets it
is 0 or 1; an aperture covers the backends at its two edges in part, and that is what makes it exact.

| rule | client is | subsets a backend is in | a backend joins |
|---|---|---|---|
| `RandomSubset` | a random seed | binomial(C, k / N) | at most 1 change a client |
| `DeterministicSubset` | an index, no gaps | even, over whole rounds | at most 1 change a client, or all anew |
| `Ringsteady` | an index, no gaps | about even | at most 1 change a client |
| `Rocksteadier` | an index, no gaps | even, over whole lots | about 1 change a client |
| `Aperture` | an index and their number | exactly even | the arcs of all shift a little |

`python -m benchmarks.subsetting` prints both columns in numbers. `Ringsteady` and `Rocksteadier` count backends by
index, in the order in which the pool lists them: let who joins be listed last. The others go by id, in any order.

Costs: O(N log N) a pool; no state.
Sources: gRFC A68 (random subsetting); Beyer et al., *Site Reliability Engineering*, chapter 20 (deterministic); Ward,
Wankadia, Guliani, "Reinventing Backend Subsetting at Google", ACM Queue 20(5), 2022 (Ringsteady and Rocksteadier);
Finagle, deterministic aperture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.active import mix64, xxh64
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import F64
from lbalgo.view import View

SIZE = 20  # the low end of the 20 to 100 of the SRE book's chapter 20
LOT = 10  # Ward et al.
LEAST = 12  # Finagle's minimum aperture
GAMMA, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1


@dataclass(frozen=True)
class RandomSubset:
    """The `size` backends whose hash under the client's seed is least: every client a subset of its own.

    Parameters
    ----------
    size : backends of a subset, >= 1; all, if there are no more.
    client : the client's seed, an integer in [0, 2**64): random, and kept for as long as the client lives.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: O(N log N) a pool. A backend is in binomial(C, size / N) of C subsets; one that comes or goes changes at most
    one place of each.
    Source: gRFC A68 (order by XXH64 of the address under the seed, the first `size`).

    Examples
    --------
    >>> RandomSubset(2, client=7).coverage(View.of(["a", "b", "c", "d"])).tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    size: int = SIZE
    client: int = 0

    def __post_init__(self) -> None:
        check_integer("size", self.size, low=1)
        check_integer("client", self.client, low=0, high=WORD)

    def coverage(self, view: View[Any]) -> F64:
        """1 for each slot of the subset, 0 for the others."""
        return _ones(view, _by_hash(view, self.client)[: self.size])

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RandomSubset:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class DeterministicSubset:
    """Backends in a random order, dealt out in hands of `size`, one to a client; each round has an order of its own.

    Parameters
    ----------
    size : backends of a subset, >= 1; all, if there are no more.
    client : the client's index, 0 to 2**64 - 1; the indices of all clients have no gaps.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    What is left over when N is not a multiple of `size` sits out that round, others the next. The book shuffles a list;
    here the order of a round is that of the ids' hashes under its number, which is as random, and keeps its order when
    a backend comes or goes. As long as N // size stays, each hand then gains and loses at most one; when that changes,
    nearly everything moves.

    Costs: O(N log N) a pool. Each backend is in one subset of each full round of N // size clients.
    Source: *Site Reliability Engineering*, chapter 20, "A Subset Selection Algorithm: Deterministic Subsetting".

    Examples
    --------
    >>> view = View.of(["a", "b", "c", "d"])
    >>> sum(DeterministicSubset(2, client).coverage(view) for client in range(2)).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    size: int = SIZE
    client: int = 0

    def __post_init__(self) -> None:
        check_integer("size", self.size, low=1)
        check_integer("client", self.client, low=0, high=WORD)

    def coverage(self, view: View[Any]) -> F64:
        """1 for each slot of the subset, 0 for the others."""
        turn, hand = divmod(self.client, max(len(_members(view)) // self.size, 1))
        return _ones(view, _by_hash(view, turn)[hand * self.size : (hand + 1) * self.size])

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> DeterministicSubset:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class Ringsteady:
    """Backends and clients on one ring, at the van der Corput numbers of their indices; the next `size` clockwise.

    Parameters
    ----------
    size : backends of a subset, >= 1; all, if there are no more.
    client : the client's index, 0 to 2**64 - 1; the indices of all clients have no gaps.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Each next index falls into a largest gap, so both stay evenly spread however many there are; who joins splits one
    gap. But gaps are of two sizes unless N is a power of two, and neighbours on the ring have nearly the same subset:
    the clients of a lost backend lean on the same few.

    Costs: O(N log N) a pool; a backend that joins changes one place of `size` / N of the clients' subsets.
    Source: Ward, Wankadia, Guliani, ACM Queue 20(5), 2022.

    Examples
    --------
    >>> Ringsteady(2, client=1).coverage(View.of(["0", "1/2", "1/4", "3/4"])).tolist()
    [0.0, 1.0, 0.0, 1.0]
    """

    size: int = SIZE
    client: int = 0

    def __post_init__(self) -> None:
        check_integer("size", self.size, low=1)
        check_integer("client", self.client, low=0, high=WORD)

    def coverage(self, view: View[Any]) -> F64:
        """1 for each slot of the subset, 0 for the others."""
        slots = _members(view)
        return _ones(view, [slots[at] for at in _clockwise(self.client, len(slots))[: self.size]])

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Ringsteady:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class Rocksteadier:
    """Lots of ten clients share lots of ten backends, each client one of each lot; lots meet as on `Ringsteady`'s ring.

    Parameters
    ----------
    size : backends of a subset, >= 1; all, if there are no more.
    client : the client's index, 0 to 2**64 - 1; the indices of all clients have no gaps.
    lot : clients, and backends, of a lot, >= 1.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    A lot of clients goes round the lots of backends from its place on the ring. Within a lot of backends each client
    takes the one at its own place in an order shuffled for that lot of clients; places of a last lot that is not full
    are passed over. After a whole round it takes the next place.

    Costs: O(N log N) a pool; a backend that joins fills one empty place.
    Source: Ward, Wankadia, Guliani, ACM Queue 20(5), 2022; the generator of the shuffles is ours.

    Examples
    --------
    >>> view = View.of([f"b{i}" for i in range(20)])
    >>> sum(Rocksteadier(2, client).coverage(view) for client in range(10)).tolist() == [1.0] * 20
    True
    """

    size: int = SIZE
    client: int = 0
    lot: int = LOT

    def __post_init__(self) -> None:
        check_integer("size", self.size, low=1)
        check_integer("client", self.client, low=0, high=WORD)
        check_integer("lot", self.lot, low=1)

    def coverage(self, view: View[Any]) -> F64:
        """1 for each slot of the subset, 0 for the others."""
        slots, chosen = _members(view), list[int]()
        mine, place = divmod(self.client, self.lot)
        lots = _clockwise(mine, -(-len(slots) // self.lot))
        for turn in range(self.lot):
            for lot in lots:
                order = _shuffled(list(range(self.lot)), mix64(mine) ^ lot)
                at = lot * self.lot + order[(place + turn) % self.lot]
                if at < len(slots):
                    chosen.append(slots[at])
                if len(chosen) == self.size:
                    return _ones(view, chosen)
        return _ones(view, chosen)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Rocksteadier:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class Aperture:
    """An arc of the circle on which the backends lie side by side, each as wide as its weight.

    Parameters
    ----------
    clients : how many clients there are, >= 1.
    client : the client's index, from 0 to `clients` - 1.
    size : the least number of mean backends that the arc is to cover, >= 1.
    seed : of the order on the circle, [0, 2**64); the same for all clients.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Client i of C begins at i / C, and its arc is a whole number of C-ths: the least that covers size / N, at most the
    circle. So every point of the circle is under the same number of arcs, and every backend gets its exact share of the
    clients' traffic, if these send equally much and choose by weight. A backend at an edge is used in part. Pairs of
    choices (`PowerOfTwo`) draw two *different* backends, which distorts small apertures: of three, one half covered
    gets 0.61 of a whole one's draws, not 0.5.

    Costs: O(N log N) a pool; when N or C changes all arcs shift a little.
    Source: Finagle, `DeterministicAperture` and `Ring` (12 endpoints at least).

    Examples
    --------
    >>> view = View.of(["a", "b", "c", "d"])
    >>> sorted(Aperture(clients=3, client=0, size=2).coverage(view).tolist())
    [0.0, 0.666..., 1.0, 1.0]
    >>> sum(Aperture(clients=3, client=i, size=2).coverage(view) for i in range(3)).round(12).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    clients: int
    client: int
    size: int = LEAST
    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("clients", self.clients, low=1)
        check_integer("client", self.client, low=0, high=self.clients - 1)
        check_integer("size", self.size, low=1)
        check_integer("seed", self.seed, low=0, high=WORD)

    def coverage(self, view: View[Any]) -> F64:
        """The part of each backend that lies under the arc."""
        slots = _by_hash(view, self.seed)
        cover = np.zeros(len(view))
        if not slots:
            return cover
        # In units of a C-th, so that arcs begin and end at whole numbers.
        units = min(self.clients, -(-self.size * self.clients // len(slots)))
        weights = view.weights[slots] / view.weights[slots].max()
        ends = np.cumsum(weights)
        ends *= self.clients / ends[-1]
        begins = np.concatenate(([0.0], ends[:-1]))
        under = np.zeros(len(slots))
        for begin in (self.client, self.client - self.clients):  # the arc, and the arc that came round
            under += np.clip(np.minimum(ends, begin + units) - np.maximum(begins, begin), 0.0, None)
        cover[slots] = np.minimum(under / np.maximum(ends - begins, math.ulp(0.0)), 1.0)
        return cover

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Aperture:
        """The rule `to_dict` described."""
        return from_dict(cls, data)


def _members(view: View[Any]) -> list[int]:
    """Slots of the backends with weight, in listing order: health does not move a subset."""
    return np.flatnonzero(view.weights > 0).tolist()


def _by_hash(view: View[Any], seed: int) -> list[int]:
    """The same slots in the order of their ids' hashes under the seed."""
    return sorted(_members(view), key=lambda slot: (xxh64(view.ids[slot].encode(), seed), view.ids[slot]))


def _ones(view: View[Any], slots: list[int]) -> F64:
    cover = np.zeros(len(view))
    cover[slots] = 1.0
    return cover


def _shuffled(items: list[int], seed: int) -> list[int]:
    """Fisher and Yates' shuffle by SplitMix64; the bias of the modulo is below len / 2**64."""
    out, state = list(items), mix64(seed & WORD)
    for last in range(len(out) - 1, 0, -1):
        state = (state + GAMMA) & WORD
        other = mix64(state) % (last + 1)
        out[last], out[other] = out[other], out[last]
    return out


def _clockwise(index: int, count: int) -> list[int]:
    """0 to count - 1 in their order on the ring, from where `index` stands."""
    here = _corput(index)
    return sorted(range(count), key=lambda at: (_corput(at) - here) & WORD)


def _corput(index: int) -> int:
    """The van der Corput number of an index, times 2**64: its 64 bits in reverse.

    Examples
    --------
    >>> [_corput(i) / 2**64 for i in range(6)]
    [0.0, 0.5, 0.25, 0.75, 0.125, 0.625]
    """
    return int(f"{index & WORD:064b}"[::-1], 2)
