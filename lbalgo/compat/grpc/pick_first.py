"""pick_first: one endpoint at a time, the first of the list that can be connected to; who is first may be shuffled.

The order is made when the list changes: endpoints are shuffled, uniformly (A62) or by weight (A113), each endpoint's
addresses staying together in their order; then the list is flattened, and address families take turns, beginning with
that of the first address (A61, after RFC 8305 section 4), so that a broken family costs one attempt in two.

Weighted: each endpoint draws u in (0, 1), its key is u ** (1 / weight), the greatest key comes first (Efraimidis and
Spirakis). The first place goes to endpoint i with probability weight_i / sum of weights.

Costs: an order O(N log N). Described only: gRPC leaves the generator open; here it is SplitMix64, or the caller's.
Sources: gRPC A62, A61, A113; Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.compat.grpc.endpoint import addresses_of, check_weights, listed, ready
from lbalgo.compat.grpc.least_request import Words
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


class Shuffle(enum.Enum):
    """How `shuffle_address_list` shuffles: uniformly (A62), or by weight (A113).

    Examples
    --------
    >>> Shuffle["WEIGHTED"]
    <Shuffle.WEIGHTED: 'weighted'>
    """

    UNIFORM = "uniform"
    WEIGHTED = "weighted"


def shuffled(n: int, below: Callable[[int], int]) -> list[int]:
    """A uniformly random order of 0 … n - 1 (Fisher and Yates).

    Parameters
    ----------
    n : how many.
    below : gives an integer in [0, k), uniformly.

    Examples
    --------
    >>> shuffled(4, lambda k: 0)
    [1, 2, 3, 0]
    """
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def weighted_order(weights: Sequence[int], unit: Callable[[], float]) -> list[int]:
    """An order of 0 … n - 1 in which the heavier tend to come first (A113).

    Parameters
    ----------
    weights : integers >= 1.
    unit : gives a number in (0, 1), uniformly; called once for each weight, in order.

    Examples
    --------
    >>> weighted_order([1, 3, 1], iter([0.25, 0.25, 0.5]).__next__)
    [1, 2, 0]
    """
    keys = [unit() ** (1.0 / weight) for weight in weights]
    return sorted(range(len(keys)), key=lambda i: -keys[i])  # equal keys: as listed, for gRPC leaves it open


def interleaved(addresses: Sequence[str]) -> list[str]:
    """The addresses, with address families taking turns in the order in which they first appear.

    Parameters
    ----------
    addresses : ``ip:port``, ``[ipv6]:port`` or a bare address; anything else (a path, a name) is a family of its own.

    Source: gRPC A61; RFC 8305, section 4, with a first-address-family count of 1.

    Examples
    --------
    >>> interleaved(["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"])
    ['[::1]:1', '10.0.0.1:1', '[::2]:1', '10.0.0.2:1', '[::3]:1']
    """
    families: dict[int, list[str]] = {}
    for address in addresses:
        families.setdefault(family(address), []).append(address)
    longest = max(map(len, families.values()), default=0)
    return [members[i] for i in range(longest) for members in families.values() if i < len(members)]


def family(address: str) -> int:
    """4 or 6, the version of the address; 0 for anything else.

    Examples
    --------
    >>> family("10.0.0.1:80"), family("[fd00::1]:80"), family("fd00::1"), family("/run/server.sock")
    (4, 6, 6, 0)
    """
    host = address[1:].partition("]")[0] if address.startswith("[") else address
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


@dataclass(frozen=True)
class PickFirst:
    """gRPC's `pick_first`: every request goes to the first endpoint of the list that is READY, until it fails.

    Parameters
    ----------
    shuffle_address_list : whether the list is shuffled whenever it changes.
    shuffle : how.
    seed : of the shuffle, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is of another type or out of its range; at build, a weight that is no uint32 >= 1.

    The endpoint in use stays in use while it is READY and in the list, whatever comes before it. A key is accepted and
    ignored. `exclude` goes on in the list, for a request that is tried again elsewhere, which in gRPC nothing does.

    Costs: pick O(1), or O(N) after a failure; a change of the list O(N log N).
    Source: gRPC A62, A61, A113. Described only.

    Examples
    --------
    >>> picker = PickFirst().build(["a", "b"])
    >>> {picker.pick().id for _ in range(10)}
    {'a'}
    >>> PickFirst(shuffle_address_list=True, seed=2).build(["a", "b", "c"]).machine.order
    [2, 0, 1]
    """

    shuffle_address_list: bool = False
    shuffle: Shuffle = Shuffle.UNIFORM
    seed: int = 0

    def __post_init__(self) -> None:
        check_bool("shuffle_address_list", self.shuffle_address_list)
        check_enum("shuffle", self.shuffle, Shuffle)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]:
        """A picker for this view; the endpoint in use is that of the previous picker of an equal policy."""
        return machine_picker(self, view_of(view), previous, lambda: First(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> PickFirst:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"shuffle": enum_from_name(Shuffle)})


class First:
    """The machine of `PickFirst`: the order of the rows, and the one in use.

    Attributes
    ----------
    order : rows of the list, as they are tried.
    current : the row in use, or -1.
    """

    def __init__(self, policy: PickFirst) -> None:
        self.policy = policy
        self.words = Words(policy.seed)
        self.order: list[int] = []
        self.current = -1
        self._list: list[tuple[int, Any]] = []
        self._ready: set[int] = set()
        self._in_flight: dict[int, int] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """These are the list; if it is another one, it is put in order anew."""
        check_weights(view)
        here = listed(view).tolist()
        entries = [(row, view.backends[i], int(view.weights[i])) for i, row in enumerate(rows) if here[i]]
        self._ready = {row for row, able in zip(rows, ready(view).tolist(), strict=True) if able}
        known = [(row, (addresses_of(backend), weight)) for row, backend, weight in entries]
        if known != self._list:
            self._list = known
            self._put_in_order()
        if self.current not in self._ready:
            self.current = -1

    def _put_in_order(self) -> None:
        rows, weights = [row for row, _ in self._list], [weight for _, (_, weight) in self._list]
        if not self.policy.shuffle_address_list:
            self.order = rows
        elif self.policy.shuffle is Shuffle.WEIGHTED:
            self.order = [rows[i] for i in weighted_order(weights, self.words.unit)]
        else:
            self.order = [rows[i] for i in shuffled(len(rows), self.words.below)]
        owner = {address: row for row, (addresses, _) in reversed(self._list) for address in addresses}
        of = dict(self._list)
        flat = interleaved([address for row in self.order for address in of[row][0]])
        self.order = list(dict.fromkeys(owner[address] for address in flat))

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row in use, else the first in order that is READY, which is then in use."""
        if self.current < 0:
            self.current = next((row for row in self.order if row in self._ready), -1)
        if self.current not in skip:
            return self.current
        return next((row for row in self.order if row in self._ready and row not in skip), -1)

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The list in its order, and who is in use."""
        order = listing(name(row) + " not READY" * (row not in self._ready) for row in self.order)
        return [("order", order or "nobody"), ("in use", name(self.current) if self.current >= 0 else "nobody yet")]

    def started(self, row: int, cost: float, now: float) -> None:
        """One more in flight, which decides nothing."""
        self._in_flight[row] = self._in_flight.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One fewer in flight."""
        self._in_flight[row] = max(0, self._in_flight.get(row, 0) - 1)

    def advance(self, now: float) -> None:
        """Time plays no part."""

    def at(self, row: int) -> float:
        """Requests in flight."""
        return float(self._in_flight.get(row, 0))

    def reseed(self, seed: int) -> None:
        """Moves the shuffle, and shuffles anew if nothing is in use yet."""
        self.words.state = seed
        if self.current < 0 and self.policy.shuffle_address_list:
            self._put_in_order()
