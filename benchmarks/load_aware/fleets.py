"""Pools whose servers are not alike: fast and slow ones, one that fails at once, one that has become slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lbalgo as lb
from benchmarks.figure import Figure, Origin, Side, mean, p99, sample, samples
from benchmarks.load_aware.queues import TWO
from lbalgo.loads import FailurePenalty, PeakEwma
from lbalgo.policies import Prequal
from lbalgo.sim import FailFast, Poisson, Probes, Result, Scenario, Servers, Slow

SHORTEST = lb.LeastLoaded()
MEASURED = lb.PowerOfTwo(load=PeakEwma(tau=100.0, initial=1.0))
PENALISED = lb.PowerOfTwo(load=FailurePenalty(PeakEwma(tau=100.0, initial=1.0), penalty=50.0))
SLOW, FAST = Servers(50, "slow", speed=2 / 3, sharing=True), Servers(50, "fast", speed=4 / 3, sharing=True)


def fleet(policy: Any, clients: int, duration: float, warmup: float) -> Scenario:
    ends = warmup + duration
    return Scenario(policy, (SLOW, FAST), Poisson(90.0), duration=ends, warmup=warmup, clients=clients)


def heterogeneity(quick: bool) -> Iterator[Figure]:
    """Half of 100 servers are half as fast as the others; processor sharing, load .9 of all they can do.

    Round robin sends each slow server .9 requests a second, of which it does 2/3: its queue grows by the difference for
    ever, a law without any chance in the long run. Latency (peak EWMA, 100 mean service times) tells ten clients less
    than comparing all their counts does, and more than comparing two.

    Source: a simulation in C that shares no code with this one, its own error some percent.
    """
    duration, warmup = (1600.0, 400.0) if quick else (8000.0, 1000.0)

    def growth(result: Result) -> float:
        return float(result.present[:50].mean()) / result.duration

    turns = fleet(lb.RoundRobin(), 1, duration, 0.0)
    yield Figure("fast and slow, round robin: growth of a slow queue", 0.9 - 2 / 3, Origin.LAW, sample(turns, growth))
    known: list[tuple[str, Any, int, float, float | None]] = [
        ("shortest queue", SHORTEST, 10, 4.69, 32.6),
        ("2 choices", TWO, 10, 7.58, 59.5),
        ("2 choices by peak EWMA", MEASURED, 10, 5.61, 38.2),
        ("2 choices", TWO, 1, 3.50, 22.4),
        ("shortest queue", SHORTEST, 1, 1.09, 6.1),
    ]
    if not quick:
        known += [
            ("shortest queue", SHORTEST, 100, 26.3, None),
            ("2 choices", TWO, 100, 36.1, None),
            ("2 choices by peak EWMA", MEASURED, 100, 15.3, None),
        ]
    for name, policy, clients, middle, tail in known:
        means, tails = samples(fleet(policy, clients, duration, warmup), mean, p99)
        what = f"fast and slow, {name}, {clients} client{'s' if clients > 1 else ''}"
        yield Figure(what, middle, Origin.SIMULATION, means, within=0.05)
        if tail is not None:
            yield Figure(f"{what}: p99", tail, Origin.SIMULATION, tails, within=0.05)


TEN = (Servers(10, sharing=True),)
LAST = "server-9"


def share(result: Result) -> float:
    """The part of all requests that the last server gets."""
    return float(result.received[-1] / result.arrived)


def sinkhole(quick: bool) -> Iterator[Figure]:
    """One of ten servers answers at once, with an error; the other nine would be 90 % busy without it.

    Whoever goes by what is in flight, or by latency, takes the useless server for the best of all, and sends it more
    than round robin does. Under two choices by latency it wins whenever it is drawn, which is 2 / N. The cure is to
    record a failure as a slow answer: 50 mean service times here.

    Source: 1 / N and 2 / N are laws; the others a simulation in C that shares no code with this one.
    """
    duration = 3000.0 if quick else 20_000.0
    known: list[tuple[str, Any, float, Origin]] = [
        ("round robin", lb.RoundRobin(), 0.1, Origin.LAW),
        ("shortest queue", SHORTEST, 0.298, Origin.SIMULATION),
        ("2 choices", TWO, 0.176, Origin.SIMULATION),
        ("2 choices by peak EWMA", MEASURED, 0.2, Origin.LAW),
        ("2 choices by peak EWMA, penalty", PENALISED, 0.044, Origin.SIMULATION),
    ]
    for name, policy, expected, origin in known:
        scenario = Scenario(policy, TEN, Poisson(8.1), duration=duration, changes=(FailFast(0.0, LAST),))
        found = sample(scenario, share)
        within = 0.02 if origin is Origin.SIMULATION else 0.0
        if policy is PENALISED:
            yield Figure(f"sinkhole, {name}: share lost", 0.05, origin, found, side=Side.BELOW)
            if quick:
                continue  # so few are lost that it takes long to say how many
        yield Figure(f"sinkhole, {name}: share lost", expected, origin, found, within=within)


ALONE = 37.8  # p99 at quantile 1 by `benchmarks.load_aware.probing`, over 32 requests


def prequal(quick: bool) -> Iterator[Figure]:
    """Prequal's quantile: below it a server is called cold, and of the cold the fastest is chosen; 0 is requests alone.

    A hundred clients, load .7, and servers that run eight requests side by side before they share: so that a server can
    be fast and busy, and both say something. The tail is a valley between requests alone and latency alone.

    Latency alone is as good as its estimate. Here a server averages over its last 32 requests; over five, latency
    alone is worse than requests alone.

    Source: a simulation in C that shares no code with this one, its own error up to 4 %; the valley is the paper's. It
    has 56.8 at quantile 1 and does not say over how many requests it averages; there the expectation is that of
    `python -m benchmarks.load_aware.probing`, plain Python which shares nothing with the library either.
    """
    if quick:
        return
    eight = (Servers(50, "slow", 8, 2 / 24, sharing=True), Servers(50, "fast", 8, 4 / 24, sharing=True))
    for quantile, tail in ((0.0, 43.6), (0.5, 40.2), (0.7, 38.4), (0.84, 38.7), (1.0, ALONE)):
        policy = Prequal(age=80.0, quantile=quantile, aversion=1.0)
        scenario = Scenario(policy, eight, Poisson(70.0), 800.0, warmup=200.0, clients=100, probes=Probes())
        found = sample(scenario, p99, 20 if quantile == 1.0 else 10)  # alone, latency makes waves
        yield Figure(f"Prequal, quantile {quantile:g}: p99", tail, Origin.SIMULATION, found, 0.04)


def full(load: float, room: int, speed: float) -> tuple[float, float]:
    """M/M/1 with room for so many requests: the part refused, and the mean time in system of the others."""
    rho = load / speed
    chances = [rho**k for k in range(room + 1)]
    total = sum(chances)
    refused = chances[-1] / total
    present = sum(k * chance for k, chance in enumerate(chances)) / total
    return refused, present / (load * (1.0 - refused))


def slow_server(quick: bool) -> Iterator[Figure]:
    """One of ten servers becomes ten times as slow, while the others are half busy.

    Round robin still sends it a tenth, 4.5 times what it can do: its queue grows for ever, and every tenth request
    hangs. A limit of ten waiting turns that into 8 % refused, and into answers that take a hundred mean services where
    they are not. Random choice makes each server an M/M/1 with room for eleven, whose law says what the whole pool's
    mean becomes. Whoever compares hardly notices.

    Source: laws of M/M/1/K; a simulation in C that shares no code with this one (two digits of shares).
    """
    duration, warmup = (12_000.0, 400.0) if quick else (20_000.0, 1000.0)
    base = Scenario(
        lb.RoundRobin(),
        TEN,
        Poisson(4.5),
        duration=warmup + duration,
        warmup=warmup,
        changes=(Slow(0.0, LAST, 0.1),),
    )

    def growth(result: Result) -> float:
        return float(result.present[-1] / result.duration)

    def refused(result: Result) -> float:
        return result.error_rate

    yield Figure("one slow of ten, round robin: growth of its queue", 0.35, Origin.LAW, sample(base, growth))
    limited = base.but(servers=(Servers(10, queue_limit=10),))
    yield Figure(
        "one slow of ten, round robin, queue limit 10: refused", 0.35 / 4.5, Origin.LAW, sample(limited, refused)
    )
    lost, means = samples(limited.but(policy=lb.Random()), refused, mean)
    (slow_lost, slow_mean), (fast_lost, fast_mean) = full(0.45, 11, 0.1), full(0.45, 11, 1.0)
    served = 0.9 * (1.0 - fast_lost) + 0.1 * (1.0 - slow_lost)
    law = (0.9 * (1.0 - fast_lost) * fast_mean + 0.1 * (1.0 - slow_lost) * slow_mean) / served
    yield Figure("one slow of ten, random, queue limit 10: refused", 1.0 - served, Origin.LAW, lost)
    yield Figure("one slow of ten, random, queue limit 10: mean", law, Origin.LAW, means)
    known: list[tuple[str, Any, float, float, float]] = [
        ("shortest queue", SHORTEST, 0.020, 0.025, 8.1),
        ("2 choices", TWO, 0.021, 0.025, 16.7),
        ("2 choices by peak EWMA", MEASURED, 0.008, 0.06, 8.1),
    ]
    for name, policy, part, within, tail in known:
        shares, tails = samples(base.but(policy=policy), share, p99)
        what = f"one slow of ten, {name}"
        yield Figure(f"{what}: its share", part, Origin.SIMULATION, shares, within=within)
        yield Figure(f"{what}: p99", tail, Origin.SIMULATION, tails, within=0.03)
