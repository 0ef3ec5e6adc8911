"""The half of a balancer that changes: accounts, errors and traffic of its workers, and the search for the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from lbalgo.compat.apache.worker import RETRY, Ready, Traffic, factor_of
from lbalgo.explaining import Steps, listing
from lbalgo.types import Outcome, State
from lbalgo.view import View


class Member:
    """What is known of a worker."""

    def __init__(self) -> None:
        self.busy = self.sent = self.read = self.lbstatus = self.factor = self.lbset = self.ready = 0
        self.status = self.route = ""
        self.retry = RETRY
        self.draining = self.failing = False
        self.error: float | None = None
        self.seen: float | None = None

    def usable(self) -> bool:
        """Whether it is neither in error nor failing, disabled or stopped."""
        return self.error is None and not self.failing and not ("D" in self.status or "S" in self.status)


class BalancerMachine:
    """The balancer's half that changes: accounts, errors, traffic; made by the policies.

    Parameters
    ----------
    better : says whether a candidate beats the best so far.
    accounts : whether lbstatus is kept.
    failontimeout : whether a timeout puts a worker into error.
    forcerecovery : whether all are forgiven once all are in error.
    """

    def __init__(
        self, better: Callable[[Any, Any], bool], accounts: bool, failontimeout: bool, forcerecovery: bool
    ) -> None:
        self._better, self._accounts = better, accounts
        self._failontimeout, self._forcerecovery = failontimeout, forcerecovery
        self._rows: list[int] = []
        self._members: dict[int, Member] = {}
        self._now: float | None = None

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """New workers begin at 0; a changed factor sets every lbstatus to its worker's factor."""
        factors = [factor_of(f"weights[{i!r}]", w) for i, w in zip(view.ids, view.weights.tolist(), strict=True)]
        changed = False
        for row, backend, factor, state in zip(rows, view.backends, factors, view.states.tolist(), strict=True):
            known = row in self._members
            member = self._members.setdefault(row, Member())
            changed |= known and member.factor != factor
            status = getattr(backend, "status", "")
            if "E" in status and "E" not in member.status:  # put into error by hand: for one retry
                member.error = math.inf if self._now is None else self._now
            member.factor, member.lbset, member.status = factor, getattr(backend, "lbset", 0), status
            member.route, member.retry = getattr(backend, "route", ""), getattr(backend, "retry", RETRY)
            member.failing, member.draining = state == State.UNHEALTHY, state == State.DRAINING or "N" in status
        self._rows = list(rows)
        if changed:
            for row in rows:
                self._members[row].lbstatus = self._members[row].factor

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of the worker that serves next; -1 if there is none."""
        self._recover()
        if key:
            row = self._routed(key.decode("utf-8", "replace"), skip)
            if row >= 0:
                return row
        _, rows = self._field(skip)
        best, total = -1, 0
        for row in rows:
            member = self._members[row]
            if self._accounts:
                member.lbstatus += member.factor
                total += member.factor
            if best < 0 or self._better(member, self._members[best]):
                best = row
        if best >= 0:
            self._members[best].lbstatus -= total
        return best

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The route, who is compared, and by what."""
        self._recover()
        lbset, rows = self._field(())
        told = [f"{name(row)} {self._standing(self._members[row])}" for row in rows]
        steps = [("lbset", f"{lbset}: {listing(map(name, rows))}" if rows else "none has anybody")]
        steps.append((self._name, listing(told, "; ") or "nobody"))
        if key:
            row = self._routed(key.decode("utf-8", "replace"), ())
            steps.insert(0, ("route", f"that of {name(row)}" if row >= 0 else "nobody's who is usable"))
        return steps

    @property
    def _name(self) -> str:
        return "lbstatus" if self._accounts else "traffic"

    def _standing(self, member: Member) -> str:
        if self._accounts:
            return f"{member.lbstatus} + {member.factor}, {member.busy} busy"
        return f"{member.sent} sent, {member.read} read, factor {member.factor}"

    def _field(self, skip: Container[int]) -> tuple[int, list[int]]:
        """The first set in which there is anybody, and the rows that compete in it."""
        for lbset in sorted({self._members[row].lbset for row in self._rows}):
            rows = list(self._candidates(lbset, skip)) or list(self._standbys(lbset, skip))
            if rows:
                return lbset, rows
        return -1, []

    def _candidates(self, lbset: int, skip: Container[int]) -> Iterator[int]:
        """Usable workers in order, then as many hot spares as workers are not."""
        spares, missing = [], 0
        for row in self._rows:
            member = self._members[row]
            if member.lbset != lbset:
                continue
            able = member.usable() and not member.draining and row not in skip
            if "R" in member.status:
                spares += [row] * able
            elif "H" not in member.status:
                missing += not able
                if able:
                    yield row
        yield from spares[:missing]

    def _standbys(self, lbset: int, skip: Container[int]) -> Iterator[int]:
        for row in self._rows:
            member = self._members[row]
            standby = "H" in member.status and "R" not in member.status
            if member.lbset == lbset and standby and member.usable() and not member.draining and row not in skip:
                yield row

    def _routed(self, route: str, skip: Container[int]) -> int:
        """The usable worker of this route, standbys last; it pays for all that are usable."""
        members = [(row, self._members[row]) for row in self._rows]
        for standby in (False, True):
            for row, member in members:
                if ("H" in member.status) == standby and member.route == route and member.usable() and row not in skip:
                    total = 0
                    for _, other in members:
                        if other.usable():
                            other.lbstatus += other.factor
                            total += other.factor
                    member.lbstatus -= total
                    return row
        return -1

    def _recover(self) -> None:
        """Errors are over after `retry` seconds, or at once if nobody is without."""
        members = [self._members[row] for row in self._rows]
        now = self._now or 0.0
        for member in members:
            if member.error is not None and now > member.error + member.retry:
                member.error = None
        if self._forcerecovery and members and all(member.error is not None for member in members):
            for member in members:
                member.error = None

    def started(self, row: int, cost: float, now: float) -> None:
        """The worker is busy with one more."""
        self.advance(now)
        self._members[row].busy += 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One less; a connection that failed puts the worker into error, unless it ignores errors."""
        self.advance(now)
        member = self._members[row]
        member.busy -= 1
        failed = outcome is Outcome.LOCAL_ERROR or (outcome is Outcome.TIMEOUT and self._failontimeout)
        if failed and "I" not in member.status:
            member.error = self._now or 0.0

    def reported(self, row: int, report: Any, now: float) -> None:
        """Bytes that went to and came from a worker (`Traffic`), or its heartbeat (`Ready`)."""
        self.advance(now)
        member = self._members[row]
        if isinstance(report, Traffic):
            member.sent += report.sent
            member.read += report.read
        elif isinstance(report, Ready):
            # all idle and many ready: it has just begun, so not everybody is sent there at once
            member.ready = report.ready // 4 if report.busy == 0 else report.ready
            member.seen = self._now

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        if self._now is None:  # until now nobody has said what time it is
            self._now = now
            for member in self._members.values():
                if member.error is not None:
                    member.error = now
        self._now = max(self._now, now)

    def at(self, row: int) -> float:
        """Requests in flight."""
        return float(self._members[row].busy) if row in self._members else 0.0

    def restart(self, row: int) -> None:
        """The row is somebody else's: all counts of its last owner go."""
        member = self._members.get(row)
        if member is not None:
            member.busy = member.sent = member.read = member.lbstatus = 0
            member.error = member.seen = None
