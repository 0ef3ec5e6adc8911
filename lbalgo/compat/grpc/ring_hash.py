"""gRPC's ring_hash: Envoy's ring with a smaller cap, whose failed endpoints stay on it and are passed over.

The ring is that of `lbalgo.compat.envoy.ring_hash`: points XXH64(key + "_" + k) in numbers that depend on all weights,
by the same arithmetic of doubles. What differs:

- the most points are 4096 by default, a cap of the client's on both sizes;
- the key is the endpoint's hash key (A76), else its first address (A61), never a hostname;
- weights are locality weight x endpoint weight as integers (`raw_weights`, `normalized_weights`), not shares of a
  locality's healthy hosts;
- there is no panic and there are no priorities in the policy: an endpoint in TRANSIENT_FAILURE keeps its points, and
  its keys go on along the ring. So a failure moves that endpoint's keys and no others; a change of the list still moves
  keys between endpoints that stay.

Points of equal hash occur only where endpoints share a key; the earlier one in the list then wins.

Costs: build O(T) hashes and a sort, once for a list of endpoints; pick O(1), more where endpoints fail; memory 12 bytes
a point and 16 to 32 of index. Described only: not replayed against a program (Envoy's ring is).
Sources: gRPC A42, A61, A76.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import KeyHasher, Ring, Structure, TicketPicker, numbered
from lbalgo.compat.envoy.normalized import Normalized
from lbalgo.compat.envoy.ring_hash import SEPARATOR, ring_counts
from lbalgo.compat.grpc.endpoint import check_weights, listed, ready, ring_keys
from lbalgo.compat.structures import structure_content, structure_shares
from lbalgo.endpoint import Endpoint as PlainEndpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, hash_step
from lbalgo.policies.building import KEYED, cursor_of
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

MIN_RING_SIZE = 1024  # A42's defaults
MAX_RING_SIZE = 4096
RING_SIZE_CAP = 4096
MOST = 8388608  # what a configuration may ask for
XX_HASH = KeyHasher(0)  # XXH64 with seed 0, of requests too


@dataclass(frozen=True)
class RingHash:
    """gRPC's `ring_hash`.

    Parameters
    ----------
    min_ring_size : least number of points, 1 to 8388608, unless `ring_size_cap` is less.
    max_ring_size : most points, not below the minimum.
    ring_size_cap : the client's cap on both, 1 to 8388608.
    request_hash_header : lower-case name of the header whose values are the key; "" for the route's hash (A42). It
        changes nothing here but `request_key`; a binary header (``-bin``) is refused.

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no uint32 >= 1.

    The key is what is hashed with XXH64; a ready hash of a route is a ticket, for `slot` and `pick_many`. `pick` takes
    a view's HEALTHY endpoints for READY and its UNHEALTHY ones for TRANSIENT_FAILURE; for endpoints that are IDLE or
    CONNECTING, and for what a pick then does, see `lbalgo.compat.grpc.connecting`. If all have failed, NoBackend.
    Listing order matters: it decides who gets the last points; an endpoint that gets none is not eligible. Factors of
    signals are not looked at.

    Costs: build O(T), once for a list; pick O(1); memory 28 to 44 T bytes. Disruption: a failure moves only that
    endpoint's keys; joins and leaves move keys between those that stay too, as in Envoy. `shares` is exact.
    Source: gRPC A42, A61, A76. Described only.

    Examples
    --------
    >>> picker = RingHash().build(["127.0.0.1:21000", "127.0.0.1:21001", "127.0.0.1:21002"])
    >>> picker.pick("key-1").id, picker.structure.size
    ('127.0.0.1:21001', 1026)
    """

    min_ring_size: int = MIN_RING_SIZE
    max_ring_size: int = MAX_RING_SIZE
    ring_size_cap: int = RING_SIZE_CAP
    request_hash_header: str = ""

    def __post_init__(self) -> None:
        check_integer("min_ring_size", self.min_ring_size, low=1, high=MOST)
        check_integer("max_ring_size", self.max_ring_size, low=1, high=MOST)
        check_integer("ring_size_cap", self.ring_size_cap, low=1, high=MOST)
        if self.min_ring_size > self.max_ring_size:
            raise ConfigError("min_ring_size", self.min_ring_size, f"must be <= max_ring_size {self.max_ring_size}")
        check_header("request_hash_header", self.request_hash_header)

    @overload
    def build(
        self, view: Ids, *, previous: Picker[PlainEndpoint[Any]] | None = None
    ) -> TicketPicker[PlainEndpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view; the ring is the previous one's if only states moved."""
        view = view_of(view)
        check_weights(view)
        weights = np.where(listed(view), view.weights, 0.0) if view.states.any() else view.weights
        counts = self._counts(weights)
        shown = self._shown(view, weights, counts)
        if (
            isinstance(previous, TicketPicker)
            and previous.policy == self
            and previous.view.backends == shown.backends
            and np.array_equal(previous.view.weights, shown.weights)
        ):
            ring = previous.structure
        else:
            ring = self._structure(shown, counts)
        return TicketPicker(self, shown, ring, XX_HASH, KEYED, cursor_of(previous), True)

    def request_key(self, headers: Mapping[str, str | list[str]]) -> str | None:
        """The key of a request with these headers: the header's values joined by commas; None to go by a random hash.

        Parameters
        ----------
        headers : lower-case name to value or values.

        Source: gRPC A76. Envoy sorts and chains the values instead, so that requests with several differ.

        Examples
        --------
        >>> RingHash(request_hash_header="session").request_key({"session": ["b", "a"]})
        'b,a'
        """
        return header_key(headers, self.request_hash_header)

    def explain_key(self, data: bytes) -> Steps:
        """The hash of a key."""
        return [hash_step(XX_HASH(data), "XXH64", 64)]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RingHash:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    _shares = structure_shares
    _content = structure_content

    def _check(self, picker: TicketPicker[Any]) -> None:
        """Only those in the list own points."""
        if isinstance(picker.structure, Ring):
            owners = np.unique(np.asarray(picker.structure.owners()).astype(np.int64))
            assert (picker.view.weights[owners] > 0).all(), "only the listed own points"

    def _shown(self, view: View[B], weights: F64, counts: I64) -> View[B]:
        """The view with those who serve for the eligible; itself if they are everybody."""
        if counts.all() and not view.states.any() and (view.factors == 1.0).all():
            return view
        states = np.where(ready(view) & (counts > 0), 0, 2).astype(np.uint8)  # who has no point gets no key
        return View(view.backends, weights, np.ones(len(view)), states, panic_below=0.0, rows=view.rows, ids=view.ids)

    def _counts(self, weights: F64) -> I64:
        """Points of each slot, by Envoy's arithmetic."""
        counts = np.zeros(len(weights), dtype=np.int64)
        slots = np.flatnonzero(weights > 0)
        if len(slots):
            total = float(weights.sum())  # exact: they are integers
            shares = Normalized(slots, weights[slots] / total)
            least, most = min(self.min_ring_size, self.ring_size_cap), min(self.max_ring_size, self.ring_size_cap)
            counts[slots] = ring_counts(shares, least, most)
        return counts

    def _structure(self, view: View[Any], counts: I64) -> Structure:
        if not counts.any():
            return Structure()
        points = numbered(ring_keys(view), counts, 0, 0, SEPARATOR)
        return Ring(points, np.repeat(np.arange(len(view), dtype=np.int32), counts), len(view))


def header_key(headers: Mapping[str, str | list[str]], name: str) -> str | None:
    """The values of a header joined by commas; None if it is absent, empty or has no name."""
    values = headers.get(name, []) if name else []
    return ",".join([values] if isinstance(values, str) else values) or None


def check_header(parameter: str, name: object) -> str:
    """`name` if it is "" or a lower-case header name that is not binary; else ConfigError naming the parameter."""
    if not isinstance(name, str) or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name):
        raise ConfigError(parameter, name, "must be a header's name, or empty")
    if name != name.lower():
        raise ConfigError(parameter, name, "must be in lower case")
    if name.endswith("-bin"):
        raise ConfigError(parameter, name, "must not be a binary header")
    return name
