"""The schedulers of IPVS that look at weights and connections: rr, wrr, lc, wlc, sed, nq, fo, ovf and twos.

- rr: the next server of the list; weights count only in that 0 takes nothing.
- wrr: rounds of a falling bar cw: from mw = max - (g - 1) down in steps of g, the weights' greatest common divisor; in
  each round all servers with weight >= cw in order. Not smooth: 5, 1, 3 gives 0 0 0 2 0 2 0 1 2. When list or weights
  change the walk begins at the head; a bar above mw, or of 0, goes to mw, any other to a multiple of g, plus 1.
- lc: least overhead. wlc: least overhead / weight. sed: least (active + 1) / weight. Ties go to the earlier server.
- nq: the first idle server, whatever its weight; if all are busy, sed. Inactive connections do not count, as in sed.
- fo: the greatest weight, the earlier of equals. ovf: the same among those whose active connections are not above
  their weight (so that one may come on top).
- twos: two draws by weight, the second wins iff it has less overhead / weight. A draw is a number from 0 to the sum of
  weights, both included, from which weights are taken until nothing is left: the first server gets one part too much.

Costs: pick O(N); wrr may pass N x max weight / g servers where many are full. Described only: there is no kernel to
replay against here. Sources: ipvsadm(8); Wensong Zhang, "Linux Virtual Server for Scalable Network Services", 2000.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lbalgo.active import mix64
from lbalgo.compat.ipvs.connections import Connections, least
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.explaining import Steps
from lbalgo.spec import check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict
from lbalgo.types import Backend, Outcome, Picker, Pool
from lbalgo.view import View, view_of

B = TypeVar("B", bound=Backend)

GAMMA = 0x9E3779B97F4A7C15  # SplitMix64's increment


class Scheduler(enum.Enum):
    """A scheduler by its name in ipvsadm.

    Examples
    --------
    >>> Scheduler("wlc")
    <Scheduler.WLC: 'wlc'>
    """

    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"
    SED = "sed"
    NQ = "nq"
    FO = "fo"
    OVF = "ovf"
    TWOS = "twos"


@dataclass(frozen=True)
class VirtualService:
    """An IPVS virtual service whose scheduler does not hash.

    Parameters
    ----------
    scheduler : which.
    inactive_for : seconds for which a connection that ended counts as inactive; 0 for not at all.
    seed : of the draws of `twos`, in [0, 2**64).

    Raises
    ------
    ConfigError : a parameter is out of its range; at build, a weight that is no integer from 0 to 65535.

    A key is accepted and ignored. `exclude` makes servers take no connections for this once, which in IPVS nothing
    does. Nobody eligible is NoBackend: IPVS then refuses the connection.

    Costs: pick O(N), memory O(N).
    Source: ipvsadm(8). Described only.

    Examples
    --------
    >>> picker = VirtualService(Scheduler.WRR).build({"a": 5, "b": 1, "c": 3})
    >>> "".join(picker.pick().id for _ in range(9))
    'aaacacabc'
    """

    scheduler: Scheduler = Scheduler.WLC
    inactive_for: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_enum("scheduler", self.scheduler, Scheduler)
        check_real("inactive_for", self.inactive_for, low=0.0)
        check_integer("seed", self.seed, low=0, high=2**64 - 1)

    def build(self, view: Pool[B], *, previous: Picker[B] | None = None) -> MachinePicker[B]:
        """A picker for this view; connections and turns are those of the previous picker of an equal policy."""
        return machine_picker(self, view_of(view), previous, lambda: Service(self))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> VirtualService:
        """The policy `to_dict` described."""
        return from_dict(cls, data, {"scheduler": enum_from_name(Scheduler)})


class Service:
    """The machine of `VirtualService`.

    Attributes
    ----------
    connections : servers and their connections.
    last : position of the last turn of rr and wrr in the list; -1 before its head.
    bar : wrr's cw.
    """

    def __init__(self, policy: VirtualService) -> None:
        self.connections = Connections(policy.inactive_for)
        self.last = -1
        self.bar = 0
        self.state = policy.seed
        self._choose = CHOOSE[policy.scheduler]

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """These are the servers; a change sets the turns of wrr back to the head, and its bar into line."""
        known, changes = self.connections, self.connections.changes
        before = known.order[: self.last + 1]
        known.sync(rows, view)
        if known.changes != changes:
            # rr goes on after the server it served last, or, if that has gone, after the one before it that has not
            self.last = sum(row in known.weight for row in before) - 1
            if self._choose is weighted_round_robin:
                step, top = levels(known)
                self.last = -1
                if self.bar > top or self.bar == 0:
                    self.bar = top
                elif step > 1:
                    self.bar = self.bar // step * step + 1

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The server of the next connection, -1 if none takes it."""
        return self._choose(self, skip)

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The servers, and where the turns stand."""
        known = self.connections
        steps = [("servers", known.told(known.order, name) or "nobody")]
        if self._choose in (round_robin, weighted_round_robin):
            last = "the head" if self.last < 0 else name(known.order[self.last])
            steps.append(("turn", f"after {last}"))
        if self._choose is weighted_round_robin:
            steps.append(("cw", "{}, falls by {} from {}".format(self.bar, *levels(known))))
        return steps

    def below(self, n: int) -> int:
        """A random integer in [0, n)."""
        self.state = (self.state + GAMMA) % 2**64
        return mix64(self.state) % n

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

    def reseed(self, seed: int) -> None:
        """Moves the draws of `twos`."""
        self.state = seed


def levels(known: Connections) -> tuple[int, int]:
    """The step and the top of wrr's bar."""
    weights = [weight for weight in known.weight.values() if weight > 0]
    step = math.gcd(*weights) if weights else 1
    return step, max(weights, default=0) - (step - 1)


def round_robin(service: Service, skip: Container[int]) -> int:
    """The next server that takes connections."""
    order = service.connections.order
    for ahead in range(1, len(order) + 1):
        at = (service.last + ahead) % len(order)
        if service.connections.open(order[at], skip):
            service.last = at
            return order[at]
    return -1


def weighted_round_robin(service: Service, skip: Container[int]) -> int:
    """The next server whose weight reaches the bar, which falls at the end of the list."""
    known = service.connections
    if not known.candidates(skip):
        return -1
    step, top = levels(known)
    while True:
        service.last += 1
        if service.last >= len(known.order):
            service.last, service.bar = 0, service.bar - step
            if service.bar <= 0:
                service.bar = top
        row = known.order[service.last]
        if known.weight[row] >= service.bar and known.open(row, skip):
            return row


def least_connection(service: Service, skip: Container[int]) -> int:
    """The least overhead."""
    known = service.connections
    return min(known.candidates(skip), key=known.overhead, default=-1)


def weighted_least_connection(service: Service, skip: Container[int]) -> int:
    """The least overhead for its weight."""
    known = service.connections
    return least(known, known.candidates(skip), known.overhead)


def shortest_expected_delay(service: Service, skip: Container[int]) -> int:
    """The least (active + 1) for its weight."""
    known = service.connections
    return least(known, known.candidates(skip), lambda row: known.active(row) + 1)


def never_queue(service: Service, skip: Container[int]) -> int:
    """The first idle server, else as sed."""
    known = service.connections
    idle = (row for row in known.candidates(skip) if known.active(row) == 0)
    first = next(idle, -1)
    return first if first >= 0 else shortest_expected_delay(service, skip)


def failover(service: Service, skip: Container[int]) -> int:
    """The greatest weight."""
    known = service.connections
    return max(known.candidates(skip), key=known.weight.__getitem__, default=-1)


def overflow(service: Service, skip: Container[int]) -> int:
    """The greatest weight among those not beyond it."""
    known = service.connections
    within = [row for row in known.candidates(skip) if known.active(row) <= known.weight[row]]
    return max(within, key=known.weight.__getitem__, default=-1)


def two_choices(service: Service, skip: Container[int]) -> int:
    """The better of two draws by weight."""
    known = service.connections
    rows = known.candidates(skip)
    if not rows:
        return -1
    total = sum(known.weight[row] for row in rows)
    first, second = (_drawn(known, rows, service.below(total + 1)) for _ in range(2))
    wins = known.weight[second] * known.overhead(first) > known.weight[first] * known.overhead(second)
    return second if wins else first


def _drawn(known: Connections, rows: Sequence[int], left: int) -> int:
    for row in rows:
        left -= known.weight[row]
        if left <= 0:
            return row
    raise AssertionError("weights sum to at least the draw")


CHOOSE: dict[Scheduler, Callable[[Service, Container[int]], int]] = {
    Scheduler.RR: round_robin,
    Scheduler.WRR: weighted_round_robin,
    Scheduler.LC: least_connection,
    Scheduler.WLC: weighted_least_connection,
    Scheduler.SED: shortest_expected_delay,
    Scheduler.NQ: never_queue,
    Scheduler.FO: failover,
    Scheduler.OVF: overflow,
    Scheduler.TWOS: two_choices,
}
