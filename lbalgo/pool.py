"""`Pool`: members and signals, and the view and the picker they make; the slow half of a `Balancer`, without its clock.

Whatever changes goes the same way: the signals are brought up to date, merged until they have settled, and if the merge
is anything new a view is made and the policy builds from it. A change of members is all or nothing: when the policy
refuses, signals, rows, view and picker are as they were. Time cannot be refused: when the policy refuses what `advance`
found, the signals know the time, the old picker goes on, and the next change tries again.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.events import Ejected, Event, MembersChanged, PanicChanged, StateChanged, Warming
from lbalgo.merging import settle
from lbalgo.rows import Rows
from lbalgo.spec import check_integer
from lbalgo.types import OUTCOME_CODES, State
from lbalgo.view import View

MACHINE = ("sync", "observe", "changed", "advance", "apply", "snapshot", "restore", "version", "deadline")
OUTCOMES = tuple(OUTCOME_CODES)
SNAPSHOT = 1  # version of the format


class Pool:
    """What a balancer knows of its backends.

    Parameters
    ----------
    policy : builds the pickers.
    members : the first backends, validated; the signals take them for warm.
    signals : machines, each of which no other pool uses.
    now : seconds.
    panic_below : see `View`.
    forget_after : seconds for which leavers are remembered, by rows and signals alike.

    Attributes
    ----------
    view, picker : what the policy was last given, and what it built.
    rows : who has which row.
    news : events not yet handed on, in the order in which they happened.
    rebuilds, panics, ejections : counts for `Stats`.
    """

    def __init__(
        self,
        policy: Any,
        members: Sequence[Any],
        signals: Iterable[Any],
        now: float,
        panic_below: float,
        forget_after: float,
    ) -> None:
        if not callable(getattr(policy, "build", None)):
            raise ConfigError("policy", policy, "must have a method build")
        self.policy = policy
        self.signals = _machines(signals)
        self.panic_below = panic_below
        self.forget_after = forget_after
        self.rows = Rows()
        self.told = np.zeros(0, np.uint8)  # by row: the merged state the signals were last told
        self.versions: list[Any] | None = None  # what the view was made of
        self.refused: list[Any] | None = None  # what the policy last refused
        self.news: deque[Event] = deque()
        self.ejections: dict[str, int] = {}
        self.rebuilds = self.panics = 0
        self.view: View[Any] = View.of(())
        self.picker: Any = None
        self.witnesses = [signal for signal in self.signals if getattr(signal, "observes", True)]
        self.sources = [signal for signal in self.signals if hasattr(signal, "drain_events")]
        saved = [(s, s.snapshot(), getattr(s, "forget_after", None)) for s in self.signals]
        try:
            for signal, _, remembers in saved:
                if remembers is not None:
                    signal.forget_after = forget_after
            self._move(members, now, lambda row: False)
        except BaseException:  # refused: the signals may be given to another pool
            for signal, known, remembers in saved:
                signal.restore(known, now)
                if remembers is not None:
                    signal.forget_after = remembers
            self._undrained()
            raise
        self.rebuilds = 0

    def update(self, members: Sequence[Any], now: float, busy: Callable[[int], bool]) -> None:
        """Makes these the members; `busy` says which rows have leases open."""
        for signal in self.signals:
            signal.advance(now)
        self._drain()
        if _same(self.view, members):
            self.refresh(now, again=True)
            return
        saved = [signal.snapshot() for signal in self.signals]
        try:
            self._move(members, now, busy)
        except BaseException:
            self._load(saved, now)
            raise

    def _move(self, members: Sequence[Any], now: float, busy: Callable[[int], bool]) -> None:
        old, ids = self.view, tuple(member.id for member in members)
        moved, reused = self.rows.move(ids, now, self.forget_after, busy if self._forgetful() else lambda row: True)
        rows = np.fromiter(moved.members.values(), np.int64, len(ids))
        told = np.zeros(len(moved.names), np.uint8)
        told[: len(self.told)] = self.told
        told[reused] = 0
        for signal in self.signals:
            signal.sync(ids, now)
        last = told[rows]
        factors, states, versions = settle(self.signals, ids, last, now)
        told[rows] = last
        weights = np.array([member.weight for member in members], dtype=np.float64)
        view = View(members, weights, factors, states, panic_below=self.panic_below, rows=rows, ids=ids)
        picker = self._build(view, now)
        restart = getattr(getattr(picker, "load", None), "restart", None)
        if restart is not None:
            for row in reused:  # nobody's rows, so that nothing is lost if one is refused
                restart(row)
        joined = tuple(id for id in ids if id not in self.rows.members)
        left = tuple(id for id in old.ids if id not in moved.members)
        said = self._undrained()
        if joined or left:
            held = {id for id, state in zip(ids, states.tolist(), strict=True) if state}
            cold = {event.id for event in said if isinstance(event, Warming)}
            first = (tuple(id for id in joined if id in some) for some in (held, cold))
            self.news.append(MembersChanged(now, joined, left, *first))
        self._note(said)
        self.rows, self.told, self.versions = moved, told, versions
        self._show(view, picker, now)

    def _forgetful(self) -> bool:
        """Whether the load can forget what a row's last owner did; if it cannot, no row is given away."""
        load = _bare(self.picker)
        return load is None or hasattr(load, "restart")

    def refresh(self, now: float, *, again: bool = False) -> None:
        """Merges what the signals say now, and builds a picker if that is anything new.

        What was refused is not tried a second time until it has changed, or the caller says `again`.
        """
        self._drain()
        versions = [signal.version for signal in self.signals]
        if versions == self.versions or (versions == self.refused and not again):
            return
        old = self.view
        told = self.told[old.rows]
        try:
            factors, states, versions = settle(self.signals, old.ids, told, now)
        finally:
            self.told[old.rows] = told
            self.refused = [signal.version for signal in self.signals]  # until it turns out well
            self._drain()
        if not (np.array_equal(factors, old.factors) and np.array_equal(states, old.states)):
            view = View(
                old.backends, old.weights, factors, states, panic_below=self.panic_below, rows=old.rows, ids=old.ids
            )
            self._show(view, self._build(view, now), now)
        self.versions, self.refused = versions, None

    def _build(self, view: View[Any], now: float) -> Any:
        """The policy's picker for this view; the load learns the time before, as it may be part of what is built."""
        load = _bare(self.picker)
        if hasattr(load, "advance"):
            load.advance(now)
        picker = self.policy.build(view, previous=self.picker)
        fresh = _bare(picker)
        if fresh is not load and hasattr(fresh, "advance"):
            fresh.advance(now)
        return picker

    def _show(self, view: View[Any], picker: Any, now: float) -> None:
        old = self.view
        before = dict(zip(old.ids, old.states.tolist(), strict=True))
        for id, state in zip(view.ids, view.states.tolist(), strict=True):
            if state != before.get(id, 0):
                self.news.append(StateChanged(now, id, State(before.get(id, 0)), State(state)))
        if view.panic != old.panic:
            self.news.append(PanicChanged(now, view.panic))
            self.panics += view.panic
        self.view, self.picker = view, picker
        self.rebuilds += 1

    def advance(self, now: float) -> None:
        """Tells the signals the time and follows what they make of it."""
        for signal in self.signals:
            signal.advance(now)
        self.refresh(now, again=True)

    def testify(
        self, tripped: list[Any] | None, slot: int, code: int, latency: float | None, pause: float | None, now: float
    ) -> None:
        """Every witness hears how a request ended, after what is due; those that noted it themselves and tripped judge.

        Who listens hears for how long the backend asked to be spared. All are told, whatever one of them raises; that
        comes out in the end.
        """
        if now >= self.deadline:
            for signal in self.signals:
                signal.advance(now)
        failed = None
        for signal in self.witnesses if tripped is None else tripped:
            try:
                if tripped is None:
                    signal.observe(slot, OUTCOMES[code], latency, now)
                else:
                    signal.tripped(slot, now)
            except Exception as error:
                failed = failed or error
        if pause is not None:
            for signal in self.signals:
                if hasattr(signal, "retry_after"):
                    signal.retry_after(slot, pause, now)
        self.refresh(now)
        if failed is not None:
            raise failed

    def report(self, slot: int, row: int, report: Any, now: float) -> None:
        """Every signal, and the load, that has `reported` hears what a backend says of itself."""
        for signal in self.signals:
            if hasattr(signal, "reported"):
                signal.reported(slot, report, now)
        load = _bare(self.picker)
        if hasattr(load, "reported"):
            load.reported(row, report, now)
        self.refresh(now)

    @property
    def deadline(self) -> float:
        """The next instant at which `advance` could matter, in seconds; infinity if there is none."""
        first = math.inf
        for signal in self.signals:
            due = signal.deadline
            if due is not None and due < first:
                first = due
        return first

    def _drain(self) -> None:
        self._note(self._undrained())

    def _note(self, said: Iterable[Event]) -> None:
        for event in said:
            self.news.append(event)
            if isinstance(event, Ejected):
                self.ejections[event.detector] = self.ejections.get(event.detector, 0) + 1

    def _undrained(self) -> list[Event]:
        return [event for signal in self.sources for event in signal.drain_events()]

    def snapshot(self) -> dict[str, Any]:
        """What the signals know and where the picker's sequence is, as plain data."""
        return {
            "type": "Balancer",
            "version": SNAPSHOT,
            "signals": [{"type": type(s).__name__, "state": s.snapshot()} for s in self.signals],
            "cursor": getattr(getattr(self.picker, "cursor", None), "state", None),
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Goes on from a snapshot of the same shape; nothing changes if it is refused."""
        states, cursor = self.shape(state)
        told, saved = self.told.copy(), [signal.snapshot() for signal in self.signals]
        self.versions = None
        try:
            self._load(states, now)
            self.refresh(now, again=True)
        except BaseException:
            self._load(saved, now)
            self.told = told
            raise
        if cursor is not None:
            self.picker.cursor.state = cursor

    def _load(self, states: Sequence[Any], now: float) -> None:
        for signal, known in zip(self.signals, states, strict=True):
            signal.restore(known, now)
            signal.sync(self.view.ids, now)
        self._undrained()  # what a refused change had them say

    def shape(self, state: Any) -> tuple[list[Any], int | None]:
        """The signals' states and the cursor of a snapshot of this shape; ConfigError for any other."""
        if not isinstance(state, Mapping) or state.get("type") != "Balancer" or state.get("version") != SNAPSHOT:
            raise ConfigError("state", state, f"must be a Balancer's snapshot, version {SNAPSHOT}")
        parts = state.get("signals")
        wanted = [type(signal).__name__ for signal in self.signals]
        whole = isinstance(parts, list) and all(isinstance(p, Mapping) and "state" in p for p in parts)
        if not isinstance(parts, list) or not whole or [p.get("type") for p in parts] != wanted:
            raise ConfigError("state['signals']", parts, f"must be the states of {wanted}")
        place = state.get("cursor")
        if hasattr(getattr(self.picker, "cursor", None), "state") != (place is not None):
            raise ConfigError("state['cursor']", place, "must be there if and only if the picker has a cursor")
        if place is not None:
            check_integer("state['cursor']", place, low=0, high=2**64 - 1)
        return [p["state"] for p in parts], place


def _machines(signals: Iterable[Any]) -> tuple[Any, ...]:
    try:
        machines = tuple(signals)
    except TypeError:
        raise ConfigError("signals", signals, "must be a sequence of signals") from None
    for i, signal in enumerate(machines):
        missing = [name for name in MACHINE if not hasattr(signal, name)]
        if isinstance(signal, type) or missing:
            raise ConfigError(f"signals[{i}]", signal, f"must be a signal, with {', '.join(MACHINE)}")
        if any(signal is other for other in machines[:i]):
            raise ConfigError(f"signals[{i}]", signal, "is in the list already")
    return machines


def _bare(picker: Any) -> Any:
    """The picker's load, as its author made it, or None."""
    from lbalgo.active import ForeignLoad

    load = getattr(picker, "load", None)
    return load.load if isinstance(load, ForeignLoad) else load


def _same(view: View[Any], members: Sequence[Any]) -> bool:
    """Whether these are the view's members and weights: the very objects, or endpoints equal in every field."""
    return len(members) == len(view) and all(
        (new is old or (type(new) is type(old) is Endpoint and _fields(new) == _fields(old))) and new.weight == weight
        for new, old, weight in zip(members, view.backends, view.weights.tolist(), strict=True)
    )


def _fields(e: Endpoint[Any]) -> tuple[Any, ...]:
    return e.id, e.weight, e.zone, e.priority, e.metadata, id(e.payload)
