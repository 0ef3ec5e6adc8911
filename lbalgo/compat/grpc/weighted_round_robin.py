"""Weighted round robin by what backends report of themselves: weight = requests per second / utilisation.

An endpoint reports its rate of requests and errors and how utilised it is. Its weight is what it could serve at
utilisation 1; errors count as utilisation, so that fast failures do not attract traffic. A weight is used only after
reports have come for `blackout_period`, and only for `weight_expiration_period` after the last report; else the
endpoint counts as the mean of the others. Every `weight_update_period` the weights become a new static stride
schedule, whose counter goes on.

Costs: pick as `stride.turn`; update O(N) once a period; memory O(N). Described only: not replayed against a program.
Sources: gRPC A58, A114 (utilisation); the scheduler as shipped, see `lbalgo.compat.grpc.stride`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.compat.grpc.endpoint import check_weights, listed, ready
from lbalgo.compat.grpc.stride import COUNTER, EXTREME, HALF, K, Variant, strides, turn
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.compat.orca import OrcaReport, check_metric_names, utilization
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.signals.timeline import Timeline, check_duration, check_instant, nanoseconds
from lbalgo.spec import check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

BLACKOUT = 10.0  # seconds; this and the next two are A58's defaults
EXPIRATION = 180.0  # seconds
UPDATE = 1.0  # seconds
LEAST_UPDATE = 0.1  # seconds; a shorter period counts as this
PENALTY = 1.0  # A58's default; Envoy's is 0


@dataclass(frozen=True)
class WeightedRoundRobin:
    """gRPC's `weighted_round_robin`, by static strides over weights from ORCA reports.

    Parameters
    ----------
    blackout_period : seconds from an endpoint's first report for which its weight is not used, >= 0.
    weight_expiration_period : seconds after its last report at which a weight is no longer used, > 0.
    weight_update_period : seconds between schedules; below 0.1 it counts as 0.1.
    error_utilization_penalty : how much utilisation a share of errors of 1 stands for, >= 0.
    metric_names_for_computing_utilization : A114's; () uses application, else CPU utilisation.
    variant : whose scheduler.
    start : where the counter begins, in [0, 2**32); gRPC draws it at random.

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no uint32 >= 1 (it is not used here).

    Reports come in by ``balancer.report(id, OrcaReport(...))`` or ``picker.machine.reported(row, report, now)``;
    whether they came with a response or out of band makes no difference. Time is that of requests and reports. An
    endpoint that becomes READY starts its blackout anew; one that leaves is forgotten at once. A key is accepted and
    ignored; `exclude` takes further turns, which in gRPC nothing does.

    Costs: pick O(1) at equal weights, up to 10 N steps at others (more with Go's); memory O(N).
    Source: gRPC A58, A114. Described only.

    Examples
    --------
    >>> picker = WeightedRoundRobin(blackout_period=0.0).build(["a", "b"])
    >>> for row, qps in enumerate((30.0, 10.0)):
    ...     picker.machine.reported(row, OrcaReport(cpu_utilization=0.5, rps_fractional=qps), 0.0)
    >>> picker.machine.advance(1.0)
    >>> picker.machine.strides
    (65535, 21845)
    >>> "".join(picker.pick().id for _ in range(8))
    'aabaaaba'
    """

    blackout_period: float = BLACKOUT
    weight_expiration_period: float = EXPIRATION
    weight_update_period: float = UPDATE
    error_utilization_penalty: float = PENALTY
    metric_names_for_computing_utilization: tuple[str, ...] = ()
    variant: Variant = Variant.CORE
    start: int = 0

    def __post_init__(self) -> None:
        check_duration("blackout_period", self.blackout_period, zero=True)
        check_duration("weight_expiration_period", self.weight_expiration_period)
        check_duration("weight_update_period", self.weight_update_period, zero=True)
        check_real("error_utilization_penalty", self.error_utilization_penalty, low=0.0)
        check_metric_names("metric_names_for_computing_utilization", self.metric_names_for_computing_utilization)
        check_enum("variant", self.variant, Variant)
        check_integer("start", self.start, low=0, high=COUNTER - 1)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]:
        """A picker for this view; weights and counter are those of the previous picker of an equal policy."""
        return machine_picker(self, view_of(view), previous, lambda: Weights(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WeightedRoundRobin:
        """The policy `to_dict` described."""
        names = {"metric_names_for_computing_utilization": _as_tuple, "variant": enum_from_name(Variant)}
        return from_dict(cls, data, names)


class Reported:
    """What an endpoint's reports have said: its weight, since when, and when last (nanoseconds; None: never)."""

    __slots__ = ("last_updated", "non_empty_since", "weight")

    def __init__(self) -> None:
        self.weight = 0.0
        self.non_empty_since: int | None = None
        self.last_updated: int | None = None


class Weights:
    """The machine of `WeightedRoundRobin`: weights by row, the schedule made of them, and the counter.

    Attributes
    ----------
    sequence : the counter's next number.
    strides : of the READY rows in order; None while it is plain round robin.
    rows : the READY rows.
    """

    def __init__(self, policy: WeightedRoundRobin) -> None:
        self.policy = policy
        self.sequence = policy.start
        self.strides: tuple[int, ...] | None = None
        self.rows: list[int] = []
        self._reported: dict[int, Reported] = {}
        self._in_flight: dict[int, int] = {}
        self._line: Timeline | None = None
        self._period = nanoseconds(max(policy.weight_update_period, LEAST_UPDATE))
        self._next = self._period  # the next update

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """The READY among these take turns; a new list of them makes a new schedule, and the period begins anew."""
        check_weights(view)
        up = [row for row, able in zip(rows, ready(view).tolist(), strict=True) if able]
        here = [row for row, known in zip(rows, listed(view).tolist(), strict=True) if known]
        self._reported = {row: self._reported.get(row) or Reported() for row in here}
        for row in set(up).difference(self.rows):  # became READY
            self._reported[row].non_empty_since = None
        if up != self.rows:
            self.rows = up
            now = self._line.latest if self._line else 0
            self._next = now + self._period
            self._schedule(now)

    def reported(self, row: int, report: OrcaReport, now: float) -> None:
        """An endpoint's report; without requests or utilisation it says nothing.

        Raises
        ------
        ConfigError : it is no `OrcaReport`, or makes a weight beyond 1e30 or below its inverse.
        """
        if not isinstance(report, OrcaReport):
            raise ConfigError("report", report, "must be an OrcaReport")
        weight = weight_of(report, self.policy.error_utilization_penalty, self._metrics)
        self.advance(now)
        known = self._reported.get(row)
        if weight == 0 or known is None:
            return
        assert self._line is not None
        if known.non_empty_since is None:
            known.non_empty_since = self._line.latest
        known.last_updated, known.weight = self._line.latest, weight

    @property
    def _metrics(self) -> tuple[str, ...]:
        return self.policy.metric_names_for_computing_utilization

    def weight(self, row: int, now: int) -> float:
        """The weight of a row at an instant in nanoseconds, 0 if it may not be used; one that expired begins anew."""
        known = self._reported[row]
        if known.last_updated is None or now - known.last_updated >= nanoseconds(self.policy.weight_expiration_period):
            known.non_empty_since = None
            return 0.0
        blackout = nanoseconds(self.policy.blackout_period)
        if blackout and (known.non_empty_since is None or now - known.non_empty_since < blackout):
            return 0.0
        return known.weight

    def _schedule(self, now: int) -> None:
        self.strides = strides([self.weight(row, now) for row in self.rows], self.policy.variant)

    def advance(self, now: float) -> None:
        """It is `now`; the updates that were due have happened, of which without reports only the last matters."""
        now = check_instant("now", now)
        self._line = self._line or Timeline(now)
        latest = self._line.see(now)
        if latest >= self._next:
            self._next += ((latest - self._next) // self._period + 1) * self._period
            self._schedule(self._next - self._period)

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The next turn of a row not in `skip`."""
        left = [i for i, row in enumerate(self.rows) if row not in skip]
        if not left:
            return -1
        if len(left) < len(self.rows):
            self.sequence = self._ahead(left)
        while True:
            i, self.sequence = turn(self.strides, len(self.rows), self.sequence)
            if i in left:
                return self.rows[i]

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The counter, and the strides that say which of its numbers are served."""
        told = "none: plain round robin"
        if self.strides is not None:
            told = listing(f"{name(row)} {stride}" for row, stride in zip(self.rows, self.strides, strict=True))
        return [("sequence", f"{self.sequence}"), ("strides", told)]

    def _ahead(self, left: Sequence[int]) -> int:
        """The first number from the counter on at which one of `left` is served, unless the counter wraps before."""
        n = len(self.rows)
        generation, begin = divmod(self.sequence, n)
        first = COUNTER
        for i in left:
            g = generation + (i < begin)
            if self.strides is not None:
                value = (self.strides[i] * g + i * HALF) % K
                g += (K - value - 1) // self.strides[i]
            first = min(first, g * n + i)
        return first if first < COUNTER else self.sequence

    def started(self, row: int, cost: float, now: float) -> None:
        """Time passes."""
        self._in_flight[row] = self._in_flight.get(row, 0) + 1
        self.advance(now)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """Time passes."""
        self._in_flight[row] = max(0, self._in_flight.get(row, 0) - 1)
        self.advance(now)

    def at(self, row: int) -> float:
        """Requests in flight, which decide nothing here."""
        return float(self._in_flight.get(row, 0))

    def reseed(self, seed: int) -> None:
        """Moves the counter."""
        self.sequence = seed % COUNTER

    def check_invariants(self) -> None:
        """Strides are those of the READY rows."""
        assert self.strides is None or len(self.strides) == len(self.rows), "a stride for each READY row"
        assert set(self.rows) <= set(self._reported), "READY rows are in the list"


def weight_of(report: OrcaReport, error_utilization_penalty: float = PENALTY, names: Sequence[str] = ()) -> float:
    """The weight a report makes: requests per second / (utilisation + errors' share x penalty); 0 if it says nothing.

    Raises
    ------
    ConfigError : a weight beyond 1e30 or below its inverse.

    Source: gRPC A58, `UpdateWeight`, whose text adds the penalty only to a utilisation and a rate above 0.

    Examples
    --------
    >>> weight_of(OrcaReport(cpu_utilization=0.5, rps_fractional=100.0, eps=50.0))
    100.0
    >>> weight_of(OrcaReport(rps_fractional=100.0))
    0.0
    """
    used, qps = utilization(report, names), report.rps_fractional
    if not used > 0 or qps == 0:
        return 0.0
    weight = qps / (used + report.eps / qps * error_utilization_penalty)
    if weight == 0:
        return 0.0
    if not 1 / EXTREME <= weight <= EXTREME or math.isnan(weight):
        raise ConfigError("rps_fractional", qps, f"makes a weight of {weight!r}")
    return weight


def _as_tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value
