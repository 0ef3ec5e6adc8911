"""Servers as an nginx upstream block configures them, and how any other backend is read as one."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_id, check_integer, from_dict, to_dict

MAX_WEIGHT = 2**31 - 1
SECONDS = 2**31 - 1


@dataclass(frozen=True)
class Server:
    """One peer of an upstream: a ``server`` line, or one address of a line whose name has several.

    Parameters
    ----------
    id : unique in the upstream; the address, if nothing else names it.
    weight : integer from 1.
    name : the server's name and port as configured, which ``hash ... consistent`` hashes; None for the id. Peers with
        one name (a name with several addresses) own their points together.
    max_fails : failures within `fail_timeout` that make the peer unavailable; 0 for never.
    fail_timeout : whole seconds for which it then is.
    backup : used only when no other peer is available.
    down : never used; it keeps its share of the hash space.
    max_conns : most requests under way at once, 0 for no limit.
    route : what a sticky session calls the peer; "" for the MD5 of its id.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: nginx documentation, ngx_http_upstream_module, "server".

    Examples
    --------
    >>> Server("127.0.0.1:8080", weight=5, max_fails=3).fail_timeout
    10
    """

    id: str
    weight: int = 1
    name: str | None = None
    max_fails: int = 1
    fail_timeout: int = 10
    backup: bool = False
    down: bool = False
    max_conns: int = 0
    route: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=1, high=MAX_WEIGHT)
        if self.name is not None:
            check_id(self.name, "name")
        check_integer("max_fails", self.max_fails, low=0, high=2**31 - 1)
        check_integer("fail_timeout", self.fail_timeout, low=0, high=SECONDS)
        check_bool("backup", self.backup)
        check_bool("down", self.down)
        check_integer("max_conns", self.max_conns, low=0, high=2**31 - 1)
        if not isinstance(self.route, str):
            raise ConfigError("route", self.route, "must be a string")

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Server:
        """The server `to_dict` described."""
        return from_dict(cls, data)


def server_of(backend: Any, weight: float) -> Server:
    """The server a backend stands for: itself, or one with nginx's defaults.

    Parameters
    ----------
    backend : anything with an id.
    weight : the view's weight of it, which is checked here and otherwise kept by the peer.

    Raises
    ------
    ConfigError : the weight is no integer from 1, which is what nginx accepts; a server that is to get nothing is down.
    """
    if weight != int(weight) or not 1 <= weight <= MAX_WEIGHT:
        raise ConfigError(f"weights[{backend.id!r}]", weight, f"must be an integer from 1 to {MAX_WEIGHT}")
    return backend if isinstance(backend, Server) else Server(backend.id, int(weight))


def address(text: str) -> bytes:
    """The key of `IpHash` for a client's address: 4 bytes for IPv4, 16 for IPv6.

    Raises
    ------
    ConfigError : it is no address.

    Examples
    --------
    >>> address("192.0.2.7"), len(address("2001:db8::1"))
    (b'\\xc0\\x00\\x02\\x07', 16)
    """
    try:
        if not isinstance(text, str):
            raise ValueError
        return ipaddress.ip_address(text).packed
    except ValueError:
        raise ConfigError("address", text, "must be an IPv4 or IPv6 address") from None
