"""lbmethod=heartbeat: workers say how many slots they have ready, and one is drawn by them."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from lbalgo.active import mix64
from lbalgo.compat.apache.machine import BalancerMachine
from lbalgo.compat.machine import MachinePicker, machine_picker
from lbalgo.explaining import Steps, listing
from lbalgo.spec import check_integer, from_dict, to_dict
from lbalgo.types import Picker, Pool
from lbalgo.view import view_of

LAST_SEEN = 10.0  # seconds after which a heartbeat no longer counts
GAMMA, WORD = 0x9E3779B97F4A7C15, 2**64 - 1


class HeartbeatMachine(BalancerMachine):
    """Draws a worker by its ready slots."""

    def __init__(self, seed: int) -> None:
        super().__init__(_nobody, False, False, False)
        self._state = seed

    def choose(self, key: bytes | None, skip: Container[int]) -> int:
        """The row of a worker drawn by ready slots among those heard of lately; -1 if none has any."""
        self._recover()
        able = self._ready(skip)
        slots = sum(ready for _, ready in able)
        if slots == 0:
            return -1
        self._state = (self._state + GAMMA) & WORD
        pick = mix64(self._state) % (slots + 1)  # both ends included: the last one has one place more
        found, before = -1, 0
        for row, ready in able:  # the last one whose range holds the number, so the next one has the boundary
            if before <= pick <= before + ready:
                found = row
            before += ready
        return found

    def _ready(self, skip: Container[int]) -> list[tuple[int, int]]:
        """Rows heard of lately, and their ready slots."""
        able = []
        for row in self._rows:
            member = self._members[row]
            recent = member.seen is not None and (self._now or 0.0) - member.seen < LAST_SEEN
            if recent and member.usable() and row not in skip:
                able.append((row, member.ready))
        return able

    def explain(self, key: bytes | None, name: Callable[[int], str]) -> Steps:
        """Who was heard of lately, and their ready slots, by which one is drawn."""
        self._recover()
        return [("ready", listing(f"{name(row)} {ready}" for row, ready in self._ready(())) or "nobody")]

    def reseed(self, seed: int) -> None:
        """Goes on from another seed."""
        self._state = seed


def _nobody(one: Any, best: Any) -> bool:
    return False  # nothing is compared


@dataclass(frozen=True)
class Heartbeat:
    """lbmethod=heartbeat: a draw by the ready slots that workers report. Described only.

    Parameters
    ----------
    seed : of the draws, in [0, 2**64); Apache's own cannot be repeated.

    Raises
    ------
    ConfigError : the seed is no such integer; at build, a load factor outside 1 to 100.

    Workers say `Balancer.report(id, Ready(busy, ready))`; those not heard of for 10 seconds, and those that have not
    said anything, are not drawn. Sets, spares, standbys and load factors do not matter. Costs: a pick O(N). Source:
    mod_lbmethod_heartbeat.

    Examples
    --------
    >>> from lbalgo import Balancer
    >>> from lbalgo.compat.apache import Ready
    >>> balancer = Balancer(Heartbeat(), ["a", "b"])
    >>> balancer.report("b", Ready(busy=1, ready=5))
    >>> balancer.acquire().backend.id
    'b'
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, low=0, high=WORD)

    def build(self, view: Pool[Any], *, previous: Picker[Any] | None = None) -> MachinePicker[Any]:
        """A picker for this view; what is known of workers goes on."""
        return machine_picker(self, view_of(view), previous, lambda: HeartbeatMachine(self.seed))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Heartbeat:
        """The policy `to_dict` described."""
        return from_dict(cls, data)
