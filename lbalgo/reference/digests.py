"""Plain twin of `lbalgo.kernels.digests`: 32-bit hashes of texts, and of numbered names.

MD5, SHA-256 and CRC-32 are Python's own, MurmurHash3 is `mmh3`'s; the others are written here. The `char` of x86 is
signed: bytes from 0x80 on are extended by their sign in one-at-a-time and in the FNV family.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import mmh3
import numpy as np

from lbalgo.columns import DIGESTS, bytes_of, column, digest_kind, prefixes_of
from lbalgo.errors import ConfigError

M = 0xFFFFFFFF
FNV_BASIS_32, FNV_PRIME_32 = 0x811C9DC5, 0x01000193
FNV_BASIS_64, FNV_PRIME_64 = 0x84222325, 0x000001B3  # the low halves
MURMUR_M, MURMUR_SEED = 0x5BD1E995, 0xDEADBEEF
JENKINS_START = 0xDEADBEEF + 13  # hashlittle's constant and libhashkit's initval
CRC_BITS = 0x7FFF


def chars(data: bytes) -> list[int]:
    """The bytes as signed numbers, modulo 2**32."""
    return [b if b < 128 else b + 0xFFFFFF00 for b in data]


def one_at_a_time(data: bytes) -> int:
    """Jenkins' one-at-a-time."""
    h = 0
    for char in chars(data):
        h = (h + char) * 1025 & M  # a sum and its shift by 10
        h ^= h >> 6
    h = h * 9 & M
    return (h ^ h >> 11) * 32769 & M


def fnv1(data: bytes, h: int, prime: int) -> int:
    """FNV-1 from the basis `h`."""
    for char in chars(data):
        h = h * prime & M ^ char
    return h


def fnv1a(data: bytes, h: int, prime: int) -> int:
    """FNV-1a from the basis `h`."""
    for char in chars(data):
        h = (h ^ char) * prime & M
    return h


def murmur(data: bytes) -> int:
    """MurmurHash2; the seed is a constant times the length."""
    size = len(data)
    h, whole = (MURMUR_SEED * size & M) ^ size, size & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * MURMUR_M & M
        h = h * MURMUR_M & M ^ (k ^ k >> 24) * MURMUR_M & M
    if whole < size:
        h = (h ^ int.from_bytes(data[whole:], "little")) * MURMUR_M & M
    h = (h ^ h >> 13) * MURMUR_M & M
    return h ^ h >> 15


def rotated(x: int, by: int) -> int:
    """A word of 32 bits turned to the left."""
    return (x << by | x >> 32 - by) & M


def jenkins(data: bytes) -> int:
    """lookup3's hashlittle from initial value 13."""
    a = b = c = (JENKINS_START + len(data)) & M
    while len(data) > 12:
        a, b, c = (x + int.from_bytes(data[at : at + 4], "little") & M for x, at in ((a, 0), (b, 4), (c, 8)))
        for r, s, t in ((4, 6, 8), (16, 19, 4)):
            a, c = (a - c) & M ^ rotated(c, r), (c + b) & M
            b, a = (b - a) & M ^ rotated(a, s), (a + c) & M
            c, b = (c - b) & M ^ rotated(b, t), (b + a) & M
        data = data[12:]
    if not data:
        return c
    a, b, c = (x + int.from_bytes(data[at : at + 4], "little") & M for x, at in ((a, 0), (b, 4), (c, 8)))
    for r, s, t in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - rotated(b, r)) & M
        a = ((a ^ c) - rotated(c, s)) & M
        b = ((b ^ a) - rotated(a, t)) & M
    return ((c ^ b) - rotated(b, 24)) & M


TEXTS: dict[str, Callable[[bytes], int]] = {
    "md5": lambda data: int.from_bytes(hashlib.md5(data, usedforsecurity=False).digest()[:4], "little"),
    "sha256": lambda data: int.from_bytes(hashlib.sha256(data).digest()[-4:], "little"),
    "one_at_a_time": one_at_a_time,
    "fnv1_64": lambda data: fnv1(data, FNV_BASIS_64, FNV_PRIME_64),
    "fnv1a_64": lambda data: fnv1a(data, FNV_BASIS_64, FNV_PRIME_64),
    "fnv1_32": lambda data: fnv1(data, FNV_BASIS_32, FNV_PRIME_32),
    "fnv1a_32": lambda data: fnv1a(data, FNV_BASIS_32, FNV_PRIME_32),
    "crc32": lambda data: zlib.crc32(data) >> 16 & CRC_BITS,
    "murmur": murmur,
    "murmur3": lambda data: mmh3.hash(data, MURMUR_SEED * len(data) & M, signed=False),
    "jenkins": jenkins,
}


def digest32(kind: int, data: bytes) -> int:
    """The hash of these bytes."""
    text = TEXTS[DIGESTS[digest_kind(kind)]]
    return text(bytes_of("data", data))


def numbered32(kind: int, prefixes: Sequence[bytes | str], counts: Any) -> Any:
    """Hashes of prefixes[i] + b"0", + b"1", …, counts[i] of them, one prefix after the other, as uint32."""
    text = TEXTS[DIGESTS[digest_kind(kind)]]
    return np.array([text(name) for name in names(prefixes, counts)], dtype=np.uint32)


def numbered_md5(prefixes: Sequence[bytes | str], counts: Any) -> Any:
    """The four words of each name's MD5, as uint32."""
    found = b"".join(hashlib.md5(name, usedforsecurity=False).digest() for name in names(prefixes, counts))
    return np.frombuffer(found, dtype="<u4").astype(np.uint32)


def names(prefixes: Sequence[bytes | str], counts: Any) -> list[bytes]:
    """The numbered names, in order."""
    given = [p.encode() if isinstance(p, str) else p for p in prefixes_of(prefixes)]
    many = column("counts", counts, 0, 2**31 - 1, np.int32)
    if len(many) != len(given):
        raise ConfigError("counts", counts, "must be one for each prefix")
    return [b"%s%d" % (p, k) for p, n in zip(given, many.tolist(), strict=True) for k in range(n)]


def chained(states: Any, counts: Any) -> Any:
    """From each CRC-32 counts[i] results, each over the four bytes of the one before, first of 0; as uint32."""
    start = column("states", states, 0, M, np.uint32)
    many = column("counts", counts, 0, 2**31 - 1, np.int32)
    if len(many) != len(start):
        raise ConfigError("counts", counts, "must be one for each state")
    found = []
    for state, n in zip(start.tolist(), many.tolist(), strict=True):
        before = 0
        for _ in range(n):
            before = zlib.crc32(before.to_bytes(4, "little"), state)
            found.append(before)
    return np.array(found, dtype=np.uint32)
