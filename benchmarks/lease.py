"""acquire + done: picking, accounting for it, and feeding the signals."""

from __future__ import annotations

import itertools
import time
from typing import Any

import lbalgo as lb
from lbalgo.gates import Limits, RetryBudget, Shedding

from .scalar import CYCLE, KEYS, pool
from .timing import Bar, Case, over_keys, statement

GATES: dict[str, list[Any]] = {
    "Limits": [Limits(pool=100, per_backend=10)],
    "FlowTable": [lb.FlowTable(1 << 16)],
    "Sticky": [lb.Sticky((b"0123456789abcdef",))],
    "Limits + RetryBudget + Shedding": [Limits(), RetryBudget(), Shedding()],
}

ATTACHED = "slow start + ejection"
NAMES = ("WeightedRoundRobin", "PowerOfTwo", "Maglev")
BARS = (
    *(Bar(f"{name}, {ATTACHED}", CYCLE, 8.0) for name in NAMES),
    *(Bar(f"{name}, {ATTACHED}, with-block", CYCLE, 12.0) for name in NAMES),
)


class NullBalancer:
    """Does what has to be done whatever the library: an object per request, and one call to end it."""

    def __init__(self, backend: object) -> None:
        self.backend = backend

    def acquire(self) -> NullBalancer:
        return self

    def done(self) -> None:
        pass


def balancer(policy: Any, n: int = 100, signals: bool = True) -> lb.Balancer[Any]:
    """A balancer over n backends, with slow start and ejection attached or not."""
    attached = (lb.SlowStart(60.0), lb.OutlierEjection()) if signals else ()
    return lb.Balancer(policy, pool(n, policy), signals=attached, seed=1)


def cases(quick: bool) -> list[Case]:
    """The pair for a rotating, a load-aware and a keyed policy, with signals and without."""
    out = [
        statement(CYCLE, "f(c)", f=next, c=itertools.cycle(list(pool(100)))),
        statement("null balancer", "f().done()", f=NullBalancer(None).acquire),
    ]
    for name, policy in (("WeightedRoundRobin", lb.WeightedRoundRobin()), ("PowerOfTwo", lb.PowerOfTwo())):
        out.append(statement(f"{name}, bare", "f().done()", f=balancer(policy, signals=False).acquire))
        out.append(statement(f"{name}, {ATTACHED}", "f().done()", f=balancer(policy).acquire))
        blocks = balancer(policy).acquire
        out.append(statement(f"{name}, {ATTACHED}, with-block", "with f() as lease: pass", f=blocks))
    out.append(over_keys(f"Maglev, {ATTACHED}", "f(k).done()", KEYS, f=balancer(lb.Maglev()).acquire))
    blocks = balancer(lb.Maglev()).acquire
    out.append(over_keys(f"Maglev, {ATTACHED}, with-block", "with f(k) as lease: pass", KEYS, f=blocks))
    for name, gates in GATES.items():
        keyed = lb.Balancer(lb.Maglev(), pool(100, lb.Maglev()), seed=1, gates=gates, clock=time.time)
        out.append(over_keys(f"Maglev, {name}", "f(k).done()", KEYS, f=keyed.acquire))
    return out
