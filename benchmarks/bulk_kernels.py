"""Kernels at every SIMD level of this machine, each beside the plain C loop that does the same.

Answers are compared before anything is timed. The least there is to do with a ticket is to read its 8 bytes and to
write 4; a million of them are 12 MB, more than the second cache holds. What the entries of a table cost beside that is
timed too, without the remainders that find them: most are lines that the first cache has to fetch. Sixteen tickets
take less than it takes NumPy to make an array for their slots, so that they are timed with one at hand, with one that
can be given out again, and where each is kept. The race of equal weights is the one policy whose single pick goes by
lanes too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import Any

import numpy as np
import xxhash

import lbalgo as lb
from lbalgo.active import JumpBuckets, RendezvousRace, Ring, lanes

from .scalar import KEYS, XXH64
from .timing import Bar, Case, over_keys, statement
from .yardstick import bulk_loop

MANY = 10**6
SIZES = (65537, 655373)
STREAM = "C loop, read 8 bytes, write 4"
NUMPY = "numpy table[tickets % M], 1e6 tickets, M={}"
ENTRIES = "C loop, entries of known positions, M={}"
TABLE, WIDER = "Maglev, 1e6 tickets, M={}", "Maglev of 1000 backends, 1e6 tickets, M={}"
JUMP, RACE, LOGS = "jump, N=1000: {}", "rendezvous, N=1000: {}", "weighted rendezvous, N=1000: {}"
RING, SEARCH = "ring of {} points", "numpy owners[searchsorted(points, tickets)], {} points"
POINTS = (1_000, 100_000, 1_000_000)
LOOP = "C loop"
CLOCK = "100 ns by the clock"
FEW, INTO = "{}, 16 tickets, the call", "{}, 16 tickets into an array at hand, the call"
HELD = "{}, 16 tickets, the call, and an append to a list that holds the last 8 arrays"
PICK = "Rendezvous of equal weights, N={}, the pick: {}"
THINNED = "Rendezvous of equal weights, N={}, one ejected, one warming, the pick: {}"
MOST = {"avx2": (1 / 4.5, 1 / 1.7), "avx512": (1 / 7, 1 / 4.5)}  # jump, rendezvous

BARS = (
    *[Bar(table.format(size), NUMPY.format(size), 0.30) for table in (TABLE, WIDER) for size in SIZES],
    *[Bar(table.format(size), STREAM, 4.0) for table in (TABLE, WIDER) for size in SIZES],
    *[Bar(RING.format(points), SEARCH.format(points), 1 / 12) for points in POINTS],
    *[Bar(JUMP.format(name), JUMP.format(LOOP), MOST[name][0]) for name in lanes.levels()[1:]],
    *[Bar(RACE.format(name), RACE.format(LOOP), MOST[name][1]) for name in lanes.levels()[1:]],
    *[Bar(LOGS.format(name), LOGS.format(LOOP), 1 / 3) for name in lanes.levels()],
    *[Bar(call.format(name), CLOCK, 1.0) for call in (INTO, FEW) for name in ("Maglev", "RingHash")],
    *[
        Bar(PICK.format(n, "avx512"), XXH64, most)
        for n, most in ((100, 2.5), (1000, 10.0))
        if "avx512" in lanes.levels()
    ],
    *[
        Bar(THINNED.format(n, "avx512"), PICK.format(n, "avx512"), 1.3)
        for n in (100, 1000)
        if "avx512" in lanes.levels()
    ],
)


def cases() -> list[Case]:
    """Per ticket; those of 16 tickets by the call."""
    rng = np.random.default_rng(2)
    tickets = rng.integers(0, 2**64, MANY, dtype=np.uint64)
    out = [Case(CLOCK, hundreds), loop(STREAM, tickets, "stream", np.empty(MANY, np.int32))]
    for size in SIZES:
        for n, label in ((100, TABLE), (1000, WIDER)):  # 8 and 10 bits a position
            pick_many = lb.Maglev(table_size=size).build([f"b{i}" for i in range(n)]).pick_many
            table, modulus = pick_many(np.arange(size, dtype=np.uint64)), np.uint64(size)
            assert (pick_many(tickets) == table[tickets % modulus]).all()
            out.append(statement(label.format(size), "f(t)", MANY, f=pick_many, t=tickets))
        out.append(statement(NUMPY.format(size), "table[t % m]", MANY, table=table, t=tickets, m=modulus))
        positions, slots = (tickets % modulus).astype(np.uint32), np.empty(MANY, np.int32)
        out.append(loop(ENTRIES.format(size), positions, "entries", slots, table.astype(np.uint16)))
        out[-1].run(1)
        assert (slots == pick_many(tickets)).all()
    few = tickets[: MANY // 5]  # NumPy takes a quarter of a second for all
    for n in POINTS:
        points, owners = np.sort(rng.integers(0, 2**64, n, dtype=np.uint64)), rng.integers(0, 100, n).astype(np.int32)
        slots, names = np.empty(len(few), np.int32), {"t": few, "p": points, "o": owners}
        ring = Ring(points, owners, 100)
        ring.slot_many(few, slots)
        assert (slots == owners.take(np.searchsorted(points, few), mode="wrap")).all()
        search = "o.take(s(p, t), mode='wrap')"
        out.append(statement(SEARCH.format(n), search, len(few), s=np.searchsorted, **names))
        out.append(statement(RING.format(n), "f(t, o)", len(few), f=ring.slot_many, t=few, o=slots))
    salts, weights = rng.integers(0, 2**64, 1000, dtype=np.uint64), 1.0 + np.arange(1000) % 3
    mantissas, exponents = np.frexp(weights)
    equal = RendezvousRace(salts, range(1000), np.full(1000, 0.5), np.zeros(1000, int), 1000)
    weighted = RendezvousRace(salts, range(1000), mantissas, exponents.astype(int), 1000)
    out += beside(JUMP, JumpBuckets(np.ones(1000, bool)), tickets[:32768], "jump_loop", 1000)
    out += beside(RACE, equal, tickets[:2048], "rendezvous_loop", salts, 1000)
    out += beside(LOGS, weighted, tickets[:512], "rendezvous_logarithms", salts, weights, 1000)
    for policy in (lb.Maglev(), lb.RingHash(), lb.Jump(), lb.Rendezvous()):
        name, pick_many = type(policy).__name__, policy.build([f"b{i}" for i in range(100)]).pick_many
        given, slots = tickets[:16].copy(), np.empty(16, np.int32)
        assert (pick_many(given, slots) == pick_many(given)).all()
        out.append(statement(INTO.format(name), "f(t, o)", f=pick_many, t=given, o=slots))
        out.append(statement(FEW.format(name), "f(t)", f=pick_many, t=given))
        out.append(statement(HELD.format(name), "h(f(t))", f=pick_many, t=given, h=deque(maxlen=8).append))
    out.append(over_keys(XXH64, "f(k)", [key.encode() for key in KEYS], f=xxhash.xxh64_intdigest))
    for n in (100, 1000):
        view = lb.View.of([f"b{i}" for i in range(n)])
        ill = {view.ids[3]: lb.State.UNHEALTHY}
        thinned = lb.View.of(view.backends, factors={view.ids[5]: 0.1}, states=ill)
        for label, members in ((PICK, view), (THINNED, thinned)):
            whole = over_keys("", "f(k)", KEYS, f=lb.Rendezvous().build(members).pick)
            out += [
                Case(label.format(n, name), partial(at_level, name, partial(whole.run, 1)), len(KEYS))
                for name in lanes.levels()
            ]
    return out


def loop(name: str, tickets: Any, function: str, slots: Any, *rest: Any) -> Case:
    """A loop of `bulk_loops.c`."""
    return statement(name, "f()", len(tickets), f=bulk_loop(function, tickets, slots, *rest))


def beside(label: str, structure: Any, tickets: Any, function: str, *rest: Any) -> list[Case]:
    """A structure at every level, and the loop that answers the same."""
    n = len(tickets)
    slots, expected = np.empty(n, np.int32), np.empty(n, np.int32)
    out = [loop(label.format(LOOP), tickets, function, expected, *rest)]
    out[0].run(1)
    for name in lanes.levels():
        case = Case(label.format(name), partial(at_level, name, partial(structure.slot_many, tickets, slots)), n)
        case.run(1)
        assert (slots == expected).all()
        out.append(case)
    return out


def at_level(name: str, call: Callable[[], object], n: int) -> None:
    """`call()` n times, at this SIMD level."""
    before = lanes.level()
    lanes.use(name)
    for _ in range(n):
        call()
    lanes.use(before)


def hundreds(n: int) -> None:
    """Nothing, for n times 100 ns."""
    end = perf_counter_ns() + 100 * n
    while perf_counter_ns() < end:
        pass
