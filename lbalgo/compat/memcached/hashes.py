"""The hash functions of twemproxy and libmemcached, with the quirks they have on x86: 32-bit results.

* `char` is signed there, and several functions add or xor a key's bytes as chars: bytes from 0x80 on are sign-extended
  in one_at_a_time, in the FNV family and in the odd byte of hsieh's tail. Keys in ASCII do not show it.
* `crc32` is the upper half of a CRC-32 without its top bit: 15 bits, all of them below nearly every point of a ring.
* `crc16` never cuts its register back to 16 bits.
* `fnv1a_64` is not 64 bits wide: it starts from the low half of the offset basis and multiplies by the low half of the
  prime in 32 bits. `fnv1_64` is cut to 32 bits at the end, which for FNV-1 comes to the same as calculating in 32.
* `murmur` is MurmurHash2 and `murmur3` MurmurHash3 x86_32, both with a seed that depends on the key's length.
* `jenkins` is lookup3's hashlittle with initial value 13, `hsieh` SuperFastHash from 0 instead of from the length.

Each text below serves single keys and whole columns of names: `data[i]` is byte i, an int or an array of uint32, one
element a name, all names being of one length.

Costs: a key about 0.2 us a byte (md5, crc32, crc32a, murmur3: C libraries, under 1 us); names in bulk 5 ns a byte.
Source: the hash functions' own publications (Jenkins; Noll; Appleby; Hsieh); for which and how, the documentation of
twemproxy ("hash") and libmemcached ("libhashkit"), and captured values.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import mmh3
import numpy as np

M = 0xFFFFFFFF
FNV_BASIS_32, FNV_PRIME_32 = 0x811C9DC5, 0x01000193
FNV_BASIS_64, FNV_PRIME_64 = 0x84222325, 0x000001B3  # the low halves
MURMUR_M, MURMUR_SEED = 0x5BD1E995, 0xDEADBEEF
JENKINS_START = 0xDEADBEEF + 13  # hashlittle's constant and libhashkit's initval
CRC_BITS = 0x7FFF
POLYNOMIAL_16, POLYNOMIAL_32 = 0x1021, 0xEDB88320


def _table_16() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ POLYNOMIAL_16 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return table


def _table_32() -> Any:
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, crc >> 1 ^ POLYNOMIAL_32, crc >> 1).astype(np.uint32)
    return crc


TABLE_16 = _table_16()
TABLE_32 = _table_32()


def one_at_a_time(data: Sequence[Any], size: int) -> Any:
    """Jenkins' one-at-a-time."""
    return one_at_a_time_end(one_at_a_time_rounds(data, size))


def one_at_a_time_rounds(data: Sequence[Any], size: int, h: Any = 0) -> Any:
    """Its rounds, from state `h` on."""
    for i in range(size):
        h = (h + data[i]) & M
        h = (h + (h << 10)) & M
        h = h ^ h >> 6
    return h


def one_at_a_time_end(h: Any) -> Any:
    """Its end."""
    h = (h + (h << 3)) & M
    h = h ^ h >> 11
    return (h + (h << 15)) & M


def fnv1_64(data: Sequence[Any], size: int, h: Any = FNV_BASIS_64) -> Any:
    """FNV-1, the low 32 of 64 bits, from state `h` on."""
    for i in range(size):
        h = h * FNV_PRIME_64 & M ^ data[i]
    return h


def fnv1a_64(data: Sequence[Any], size: int, h: Any = FNV_BASIS_64) -> Any:
    """What is called FNV-1a 64: its constants cut to 32 bits; from state `h` on."""
    for i in range(size):
        h = (h ^ data[i]) * FNV_PRIME_64 & M
    return h


def fnv1_32(data: Sequence[Any], size: int, h: Any = FNV_BASIS_32) -> Any:
    """FNV-1, 32 bits, from state `h` on."""
    for i in range(size):
        h = h * FNV_PRIME_32 & M ^ data[i]
    return h


def fnv1a_32(data: Sequence[Any], size: int, h: Any = FNV_BASIS_32) -> Any:
    """FNV-1a, 32 bits, from state `h` on."""
    for i in range(size):
        h = (h ^ data[i]) * FNV_PRIME_32 & M
    return h


def crc16(data: Sequence[Any], size: int) -> Any:
    """CRC-16/XMODEM whose register grows to 32 bits."""
    h = 0
    for i in range(size):
        h = h << 8 & M ^ TABLE_16[(h >> 8 ^ data[i]) & 0xFF]
    return h


def _word(data: Sequence[Any], i: int) -> Any:
    return data[i] | data[i + 1] << 8 | data[i + 2] << 16 | data[i + 3] << 24


def hsieh(data: Sequence[Any], size: int) -> Any:
    """SuperFastHash from 0; the odd byte of a tail of three is a signed char."""
    h, whole = 0, size & ~3
    for i in range(0, whole, 4):
        h = (h + (data[i] | data[i + 1] << 8)) & M
        h = (h << 16 ^ (data[i + 2] | data[i + 3] << 8) << 11 ^ h) & M
        h = (h + (h >> 11)) & M
    rest = size - whole
    if rest >= 2:
        h = (h + (data[whole] | data[whole + 1] << 8)) & M
        if rest == 3:
            last = data[whole + 2]
            h = (h ^ h << 16 ^ (last if last < 128 else last + 0xFFFFFF00) << 18) & M
            h = (h + (h >> 11)) & M
        else:
            h = (h ^ h << 11) & M
            h = (h + (h >> 17)) & M
    elif rest == 1:
        h = (h + data[whole]) & M
        h = (h ^ h << 10) & M
        h = (h + (h >> 1)) & M
    for left, right in ((3, 5), (4, 17), (25, 6)):
        h = (h ^ h << left) & M
        h = (h + (h >> right)) & M
    return h


def murmur(data: Sequence[Any], size: int) -> Any:
    """MurmurHash2; the seed is a constant times the length."""
    h: Any = (MURMUR_SEED * size & M) ^ size
    whole = size & ~3
    for i in range(0, whole, 4):
        k = _word(data, i) * MURMUR_M & M
        k = (k ^ k >> 24) * MURMUR_M & M
        h = h * MURMUR_M & M ^ k
    if size & 3:
        for i in range(whole, size):
            h = h ^ data[i] << 8 * (i - whole)
        h = h * MURMUR_M & M
    h = (h ^ h >> 13) * MURMUR_M & M
    return h ^ h >> 15


def murmur3(data: Sequence[Any], size: int) -> Any:
    """MurmurHash3 x86_32; the seed is a constant times the length."""
    h: Any = MURMUR_SEED * size & M
    whole = size & ~3
    for i in range(0, size, 4):
        k = _word(data, i) if i < whole else 0
        for j in range(whole if i == whole else size, size):
            k = k | data[j] << 8 * (j - whole)
        k = k * 0xCC9E2D51 & M
        h = h ^ _rotated(k, 15) * 0x1B873593 & M
        if i < whole:
            h = (_rotated(h, 13) * 5 + 0xE6546B64) & M
    h = h ^ size
    h = (h ^ h >> 16) * 0x85EBCA6B & M
    h = (h ^ h >> 13) * 0xC2B2AE35 & M
    return h ^ h >> 16


def _rotated(x: Any, by: int) -> Any:
    return (x << by | x >> 32 - by) & M


def jenkins(data: Sequence[Any], size: int) -> Any:
    """lookup3's hashlittle from initial value 13."""
    a: Any = (JENKINS_START + size) & M
    b: Any = a
    c: Any = a
    at = 0
    while size - at > 12:
        a = (a + _word(data, at)) & M
        b = (b + _word(data, at + 4)) & M
        c = (c + _word(data, at + 8)) & M
        for r, s, t in ((4, 6, 8), (16, 19, 4)):
            a = (a - c) & M ^ _rotated(c, r)
            c = (c + b) & M
            b = (b - a) & M ^ _rotated(a, s)
            a = (a + c) & M
            c = (c - b) & M ^ _rotated(b, t)
            b = (b + a) & M
        at += 12
    if at == size:
        return c
    for i in range(at, size):
        part = data[i] << 8 * (i - at & 3)
        if i < at + 4:
            a = (a + part) & M
        elif i < at + 8:
            b = (b + part) & M
        else:
            c = (c + part) & M
    for r, s, t in ((14, 11, 25), (16, 4, 14)):
        c = ((c ^ b) - _rotated(b, r)) & M
        a = ((a ^ c) - _rotated(c, s)) & M
        b = ((b ^ a) - _rotated(a, t)) & M
    return ((c ^ b) - _rotated(b, 24)) & M


def crc32_rounds(data: Sequence[Any], size: int, h: Any = M) -> Any:
    """The rounds of CRC-32 for columns, from state `h` on."""
    for i in range(size):
        h = TABLE_32[(h ^ data[i]) & 0xFF] ^ h >> 8
    return h


def crc32_end(h: Any) -> Any:
    """The end of `crc32`: 15 bits are left."""
    return ~h >> 16 & CRC_BITS


CHARS = (one_at_a_time, fnv1_64, fnv1a_64, fnv1_32, fnv1a_32)  # take bytes for signed chars
ROUNDS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {  # byte after byte: rounds, and an end
    "one_at_a_time": (one_at_a_time_rounds, one_at_a_time_end),
    "crc32": (crc32_rounds, crc32_end),
    **{f.__name__: (f, lambda h: h) for f in (fnv1_64, fnv1a_64, fnv1_32, fnv1a_32)},
}


def digest_crc32(key: bytes) -> int:
    """15 bits of CRC-32."""
    return zlib.crc32(key) >> 16 & CRC_BITS


def digest_md5(key: bytes) -> int:
    """The first 4 bytes of MD5, little-endian."""
    return int.from_bytes(hashlib.md5(key, usedforsecurity=False).digest()[:4], "little")


def digest_murmur3(key: bytes) -> int:
    """`murmur3` of one key."""
    return mmh3.hash(key, MURMUR_SEED * len(key) & M, signed=False)


def scalar(text: Callable[[Sequence[Any], int], Any]) -> Callable[[bytes], int]:
    """The function of one key that a text above stands for.

    Examples
    --------
    >>> hex(scalar(fnv1a_32)(b"a"))
    '0xe40c292c'
    """
    if text in CHARS:
        return lambda key: text(key if key.isascii() else [b if b < 128 else b + 0xFFFFFF00 for b in key], len(key))
    return lambda key: text(key, len(key))


DIGESTS: dict[str, Callable[[bytes], int]] = {
    **{f.__name__: scalar(f) for f in (*CHARS, crc16, hsieh, murmur, jenkins)},
    "crc32": digest_crc32,
    "crc32a": zlib.crc32,
    "md5": digest_md5,
    "murmur3": digest_murmur3,
}
