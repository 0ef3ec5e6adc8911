"""The compiled hashes of texts and of numbered names equal the plain ones, and both published values."""

import hashlib
import zlib

import mmh3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError
from lbalgo.columns import DIGESTS
from tests.both import both

plain = both("digests")[0]
BOTH = pytest.mark.parametrize("module", both("digests"), ids=lambda m: m.__name__)
KIND = {name: kind for kind, name in enumerate(DIGESTS)}
KINDS = st.sampled_from(range(len(DIGESTS)))
ROWS = st.lists(
    st.tuples(st.one_of(st.binary(max_size=70), st.text(max_size=20)), st.integers(0, 120)), min_size=1, max_size=5
)


@pytest.mark.parametrize("name", DIGESTS)
def test_every_length_around_blocks_and_words(name):
    """From 0 bytes to past two blocks of 64, bytes above 0x7f among them."""
    for module in both("digests"):
        for size in range(140):
            data = bytes((37 * size + 91 * i) & 0xFF for i in range(size))
            assert module.digest32(KIND[name], data) == plain.TEXTS[name](data)


@BOTH
@given(kind=KINDS, data=st.binary(max_size=300))
def test_one_text(module, kind, data):
    assert module.digest32(kind, data) == plain.digest32(kind, data)


@BOTH
@given(kind=KINDS, rows=ROWS)
def test_numbered_names(module, kind, rows):
    prefixes, counts = [p for p, _ in rows], [c for _, c in rows]
    raw = [p.encode() if isinstance(p, str) else p for p in prefixes]
    texts = [p + b"%d" % k for p, n in zip(raw, counts, strict=True) for k in range(n)]
    points = module.numbered32(kind, prefixes, counts)
    assert points.dtype == np.uint32
    assert points.tolist() == [plain.digest32(kind, text) for text in texts]
    words = module.numbered_md5(prefixes, counts)
    assert words.dtype == np.uint32
    assert words.astype("<u4").tobytes() == b"".join(hashlib.md5(text).digest() for text in texts)


@BOTH
def test_many_digits(module):
    for count in (1001, 10002):
        last = module.numbered32(KIND["md5"], [b"k"], [count])[-1]
        assert int(last) == int.from_bytes(hashlib.md5(b"k%d" % (count - 1)).digest()[:4], "little")


@BOTH
@given(rows=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 9)), min_size=1, max_size=5))
def test_chains(module, rows):
    found = []
    for state, count in rows:
        point = 0
        for _ in range(count):
            point = zlib.crc32(point.to_bytes(4, "little"), state)
            found.append(point)
    points = module.chained([s for s, _ in rows], [c for _, c in rows])
    assert points.dtype == np.uint32
    assert points.tolist() == found


@BOTH
def test_published_values(module):
    """RFC 1321, FIPS 180-4, the FNV and lookup3 pages, and mmh3 for MurmurHash3."""
    assert module.digest32(KIND["md5"], b"abc") == int.from_bytes(bytes.fromhex("90015098"), "little")
    assert module.digest32(KIND["sha256"], b"abc") == int.from_bytes(bytes.fromhex("f20015ad"), "little")
    assert module.digest32(KIND["fnv1a_32"], b"foobar") == 0xBF9CF968
    assert module.digest32(KIND["fnv1_32"], b"foobar") == 0x31F0B262
    assert module.digest32(KIND["one_at_a_time"], b"a") == 0xCA2E9442
    assert module.digest32(KIND["crc32"], b"123456789") == 0xCBF43926 >> 16 & 0x7FFF
    assert module.digest32(KIND["murmur3"], b"abcde") == mmh3.hash(b"abcde", 0xDEADBEEF * 5 & 0xFFFFFFFF, signed=False)


@BOTH
@pytest.mark.parametrize(
    ("parameter", "call"),
    [
        *[("kind", lambda m, kind=kind: m.digest32(kind, b"")) for kind in (-1, len(DIGESTS), True, 1.0, "md5", None)],
        ("kind", lambda m: m.numbered32(-1, [b"a"], [1])),
        *[("data", lambda m, data=data: m.digest32(0, data)) for data in ("a", bytearray(b"a"), None)],
        ("prefixes", lambda m: m.numbered32(0, [], [])),
        ("prefixes", lambda m: m.numbered_md5([1], [1])),
        ("counts", lambda m: m.numbered_md5([b"a"], [1, 2])),
        ("counts", lambda m: m.numbered32(0, [b"a", b"b"], [1])),
        ("counts", lambda m: m.numbered32(0, [b"a"], [-1])),
        ("states", lambda m: m.chained([2**32], [1])),
        ("states", lambda m: m.chained([], [])),
        ("counts", lambda m: m.chained([1], [2**31])),
        ("counts", lambda m: m.chained([1], [1, 1])),
    ],
)
def test_what_is_refused(module, parameter, call):
    with pytest.raises(ConfigError) as caught:
        call(module)
    assert caught.value.parameter == parameter
