"""Points of many servers at once: names `prefix-0`, `prefix-1`, … and their hashes, by arrays.

A ring of a hundred servers is ten thousand short names that differ in a few bytes and are hashed by the same steps. So
the steps are taken by arrays, one element a name; the texts of `hashes` take the columns of a matrix of names as they
take the bytes of one key. A hash that goes byte after byte goes over each prefix once, and over the digits for each
name. MD5 is written here for columns; a name that does not fit into one block of 64 bytes goes through hashlib.

Costs: MD5 about 0.3 us a name, a byte-wise hash about 0.05 us, others 0.1 us, where a call from Python for each name
costs 0.5 us and more; memory 100 bytes a name while building.
Source: RFC 1321.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lbalgo.compat.memcached import hashes
from lbalgo.types import I64

SHIFTS = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
STEPS = ((1, 0), (5, 1), (3, 5), (7, 0))  # which message word a step of a round takes
START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
SINES = [int(abs(math.sin(i + 1)) * 2**32) for i in range(64)]
BLOCK, ONE_BLOCK = 64, 55  # bytes of a block, and those that fit before the padding


def numbers(counts: I64) -> Iterator[tuple[Any, Any, Any]]:
    """The numbers below each count, by how many digits they have: (places in order, whose, digits as columns).

    Examples
    --------
    >>> for at, whose, digits in numbers(np.array([2, 11])):
    ...     at.tolist(), whose.tolist(), [bytes(column) for column in digits]
    ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], [b'010123456789'])
    ([12], [1], [b'1', b'0'])
    """
    first = np.cumsum(counts) - counts
    low, high, width = 0, 10, 1
    while low < int(counts.max(initial=0)):
        many = np.clip(counts - low, 0, high - low)
        whose = np.repeat(np.arange(len(counts)), many)
        number = np.arange(len(whose)) - np.repeat(np.cumsum(many) - many, many)
        power = 10 ** np.arange(width - 1, -1, -1)
        table = (np.arange(low, int(counts.max())) // power[:, None] % 10 + ord("0")).astype(np.uint8)
        yield first[whose] + low + number, whose, table[:, number]
        low, high, width = high, high * 10, width + 1


def rows_of(prefixes: Sequence[bytes], counts: I64, room: int) -> tuple[Any, I64]:
    """The names as rows of `room` bytes, zeros behind them, and their lengths.

    Examples
    --------
    >>> rows, lengths = rows_of([b"a", b"bc"], np.array([2, 1]), 4)
    >>> [bytes(row) for row in rows], lengths.tolist()
    ([b'a-0\\x00', b'a-1\\x00', b'bc-0'], [3, 3, 4])
    """
    starts = np.array([p + b"-" for p in prefixes], dtype=f"S{room}").view(np.uint8).reshape(-1, room)
    width = np.array([len(p) + 1 for p in prefixes])
    rows = np.repeat(starts, counts, axis=0)
    lengths = np.repeat(width, counts)
    flat = rows.reshape(-1)
    for at, whose, digits in numbers(counts):
        end = at * room + width[whose]
        for column in digits:
            flat[end] = column
            end += 1
        lengths[at] += len(digits)
    return rows, lengths


def md5_points(prefixes: Sequence[bytes], counts: I64) -> Any:
    """Four points of each name, the little-endian words of its MD5, in order; uint32.

    Examples
    --------
    >>> [int(p) for p in md5_points([b"10.0.0.1"], np.array([1]))]
    [563378236, 920037467, 4058903954, 1084864719]
    """
    longest = max(len(p) + 1 + len(str(c)) for p, c in zip(prefixes, counts.tolist(), strict=True))
    if longest > ONE_BLOCK:
        names = [b"%s-%d" % (p, j) for p, c in zip(prefixes, counts.tolist(), strict=True) for j in range(c)]
        digests = b"".join(hashlib.md5(name, usedforsecurity=False).digest() for name in names)
        return np.frombuffer(digests, dtype="<u4").astype(np.uint32)
    rows, lengths = rows_of(prefixes, counts, BLOCK)
    rows.reshape(-1)[np.arange(len(rows)) * BLOCK + lengths] = 0x80
    words = np.ascontiguousarray(rows.view("<u4").T).astype(np.uint32, copy=False)
    words[14] = lengths * 8
    return md5_block(words).T.reshape(-1)


def md5_block(words: Any) -> Any:
    """The four words of the MD5 of one block for each column of 16 message words; uint32."""
    blank = [not word.any() for word in words]
    a, b, c, d = (np.full(words.shape[1], s, dtype=np.uint32) for s in START)
    spare, turned = np.empty_like(a), np.empty_like(a)
    for i in range(64):
        stage, (step, first) = i >> 4, STEPS[i >> 4]
        f = spare
        if stage == 0:
            np.bitwise_xor(c, d, out=f)
            f &= b
            f ^= d
        elif stage == 1:
            np.bitwise_xor(b, c, out=f)
            f &= d
            f ^= c
        elif stage == 2:
            np.bitwise_xor(b, c, out=f)
            f ^= d
        else:
            np.invert(d, out=f)
            f |= b
            f ^= c
        f += a
        which = (step * i + first) & 15
        if not blank[which]:
            f += words[which]
        f += np.uint32(SINES[i])
        by = SHIFTS[stage][i & 3]
        np.right_shift(f, np.uint32(32 - by), out=turned)
        f <<= np.uint32(by)
        f |= turned
        f += b
        a, b, c, d, spare = d, f, b, c, a
    return np.array([x + np.uint32(s) for x, s in zip((a, b, c, d), START, strict=True)])


def hashed_points(name: str, prefixes: Sequence[bytes], counts: I64) -> Any:
    """One point of each name by the named hash function, in order; uint32."""
    if name == "md5":
        return md5_points(prefixes, counts)[::4]
    if name in hashes.ROUNDS:
        return _resumed(*hashes.ROUNDS[name], prefixes, counts)
    text: Callable[[Sequence[Any], int], Any] = getattr(hashes, name)
    longest = max(len(p) + 1 + len(str(c)) for p, c in zip(prefixes, counts.tolist(), strict=True))
    rows, lengths = rows_of(prefixes, counts, longest)
    points = np.empty(len(rows), dtype=np.uint32)
    for length in np.unique(lengths).tolist():
        at = np.flatnonzero(lengths == length)
        columns = np.ascontiguousarray(rows[at, :length].T).astype(np.uint32)
        points[at] = text(list(columns), length)
    return points


def _resumed(rounds: Any, end: Any, prefixes: Sequence[bytes], counts: I64) -> Any:
    """Hashes byte after byte: over each prefix once, then over the digits of each name."""
    states = np.empty(len(prefixes), dtype=np.uint32)
    widths = np.array([len(p) + 1 for p in prefixes])
    for width in np.unique(widths).tolist():
        at = np.flatnonzero(widths == width)
        joined = np.frombuffer(b"".join(prefixes[i] + b"-" for i in at.tolist()), dtype=np.int8)
        chars = joined.reshape(-1, width).T.astype(np.int32).view(np.uint32)  # signed; CRC looks at 8 bits only
        states[at] = rounds(list(chars), width)
    points = np.empty(int(counts.sum()), dtype=np.uint32)
    for at, whose, digits in numbers(counts):
        points[at] = end(rounds(list(digits.astype(np.uint32)), len(digits), states[whose]))
    return points
