"""`Front`: the half of a balancer that requests see. Leases are given out here, and taken back.

What they go by is a snapshot, which the other half, `lbalgo.reference.balancer`, swaps in: picker, rows, load, and what
of it can be asked in C. Compiled, no Python code runs between the reads and writes that belong together, so that the
interpreter's lock is the lock; where a gate or a load is Python, or all is, a lock is held around all of it.

Nearly every request has a key or none, goes to one of our own pickers and ends without news. So that way is straight:
arguments are looked at where there are some, a failure is looked at where there is one, and a balancer with one witness
asks that one. Costs: the pick, an object, and some counters.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/front.pxd`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Container
from types import GenericAlias
from typing import Any

from lbalgo.attempts import RETRIED, Attempts
from lbalgo.errors import ConfigError, NoBackend, NotAdmitted, UnknownBackend
from lbalgo.excluding import check_exclude
from lbalgo.request import FIRST, Request
from lbalgo.spec import LIMIT, check_real, check_time
from lbalgo.types import OUTCOME_CODES, Outcome
from lbalgo.visiting import Contextual, Gatehouse, Visit

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.outside import CLOCK as monotonic  # noqa: N811
    from lbalgo.reference.evidence import Evidence
    from lbalgo.reference.lease import Desk, Lease
    from lbalgo.reference.ledger import Ledger
    from lbalgo.reference.load_picker import LoadPicker
    from lbalgo.reference.loads import LoadState
    from lbalgo.reference.pickers import TicketPicker

NOTHING = ()
UNIT = 1.0
UNKNOWN = math.nan
OUTCOMES = tuple(Outcome)
CANCELLED = OUTCOME_CODES[Outcome.CANCELLED]


class Front(Desk):
    """Gives out leases and takes them back; what it does not decide, `Balancer` does."""

    __class_getitem__: Any = classmethod(GenericAlias)
    lock: Any
    clock: Any
    native: bool  # whether that is the default clock, which C can read
    latest: float  # the latest instant (seconds) that anybody has heard of
    due: float  # the next at which something could happen, infinite if none
    gates: Gatehouse
    news: Any  # events not yet handed on
    gated: bool
    blind: bool  # whether all witnesses have evidence that can be noted in C
    serial: bool  # whether a lock has to be held around a request
    timed: bool  # whether somebody wants to know how long requests take
    ticking: bool  # whether anybody wants to know the time
    moving: bool  # whether slots are about to mean other backends
    panic: bool
    slots: Any  # by row, in the view; -1 if it is not there
    lanes: Any  # the row of each slot of the picker
    picker: Any
    view: Any
    by_ticket: TicketPicker | None  # the picker itself, where it is of this kind and no gate stands before it
    by_load: LoadPicker | None
    load: LoadState | None
    index: dict[str, int]  # the row of each id
    ledger: Ledger
    witnesses: list[tuple[Any, Any]]
    witness: Evidence | None  # of the one witness, if there is one and its evidence can be noted in C

    def _advance(self, now: float) -> None:
        """What is due at `now` (seconds) runs."""

    def _testify(self, tripped: list[Any] | None, row: int, code: int, latency: float, pause: float) -> None:
        """The pool hears how a request ended, or those judge who have noted it and whose evidence has tripped."""

    def _deliver(self) -> None:
        """Events are handed on."""

    def acquire(
        self,
        key: Any = None,
        *,
        exclude: Container[str] = NOTHING,
        cost: float = UNIT,
        session: Any = None,
        request: Request = FIRST,
        context: Any = None,
    ) -> Lease:
        """A lease of the backend for this key, or for the next request; runs what is due first."""
        if cost is not UNIT:
            cost = check_real("cost", cost, low=0.0)
        if session is not None or request is not FIRST or context is not None:
            self._asked(session, request, context)
        return self._lend(key, exclude, cost, session, request, context)

    def _lend(
        self, key: Any, exclude: Container[str], cost: float, session: Any, request: Request, context: Any
    ) -> Lease:
        now = self.latest
        if self.ticking:
            now = self._read()
            if now >= self.due:
                self._advance(now)
        if self.abandoned:
            self._sweep()
        if self.serial:
            return self._lend_alone(key, exclude, cost, session, request, context, now)
        return self._open(key, context, exclude, cost, now, None)

    def _lend_alone(
        self, key: Any, exclude: Container[str], cost: float, session: Any, request: Request, context: Any, now: float
    ) -> Lease:
        """The lock is held around all of it, as a gate or a load is in Python, or the balancer itself."""
        with self.lock:
            if not self.gated:
                return self._open(key, context, exclude, cost, now, None)
            return self._enter(key, context, exclude, cost, now, self._admit(now, session, request, None))

    def attempts(
        self,
        key: Any = None,
        *,
        limit: int = 3,
        budget: Any = None,
        on: Collection[Outcome] = RETRIED,
        exclude: Container[str] = NOTHING,
        cost: float = UNIT,
        session: Any = None,
        request: Request = FIRST,
        context: Any = None,
    ) -> Attempts[Any]:
        """Leases for one request, one after the other, until it succeeds or is not to be tried again."""
        self._asked(session, request, context)
        if budget is not None and any(budget is gate for gate in self.gates.all):
            raise ConfigError("budget", budget, "is a gate of this balancer already")
        with self.lock:
            request = self.gates.numbered(request)  # its retries keep its bits
        return Attempts(
            self,
            key,
            limit=limit,
            budget=budget,
            on=on,
            exclude=exclude,
            cost=cost,
            session=session,
            request=request,
            context=context,
        )

    def attempt_(self, course: Attempts[Any]) -> Lease:
        """The next lease of a request's attempts."""
        if self._now() >= self.due:
            self._advance(self.latest)
        if self.abandoned:
            self._sweep()
        with self.lock:
            now = self._now()
            visit = self._admit(now, course.session, course.request, course.budget)
            visit.course = course
            exclude = course.exclusion(self.picker, now)
            lease = self._enter(course.key, course.context, exclude, course.cost, now, visit)
            visit.delay = course.delay(lease.backend.id, now)
            return lease

    def _asked(self, session: Any, request: Request, context: Any) -> None:
        if not isinstance(request, Request):
            raise ConfigError("request", request, "must be a Request")
        if request.backend is not None:
            raise ConfigError("request", request, "must have no backend: that is to be chosen")
        if session is not None and not self.gates.sessions:
            raise ConfigError("session", session, "is of use only to a gate with sessions, as Sticky")
        if context is not None and (self.gates.affinity is not None or not hasattr(self.picker, "takes_context")):
            raise ConfigError(
                "context", context, "is of use only to a policy by score, and not behind a gate that chooses"
            )

    def _admit(self, now: float, session: Any, request: Request, budget: Any) -> Visit:
        try:
            return self.gates.ask(now, request, session, budget)
        except NotAdmitted as refusal:
            self.ledger.refuse(refusal)
            raise

    def _enter(self, key: Any, context: Any, exclude: Container[str], cost: float, now: float, visit: Visit) -> Lease:
        try:
            return self._open(key, context, exclude, cost, now, visit)
        except BaseException:
            visit.refused(now)
            raise

    def _open(
        self, key: Any, context: Any, exclude: Container[str], cost: float, now: float, visit: Visit | None
    ) -> Lease:
        # before the pick, as the collector may run
        lease = Lease.__new__(Lease)  # pyright: ignore[reportCallIssue]
        if self.timed and self.load is not None:
            self.load.advance(now)
        picked = False
        try:
            if exclude is not NOTHING or not self._picked(lease, key):
                self._pick_any(lease, key, context, exclude, visit, now)
            picked = True
        finally:  # costs nothing where nothing fails, unlike `except`
            if not picked:
                self._refused()
        # From here on only counters move: compiled, no Python code runs, so no other thread does.
        row, load = lease.row, self.load
        if visit is not None:
            self._start(visit, lease.backend.id, load, row, cost, now)
            lease.visit = visit
        elif load is not None:
            load.start_(row, cost, now)
        self.ledger.open_(row, self.panic)
        if load is not None:
            lease.load = load
        lease.said, lease.ended, lease.cost = -1, -1, cost
        lease.began = now if self.ticking else UNKNOWN
        lease.desk = self
        return lease

    def _picked(self, lease: Lease, key: Any) -> bool:
        """Whether one of our own pickers has written its choice into the lease: it does, where nothing is special."""
        while self.by_ticket is not None:
            by_ticket = self.by_ticket
            slot = by_ticket._next(key)
            if by_ticket is self.by_ticket:  # else the pool has changed meanwhile
                lease.backend, lease.row = by_ticket.backends[slot], self.lanes[slot]
                return True
        while self.by_load is not None:
            by_load = self.by_load
            slot = by_load._next()
            if by_load is self.by_load:
                lease.backend, lease.row = by_load.backends[slot], self.lanes[slot]
                return True
        return False

    def _pick_any(
        self, lease: Lease, key: Any, context: Any, exclude: Container[str], visit: Visit | None, now: float
    ) -> None:
        """The same by any picker, also where it is kept from some backends, or has nobody to pick."""
        while True:
            picker = self.picker
            backend = self._choose(picker, key, context, exclude, visit, now)
            name = backend.id
            if picker is self.picker:
                break
        if name not in self.index:
            raise UnknownBackend(name)
        lease.backend, lease.row = backend, self.index[name]

    def _refused(self) -> None:
        """Counts what is being raised, if it is a refusal."""
        refusal = sys.exc_info()[1]
        if isinstance(refusal, NoBackend):
            self.ledger.refuse(refusal)

    def _start(self, visit: Visit, id: str, load: LoadState | None, row: int, cost: float, now: float) -> None:
        """The gates and the load hear of it, all or none."""
        visit.started(id, now)
        try:
            if load is not None:
                load.start_(row, cost, now)
        except BaseException:
            visit.finished(Outcome.CANCELLED, None, now)
            raise

    def _choose(
        self, picker: Any, key: Any, context: Any, exclude: Container[str], visit: Visit | None, now: float
    ) -> Any:
        if context is not None:
            picker = Contextual(picker, context)
        if exclude is NOTHING and visit is None:
            return picker.pick(key)
        first = None if check_exclude(exclude) is NOTHING else next(iter(picker.walk(key)), None)
        if visit is None:
            backend = picker.pick(key, exclude=exclude)
        else:
            backend = self.gates.choose(visit, picker, key, exclude, now, self._loads)
        if first is not None and first.id in exclude:
            self.ledger.fallbacks += 1
        return backend

    def _loads(self, picker: Any) -> list[int]:
        """Leases in flight to each of the picker's backends."""
        return [self.ledger.flying[self.index[backend.id]] for backend in picker.backends]

    def end_(self, lease: Lease, code: int, latency: float, pause: float) -> None:
        """The request has ended; called by the lease."""
        now = self._read() if self.ticking else self.latest  # first: a clock that fails leaves the lease open
        alone = self.serial or lease.visit is not None
        if alone:
            self.lock.acquire()
        try:
            self._close(lease, code, latency, pause, now)
        finally:
            if alone:
                self.lock.release()
        if self.news:
            self._deliver()

    def _close(self, lease: Lease, code: int, latency: float, pause: float, now: float) -> None:
        row, load, visit = lease.row, lease.load, lease.visit
        if row >= 0:
            lease.row, lease.load, lease.desk, lease.ended, lease.pause = -1, None, None, code, pause
            if self.timed and latency != latency:
                latency = now - lease.began  # NaN, as nobody looked at the clock when it began
                if latency < 0.0:
                    latency = 0.0
            if visit is not None and visit.course is not None and pause == pause:
                visit.course.spare(lease.backend.id, now + pause)
            self._settle(row, load, visit, lease.cost, lease.began, code, latency, pause, now)

    def _settle(
        self,
        row: int,
        load: LoadState | None,
        visit: Visit | None,
        cost: float,
        began: float,
        code: int,
        latency: float,
        pause: float,
        now: float,
    ) -> None:
        self.ledger.close_(row, code)
        try:
            if visit is not None:
                self._finish(visit, load, row, cost, began, code, latency, now)
            elif load is not None:
                load.close_(row, cost, began, code, latency, now)
        finally:  # whatever a load or a gate may raise, the signals hear
            if pause == pause or self.moving or not self.blind or now >= self.due:
                self._testify(None, row, code, latency, pause)
            else:
                self._note(row, code)

    def _finish(
        self,
        visit: Visit,
        load: LoadState | None,
        row: int,
        cost: float,
        began: float,
        code: int,
        latency: float,
        now: float,
    ) -> None:
        """The load and the gates hear the end, whatever one of them raises."""
        try:
            if load is not None:
                load.close_(row, cost, began, code, latency, now)
        finally:
            visit.finished(OUTCOMES[code], None if latency != latency else latency, now)

    def _note(self, row: int, code: int) -> None:
        """Every witness takes the code down before anyone judges: compiled, no Python code runs until then."""
        slot = self.slots[row]
        if self.witness is not None:
            if slot >= 0 and self.witness.note(slot, code):
                self._testify([self.witnesses[0][0]], row, code, UNKNOWN, UNKNOWN)
        elif slot >= 0:
            self._note_all(slot, row, code)

    def _note_all(self, slot: int, row: int, code: int) -> None:
        tripped = None
        for witness in self.witnesses:
            evidence = witness[1]
            if evidence.note(slot, code):
                tripped = [witness[0]] if tripped is None else [*tripped, witness[0]]
        if tripped is not None:
            self._testify(tripped, row, code, UNKNOWN, UNKNOWN)

    def _sweep(self) -> None:
        """Ends, as CANCELLED, the leases that were dropped without a word."""
        with self.lock:
            while self.abandoned:
                now = self._now()
                row, load, visit, cost, began = self.abandoned.pop()
                self._settle(row, load, visit, cost, began, CANCELLED, UNKNOWN, UNKNOWN, now)
        self._deliver()

    def _now(self) -> float:
        self.latest = max(self._read(), self.latest)
        return self.latest

    def _read(self) -> float:
        if self.native:
            return monotonic()
        now = self.clock()
        return now if type(now) is float and -LIMIT <= now <= LIMIT else check_time("clock()", now)


def serve(front: Any, key: Any) -> Lease:
    """`acquire` of nothing but a key: the compiled class's short way in."""
    return cython.cast(Front, front)._lend(key, NOTHING, 1.0, None, FIRST, None)  # type: ignore[no-any-return]


if cython.compiled:
    short_entry(Front, "acquire")  # type: ignore[name-defined]  # noqa: F821
