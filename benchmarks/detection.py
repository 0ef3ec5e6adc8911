"""`python -m benchmarks.detection`: every detector on the same traces, beside the rules Envoy ships.

A trace is a Poisson stream of requests to 20 backends for 200 s, of which some fall ill at 60 s and stay so. Every
detector, alone in an ejection machine whose budget is half of the pool, is shown the same traces, minus what it keeps
from ejected backends. Shown are, over all traces of a scenario: how many of the ill it found, the median of how long
after they fell ill, and how many ejections of healthy backends there were. Ejections of the ill before 60 s count as
false too. What an outcome costs is timed through a Balancer, acquire and done together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns
from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.events import Ejected, Readmitted
from lbalgo.signals import Breaker, FailureEwma, LatencyQuantile, Sequential, Statistical

BACKENDS, END, ILL_FROM = 20, 200.0, 60.0
IDS = [f"b{i:02}" for i in range(BACKENDS)]
MEAN_LATENCY = 0.05  # seconds, exponential

DETECTORS: dict[str, tuple[Any, ...]] = {
    "Envoy: 5 errors in a row": (lb.ConsecutiveErrors(),),
    "Envoy: success rate": (lb.SuccessRate(),),
    "Envoy: failure percentage": (lb.FailurePercentage(),),
    "Statistical": (Statistical(),),
    "Sequential": (Sequential(),),
    "FailureEwma": (FailureEwma(),),
    "Breaker": (Breaker(),),
    "LatencyQuantile": (LatencyQuantile(),),
    "LatencyQuantile 0.9": (LatencyQuantile(0.9),),
}


@dataclass(frozen=True)
class Scenario:
    """How many are ill, how; `rate` is requests a second to each backend."""

    name: str
    ill: int
    failing: float
    slower: float = 1.0
    healthy: float = 0.001
    rate: float = 10.0


SCENARIOS = (
    Scenario("one dead", 1, 1.0),
    Scenario("one dead, 1 request/s", 1, 1.0, rate=1.0),
    Scenario("one fails half", 1, 0.5),
    Scenario("one fails a tenth", 1, 0.1),
    Scenario("5 of 20 fail a third", 5, 1 / 3),
    Scenario("one 5 times slower", 1, 0.001, slower=5.0),
    Scenario("all healthy, failing 5 %", 0, 0.05, healthy=0.05),
    Scenario("all healthy, failing 20 %", 0, 0.2, healthy=0.2),
)


def trace(scenario: Scenario, seed: int) -> Iterator[tuple[float, int, lb.Outcome, float]]:
    """(instant, backend, outcome, latency), in order of time."""
    rng = np.random.default_rng([seed, len(scenario.name)])
    n = int(rng.poisson(scenario.rate * BACKENDS * END))
    times = np.sort(rng.uniform(0.0, END, n))
    slots = rng.integers(0, BACKENDS, n)
    ill = (times >= ILL_FROM) & (slots < scenario.ill)
    failed = rng.random(n) < np.where(ill, scenario.failing, scenario.healthy)
    latency = rng.exponential(MEAN_LATENCY, n) * np.where(ill, scenario.slower, 1.0)
    for t, slot, bad, seconds in zip(times.tolist(), slots.tolist(), failed.tolist(), latency.tolist(), strict=True):
        yield t, slot, lb.Outcome.SERVER_ERROR if bad else lb.Outcome.SUCCESS, seconds


def judge(detectors: tuple[Any, ...], scenario: Scenario, seed: int) -> tuple[list[float], int]:
    """Delays of the ill that were found, and ejections of backends that were not ill."""
    signal = lb.OutlierEjection(detectors, max_ejection_percent=50)
    signal.sync(IDS, 0.0)
    out: set[str] = set()
    found: dict[str, float] = {}
    false = 0
    for now, slot, outcome, latency in trace(scenario, seed):
        signal.advance(now)
        for event in signal.drain_events():
            false += note(event, out, found, scenario)
        if IDS[slot] not in out:
            signal.observe(slot, outcome, latency, now)
    for event in signal.drain_events():
        false += note(event, out, found, scenario)
    return list(found.values()), false


def note(event: Any, out: set[str], found: dict[str, float], scenario: Scenario) -> bool:
    """Keep book of an event; whether it is a false ejection."""
    if isinstance(event, Readmitted):
        out.discard(event.id)
    if not isinstance(event, Ejected):
        return False
    out.add(event.id)
    if IDS.index(event.id) < scenario.ill and event.now >= ILL_FROM:
        found.setdefault(event.id, event.now - ILL_FROM)
        return False
    return True


def cost(detectors: tuple[Any, ...], rounds: int, calls: int = 10_000) -> float:
    """Least nanoseconds of acquire and done, over the rounds, with these detectors attached."""
    signals = [lb.OutlierEjection(detectors)] if detectors else []
    acquire = lb.Balancer(lb.Random(), IDS, signals=signals, seed=1).acquire
    best = float("inf")
    for _ in range(rounds):
        begin = perf_counter_ns()
        for _ in range(calls):
            acquire().done()
        best = min(best, (perf_counter_ns() - begin) / calls)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--traces", type=int, default=3, help="traces of each scenario")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the timing, 0 for none")
    options = parser.parse_args()
    for scenario in SCENARIOS:
        hours = options.traces * END / 3600 * BACKENDS
        print(f"\n{scenario.name}" + ("" if scenario.ill else f" ({hours:.1f} backend-hours)"))
        for name, detectors in DETECTORS.items():
            runs = [judge(detectors, scenario, seed) for seed in range(options.traces)]
            delays, false = [d for found, _ in runs for d in found], sum(f for _, f in runs)
            said = f"{len(delays)} of {scenario.ill * options.traces}" if scenario.ill else ""
            when = f"after {median(delays):6.2f} s" if delays else ""
            print(f"  {name:<26} {said:>9} {when:<15} {false:>4} false")
    if options.rounds:
        print(f"\nacquire and done, nanoseconds, least of {options.rounds} rounds ({lb.kernels()})")
        print(f"  {'no signal':<26} {cost((), options.rounds):>8.0f}")
        for name, detectors in DETECTORS.items():
            print(f"  {name:<26} {cost(detectors, options.rounds):>8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
