"""Compiles the C yardsticks with the system's compiler into a temporary folder, and calls them."""

from __future__ import annotations

import ctypes
import functools
import math
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

POINT = np.dtype([("at", np.uint64), ("owner", np.int32)], align=True)


@functools.cache
def _library() -> ctypes.CDLL:
    folder = tempfile.mkdtemp()
    target = os.path.join(folder, "yardstick.so")
    names = ("maglev_modulo.c", "envoy_tables.c", "dialect_rings.c", "bulk_loops.c", "hash_loops.c")
    sources = [str(Path(__file__).with_name(name)) for name in names]
    subprocess.run(["cc", "-O3", "-ffp-contract=off", "-shared", "-fPIC", "-o", target, *sources, "-lm"], check=True)
    library = ctypes.CDLL(target)
    primes = [p for p in range(2, 312) if all(p % q for q in range(2, p))]
    sines = np.array([int(abs(math.sin(i + 1)) * 2**32) for i in range(64)], np.uint32)
    cubes = np.array([int(p ** (1 / 3) % 1 * 2**32) for p in primes], np.uint32)
    library.dialect_tables(*(a.ctypes.data_as(ctypes.c_void_p) for a in (sines, cubes)))
    return library


@functools.cache
def _sorting() -> ctypes.CDLL:
    target = os.path.join(tempfile.mkdtemp(), "sorting.so")
    source = str(Path(__file__).with_name("named_ring.cpp"))
    subprocess.run(["c++", "-O3", "-shared", "-fPIC", "-o", target, source], check=True)
    return ctypes.CDLL(target)


def named_ring(names: Any, counts: Any, ring: Any) -> Any:
    """Points of names by `texts`, hashed by XXH64 and sorted by `std::sort`, into an array of `POINT`."""
    of, out = (a.ctypes.data_as(ctypes.c_void_p) for a in (counts, ring))
    _sorting().named_ring(names, of, ctypes.c_int64(len(counts)), out)
    return ring


def maglev_modulo(turns: Any, offset: Any, skip: Any, size: int) -> Any:
    """The table by one remainder per probe; arguments as `lbalgo.active.maglev_fill`."""
    table, following = np.empty(size, np.int32), np.zeros(len(offset), np.uint64)
    order = np.ascontiguousarray(turns, np.int32)
    at = [a.ctypes.data_as(ctypes.c_void_p) for a in (table, following, offset, skip, order)]
    _library().fill(*at, ctypes.c_int64(len(order)), ctypes.c_uint64(size))
    return table


def bulk_loop(name: str, given: Any, out: Any, *rest: Any, n: int | None = None) -> Callable[[], object]:
    """A call of a loop of `bulk_loops.c` or `hash_loops.c` over `n` (or all) of what is given."""
    more = [ctypes.c_int64(a) if isinstance(a, int) else a.ctypes.data_as(ctypes.c_void_p) for a in rest]
    ours = [a.ctypes.data_as(ctypes.c_void_p) for a in (given, out)]
    return functools.partial(_library()[name], *ours, ctypes.c_int64(len(given) if n is None else n), *more)


def texts(keys: list[bytes]) -> Any:
    """Keys as the C functions take them, so that this is not timed."""
    return (ctypes.c_char_p * len(keys))(*keys)


def envoy_ring(names: Any, counts: Any, murmur: bool) -> tuple[Any, Any]:
    """Points and owners of Envoy's ring, sorted by the C library; `counts` int32, `names` as by `texts`."""
    total = int(counts.sum())
    points, owners = np.empty(total, np.uint64), np.empty(total, np.int32)
    out = [a.ctypes.data_as(ctypes.c_void_p) for a in (counts, points, owners)]
    _library().envoy_ring(names, out[0], ctypes.c_int64(len(names)), ctypes.c_int(murmur), *out[1:])
    return points, owners


def envoy_maglev(names: Any, weights: Any, size: int) -> Any:
    """The table of Envoy's Maglev over keys in order, with normalised weights."""
    table = np.empty(size, np.int32)
    at = [a.ctypes.data_as(ctypes.c_void_p) for a in (weights, table)]
    _library().envoy_maglev(names, at[0], ctypes.c_int64(len(names)), ctypes.c_uint64(size), at[1])
    return table


def numbered_ring(kind: int, separator: bytes, names: Any, counts: Any) -> tuple[Any, Any]:
    """Points and owners of numbered names; kind 0 is all four words of MD5, others as `dialect_rings.c` has them."""
    points, owners = _room(int(counts.sum()) * (1 if kind else 4))
    given = counts.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(len(names)), ctypes.c_int(kind), separator
    _library().numbered_ring(names, *given, *_out(points, owners))
    return points, owners


def chained_ring(hosts: Any, ports: Any, counts: Any) -> tuple[Any, Any]:
    """Points and owners of nginx's chains of CRC-32s."""
    points, owners = _room(int(counts.sum()))
    given = counts.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(len(hosts))
    _library().chained_ring(hosts, ports, *given, *_out(points, owners))
    return points, owners


def counted_ring(bases: Any, counts: Any) -> tuple[Any, Any]:
    """Points and owners of HAProxy's counted numbers."""
    points, owners = _room(int(counts.sum()))
    given = [a.ctypes.data_as(ctypes.c_void_p) for a in (bases, counts)]
    _library().counted_ring(*given, ctypes.c_int64(len(bases)), *_out(points, owners))
    return points, owners


def _room(total: int) -> tuple[Any, Any]:
    return np.empty(total, np.uint32), np.empty(total, np.int32)


def _out(points: Any, owners: Any) -> list[Any]:
    return [ctypes.c_int64(len(points)), *(a.ctypes.data_as(ctypes.c_void_p) for a in (points, owners))]
