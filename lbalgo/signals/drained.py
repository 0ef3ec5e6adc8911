"""How a backend stands with its drain: the transition table, and the record the engine keeps of each backend.

The table is all there is: the engine looks every move up in it, tests compare histories with it, and the diagram in the
documentation is drawn from it. Membership is not in it: who leaves keeps its phase until it is forgotten.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_age
from lbalgo.spec import check_integer, enum_from_name


class Phase(enum.Enum):
    """Where a backend is in its drain."""

    SERVING = "serving"
    DRAINING = "draining"  # leases are open, or nobody has said how many
    EMPTY = "empty"  # none is open; it may be stopped
    OVERDUE = "overdue"  # the deadline is over, and leases are open, or nobody has said how many


class Trigger(enum.Enum):
    """What moves a backend."""

    BEGUN = "begun"
    EMPTIED = "emptied"
    BUSY = "busy"  # a lease after all, before the deadline: a session that was kept
    EXPIRED = "expired"  # the deadline is over; or a lease after all, when it is
    CALLED_OFF = "called off"


TRANSITIONS: dict[tuple[Phase, Trigger], Phase] = {
    (Phase.SERVING, Trigger.BEGUN): Phase.DRAINING,
    (Phase.DRAINING, Trigger.EMPTIED): Phase.EMPTY,
    (Phase.DRAINING, Trigger.EXPIRED): Phase.OVERDUE,
    (Phase.DRAINING, Trigger.CALLED_OFF): Phase.SERVING,
    (Phase.EMPTY, Trigger.BUSY): Phase.DRAINING,
    (Phase.EMPTY, Trigger.EXPIRED): Phase.OVERDUE,
    (Phase.EMPTY, Trigger.CALLED_OFF): Phase.SERVING,
    (Phase.OVERDUE, Trigger.EMPTIED): Phase.EMPTY,
    (Phase.OVERDUE, Trigger.CALLED_OFF): Phase.SERVING,
}
FIELDS = {"phase", "draining_for"}


class DrainOrder(enum.Enum):
    """What an operator says of a backend, by `Balancer.report`."""

    BEGIN = "begin"
    CALL_OFF = "call off"


@dataclass(frozen=True, slots=True)
class OpenLeases:
    """How many leases of a backend are open, as `Stats.in_flight` has it, by `Balancer.report`.

    Raises
    ------
    ConfigError : it is no integer >= 0.
    """

    count: int

    def __post_init__(self) -> None:
        check_integer("count", self.count, low=0)


class Record:
    """What is kept of one backend.

    Attributes
    ----------
    began : when its drain began, in nanoseconds of the signal's timeline; None while it serves.
    open : how many leases are open, as far as anybody has said.
    """

    __slots__ = ("began", "id", "open", "phase")

    def __init__(self, id: str) -> None:
        self.id = id
        self.phase = Phase.SERVING
        self.began: int | None = None
        self.open: int | None = None

    def snapshot(self, latest: int) -> dict[str, Any]:
        """JSON-ready data; what was open is gone with its process."""
        return {"phase": self.phase.name, "draining_for": None if self.began is None else latest - self.began}

    @classmethod
    def restored(cls, id: str, data: object) -> Record:
        """The record `snapshot` described, on a timeline whose 0 is the snapshot's instant; else ConfigError."""
        where = f"state[{id!r}]"
        if not isinstance(data, Mapping) or set(data) != FIELDS:
            raise ConfigError(where, data, f"must have exactly {', '.join(sorted(FIELDS))}")
        record = cls(id)
        record.phase = enum_from_name(Phase)(data["phase"])
        if data["draining_for"] is not None:
            record.began = -check_age(f"{where}['draining_for']", data["draining_for"], low=0)
        if (record.began is None) != (record.phase is Phase.SERVING):
            raise ConfigError(f"{where}['draining_for']", data["draining_for"], f"does not go with {data['phase']}")
        return record
