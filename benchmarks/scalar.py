"""One pick at a time, as a proxy makes it: floors and ours; `peers.py` has those of others."""

from __future__ import annotations

import itertools
import random
from typing import Any

import xxhash

import lbalgo as lb
from lbalgo.view import view_of

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
STRIDES = "WeightedRoundRobin by strides"
SIZES = (10, 100, 1000)
MOST = {"Maglev": 1.0, "RingHash": 1.15, "Jump": 1.9}  # times XXH64, whatever the key is
UNKEYED = {"RoundRobin": 0.9, "WeightedRoundRobin": 0.9, STRIDES: 0.9, "Random": 0.9, "PowerOfTwo": 1.1}  # times CYCLE
OF_BYTES, OF_INT, THINNED = "{}, N={}, key of 16 bytes", "{}, N={}, int key", "{}, N={}, one ejected, one warming"
BARS = (
    *(Bar(f"{name}, N={n}", XXH64, most) for name, most in MOST.items() for n in SIZES),
    *(Bar(case.format(name, n), XXH64, m) for case in (OF_BYTES, OF_INT) for name, m in MOST.items() for n in SIZES),
    *(Bar(THINNED.format(name, n), f"{name}, N={n}", 1.3) for name in MOST for n in SIZES),
    *(Bar(f"{name}, N={n}", CYCLE, most) for name, most in UNKEYED.items() for n in SIZES),
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


def keyed(n: int) -> list[Case]:
    """The keyed policies given keys of other types, and with one backend ejected and one at a tenth."""
    raw, numbers = [key.encode() for key in KEYS], list(range(2**60, 2**60 + 1000))
    cases = []
    for name in MOST:
        policy = POLICIES[name]
        members = pool(n, policy)
        pick, names = policy.build(members).pick, list(members)
        ill = {names[3]: lb.State.UNHEALTHY}
        thinned = policy.build(lb.View.of(view_of(members).backends, factors={names[5]: 0.1}, states=ill)).pick
        cases += [
            over_keys(OF_BYTES.format(name, n), "f(k)", raw, f=pick),
            over_keys(OF_INT.format(name, n), "f(k)", numbers, f=pick),
            over_keys(THINNED.format(name, n), "f(k)", KEYS, f=thinned),
        ]
    return cases


def strided(n: int) -> Case:
    """Weights of which no short sequence can be made."""
    pick = lb.WeightedRoundRobin().build({name: 1 + (at / n) ** 0.5 for at, name in enumerate(pool(n))}).pick
    return statement(f"{STRIDES}, N={n}", "f()", f=pick)


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
    sizes = (100,) if quick else SIZES
    tables = [case for n in sizes for case in [*ours(n), *keyed(n), strided(n)]]
    return floors() + combined() + tables
