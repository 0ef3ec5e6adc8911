"""The live loads of several scorers as one load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbalgo.active import InFlightCounts
from lbalgo.errors import ConfigError
from lbalgo.kept_rows import check_part
from lbalgo.types import Outcome


class ScorerLoads:
    """The live loads of several scorers, told everything together; by itself it is what is in flight.

    Parameters
    ----------
    parts : a live load for each scorer, or None.
    """

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts
        self._flying = InFlightCounts()
        self._live = [self._flying, *(part for part in parts if part is not None)]

    def started(self, row: int, cost: float, now: float) -> None:
        """A request has begun at a row: all hear it, or none."""
        told = []
        try:
            for part in self._live:
                part.started(row, cost, now)
                told.append(part)
        except BaseException:
            for part in told:
                part.finished(row, Outcome.CANCELLED, None, now, cost)
            raise

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A request has ended at a row.

        Raises
        ------
        ConfigError : nothing is in flight there, or an argument is invalid; nothing has changed.
        """
        for part in self._live:
            part.finished(row, outcome, latency, now, cost)

    def advance(self, now: float) -> None:
        """Time passes."""
        for part in self._live:
            part.advance(now)

    def at(self, row: int) -> float:
        """Requests in flight at a row."""
        return self._flying.at(row)

    def reported(self, row: int, report: Any, now: float) -> None:
        """A backend's report, for those of the loads that take reports."""
        for part in self._live:
            if hasattr(part, "reported"):
                part.reported(row, report, now)

    def snapshot(self) -> dict[str, Any]:
        """What the loads have learned; what is in flight is gone with its process."""
        return {"type": "ByScore", "parts": [None if part is None else part.snapshot() for part in self.parts]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Go on from a snapshot; nothing has changed if it is refused.

        Raises
        ------
        ConfigError : it is no snapshot of such loads.
        """
        known = check_part("ByScore", state, len(self.parts))
        if any((part is None) != (its is None) for part, its in zip(self.parts, known, strict=True)):
            raise ConfigError("state['parts']", known, "must have a snapshot for each load, and None for none")
        saved = [None if part is None else part.snapshot() for part in self.parts]
        try:
            self._load(known, now)
        except BaseException:
            self._load(saved, now)
            raise

    def _load(self, states: list[Any], now: float) -> None:
        for part, its in zip(self.parts, states, strict=True):
            if part is not None:
                part.restore(its, now)

    def merge(self, other: ScorerLoads) -> None:
        """What another process's loads of the same scorers have learned."""
        if not isinstance(other, ScorerLoads) or len(other.parts) != len(self.parts):
            raise ConfigError("other", other, f"must be the loads of {len(self.parts)} scorers")
        for part, its in zip(self.parts, other.parts, strict=True):
            if part is not None:
                part.merge(its)

    def restart(self, row: int) -> None:
        """A row is another backend's from now on."""
        for part in self._live:
            if hasattr(part, "restart"):
                part.restart(row)
