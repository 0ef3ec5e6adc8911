"""Keys of flows and of clients: what a balancer below HTTP hashes, as canonical bytes, one by one or by the million.

A *flow key* names a connection: protocol, both addresses, both ports (the 5-tuple). A *client key* names whoever is
behind the connections: the source address, or the network it is in. A QUIC connection outlives its 5-tuple (a phone
changes from one network to another) and has its own name, the connection id in every packet.

Layout, big-endian as on the wire: source address (4 or 16 bytes), destination address, source port (2), destination
port (2), protocol (1): 13 bytes for IPv4, 37 for IPv6. So lengths tell the families apart. An IPv4 address in IPv6
clothes (``::ffff:192.0.2.1``, what a dual-stack socket reports) is the IPv4 address. With `symmetric` the smaller of
the two (address, port) ends comes first, and both directions of a connection have one key, as something that sees the
traffic from the middle needs.

Client keys keep a prefix of the address. All of an IPv4 address is a client, or everybody behind its NAT; nothing in
the address can tell these apart. Of an IPv6 address a host chooses the lower 64 bits, and a new choice every day or so
(RFC 8981), so only the upper 64 stay: the default prefixes are 32 and 64.

The bulk functions take columns and give a pair (data, offsets), which `hash_many` and `picker.tickets` take as it is.

Costs: scalar O(1), most of it reading addresses from text; bulk a few passes over the columns.
Source: RFC 8981 (temporary addresses), RFC 9000 5.1 and 17 (connection ids), RFC 4291 2.5.5.2 (mapped addresses).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_integer
from lbalgo.types import I64, U8

Address: TypeAlias = str | bytes | IPv4Address | IPv6Address

TCP = 6  # IANA protocol numbers
UDP = 17
PREFIX_V4 = 32  # a whole address: less would join strangers
PREFIX_V6 = 64  # the rest of an address is its host's to choose, and to change (RFC 8981)
LONGEST_CID = 20  # bytes, RFC 9000 17.2
_MAPPED = bytes(10) + b"\xff\xff"


def packed(address: Address, name: str = "address") -> bytes:
    """The 4 or 16 bytes of an address; an IPv4 address mapped into IPv6 gives its 4.

    Parameters
    ----------
    address : text, 4 or 16 bytes, or an object of `ipaddress`.
    name : what to call it in an error.

    Raises
    ------
    ConfigError : it is no address, or has a scope (``%eth0``), which means nothing elsewhere.

    Examples
    --------
    >>> packed("::ffff:192.0.2.1").hex(), packed("2001:db8::1").hex()
    ('c0000201', '20010db8000000000000000000000001')
    """
    raw: bytes | None = None
    if isinstance(address, bytes):
        raw = address if len(address) in (4, 16) else None
    elif isinstance(address, (str, IPv4Address, IPv6Address)):
        try:
            parsed = ip_address(address) if isinstance(address, str) else address
            raw = None if getattr(parsed, "scope_id", None) else parsed.packed
        except ValueError:
            raw = None
    if raw is None:
        raise ConfigError(name, address, "must be an IPv4 or IPv6 address without scope")
    return raw[12:] if raw.startswith(_MAPPED) and len(raw) == 16 else raw


def flow_key(
    source: Address,
    destination: Address,
    source_port: int = 0,
    destination_port: int = 0,
    *,
    protocol: int = TCP,
    symmetric: bool = False,
) -> bytes:
    """The key of a connection by its 5-tuple.

    Parameters
    ----------
    source, destination : addresses of one family.
    source_port, destination_port : 0 to 65535; 0 where there is none, as in the later fragments of a datagram.
    protocol : IANA number, 0 to 255; 6 is TCP, 17 UDP.
    symmetric : whether both directions have the same key.

    Raises
    ------
    ConfigError : an address, port or protocol is invalid, or the families differ.

    Examples
    --------
    >>> key = flow_key("192.0.2.1", "198.51.100.7", 40000, 443)
    >>> key.hex()
    'c0000201c63364079c4001bb06'
    >>> flow_key("192.0.2.1", "198.51.100.7", 40000, 443, symmetric=True) == flow_key(
    ...     "198.51.100.7", "192.0.2.1", 443, 40000, symmetric=True
    ... )
    True
    """
    one = packed(source, "source"), check_integer("source_port", source_port, low=0, high=65535)
    two = packed(destination, "destination"), check_integer("destination_port", destination_port, low=0, high=65535)
    check_integer("protocol", protocol, low=0, high=255)
    if len(one[0]) != len(two[0]):
        raise ConfigError("destination", destination, "must be of the source's family")
    if check_bool("symmetric", symmetric) and two < one:
        one, two = two, one
    return one[0] + two[0] + (one[1] << 24 | two[1] << 8 | protocol).to_bytes(5, "big")


def flow_keys(
    sources: Any,
    destinations: Any,
    source_ports: Any = 0,
    destination_ports: Any = 0,
    *,
    protocol: Any = TCP,
    symmetric: bool = False,
) -> tuple[U8, I64]:
    """The keys of many connections, each equal to `flow_key` of it.

    Parameters
    ----------
    sources, destinations : of IPv4, integer arrays (192.0.2.1 is 0xC0000201); of IPv6, uint8 arrays of 16 columns. One
        that is single goes with each of the others.
    source_ports, destination_ports, protocol : integer arrays, or one integer for all.
    symmetric : whether both directions have the same key.

    Raises
    ------
    ConfigError : a column is of another type, length or range. IPv6 rows that hold mapped IPv4 addresses are refused:
        they are of another family, and belong in another call.

    Examples
    --------
    >>> import lbalgo as lb
    >>> keys = flow_keys(np.array([0xC0000201, 0xC0000202]), 0xC6336407, [40000, 40001], 443)
    >>> int(lb.hash_many(keys)[0]) == lb.hash_key(flow_key("192.0.2.1", "198.51.100.7", 40000, 443))
    True
    """
    check_bool("symmetric", symmetric)
    columns = [
        _addresses("sources", sources),
        _addresses("destinations", destinations),
        _integers("source_ports", source_ports, 65535),
        _integers("destination_ports", destination_ports, 65535),
        _integers("protocol", protocol, 255),
    ]
    names = ("sources", "destinations", "source_ports", "destination_ports", "protocol")
    rows = max((len(column) for column in columns if len(column) != 1), default=1)
    if any(len(column) == 0 for column in columns):
        rows = 0
    for name, column, given in zip(
        names, columns, (sources, destinations, source_ports, destination_ports, protocol), strict=True
    ):
        if len(column) not in (1, rows):
            raise ConfigError(name, given, f"must be one, or {rows} as the others")
    one, two = columns[:2]
    width = one.shape[1]
    if two.shape[1] != width:
        raise ConfigError("destinations", destinations, "must be of the sources' family")
    data = np.empty((rows, 2 * width + 5), dtype=np.uint8)
    data[:, :width], data[:, width : 2 * width] = one, two
    data[:, 2 * width : 2 * width + 2], data[:, 2 * width + 2 : 2 * width + 4] = columns[2][:, -2:], columns[3][:, -2:]
    data[:, -1] = columns[4][:, -1]
    if symmetric and rows:
        ends = np.empty((2, rows, width + 2), dtype=np.uint8)
        for side in (0, 1):
            ends[side, :, :width] = data[:, side * width : (side + 1) * width]
            ends[side, :, width:] = data[:, 2 * width + 2 * side : 2 * width + 2 * side + 2]
        turned = _less(ends[1], ends[0])
        for side in (0, 1):
            data[turned, side * width : (side + 1) * width] = ends[1 - side, turned, :width]
            data[turned, 2 * width + 2 * side : 2 * width + 2 * side + 2] = ends[1 - side, turned, width:]
    return _spans(data)


def client_key(address: Address, *, prefix_v4: int = PREFIX_V4, prefix_v6: int = PREFIX_V6) -> bytes:
    """The key of a client by the network its address is in.

    Parameters
    ----------
    address : as for `packed`.
    prefix_v4, prefix_v6 : how many leading bits count, 0 to 32 and 0 to 128.

    Raises
    ------
    ConfigError : the address or a prefix is invalid.

    Examples
    --------
    >>> client_key("2001:db8::1") == client_key("2001:db8::dead:beef")
    True
    >>> client_key("192.0.2.1") == client_key("192.0.2.2"), client_key("192.0.2.77", prefix_v4=24).hex()
    (False, '18c0000200')
    """
    check_integer("prefix_v4", prefix_v4, low=0, high=32)
    check_integer("prefix_v6", prefix_v6, low=0, high=128)
    raw = packed(address)
    bits = 8 * len(raw)
    prefix = prefix_v4 if bits == 32 else prefix_v6
    kept = int.from_bytes(raw, "big") >> (bits - prefix) << (bits - prefix)
    return bytes([prefix]) + kept.to_bytes(len(raw), "big")


def client_keys(addresses: Any, *, prefix_v4: int = PREFIX_V4, prefix_v6: int = PREFIX_V6) -> tuple[U8, I64]:
    """The keys of many clients, each equal to `client_key` of it.

    Parameters
    ----------
    addresses : of IPv4, an integer array; of IPv6, a uint8 array of 16 columns.
    prefix_v4, prefix_v6 : how many leading bits count.

    Raises
    ------
    ConfigError : the addresses or a prefix are invalid.

    Examples
    --------
    >>> data, offsets = client_keys(np.array([0xC000024D]), prefix_v4=24)
    >>> data.tobytes() == client_key("192.0.2.77", prefix_v4=24), offsets.tolist()
    (True, [0, 5])
    """
    check_integer("prefix_v4", prefix_v4, low=0, high=32)
    check_integer("prefix_v6", prefix_v6, low=0, high=128)
    raw = _addresses("addresses", addresses)
    width = raw.shape[1]
    prefix = prefix_v4 if width == 4 else prefix_v6
    mask = ((1 << prefix) - 1) << (8 * width - prefix)
    data = np.empty((len(raw), width + 1), dtype=np.uint8)
    data[:, 0] = prefix
    data[:, 1:] = raw & np.frombuffer(mask.to_bytes(width, "big"), dtype=np.uint8)
    return _spans(data)


def quic_connection_id(datagram: bytes | bytearray | memoryview, length: int) -> bytes | None:
    """The destination connection id of a QUIC packet, or None where it has none.

    Parameters
    ----------
    datagram : the UDP payload.
    length : of the ids that the servers give out, 0 to 20 bytes; packets of an established connection do not say it.

    A client invents the id of its first packets; from then on it uses those that the server gave it. Both lead to one
    backend only if the server puts into its ids what the balancer needs to know, or if a `FlowTable` remembers. None,
    for an empty id or for bytes that are no QUIC packet of a version that this layout holds for (RFC 8999), means: use
    the 5-tuple.

    Raises
    ------
    ConfigError : the datagram is not bytes, or the length is out of range.

    Source: RFC 8999 (what is the same in all versions), RFC 9000 17.2, 17.3.

    Examples
    --------
    >>> quic_connection_id(b"\\xc3" + b"\\0\\0\\0\\1" + b"\\x04ABCD" + b"\\0", 8)
    b'ABCD'
    >>> quic_connection_id(b"\\x43" + b"12345678" + b"...", 8)
    b'12345678'
    """
    if not isinstance(datagram, (bytes, bytearray, memoryview)):
        raise ConfigError("datagram", datagram, "must be bytes")
    check_integer("length", length, low=0, high=LONGEST_CID)
    head = bytes(memoryview(datagram).cast("B")[: 6 + 255])
    if not head:
        return None
    if head[0] & 0x80:  # a long header: version, then the id with its length before it
        start, size = 6, head[5] if len(head) > 5 else 0
    else:
        start, size = 1, length
    found = head[start : start + size]
    return found if size and len(found) == size else None


def _addresses(name: str, values: Any) -> U8:
    """Rows of 4 or 16 bytes."""
    given = np.asarray(values)
    if given.dtype == np.uint8 and given.ndim == 2 and given.shape[1] == 16:
        mapped = (given[:, :12] == np.frombuffer(_MAPPED, dtype=np.uint8)).all(axis=1)
        if mapped.any():
            raise ConfigError(name, values, "must not hold IPv4 addresses mapped into IPv6: their keys are of IPv4")
        return given
    return _integers(name, values, 2**32 - 1)


def _integers(name: str, values: Any, high: int) -> NDArray[np.uint8]:
    """Rows of the 4 big-endian bytes of each integer."""
    given = np.asarray(values)
    column = given.reshape(-1) if given.ndim == 0 else given
    if column.ndim != 1 or (column.dtype.kind not in "iu" and len(column)):
        raise ConfigError(name, values, f"must be integers from 0 to {high}")
    if len(column) and (column.min() < 0 or column.max() > high):
        raise ConfigError(name, values, f"must be integers from 0 to {high}")
    return column.astype(">u4").view(np.uint8).reshape(-1, 4)


def _less(a: U8, b: U8) -> NDArray[np.bool_]:
    """Whether each row of `a` comes before that of `b`, as bytes."""
    differ = a != b
    first = differ.argmax(axis=1)
    rows = np.arange(len(a))
    return np.asarray(a[rows, first] < b[rows, first], dtype=np.bool_)


def _spans(data: U8) -> tuple[U8, I64]:
    rows, width = data.shape
    return data.reshape(-1), np.arange(rows + 1, dtype=np.int64) * width
