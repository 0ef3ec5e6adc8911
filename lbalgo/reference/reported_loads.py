"""Loads by what backends say of themselves, and their blend with what the caller sees.

`ReportLoad` keeps the last report of each row: a report earlier than the one before is dropped, one too old or too new
to be trusted counts as none. `BlendLoad` is in flight times utilisation times errors, with one request at a time for
those on probation and a slow start by age.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/reported_loads.pxd`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lbalgo.errors import ConfigError
from lbalgo.kept_rows import check_kept, check_part, check_same, grown
from lbalgo.report import Report
from lbalgo.spec import check_real, check_row
from lbalgo.types import OUTCOME_CODES, Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from math import exp

    from lbalgo.reference.loads import LoadState

NATIVE = cython.compiled
NEVER = -math.inf
MOST = 1e300
UNTRIED = 1e12  # load of a unit in flight to one on probation: beyond all others
SUCCESS, CANCELLED = OUTCOME_CODES[Outcome.SUCCESS], OUTCOME_CODES[Outcome.CANCELLED]
PROBATION, TRUSTED = 0, 1
ANSWERED, FAILED, UNSAID = 0, 1, 2
# state before, what came: state after
NEXT = {
    (PROBATION, ANSWERED): TRUSTED,
    (PROBATION, FAILED): PROBATION,
    (PROBATION, UNSAID): PROBATION,
    (TRUSTED, ANSWERED): TRUSTED,
    (TRUSTED, FAILED): PROBATION,
    (TRUSTED, UNSAID): TRUSTED,
}


class ReportLoad(LoadState):
    """Reported utilisation and errors, by row; made by `Reported.start`.

    Parameters
    ----------
    spec : the specification it was made from.
    unknown : the load of those without a report that counts.
    errors : what an error share of 1 adds.
    blackout, expiry : seconds from the first report until reports count, and from a report until it counts no more.
    """

    def __init__(self, spec: Any, unknown: float, errors: float, blackout: float, expiry: float) -> None:
        self.spec, self.unknown, self.errors, self.blackout, self.expiry = spec, unknown, errors, blackout, expiry
        self.latest, self.room, self.margin = NEVER, 0, 0.0
        self.flying = self.said = self.made = self.came = self.since = grown((), 0, 0.0, NATIVE)
        self._make_room(0)

    def _make_room(self, row: int) -> None:
        if row >= self.room:
            size = max(row + 1, 2 * self.room, 64)
            self.flying, self.said = grown(self.flying, size, 0.0, NATIVE), grown(self.said, size, 0.0, NATIVE)
            self.made, self.came = grown(self.made, size, NEVER, NATIVE), grown(self.came, size, NEVER, NATIVE)
            self.since, self.room = grown(self.since, size, NEVER, NATIVE), size

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.latest = max(self.latest, now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """Counted, so that it can be finished once."""
        if row >= self.room:
            self._make_room(row)
        self.latest = max(self.latest, now)
        self.flying[row] += 1.0

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Finished."""
        if row >= self.room or self.flying[row] == 0.0:
            raise ConfigError("row", row, "has nothing in flight")
        self.latest = max(self.latest, now)
        self.flying[row] -= 1.0

    def reported(self, row: int, report: Any, now: float) -> None:
        """The backend in `row` says this of itself; `now` in seconds. Dropped if it said something later before.

        Raises
        ------
        ConfigError : `report` is no `Report`; the row or `now` is invalid.
        """
        row, now = check_row(row), check_real("now", now)
        if not isinstance(report, Report):
            raise ConfigError("report", report, "must be a Report")
        self._make_room(row)
        self.latest = max(self.latest, now)
        if report.at is not None:
            if report.at <= self.made[row]:
                return
            self.made[row] = report.at
        if self.latest - self.came[row] >= self.expiry:  # also the first one
            self.since[row] = self.latest
        share = min(report.eps / report.qps, 1.0) if report.qps > 0.0 else 0.0
        self.said[row], self.came[row] = min(report.utilisation + self.errors * share, MOST), self.latest

    def value(self, row: int) -> float:
        """What was reported, if that counts."""
        if (
            row >= self.room
            or self.came[row] == NEVER
            or self.latest - self.came[row] >= self.expiry
            or self.latest - self.since[row] < self.blackout
        ):
            return self.unknown
        return self.said[row]  # type: ignore[no-any-return]

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: nothing is known of it."""
        row = check_row(row)
        if row < self.room:
            self.flying[row] = self.said[row] = 0.0
            self.made[row] = self.came[row] = self.since[row] = NEVER

    def snapshot(self) -> dict[str, Any]:
        """The reports that have not expired, with ages in seconds; instants of the backends' own are not in it."""
        rows = {
            row: {"load": self.said[row], "age": self.latest - self.came[row], "since": self.latest - self.since[row]}
            for row in range(self.room)
            if self.latest - self.came[row] < self.expiry
        }
        return {"type": "Reported", "rows": rows}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds), and of other rows nothing."""
        rows = check_kept("Reported", state, "load", "age", "since")
        self.latest = max(self.latest, check_real("now", now))
        self._make_room(max(rows, default=0))
        for row in range(self.room):
            self.made[row] = self.came[row] = self.since[row] = NEVER
        for row, (load, age, since) in rows.items():
            self.said[row], self.came[row], self.since[row] = load, self.latest - age, self.latest - since

    def merge(self, other: Any) -> None:
        """Know what another, by the same clock and with the same rows, was told later; `other` stays as it is."""
        check_same(other, self)
        its: ReportLoad = other
        self._make_room(its.room - 1)
        self.latest = max(self.latest, its.latest)
        for row in range(its.room):
            if (its.came[row], its.said[row]) > (self.came[row], self.said[row]):
                self.said[row], self.came[row] = its.said[row], its.came[row]
            self.made[row] = max(self.made[row], its.made[row])
            self.since[row] = max(self.since[row], its.since[row])

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"


class BlendLoad(LoadState):
    """In flight x utilisation x errors / age, by row; made by `Blend.start`."""

    def __init__(self, spec: Any, reports: ReportLoad) -> None:
        self.spec, self.reports, self.margin = spec, reports, 0.0
        self.utilisation, self.errors, self.tau = spec.utilisation, spec.errors, spec.tau
        self.ramp, self.floor, self.latest, self.room = spec.ramp, spec.floor, NEVER, 0
        self.costs = self.failed = self.heard = self.when = self.born = self.state = grown((), 0, 0.0, NATIVE)
        self._make_room(0)

    def _make_room(self, row: int) -> None:
        if row >= self.room:
            size = max(row + 1, 2 * self.room, 64)
            self.costs, self.failed = grown(self.costs, size, 0.0, NATIVE), grown(self.failed, size, 0.0, NATIVE)
            self.heard, self.when = grown(self.heard, size, 0.0, NATIVE), grown(self.when, size, NEVER, NATIVE)
            self.born, self.room = grown(self.born, size, NEVER, NATIVE), size
            self.state = grown(self.state, size, PROBATION, NATIVE)

    def pass_(self, now: float) -> None:
        """It is `now`."""
        self.latest = max(self.latest, now)
        self.reports.pass_(now)

    def start_(self, row: int, cost: float, now: float) -> None:
        """More in flight; a backend is as old as its first request."""
        if row >= self.room:
            self._make_room(row)
        self.reports.start_(row, cost, now)
        self.latest = max(self.latest, now)
        self.costs[row] = min(self.costs[row] + cost, MOST)
        if self.born[row] == NEVER:
            self.born[row] = self.latest

    def close_(self, row: int, cost: float, began: float, outcome_code: int, latency: float, now: float) -> None:
        """Less in flight, and an answer or a failure."""
        self.reports.close_(row, cost, began, outcome_code, latency, now)
        self.latest = max(self.latest, now)
        self.costs[row] = max(self.costs[row] - cost, 0.0) if self.reports.flying[row] > 0.0 else 0.0
        came = ANSWERED if outcome_code == SUCCESS else UNSAID if outcome_code == CANCELLED else FAILED
        self.state[row] = NEXT[int(self.state[row]), came]
        if came != UNSAID:
            kept = exp((self.when[row] - self.latest) / self.tau)
            self.failed[row] = self.failed[row] * kept + came
            self.heard[row] = self.heard[row] * kept + 1.0
            self.when[row] = self.latest

    def error_share(self, row: int) -> float:
        """Failures among recent answers, one good answer added: neutral where nothing was heard lately."""
        if row >= self.room or self.heard[row] == 0.0:
            return 0.0
        kept = exp((self.when[row] - self.latest) / self.tau)
        return self.failed[row] * kept / (self.heard[row] * kept + 1.0)  # type: ignore[no-any-return]

    def value(self, row: int) -> float:
        """The blend, with one request more."""
        if row >= self.room:
            return (1.0 + self.utilisation * self.reports.unknown) / self.floor  # type: ignore[no-any-return]
        if self.state[row] == PROBATION and self.reports.flying[row] > 0.0:
            return UNTRIED * (self.costs[row] + 1.0)  # type: ignore[no-any-return]
        age = 0.0
        if self.born[row] > NEVER:
            age = min(max((self.latest - self.born[row]) / self.ramp, self.floor), 1.0)
        total = (self.costs[row] + 1.0) * (1.0 + self.utilisation * self.reports.value(row))
        total *= (1.0 + self.errors * self.error_share(row)) / max(age, self.floor)
        return total if total < MOST else MOST

    def restart(self, row: int) -> None:
        """`row` belongs to another backend from now on: a newcomer."""
        self.reports.restart(row)
        row = check_row(row)
        if row < self.room:
            self.costs[row] = self.failed[row] = self.heard[row] = 0.0
            self.when[row] = self.born[row] = NEVER
            self.state[row] = PROBATION

    def reported(self, row: int, report: Any, now: float) -> None:
        """What the backend in `row` says of itself; as `ReportLoad.reported`."""
        self.reports.reported(row, report, now)
        self.latest = max(self.latest, now)

    def snapshot(self) -> dict[str, Any]:
        """Errors, age and standing of each row that had a request, and the reports; ages in seconds."""
        rows = {
            row: {
                "failed": self.failed[row],
                "heard": self.heard[row],
                "quiet": min(self.latest - self.when[row], MOST),
                "age": self.latest - self.born[row],
                "state": self.state[row],
            }
            for row in range(self.room)
            if self.born[row] > NEVER
        }
        return {"type": "Blend", "parts": [{"type": "rows", "rows": rows}, self.reports.snapshot()]}

    def restore(self, state: Mapping[str, Any], now: float) -> None:
        """Know what a snapshot says, as if taken at `now` (seconds), and of other rows nothing."""
        own, reports = check_part("Blend", state, 2)
        rows = check_kept("rows", own, "failed", "heard", "quiet", "age", "state")
        for row, known in rows.items():
            if known[4] not in (PROBATION, TRUSTED):
                raise ConfigError(f"state['rows'][{row}]['state']", known[4], "must be 0 or 1")
        self.reports.restore(reports, now)
        self.latest = max(self.latest, check_real("now", now))
        self._make_room(max(rows, default=0))
        for row in range(self.room):
            self.failed[row] = self.heard[row] = 0.0
            self.when[row] = self.born[row] = NEVER
            self.state[row] = PROBATION
        for row, (failed, heard, quiet, age, standing) in rows.items():
            self.failed[row], self.heard[row], self.state[row] = min(failed, heard), heard, standing
            self.when[row], self.born[row] = self.latest - quiet, self.latest - age

    def merge(self, other: Any) -> None:
        """Know what another, by the same clock and with the same rows, has heard too; `other` stays as it is.

        Answers and failures add up, the greater age and the later standing count.
        """
        check_same(other, self)
        its: BlendLoad = other
        self.reports.merge(its.reports)
        self._make_room(its.room - 1)
        self.latest = max(self.latest, its.latest)
        for row in range(its.room):
            if its.born[row] > NEVER:
                self.born[row] = its.born[row] if self.born[row] == NEVER else min(self.born[row], its.born[row])
            at = max(self.when[row], its.when[row])
            if at == NEVER:
                continue
            mine, theirs = exp((self.when[row] - at) / self.tau), exp((its.when[row] - at) / self.tau)
            if its.when[row] > self.when[row] or (theirs == mine and its.state[row] < self.state[row]):
                self.state[row] = its.state[row]
            self.failed[row] = self.failed[row] * mine + its.failed[row] * theirs
            self.heard[row] = self.heard[row] * mine + its.heard[row] * theirs
            self.when[row] = at

    def __repr__(self) -> str:
        return f"{self.spec!r}.start()"
