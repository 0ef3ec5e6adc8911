"""Join idle queue: whoever has nothing to do gets the request; only when nobody is idle is there a choice to make.

With many servers somebody is idle nearly always, and then it hardly matters which: 100 servers at 90 % load answer in
1.073 service times on average, where comparing all queues needs 1.067 and two choices 2.65. And to know who is idle
costs little: a server is idle when its last request has ended, which is one message a request, sent by the server when
it suits it, and not while a request waits.

*Who says so.* With one client its own counts do: idle is who has less than `room` requests in flight. With many, each
knows only its own requests; then (`told=True`) idle is who said so, ``balancer.report(id, Idle())``, and has not been
sent a request since. A server that has become idle tells one client, at random or the one with the fewest idle servers
(`queue_to_join`).

Of the idle by count one is drawn by weight x factor; of those that said so the first to say it gets the request. When
nobody is idle the least loaded of `choices` drawn by weight gets it, one of them being the paper's random choice.

Costs: pick O(1) on average while most are idle, O(N) while most are busy; memory 100 bytes a busy backend.
Source: Lu, Xie, Kliot, Geller, Larus, Greenberg, "Join-Idle-Queue: a novel load balancing algorithm for dynamically
scalable web services", Performance Evaluation 68, 2011.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar, overload

from lbalgo.active import mix64
from lbalgo.columns import word
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.walked import GAMMA, WORD, OpenRequests, WalkedPicker, walked_picker
from lbalgo.spec import check_bool, check_integer, check_real, check_row, from_dict, to_dict
from lbalgo.types import Backend, Ids, Outcome, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

MOST_CHOICES = 64  # as `PowerOfTwo`


@dataclass(frozen=True)
class Idle:
    """What a server says that has nothing left to do.

    Examples
    --------
    >>> Idle()
    Idle()
    """


@dataclass(frozen=True)
class JoinIdleQueue:
    """An idle backend if there is one, else the least loaded of a few.

    Parameters
    ----------
    told : whether idle is who has said so by `Idle`; else who has less than `room` requests in flight.
    room : requests a backend may have and be idle, less than which; what it serves side by side. 1 to 2**31 - 1.
    choices : how many to draw and compare, by (requests in flight + 1) / (weight x factor), when nobody is idle, 1 to
        64.

    Raises
    ------
    ConfigError : a parameter is invalid; by the live load, for a report that is no `Idle` where `told`.

    Picking never changes the load: the caller accounts, a `Balancer` for instance. A key is accepted and ignored.
    `walk` is the idle as they would be picked, then the others in draws of `choices`. Load and cursor are handed on.
    A request counts as one, whatever it costs.

    Costs: build O(N), pick O(1) while most are idle, else O(N), memory 64 bytes a backend, disruption does not apply.
    Source: Lu, Xie, Kliot, Geller, Larus, Greenberg, Performance Evaluation 68, 2011.

    Examples
    --------
    >>> picker = JoinIdleQueue().build(["a", "b", "c"])
    >>> for row in (0, 1):
    ...     picker.load.started(row, 1.0, 0.0)
    >>> {picker.pick().id for _ in range(50)}
    {'c'}
    >>> picker = JoinIdleQueue(told=True).build(["a", "b", "c"])
    >>> for row in (2, 0):
    ...     picker.load.reported(row, Idle(), 0.0)
    >>> picker.pick().id
    'c'
    """

    told: bool = False
    room: int = 1
    choices: int = 1

    def __post_init__(self) -> None:
        check_bool("told", self.told)
        check_integer("room", self.room, low=1, high=2**31 - 1)
        check_integer("choices", self.choices, low=1, high=MOST_CHOICES)

    def start(self) -> IdleRows:
        """A new load, in which nothing is in flight and nobody has said anything."""
        return IdleRows(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> WalkedPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> WalkedPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> WalkedPicker[Any]:
        """A picker for this view; load, rows and cursor are the previous one's if its policy is equal."""
        return walked_picker(self, view_of(view), previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> JoinIdleQueue:
        """The policy `to_dict` described."""
        return from_dict(cls, data)

    def _order(self, picker: WalkedPicker[Any], ticket: int) -> Iterator[int]:
        seen = set[int]()
        for slot in self._idle(picker, ticket):
            seen.add(slot)
            yield slot
        others = (slot for slot in picker.sample(ticket) if slot not in seen)
        while group := list(islice(others, self.choices)):
            yield from sorted(group, key=lambda slot: (picker.load.at(picker.lanes[slot]) + 1.0) / picker.weights[slot])

    def _idle(self, picker: WalkedPicker[Any], ticket: int) -> Iterator[int]:
        """The idle, in the order in which they would be picked."""
        load: IdleRows = picker.load
        if self.told:
            yield from [picker.slot_of[row] for row in load.queue if row in picker.slot_of]
        elif 2 * len(load.busy) < len(picker.slots):  # whoever is drawn is idle, probably
            yield from (slot for slot in picker.sample(ticket) if picker.lanes[slot] not in load.busy)
        else:
            idle = [slot for slot in picker.slots if picker.lanes[slot] not in load.busy]
            while idle:
                yield idle.pop(picker.drawn(idle, ticket))
                ticket = mix64(ticket ^ WORD)


class IdleRows:
    """The live load of `JoinIdleQueue`, made by its `start`.

    Parameters
    ----------
    spec : the policy.

    Attributes
    ----------
    busy : rows with as many requests in flight as there is room for, or more.
    queue : rows that have said that they are idle, the first to say it first.
    """

    def __init__(self, spec: JoinIdleQueue) -> None:
        self.spec = spec
        self.busy: set[int] = set()
        self.queue: dict[int, None] = {}
        self._open = OpenRequests()

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        row = self._open.started(row, cost, now)
        self.queue.pop(row, None)
        if self._open.count(row) >= self.spec.room:
            self.busy.add(row)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds), however it did."""
        row, _ = self._open.finished(row, outcome, latency, now, cost)
        if self._open.count(row) < self.spec.room:
            self.busy.discard(row)

    def reported(self, row: int, report: Any, now: float) -> None:
        """The backend in `row` says at `now` (seconds) that it is idle; who has said it keeps its place.

        Raises
        ------
        ConfigError : `report` is no `Idle`; the row or `now` is invalid.
        """
        row = check_row(row)
        if not isinstance(report, Idle):
            raise ConfigError("report", report, "must be an Idle")
        self._open.advance(now)
        self.queue.setdefault(row)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds, which changes nothing."""
        self._open.advance(now)

    def at(self, row: int) -> float:
        """Requests of this client in flight at the backend in `row`."""
        return float(self._open.count(check_row(row)))

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is in flight there, and it has said nothing."""
        row = self._open.restart(row)
        self.busy.discard(row)
        self.queue.pop(row, None)

    def snapshot(self) -> dict[str, Any]:
        """Who has said that it is idle; what is in flight does not survive a process."""
        return {"type": "JoinIdleQueue", "queue": list(self.queue)}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know who had said that it is idle, as if at `now` (seconds).

        Raises
        ------
        ConfigError : it is no snapshot; nothing has changed.
        """
        rows = check_state("JoinIdleQueue", state, "queue")["queue"]
        if not isinstance(rows, Sequence) or isinstance(rows, (str, bytes)):
            raise ConfigError("state['queue']", rows, "must be rows")
        queue = dict.fromkeys(check_row(row, "state['queue']") for row in rows)
        self.advance(check_real("now", now))
        self.queue = queue

    def check_invariants(self) -> None:
        """Raises AssertionError where the load contradicts itself."""
        assert all(self._open.count(row) >= self.spec.room for row in self.busy), "the busy have no room"

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


def queue_to_join(lengths: Sequence[int], ticket: int, choices: int = 1) -> int:
    """Which client a server that has become idle tells: the one with the fewest idle servers of a few drawn.

    Parameters
    ----------
    lengths : of each client, how many idle servers it knows (any numbers, if `choices` is 1).
    ticket : 64 random bits.
    choices : how many different clients to look at: 1 is the paper's JIQ-Random, d its JIQ-SQ(d).

    Raises
    ------
    ConfigError : there are no clients, or `choices` is no positive integer.

    Examples
    --------
    >>> [queue_to_join([5, 0, 9], ticket << 62, choices=3) for ticket in range(4)]
    [1, 1, 1, 1]
    """
    ticket = word("ticket", ticket)
    check_integer("choices", choices, low=1)
    if not lengths:
        raise ConfigError("lengths", lengths, "must be of one client or more")
    moved, drawn = dict[int, int](), list[int]()
    for at in range(min(choices, len(lengths))):
        other = at + ((mix64((ticket + at * GAMMA) & WORD) * (len(lengths) - at)) >> 64)
        drawn.append(moved.get(other, other))
        moved[other] = moved.get(at, at)
    return min(drawn, key=lengths.__getitem__)
