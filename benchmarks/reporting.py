"""`python -m benchmarks.reporting [name …]`: policies that are told things, on a small simulation that tells them.

One client, Poisson arrivals, FIFO servers of speed 1, exponential service: no more than a heap of events. What a policy
is to be told at each arrival (answers to probes, reports) is a function of the study's.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lbalgo import LeastConnections, LeastLoaded, Outcome, PowerOfTwo
from lbalgo.active import Stream
from lbalgo.loads import Reported
from lbalgo.policies import AdaptiveChoices, JoinIdleQueue, OrcaWeights, PidWeights, Prequal, Probe, WeightedByReport
from lbalgo.report import Report

Hook = Callable[["Servers", float], None]


class Servers:
    """Queues of requests by server.

    Attributes
    ----------
    picker : chooses; its load is told of every request.
    queues, sent : by slot, requests at the server and sent there so far.
    """

    def __init__(
        self,
        picker: Any,
        rate: float,
        *,
        seed: int = 1,
        failing: Iterable[int] = (),
        before: Hook | None = None,
        after: Hook | None = None,
    ) -> None:
        self.picker, self.rate, self.failing = picker, rate, set(failing)
        self.before, self.after = before, after
        self.gaps, self.works = Stream(seed, 1), Stream(seed, 2)
        self.queues = [0] * len(picker.backends)
        self.sent = [0] * len(picker.backends)
        self._free = [0.0] * len(picker.backends)
        self._slots = {backend.id: slot for slot, backend in enumerate(picker.backends)}

    def run(self, requests: int, warm: float = 0.2) -> float:
        """Sends so many requests; the mean time in system of those that succeed, the first part `warm` left out."""
        ends: list[tuple[float, int, float]] = []
        now, total, count, load, rows = 0.0, 0.0, 0, self.picker.load, self.picker.rows.tolist()
        for number in range(requests):
            now -= math.log(1.0 - self.gaps.uniform()) / self.rate
            while ends and ends[0][0] <= now:
                end, slot, began = heapq.heappop(ends)
                self.queues[slot] -= 1
                load.finished(rows[slot], Outcome.SUCCESS, end - began, end)
            load.advance(now)
            if self.before is not None:
                self.before(self, now)
            slot = self._slots[self.picker.pick().id]
            load.started(rows[slot], 1.0, now)
            self.sent[slot] += 1
            if slot in self.failing:
                load.finished(rows[slot], Outcome.SERVER_ERROR, 0.0, now)
            else:
                end = max(self._free[slot], now) - math.log(1.0 - self.works.uniform())
                self._free[slot] = end
                self.queues[slot] += 1
                heapq.heappush(ends, (end, slot, now))
                if number >= warm * requests:
                    total, count = total + end - now, count + 1
            if self.after is not None:
                self.after(self, now)
        return total / count


def probing(policy: Prequal) -> Hook:
    """Answers all probes at once: requests in the queue, and how long they and one more will take on average."""

    def answer(servers: Servers, now: float) -> None:
        for backend in policy.to_probe(servers.picker):
            slot = servers._slots[backend.id]
            rif = servers.queues[slot]
            latency = 0.001 if slot in servers.failing else rif + 1.0
            servers.picker.load.reported(servers.picker.rows.item(slot), Probe(rif, latency), now)

    return answer


def lost(policy: Prequal, requests: int) -> float:
    """Part of the requests that one of ten servers, which fails at once, gets; the others would be 90 % busy."""
    picker = policy.build([f"b{i}" for i in range(10)])
    servers = Servers(picker, 0.9 * 9, failing=[0], after=probing(policy))
    servers.run(requests)
    return servers.sent[0] / requests


def prequal(requests: int) -> None:
    """The sinkhole, with and without aversion to errors."""
    for aversion in (1.0, 0.2):
        print(f"aversion={aversion}: {lost(Prequal(aversion=aversion, age=10.0), requests):.1%} lost")


def mean_time(policy: Any, load: float, requests: int, servers: int = 100) -> float:
    """Mean time in system, in service times, of so many servers under a policy that counts requests."""
    return Servers(policy.build([f"b{i}" for i in range(servers)]), load * servers).run(requests)


def idle(requests: int) -> None:
    """Join idle queue beside two choices and the shortest of all queues."""
    for load in (0.5, 0.9, 0.95):
        for policy in (JoinIdleQueue(), JoinIdleQueue(choices=2), PowerOfTwo(), LeastConnections()):
            print(f"load {load} {policy!r}: {mean_time(policy, load, requests):.3f}")


def stale(policy: Any, every: float, load: float, requests: int, servers: int = 100) -> float:
    """Mean time in system where all queues are published at once, every so many service times."""
    told = [0]

    def publish(system: Servers, now: float) -> None:
        if now >= told[0] * every:
            told[0] = math.floor(now / every) + 1 if every else 0
            state = system.picker.load
            for row, queue in zip(system.picker.rows.tolist(), system.queues, strict=True):
                state.reported(row, Report(queue), now)

    picker = policy.build([f"b{i}" for i in range(servers)])
    return Servers(picker, load * servers, before=publish).run(requests)


def adaptive(requests: int) -> None:
    """Adaptive choices beside a fixed number, by how often queues are published."""
    board = Reported(blackout=0.0, expiry=1e9)
    fixed = [LeastLoaded(board), PowerOfTwo(3, board), PowerOfTwo(2, board), PowerOfTwo(1, board)]
    for every in (0.1, 0.5, 2.0, 5.0, 20.0, 50.0):
        times = [stale(policy, every, 0.9, requests) for policy in (AdaptiveChoices(board, 1.0), *fixed)]
        print(f"every {every}: adaptive, all, 3, 2, 1:", *(f"{time:.2f}" for time in times))


def plant(rule: Any, periods: int, capacities: Any, others: Any, load: float) -> list[float]:
    """Most used over the mean, by period: utilisation is share of the demand over capacity, and other work."""
    picker = WeightedByReport(rule).build([f"b{i}" for i in range(len(capacities))])
    demand, ratios = load * capacities.sum(), []
    for period in range(periods):
        sent = picker.shares() * demand
        used = sent / capacities + others
        ratios.append(float(used.max() / used.mean()))
        for row, each in enumerate(used.tolist()):
            picker.load.reported(row, Report(each, qps=float(sent[row])), float(period))
        picker.load.advance(period + 1.0)
    return ratios


def weighted(requests: int) -> None:
    """Weights by report on servers of three sizes, and on one of four that has other work to do."""
    sizes, busy, alike = np.array([1.0, 1.0, 4.0, 8.0]), np.array([0.4, 0.0, 0.0, 0.0]), np.ones(4)
    for rule in (OrcaWeights(blackout=0.0), PidWeights()):
        for name, run in (
            ("sizes", plant(rule, 41, sizes, 0.0, 0.6)),
            ("other work", plant(rule, 41, alike, busy, 0.5)),
        ):
            print(f"{type(rule).__name__}, {name}:", *(f"{run[at]:.3f}" for at in (0, 1, 5, 10, 20, 40)))


STUDIES: dict[str, Callable[[int], None]] = {
    "prequal": prequal,
    "idle": idle,
    "adaptive": adaptive,
    "weighted": weighted,
}


def main() -> None:
    """Prints the studies named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*STUDIES, []], default=[*STUDIES])
    parser.add_argument("--requests", type=int, default=50_000)
    options = parser.parse_args()
    for name in options.names:
        print(name)
        STUDIES[name](options.requests)


if __name__ == "__main__":
    main()
