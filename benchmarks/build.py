"""From a pool to a picker, and how a rebuild compares."""

from __future__ import annotations

from typing import Any

import numpy as np
import uhashring

import lbalgo as lb
from lbalgo.active import Ring, lanes, maglev_fill, numbered, phased

from .scalar import POLICIES, pool
from .timing import Bar, Case, over_keys, statement
from .yardstick import POINT, maglev_modulo, named_ring, texts

FILL, MODULO = "Maglev fill, M={} N={}", "C loop, remainder per probe, M={} N={}"
SIZES = ((65537, 100), (65537, 1000), (655373, 100), (655373, 1000))
MOST = 0.65 if lanes.level() == "portable" else 0.45
WEIGHTED, TAKEN = "Maglev phased turns and fill, {}", "C loop, remainder per probe, same turns, {}"
WEIGHTS = ("weights 1 to 3", "one in 20 of weight 100")
RING, NAMED, STD_SORT = (
    "RingHash, 100 N points, N={}",
    "the yardstick's points, N={}",
    "XXH64 + std::sort, 100 N points, N={}",
)
CHANGE = "RingHash after one {}, N={}"
CHANGES, POOLS = ("join", "leave", "rise", "fall"), (100, 1000)
BARS = (
    *(Bar(FILL.format(*s), MODULO.format(*s), MOST) for s in SIZES),
    *(Bar(WEIGHTED.format(w), TAKEN.format(w), 0.65) for w in WEIGHTS),
    *(Bar(ring.format(n), STD_SORT.format(n), 0.4) for ring in (RING, NAMED) for n in POOLS),
    *(Bar(CHANGE.format(change, n), RING.format(n), 0.35) for change in CHANGES for n in POOLS),
)


def fills(size: int, n: int, sets: int = 8) -> list[Case]:
    """The bare table fill, ours and one remainder per probe, over distinct pools; equal output is checked first."""
    rng = np.random.default_rng(n)
    pools = []
    for _ in range(sets):
        turns = rng.permutation(n).astype(np.int32)
        offset, skip = (rng.integers(low, size, n).astype(np.uint32) for low in (0, 1))
        assert np.array_equal(maglev_fill(turns, offset, skip, size), maglev_modulo(turns, offset, skip, size))
        pools.append((turns, offset, skip, size))
    return [
        over_keys(FILL.format(size, n), "f(*k)", pools, f=maglev_fill),
        over_keys(MODULO.format(size, n), "f(*k)", pools, f=maglev_modulo),
    ]


def weighted_fills(kind: str, size: int = 65537, n: int = 1000) -> list[Case]:
    """The fill by weight, our turns included and those of the yardstick given to it."""
    rng = np.random.default_rng(n)
    weights = rng.integers(1, 4, n) if kind == WEIGHTS[0] else np.where(np.arange(n) % 20, 1, 100)
    phase, rate = rng.random(n), weights / weights.max()
    offset, skip = (rng.integers(low, size, n).astype(np.uint32) for low in (0, 1))
    turns = phased(phase, rate, size)

    def build() -> Any:
        return maglev_fill(phased(phase, rate, size), offset, skip, size)

    assert np.array_equal(build(), maglev_modulo(turns, offset, skip, size))
    given = (turns, offset, skip, size)
    return [
        statement(WEIGHTED.format(kind), "f()", f=build),
        statement(TAKEN.format(kind), "f(*k)", f=maglev_modulo, k=given),
    ]


def rings(n: int, sets: int = 4) -> list[Case]:
    """Rings of 100 points a backend and those after one change, over distinct pools.

    `RingHash` derives its points and the yardstick hashes the name of each; so our build of the yardstick's points is
    there besides, and gives the same ring. A rise is from weight 1 to 2, a fall back.
    """
    policy, counts = lb.RingHash(), np.full(n, 100, np.int32)
    owners, ring = np.repeat(np.arange(n, dtype=np.int32), counts), np.empty(100 * n, POINT)
    views, named = [], []
    changes: dict[str, list[Any]] = {change: [] for change in CHANGES}
    for k in range(sets):
        ids = [f"10.{k}.{i // 256}.{i % 256}:8000" for i in range(n)]
        views.append(lb.View.of(ids))
        named.append((texts([i.encode() for i in ids]), counts, ring))
        before, which = policy.build(views[-1]), n // 2 + k
        risen = lb.View.of({i: 1.0 + (i == ids[which]) for i in ids})
        changes["join"].append((lb.View.of([*ids, "new"]), before))
        changes["leave"].append((lb.View.of(ids[:which] + ids[which + 1 :]), before))
        changes["rise"].append((risen, before))
        changes["fall"].append((views[-1], policy.build(risen)))

    def ours(ids: list[str]) -> Any:
        return Ring(numbered(ids, counts, 0, 0, b"_"), owners, n)

    assert np.array_equal(ours(list(views[-1].ids)).points(), named_ring(*named[-1])["at"])
    return [
        over_keys(RING.format(n), "f(k)", views, f=policy.build),
        over_keys(NAMED.format(n), "f(k)", [list(v.ids) for v in views], f=ours),
        over_keys(STD_SORT.format(n), "f(*k)", named, f=named_ring),
        *(over_keys(CHANGE.format(c, n), "f(k[0], previous=k[1])", changes[c], f=policy.build) for c in CHANGES),
    ]


def cases(quick: bool) -> list[Case]:
    """Whole builds from a View, the signals-only rebuild of a keyed table, and the fill beside its yardstick."""
    out = [statement("null: View.of, N=1000", "f(b)", f=lb.View.of, b=pool(1000))]
    for n in (1000,) if quick else (10, 100, 1000):
        for name, policy in POLICIES.items():
            view = lb.View.of(pool(n, policy))
            out.append(statement(f"{name}, N={n}", "f(v)", f=policy.build, v=view))
        out.append(statement(f"uhashring HashRing, N={n}", "f(b)", f=uhashring.HashRing, b=list(pool(n))))
        view = lb.View.of(pool(n))
        ejected = lb.View.of(pool(n), states={view.ids[0]: lb.State.UNHEALTHY})
        before = lb.Maglev().build(view)
        out.append(
            statement(f"Maglev after an ejection, N={n}", "f(v, previous=p)", f=lb.Maglev().build, v=ejected, p=before)
        )
    for size, n in SIZES[1:2] if quick else SIZES:
        out += fills(size, n)
    for n in POOLS[1:] if quick else POOLS:
        out += rings(n)
    for kind in WEIGHTS:
        out += weighted_fills(kind)
    return out
