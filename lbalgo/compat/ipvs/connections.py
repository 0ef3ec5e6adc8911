"""What every IPVS scheduler knows of its servers: their list, weights, connections and overload flags.

The list is in order of addition: a server that leaves and returns goes to its end. The *overhead* of a server is
256 x active + inactive connections; how long a connection that has ended stays inactive is the connection table's
business (TIME_WAIT two minutes, say), here a parameter.

Described only. Sources: ipvsadm(8), kernel documentation of IPVS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Sequence
from typing import Any

from lbalgo.compat.ipvs.server import check_weights
from lbalgo.explaining import listing
from lbalgo.types import State
from lbalgo.view import View

ACTIVE = 256  # an active connection weighs as much as this many inactive ones


class Connections:
    """Servers in order of addition, by row, and their connections.

    Parameters
    ----------
    inactive_for : seconds for which a connection that ended counts as inactive.

    Attributes
    ----------
    order : rows of the list.
    weight : row to weight.
    changes : how often list or weights have changed.
    """

    def __init__(self, inactive_for: float) -> None:
        self.order: list[int] = []
        self.weight: dict[int, int] = {}
        self.changes = 0
        self.now = 0.0
        self._inactive_for = inactive_for
        self._active: dict[int, int] = {}
        self._inactive: dict[int, int] = {}
        self._ending: deque[tuple[float, int]] = deque()
        self._thresholds: dict[int, tuple[int, int]] = {}
        self._full: set[int] = set()
        self._flagged: set[int] = set()

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """These are the servers; those that are UNHEALTHY are off the list."""
        weights, states = check_weights(view), view.states.tolist()
        here = {row: i for i, row in enumerate(rows) if states[i] != State.UNHEALTHY}
        order = [row for row in self.order if row in here]
        order += [row for row in here if row not in order]
        weight = {row: 0 if states[here[row]] == State.DRAINING else weights[here[row]] for row in order}
        self.changes += order != self.order or weight != self.weight
        self.order, self.weight = order, weight
        self._flagged = {row for row, i in here.items() if states[i] == State.DEGRADED}
        self._thresholds = {}
        for row, i in here.items():
            backend = view.backends[i]
            upper = getattr(backend, "u_threshold", 0)
            if upper:
                self._thresholds[row] = upper, getattr(backend, "l_threshold", 0)
        self._full &= set(self._thresholds)
        for row in self._thresholds:
            self._judge(row)

    def active(self, row: int) -> int:
        """Connections that have not ended."""
        return self._active.get(row, 0)

    def inactive(self, row: int) -> int:
        """Connections that have ended lately."""
        return self._inactive.get(row, 0)

    def overhead(self, row: int) -> int:
        """256 x active + inactive."""
        return ACTIVE * self.active(row) + self.inactive(row)

    def overloaded(self, row: int) -> bool:
        """Whether the OVERLOAD flag is set."""
        return row in self._full or row in self._flagged

    def open(self, row: int, skip: Container[int] = ()) -> bool:
        """Whether a server takes new connections."""
        return self.weight.get(row, 0) > 0 and not self.overloaded(row) and row not in skip

    def candidates(self, skip: Container[int] = ()) -> list[int]:
        """The servers that take new connections, in order."""
        return [row for row in self.order if self.open(row, skip)]

    def told(self, rows: Sequence[int], name: Callable[[int], str]) -> str:
        """Weights, connections and flags of these rows."""
        one = "{} weight {}, {} active, {} inactive{}".format
        told = (one(name(r), self.weight[r], self.active(r), self.inactive(r), self._flag(r)) for r in rows)
        return listing(told, "; ")

    def _flag(self, row: int) -> str:
        return ", OVERLOAD" if self.overloaded(row) else ""

    def _judge(self, row: int) -> None:
        if row in self._thresholds:
            upper, lower = self._thresholds[row]
            connections = self.active(row) + self.inactive(row)
            if connections >= upper:
                self._full.add(row)
            elif connections < lower if lower else 4 * connections < 3 * upper:
                self._full.discard(row)

    def started(self, row: int, cost: float, now: float) -> None:
        """One more active connection."""
        self.advance(now)
        self._active[row] = self.active(row) + 1
        self._judge(row)

    def finished(self, row: int, now: float) -> None:
        """One fewer active connection, and for a while one more inactive."""
        self.advance(now)
        self._active[row] = max(0, self.active(row) - 1)
        if self._inactive_for:
            self._inactive[row] = self.inactive(row) + 1
            self._ending.append((self.now + self._inactive_for, row))
        self._judge(row)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds; inactive connections whose time has come are gone."""
        self.now = max(self.now, now)
        while self._ending and self._ending[0][0] <= self.now:
            row = self._ending.popleft()[1]
            self._inactive[row] -= 1
            self._judge(row)


def least(connections: Connections, rows: Sequence[int], load: Any) -> int:
    """Of these, the first of those with the least load for its weight; -1 of none. Exact: by cross multiplication.

    Parameters
    ----------
    connections : has the weights, which are positive.
    rows : in order.
    load : a function of a row.
    """
    best = -1
    for row in rows:
        if best < 0 or load(best) * connections.weight[row] > load(row) * connections.weight[best]:
            best = row
    return best
