"""Compiles the C yardsticks with the system's compiler into a temporary folder, and calls them."""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


@functools.cache
def _library() -> ctypes.CDLL:
    folder = tempfile.mkdtemp()
    target = os.path.join(folder, "yardstick.so")
    sources = [str(Path(__file__).with_name(name)) for name in ("maglev_modulo.c", "envoy_tables.c")]
    subprocess.run(["cc", "-O3", "-ffp-contract=off", "-shared", "-fPIC", "-o", target, *sources], check=True)
    return ctypes.CDLL(target)


def maglev_modulo(turns: Any, offset: Any, skip: Any, size: int) -> Any:
    """The table by one remainder per probe; arguments as `lbalgo.active.maglev_fill`."""
    table, following = np.empty(size, np.int32), np.zeros(len(offset), np.uint64)
    order = np.ascontiguousarray(turns, np.int32)
    at = [a.ctypes.data_as(ctypes.c_void_p) for a in (table, following, offset, skip, order)]
    _library().fill(*at, ctypes.c_int64(len(order)), ctypes.c_uint64(size))
    return table


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
