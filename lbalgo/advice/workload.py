"""What a recommendation goes by: the workload, in the few numbers that decide.

`in_flight` is the number that tells whether balancers see anything: how many requests each of them has under way, by
Little's law at least load * backends / balancers. Below one half, a count of one's own requests is nearly always 0
for everybody, whatever the others do.

Costs: none. Source: Little, "A proof for the queuing formula L = lambda W", Operations Research 9 (1961).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from lbalgo.spec import check_bool, check_enum, check_integer, check_real, enum_from_name, from_dict, to_dict


class Affinity(enum.Enum):
    """Whether it matters which backend a request goes to."""

    NONE = "none"
    SESSION = "session"  # whoever served the client first serves it on; by a cookie
    CACHE = "cache"  # the same key is best served where it was served last
    SHARD = "shard"  # the key's data is there, and moves when the key moves


@dataclass(frozen=True)
class Workload:
    """A workload, by what decides.

    Parameters
    ----------
    backends : how many, >= 1.
    balancers : how many choose for this pool without knowing of each other (proxies, clients, workers), >= 1.
    load : utilisation of the pool at its peak, in (0, 1).
    variance : squared coefficient of variation of what requests take: 0 all the same, 1 exponential, more: a tail.
    affinity : whether it matters who serves.
    weights : whether backends have unequal weights.
    hot_share : fraction of all requests that the most frequent key has, 0 to 1.
    age : how old the loads are that balancers see, in mean service times; 0 for counts of their own.
    numbered : whether shards have numbers, and only the last one comes and goes.
    strangers : whether clients can choose their keys.
    probes : whether backends answer when they are asked how many requests they have, and how long they take.

    Raises
    ------
    ConfigError : a parameter is out of its range.

    Costs: none.
    Source: ours.

    Examples
    --------
    >>> Workload(backends=20, balancers=100, load=0.9).in_flight
    0.18
    """

    backends: int = 10
    balancers: int = 1
    load: float = 0.7
    variance: float = 1.0
    affinity: Affinity = Affinity.NONE
    weights: bool = False
    hot_share: float = 0.0
    age: float = 0.0
    numbered: bool = False
    strangers: bool = False
    probes: bool = False

    def __post_init__(self) -> None:
        check_integer("backends", self.backends, low=1, high=1_000_000)
        check_integer("balancers", self.balancers, low=1, high=1_000_000)
        check_real("load", self.load, low=0.0, high=0.99, open_low=True)
        check_real("variance", self.variance, low=0.0, high=1e6)
        check_enum("affinity", self.affinity, Affinity)
        check_real("hot_share", self.hot_share, low=0.0, high=1.0)
        check_real("age", self.age, low=0.0, high=1e6)
        for name in ("weights", "numbered", "strangers", "probes"):
            check_bool(name, getattr(self, name))

    @property
    def in_flight(self) -> float:
        """Requests that each balancer has under way, at least."""
        return self.load * self.backends / self.balancers

    @property
    def keyed(self) -> bool:
        """Whether the key decides."""
        return self.affinity in (Affinity.CACHE, Affinity.SHARD)

    @property
    def hot(self) -> float:
        """How many times its fair share the backend of the most frequent key gets by that key alone."""
        return self.hot_share * self.backends

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Workload:
        """The workload `to_dict` described."""
        return from_dict(cls, data, {"affinity": enum_from_name(Affinity)})
