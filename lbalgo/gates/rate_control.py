"""C3's rate control: how much a client sends to each server follows how much comes back.

Ranking alone spreads requests; where many clients together send more than a server can do, all of them have to send
less. None of them knows what the others send, but each sees what becomes of its own: who sends faster than answers come
is filling a queue. So each client bounds its rate to each server, the *limit*, in requests an interval, and once an
interval compares it with its answers:

- More answers than the limit: it is raised, by the cubic curve of TCP's CUBIC. With T seconds since it was lowered from
  `peak`, to `growth` (T - K)**3 + peak, where K**3 = peak * backoff / growth: fast at first, flat around the rate that
  was too much, fast again when that has been left behind; at most `step` at a time.
- Fewer, and fewer than were sent: it is lowered to `backoff` times what it was, once it has stood for `hysteresis`
  intervals.

In the paper fewer than the limit are enough. But of what was not sent no answer is missing, and a client that sends
less than it may would be cut down to less than it sends, again and again. Ours as well: answers are what servers gave,
so that refusals, timeouts and connections that failed are missing; a raise is never one downwards. What goes is metered
by a virtual schedule: a request moves the next one on by interval / limit, and may be early by what makes a burst of
one interval's requests.

Costs: O(1) a request, O(backends) where a balancer asks who is full; memory six numbers a backend that was ever used.
Sources: Suresh, Canini, Schmid, Feldmann, NSDI 2015, 3.2 (backoff 0.2, intervals of 20 ms); its simulator (growth 4e-6
an ms**3, step 10, least 0.1); Ha, Rhee, Xu, "CUBIC", 2008; ITU-T I.371, for the virtual schedule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.estimators.state import NANOSECONDS, check_state, instant
from lbalgo.gates.throttling import REJECTIONS
from lbalgo.request import ADMIT, FIRST, Decision, Reason, Request
from lbalgo.spec import LIMIT, check_enum, check_id, check_integer, check_real
from lbalgo.types import Outcome

INTERVAL = 0.020  # seconds; the paper
INITIAL = 10.0  # requests an interval; ours, one step
BACKOFF, GROWTH, STEP, LEAST = 0.2, 4000.0, 10.0, 0.1  # growth is the simulator's 4e-6 an ms**3, in seconds
HYSTERESIS = 2.0  # intervals; the simulator has 2 to 4
MOST = 1e9
INSTANTS = frozenset(("lowered", "changed", "next", "began"))
FIELDS = ("limit", "peak", "lowered", "changed", "next", "began", "sent", "answered")


class Flow:
    """What is known of one backend: limits in requests an interval, instants in nanoseconds."""

    __slots__ = FIELDS

    def __init__(self, limit: float, at: int) -> None:
        self.limit = self.peak = limit
        self.lowered = self.changed = self.next = self.began = at
        self.sent = self.answered = 0

    def gap(self, interval: int) -> int:
        """Nanoseconds from one request to the next."""
        return max(1, round(interval / self.limit))

    def opens(self, interval: int) -> int:
        """When the next request may go."""
        return self.next - max(0, interval - self.gap(interval))


class RateControl:
    """A gate that bounds the rate to each backend by what comes back.

    Parameters
    ----------
    interval : seconds in which answers are counted, from 1e-6 to 1e6.
    initial : requests an interval to a backend that was not used before, >= `least`.
    least : fewest requests an interval, > 0.
    backoff : what a limit is multiplied by when it is lowered, > 0 and < 1.
    growth : of the cubic curve, requests an interval and second**3, > 0.
    step : most by which a limit is raised at a time, > 0.
    hysteresis : intervals for which a limit stands before it is lowered, >= 0.

    Raises
    ------
    ConfigError : a parameter is out of its range; by `finished`, for an outcome that is none.

    A request that has no backend yet is admitted; `full` names those whose limit is reached, and of a request for one
    of them `admit` says after how many seconds it may go.

    Costs: O(1) a request, `full` O(backends).
    Source: Suresh, Canini, Schmid, Feldmann, NSDI 2015.

    Examples
    --------
    >>> gate, a = RateControl(initial=2.0), Request("a")
    >>> for _ in range(2):
    ...     gate.started(0.0, a)
    >>> gate.admit(0.0, a).retry_after, sorted(gate.full()), gate.admit(0.01, a).admitted
    (0.01, ['a'], True)
    """

    __slots__ = (
        "_flows",
        "_interval",
        "_latest",
        "backoff",
        "growth",
        "hysteresis",
        "initial",
        "interval",
        "least",
        "step",
    )

    def __init__(
        self,
        interval: float = INTERVAL,
        initial: float = INITIAL,
        least: float = LEAST,
        backoff: float = BACKOFF,
        growth: float = GROWTH,
        step: float = STEP,
        hysteresis: float = HYSTERESIS,
    ) -> None:
        self.interval = check_real("interval", interval, low=1e-6, high=1e6)
        self.least = check_real("least", least, low=1e-3, high=MOST)
        self.initial = check_real("initial", initial, low=self.least, high=MOST)
        self.backoff = check_real("backoff", backoff, low=0.0, high=1.0, open_low=True)
        if self.backoff == 1.0:
            raise ConfigError("backoff", backoff, "must be < 1")
        self.growth = check_real("growth", growth, low=0.0, high=1e30, open_low=True)
        self.step = check_real("step", step, low=0.0, high=MOST, open_low=True)
        self.hysteresis = check_real("hysteresis", hysteresis, low=0.0, high=1e6)
        self._interval = instant(self.interval)
        self._flows: dict[str, Flow] = {}
        self._latest: int | None = None  # for `full`, which is not told the time

    def limit(self, backend: str) -> float:
        """Requests an interval that may go to a backend."""
        flow = self._flows.get(backend)
        return self.initial if flow is None else flow.limit

    def full(self) -> frozenset[str]:
        """The ids of the backends to which nothing may go at the latest instant there was."""
        if self._latest is None:
            return frozenset()
        return frozenset(id for id, flow in self._flows.items() if flow.opens(self._interval) > self._latest)

    def _now(self, now: float) -> int:
        at = instant(now)
        if self._latest is None or at > self._latest:
            self._latest = at
        return at

    def admit(self, now: float, request: Request = FIRST) -> Decision:
        """Whether one more may go to its backend; without one it may."""
        at = self._now(now)
        flow = None if request.backend is None else self._flows.get(request.backend)
        early = 0 if flow is None else flow.opens(self._interval) - at
        return ADMIT if early <= 0 else Decision(Reason.BACKEND_LIMIT, retry_after=early / NANOSECONDS)

    def started(self, now: float, request: Request = FIRST) -> None:
        """A request was sent; it is metered by its backend, if that is said."""
        at = self._now(now)
        if request.backend is None:
            return
        flow = self._flows.get(request.backend)
        if flow is None:
            flow = self._flows[request.backend] = Flow(self.initial, at)
        flow.next = max(flow.next, at) + flow.gap(self._interval)
        flow.sent += 1

    def refused(self, now: float, request: Request = FIRST) -> None:
        """It does not go, and was not metered."""
        self._now(now)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None = None) -> None:
        """A started request has ended; if it is time, its backend's limit is moved."""
        at = self._now(now)
        answer = check_enum("outcome", outcome, Outcome) not in REJECTIONS and outcome is not Outcome.CANCELLED
        flow = None if request.backend is None else self._flows.get(request.backend)
        if flow is None:
            return
        flow.answered += answer
        if at - flow.began >= self._interval:
            self._compare(flow, at)
            flow.began, flow.sent, flow.answered = at, 0, 0

    def _compare(self, flow: Flow, at: int) -> None:
        intervals = (at - flow.began) / self._interval
        answers = flow.answered / intervals
        if answers > flow.limit:
            since = (at - flow.lowered) / NANOSECONDS
            curve = self.growth * (since - math.cbrt(flow.peak * self.backoff / self.growth)) ** 3 + flow.peak
            flow.limit = max(flow.limit, min(curve, flow.limit + self.step, MOST))
            flow.changed = at
        elif (
            answers < flow.limit and flow.answered < flow.sent and at - flow.changed > self.hysteresis * self._interval
        ):
            flow.peak = flow.limit
            flow.limit = max(flow.limit * self.backoff, self.least)
            flow.lowered = flow.changed = at

    def snapshot(self, now: float) -> dict[str, Any]:
        """The limits, and what they stand on; instants as ages in seconds."""
        at = instant(now)
        rows = [[id, *(_said(n, getattr(flow, n), at) for n in FIELDS)] for id, flow in self._flows.items()]
        return {"type": "RateControl", "flows": rows}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot.

        Raises
        ------
        ConfigError : it is none; nothing has been changed.
        """
        at = instant(now)
        rows = check_state("RateControl", state, "flows")["flows"]
        if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) == len(FIELDS) + 1 for r in rows):
            raise ConfigError("state['flows']", rows, f"must be rows of id, {', '.join(FIELDS)}")
        flows = {}
        for id, *row in rows:
            flow = flows[check_id(id, "state['flows']")] = Flow(self.initial, at)
            for name, value in zip(FIELDS, row, strict=True):
                where = f"state['flows'][{id!r}] {name}"
                if name in INSTANTS:
                    setattr(flow, name, at - instant(check_real(where, value, low=-LIMIT, high=LIMIT)))
                elif name in ("limit", "peak"):
                    setattr(flow, name, check_real(where, value, low=self.least, high=MOST))
                else:
                    setattr(flow, name, check_integer(where, value, low=0))
        self._flows = flows

    def __repr__(self) -> str:
        values = self.interval, self.initial, self.least, self.backoff, self.growth, self.step, self.hysteresis
        return f"RateControl({', '.join(map(repr, values))})"


def _said(name: str, value: float, at: int) -> float:
    return (at - value) / NANOSECONDS if name in INSTANTS else value
