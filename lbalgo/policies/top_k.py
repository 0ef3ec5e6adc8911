"""Replicas: the first k backends of a key's walk, over as many zones as there are.

A keyed policy gives every key an order of all backends. Its first k are a consistent choice of k replicas: when one of
them fails, the next of the order takes its place and the others stay. To spread over zones the order is sorted, stably,
by how many backends of the same zone came before: first the first of every zone, then the second of every zone, and so
on. The pick stays where it was, no zone has two replicas before every zone with backends has one, and still a failure
replaces one replica by one.

Over `Rendezvous` this has an exact law. Scores are exponential variables of the weights' rates, so the least score of a
zone has the sum of its weights as rate: zones come in the order of weighted draws without replacement, each represented
by one of its backends drawn by weight. It is the law of choosing zones first and a backend in each then.

Shares of *copies* are another matter: a backend is in at most every set, so beyond the first replica they are less
unequal than the weights, whatever the method.

Costs: build as the base policy; pick as the base policy; replicas O(k) steps of the walk, with zones on as many as it
takes to see k zones, all N at most.
Source: Thaler and Ravishankar 1998 for the k best of rendezvous hashing; the sort by zone is derived in
docs/theory/top_k.md.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from lbalgo.active import xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.spec import check_bool, check_integer, from_dict, to_dict
from lbalgo.types import F64, I32, U64, Backend, Ids, Picker, Pool, TicketDecided
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

K = 3  # replicas; what most stores keep


@dataclass(frozen=True)
class TopK:
    """Any keyed policy, with k replicas a key, spread over zones.

    Parameters
    ----------
    policy : the base policy; a keyed one whose pickers decide by ticket.
    k : number of replicas, >= 1; fewer where fewer are eligible.
    spread : whether backends of one zone (`zone` of the backend, as an `Endpoint` has) come one by one, in turn with
        those of other zones. A backend without a zone, or with None, is a zone of its own.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, the base policy's pickers do not decide by ticket.

    Costs: build and pick as the base policy; `replicas` a walk until k zones have been met; memory 8 bytes a backend
    more; disruption of the pick that of the base policy, of the replicas one for each that fails.
    Source: Thaler and Ravishankar 1998, the k best scores.

    Examples
    --------
    >>> from lbalgo import Rendezvous
    >>> pool = [Endpoint(f"{zone}{i}", zone=zone) for zone in "abc" for i in range(4)]
    >>> picker = TopK(Rendezvous(), k=3).build(pool)
    >>> sorted(backend.zone for backend in picker.replicas("user-17"))
    ['a', 'b', 'c']
    >>> picker.pick("user-17") is picker.replicas("user-17")[0]
    True
    """

    policy: Any
    k: int = K
    spread: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Rendezvous()")
        check_integer("k", self.k, low=1)
        check_bool("spread", self.spread)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> ReplicaPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> ReplicaPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> ReplicaPicker[Any]:
        """A picker for this view over the base policy's."""
        view = view_of(view)
        base = self.policy.build(view, previous=previous.base if isinstance(previous, ReplicaPicker) else previous)
        if not isinstance(base, TicketDecided):
            raise ConfigError("policy", self.policy, "must decide by ticket")
        return ReplicaPicker(self, view, base)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None) -> TopK:
        """The policy `to_dict` described; `policy` supplies a base policy that is not one of this library."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        return from_dict(cls, data, {"policy": _policy_from})


class ReplicaPicker(Generic[B]):
    """A snapshot that gives a key several backends; made by `TopK`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    base : the base policy's picker.
    """

    def __init__(self, policy: TopK, view: View[B], base: Any) -> None:
        self.policy = policy
        self.view = view
        self.base = base
        self.backends = view.backends
        zones = [getattr(backend, "zone", None) if policy.spread else None for backend in view.backends]
        self._zones: dict[str, tuple[str, str]] = {
            name: ("id", name) if zone is None else ("zone", str(zone))
            for name, zone in zip(view.ids, zones, strict=True)
        }
        self._single = len(set(self._zones.values())) == len(zones)  # no zone has two: nothing to spread
        self._count = len({self._zones[name] for name, able in zip(view.ids, view.eligible, strict=True) if able})

    @property
    def cursor(self) -> Any:
        """The base picker's cursor, if it has one."""
        return getattr(self.base, "cursor", None)

    def replicas(self, key: Any = None) -> tuple[B, ...]:
        """The key's backends, best first: k of them, or all that are eligible if they are fewer."""
        return tuple(islice(self.walk(key), self.policy.k))

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The first of the walk that is not excluded; without `exclude` what the base policy picks."""
        if exclude == ():
            chosen: B = self.base.pick(key)
            return chosen
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        for backend in self.walk(key):
            if backend.id not in exclude:
                if key is None:
                    self.base.pick()  # spends the ticket that the walk has looked at
                return backend
        able = bool(self.view.eligible.any())
        raise NoBackend("excluded" if able else "ineligible" if len(self.backends) else "empty")

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once: the first of each zone in the base order, then the second of each, and so on."""
        order = self.base.walk(key)
        return order if self._single else self._in_rounds(order)

    def _in_rounds(self, order: Iterator[B]) -> Iterator[B]:
        met: dict[tuple[str, str], int] = {}
        later: list[list[B]] = []
        for backend in order:
            zone = self._zones[backend.id]
            came = met.get(zone, 0)
            met[zone] = came + 1
            if came == 0:
                yield backend
            else:
                if len(later) < came:
                    later.append([])
                later[came - 1].append(backend)
        for rank in later:
            yield from rank

    def tickets(self, keys: Any) -> U64:
        """Tickets of many keys, the base picker's."""
        made: U64 = self.base.tickets(keys)
        return made

    def slot(self, ticket: int) -> int:
        """The slot of a ticket's first replica."""
        slot: int = self.base.slot(ticket)
        return slot

    def pick_many(self, tickets: U64) -> I32:
        """Slots of many tickets' first replicas."""
        slots: I32 = self.base.pick_many(tickets)
        return slots

    def shares(self) -> F64:
        """Shares of the first replicas, as the base picker gives them."""
        shares: F64 = self.base.shares()
        return shares

    def fingerprint(self) -> int:
        """64 bits over all that decides, number and zones of the replicas included."""
        zones = sorted((name, *self._zones[name]) for name in self.view.ids)
        return xxh64(repr((self.base.fingerprint(), self.policy.k, zones)).encode())

    def reseed(self, seed: int) -> None:
        """Moves the base picker's cursor: requests without a key go on from here, an int in [0, 2**64)."""
        self.base.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself or its base."""
        if hasattr(self.base, "check_invariants"):
            self.base.check_invariants()
        for key in range(8) if self.view.eligible.any() else ():
            names = [backend.id for backend in self.replicas(key)]
            assert len(set(names)) == len(names), "replicas are distinct"
            spread = len({self._zones[name] for name in names})
            assert spread == min(len(names), self._count), "as many zones as there can be"
            assert names[0] == self.base.pick(key).id, "the first replica is the pick"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return ReplicaPicker, (self.policy, self.view, self.base)
