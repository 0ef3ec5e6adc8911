"""gRPC's outlier detection (A50, A61): two of Envoy's detectors in a machine that differs in many places from Envoy's.

Every `interval` the counts of the finished interval are judged, by success rate and by failure percentage, and whoever
is an outlier is ejected for `base_ejection_time` times its multiplier. What differs from Envoy, numbered:

1. ejections end *after* the judging, and strictly after their time, not at it;
2. every tick an endpoint is admitted takes one from its multiplier at once, without an interval of probation;
3. the cap is asked *before* ejecting: while less than `max_ejection_percent` are ejected one more may be, so that one
   always can be (unless it is 0), however small the pool;
4. failure percentage ejects *above* the threshold, not at it;
5. its `minimum_hosts` counts the endpoints with enough volume, not all;
6. an ejection begins with its tick, not when the code gets to it;
7. one machine a priority, not a cluster: make one for each;
8. an ejected endpoint looks as if in TRANSIENT_FAILURE, and keeps its connection;
9. it is the endpoint that is ejected, whichever of its addresses failed;
10. there are no consecutive, gateway or local-origin detectors, and no jitter;
11. enforcement draws an integer in [0, 100).

What a call was to its caller does not matter: all that do not end with OK are failures, cancelled ones too. An endpoint
that leaves is forgotten at once. An endpoint that is ejected while calls to it still run can be ejected again, by its
late failures, and one endpoint by both detectors in one tick: each time its multiplier grows.

Costs: an outcome O(1), a tick O(N log N), memory O(N). Described only: not replayed against a program.
Sources: gRPC A50; A61 for endpoints instead of addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lbalgo.compat.grpc.least_request import Words
from lbalgo.compat.grpc.outlier_rules import FailurePercentageEjection, OutlierRules, SuccessRateEjection
from lbalgo.errors import ConfigError
from lbalgo.events import Ejected, EjectionWithheld, Event, Readmitted
from lbalgo.signals.roster import check_ids, check_slot
from lbalgo.signals.timeline import Timeline, check_age, check_instant, nanoseconds
from lbalgo.spec import check_bool, check_enum, check_integer
from lbalgo.types import F64, U8, Outcome, State


class _Entry:
    """What is kept of one endpoint: counts of this interval, the multiplier, and since when it is ejected (ns)."""

    __slots__ = ("ejected_at", "failures", "multiplier", "successes", "times")

    def __init__(self) -> None:
        self.successes = self.failures = self.multiplier = self.times = 0
        self.ejected_at: int | None = None


class OutlierDetection:
    """A signal that calls outliers UNHEALTHY for a while, by gRPC's rules.

    Parameters
    ----------
    interval : seconds from tick to tick, the first one after the first sync.
    base_ejection_time : seconds; an ejection lasts this times its multiplier.
    max_ejection_time : seconds no ejection exceeds, unless `base_ejection_time` is longer.
    max_ejection_percent : no further ejection once this share is ejected, 0 to 100.
    success_rate_ejection, failure_percentage_ejection : the detectors, None to leave one out.
    seed : of enforcement, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Laws that gRPC does not keep: a member that leaves is forgotten at once, so flapping discovery erases ejections; and
    CANCELLED is evidence, a failure. Where several could be ejected under the cap gRPC leaves open who is; here it
    is the first by id.

    Costs: `observe` O(1), tick O(N log N), sync and apply O(N).
    Source: gRPC A50, A61. Described only.

    Examples
    --------
    >>> detector = FailurePercentageEjection(request_volume=2, minimum_hosts=2)
    >>> signal = OutlierDetection(failure_percentage_ejection=detector)
    >>> signal.sync(["a", "b"], 0.0)
    >>> for slot, outcome in enumerate([Outcome.SUCCESS, Outcome.TIMEOUT]):
    ...     for _ in range(2):
    ...         signal.observe(slot, outcome, None, 4.0)
    >>> signal.advance(10.0)
    >>> signal.drain_events()
    [Ejected(now=10.0, id='b', detector='FailurePercentageEjection', times=1, until=40.0)]
    >>> signal.advance(40.0)  # at its time, not after it
    >>> signal.drain_events()
    []
    >>> signal.advance(50.0)
    >>> signal.drain_events()
    [Readmitted(now=50.0, id='b')]
    """

    observes = True
    evidence = None

    def __init__(
        self,
        interval: float = 10.0,
        base_ejection_time: float = 30.0,
        max_ejection_time: float = 300.0,
        max_ejection_percent: int = 10,
        success_rate_ejection: SuccessRateEjection | None = None,
        failure_percentage_ejection: FailurePercentageEjection | None = None,
        seed: int = 0,
    ) -> None:
        self.spec = OutlierRules(
            interval,
            base_ejection_time,
            max_ejection_time,
            max_ejection_percent,
            success_rate_ejection,
            failure_percentage_ejection,
            seed,
        )
        found = (self.spec.success_rate_ejection, self.spec.failure_percentage_ejection)
        self._detectors = [detector for detector in found if detector is not None]
        self.version = 0
        self.deadline: float | None = None
        self._interval = nanoseconds(interval)
        self._base = nanoseconds(base_ejection_time)
        self._cap = max(self._base, nanoseconds(max_ejection_time))
        self._words = Words(seed)
        self._line: Timeline | None = None
        self._next = self._interval
        self._entries: dict[str, _Entry] = {}
        self._slots: list[_Entry] = []  # the same, by slot
        self._column = np.zeros(0, dtype=np.uint8)
        self._events: list[Event] = []

    def sync(self, ids: Sequence[str], now: float) -> None:
        """Make `ids` the pool, in slot order; survivors keep everything, leavers nothing.

        Raises
        ------
        ConfigError : ids or `now` (seconds) are invalid; DuplicateBackend for a repeated id.
        """
        members, now = check_ids(ids), check_instant("now", now)
        self.advance(now)
        line = self._line = self._line or Timeline(now)
        for id, entry in self._entries.items():
            if entry.ejected_at is not None and id not in members:
                self._events.append(Readmitted(line.now, id))
        self._entries = {id: self._entries.get(id) or _Entry() for id in members}
        self._update()

    def observe(self, slot: int, outcome: Outcome, latency: float | None, now: float) -> None:
        """Let time pass to `now` (seconds) and count the outcome: SUCCESS, or else a failure.

        Raises
        ------
        ConfigError : the slot, the outcome or `now` is invalid.
        """
        slot = check_slot(slot, len(self._entries))
        check_enum("outcome", outcome, Outcome)
        self.advance(now)
        if self._detectors:
            entry = self._slots[slot]
            entry.successes += outcome is Outcome.SUCCESS
            entry.failures += outcome is not Outcome.SUCCESS

    def changed(self, slot: int, old: State, new: State, now: float) -> None:
        """The merged state of a backend moved, which is no evidence; time passes to `now` (seconds)."""
        check_slot(slot, len(self._entries))
        check_enum("old", old, State)
        check_enum("new", new, State)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Run the ticks up to `now` (seconds), each at its own instant; an earlier `now` than the latest does nothing.

        Raises
        ------
        ConfigError : `now` is invalid.
        """
        now = check_instant("now", now)
        if self._line is None or now <= self._line.now:
            return
        latest = self._line.see(now)
        if self._detectors and self._next <= latest:
            due: int | None = self._next
            while due is not None and due <= latest:
                self._tick(due)
                self._next = due + self._interval
                due = self._pending()  # without further calls
            self._next += max(0, (latest - self._next) // self._interval + 1) * self._interval
            self._update()

    def apply(self, factors: F64, states: U8) -> None:
        """Write factors of 1, and make the ejected at least UNHEALTHY."""
        factors[:] = 1.0
        np.maximum(states, self._column, out=states)

    def drain_events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON-ready data; times are ages in nanoseconds at the latest instant seen."""
        latest = self._line.latest if self._line else 0
        return {
            "type": "OutlierDetection",
            "synced": self._line is not None,
            "next_tick_in": self._next - latest,
            "words": self._words.state,
            "members": {
                id: [
                    entry.successes,
                    entry.failures,
                    entry.multiplier,
                    entry.times,
                    None if entry.ejected_at is None else latest - entry.ejected_at,
                ]
                for id, entry in self._entries.items()
            },
        }

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Continue from a snapshot, whose last instant is `now` (seconds) in the clock of this process.

        Raises
        ------
        ConfigError : the state is none of an `OutlierDetection`, or `now` is invalid; nothing has been changed.
        """
        now, keys = check_instant("now", now), {"type", "synced", "next_tick_in", "words", "members"}
        if not isinstance(state, Mapping) or set(state) != keys or state["type"] != "OutlierDetection":
            raise ConfigError("state", state, "must be a snapshot of an OutlierDetection")
        synced = check_bool("state['synced']", state["synced"])
        tick = check_age("state['next_tick_in']", state["next_tick_in"], low=1)
        words = check_integer("state['words']", state["words"], low=0, high=2**64 - 1)
        if not isinstance(state["members"], Mapping):
            raise ConfigError("state['members']", state["members"], "must be a mapping from id to record")
        check_ids(state["members"])
        entries = {}
        for id, data in state["members"].items():
            where = f"state['members'][{id!r}]"
            if not isinstance(data, (list, tuple)) or len(data) != 5:
                raise ConfigError(where, data, "must be four counts and an age")
            entry = entries[id] = _Entry()
            counts = [check_integer(where, n, low=0) for n in data[:4]]
            entry.successes, entry.failures, entry.multiplier, entry.times = counts
            entry.ejected_at = None if data[4] is None else -check_age(where, data[4], low=0)
        self._line = Timeline(now) if synced else None
        self._next, self._words, self._entries = min(tick, self._interval), Words(words), entries
        self._update()

    def _tick(self, instant: int) -> None:
        assert self._line is not None
        now = self._line.at(instant)
        order = sorted(self._entries)  # gRPC leaves it open
        counts = {id: (self._entries[id].successes, self._entries[id].failures) for id in order}
        for entry in self._entries.values():
            entry.successes = entry.failures = 0
        for detector in self._detectors:
            for id in self._outliers(detector, counts):
                self._suspect(id, detector, instant, now)
        for id in order:
            entry = self._entries[id]
            if entry.ejected_at is None:
                entry.multiplier -= entry.multiplier > 0
            elif instant > self._ends(entry):
                entry.ejected_at = None
                self._events.append(Readmitted(now, id))

    def _outliers(
        self, detector: SuccessRateEjection | FailurePercentageEjection, counts: Mapping[str, tuple[int, int]]
    ) -> Iterator[str]:
        """The outliers in turn, for as long as the cap lets anybody be ejected."""
        least = max(detector.request_volume, 1)
        loud = [id for id, (good, bad) in counts.items() if good + bad >= least]
        failing = detector.failing([counts[id] for id in loud])
        for id in loud if failing else ():
            ejected = sum(entry.ejected_at is not None for entry in self._entries.values())
            if 100 * ejected >= self.spec.max_ejection_percent * len(self._entries):
                return
            assert failing is not None
            if failing(*counts[id]):
                yield id

    def _suspect(
        self, id: str, detector: SuccessRateEjection | FailurePercentageEjection, instant: int, now: float
    ) -> None:
        assert self._line is not None
        entry, name = self._entries[id], type(detector).__name__
        if self._words.below(100) >= detector.enforcement_percentage:
            self._events.append(EjectionWithheld(now, id, name, "enforcement"))
            return
        entry.ejected_at, entry.multiplier, entry.times = instant, entry.multiplier + 1, entry.times + 1
        self._events.append(Ejected(now, id, name, entry.times, self._line.at(self._ends(entry))))

    def _ends(self, entry: _Entry) -> int:
        """The instant after which the next tick ends this ejection."""
        assert entry.ejected_at is not None
        return entry.ejected_at + min(self._base * entry.multiplier, self._cap)

    def _pending(self) -> int | None:
        """The first tick that ends an ejection or takes from a multiplier, if there is one."""
        if any(entry.ejected_at is None and entry.multiplier for entry in self._entries.values()):
            return self._next
        ends = [self._ends(entry) for entry in self._entries.values() if entry.ejected_at is not None]
        if not ends:
            return None
        late = max(0, min(ends) + 1 - self._next)
        return self._next + -(-late // self._interval) * self._interval

    def _update(self) -> None:
        """Bring slots, column, version and deadline up to date."""
        self._slots = list(self._entries.values())
        ejected = (entry.ejected_at is not None for entry in self._entries.values())
        column = np.fromiter(ejected, np.uint8, len(self._entries)) * np.uint8(State.UNHEALTHY)
        self.version += not np.array_equal(column, self._column)
        self._column = column
        self.deadline = self._line.at(self._next) if self._line is not None and self._detectors else None

    def __repr__(self) -> str:
        return repr(self.spec).replace("OutlierRules", "OutlierDetection", 1)
