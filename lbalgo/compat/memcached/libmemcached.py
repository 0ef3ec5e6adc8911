"""libmemcached 1.1.4, and the 1.0.16 that the pylibmc wheel carries: distributions, hashes, behaviours.

modula: hash mod servers, weights ignored. consistent, which is the same as consistent_ketama: while every weight is at
most 1, 100 points a server, the *key hash* of "host-j" or "host:port-j". One heavier server, and the ring becomes the
weighted one: points by MD5 in proportion to the weights, as in twemproxy. spy: the same two with names "/host:port-j";
this is not what spymemcached does. random: a draw.

What surprises: ketama_hash is kept and never read; KETAMA_WEIGHTED sets the key hash to MD5, the distribution
consistent_weighted does not; a ring is rebuilt when servers or distribution change, not when the hash does, so keys and
points may be hashed by two functions; a 15-bit hash (crc) leaves almost all keys to one server.

Source: libmemcached documentation (memcached_behavior, libhashkit); decisions captured from both versions.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lbalgo.active import MaglevTable, Ring, Structure, numbered32, numbered_md5
from lbalgo.columns import DIGESTS as KINDS
from lbalgo.compat.machine import machine_picker
from lbalgo.compat.memcached.draws import RandomMachine
from lbalgo.compat.memcached.hashes import DIGESTS
from lbalgo.compat.memcached.server import DEFAULT_PORT, address, float32_counts, live, whole_weights
from lbalgo.compat.structures import (
    dialect_picker,
    raw_hasher,
    salts_of,
    structure_check,
    structure_content,
    structure_shares,
)
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, counted, hash_step
from lbalgo.reference.hashing import key_bytes
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import I64, Bool, Key, Picker, Pool
from lbalgo.view import View, view_of

POINTS_PER_SERVER = 100
POINTS_PER_SERVER_KETAMA = 160
EPSILON = np.float32(1e-10)  # libmemcached adds it as a float
MAX_KEY = 250  # bytes; a longer prefix and key together hash to 0
MAX_PREFIX = 127
HSIEH_MISSING = 1  # what a build without hsieh answers for every key


class LibmemcachedHash(enum.Enum):
    """MEMCACHED_BEHAVIOR_HASH; names as pylibmc has them, DEFAULT is one-at-a-time.

    Examples
    --------
    >>> LibmemcachedHash("fnv1_32")
    <LibmemcachedHash.FNV1_32: 'fnv1_32'>
    """

    DEFAULT = "default"
    MD5 = "md5"
    CRC = "crc"
    FNV1_64 = "fnv1_64"
    FNV1A_64 = "fnv1a_64"
    FNV1_32 = "fnv1_32"
    FNV1A_32 = "fnv1a_32"
    HSIEH = "hsieh"
    MURMUR = "murmur"
    JENKINS = "jenkins"
    MURMUR3 = "murmur3"


FUNCTIONS = {hash: hash.value for hash in LibmemcachedHash} | {
    LibmemcachedHash.DEFAULT: "one_at_a_time",
    LibmemcachedHash.CRC: "crc32",
}


class LibmemcachedDistribution(enum.Enum):
    """MEMCACHED_BEHAVIOR_DISTRIBUTION; names as pylibmc shows them.

    Examples
    --------
    >>> LibmemcachedDistribution("consistent ketama")
    <LibmemcachedDistribution.CONSISTENT_KETAMA: 'consistent ketama'>
    """

    MODULA = "modula"
    CONSISTENT = "consistent"
    CONSISTENT_KETAMA = "consistent ketama"
    CONSISTENT_KETAMA_SPY = "consistent ketama spy"
    CONSISTENT_WEIGHTED = "consistent weighted"
    RANDOM = "random"


class Version(enum.Enum):
    """Which libmemcached; they differ in murmur3 alone, which 1.0.16 takes for murmur when it is set as the key hash.

    Examples
    --------
    >>> Version("1.0.16")
    <Version.V1_0_16: '1.0.16'>
    """

    V1_1_4 = "1.1.4"
    V1_0_16 = "1.0.16"


def generate_hash_value(key: Key, hash: LibmemcachedHash) -> int:
    """memcached_generate_hash_value: the 32-bit hash of a key; 1 for HSIEH, which is not built in.

    Raises
    ------
    ConfigError : `hash` is no `LibmemcachedHash`, or the key has no UTF-8 form.

    Cost: that of the hash. Source: libmemcached, memcached_generate_hash_value.

    Examples
    --------
    >>> generate_hash_value("a", LibmemcachedHash.DEFAULT), generate_hash_value("a", LibmemcachedHash.HSIEH)
    (3392050242, 1)
    """
    check_enum("hash", hash, LibmemcachedHash)
    data = key_bytes(key)
    return HSIEH_MISSING if hash is LibmemcachedHash.HSIEH else DIGESTS[FUNCTIONS[hash]](data)


@dataclass(frozen=True)
class Libmemcached:
    """A client of libmemcached.

    Parameters
    ----------
    hash : of keys, and of points where they are not MD5.
    distribution : how a hash becomes a server.
    ketama_weighted : whether points are weighted though no weight asks for it; follows from CONSISTENT_WEIGHTED, and
        stays set under CONSISTENT_KETAMA_SPY, MODULA and RANDOM if KETAMA_WEIGHTED was set before.
    point_hash : of points, if HASH was set after the last server was added; None for `hash`.
    prefix_key : the namespace of all keys, at most 127 bytes.
    hash_with_prefix_key : whether the namespace is hashed with the key; as a rule it is not.
    sort_hosts : whether servers are sorted by host and port first.
    auto_eject_hosts : whether servers that are UNHEALTHY or DRAINING are left out of rings; if not, states do not
        matter. MODULA and RANDOM never leave out anybody.
    version : of the library.
    seed : of `random()` for RANDOM, in [0, 2**32); libmemcached takes the time.

    Raises
    ------
    ConfigError : a field is invalid; HSIEH, which a library built without it refuses to set; at build, a weight that is
        not whole, or negative.

    Backends: `Server`, or ids that are addresses. The order of servers matters for MODULA and RANDOM, on rings only
    between points at one place: the earlier server has it. A server whose share comes to less than one group of points
    has none, is never picked and is no part of a walk. A single server gets everything.

    Costs: build 100 or 160 points a server, 0.04 us each; pick O(1) and the hash; memory 28 to 44 bytes a point.
    Disruption: near the minimum on rings, almost everything for MODULA.
    Source: libmemcached, memcached_behavior; the law that exclusion follows the walk is ours.

    Examples
    --------
    >>> client = Libmemcached(distribution=LibmemcachedDistribution.CONSISTENT)
    >>> client.build(["10.0.0.1", "10.0.0.2:11212"]).pick("user:1").id
    '10.0.0.1'
    """

    hash_bits: ClassVar[int] = 32
    hash: LibmemcachedHash = LibmemcachedHash.DEFAULT
    distribution: LibmemcachedDistribution = LibmemcachedDistribution.MODULA
    ketama_weighted: bool = False
    point_hash: LibmemcachedHash | None = None
    prefix_key: str = ""
    hash_with_prefix_key: bool = False
    sort_hosts: bool = False
    auto_eject_hosts: bool = False
    version: Version = Version.V1_1_4
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("hash", "point_hash"):
            value = getattr(self, name)
            if value is not None or name == "hash":
                check_enum(name, value, LibmemcachedHash)
            if value is LibmemcachedHash.HSIEH:
                raise ConfigError(name, value, "is not built in; libmemcached refuses to set it")
        check_enum("distribution", self.distribution, LibmemcachedDistribution)
        check_enum("version", self.version, Version)
        for name in ("ketama_weighted", "hash_with_prefix_key", "sort_hosts", "auto_eject_hosts"):
            check_bool(name, getattr(self, name))
        if not isinstance(self.prefix_key, str) or not self.prefix_key.isascii() or len(self.prefix_key) > MAX_PREFIX:
            raise ConfigError("prefix_key", self.prefix_key, f"must be at most {MAX_PREFIX} ASCII characters")
        check_integer("seed", self.seed, low=0, high=2**32 - 1)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> Any:
        """A picker for this view: a `TicketPicker`, or a `MachinePicker` for RANDOM."""
        view = view_of(view)
        weights = np.maximum(whole_weights(view, 0), 1)  # a weight of 0 is taken for 1
        everybody = np.ones(len(view), dtype=np.bool_)
        if self.distribution is LibmemcachedDistribution.RANDOM:
            return machine_picker(self, view, previous, lambda: RandomMachine(self.seed, all_of))
        if self.distribution is LibmemcachedDistribution.MODULA:
            # the table is read by remainder, so the 32-bit hash is the ticket as it is
            return dialect_picker(
                self, view, previous, everybody, lambda: MaglevTable(self._order(view), salts_of(view)), self._hasher(0)
            )
        counts = self._counts(weights, live(view, self.auto_eject_hosts))
        # points and tickets stand in the upper half of the 64-bit ring, so their order and ties are those of 32 bits
        return dialect_picker(
            self, view, previous, counts > 0, lambda: self._ring(view, weights, counts), self._hasher(32)
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Libmemcached:
        """The policy `to_dict` described."""
        hash = enum_from_name(LibmemcachedHash)
        kinds: dict[str, Any] = {
            "hash": hash,
            "point_hash": lambda name: None if name is None else hash(name),
            "distribution": enum_from_name(LibmemcachedDistribution),
            "version": enum_from_name(Version),
        }
        return from_dict(cls, data, kinds)

    def explain_key(self, data: bytes) -> Steps:
        """What is hashed, with the namespace or without, and its hash; nothing for RANDOM."""
        if self.distribution is LibmemcachedDistribution.RANDOM:
            return []
        whole = self.prefix_key.encode() * self.hash_with_prefix_key + data
        long = self.prefix_key and self.hash_with_prefix_key and len(whole) > MAX_KEY
        by = f"rule: longer than {MAX_KEY} bytes" if long else self._function(self.hash)
        return [("hashed", counted(whole)), hash_step(self._hasher(0)(data), by)]

    def _function(self, hash: LibmemcachedHash) -> str:
        if hash is LibmemcachedHash.MURMUR3 and self.version is Version.V1_0_16:
            return FUNCTIONS[LibmemcachedHash.MURMUR]
        return FUNCTIONS[hash]

    def _hasher(self, shift: int) -> Any:
        digest = DIGESTS[self._function(self.hash)]
        if not (self.hash_with_prefix_key and self.prefix_key):
            return raw_hasher(lambda key: digest(key) << shift)
        prefix = self.prefix_key.encode()

        def ticket(key: bytes) -> int:
            whole = prefix + key
            return digest(whole) << shift if len(whole) <= MAX_KEY else 0

        return raw_hasher(ticket)

    def _order(self, view: View[Any]) -> Any:
        if not self.sort_hosts:
            return np.arange(len(view))
        places = [address(id) for id in view.ids]
        return np.array(sorted(range(len(view)), key=lambda i: (places[i][0].encode(), places[i][1])), dtype=np.int64)

    def _weighted(self, weights: I64) -> bool:
        # one heavier server sets the flag for all; only the two plain distributions clear it when they are set
        kept = self.ketama_weighted and self.distribution is LibmemcachedDistribution.CONSISTENT_KETAMA_SPY
        always = self.distribution is LibmemcachedDistribution.CONSISTENT_WEIGHTED
        return kept or always or bool((weights > 1).any())

    def _counts(self, weights: I64, usable: Bool) -> I64:
        """Points of each server, or groups of four if they are weighted."""
        counts = np.zeros(len(weights), dtype=np.int64)
        if self._weighted(weights):
            counts[usable] = float32_counts(weights[usable], POINTS_PER_SERVER_KETAMA, EPSILON)
        else:
            counts[usable] = POINTS_PER_SERVER
        return counts

    def _ring(self, view: View[Any], weights: I64, counts: I64) -> Structure:
        order = self._order(view)
        order = order[counts[order] > 0]
        names = [f"{self._name(view.ids[slot])}-" for slot in order.tolist()]
        if self._weighted(weights):
            points, each = numbered_md5(names, counts[order]), 4
        else:
            points, each = (
                numbered32(KINDS.index(self._function(self.point_hash or self.hash)), names, counts[order]),
                1,
            )
        # equal points are sorted by the index of their servers, which is the order they are made in
        return Ring(points.astype(np.uint64) << np.uint64(32), np.repeat(order, each * counts[order]), len(view))

    def _name(self, id: str) -> str:
        host, port = address(id)
        if self.distribution is LibmemcachedDistribution.CONSISTENT_KETAMA_SPY:
            return f"/{host}:{port}"
        return host if port == DEFAULT_PORT else f"{host}:{port}"

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


def all_of(view: View[Any]) -> Any:
    """Every slot: MODULA and RANDOM know no failures."""
    return np.ones(len(view), dtype=np.bool_)
