"""`Limits`: at most so many requests in flight, to the pool and to each backend, and who waits for a place.

The limit of the pool protects the caller: what it may hold open. That of a backend protects the backend; it applies
once one is picked, and `full()` names those at their limit, for `exclude`. What is counted is what is started and not
finished: count requests, or connections with another `Limits`.

Who comes when the pool is full may wait, if there is a queue and it has room. Nobody overtakes: while somebody waits,
who comes waits too. Time and ends of requests make places; `released` then says who may go and who has waited for too
long. Who may go has a place kept until `started` or `refused` says what became of it; requests that are equal are
interchangeable, so give them bits of their own.

Costs: O(1) each call; memory O(backends with requests in flight) and the queue.
Source: Envoy, circuit breakers (max_connections, max_pending_requests, max_requests, each 1024).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.gates.queueing import Queue
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import LIMIT, check_integer, check_time
from lbalgo.types import Outcome

POOL = 1024  # Envoy: max_requests


class Limits:
    """A gate that bounds what is in flight, with an optional queue for the pool's limit.

    Parameters
    ----------
    pool : most requests in flight altogether, >= 0; None: no limit.
    per_backend : most requests in flight to one backend, >= 0; None: no limit.
    queue : where requests wait for the pool's limit; None: nobody waits.

    Raises
    ------
    ConfigError : a parameter is out of its range; by `finished`, for what was never started.

    Costs: O(1) each call.
    Source: Envoy, circuit breakers.

    Examples
    --------
    >>> limits = Limits(pool=3, per_backend=1)
    >>> a = Request("a")
    >>> limits.started(0.0, a)
    >>> limits.admit(0.0, a).reason, sorted(limits.full()), limits.admit(0.0, Request("b")).admitted
    (<Reason.BACKEND_LIMIT: 'backend limit'>, ['a'], True)
    """

    __slots__ = ("_backends", "_called", "_limited", "in_flight", "per_backend", "pool", "queue")

    def __init__(
        self, pool: int | None = POOL, per_backend: int | None = None, queue: Queue[Request] | None = None
    ) -> None:
        self.pool = None if pool is None else check_integer("pool", pool, low=0)
        self.per_backend = None if per_backend is None else check_integer("per_backend", per_backend, low=0)
        if queue is not None and not isinstance(queue, Queue):
            raise ConfigError("queue", queue, "must be a Queue, or None")
        self.queue = queue
        self.in_flight = 0
        self._backends: dict[str, int] = {}
        self._limited: frozenset[str] = frozenset()  # those of them at their limit, made anew when one comes or goes
        self._called: Counter[Request] = Counter()  # released from the queue, and not yet sent

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Whether there is a place; if there is none, whether there is one in the queue."""
        _checked(now)
        most, to = self.per_backend, request.backend
        if most is not None and (0 if to is None else self._backends.get(to, 0)) >= most:
            return Decision(Reason.BACKEND_LIMIT)
        if self._called and self._called[_anywhere(request)]:
            return ADMIT
        waiting = len(self.queue) if self.queue is not None else 0
        if waiting or self._full():
            room = self.queue is not None and waiting < self.queue.capacity
            return Decision(Reason.POOL_LIMIT if room or self.queue is None else Reason.QUEUE_FULL, may_wait=room)
        return ADMIT

    def _full(self) -> bool:
        called = self._called.total() if self._called else 0
        return self.pool is not None and self.in_flight + called >= self.pool

    def full(self) -> frozenset[str]:
        """The ids of the backends at their limit that have requests in flight."""
        return self._limited

    def wait(self, now: float, request: Request = FIRST) -> bool:
        """Let a request wait from `now` (seconds) on; False if there is no room."""
        return self.queue is not None and self.queue.push(now, request)

    def released(self, now: float) -> tuple[list[Request], list[Request]]:
        """Who may go at `now` (seconds), until `started` or `refused` is said of them, and who has waited too long."""
        go: list[Request] = []
        late: list[Request] = []
        if self.queue is None:
            return go, late
        while not self._full():
            served, dropped = self.queue.pop(now)
            late += dropped
            if served is None:
                return go, late
            go.append(served)
            self._called[_anywhere(served)] += 1
        return go, late + self.queue.expired(now)

    def started(self, now: float, request: Request = FIRST) -> None:
        """A request was sent; limits count it whether or not they were asked."""
        _checked(now)
        if self._called:
            self._answered(request)
        self.in_flight += 1
        id = request.backend
        if id is not None:
            self._backends[id] = open = self._backends.get(id, 0) + 1
            if self.per_backend is not None and open >= self.per_backend and id not in self._limited:
                self._limited |= {id}

    def refused(self, now: float, request: Request = FIRST) -> None:
        """It does not go; a place kept for it is free again."""
        _checked(now)
        if self._called:
            self._answered(request)

    def _answered(self, request: Request) -> None:
        self._called -= Counter([_anywhere(request)])

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A place is free again.

        Raises
        ------
        ConfigError : no such request is in flight.
        """
        _checked(now)
        id = request.backend
        open = 1 if id is None else self._backends.get(id, 0)
        if self.in_flight == 0 or open == 0:
            raise ConfigError("request", request, "was never started")
        self.in_flight -= 1
        if id is not None:
            if open == 1:
                del self._backends[id]
            else:
                self._backends[id] = open - 1
            if self._limited and (open == 1 or open <= self.per_backend):  # type: ignore[operator]
                self._limited -= {id}

    def snapshot(self, now: float) -> dict[str, Any]:
        """Nothing survives: what is in flight or waits is gone with the process."""
        _checked(now)
        return {"type": "Limits"}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Begin empty."""
        check_state("Limits", state)
        _checked(now)

    def __repr__(self) -> str:
        return f"Limits(pool={self.pool}, per_backend={self.per_backend}, queue={self.queue!r})"


def _checked(now: object) -> None:
    if type(now) is not float or not -LIMIT <= now <= LIMIT:
        check_time("now", now)


def _anywhere(request: Request) -> Request:
    """The request without its backend."""
    return request if request.backend is None else replace(request, backend=None)
