"""Servers as HAProxy configures them: versions, the keywords of a ``server`` line that decide, numeric ids.

A server's place on the hash ring comes from its numeric id (`puid`), which is given out by position if the line has
none: so adding a line in the middle of a backend moves the ids, and with them the keys, of all lines after it.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.haproxy.health import Check
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_enum, check_id, check_integer, enum_from_name, from_dict, to_dict

MAX_WEIGHT = 256  # HAProxy's SRV_UWGHT_MAX, by its documentation of the keyword
MAX_PUID = 2**31 - 1


class Version(enum.Enum):
    """Which HAProxy decides; each member stands for the releases up to the next.

    Examples
    --------
    >>> Version.V3_2.since(Version.V3_0), Version.V2_6.since(Version.V3_0)
    (True, False)
    """

    V2_6 = (2, 6)
    V3_0 = (3, 0)
    V3_2 = (3, 2)
    V3_4 = (3, 4)

    def since(self, other: Version) -> bool:
        """Whether this is `other` or a later one."""
        mine: tuple[int, ...] = self.value
        return mine >= tuple(other.value)

    @property
    def text(self) -> str:
        """As one writes it, such as 2.6."""
        return ".".join(map(str, self.value))


class HashKey(enum.Enum):
    """What a server's points on the ring are made of: the server keyword ``hash-key`` (3.0 and later).

    ADDR, ADDR_PORT and GUID fall back to ID where the server has no address or guid; ID32 and GUID are of 3.4.

    Examples
    --------
    >>> HashKey("addr-port")
    <HashKey.ADDR_PORT: 'addr-port'>
    """

    ID = "id"
    ID32 = "id32"
    GUID = "guid"
    ADDR = "addr"
    ADDR_PORT = "addr-port"


@dataclass(frozen=True)
class Server:
    """A ``server`` line: what of it decides.

    Parameters
    ----------
    id : its name, unique in the backend.
    weight : 0 to 256; 0 takes no new traffic.
    puid : its numeric id (the keyword is ``id``), >= 1; None for the one its position gives it.
    backup : used only when no other server is usable.
    maxconn : most requests under way at once, 0 for no limit; more wait in its queue.
    minconn : limit while the backend is idle; it rises to `maxconn` as the backend fills (`fullconn`); 0 for `maxconn`.
    maxqueue : most requests in its queue, 0 for no limit.
    slowstart : seconds for which weight and maxconn rise after the server came up, 0 for none.
    hash_key : what its points are made of.
    guid : global unique id, or None.
    addr : IPv4 or IPv6 address, or None.
    port : 0 to 65535.
    check : how its health is checked, or None.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Costs: none. Source: HAProxy Configuration Manual, "Server and default-server options".

    Examples
    --------
    >>> Server("s1", weight=10, maxconn=30).weight
    10
    """

    id: str
    weight: int = 1
    puid: int | None = None
    backup: bool = False
    maxconn: int = 0
    minconn: int = 0
    maxqueue: int = 0
    slowstart: float = 0
    hash_key: HashKey = HashKey.ID
    guid: str | None = None
    addr: str | None = None
    port: int = 0
    check: Check | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=0, high=MAX_WEIGHT)
        if self.puid is not None:
            check_integer("puid", self.puid, low=1, high=MAX_PUID)
        check_bool("backup", self.backup)
        for name in ("maxconn", "minconn", "maxqueue"):
            check_integer(name, getattr(self, name), low=0, high=2**31 - 1)
        check_slowstart(self.slowstart)
        check_enum("hash_key", self.hash_key, HashKey)
        if self.guid is not None:
            check_id(self.guid, "guid")
        if self.addr is not None:
            packed(self.addr)
        check_integer("port", self.port, low=0, high=65535)
        if self.check is not None:
            check_enum("check", self.check, Check)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Server:
        """The server `to_dict` described."""
        return from_dict(cls, data, {"hash_key": enum_from_name(HashKey), "check": _check_from})


def _check_from(data: Any) -> Any:
    return Check.from_dict(data) if isinstance(data, Mapping) else data


def check_slowstart(value: object, name: str = "slowstart") -> float:
    """Seconds of a slow start: 0, or up to 2**31 milliseconds; else ConfigError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 2**31 / 1000:
        raise ConfigError(name, value, "must be seconds from 0 to 2147483.648")
    return value


def packed(address: object) -> bytes:
    """The 4 or 16 bytes of an IP address.

    Raises
    ------
    ConfigError : it is none.

    Examples
    --------
    >>> packed("127.0.0.1"), len(packed("::1"))
    (b'\\x7f\\x00\\x00\\x01', 16)
    """
    try:
        if not isinstance(address, str):
            raise ValueError
        return ipaddress.ip_address(address).packed
    except ValueError:
        raise ConfigError("addr", address, "must be an IPv4 or IPv6 address") from None


def server_of(backend: Any, weight: float) -> Server:
    """The server a backend stands for: itself, or one with HAProxy's defaults and this weight.

    Raises
    ------
    ConfigError : the weight is no integer from 0 to 256.

    Examples
    --------
    >>> from lbalgo import Endpoint
    >>> server_of(Endpoint("a"), 3.0).weight
    3
    """
    check_server_weight(backend.id, weight)
    return backend if isinstance(backend, Server) else Server(backend.id, int(weight))


def check_server_weight(id: str, weight: float) -> int:
    """A weight that HAProxy accepts, as an integer."""
    if weight != int(weight) or not 0 <= weight <= MAX_WEIGHT:
        raise ConfigError(f"weights[{id!r}]", weight, f"must be an integer from 0 to {MAX_WEIGHT}")
    return int(weight)


def numeric_ids(servers: Sequence[Server], known: Mapping[str, int] | None = None) -> list[int]:
    """The numeric id of each server, in listing order.

    Parameters
    ----------
    servers : in the order of the configuration.
    known : ids that servers of a running process have already; the others then get the lowest free ones.

    Raises
    ------
    ConfigError : two servers have the same.

    Explicit ids come first. The others are given out by position, and skip one number for every line that had its own:
    that is what the program does, not "the lowest free number".

    Examples
    --------
    >>> numeric_ids([Server("a"), Server("b", puid=3), Server("c")])
    [1, 3, 4]
    """
    given = {s.id: s.puid for s in servers if s.puid is not None}
    for name, puid in (known or {}).items():
        given.setdefault(name, puid)
    _distinct((s.id, given[s.id]) for s in servers if s.id in given)
    used, found, following = set(given.values()), [], 1
    for server in servers:
        if server.id in given:
            found.append(given[server.id])
            following += known is None
            continue
        while following in used:
            following += 1
        used.add(following)
        found.append(following)
        following += 1
    return found


def _distinct(pairs: Iterable[tuple[str, int]]) -> None:
    seen: dict[int, str] = {}
    for name, puid in pairs:
        if puid in seen:
            raise ConfigError(f"backends[{name!r}].puid", puid, f"is that of {seen[puid]!r}")
        seen[puid] = name
