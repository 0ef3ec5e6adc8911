"""Plain twin of `lbalgo.kernels.hashing`: XXH64, SipHash-2-4 and key hashing, from their specifications."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from lbalgo.columns import array, cells_of, hasher_parts, no_text, spans_of, word
from lbalgo.errors import ConfigError

GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment, 2**64 / golden ratio
WORD = (1 << 64) - 1
KIND_XXH64, KIND_SIPHASH, KIND_FUNCTION, KIND_RAW = range(4)
_P1, _P2, _P3 = 11400714785074694791, 14029467366897019727, 1609587929392839161
_P4, _P5 = 9650029242287828579, 2870177450012600261


def _rotl(x: int, r: int) -> int:
    return ((x << r) | (x >> (64 - r))) & WORD


def _lane(acc: int, word: int) -> int:
    return _rotl((acc + word * _P2) & WORD, 31) * _P1 & WORD


def fold(x: int) -> int:
    """The first step of `mix64`: of a ^ b it is that of a ^ that of b."""
    return x ^ (x >> 30)


def mix_folded(x: int) -> int:
    """The other steps of `mix64`."""
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def mix64(x: int) -> int:
    """SplitMix64's finaliser."""
    if type(x) is not int or not 0 <= x <= WORD:
        x = word("word", x)
    return mix_folded(fold(x))


def xxh64(data: bytes | bytearray | memoryview, seed: int = 0) -> int:
    """XXH64 of a bytes-like object."""
    seed, data = word("seed", seed), bytes(memoryview(data))
    at, length = 0, len(data)
    if length >= 32:
        lanes = [(seed + _P1 + _P2) & WORD, (seed + _P2) & WORD, seed, (seed - _P1) & WORD]
        while at + 32 <= length:
            lanes = [_lane(a, w) for a, w in zip(lanes, struct.unpack_from("<4Q", data, at), strict=True)]
            at += 32
        h = sum(_rotl(a, r) for a, r in zip(lanes, (1, 7, 12, 18), strict=True)) & WORD
        for a in lanes:
            h = ((h ^ _lane(0, a)) * _P1 + _P4) & WORD
    else:
        h = (seed + _P5) & WORD
    h = (h + length) & WORD
    while at + 8 <= length:
        h = (_rotl(h ^ _lane(0, struct.unpack_from("<Q", data, at)[0]), 27) * _P1 + _P4) & WORD
        at += 8
    if at + 4 <= length:
        h = (_rotl(h ^ (struct.unpack_from("<I", data, at)[0] * _P1 & WORD), 23) * _P2 + _P3) & WORD
        at += 4
    for byte in data[at:]:
        h = _rotl(h ^ (byte * _P5 & WORD), 11) * _P1 & WORD
    h = (h ^ (h >> 33)) * _P2 & WORD
    h = (h ^ (h >> 29)) * _P3 & WORD
    return h ^ (h >> 32)


def siphash24(data: bytes | bytearray | memoryview, k0: int, k1: int) -> int:
    """SipHash-2-4 of a bytes-like object under the 128-bit key (k0, k1)."""
    k0, k1, data = word("k0", k0), word("k1", k1), bytes(memoryview(data))
    v0, v1, v2, v3 = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )

    def rounds(n: int) -> None:
        nonlocal v0, v1, v2, v3
        for _ in range(n):
            v0 = (v0 + v1) & WORD
            v1 = _rotl(v1, 13) ^ v0
            v0 = _rotl(v0, 32)
            v2 = (v2 + v3) & WORD
            v3 = _rotl(v3, 16) ^ v2
            v0 = (v0 + v3) & WORD
            v3 = _rotl(v3, 21) ^ v0
            v2 = (v2 + v1) & WORD
            v1 = _rotl(v1, 17) ^ v2
            v2 = _rotl(v2, 32)

    whole = len(data) & ~7
    tail = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for block in (*struct.unpack(f"<{whole // 8}Q", data[:whole]), tail):
        v3 ^= block
        rounds(2)
        v0 ^= block
    v2 ^= 0xFF
    rounds(4)
    return v0 ^ v1 ^ v2 ^ v3


def key_bytes(key: object) -> bytes:
    """The bytes a key is hashed as."""
    if isinstance(key, str):
        try:
            return key.encode()
        except UnicodeEncodeError:
            raise ConfigError("key", key, "must have a UTF-8 form") from None
    if isinstance(key, (bytes, bytearray, memoryview)):
        return bytes(key)
    if isinstance(key, int) and not isinstance(key, bool):
        if not 0 <= key <= WORD:
            raise ConfigError("key", key, "must be in [0, 2**64)")
        return key.to_bytes(8, "little")
    raise TypeError(f"a key is bytes, str or int, not {type(key).__name__}")


class KeyHasher:
    """Keys to 64-bit tickets: XXH64 with a seed, SipHash with a secret, or a function of bytes finalised by mix64."""

    __slots__ = ("_function", "_k0", "_k1", "kind", "seed")

    def __init__(
        self,
        kind: int,
        seed: int = 0,
        k0: int = 0,
        k1: int = 0,
        function: Callable[[bytes], int] | None = None,
    ) -> None:
        parts = hasher_parts(kind, seed, k0, k1, function)
        self.kind, self.seed, self._k0, self._k1, self._function = parts

    def _digest(self, data: bytes) -> int:
        if self.kind == KIND_XXH64:
            return xxh64(data, self.seed)
        if self.kind == KIND_SIPHASH:
            return siphash24(data, self._k0, self._k1)
        assert self._function is not None
        value = self._function(data)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= WORD:
            raise ConfigError("hasher", value, "must return an int in [0, 2**64)")
        return value if self.kind == KIND_RAW else mix64(value ^ mix64(self.seed))

    def hash(self, key: object) -> int:
        """The key's ticket."""
        return self._digest(key_bytes(key))

    __call__ = hash

    def words(self, values: Any, out: Any) -> None:
        """Hashes of a contiguous uint64 array, each as its 8 bytes, into another."""
        array("out", out, np.uint64, len(array("values", values, np.uint64)))
        for i, value in enumerate(values.tolist()):
            out[i] = self._digest(value.to_bytes(8, "little"))

    def spans(self, data: Any, offsets: Any, out: Any) -> None:
        """Hashes of data[offsets[i]:offsets[i + 1]], contiguous uint8 and int64 arrays, into a uint64 array."""
        spans_of(data, offsets)
        array("out", out, np.uint64, len(offsets) - 1)
        raw = bytes(data)
        for i, (a, b) in enumerate(pairwise(offsets.tolist())):
            out[i] = self._digest(raw[a:b])

    def cells(self, data: Any, width: int, out: Any) -> None:
        """Hashes of keys of `width` bytes each, of a contiguous uint8 array, without the NULs at their ends."""
        cells_of(data, np.uint8, width, out)
        for i in range(len(out)):
            out[i] = self._digest(data[i * width : (i + 1) * width].tobytes().rstrip(b"\0"))

    def runes(self, data: Any, width: int, out: Any) -> None:
        """Hashes of texts of `width` code points each, of a contiguous uint32 array, without the NULs at their ends."""
        cells_of(data, np.uint32, width, out)
        for i in range(len(out)):
            text = data[i * width : (i + 1) * width]
            size = int(np.flatnonzero(text)[-1]) + 1 if text.any() else 0
            try:
                raw = "".join(map(chr, text[:size].tolist())).encode()
            except ValueError:
                no_text(data, i * width, size)
            out[i] = self._digest(raw)

    def sequence(self, keys: Iterable[Any], out: Any) -> None:
        """Hashes of a sequence of keys of any kind, into a uint64 array."""
        given = tuple(keys)
        array("out", out, np.uint64, len(given))
        for i, key in enumerate(given):
            out[i] = self.hash(key)
