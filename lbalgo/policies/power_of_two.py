"""The power of two choices: two backends are drawn by weight, the less loaded of them gets the request.

One more choice than random's one takes the longest queue of n from about ln n / ln ln n to ln ln n / ln 2, and the mean
time in system at 90 % load from 10 service times to 2.6; every further choice gains little. And where comparing all
backends turns into a herd as soon as loads are stale or partial, two draws keep the requests apart: even loads that are
two service times old still beat round robin. The price is that the most loaded backend gets nothing at all while its
load stands.

The backends drawn are distinct: with replacement, two backends would be half random. A backend of half the weight is
drawn half as often, and the score (load + 1) / weight is compared. Where weights are to one another as small whole
numbers, the draw is from an urn with as many balls of each, and two are named by one random word; other weights are
drawn by the alias method, once more where it names the same backend again.

Costs: build O(N); pick O(choices squared), whatever the pool's size; memory 80 to 120 bytes a backend.
Sources: Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12, 2001; Azar, Broder,
Karlin, Upfal, "Balanced allocations", SIAM J. Comput. 29, 1999; Vvedenskaya, Dobrushin, Karpelevich 1996.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.active import LoadPicker
from lbalgo.endpoint import Endpoint
from lbalgo.loads.in_flight import InFlight
from lbalgo.loads.specs import check_load, loaded_from_dict
from lbalgo.policies.loaded import check_force_after, load_picker
from lbalgo.spec import check_integer, to_dict
from lbalgo.types import Backend, Ids, LoadSpec, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

MOST_CHOICES = 64  # what the kernel keeps on its stack


@dataclass(frozen=True)
class PowerOfTwo:
    """The least (load + 1) / (weight x factor) among a few distinct backends drawn by weight x factor.

    Parameters
    ----------
    choices : how many to draw, 1 (random by weight) to 64; when no more are eligible all are compared.
    load : specification of the live load; an own one has `start()`, `to_dict()` and the `Load` protocol behind it.
    force_after : seconds without a request after which a backend counts as idle, whatever its load; None: never.

    Raises
    ------
    ConfigError : `choices` is no integer from 1 to 64, `load` no specification of a load, `force_after`
        not > 0; at the pick, an own load answered with something not finite or < 0.

    The draw is without replacement, one after the other in proportion to weight. Of equal scores the first drawn wins:
    in a pool that is tied as a whole everybody gets exactly its weight's share, and comparing all is `LeastLoaded`.
    `walk` goes through the whole pool in such draws of `choices`, each by ascending score.

    A key is accepted and ignored. Picking never changes the load: the caller accounts, a `Balancer` for instance, or
    ``picker.load.started(picker.rows[slot], 1.0, now)``. A bare build draws the same sequence every time; `reseed`
    moves it.

    Costs: build O(N), pick O(choices ** 2), memory 80 to 120 bytes a backend, disruption does not apply.
    Source: Mitzenmacher, IEEE TPDS 12, 2001.

    Examples
    --------
    >>> picker = PowerOfTwo().build(["a", "b", "c"])
    >>> for _ in range(5):
    ...     picker.load.started(picker.rows[0], 1.0, 0.0)
    >>> {picker.pick().id for _ in range(100)} == {"b", "c"}
    True
    """

    choices: int = 2
    load: LoadSpec = InFlight()
    force_after: float | None = None

    def __post_init__(self) -> None:
        check_integer("choices", self.choices, low=1, high=MOST_CHOICES)
        check_load(self.load)
        check_force_after(self.force_after)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> LoadPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> LoadPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> LoadPicker[Any]:
        """A picker for this view; live load, rows and cursor are the previous one's if its load is the same."""
        view = view_of(view)
        return load_picker(self, view, previous, self.load, choices=self.choices, force_after=self.force_after)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> PowerOfTwo:
        """The policy `to_dict` described; `load` supplies a load of one's own."""
        policy: PowerOfTwo = loaded_from_dict(cls, data, load)
        return policy
