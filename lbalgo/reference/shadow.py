"""What stands for the `cython` module where Cython is not installed: nothing is compiled, declarations do nothing."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")

compiled = False


def final(cls: type[T]) -> type[T]:
    """Marks a class that is not subclassed; does nothing here."""
    return cls
