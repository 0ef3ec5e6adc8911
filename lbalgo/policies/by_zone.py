"""Zones: requests stay in their own zone as far as every zone then has its fair part.

Crossing zones costs latency and money; staying at home is fair only where clients and backends are spread alike. Let
c_z be the part of the clients in zone z, and u_z the part of the eligible weight. A client of zone a sends

- everything to its own zone, if u_a >= c_a: there is room for all of them;
- else u_a / c_a of it there, and the rest to the zones that have more than their own clients need, in proportion to
  u_z - c_z.

If all clients send equally much and do this, zone z receives exactly u_z: the zones with room are filled exactly by
what the others lack. Backends that fall ill lower u, so failures spill over by themselves, and no zone is overloaded
for it.

A client knows c from outside: it is the clients that have to be counted, not the backends. A wrong c is a wrong
balance, and nobody notices: an autoscaler that adds clients in one zone overloads its backends until c is told.

With few backends a part is coarse, a zone of one backend worst; below `least` eligible ones zones are ignored.

Costs: build as the base policy for each zone; pick as the base policy, and a hash of the key and a few steps while more
than one zone is used. Disruption: keys move between zones as shares do.
Source: Envoy, "Zone aware routing" (there in ten-thousandths); the fill is proved above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.policies.parted import PartedPicker, Piece, parted
from lbalgo.spec import check_integer, check_real, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
LEAST = 6  # Envoy's min_cluster_size
WHOLE = ()  # name of the one part while zones are ignored; no zone has it
ROUNDING = 2.0**-40  # zones of equal parts are equal, whatever sums have lost


@dataclass(frozen=True)
class ByZone:
    """Any policy, in the client's own zone as far as that is fair to all zones.

    Parameters
    ----------
    policy : the base policy, of each zone.
    zone : the client's.
    clients : zone to the part of all clients that are there, any positive numbers; None: as many in each zone.
    least : eligible backends below which zones are ignored, >= 1.
    hasher : hash of the key, for the draw of its zone.
    seed : of that hash, [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is invalid.

    Zones are ignored too where the client's own is not among the clients', and where only one has eligible backends. A
    backend's zone is its `zone`; those without one, or with None, are a zone of their own. With `clients` None the
    zones are those that have backends, and the client's own.

    Costs: as the base policy for each zone, and 0.15 us a pick, 0.65 us while more than one is used.
    Source: Envoy, "Zone aware routing".

    Examples
    --------
    >>> from lbalgo import Maglev
    >>> pool = [Endpoint(f"{zone}{i}", zone=zone) for zone, n in (("a", 2), ("b", 4), ("c", 6)) for i in range(n)]
    >>> picker = ByZone(Maglev(), zone="a").build(pool)
    >>> [(part.name, part.share) for part in picker.parts]
    [('a', 0.5), ('b', 0.0), ('c', 0.5)]
    """

    policy: Any
    zone: str
    clients: Any = None  # what was given, as pairs of zone and part, ascending
    least: int = LEAST
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Maglev()")
        if not isinstance(self.zone, str):
            raise ConfigError("zone", self.zone, "must be a string")
        object.__setattr__(self, "clients", _parts(self.clients))
        check_integer("least", self.least, low=1)
        check_hasher(self.hasher, self.seed)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> PartedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> PartedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> PartedPicker[Any]:
        """A picker for this view; each zone's goes on where it stood."""
        view = view_of(view)
        return parted(self, view, self.policy, self._pieces(view), previous)

    def _pieces(self, view: View[Any]) -> list[Piece]:
        names = [getattr(backend, "zone", None) for backend in view.backends]
        # A zone does not panic by itself: either the pool does, and then in every zone, or nobody does.
        panic = 1.0 if view.panic else 0.0
        masks = {name: np.array([other == name for other in names]) for name in dict.fromkeys(names)}
        weights = np.where(view.eligible, view.weights / view.weights.max(initial=1.0), 0.0)
        total = float(weights.sum())
        room = {name: float(weights[mask].sum()) / total for name, mask in masks.items()} if total else {}
        here = dict.fromkeys((*masks, self.zone), 1.0) if self.clients is None else dict(self.clients)
        used = sum(part > 0 for part in room.values())
        if used < 2 or self.zone not in here or np.count_nonzero(view.eligible) < self.least:
            return [Piece(WHOLE, np.ones(len(view), dtype=np.bool_), 1.0, view.panic_below)]
        everybody = sum(here.values())
        shares = zone_shares(self.zone, {name: part / everybody for name, part in here.items()}, room)
        order = sorted(masks, key=lambda name: (name != self.zone, name is None, name))
        return [Piece(name, masks[name], shares[name], panic) for name in order]

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return {**to_dict(self), "clients": None if self.clients is None else dict(self.clients)}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None, hasher: Hasher | None = None) -> ByZone:
        """The policy `to_dict` described; `policy` and `hasher` supply those that plain data cannot."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        made: ByZone = policy_from_dict(cls, data, hasher, policy=_policy_from)
        return made


def zone_shares(zone: str, clients: Mapping[Any, float], room: Mapping[Any, float]) -> dict[Any, float]:
    """What a client of `zone` sends to each zone: parts of its requests.

    Parameters
    ----------
    zone : the client's.
    clients : zone to the part of the clients in it; sums to 1.
    room : zone to the part of the eligible weight in it; sums to 1.

    Examples
    --------
    >>> half = {"a": 0.5, "b": 0.5}
    >>> zone_shares("a", half, {"a": 0.25, "b": 0.75}), zone_shares("b", half, {"a": 0.25, "b": 0.75})
    ({'a': 0.5, 'b': 0.5}, {'a': 0.0, 'b': 1.0})
    """
    shares = dict.fromkeys(room, 0.0)
    need, have = clients[zone], room.get(zone, 0.0)
    home = 1.0 if have >= need - ROUNDING else have / need
    if zone in room:
        shares[zone] = home
    if home < 1.0:
        spare = {name: max(0.0, part - clients.get(name, 0.0)) for name, part in room.items() if name != zone}
        total = sum(spare.values())
        for name, part in spare.items():
            shares[name] = (1.0 - home) * part / total
    return shares


def _parts(clients: Any) -> tuple[tuple[str, float], ...] | None:
    """Pairs of zone and part, ascending."""
    if clients is None:
        return None
    try:
        given = dict(clients)
    except (TypeError, ValueError):
        raise ConfigError("clients", clients, "must be a mapping from zone to its part of the clients") from None
    for name, part in given.items():
        if not isinstance(name, str):
            raise ConfigError("clients", name, "must have strings for zones")
        check_real(f"clients[{name!r}]", part, low=0.0, open_low=True)
    if not given:
        raise ConfigError("clients", clients, "must name at least one zone")
    return tuple(sorted((name, float(part)) for name, part in given.items()))
