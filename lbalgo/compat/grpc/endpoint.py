"""Endpoints: what gRPC balances over, and how a view says what it knows of them.

An endpoint is one server with one or more addresses; which of its addresses a connection uses is no choice between
servers. Three states of a view mean something here: HEALTHY is an endpoint that is READY, UNHEALTHY one in
TRANSIENT_FAILURE. DEGRADED and DRAINING endpoints are not in the address list: of the health states of EDS, gRPC keeps
HEALTHY and UNKNOWN endpoints and drops all others.

Sources: gRPC proposals A42, A61, A76.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lbalgo.endpoint import Endpoint as PlainEndpoint
from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer
from lbalgo.types import Bool, State
from lbalgo.view import View

MAX_WEIGHT = 2**32 - 1  # a uint32 in EDS


class Connectivity(enum.Enum):
    """State of an endpoint's connection.

    Examples
    --------
    >>> Connectivity["READY"]
    <Connectivity.READY: 'READY'>
    """

    READY = "READY"
    IDLE = "IDLE"
    CONNECTING = "CONNECTING"
    TRANSIENT_FAILURE = "TRANSIENT_FAILURE"


@dataclass(frozen=True)
class Endpoint:
    """One server.

    Parameters
    ----------
    id : name, unique in its pool.
    weight : 1 to 2**32 - 1; by ring_hash and the weighted shuffle of pick_first only.
    addresses : its addresses, ``ip:port`` or a path, the first of which gives it its place on a ring; () stands for
        the id.
    hash_key : what gives it its place on a ring instead, if not "" (attribute `hash_key`, A76).

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Source: gRPC A61 (several addresses), A76 (hash key).

    Examples
    --------
    >>> Endpoint("a", addresses=("10.0.0.1:80", "[fd00::1]:80")).ring_key
    '10.0.0.1:80'
    >>> Endpoint("a", hash_key="web-0").ring_key
    'web-0'
    """

    id: str
    weight: int = 1
    addresses: tuple[str, ...] = ()
    hash_key: str = ""

    def __post_init__(self) -> None:
        check_id(self.id)
        check_integer("weight", self.weight, low=1, high=MAX_WEIGHT)
        if not isinstance(self.addresses, tuple):
            raise ConfigError("addresses", self.addresses, "must be a tuple of addresses")
        for i, address in enumerate(self.addresses):
            check_id(address, f"addresses[{i}]")
        if self.hash_key != "":
            check_id(self.hash_key, "hash_key")

    @property
    def ring_key(self) -> str:
        """What its points on a ring are made of: the hash key, else the first address."""
        return self.hash_key or first_address(self)


def addresses_of(endpoint: Any) -> tuple[str, ...]:
    """The addresses of an endpoint of any type; of one that names none, its id."""
    return tuple(getattr(endpoint, "addresses", ())) or (endpoint.id,)


def first_address(endpoint: Any) -> str:
    """The first address of an endpoint of any type."""
    return addresses_of(endpoint)[0]


def ring_key(endpoint: Any) -> str:
    """What the points of an endpoint of any type are made of."""
    return getattr(endpoint, "hash_key", "") or first_address(endpoint)


def ring_keys(view: View[Any]) -> Sequence[str]:
    """`ring_key` of every backend."""
    if set(map(type, view.backends)) == {PlainEndpoint}:  # which have no addresses
        return view.ids
    return [ring_key(backend) for backend in view.backends]


def check_weights(view: View[Any]) -> None:
    """Refuses a view with a weight that is no uint32 of at least 1."""
    weights = view.weights
    for slot in np.flatnonzero((weights != np.floor(weights)) | (weights < 1) | (weights > MAX_WEIGHT)).tolist():
        raise ConfigError(
            f"weights[{view.ids[slot]!r}]", weights.item(slot), f"must be an integer from 1 to {MAX_WEIGHT}"
        )


def ready(view: View[Any]) -> Bool:
    """Which endpoints are READY."""
    return np.equal(view.states, State.HEALTHY)


def listed(view: View[Any]) -> Bool:
    """Which endpoints are in the address list: READY or in TRANSIENT_FAILURE."""
    return np.equal(view.states, State.HEALTHY) | np.equal(view.states, State.UNHEALTHY)
