"""What stands for the `cython` module where Cython is not installed: nothing is compiled, declarations do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

compiled = False


def cast(kind: type[T], value: Any) -> T:
    """Says of what class an object is, unasked; does nothing here."""
    return value  # type: ignore[no-any-return]


def final(cls: type[T]) -> type[T]:
    """Marks a class that is not subclassed; does nothing here."""
    return cls


def freelist(size: int) -> Callable[[type[T]], type[T]]:
    """Keeps up to `size` dead objects for reuse; does nothing here."""
    return cclass


def no_gc_clear(cls: type[T]) -> type[T]:
    """Marks a class whose references the collector leaves alone; does nothing here."""
    return cls


def cclass(cls: type[T]) -> type[T]:
    """Marks a class that compiles to an extension type; does nothing here."""
    return cls
