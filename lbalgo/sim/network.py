"""The network: how long a request is under way to its server, and the answer back to its client.

A request belongs to the balancer from the moment it is sent until the answer is there: what is in flight, and what a
latency is, includes both ways. The server sees only what has arrived. What is answered too late is looked at by nobody;
to call something off takes no time.

Each direction of each path has a stream of its own, so that another path more, or more traffic on one, changes nothing
for the others.

Costs: about a microsecond a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.active import Stream
from lbalgo.errors import ConfigError
from lbalgo.sim.distributions import Distribution, read_distribution
from lbalgo.sim.named import named
from lbalgo.spec import check_integer, from_dict
from lbalgo.spec import to_dict as plain

BLOCK = 256  # values drawn at a time


@dataclass(frozen=True)
class Path:
    """How long messages between some clients and some servers take; what is None does not matter.

    Parameters
    ----------
    there : seconds from client to server.
    back : seconds from server to client; None: as `there`, drawn anew.
    from_zone, to_zone : of clients, and of servers.
    client, server : a client's number, and a server's id.

    Raises
    ------
    ConfigError : a parameter cannot be used.

    Examples
    --------
    >>> from lbalgo.sim import Constant
    >>> Path(Constant(0.03), from_zone="a", to_zone="b").there.mean
    0.03
    """

    there: Distribution
    back: Distribution | None = None
    from_zone: str | None = None
    to_zone: str | None = None
    client: int | None = None
    server: str | None = None

    def __post_init__(self) -> None:
        for name in ("there", "back"):
            value = getattr(self, name)
            if (value is not None or name == "there") and not callable(getattr(value, "draw", None)):
                raise ConfigError(name, value, "must be a distribution, such as Constant(0.001)")
        for name in ("from_zone", "to_zone", "server"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ConfigError(name, value, "must be a string, or None")
        if self.client is not None:
            check_integer("client", self.client, low=0)

    def joins(self, client: int, client_zone: str | None, server: str, server_zone: str | None) -> bool:
        """Whether messages between these two take it."""
        wanted = (self.from_zone, self.to_zone, self.client, self.server)
        return all(a is None or a == b for a, b in zip(wanted, (client_zone, server_zone, client, server), strict=True))

    to_dict = plain

    @classmethod
    def from_dict(cls, data: Any) -> Path:
        """What `to_dict` described."""
        way = {name: lambda value, name=name: read_distribution(name, value) for name in ("there", "back")}
        return from_dict(cls, data, way)


@dataclass(frozen=True)
class Network:
    """The paths between clients and servers; a pair takes the first that joins it, and no time if none does.

    Parameters
    ----------
    paths : one `Path` or several.
    zones : of the clients, in turn: client i is in ``zones[i % len(zones)]``; empty: in none.

    Raises
    ------
    ConfigError : a parameter cannot be used.

    Examples
    --------
    >>> from lbalgo.sim import Constant, Exponential
    >>> near, far = Path(Constant(0.001), from_zone="a", to_zone="a"), Path(Exponential(0.02))
    >>> len(Network((near, far), zones=("a", "b")).paths)
    2
    """

    paths: tuple[Path, ...]
    zones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given: Any = (self.paths,) if isinstance(self.paths, Path) else self.paths
        for name, values, kind in (("paths", given, Path), ("zones", self.zones, str)):
            if not isinstance(values, (list, tuple)) or not all(isinstance(value, kind) for value in values):
                raise ConfigError(name, values, f"must be a sequence of {kind.__name__}")
            object.__setattr__(self, name, tuple(values))
        if not self.paths:
            raise ConfigError("paths", self.paths, "must not be empty")

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return {"type": "Network", "paths": [path.to_dict() for path in self.paths], "zones": list(self.zones)}

    @classmethod
    def from_dict(cls, data: Any) -> Network:
        """What `to_dict` described."""
        return from_dict(cls, data, {"paths": _paths, "zones": _strings})


def _paths(data: Any) -> tuple[Path, ...]:
    if not isinstance(data, (list, tuple)):
        raise ConfigError("paths", data, "must be an array")
    rows = [{"type": "Path", **each} if isinstance(each, Mapping) else each for each in data]
    return tuple(named(f"paths[{i}]", row, (Path,)) for i, row in enumerate(rows))


def _strings(data: Any) -> Any:
    return tuple(data) if isinstance(data, list) else data


class Travel:
    """A network in one run: seconds by client and server, drawn when they are asked for."""

    def __init__(self, network: Network, servers: Sequence[tuple[str, str | None]], seeds: Stream) -> None:
        self.network, self.servers = network, servers
        ways = [(_drawn(path.there, Stream(seeds.next())), Stream(seeds.next()), path) for path in network.paths]
        self.ways = [(there, _drawn(path.back or path.there, stream)) for there, stream, path in ways]
        self.known: dict[tuple[int, int], Any] = {}

    def _way(self, client: int, server: int) -> Any:
        pair = client, server
        if pair not in self.known:
            zones = self.network.zones
            near = zones[client % len(zones)] if zones else None
            joined = (i for i, p in enumerate(self.network.paths) if p.joins(client, near, *self.servers[server]))
            first = next(joined, None)
            self.known[pair] = (_at_once, _at_once) if first is None else self.ways[first]
        return self.known[pair]

    def there(self, client: int, server: int) -> float:
        """Seconds for the next request."""
        return self._way(client, server)[0]()  # type: ignore[no-any-return]

    def back(self, client: int, server: int) -> float:
        """Seconds for the next answer."""
        return self._way(client, server)[1]()  # type: ignore[no-any-return]


def _at_once() -> float:
    return 0.0


def _drawn(distribution: Distribution, stream: Stream) -> Callable[[], float]:
    def values() -> Any:
        while True:
            yield from np.asarray(distribution.draw(stream, BLOCK)).tolist()

    return values().__next__  # type: ignore[no-any-return]
