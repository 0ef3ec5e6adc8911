"""Keys and hashes: which hash a keyed policy uses, what a key is, and hashing in bulk.

A key is bytes-like, a str (hashed as UTF-8) or an int in [0, 2**64) (hashed as 8 bytes, little-endian). The named
hashes `XXH64` (default), `XXH3` and `Murmur3` are the published functions unchanged; `SipHash` is keyed with a secret,
for keys an attacker can choose; any other function of bytes is finalised with SplitMix64's mixer, because a 32-bit hash
used as it is would reach a sliver of a 64-bit ring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from lbalgo.active import KeyHasher, hash_strings
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import U64, Key

_XXH64, _SIPHASH, _FUNCTION, _RAW = range(4)
_UNSEEDED = KeyHasher(_XXH64, 0)  # a machine has no state: one for all
_WIDE = frozenset("iIlLqQ")  # a memoryview of such integers, second of a pair, is offsets and no key


@dataclass(frozen=True)
class XXH64:
    """XXH64 with the policy's seed; what Envoy and gRPC hash with. The fastest here: it runs inside the pick.

    Examples
    --------
    >>> hash_key("a", hasher=XXH64())
    15154266338359012955
    """

    def to_dict(self) -> dict[str, object]:
        """The name of the hash."""
        return to_dict(self)

    def key_hasher(self, seed: int) -> KeyHasher:
        """The machine for one seed, 0 to 2**64 - 1."""
        return _UNSEEDED if type(seed) is int and seed == 0 else KeyHasher(_XXH64, seed)


@dataclass(frozen=True)
class XXH3:
    """XXH3, 64 bits, with the policy's seed, by the `xxhash` package.

    Examples
    --------
    >>> hash_key("a", hasher=XXH3())
    16629034431890738719
    """

    def to_dict(self) -> dict[str, object]:
        """The name of the hash."""
        return to_dict(self)

    def key_hasher(self, seed: int) -> KeyHasher:
        """The machine for one seed, 0 to 2**64 - 1."""
        import xxhash

        digest = xxhash.xxh3_64_intdigest
        return KeyHasher(_RAW, seed, 0, 0, lambda data: digest(data, seed))


@dataclass(frozen=True)
class Murmur3:
    """The low 64 bits of MurmurHash3 x64 128 with the policy's seed (32 bits), by the `mmh3` package.

    Examples
    --------
    >>> hash_key("a", hasher=Murmur3())
    9607679276477937801
    """

    def to_dict(self) -> dict[str, object]:
        """The name of the hash."""
        return to_dict(self)

    def key_hasher(self, seed: int) -> KeyHasher:
        """The machine for one seed, 0 to 2**32 - 1."""
        import mmh3

        check_integer("seed", seed, low=0, high=2**32 - 1)
        digest = mmh3.mmh3_x64_128_utupledigest
        return KeyHasher(_RAW, seed, 0, 0, lambda data: digest(data, seed)[0])


@dataclass(frozen=True, repr=False)
class SipHash:
    """SipHash-2-4 under a secret: for keys that somebody may choose so as to hit one backend.

    Parameters
    ----------
    secret : 16 bytes, the same in every process that has to agree; shown neither by repr nor by `to_dict`.

    Raises
    ------
    ConfigError : the secret is not 16 bytes, or the policy has a seed besides (the secret is the seed).

    Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.

    Examples
    --------
    >>> SipHash(bytes(range(16)))
    SipHash(secret=...)
    >>> hash_key(b"", hasher=SipHash(bytes(range(16)))) == 0x726FDB47DD0E0E31
    True
    """

    secret: bytes

    def __post_init__(self) -> None:
        if not isinstance(self.secret, bytes) or len(self.secret) != 16:
            raise ConfigError("secret", "(not shown)", "must be 16 bytes")

    def __repr__(self) -> str:
        return "SipHash(secret=...)"

    def to_dict(self) -> dict[str, object]:
        """The name of the hash, without the secret: whoever makes the policy again has to pass the hasher."""
        return {"type": "SipHash"}

    def key_hasher(self, seed: int) -> KeyHasher:
        """The machine; the seed has to be 0."""
        check_integer("seed", seed, low=0, high=0)
        k0, k1 = (int.from_bytes(half, "little") for half in (self.secret[:8], self.secret[8:]))
        return KeyHasher(_SIPHASH, 0, k0, k1)


Hasher: TypeAlias = XXH64 | XXH3 | Murmur3 | SipHash | Callable[[bytes], int]
_NAMED: dict[str, type[XXH64] | type[XXH3] | type[Murmur3]] = {
    "XXH64": XXH64,
    "XXH3": XXH3,
    "Murmur3": Murmur3,
}


def check_hasher(hasher: object, seed: object) -> None:
    """Refuses what is no hasher, and a seed the hasher cannot take."""
    _checked(hasher, seed)


def _checked(hasher: Any, seed: Any) -> KeyHasher:
    """The machine, or a refusal of the seed or the hasher."""
    return key_hasher(hasher, check_integer("seed", seed, low=0, high=2**64 - 1))


def key_hasher(hasher: Any, seed: int) -> KeyHasher:
    """The machine that hashes keys for this hasher and seed."""
    function: Any = hasher
    if isinstance(hasher, (XXH64, XXH3, Murmur3, SipHash)):
        return hasher.key_hasher(seed)
    if not callable(hasher) or isinstance(hasher, type):
        shown = "(not shown)" if isinstance(hasher, (bytes, bytearray)) else hasher  # a secret without its SipHash
        raise ConfigError("hasher", shown, "must be XXH64(), XXH3(), Murmur3(), SipHash(secret) or a function of bytes")
    return KeyHasher(_FUNCTION, seed, 0, 0, function)


def hasher_from_dict(data: object) -> Hasher:
    """The hasher a name, or ``{"type": name}``, stands for, or `data` itself if it is one already.

    Raises
    ------
    ConfigError : no such hash, or one (SipHash, a function) that only the caller can supply.
    """
    name = data.get("type") if isinstance(data, Mapping) and len(data) == 1 else data
    if isinstance(name, str) and name in _NAMED:
        return _NAMED[name]()
    if isinstance(data, (str, Mapping)):
        known = f"must be one of {', '.join(_NAMED)}; another has to be passed as an object (hasher=...)"
        raise ConfigError("hasher", data.get("type") if isinstance(data, Mapping) else data, known)
    key_hasher(data, 0)
    return data  # type: ignore[return-value]


def policy_from_dict(cls: type[Any], data: Mapping[str, object], hasher: Hasher | None, **nested: Any) -> Any:
    """`from_dict` of a keyed policy; `hasher` stands in for one that plain data cannot hold."""
    if hasher is not None and isinstance(data, Mapping):
        data = {**data, "hasher": hasher}
    return from_dict(cls, data, {"hasher": hasher_from_dict, **nested})


def hash_key(key: Key, *, hasher: Hasher = XXH64(), seed: int = 0) -> int:
    """The 64-bit ticket of one key.

    Parameters
    ----------
    key : bytes-like, str or int in [0, 2**64).
    hasher : which hash.
    seed : of the hash, in [0, 2**64).

    Raises
    ------
    TypeError : the key is of another type (bool included).
    ConfigError : an int out of range, a str without UTF-8 form, no hasher, a seed out of range.

    Examples
    --------
    >>> hash_key("a") == hash_key(b"a"), hash_key(97) == hash_key(b"a" + bytes(7))
    (True, True)
    """
    return _checked(hasher, seed)(key)


def hash_many(keys: Any, *, hasher: Hasher = XXH64(), seed: int = 0) -> U64:
    """The tickets of many keys, each equal to `hash_key` of that key.

    Parameters
    ----------
    keys : a list or other iterable of keys; a one-dimensional NumPy array of integers (>= 0), bytes (``S``), text
        (``U`` or ``StringDType``, in which what is missing counts as its ``na_object``) or objects; or a pair
        (data, offsets) of contiguous bytes and len + 1 ascending integers, in any object that gives a buffer: Arrow's
        are ``(buffer, memoryview(offsets).cast("i"))``, large ones ``cast("q")``. NumPy drops the trailing NULs of
        ``S`` and ``U`` elements before anybody can see them.
    hasher, seed : as for `hash_key`.

    Raises
    ------
    TypeError, ConfigError : as `hash_key`; also for arrays of other kinds, offsets out of order or out of bounds, a
        string that is missing, or holds bytes that are no UTF-8.

    Cost: O(total length); arrays of integers and text and offset buffers never become Python objects.

    Examples
    --------
    >>> hash_many(["a", "b"]).tolist() == [hash_key("a"), hash_key("b")]
    True
    >>> hash_many((b"ab", [0, 1, 2])).tolist() == [hash_key("a"), hash_key("b")]
    True
    """
    return digest_keys(_checked(hasher, seed), keys)


def digest_keys(hasher: Any, keys: Any) -> U64:
    """`hash_many` with a machine at hand."""
    items = keys
    if type(keys) is not list:  # most are
        if isinstance(keys, (str, bytes, bytearray, memoryview, int)):
            raise ConfigError("keys", keys, "must be a collection of keys, not one key")
        if isinstance(keys, np.ndarray):
            return _digest_array(hasher, keys)
        if _is_buffer(keys):
            return _digest_spans(hasher, *keys)
        items = keys if isinstance(keys, (list, tuple)) else list(keys)
    out = np.empty(len(items), dtype=np.uint64)
    hasher.sequence(items, out)
    return out


def count_keys(keys: Any) -> int:
    """How many keys `hash_many` would find."""
    if isinstance(keys, (str, bytes, bytearray, memoryview, int)):
        raise ConfigError("keys", keys, "must be a collection of keys, not one key")
    if _is_buffer(keys):
        return max(len(keys[1]) - 1, 0)
    return len(keys) if hasattr(keys, "__len__") else sum(1 for _ in keys)


def _is_buffer(keys: Any) -> bool:
    return isinstance(keys, tuple) and len(keys) == 2 and _is_data(keys[0]) and _is_offsets(keys[1])


def _is_data(data: Any) -> bool:
    if isinstance(data, (bytes, bytearray, memoryview, np.ndarray)):
        return True
    if isinstance(data, (str, np.generic)):  # keys, though NumPy's scalars give a buffer
        return False
    try:
        memoryview(data).release()
    except TypeError:
        return False
    return True


def _is_offsets(offsets: Any) -> bool:
    if isinstance(offsets, memoryview):
        return offsets.format[-1:] in _WIDE  # before it, the byte order
    return not isinstance(offsets, (str, bytes, bytearray, int, np.generic))


def _digest_array(hasher: Any, keys: np.ndarray[Any, Any]) -> U64:
    if keys.ndim != 1 or isinstance(keys, np.ma.MaskedArray):
        raise ConfigError("keys", keys, "must have one dimension and no mask")
    out = np.empty(len(keys), dtype=np.uint64)
    kind = keys.dtype.kind
    if kind in "ui":
        if kind == "i" and len(keys) and keys.min() < 0:
            raise ConfigError("keys", int(keys.min()), "must be in [0, 2**64)")
        hasher.words(np.ascontiguousarray(keys, dtype=np.uint64), out)
    elif kind in "SU" and keys.dtype.itemsize:
        native = keys
        if not (keys.flags.carray and keys.dtype.isnative):
            native = np.ascontiguousarray(keys, dtype=keys.dtype.newbyteorder("="))
        if kind == "S":
            hasher.cells(native.view(np.uint8), native.dtype.itemsize, out)
        else:
            hasher.runes(native.view(np.uint32), native.dtype.itemsize // 4, out)
    elif kind == "T":
        hash_strings(hasher, keys, out)
    elif kind in "SUO":
        hasher.sequence(keys.tolist(), out)
    else:
        raise TypeError(f"a key is bytes, str or int, not {keys.dtype}")
    return out


def _digest_spans(hasher: Any, data: Any, offsets: Any) -> U64:
    view = memoryview(data)
    if view.itemsize != 1 or view.ndim != 1 or not view.c_contiguous:
        raise ConfigError("keys", data, "an offset buffer's data must be contiguous single bytes, one-dimensional")
    raw = np.frombuffer(view, dtype=np.uint8)
    edges = np.asarray(offsets)
    if edges.ndim != 1 or len(edges) == 0 or edges.dtype.kind not in "ui":
        raise ConfigError("offsets", offsets, "must be a one-dimensional array of at least one integer")
    if edges.dtype == np.uint64 and edges.max() >= 2**63:
        raise ConfigError("offsets", int(edges.max()), f"must ascend within [0, {len(raw)}]")
    edges = np.ascontiguousarray(edges, dtype=np.int64)
    out = np.empty(len(edges) - 1, dtype=np.uint64)
    try:
        hasher.spans(raw, edges, out)
    except ConfigError as refused:  # names them as they were given, not as they were made ready
        raise ConfigError("offsets", offsets, refused.why) from None
    return out
