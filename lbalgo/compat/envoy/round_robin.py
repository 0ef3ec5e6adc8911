"""Envoy's ROUND_ROBIN: hosts in list order while their weights are equal, a weighted scheduler when they differ.

Equal weights: each source of hosts (`lbalgo.compat.envoy.locality`) has an index of its own, which begins at a random
word and goes on through all updates; a pick takes host index mod (number of hosts now). So an update that changes the
number of hosts jumps. In panic another index is in use than when all is well.

Different weights, or a host in slow start: the scheduler of `lbalgo.compat.envoy.edf`, made anew from the same starting
point whenever the host set changes.

Costs: pick O(1), with weights O(log N); update O(N log N); memory O(N).
Source: Envoy 1.40 documentation, "Round robin"; `envoy.extensions.load_balancing_policies.round_robin.v3`; replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.compat.envoy.edf_machine import HostMachine
from lbalgo.compat.envoy.edf_policy import NESTED, check_turns, turns_picker
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC
from lbalgo.compat.envoy.locality import Source
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ZoneAwareLbConfig
from lbalgo.compat.machine import MachinePicker
from lbalgo.endpoint import Endpoint
from lbalgo.explaining import Steps
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class RoundRobin:
    """Envoy's round robin balancer.

    Parameters
    ----------
    slow_start_config : how hosts warm up; None does not let them.
    locality_weighted_lb_config : whether localities take turns by their weights.
    zone_aware_lb_config : zone-aware routing; None has the defaults, in force once `local_cluster` is given.
    local_cluster : where the proxy's own fleet runs.
    local_locality : where the proxy runs; None if unknown.
    overprovisioning_factor, healthy_panic_threshold, weighted_priority_health : see `priority_load`.
    active_health_checks : whether states come from active health checks, so that slow start begins at every return to
        HEALTHY, not only at the first sight of a host.
    start : what the real program draws at random once a worker, in [0, 2**64): the first value of every index and, by
        its low 32 bits, P of the schedulers. None: 0, or what `reseed` makes.
    edf_start : P of the schedulers of hosts, if it is not to be that of `start`.
    locality_start : P of the schedulers of localities; None draws one whenever a host set changes.
    locality_starts : first values of the indices of localities, by their order, if they are not to be `start`.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; by `build`, a weight is no whole number from 1 to
        2**32 - 1.

    A key is accepted and ignored. Factors of signals are not looked at: slow start is part of the policy. Excluded
    hosts are passed over by picking again, as a retry would; turns are spent on them.

    Costs: pick O(1), with weights O(log N); update O(N log N); memory O(N); disruption does not apply.
    Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.round_robin.v3`; replayed.

    Examples
    --------
    >>> picker = RoundRobin(start=1).build(["a:1", "b:1", "c:1"])
    >>> [picker.pick().id for _ in range(4)]
    ['b:1', 'c:1', 'a:1', 'b:1']
    >>> picker = RoundRobin(edf_start=29499642).build({"a:1": 1, "b:1": 2, "c:1": 3})
    >>> " ".join(picker.pick().id for _ in range(6))
    'c:1 b:1 c:1 a:1 b:1 c:1'
    """

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
        check_turns(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; indices, draws and requests in flight go on where the previous one's stand."""
        return turns_picker(self, view, previous, RoundRobinTurns)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> RoundRobin:
        """The policy `to_dict` described."""
        return from_dict(cls, data, NESTED)


class RoundRobinTurns:
    """The way of `RoundRobin` in its machine."""

    scheduled = True

    def weight(self, machine: HostMachine, slot: int) -> float:
        """The host's own."""
        return float(machine.weights[slot])

    def unweighted(self, machine: HostMachine, source: Source, slots: Sequence[int], word: int) -> int:
        """The host at the source's index."""
        return slots[machine.next_index(source) % len(slots)]

    def explain(
        self, machine: HostMachine, source: Source, slots: Sequence[int], word: int, name: Callable[[int], str]
    ) -> Steps:
        """The index of the source."""
        return [("index", f"{machine.next_index(source)}, mod {len(slots)} hosts")]
