"""Detectors that need more than the counters of `Evidence`: how they watch, and what the engine asks of them.

The counters are kept by compiled code on the path of every request. A *watching* detector instead keeps a `Watch` of
each backend, in Python, and is told every outcome with its latency; a signal that has one gives up the compiled path
(its `evidence` is None, so a Balancer calls `observe`), and only such a signal pays.

Two kinds. One speaks at once: `Watch.observe` says whether this outcome makes the backend an outlier. The other
*compares*: at a tick it is shown the watches of all admitted backends and names the outliers, and then every watch
begins a new interval (`rotate`).

What the engine takes care of: CANCELLED, and outcomes that arrive while the backend is ejected, are not shown. When a
verdict is withheld, or a backend is readmitted, the watch is restarted. Instants are whole nanoseconds on the signal's
own line of time, so that they survive a restart as ages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from lbalgo.types import Outcome

ERRORS = frozenset({Outcome.SERVER_ERROR, Outcome.GATEWAY_ERROR, Outcome.LOCAL_ERROR, Outcome.TIMEOUT})
FALSE_EJECTIONS = 1.0 / 8640  # in an interval: one a day, at Envoy's interval of 10 s


class Watch(Protocol):
    """What a watching detector keeps of one backend."""

    def observe(self, outcome: Outcome, latency: float | None, now: int) -> bool:
        """Take an outcome in; whether the backend is an outlier now."""
        ...

    def restart(self, now: int, readmitted: bool) -> None:
        """Begin anew: the backend was readmitted, or the verdict on it was withheld."""
        ...

    def snapshot(self, now: int) -> dict[str, Any]:
        """The state as JSON-ready data, instants as ages."""
        ...

    def restore(self, state: Mapping[str, Any], now: int) -> None:
        """Go on from a snapshot; ConfigError, and nothing changed, if it is none."""
        ...


@runtime_checkable
class Watching(Protocol):
    """A detector that keeps a watch of each backend."""

    @property
    def enforcement(self) -> float:
        """Percent of its verdicts that are carried out."""
        ...

    def watch(self, now: int) -> Watch:
        """A new watch of a backend that joins at an instant."""
        ...


@runtime_checkable
class Comparing(Watching, Protocol):
    """A watching detector that speaks on ticks; its watches have a method `rotate`, which begins a new interval."""

    def compare(self, watches: Sequence[Any]) -> list[tuple[int, float]]:
        """The outliers among the watches of the admitted backends: position, and how bad (more is worse)."""
        ...


Watches: TypeAlias = dict[str, Any]  # by name of the detector
