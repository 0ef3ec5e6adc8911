"""The orders that walk the ring and look at loads: bounded hashing, affinity with limits, and ``random``.

*Bounded loads* (``hash-balance-factor`` f): with L requests under way, ceil((L + 1) f / 100) places are shared out by
weight, so that their sum is exact: server i has floor((c + w_i) P / T) - floor(c P / T) of P places, where c is the
weight declared before it. A server whose places are taken is passed over. c is computed at start only, for those usable
then; all others have 0.

*random*: one draw of 32 bits is looked up on the ring as if it were a hash; of several draws the least loaded server
wins, the later one of equals. A winner that is saturated is not replaced: the request waits.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping

from lbalgo.compat.haproxy.farm import NOBODY, Farm, Standing, refusal
from lbalgo.compat.haproxy.generator import Rate, Xorshift32
from lbalgo.compat.haproxy.hashing import HashType
from lbalgo.compat.haproxy.keys import Rule
from lbalgo.compat.haproxy.server import Version
from lbalgo.compat.haproxy.structures import HashRing, ring_entries
from lbalgo.compat.machine import OVERLOADED
from lbalgo.explaining import Steps, listing


class BoundedRing:
    """The ring of those that serve, walked past servers whose share of the load is used up.

    Parameters
    ----------
    factor : hash-balance-factor in per cent, 0 for none.
    rekeyed_ids : see `base_of`.
    """

    def __init__(self, factor: int, rekeyed_ids: bool) -> None:
        self.factor, self.rekeyed_ids = factor, rekeyed_ids
        self._entries: tuple[tuple[int, int, int], ...] = ()
        self._ring: HashRing | None = None

    def follow(self, farm: Farm) -> None:
        """Notes who is on the ring now."""
        self._entries = ring_entries(farm, {row: row for row in farm.serving}, self.rekeyed_ids)

    @property
    def ring(self) -> HashRing:
        """The ring, made when it is needed and kept while it holds; somebody serves."""
        if self._ring is None or self._ring.entries != self._entries:
            self._ring = HashRing(self._entries, max(owner for owner, _, _ in self._entries) + 1)
        return self._ring

    def explain(self, farm: Farm, name: Callable[[int], str]) -> Steps:
        """What each server may have under way, if that is limited."""
        limits = load_limits(farm, self.factor) if self.factor else {}
        told = listing(f"{name(row)} {farm.served(row)} of {limit}" for row, limit in limits.items())
        return [("limits", f"{told}, at {self.factor} %")] if told else []

    def without(self, row: int, state: int) -> tuple[int, int]:
        """The owner and the place of what is behind a point, on the ring that a server was taken off."""
        others = tuple(entry for entry in self._entries if entry[0] != row)
        return HashRing(others, self.ring.slots).after(state) if others else (NOBODY, 0)

    def walk(self, farm: Farm, value: int, skip: Container[int]) -> Iterator[int]:
        """From the nearest point forward: those not tried that may take one more request by their share."""
        limits = load_limits(farm, self.factor) if self.factor else {}
        for row in self.ring.walk(value):
            if row not in skip and (not limits or farm.served(row) < limits[row]):
                yield row


def load_limits(farm: Farm, factor: int) -> dict[int, int]:
    """The most requests each serving server may have under way when one more is placed.

    Parameters
    ----------
    farm : the servers.
    factor : hash-balance-factor, per cent.
    """
    places = ((farm.requests + 1) * factor + 99) // 100
    quotient, rest = divmod(places, farm.total)
    limits = {}
    for row in farm.serving:
        ew, before = farm.standings[row].ew, farm.ahead.get(row, 0)
        share = (before + ew) * rest // farm.total - before * rest // farm.total
        limits[row] = max(ew * quotient + share, 1)
    return limits


class HashOrder:
    """Consistent hashing where loads matter.

    Parameters
    ----------
    rule, hash_type : what is hashed, and how.
    ring : the ring, and the load limits.
    affinity : ``always``, ``maxconn`` or ``maxqueue``.
    """

    def __init__(self, rule: Rule, hash_type: HashType, ring: BoundedRing, affinity: str) -> None:
        self.rule, self.hash_type, self.ring, self.affinity = rule, hash_type, ring, affinity
        self.cursor = 0
        self.last = NOBODY
        self._most: dict[int, int] = {}

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """Notes who is on the ring now.

        If the point of the last turn goes, the next point takes its place, and its turn is over too. A server whose
        weight becomes greater than it ever was is taken off the ring before it is put on again.
        """
        self.ring.follow(farm)
        grown = {row for row, new in farm.standings.items() if new.ew > self._most.get(row, new.ew)}
        if self.cursor and self.last in grown:
            self.last, self.cursor = self.ring.without(self.last, self.cursor)
        self._most = {row: max(new.ew, self._most.get(row, 0)) for row, new in farm.standings.items()}
        if self.cursor:
            self.last, self.cursor = self.ring.ring.after(self.cursor) if farm.serving else (NOBODY, 0)

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The first on the key's walk that may take the request; without a key, the server of the next point."""
        if len(farm.serving) == 1:  # no key is looked at, and no turn is taken
            return NOBODY if farm.serving[0] in skip else farm.serving[0]
        sample = None if key is None else self.rule.sample(key)
        if sample is None:
            return self._turn(farm, skip)
        value = self.rule.digest(sample, self.hash_type)
        found = next((row for row in self.ring.walk(farm, value, skip) if not self._full(farm, row)), NOBODY)
        if found >= 0:
            return found
        last = self.ring.ring.before(value)  # with everybody full, the last that the walk comes to
        if last not in skip:
            return last
        return next((row for row in self.ring.ring.walk(value) if row not in skip), NOBODY)

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The point, and who is passed over: at the limit of its share, or full; without a sample, the next point."""
        if len(farm.serving) == 1:
            return []
        sample = None if key is None else self.rule.sample(key)
        if sample is None:
            return [("turn", f"the point after {self.cursor}, of {name(self.ring.ring.turn(self.cursor)[0])}")]
        value = self.rule.digest(sample, self.hash_type)
        full = [name(row) for row in self.ring.ring.walk(value) if self._full(farm, row)]
        steps = [*self.ring.ring.explain(value, name), *self.ring.explain(farm, name)]
        return steps if self.affinity == "always" else [*steps, (self.affinity, f"{listing(full) or 'nobody'} full")]

    def _full(self, farm: Farm, row: int) -> bool:
        if self.affinity == "always":
            return False
        server = farm.standings[row].server
        if self.affinity == "maxconn":
            return farm.saturated(row)
        return server.maxconn > 0 and server.maxqueue > 0 and farm.open(row) >= server.maxconn + server.maxqueue

    def _turn(self, farm: Farm, skip: Container[int]) -> int:
        cursor = self.cursor
        for _ in range(len(self.ring.ring.order)):
            row, cursor = self.ring.ring.turn(cursor)
            if row not in skip and not farm.saturated(row):
                self.cursor, self.last = cursor, row
                return row
        return refusal(farm, skip)

    def moved(self, farm: Farm, row: int) -> None:
        """Load is looked at when it matters."""


class RandomOrder:
    """The order of ``balance random(draws)``.

    Parameters
    ----------
    draws : how many servers are drawn, >= 1.
    ring : the ring, and the load limits.
    version : since 3.4 the request rate decides between equals.
    seed : state of the generator; None for one that `reseed` may move.
    """

    def __init__(self, draws: int, ring: BoundedRing, version: Version, seed: int | None) -> None:
        self.draws, self.ring = draws, ring
        self.rated = version.since(Version.V3_4)
        self.draw = Xorshift32(seed)
        self.rates: dict[int, Rate] = {}

    def reseed(self, seed: int) -> None:
        """Moves the random start."""
        self.draw.reseed(seed)

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """Makes the ring anew where need be."""
        self.ring.follow(farm)

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The least loaded of those drawn; the later of equals."""
        best = NOBODY
        for drawn in self._drawn(farm, skip):
            if best < 0 or not self._better(farm, best, drawn):
                best = drawn
        if best < 0:
            return refusal(farm, skip)
        if farm.saturated(best):
            return OVERLOADED
        return best

    def _drawn(self, farm: Farm, skip: Container[int]) -> Iterator[int]:
        for _ in range(self.draws):
            drawn = next(self.ring.walk(farm, self.draw(), skip), NOBODY)
            if drawn < 0:
                return
            yield drawn

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """Who is drawn, and how loaded they are for their weights."""
        told = (f"{name(row)} {farm.served(row)} / {farm.standings[row].ew}" for row in self._drawn(farm, ()))
        return [*self.ring.explain(farm, name), ("drawn", listing(told) or "nobody")]

    def _better(self, farm: Farm, kept: int, drawn: int) -> bool:
        """Whether the one drawn before is kept."""
        old, new = farm.standings[kept].ew, farm.standings[drawn].ew
        mine, others = farm.served(drawn) * old, farm.served(kept) * new
        if self.rated and mine == others:
            return self._rate(farm, drawn) * old > self._rate(farm, kept) * new
        return mine > others

    def _rate(self, farm: Farm, row: int) -> float:
        return self.rates[row].at(farm.now) if row in self.rates else 0.0

    def moved(self, farm: Farm, row: int) -> None:
        """Load is looked at when it matters."""

    def came(self, farm: Farm, row: int) -> None:
        """A request has started."""
        if self.rated:
            self.rates.setdefault(row, Rate()).add(farm.now)
