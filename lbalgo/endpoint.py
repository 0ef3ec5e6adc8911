"""`Endpoint`, the ready-made backend for those who have no type of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lbalgo.errors import ConfigError
from lbalgo.spec import check_id, check_integer, check_weight

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """A frozen, hashable, picklable backend.

    Parameters
    ----------
    id : name, unique in its pool; not empty.
    weight : relative capacity, finite and >= 0; 0 takes no new traffic.
    zone : where it is, or None.
    priority : 0 is preferred; integer >= 0.
    metadata : pairs of strings, for subsetting.
    payload : whatever the caller wants to find again (an address, a connection pool).

    Raises
    ------
    ConfigError : a field is out of range or of another type.

    Examples
    --------
    >>> Endpoint("a", 2.0).weight
    2.0
    """

    id: str
    weight: float = 1.0
    zone: str | None = None
    priority: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    payload: T | None = None

    def __post_init__(self) -> None:
        check_id(self.id)
        check_weight("weight", self.weight)
        if self.zone is not None and not isinstance(self.zone, str):
            raise ConfigError("zone", self.zone, "must be a string or None")
        check_integer("priority", self.priority, low=0)
        ok = isinstance(self.metadata, tuple) and all(
            isinstance(p, tuple) and len(p) == 2 and all(isinstance(x, str) for x in p) for p in self.metadata
        )
        if not ok:
            raise ConfigError("metadata", self.metadata, "must be a tuple of pairs of strings")


def endpoint(id: str, weight: float = 1.0) -> Endpoint[Any]:
    """An `Endpoint` with no payload type to infer.

    Examples
    --------
    >>> endpoint("a")
    Endpoint(id='a', weight=1.0, zone=None, priority=0, metadata=(), payload=None)
    """
    return Endpoint(id, weight)
