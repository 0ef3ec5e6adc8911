"""What kernels are given, checked when something is built or handled in bulk: 64-bit words and columns of integers.

A kernel reads memory without looking, so what it reads is looked at here, for both twins alike.
"""

from __future__ import annotations

from operator import index
from typing import Any, NoReturn

import numpy as np

from lbalgo.errors import ConfigError

WORD = (1 << 64) - 1
MOST_RUNE = 0x10FFFF  # the last code point
MOST_BALLS = 1 << 20  # of an urn: pairs of balls are then alike in chance within 2**-24
LAST_OWNER = (1 << 24) - 1  # of balls
DIGESTS = (  # 32-bit hashes by the kinds of the kernel; of MD5 the first word, of SHA-256 the last, little-endian
    "md5",
    "sha256",
    "one_at_a_time",
    "fnv1_64",
    "fnv1a_64",
    "fnv1_32",
    "fnv1a_32",
    "crc32",
    "murmur",
    "murmur3",
    "jenkins",
)
LEVELS = ("portable", "avx2", "avx512")  # SIMD levels, each with all before it


def word(name: str, value: Any) -> int:
    """`value` as an int in [0, 2**64).

    Raises
    ------
    TypeError : it is no integer (a bool is none); ConfigError : it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"a {name} is an int, not {type(value).__name__}")
    if not 0 <= value <= WORD:
        raise ConfigError(name, value, "must be in [0, 2**64)")
    return int(value)


def column(name: str, values: Any, low: int, high: int, dtype: type[np.generic]) -> np.ndarray[Any, Any]:
    """A new contiguous array of `dtype` of these integers, one dimension, at least one of them.

    Raises
    ------
    ConfigError : they are something else, or not all in [low, high].
    """
    given: Any = values
    try:
        if not isinstance(values, np.ndarray) or values.dtype.kind == "O":
            given = np.array([index(value) for value in values], dtype=object)
        good = given.ndim == 1 and len(given) and given.dtype.kind in "iuO"
        good = good and given.min() >= low and given.max() <= high
    except TypeError:
        good = False
    if not good:
        raise ConfigError(name, values, f"must be one or more integers in [{low}, {high}]")
    return np.array(given, dtype=dtype)


def words(name: str, values: Any) -> np.ndarray[Any, Any]:
    """`column` of 64-bit words."""
    return column(name, values, 0, WORD, np.uint64)


def array(name: str, values: Any, dtype: type[np.generic], size: int | None = None) -> Any:
    """`values` itself if it is a contiguous, aligned, one-dimensional array of `dtype`.

    With a size it is to be written to: it must have that length and be writeable.

    Raises
    ------
    ConfigError : it is something else.
    """
    if (
        not isinstance(values, np.ndarray)
        or values.dtype != dtype
        or values.ndim != 1
        or not (values.flags.c_contiguous and values.flags.aligned)
        or (size is not None and (len(values) != size or not values.flags.writeable))
    ):
        wanted = "" if size is None else f", writeable, of length {size}"
        raise ConfigError(name, values, f"must be a contiguous one-dimensional array of {dtype.__name__}{wanted}")
    return values


def tickets_of(tickets: Any) -> Any:
    """These tickets, a one-dimensional array of uint64, as a contiguous and aligned one: themselves where they are.

    Raises
    ------
    ConfigError : they are something else.
    """
    if not isinstance(tickets, np.ndarray) or tickets.dtype != np.uint64 or tickets.ndim != 1:
        raise ConfigError("tickets", tickets, "must be a one-dimensional array of dtype uint64")
    return np.require(tickets, np.uint64, ["C", "A"])


def slots_for(tickets: Any, out: Any) -> Any:
    """Where the slots of these tickets are written: `out` if it fits, a new array if it is None.

    Raises
    ------
    ConfigError : it is no writeable, contiguous int32 array of their length, or shares memory with them.
    """
    if out is None:
        return np.empty(len(tickets), dtype=np.int32)
    array("out", out, np.int32, len(tickets))
    if np.may_share_memory(tickets, out):
        raise ConfigError("out", out, "must not share memory with tickets")
    return out


def count(name: str, value: Any) -> int:
    """`value` as an int in [1, 2**31), a number of slots or positions.

    Raises
    ------
    TypeError : it is no integer (a bool is none); ConfigError : it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is an int, not {type(value).__name__}")
    if not 0 < value < 1 << 31:
        raise ConfigError(name, value, "must be an integer in [1, 2**31)")
    return int(value)


def flags(name: str, values: Any) -> Any:
    """A new contiguous array of these booleans, one dimension, at least one of them True.

    Raises
    ------
    ConfigError : they are something else.
    """
    try:
        given = np.array(values)
    except ValueError:  # sequences of sequences of several lengths
        given = np.empty(0)
    if given.ndim != 1 or given.dtype != np.bool_ or not given.any():
        raise ConfigError(name, values, "must be one boolean for each, at least one of them True")
    return given


def arcs_of(points: Any, owners: Any, accept: Any, eligible: Any) -> tuple[Any, Any, Any, Any]:
    """What a ring's shares are computed from: ascending points and their owners, and by owner chance and eligibility.

    Raises
    ------
    ConfigError : they do not fit each other.
    """
    chance, able = np.array(accept, dtype=np.float64), np.array(eligible, dtype=np.uint8)
    if chance.ndim != 1 or not ((chance >= 0.0) & (chance <= 1.0)).all():
        raise ConfigError("accept", accept, "must be chances in [0, 1]")
    if able.shape != chance.shape:
        raise ConfigError("eligible", eligible, "must be as many as accept")
    where = words("points", points)
    whose = column("owners", owners, 0, len(chance) - 1, np.int32)
    if len(whose) != len(where) or (where[1:] < where[:-1]).any():
        raise ConfigError("points", points, "must ascend, and be as many as owners")
    return where, whose, chance, able


def spans_of(data: Any, offsets: Any) -> None:
    """Checks that `offsets`, a contiguous int64 array, ascends within `data`, a contiguous uint8 array.

    Raises
    ------
    ConfigError : it does not.
    """
    size = len(array("data", data, np.uint8))
    array("offsets", offsets, np.int64)
    if len(offsets) == 0 or offsets[0] < 0 or offsets[-1] > size or (offsets[1:] < offsets[:-1]).any():
        raise ConfigError("offsets", offsets, f"must ascend within [0, {size}]")


def cells_of(data: Any, dtype: type[np.generic], width: Any, out: Any) -> None:
    """Checks that `data`, a contiguous array of `dtype`, has `width` items for each of `out`, a uint64 array.

    Raises
    ------
    ConfigError : it has not, or an array is another.
    """
    size, cells = len(array("data", data, dtype)), len(array("out", out, np.uint64))
    if width < 1 or size != width * cells:
        raise ConfigError("width", width, f"must be at least 1, and times {cells} be {size}")
    array("out", out, np.uint64, cells)


def strings_of(name: str, values: Any) -> Any:
    """`values` itself if it is a one-dimensional array of NumPy's `StringDType`.

    Raises
    ------
    ConfigError : it is something else.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind != "T" or values.ndim != 1:
        raise ConfigError(name, values, "must be a one-dimensional array of StringDType")
    return values


def no_text(data: Any, start: int, size: int) -> NoReturn:
    """Refuses so many code points from `start` on, of which one has no UTF-8 form.

    Raises
    ------
    ConfigError : always; the value is the text, or the first number in it that is no code point.
    """
    runes = data[start : start + size].tolist()
    beyond = [rune for rune in runes if rune > MOST_RUNE]
    raise ConfigError("key", beyond[0] if beyond else "".join(map(chr, runes)), "must have a UTF-8 form")


def hasher_parts(kind: Any, seed: Any, k0: Any, k1: Any, function: Any) -> tuple[int, int, int, int, Any]:
    """What a key hasher consists of: which of the four kinds, seed, secret, and a function where the kind has one.

    Raises
    ------
    ConfigError, TypeError : there is no such kind, the seed or secret is no 64-bit word, or the function is missing.
    """
    if isinstance(kind, bool) or not isinstance(kind, int) or not 0 <= kind <= 3:
        raise ConfigError("kind", kind, "must be an integer in [0, 3]")
    if kind >= 2 and not callable(function):
        raise ConfigError("function", function, "must be a function of bytes")
    return kind, word("seed", seed), word("k0", k0), word("k1", k1), function


def kind_of(kind: Any) -> int:
    """The kind of a point's hash: 0 is XXH64, 1 MurmurHash64A.

    Raises
    ------
    ConfigError : it is something else.
    """
    if isinstance(kind, bool) or not isinstance(kind, int) or kind not in (0, 1):
        raise ConfigError("kind", kind, "must be 0 or 1")
    return kind


def digest_kind(kind: Any) -> int:
    """The place of a 32-bit hash in `DIGESTS`.

    Raises
    ------
    ConfigError : it is something else.
    """
    if isinstance(kind, bool) or not isinstance(kind, int) or not 0 <= kind < len(DIGESTS):
        raise ConfigError("kind", kind, f"must be an integer in [0, {len(DIGESTS) - 1}]")
    return kind


def level_of(name: str, value: Any, levels: tuple[str, ...]) -> int:
    """The place of a SIMD level in `levels`, those that there are.

    Raises
    ------
    ConfigError : there is no such level, or not here.
    """
    if not isinstance(value, str) or value not in levels:
        known = f"must be one of {', '.join(LEVELS)}"
        here = f"this processor and build have {', '.join(levels)}"
        raise ConfigError(name, value, here if isinstance(value, str) and value in LEVELS else known)
    return levels.index(value)


def bytes_of(name: str, value: Any) -> bytes:
    """`value` if it is bytes.

    Raises
    ------
    ConfigError : it is something else.
    """
    if not isinstance(value, bytes):
        raise ConfigError(name, value, "must be bytes")
    return value


def prefixes_of(values: Any) -> tuple[bytes | str, ...]:
    """These bytes or strings, one or more, as a tuple.

    Raises
    ------
    ConfigError : they are something else.
    """
    if not isinstance(values, (list, tuple)) or not values or not set(map(type, values)) <= {bytes, str}:
        raise ConfigError("prefixes", values, "must be one or more bytes or strings")
    return tuple(values)


def rates(name: str, values: Any) -> np.ndarray[Any, Any]:
    """A new contiguous array of these doubles, one dimension, at least one of them, all finite and > 0.

    Raises
    ------
    ConfigError : they are something else.
    """
    try:
        given = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.ndim != 1 or len(given) == 0 or not (np.isfinite(given) & (given > 0)).all():
        raise ConfigError(name, values, "must be one or more finite numbers > 0")
    return given


def phases_of(phases: Any, rates_: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Phases in [0, 1) and as many rates in (0, 1], the greatest of them 1, as arrays of doubles.

    Raises
    ------
    ConfigError : they are something else.
    """
    pace = rates("rates", rates_)
    if pace.max() != 1.0:
        raise ConfigError("rates", rates_, "must have 1 for their greatest")
    try:
        given = np.array(phases, dtype=np.float64)
    except (TypeError, ValueError):
        given = np.empty(0)
    if given.shape != pace.shape or not ((given >= 0) & (given < 1)).all():
        raise ConfigError("phases", phases, "must be numbers in [0, 1), as many as rates")
    return given, pace
