"""`python -m benchmarks.regret [--requests N] [policy ...]`: what not knowing costs, beside those who know.

A balancer has to send a request somewhere at once, not knowing how long it will take, and it stays there. Two who need
not do so, on the same arrivals and the same work:

- *one queue*: nobody is sent anywhere before a server is free, in order of arrival. That takes no clairvoyance, only a
  queue in common.
- *clairvoyant*: one queue, known work, the shortest remaining work first, interrupting longer ones. Of one server this
  is the least mean there is (Schrage 1968); of several it need not be, but where load is high nothing is known to be
  much below it (Grosof, Scully, Harchol-Balter, "SRPT for multiserver systems", Performance Evaluation 127-128, 2018).

No mean is below that of the work itself. In the tail the clairvoyant may be beaten, as it lets the longest wait. All of
20 servers, load .8, work of mean 1: exponential, and lognormal with a squared coefficient of variation of 3.2; means
over replications with 99 % confidence intervals; *over* is the mean over the clairvoyant's. Keys, where there are any,
are ten thousand of equal weight; 20 clients see their own requests only, and five servers each where there are subsets.
"""

from __future__ import annotations

import argparse
import heapq
from bisect import insort
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.active import Stream
from lbalgo.loads import Blend, InFlightAge, LatencyEwma, PeakEwma, Reported
from lbalgo.policies import (
    C3,
    AdaptiveChoices,
    Aperture,
    BestOf,
    ByPriority,
    ByScore,
    ByZone,
    DeterministicSubset,
    JoinIdleQueue,
    JumpBack,
    MultiProbe,
    OrcaWeights,
    PidWeights,
    Prequal,
    RandomAperture,
    RandomSubset,
    Ringsteady,
    Rocksteadier,
    StableTable,
    Subset,
    TopK,
    WeightedByReport,
)
from lbalgo.scores import LeastLoad
from lbalgo.sim import (
    Exponential,
    LogNormal,
    Poisson,
    Probes,
    Reports,
    Scenario,
    Servers,
    UniformKeys,
    feedback,
    interval,
    load_report,
    run,
)
from lbalgo.sim.running import ARRIVALS, WORK

SERVERS, LOAD, RUNS, CONFIDENCE = 20, 0.8, 10, 0.99
SERVICES = {"exponential": Exponential(), "lognormal": LogNormal(1.0, 1.2)}
MANY = {"clients": SERVERS}  # each of which sees its own requests only
TOLD = {"reports": Reports(load_report, period=1.0)}  # by the servers, once a mean service
KEYED = {"keys": UniformKeys(10_000)}


class Each:
    """A policy for each client; clients are numbered as their pickers are built."""

    def __init__(self, policy: Callable[[int], Any]) -> None:
        self.policy, self.built = policy, 0

    def build(self, view: Any, *, previous: Any = None) -> Any:
        client, self.built = self.built % SERVERS, self.built + 1
        return self.policy(client).build(view)


def subsets(rule: Callable[[int], Any]) -> Each:
    """Two choices for each client among servers of its own."""
    return Each(lambda client: Subset(lb.PowerOfTwo(), rule(client)))


POLICIES: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "blind": {
        "Random": (lb.Random(), {}),
        "RoundRobin": (lb.RoundRobin(), {}),
        "WeightedRoundRobin": (lb.WeightedRoundRobin(), {}),
    },
    "by the load it sees": {
        "PowerOfTwo": (lb.PowerOfTwo(), {}),
        "PowerOfTwo(3)": (lb.PowerOfTwo(3), {}),
        "PowerOfTwo by PeakEwma": (lb.PowerOfTwo(load=PeakEwma(100.0, 1.0)), {}),
        "PowerOfTwo by LatencyEwma": (lb.PowerOfTwo(load=LatencyEwma(100.0)), {}),
        "PowerOfTwo by InFlightAge": (lb.PowerOfTwo(load=InFlightAge()), {}),
        "PowerOfTwo by Blend": (lb.PowerOfTwo(load=Blend()), TOLD),
        "LeastLoaded": (lb.LeastLoaded(), {}),
        "LeastConnections": (lb.LeastConnections(), {}),
        "AdaptiveChoices": (AdaptiveChoices(Reported(blackout=1.0), service_time=1.0), TOLD),
        "JoinIdleQueue": (JoinIdleQueue(), {}),
        "ByScore, two choices": (ByScore((LeastLoad(),), BestOf()), {}),
        "ByPriority of PowerOfTwo": (ByPriority(lb.PowerOfTwo()), {}),
        "ByZone of PowerOfTwo": (ByZone(lb.PowerOfTwo(), "here"), {}),
    },
    "by what servers say": {
        "Prequal": (Prequal(age=10.0), {"probes": Probes()}),
        "C3": (C3(), {"reports": Reports(feedback)}),
        "WeightedByReport": (WeightedByReport(OrcaWeights(blackout=1.0)), TOLD),
        "WeightedByReport, PID": (WeightedByReport(PidWeights()), TOLD),
    },
    "by key": {
        "RingHash": (lb.RingHash(), KEYED),
        "Maglev": (lb.Maglev(), KEYED),
        "Rendezvous": (lb.Rendezvous(), KEYED),
        "Jump": (lb.Jump(), KEYED),
        "JumpBack": (JumpBack(), KEYED),
        "MultiProbe": (MultiProbe(), KEYED),
        "StableTable": (StableTable(), KEYED),
        "HotKeySpread of Maglev": (lb.HotKeySpread(lb.Maglev()), KEYED),
        "BoundedLoad of RingHash": (lb.BoundedLoad(lb.RingHash()), KEYED),
        "TopK(3) of Rendezvous": (TopK(lb.Rendezvous()), KEYED),
    },
    "20 clients": {
        "RoundRobin, 20 clients": (lb.RoundRobin(), MANY),
        "PowerOfTwo, 20 clients": (lb.PowerOfTwo(), MANY),
        "LeastLoaded, 20 clients": (lb.LeastLoaded(), MANY),
        "JoinIdleQueue, 20 clients": (JoinIdleQueue(), MANY),
        "Prequal, 20 clients": (Prequal(age=10.0), {**MANY, "probes": Probes()}),
        "C3, 20 clients": (C3(clients=SERVERS), {**MANY, "reports": Reports(feedback)}),
        "Aperture(5), 20 clients": (subsets(lambda client: Aperture(SERVERS, client, 5)), MANY),
        "DeterministicSubset(5)": (subsets(lambda client: DeterministicSubset(5, client)), MANY),
        "RandomSubset(5)": (subsets(lambda client: RandomSubset(5, client)), MANY),
        "RandomAperture": (Each(RandomAperture), MANY),
        "Ringsteady(5)": (subsets(lambda client: Ringsteady(5, client)), MANY),
        "Rocksteadier(5)": (subsets(lambda client: Rocksteadier(5, client)), MANY),
    },
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


def study(service: Any, requests: int, only: Collection[str] | None = None) -> dict[str, list[tuple[float, float]]]:
    """Mean and 99th percentile by who serves or chooses (`only`: of these policies), of each replication."""
    duration = requests / (LOAD * SERVERS)
    base = Scenario(
        lb.Random(),
        (Servers(SERVERS, zone="here"),),
        Poisson(LOAD * SERVERS),
        duration=duration,
        warmup=duration / 5,
        service=service,
    )
    wanted = {name: case for group in POLICIES.values() for name, case in group.items() if not only or name in only}
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(RUNS):
        times, works = trace(base.but(seed=seed))
        for name, rule in (("clairvoyant", clairvoyant), ("one queue", one_queue)):
            found.setdefault(name, []).append(measured(times, rule(times, works, SERVERS), base))
        for name, (policy, more) in wanted.items():
            result = run(base.but(policy=policy, seed=seed, **more))
            found.setdefault(name, []).append((result.mean, result.quantile(0.99)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.regret", description=__doc__.split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=20_000, help="of each replication (20000)")
    parser.add_argument("only", nargs="*", metavar="policy", help="which policies, by their names in the table (all)")
    options = parser.parse_args()
    how = {name: group for group, policies in POLICIES.items() for name in policies}
    for name in options.only:
        if name not in how:
            parser.error(f"{name!r} is none of {', '.join(how)}")
    for name, service in SERVICES.items():
        found = study(service, options.requests, options.only)
        best = [mean for mean, _ in found["clairvoyant"]]
        print(f"| {name + ' work':<26} | {'chooses':<19} | {'mean':<15} | {'p99':<15} | {'over':<15} |")
        print(f"|{'-' * 28}|{'-' * 21}" + 3 * ("|" + "-" * 17) + "|")
        for who, values in found.items():
            means, tails = zip(*values, strict=True)
            over = [mean / least for mean, least in zip(means, best, strict=True)]
            cells = [str(interval(column, CONFIDENCE)) for column in (means, tails, over)]
            print(
                f"| {who:<26} | {how.get(who, ''):<19} | {cells[0]:<15} | {cells[1]:<15} | {cells[2]:<15} |", flush=True
            )
        print()


if __name__ == "__main__":
    main()
