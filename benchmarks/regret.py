"""`python -m benchmarks.regret [--requests N]`: what not knowing costs, beside those who know all, same arrivals.

A balancer has to send a request somewhere at once, not knowing how long it will take, and it stays there. Two who need
not do so, on the same arrivals and the same work:

- *one queue*: nobody is sent anywhere before a server is free, in order of arrival. That takes no clairvoyance, only a
  queue in common.
- *clairvoyant*: one queue, known work, the shortest remaining work first, interrupting longer ones. Of one server this
  is the least mean there is (Schrage 1968); of several it need not be, but where load is high nothing is known to be
  much below it (Grosof, Scully, Harchol-Balter, "SRPT for multiserver systems", Performance Evaluation 127-128, 2018).

No mean is below that of the work itself. In the tail the clairvoyant may be beaten, as it lets the longest wait. All of
20 servers, load .8, work of mean 1: exponential, and lognormal with a squared coefficient of variation of 3.2; means
over replications with 99 % confidence intervals; *over* is the mean over the clairvoyant's.
"""

from __future__ import annotations

import argparse
import heapq
from bisect import insort
from collections.abc import Sequence
from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.active import Stream
from lbalgo.loads import PeakEwma
from lbalgo.policies import JoinIdleQueue
from lbalgo.sim import Exponential, LogNormal, Poisson, Scenario, Servers, interval, run
from lbalgo.sim.running import ARRIVALS, WORK

SERVERS, LOAD, RUNS, CONFIDENCE = 20, 0.8, 10, 0.99
SERVICES = {"exponential": Exponential(), "lognormal": LogNormal(1.0, 1.2)}
POLICIES: dict[str, tuple[Any, int]] = {  # and how many clients there are, each of which sees its own requests only
    "Random": (lb.Random(), 1),
    "RoundRobin": (lb.RoundRobin(), 1),
    "PowerOfTwo": (lb.PowerOfTwo(), 1),
    "PowerOfTwo by PeakEwma": (lb.PowerOfTwo(load=PeakEwma(100.0, 1.0)), 1),
    "PowerOfTwo(3)": (lb.PowerOfTwo(3), 1),
    "JoinIdleQueue": (JoinIdleQueue(), 1),
    "LeastLoaded": (lb.LeastLoaded(), 1),
    "RoundRobin, 20 clients": (lb.RoundRobin(), 20),
    "PowerOfTwo, 20 clients": (lb.PowerOfTwo(), 20),
    "LeastLoaded, 20 clients": (lb.LeastLoaded(), 20),
}
Trace = tuple[list[float], list[float]]


def trace(scenario: Scenario) -> Trace:
    """When the scenario's requests come, and how much work each is."""
    times: list[float] = []
    works: list[float] = []
    stream = Stream(scenario.seed, WORK)
    for instants in scenario.arrivals.start(Stream(scenario.seed, ARRIVALS)):
        due = instants[instants <= scenario.duration]
        times += due.tolist()
        works += scenario.service.draw(stream, len(due)).tolist()
        if len(due) < len(instants):
            break
    return times, works


def one_queue(times: Sequence[float], works: Sequence[float], servers: int) -> list[float]:
    """When each ends, if whoever came first is served by the first server that is free."""
    free = [0.0] * servers
    ends = []
    for now, work in zip(times, works, strict=True):
        ends.append(max(now, heapq.heappop(free)) + work)
        heapq.heappush(free, ends[-1])
    return ends


def clairvoyant(times: Sequence[float], works: Sequence[float], servers: int) -> list[float]:
    """When each ends, if those with the least work left are served, and interrupt the others."""
    ends = [0.0] * len(times)
    served: list[tuple[float, int]] = []  # by when they will end, which is by the work left, as all are equally fast
    waiting: list[tuple[float, int]] = []  # by the work left

    def until(now: float) -> None:
        while served and served[0][0] <= now:
            end, which = served.pop(0)
            ends[which] = end
            if waiting:
                left, following = heapq.heappop(waiting)
                insort(served, (end + left, following))

    for i, (now, work) in enumerate(zip(times, works, strict=True)):
        until(now)
        if len(served) == servers:
            end, longest = served[-1]
            if now + work >= end:
                heapq.heappush(waiting, (work, i))
                continue
            served.pop()
            heapq.heappush(waiting, (end - now, longest))
        insort(served, (now + work, i))
    until(float("inf"))
    return ends


def measured(times: Sequence[float], ends: Sequence[float], scenario: Scenario) -> tuple[float, float]:
    """Mean and 99th percentile of the time in system of those that end between warm-up and the end of the run."""
    began, ended = np.array(times), np.array(ends)
    took = (ended - began)[(ended > scenario.warmup) & (ended <= scenario.duration)]
    return float(took.mean()), float(np.quantile(took, 0.99, method="inverted_cdf"))


def study(service: Any, requests: int) -> dict[str, list[tuple[float, float]]]:
    """Mean and 99th percentile by who serves or chooses, of each replication."""
    duration = requests / (LOAD * SERVERS)
    base = Scenario(
        lb.Random(),
        (Servers(SERVERS),),
        Poisson(LOAD * SERVERS),
        duration=duration,
        warmup=duration / 5,
        service=service,
    )
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(RUNS):
        times, works = trace(base.but(seed=seed))
        for name, rule in (("clairvoyant", clairvoyant), ("one queue", one_queue)):
            found.setdefault(name, []).append(measured(times, rule(times, works, SERVERS), base))
        for name, (policy, clients) in POLICIES.items():
            result = run(base.but(policy=policy, clients=clients, seed=seed))
            found.setdefault(name, []).append((result.mean, result.quantile(0.99)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret", description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=100_000, help="of each replication (100000)")
    options = parser.parse_args()
    for name, service in SERVICES.items():
        found = study(service, options.requests)
        best = [mean for mean, _ in found["clairvoyant"]]
        print(f"| {name + ' work':<24} | {'mean':<15} | {'p99':<15} | {'over':<15} |")
        print("|" + "-" * 26 + 3 * ("|" + "-" * 17) + "|")
        for who, values in found.items():
            means, tails = zip(*values, strict=True)
            over = [mean / least for mean, least in zip(means, best, strict=True)]
            cells = [str(interval(column, CONFIDENCE)) for column in (means, tails, over)]
            print(f"| {who:<24} | {cells[0]:<15} | {cells[1]:<15} | {cells[2]:<15} |")
        print()


if __name__ == "__main__":
    main()
