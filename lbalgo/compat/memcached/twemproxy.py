"""twemproxy (nutcracker) 0.5: `hash`, `distribution` and `hash_tag` of a server pool.

ketama: every live server has up to 160 points on a ring of 32 bits, in proportion to its weight: MD5("name-j") gives
four. A key belongs to the first point at or after its hash. The MD5 is fixed; `hash` is for keys only, and a hash of 15
bits (crc32) puts nearly all keys on the server of one point. modula: a table in which each live server stands `weight`
times. random: a draw, weights ignored.

Ejected servers are left out and the others' points are made anew, since the point counts depend on how many are live:
so an ejection moves keys between the survivors too where weights differ.

Source: twemproxy 0.5 documentation, "recommendation" and "configuration"; decisions captured from Debian's 0.5.0.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lbalgo.active import MaglevTable, Ring, Structure, numbered_md5
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
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import I64, Picker, Pool
from lbalgo.view import View, view_of

POINTS_PER_SERVER = 160
EPSILON = np.float64(1e-10)  # twemproxy adds it as a double
MAX_TABLE = 2**24  # ours: slots of a modula table


class TwemproxyHash(enum.Enum):
    """`hash:`, the function of a key; see `lbalgo.compat.memcached.hashes` for their quirks.

    Examples
    --------
    >>> TwemproxyHash("fnv1a_64").of(b"user:1")
    1963465963
    """

    ONE_AT_A_TIME = "one_at_a_time"
    MD5 = "md5"
    CRC16 = "crc16"
    CRC32 = "crc32"
    CRC32A = "crc32a"
    FNV1_64 = "fnv1_64"
    FNV1A_64 = "fnv1a_64"
    FNV1_32 = "fnv1_32"
    FNV1A_32 = "fnv1a_32"
    HSIEH = "hsieh"
    MURMUR = "murmur"
    JENKINS = "jenkins"

    def of(self, key: bytes) -> int:
        """The 32-bit hash of a key."""
        return DIGESTS[self.value](key)


class TwemproxyDistribution(enum.Enum):
    """`distribution:`, how a hash becomes a server.

    Examples
    --------
    >>> TwemproxyDistribution("modula")
    <TwemproxyDistribution.MODULA: 'modula'>
    """

    KETAMA = "ketama"
    MODULA = "modula"
    RANDOM = "random"


def tagged(key: bytes, hash_tag: str) -> bytes:
    """The part of a key that is hashed: what stands between the first and the next of two characters, if anything.

    Examples
    --------
    >>> tagged(b"user:{1000}.followers", "{}"), tagged(b"user:{}.followers", "{}")
    (b'1000', b'user:{}.followers')
    """
    if hash_tag:
        first = key.find(hash_tag[0].encode())
        last = key.find(hash_tag[1].encode(), first + 1)
        if 0 <= first < last - 1:
            return key[first + 1 : last]
    return key


@dataclass(frozen=True)
class Twemproxy:
    """A server pool of twemproxy.

    Parameters
    ----------
    hash : of keys.
    distribution : KETAMA, MODULA or RANDOM.
    hash_tag : two characters, as "{}", between which a key is hashed; "" for none.
    auto_eject_hosts : whether servers that are UNHEALTHY or DRAINING are left out; if not, states do not matter, as in
        twemproxy, which goes on sending their keys to them. `AutoEject` ejects as twemproxy does.
    seed : of `random()` for RANDOM, in [0, 2**32); twemproxy takes the time of its start.

    Raises
    ------
    ConfigError : a field is invalid; at build, a weight that is not whole or less than 1, weights whose sum is above
        2**32 - 1, or, for MODULA, above 2**24.

    Backends: `Server`, or ids that are addresses. The order in which they are listed does not matter: twemproxy sorts
    them by name, shorter names first. That decides MODULA and RANDOM, and KETAMA between points at one place (about
    one pool in thirty of 100 servers has such a pair): the earlier server has it. So a name that is added changes all
    slots of MODULA behind it, wherever it stands in the file. A server whose share comes to less than one group of
    points has none, is never picked and is no part of a walk.

    Costs: build 160 points a server at 0.04 us each, or one table entry a unit of weight; pick O(1) and the hash;
    memory 28 to 44 bytes a point. Disruption: ketama near the minimum (counts change with the number of servers),
    modula almost everything.
    Source: twemproxy 0.5, configuration; the law that exclusion follows the walk is ours, twemproxy does not retry.

    Examples
    --------
    >>> picker = Twemproxy().build({"10.0.0.1:11211": 1, "10.0.0.2:11211": 2})
    >>> picker.pick("user:1").id
    '10.0.0.1:11211'
    """

    hash_bits: ClassVar[int] = 32
    hash: TwemproxyHash = TwemproxyHash.FNV1A_64
    distribution: TwemproxyDistribution = TwemproxyDistribution.KETAMA
    hash_tag: str = ""
    auto_eject_hosts: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        check_enum("hash", self.hash, TwemproxyHash)
        check_enum("distribution", self.distribution, TwemproxyDistribution)
        if not isinstance(self.hash_tag, str) or len(self.hash_tag) not in (0, 2) or not self.hash_tag.isascii():
            raise ConfigError("hash_tag", self.hash_tag, "must be two ASCII characters, or empty")
        check_bool("auto_eject_hosts", self.auto_eject_hosts)
        check_integer("seed", self.seed, low=0, high=2**32 - 1)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> Any:
        """A picker for this view: a `TicketPicker`, or a `MachinePicker` for RANDOM."""
        view = view_of(view)
        weights = whole_weights(view, 1)
        if int(weights.sum()) >= 2**32:
            raise ConfigError("weights", int(weights.sum()), "must have a sum below 2**32")
        usable = live(view, self.auto_eject_hosts)
        if self.distribution is TwemproxyDistribution.RANDOM:
            ejects = self.auto_eject_hosts
            return machine_picker(self, view, previous, lambda: RandomMachine(self.seed, Live(ejects), place))
        if self.distribution is TwemproxyDistribution.MODULA:
            if int(weights[usable].sum()) > MAX_TABLE:
                raise ConfigError("weights", int(weights.sum()), f"must have a sum of at most {MAX_TABLE} for MODULA")
            # the table is read by remainder, so the 32-bit hash is the ticket as it is
            return dialect_picker(
                self, view, previous, usable, lambda: self._table(view, weights, usable), self._hasher(0)
            )
        counts = np.zeros(len(view), dtype=np.int64)
        counts[usable] = float32_counts(weights[usable], POINTS_PER_SERVER, EPSILON)
        # points and tickets stand in the upper half of the 64-bit ring, so their order and ties are those of 32 bits
        return dialect_picker(self, view, previous, counts > 0, lambda: self._ring(view, counts), self._hasher(32))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Twemproxy:
        """The policy `to_dict` described."""
        kinds = {"hash": enum_from_name(TwemproxyHash), "distribution": enum_from_name(TwemproxyDistribution)}
        return from_dict(cls, data, kinds)

    def explain_key(self, data: bytes) -> Steps:
        """The part of a key that is hashed, and its hash; nothing for RANDOM."""
        if self.distribution is TwemproxyDistribution.RANDOM:
            return []
        part = tagged(data, self.hash_tag)
        by = self.hash.value if part else "rule: an empty key is not hashed"
        return [("hashed", counted(part)), hash_step(self._hasher(0)(data), by)]

    def _hasher(self, shift: int) -> Any:
        digest, tag = DIGESTS[self.hash.value], self.hash_tag

        def ticket(key: bytes) -> int:
            part = tagged(key, tag) if tag else key
            return digest(part) << shift if part else 0  # an empty key is not hashed

        return raw_hasher(ticket)

    def _table(self, view: View[Any], weights: I64, usable: Any) -> Structure:
        slots = in_places(view, usable)
        return MaglevTable(np.repeat(slots, weights[slots]), salts_of(view))

    def _ring(self, view: View[Any], counts: I64) -> Structure:
        slots = in_places(view, counts)
        names = [f"{hashed_name(view.backends[slot])}-" for slot in slots.tolist()]
        points = numbered_md5(names, counts[slots]).astype(np.uint64) << np.uint64(32)
        # in order of names: twemproxy sorts by value alone with a merge sort, which keeps it among equals
        return Ring(points, np.repeat(slots, 4 * counts[slots]), len(view))

    _shares = structure_shares
    _content = structure_content
    _check = structure_check


@dataclass(frozen=True)
class Live:
    """Which slots of a view are live; a value, so that machines can be copied and pickled."""

    ejects: bool

    def __call__(self, view: View[Any]) -> Any:
        """One boolean a slot."""
        return live(view, self.ejects)


def place(server: Any) -> tuple[int, bytes]:
    """What twemproxy sorts the servers of a pool by, as it reads its configuration: length of the name, then its bytes.

    Examples
    --------
    >>> from lbalgo.compat.memcached import Server
    >>> place(Server("10.0.0.9:11211")) < place(Server("10.0.0.10:11211")) < place(Server("10.0.0.1:11212"))
    True
    """
    name = hashed_name(server).encode()
    return len(name), name


def in_places(view: View[Any], wanted: Any) -> I64:
    """The slots for which `wanted` is not zero, in the order of `place`."""
    slots = np.flatnonzero(wanted)
    return np.array(sorted(slots.tolist(), key=lambda slot: place(view.backends[slot])), dtype=np.int64)


def hashed_name(server: Any) -> str:
    """The name of a server in the ring: its own, else the host where the port is 11211, else host and port.

    A socket without a name has its path and the colon that follows it in the configuration.

    Examples
    --------
    >>> from lbalgo.compat.memcached import Server
    >>> hashed_name(Server("10.0.0.1:11211")), hashed_name(Server("10.0.0.1:11212")), hashed_name(Server("x:1", 1, "a"))
    ('10.0.0.1', '10.0.0.1:11212', 'a')
    """
    name = getattr(server, "name", None)
    if name is not None:
        return str(name)
    host, port = address(server.id)
    return host if port == DEFAULT_PORT else f"{host}:{port or ''}"
