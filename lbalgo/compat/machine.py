"""Machines: decisions of real systems that depend on what went before, and the one picker that drives them.

A *machine* is the mutable half of a real balancer: cursors, currents, heaps, what is in flight, what has failed. It
knows backends by *row* (stable while they are members, whatever else joins or leaves), so that a rebuild is told to it
as the real program would see it: who joined, who left, who went down or came up, whose weight changed.

A machine may also have `explain(key, name)`: the reasons for its next choice, in pairs of a step's name and a sentence,
where `name` gives the id of a row. It is asked of a copy, so it may spend what it likes.

`MachinePicker` gives a machine the interface of every other picker. The machine is also the picker's load: it hears
when a request starts and ends, and how, and learns the time from there. It is handed on from picker to picker, so the
newest picker is the one that decides; an older one goes on with the machine as it is then.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from lbalgo.errors import ConfigError, NoBackend
from lbalgo.policies.loaded import rows_of
from lbalgo.reference.hashing import key_bytes
from lbalgo.types import Backend, Outcome, Picker
from lbalgo.view import View

B = TypeVar("B", bound=Backend)
OVERLOADED = -2  # what `choose` answers if only limits stand in the way; -1 if nobody may serve


class Machine(Protocol):
    """What a picker drives: turns and counters of a real balancer, by row."""

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Make these the members, in this order; `view` has their backends, weights, factors and states by slot.

        Called at every rebuild. Whatever is invalid is refused before anything has changed.
        """

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row that serves the next request, whose turn is spent; -1 or OVERLOADED if there is none.

        Rows in `skip` were tried.
        """
        ...

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to this row."""

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to this row has ended; `latency` in seconds, None if unknown."""

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""

    def at(self, row: int) -> float:
        """Requests in flight to this row."""
        ...


class MachinePicker(Generic[B]):
    """A picker whose decisions a machine makes.

    Parameters
    ----------
    policy : the frozen specification that built it.
    view : the view it was built from.
    machine : decides; also the picker's load.
    rows : row of each slot.
    unused : the first row nobody had yet.

    Cost: pick as the machine; `walk` copies the machine once for each backend it yields.
    """

    def __init__(self, policy: Any, view: View[B], machine: Any, rows: Any, unused: int) -> None:
        self.policy = policy
        self.view = view
        self.backends = view.backends
        self.machine = machine
        self.rows = rows
        self.unused = unused
        self._slots = {row: slot for slot, row in enumerate(rows.tolist())}

    @property
    def takes_key(self) -> bool:
        """Whether the key matters, so that it makes sense to ask which keys move."""
        return bool(getattr(self.policy, "takes_key", False))

    @property
    def load(self) -> Any:
        """The machine, which hears of requests."""
        return self.machine

    def pick(self, key: Any = None, *, exclude: Container[str] = ()) -> B:
        """The backend that serves the next request; `exclude` are those that this request has tried."""
        return self.backends[self._slot(self.machine, _bytes(key), self._tried(exclude))]

    def walk(self, key: Any = None) -> Iterator[B]:
        """Every backend that may serve, in the order in which the next request would try them; spends no turn."""
        data, tried = _bytes(key), set[int]()
        while True:
            row = copy.deepcopy(self.machine).choose(data, tried)
            if row < 0 or row in tried or row not in self._slots:
                return
            tried.add(row)
            yield self.backends[self._slots[row]]

    def explain(self, key: Any = None) -> list[tuple[str, str]]:
        """What the machine tells of its next choice for this key; spends no turn."""
        if not hasattr(self.machine, "explain"):
            return []
        ids = {row: self.view.ids[slot] for row, slot in self._slots.items()}
        steps: list[tuple[str, str]] = copy.deepcopy(self.machine).explain(_bytes(key), ids.__getitem__)
        return steps

    def _tried(self, exclude: Container[str]) -> Container[int]:
        if exclude == ():
            return ()
        if isinstance(exclude, (str, bytes)):
            raise ConfigError("exclude", exclude, "must be a container of ids, not one string")
        return {row for row, slot in self._slots.items() if self.view.ids[slot] in exclude}

    def _slot(self, machine: Any, key: bytes | None, tried: Container[int]) -> int:
        row = machine.choose(key, tried)
        if row in self._slots:
            return self._slots[row]
        if len(self.backends) == 0:
            raise NoBackend("empty")
        if row == OVERLOADED:
            raise NoBackend("overloaded")
        raise NoBackend("excluded" if tried else "ineligible")

    def reseed(self, seed: int) -> None:
        """Moves the random start of the machine, if the real system has one and the policy left it open."""
        if hasattr(self.machine, "reseed"):
            self.machine.reseed(seed)

    def check_invariants(self) -> None:
        """Raises AssertionError where the picker or its machine contradicts itself."""
        assert len(set(self.rows.tolist())) == len(self.backends), "one row for each backend"
        if hasattr(self.machine, "check_invariants"):
            self.machine.check_invariants()

    def __repr__(self) -> str:
        return f"{self.policy!r}.build({self.view!r})"


def machine_picker(
    policy: Any, view: View[B], previous: Picker[B] | None, start: Callable[[], Any]
) -> MachinePicker[B]:
    """A picker for this view; the previous picker's machine goes on if its policy is equal, else a new one starts."""
    rows, unused = rows_of(view, previous)
    goes_on = isinstance(previous, MachinePicker) and previous.policy == policy
    machine = previous.machine if isinstance(previous, MachinePicker) and goes_on else start()
    machine.sync(rows.tolist(), view)
    return MachinePicker(policy, view, machine, rows, unused)


def _bytes(key: Any) -> bytes | None:
    return None if key is None else key_bytes(key)
