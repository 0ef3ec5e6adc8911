"""Pickers of other packages on PyPI beside ours over the same backends: the nearest policy, the same keys.

Each bar is a ratio that is claimed; where nothing is claimed it is 1, so that a peer which is faster shows as missed.
What a peer does besides differs: uhashring has no states, a selector of elastic-transport gets its nodes at every call,
Cassandra's policy makes a plan of which the first is taken, clandestined and pymemcache ask every node (pymemcache in
Python: up to 100 nodes, 20 keys). The packages are those of the extra `bench`.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import xxhash

from .scalar import KEYS, POLICIES, ours, pool
from .timing import Bar, Case, over_keys, statement

NUMBERS = list(range(2**60, 2**60 + 1000))
MD5, XXH64, JUMP = "uhashring get_node (md5)", "uhashring get_node (xxh64)", "jump-consistent-hash (int keys)"
PYMEMCACHE, CLANDESTINED = "pymemcache RendezvousHash", "clandestined RendezvousHash (murmur3 in C)"
IN_TURN, DRAWN = "elastic-transport RoundRobinSelector", "elastic-transport RandomSelector"
CASSANDRA, CHOICES = "cassandra-driver RoundRobinPolicy, first of the plan", "random.choices(cum_weights=)"
INTEGERS = "Jump (int keys)"

CLAIMS = (  # ours, theirs, at most, over so many backends
    ("Maglev", MD5, 1 / 40, (10, 100, 1000)),
    ("RingHash", MD5, 1 / 40, (10, 100, 1000)),
    ("Maglev", XXH64, 1 / 15, (10, 100, 1000)),
    ("RingHash", XXH64, 1 / 15, (10, 100, 1000)),
    (INTEGERS, JUMP, 1.0, (10, 100, 1000)),
    ("Rendezvous", PYMEMCACHE, 1.0, (10, 100)),
    ("Rendezvous", CLANDESTINED, 1.0, (10, 100, 1000)),
    ("RoundRobin", IN_TURN, 1 / 10, (10, 100, 1000)),
    ("Random", DRAWN, 1.0, (10, 100, 1000)),
    ("RoundRobin", CASSANDRA, 1 / 20, (10, 100, 1000)),
    ("Random", CHOICES, 1.0, (10, 100, 1000)),
)
BARS = tuple(Bar(f"{own}, N={n}", f"{peer}, N={n}", most) for own, peer, most, sizes in CLAIMS for n in sizes)


def peers(n: int) -> list[Case]:
    """Every peer over n backends; imported here, as nothing else needs them."""
    import jump
    import uhashring
    from cassandra.policies import RoundRobinPolicy
    from clandestined import RendezvousHash as Clandestined
    from elastic_transport import RandomSelector, RoundRobinSelector
    from pymemcache.client.rendezvous import RendezvousHash as Pymemcache

    names, weights = list(pool(n)), list(pool(n).values())
    plans = RoundRobinPolicy()
    plans.populate(None, names)
    ring = uhashring.HashRing(names, hash_fn=lambda key: xxhash.xxh64_intdigest(key.encode()))
    bounds = list(itertools.accumulate(weights))
    few: dict[str, Any] = {"keys": KEYS[:20]}
    cases = [
        over_keys(MD5, "f(k)", KEYS, f=uhashring.HashRing(names).get_node),
        over_keys(XXH64, "f(k)", KEYS, f=ring.get_node),
        over_keys(JUMP, f"f(k, {n})", NUMBERS, f=jump.hash),
        over_keys(CLANDESTINED, "f(k)", f=Clandestined(names).find_node, **few),
        statement(IN_TURN, "f(c)", f=RoundRobinSelector([]).select, c=names),
        statement(DRAWN, "f(c)", f=RandomSelector([]).select, c=names),
        statement(CASSANDRA, "next(f())", f=plans.make_query_plan),
        statement(CHOICES, "f(c, cum_weights=w)", f=random.Random(1).choices, c=names, w=bounds),
    ]
    if n <= 100:
        cases.append(over_keys(PYMEMCACHE, "f(k)", f=Pymemcache(names).get_node, **few))
    for case in cases:
        case.name += f", N={n}"
    return cases


def cases(quick: bool) -> list[Case]:
    """Ours that are compared, and the peers."""
    out = []
    for n in (100,) if quick else (10, 100, 1000):
        wanted = {f"{own}, N={n}" for own, *_ in CLAIMS}
        integers = POLICIES["Jump"].build(pool(n, POLICIES["Jump"])).pick
        out += [case for case in ours(n) if case.name in wanted]
        out += [over_keys(f"{INTEGERS}, N={n}", "f(k)", NUMBERS, f=integers), *peers(n)]
    return out
