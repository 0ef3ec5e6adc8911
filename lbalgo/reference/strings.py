"""Plain twin of `lbalgo.kernels.strings`: hashing NumPy's variable-width strings, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbalgo.columns import array, strings_of
from lbalgo.errors import ConfigError


def hash_strings(hasher: Any, keys: Any, out: Any) -> None:
    """Hashes of a one-dimensional array of `StringDType` into a uint64 array."""
    array("out", out, np.uint64, len(strings_of("keys", keys)))
    for i in range(len(keys)):
        out[i] = hash_element(hasher, keys, i)


def hash_element(hasher: Any, keys: Any, i: int) -> int:
    """The ticket of one element; a missing one is what stands for it, which may be no key.

    Raises
    ------
    TypeError : no key stands for what is missing; ConfigError : the bytes, which NumPy does not look at, are no UTF-8.
    """
    try:
        return hasher(keys[i])  # type: ignore[no-any-return]
    except UnicodeDecodeError as found:
        raise ConfigError(f"keys[{i}]", found.object, "must be UTF-8") from None
    except TypeError as found:
        raise TypeError(f"keys[{i}]: {found}") from None
