"""Specifications are frozen dataclasses: how their fields are checked, and how they become plain data and come back.

`to_dict` gives JSON-ready data with a ``"type"`` entry; `from_dict` refuses unknown and wrongly typed fields. Fields
that hold other specifications (a hasher, a load) are turned by the function given for them in `nested`.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lbalgo.errors import ConfigError

S = TypeVar("S")
LIMIT = 2.0**53  # seconds from zero; beyond it a float no longer tells one second from the next


def check_integer(name: str, value: object, *, low: int | None = None, high: int | None = None) -> int:
    """`value` if it is an int (no bool) in [low, high]; else ConfigError naming it."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and (low is None or value >= low) and (high is None or value <= high):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    bounds = "" if low is None else f" >= {low}"
    if high is not None:
        bounds = f" <= {high}" if low is None else f" from {low} to {high}"
    raise ConfigError(name, value, f"must be an integer{bounds}")


def check_real(
    name: str, value: object, *, low: float = -math.inf, high: float = math.inf, open_low: bool = False
) -> float:
    """`value` as a float if it is finite and in [low, high] (or (low, high]); else ConfigError naming it."""
    if type(value) is float and low < value < high:  # what nearly all are
        return value
    bounds = "" if low == -math.inf else f" {'>' if open_low else '>='} {low:g}"
    if high != math.inf:
        bounds = f" from {low:g} to {high:g}" if bounds and not open_low else f"{bounds}{' and' * open_low} <= {high:g}"
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(name, value, f"must be a finite number{bounds}") from None
    if not math.isfinite(number) or number < low or number > high or (open_low and number == low):
        raise ConfigError(name, value, f"must be a finite number{bounds}")
    return number


def check_weight(name: str, value: object) -> float:
    """A weight: finite and >= 0."""
    return check_real(name, value, low=0.0)


def check_id(value: object, name: str = "id") -> str:
    """An id: a string, not empty, that has a UTF-8 form (no lone surrogates)."""
    if not isinstance(value, str) or not value:
        raise ConfigError(name, value, "must be a non-empty string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError(name, value, "must have a UTF-8 form") from None
    return value


def check_bool(name: str, value: object) -> bool:
    """`value` if it is True or False; else ConfigError naming it."""
    if not isinstance(value, bool):
        raise ConfigError(name, value, "must be True or False")
    return value


def check_enum(name: str, value: object, kind: type[S]) -> S:
    """`value` if it is a member of the enum `kind`; else ConfigError naming it."""
    if not isinstance(value, kind):
        raise ConfigError(name, value, f"must be a {kind.__name__}")
    return value


def check_row(value: object, name: str = "row") -> int:
    """A row: an integer (NumPy's too, no bool) in [0, 2**31)."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return check_integer(name, operator.index(value), low=0, high=2**31 - 1)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigError(name, value, f"must be an integer from 0 to {2**31 - 1}") from None


def check_time(name: str, value: object) -> float:
    """An instant in seconds, at most 2**53 from zero; else ConfigError naming it."""
    return check_real(name, value, low=-LIMIT, high=LIMIT)


def is_prime(n: int) -> bool:
    """Whether n is prime, by trial division (table sizes are small).

    Examples
    --------
    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    return n > 1 and (n < 4 or (n % 2 != 0 and all(n % d for d in range(3, math.isqrt(n) + 1, 2))))


def to_dict(spec: Any) -> dict[str, object]:
    """The specification as plain data: ``{"type": class name, field: value, …}``, nested ones likewise."""
    data: dict[str, object] = {"type": type(spec).__name__}
    for field in dataclasses.fields(spec):
        data[field.name] = _plain(getattr(spec, field.name))
    return data


def _plain(value: Any) -> object:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return "function" if callable(value) else value  # not data: `from_dict` asks for it


def from_dict(
    cls: type[S], data: Mapping[str, object], nested: Mapping[str, Callable[[Any], object]] | None = None
) -> S:
    """The specification `to_dict` described; unknown fields and another ``"type"`` are refused.

    Parameters
    ----------
    cls : the frozen dataclass to make.
    data : what `to_dict` returned; fields left out take their defaults.
    nested : field name to the function that makes the field's value from plain data.

    Raises
    ------
    ConfigError : `data` is no mapping, its type is another one, or a field is unknown, invalid, or missing.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(cls.__name__, data, "must be a mapping")
    if data.get("type", cls.__name__) != cls.__name__:
        raise ConfigError("type", data["type"], f"must be {cls.__name__!r}")
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    known = [f.name for f in fields]
    values: dict[str, object] = {}
    for name, value in data.items():
        if name == "type":
            continue
        if name not in known:
            raise ConfigError(
                str(name), value, f"is no field of {cls.__name__}; there are {', '.join(known) or 'none'}"
            )
        values[name] = nested[name](value) if nested and name in nested else value
    for f in fields:
        if f.name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f.name, None, f"is missing, and {cls.__name__} has no default for it")
    return cls(**values)


def enum_from_name(kind: type[S]) -> Callable[[object], S]:
    """A function that turns the name of a member of the enum `kind` into the member."""

    def convert(name: object) -> S:
        members: dict[str, S] = kind.__members__  # type: ignore[attr-defined]
        if isinstance(name, kind):
            return name
        if not isinstance(name, str) or name not in members:
            raise ConfigError(kind.__name__.lower(), name, f"must be one of {', '.join(members)}")
        return members[name]

    return convert
