"""Prequal: probes of a few backends, kept for the requests to come; latency while there is room, else queue length.

The client asks a few random backends how much they have in flight and how long a request would take. It does not wait:
the answers go into a small pool, and the requests that follow choose from it. In the pool a probe is *hot* if its
requests in flight are above the `quantile` of those in the pool, else *cold*. Then, lexicographically:

- if any is cold, the cold one of least latency;
- else the one of fewest requests in flight.

Latency finds the fast machine, but only of the past; requests in flight know of a burst at once. So latency chooses
among those that have no queue worth speaking of. `quantile` 0 is least requests in flight, 1 is least latency alone.

With fewer than two probes that count the backend is drawn by weight. A backend that fails too often is *averse* and
comes after all others (`lbalgo.policies.probe_pool`, which also says when probes are dropped). So that slow start and
weights mean something, requests in flight, with this one, are divided by weight x factor, and latency by the factor.

Whom to probe is data: `to_probe(picker)` names the backends, uniformly drawn without replacement, that are due for the
requests since it was last asked; the answers come back by ``balancer.report(id, Probe(rif, latency))``.

Costs: pick O(m log m) for m probes; memory 200 bytes a probe and 64 a backend; `probes` messages a request.
Source: Wydrowski, Kleinberg, Rumble, Archer, NSDI 2024 (arXiv 2312.10172).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.active import mix64
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.policies.probe_pool import ProbePool, hot_above
from lbalgo.policies.walked import GAMMA, WORD, WalkedPicker, walked_picker
from lbalgo.spec import check_integer, check_real, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

PROBES, POOL, AGE, REMOVE, DELTA = 3.0, 16, 1.0, 1.0, 1.0  # the paper's
QUANTILE = 0.7  # the paper has 2**-0.25 = 0.84 and calls 0.6 to 0.9 good; lower is safer where latencies are stale
AVERSION, TAU = 0.2, 10.0  # ours: more than a fifth of failures, as Finagle's success rate of 0.8; seconds
ENOUGH = 2  # probes; with fewer the choice is random
WHOM = 0x9E0B_E5E7_70_A5C  # sets the draw of whom to probe apart from the ticket of the next request


@dataclass(frozen=True)
class Prequal:
    """The fastest of those that are not hot, by probes of a few backends.

    Parameters
    ----------
    probes : to send for a request, from 0 to 64; parts add up.
    pool : most probes held, 2 to 1024.
    age : seconds for which a probe counts, > 0.
    remove : probes to drop for a request, the oldest and the worst in turn, from 0 to 64; parts add up.
    delta : by how much more than it needs the pool is used, from 0 to 64.
    quantile : of the requests in flight in the pool; whoever has more is hot, 0 to 1.
    aversion : share of failures above which a backend comes last, > 0 and <= 1; 1: never.
    tau : seconds in which an answer is forgotten to 1/e, from 1e-3 to 1e9.

    Raises
    ------
    ConfigError : a parameter is out of its range; by the live load, for a report that is no `Probe`.

    Picking never changes the pool: the caller accounts, a `Balancer` for instance. A key is accepted and ignored.
    `walk` is by the rule, then the unprobed as drawn by weight, then the averse. The pool and the cursor are handed on.
    A request counts as one, whatever it costs: servers answer with how many they have.

    Costs: build O(N), pick O(pool log pool), memory 64 bytes a backend and 200 a probe, disruption does not apply.
    Source: Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance", NSDI 2024.

    Examples
    --------
    >>> from lbalgo.policies import Probe
    >>> policy = Prequal(quantile=0.5)
    >>> picker = policy.build(["a", "b", "c"])
    >>> for row, probe in enumerate([Probe(1, 0.3), Probe(2, 0.1), Probe(9, 0.0)]):
    ...     picker.load.reported(row, probe, 0.0)
    >>> [backend.id for backend in picker.walk()]  # b and a are cold
    ['b', 'a', 'c']
    >>> picker.load.started(picker.rows[1], 1.0, 0.0)
    >>> sorted(backend.id for backend in policy.to_probe(picker)), policy.to_probe(picker)
    (['a', 'b', 'c'], [])
    """

    probes: float = PROBES
    pool: int = POOL
    age: float = AGE
    remove: float = REMOVE
    delta: float = DELTA
    quantile: float = QUANTILE
    aversion: float = AVERSION
    tau: float = TAU

    def __post_init__(self) -> None:
        check_real("probes", self.probes, low=0.0, high=64.0)
        check_integer("pool", self.pool, low=ENOUGH, high=1024)
        check_real("age", self.age, low=0.0, open_low=True)
        check_real("remove", self.remove, low=0.0, high=64.0)
        check_real("delta", self.delta, low=0.0, high=64.0)
        check_real("quantile", self.quantile, low=0.0, high=1.0)
        check_real("aversion", self.aversion, low=0.0, high=1.0, open_low=True)
        check_real("tau", self.tau, low=1e-3, high=1e9)

    def start(self) -> ProbePool:
        """A new pool, without probes."""
        return ProbePool(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> WalkedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> WalkedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> WalkedPicker[Any]:
        """A picker for this view; pool, rows and cursor are the previous one's if its policy is equal."""
        picker = walked_picker(self, view_of(view), previous)
        picker.load.backends = len(picker.slots)  # on which it depends how often a probe may serve
        return picker

    def to_probe(self, picker: WalkedPicker[B]) -> list[B]:
        """Whom to probe for the requests since this was last asked: eligible backends, none twice, uniformly drawn.

        Parameters
        ----------
        picker : the newest picker of this policy; `Balancer.picker`, for instance.

        Raises
        ------
        ConfigError : the picker is not of this policy.

        Cost: O(probes).
        """
        if not isinstance(picker, WalkedPicker) or picker.policy != self:
            raise ConfigError("picker", picker, f"must be built by {self!r}")
        slots, bits = picker.slots, mix64(picker.cursor.state ^ WHOM)
        count, moved, chosen = picker.load.take(len(slots)), dict[int, int](), list[B]()
        for at in range(count):
            other = at + ((mix64((bits + at * GAMMA) & WORD) * (len(slots) - at)) >> 64)
            chosen.append(picker.backends[slots[moved.get(other, other)]])
            moved[other] = moved.get(at, at)
        return chosen

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Prequal:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _order(self, picker: WalkedPicker[Any], ticket: int) -> Iterator[int]:
        """The probed by the rule, if they are enough; then the others as drawn; those averse at the end."""
        pool: ProbePool = picker.load
        known = {picker.slot_of[row]: probe for row, probe in pool.held.items() if row in picker.slot_of}
        ranks: dict[int, tuple[bool, float, float]] = {}
        liked = [slot for slot in known if not pool.averse(picker.lanes[slot])]
        if len(liked) >= ENOUGH:
            queues = [(known[slot].rif + 1.0) / picker.weights[slot] for slot in liked]
            line = hot_above(queues, self.quantile)
            for slot, queue in zip(liked, queues, strict=True):
                delay = known[slot].latency / picker.factors[slot]
                ranks[slot] = (True, queue, delay) if queue > line else (False, delay, queue)
            yield from picker.ascending(ranks, ticket)
        averse = []
        for slot in picker.sample(ticket):
            if slot not in ranks:
                if pool.averse(picker.lanes[slot]):
                    averse.append(slot)
                else:
                    yield slot
        yield from averse
