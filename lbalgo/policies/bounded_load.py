"""Bounded loads: consistent hashing in which nobody gets more than so much of the mean.

Hashing alone spreads keys, not requests: a hot key, or a small pool's luck, puts several times the mean on one backend.
Here a backend is *full* when its requests in flight have reached

    cap_i = ceil(factor * (m + 1) * w_i / W),

m being the requests in flight to the eligible backends, w_i weight x factor, W their sum over the eligible. A request
goes to the first backend of its key's walk that is not full. Since the caps sum to at least m + 1 there is always one.

So no backend's load exceeds its cap at the time it was chosen, whatever the keys; while nobody is full every key is
where the base policy has it; and a key whose backend is full goes to its second choice, the same one every time. Over
`RingHash` the overflow of a full backend falls on its neighbours on the ring, which fill in turn; over `Rendezvous` it
spreads over all. With a fraction p of the backends full, 1 / (1 - p) steps are expected there.

Costs: build as the base policy and O(N); pick O(N) for the sum of the loads, 1 ns each, and the walk; memory 16 bytes a
backend more.
Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018 (there loads move back when
others leave; here, where requests end by themselves, only the current loads count, as in HAProxy's and Envoy's
versions).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import numpy as np

from lbalgo.active import InFlightCounts
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.policies.loaded import rows_of
from lbalgo.spec import check_real, from_dict, to_dict
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

LEAST = 2.0**-1000  # a weight so much less than the greatest counts as this
FACTOR = 1.25  # 25 % over the mean: what the deployments in the literature run with


@dataclass(frozen=True)
class BoundedLoad:
    """Any keyed policy, with a bound on how far a backend's load may exceed its share.

    Parameters
    ----------
    policy : the base policy, whose walk is followed; it must not look at a load of its own.
    factor : a backend may have this many times its share of the requests in flight, >= 1.

    Raises
    ------
    ConfigError : `policy` is no policy, or has a load (when built); `factor` is not finite and >= 1.

    Picking never changes the load: the caller accounts, a `Balancer` for instance, or
    ``picker.load.started(picker.rows[slot], 1.0, now)``. `walk` is the base walk, those that are not full before those
    that are; `exclude` may lead to a full one when all others are excluded. Load and rows are handed on.

    Costs: build as the base policy, pick O(N) of 1 ns and the walk, memory 16 bytes a backend more; disruption that of
    the base policy while nobody is full.
    Source: Mirrokni, Thorup, Zadimoghaddam, SODA 2018.

    Examples
    --------
    >>> from lbalgo import Rendezvous
    >>> picker = BoundedLoad(Rendezvous()).build(["a", "b", "c"])
    >>> def take(key):
    ...     chosen = picker.pick(key)
    ...     picker.load.started(picker.rows[picker.backends.index(chosen)], 1.0, 0.0)
    ...     return chosen.id
    >>> [take("hot") for _ in range(6)]
    ['b', 'c', 'b', 'c', 'b', 'c']
    """

    policy: Any
    factor: float = FACTOR

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Rendezvous()")
        check_real("factor", self.factor, low=1.0)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> BoundedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> BoundedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> BoundedPicker[Any]:
        """A picker for this view; live load and rows are the previous one's if its loads were bounded too."""
        view = view_of(view)
        before = previous.base if isinstance(previous, BoundedPicker) else previous
        base = self.policy.build(view, previous=before)
        if hasattr(base, "load"):
            raise ConfigError("policy", self.policy, "must not have a load of its own")
        rows, unused = rows_of(view, previous)
        load = previous.load if isinstance(previous, BoundedPicker) else InFlightCounts()
        return BoundedPicker(self, view, base, load, rows, unused)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None) -> BoundedLoad:
        """The policy `to_dict` described; `policy` supplies a base policy that is not one of this library."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        return from_dict(cls, data, {"policy": _policy_from})


class BoundedPicker(Generic[B]):
    """A snapshot that follows the walk of another picker past those that are full; made by `BoundedLoad`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    base : the base policy's picker.
    load : requests in flight, by row.
    rows : row of each slot.
    unused : the first row that neither this picker nor one before it used.
    """

    def __init__(
        self, policy: BoundedLoad, view: View[B], base: Any, load: InFlightCounts, rows: I64, unused: int
    ) -> None:
        self.policy = policy
        self.view = view
        self.base = base
        self.backends = view.backends
        self.load = load
        self.rows = rows
        self.unused = unused
        self._slots = {id: slot for slot, id in enumerate(view.ids)}
        self._rows: list[int] = rows.tolist()
        self._lanes = np.ascontiguousarray(rows[view.eligible])
        scaled = np.ldexp(view.weights, -int(np.frexp(view.weights.max(initial=0.0))[1])) * view.factors
        self._weights: list[float] = np.where(view.eligible, np.maximum(scaled, LEAST), 0.0).tolist()
        self._sum = math.fsum(self._weights)

    @property
    def cursor(self) -> Any:
        """The base picker's cursor, if it has one."""
        return getattr(self.base, "cursor", None)

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The first backend of the key's walk that is not full."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        order = self.walk(key)
        chosen = next(order if exclude == () else (b for b in order if b.id not in exclude), None)
        if chosen is None:
            able = bool(self.view.eligible.any())
            raise NoBackend("excluded" if able else "ineligible" if len(self.backends) else "empty")
        if key is None:
            self.base.pick()  # spends the ticket that the walk has looked at
        return chosen

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once, in the order of the base walk: first those not full now, then the full."""
        return self._freest(self.base.walk(key))

    def _freest(self, order: Iterator[B]) -> Iterator[B]:
        total, late = self.load.total(self._lanes), list[B]()
        for backend in order:
            slot = self._slots[backend.id]
            if self.load.at(self._rows[slot]) < self._cap(slot, total):
                yield self.backends[slot]
            else:
                late.append(self.backends[slot])
        yield from late

    def caps(self) -> F64:
        """How many requests each slot may have in flight when the next one comes; 0 where not eligible."""
        total = self.load.total(self._lanes)
        return np.array([self._cap(slot, total) for slot in range(len(self.backends))], dtype=np.float64)

    def _cap(self, slot: int, total: int) -> int:
        weight = self._weights[slot]
        return math.ceil(self.policy.factor * (total + 1) * weight / self._sum) if weight else 0

    def reseed(self, seed: int) -> None:
        """Moves the base picker's cursor: requests without a key go on from here, an int in [0, 2**64)."""
        self.base.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself or its base."""
        if hasattr(self.base, "check_invariants"):
            self.base.check_invariants()
        assert len(set(self._rows)) == len(self.backends), "one row for each backend"
        total = self.load.total(self._lanes)
        if self._sum:
            assert self.caps().sum() > total, "the caps leave room for one more"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _rebuilt, (self.policy, self.view, getattr(self.cursor, "state", None))


def _rebuilt(policy: BoundedLoad, view: View[Any], state: int | None) -> BoundedPicker[Any]:
    picker = policy.build(view)
    if state is not None:
        picker.reseed(state)
    return picker


def _policy_from(data: object) -> Any:
    """The policy that plain data describe, or a name stands for, or `data` itself if it is one."""
    import lbalgo.policies as room

    name = data.get("type") if isinstance(data, Mapping) else data
    if isinstance(name, str):
        made: Any = getattr(room, name, None)
        if not hasattr(made, "build"):
            raise ConfigError(
                "policy", name, "must be a policy of this library, or be passed as an object (policy=...)"
            )
        return made.from_dict(data if isinstance(data, Mapping) else {})
    return data
