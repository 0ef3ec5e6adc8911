"""The ``balance`` algorithms whose decision depends on what went before, as policies.

Each builds one picker that hears of requests as they start and end (`lbalgo.compat.machine.MachinePicker`): let a
`Balancer` tell it, or call `picker.load.started` and `finished`. A rebuild is what the runtime interface would have
said: servers that went down or came up, changes of weight, servers added or removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.compat.haproxy.farm import Farm, FarmMachine, check_pool
from lbalgo.compat.haproxy.fwrr import TurnOrder
from lbalgo.compat.haproxy.generator import SEED
from lbalgo.compat.haproxy.orders import FirstOrder, LeastOrder, MapOrder
from lbalgo.compat.haproxy.ring_order import BoundedRing, RandomOrder
from lbalgo.compat.haproxy.server import Version
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)
VERSION = {"version": enum_from_name(Version)}


@dataclass(frozen=True)
class RoundRobin:
    """``balance roundrobin``: every server in turn, by weight, which may change while it runs.

    Parameters
    ----------
    version : since 3.2 a change of weight moves a server's next turn otherwise.
    allbackups : all usable backups serve once no active server is usable, not only the first.
    fullconn : requests of the backend at which servers with a minconn have their maxconn.
    tgroup : thread group (3.2 and later) whose turns these are: it begins at the server of that index.

    Raises
    ------
    ConfigError : a field is out of range; at build, a weight that is no integer from 0 to 256, a keyword that the
        version does not have, two servers with one numeric id.

    Costs: build O(N) comparisons a change, pick O(log N) and a move of O(N) words; memory O(N). A key is ignored.
    Described only: thread groups. Source: HAProxy Configuration Manual, "balance roundrobin".

    Examples
    --------
    >>> picker = RoundRobin().build({"a": 5, "b": 1, "c": 1})
    >>> "".join(picker.pick().id for _ in range(7))
    'aaabaac'
    """

    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0
    tgroup: int = 0

    def __post_init__(self) -> None:
        check_pool(self)
        if check_integer("tgroup", self.tgroup, low=0, high=4095) and not self.version.since(Version.V3_2):
            raise ConfigError("tgroup", self.tgroup, f"is not in {self.version.text}, but since 3.2")

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the turns of the previous one go on."""
        return machine_picker(self, view_of(view), previous, self._start)

    def _start(self) -> FarmMachine:
        farm = Farm(self.version, self.allbackups, self.fullconn, True)
        return FarmMachine(farm, TurnOrder(self.version, self.tgroup))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data, VERSION)


@dataclass(frozen=True)
class StaticRR:
    """``balance static-rr``: a cursor on a map that is made anew only when servers come up or go down.

    Parameters
    ----------
    version, allbackups, fullconn : as for `RoundRobin`.

    Raises
    ------
    ConfigError : as for `RoundRobin`; also for a weight that changes to anything but 0 or the one at start. Slow
        starts are ignored. A change of members is a new start, with the weights as they are then.

    Costs: build O(T N) for T = sum of weights / their common divisor; pick O(1) unless servers are saturated.
    Source: HAProxy Configuration Manual, "balance static-rr".

    Examples
    --------
    >>> picker = StaticRR().build({"a": 1, "b": 2, "c": 3})
    >>> "".join(picker.pick().id for _ in range(6))
    'acbcbc'
    """

    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0

    def __post_init__(self) -> None:
        check_pool(self)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the cursor of the previous one goes on."""
        return machine_picker(self, view_of(view), previous, self._start)

    def _start(self) -> FarmMachine:
        return FarmMachine(Farm(self.version, self.allbackups, self.fullconn, False), MapOrder())

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> StaticRR:
        """The policy `to_dict` described."""
        return from_dict(cls, data, VERSION)


@dataclass(frozen=True)
class LeastConn:
    """``balance leastconn``: the server with the least requests to weight; idle ones in turn, whatever their weights.

    Parameters
    ----------
    version, allbackups, fullconn : as for `RoundRobin`. Since 3.2 the order among equals is drawn at random, which can
        only be described: what is decided then is one of the orders that HAProxy may take.
    seed : of those draws; None to let a `Balancer` seed it.

    Raises
    ------
    ConfigError : as for `RoundRobin`.

    Costs: a request O(log N) comparisons and a move of O(N) words; memory O(N).
    Source: HAProxy Configuration Manual, "balance leastconn".

    Examples
    --------
    >>> picker = LeastConn().build({"a": 1, "b": 10})
    >>> for _ in range(4):
    ...     chosen = picker.pick()
    ...     picker.load.started(picker.view.ids.index(chosen.id), 1.0, 0.0)
    ...     print(chosen.id)
    a
    b
    b
    b
    """

    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0
    seed: int | None = SEED

    def __post_init__(self) -> None:
        check_pool(self)
        check_seed(self.seed)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the order and the load of the previous one go on."""
        return machine_picker(self, view_of(view), previous, self._start)

    def _start(self) -> FarmMachine:
        farm = Farm(self.version, self.allbackups, self.fullconn, True)
        return FarmMachine(farm, LeastOrder(self.version, self.seed))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LeastConn:
        """The policy `to_dict` described."""
        return from_dict(cls, data, VERSION)


@dataclass(frozen=True)
class First:
    """``balance first``: the server with the lowest numeric id that has a place free; weights are ignored.

    Parameters
    ----------
    version, allbackups, fullconn : as for `RoundRobin`.

    Raises
    ------
    ConfigError : as for `RoundRobin`.

    Costs: pick O(N). Source: HAProxy Configuration Manual, "balance first".

    Examples
    --------
    >>> from lbalgo.compat.haproxy import Server
    >>> First().build([Server("a", puid=9), Server("b", puid=2)]).pick().id
    'b'
    """

    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0

    def __post_init__(self) -> None:
        check_pool(self)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the load of the previous one goes on."""
        return machine_picker(self, view_of(view), previous, self._start)

    def _start(self) -> FarmMachine:
        return FarmMachine(Farm(self.version, self.allbackups, self.fullconn, True), FirstOrder())

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> First:
        """The policy `to_dict` described."""
        return from_dict(cls, data, VERSION)


@dataclass(frozen=True)
class Random:
    """``balance random(draws)``: the least loaded of some servers drawn at random by weight; the later one of equals.

    Parameters
    ----------
    draws : how many are drawn, 1 to 4096.
    hash_balance_factor : the most load a server may have, in per cent of its share: 0 for no limit, or above 100.
    version, allbackups, fullconn : as for `RoundRobin`. Since 3.4 the request rate decides between equals.
    rekeyed_ids : points made from the hash of numeric ids, as 3.0.0 to mid-3.2 did.
    seed : state of the generator, 1 to 2**32 - 1: by default where 2.6 starts every process, so that they all draw the
        same. None to let a `Balancer` seed it, as 3.0 and later do.

    Raises
    ------
    ConfigError : as for `RoundRobin`. At pick, NoBackend("overloaded") where the winner is saturated, even if others
        are not: HAProxy lets the request wait then.

    Costs: build O(T log T) for T = 16 points per unit of weight; pick `draws` lookups.
    Described only: the rate of 3.4. Source: HAProxy Configuration Manual, "balance random".

    Examples
    --------
    >>> picker = Random(draws=1).build(["a", "b", "c"])
    >>> "".join(picker.pick().id for _ in range(8))
    'abbbccca'
    """

    draws: int = 2
    hash_balance_factor: int = 0
    version: Version = Version.V2_6
    allbackups: bool = False
    fullconn: int = 0
    rekeyed_ids: bool = False
    seed: int | None = SEED

    def __post_init__(self) -> None:
        check_integer("draws", self.draws, low=1, high=4096)
        check_pool(self)
        check_factor(self.hash_balance_factor)
        check_rekeyed(self.rekeyed_ids, self.version)
        check_seed(self.seed)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the generator and the load of the previous one go on."""
        return machine_picker(self, view_of(view), previous, self._start)

    def _start(self) -> FarmMachine:
        farm = Farm(self.version, self.allbackups, self.fullconn, True)
        ring = BoundedRing(self.hash_balance_factor, self.rekeyed_ids)
        return FarmMachine(farm, RandomOrder(self.draws, ring, self.version, self.seed))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Random:
        """The policy `to_dict` described."""
        return from_dict(cls, data, VERSION)


def check_seed(seed: object) -> None:
    """A state of the generator, or None."""
    if seed is not None:
        check_integer("seed", seed, low=1, high=2**32 - 1)


def check_factor(factor: object) -> None:
    """A hash-balance-factor: 0, or more than 100 per cent."""
    if check_integer("hash_balance_factor", factor, low=0, high=65535) in range(1, 101):
        raise ConfigError("hash_balance_factor", factor, "must be 0, or an integer above 100")


def check_rekeyed(rekeyed_ids: object, version: Version) -> None:
    """The re-keying of 3.0.0 to mid-3.2, which other versions never had."""
    if check_bool("rekeyed_ids", rekeyed_ids) and version not in (Version.V3_0, Version.V3_2):
        raise ConfigError("rekeyed_ids", True, f"was never so in {version.text}")
