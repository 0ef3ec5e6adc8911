"""HAProxy's hash functions and ``hash-type``: which function makes a key's 32 bits, and whether they are mixed.

All numbers are unsigned and 32 bits wide. `full_avalanche` is Jenkins' integer hash with HAProxy's final
multiplication; it also makes the points of the ring.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_enum, enum_from_name, from_dict, to_dict

U32 = 0xFFFFFFFF


def sdbm(data: bytes) -> int:
    """The hash of the sdbm database library.

    Examples
    --------
    >>> sdbm(b"a"), sdbm(b"ab")
    (97, 6363201)
    """
    h = 0
    for c in data:
        h = (h * 65599 + c) & U32  # 65599 = 2**16 + 2**6 - 1: the shifts of the original
    return h


def djb2(data: bytes) -> int:
    """Bernstein's hash, times 33.

    Examples
    --------
    >>> djb2(b"")
    5381
    """
    h = 5381
    for c in data:
        h = (h * 33 + c) & U32
    return h


def wt6(data: bytes) -> int:
    """HAProxy's own hash for small keys: two words whose rotations depend on what they hold.

    Examples
    --------
    >>> hex(wt6(b""))
    '0xf99a0360'
    """
    h0, h1, s0, s1 = 0xA53C965A, 0x5CA6953A, 6, 18
    for c in data:
        h0 = ~(h0 ^ c) & U32
        h1 = ~(h1 + c) & U32
        h0, h1 = _rotl(h1, s0), _rotl(h0, s1)
        t = ((h0 >> 16) ^ h1) & 0xFFFF
        s0, s1 = t & 31, t >> 11
    return h0 ^ h1


def _rotl(x: int, n: int) -> int:
    return ((x << n) | (x >> (32 - n))) & U32


def crc32(data: bytes) -> int:
    """The CRC-32 of zlib.

    Examples
    --------
    >>> hex(crc32(b"123456789"))
    '0xcbf43926'
    """
    return zlib.crc32(data)


def none(data: bytes) -> int:
    """The key as a decimal integer, of which 32 bits are kept; text ends at the first byte that is no digit.

    Examples
    --------
    >>> none(b"17"), none(b"-1"), none(b"4294967301"), none(b"12ab"), none(b"x")
    (17, 4294967295, 5, 12, 0)
    """
    digits = data.removeprefix(b"-").removeprefix(b"+") if data[:1] in (b"-", b"+") else data
    value = 0
    for c in digits:
        if not 48 <= c <= 57:
            break
        value = (value * 10 + c - 48) & U32
    return (-value if data[:1] == b"-" else value) & U32


def full_avalanche(a: int) -> int:
    """Jenkins' 32-bit integer hash with HAProxy's final multiplication.

    Examples
    --------
    >>> full_avalanche(0), full_avalanche(4096)
    (2874071335, 1237450891)
    """
    return int(full_avalanches(np.array([a], dtype=np.uint32))[0])


def full_avalanches(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """`full_avalanche` of many numbers; uint32 arithmetic wraps as the original's does."""
    a = values.astype(np.uint32)
    a = (a + np.uint32(0x7ED55D16)) + (a << np.uint32(12))
    a = (a ^ np.uint32(0xC761C23C)) ^ (a >> np.uint32(19))
    a = (a + np.uint32(0x165667B1)) + (a << np.uint32(5))
    a = (a + np.uint32(0xD3A2646C)) ^ (a << np.uint32(9))
    a = (a + np.uint32(0xFD7046C5)) + (a << np.uint32(3))
    a = (a ^ np.uint32(0xB55A4F09)) ^ (a >> np.uint32(16))
    return a * np.uint32(3221225473)


class Method(enum.Enum):
    """What a hash is looked up in.

    Examples
    --------
    >>> Method("map-based")
    <Method.MAP_BASED: 'map-based'>
    """

    MAP_BASED = "map-based"
    CONSISTENT = "consistent"


class Function(enum.Enum):
    """The function that hashes a key; NONE is of 2.9 and later.

    Examples
    --------
    >>> Function("wt6")
    <Function.WT6: 'wt6'>
    """

    SDBM = "sdbm"
    DJB2 = "djb2"
    WT6 = "wt6"
    CRC32 = "crc32"
    NONE = "none"


FUNCTIONS: dict[Function, Callable[[bytes], int]] = {
    Function.SDBM: sdbm,
    Function.DJB2: djb2,
    Function.WT6: wt6,
    Function.CRC32: crc32,
    Function.NONE: none,
}


@dataclass(frozen=True)
class HashType:
    """The ``hash-type`` of a backend.

    Parameters
    ----------
    method : map-based or consistent.
    function : None if the line names none: sdbm then, and for consistent with the avalanche besides, which
        ``consistent sdbm`` is without.
    avalanche : whether the function's result is mixed once more; only with a function named.

    Raises
    ------
    ConfigError : a field is of another type, or avalanche is asked for without a function.

    Source: HAProxy Configuration Manual, "hash-type".

    Examples
    --------
    >>> HashType.parse("consistent").mixes, HashType.parse("consistent sdbm").mixes
    (True, False)
    """

    method: Method = Method.MAP_BASED
    function: Function | None = None
    avalanche: bool = False

    def __post_init__(self) -> None:
        check_enum("method", self.method, Method)
        if self.function is not None:
            check_enum("function", self.function, Function)
        if check_bool("avalanche", self.avalanche) and self.function is None:
            raise ConfigError("avalanche", True, "needs a function to be named")

    @classmethod
    def parse(cls, text: str) -> HashType:
        """The type written as in a configuration: method, function and modifier, from left to right.

        Raises
        ------
        ConfigError : a word is not understood.
        """
        words = text.split() if isinstance(text, str) else []
        try:
            if not 1 <= len(words) <= 3 or words[2:] not in ([], ["avalanche"]):
                raise ValueError
            function = Function(words[1]) if len(words) > 1 else None
            return cls(Method(words[0]), function, len(words) == 3)
        except ValueError:
            known = "must be <map-based|consistent> [sdbm|djb2|wt6|crc32|none [avalanche]]"
            raise ConfigError("hash_type", text, known) from None

    @property
    def mixes(self) -> bool:
        """Whether the result is mixed: asked for, or consistent with no function named."""
        return self.avalanche or (self.function is None and self.method is Method.CONSISTENT)

    def digest(self, data: bytes) -> int:
        """The 32-bit hash of a key."""
        return self.finish(FUNCTIONS[self.function or Function.SDBM](data))

    def finish(self, value: int) -> int:
        """The modifier, applied to a 32-bit number."""
        return full_avalanche(value) if self.mixes else value

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> HashType:
        """The type `to_dict` described."""
        return from_dict(cls, data, {"method": enum_from_name(Method), "function": _function})


def _function(name: object) -> Function | None:
    return None if name is None else enum_from_name(Function)(name)
