"""What a client does about a request beyond one try: it gives up waiting, tries again elsewhere, sends a copy.

A *course* is one request with the tries it has in the air. The first good answer ends it, and the other tries are
called off; without one, the last failure does. Whom a retry goes to, and whether one may be made at all, is for the
library to say (`Balancer.attempts`, with a retry budget among the gates); when a copy is due, for a stated time or the
`Hedging` gate. Here is only what a caller does: wait, send, cancel.

A try that is called off (TIMEOUT, CANCELLED) stops at its server too, or goes on for nobody: most servers do not notice
that a client has gone, and the work that is wasted on dead requests is what makes timeouts dangerous.

Costs: 3 to 10 us a request; memory 600 bytes a request in flight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lbalgo.attempts import LIMIT, RETRIED
from lbalgo.errors import ConfigError, NoBackend, NotAdmitted
from lbalgo.gates import Hedging
from lbalgo.request import Request
from lbalgo.spec import check_bool, check_integer, check_real, enum_from_name, from_dict
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain
from lbalgo.types import OUTCOME_CODES, Outcome

OUTCOMES = tuple(Outcome)
SUCCESS, TIMEOUT, CANCELLED = (OUTCOME_CODES[o] for o in (Outcome.SUCCESS, Outcome.TIMEOUT, Outcome.CANCELLED))
NOBODY = -1


@dataclass(frozen=True)
class Timeout:
    """How long a client waits for one try.

    Parameters
    ----------
    after : seconds, > 0.
    stops : whether the server notices, and stops working on the request.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Timeout(2.0)
    Timeout(after=2.0, stops=False)
    """

    after: float
    stops: bool = False

    def __post_init__(self) -> None:
        check_real("after", self.after, low=0.0, open_low=True)
        check_bool("stops", self.stops)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


@dataclass(frozen=True)
class Retries:
    """Tries that follow a failure, by `Balancer.attempts`; a budget is a gate of the scenario, as `RetryBudget`.

    Parameters
    ----------
    limit : tries in all, >= 1.
    pause : seconds before the first retry, >= 0; twice as many before each further one.
    on : outcomes after which to try again.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Retries(limit=2).limit
    2
    """

    limit: int = LIMIT
    pause: float = 0.0
    on: tuple[Outcome, ...] = tuple(outcome for outcome in Outcome if outcome in RETRIED)

    def __post_init__(self) -> None:
        check_integer("limit", self.limit, low=1)
        check_real("pause", self.pause, low=0.0)
        on = tuple(self.on) if isinstance(self.on, Iterable) and not isinstance(self.on, (str, bytes)) else (None,)
        if not all(isinstance(outcome, Outcome) for outcome in on):
            raise ConfigError("on", self.on, "must be outcomes")
        object.__setattr__(self, "on", on)

    to_dict = plain

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Retries:
        """What `to_dict` described."""
        name = enum_from_name(Outcome)
        return from_dict(cls, data, {"on": lambda names: tuple(name(each) for each in names)})


@dataclass(frozen=True)
class Hedge:
    """A copy of a request that takes long, to another server; the first answer counts, the other try is called off.

    Parameters
    ----------
    after : seconds after which the copy is sent, >= 0; None: the scenario's `Hedging` gate says when, and whether.
    stops : whether the server of a try that is called off notices, and stops working on it.
    independent : whether a copy is other work than the first try, drawn anew; else as much.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> Hedge(0.5).independent
    True
    """

    after: float | None = None
    stops: bool = True
    independent: bool = True

    def __post_init__(self) -> None:
        if self.after is not None:
            check_real("after", self.after, low=0.0)
        check_bool("stops", self.stops)
        check_bool("independent", self.independent)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)


class _Course:
    """One request, and its tries in the air."""

    __slots__ = ("attempts", "began", "client", "copied", "cost", "key", "number", "open", "retries", "work")

    def __init__(self, client: int, number: int, key: Any, cost: float, work: float, began: float) -> None:
        self.client, self.number, self.key, self.cost, self.work, self.began = client, number, key, cost, work, began
        self.open: list[int] = []  # jobs, in the order in which they were sent
        self.attempts: Any = None
        self.copied, self.retries = False, 0


class Courses:
    """What the engine tells of requests, and what it is told to do; its `course`.

    Parameters
    ----------
    run : the run, with its engine, stations and balancers.
    copies : stream from which the work of independent copies is drawn.
    """

    def __init__(self, run: Any, copies: Any) -> None:
        scenario = run.scenario
        self.run, self.engine, self.stations, self.copies = run, run.engine, run.stations, copies
        self.timeout: Timeout | None = scenario.timeout
        self.retrying: Retries | None = scenario.retries
        self.hedge: Hedge | None = scenario.hedge
        self.hedgers: list[Any] = [
            next((gate for gate in gates if isinstance(gate, Hedging)), None) for gates in run.gates
        ]
        self.on = frozenset() if self.retrying is None else frozenset(OUTCOME_CODES[o] for o in self.retrying.on)
        if self.hedge is not None and self.hedge.after is None and None in self.hedgers:
            raise ConfigError("hedge", self.hedge, "needs `after`, or a Hedging gate")

    def begin(self, client: int, number: int, key: Any, cost: float, work: float) -> None:
        """A request has arrived."""
        course = _Course(client, number, key, cost, work, self.engine.now)
        if self.retrying is not None:
            course.attempts = self.run.balancers[client].attempts(
                key, limit=self.retrying.limit, on=self.retrying.on, cost=cost
            )
        refusal = self._try(course)
        if refusal is not None:
            self.engine.refuse(refusal, client, number, course.began)
            return
        if self.hedge is not None:
            after = self.hedge.after
            if after is None:
                after = self.hedgers[client].delay(self.engine.now)
            if after is not None:
                self.engine.plan(self.engine.now + after, lambda now: self._copy(course))

    def _try(self, course: _Course) -> str | None:
        """One try is sent; or the reason why not."""
        try:
            if course.attempts is not None:
                lease = next(course.attempts)
            else:
                lease = self.run.balancers[course.client].acquire(course.key, cost=course.cost)
        except StopIteration:
            return ""
        except NoBackend as refusal:
            return reason(refusal)
        self._send(course, lease, course.work)
        return None

    def _send(self, course: _Course, lease: Any, work: float) -> None:
        engine = self.engine
        server = self.run.index[lease.backend.id]
        job = engine.put(course.client, course.number, server, self.run.token(course.client, server, lease))
        engine.courses[job] = course
        course.open.append(job)
        if self.timeout is not None:
            engine.expire(job, engine.now + self.timeout.after)
        engine.send(job, work)

    def _copy(self, course: _Course) -> None:
        """A copy is due, if there is a try to copy still."""
        if not course.open or course.copied:
            return
        course.copied = True
        first = self.run.ids[self.stations.where(course.open[0])]
        try:
            lease = self.run.balancers[course.client].acquire(
                course.key, cost=course.cost, exclude={first}, request=Request(hedge=True)
            )
        except NoBackend:
            return  # no money, or nobody else
        independent = self.hedge is not None and self.hedge.independent
        work = float(self.run.scenario.service.draw(self.copies, 1)[0]) if independent else course.work
        self._send(course, lease, work)

    def ended(self, course: _Course, job: int, code: int) -> None:
        """A try was answered; its lease is done."""
        course.open.remove(job)
        self._answered(course, self.stations.where(job), code)

    def expired(self, course: _Course, job: int) -> None:
        """Nobody waits for this try any longer."""
        server = self.stations.where(job)
        course.open.remove(job)
        self._call_off(job, TIMEOUT, self.timeout is not None and self.timeout.stops)
        self._answered(course, server, TIMEOUT)

    def _call_off(self, job: int, code: int, stops: bool) -> None:
        self.engine.courses[job] = None
        self.engine.tell(job, code)
        if stops:
            self.stations.cancel(job, self.engine.now)

    def _answered(self, course: _Course, server: int, code: int) -> None:
        engine = self.engine
        if code != SUCCESS:
            if course.open:
                return  # another try may do better
            if self.retrying is not None and code in self.on:
                course.retries += 1
                pause = self.retrying.pause * 2.0 ** (course.retries - 1)
                if course.retries < self.retrying.limit and pause > 0.0:
                    engine.plan(engine.now + pause, lambda now: self._again(course, server, code))
                    return
                if self._try(course) is None:
                    return
        stops = self.hedge is not None and self.hedge.stops
        for job in course.open:
            self._call_off(job, CANCELLED, stops)
        course.open.clear()
        engine.record(course.client, course.number, server, course.began, code)

    def _again(self, course: _Course, server: int, code: int) -> None:
        if self._try(course) is not None:
            self.engine.record(course.client, course.number, server, course.began, code)


def reason(refusal: NoBackend) -> str:
    """Why a request went nowhere, in a word or two."""
    decided = isinstance(refusal, NotAdmitted) and refusal.decision.reason
    return decided.value if decided else refusal.reason
