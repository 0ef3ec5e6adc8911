"""The hash functions of twemproxy and libmemcached, with the quirks they have on x86: 32-bit results.

* `char` is signed there, and several functions add or xor a key's bytes as chars: bytes from 0x80 on are sign-extended
  in one_at_a_time, in the FNV family and in the odd byte of hsieh's tail. Keys in ASCII do not show it.
* `crc32` is the upper half of a CRC-32 without its top bit: 15 bits, all of them below nearly every point of a ring.
* `crc16` never cuts its register back to 16 bits.
* `fnv1a_64` is not 64 bits wide: it starts from the low half of the offset basis and multiplies by the low half of the
  prime in 32 bits. `fnv1_64` is cut to 32 bits at the end, which for FNV-1 comes to the same as calculating in 32.
* `murmur` is MurmurHash2 and `murmur3` MurmurHash3 x86_32, both with a seed that depends on the key's length.
* `jenkins` is lookup3's hashlittle with initial value 13, `hsieh` SuperFastHash from 0 instead of from the length.

Those that points are made of are the kernel's (`lbalgo.kernels.digests`); the others are written here, for keys only.

Costs: a key under 0.2 us, crc16 and hsieh about 0.2 us a byte; names in bulk 1 ns a byte, by MD5 0.1 us each.
Source: the hash functions' own publications (Jenkins; Noll; Appleby; Hsieh); for which and how, the documentation of
twemproxy ("hash") and libmemcached ("libhashkit"), and captured values.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

from lbalgo.active import digest32
from lbalgo.columns import DIGESTS as KINDS

M = 0xFFFFFFFF
POLYNOMIAL_16 = 0x1021


def _table_16() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ POLYNOMIAL_16 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return table


TABLE_16 = _table_16()


def crc16(data: bytes) -> int:
    """CRC-16/XMODEM whose register grows to 32 bits."""
    h = 0
    for byte in data:
        h = h << 8 & M ^ TABLE_16[(h >> 8 ^ byte) & 0xFF]
    return h


def hsieh(data: bytes) -> int:
    """SuperFastHash from 0; the odd byte of a tail of three is a signed char."""
    size = len(data)
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


DIGESTS: dict[str, Callable[[bytes], int]] = {
    **{name: partial(digest32, kind) for kind, name in enumerate(KINDS)},
    "crc16": crc16,
    "crc32a": zlib.crc32,
    "hsieh": hsieh,
}
