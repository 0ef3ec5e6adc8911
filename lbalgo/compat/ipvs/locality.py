"""The schedulers of IPVS for caches: a destination stays with its server (lblc), or with a set of servers (lblcr).

lblc remembers the server of each destination and keeps to it while it takes connections and is not overloaded: more
active connections than its weight, while some server has less than half as many as its own. Else the destination goes
to the wlc server. lblcr remembers a set: the least loaded of it serves; if that one is overloaded, or there is none,
the wlc server joins the set; a set of several that has not changed for a day loses its most loaded server first.

Costs: pick O(N); memory O(destinations seen), which the kernel's garbage collection bounds and this does not.
Described only. Source: ipvsadm(8).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.compat.ipvs.connections import Connections, least
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_bool, check_real, from_dict, to_dict
from lbalgo.types import Backend, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

EXPIRATION = 86400.0  # seconds, lblcr_expiration


@dataclass(frozen=True)
class LocalityLeastConnection:
    """IPVS's `lblc`, and with replication `lblcr`.

    Parameters
    ----------
    replication : whether a destination has a set of servers.
    lblcr_expiration : seconds without a change after which a set of several loses its most loaded server.
    inactive_for : seconds for which a connection that ended counts as inactive; 0 for not at all.

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no integer from 0 to 65535.

    The key is the destination's address, as any bytes; without one each request is a destination of its own.

    Costs: pick O(N), memory O(N + destinations).
    Source: ipvsadm(8). Described only.

    Examples
    --------
    >>> picker = LocalityLeastConnection().build(["a", "b"])
    >>> picker.pick("192.0.2.1").id, picker.load.started(0, 1.0, 0.0), picker.pick("192.0.2.1").id
    ('a', None, 'a')
    >>> picker.pick("192.0.2.2").id
    'b'
    """

    replication: bool = False
    lblcr_expiration: float = EXPIRATION
    inactive_for: float = 0.0

    def __post_init__(self) -> None:
        check_bool("replication", self.replication)
        check_real("lblcr_expiration", self.lblcr_expiration, low=0.0)
        check_real("inactive_for", self.inactive_for, low=0.0)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]:
        """A picker for this view; what is remembered is that of the previous picker of an equal policy."""
        return machine_picker(self, view_of(view), previous, lambda: Localities(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> LocalityLeastConnection:
        """The policy `to_dict` described."""
        return from_dict(cls, data)


class Localities:
    """The machine of `LocalityLeastConnection`: each destination's servers, and when they last changed.

    Attributes
    ----------
    connections : servers and their connections.
    sets : destination to its rows, in order of joining, and the time of the last change.
    """

    def __init__(self, policy: LocalityLeastConnection) -> None:
        self.policy = policy
        self.connections = Connections(policy.inactive_for)
        self.sets: dict[bytes, tuple[list[int], float]] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """These are the servers; those that have left are in no set."""
        known = self.connections
        known.sync(rows, view)
        for key, (members, since) in list(self.sets.items()):
            left = [row for row in members if row in known.weight]
            if left != members:
                if left:
                    self.sets[key] = left, known.now if self.policy.replication else since
                else:
                    del self.sets[key]

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The destination's server, or the wlc server, which is then remembered."""
        known = self.connections
        members, since = self._set(key)
        chosen = least(known, [row for row in members if known.open(row, skip)], known.overhead)
        if self.policy.replication and len(members) > 1 and known.now > since + self.policy.lblcr_expiration:
            members.remove(self._most(members))
            since = known.now
        if chosen < 0 or self._overloaded(chosen):
            chosen = least(known, known.candidates(skip), known.overhead)
            if chosen < 0:
                return -1
            if not self.policy.replication:
                members = []
            if chosen not in members:
                members.append(chosen)
                since = known.now
        if key is not None:
            self.sets[key] = members, since
        return chosen

    def _set(self, key: bytes | None) -> tuple[list[int], float]:
        """The servers of a destination, and since when it has had them."""
        fresh: tuple[list[int], float] = ([], self.connections.now)
        members, since = fresh if key is None else self.sets.get(key, fresh)
        return list(members), since

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The destination's servers, if it has any, and all of them."""
        known, (members, since) = self.connections, self._set(key)
        told = f"{listing(map(name, members))} since {since:.6g} s" if members else "has no server yet"
        return [("destination", told), ("servers", known.told(known.order, name) or "nobody")]

    def _overloaded(self, row: int) -> bool:
        known = self.connections
        if known.active(row) <= known.weight[row]:
            return False
        return any(2 * known.active(other) < known.weight[other] for other in known.order)

    def _most(self, members: Sequence[int]) -> int:
        known = self.connections
        most = -1
        for row in members:
            weight = known.weight[row]
            if weight and (most < 0 or known.overhead(most) * weight < known.overhead(row) * known.weight[most]):
                most = row
        return most if most >= 0 else members[0]

    def started(self, row: int, cost: float, now: float) -> None:
        """A connection begins."""
        self.connections.started(row, cost, now)

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """A connection ends, however."""
        self.connections.finished(row, now)

    def advance(self, now: float) -> None:
        """It is `now`, in seconds."""
        self.connections.advance(now)

    def at(self, row: int) -> float:
        """Active connections."""
        return float(self.connections.active(row))
