"""How the captured decisions of each system are replayed: one module a system, one generator each.

A replayer takes a file's stem and its data and yields a `Replayed` for each configuration, in the file's order. What
it does not know (another section, another field with a meaning) it has to refuse with `Strange`: a configuration that
is passed over silently would be a decision nobody checked. Statistical records are yielded with 0 decisions here only
if a test of their own checks them with a derived bound.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

ENVOY = {
    "hash_picks": "envoy_hash",
    "hash_policy_retry": "envoy_hash",
    "bounded_load": "envoy_hash",
    "eds_changes": "envoy_hash",
    "load_split": "envoy_turns",
    "round_robin": "envoy_turns",
    "least_request": "envoy_turns",
    "slow_start": "envoy_turns",
    "zone_aware": "envoy_turns",
    "orca_weights": "envoy_turns",
    "outlier": "envoy_outlier",
}
CLASSIC = {  # by the first word of what a file says of its system
    "haproxy": "haproxy",
    "nginx": "nginx",
    "nutcracker": "memcached",
    "twemproxy": "memcached",
    "libmemcached": "memcached",
    "katran": "katran",
    "varnish": "varnish",
    "apache": "apache",
    "redis-server": "redis",
    "redis": "redis",
}


class Strange(Exception):
    """A configuration that is not understood."""


@dataclass(frozen=True)
class Replayed:
    """What came of one configuration."""

    name: str
    decisions: int
    mismatches: int


Replayer = Callable[[str, Any], Iterator[Replayed]]


def replayer(stem: str, data: Any) -> Replayer:
    """The replayer of a file, by the system it names, or, for Envoy, by what it holds."""
    word = str(data.get("system", "")).lower().partition(" ")[0]
    module = CLASSIC.get(word) or ENVOY.get(stem) or ENVOY.get(kind_of(data))
    if module is None:
        raise Strange(f"no system is known for {stem!r}")
    found: Replayer = importlib.import_module(f"tests.golden.systems.{module}").replay
    return found


def kind_of(data: Any) -> str:
    """What an Envoy file of another name holds, told from its fields."""
    if "policy" in data and "retry" in data:
        return "hash_policy_retry"
    if "edf" in data:
        return "least_request"
    if "cases" in data:
        return "orca_weights"
    if "node_zone" in data:
        return "zone_aware"
    first = next(iter(data.get("cfg", {}).values()), {})
    for field, kind in (
        ("bursts", "outlier"),
        ("runs", "round_robin"),
        ("phases", "eds_changes"),
        ("balance", "bounded_load"),
        ("bins_100ms", "slow_start"),
        ("health_by_priority", "load_split"),
        ("hosts", "hash_picks"),
    ):
        if field in first:
            return kind
    return ""


PARTS = ("cfg", "cfg2", "edf", "stat", "policy", "retry")  # of Envoy's files: configurations by name


def pieces(data: Any) -> list[Any]:
    """The data of a file, one configuration in each; a file that has no parts is its own only piece."""
    if not isinstance(data, dict):
        return [data]
    for name in ("configs", "cases"):
        if isinstance(data.get(name), list):
            return [{**data, name: [one]} for one in data[name]]
    parts = [name for name in PARTS if isinstance(data.get(name), dict)]
    none = {name: dict[str, Any]() for name in parts}
    return [{**data, **none, name: {key: one}} for name in parts for key, one in data[name].items()] or [data]


def count_mismatches(expected: Any, got: Any) -> int:
    """Positions at which two sequences differ; those that one of them lacks count too."""
    return sum(a != b for a, b in zip(expected, got, strict=False)) + abs(len(expected) - len(got))
