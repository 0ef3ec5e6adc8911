"""Envoy's RING_HASH: numbered strings hashed onto a ring of 2**64, as many points as the lightest host asks for.

Point k of a host is H(key + "_" + decimal(k)), k = 0, 1, …; key is the hash key, hostname or address. How many points
a host has depends on all hosts: the scale is chosen so that the lightest has a whole number of them and the ring at
least `minimum_ring_size`, unless that exceeds `maximum_ring_size`. So when a host leaves, the others' numbers of points
change too, and keys move between hosts that stayed.

The dialect, rule by rule:

- scale = min(ceil(least * minimum) / least, maximum), in double: the ring may be larger than the minimum.
- Targets accumulate in list order (running sum of scale * w, rounding as it goes) and points are given while fewer than
  the target exist: so late hosts get what truncation left, at a small maximum nothing at all.
- The request's hash goes to the first point not below it; past the last point to the first.
- Points of equal hash occur only where hosts share a hash key. Envoy leaves them to an unstable sort; here the earlier
  host wins, or with `libcxx_sort` the one that Envoy's sort happens to put first.

Costs: build O(T) hashes and a sort; pick O(1); memory 12 bytes a point and 16 to 32 of index. Disruption not minimal.
Source: Envoy 1.40 documentation, "Supported load balancers", ring hash; `RingHashLbConfig`; replayed.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import Ring, Structure, TicketPicker, murmur64a, numbered, xxh64
from lbalgo.compat.envoy.bounded_load import BoundedPicker, check_balance_factor
from lbalgo.compat.envoy.composite import PriorityPicker, explain_key
from lbalgo.compat.envoy.hashed import hash_picker, hash_tables
from lbalgo.compat.envoy.host import Host, Locality, hash_keys
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC, check_settings, locality_from
from lbalgo.compat.envoy.normalized import Normalized
from lbalgo.compat.structures import structure_check, structure_content, structure_shares
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

MINIMUM_RING_SIZE = 1024  # Envoy's default
MAXIMUM_RING_SIZE = 8388608  # Envoy's default, and the most it accepts for either size
MURMUR_SEED = 0xC70F6907  # of libstdc++'s std::hash, which Envoy's option imitates
SEPARATOR = b"_"  # between a host's key and the point's number


class HashFunction(enum.Enum):
    """The hash of ring points; requests are hashed with XXH64 whatever it is.

    Examples
    --------
    >>> HashFunction.DEFAULT_HASH
    HashFunction.XX_HASH
    """

    XX_HASH = 0
    MURMUR_HASH_2 = 1
    DEFAULT_HASH = 0  # noqa: PIE796 - Envoy's other name for it

    def digest(self, data: bytes) -> int:
        """The hash of these bytes, as a point.

        Examples
        --------
        >>> HashFunction.MURMUR_HASH_2.digest(b"127.0.0.1:21000_0")
        8096882486226037808
        """
        return murmur64a(data, MURMUR_SEED) if self is HashFunction.MURMUR_HASH_2 else xxh64(data)

    def __repr__(self) -> str:
        return f"HashFunction.{self.name}"


@dataclass(frozen=True)
class RingHash:
    """Envoy's ring hash balancer.

    Parameters
    ----------
    minimum_ring_size : least number of points, 0 to 8388608.
    maximum_ring_size : most points, 1 to 8388608, not below the minimum.
    hash_function : hash of the points.
    use_hostname_for_hashing : whether the hostname stands for the address in a host's key.
    hash_balance_factor : percent of the mean load a host may have, >= 100; None does not bound it.
    locality_weighted_lb_config : whether locality weights count.
    overprovisioning_factor, healthy_panic_threshold, weighted_priority_health : see `priority_load`.
    local_locality : where the proxy runs, whose locality comes first; None if unknown.
    ready_hash : whether keys are ready request hashes, ints, not to be hashed again (see `RequestHash`).
    libcxx_sort : whether points of equal hash lie as Envoy's own sort leaves them, not by list order; slow.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; by `build`, a weight is no whole number from 1 to
        2**32 - 1.

    What `build` returns is a `TicketPicker` on the native ring if one priority has all traffic and load is not bounded,
    else a `PriorityPicker` or a `BoundedPicker`. Listing order matters: it decides who gets the last points. Factors of
    signals are not looked at (Envoy's slow start does not reach hash balancers); states are, and rebuild the ring.
    Hosts that get no point are not eligible.

    Costs: build O(T) hashes and a sort, pick O(1), memory 12 bytes a point and index; disruption: a leaver moves keys
    between survivors too (9.5 % of all keys when one of 5 leaves the default ring).
    Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.ring_hash.v3`; replayed.

    Examples
    --------
    >>> picker = RingHash().build(["127.0.0.1:21000", "127.0.0.1:21001", "127.0.0.1:21002"])
    >>> picker.pick("key-1").id, picker.structure.size
    ('127.0.0.1:21001', 1026)
    """

    minimum_ring_size: int = MINIMUM_RING_SIZE
    maximum_ring_size: int = MAXIMUM_RING_SIZE
    hash_function: HashFunction = HashFunction.XX_HASH
    use_hostname_for_hashing: bool = False
    hash_balance_factor: int | None = None
    locality_weighted_lb_config: bool = False
    overprovisioning_factor: int = OVERPROVISIONING
    healthy_panic_threshold: float = PANIC
    weighted_priority_health: bool = False
    local_locality: Locality | None = None
    ready_hash: bool = False
    libcxx_sort: bool = False

    def __post_init__(self) -> None:
        check_integer("minimum_ring_size", self.minimum_ring_size, low=0, high=MAXIMUM_RING_SIZE)
        check_integer("maximum_ring_size", self.maximum_ring_size, low=1, high=MAXIMUM_RING_SIZE)
        if self.minimum_ring_size > self.maximum_ring_size:
            raise ConfigError(
                "minimum_ring_size",
                self.minimum_ring_size,
                f"must be at most maximum_ring_size {self.maximum_ring_size}",
            )
        check_enum("hash_function", self.hash_function, HashFunction)
        check_bool("use_hostname_for_hashing", self.use_hostname_for_hashing)
        check_balance_factor(self.hash_balance_factor)
        check_settings(self)
        check_bool("ready_hash", self.ready_hash)
        check_bool("libcxx_sort", self.libcxx_sort)

    @overload
    def build(
        self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None
    ) -> TicketPicker[Endpoint[Any]] | PriorityPicker[Endpoint[Any]] | BoundedPicker[Endpoint[Any]]: ...
    @overload
    def build(
        self, view: Pool[B], *, previous: Picker[B] | None = None
    ) -> TicketPicker[B] | PriorityPicker[B] | BoundedPicker[B]: ...
    def build(
        self, view: Pool[Any], *, previous: Picker[Any] | None = None
    ) -> TicketPicker[Any] | PriorityPicker[Any] | BoundedPicker[Any]:
        """A picker for this view; tables whose hosts are the previous picker's are taken over."""
        return hash_picker(self, view_of(view), previous)

    def tables(self, view: Pool[Any]) -> tuple[Structure, ...]:
        """The ring of every priority, whether it has traffic or not; an empty `Structure` where it has no host.

        Examples
        --------
        >>> [ring.size for ring in RingHash(10, 17).tables([f"127.0.0.1:{21000 + i}" for i in range(7)])]
        [14]
        """
        return hash_tables(self, view_of(view))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RingHash:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"hash_function": enum_from_name(HashFunction), "local_locality": locality_from})

    def explain_key(self, data: bytes) -> Steps:
        """The request hash of a key."""
        return explain_key(self, data)

    _shares = structure_shares
    _content = structure_content
    _check = structure_check

    def _plan(self, n: Normalized) -> tuple[Any, Any]:
        """Those who get a point, and how many each host gets."""
        if len(n) == 0:
            return (), None
        counts = ring_counts(n, self.minimum_ring_size, self.maximum_ring_size)
        return n.slots if counts.all() else n.slots[counts > 0], counts

    def _structure(self, view: View[Any], hosts: Sequence[Host], n: Normalized, counts: Any) -> Structure:
        keys = n.ids or hash_keys(hosts, n.slots.tolist(), self.use_hostname_for_hashing)
        murmur = self.hash_function is HashFunction.MURMUR_HASH_2
        points = numbered(keys, counts, int(murmur), MURMUR_SEED if murmur else 0, SEPARATOR)
        owners = np.repeat(n.slots, counts)
        if self.libcxx_sort:
            points, owners = sorted_by_libcxx(points, owners)
        return Ring(points, owners, len(view))


def ring_counts(n: Normalized, minimum: int, maximum: int) -> I64:
    """How many points each host gets, in order.

    Examples
    --------
    >>> ring_counts(Normalized((0, 1, 2), (1 / 3, 1 / 3, 1 / 3)), 1, 1).tolist()
    [1, 0, 0]
    """
    scale = min(math.ceil(n.least * minimum) / n.least, float(maximum))
    # Envoy counts points up by 1.0 while below the target: after each host the least whole number not below it.
    targets = np.ceil(np.cumsum(n.weights * scale)).astype(np.int64)
    targets[1:] -= targets[:-1].copy()
    return targets


def sorted_by_libcxx(points: Any, owners: Any) -> tuple[Any, Any]:
    """Points and owners as `std::sort` leaves them; that differs from any sort only where points are equal."""
    from lbalgo.compat.envoy.libcxx_sort import libcxx_order

    if len(np.unique(points)) == len(points):
        return points, owners
    order = np.array(libcxx_order(points.tolist()))
    return points[order], owners[order]
