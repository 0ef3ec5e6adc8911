"""Points of many servers at once: names `prefix-0`, `prefix-1`, … as columns of bytes, and hashes of whole columns.

A ring of a hundred servers is ten thousand short names. They differ in a few bytes and are hashed by the same steps, so
the steps are taken by arrays, one element a name: names of one length share a matrix of bytes, whose columns the texts
of `hashes` take as they take the bytes of one key. MD5 is written here for columns; a name that does not fit into one
block of 64 bytes goes through hashlib.

Costs: MD5 about 0.2 us a name, one-at-a-time about 0.1 us, where one call of hashlib or of a C function from Python
costs 0.5 us; memory 100 bytes a name while building.
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
ONE_BLOCK = 55  # bytes that fit before the padding


def numbered(prefixes: Sequence[bytes], counts: I64) -> Iterator[tuple[Any, Any]]:
    """The names prefix + "-" + decimal(j), j < counts[i], by length: (their places in order, their bytes as a matrix).

    Examples
    --------
    >>> [(at.tolist(), m.tobytes()) for at, m in numbered([b"a", b"bc"], np.array([2, 1]))]
    [([0, 1], b'a-0a-1'), ([2], b'bc-0')]
    """
    owner = np.repeat(np.arange(len(prefixes)), counts)
    number = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    width = np.array([len(p) for p in prefixes])
    digits = np.ones(len(owner), dtype=np.int64)
    limit = 10
    while limit < int(counts.max(initial=0)):
        digits += number >= limit
        limit *= 10
    length = width[owner] + digits
    table: dict[int, Any] = {}
    for w in np.unique(width).tolist():
        members = np.flatnonzero(width == w)
        place = np.zeros(len(prefixes), dtype=np.int64)
        place[members] = np.arange(len(members))
        joined = np.frombuffer(b"".join(prefixes[i] for i in members.tolist()), dtype=np.uint8).reshape(len(members), w)
        table[w] = joined, place
    for total in np.unique(length).tolist():
        for w, (joined, place) in table.items():
            d = total - w
            at = np.flatnonzero((digits == d) & (width[owner] == w))
            if d < 1 or not len(at):
                continue
            names = np.empty((len(at), total + 1), dtype=np.uint8)
            names[:, :w] = joined[place[owner[at]]]
            names[:, w] = ord("-")
            rest = number[at]
            for column in range(w + d, w, -1):
                rest, last = np.divmod(rest, 10)
                names[:, column] = last + ord("0")
            yield at, names


def md5_points(prefixes: Sequence[bytes], counts: I64) -> Any:
    """Four points of each name, the little-endian words of its MD5, in order; uint32.

    Examples
    --------
    >>> [int(p) for p in md5_points([b"10.0.0.1"], np.array([1]))]
    [563378236, 920037467, 4058903954, 1084864719]
    """
    points = np.empty((int(counts.sum()), 4), dtype=np.uint32)
    for at, names in numbered(prefixes, counts):
        points[at] = md5_words(names)
    return points.reshape(-1)


def hashed_points(text: str, prefixes: Sequence[bytes], counts: I64) -> Any:
    """One point of each name by the named hash function, in order; uint32."""
    points = np.empty(int(counts.sum()), dtype=np.uint32)
    for at, names in numbered(prefixes, counts):
        points[at] = _hashed(text, names)
    return points


def _hashed(name: str, names: Any) -> Any:
    if name == "md5":
        return md5_words(names)[:, 0]
    text: Callable[[Sequence[Any], int], Any] = hashes.crc32_columns if name == "crc32" else getattr(hashes, name)
    columns = np.ascontiguousarray(names.T)
    if text in hashes.CHARS:
        columns = columns.view(np.int8).astype(np.int32).view(np.uint32)
    return text(list(columns.astype(np.uint32, copy=False)), len(columns))


def md5_words(names: Any) -> Any:
    """The four little-endian words of the MD5 of each row; uint32."""
    many, size = names.shape
    if size > ONE_BLOCK:
        digests = b"".join(hashlib.md5(row.tobytes(), usedforsecurity=False).digest() for row in names)
        return np.frombuffer(digests, dtype="<u4").reshape(many, 4)
    block = np.zeros((many, 64), dtype=np.uint8)
    block[:, :size] = names
    block[:, size] = 0x80
    block[:, 56:58] = size * 8 & 0xFF, size * 8 >> 8
    words = np.ascontiguousarray(block.view("<u4").T).astype(np.uint32, copy=False)
    a, b, c, d = (np.full(many, s, dtype=np.uint32) for s in START)
    f: Any
    for i in range(64):
        stage, (step, first) = i >> 4, STEPS[i >> 4]
        if stage == 0:
            f = (c ^ d) & b ^ d
        elif stage == 1:
            f = (b ^ c) & d ^ c
        elif stage == 2:
            f = b ^ c ^ d
        else:
            f = ~d
            f |= b
            f ^= c
        f += a
        f += words[(step * i + first) & 15]
        f += np.uint32(SINES[i])
        by = SHIFTS[stage][i & 3]
        a = f >> np.uint32(32 - by)
        f <<= np.uint32(by)
        f |= a
        f += b
        a, b, c, d = d, f, b, c
    return np.stack([x + np.uint32(s) for x, s in zip((a, b, c, d), START, strict=True)], axis=1)
