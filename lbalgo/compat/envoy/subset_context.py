"""What `Subset` and `OverrideHost` look at besides the key: the route's metadata, headers, the request's metadata.

A picker's `pick` and `walk` take it as `context=`. Where there is only room for a key (`Balancer.acquire`), a
`SelectionContext` is taken for one: its own `key` is then the key.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.compat.envoy.host import frozen_metadata
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, reasons
from lbalgo.spec import check_integer
from lbalgo.types import Key


@dataclass(frozen=True)
class SelectionContext:
    """A request as far as it restricts the choice of a host.

    Parameters
    ----------
    metadata_match : the `envoy.lb` metadata that the route wants, a mapping or pairs.
    headers : name to value, or pairs; names in any case.
    metadata : the request's dynamic metadata: namespace to nested mapping.
    key : for policies by key.
    attempt : how often an override host of this request has been used already, from 0.

    Raises
    ------
    ConfigError : a field is of another type.

    Examples
    --------
    >>> context = SelectionContext({"stage": "prod"}, headers={"X-Host": "10.0.0.1:80"})
    >>> context.metadata_match, context.header("x-host")
    ((('stage', 'prod'),), '10.0.0.1:80')
    """

    metadata_match: Any = ()
    headers: Any = ()
    metadata: Any = ()
    key: Key | None = None
    attempt: int = 0

    def __post_init__(self) -> None:
        for name in ("metadata_match", "metadata"):
            object.__setattr__(self, name, frozen_metadata(getattr(self, name)))
        pairs = tuple(self.headers.items()) if isinstance(self.headers, Mapping) else self.headers
        good = isinstance(pairs, (tuple, list)) and all(
            isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
            for pair in pairs
        )
        if not good:
            raise ConfigError("headers", self.headers, "must be a mapping, or pairs of strings")
        object.__setattr__(self, "headers", tuple((name.lower(), value) for name, value in pairs))
        check_integer("attempt", self.attempt, low=0)

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def entry(self, path: tuple[str, ...]) -> object:
        """What is at a path of the request's metadata, namespace first; None if there is nothing.

        Examples
        --------
        >>> SelectionContext(metadata={"envoy.lb": {"hosts": "a:1"}}).entry(("envoy.lb", "hosts"))
        'a:1'
        """
        found: object = self.metadata
        for name in path:
            pairs = found if isinstance(found, tuple) else ()
            found = next((pair[1] for pair in pairs if isinstance(pair, tuple) and pair[0] == name), None)
        return found


NO_CONTEXT = SelectionContext()


def split(key: Any, context: SelectionContext | None) -> tuple[Any, SelectionContext]:
    """Key and context of a pick, wherever the context was given.

    Raises
    ------
    ConfigError : the context is something else.
    """
    if isinstance(key, SelectionContext):
        return key.key, key
    if context is None:
        return key, NO_CONTEXT
    if not isinstance(context, SelectionContext):
        raise ConfigError("context", context, "must be a SelectionContext")
    return context.key if key is None else key, context


def pick_with(picker: Any, key: Any, exclude: Container[str], context: SelectionContext) -> Any:
    """A pick of a picker, which gets the context if it looks at one."""
    if getattr(picker, "contextual", False):
        return picker.pick(key, exclude=exclude, context=context)
    return picker.pick(key) if exclude == () else picker.pick(key, exclude=exclude)


def walk_with(picker: Any, key: Any, context: SelectionContext) -> Iterator[Any]:
    """The walk of a picker, which gets the context if it looks at one."""
    walk: Iterator[Any] = (
        picker.walk(key, context=context) if getattr(picker, "contextual", False) else picker.walk(key)
    )
    return walk


def reasons_with(picker: Any, key: Any, context: SelectionContext) -> Steps:
    """What a picker inside tells, which gets the context if it looks at one."""
    return reasons(picker, context if getattr(picker, "contextual", False) else key)


def policy_from(data: Any) -> Any:
    """A policy of `lbalgo.compat.envoy` of what its `to_dict` gave; ready ones stay.

    Raises
    ------
    ConfigError : the type names no policy.
    """
    from lbalgo.compat import envoy  # the package imports this module

    if not isinstance(data, Mapping):
        return data
    kind: Any = getattr(envoy, str(data.get("type", "")), None)
    if not hasattr(kind, "build"):
        raise ConfigError("policy", data, "must have the name of a policy of lbalgo.compat.envoy as its type")
    return kind.from_dict(data)


def check_policy(value: object) -> None:
    """Anything that builds pickers and is no picker itself."""
    if not callable(getattr(value, "build", None)) or isinstance(value, type):
        raise ConfigError("policy", value, "must have a method build")
