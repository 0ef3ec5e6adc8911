"""Requests that are sent twice, or not at all: hedges, retries within a budget, a client that throttles itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import lbalgo as lb
from benchmarks.figure import Figure, Origin, Side, p99, samples
from lbalgo.gates import AdaptiveThrottle, RetryBudget
from lbalgo.sim import Constant, Faulty, Hedge, Poisson, Result, Retries, Scenario, Servers


def sent(result: Result) -> float:
    """Requests sent to servers over those that arrived."""
    return float(result.received.sum()) / result.arrived


def hedges(quick: bool) -> Iterator[Figure]:
    """Work of exp(1) and nobody waits: a copy after the 95th percentile, ln 20, with work of its own; the first counts.

    Past ln 20 both run down together: P(T > t) = exp(-t) exp(-(t - ln 20)), which is 1 % at (ln 100 + ln 20) / 2 = 3.80
    instead of 4.61. One request in twenty has a copy.
    """
    duration = 2000.0 if quick else 20_000.0
    servers = (Servers(50, slots=1000),)
    scenario = Scenario(lb.Random(), servers, Poisson(50.0), duration, warmup=50.0, hedge=Hedge(math.log(20.0)))
    tails, copies = samples(scenario, p99, lambda result: sent(result) - 1.0)
    yield Figure("hedge after p95 of exp(1): p99", (math.log(100.0) + math.log(20.0)) / 2, Origin.LAW, tails)
    yield Figure("hedge after p95 of exp(1): requests sent twice", 0.05, Origin.LAW, copies)


def budgets(quick: bool) -> Iterator[Figure]:
    """Every request fails and is tried three times at most: three times the load, or 1.2 times within a fifth.

    Three layers of it would be 27 times the load without a budget.
    """
    duration = 1000.0 if quick else 10_000.0
    changes = tuple(Faulty(0.0, f"server-{i}", 1.0, outcome=lb.Outcome.GATEWAY_ERROR) for i in range(20))
    base = Scenario(lb.Random(), (Servers(20),), Poisson(5.0), duration, changes=changes, retries=Retries(3))
    (free,) = samples(base, sent)
    yield Figure("all fail, three attempts: load over what arrives", 3.0, Origin.LAW, free, within=0.01)
    (bound,) = samples(base.but(gates=(partial(RetryBudget, min_per_second=0.0),)), sent)
    yield Figure("all fail, a budget of a fifth: load over what arrives", 1.2, Origin.LAW, bound, side=Side.BELOW)


def throttling(quick: bool) -> Iterator[Figure]:
    """A server that does 100 requests a second and refuses what it has no room for: it sees min(offered, 2 x 100).

    Source: Beyer et al., *Site Reliability Engineering*, chapter 21: sent is k times what is accepted.
    """
    duration = 30.0 if quick else 120.0
    gate = partial(AdaptiveThrottle, 2.0, 5.0, 10)
    for offered in (90.0, 400.0) if quick else (90.0, 400.0, 1000.0):
        scenario = Scenario(
            lb.Random(), (Servers(queue_limit=50),), Poisson(offered), duration, Constant(0.01), gates=(gate,)
        )
        (found,) = samples(scenario, lambda result: float(result.received.sum()) / result.duration)
        what = f"throttle, {offered:g} a second offered to one that does 100: sent"
        yield Figure(what, min(offered, 200.0), Origin.LAW, found, within=0.02)
