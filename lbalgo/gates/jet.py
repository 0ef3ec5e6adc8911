"""JET: of all flows, which ones could a joining backend move? Only those are worth remembering.

A flow table holds every flow, although almost none will ever be moved. Let W be the backends that serve and H the
*horizon*, those that may join or come back. Under a consistent hash that moves a key only to a joiner, a key can be
moved by additions from H only if its owner under W differs from its owner under W and H together. Such a key is
*unsafe* and has to be tracked; all the others stay by themselves whatever part of H joins, in whatever order.

Of keys spread by weight the unsafe are the horizon's share of the weight of both together: h / (w + h) of them with
equal weights. 468 backends that serve and 47 that may come leave 9.13 % to track.

What counts as the horizon here is what was named, and every member that is not serving or not at its full weight:
ineligible backends return, warming ones take keys as they warm. A flow on a backend that is itself warming is unsafe
too, since others may outgrow it meanwhile.

What JET does not cover: a backend that leaves, drains or fails loses its flows, tracked or not; flows that were safe
when they began are not in the table, so a *drain* that shall keep them needs a whole `FlowTable`. A backend that joins
without having been on the horizon breaks flows too. And the base has to be monotone, per key: `Rendezvous`, `RingHash`,
`MultiProbe`. Maglev's table is not.

Costs: build and memory twice the base policy's, over W and over W and H; a pick two base picks.
Source: Mendelson, Vargaftik, Barabash, Lorenz, Keslassy and Orda, "Load Balancing with JET: Just Enough Tracking for
Connection Consistency", CoNEXT 2021.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.measure.disruption import disruption
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.policies.multi_probe import MultiProbe
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import RingHash
from lbalgo.spec import from_dict
from lbalgo.types import F64, I32, U64, Backend, Bool, Ids, Picker, Pool
from lbalgo.view import View, members_of, view_of

B = TypeVar("B", bound=Backend)
MONOTONE = (Rendezvous, RingHash, MultiProbe)


@dataclass(frozen=True)
class Jet:
    """A monotone keyed policy whose picker also says which keys a joining backend could move.

    Parameters
    ----------
    policy : `Rendezvous`, `RingHash` or `MultiProbe`, with their parameters.
    horizon : ids, an id-to-weight mapping, or pairs of id and weight, of backends that may join. Those that are members
        already are passed over, so all that ever serve can be named once.

    Raises
    ------
    ConfigError : the policy is another, or the horizon no such thing.

    Costs: twice the base policy's. Source: Mendelson et al., CoNEXT 2021.

    Examples
    --------
    >>> from lbalgo import Rendezvous
    >>> picker = Jet(Rendezvous(), horizon=["d"]).build(["a", "b", "c"])
    >>> round(picker.tracked_share(), 12)
    0.25
    >>> backend, track = picker.pick_safe("user-17")
    >>> backend is picker.pick("user-17")
    True
    """

    policy: Any
    horizon: Any = ()  # what was given, as pairs of id and weight, ascending

    def __post_init__(self) -> None:
        if not isinstance(self.policy, MONOTONE):
            names = ", ".join(kind.__name__ for kind in MONOTONE)
            raise ConfigError("policy", self.policy, f"must be one that moves keys to joiners only: {names}")
        given: Any = self.horizon
        try:
            if isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
                items: list[Any] = list(given)
                paired = all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items)
                given = [Endpoint(*item) for item in items] if paired else items
            members = members_of(given)
        except ConfigError as error:
            raise ConfigError(f"horizon: {error.parameter}", error.value, error.why) from None
        pairs = tuple(sorted((member.id, float(member.weight)) for member in members))
        object.__setattr__(self, "horizon", pairs)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> JetPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> JetPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> JetPicker[Any]:
        """A picker for this view, and beside it one for the view with its horizon, in full health."""
        view = view_of(view)
        before = previous if isinstance(previous, JetPicker) else None
        base = self.policy.build(view, previous=before.base if before else previous)
        return JetPicker(
            self, view, base, self.policy.build(self._whole(view), previous=before.whole if before else None)
        )

    def _whole(self, view: View[Any]) -> View[Any]:
        """All members and all of the horizon that is not, with nothing against anybody."""
        members = set(view.ids)
        coming = [(id, weight) for id, weight in self.horizon if id not in members]
        return View(
            (*view.backends, *(Endpoint(id, weight) for id, weight in coming)),
            np.concatenate((view.weights, [weight for _, weight in coming])),
            np.ones(len(view) + len(coming)),
            np.zeros(len(view) + len(coming), dtype=np.uint8),
            panic_below=0.0,
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return {"type": "Jet", "policy": self.policy.to_dict(), "horizon": [list(pair) for pair in self.horizon]}

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None) -> Jet:
        """The policy `to_dict` described; `policy` supplies a base policy that plain data cannot hold."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        return from_dict(cls, data, {"policy": _base})


class JetPicker(Generic[B]):
    """A snapshot that picks as its base does, and says what has to be tracked; made by `Jet`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    base : the base policy's picker for the view.
    whole : the base policy's picker for all that may ever serve; its first slots are the view's.
    """

    def __init__(self, policy: Jet, view: View[B], base: Any, whole: Any) -> None:
        self.policy = policy
        self.view = view
        self.base = base
        self.whole = whole
        self.backends = view.backends
        top = view.factors.max(initial=0.0)
        self._steady = (view.factors == top) & view.eligible
        self._steady_list: list[bool] = self._steady.tolist()

    @property
    def cursor(self) -> Any:
        """The base picker's cursor."""
        return self.base.cursor

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """What the base policy picks."""
        chosen: B = self.base.pick(key, exclude=exclude) if exclude != () else self.base.pick(key)
        return chosen

    def pick_safe(self, key: Any, *, exclude: Container[str] = ()) -> tuple[B, bool]:
        """What the base policy picks, and whether it has to be remembered lest a joining backend take the key.

        Raises
        ------
        NoBackend, TypeError, ConfigError : as `pick`; a key has to be given.
        """
        if key is None:
            raise TypeError("a key is needed: a request without one is no flow")
        if exclude != ():
            return self.pick(key, exclude=exclude), True  # a choice that the hash would not make again
        ticket = self.base.hasher(key)
        slot = self.base.slot(ticket)
        return self.backends[slot], not self._steady_list[slot] or self.whole.slot(ticket) != slot

    def must_track(self, tickets: U64) -> Bool:
        """Whether each ticket's owner has to be remembered."""
        slots = self.base.pick_many(tickets)
        return np.asarray((self.whole.pick_many(tickets) != slots) | ~self._steady[slots], dtype=np.bool_)

    def tracked_share(self) -> float:
        """The part of all keys that have to be tracked, by law or structure where the base policy has one.

        With warming backends more than this may be tracked: all that is on them.
        """
        return disruption(self.base, self.whole).moved

    def walk(self, key: Any = None) -> Iterator[B]:
        """The base picker's walk."""
        return self.base.walk(key)  # type: ignore[no-any-return]

    def tickets(self, keys: Any) -> U64:
        """Tickets of many keys, the base picker's."""
        return self.base.tickets(keys)  # type: ignore[no-any-return]

    def slot(self, ticket: int) -> int:
        """The slot of a ticket, the base picker's."""
        return self.base.slot(ticket)  # type: ignore[no-any-return]

    def pick_many(self, tickets: U64) -> I32:
        """Slots of many tickets, the base picker's."""
        return self.base.pick_many(tickets)  # type: ignore[no-any-return]

    def shares(self) -> F64:
        """Shares, the base picker's."""
        return self.base.shares()  # type: ignore[no-any-return]

    def fingerprint(self) -> int:
        """64 bits over all that decides where keys go; what is tracked is not in it."""
        return self.base.fingerprint()  # type: ignore[no-any-return]

    def reseed(self, seed: int) -> None:
        """Moves the base picker's cursor: requests without a key go on from here, an int in [0, 2**64)."""
        self.base.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the two pickers do not fit each other."""
        self.base.check_invariants()
        self.whole.check_invariants()
        assert self.whole.view.ids[: len(self.view)] == self.view.ids, "slots mean the same backends on both sides"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return JetPicker, (self.policy, self.view, self.base, self.whole)


def _base(data: object) -> Any:
    """The base policy that plain data describe, or itself."""
    if isinstance(data, Mapping) and data.get("type") == "MultiProbe":
        return MultiProbe.from_dict(data)
    return _policy_from(data)
