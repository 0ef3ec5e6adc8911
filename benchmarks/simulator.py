"""`python -m benchmarks.simulator`: nanoseconds an event of the simulator, of a plain heapq loop, and of SimPy.

One model for all: N servers, first come first served, one slot each, Poisson arrivals, exponential work, utilisation
0.8, the power of two choices by requests in flight. An event is an arrival or an end. All figures are minima over
interleaved rounds of one run, each of them going on with a simulation that has been in its steady state for a while;
what counts is their ratios. SimPy (`pip install 'lbalgo[bench]'`) in its process style: a process for each request, a
`Resource` for each server.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

import lbalgo as lb
from lbalgo.sim import Poisson, Scenario, Servers
from lbalgo.sim.running import Run

from .timing import Bar, Case, measure

UTILISATION = 0.8
STEADY = 30.0  # mean services that pass before anything is timed
OURS, CALLED, LEASED = "lbalgo.sim, policy compiled in", "lbalgo.sim, policy in Python", "lbalgo.sim, through Balancer"
HEAP, OBJECT, SIMPY = "heapq loop, policy in line", "heapq loop, policy in Python", "SimPy, processes"


class TwoChoices:
    """The power of two choices as a Python object: a picker with a load of its own, such as anybody may write."""

    def __init__(self, n: int) -> None:
        self.flying = [0] * n
        self.draw = random.Random(1).random
        self.n = n

    def choose(self) -> int:
        n, flying = self.n, self.flying
        one = int(self.draw() * n)
        two = int(self.draw() * (n - 1))
        two += two >= one
        return two if flying[two] < flying[one] else one

    def started(self, server: int) -> None:
        self.flying[server] += 1

    def finished(self, server: int) -> None:
        self.flying[server] -= 1


class Picked:
    """`TwoChoices` as a policy of the library."""

    def __init__(self) -> None:
        self.two: Any = None

    def build(self, view: Any, *, previous: Any = None) -> Any:
        self.view = lb.View.of(view)
        self.backends = self.view.backends
        self.two = TwoChoices(len(self.view))
        self.load = self
        return self

    def pick(self, key: Any = None, *, exclude: Any = ()) -> Any:
        return self.backends[self.two.choose()]

    def walk(self, key: Any = None) -> Iterator[Any]:
        return iter(self.backends)

    def started(self, row: int, cost: float, now: float) -> None:
        self.two.started(row)

    def finished(self, row: int, outcome: Any, latency: Any, now: float, cost: float) -> None:
        self.two.finished(row)

    def advance(self, now: float) -> None:
        pass

    def at(self, row: int) -> float:
        return float(self.two.flying[row])

    def to_dict(self) -> dict[str, object]:
        return {"type": "Picked"}


def heap_loop(n: int, policy: Any) -> Iterator[None]:
    """The loop everybody writes; `policy` None: two choices in line. One turn is 1000 events."""
    rng = random.Random(2)
    draw, log_rate = rng.random, rng.expovariate
    events: list[tuple[float, int, int]] = []
    queues: list[deque[float]] = [deque() for _ in range(n)]
    push, pop = heapq.heappush, heapq.heappop
    push(events, (0.0, 0, -1))
    rate, serial, total, count = UTILISATION * n, 0, 0.0, 0
    while True:
        for _ in range(1000):
            now, _, server = pop(events)
            serial += 1
            if server < 0:
                push(events, (now + log_rate(rate), serial, -1))
                if policy is None:
                    one = int(draw() * n)
                    two = int(draw() * (n - 1))
                    two += two >= one
                    server = two if len(queues[two]) < len(queues[one]) else one
                else:
                    server = policy.choose()
                    policy.started(server)
                queue = queues[server]
                queue.append(now)
                if len(queue) == 1:
                    serial += 1
                    push(events, (now + log_rate(1.0), serial, server))
            else:
                queue = queues[server]
                total += now - queue.popleft()
                count += 1
                if policy is not None:
                    policy.finished(server)
                if queue:
                    push(events, (now + log_rate(1.0), serial, server))
        yield


def simpy_processes(n: int) -> Iterator[None]:
    """A process for each request, a resource for each server. One turn is about 1000 events (500 requests)."""
    import simpy

    rng = random.Random(3)
    env = simpy.Environment()
    servers = [simpy.Resource(env) for _ in range(n)]
    done = [0]

    def request(server: Any) -> Generator[Any, Any, Any]:
        with server.request() as turn:
            yield turn
            yield env.timeout(rng.expovariate(1.0))
        done[0] += 1

    def source() -> Generator[Any, Any, Any]:
        while True:
            yield env.timeout(rng.expovariate(UTILISATION * n))
            one, two = rng.sample(servers, 2)
            fewer = two if two.count + len(two.queue) < one.count + len(one.queue) else one
            env.process(request(fewer))

    env.process(source())
    while True:
        wanted = done[0] + 500
        while done[0] < wanted:
            env.step()
        yield


def scenario(n: int, policy: Any) -> Scenario:
    return Scenario(policy, (Servers(n),), Poisson(UTILISATION * n), duration=1e9)


def cases(quick: bool, n: int = 1000) -> list[Case]:
    """Each simulation in its steady state; none in a quick run, which has not the time to get there."""
    if quick:
        return []
    found = []
    warm = int(STEADY * 2 * UTILISATION * n)
    for name, run in (
        (OURS, Run(scenario(n, lb.PowerOfTwo()))),
        (CALLED, Run(scenario(n, Picked()))),
        (LEASED, Run(scenario(n, lb.PowerOfTwo()), by_balancers=True)),
    ):
        run.engine.go(warm)
        found.append(Case(name, lambda k, go=run.engine.go: go(1000 * k), 1000))  # type: ignore[misc]
    for name, loop in (
        (HEAP, heap_loop(n, None)),
        (OBJECT, heap_loop(n, TwoChoices(n))),
        (SIMPY, simpy_processes(n)),
    ):
        for _ in range(warm // 1000):
            next(loop)
        found.append(Case(name, lambda k, loop=loop: [None for _ in range(k) if next(loop)], 1000))  # type: ignore[misc]
    return found


BARS = (Bar(OURS, SIMPY, 1 / 100), Bar(OURS, OBJECT, 1 / 8))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator", description=__doc__.split("\n\n")[0])
    parser.add_argument("--servers", type=int, default=1000, metavar="N")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--strict", action="store_true", help="exit with status 1 if a bar is missed")
    options = parser.parse_args()
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
        return 2
    times = measure(cases(False, options.servers), rounds=options.rounds, slice_ms=20.0)
    print(f"N = {options.servers}, utilisation {UTILISATION}: nanoseconds an event, least of {options.rounds} rounds")
    for name, ns in times.items():
        print(f"  {name:<34}{ns:>10,.1f}{times[SIMPY] / ns:>9.1f} x SimPy{times[HEAP] / ns:>9.1f} x heapq")
    missed = 0
    for ours, theirs, most in BARS:
        ratio = times[theirs] / times[ours]
        missed += ratio * most < 1.0
        print(f"  {'MISS' if ratio * most < 1.0 else 'ok  '} {ratio:7.1f} >= {1.0 / most:g}  {theirs} / {ours}")
    return int(options.strict and missed > 0)


if __name__ == "__main__":
    sys.exit(main())
