"""Policies that are told things within the combinators, and in a balancer with them: nothing is lost on the way."""

import pytest

import lbalgo as lb
from lbalgo.loads import Reported
from lbalgo.report import Report

POOL = [
    lb.Endpoint("a", zone="x"),
    lb.Endpoint("b", zone="x"),
    lb.Endpoint("c", zone="y", priority=1),
    lb.Endpoint("d", zone="y", priority=1),
]
TOLD = [
    (lb.Prequal(), lb.Probe(1, 0.1)),
    (lb.JoinIdleQueue(told=True), lb.Idle()),
    (lb.C3(), lb.Feedback(1, 0.1)),
    (lb.AdaptiveChoices(Reported(blackout=0.0), 0.1), Report(0.5)),
    (lb.WeightedByReport(), Report(0.5, qps=1.0)),
]
WITHIN = [lb.ByPriority, lambda p: lb.ByZone(p, "x"), lambda p: lb.Subset(p, lb.RandomSubset(size=2, client=1))]


@pytest.mark.parametrize("within", WITHIN, ids=["priority", "zone", "subset"])
@pytest.mark.parametrize(("policy", "said"), TOLD, ids=[type(p).__name__ for p, _ in TOLD])
def test_within(policy, said, within):
    balancer = lb.Balancer(within(policy), POOL, seed=1)
    for id in "abcd":
        balancer.report(id, said)
    leases = [balancer.acquire() for _ in range(6)]
    balancer.update(POOL[:3])
    for lease in leases:
        lease.done()
    assert balancer.acquire(exclude={"a"}).backend.id in "bc"
    balancer.restore(balancer.snapshot())
    stats = balancer.stats()
    assert (stats.opened, stats.open_leases) == (7, 0)


def test_whom_to_probe_of_a_subset():
    policy = lb.Prequal()
    balancer = lb.Balancer(lb.Subset(policy, lb.RandomSubset(size=2, client=1)), POOL, seed=1)
    balancer.acquire().done()
    covered = {backend.id for backend in balancer.picker.walk()}
    assert {backend.id for backend in policy.to_probe(balancer.picker)} == covered and len(covered) == 2
