"""What serves: groups of equal servers. What becomes of them in the course of a run: see `lbalgo.sim.changes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lbalgo.endpoint import Endpoint
from lbalgo.spec import check_bool, check_id, check_integer, check_real
from lbalgo.spec import from_dict as parsed
from lbalgo.spec import to_dict as plain


@dataclass(frozen=True)
class Servers:
    """A group of equal servers.

    Parameters
    ----------
    count : how many, >= 1.
    name : the first part of their ids, ``name-0`` and so on; the only one of a group is just ``name``.
    slots : requests a server works on at once, >= 1.
    speed : units of work a second that each slot does, > 0.
    sharing : False: a request has a slot to itself, and waits for one in order of arrival. True: all requests present
        share the slots evenly, none having more than one.
    queue_limit : requests it takes beyond its slots before it refuses as OVERLOADED; None: any number.
    weight : what the balancers are told.
    zone, priority : what the balancers are told.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Examples
    --------
    >>> [e.id for e in Servers(2, "fast", speed=2.0).endpoints()], Servers().endpoints()[0].id
    (['fast-0', 'fast-1'], 'server')
    """

    count: int = 1
    name: str = "server"
    slots: int = 1
    speed: float = 1.0
    sharing: bool = False
    queue_limit: int | None = None
    weight: float = 1.0
    zone: str | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        check_integer("count", self.count, low=1)
        check_id(self.name, "name")
        check_integer("slots", self.slots, low=1)
        check_real("speed", self.speed, low=0.0, open_low=True)
        check_bool("sharing", self.sharing)
        if self.queue_limit is not None:
            check_integer("queue_limit", self.queue_limit, low=0)
        self.endpoints()

    def endpoints(self) -> tuple[Endpoint[None], ...]:
        """The backends that the balancers see."""
        ids = [self.name] if self.count == 1 else [f"{self.name}-{i}" for i in range(self.count)]
        return tuple(Endpoint(id, self.weight, zone=self.zone, priority=self.priority) for id in ids)

    to_dict = plain
    from_dict: ClassVar[Any] = classmethod(parsed)
