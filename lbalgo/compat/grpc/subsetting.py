"""Random subsetting: each client uses a few endpoints of its own, chosen by rendezvous hashing under its own seed.

Endpoints are sorted by XXH64 of their first address under the client's seed, and the first `subset_size` are the list
that the child policy sees, in that order. When an endpoint joins or leaves, at most one place of a client's subset
changes. Over many clients the load evens out as random assignment does: a server's number of clients is binomial.

Costs: O(N log N) at a rebuild, nothing at a pick. Described only: not replayed against a program.
Source: gRPC A68.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lbalgo.active import xxh64
from lbalgo.compat.grpc.endpoint import first_address, listed
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer, to_dict
from lbalgo.types import Backend, Picker, Policy, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


def subset(addresses: Sequence[str], subset_size: int, seed: int) -> list[int]:
    """Positions of the endpoints in the subset, in the order in which the child policy gets them.

    Parameters
    ----------
    addresses : each endpoint's first address.
    subset_size : how many, >= 1; all of them, in the order given, if there are no more.
    seed : of the hash, in [0, 2**64).

    Raises
    ------
    ConfigError : the size or the seed is out of its range.

    Examples
    --------
    >>> subset(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"], 2, 1)
    [1, 0]
    """
    check_integer("subset_size", subset_size, low=1)
    check_integer("seed", seed, low=0, high=2**64 - 1)
    if subset_size >= len(addresses):
        return list(range(len(addresses)))
    hashes = [xxh64(address.encode(), seed) for address in addresses]
    return sorted(range(len(addresses)), key=hashes.__getitem__)[:subset_size]  # equal hashes: as listed


@dataclass(frozen=True)
class RandomSubsetting:
    """gRPC's `random_subsetting`: a child policy that sees only `subset_size` of the endpoints.

    Parameters
    ----------
    child_policy : the policy that balances over the subset.
    subset_size : endpoints in it, >= 1.
    seed : in [0, 2**64); gRPC draws it when the policy is made, so that each client has another one.

    Raises
    ------
    ConfigError : the child has no `build`, or a parameter is out of its range.

    The picker is the child's, and its `backends` are the subset. Endpoints that fail stay in it.

    Costs: build O(N log N) and the child's; pick the child's; one join or leave changes at most one place.
    Source: gRPC A68. Described only.

    Examples
    --------
    >>> from lbalgo import RoundRobin
    >>> picker = RandomSubsetting(RoundRobin(), 2, seed=1).build(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"])
    >>> [backend.id for backend in picker.backends]
    ['10.0.0.2:80', '10.0.0.1:80']
    """

    child_policy: Policy
    subset_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        if not callable(getattr(self.child_policy, "build", None)):
            raise ConfigError("child_policy", self.child_policy, "must have a method build")
        check_integer("subset_size", self.subset_size, low=1)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> Picker[B]:
        """The child's picker over the subset."""
        view = view_of(view)
        here = np.flatnonzero(listed(view)).tolist()
        chosen = subset([first_address(view.backends[i]) for i in here], self.subset_size, self.seed)
        order = np.array([here[i] for i in chosen], dtype=np.int64)
        part: View[B] = View(
            tuple(view.backends[i] for i in order),
            view.weights[order],
            view.factors[order],
            view.states[order],
            panic_below=view.panic_below,
            rows=None if view.rows is None else view.rows[order],
            ids=tuple(view.ids[i] for i in order),
        )
        return self.child_policy.build(part, previous=previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], child_policy: Policy) -> RandomSubsetting:
        """The policy `to_dict` described, around a child that was made from its own description."""
        from lbalgo.spec import from_dict

        return from_dict(cls, data, {"child_policy": lambda _: child_policy})
