"""Plain twin of `lbalgo.kernels.points`: derived points, hashes of numbered strings, turns taken round by round."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from lbalgo.columns import column, count, kind_of, phases_of, prefixes_of, rates, word, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import GAMMA, WORD, xxh64

_M = 0xC6A4A7935BD1E995


def derived(starts: Any, counts: Any) -> Any:
    """Points mix64(start + j * GAMMA), j = 1 … count, of each start in turn, as uint64; sums wrap."""
    given, many = words("starts", starts), column("counts", counts, 0, 2**31 - 1, np.int32)
    if len(many) != len(given):
        raise ConfigError("counts", counts, "must be one for each start")
    total = many.sum(dtype=np.int64)
    first = np.cumsum(many, dtype=np.int64) - many
    z = (np.arange(1, total + 1) - np.repeat(first, many)).astype(np.uint64) * np.uint64(GAMMA) + np.repeat(given, many)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


def murmur64a(data: bytes | bytearray | memoryview, seed: int = 0) -> int:
    """MurmurHash64A of a bytes-like object."""
    seed, data = word("seed", seed), bytes(memoryview(data))
    whole = len(data) & ~7
    h = seed ^ (len(data) * _M & WORD)
    for i in range(0, whole, 8):
        k = int.from_bytes(data[i : i + 8], "little") * _M & WORD
        k = (k ^ (k >> 47)) * _M & WORD
        h = (h ^ k) * _M & WORD
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & WORD
    h = (h ^ (h >> 47)) * _M & WORD
    return h ^ (h >> 47)


def numbered(prefixes: Sequence[bytes | str], counts: Any, kind: int, seed: int = 0, separator: bytes = b"") -> Any:
    """Hashes of prefixes[i] + separator + b"0", + b"1", …, counts[i] of them, one prefix after the other, as uint64.

    Prefixes are bytes, or str for their UTF-8 form. Kind 0 is XXH64, kind 1 MurmurHash64A.
    """
    start = word("seed", seed)
    digest = (xxh64, murmur64a)[kind_of(kind)]
    if not isinstance(separator, bytes):
        raise ConfigError("separator", separator, "must be bytes")
    given = [(p.encode() if isinstance(p, str) else p) + separator for p in prefixes_of(prefixes)]
    many = column("counts", counts, 0, 2**31 - 1, np.int32)
    if len(many) != len(given):
        raise ConfigError("counts", counts, "must be one for each prefix")
    out = [digest(p + b"%d" % k, start) for p, n in zip(given, many.tolist(), strict=True) for k in range(n)]
    return np.array(out, dtype=np.uint64)


def rounds(weights: Any, size: int) -> Any:
    """Owners of the first `size` turns as int32; if all weights are equal one round of them, to be repeated.

    In round r, an owner takes a turn if r times its weight has reached what its turns so far have cost: the greatest
    weight each.
    """
    size, given = count("size", size), rates("weights", weights).tolist()
    most, cost = max(0.0, *given), [0.0] * len(given)
    if min(given) == most:
        return np.arange(min(len(given), size), dtype=np.int32)
    turns: list[int] = []
    number = 0
    while len(turns) < size:
        number += 1
        for owner, weight in enumerate(given):
            if number * weight >= cost[owner]:
                cost[owner] += most
                turns.append(owner)
    return np.array(turns[:size], dtype=np.int32)


def phased(phases: Any, rates: Any, size: int) -> Any:
    """Owners of the first `size` turns as int32, where turn k >= 1 of an owner falls at (k - phase) / rate.

    Turns at one time are in order of owner. Phases are in [0, 1), rates in (0, 1], their greatest 1.
    """
    size = count("size", size)
    first, pace = (given.tolist() for given in phases_of(phases, rates))
    coming = [((1.0 - phase) / rate, i, 1.0) for i, (phase, rate) in enumerate(zip(first, pace, strict=True))]
    heapq.heapify(coming)
    turns = []
    for _ in range(size):
        _, i, k = coming[0]
        turns.append(i)
        heapq.heapreplace(coming, ((k + 1.0 - first[i]) / pace[i], i, k + 1.0))
    return np.array(turns, dtype=np.int32)
