"""What happened, as frozen records: the one place where observers look.

Signals and the `Balancer` make events; the Balancer hands them to its `on_event` after its state is consistent and
outside its lock, in the order in which they happened. Metrics, logs and tests are written over these and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lbalgo.request import Reason
from lbalgo.types import Outcome, State


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """The pool's membership changed at `now` (seconds): ids that joined and ids that left, in listing order.

    Of the joined, `held` are those that some signal does not call HEALTHY from the start, of each of which a
    `StateChanged` follows, and `cold` those that warm up, of each of which a `Warming` follows.
    """

    now: float
    joined: tuple[str, ...]
    left: tuple[str, ...]
    held: tuple[str, ...] = ()
    cold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The merged state of a backend changed at `now` (seconds)."""

    now: float
    id: str
    old: State
    new: State


@dataclass(frozen=True, slots=True)
class PanicChanged:
    """The pool entered (`panic` True) or left panic at `now` (seconds)."""

    now: float
    panic: bool


@dataclass(frozen=True, slots=True)
class Ejected:
    """A detector ejected a backend at `now` until no earlier than `until` (seconds); `times` counts its ejections."""

    now: float
    id: str
    detector: str
    times: int
    until: float


@dataclass(frozen=True, slots=True)
class EjectionWithheld:
    """A detector fired at `now` (seconds) but the backend stayed, for `reason` (``"budget"`` or ``"enforcement"``)."""

    now: float
    id: str
    detector: str
    reason: str


@dataclass(frozen=True, slots=True)
class Readmitted:
    """An ejected backend came back at `now` (seconds), or left the pool while ejected."""

    now: float
    id: str


@dataclass(frozen=True, slots=True)
class Warming:
    """A backend begins to warm up, or comes back while it still does, at `now`, and is warm at `until` (seconds)."""

    now: float
    id: str
    until: float


@dataclass(frozen=True, slots=True)
class Warmed:
    """A backend has its full share from `now` (seconds) on."""

    now: float
    id: str


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """Probes say from `now` (seconds) on that a backend is well, is to be served last, or, for a `reason`, is down."""

    now: float
    id: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class HealthHeld:
    """A backend would be down at `now` (seconds), but `failing` of the `members` that count began to fail together."""

    now: float
    id: str
    failing: int
    members: int
    reason: str


@dataclass(frozen=True, slots=True)
class Draining:
    """A backend gets nothing new from `now` on, or is busy again while it drains; overdue at `until` (seconds)."""

    now: float
    id: str
    until: float


@dataclass(frozen=True, slots=True)
class Drained:
    """A backend that drains has no lease open at `now` (seconds); it may be stopped."""

    now: float
    id: str


@dataclass(frozen=True, slots=True)
class DrainOverdue:
    """The deadline of a drain is over at `now` (seconds) and `open` leases are left, None if nobody has counted."""

    now: float
    id: str
    open: int | None


@dataclass(frozen=True, slots=True)
class DrainCalledOff:
    """A backend no longer drains from `now` (seconds) on."""

    now: float
    id: str


Event: TypeAlias = (
    MembersChanged
    | StateChanged
    | PanicChanged
    | Ejected
    | EjectionWithheld
    | Readmitted
    | Warming
    | Warmed
    | HealthChanged
    | HealthHeld
    | Draining
    | Drained
    | DrainOverdue
    | DrainCalledOff
)


@dataclass(frozen=True, slots=True)
class Stats:
    """What a `Balancer` has counted since it was made; always ``opened == closed + open_leases``.

    Attributes
    ----------
    opened, closed, open_leases : leases given out, ended, and not yet ended.
    outcomes : how leases ended; sums to `closed`. A lease that was dropped without a word counts as CANCELLED.
    in_flight : open leases by backend id, of all members and of departed backends that still have some.
    no_backend : refusals by reason (see `NoBackend`), those of gates as ``"overloaded"``.
    not_admitted : refusals of gates by their reason.
    excluded_fallbacks : picks whose first choice was excluded, so that the next one answered.
    rebuilds : pickers built since the first one.
    panics : times the pool entered panic.
    panic_picks : leases opened while in panic.
    ejections : `Ejected` events by detector.
    """

    opened: int
    closed: int
    open_leases: int
    outcomes: Mapping[Outcome, int]
    in_flight: Mapping[str, int]
    no_backend: Mapping[str, int]
    not_admitted: Mapping[Reason, int]
    excluded_fallbacks: int
    rebuilds: int
    panics: int
    panic_picks: int
    ejections: Mapping[str, int]
