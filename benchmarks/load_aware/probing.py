"""`python -m benchmarks.load_aware.probing`: Prequal once more, by itself: plain Python and a heap, nothing of lbalgo.

It shares no line with the simulator, the policy, or the pool of probes. 50 servers of speed 2/3 and 50 of 4/3, each of
which works on eight requests side by side before they share; load .7, a hundred clients, three probes a request,
answered before it arrives. A server answers with its requests in flight k, and with k + 1 times an average, over its
last requests, of latency / (requests met + 1).

How many requests that average is over decides what latency alone (quantile 1) is worth.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics

SPEEDS = (2 / 3,) * 50 + (4 / 3,) * 50
WIDTH, CLIENTS, POOL, PROBES, AGE = 8, 100, 16, 3, 80.0


class Server:
    """Processor sharing among more than `WIDTH` requests, by a clock of work done for each of them."""

    def __init__(self, speed: float, weight: float) -> None:
        self.speed, self.weight, self.alone = speed, weight, 1.0 / speed
        self.work = self.then = 0.0
        self.jobs: list[tuple[float, float, int]] = []  # work at which it is done, when it came, how many it met
        self.plan = 0

    def rate(self) -> float:
        return self.speed / max(WIDTH, len(self.jobs))

    def until(self, now: float) -> None:
        self.work += (now - self.then) * self.rate()
        self.then = now

    def done(self, now: float) -> float:
        self.until(now)
        _, came, met = heapq.heappop(self.jobs)
        self.alone += self.weight * ((now - came) / (met + 1) - self.alone)
        return came


def line(pool: list[list[float]], quantile: float) -> float:
    return sorted(probe[1] for probe in pool)[math.floor(quantile * (len(pool) - 1))]


def chosen(pool: list[list[float]], quantile: float, draws: random.Random) -> list[float]:
    most = line(pool, quantile)
    cold = [probe for probe in pool if probe[1] <= most]
    return min(cold, key=lambda probe: (probe[2], draws.random()))


def worst(pool: list[list[float]], quantile: float) -> list[float]:
    most = line(pool, quantile)
    hot = [probe for probe in pool if probe[1] > most]
    return max(hot, key=lambda probe: probe[1]) if hot else max(pool, key=lambda probe: probe[2])


def tail(quantile: float, weight: float, seed: int, horizon: float = 1000.0, warmup: float = 200.0) -> float:
    """The 99th percentile of time in system; `weight` is that of the newest latency in a server's average."""
    draws = random.Random(seed)
    servers = [Server(speed, weight) for speed in SPEEDS]
    pools: list[list[list[float]]] = [[] for _ in range(CLIENTS)]  # server, requests in flight, latency, when, uses
    oldest, carried, times = [True] * CLIENTS, [0.0] * CLIENTS, list[float]()
    uses = max(1.0, 2.0 / ((1.0 - POOL / len(servers)) * PROBES - 1.0))
    events = [(draws.expovariate(0.7 * len(servers)), -1, 0)]

    def plan(at: int, now: float) -> None:
        server = servers[at]
        server.plan += 1
        if server.jobs:
            heapq.heappush(events, (now + (server.jobs[0][0] - server.work) / server.rate(), at, server.plan))

    while events[0][0] < horizon:
        now, at, planned = heapq.heappop(events)
        if at >= 0:
            if planned == servers[at].plan:
                came = servers[at].done(now)
                plan(at, now)
                if came >= warmup:
                    times.append(now - came)
            continue
        heapq.heappush(events, (now + draws.expovariate(0.7 * len(servers)), -1, 0))
        client = draws.randrange(CLIENTS)
        pool = pools[client] = [probe for probe in pools[client] if now - probe[3] <= AGE]
        to = draws.randrange(len(servers))
        if len(pool) > 1:
            probe = chosen(pool, quantile, draws)
            to = int(probe[0])
            probe[1] += 1.0
            probe[4] -= 1.0
            if probe[4] < 1.0:
                pool.remove(probe)
            if pool:
                pool.remove(min(pool, key=lambda probe: probe[3]) if oldest[client] else worst(pool, quantile))
                oldest[client] = not oldest[client]
        for asked in draws.sample(range(len(servers)), PROBES):
            pool[:] = [probe for probe in pool if probe[0] != asked]
            if len(pool) == POOL:
                pool.remove(min(pool, key=lambda probe: probe[3]))
            carried[client] += uses
            may = math.floor(carried[client])
            carried[client] -= may
            flying = len(servers[asked].jobs)
            pool.append([asked, flying, servers[asked].alone * (flying + 1), now, may])
        server = servers[to]
        server.until(now)
        heapq.heappush(server.jobs, (server.work + draws.expovariate(1.0), now, len(server.jobs)))
        plan(to, now)
    times.sort()
    return times[math.floor(0.99 * len(times))]


if __name__ == "__main__":
    print(
        "p99 by quantile with 99 % intervals, by how many requests a server averages over (1 / weight of the newest)\n"
    )
    for last in (32, 5):
        rows = {q: [tail(q, 1.0 / last, seed) for seed in range(10)] for q in (0.0, 0.5, 0.7, 0.84, 0.95, 1.0)}
        told = (f"{q:g}: {statistics.mean(row):.1f} ± {statistics.stdev(row) * 1.03:.1f}" for q, row in rows.items())
        print(f"{last:3d} requests | " + " | ".join(told))
