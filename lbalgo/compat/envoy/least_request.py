"""Envoy's LEAST_REQUEST: the least busy of a few random hosts, or of all, or weights divided by what is in flight.

Equal weights: `choice_count` hosts are drawn with replacement, so the same one can come up again; the first stays
unless a later one has strictly fewer requests. Of two hosts the busier one therefore still gets a quarter. FULL_SCAN
looks at all; of several least busy ones each is as likely (the k-th met replaces with chance 1 / k).

Different weights, or a host in slow start: the weighted scheduler, with weight / (active + 1) ** active_request_bias,
read when a host goes back in, before the request it was picked for counts. A host that went in busy waits long, however
idle it has become by then. An explicit bias without different weights changes nothing.

Costs: pick O(choices), O(N) by full scan, O(log N) with weights; update O(N log N); memory O(N).
Source: Envoy 1.40 documentation, "Weighted least request"; the weighted half replayed, of the other the statistics.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from lbalgo.compat.envoy.edf_machine import HostMachine
from lbalgo.compat.envoy.edf_policy import NESTED, check_turns, turns_picker
from lbalgo.compat.envoy.host import WEIGHTS, Locality
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC
from lbalgo.compat.envoy.locality import Source
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ZoneAwareLbConfig
from lbalgo.compat.machine import MachinePicker
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool

B = TypeVar("B", bound=Backend)

CHOICE_COUNT = 2  # Envoy's default and least
ACTIVE_REQUEST_BIAS = 1.0  # Envoy's default


class SelectionMethod(enum.Enum):
    """How hosts of equal weight are compared.

    Examples
    --------
    >>> SelectionMethod.FULL_SCAN.value
    1
    """

    N_CHOICES = 0
    FULL_SCAN = 1


@dataclass(frozen=True)
class LeastRequest:
    """Envoy's least request balancer.

    Parameters
    ----------
    choice_count : hosts drawn, with replacement, 2 to 2**32 - 1.
    active_request_bias : exponent of what is in flight, where weights differ; below 0 and NaN count as 1.
    selection_method : N_CHOICES or FULL_SCAN, where weights are equal.
    enable_full_scan : older spelling of FULL_SCAN.
    slow_start_config, locality_weighted_lb_config, zone_aware_lb_config, local_cluster, local_locality,
    overprovisioning_factor, healthy_panic_threshold, weighted_priority_health, active_health_checks, start, edf_start,
    locality_start, locality_starts : as in `RoundRobin`.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; by `build`, a weight is no whole number from 1 to
        2**32 - 1.

    Requests in flight are those the picker's load has heard of (a `Balancer` tells it). A key is accepted and ignored.

    Costs: pick O(choices), O(N) by full scan, O(log N) with weights; update O(N log N); memory O(N).
    Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.least_request.v3`; replayed with weights, statistics
    without.

    Examples
    --------
    >>> picker = LeastRequest(edf_start=0).build({"a:1": 1, "b:1": 2})
    >>> def sent():
    ...     backend = picker.pick()
    ...     picker.load.started("ab".index(backend.id[0]), 1.0, 0.0)
    ...     return backend.id
    >>> [sent() for _ in range(4)]
    ['b:1', 'a:1', 'b:1', 'a:1']
    """

    choice_count: int = CHOICE_COUNT
    active_request_bias: float = ACTIVE_REQUEST_BIAS
    selection_method: SelectionMethod = SelectionMethod.N_CHOICES
    enable_full_scan: bool = False
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
        check_integer("choice_count", self.choice_count, low=2, high=WEIGHTS)
        bias = self.active_request_bias
        if isinstance(bias, bool) or not isinstance(bias, (int, float)) or bias == math.inf:
            raise ConfigError("active_request_bias", bias, "must be a number, not infinite")
        if not bias >= 0.0:
            object.__setattr__(self, "active_request_bias", ACTIVE_REQUEST_BIAS)
        check_enum("selection_method", self.selection_method, SelectionMethod)
        check_bool("enable_full_scan", self.enable_full_scan)
        check_turns(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; draws and requests in flight go on where the previous one's stand."""
        return turns_picker(self, view, previous, self._way)

    def _way(self) -> LeastRequestChoice:
        full = self.enable_full_scan or self.selection_method is SelectionMethod.FULL_SCAN
        return LeastRequestChoice(0 if full else self.choice_count, self.active_request_bias)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LeastRequest:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {**NESTED, "selection_method": enum_from_name(SelectionMethod)})


class LeastRequestChoice:
    """The way of `LeastRequest` in its machine: hosts drawn (0: all are compared) and the bias."""

    scheduled = True

    def __init__(self, choices: int, bias: float) -> None:
        self.choices = choices
        self.bias = bias

    def weight(self, machine: HostMachine, slot: int) -> float:
        """Weight over (active + 1) to the power of the bias."""
        weight, busy = float(machine.weights[slot]), machine.active(slot) + 1
        if self.bias == 1.0:
            return weight / busy
        return weight if self.bias == 0.0 else weight / float(busy) ** self.bias

    def unweighted(self, machine: HostMachine, source: Source, slots: Sequence[int], word: int) -> int:
        """The least busy of those looked at."""
        if self.choices == 0:
            return self._scan(machine, slots)
        return min(self._drawn(machine, slots), key=machine.active)

    def _drawn(self, machine: HostMachine, slots: Sequence[int]) -> list[int]:
        return [slots[machine.draw() % len(slots)] for _ in range(self.choices)]

    def explain(
        self, machine: HostMachine, source: Source, slots: Sequence[int], word: int, name: Callable[[int], str]
    ) -> Steps:
        """What is in flight to those drawn, or to all."""
        looked = self._drawn(machine, slots) if self.choices else slots
        told = listing(f"{name(machine.rows[slot])} {machine.active(slot)}" for slot in looked)
        return [("in flight", f"{told}, {'of those drawn' if self.choices else 'of all'}")]

    def _scan(self, machine: HostMachine, slots: Sequence[int]) -> int:
        chosen, ties = slots[0], 1
        for other in slots[1:]:
            if machine.active(other) < machine.active(chosen):
                chosen, ties = other, 1
            elif machine.active(other) == machine.active(chosen):
                ties += 1
                if machine.draw() % ties == 0:
                    chosen = other
        return chosen


def choice_law(
    active: Sequence[int], choice_count: int = CHOICE_COUNT, *, full_scan: bool = False
) -> tuple[float, ...]:
    """The exact chance of each host of equal weight, given what is in flight.

    Parameters
    ----------
    active : requests in flight, by host.
    choice_count : hosts drawn.
    full_scan : whether all are compared instead.

    Cost: O(N log N).

    Examples
    --------
    >>> choice_law([0, 3]), choice_law([2, 1, 1], full_scan=True)
    ((0.75, 0.25), (0.0, 0.5, 0.5))
    """
    n, chances = len(active), dict[int, float]()
    for level in sorted(set(active)):
        here, above = active.count(level), sum(busy > level for busy in active)
        if full_scan:
            chances[level] = 0.0 if chances else 1.0 / here
        else:  # all draws are at this level or above, and not all above
            chances[level] = (((here + above) / n) ** choice_count - (above / n) ** choice_count) / here
    return tuple(chances[busy] for busy in active)
