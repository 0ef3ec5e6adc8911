"""`Overdue`: whoever got no request for too long is next.

Under two choices the most loaded of a pool is never picked, and a load that is learned from requests never learns that
it has recovered. So a backend whose last request began `after` seconds ago, or that never had one, counts as idle: its
load is 0, below what all others have with one request more. It is what a policy's `force_after` does.

Costs: O(1) beside the load within; memory 8 bytes a row.
Source: go-zero (1 s) and kratos (3 s) force such picks; Dubbo's adaptive balancer after twice the timeout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.active import OverdueLoad
from lbalgo.loads.in_flight import InFlight
from lbalgo.loads.specs import check_load, loaded_from_dict, started
from lbalgo.spec import check_real, to_dict
from lbalgo.types import LoadSpec


@dataclass(frozen=True)
class Overdue:
    """A load that is 0 for those that got no request for `after` seconds.

    Parameters
    ----------
    load : specification of the load of all others.
    after : seconds, > 0.

    Raises
    ------
    ConfigError : a parameter is invalid; by the state, as `InFlight`.

    Costs: O(1); 8 bytes a row.
    Source: go-zero, `p2c`.

    Examples
    --------
    >>> load = Overdue(InFlight(), after=1.0).start()
    >>> load.started(0, 1.0, 0.0)
    >>> load.at(0), load.at(1)
    (2.0, 0.0)
    >>> load.advance(1.0)
    >>> load.at(0)
    0.0
    """

    load: LoadSpec = InFlight()
    after: float = 1.0

    def __post_init__(self) -> None:
        check_load(self.load)
        check_real("after", self.after, low=0.0, open_low=True)

    def start(self) -> OverdueLoad:
        """A new state, in which all are overdue."""
        return OverdueLoad(self, started(self.load), self.after)

    def to_dict(self) -> dict[str, object]:
        """Plain data, the load's in it."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, load: LoadSpec | None = None) -> Overdue:
        """The load `to_dict` described; `load` supplies one of one's own."""
        spec: Overdue = loaded_from_dict(cls, data, load)
        return spec
