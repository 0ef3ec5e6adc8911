"""Envoy's client-side weighted round robin: weights from what hosts report of themselves (ORCA).

A report gives a weight of qps / (utilization + penalty x eps / qps), a whole number that truncates. Utilization is the
greatest of the configured metrics that are above 0, else the application's, else the processor's. A report without qps
or without any utilization is ignored.

Weights take effect once every `weight_update_period`. A host's weight is *valid* if its reports began at least
`blackout_period` ago and its last one is at most `weight_expiration_period` old; one that expires starts its blackout
anew. Whoever has no valid weight gets the median of the valid ones (of an even number the mean of the middle two,
truncated), 1 if there are none. When a weight has changed the schedulers start anew, as for any change of hosts.

A weight of 0 becomes 1 on the host and still differs from it at every update, so the schedulers start anew every time.

Costs: a report O(1), an update of weights O(N log N), a pick as `RoundRobin`'s.
Source: Envoy 1.40, `client_side_weighted_round_robin.v3`; xds proposal on ORCA load reports; weights replayed exactly.
Described only: expiry, the names of metrics with a prefix, and that a joining host has its configured weight until the
next update of weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, overload

from lbalgo.compat.envoy.edf_machine import HostMachine
from lbalgo.compat.envoy.edf_policy import NESTED, check_turns, turns_picker
from lbalgo.compat.envoy.host import WEIGHTS, Locality
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC
from lbalgo.compat.envoy.orca_weights import OrcaLoadReport, Reporting, report_weight, updated_weights
from lbalgo.compat.envoy.round_robin import RoundRobinTurns
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ZoneAwareLbConfig
from lbalgo.compat.machine import MachinePicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_duration
from lbalgo.spec import check_real, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool

B = TypeVar("B", bound=Backend)

BLACKOUT_PERIOD = 10.0  # seconds; this and the next three are Envoy's defaults
WEIGHT_EXPIRATION_PERIOD = 180.0
WEIGHT_UPDATE_PERIOD = 1.0
SHORTEST_UPDATE_PERIOD = 0.1  # seconds; Envoy raises anything below


@dataclass(frozen=True)
class ClientSideWeightedRoundRobin:
    """Envoy's client-side weighted round robin balancer.

    Parameters
    ----------
    blackout_period : seconds of reports before they count.
    weight_expiration_period : seconds after which a report no longer counts.
    weight_update_period : seconds between updates of weights; below 0.1 counts as 0.1.
    error_utilization_penalty : how heavily errors weigh, >= 0.
    metric_names_for_computing_utilization : metrics to use instead of the application's and the processor's, as
        ``named_metrics.x``, ``utilization.x``, ``cpu_utilization``, ``mem_utilization`` or ``application_utilization``;
        ``named_metrics.*`` and ``utilization.*`` are the greatest of all.
    slow_start_config, locality_weighted_lb_config, zone_aware_lb_config, local_cluster, local_locality,
    overprovisioning_factor, healthy_panic_threshold, weighted_priority_health, active_health_checks, start, edf_start,
    locality_start, locality_starts : as in `RoundRobin`.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; by `build`, a weight is no whole number from 1 to
        2**32 - 1.

    Reports come through `Balancer.report(id, OrcaLoadReport(…))`, or `picker.load.reported(row, report, now)`; time
    through the load too. Updates of weights fall on a grid from the first instant that is heard of.

    Costs: a report O(1), an update of weights O(N log N), a pick O(log N).
    Source: Envoy 1.40, `client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin`; weights replayed.

    Examples
    --------
    >>> picker = ClientSideWeightedRoundRobin(blackout_period=0.0).build(["a:1", "b:1"])
    >>> picker.load.advance(0.0)
    >>> picker.load.reported(0, OrcaLoadReport(cpu_utilization=0.5, rps_fractional=1000), 0.0)
    >>> picker.load.reported(1, OrcaLoadReport(cpu_utilization=0.25, rps_fractional=1000), 0.0)
    >>> picker.load.advance(1.0)
    >>> picker.load.weights
    [2000, 4000]
    >>> [picker.pick().id for _ in range(3)]
    ['b:1', 'a:1', 'b:1']
    """

    blackout_period: float = BLACKOUT_PERIOD
    weight_expiration_period: float = WEIGHT_EXPIRATION_PERIOD
    weight_update_period: float = WEIGHT_UPDATE_PERIOD
    error_utilization_penalty: float = 0.0
    metric_names_for_computing_utilization: tuple[str, ...] = ()
    slow_start_config: SlowStartConfig | None = None
    locality_weighted_lb_config: bool = False
    zone_aware_lb_config: ZoneAwareLbConfig | None = None
    local_cluster: tuple[Callers, ...] = ()
    local_locality: Locality | None = None
    overprovisioning_factor: int = OVERPROVISIONING
    healthy_panic_threshold: float = PANIC
    weighted_priority_health: bool = False
    active_health_checks: bool = False
    start: int | None = None
    edf_start: int | None = None
    locality_start: int | None = None
    locality_starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_duration("blackout_period", self.blackout_period, zero=True)
        check_duration("weight_expiration_period", self.weight_expiration_period, zero=True)
        check_duration("weight_update_period", self.weight_update_period, zero=True)
        check_real("error_utilization_penalty", self.error_utilization_penalty, low=0.0)
        names = self.metric_names_for_computing_utilization
        if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) for n in names):
            raise ConfigError("metric_names_for_computing_utilization", names, "must be a tuple of strings")
        object.__setattr__(self, "metric_names_for_computing_utilization", tuple(names))
        check_turns(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; reports, weights, indices and draws go on where the previous one's stand."""
        return turns_picker(self, view, previous, lambda: OrcaTurns(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> ClientSideWeightedRoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data, NESTED)


@dataclass(frozen=True)
class WrrLocality:
    """Envoy's `wrr_locality`: localities in turn by their weights, hosts of one by client-side weights.

    Parameters
    ----------
    endpoint_picking_policy : the policy inside, whose `locality_weighted_lb_config` counts as set.

    Raises
    ------
    ConfigError : the policy inside is another one.

    Costs: as the policy inside. Source: Envoy 1.40, `wrr_locality.v3.WrrLocality`; described only.

    Examples
    --------
    >>> from lbalgo.compat.envoy.host import Host
    >>> near, far = ("", "near", ""), ("", "far", "")
    >>> hosts = [Host("a:1", locality=near, locality_weight=2), Host("b:1", locality=far, locality_weight=1)]
    >>> picker = WrrLocality(ClientSideWeightedRoundRobin(locality_start=0)).build(hosts)
    >>> [picker.pick().id for _ in range(3)]
    ['a:1', 'b:1', 'a:1']
    """

    endpoint_picking_policy: ClientSideWeightedRoundRobin = field(default_factory=ClientSideWeightedRoundRobin)

    def __post_init__(self) -> None:
        policy = self.endpoint_picking_policy
        if not isinstance(policy, ClientSideWeightedRoundRobin):
            raise ConfigError("endpoint_picking_policy", policy, "must be a ClientSideWeightedRoundRobin")

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view, of the policy inside with weighted localities."""
        inside = self.endpoint_picking_policy
        values = {f.name: getattr(inside, f.name) for f in fields(inside)}
        return type(inside)(**{**values, "locality_weighted_lb_config": True}).build(view, previous=previous)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> WrrLocality:
        """The policy `to_dict` described."""
        inside = "endpoint_picking_policy"
        return from_dict(cls, data, {inside: lambda d: ClientSideWeightedRoundRobin.from_dict(d)})


class OrcaTurns(RoundRobinTurns):
    """The way of `ClientSideWeightedRoundRobin` in its machine: as round robin, by weights of its own."""

    def __init__(self, policy: ClientSideWeightedRoundRobin) -> None:
        self.policy = policy
        self.known: dict[int, Reporting] = {}  # by row
        self.began: float | None = None
        self.updates = 0

    def synced(self, machine: HostMachine, before: Mapping[int, int]) -> None:
        """Hosts that stay keep their weights, leavers lose what they have reported."""
        self.known = {row: self.known.get(row) or Reporting() for row in machine.rows}
        machine.weights = [before.get(row, w) for row, w in zip(machine.rows, machine.weights, strict=True)]

    def reported(self, machine: HostMachine, row: int, report: Any) -> None:
        """A report of the host in a row; those of other kinds are for others."""
        if not isinstance(report, OrcaLoadReport) or machine.now is None:
            return
        policy = self.policy
        names, penalty = policy.metric_names_for_computing_utilization, policy.error_utilization_penalty
        weight = report_weight(report, names, penalty)
        if weight is not None:
            self.known[row].take(weight, machine.now)

    def advance(self, machine: HostMachine) -> None:
        """Runs the latest update of weights that is due; of several the last one decides, but for what expires."""
        now = machine.now
        if now is None:
            return
        if self.began is None:
            self.began = now
        period = max(SHORTEST_UPDATE_PERIOD, self.policy.weight_update_period)
        due = int((now - self.began) / period + 1e-9)
        if due > self.updates:
            self.updates = due
            self._update(machine, self.began + due * period)

    def _update(self, machine: HostMachine, now: float) -> None:
        policy, changed = self.policy, list[int]()
        for level in machine.sets:
            reporting = [self.known[machine.rows[slot]] for slot in level.hosts]
            valid = [
                r.weight if r.valid(now, policy.blackout_period, policy.weight_expiration_period) else None
                for r in reporting
            ]
            for slot, weight in zip(level.hosts, updated_weights(valid), strict=True):
                if machine.weights[slot] != weight:
                    machine.weights[slot] = min(max(1, weight), WEIGHTS)
                    changed.append(slot)
        if changed:
            machine.reweigh(changed)
