"""What happened, as frozen records: the one place where observers look.

Signals and the `Balancer` make events; the Balancer hands them to its `on_event` after its state is consistent and
outside its lock, in the order in which they happened. Metrics, logs and tests are written over these and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lbalgo.types import State


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """The pool's membership changed at `now` (seconds): ids that joined and ids that left, in listing order."""

    now: float
    joined: tuple[str, ...]
    left: tuple[str, ...]


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


Event: TypeAlias = MembersChanged | StateChanged | PanicChanged | Ejected | EjectionWithheld | Readmitted
