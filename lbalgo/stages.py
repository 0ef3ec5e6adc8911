"""The stages of a backend's life: the transition table, what moves along it, and what the merged state is meanwhile.

The table is all there is: `Lifecycle` looks every move up in it, the model checker compares a balancer with it, and the
diagram in the documentation is drawn from it.
"""

from __future__ import annotations

import enum

from lbalgo.types import State


class Stage(enum.Enum):
    """Where in its life a backend is."""

    JOINING = "joining"  # a member that has not yet been well
    WARMING = "warming"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    EJECTED = "ejected"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    DRAINED = "drained"
    REMOVED = "removed"


class Cause(enum.Enum):
    """What moves a backend."""

    JOINED = "joined"
    COLD = "cold"
    WELL = "well"
    DEGRADED = "degraded"
    OUTLIER = "outlier"
    FAILING = "failing"
    DRAIN = "drain"
    EMPTY = "empty"
    LEFT = "left"


SOURCES: dict[Cause, str] = {
    Cause.JOINED: "membership",
    Cause.COLD: "slow start, which begins when the signals below have nothing to say any more",
    Cause.WELL: "no signal has anything to say, or slow start has ended",
    Cause.DEGRADED: "a signal that says DEGRADED: active health",
    Cause.OUTLIER: "outlier ejection, with any of its detectors",
    Cause.FAILING: "a signal that says UNHEALTHY and has not ejected: active health",
    Cause.DRAIN: "a signal that says DRAINING: drain; or a lease after all",
    Cause.EMPTY: "the count of open leases, while draining",
    Cause.LEFT: "membership",
}
STATES: dict[Stage, State | None] = {  # what the merged state is meanwhile
    Stage.JOINING: State.UNHEALTHY,
    Stage.WARMING: State.HEALTHY,
    Stage.HEALTHY: State.HEALTHY,
    Stage.DEGRADED: State.DEGRADED,
    Stage.EJECTED: State.UNHEALTHY,
    Stage.UNHEALTHY: State.UNHEALTHY,
    Stage.DRAINING: State.DRAINING,
    Stage.DRAINED: State.DRAINING,
    Stage.REMOVED: None,
}
TRANSITIONS: dict[tuple[Stage, Cause], Stage] = {
    (Stage.JOINING, Cause.COLD): Stage.WARMING,
    (Stage.JOINING, Cause.WELL): Stage.HEALTHY,
    (Stage.JOINING, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.JOINING, Cause.OUTLIER): Stage.EJECTED,
    (Stage.JOINING, Cause.DRAIN): Stage.DRAINING,
    (Stage.JOINING, Cause.LEFT): Stage.REMOVED,
    (Stage.WARMING, Cause.WELL): Stage.HEALTHY,
    (Stage.WARMING, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.WARMING, Cause.OUTLIER): Stage.EJECTED,
    (Stage.WARMING, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.WARMING, Cause.DRAIN): Stage.DRAINING,
    (Stage.WARMING, Cause.LEFT): Stage.REMOVED,
    (Stage.HEALTHY, Cause.COLD): Stage.WARMING,
    (Stage.HEALTHY, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.HEALTHY, Cause.OUTLIER): Stage.EJECTED,
    (Stage.HEALTHY, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.HEALTHY, Cause.DRAIN): Stage.DRAINING,
    (Stage.HEALTHY, Cause.LEFT): Stage.REMOVED,
    (Stage.DEGRADED, Cause.COLD): Stage.WARMING,
    (Stage.DEGRADED, Cause.WELL): Stage.HEALTHY,
    (Stage.DEGRADED, Cause.OUTLIER): Stage.EJECTED,
    (Stage.DEGRADED, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.DEGRADED, Cause.DRAIN): Stage.DRAINING,
    (Stage.DEGRADED, Cause.LEFT): Stage.REMOVED,
    (Stage.EJECTED, Cause.COLD): Stage.WARMING,
    (Stage.EJECTED, Cause.WELL): Stage.HEALTHY,
    (Stage.EJECTED, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.EJECTED, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.EJECTED, Cause.DRAIN): Stage.DRAINING,
    (Stage.EJECTED, Cause.LEFT): Stage.REMOVED,
    (Stage.UNHEALTHY, Cause.COLD): Stage.WARMING,
    (Stage.UNHEALTHY, Cause.WELL): Stage.HEALTHY,
    (Stage.UNHEALTHY, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.UNHEALTHY, Cause.OUTLIER): Stage.EJECTED,
    (Stage.UNHEALTHY, Cause.DRAIN): Stage.DRAINING,
    (Stage.UNHEALTHY, Cause.LEFT): Stage.REMOVED,
    (Stage.DRAINING, Cause.COLD): Stage.WARMING,
    (Stage.DRAINING, Cause.WELL): Stage.HEALTHY,
    (Stage.DRAINING, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.DRAINING, Cause.OUTLIER): Stage.EJECTED,
    (Stage.DRAINING, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.DRAINING, Cause.EMPTY): Stage.DRAINED,
    (Stage.DRAINING, Cause.LEFT): Stage.REMOVED,
    (Stage.DRAINED, Cause.COLD): Stage.WARMING,
    (Stage.DRAINED, Cause.WELL): Stage.HEALTHY,
    (Stage.DRAINED, Cause.DEGRADED): Stage.DEGRADED,
    (Stage.DRAINED, Cause.OUTLIER): Stage.EJECTED,
    (Stage.DRAINED, Cause.FAILING): Stage.UNHEALTHY,
    (Stage.DRAINED, Cause.DRAIN): Stage.DRAINING,
    (Stage.DRAINED, Cause.LEFT): Stage.REMOVED,
    (Stage.REMOVED, Cause.JOINED): Stage.JOINING,
}
