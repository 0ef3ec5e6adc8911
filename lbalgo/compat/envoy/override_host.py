"""Envoy's override host: the request names the hosts it wants to go to, by header or metadata; else the policy decides.

Sources are looked at in order; each is a list of addresses, separated by commas. An address must be exactly a host's
``ip:port``; others are passed over. Each is used once per request: the k-th attempt takes the k-th address that is a
host. The host's health is not looked at: an ejected one is used as well. When the list is spent, or none of it is a
host, the policy inside decides.

Costs: build O(N), pick O(addresses), else as the policy inside.
Source: Envoy 1.40, `override_host.v3.OverrideHost`; compared with the running program where a header names hosts.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from lbalgo.compat.envoy.subset_context import (
    SelectionContext,
    check_policy,
    pick_with,
    policy_from,
    reasons_with,
    split,
    walk_with,
)
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class OverrideHostSource:
    """Where addresses are: in a header or in the request's dynamic metadata.

    Parameters
    ----------
    header : name, in any case; empty if it is not a header.
    metadata : path, namespace first; empty if it is not metadata.

    Raises
    ------
    ConfigError : not exactly one of the two is given.

    Examples
    --------
    >>> OverrideHostSource("x-host").addresses(SelectionContext(headers={"X-Host": "10.0.0.2:80, 10.0.0.1:80"}))
    ['10.0.0.2:80', '10.0.0.1:80']
    """

    header: str = ""
    metadata: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.header, str):
            raise ConfigError("header", self.header, "must be a string")
        if isinstance(self.metadata, list):
            object.__setattr__(self, "metadata", tuple(self.metadata))
        if not isinstance(self.metadata, tuple) or not all(isinstance(name, str) for name in self.metadata):
            raise ConfigError("metadata", self.metadata, "must be a tuple of strings")
        if bool(self.header) == bool(self.metadata):
            raise ConfigError("header", self.header, "or metadata must be given, and not both")

    def addresses(self, context: SelectionContext) -> list[str]:
        """The addresses a request names here, without the space around them."""
        found = context.header(self.header) if self.header else context.entry(self.metadata)
        return [part.strip() for part in found.split(",") if part.strip()] if isinstance(found, str) else []

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> OverrideHostSource:
        """The source `to_dict` described."""
        return from_dict(cls, data)


@dataclass(frozen=True)
class OverrideHost:
    """A combinator: hosts that the request names, before those the policy would choose.

    Parameters
    ----------
    policy : Envoy's `fallback_policy`; decides where the request names nobody.
    override_host_sources : where addresses are, in order; at least one.

    Raises
    ------
    ConfigError : a parameter is of another type.

    A host that is named is used whatever its state, so picks need not be eligible. `walk` begins with the hosts named.

    Costs: as the policy inside, and O(addresses) a pick.
    Source: Envoy 1.40, `override_host.v3`; a header compared live.

    Examples
    --------
    >>> from lbalgo.compat.envoy.round_robin import RoundRobin
    >>> policy = OverrideHost(RoundRobin(), (OverrideHostSource("x-host"),))
    >>> picker = policy.build(["10.0.0.1:80", "10.0.0.2:80"])
    >>> wanted = SelectionContext(headers={"x-host": "10.0.0.9:80,10.0.0.2:80"})
    >>> picker.pick(context=wanted).id, picker.pick().id
    ('10.0.0.2:80', '10.0.0.1:80')
    """

    policy: Any
    override_host_sources: tuple[OverrideHostSource, ...]

    def __post_init__(self) -> None:
        check_policy(self.policy)
        sources = self.override_host_sources
        if isinstance(sources, list):
            object.__setattr__(self, "override_host_sources", tuple(sources))
        if not isinstance(sources, Sequence) or not sources:
            raise ConfigError("override_host_sources", sources, "must be a tuple of at least one source")
        for i, source in enumerate(sources):
            if not isinstance(source, OverrideHostSource):
                raise ConfigError(f"override_host_sources[{i}]", source, "must be an OverrideHostSource")

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> OverridePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> OverridePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> OverridePicker[Any]:
        """A picker for this view; the policy inside goes on from the previous picker's."""
        before = previous.inner if isinstance(previous, OverridePicker) else None
        view = view_of(view)
        return OverridePicker(self, view, self.policy.build(view, previous=before))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> OverrideHost:
        """The policy `to_dict` described."""

        def sources(given: Any) -> Any:
            return tuple(OverrideHostSource.from_dict(d) if isinstance(d, Mapping) else d for d in given)

        return from_dict(cls, data, {"policy": policy_from, "override_host_sources": sources})


class OverridePicker(Generic[B]):
    """What `OverrideHost` builds.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    inner : the picker of the policy inside.
    """

    contextual = True

    def __init__(self, policy: OverrideHost, view: View[B], inner: Any) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.inner = inner
        self._by_id = dict(zip(view.ids, view.backends, strict=True))

    @property
    def load(self) -> Any:
        """The load of the policy inside; None if it has none."""
        return getattr(self.inner, "load", None)

    @property
    def rows(self) -> Any:
        """Rows of the policy inside, where it keeps any."""
        return self.inner.rows

    def pick(self, key: Any = None, *, exclude: Container[str] = (), context: SelectionContext | None = None) -> B:
        """The host named next, or what the policy inside picks."""
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        key, about = split(key, context)
        for host in self._named(about):
            if host.id not in exclude:
                return host
        picked: B = pick_with(self.inner, key, exclude, about)
        return picked

    def walk(self, key: Any = None, *, context: SelectionContext | None = None) -> Iterator[B]:
        """The hosts named that are left, then those of the policy inside, each once."""
        key, about = split(key, context)
        seen = set[str]()
        for source in (self._named(about), walk_with(self.inner, key, about)):
            for host in source:
                if host.id not in seen:
                    seen.add(host.id)
                    yield host

    def explain(self, key: Any = None) -> Steps:
        """The hosts that the request names; what the policy inside tells if there are none."""
        key, about = split(key, None)
        named = [host.id for host in self._named(about)]
        steps = [("named", listing(named) or "nobody")]
        return steps if named else steps + reasons_with(self.inner, key, about)

    def _named(self, context: SelectionContext) -> list[B]:
        found = [
            self._by_id[address]
            for source in self.policy.override_host_sources
            for address in source.addresses(context)
            if address in self._by_id
        ]
        return found[context.attempt :]

    def reseed(self, seed: int) -> None:
        """Moves the random start of the policy inside."""
        if hasattr(self.inner, "reseed"):
            self.inner.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker inside contradicts itself."""
        self.inner.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"
