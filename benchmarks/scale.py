"""`python -m benchmarks.scale [--most N] [--plot FILE]`: how a pick, a build and memory grow, beside what is claimed.

Every policy over pools of 10 to 100 000 equal backends, built from a view. The exponents are slopes in doubly
logarithmic scale from 1000 backends to the largest pool: 0 is O(1) or O(log N), 1 is O(N). A larger pool misses caches,
which shows as an exponent of up to 0.7 where the steps are constant but each goes to another place in memory: beyond
10 000 backends the objects that are given out no longer fit a cache either.

Memory is what the resident size of a process of its own grows by, beside the least bytes that hold the same facts:
places and owners for a ring, an owner for each position of a table, a threshold and an alias for each backend, a
counter for each load; a reference to each backend on top is in none of them. What is claimed is read from the policies'
docstrings; their T are the points of a ring, W the turns of a period, M the positions of a table.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import multiprocessing
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import lbalgo as lb
from lbalgo.loads import Reported
from lbalgo.scores import LeastLoad

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
    """A policy whose docstring claims something, and the least bytes over N backends.

    Where the docstring has one claim of a pick for some loads and another "else", `other` says that it is that.
    """

    policy: Any
    least: Callable[[int], int]
    keyed: bool = True
    other: bool = False

    @property
    def pick(self) -> str:
        """The growth of a pick as the docstring has it."""
        return claimed(self.policy, "pick", self.other)

    @property
    def build(self) -> str:
        """The growth of a build as the docstring has it."""
        return claimed(self.policy, "build")


ORDER = r"O\((?:[^()]|\([^()]*\))*\)"


def claimed(policy: Any, what: str, other: bool = False) -> str:
    """The O(...) that a docstring's costs name for a pick or a build, that of the base policy where it says so.

    Raises
    ------
    LookupError : the docstring claims neither.
    """
    costs = re.search(r"Costs: .*?(?=\n    Source:|\Z)", policy.__doc__, re.DOTALL)
    text = " ".join(costs[0].split()) if costs else ""
    found = re.search(rf"\b{what} " + (rf"{ORDER}[^,;]* and ({ORDER}) else" if other else f"({ORDER})"), text)
    if found:
        return found[1]
    if (
        what == "build"
        and "the rule's" in text
        and (of_rule := re.search(f"Costs: ({ORDER}) a pool", policy.rule.__doc__))
    ):
        return of_rule[1]
    if hasattr(policy, "policy") and "the base policy" in text:
        return claimed(policy.policy, what, other)
    raise LookupError(f"{type(policy).__name__} says nothing of a {what}: {text!r}")


def turn(policy: Any, least: Callable[[int], int]) -> Claim:
    """A policy that needs no key."""
    return Claim(policy, least, keyed=False)


def part(rule: Any) -> Claim:
    """Two choices of the part of the pool that a rule gives a client, which does not grow."""
    return turn(lb.Subset(lb.PowerOfTwo(), rule), lambda n: 20 * rule.size)


def table(size: int) -> Callable[[int], int]:
    """The least bytes of a table: the bits of an owner for each position."""
    return lambda n: (size * (n - 1).bit_length() + 7) // 8


TOLD = Reported(blackout=0.0)
RULES = (
    lb.RandomSubset(),
    lb.DeterministicSubset(),
    lb.Ringsteady(),
    lb.Rocksteadier(),
    lb.Aperture(clients=50, client=1),
)
CLAIMS = {
    f"Maglev, M = {TABLE}": Claim(lb.Maglev(TABLE), table(TABLE)),
    f"Maglev, M = {LARGE}": Claim(lb.Maglev(LARGE), table(LARGE)),
    f"RingHash, {POINTS} N points": Claim(lb.RingHash(points=POINTS, max_points=2**24), lambda n: n * POINTS * 12),
    "Rendezvous": Claim(lb.Rendezvous(), lambda n: 8 * n),
    "Jump": Claim(lb.Jump(), lambda n: n),
    "JumpBack": Claim(lb.JumpBack(), lambda n: 4 * n),
    "MultiProbe": Claim(lb.MultiProbe(), lambda n: 12 * n),
    f"StableTable, M = {TABLE}": Claim(lb.StableTable(TABLE), lambda n: 2 * table(TABLE)(n)),
    "BoundedLoad(Maglev)": Claim(lb.BoundedLoad(lb.Maglev(TABLE)), lambda n: table(TABLE)(n) + 16 * n),
    "HotKeySpread(Maglev)": Claim(lb.HotKeySpread(lb.Maglev(TABLE)), table(TABLE)),
    "TopK(Maglev)": Claim(lb.TopK(lb.Maglev(TABLE)), table(TABLE)),
    "RoundRobin": turn(lb.RoundRobin(), lambda n: 4 * n),
    "WeightedRoundRobin": turn(lb.WeightedRoundRobin(), lambda n: 4 * n),
    "WeightedByReport": turn(lb.WeightedByReport(), lambda n: 12 * n),
    "Random": turn(lb.Random(), lambda n: 12 * n),
    "LeastConnections": turn(lb.LeastConnections(), lambda n: 16 * n),
    "LeastLoaded": turn(lb.LeastLoaded(), lambda n: 16 * n),
    "LeastLoaded by PeakEwma": Claim(lb.LeastLoaded(load=lb.PeakEwma()), lambda n: 32 * n, keyed=False, other=True),
    "PowerOfTwo": turn(lb.PowerOfTwo(), lambda n: 20 * n),
    "PowerOfTwo by PeakEwma": turn(lb.PowerOfTwo(load=lb.PeakEwma()), lambda n: 44 * n),
    "AdaptiveChoices, nothing told": turn(lb.AdaptiveChoices(TOLD, 1.0), lambda n: 28 * n),
    "JoinIdleQueue, all idle": turn(lb.JoinIdleQueue(), lambda n: 16 * n),
    "Prequal, nobody probed": turn(lb.Prequal(), lambda n: 12 * n),
    "RandomAperture": turn(lb.RandomAperture(), lambda n: 8 * n),
    "C3": turn(lb.C3(), lambda n: 40 * n),
    "ByScore(LeastLoad)": turn(lb.ByScore([LeastLoad()]), lambda n: 4 * n),
    "ByPriority(RoundRobin)": turn(lb.ByPriority(lb.RoundRobin()), lambda n: 4 * n),
    "ByZone(RoundRobin)": turn(lb.ByZone(lb.RoundRobin(), zone="a"), lambda n: 4 * n),
    **{f"Subset(PowerOfTwo), {type(rule).__name__}": part(rule) for rule in RULES},
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
        f"{name:<39}{last.pick:>11,.0f} ns N^{slope(points, 'pick'):<6.2f}{claim.pick:<18}"
        f"{last.build / 1e6:>9,.1f} ms N^{slope(points, 'build'):<6.2f}{claim.build:<15}{memory}"
    )


def plot(found: dict[str, list[Point]], path: str) -> None:
    """Cost curves over N: a pick, a build."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(15, 10), layout="constrained")
    for axis, of, title in zip(axes, ("pick", "build"), ("ns a pick", "ns a build"), strict=True):
        for at, (name, points) in enumerate(found.items()):
            style = ("-", "--", ":", "-.")[at // 10 % 4]  # there are ten colours
            axis.loglog(
                [p.n for p in points],
                [getattr(p, of) for p in points],
                style,
                marker="o",
                label=f"{name}: {CLAIMS[name].pick}, {CLAIMS[name].build}",
            )
        axis.set(xlabel="backends", title=title)
        axis.grid(alpha=0.3)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, title="claimed of a pick and a build"
    )
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
