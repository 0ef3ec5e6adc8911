"""Probes, and how a backend stands with them: the transition table, and the record kept of each backend.

The table is all there is: the engine looks every move up in it, tests compare histories with it, and the diagram in the
documentation is drawn from it. Membership is not in it: who leaves keeps its standing until it is forgotten.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.signals.checks import Check, Verdict
from lbalgo.signals.timeline import check_age
from lbalgo.spec import check_bool, check_enum, check_integer, enum_from_name


class Health(enum.Enum):
    """Where a backend stands."""

    PENDING = "pending"  # no probe has ended yet
    UP = "up"
    FALLING = "falling"
    HELD = "held"  # would be down, but most others failed with it
    DOWN = "down"
    RISING = "rising"


class Trigger(enum.Enum):
    """What moves a backend: a probe that ended, and what it completes."""

    PASSED = "passed"
    ROSE = "rose"
    FAILED = "failed"
    FELL = "fell"
    HELD = "held"


TRANSITIONS: dict[tuple[Health, Trigger], Health] = {
    (Health.PENDING, Trigger.ROSE): Health.UP,
    (Health.PENDING, Trigger.FELL): Health.DOWN,
    (Health.PENDING, Trigger.HELD): Health.HELD,
    (Health.UP, Trigger.PASSED): Health.UP,
    (Health.UP, Trigger.FAILED): Health.FALLING,
    (Health.UP, Trigger.FELL): Health.DOWN,
    (Health.UP, Trigger.HELD): Health.HELD,
    (Health.FALLING, Trigger.PASSED): Health.UP,
    (Health.FALLING, Trigger.FAILED): Health.FALLING,
    (Health.FALLING, Trigger.FELL): Health.DOWN,
    (Health.FALLING, Trigger.HELD): Health.HELD,
    (Health.HELD, Trigger.PASSED): Health.UP,
    (Health.HELD, Trigger.FELL): Health.DOWN,
    (Health.HELD, Trigger.HELD): Health.HELD,
    (Health.DOWN, Trigger.PASSED): Health.RISING,
    (Health.DOWN, Trigger.ROSE): Health.UP,
    (Health.DOWN, Trigger.FAILED): Health.DOWN,
    (Health.RISING, Trigger.PASSED): Health.RISING,
    (Health.RISING, Trigger.ROSE): Health.UP,
    (Health.RISING, Trigger.FAILED): Health.DOWN,
}
OUT = (Health.DOWN, Health.RISING)  # UNHEALTHY
FAILING = (Health.FALLING, Health.HELD, Health.DOWN)  # their latest probe failed
FIELDS = {"health", "degraded", "run", "failing_for", "due_in", "number"}


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe to send: to whom, what, its number, and the seconds it may take from now."""

    id: str
    check: Check
    number: int
    timeout: float

    def result(self, verdict: Verdict) -> ProbeResult:
        """What to report.

        Raises
        ------
        ConfigError : it is no `Verdict`.
        """
        return ProbeResult(self.id, self.number, verdict)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a probe ended, made by `Probe.result`."""

    id: str
    number: int
    verdict: Verdict

    def __post_init__(self) -> None:
        check_enum("verdict", self.verdict, Verdict)


class Record:
    """What is kept of one backend; instants in nanoseconds of the signal's timeline.

    Attributes
    ----------
    degraded : whether the latest probe that passed said so.
    run : probes in a row that count towards `rise` (RISING) or `fall` (FALLING, HELD).
    began : when the present run of failures began; None if the latest probe passed.
    due : when the next probe begins; what is offered or under way was due then.
    number : probes offered so far; the latest one's number.
    offered : whether it waits for the caller to take it.
    taken : when it was taken; None if none is under way.
    slot, token : where it sits, and the mark of the one thing that is planned for it.
    """

    __slots__ = ("began", "degraded", "due", "health", "id", "number", "offered", "run", "slot", "taken", "token")

    def __init__(self, id: str, due: int) -> None:
        self.id = id
        self.health = Health.PENDING
        self.degraded = False
        self.run = 0
        self.began: int | None = None
        self.due = due
        self.number = 0
        self.offered = False
        self.taken: int | None = None
        self.slot = self.token = 0

    def drop(self) -> None:
        """Forget the probe that is offered or under way; it is due again, with a new number."""
        self.offered, self.taken = False, None

    def snapshot(self, latest: int) -> dict[str, Any]:
        """JSON-ready data, instants as ages at `latest`; a probe under way ends with its process and is due again."""
        return {
            "health": self.health.name,
            "degraded": self.degraded,
            "run": self.run,
            "failing_for": None if self.began is None else latest - self.began,
            "due_in": max(self.due - latest, 0),
            "number": self.number,
        }

    @classmethod
    def restored(cls, id: str, data: object) -> Record:
        """The record `snapshot` described, on a timeline whose 0 is the snapshot's instant; else ConfigError."""
        where = f"state[{id!r}]"
        if not isinstance(data, Mapping) or set(data) != FIELDS:
            raise ConfigError(where, data, f"must have exactly {', '.join(sorted(FIELDS))}")
        record = cls(id, check_age(f"{where}['due_in']", data["due_in"], low=0))
        record.health = enum_from_name(Health)(data["health"])
        record.degraded = check_bool(f"{where}['degraded']", data["degraded"])
        record.run = check_integer(f"{where}['run']", data["run"], low=0)
        record.number = check_integer(f"{where}['number']", data["number"], low=0, high=2**63 - 1)
        if data["failing_for"] is not None:
            record.began = -check_age(f"{where}['failing_for']", data["failing_for"], low=0)
        if (record.began is not None) != (record.health in FAILING):
            raise ConfigError(f"{where}['failing_for']", data["failing_for"], f"does not go with {data['health']}")
        return record
