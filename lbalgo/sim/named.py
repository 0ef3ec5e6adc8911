"""Plain data of one of several specifications: its ``"type"`` says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lbalgo.errors import ConfigError


def named(parameter: str, data: object, kinds: Sequence[type[Any]]) -> Any:
    """What the data describes; an object that is no mapping is returned as it is, for its owner to check.

    Raises
    ------
    ConfigError : the type is none of these kinds, a field is unknown or invalid, or one is missing.
    """
    if isinstance(data, str):
        data = {"type": data}
    if not isinstance(data, Mapping):
        return data
    known = {kind.__name__: kind for kind in kinds}
    name = data.get("type")
    if name not in known:
        raise ConfigError(f"{parameter}.type", name, f"must be one of {', '.join(known)}")
    try:
        return known[name].from_dict(data)
    except ConfigError as error:
        raise ConfigError(f"{parameter}.{error.parameter}", error.value, error.why) from None
    except TypeError as error:
        raise ConfigError(parameter, dict(data), f"lacks something: {error}") from None
