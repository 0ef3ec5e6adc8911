"""`Ledger`: a balancer's books. What was opened is what was closed and what is in flight, at every moment.

Counters only. Compiled, opening and closing run no Python code, nor does reading them for `stats`, so that no other
thread sees one without the other.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/ledger.pxd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lbalgo.errors import NoBackend, NotAdmitted
from lbalgo.events import Stats
from lbalgo.request import Reason
from lbalgo.types import Outcome

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

OUTCOMES = tuple(Outcome)


class Ledger:
    """What has been counted.

    Attributes
    ----------
    opened, panic_picks : leases given out, and those of them in panic.
    flying : by row, open leases.
    closed : by outcome code, ended leases.
    refused : refusals by reason.
    unadmitted : those of them by a gate, by its reason.
    fallbacks : picks whose first choice was excluded.
    """

    refused: dict[str, int]
    unadmitted: dict[Reason, int]

    def __init__(self) -> None:
        self.flying, self.closed, self.refused = zeros(0), zeros(len(OUTCOMES)), {}
        self.unadmitted = {}
        self.opened = self.fallbacks = self.panic_picks = 0

    def open_(self, row: int, panic: bool) -> None:
        """A lease of the backend in `row` was given out."""
        self.flying[row] += 1
        self.opened += 1
        self.panic_picks += panic

    def close_(self, row: int, code: int) -> None:
        """One has ended."""
        self.flying[row] -= 1
        self.closed[code] += 1

    def refuse(self, refusal: NoBackend) -> None:
        """Nobody could be picked, or a gate did not let the request pass."""
        reason = refusal.reason
        self.refused[reason] = self.refused.get(reason, 0) + 1
        if isinstance(refusal, NotAdmitted) and refusal.decision.reason is not None:
            why = refusal.decision.reason
            self.unadmitted[why] = self.unadmitted.get(why, 0) + 1

    def busy(self, row: int) -> bool:
        """Whether a row has leases open."""
        return bool(self.flying[row])

    def grow(self, rows: int) -> None:
        """Makes room for so many rows."""
        wider = zeros(max(rows, len(self.flying)))
        for row in range(len(self.flying)):
            wider[row] = self.flying[row]
        self.flying = wider

    def stats(self, ids: Sequence[str], pool: Any) -> Stats:
        """All that has been counted, here and by the pool, whose members `ids` are."""
        closed: list[int] = []
        flying: list[int] = []
        for code in range(len(self.closed)):  # from here on no Python code runs, until all is read
            closed.append(self.closed[code])  # noqa: PERF401
        for row in range(len(self.flying)):
            flying.append(self.flying[row])  # noqa: PERF401
        opened, panic_picks = self.opened, self.panic_picks
        in_flight = dict.fromkeys(ids, 0)
        for id, count in zip(pool.rows.names, flying, strict=True):
            if count:
                in_flight[id] = in_flight.get(id, 0) + count
        return Stats(
            opened=opened,
            closed=sum(closed),
            open_leases=sum(flying),
            outcomes=dict(zip(OUTCOMES, closed, strict=True)),
            in_flight=in_flight,
            no_backend=dict(self.refused),
            not_admitted=dict(self.unadmitted),
            excluded_fallbacks=self.fallbacks,
            rebuilds=pool.rebuilds,
            panics=pool.panics,
            panic_picks=panic_picks,
            ejections=dict(pool.ejections),
        )


def zeros(n: int) -> Any:
    """So many counters."""
    return np.zeros(n, np.int64) if cython.compiled else [0] * n
