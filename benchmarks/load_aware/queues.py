"""One balancer that knows everything, equal servers, first come first served, exponential work of mean 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import lbalgo as lb
from benchmarks.figure import Figure, Origin, mean, p99, samples
from lbalgo.policies import JoinIdleQueue
from lbalgo.sim import Poisson, Result, Scenario, Servers

ONE, TWO, THREE, FIVE = (lb.PowerOfTwo(choices) for choices in (1, 2, 3, 5))
MANY = 200_000  # requests of a run at length, and where they are given too many for a quick one
NAMES = {TWO: "2 choices", THREE: "3 choices", lb.LeastLoaded(): "shortest queue", JoinIdleQueue(): "idle queue"}


def pool(policy: Any, servers: int, load: float, duration: float, warmup: float) -> Scenario:
    return Scenario(policy, (Servers(servers),), Poisson(load * servers), duration=warmup + duration, warmup=warmup)


def limit(choices: int, load: float) -> float:
    """Mean time in system with infinitely many servers: the sum over i of load ** ((d**i - d) / (d - 1))."""
    if choices == 1:
        return 1.0 / (1.0 - load)
    return float(sum(load ** ((choices**i - choices) / (choices - 1)) for i in range(1, 12)))


def relaxation(choices: int, load: float) -> float:
    """Seconds in which very many queues forget to 1/e how they began; s_i is the share of those with i jobs or more.

    ds_i / dt = load (s_{i-1}**d - s_i**d) - (s_i - s_{i+1}), linear around where it stands still: the slowest of its
    modes. Random choice is a birth and death process, whose spectrum begins at (1 - sqrt(load))**2.
    """
    if choices == 1:
        return 1.0 / (1.0 - load**0.5) ** 2
    shares = [load ** ((choices**i - 1) / (choices - 1)) for i in range(1, 12)]
    own = [choices * load * share ** (choices - 1) for share in shares]
    modes = np.diag([-1.0 - each for each in own]) + np.diag(own[:-1], -1) + np.diag([1.0] * (len(own) - 1), 1)
    return float(-1.0 / np.linalg.eigvals(modes).real.max())


def supermarket(quick: bool) -> Iterator[Figure]:
    """Random choice, two and three choices of very many servers.

    The law is that of infinitely many. Random choice does not care; what a pool of N adds to the others is O(1 / N),
    1.7 and 3.1 % at N = 100 (`finite_pool`: three choices at .9 and .95), so .3 % at N = 1000.

    Source: Vvedenskaya, Dobrushin, Karpelevich, Problems of Information Transmission 32 (1996); Mitzenmacher, IEEE TPDS
    12 (2001).
    """
    for load in (0.5, 0.9) if quick else (0.5, 0.9, 0.95):
        slow = 1.0 / (1.0 - load**0.5) ** 2  # relaxation time of one queue, whose neighbours do not help it
        duration, warmup = (1000.0 + 8.0 * slow, 4.0 * slow) if quick else (60.0 * slow, 6.0 * slow)
        (found,) = samples(pool(ONE, 50, load, duration, warmup))
        yield Figure(f"random, load {load}", limit(1, load), Origin.LAW, found)
        for policy in (TWO, THREE):
            duration, warmup = (150.0, 60.0) if quick else (1000.0, 200.0)
            (found,) = samples(pool(policy, 1000, load, duration, warmup))
            what = f"{policy.choices} choices, N = 1000, load {load}"
            yield Figure(what, limit(policy.choices, load), Origin.LAW, found, within=0.004)


def little(result: Result) -> float:
    """Mean time in system as the requests present over those that come: nobody's time has to be kept."""
    return float(result.jobs.sum() / result.span * result.duration / result.arrived)


def heavy(quick: bool) -> Iterator[Figure]:
    """The same at a load of .99: queues of random choice remember for 40 000 mean services, of two for 140.

    A pool of 1000 is above the law for infinitely many by 2.8 and 3.6 %, one of 3000 by a third of that. A time average
    of M/M/1 over S seconds has a variance of 2 r (1 + r) / (1 - r)**4 / S, so twenty runs of 50 servers, 20 relaxation
    times each, give an interval of 3.5 %. All begin empty, warm up for at least four relaxation times and are measured
    for ten: what is still missing of the mean is below exp(-4) / 10, .2 % of it.

    Source: as `supermarket`.
    """
    if quick:
        return
    for policy, servers, spans, within in ((ONE, 50, 20.0, 0.0), (TWO, 3000, 10.0, 0.013), (THREE, 3000, 10.0, 0.013)):
        slow = relaxation(policy.choices, 0.99)
        duration, warmup = max(1500.0, spans * slow), max(600.0, 4.0 * slow)
        scenario = pool(policy, servers, 0.99, duration, warmup).but(histogram=True)
        (found,) = samples(scenario, little)
        what = "random" if policy is ONE else f"{policy.choices} choices, N = {servers}"
        yield Figure(f"{what}, load 0.99", limit(policy.choices, 0.99), Origin.LAW, found, within=within)


def finite_pool(quick: bool) -> Iterator[Figure]:
    """Two, three and five choices of 100 servers and of 10, where the law for many no longer holds.

    Source: a simulation in C that shares no code with this one; its own error is below 1 %.
    """
    known = [
        (100, 0.5, TWO, 1.2682),
        (100, 0.9, TWO, 2.6463),
        (100, 0.95, TWO, 3.452),
        (100, 0.5, THREE, 1.1263),
        (100, 0.9, THREE, 2.0616),
        (100, 0.95, THREE, 2.6135),
        (100, 0.9, FIVE, 1.6682),
        (10, 0.9, TWO, 2.970),
        (10, 0.9, THREE, 2.444),
        (10, 0.9, FIVE, 2.118),
    ]
    for servers, load, policy, expected in known:
        duration, warmup = (200_000.0 / servers, 200.0) if quick else (1_000_000.0 / servers, 400.0)
        (found,) = samples(pool(policy, servers, load, duration, warmup))
        what = f"{policy.choices} choices, N = {servers}, load {load}"
        yield Figure(what, expected, Origin.SIMULATION, found, within=0.01)


def turns(servers: int, load: float) -> float:
    """Mean time in system where each server gets every N-th of Poisson arrivals: E_N/M/1, by its root."""
    rate, root = load * servers, 0.5
    for _ in range(10_000):
        root = (rate / (rate + 1.0 - root)) ** servers
    return 1.0 / (1.0 - root)


def round_robin(quick: bool) -> Iterator[Figure]:
    """Round robin of one balancer: each queue is E_N/M/1, about half of random choice.

    The mean of GI/M/1 is 1 / (1 - s), s being the root below 1 of s = A(1 - s), A the Laplace transform of the time
    between two arrivals: here (r / (r + 1 - s)) ** N, r being their common rate.

    Source: Kleinrock, *Queueing Systems* 1, 6.4.
    """
    for servers, load in ((100, 0.5), (100, 0.9), (10, 0.9), (100, 0.95)):
        slow = 1.0 / (1.0 - load**0.5) ** 2
        duration, warmup = (10.0 * slow, 4.0 * slow) if quick else (30.0 * slow, 5.0 * slow)
        if quick and load > 0.9:
            continue
        (found,) = samples(pool(lb.RoundRobin(), servers, load, duration * 100 / servers, warmup))
        what = f"round robin, N = {servers}, load {load}"
        yield Figure(what, turns(servers, load), Origin.LAW, found)


def shortest_and_idle(quick: bool) -> Iterator[Figure]:
    """The shortest of all queues, an idle one if there is one, and two choices: mean and 99th percentile.

    Source: a simulation in C that shares no code with this one; 2 % for the means, a step of the last digit given for
    the percentiles.
    """
    known = [
        (lb.LeastLoaded(), 100, 0.9, 1.067, 4.9, 60_000),
        (lb.LeastLoaded(), 10, 0.9, 1.897, None, 400_000),
        (lb.LeastLoaded(), 100, 0.95, 1.219, None, 300_000),
        (JoinIdleQueue(), 100, 0.9, 1.073, 5.0, 20_000),
        (JoinIdleQueue(), 10, 0.9, 2.40, None, MANY),
        (JoinIdleQueue(), 100, 0.95, 1.277, None, MANY),
        (TWO, 100, 0.9, None, 8.9, 100_000),
        (THREE, 100, 0.9, None, 7.4, 100_000),
    ]
    for policy, servers, load, middle, tail, requests in known:
        if quick and requests == MANY:
            continue  # these two have no compiled picker
        duration, warmup = (requests / servers, 60.0) if quick else (max(requests, MANY) / servers, 200.0)
        means, tails = samples(pool(policy, servers, load, duration, warmup), mean, p99)
        what = f"{NAMES[policy]}, N = {servers}, load {load}"
        if middle is not None:
            yield Figure(what, middle, Origin.SIMULATION, means, within=0.02)
        if tail is not None:
            yield Figure(f"{what}: p99", tail, Origin.SIMULATION, tails, within=0.02)
