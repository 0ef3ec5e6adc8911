"""Rendezvous hashing: every backend draws a score for the key, the best score serves it.

Backend i draws u_i, uniform in (0, 1), from ticket and id, and scores -ln(u_i) / w_i, an exponential variable of rate
w_i; the least of them is i's with probability w_i / sum w, exactly. A score depends on nothing but the key, the backend
and its own weight: whatever joins, leaves or changes weight, a key moves only to a riser or away from a faller. There
is no table, so nothing is rebuilt and nothing is rounded to positions; the price is a pass over the pool at each pick.

The logarithm is the library's own, from IEEE + - * / alone, because the last bit of a platform's may differ, and a
last bit is enough to send a key to another backend than another machine does.

Signals enter by the weight: w = weight * factor / (largest factor of the configured backends), for the eligible.

Costs: build O(N); pick O(N) with few logarithms; memory 44 bytes a backend, 12 more where most but not all weigh the
same; disruption minimal.
Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 6(1), 1998; weights
after Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005 (the logarithmic method).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import RendezvousRace, Structure, TicketPicker, mix64, xxh64
from lbalgo.endpoint import Endpoint
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import keyed_picker
from lbalgo.spec import to_dict
from lbalgo.types import F64, I64, Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class Rendezvous:
    """Consistent hashing without a table: highest random weight, with exact weights and least disruption.

    Parameters
    ----------
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).

    Raises
    ------
    ConfigError : hasher or seed are invalid.

    Costs: build O(N), pick O(N), walk O(N) and O(log N) a step, memory 44 to 56 bytes a backend, disruption minimal: a
    key moves only if its owner leaves, becomes ineligible or loses weight, or to a backend that joined, recovered or
    gained. `shares` is the law w / sum(w); u has 52 bits, so a share below about 2**-53 is never served.
    Any finite weights and factors will do: no product of them over- or underflows.
    Source: Thaler and Ravishankar 1998; Schindelhauer and Schomaker, SPAA 2005, for the weights.

    Examples
    --------
    >>> picker = Rendezvous().build({"a": 2, "b": 1, "c": 1})
    >>> picker.shares().tolist()
    [0.5, 0.25, 0.25]
    >>> order = [backend.id for backend in picker.walk("user-17")]
    >>> picker.pick("user-17").id == order[0]
    True
    >>> picker.pick("user-17", exclude={order[0]}).id == order[1]
    True
    """

    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        check_hasher(self.hasher, self.seed)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> TicketPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> TicketPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> TicketPicker[Any]:
        """A picker for this view, with the previous picker's cursor."""
        view = view_of(view)
        return keyed_picker(self, view, previous, lambda: self._structure(view), thin=False)

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> Rendezvous:
        """The policy `to_dict` described."""
        policy: Rendezvous = policy_from_dict(cls, data, hasher)
        return policy

    def _structure(self, view: View[Any]) -> Structure:
        slots = sorted(np.flatnonzero(view.eligible).tolist(), key=view.ids.__getitem__)
        if not slots:
            return Structure()
        salts = np.array([mix64(xxh64(view.ids[slot].encode())) for slot in slots], dtype=np.uint64)
        mantissas, exponents = rates(view)
        return RendezvousRace(salts, slots, mantissas[slots], exponents[slots], len(view))

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        eligible = picker.view.eligible
        if not eligible.any():
            return np.zeros(len(eligible))
        mantissas, exponents = rates(picker.view)
        rate = np.ldexp(np.where(eligible, mantissas, 0.0), exponents - exponents[eligible].max())
        return np.asarray(rate / rate.sum(), dtype=np.float64)

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        mantissas, exponents = rates(picker.view)
        return b"Rendezvous" + mantissas[order].astype("<f8").tobytes() + exponents[order].astype("<i8").tobytes()

    def _check(self, picker: TicketPicker[Any]) -> None:
        race = picker.structure
        entered = sorted(race.walk(0))
        assert entered == np.flatnonzero(picker.view.eligible).tolist(), "exactly the eligible backends race"
        if isinstance(race, RendezvousRace):
            assert race.size == len(entered), "each races once"
            assert race.even == (
                len(set(zip(*(part[entered].tolist() for part in rates(picker.view)), strict=True))) == 1
            )


def rates(view: View[Any]) -> tuple[F64, I64]:
    """weight * (factor / largest factor) of every backend as mantissa in [0.5, 1) and power of two, so that no product
    over- or underflows; weight 0 has mantissa 0.

    Examples
    --------
    >>> rates(View.of({"a": 1e300, "b": 1e-300}, factors={"b": 1e-300}))[1].tolist()
    [997, -1993]
    """
    weights, weight_powers = np.frexp(view.weights)
    factors, factor_powers = np.frexp(view.factors)
    if len(factors):
        top, top_power = np.frexp(view.factors.max())
        factors, factor_powers = factors / top, factor_powers - top_power
    mantissas, powers = np.frexp(weights * factors)
    return mantissas, (powers.astype(np.int64) + weight_powers + factor_powers)
