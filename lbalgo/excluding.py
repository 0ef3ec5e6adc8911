"""Who cannot be chosen: containers of ids, and two of them in one."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from lbalgo.errors import ConfigError


def check_exclude(exclude: Container[str]) -> Container[str]:
    """A container of ids; ConfigError for one string, which is a container of its letters."""
    if isinstance(exclude, (str, bytes)):
        raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
    return exclude


class Either(Container[str]):
    """What is in one container of ids or the other.

    Examples
    --------
    >>> [id in Either({"a"}, ("b",)) for id in "abc"]
    [True, True, False]
    """

    __slots__ = ("one", "other")

    def __init__(self, one: Container[str], other: Container[str]) -> None:
        self.one, self.other = one, other

    def __contains__(self, id: Any) -> bool:
        return id in self.one or id in self.other
