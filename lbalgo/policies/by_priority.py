"""Priorities: a first choice that spills over to the next only as far as it has lost capacity.

Backends have a `priority`, 0 first. A level with h of its weight healthy can do

    capacity = min(1, overprovisioning * h)

so that with 1.4 it keeps everything until a bit more than two sevenths of it are gone, and gives away gradually from
there. Level 0 takes its capacity of the requests, level 1 of what is left its own, and so on. If all capacities
together are less than 1, nobody has room for what is left, and all is divided in proportion to the capacities.

Panic is judged level by level, and only then: while other levels have room for what one has lost, there is no need to
try the unhealthy. A pool in which nobody is healthy asks level 0.

The gain over "the next level once this one is down": no cliff. The price: under partial failure traffic crosses to the
next level, as a region is crossed, though the first still works.

Costs: build as the base policy for each level; pick as the base policy, and a hash of the key and a few steps while
more than one level is used; memory as the base policy. Disruption: keys move between levels as shares do, and only
those.
Source: Envoy, "Priority levels" and "Panic threshold" (there in whole per cents and by hosts; here exactly, and by
weight).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.hashing import XXH64, Hasher, check_hasher, policy_from_dict
from lbalgo.policies.bounded_load import _policy_from
from lbalgo.policies.parted import PartedPicker, Piece, parted
from lbalgo.spec import check_integer, check_real, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool, State
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)
OVERPROVISIONING = 1.4  # Envoy's


@dataclass(frozen=True)
class ByPriority:
    """Any policy, within levels of priority that spill over.

    Parameters
    ----------
    policy : the base policy, of each level.
    overprovisioning : how many times the healthy part of a level it can carry, >= 1.
    hasher : hash of the key, for the draw of its level.
    seed : of that hash, [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is invalid; when built, a backend's `priority` is no integer >= 0.

    A backend without a `priority` has 0.

    Costs: as the base policy for each level, and about 0.15 us a pick, 0.65 us while more than one is used.
    Source: Envoy, "Priority levels".

    Examples
    --------
    >>> from lbalgo import Maglev, Outcome
    >>> pool = [Endpoint(f"{p}{i}", priority=p) for p in (0, 1) for i in range(10)]
    >>> down = {f"0{i}": State.UNHEALTHY for i in range(5)}
    >>> picker = ByPriority(Maglev()).build(View.of(pool, states=down))
    >>> [(part.name, round(part.share, 2)) for part in picker.parts]
    [(0, 0.7), (1, 0.3)]
    """

    policy: Any
    overprovisioning: float = OVERPROVISIONING
    hasher: Hasher = XXH64()
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "build", None)):
            raise ConfigError("policy", self.policy, "must be a policy, such as Maglev()")
        check_real("overprovisioning", self.overprovisioning, low=1.0)
        check_hasher(self.hasher, self.seed)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> PartedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> PartedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> PartedPicker[Any]:
        """A picker for this view; each level's goes on where it stood."""
        view = view_of(view)
        return parted(self, view, self.policy, self._pieces(view), previous)

    def _pieces(self, view: View[Any]) -> list[Piece]:
        levels = np.array(
            [check_integer(f"priority of {b.id!r}", getattr(b, "priority", 0), low=0) for b in view.backends],
            dtype=np.int64,
        )
        weights = view.weights / view.weights.max(initial=1.0)  # so that no sum is infinite
        candidates = np.where(view.states < State.DRAINING, weights, 0.0)
        healthy = np.where(view.states == State.HEALTHY, weights, 0.0)
        masks = {int(level): levels == level for level in np.unique(levels)}
        capacity = {
            level: min(1.0, self.overprovisioning * float(healthy[mask].sum() / candidates[mask].sum()))
            if candidates[mask].any()
            else 0.0
            for level, mask in masks.items()
        }
        total = sum(capacity.values())
        left, pieces = 1.0, []
        for level, mask in masks.items():
            share = min(left, capacity[level]) if total >= 1.0 else capacity[level] / total if total else left
            left -= share
            pieces.append(Piece(level, mask, share, 0.0 if total >= 1.0 else view.panic_below))
        return pieces

    def to_dict(self) -> dict[str, object]:
        """Plain data, the base policy's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, policy: Any = None, hasher: Hasher | None = None) -> ByPriority:
        """The policy `to_dict` described; `policy` and `hasher` supply those that plain data cannot."""
        if policy is not None and isinstance(data, Mapping):
            data = {**data, "policy": policy}
        made: ByPriority = policy_from_dict(cls, data, hasher, policy=_policy_from)
        return made
