"""The orders of ``static-rr``, ``leastconn`` and ``first``.

static-rr: a cursor on the map. leastconn: least requests to weight. first: the lowest numeric id with a place free.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Container, Mapping

from lbalgo.compat.haproxy.farm import NOBODY, Farm, Standing, refusal
from lbalgo.compat.haproxy.generator import Xorshift32
from lbalgo.compat.haproxy.server import Version
from lbalgo.compat.haproxy.structures import map_table
from lbalgo.explaining import Steps, listing

LEAST_SCALE = 4096  # greatest effective weight: requests are counted in parts of it


class MapOrder:
    """The order of ``balance static-rr``: the map, position by position. No change restarts the cursor.

    Parameters
    ----------
    hashing : whether these are the turns of requests without a key, which a server that is alone does not spend.
    """

    def __init__(self, hashing: bool = False) -> None:
        self.hashing = hashing
        self.table: list[int] | None = None
        self.cursor = 0

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """The map is made anew when it is needed."""
        self.table = None

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The next position whose server can take a request."""
        if self.hashing and len(farm.serving) == 1:
            return NOBODY if farm.serving[0] in skip else farm.serving[0]
        table = self._map(farm)
        for step in range(len(table)):
            at = (self.cursor + step) % len(table)
            row = table[at]
            if row not in skip and not farm.saturated(row):
                self.cursor = at + 1
                return row
        return refusal(farm, skip)

    def _map(self, farm: Farm) -> list[int]:
        """The map, on which the cursor then is."""
        if self.table is None:
            owners = map_table([farm.standings[row].ew for row in farm.serving])
            self.table = [farm.serving[owner] for owner in owners]
        if self.cursor >= len(self.table):
            self.cursor = 0
        return self.table

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The cursor, and whose its position is."""
        table = self._map(farm)
        return [("cursor", f"{self.cursor} of {len(table)} positions, owned by {name(table[self.cursor])!r}")]

    def moved(self, farm: Farm, row: int) -> None:
        """Load is looked at when it matters."""


class LeastOrder:
    """The order of ``balance leastconn``: by requests to weight, and who came to that number first.

    A server is put at the end of those with its number whenever that changes, when a request starts and when one ends:
    idle servers are used in turn, whatever their weights.

    Parameters
    ----------
    version : since 3.2 each number has four queues, of which one is drawn at random.
    seed : of those draws.
    """

    def __init__(self, version: Version, seed: int | None) -> None:
        self.queues = 4 if version.since(Version.V3_2) else 1
        self.draw = Xorshift32(seed)
        self._inserted = 0
        self._entries: dict[int, tuple[int, int, int, int]] = {}
        self._tree: list[tuple[int, int, int, int]] = []

    def reseed(self, seed: int) -> None:
        """Moves the random start."""
        self.draw.reseed(seed)

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """Those that came up or changed their weight are inserted anew."""
        for row, old in before.items():
            new = farm.standings.get(row)
            if old.usable and (new is None or not new.usable or new.ew != old.ew):
                self._remove(row)
        for row, new in farm.standings.items():
            if new.usable and row not in self._entries:
                self._insert(farm, row)

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The first that can take a request."""
        pool = set(farm.serving)
        for *_, row in self._tree:
            if row in pool and row not in skip and not farm.saturated(row):
                return row
        return refusal(farm, skip)

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The key of each server, least first."""
        keys = [f"{name(row)} {key}, {farm.open(row)} under way" for key, *_, row in self._tree if row in farm.serving]
        return [("keys", listing(keys, "; "))]

    def moved(self, farm: Farm, row: int) -> None:
        """The server has another number of requests."""
        if row in self._entries:
            self._remove(row)
            self._insert(farm, row)

    def _insert(self, farm: Farm, row: int) -> None:
        self._inserted += 1
        load = farm.open(row)
        number = (load + 1) * LEAST_SCALE // farm.standings[row].ew if load else 0
        queue = self.draw() % self.queues if self.queues > 1 else 0
        entry = self._entries[row] = number, queue, self._inserted, row
        insort(self._tree, entry)

    def _remove(self, row: int) -> None:
        del self._tree[bisect_left(self._tree, self._entries.pop(row))]


class FirstOrder:
    """The order of ``balance first``: by numeric id; the first with a place free."""

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """Nothing is kept."""

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The lowest numeric id that can take a request."""
        free = [r for r in farm.serving if r not in skip and not farm.saturated(r)]
        return min(free, key=lambda r: farm.standings[r].puid) if free else refusal(farm, skip)

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The numeric ids."""
        return [("numeric ids", listing(f"{name(row)} {farm.standings[row].puid}" for row in farm.serving))]

    def moved(self, farm: Farm, row: int) -> None:
        """Load is looked at when it matters."""
