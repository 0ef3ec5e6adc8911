"""What balancers know, and how old it is: boards that publish all queues, and clients that see only their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lbalgo as lb
from benchmarks.figure import Figure, Origin, Side, sample
from benchmarks.load_aware.queues import THREE, TWO, pool, turns
from lbalgo.sim import Board, Poisson, Scenario, Servers

SHORTEST = lb.LeastLoaded()
BOARDS: dict[
    Any, dict[float, float]
] = {  # mean time in system by seconds between two publications, N = 100, load .9; random choice: 10
    TWO: {0.1: 2.68, 0.5: 2.80, 1.0: 2.98, 2.0: 3.26, 5.0: 4.01, 10.0: 5.11, 20.0: 7.08, 50.0: 12.50},
    THREE: {0.1: 2.12, 0.5: 2.34, 1.0: 2.60, 2.0: 3.06, 5.0: 4.34, 10.0: 6.31, 20.0: 10.08, 50.0: 21.18},
    SHORTEST: {0.1: 1.55, 0.5: 2.82, 1.0: 4.05, 2.0: 6.17, 5.0: 12.15, 10.0: 23.56},
}
NAMES = {TWO: "2 choices", THREE: "3 choices", SHORTEST: "shortest queue"}


def stale(policy: Any, age: float, quick: bool) -> list[float]:
    """Mean times in system; the same arrivals and work for every policy and age."""
    long = 4.0 if policy == SHORTEST and age else 1.0  # herds make long waves
    duration, warmup = (400.0 * long, 200.0) if quick else (long * max(1000.0, 40.0 * age), 400.0)
    return sample(pool(policy, 100, 0.9, duration, warmup).but(board=Board(age) if age else None))


def boards(quick: bool) -> Iterator[Figure]:
    """All queues are published every so many mean service times, and everybody goes by that.

    The more one compares, the more one loses by old news: all requests between two publications go to the few that
    were shortest. The last lines are the crossings: who is better, fresh and old.

    Source: the model is Mitzenmacher's, "How useful is old information?", IEEE TPDS 11 (2000); the values are of a
    simulation in C that shares no code with this one, with an error of some percent where everybody herds.
    """
    ages = (1.0, 5.0) if quick else (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
    found = {}
    for policy, known in BOARDS.items():
        for age in ages:
            if age in known:
                found[policy, age] = stale(policy, age, quick)
                what = f"{NAMES[policy]}, board every {age:g}"
                yield Figure(what, known[age], Origin.SIMULATION, found[policy, age], within=0.05)
        found[policy, 0.0] = stale(policy, 0.0, quick)
    flips: list[tuple[Any, Any, float, Side]] = [(SHORTEST, TWO, 0.0, Side.BELOW), (SHORTEST, TWO, 1.0, Side.ABOVE)]
    flips += [(THREE, TWO, 1.0, Side.BELOW), (THREE, TWO, 5.0, Side.ABOVE)]
    if not quick:
        flips += [(SHORTEST, TWO, 0.1, Side.BELOW), (THREE, TWO, 2.0, Side.BELOW)]
    for one, other, age, side in flips:
        ratios = [a / b for a, b in zip(found[one, age], found[other, age], strict=True)]
        when = f"board every {age:g}" if age else "fresh"
        yield Figure(f"{NAMES[one]} over {NAMES[other]}, {when}", 1.0, Origin.SIMULATION, ratios, side=side)
    for policy, age in ((SHORTEST, 5.0),) if quick else ((SHORTEST, 5.0), (TWO, 50.0)):
        random = [mean / 10.0 for mean in found[policy, age]]
        what = f"{NAMES[policy]} over random, board every {age:g}"
        yield Figure(what, 1.0, Origin.SIMULATION, random, side=Side.ABOVE)


CLIENTS: dict[Any, dict[int, float]] = {  # mean time in system by number of clients, N = 20, load .9, processor sharing
    SHORTEST: {1: 1.468, 10: 3.677, 100: 7.023},
    TWO: {1: 2.782, 10: 4.282, 100: 7.025},
    lb.RoundRobin(): {1: 5.28, 10: 5.78, 100: 7.26},
}


def clients(quick: bool) -> Iterator[Figure]:
    """Many clients that know of their own requests only: the more there are, the less their counts say.

    One client's round robin makes E_N/M/1 queues, whose mean is the same under processor sharing, as work is
    exponential; the law is used instead of the value given, which lies 2.6 % below it.

    Source: a simulation in C that shares no code with this one, its own error up to 4 %.
    """
    for policy, known in CLIENTS.items():
        for many, value in known.items():
            if quick and many > 1 and policy == lb.RoundRobin():
                continue
            law = policy == lb.RoundRobin() and many == 1
            quickly = 25_000.0 if law else 8000.0 if many == 100 else 3000.0
            duration, warmup = (quickly, 500.0) if quick else (25_000.0, 1000.0)
            scenario = Scenario(
                policy,
                (Servers(20, sharing=True),),
                Poisson(18.0),
                duration=warmup + duration,
                warmup=warmup,
                clients=many,
            )
            name = NAMES.get(policy, "round robin")
            what = f"{name}, {many} client{'s' if many > 1 else ''}"
            if law:
                yield Figure(what, turns(20, 0.9), Origin.LAW, sample(scenario))
            else:
                yield Figure(what, value, Origin.SIMULATION, sample(scenario), within=0.04)
