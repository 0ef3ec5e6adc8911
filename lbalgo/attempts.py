"""`Attempts`: one request, tried until it succeeds or trying again would be wrong; made by `Balancer.attempts`.

    for lease in balancer.attempts(key, limit=3):
        with lease:
            answer = send(lease.backend)
            lease.status(answer.status)

Each turn is a lease. A lease whose outcome is worth another attempt makes way for the next one: the block's exception
is kept back, and comes out only if there is no further attempt; without an exception the loop ends, and the caller has
the last answer. Everything else ends the loop at once: a success, an outcome that is not worth trying again, an
exception that is no verdict on the backend.

Whom an attempt can go to, in this order: backends not tried yet that have not asked to be spared; then those tried
before, the last one excepted; then the last one; then those that have asked to be spared, the last one at the end. A
keyed pool therefore goes down the key's own walk. A `Retry-After` (`done(retry_after=...)`) spares that backend until
then; if nobody else is left, the next lease says in `delay` how many seconds to wait before sending. Nobody waits here.

What may not be tried again, as a request that is not idempotent and may have been carried out, is for the caller to
know: give `on` fewer outcomes, or do not loop.

Costs: one acquire an attempt; a retry also looks at the head of the walk.
Source: RFC 9110, 9.2.2 (which requests may be repeated) and 10.2.3 (Retry-After); Envoy, retry host predicate
previous_hosts, for going elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lbalgo.errors import ConfigError, NoBackend
from lbalgo.excluding import Either, check_exclude
from lbalgo.request import FIRST, Request
from lbalgo.spec import check_integer, check_real
from lbalgo.types import Backend, Outcome
from lbalgo.visiting import ADMISSION, Contextual, is_admission

if TYPE_CHECKING:
    from lbalgo.kernels.lease import Lease

B = TypeVar("B", bound=Backend)
LIMIT = 3  # attempts in all; ours: two retries, of which the second finds two failures in a row
RETRIED = frozenset({Outcome.GATEWAY_ERROR, Outcome.OVERLOADED, Outcome.LOCAL_ERROR, Outcome.TIMEOUT})
"""Outcomes after which another backend may do better: nothing was reached, or it said that it cannot now. Not
SERVER_ERROR: what a 500 has done is unknown, and a request that breaks one backend breaks the next."""


class Attempts(Iterator["Lease[B]"], Generic[B]):
    """The leases of one request, one after the other; see `Balancer.attempts`."""

    __slots__ = (
        "balancer",
        "budget",
        "context",
        "cost",
        "error",
        "exclude",
        "key",
        "last",
        "left",
        "on",
        "request",
        "session",
        "spared",
        "tried",
    )

    def __init__(
        self,
        balancer: Any,
        key: Any,
        *,
        limit: int = LIMIT,
        budget: Any = None,
        on: Collection[Outcome] = RETRIED,
        exclude: Container[str] = (),
        cost: float = 1.0,
        session: Any = None,
        request: Request = FIRST,
        context: Any = None,
    ) -> None:
        self.left = check_integer("limit", limit, low=1)
        if budget is not None and not is_admission(budget):
            raise ConfigError("budget", budget, f"must be an admission gate, with {', '.join(ADMISSION)}, or None")
        if isinstance(on, (str, bytes)) or not isinstance(on, Collection) or any(type(o) is not Outcome for o in on):
            raise ConfigError("on", on, "must be outcomes")
        self.balancer, self.key, self.budget, self.on, self.exclude = (
            balancer,
            key,
            budget,
            frozenset(on),
            check_exclude(exclude),
        )
        self.cost, self.session, self.request = check_real("cost", cost, low=0.0), session, request
        self.context = context
        self.tried: list[str] = []  # in order, the last one last
        self.spared: dict[str, float] = {}  # id to the instant (seconds) until which it asked to be spared
        self.last: Any = None
        self.error: BaseException | None = None

    def __iter__(self) -> Attempts[B]:
        return self

    def __next__(self) -> Lease[B]:
        if self.last is not None:
            self.last.done()  # if the caller has not said so: as leaving its block would have
            if not self._again():
                raise StopIteration
            after = self.last.outcome is Outcome.TIMEOUT
            self.request = replace(self.request, attempt=self.request.attempt + 1, after_timeout=after)
        try:
            self.last = self.balancer.attempt_(self)
        except NoBackend as refusal:
            if self.last is None:
                raise
            if self.error is not None:
                raise self.error from refusal
            raise StopIteration from None
        self.left -= 1
        self.error = None
        self.tried.append(self.last.backend.id)
        lease: Lease[B] = self.last
        return lease

    def _again(self) -> bool:
        return self.left > 0 and self.last.outcome in self.on

    def keeps(self, error: BaseException | None) -> bool:
        """Whether the exception that ended the last lease's block is kept back, as there will be another attempt."""
        if not isinstance(error, Exception) or not self._again():
            return False
        self.error = error
        return True

    def spare(self, id: str, until: float) -> None:
        """This backend has asked to be spared until then (seconds)."""
        self.spared[id] = max(until, self.spared.get(id, until))

    def delay(self, id: str, now: float) -> float:
        """Seconds for which this backend is to be spared still."""
        return max(0.0, self.spared.get(id, now) - now)

    def exclusion(self, picker: Any, now: float) -> Container[str]:
        """Who is left out of the next attempt: as many as leave somebody."""
        if not self.tried:
            return self.exclude
        if self.context is not None:
            picker = Contextual(picker, self.context)
        resting = {id for id, until in self.spared.items() if until > now}
        last = self.tried[-1]
        for away in (resting.union(self.tried), {*resting, last}, resting, {last}):
            barred = Either(self.exclude, away)
            if any(backend.id not in barred for backend in picker.walk(self.key)):
                return barred
        return self.exclude
