"""`acquire(cost=)`: in every load a request of cost 5 weighs as much as five of cost 1, or it is said why not."""

import pytest

import lbalgo as lb
from lbalgo.loads import (
    Blend,
    FailurePenalty,
    InFlight,
    InFlightAge,
    LatencyEwma,
    Overdue,
    PeakEwma,
    Product,
    Reported,
    Sum,
)
from lbalgo.policies import C3, AdaptiveChoices, JoinIdleQueue, Prequal, RandomAperture, WeightedByReport
from lbalgo.testing import FakeClock
from tests.both import both

BALANCERS = [module.Balancer for module in both("balancer")]
BY_COST = [
    InFlight(),
    PeakEwma(initial=0.1),
    InFlightAge(PeakEwma(initial=0.1)),
    FailurePenalty(InFlight()),
    Sum(InFlight(), Reported()),
    Product(InFlight(), LatencyEwma(initial=0.1)),
    Blend(),
    Overdue(InFlight()),
]
BY_COUNT = [Prequal(), C3(), JoinIdleQueue(), RandomAperture()]  # a length of a queue that servers know as well
NEITHER = [Reported(), LatencyEwma(initial=0.1)]  # what is in flight is no part of them
OTHERWISE = {AdaptiveChoices, WeightedByReport}  # by the load within; by what is reported


def loaded(balancer, load, costs):
    """The load of the one backend while requests of these costs are there, and after they have ended."""
    clock = FakeClock()
    policy = load if hasattr(load, "build") else lb.LeastLoaded(load)
    balance = balancer(policy, ["a"], clock=clock, seed=1)
    leases = [balance.acquire(cost=cost) for cost in costs]
    row = balance.picker.rows[0]
    there = balance.picker.load.at(row)
    for lease in leases:
        lease.done(lb.Outcome.CANCELLED)
    return there, balance.picker.load.at(row)


@pytest.mark.parametrize("balancer", BALANCERS, ids=lambda made: made.__module__.split(".")[1])
@pytest.mark.parametrize("load", [*BY_COST, *BY_COUNT, *NEITHER], ids=repr)
def test_a_request_weighs_what_it_costs(balancer, load):
    one, five, dear = (loaded(balancer, load, costs) for costs in ([1.0], [1.0] * 5, [5.0]))
    assert one[1] == five[1] == dear[1]
    if load in BY_COST:
        assert dear[0] == pytest.approx(five[0], rel=1e-12)
        assert dear[0] > one[0]
    elif load in BY_COUNT:
        assert dear[0] == one[0] < five[0]
        assert "whatever it costs" in type(load).__doc__
    else:
        assert dear[0] == one[0] == five[0]


def test_no_load_is_left_out():
    kinds = {getattr(room, name) for room in (lb.loads, lb.policies) for name in room.__all__}
    loads = {kind for kind in kinds if callable(getattr(kind, "start", None)) and hasattr(kind, "to_dict")}
    left = loads - {type(load) for load in (*BY_COST, *BY_COUNT, *NEITHER)} - OTHERWISE
    assert {kind.__name__ for kind in left} == {"OrcaWeights", "PidWeights"}, "what is in flight is no part of these"
