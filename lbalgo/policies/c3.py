"""C3: replicas ranked by the queue a request would find there, cubed, and by how long the server takes for one.

A storage server says with each answer how long its queue is and how long it took to serve; the client sees how long the
answer took in all. Averages of the three, R (response time), s (service time) and q (queue), make the score

    R - s + (1 + in_flight * clients + q)**3 * s

The first part is what network and client add. The second is the wait: the queue is what the server said, plus what this
client has sent since, times the number of clients, since the others are probably doing the same. Cubed it keeps a fast
server from drawing queues that a linear score would let grow to the ratio of the speeds: of two servers, one four times
as fast, the fast one gets 4**(1/3) = 1.6 times the queue.

An average takes a new sample with weight `alpha`. Averages fade with `tau` while a server has nothing of this client's
to do, so that whoever is avoided is tried again; in the paper they stand for ever. While requests are there they stand:
a server that is silent over one long request is not getting faster. Without feedback the service time is taken for the
response time and the queue for empty. Nobody knows one that never answered: it is tried at once, and once until it has
answered. A failure counts as an answer that took `penalty` seconds at least, since failing fast is not being fast.

Costs: O(1) an event, pick O(N), or O(choices squared); memory 200 bytes a backend.
Sources: Suresh, Canini, Schmid, Feldmann, "C3: cutting tail latency in cloud data stores via adaptive replica
selection", NSDI 2015; Elasticsearch's adaptive replica selection (alpha 0.3) has the same score. Fading, penalty, and
what is done without feedback are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.active import LoadPicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.estimators.state import check_state
from lbalgo.policies.loaded import load_picker
from lbalgo.policies.walked import OpenRequests
from lbalgo.spec import check_integer, check_real, check_row, from_dict, to_dict
from lbalgo.types import Backend, Ids, Outcome, Picker, Pool
from lbalgo.view import view_of

B = TypeVar("B", bound=Backend)

ALPHA = 0.9  # weight of a new sample in the authors' simulator
EXPONENT = 3.0
TAU = 10.0  # seconds, as `PeakEwma`
PENALTY = 1.0  # seconds; ours
MOST_CHOICES = 64  # as `PowerOfTwo`
LARGEST = 1e15  # greatest queue, and seconds, that feedback may say
MOST = 1e300
UNTRIED = 1e100  # score of one never heard of, for each request in flight: beyond all others


@dataclass(frozen=True)
class Feedback:
    """What a server says with an answer.

    Parameters
    ----------
    queue : requests that wait or are served there, >= 0.
    service_time : how long it took to serve the request, without waiting, in seconds, >= 0.

    Raises
    ------
    ConfigError : a number is not finite, or negative.

    Source: C3, NSDI 2015.

    Examples
    --------
    >>> Feedback(queue=4, service_time=0.004)
    Feedback(queue=4, service_time=0.004)
    """

    queue: float
    service_time: float

    def __post_init__(self) -> None:
        check_real("queue", self.queue, low=0.0, high=LARGEST)
        check_real("service_time", self.service_time, low=0.0, high=LARGEST)


@dataclass(frozen=True)
class C3:
    """The backend of least C3 score over weight x factor, of all or of a few drawn.

    Parameters
    ----------
    clients : how many clients share the pool, from 1 to 1e9.
    alpha : weight of a new sample in an average, > 0 and <= 1.
    exponent : of the queue, from 1 to 10.
    choices : how many to draw by weight and compare, 1 to 64; None: all.
    tau : seconds in which averages fade to 1/e while nothing is in flight there, from 1e-3 to 1e9.
    penalty : seconds that a failure counts as, at least, from 0 to 1e9.

    Raises
    ------
    ConfigError : a parameter is out of its range; by the live load, for a report that is no `Feedback`.

    Feedback comes in by ``balancer.report(id, Feedback(queue, service_time))``, response times by the leases. The score
    is also a load of its own: ``PowerOfTwo(load=C3())``. A request counts as one, whatever it costs, as in the queues
    that servers tell.

    Costs: build O(N), pick O(N), or O(choices ** 2) where there are fewer, memory 64 bytes a backend and 200 of the
    load, disruption does not apply.
    Source: Suresh, Canini, Schmid, Feldmann, NSDI 2015.

    Examples
    --------
    >>> from lbalgo import Outcome
    >>> load = C3(clients=2).start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.reported(0, Feedback(queue=1, service_time=0.25), 0.5)
    >>> load.finished(0, Outcome.SUCCESS, 0.5, 0.5)
    >>> load.at(0)  # 0.5 - 0.25 + (1 + 0 * 2 + 1)**3 * 0.25
    2.25
    """

    clients: float = 1.0
    alpha: float = ALPHA
    exponent: float = EXPONENT
    choices: int | None = None
    tau: float = TAU
    penalty: float = PENALTY

    def __post_init__(self) -> None:
        check_real("clients", self.clients, low=1.0, high=1e9)
        check_real("alpha", self.alpha, low=0.0, high=1.0, open_low=True)
        check_real("exponent", self.exponent, low=1.0, high=10.0)
        if self.choices is not None:
            check_integer("choices", self.choices, low=1, high=MOST_CHOICES)
        check_real("tau", self.tau, low=1e-3, high=1e9)
        check_real("penalty", self.penalty, low=0.0, high=1e9)

    def start(self) -> ReplicaScores:
        """A new load, in which nobody was heard of."""
        return ReplicaScores(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> LoadPicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> LoadPicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> LoadPicker[Any]:
        """A picker for this view; live load, rows and cursor are the previous one's if its policy is equal."""
        view = view_of(view)
        return load_picker(self, view, previous, self, choices=self.choices)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> C3:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


class Averages:
    """What is known of one server: averages of response time, service time (seconds) and queue; NaN: never heard."""

    __slots__ = ("queue", "response", "service", "when")

    def __init__(self, response: float, service: float, queue: float, when: float) -> None:
        self.response, self.service, self.queue, self.when = response, service, queue, when


class ReplicaScores:
    """The live load of `C3`, made by its `start`.

    Parameters
    ----------
    spec : the policy.
    """

    margin = 0.0  # the request to come is in the score already

    def __init__(self, spec: C3) -> None:
        self.spec = spec
        self._open = OpenRequests()
        self._known: dict[int, Averages] = {}

    def started(self, row: int, cost: float, now: float) -> None:
        """A request was sent to the backend in `row` at `now` (seconds)."""
        row = check_row(row)
        idle = not self._open.count(row)
        self._open.started(row, cost, now)
        if row in self._known:
            self._known[row] = self._faded(row, idle)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request to the backend in `row` ended at `now` (seconds); what was cancelled says nothing."""
        row, took = self._open.finished(row, outcome, latency, now, cost)
        known = self._faded(row, idle=False)
        if row in self._known:
            self._known[row] = known
        if outcome is Outcome.CANCELLED or (took is None and outcome is Outcome.SUCCESS):
            return
        took = took or 0.0
        known.response = self._averaged(
            known.response, min(took if outcome is Outcome.SUCCESS else max(took, self.spec.penalty), LARGEST)
        )
        self._known[row] = known

    def reported(self, row: int, feedback: Any, now: float) -> None:
        """The backend in `row` says this of itself, at `now` (seconds).

        Raises
        ------
        ConfigError : it is no `Feedback`; the row or `now` is invalid.
        """
        row = check_row(row)
        if not isinstance(feedback, Feedback):
            raise ConfigError("report", feedback, "must be a Feedback")
        self._open.advance(now)
        known = self._faded(row)
        known.service = self._averaged(known.service, float(feedback.service_time))
        known.queue = self._averaged(known.queue, float(feedback.queue))
        self._known[row] = known

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self._open.advance(now)

    def at(self, row: int) -> float:
        """The score of the backend in `row`, with one request more; 0 for one never heard of and idle."""
        row, flying = check_row(row), self._open.count(row)
        known = self._faded(row)
        service, response = known.service, known.response
        if math.isnan(response):
            if math.isnan(service):
                return UNTRIED * flying
            response = service
        if math.isnan(service):
            service = response
        length = 1.0 + flying * self.spec.clients + (0.0 if math.isnan(known.queue) else known.queue)
        score = max(response - service, 0.0) + length**self.spec.exponent * service
        return score if score < MOST else MOST

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is known of it."""
        self._known.pop(self._open.restart(row), None)

    def _averaged(self, average: float, sample: float) -> float:
        return sample if math.isnan(average) else average + self.spec.alpha * (sample - average)

    def _faded(self, row: int, idle: bool | None = None) -> Averages:
        """The averages as they are now; `idle` says whether nothing was in flight since, None: as it is now."""
        latest = self._open.latest
        known = self._known.get(row)
        if known is None:
            return Averages(math.nan, math.nan, math.nan, latest)
        if idle is None:
            idle = not self._open.count(row)
        kept = math.exp((known.when - latest) / self.spec.tau) if idle else 1.0
        return Averages(known.response * kept, known.service * kept, known.queue * kept, latest)

    def snapshot(self) -> dict[str, Any]:
        """The averages of all rows now, None where nothing was heard."""
        rows = [[row, *map(_plain, (k.response, k.service, k.queue))] for row, k in self._rows()]
        return {"type": "C3", "rows": rows}

    def _rows(self) -> list[tuple[int, Averages]]:
        return [(row, self._faded(row)) for row in self._known]

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds), and of other rows nothing.

        Raises
        ------
        ConfigError : it is something else; nothing has changed.
        """
        rows = check_state("C3", state, "rows")["rows"]
        if not isinstance(rows, Sequence) or not all(isinstance(row, Sequence) and len(row) == 4 for row in rows):
            raise ConfigError("state['rows']", rows, "must be rows, each with three averages")
        known = {check_row(row, "state['rows']"): (_number(r), _number(s), _number(q)) for row, r, s, q in rows}
        self.advance(now)
        self._known = {row: Averages(*averages, self._open.latest) for row, averages in known.items()}

    def check_invariants(self) -> None:
        """Raises AssertionError where the load contradicts itself."""
        assert all(0.0 <= self.at(row) <= MOST for row in self._known), "scores are finite and not negative"

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: object) -> float:
    return math.nan if value is None else check_real("state['rows']", value, low=0.0, high=LARGEST)
