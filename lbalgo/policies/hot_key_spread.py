"""Hot keys: a key that is too much for one backend is served by several, every other key by one as before.

Hashing spreads keys, and under a Zipf law the first key alone may be a tenth of all requests: whoever owns it has a
tenth of the load, however many backends there are. A sketch counts keys (`lbalgo.HeavyHitters`). A key that makes up
the share f of all requests is served by the first

    width = min(k, ceil(f / share))

backends of its walk, chosen at random by weight at each request. So no key puts more than `share` of all requests on
one backend (of equal weight), as long as f <= k * share; and a key below `share` keeps its one owner, whose cache
serves it. The sketch overestimates, never under, so the bound errs on the safe side; with its default capacity of
4 / share the error is at most a quarter of `share`.

Widths are nested: when a key gets hotter the backends that served it still do, and one joins. The first of them is the
base policy's pick, so a key that cools down is where it was.

Picking counts nothing, as it changes no load: the caller counts, `picker.sketch.add(key)`, once a request. Until
10 / share requests have been counted no key is hot.

Costs: build as the base policy; pick of a cold key as the base policy and a look into a dictionary; of a hot one as
many steps of the walk as it has backends; memory that of the sketch.
Source: the split of hot keys over the first of a consistent order is common practice (for stream processing: Nasir et
al., "When two choices are not enough", ICDE 2016, arXiv 1510.05714: d choices for the head, two for the tail).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from lbalgo.active import Cursor, mix64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.sketches import HeavyHitters
from lbalgo.spec import check_integer, check_real, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

K = 8  # backends a key may have at most; a key of 8 % then stays within a share of 1 %
SHARE = 0.01  # suits a pool of a few dozen: a quarter of the mean load at 25 backends
ROOM = 4  # counters for each key that could be hot: an error of at most share / 4
EVIDENCE = 10  # a key at the threshold has been seen about so many times before any key is hot
LEAST_SHARE = 2.0**-22  # its sketch then has as many counters as one may have
GAMMA, WORD = 0x9E3779B97F4A7C15, (1 << 64) - 1


@dataclass(frozen=True)
class HotKeySpread:
    """Any keyed policy, with several backends for the keys that are too hot for one.

    Parameters
    ----------
    policy : the base policy; it must not look at a load of its own.
    k : the most backends a key may have, >= 1.
    share : of all requests, 2**-22 to 1: what one key may put on one backend. A quarter of 1 / N is a good start.
    capacity : counters of the sketch, >= 1 / share; None for 4 / share.
    half_life : seconds after which a request counts one half; None counts for ever.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, `policy` has a load.

    The sketch (`picker.sketch`) is handed on from picker to picker; the caller feeds it. Other combinators go inside:
    this one is outermost. Without a key, or with a cold one, a pick is the base policy's.

    Costs: build as the base policy; pick as the base policy and 0.5 us, of a hot key a walk of `width` steps more, 2 to
    5 us; memory 300 bytes a counter.
    Source: after Nasir et al., ICDE 2016.

    Examples
    --------
    >>> from lbalgo import Rendezvous
    >>> picker = HotKeySpread(Rendezvous(), k=3, share=0.1).build([f"b{i}" for i in range(10)])
    >>> for i in range(1000):
    ...     picker.sketch.add("hot" if i % 2 else f"cold-{i}")
    >>> picker.width("hot"), picker.width("cold-998")
    (3, 1)
    >>> len({picker.pick("hot").id for _ in range(100)}), len({picker.pick("cold-998").id for _ in range(100)})
    (3, 1)
    """

    policy: Any
    k: int = K
    share: float = SHARE
    capacity: int | None = None
    half_life: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Rendezvous()")
        check_integer("k", self.k, low=1)
        check_real("share", self.share, low=LEAST_SHARE, high=1.0)
        if self.capacity is not None:
            check_integer("capacity", self.capacity, low=math.ceil(1 / self.share))
        self._sketch()

    def _sketch(self) -> HeavyHitters:
        return HeavyHitters(math.ceil(ROOM / self.share) if self.capacity is None else self.capacity, self.half_life)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> HotKeyPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> HotKeyPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> HotKeyPicker[Any]:
        """A picker for this view; the sketch is the previous one's if that had as many counters."""
        view = view_of(view)
        base = self.policy.build(view, previous=previous.base if isinstance(previous, HotKeyPicker) else previous)
        if hasattr(base, "load"):
            raise ConfigError("policy", self.policy, "must not have a load of its own")
        sketch, chance = self._sketch(), Cursor()
        if isinstance(previous, HotKeyPicker):
            chance = previous.chance
            if repr(previous.sketch) == repr(sketch):
                sketch = previous.sketch
        return HotKeyPicker(self, view, base, sketch, chance)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None) -> HotKeySpread:
        """The policy `to_dict` described; `policy` supplies a base policy that is not one of this library."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        return from_dict(cls, data, {"policy": _policy_from})


class HotKeyPicker(Generic[B]):
    """A snapshot that gives hot keys several backends; made by `HotKeySpread`.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    base : the base policy's picker.
    sketch : counts keys; read live.
    chance : state of the generator that chooses among a hot key's backends.
    """

    def __init__(self, policy: HotKeySpread, view: View[B], base: Any, sketch: HeavyHitters, chance: Cursor) -> None:
        self.policy = policy
        self.view = view
        self.base = base
        self.backends = view.backends
        self.sketch = sketch
        self.chance = chance
        self._weights = dict(zip(view.ids, (view.weights * view.factors).tolist(), strict=True))

    @property
    def cursor(self) -> Any:
        """The base picker's cursor, if it has one."""
        return getattr(self.base, "cursor", None)

    def width(self, key: Any) -> int:
        """How many backends the key has now: 1 unless it is hot."""
        share, limit = self.sketch.share(key), self.policy.share
        if share <= limit or limit * self.sketch.total < EVIDENCE:
            return 1
        return min(self.policy.k, math.ceil(share / limit))

    def owners(self, key: Any) -> tuple[B, ...]:
        """The backends that serve the key now, the base policy's pick first."""
        return tuple(islice(self.base.walk(key), self.width(key)))

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The key's backend, or one of them by chance; the first of the walk that is not excluded."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        if key is None or self.width(key) == 1:
            chosen: B = self.base.pick(key) if exclude == () else self.base.pick(key, exclude=exclude)
            return chosen
        for backend in self.walk(key):
            if backend.id not in exclude:
                self.chance.state = (self.chance.state + GAMMA) & WORD
                return backend
        able = bool(self.view.eligible.any())
        raise NoBackend("excluded" if able else "ineligible" if len(self.backends) else "empty")

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every eligible backend once: whoever would be picked now, the key's other backends, the rest of the walk."""
        order: Iterator[B] = self.base.walk(key)
        width = 1 if key is None else self.width(key)
        return order if width == 1 else self._drawn(order, width)

    def _drawn(self, order: Iterator[B], width: int) -> Iterator[B]:
        owners = list(islice(order, width))
        weights = [self._weights[backend.id] for backend in owners]
        left = mix64((self.chance.state + GAMMA) & WORD) * 2.0**-64 * math.fsum(weights)
        first = len(owners) - 1
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                first = place
                break
        if owners:
            yield owners.pop(first)
        yield from owners
        yield from order

    def reseed(self, seed: int) -> None:
        """Moves both cursors: requests without a key and those of hot keys go on from here, an int in [0, 2**64)."""
        self.base.reseed(seed)
        self.chance.state = seed

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker contradicts itself or its base."""
        if hasattr(self.base, "check_invariants"):
            self.base.check_invariants()
        self.sketch.check_invariants()
        for hot in self.sketch.top(4) if self.view.eligible.any() else ():
            names = [backend.id for backend in self.owners(hot.key)]
            assert 1 <= len(set(names)) == len(names) <= self.policy.k, "a key has 1 to k backends, none twice"
            assert names[0] == next(self.base.walk(hot.key)).id, "the first is the base policy's"

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _rebuilt, (self.policy, self.view, self.base, self.sketch, self.chance.state)


def _rebuilt(policy: HotKeySpread, view: View[Any], base: Any, sketch: HeavyHitters, state: int) -> HotKeyPicker[Any]:
    return HotKeyPicker(policy, view, base, sketch, Cursor(state))
