"""Least loaded: every request goes to the backend that has the least to do for its weight.

With fresh and complete knowledge of the loads this is the best one can do without knowing job sizes (join the shortest
queue): 100 servers at 90 % load answer in 1.07 service times on average, where random choice needs 10 and two choices
2.65. Stale or partial knowledge turns it around: everybody herds to the same backend. With many clients that count only
their own requests, or loads older than half a service time, compare a few (`PowerOfTwo`) instead of all.

The score is (load + 1) / weight: what a backend's share would be with this request. The one added makes idle backends
differ by weight and not by position.

Costs: build O(N); pick O(log N) where the load is `InFlight`, else O(N), one load, one division and one comparison
each; memory 40 bytes a backend, and 24 more for `InFlight`.
Sources: Winston, "Optimality of the shortest line discipline", J. Appl. Prob. 14, 1977; the weighted score is shortest
expected delay (Banawan and Zahorjan, "Load sharing in heterogeneous queueing systems", INFOCOM 1989).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.active import LoadPicker
from lbalgo.endpoint import Endpoint
from lbalgo.loads.in_flight import InFlight
from lbalgo.loads.specs import check_load, loaded_from_dict
from lbalgo.policies.loaded import check_force_after, load_picker
from lbalgo.spec import check_enum, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Ids, LoadSpec, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)


class Ties(enum.Enum):
    """Who gets the request among backends of equal score.

    WEIGHTED draws in proportion to weight x factor. FIRST takes the first slot: then one backend of a mostly idle pool
    gets nearly everything, 1 / (1 + a) of the requests at a offered load of a Erlang.

    Examples
    --------
    >>> Ties.WEIGHTED
    Ties.WEIGHTED
    """

    WEIGHTED = "weighted"
    FIRST = "first"

    def __repr__(self) -> str:
        return f"Ties.{self.name}"


@dataclass(frozen=True)
class LeastLoaded:
    """The eligible backend of least (load + 1) / (weight x factor).

    Parameters
    ----------
    load : specification of the live load; an own one has `start()`, `to_dict()` and the `Load` protocol behind it.
    ties : who gets the request among equal scores.
    force_after : seconds without a request after which a backend counts as idle, whatever its load; None: never.

    Raises
    ------
    ConfigError : `load` is no specification of a load, `ties` no member of `Ties`, `force_after` not
        > 0; at the pick, an own load answered with something not finite or < 0.

    A key is accepted and ignored. Picking never changes the load: the caller accounts, a `Balancer` for instance, or
    ``picker.load.started(picker.rows[slot], 1.0, now)``. `walk` is by ascending score. A bare build draws the same
    ties every time; `reseed` moves them.

    Costs: build O(N), pick O(log N) by `InFlight` and O(N) else, memory 64 bytes a backend, disruption does not apply.
    Source: Winston 1977 (shortest queue); Banawan and Zahorjan, INFOCOM 1989 (shortest expected delay).

    Examples
    --------
    >>> picker = LeastLoaded().build({"a": 2, "b": 1})
    >>> picker.pick().id
    'a'
    >>> for _ in range(2):
    ...     picker.load.started(picker.rows[0], 1.0, 0.0)
    >>> picker.scores().tolist(), picker.pick().id
    ([1.5, 1.0], 'b')
    """

    load: LoadSpec = InFlight()
    ties: Ties = Ties.WEIGHTED
    force_after: float | None = None

    def __post_init__(self) -> None:
        check_load(self.load)
        check_enum("ties", self.ties, Ties)
        check_force_after(self.force_after)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> LoadPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> LoadPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> LoadPicker[Any]:
        """A picker for this view; live load, rows and cursor are the previous one's if its load is the same."""
        first, force = self.ties is Ties.FIRST, self.force_after
        return load_picker(self, view_of(view), previous, self.load, first=first, force_after=force)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> LeastLoaded:
        """The policy `to_dict` described; `load` supplies a load of one's own."""
        policy: LeastLoaded = loaded_from_dict(cls, data, load, ties=enum_from_name(Ties))
        return policy


@dataclass(frozen=True)
class LeastConnections:
    """`LeastLoaded` by requests in flight, under the name operators know.

    Parameters
    ----------
    ties : who gets the request among equal scores.

    Raises
    ------
    ConfigError : `ties` is no member of `Ties`.

    Costs: build O(N), pick O(log N). Memory, walk, keys and accounting are as with `LeastLoaded`.
    Source: the "leastconn" or "least_conn" of HAProxy and nginx, with the score (requests + 1) / weight.

    Examples
    --------
    >>> picker = LeastConnections().build(["a", "b"])
    >>> picker.load.started(picker.rows[0], 1.0, 0.0)
    >>> picker.pick().id
    'b'
    """

    ties: Ties = Ties.WEIGHTED

    def __post_init__(self) -> None:
        check_enum("ties", self.ties, Ties)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> LoadPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> LoadPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> LoadPicker[Any]:
        """A picker for this view; live load, rows and cursor are the previous one's if that counted requests too."""
        return load_picker(self, view_of(view), previous, InFlight(), first=self.ties is Ties.FIRST)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LeastConnections:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"ties": enum_from_name(Ties)})
