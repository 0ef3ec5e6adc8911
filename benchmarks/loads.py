"""Picks by live load: what each load costs beside a count, and the least of ten beside the least of ten thousand."""

from __future__ import annotations

from collections import deque
from itertools import cycle, repeat
from random import Random
from typing import Any

import lbalgo as lb
from lbalgo.loads import (
    Blend,
    FailurePenalty,
    InFlight,
    InFlightAge,
    LatencyEwma,
    PeakEwma,
    Product,
    Reported,
    Sum,
)
from lbalgo.report import Report

from .scalar import pool
from .timing import Bar, Case, statement

LOADS: dict[str, Any] = {
    "InFlight": InFlight(),
    "LatencyEwma": LatencyEwma(),
    "PeakEwma": PeakEwma(),
    "FailurePenalty(PeakEwma)": FailurePenalty(PeakEwma()),
    "InFlight x age of latency": Product(InFlight(), InFlightAge(LatencyEwma(peak=True))),
    "Reported": Reported(),
    "InFlight + Reported": Sum(InFlight(), Reported(), weights=(1.0, 10.0)),
    "Blend": Blend(),
}
SIZES = (10, 10_000)
TURNS = "{} acquire + done, N={}, {} in flight"
PAIRS = "LeastLoaded pick + release, {} weights, N={}, {} in flight"
BLIND = "No decision + release, N={}, {} in flight"
BARS = (
    Bar("PowerOfTwo by PeakEwma", "PowerOfTwo by InFlight", 2.0),
    Bar(TURNS.format("LeastLoaded", 10_000, 10), TURNS.format("LeastLoaded", 10, 10), 1.5),
    Bar(PAIRS.format("equal", 10_000, 10), PAIRS.format("equal", 10, 10), 1.5),
    Bar(PAIRS.format("equal", 10_000, 40_000), PAIRS.format("equal", 10, 40), 1.5),
    Bar(PAIRS.format("unequal", 10_000, 10), PAIRS.format("unequal", 10, 10), 8.0),
    Bar(PAIRS.format("unequal", 10_000, 40_000), PAIRS.format("unequal", 10, 40), 8.0),
)


def picker(load: Any, n: int = 100) -> Any:
    """Two choices over n backends that were all measured, and have reported, a while ago."""
    made = lb.PowerOfTwo(load=load).build(pool(n))
    for row in range(n):
        made.load.started(row, 1.0, 10.0)
        made.load.finished(row, lb.Outcome.SUCCESS, 0.01 + row / 1000, 10.0 + row / 100)
        if hasattr(made.load, "reported"):
            for now in (11.0, 22.0):
                made.load.reported(row, Report(row / n, 10.0, 0.1), now)
    made.load.advance(30.0)
    return made


def turnover(policy: Any, n: int, flying: int) -> Case:
    """acquire and done, each lease ending when `flying` others have been given out since."""
    acquire = lb.Balancer(policy, pool(n), seed=1).acquire
    open_ = deque(acquire() for _ in range(flying))
    push, pop = open_.append, open_.popleft

    def run(times: int) -> None:
        for _ in repeat(None, times):
            push(acquire())
            pop().done()

    return Case(TURNS.format(type(policy).__name__, n, flying), run)


def pair(n: int, equal: bool, flying: int, blind: bool = False) -> Case:
    """pick, the load told of it, and of the end of the request that began `flying` picks before.

    A backend carries its row, as a proxy's would: a dictionary of frozen dataclasses costs more than a pick, and of ten
    thousand three times what it costs of ten. With `blind` nobody decides: backends come from a shuffled list, which is
    what Python and the load alone cost, and how that grows with what no longer fits the caches.
    """
    members = [lb.Endpoint(name, 1.0 if equal else w, payload=row) for row, (name, w) in enumerate(pool(n).items())]
    picker = lb.LeastLoaded().build(members)
    assert picker.rows.tolist() == list(range(n))
    pick: Any = picker.pick
    started, finished = picker.load.started, picker.load.finished
    if blind:
        pick = cycle(Random(1).choices(members, k=max(n, 1 << 12))).__next__
    open_: deque[int] = deque()
    push, pop, ok = open_.append, open_.popleft, lb.Outcome.SUCCESS
    for _ in range(flying):
        row = pick().payload
        started(row, 1.0, 0.0)
        push(row)

    def run(times: int) -> None:
        for _ in repeat(None, times):
            row = pick().payload
            started(row, 1.0, 0.0)
            push(row)
            finished(pop(), ok, None, 0.0)

    name = BLIND.format(n, flying) if blind else PAIRS.format("equal" if equal else "unequal", n, flying)
    return Case(name, run)


def cases(quick: bool) -> list[Case]:
    """Picks of two by every load, then whole turns of the least loaded; the quick table is as large."""
    picks = [statement(f"PowerOfTwo by {name}", "f()", f=picker(load).pick) for name, load in LOADS.items()]
    least = lb.LeastLoaded()
    turns = [turnover(least, n, flying) for n in SIZES for flying in sorted({10, n})]
    pairs = [pair(n, equal, flying) for equal in (True, False) for n in SIZES for flying in (10, 4 * n)]
    pairs += [pair(n, True, flying, blind=True) for n in SIZES for flying in (10, 4 * n)]
    return [*picks, *turns, *pairs, *(turnover(lb.PowerOfTwo(), n, 10) for n in SIZES)]
