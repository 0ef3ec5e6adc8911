"""How a backend stands with outlier ejection: the transition table, and the record the engine keeps of each backend.

The table is all there is: the engine looks every move up in it, tests compare histories with it, and the diagram in the
documentation is drawn from it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.signals.timeline import check_age
from lbalgo.signals.watching import Watches
from lbalgo.spec import check_integer, enum_from_name


class Standing(enum.Enum):
    """Where a backend stands; the two AWAY ones are of backends that left and are not yet forgotten."""

    UNKNOWN = "unknown"
    ADMITTED = "admitted"
    EJECTED = "ejected"
    AWAY = "away"
    AWAY_EJECTED = "away, ejected"


class Trigger(enum.Enum):
    """What moves a backend."""

    JOINED = "joined"
    TRIPPED = "tripped"
    WITHHELD = "withheld"
    EXPIRED = "expired"
    LEFT = "left"
    RETURNED = "returned"
    FORGOTTEN = "forgotten"


TRANSITIONS: dict[tuple[Standing, Trigger], Standing] = {
    (Standing.UNKNOWN, Trigger.JOINED): Standing.ADMITTED,
    (Standing.ADMITTED, Trigger.TRIPPED): Standing.EJECTED,
    (Standing.ADMITTED, Trigger.WITHHELD): Standing.ADMITTED,
    (Standing.ADMITTED, Trigger.LEFT): Standing.AWAY,
    (Standing.EJECTED, Trigger.EXPIRED): Standing.ADMITTED,
    (Standing.EJECTED, Trigger.LEFT): Standing.AWAY_EJECTED,
    (Standing.AWAY, Trigger.RETURNED): Standing.ADMITTED,
    (Standing.AWAY, Trigger.FORGOTTEN): Standing.UNKNOWN,
    (Standing.AWAY_EJECTED, Trigger.RETURNED): Standing.EJECTED,
    (Standing.AWAY_EJECTED, Trigger.EXPIRED): Standing.AWAY,
    (Standing.AWAY_EJECTED, Trigger.FORGOTTEN): Standing.UNKNOWN,
}
SERVING_TIME = (Standing.EJECTED, Standing.AWAY_EJECTED)
NO_EVIDENCE = (0, 0, 0, 0)  # errors in a row, gateway errors in a row, successes, responses
FIELDS = ("standing", "detector", "backoff", "times", "ejected_for", "jitter", "readmitted_for", "evidence")


class Record:
    """What is kept of one backend; instants and durations in nanoseconds of the signal's timeline.

    Attributes
    ----------
    detector : name of the detector that ejected it last.
    backoff : how many times the base ejection time the last ejection was to last; time served takes it back.
    times : ejections so far.
    ejected_at, jitter : of the last ejection.
    readmitted_at : of the last readmission.
    evidence : its counters while it is away; the kernel has them while it is a member.
    watches : what the watching detectors keep of it, by their names; out of a snapshot, what they kept.
    """

    __slots__ = (
        "backoff",
        "detector",
        "ejected_at",
        "evidence",
        "id",
        "jitter",
        "readmitted_at",
        "standing",
        "times",
        "watches",
    )

    def __init__(self, id: str) -> None:
        self.id = id
        self.standing = Standing.UNKNOWN
        self.detector = ""
        self.backoff = 0
        self.times = 0
        self.ejected_at: int | None = None
        self.jitter = 0
        self.readmitted_at: int | None = None
        self.evidence: tuple[int, ...] = NO_EVIDENCE
        self.watches: Watches = {}

    def snapshot(self, latest: int, evidence: tuple[int, ...]) -> dict[str, Any]:
        """JSON-ready data, instants as ages at `latest`."""
        watches = {name: watch.snapshot(latest) for name, watch in self.watches.items()}
        return {
            "standing": self.standing.name,
            "detector": self.detector,
            "backoff": self.backoff,
            "times": self.times,
            "ejected_for": None if self.ejected_at is None else latest - self.ejected_at,
            "jitter": self.jitter,
            "readmitted_for": None if self.readmitted_at is None else latest - self.readmitted_at,
            "evidence": list(evidence),
            **({"watches": watches} if watches else {}),
        }

    @classmethod
    def restored(cls, id: str, data: object, allowed: tuple[Standing, ...]) -> Record:
        """The record `snapshot` described, on a timeline whose 0 is the snapshot's instant; else ConfigError."""
        where = f"state[{id!r}]"
        if not isinstance(data, Mapping) or set(data) - {"watches"} != set(FIELDS):
            raise ConfigError(where, data, f"must have exactly {', '.join(FIELDS)}")
        record = cls(id)
        record.standing = enum_from_name(Standing)(data["standing"])
        if record.standing not in allowed:
            raise ConfigError(f"{where}['standing']", data["standing"], "is not where it belongs")
        if not isinstance(data["detector"], str):
            raise ConfigError(f"{where}['detector']", data["detector"], "must be a string")
        record.detector = data["detector"]
        record.backoff = check_integer(f"{where}['backoff']", data["backoff"], low=0)
        record.times = check_integer(f"{where}['times']", data["times"], low=0)
        record.jitter = check_age(f"{where}['jitter']", data["jitter"], low=0)
        if data["ejected_for"] is not None:
            record.ejected_at = -check_age(f"{where}['ejected_for']", data["ejected_for"], low=0)
        elif record.standing in SERVING_TIME:
            raise ConfigError(f"{where}['ejected_for']", None, "an ejection has a beginning")
        if data["readmitted_for"] is not None:
            record.readmitted_at = -check_age(f"{where}['readmitted_for']", data["readmitted_for"], low=0)
        evidence = data["evidence"]
        if not isinstance(evidence, (list, tuple)) or len(evidence) != len(NO_EVIDENCE):
            raise ConfigError(f"{where}['evidence']", evidence, "must be four counts")
        record.evidence = tuple(check_integer(f"{where}['evidence']", n, low=0, high=2**63 - 1) for n in evidence)
        watches = data.get("watches", {})
        if not isinstance(watches, Mapping):
            raise ConfigError(f"{where}['watches']", watches, "must be a mapping from detector to its state")
        record.watches = dict(watches)
        return record
