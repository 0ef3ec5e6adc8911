"""Varnish's shard director: consistent hashing on a ring without wrap-around.

Without alternates, warm-up and ramp-up the decision is a function of the key and of who is healthy: `ring` has its
points, the native ring decides. With them a machine (`alternates`) walks the same ring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload

import numpy as np

from lbalgo.active import Ring, TicketPicker
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.structures import dialect_picker, raw_hasher, structure_check, structure_content, structure_shares
from lbalgo.compat.varnish.alternates import Healthy, ShardMachine
from lbalgo.compat.varnish.backend import backend_of, healthy
from lbalgo.compat.varnish.ring import REPLICAS, TICKETS, By, explain_key, ring_of
from lbalgo.compat.varnish.turns import draws_of
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps
from lbalgo.spec import check_bool, check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
MOST = 2**31 - 1  # points of a native ring, of which one is the end's


@dataclass(frozen=True)
class Shard:
    """The shard director, with the parameters of its constructor and of its ``.backend()``.

    Parameters
    ----------
    replicas : points for each unit of weight, from 1 (``.reconfigure(replicas)``).
    by : what the keys are.
    alt : how many backends to skip, from 0.
    warmup : probability of using the next backend instead, 0 to 1 (``.set_warmup(probability)``).
    duration : seconds for which a backend that became healthy ramps up (``.set_rampup(duration)``).
    rampup : whether a backend that ramps up sends a part of its keys to the next one.
    healthy : how health counts.
    srandom : the seed of Varnish's testable generator, which warmup and rampup draw from; None for lbalgo's own words.

    Raises
    ------
    ConfigError : a parameter is invalid; at build, the weights give 2**31 - 1 points or more.

    If alt, warmup and duration are 0 (and no backend has a rampup) the picker is a native one, by tickets. Else it is
    a machine's, which has neither tickets nor shares; it hears the time as a load does. There `walk` and `exclude` go
    on from the choice to the others in the key's order. Factors and panic play no part; UNHEALTHY and DRAINING
    backends are sick, but a weight of 0 counts as 1.

    Costs: build one SHA-256 a point and a sort, pick O(1), memory 28 to 44 bytes a point; disruption minimal, but for
    keys beyond the last point. `shares` is exact: lengths of arcs.
    Source: Varnish 7.1 documentation, vmod_directors, "shard"; replayed against 7.1.1.

    Examples
    --------
    >>> [Shard(alt=alt).build(["a", "b", "c"]).pick("/index.html").id for alt in (0, 1, 2)]
    ['a', 'b', 'c']
    """

    takes_key: ClassVar[bool] = True
    hash_bits: ClassVar[int] = 32
    replicas: int = REPLICAS
    by: By = By.KEY
    alt: int = 0
    warmup: float = 0.0
    duration: float = 0.0
    rampup: bool = True
    healthy: Healthy = Healthy.CHOSEN
    srandom: int | None = None

    _shares = structure_shares
    _content = structure_content
    _check = structure_check

    def __post_init__(self) -> None:
        check_integer("replicas", self.replicas, low=1, high=2**31 - 1)
        check_enum("by", self.by, By)
        check_integer("alt", self.alt, low=0, high=2**31 - 1)
        check_real("warmup", self.warmup, low=0.0, high=1.0)
        check_real("duration", self.duration, low=0.0)
        check_bool("rampup", self.rampup)
        check_enum("healthy", self.healthy, Healthy)
        if self.srandom is not None:
            check_integer("srandom", self.srandom, low=0, high=2**32 - 1)

    @overload
    def build(
        self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None
    ) -> TicketPicker[Endpoint[Any]] | MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B] | MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any] | MachinePicker[Any]:
        """A picker for this view; the ring is the previous one's if nothing changed."""
        view = view_of(view)
        total = 0
        for id, weight in zip(view.ids, view.weights.tolist(), strict=True):
            total += int(self.replicas * max(weight, 1.0))
            if total >= MOST:
                raise ConfigError(f"weights[{id!r}]", weight, f"makes {MOST} points or more in all")
        if self._remembers(view):
            return machine_picker(self, view, previous, lambda: ShardMachine(self, draws_of(self.srandom)))
        usable = np.full(len(view), True) if self.healthy is Healthy.IGNORE else healthy(view)
        idents = [backend_of(backend).ident or backend.id for backend in view.backends]

        def structure() -> Ring:
            return ring_of(idents, view.weights.tolist(), self.replicas, usable.tolist())

        return dialect_picker(self, view, previous, usable, structure, raw_hasher(TICKETS[self.by]))

    def _remembers(self, view: View[Any]) -> bool:
        """Whether more decides than the key and who is healthy."""
        if self.alt:
            return True
        ramps = self.duration > 0 or any(backend_of(backend).rampup for backend in view.backends)
        return self.healthy is not Healthy.IGNORE and (self.warmup > 0 or (self.rampup and ramps))

    def explain_key(self, data: bytes) -> Steps:
        """The hash of a key."""
        return explain_key(self.by, data)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Shard:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"by": enum_from_name(By), "healthy": enum_from_name(Healthy)})
