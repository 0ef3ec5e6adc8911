"""A TOML file that describes a setup, a workload, or both.

    backends = 10                       # a number, ids, a table of id and weight, or [[backends]] tables
    policy = { type = "Maglev", table_size = 65537 }
    [[signals]]
    type = "SlowStart"
    window = 30.0
    [[gates]]
    type = "Sticky"                     # without secrets: these have no business in such a file
    [facts]
    p99 = 2.0
    [workload]
    backends = 10

Parts are called, and take parameters, as in a scenario of the simulator. What a policy or gate would refuse because of
an outside secret, or another part, is supplied: a `Sticky` gets secrets, a `DrainGate` the `Drain` before it. A Maglev
whose `table_size` is no prime is read as one, with the size as a fact, so that the audit can say what is wrong with it.

Costs: O(length).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from lbalgo.advice.setup import Facts, Setup
from lbalgo.advice.workload import Workload
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError
from lbalgo.gates.drain_gate import DrainGate
from lbalgo.gates.sticky import Sticky
from lbalgo.sim.reading import READERS
from lbalgo.spec import is_prime

FIELDS = ("backends", "policy", "signals", "gates", "panic_below", "facts", "workload")
SECRETS = (bytes(16),)  # nothing is sealed with them


def read_advice(text: str) -> tuple[Setup | None, Facts, Workload | None]:
    """The setup (None without a policy, signals and gates), the facts, and the workload (None if there is none).

    Raises
    ------
    ConfigError : it is no TOML, or something is unknown or invalid; the parameter says where.

    Examples
    --------
    >>> setup, facts, workload = read_advice('policy = "Maglev"\\nbackends = 3\\n[workload]\\nload = 0.5')
    >>> setup.policy.table_size, setup.size, facts.p99, workload.load
    (65537, 3, None, 0.5)
    """
    if not isinstance(text, str):
        raise ConfigError("text", text, "must be a string")
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError("text", text[:60], f"must be TOML: {error}") from None
    for name in data:
        if name not in FIELDS:
            raise ConfigError(name, data[name], f"is none of {', '.join(FIELDS)}")
    facts = _table("facts", data, Facts) or Facts()
    workload = _table("workload", data, Workload)
    if not {"policy", "signals", "gates"} & set(data):
        if "backends" in data or "panic_below" in data:
            raise ConfigError("policy", None, "is missing")
        return None, facts, workload
    policy, facts = _policy(data.get("policy"), facts)
    signals = _signals(data.get("signals", []))
    gates = _gates(data.get("gates", []), signals)
    pool = _backends(data.get("backends", []))
    return Setup(policy, pool, signals, gates, data.get("panic_below", 0.5), facts), facts, workload


def _table(name: str, data: Mapping[str, Any], kind: Any) -> Any:
    if name not in data:
        return None
    try:
        return kind.from_dict(data[name])
    except ConfigError as error:
        where = name if error.parameter == kind.__name__ else f"{name}.{error.parameter}"
        raise ConfigError(where, error.value, error.why) from None


def _policy(entry: Any, facts: Facts) -> tuple[Any, Facts]:
    size = entry.get("table_size") if isinstance(entry, dict) and entry.get("type") == "Maglev" else None
    if isinstance(size, int) and not isinstance(size, bool) and 1 < size < 2**31 - 1 and not is_prime(size):
        facts = Facts(**{**vars(facts), "table_size": size})
        entry = {**entry, "table_size": next(n for n in range(size, 2**31) if is_prime(n))}
    return (None if entry is None else READERS["policy"]("policy", entry)), facts


def _signals(entries: Any) -> tuple[Any, ...]:
    return tuple(make() for make in READERS["signals"]("signals", entries))


def _gates(entries: Any, signals: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(entries, list):
        raise ConfigError("gates", entries, "must be an array")
    made: list[Any] = []
    for i, given in enumerate(entries):
        entry = {"type": given} if isinstance(given, str) else given
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind == "Sticky":
            made.append(_sticky(f"gates[{i}]", entry))
        elif kind == "DrainGate":
            drains = [signal for signal in signals if type(signal).__name__ == "Drain"]
            if not drains or len(entry) > 1:
                raise ConfigError(f"gates[{i}]", entry, "goes with a signal of type Drain, and has no parameters")
            made.append(DrainGate(drains[0]))
        else:
            (make,) = _numbered(entry, i)
            made.append(make())
    return tuple(made)


def _numbered(entry: Any, i: int) -> Any:
    """The reader of the simulator, whose errors speak of the only entry it was given."""
    try:
        return READERS["gates"]("gates", [entry])
    except ConfigError as error:
        where = error.parameter.replace("gates[0]", f"gates[{i}]", 1)
        raise ConfigError(where, error.value, error.why) from None


def _sticky(where: str, entry: dict[str, Any]) -> Sticky:
    if "secrets" in entry:
        raise ConfigError(f"{where}.secrets", "...", "must not be in this file; none are needed")
    try:
        return Sticky.from_dict(entry, secrets=SECRETS)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error.parameter}", error.value, error.why) from None
    except TypeError as error:
        raise ConfigError(where, entry, str(error)) from None


def _backends(given: Any) -> Any:
    if isinstance(given, int) and not isinstance(given, bool):
        if not 0 <= given <= 1_000_000:
            raise ConfigError("backends", given, "must be from 0 to 1000000")
        return [f"backend-{i}" for i in range(given)]
    if isinstance(given, dict):
        return given
    if not isinstance(given, list):
        raise ConfigError("backends", given, "must be a number, an array or a table")
    made = []
    for i, entry in enumerate(given):
        values = entry if isinstance(entry, dict) else {"id": entry}
        unknown = set(values) - {"id", "weight", "zone", "priority"}
        if unknown or "id" not in values:
            raise ConfigError(f"backends[{i}]", entry, "must have an id, and may have weight, zone and priority")
        try:
            made.append(Endpoint(**values))
        except ConfigError as error:
            raise ConfigError(f"backends[{i}].{error.parameter}", error.value, error.why) from None
    return made
