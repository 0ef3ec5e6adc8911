"""Jump: a key's bucket computed from its hash and the number of buckets, with no table and perfect balance.

Buckets are positions in listing order. When a bucket is appended each key jumps into it with chance 1 / n or stays; so
the pool may grow and shrink at its end and nowhere else. A backend that leaves the middle for a while is given weight 0
or made ineligible: it keeps its position, and its keys are rehashed. So a backend appended with weight 0 moves keys
before it can serve any: append it with its weight.

Costs: build O(N); pick O(log N): H_N iterations in the mean; memory a byte a backend; disruption minimal.
Source: Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.active import JumpBuckets, TicketPicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.building import first_accepting, keyed_picker
from lbalgo.spec import to_dict
from lbalgo.types import F64, Backend, Ids, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class Jump:
    """Consistent hashing without a table, for pools that change only at their end.

    A ticket's base order is that of the buckets it and its rehashes (mix64, chained) jump into, 4 N jumps in all, then
    the rendezvous order of the rest.

    Parameters
    ----------
    hasher : hash of the key.
    seed : of the key hash, in [0, 2**64).

    Raises
    ------
    ConfigError : hasher or seed are invalid; at build, weights above 0 that are not all equal, or backends other than
        those of `previous` (if that is a picker of a `Jump`) with some appended at the end or some removed there.

    Costs: build O(N), pick O(log N), memory N bytes, disruption minimal, per key. `shares` is the law (the base order
    is a uniformly random one): the same for every backend with weight, and with coins in play the chance of being the
    first to accept.
    Source: Lamping and Veach 2014.

    Examples
    --------
    >>> picker = Jump().build(["a", "b", "c"])
    >>> [picker.slot(ticket) for ticket in (0, 1, 0xDEAD10CC)]
    [0, 0, 1]
    >>> picker.shares().tolist()
    [0.3333333333333333, 0.3333333333333333, 0.3333333333333333]
    >>> Jump().build(["b", "c"], previous=picker)
    Traceback (most recent call last):
    lbalgo.errors.ConfigError: backends = ('b', 'c'): may differ from the previous ones only at the end
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
        """A picker for this view, whose backends may differ from the previous picker's only at the end."""
        view = view_of(view)
        if isinstance(previous, TicketPicker) and isinstance(previous.policy, Jump):
            known = min(len(view.ids), len(previous.view.ids))
            if view.ids[:known] != previous.view.ids[:known]:
                raise ConfigError("backends", view.ids, "may differ from the previous ones only at the end")
        used = view.weights[view.weights > 0]
        if len(used) and (used != used[0]).any():
            odd = int(((view.weights > 0) & (view.weights != used[0])).argmax())
            raise ConfigError(
                f"weights[{view.ids[odd]!r}]", float(view.weights[odd]), f"must be 0 or {used[0]:g}, like the others"
            )
        return keyed_picker(self, view, previous, lambda: JumpBuckets(view.weights > 0))

    def to_dict(self) -> dict[str, object]:
        """Plain data; a secret or a function is not in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, hasher: Hasher | None = None) -> Jump:
        """The policy `to_dict` described."""
        policy: Jump = policy_from_dict(cls, data, hasher)
        return policy

    def _shares(self, picker: TicketPicker[Any]) -> F64:
        shares = np.zeros(len(picker.backends))
        able = np.flatnonzero(picker.view.eligible)
        if len(able):
            accept = picker.acceptance()[able]
            law = first_accepting(accept) + np.prod(1.0 - accept) / len(able)
            shares[able] = 1.0 / len(able) if picker.plain else law
        return shares

    def _content(self, picker: TicketPicker[Any], order: list[int]) -> bytes:
        weighted = (picker.view.weights > 0).astype(np.uint8).tobytes()
        return b"Jump" + np.array(order, dtype="<i4").tobytes() + weighted

    def _check(self, picker: TicketPicker[Any]) -> None:
        weights = picker.view.weights
        assert len(np.unique(weights[weights > 0])) <= 1, "weights above 0 are equal"
        assert picker.structure.slots == (len(weights) if (weights > 0).any() else 0), "a bucket for each backend"
