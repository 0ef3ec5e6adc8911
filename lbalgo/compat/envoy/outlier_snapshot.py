"""Reading back what Envoy's outlier detector has saved: everything is checked before anything is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.compat.envoy.outlier_monitor import Monitor
from lbalgo.errors import ConfigError
from lbalgo.signals.roster import Roster, check_ids
from lbalgo.signals.timeline import check_age
from lbalgo.spec import check_bool, check_integer

KEYS = {"type", "synced", "next_tick_in", "active", "draws", "stats", "members", "away"}


def read_snapshot(state: Any) -> tuple[bool, int, tuple[int, int], dict[str, int], Roster[Monitor]]:
    """Whether it was synced, the age of the next tick, hosts out and draws, counters, and who is in and away.

    Raises
    ------
    ConfigError : it is no snapshot of an `OutlierDetector`.
    """
    if not isinstance(state, Mapping) or set(state) != KEYS or state["type"] != "OutlierDetector":
        raise ConfigError("state", state, "must be a snapshot of an OutlierDetector")
    synced = check_bool("state['synced']", state["synced"])
    tick = check_age("state['next_tick_in']", state["next_tick_in"], low=1)
    active = check_integer("state['active']", state["active"])
    draws = check_integer("state['draws']", state["draws"], low=0)
    for part in ("stats", "members", "away"):
        if not isinstance(state[part], Mapping):
            raise ConfigError(f"state[{part!r}]", state[part], "must be a mapping")
    stats = {str(name): check_integer(f"state['stats'][{name!r}]", n) for name, n in state["stats"].items()}
    check_ids([*state["members"], *state["away"]])
    roster: Roster[Monitor] = Roster()
    roster.members = {id: Monitor.restored(id, data) for id, data in state["members"].items()}
    for id, data in state["away"].items():
        if not isinstance(data, (list, tuple)) or len(data) != 2:
            raise ConfigError(f"state['away'][{id!r}]", data, "must be an age and a record")
        roster.away[id] = -check_age(f"state['away'][{id!r}]", data[0], low=0), Monitor.restored(id, data[1])
    return synced, tick, (active, draws), stats, roster
