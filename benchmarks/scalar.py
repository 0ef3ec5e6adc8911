"""One pick at a time, as a proxy makes it: floors and ours; `peers.py` has those of others."""

from __future__ import annotations

import itertools
import random
from typing import Any

import xxhash

import lbalgo as lb

from .timing import Bar, Case, over_keys, statement

KEYS = [f"user-{i:011d}" for i in range(1000)]  # 16 characters each
POLICIES: dict[str, Any] = {
    "Maglev": lb.Maglev(),
    "RingHash": lb.RingHash(),
    "Rendezvous": lb.Rendezvous(),
    "Jump": lb.Jump(),
    "RoundRobin": lb.RoundRobin(),
    "WeightedRoundRobin": lb.WeightedRoundRobin(),
    "Random": lb.Random(),
    "LeastConnections": lb.LeastConnections(),
    "PowerOfTwo": lb.PowerOfTwo(),
}
KEYED = ("Maglev", "RingHash", "Rendezvous", "Jump")
XXH64, CYCLE = "xxhash.xxh64_intdigest(16 bytes)", "next(itertools.cycle)"
BARS = (
    Bar("Maglev, N=100", XXH64, 1.3),
    Bar("RingHash, N=100", XXH64, 1.3),
    Bar("WeightedRoundRobin, N=100", CYCLE, 1.3),
    Bar("PowerOfTwo, N=100", CYCLE, 1.6),
)


def pool(n: int, policy: Any = None) -> dict[str, float]:
    """Backends of weight 1, 2 or 3; equal ones for Jump, which takes no others."""
    return {f"10.0.{i // 256}.{i % 256}:80": 1.0 if isinstance(policy, lb.Jump) else 1.0 + i % 3 for i in range(n)}


def floors() -> list[Case]:
    """What a call costs whatever it does, and the calls the bars are set against."""
    raw = [key.encode() for key in KEYS]
    names = list(pool(100))
    return [
        statement("empty loop", "pass"),
        over_keys("null: len(key)", "f(k)", KEYS, f=len),
        over_keys(XXH64, "f(k)", raw, f=xxhash.xxh64_intdigest),
        statement(CYCLE, "f(c)", f=next, c=itertools.cycle(names)),
        statement("random.choice", "f(c)", f=random.choice, c=names),
    ]


def ours(n: int) -> list[Case]:
    """Every policy over n backends."""
    cases = []
    for name, policy in POLICIES.items():
        pick = policy.build(pool(n, policy)).pick
        label = f"{name}, N={n}"
        cases.append(over_keys(label, "f(k)", KEYS, f=pick) if name in KEYED else statement(label, "f()", f=pick))
    return cases


def combined() -> list[Case]:
    """Maglev over 100 backends alone and in two levels of priority, the second unused or with 30 %."""
    members: list[lb.Endpoint[Any]] = [lb.Endpoint(name, priority=at % 2) for at, name in enumerate(pool(100))]
    ill = {name: lb.State.UNHEALTHY for at, name in enumerate(pool(100)) if at % 4 == 0}
    policy = lb.ByPriority(lb.Maglev())
    return [
        over_keys("ByPriority(Maglev), one level", "f(k)", KEYS, f=policy.build(members).pick),
        over_keys("ByPriority(Maglev), two levels", "f(k)", KEYS, f=policy.build(lb.View.of(members, states=ill)).pick),
    ]


def cases(quick: bool) -> list[Case]:
    """The whole table; the quick one is at N = 100 only."""
    sizes = (100,) if quick else (10, 100, 1000)
    return floors() + combined() + [case for n in sizes for case in ours(n)]
