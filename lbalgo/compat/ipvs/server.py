"""Real servers of an IPVS virtual service, and addresses as the numbers that its hashes take.

IPVS does no health checks: whoever does (keepalived, say) removes a server, or sets its weight to 0 so that it keeps
its connections and gets no new ones. A view's states say which: UNHEALTHY is a server that was removed from the list,
DRAINING one of weight 0, DEGRADED one with the OVERLOAD flag, which its connection thresholds set otherwise.

Described only. Sources: ipvsadm(8); the description of the schedulers in the kernel's documentation.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer
from lbalgo.types import Key
from lbalgo.view import View

MAX_WEIGHT = 65535  # ipvsadm's
WORD = 2**32


@dataclass(frozen=True)
class RealServer:
    """One server of a virtual service.

    Parameters
    ----------
    id : name, unique in its pool; ``address:port`` where `mh` is to place it.
    weight : 0 to 65535; 0 takes no new connections.
    u_threshold : connections from which it is overloaded; 0 for no bound.
    l_threshold : connections below which it no longer is; 0 stands for three quarters of `u_threshold`.

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: ipvsadm(8).

    Examples
    --------
    >>> RealServer("10.0.0.1:80", weight=3).weight
    3
    """

    id: str
    weight: int = 1
    u_threshold: int = 0
    l_threshold: int = 0

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=0, high=MAX_WEIGHT)
        check_integer("u_threshold", self.u_threshold, low=0, high=WORD - 1)
        check_integer("l_threshold", self.l_threshold, low=0, high=WORD - 1)
        if self.u_threshold and self.l_threshold > self.u_threshold:
            raise ConfigError("l_threshold", self.l_threshold, "must be <= u_threshold")


def check_weights(view: View[Any]) -> list[int]:
    """The weights as integers from 0 to 65535; else ConfigError naming the one that is none."""
    for id, weight in zip(view.ids, view.weights.tolist(), strict=True):
        if not weight.is_integer() or weight > MAX_WEIGHT:
            raise ConfigError(f"weights[{id!r}]", weight, f"must be an integer from 0 to {MAX_WEIGHT}")
    return [int(weight) for weight in view.weights.tolist()]


def parse(text: str) -> tuple[bytes, int]:
    """Address bytes and port (0 if there is none) of ``address``, ``v4:port`` or ``[v6]:port``.

    Raises
    ------
    ConfigError : it is none of these.

    Examples
    --------
    >>> parse("10.0.0.1:80")
    (b'\\n\\x00\\x00\\x01', 80)
    """
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        host = host if closed and (not port or port.startswith(":")) else ""
        port = port[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        packed = ipaddress.ip_address(host).packed
    except ValueError:
        raise ConfigError("address", text, "must be an IP address, with or without a port") from None
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise ConfigError("address", text, "must have a port from 0 to 65535, or none")
    return packed, int(port or 0)


def folded(address: bytes) -> int:
    """An IPv4 address as a number; of an IPv6 address, the exclusive or of its four words.

    Examples
    --------
    >>> folded(bytes([10, 0, 0, 1])) == 0x0A000001
    True
    """
    total = 0
    for at in range(0, len(address), 4):
        total ^= int.from_bytes(address[at : at + 4], "big")
    return total


def hash_input(key: Key, with_port: bool) -> int:
    """The 32-bit number that the schedulers hash: folded address, plus the port if it counts.

    Parameters
    ----------
    key : an address as text, with a port or without; 4 or 16 bytes in network order; or the number itself.
    with_port : whether a port in the text counts.

    Raises
    ------
    ConfigError : text that is no address, bytes of another length, or a number that is no uint32.
    TypeError : it is something else.

    Examples
    --------
    >>> hash_input("10.0.0.1:80", True) - hash_input("10.0.0.1:80", False)
    80
    """
    if isinstance(key, str):
        address, port = parse(key)
        return (folded(address) + port * with_port) % WORD
    if isinstance(key, (bytes, bytearray, memoryview)):
        data = bytes(key)
        if len(data) not in (4, 16):
            raise ConfigError("key", key, "must be 4 or 16 bytes, an address in network order")
        return folded(data)
    if isinstance(key, int) and not isinstance(key, bool):
        return check_integer("key", key, low=0, high=WORD - 1)
    raise TypeError(f"a key is an address, not {type(key).__name__}")
