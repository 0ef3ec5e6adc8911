"""What snapshots of estimators and gates have in common: how they are checked, and the instants they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.spec import check_time

NANOSECONDS = 10**9


def instant(now: object) -> int:
    """A caller's `now` (seconds) as whole nanoseconds; else ConfigError."""
    whole, part = divmod(check_time("now", now), 1.0)
    return int(whole) * NANOSECONDS + round(part * NANOSECONDS)


def check_state(kind: str, state: object, *keys: str) -> Mapping[str, Any]:
    """A snapshot of a `kind` with exactly these entries beside its type; else ConfigError."""
    if not isinstance(state, Mapping) or set(state) != {"type", *keys} or state["type"] != kind:
        raise ConfigError("state", state, f"must be a snapshot of a {kind}")
    return state
