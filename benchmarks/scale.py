"""`python -m benchmarks.scale [--most N] [--plot FILE]`: how a pick, a build and memory grow, beside what is claimed.

Every policy over pools of 10 to 100 000 equal backends, built from a view. The exponents are slopes in doubly
logarithmic scale from 1000 backends to the largest pool: 0 is O(1) or O(log N), 1 is O(N). A larger pool misses caches,
which shows as an exponent of up to 0.7 where the steps are constant but each goes to another place in memory: beyond
10 000 backends the objects that are given out no longer fit a cache either.

Memory is what the resident size of a process of its own grows by, beside the least bytes that hold the same facts:
places and owners for a ring, an owner for each position of a table, a threshold and an alias for each backend, a
counter for each load; a reference to each backend on top is in none of them.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import multiprocessing
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import lbalgo as lb

from .scalar import KEYS

SIZES = (10, 100, 1_000, 10_000, 100_000)
FROM = 1_000  # the exponents are of what is larger: below, the call is most of the time
PICKS = 2_000
SPENT = 2e8  # nanoseconds of picks at a time, at most
PAGE = 4096
TABLE, LARGE = 655_373, 10_000_019
POINTS = 100  # of a backend on a ring


@dataclass(frozen=True)
class Claim:
    """A policy, the growth that its docstring claims for pick and build, and the least bytes over N backends."""

    policy: Any
    pick: str
    build: str
    least: Callable[[int], int]
    keyed: bool = True


CLAIMS = {
    f"Maglev, M = {TABLE}": Claim(lb.Maglev(TABLE), "1", "M log M", lambda n: TABLE * (2 if n <= 65_536 else 4)),
    f"Maglev, M = {LARGE}": Claim(lb.Maglev(LARGE), "1", "M log M", lambda n: LARGE * (2 if n <= 65_536 else 4)),
    f"RingHash, {POINTS} N points": Claim(
        lb.RingHash(points=POINTS, max_points=2**24), "1", "N", lambda n: n * POINTS * 12
    ),
    "Rendezvous": Claim(lb.Rendezvous(), "N", "N", lambda n: 8 * n),
    "Jump": Claim(lb.Jump(), "log N", "N", lambda n: n),
    "JumpBack": Claim(lb.JumpBack(), "1", "N log N", lambda n: 4 * n),
    "MultiProbe": Claim(lb.MultiProbe(), "1", "N log N", lambda n: 12 * n),
    "BoundedLoad(Maglev)": Claim(lb.BoundedLoad(lb.Maglev(TABLE)), "N", "M log M", lambda n: TABLE * 4 + 16 * n),
    "RoundRobin": Claim(lb.RoundRobin(), "1", "N", lambda n: 4 * n, keyed=False),
    "WeightedRoundRobin": Claim(lb.WeightedRoundRobin(), "1", "N", lambda n: 4 * n, keyed=False),
    "Random": Claim(lb.Random(), "1", "N", lambda n: 12 * n, keyed=False),
    "LeastLoaded": Claim(lb.LeastLoaded(), "log N", "N", lambda n: 16 * n, keyed=False),
    "LeastLoaded by PeakEwma": Claim(lb.LeastLoaded(load=lb.PeakEwma()), "N", "N", lambda n: 32 * n, keyed=False),
    "PowerOfTwo": Claim(lb.PowerOfTwo(), "1", "N", lambda n: 20 * n, keyed=False),
    "PowerOfTwo by PeakEwma": Claim(lb.PowerOfTwo(load=lb.PeakEwma()), "1", "N", lambda n: 44 * n, keyed=False),
    "ByZone(RoundRobin)": Claim(lb.ByZone(lb.RoundRobin(), zone="a"), "1", "N", lambda n: 4 * n, keyed=False),
}


@dataclass(frozen=True)
class Point:
    """What one pool size costs: nanoseconds a pick, nanoseconds a build."""

    n: int
    pick: float
    build: float


def pool(n: int) -> lb.View[Any]:
    """The view of n equal backends."""
    return lb.View.of([f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}:80" for i in range(n)])


def least(run: Callable[[], object], times: int) -> float:
    """The least nanoseconds of so many runs."""
    spent = []
    for _ in range(times):
        start = perf_counter_ns()
        run()
        spent.append(perf_counter_ns() - start)
    return min(spent)


def picks(picker: Any, keyed: bool) -> float:
    """Nanoseconds a pick, over different keys, as many as the time allows."""
    pick, keys = picker.pick, list(itertools.islice(itertools.cycle(KEYS), PICKS))
    once = least(lambda: pick(keys[0]), 3)
    count = max(1, min(PICKS, int(SPENT / 5 / once)))

    def by_key() -> None:
        for key in keys[:count]:
            pick(key)

    def by_turn() -> None:
        for _ in range(count):
            pick()

    return least(by_key if keyed else by_turn, 5) / count


def measured(claim: Claim, sizes: Iterable[int]) -> list[Point]:
    """A policy's costs over pools of these sizes."""
    points = []
    for n in sizes:
        view, policy = pool(n), claim.policy
        build = least(lambda policy=policy, view=view: policy.build(view), 3 if n > FROM else 7)  # type: ignore[misc]
        points.append(Point(n, picks(policy.build(view), claim.keyed), build))
    return points


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def held(name: str, n: int) -> int:
    """What a picker adds to the resident size of this process, which has built nothing but small ones."""
    policy, view = CLAIMS[name].policy, pool(n)
    policy.build(pool(100))
    gc.collect()
    before = resident()
    picker = policy.build(view)
    gc.collect()
    grown = resident() - before
    del picker
    return grown


def slope(points: list[Point], of: str) -> float:
    """The exponent of growth from the first pool of `FROM` or more to the largest."""
    first, last = next(p for p in points if p.n >= FROM), points[-1]
    return math.log(getattr(last, of) / getattr(first, of)) / math.log(last.n / first.n)


def line(name: str, points: list[Point], bytes_held: int | None) -> str:
    """The costs at the largest pool, and how they grew."""
    claim, last = CLAIMS[name], points[-1]
    memory = "" if bytes_held is None else f"{bytes_held / 1e6:>9,.1f} MB{claim.least(last.n) / 1e6:>9,.1f} MB"
    return (
        f"{name:<26}{last.pick:>11,.0f} ns N^{slope(points, 'pick'):<5.2f}{claim.pick:<7}"
        f"{last.build / 1e6:>9,.1f} ms N^{slope(points, 'build'):<5.2f}{claim.build:<8}{memory}"
    )


def plot(found: dict[str, list[Point]], path: str) -> None:
    """Cost curves over N: a pick, a build."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
    for axis, of, title in zip(axes, ("pick", "build"), ("ns a pick", "ns a build"), strict=True):
        for at, (name, points) in enumerate(found.items()):
            style = "-" if at < 10 else "--"  # there are ten colours
            axis.loglog([p.n for p in points], [getattr(p, of) for p in points], style, marker="o", label=name)
        axis.set(xlabel="backends", title=title)
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path)


def everything(most: int) -> Iterable[tuple[str, list[Point], int | None]]:
    """Every policy's costs over pools of up to `most` backends, and the bytes that the largest holds."""
    for name, claim in CLAIMS.items():
        points, bytes_held = measured(claim, [n for n in SIZES if n <= most]), None
        if Path("/proc/self/statm").exists():
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                bytes_held = process.submit(held, name, most).result()
        yield name, points, bytes_held


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n\n")[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], choices=SIZES[3:], help="backends of the largest pool")
    parser.add_argument("--plot", metavar="FILE", help="draw the curves too")
    options = parser.parse_args(arguments)
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
        return 2
    print(f"{options.most} backends: pick, its growth and claim; build, its growth and claim; bytes held, the least")
    found = {}
    for name, points, bytes_held in everything(options.most):
        found[name] = points
        print(line(name, points, bytes_held), flush=True)
    if options.plot:
        plot(found, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
