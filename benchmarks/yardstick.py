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
    source = Path(__file__).with_name("maglev_modulo.c")
    subprocess.run(["cc", "-O3", "-shared", "-fPIC", "-o", target, str(source)], check=True)
    return ctypes.CDLL(target)


def maglev_modulo(turns: Any, offset: Any, skip: Any, size: int) -> Any:
    """The table by one remainder per probe; arguments as `lbalgo.active.maglev_fill`."""
    table, following = np.empty(size, np.int32), np.zeros(len(offset), np.uint64)
    order = np.ascontiguousarray(turns, np.int32)
    at = [a.ctypes.data_as(ctypes.c_void_p) for a in (table, following, offset, skip, order)]
    _library().fill(*at, ctypes.c_int64(len(order)), ctypes.c_uint64(size))
    return table
