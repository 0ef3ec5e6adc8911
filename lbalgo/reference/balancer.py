"""`Balancer`: the one mutable shell around pure parts.

Two paths. The *hot path* (acquire, done) reads a snapshot and moves counters; it is `lbalgo.reference.front`. The *slow
path* (members, time, evidence that matters) is here: it holds a lock, lets the `Pool` prepare everything, and swaps the
snapshot in last. Events wait until the state is consistent and the lock is free.

This one text is both twins: run as it is, with the lock held around the hot path too, it is the plain balancer;
compiled as `lbalgo.kernels.balancer`, with the types of `kernels/balancer.pxd`, it is the fast one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lbalgo.errors import ConfigError, UnknownBackend
from lbalgo.events import Event, Stats
from lbalgo.outside import CLOCK, Lock, ReentrantLock, entropy, watch_forks
from lbalgo.pool import Pool
from lbalgo.spec import check_integer, check_real, check_time
from lbalgo.view import members_of
from lbalgo.visiting import Gatehouse

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from lbalgo.reference.evidence import Evidence
    from lbalgo.reference.front import Front
    from lbalgo.reference.ledger import Ledger, zeros
    from lbalgo.reference.load_picker import LoadPicker
    from lbalgo.reference.loads import ForeignLoad, InFlightCounts, LoadState
    from lbalgo.reference.pickers import TicketPicker

NEVER = math.inf


class Balancer(Front):
    """The one mutable shell; see `lbalgo.balancer`."""

    late: list[tuple[Any, ...]]

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

    def _advance(self, now: float) -> None:
        self.advance(now)

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


if not cython.compiled:  # as the compiler has it
    Balancer.lock = None
