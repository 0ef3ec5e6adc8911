"""Servers as memcached clients know them: a host, a port that is often left out, a whole weight, sometimes a name.

An id is what a configuration says where the server is: "host", "host:port", or the path of a socket. So ids alone are
enough for a pool; `Server` adds what else a client may know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer
from lbalgo.types import I64, Bool
from lbalgo.view import View

DEFAULT_PORT = 11211
MAX_WEIGHT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Server:
    """A memcached server.

    Parameters
    ----------
    id : "host:port" as the configuration has it; "host" alone means port 11211; a path is a socket.
    weight : whole, >= 0; libmemcached takes 0 for 1, twemproxy refuses it.
    name : what twemproxy hashes instead of the address, None for none; libmemcached knows no names.

    Raises
    ------
    ConfigError : a field is of another kind or out of its range.

    Examples
    --------
    >>> Server("10.0.0.1:12000", weight=3).host, Server("10.0.0.1").port
    ('10.0.0.1', 11211)
    """

    id: str
    weight: int = 1
    name: str | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=0, high=MAX_WEIGHT)
        if self.name is not None:
            check_id(self.name, "name")
        address(self.id)

    @property
    def host(self) -> str:
        """The host, or the path of a socket."""
        return address(self.id)[0]

    @property
    def port(self) -> int:
        """The port, 0 for a socket."""
        return address(self.id)[1]


def address(id: str) -> tuple[str, int]:
    """Host and port of "host:port", "host" or "/path"; an IPv6 address needs its port.

    Examples
    --------
    >>> address("a:1"), address("a"), address("/tmp/m.sock")
    (('a', 1), ('a', 11211), ('/tmp/m.sock', 0))
    """
    if id.startswith("/"):
        return id, 0
    host, colon, port = id.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not host:
        return id, DEFAULT_PORT
    if not 0 < int(port) < 65536:
        raise ConfigError("id", id, "must have a port from 1 to 65535, or none")
    return host, int(port)


def whole_weights(view: View[Any], low: int) -> I64:
    """The view's weights as integers.

    Raises
    ------
    ConfigError : one is not whole, below `low` or above 2**31 - 1.
    """
    weights = view.weights
    for slot in np.flatnonzero((weights != np.floor(weights)) | (weights < low) | (weights > MAX_WEIGHT)).tolist():
        raise ConfigError(f"weights[{view.ids[slot]!r}]", weights[slot], f"must be whole, {low} to {MAX_WEIGHT}")
    return weights.astype(np.int64)


def float32_counts(weights: I64, per_server: int, epsilon: Any) -> I64:
    """Groups of four points for each server: floor(share * per_server / 4 * servers + epsilon), in single precision.

    Both systems calculate in C floats, step by step; the rounding decides where the product is nearly whole. So 25
    equal servers have 39 groups each, 26 have 40. `epsilon` is 1e-10, a double in twemproxy, a float in libmemcached;
    the sum is a float again, so that beside a share of forty groups it is nothing.

    Examples
    --------
    >>> [int(float32_counts(np.ones(n, np.int64), 160, np.float32(1e-10))[0]) for n in (24, 25, 26)]
    [40, 39, 40]
    """
    share = weights.astype(np.float32) / np.float32(int(weights.sum()))
    exact = share * np.float32(per_server) / np.float32(4) * np.float32(len(weights))
    counts: I64 = np.floor((exact.astype(epsilon.dtype) + epsilon).astype(np.float32)).astype(np.int64)
    return counts


def live(view: View[Any], ejects: bool) -> Bool:
    """Who is in the structure: everybody, or, where the client ejects, whoever is neither UNHEALTHY nor DRAINING."""
    return view.states < 2 if ejects else np.ones(len(view), dtype=np.bool_)
