"""How a policy holds a load: checked as a specification, started or taken over, named in plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.active import ForeignLoad, LoadState
from lbalgo.errors import ConfigError
from lbalgo.spec import from_dict
from lbalgo.types import LoadSpec


def check_load(spec: object) -> None:
    """Refuses what is no specification of a load."""
    if isinstance(spec, type) or not all(callable(getattr(spec, name, None)) for name in ("start", "to_dict")):
        raise ConfigError("load", spec, "must be a specification of a load, such as InFlight()")


def started(spec: LoadSpec) -> LoadState:
    """A new live load; an object that is no `LoadState` is adapted."""
    load = spec.start()
    return load if isinstance(load, LoadState) else ForeignLoad(load)


def load_from_dict(data: object) -> LoadSpec:
    """The load plain data describe, or `data` itself if it is a specification already.

    Raises
    ------
    ConfigError : no such load, or one that only the caller can supply.
    """
    if isinstance(data, Mapping):
        import lbalgo.loads as room

        name = data.get("type")
        if not isinstance(name, str) or name not in room.__all__:
            raise ConfigError("load", data, f"must be one of {', '.join(room.__all__)}, or an object (load=...)")
        made: LoadSpec = getattr(room, name).from_dict(data)
        return made
    check_load(data)
    return data  # type: ignore[return-value]


def loaded_from_dict(cls: type[Any], data: Mapping[str, object], load: LoadSpec | None, **nested: Any) -> Any:
    """`from_dict` of a policy with a load; `load` stands in for one that plain data cannot name."""
    if load is not None and isinstance(data, Mapping):
        data = {**data, "load": load}
    return from_dict(cls, data, {"load": load_from_dict, **nested})
