"""Single values of Envoy's configuration, as the JSON of protocol buffers writes them; kinds for `Fields.take`.

Any number may be written as text, and 64-bit ones always are where a running Envoy tells its configuration (``"1021"``
for a table size). A whole number may be written with a fraction of zero. Enums go by name or number.

Source: Protocol Buffers documentation, "ProtoJSON format"; checked against Envoy 1.40's validation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lbalgo.compat.config import typed
from lbalgo.errors import ConfigError

LONGEST = 20  # digits of a 64-bit number


def whole(path: str, value: Any) -> int:
    """A whole number.

    Examples
    --------
    >>> whole("table_size", "1021"), whole("priority", 1.0)
    (1021, 1)
    """
    if isinstance(value, str) and re.fullmatch(f"-?[0-9]{{1,{LONGEST}}}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return typed(path, value, int)


def real(path: str, value: Any) -> float:
    """A number.

    Examples
    --------
    >>> real("value", "40.5"), real("value", 3)
    (40.5, 3.0)
    """
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", value):
        return float(value)
    return typed(path, value, float)


def enum_of(names: tuple[str, ...]) -> Any:
    """A kind: the name of a member of a protocol buffer's enum, given by name or number."""

    def convert(path: str, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return names[value]
        if value in names and isinstance(value, str):
            return value
        raise ConfigError(path, value, f"must be one of {', '.join(n for n in names if n)}")

    return convert


def duration(path: str, value: Any) -> float:
    """Seconds of a protocol buffer's duration: ``"1.5s"`` or a mapping of seconds and nanos."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?s", value):
        return float(value[:-1])
    if isinstance(value, Mapping) and set(value) <= {"seconds", "nanos"}:
        return whole(f"{path}.seconds", value.get("seconds", 0)) + whole(f"{path}.nanos", value.get("nanos", 0)) / 1e9
    raise ConfigError(path, value, 'must be a duration such as "1.5s"')


def percent(path: str, value: Any) -> float:
    """A `Percent`, as a mapping with `value`."""
    if isinstance(value, Mapping) and set(value) <= {"value"}:
        return real(f"{path}.value", value.get("value", 0.0))
    raise ConfigError(path, value, "must be a mapping with a value in percent")


def runtime_double(path: str, value: Any) -> float:
    """A `RuntimeDouble`: its default value; what the runtime would make of the key is not known here."""
    fields = {"default_value", "defaultValue", "runtime_key", "runtimeKey"}
    if (
        isinstance(value, Mapping)
        and set(value) <= fields
        and len(value.keys() & {"default_value", "defaultValue"}) < 2
    ):
        name = "defaultValue" if "defaultValue" in value else "default_value"
        return real(f"{path}.{name}", value.get(name, 0.0))
    raise ConfigError(path, value, "must be a mapping with a default_value")
