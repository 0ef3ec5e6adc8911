"""Scenarios as plain data: what a TOML file says, turned into a `Scenario`, with an error that says where it is wrong.

A table with a ``type`` is the specification of that name, its other entries its parameters; a bare string is one
without parameters. Policies, signals and gates are those of `lbalgo.policies`, `lbalgo.signals` and `lbalgo.gates`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import partial
from typing import Any

import lbalgo.gates
import lbalgo.policies
import lbalgo.signals
from lbalgo.errors import ConfigError, LBError
from lbalgo.sim.arrivals import read_arrivals
from lbalgo.sim.changes import read_changes
from lbalgo.sim.checking import Checks
from lbalgo.sim.courses import Hedge, Retries, Timeout
from lbalgo.sim.distributions import read_distribution
from lbalgo.sim.keys import read_keys
from lbalgo.sim.named import named
from lbalgo.sim.network import Network, Path
from lbalgo.sim.scenario import Board, Scenario
from lbalgo.sim.servers import Servers
from lbalgo.sim.telling import Probes, Reports, feedback, load_report, probe


def read_toml(text: str) -> Scenario:
    """The scenario that a TOML text describes.

    Raises
    ------
    ConfigError : it is no TOML, or something is unknown, missing or invalid; the parameter says where.

    Examples
    --------
    >>> scenario = read_toml('''
    ... policy = "PowerOfTwo"
    ... servers = 10
    ... duration = 100
    ... arrivals = { type = "Poisson", rate = 8 }
    ... ''')
    >>> scenario.policy, scenario.arrivals
    (PowerOfTwo(choices=2, load=InFlight(), force_after=None), Poisson(rate=8))
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("scenario", text[:60], f"must be TOML: {error}") from None
    return read_scenario(data)


def read_scenario(data: Mapping[str, Any]) -> Scenario:
    """The scenario that plain data describes; see `read_toml`.

    Raises
    ------
    ConfigError : something is unknown, missing or invalid; the parameter says where.
    """
    if not isinstance(data, Mapping):
        raise ConfigError("scenario", data, "must be a table")
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name == "type" and value == "Scenario":
            continue
        if name not in Scenario.__dataclass_fields__:
            raise ConfigError(str(name), value, f"is none of {', '.join(Scenario.__dataclass_fields__)}")
        values[name] = READERS[name](name, value) if name in READERS else value
    for name in ("policy", "servers", "arrivals", "duration"):
        if name not in values:
            raise ConfigError(name, None, "is missing")
    return Scenario(**values)


def _policy(name: str, data: Any) -> Any:
    return named(name, data, _public(lbalgo.policies, "build"))


def _public(room: Any, *methods: str) -> list[type[Any]]:
    """The classes of a room that have one of these methods."""
    found = [getattr(room, name) for name in room.__all__]
    return [kind for kind in found if isinstance(kind, type) and any(hasattr(kind, method) for method in methods)]


def _servers(name: str, data: Any) -> Any:
    if isinstance(data, int):
        return data
    return tuple(_table(f"{name}[{i}]", group, Servers) for i, group in enumerate(_list(name, data)))


def _network(name: str, data: Any) -> Any:
    """A network, or the one path of all, which needs no list."""
    if isinstance(data, Mapping) and "paths" not in data:
        return Network((_table(name, data, Path),))
    return _table(name, data, Network)


def _one(kind: type[Any]) -> Callable[[str, Any], Any]:
    return lambda name, data: _table(name, data, kind)


def _table(name: str, data: Any, kind: type[Any]) -> Any:
    return named(name, {**data, "type": kind.__name__} if isinstance(data, Mapping) else data, (kind,))


def _list(name: str, data: Any) -> list[Any]:
    if not isinstance(data, (list, tuple)):
        raise ConfigError(name, data, "must be an array")
    return list(data)


def _machines(room: Any, *methods: str) -> Callable[[str, Any], Any]:
    """A reader of things with state: what makes them is kept, once one has been made to see that it can be."""

    def read(name: str, data: Any) -> tuple[Any, ...]:
        return tuple(_maker(f"{name}[{i}]", value, room, methods) for i, value in enumerate(_list(name, data)))

    return read


def _maker(where: str, data: Any, room: Any, methods: tuple[str, ...]) -> Any:
    entry = {"type": data} if isinstance(data, str) else data
    known: dict[str, Any] = {kind.__name__: kind for kind in _public(room, *methods)}
    if not isinstance(entry, Mapping) or entry.get("type") not in known:
        given = entry.get("type") if isinstance(entry, Mapping) else entry
        raise ConfigError(f"{where}.type", given, f"must be one of {', '.join(known)}")
    values = {key: _part(f"{where}.{key}", value, room) for key, value in entry.items() if key != "type"}
    make = partial(known[entry["type"]], **values)
    try:
        make()
    except ConfigError as error:
        raise ConfigError(f"{where}.{error.parameter}", error.value, error.why) from None
    except (TypeError, LBError) as error:
        raise ConfigError(where, dict(entry), str(error)) from None
    return make


def _part(where: str, data: Any, room: Any) -> Any:
    """A parameter; a table with a type, and a list of them, are specifications of the same room (detectors)."""
    if isinstance(data, list):
        return tuple(_part(f"{where}[{i}]", value, room) for i, value in enumerate(data))
    if not isinstance(data, Mapping) or "type" not in data:
        return data
    found: list[Any] = [getattr(room, name) for name in room.__all__]
    kinds = {kind.__name__: kind for kind in found if isinstance(kind, type) and is_dataclass(kind)}
    if data["type"] not in kinds:
        raise ConfigError(f"{where}.type", data["type"], f"must be one of {', '.join(kinds)}")
    try:
        return kinds[data["type"]](**{key: value for key, value in data.items() if key != "type"})
    except ConfigError as error:
        raise ConfigError(f"{where}.{error.parameter}", error.value, error.why) from None
    except TypeError as error:
        raise ConfigError(where, dict(data), str(error)) from None


def _telling(kind: type[Any]) -> Callable[[str, Any], Any]:
    """A reader of reports or probes; what is said is named."""

    def read(name: str, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = {key: value for key, value in data.items() if key != "type"}
        if "says" in given and given["says"] not in SAID:
            raise ConfigError(f"{name}.says", given["says"], f"must be one of {', '.join(SAID)}")
        if "says" in given:
            given["says"] = SAID[given["says"]]
        try:
            return kind(**given)
        except ConfigError as error:
            raise ConfigError(f"{name}.{error.parameter}", error.value, error.why) from None
        except TypeError as error:
            raise ConfigError(name, dict(data), str(error)) from None

    return read


SAID = {"probe": probe, "feedback": feedback, "load_report": load_report}
READERS: dict[str, Callable[[str, Any], Any]] = {
    "policy": _policy,
    "servers": _servers,
    "arrivals": read_arrivals,
    "service": read_distribution,
    "costs": read_distribution,
    "keys": read_keys,
    "changes": read_changes,
    "timeout": _one(Timeout),
    "retries": _one(Retries),
    "hedge": _one(Hedge),
    "reports": _telling(Reports),
    "probes": _telling(Probes),
    "network": _network,
    "checks": _one(Checks),
    "board": _one(Board),
    "signals": _machines(lbalgo.signals, "observe"),
    "gates": _machines(lbalgo.gates, "admit", "pick"),
}
