"""A load that somebody else writes keeps the laws, and hears of a request's cost as it begins and as it ends."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.loads import FailurePenalty, InFlightAge, Overdue, Product, Sum
from lbalgo.policies.adaptive_choices import AdaptiveChoices
from lbalgo.scores import LeastLoad
from lbalgo.spec import check_real, check_row
from lbalgo.testing import LoadContract
from tests.both import both

BALANCERS = [module.Balancer for module in both("balancer")]


class Bytes:
    """What is on its way to each row, in a bag, so that what ends with another cost than it began with is an error."""

    margin = 1.0

    def __init__(self):
        self.open = {}

    def started(self, row, cost, now):
        row, cost, _ = check_row(row), check_real("cost", cost, low=0.0), check_real("now", now)
        self.open.setdefault(row, []).append(cost)

    def finished(self, row, outcome, latency, now, cost=1.0):
        row, cost, _ = check_row(row), check_real("cost", cost, low=0.0), check_real("now", now)
        if not isinstance(outcome, lb.Outcome):
            raise lb.ConfigError("outcome", outcome, "must be an Outcome")
        if latency is not None:
            check_real("latency", latency, low=0.0)
        if not self.open.get(row):
            raise lb.ConfigError("row", row, "has nothing in flight")
        self.take(row, cost)

    def take(self, row, cost):
        self.open[row].remove(cost)

    def advance(self, now):
        check_real("now", now)

    def at(self, row):
        return float(sum(self.open.get(check_row(row), ())))

    def reported(self, row, report, now):
        """Nothing that a backend says of itself matters; `AdaptiveChoices` asks for loads that listen."""


class Forgiving(Bytes):
    """The contract's histories end requests with any cost: the nearest is taken off."""

    def take(self, row, cost):
        self.open[row].remove(min(self.open[row], key=lambda held: (abs(held - cost), held)))


@dataclass(frozen=True)
class Sent:
    """The specification of a load of ours; `made` are the states it has made."""

    state: type = field(default=Bytes, compare=False)
    made: list[Any] = field(default_factory=list, compare=False, repr=False)

    def start(self):
        self.made.append(self.state())
        return self.made[-1]

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, data):
        return cls(**data)


class TestSent(LoadContract):
    load = Sent(Forgiving)


WITHIN = {
    "LeastLoaded": lb.LeastLoaded,
    "PowerOfTwo": lambda load: lb.PowerOfTwo(load=load),
    "force_after": lambda load: lb.PowerOfTwo(load=load, force_after=1.0),
    "Sum": lambda load: lb.LeastLoaded(load=Sum(lb.InFlight(), load)),
    "Product": lambda load: lb.PowerOfTwo(load=Product(load, InFlightAge())),
    "FailurePenalty": lambda load: lb.LeastLoaded(load=FailurePenalty(load)),
    "Overdue": lambda load: lb.LeastLoaded(load=Overdue(load, 5.0)),
    "InFlightAge": lambda load: lb.LeastLoaded(load=InFlightAge(load)),
    "AdaptiveChoices": lambda load: AdaptiveChoices(load, 1.0),
    "ByScore": lambda load: lb.ByScore([(LeastLoad(load), 1.0)]),
}
COSTS = st.sampled_from([0.0, 0.5, 1.0, 3.0, 1e6])
REQUESTS = st.lists(st.tuples(COSTS, st.integers(0, 5), st.sampled_from(list(lb.Outcome))), min_size=1, max_size=20)


@pytest.mark.parametrize("balancer", BALANCERS, ids=lambda made: made.__module__.split(".")[1])
@pytest.mark.parametrize("within", WITHIN)
@settings(max_examples=20)
@given(requests=REQUESTS)
def test_what_ends_takes_its_own_cost_with_it(balancer, within, requests):
    spec = Sent()
    balance = balancer(WITHIN[within](spec), ["a", "b", "c"], clock=lambda: 0.0, seed=1)
    (load,) = spec.made
    leases, costs = [], []
    for cost, ends, outcome in requests:
        leases.append(balance.acquire(cost=cost))
        costs.append(cost)
        if ends < len(leases):
            leases.pop(ends).done(outcome)
            costs.pop(ends)
        assert sorted(cost for row in load.open.values() for cost in row) == sorted(costs)
    for lease in leases:
        lease.done(lb.Outcome.SUCCESS)
    assert not any(load.open.values())
