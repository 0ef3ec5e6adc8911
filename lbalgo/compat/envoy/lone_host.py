"""`LoneHost`: the picker of a subset that has one host only (`single_host_per_subset`).

There is nothing to balance, and Envoy balances nothing: neither the health of the host nor priorities are looked at.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any, Generic, TypeVar

from lbalgo.errors import NoBackend
from lbalgo.types import Backend

B = TypeVar("B", bound=Backend)


class LoneHost(Generic[B]):
    """A picker that has one answer.

    Examples
    --------
    >>> from lbalgo.compat.envoy.host import Host
    >>> LoneHost(Host("a:1")).pick("any key").id
    'a:1'
    """

    def __init__(self, host: B) -> None:
        self.backends = (host,)

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The host, unless it is excluded."""
        if self.backends[0].id in exclude:
            raise NoBackend("excluded")
        return self.backends[0]

    def walk(self, key: Any = None) -> Iterator[B]:
        """The host."""
        return iter(self.backends)

    def check_invariants(self) -> None:
        """There is nothing that could be wrong."""

    def __repr__(self) -> str:
        return f"LoneHost({self.backends[0]!r})"
