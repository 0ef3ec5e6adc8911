"""Envoy's RANDOM: one random word decides priority and host, whatever the weights.

The same word is taken modulo 100 for the priority and modulo the number of hosts for the host. Where the two numbers
have a common divisor the choices are not independent: with several priorities some hosts get a little more than others.
Weights of hosts are ignored; those of localities are not.

Costs: pick O(1), update O(N), memory O(N).
Source: Envoy 1.40 documentation, "Random"; described only, its statistics were compared with captured ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload

from lbalgo.compat.envoy.edf_machine import HostMachine
from lbalgo.compat.envoy.edf_policy import NESTED, check_turns, turns_picker
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.hosts import OVERPROVISIONING, PANIC
from lbalgo.compat.envoy.locality import Source
from lbalgo.compat.envoy.zone_aware import Callers, ZoneAwareLbConfig
from lbalgo.compat.machine import MachinePicker
from lbalgo.endpoint import Endpoint
from lbalgo.explaining import Steps
from lbalgo.spec import from_dict, to_dict
from lbalgo.types import Backend, Ids, Picker, Pool

B = TypeVar("B", bound=Backend)


@dataclass(frozen=True)
class Random:
    """Envoy's random balancer.

    Parameters
    ----------
    locality_weighted_lb_config, zone_aware_lb_config, local_cluster, local_locality, overprovisioning_factor,
    healthy_panic_threshold, weighted_priority_health, locality_start : as in `RoundRobin`.

    Raises
    ------
    ConfigError : a parameter is out of range or of another type; by `build`, a weight is no whole number from 1 to
        2**32 - 1.

    A key is accepted and ignored. A bare build draws the same words every time; a `Balancer` reseeds.

    Costs: pick O(1), update O(N), memory O(N).
    Source: Envoy 1.40, `envoy.extensions.load_balancing_policies.random.v3`; described only.

    Examples
    --------
    >>> picker = Random().build(["a:1", "b:1", "c:1"])
    >>> [picker.pick().id for _ in range(4)]
    ['b:1', 'a:1', 'b:1', 'b:1']
    """

    locality_weighted_lb_config: bool = False
    zone_aware_lb_config: ZoneAwareLbConfig | None = None
    local_cluster: tuple[Callers, ...] = ()
    local_locality: Locality | None = None
    overprovisioning_factor: int = OVERPROVISIONING
    healthy_panic_threshold: float = PANIC
    weighted_priority_health: bool = False
    locality_start: int | None = None

    # What the machine asks every policy, and this one has no say in.
    slow_start_config: ClassVar[None] = None
    active_health_checks: ClassVar[bool] = False
    start: ClassVar[None] = None
    edf_start: ClassVar[None] = None
    locality_starts: ClassVar[tuple[int, ...]] = ()

    def __post_init__(self) -> None:
        check_turns(self)

    @overload
    def build(self, view: Ids, *, previous: Picker[Endpoint[Any]] | None = None) -> MachinePicker[Endpoint[Any]]: ...
    @overload
    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]: ...
    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; the draws go on where the previous one's stand."""
        return turns_picker(self, view, previous, RandomChoice)

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Random:
        """The policy `to_dict` described."""
        return from_dict(cls, data, NESTED)


class RandomChoice:
    """The way of `Random` in its machine."""

    scheduled = False

    def weight(self, machine: HostMachine, slot: int) -> float:
        """Nobody asks."""
        return 1.0

    def unweighted(self, machine: HostMachine, source: Source, slots: Sequence[int], word: int) -> int:
        """The host the pick's word names."""
        return slots[word % len(slots)]

    def explain(
        self, machine: HostMachine, source: Source, slots: Sequence[int], word: int, name: Callable[[int], str]
    ) -> Steps:
        """The word, again."""
        return [("index", f"{word} (the word), mod {len(slots)} hosts")]
