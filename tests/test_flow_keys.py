"""Flow and client keys: their layout, their symmetry, bulk against scalar, and packets of QUIC."""

import itertools
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.errors import ConfigError
from lbalgo.flow_keys import UDP, client_key, client_keys, flow_key, flow_keys, packed, quic_connection_id

PORTS = st.integers(0, 65535)
V4 = st.integers(0, 2**32 - 1)
V6 = st.binary(min_size=16, max_size=16).filter(lambda raw: not raw.startswith(bytes(10) + b"\xff\xff"))


def spans(pair):
    data, offsets = pair
    raw = data.tobytes()
    return [raw[a:b] for a, b in itertools.pairwise(offsets)]


def test_the_layout_is_that_of_the_wire():
    v4 = flow_key("192.0.2.1", "198.51.100.7", 0x9C40, 0x01BB, protocol=UDP)
    assert v4 == bytes([192, 0, 2, 1, 198, 51, 100, 7, 0x9C, 0x40, 0x01, 0xBB, 17])
    v6 = flow_key("2001:db8::1", "2001:db8::2", 1, 2)
    assert v6 == bytes.fromhex("20010db8" + "0" * 23 + "1" + "20010db8" + "0" * 23 + "2" + "0001" + "0002" + "06")


@pytest.mark.parametrize(
    "same", ["192.0.2.1", b"\xc0\0\2\1", IPv4Address("192.0.2.1"), "::ffff:192.0.2.1", IPv6Address("::ffff:192.0.2.1")]
)
def test_an_address_is_one_however_it_is_written(same):
    assert packed(same) == b"\xc0\0\2\1"


@given(V4, V4, PORTS, PORTS, st.integers(0, 255))
def test_both_directions_have_one_key_on_request_only(a, b, p, q, protocol):
    one = (a.to_bytes(4, "big"), b.to_bytes(4, "big"), p, q)
    two = (one[1], one[0], q, p)
    assert flow_key(*one, protocol=protocol, symmetric=True) == flow_key(*two, protocol=protocol, symmetric=True)
    plain = [flow_key(*end, protocol=protocol) for end in (one, two)]
    assert (plain[0] == plain[1]) == ((a, p) == (b, q))
    assert flow_key(*one, protocol=protocol, symmetric=True) == min(plain, key=lambda k: (k[:4], k[8:10]))


@given(st.lists(st.tuples(V4, V4, PORTS, PORTS, st.integers(0, 255)), max_size=6), st.booleans())
def test_bulk_equals_scalar_v4(rows, symmetric):
    columns = [np.array([row[k] for row in rows], dtype=np.int64) for k in range(5)]
    wanted = [
        flow_key(a.to_bytes(4, "big"), b.to_bytes(4, "big"), p, q, protocol=n, symmetric=symmetric)
        for a, b, p, q, n in rows
    ]
    keys = flow_keys(*columns[:4], protocol=columns[4], symmetric=symmetric)
    assert spans(keys) == wanted
    assert lb.hash_many(keys).tolist() == [lb.hash_key(key) for key in wanted]


@given(st.lists(st.tuples(V6, V6, PORTS, PORTS), min_size=1, max_size=6), st.booleans())
def test_bulk_equals_scalar_v6(rows, symmetric):
    addresses = [np.frombuffer(b"".join(row[k] for row in rows), dtype=np.uint8).reshape(-1, 16) for k in (0, 1)]
    ports = [[row[k] for row in rows] for k in (2, 3)]
    wanted = [flow_key(*row, symmetric=symmetric) for row in rows]
    assert spans(flow_keys(*addresses, *ports, symmetric=symmetric)) == wanted


def test_bulk_single_columns_go_with_all():
    assert spans(flow_keys([1, 2], 3, 4, [5, 6])) == [
        flow_key(bytes([0, 0, 0, i]), b"\0\0\0\3", 4, 4 + i) for i in (1, 2)
    ]
    assert spans(flow_keys(1, 3, 4, 5)) == [flow_key(b"\0\0\0\1", b"\0\0\0\3", 4, 5)]
    assert spans(flow_keys([], 3, 4, 5)) == []


@given(V4, st.integers(0, 32))
def test_client_prefixes_v4(address, prefix):
    raw = address.to_bytes(4, "big")
    key = client_key(raw, prefix_v4=prefix)
    for bit in range(32):
        other = client_key((address ^ 1 << (31 - bit)).to_bytes(4, "big"), prefix_v4=prefix)
        assert (other == key) == (bit >= prefix)
    assert spans(client_keys([address], prefix_v4=prefix)) == [key]


@given(V6, st.integers(0, 128))
def test_client_prefixes_v6(raw, prefix):
    column = np.frombuffer(raw, dtype=np.uint8).reshape(1, 16)
    assert spans(client_keys(column, prefix_v6=prefix)) == [client_key(raw, prefix_v6=prefix)]


def test_prefixes_of_different_lengths_never_meet():
    keys = {client_key("10.0.0.0", prefix_v4=p) for p in range(33)} | {
        client_key("::", prefix_v6=p) for p in range(129)
    }
    assert len(keys) == 33 + 129


def test_rotated_ipv6_addresses_stay_one_client():
    rng = np.random.default_rng(3)
    hosts = rng.integers(0, 256, (1000, 8), dtype=np.uint8)
    column = np.concatenate((np.tile(np.frombuffer(packed("2001:db8:1:2::")[:8], np.uint8), (1000, 1)), hosts), axis=1)
    assert len(set(spans(client_keys(column)))) == 1
    assert len(set(spans(client_keys(column, prefix_v6=128)))) == 1000


LONG = b"\xc3\0\0\0\1"


@pytest.mark.parametrize(
    ("datagram", "length", "found"),
    [
        (LONG + b"\x08abcdefgh\x00...", 4, b"abcdefgh"),  # a long header says how long
        (LONG + b"\x14" + bytes(range(20)) + b"\0", 4, bytes(range(20))),
        (b"\x40abcdefgh", 4, b"abcd"),
        (bytearray(b"\x40abcdefgh"), 4, b"abcd"),
        (LONG + b"\x00\x00", 4, None),  # none: the 5-tuple has to do
        (b"\x40abcd", 0, None),
        (b"\x40abc", 4, None),  # cut short
        (LONG + b"\x08abcdefg", 4, None),
        (LONG, 4, None),
        (b"", 4, None),
    ],
)
def test_quic(datagram, length, found):
    assert quic_connection_id(datagram, length) == found


@given(st.binary(max_size=300), st.integers(0, 20))
def test_any_bytes_are_read_as_quic_without_complaint(datagram, length):
    found = quic_connection_id(datagram, length)
    assert found is None or (found in datagram and 0 < len(found) <= 255)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: flow_key("x", "1.1.1.1"), "source"),
        (lambda: flow_key("1.1.1.1", "fe80::1%eth0"), "destination"),
        (lambda: flow_key("1.1.1.1", "::1"), "destination"),
        (lambda: flow_key("1.1.1.1", 7), "destination"),
        (lambda: flow_key(b"123", "1.1.1.1"), "source"),
        (lambda: flow_key("1.1.1.1", "1.1.1.1", -1), "source_port"),
        (lambda: flow_key("1.1.1.1", "1.1.1.1", 1, 65536), "destination_port"),
        (lambda: flow_key("1.1.1.1", "1.1.1.1", True), "source_port"),
        (lambda: flow_key("1.1.1.1", "1.1.1.1", protocol=256), "protocol"),
        (lambda: flow_key("1.1.1.1", "1.1.1.1", symmetric=1), "symmetric"),
        (lambda: flow_keys([2**32], [1]), "sources"),
        (lambda: flow_keys([1], [-1]), "destinations"),
        (lambda: flow_keys([1.5], [1]), "sources"),
        (lambda: flow_keys([1, 2], [1, 2, 3]), "sources"),
        (lambda: flow_keys([1, 2], [1, 2], [1, 2], [1, 2, 3]), "sources"),
        (lambda: flow_keys(np.zeros((2, 16), np.uint8), [1]), "destinations"),
        (lambda: flow_keys(np.zeros((2, 15), np.uint8), [1]), "sources"),
        (lambda: flow_keys([1], [1], [70000]), "source_ports"),
        (lambda: flow_keys([1], [1], protocol=[-1]), "protocol"),
        (lambda: flow_keys([1], [1], symmetric=None), "symmetric"),
        (lambda: client_keys(np.frombuffer(bytes(10) + b"\xff\xff\1\1\1\1", np.uint8).reshape(1, 16)), "addresses"),
        (lambda: client_key("1.1.1.1", prefix_v4=33), "prefix_v4"),
        (lambda: client_key("1.1.1.1", prefix_v6=-1), "prefix_v6"),
        (lambda: client_keys([1], prefix_v4=1.0), "prefix_v4"),
        (lambda: client_keys(["1.1.1.1"]), "addresses"),
        (lambda: quic_connection_id("text", 8), "datagram"),
        (lambda: quic_connection_id(b"", 21), "length"),
    ],
)
def test_what_is_refused(call, parameter):
    with pytest.raises(ConfigError) as refused:
        call()
    assert refused.value.parameter == parameter
