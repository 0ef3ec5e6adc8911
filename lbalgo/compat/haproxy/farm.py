"""What all algorithms share: who is usable, with which effective weight, how loaded, and the machine that asks them.

Servers are *active* or *backups*. While one active server is usable only actives serve; else the first usable backup
in the order of the configuration takes everything, without any algorithm, or with ``option allbackups`` all usable
backups are the pool. HAProxy knows no panic: with nobody usable there is no server.

Dynamic algorithms count a weight in sixteenths, so that a slow start has steps: effective weight 16 w, or w k at step k
of 16. Static ones (static-rr, map-based hashing) divide all weights by their greatest common divisor at start, take no
notice of slow starts, and afterwards accept no weight but 0 and the one they started with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lbalgo.compat.haproxy.limits import dynamic_maxconn, slowstart_maxconn
from lbalgo.compat.haproxy.server import HashKey, Server, Version, check_server_weight, numeric_ids, server_of
from lbalgo.compat.machine import OVERLOADED
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_enum, check_integer
from lbalgo.types import Outcome, State
from lbalgo.view import View

SCALE = 16  # HAProxy's BE_WEIGHT_SCALE: points of effective weight to one of weight
NOBODY = -1


def check_pool(policy: Any) -> None:
    """Checks the fields that all policies have: version, allbackups, fullconn."""
    check_enum("version", policy.version, Version)
    check_bool("allbackups", policy.allbackups)
    check_integer("fullconn", policy.fullconn, low=0, high=2**31 - 1)


@dataclass(frozen=True)
class Standing:
    """How a server stands since the last sync.

    Attributes
    ----------
    server, row, puid : who it is.
    ew : effective weight.
    up : not down, whatever its weight.
    usable : up, not draining, and of positive weight.
    """

    server: Server
    row: int
    puid: int
    ew: int
    up: bool
    usable: bool


class Farm:
    """The servers of a backend, by row: how they stand and what is under way to them.

    Parameters
    ----------
    version, allbackups, fullconn : of the policy.
    dynamic : whether the algorithm is a dynamic one.

    Attributes
    ----------
    standings : row to `Standing`, in the order of the configuration.
    serving : rows of the pool that serves, in the same order.
    alone : the row that takes everything without an algorithm, or -1.
    total : effective weight of the serving.
    ahead : row to the effective weight of its kind (active or backup), usable at start, declared before it; never
        brought up to date, and missing for who was not usable at start.
    requests : requests under way or queued, of all servers.
    """

    def __init__(self, version: Version, allbackups: bool, fullconn: int, dynamic: bool) -> None:
        self.version, self.allbackups, self.fullconn, self.dynamic = version, allbackups, fullconn, dynamic
        self.standings: dict[int, Standing] = {}
        self.serving: list[int] = []
        self.alone = NOBODY
        self.total = 0
        self.ahead: dict[int, int] = {}
        self.requests = 0
        self.now = 0.0
        self._open: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self._start: dict[int, int] = {}  # weights a static algorithm started with
        self._divisor = 1
        self._fresh = True

    def sync(self, rows: Sequence[int], view: View[Any]) -> dict[int, Standing]:
        """Makes these the servers; returns how they stood before. Refuses before anything has changed."""
        weights = view.weights.tolist()
        servers = [server_of(b, w) for b, w in zip(view.backends, weights, strict=True)]
        runtime = [check_server_weight(s.id, w) for s, w in zip(servers, weights, strict=True)]
        check_servers(servers, self.version, self.fullconn)
        before = self.standings
        known = None if self._fresh else {s.server.id: s.puid for s in before.values()}
        puids = numeric_ids(servers, known)
        start, divisor = self._start, self._divisor
        if not self.dynamic and (self._fresh or list(before) != list(rows)):
            start = dict(zip(rows, runtime, strict=True))
            divisor = math.gcd(*runtime) or 1
        elif not self.dynamic:
            for row, server, weight in zip(rows, servers, runtime, strict=True):
                if weight not in (0, start[row]):
                    why = f"a static algorithm accepts 0 and {start[row]}, with which it started"
                    raise ConfigError(f"weights[{server.id!r}]", weight, why)
        self._start, self._divisor = start, divisor
        self.standings = {}
        for slot, row in enumerate(rows):
            state, weight = int(view.states[slot]), runtime[slot]
            if self.dynamic:
                ew = max(round(SCALE * weight * float(view.factors[slot])), min(weight, 1))
            else:
                ew = weight // divisor
            up = state != State.UNHEALTHY
            usable = ew > 0 and state <= State.DEGRADED
            self.standings[row] = Standing(servers[slot], row, puids[slot], ew, up, usable)
            if not up:
                self._since.pop(row, None)
            elif not self._fresh and (row not in before or not before[row].up):
                self._since[row] = self.now
        self._settle()
        self._fresh = False
        return before

    def _settle(self) -> None:
        usable = [s for s in self.standings.values() if s.usable]
        active = [s.row for s in usable if not s.server.backup]
        backups = [s.row for s in usable if s.server.backup]
        self.serving = active or (backups if self.allbackups else backups[:1])
        self.alone = backups[0] if backups and not active and not self.allbackups else NOBODY
        self.total = sum(self.standings[row].ew for row in self.serving)
        if self._fresh:
            before = {False: 0, True: 0}  # actives and backups are counted apart, whoever serves
            for standing in usable:
                self.ahead[standing.row] = before[standing.server.backup]
                before[standing.server.backup] += standing.ew

    def told(self, row: int, name: Callable[[int], str]) -> str:
        """A server, and whether it can take no request."""
        return name(row) + " saturated" * self.saturated(row)

    def saturated(self, row: int) -> bool:
        """Whether the server is at its maxconn, or has a queue already."""
        limit = self.maxconn(row)
        return limit > 0 and self.open(row) >= limit

    def maxconn(self, row: int) -> int:
        """The server's limit at present, 0 for none."""
        server = self.standings[row].server
        placed = self.requests + 1  # the request that is being placed is one of the backend's connections already
        limit = dynamic_maxconn(server.maxconn, server.minconn, self.fullconn, placed)
        if row in self._since and server.slowstart:
            limit = slowstart_maxconn(limit, self.now - self._since[row], server.slowstart)
        return limit

    def served(self, row: int) -> int:
        """Requests under way at the server, those in its queue not counted."""
        limit = self.maxconn(row)
        return min(self.open(row), limit) if limit else self.open(row)

    def open(self, row: int) -> int:
        """Requests under way at the server or in its queue."""
        return self._open.get(row, 0)

    def started(self, row: int, now: float) -> None:
        """A request was sent to the server."""
        self.advance(now)
        self._open[row] = self.open(row) + 1
        self.requests += 1

    def finished(self, row: int, now: float) -> None:
        """A request to the server has ended; one that never began changes nothing."""
        self.advance(now)
        if self.open(row):
            self._open[row] -= 1
            self.requests -= 1

    def advance(self, now: float) -> None:
        """It is `now`, in seconds; an earlier time changes nothing."""
        self.now = max(self.now, now)

    def restart(self, row: int) -> None:
        """The row belongs to another server from now on."""
        self.requests -= self._open.pop(row, 0)


def check_servers(servers: Sequence[Server], version: Version, fullconn: int) -> None:
    """Refuses keywords that this version does not have, and limits that lack what they depend on."""
    for s in servers:
        name = f"backends[{s.id!r}]"
        if s.hash_key is not HashKey.ID and not version.since(Version.V3_0):
            raise ConfigError(f"{name}.hash_key", s.hash_key, f"is not in {version.text}, but since 3.0")
        if s.hash_key in (HashKey.ID32, HashKey.GUID) and not version.since(Version.V3_4):
            raise ConfigError(f"{name}.hash_key", s.hash_key, f"is not in {version.text}, but since 3.4")
        if 0 < s.minconn < s.maxconn and not fullconn:
            raise ConfigError(f"{name}.minconn", s.minconn, "needs the backend's fullconn")


class Order(Protocol):
    """The algorithm of a machine: in which order the servers of a farm are used."""

    def follow(self, farm: Farm, before: Mapping[int, Standing]) -> None:
        """The servers stand as the farm says now, and stood as `before` says."""

    def choose(self, farm: Farm, key: bytes | None, skip: Container[int]) -> int:
        """The row of the next request, NOBODY or OVERLOADED; somebody serves, and an algorithm decides who."""
        ...

    def moved(self, farm: Farm, row: int) -> None:
        """A request to this row has started or ended."""

    def explain(self, farm: Farm, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """What decides next, in steps; asked of a copy."""
        ...


class FarmMachine:
    """A machine (`lbalgo.compat.machine`) of a farm and an order.

    Parameters
    ----------
    farm : the servers.
    order : the algorithm.
    """

    def __init__(self, farm: Farm, order: Any) -> None:
        self.farm = farm
        self.order = order

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Makes these the members; each difference is what the runtime interface would have said."""
        before = self.farm.sync(rows, view)
        self.order.follow(self.farm, before)

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row that serves the next request; negative if there is none."""
        if self.farm.alone >= 0:
            return NOBODY if self.farm.alone in skip else self.farm.alone
        if not self.farm.serving:
            return NOBODY
        row: int = self.order.choose(self.farm, key, skip)
        return row

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """Who serves, and how the order comes to its choice."""
        if self.farm.alone >= 0:
            return [("serving", f"{name(self.farm.alone)}, the first usable backup, without an algorithm")]
        if not self.farm.serving:
            return [("serving", "nobody")]
        steps: Steps = self.order.explain(self.farm, key, name)
        return [("serving", listing(self.farm.told(row, name) for row in self.farm.serving)), *steps]

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to this row."""
        self.farm.started(row, now)
        self.order.moved(self.farm, row)
        if hasattr(self.order, "came"):
            self.order.came(self.farm, row)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to this row has ended, however it did."""
        self.farm.finished(row, now)
        self.order.moved(self.farm, row)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self.farm.advance(now)

    def at(self, row: int) -> float:
        """Requests under way or queued at this row."""
        return float(self.farm.open(row))

    def restart(self, row: int) -> None:
        """The row belongs to another server from now on."""
        self.farm.restart(row)
        self.order.moved(self.farm, row)

    def reseed(self, seed: int) -> None:
        """Moves the random start, where the order has one and its policy left it open."""
        if hasattr(self.order, "reseed"):
            self.order.reseed(seed)


def refusal(farm: Farm, skip: Container[int]) -> int:
    """What an order that found nobody answers: OVERLOADED if somebody who was not tried is saturated."""
    return OVERLOADED if any(row not in skip for row in farm.serving) else NOBODY
