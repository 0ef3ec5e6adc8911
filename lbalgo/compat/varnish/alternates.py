"""The shard director where more decides than the key and who is healthy: alternates, warm-up, ramp-up.

* ``alt`` k skips k backends of the key's order: with ``healthy=CHOSEN`` whatever their health, and then the first
  healthy one is used; with ``ALL`` k healthy ones; with ``IGNORE`` health plays no part at all. If nobody healthy is
  left, the last healthy one that was skipped is used, but never the k-th skipped: so with one backend healthy, alt=1
  may find nobody. k is cut to one less than there are backends.
* ``warmup`` and ``rampup`` (only for alt=0, not with IGNORE): let c be the choice and a the next healthy one. If c
  became healthy less than its rampup ago, a is used with a probability that falls from 1 to 0 in that time, but not if
  a is within its own or ``rampup=false``: then c is used. Else a is used with the probability `warmup`, even within its
  rampup. One random double, of two draws of 31 bits, the coarser first, is taken where a probability decides. When a
  director starts all its backends have just become healthy.

Costs: a pick walks the ring until it has met everybody, O(N) of them.
Source: Varnish 7.1 documentation, vmod_directors, "shard"; behaviour of 7.1.1.
"""

from __future__ import annotations

import copy
import enum
import math
from collections.abc import Callable, Container, Sequence
from typing import Any

from lbalgo.active import Ring
from lbalgo.compat.draws import Draws, WordDraws
from lbalgo.compat.varnish.backend import backend_of, healthy
from lbalgo.compat.varnish.ring import TICKETS, ring_of
from lbalgo.explaining import Steps, hash_step, listing, place_steps
from lbalgo.types import Outcome
from lbalgo.view import View


class Healthy(enum.Enum):
    """How health counts: what the parameter ``healthy`` of ``.backend()`` says.

    Examples
    --------
    >>> Healthy("CHOSEN")
    <Healthy.CHOSEN: 'CHOSEN'>
    """

    CHOSEN = "CHOSEN"
    ALL = "ALL"
    IGNORE = "IGNORE"


class ShardMachine:
    """The shard director where a decision depends on more than key and health: alternates, warm-up, time."""

    def __init__(self, policy: Any, draws: Draws) -> None:
        self.policy = policy
        self.draws = draws
        self.ticket = TICKETS[policy.by]
        self.of: tuple[Any, ...] = ()
        self.ring: Ring | None = None
        self.rows: list[int] = []
        self.healthy: dict[int, bool] = {}
        self.since: dict[int, float] = {}  # when a row became healthy; -inf until the time is known
        self.rampup: dict[int, float] = {}  # seconds
        self.now = -math.inf
        self.open: dict[int, int] = {}

    def sync(self, rows: Sequence[int], view: View[Any]) -> None:
        """Make these the backends. Who joins, or turns healthy, ramps up from now on."""
        members = [backend_of(backend) for backend in view.backends]
        of = tuple((m.ident or m.id, w) for m, w in zip(members, view.weights.tolist(), strict=True))
        if of != self.of:
            self.lay(of)
        able = dict(zip(rows, healthy(view).tolist(), strict=True))
        for row, ok in able.items():
            if row not in self.healthy or (ok and not self.healthy[row]):
                self.since[row] = self.now
        self.since = {row: self.since[row] for row in rows}
        self.rampup = {
            row: self.policy.duration if m.rampup is None else m.rampup for row, m in zip(rows, members, strict=True)
        }
        self.rows, self.healthy = list(rows), able
        self.open = {row: count for row, count in self.open.items() if count}

    def lay(self, of: tuple[Any, ...]) -> None:
        """Makes the ring of these idents and weights."""
        self.of = of
        self.ring = ring_of([i for i, _ in of], [w for _, w in of], self.policy.replicas) if of else None

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of the backend; if it was tried, the next in the key's order that was not."""
        if self.ring is None:
            return -1
        order = [self.rows[slot] for slot in self.ring.walk(self.place(key))]
        able = order if self.policy.healthy is Healthy.IGNORE else [row for row in order if self.healthy[row]]
        chosen = self.alternate(order, able) if self.policy.alt else self.warmed(able)
        if chosen in skip:
            return next((row for row in able if row not in skip), -1)
        return chosen

    def place(self, key: bytes | None) -> int:
        """Where a request falls on the ring; without a key, by chance."""
        return self.draws() << 33 if key is None else self.ticket(key)

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """The point, the key's order, and what moves the choice from its head."""
        if self.ring is None:
            return []
        place, policy = self.place(key), self.policy
        steps = [] if key is not None else [hash_step(place >> 32, "chance")]
        steps += place_steps(self.ring, place, lambda slot: name(self.rows[slot]), policy)
        order = [self.rows[slot] for slot in self.ring.walk(place)]
        steps.append(("order", listing(name(row) + " sick" * (not self.healthy[row]) for row in order)))
        if policy.alt:
            return [*steps, ("alt", f"{policy.alt} skipped, healthy={policy.healthy.value}")]
        warm = ", ".join(
            f"{name(row)} healthy for {self.age(row):.6g} s of {self.rampup[row]:.6g}"
            for row in order
            if self.healthy[row] and self.warming(row)
        )
        return [*steps, ("ramp-up", warm or "over"), ("warm-up", f"{policy.warmup:.3g} go to the next one")]

    def alternate(self, order: list[int], able: list[int]) -> int:
        """The row that is left when `alt` were skipped."""
        alt = min(int(self.policy.alt), len(order) - 1)
        if self.policy.healthy is Healthy.CHOSEN:
            passed, rest = order[:alt], [row for row in order[alt:] if self.healthy[row]]
        else:
            passed, rest = able[:alt], able[alt:]
        if rest:
            return rest[0]
        return next((row for row in reversed(passed[: max(alt - 1, 0)]) if self.healthy[row]), -1)

    def warmed(self, able: list[int]) -> int:
        """The choice, or its alternate if that is to be warmed up or the choice is not warm yet."""
        if len(able) < 2 or self.policy.healthy is Healthy.IGNORE:
            return able[0] if able else -1
        chosen, other = able[:2]
        if self.warming(chosen):
            if not self.policy.rampup or self.warming(other):
                return chosen
            return chosen if self.double() * self.rampup[chosen] < self.age(chosen) else other
        if self.policy.warmup == 0 or self.double() > self.policy.warmup:
            return chosen
        return other

    def warming(self, row: int) -> bool:
        """Whether a row became healthy less than its rampup ago."""
        return self.age(row) < self.rampup[row]

    def age(self, row: int) -> float:
        """Seconds since a row became healthy."""
        return 0.0 if self.now == -math.inf else self.now - self.since[row]

    def double(self) -> float:
        """A random number in [0, 1): two draws, the first the coarser."""
        coarse = self.draws()
        return coarse * 2.0**-31 + self.draws() * 2.0**-62

    def started(self, row: int, cost: float, now: float) -> None:
        """One request more is under way, which decides nothing here."""
        self.advance(now)
        self.open[row] = self.open.get(row, 0) + 1

    def finished(self, row: int, outcome: Outcome, latency: float | None, now: float, cost: float = 1.0) -> None:
        """One request less is under way."""
        self.advance(now)
        self.open[row] = max(self.open.get(row, 0) - 1, 0)

    def advance(self, now: float) -> None:
        """It is `now`."""
        if self.now == -math.inf:
            self.since = dict.fromkeys(self.since, now)
        self.now = max(self.now, now)

    def at(self, row: int) -> float:
        """Requests under way."""
        return float(self.open.get(row, 0))

    def reseed(self, seed: int) -> None:
        """Moves lbalgo's own words, if they are drawn from."""
        if isinstance(self.draws, WordDraws):
            self.draws.state = seed

    def __deepcopy__(self, memo: dict[int, Any]) -> ShardMachine:
        """A copy that may choose without moving this one's draws; nothing else changes by choosing."""
        twin = object.__new__(ShardMachine)
        twin.__dict__.update(self.__dict__)
        twin.draws = copy.deepcopy(self.draws, memo)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "ring"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lay(self.of)
