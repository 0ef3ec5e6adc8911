"""What Envoy's policies without a key have in common: how their settings are checked, read back, and built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lbalgo.compat.envoy.edf_machine import HostMachine, Way
from lbalgo.compat.envoy.host import Locality
from lbalgo.compat.envoy.hosts import check_settings, locality_from
from lbalgo.compat.envoy.slow_start import SlowStartConfig
from lbalgo.compat.envoy.zone_aware import Callers, ZoneAwareLbConfig
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.errors import ConfigError
from lbalgo.spec import check_bool, check_integer
from lbalgo.types import Picker
from lbalgo.view import view_of

T = TypeVar("T")
WORDS = 2**64 - 1


def check_turns(policy: Any) -> None:
    """The settings of a policy without a key; lists become tuples.

    Raises
    ------
    ConfigError : one of them is out of range or of another type.
    """
    check_settings(policy)
    check_kind("slow_start_config", policy.slow_start_config, SlowStartConfig)
    check_kind("zone_aware_lb_config", policy.zone_aware_lb_config, ZoneAwareLbConfig)
    if policy.locality_weighted_lb_config and policy.zone_aware_lb_config is not None:
        config = policy.zone_aware_lb_config
        raise ConfigError("zone_aware_lb_config", config, "excludes locality_weighted_lb_config")
    check_bool("active_health_checks", policy.active_health_checks)
    for name in ("local_cluster", "locality_starts"):
        value = getattr(policy, name)
        if isinstance(value, list):
            object.__setattr__(policy, name, tuple(value))
        elif not isinstance(value, tuple):
            raise ConfigError(name, value, "must be a tuple")
    for i, callers in enumerate(policy.local_cluster):
        if not isinstance(callers, Callers):
            raise ConfigError(f"local_cluster[{i}]", callers, "must be a Callers")
    for i, start in enumerate(policy.locality_starts):
        check_integer(f"locality_starts[{i}]", start, low=0, high=WORDS)
    for name in ("start", "edf_start", "locality_start"):
        if getattr(policy, name) is not None:
            check_integer(name, getattr(policy, name), low=0, high=WORDS)


def check_kind(name: str, value: object, kind: type[T]) -> T | None:
    """`value` if it is of this kind, or None; else ConfigError naming it."""
    if value is not None and not isinstance(value, kind):
        raise ConfigError(name, value, f"must be a {kind.__name__} or None")
    return value


def turns_picker(policy: Any, view: Any, previous: Picker[Any] | None, way: Callable[[], Way]) -> MachinePicker[Any]:
    """A picker whose machine is a `HostMachine` of this way."""
    return machine_picker(policy, view_of(view), previous, lambda: HostMachine(policy, way()))


def made(kind: Any) -> Callable[[object], object]:
    """A function that makes one of `kind` of plain data; None and ready ones stay."""
    return lambda data: kind.from_dict(data) if isinstance(data, Mapping) else data


def several(kind: Any) -> Callable[[object], object]:
    """A function that makes a tuple of `kind` of a list of plain data."""
    return lambda data: tuple(map(made(kind), data)) if isinstance(data, (list, tuple)) else data


def _locality(data: object) -> Locality | None:
    return locality_from(data)


NESTED: dict[str, Callable[[Any], object]] = {
    "slow_start_config": made(SlowStartConfig),
    "zone_aware_lb_config": made(ZoneAwareLbConfig),
    "local_cluster": several(Callers),
    "local_locality": _locality,
}
