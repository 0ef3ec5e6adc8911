"""`Balancer`: the one mutable shell around pure parts.

Two paths. The *hot path* (acquire, done) reads a snapshot and moves counters; compiled, it runs no Python code between
the reads and writes that belong together, so the interpreter's lock is its lock. The *slow path* (members, time,
evidence that matters) holds a lock of its own, lets the `Pool` prepare everything, and swaps the snapshot in last.
Events wait until the state is consistent and the lock is free.

This one text is both twins: run as it is, with the lock held around the hot path too, it is the plain balancer;
compiled as `lbalgo.kernels.balancer`, with the types of `kernels/balancer.pxd`, it is the fast one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from types import GenericAlias
from typing import Any

from lbalgo.attempts import RETRIED, Attempts
from lbalgo.errors import ConfigError, NoBackend, NotAdmitted, UnknownBackend
from lbalgo.events import Event, Stats
from lbalgo.excluding import check_exclude
from lbalgo.outside import CLOCK, Lock, ReentrantLock, entropy, watch_forks
from lbalgo.pool import Pool
from lbalgo.request import FIRST, Request
from lbalgo.spec import LIMIT, check_integer, check_real, check_time
from lbalgo.types import OUTCOME_CODES, Outcome
from lbalgo.view import members_of
from lbalgo.visiting import Contextual, Gatehouse, Visit

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.outside import CLOCK as monotonic  # noqa: N811
    from lbalgo.reference.evidence import Evidence
    from lbalgo.reference.lease import Desk, Lease
    from lbalgo.reference.ledger import Ledger, zeros
    from lbalgo.reference.load_picker import LoadPicker
    from lbalgo.reference.loads import ForeignLoad, InFlightCounts, LoadState
    from lbalgo.reference.pickers import TicketPicker

NOTHING = ()
UNIT = 1.0
UNKNOWN = math.nan
NEVER = math.inf
OUTCOMES = tuple(Outcome)
CANCELLED = OUTCOME_CODES[Outcome.CANCELLED]


class Balancer(Desk):
    """The one mutable shell; see `lbalgo.balancer`."""

    __class_getitem__: Any = classmethod(GenericAlias)
    lock: Any
    picker: Any
    view: Any
    by_ticket: TicketPicker | None
    by_load: LoadPicker | None
    load: LoadState | None
    index: dict[str, int]
    ledger: Ledger
    late: list[tuple[Any, ...]]
    witnesses: list[tuple[Any, Any]]
    witness: Evidence | None  # of the one witness, if there is one and its evidence can be noted in C

    def __init__(
        self,
        policy: Any,
        backends: Any,
        *,
        signals: Iterable[Any] = (),
        gates: Iterable[Any] = (),
        clock: Callable[[], float] = CLOCK,
        seed: int | None = None,
        panic_below: float = 0.5,
        forget_after: float = 300.0,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        if self.lock is not None:
            raise TypeError("a balancer is made once: build another")
        if not callable(clock):
            raise ConfigError("clock", clock, "must be a function without arguments that gives seconds")
        if on_event is not None and not callable(on_event):
            raise ConfigError("on_event", on_event, "must be a function of one event, or None")
        self.seeded = seed is not None
        origin = entropy() if seed is None else check_integer("seed", seed, low=0, high=2**64 - 1)
        self.policy, self.clock, self.native, self.on_event = policy, clock, clock is CLOCK, on_event
        self.lock, self.courier = ReentrantLock(), Lock()
        self.latest = -math.inf
        self.gates = Gatehouse(gates, clock)
        self.gated = bool(self.gates.all)
        members = tuple(members_of(backends))
        check_real("panic_below", panic_below, low=0.0, high=1.0)
        check_real("forget_after", forget_after, low=0.0)
        self.pool = Pool(policy, members, signals, self._now(), panic_below, forget_after)
        self.news = self.pool.news
        self.witnesses = [(signal, getattr(signal, "evidence", None)) for signal in self.pool.witnesses]
        self.blind = all(isinstance(evidence, Evidence) for _, evidence in self.witnesses)
        self.witness = self.witnesses[0][1] if self.blind and len(self.witnesses) == 1 else None
        self.ledger, self.abandoned, self.late = Ledger(), [], []
        self.working = False
        self.picker, self.view, self.load, self.index = None, None, None, {}
        self.by_ticket, self.by_load = None, None
        self._follow()
        self._reseed(origin)
        watch_forks(self)
        self._deliver()

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
                self.advance(now)
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
            self.advance()
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
        lease = Lease.__new__(Lease)  # before the pick: the collector may run
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

    def _testify(self, tripped: list[Any] | None, row: int, code: int, latency: float, pause: float) -> None:
        """The pool hears how a request ended, or those judge who have noted it and whose evidence has tripped."""
        with self.lock:
            slot = self.slots[row]
            if self.working:  # on this very thread: a signal, or a finaliser, ends a lease amid a change
                self.late.append((tripped, row, code, latency, pause))
            elif slot >= 0:
                self.working = True
                took, spared = None if latency != latency else latency, None if pause != pause else pause
                try:
                    self.pool.testify(tripped, slot, code, took, spared, self._now())
                finally:
                    self._follow()

    def _sweep(self) -> None:
        """Ends, as CANCELLED, the leases that were dropped without a word."""
        with self.lock:
            while self.abandoned:
                now = self._now()
                row, load, visit, cost, began = self.abandoned.pop()
                self._settle(row, load, visit, cost, began, CANCELLED, UNKNOWN, UNKNOWN, now)
        self._deliver()

    def update(self, backends: Any) -> None:
        """Makes these the members; nothing has changed if they are refused."""
        members = tuple(members_of(backends))
        with self.lock:
            self._begin()
            self.moving = True  # whoever has evidence waits: slots are about to mean other backends
            try:
                self.pool.update(members, self._now(), self.ledger.busy)
            finally:
                self._follow()
        self._deliver()

    def advance(self, now: float | None = None) -> float | None:
        """Runs what is due at `now` (seconds; None asks the clock); returns the next deadline."""
        with self.lock:
            self.latest = self._now() if now is None else max(self.latest, check_time("now", now))
            if not self.working:  # else this very thread is at it, and time will be looked at again
                self.working = True
                try:
                    self.pool.advance(self.latest)
                finally:
                    self._follow()
        self._deliver()
        return self.next_deadline

    def report(self, id: str, report: Any) -> None:
        """Hands what a backend says of itself to every signal, and to the load, that has `reported`."""
        with self.lock:
            if id not in self.index:
                raise UnknownBackend(id)
            row = self.index[id]
            self._begin()
            try:
                self.pool.report(self.slots[row], row, report, self._now())
            finally:
                self._follow()
        self._deliver()

    def snapshot(self) -> dict[str, Any]:
        """What the signals know and where the sequence of picks is, as plain data; members and leases are not in it.

        What is due is run first, so that ages are those of now.
        """
        with self.lock:
            self._begin()
            try:
                now = self._now()
                self.pool.advance(now)
                state = {**self.pool.snapshot(), "gates": self.gates.snapshot(now)}
            finally:
                self._follow()
        self._deliver()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from the snapshot of a balancer of the same shape; nothing has changed if it is refused."""
        with self.lock:
            self._begin()
            self.moving = True
            try:
                now = self._now()
                self.pool.shape(state)
                undo = self.gates.restore(state.get("gates"), now)
                try:
                    self.pool.restore(state, now)
                except BaseException:
                    undo()
                    raise
            finally:
                self._follow()
        self._deliver()

    def _begin(self) -> None:
        """A change begins, and ends with `_follow`; on another thread it has waited for the lock."""
        if self.working:
            raise RuntimeError("the balancer is changing: policies, signals, loads and finalisers may not change it")
        self.working = True

    def _follow(self) -> None:
        """The pool's view and picker become the hot path's, all of it at once."""
        pool = self.pool
        if pool.picker is not self.picker or pool.view is not self.view:
            picker, view, names, index = pool.picker, pool.view, pool.rows.names, pool.rows.members
            load = getattr(picker, "load", None)
            if load is not None and not isinstance(load, LoadState):
                load = self.load if getattr(self.load, "load", None) is load else ForeignLoad(load)
            panic, direct = view.panic, type(picker) is TicketPicker or type(picker) is LoadPicker
            own = picker.view.ids if direct else ()  # a policy may have left some backends out
            direct = direct and all(id in index for id in own)
            slots = zeros(len(names))
            lanes = zeros(len(own) if direct else 0)
            for row in range(len(slots)):
                slots[row] = -1
            for slot, id in enumerate(view.ids):
                slots[index[id]] = slot
            for slot in range(len(lanes)):
                lanes[slot] = index[own[slot]]
            direct = direct and not self.gated
            by_ticket = picker if direct and type(picker) is TicketPicker else None
            by_load = picker if direct and type(picker) is LoadPicker else None
            kept = self.picker, self.view, self.index, self.load  # no finaliser may run in between
            self.ledger.grow(len(names))
            self.slots, self.lanes, self.index = slots, lanes, index
            self.picker, self.view, self.load, self.panic = picker, view, load, panic
            self.by_ticket, self.by_load = by_ticket, by_load
            self.serial = not cython.compiled or self.gated or isinstance(load, ForeignLoad)
            self.timed = self.gated or not self.blind or not (load is None or type(load) is InFlightCounts)
            del kept
        self.due = pool.deadline
        self.ticking = self.timed or self.due != NEVER
        self.moving = self.working = False
        while self.late:
            tripped, row, code, latency, pause = self.late.pop(0)
            self._testify(tripped, row, code, latency, pause)

    def _deliver(self) -> None:
        """Hands events on in order, outside the lock; one thread at a time, and a nested call leaves them to it."""
        courier = self.courier
        while self.news and courier.acquire(blocking=False):
            try:
                while self.news:
                    event = self.news.popleft()
                    if self.on_event is not None:
                        self.on_event(event)
            finally:
                courier.release()

    def stats(self) -> Stats:
        """What has been counted so far."""
        if self.abandoned:
            self._sweep()
        with self.lock:
            return self.ledger.stats(self.view.ids, self.pool)

    @property
    def next_deadline(self) -> float | None:
        """The next instant (seconds) at which `advance` could matter, or None."""
        return None if self.due == NEVER else self.due

    def _now(self) -> float:
        self.latest = max(self._read(), self.latest)
        return self.latest

    def _read(self) -> float:
        if self.native:
            return monotonic()
        now = self.clock()
        return now if type(now) is float and -LIMIT <= now <= LIMIT else check_time("clock()", now)

    def _reseed(self, seed: int) -> None:
        self.gates.reseed(seed)
        if hasattr(self.picker, "reseed"):
            self.picker.reseed(seed)

    def _hold(self) -> None:
        self.lock.acquire()

    def _release(self, child: bool) -> None:
        if child:
            self.courier = Lock()
            if not self.seeded:
                self._reseed(entropy())
        self.lock.release()

    def __repr__(self) -> str:
        more = f", gates={list(self.gates.all)!r}" if self.gated else ""
        return f"Balancer({self.policy!r}, {list(self.view.backends)!r}, signals={list(self.pool.signals)!r}{more})"

    def __reduce__(self) -> Any:
        raise TypeError("a balancer cannot be copied or pickled: build another, and carry its snapshot() over")


def serve(balancer: Balancer, key: Any) -> Lease:
    """`acquire` of nothing but a key: the compiled class's short way in."""
    return balancer._lend(key, NOTHING, 1.0, None, FIRST, None)


if not cython.compiled:  # as the compiler has it
    Balancer.lock = None
else:
    short_entry(Balancer, "acquire", serve)  # type: ignore[name-defined]  # noqa: F821
