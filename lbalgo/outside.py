"""The doors to the outside world, which the `Balancer` alone goes through: a clock, locks, entropy, and news of a fork.

Everything else in the library is handed its time and its random bits. A fork copies a balancer in whatever state it is
in, so every living balancer is held still while the process forks, and in the child is told that it is a copy.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

CLOCK = time.monotonic
ReentrantLock = threading.RLock
Lock = threading.Lock

_living: weakref.WeakSet[Any] = weakref.WeakSet()
_held: list[Any] = []
_gate = threading.RLock()


def entropy() -> int:
    """64 random bits from the operating system."""
    return int.from_bytes(os.urandom(8), "little")


def watch_forks(shell: Any) -> None:
    """From now on `shell._hold()` is called before a fork, and `shell._release(child)` after it on both sides."""
    _living.add(shell)


def _before() -> None:
    _gate.acquire()
    for shell in list(_living):
        shell._hold()
        _held.append(shell)


def _after(child: bool) -> None:
    while _held:
        _held.pop()._release(child)
    _gate.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=lambda: _after(False), after_in_child=lambda: _after(True))
