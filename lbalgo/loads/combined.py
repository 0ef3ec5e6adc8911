"""`Sum` and `Product` of loads.

What is combined is each load *with one request more*, which for a count is one more than it says and for the others
what they say. So an idle backend counts 1 in a product, not 0, and `Product(InFlight(), LatencyEwma())` is latency
times (in flight + 1). A sum adds what has the same unit, or what its weights give the same unit.

Costs: those of the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lbalgo.active import CombinedLoad
from lbalgo.errors import ConfigError
from lbalgo.loads.specs import check_load, load_from_dict, started
from lbalgo.spec import check_real, to_dict
from lbalgo.types import LoadSpec


@dataclass(frozen=True, init=False)
class Sum:
    """The sum of loads, each with one request more and times its weight.

    Parameters
    ----------
    loads : specifications of the loads, at least one.
    weights : what each counts, finite and >= 0, as many as loads; None: 1 each.

    Raises
    ------
    ConfigError : a parameter is invalid; by the state, as `InFlight`.

    Costs: those of the parts.

    Examples
    --------
    >>> from lbalgo.loads import InFlight, Reported
    >>> load = Sum(InFlight(), Reported(unknown=0.5), weights=(1.0, 10.0)).start()
    >>> load.at(0)
    6.0
    """

    loads: tuple[LoadSpec, ...]
    weights: tuple[float, ...]

    def __init__(self, *loads: LoadSpec, weights: Any = None) -> None:
        _check_parts(loads)
        given = (1.0,) * len(loads) if weights is None else tuple(weights) if isinstance(weights, (tuple, list)) else ()
        if len(given) != len(loads):
            raise ConfigError("weights", weights, f"must be {len(loads)} numbers")
        object.__setattr__(self, "loads", loads)
        object.__setattr__(self, "weights", tuple(check_real("weights", w, low=0.0, high=1e9) for w in given))

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.loads))}, weights={self.weights!r})"

    def start(self) -> CombinedLoad:
        """New states of all parts."""
        return CombinedLoad(self, [started(load) for load in self.loads], self.weights)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the loads' in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Sum:
        """The sum `to_dict` described; its loads are ones of this library."""
        given = _fields(cls, data)
        return cls(*given["loads"], weights=given.get("weights"))


@dataclass(frozen=True, init=False)
class Product:
    """The product of loads, each with one request more.

    Parameters
    ----------
    loads : specifications of the loads, at least one.

    Raises
    ------
    ConfigError : a parameter is invalid; by the state, as `InFlight`.

    Costs: those of the parts.

    Examples
    --------
    >>> from lbalgo.loads import InFlight, LatencyEwma
    >>> load = Product(InFlight(), LatencyEwma(initial=0.1)).start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.at(0), load.at(1)
    (0.2, 0.1)
    """

    loads: tuple[LoadSpec, ...]

    def __init__(self, *loads: LoadSpec) -> None:
        _check_parts(loads)
        object.__setattr__(self, "loads", loads)

    def __repr__(self) -> str:
        return f"Product({', '.join(map(repr, self.loads))})"

    def start(self) -> CombinedLoad:
        """New states of all parts."""
        return CombinedLoad(self, [started(load) for load in self.loads])

    def to_dict(self) -> dict[str, object]:
        """Plain data, the loads' in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Product:
        """The product `to_dict` described; its loads are ones of this library."""
        return cls(*_fields(cls, data)["loads"])


def _check_parts(loads: tuple[Any, ...]) -> None:
    if not loads:
        raise ConfigError("loads", loads, "must be at least one")
    for load in loads:
        check_load(load)


def _fields(cls: type[Any], data: Mapping[str, object]) -> dict[str, Any]:
    """The fields in plain data, its loads made."""
    known = {field.name for field in fields(cls)}
    if not isinstance(data, Mapping) or data.get("type", cls.__name__) != cls.__name__:
        raise ConfigError(cls.__name__, data, f"must be a mapping of type {cls.__name__!r}")
    for name in data:
        if name not in {"type", *known}:
            raise ConfigError(str(name), data[name], f"is no field of {cls.__name__}")
    loads = data.get("loads")
    if not isinstance(loads, (list, tuple)):
        raise ConfigError("loads", loads, "must be a list of loads")
    return {**data, "loads": [load_from_dict(load) for load in loads]}
