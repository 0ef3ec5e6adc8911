"""Where requests wait for a place: a bounded queue that knows when waiting is hopeless.

First in, first out is fair and, under overload, useless: everybody waits almost until the timeout, and what is served
is what its caller is about to give up. So the queue watches its own delay, as CoDel does: if in a whole interval nobody
was served within `target` seconds, it is overloaded, and then whoever has waited for more than twice the target is
dropped, and (adaptive LIFO) the newest is served first. The first of an interval is never dropped. Whoever has waited
for `timeout` is dropped in any case.

Costs: push and pop O(1); memory `capacity` entries.
Source: Maurer, "Fail at Scale", ACM Queue 13 (2015), and folly's `Codel`, for controlled delay in services.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Generic, TypeVar

from lbalgo.estimators.state import NANOSECONDS, instant
from lbalgo.spec import check_enum, check_integer, check_real

T = TypeVar("T")
CAPACITY = 1024  # Envoy: max_pending_requests
INTERVAL = 0.1  # seconds; folly: 100 ms
TARGET = 0.005  # seconds; folly: 5 ms
TIMEOUT = 1.0  # seconds; ours: longer than any request that is worth waiting for takes to start


class Order(enum.Enum):
    """Who is served first: the oldest, the newest, or the newest only while overloaded."""

    FIFO = "fifo"
    LIFO = "lifo"
    ADAPTIVE = "adaptive"


class Queue(Generic[T]):
    """A bounded queue with controlled delay.

    Parameters
    ----------
    capacity : most that wait, >= 0.
    order : who is served first.
    timeout : seconds after which whoever waits is dropped.
    target, interval : seconds; overloaded is who serves nobody within `target` for an `interval`. None: never.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: O(1) each call, and O(1) for each that is dropped.
    Source: Maurer, "Fail at Scale", ACM Queue 13 (2015).

    Examples
    --------
    >>> queue = Queue(2, timeout=1.0)
    >>> [queue.push(0.0, name) for name in "abc"], queue.pop(0.5)
    ([True, True, False], ('a', []))
    """

    __slots__ = (
        "_first",
        "_items",
        "_least",
        "_until",
        "capacity",
        "interval",
        "order",
        "overloaded",
        "target",
        "timeout",
    )

    def __init__(
        self,
        capacity: int = CAPACITY,
        order: Order = Order.ADAPTIVE,
        timeout: float = TIMEOUT,
        target: float | None = TARGET,
        interval: float = INTERVAL,
    ) -> None:
        self.capacity = check_integer("capacity", capacity, low=0)
        self.order = check_enum("order", order, Order)
        self.timeout = check_real("timeout", timeout, low=1e-9)
        self.target = None if target is None else check_real("target", target, low=0.0, open_low=True)
        self.interval = check_real("interval", interval, low=1e-9)
        self._items: deque[tuple[int, T]] = deque()
        self.overloaded = False
        self._until: int | None = None  # end of the running interval
        self._least = 0  # least delay in it
        self._first = True  # whether nobody was served in it

    def push(self, now: float, item: T) -> bool:
        """Let one wait from `now` (seconds) on; False if the queue is full."""
        at = instant(now)
        if len(self._items) >= self.capacity:
            return False
        self._items.append((max(at, self._items[-1][0]) if self._items else at, item))
        return True

    def expired(self, now: float) -> list[T]:
        """Drop, and return, those who have waited for `timeout`, oldest first."""
        bound, gone = instant(now) - instant(self.timeout), []
        while self._items and self._items[0][0] <= bound:
            gone.append(self._items.popleft()[1])
        return gone

    def pop(self, now: float) -> tuple[T | None, list[T]]:
        """Who is served at `now` (seconds), or None if nobody waits, and who was dropped on the way."""
        at, dropped = instant(now), self.expired(now)
        while self._items:
            newest = self.order is Order.LIFO or (self.order is Order.ADAPTIVE and self.overloaded)
            since, item = self._items.pop() if newest else self._items.popleft()
            if not self._hopeless(at, at - since):
                return item, dropped
            dropped.append(item)
        return None, dropped

    def _hopeless(self, at: int, delay: int) -> bool:
        """Whether one who has waited that long is dropped, by what the interval has seen."""
        if self.target is None:
            return False
        target = self.target * NANOSECONDS
        if self._until is None or at >= self._until:
            self.overloaded = self._until is not None and self._least > target
            self._until, self._first = at + instant(self.interval), True
        if self._first:
            self._first, self._least = False, delay
            return False
        self._least = min(self._least, delay)
        return self.overloaded and delay > 2 * target

    @property
    def deadline(self) -> float | None:
        """The next instant (seconds) at which somebody times out, or None."""
        return (self._items[0][0] + instant(self.timeout)) / NANOSECONDS if self._items else None

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Queue({self.capacity}, {self.order}, {self.timeout!r}, {self.target!r}, {self.interval!r})"
