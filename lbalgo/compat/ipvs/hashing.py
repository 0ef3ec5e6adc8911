"""The hashes of IPVS: multiplicative ones for `sh` and `dh`, the kernel's hsiphash for `mh`.

hsiphash is SipHash-1-3 cut to 32 bits on kernels with 64-bit words and HalfSipHash-1-3 on those with 32-bit words, so
that `mh` tables differ between the two. Both are written here from their published definition, with the numbers of
rounds as parameters, so that they can be checked against published vectors of other round counts.

Described only. Sources: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; Knuth, TAOCP 3, 6.4.
"""

from __future__ import annotations

import enum

WORD32 = 2**32 - 1
WORD64 = 2**64 - 1
GOLDEN = 0x61C88647  # of hash_32() since Linux 4.7; used by sh and dh since 4.18
KNUTH = 2654435761  # of sh and dh before


class AddressHash(enum.Enum):
    """How `sh` and `dh` take an address to one of 256 buckets.

    GOLDEN is that of kernels since 4.18, the upper 8 bits of a product; KNUTH that of older ones, its lower 8 bits.

    Examples
    --------
    >>> AddressHash.GOLDEN.bucket(0x0A000001), AddressHash.KNUTH.bucket(0x0A000001)
    (39, 177)
    """

    GOLDEN = "golden"
    KNUTH = "knuth"

    def bucket(self, x: int) -> int:
        """The bucket of a 32-bit number, in [0, 256)."""
        if self is AddressHash.GOLDEN:
            return (x * GOLDEN & WORD32) >> 24
        return x * KNUTH & 255


class HSipHash(enum.Enum):
    """Which function the kernel's hsiphash is: BITS_64 SipHash-1-3 cut to 32 bits, BITS_32 HalfSipHash-1-3.

    Examples
    --------
    >>> HSipHash.BITS_64(bytes(4), 1, 1) == HSipHash.BITS_32(bytes(4), 1, 1)
    False
    """

    BITS_64 = 64
    BITS_32 = 32

    def __call__(self, data: bytes, k0: int, k1: int) -> int:
        """32 bits for these bytes under a key of two words."""
        if self is HSipHash.BITS_64:
            return siphash(data, k0, k1, 1, 3) & WORD32
        return halfsiphash(data, k0, k1, 1, 3)


def siphash(data: bytes, k0: int, k1: int, c: int, d: int) -> int:
    """SipHash-c-d, 64 bits, under two 64-bit words.

    Examples
    --------
    >>> siphash(b"", 0x0706050403020100, 0x0F0E0D0C0B0A0908, 2, 4) == 0x726FDB47DD0E0E31
    True
    """
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    v = _absorb(v, data, c, 8, (13, 32, 16, 21, 17, 32), WORD64)
    v[2] ^= 0xFF
    for _ in range(d):
        v = _round(v, (13, 32, 16, 21, 17, 32), WORD64)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def halfsiphash(data: bytes, k0: int, k1: int, c: int, d: int) -> int:
    """HalfSipHash-c-d, 32 bits, under two 32-bit words.

    Examples
    --------
    >>> halfsiphash(b"", 0x03020100, 0x07060504, 2, 4) == 0x5B9F35A9
    True
    """
    v = [k0, k1, k0 ^ 0x6C796765, k1 ^ 0x74656462]
    v = _absorb(v, data, c, 4, (5, 16, 8, 7, 13, 16), WORD32)
    v[2] ^= 0xFF
    for _ in range(d):
        v = _round(v, (5, 16, 8, 7, 13, 16), WORD32)
    return v[1] ^ v[3]


def _absorb(v: list[int], data: bytes, rounds: int, size: int, rotations: tuple[int, ...], mask: int) -> list[int]:
    whole = len(data) - len(data) % size
    blocks = [int.from_bytes(data[at : at + size], "little") for at in range(0, whole, size)]
    blocks.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 8 * (size - 1))
    for block in blocks:
        v[3] ^= block
        for _ in range(rounds):
            v = _round(v, rotations, mask)
        v[0] ^= block
    return v


def _round(v: list[int], rotations: tuple[int, ...], mask: int) -> list[int]:
    bits = mask.bit_length()

    def rotl(x: int, r: int) -> int:
        return (x << r | x >> (bits - r)) & mask

    a, b, c, d, e, f = rotations
    v0, v1, v2, v3 = v
    v0 = (v0 + v1) & mask
    v1 = rotl(v1, a) ^ v0
    v0 = rotl(v0, b)
    v2 = (v2 + v3) & mask
    v3 = rotl(v3, c) ^ v2
    v0 = (v0 + v3) & mask
    v3 = rotl(v3, d) ^ v0
    v2 = (v2 + v1) & mask
    v1 = rotl(v1, e) ^ v2
    v2 = rotl(v2, f)
    return [v0, v1, v2, v3]
