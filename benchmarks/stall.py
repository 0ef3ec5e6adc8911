"""`python -m benchmarks.stall`: the longest time from pick to pick while a large table is rebuilt in another thread.

One thread builds again and again, the other picks and notes the longest gap. Beside it: no rebuild at all, which is
what the machine does by itself, and a fill in C that holds the interpreter's lock, which is what a pick would wait for
if the kernels did not release it. Python hands the lock over every `sys.getswitchinterval()` seconds at the earliest to
who waits for it, so no gap is expected to be much below that where two threads run Python.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

import lbalgo as lb

from . import yardstick

SIZE, N, BUILDS = 655373, 1000, 5


def longest(work: Callable[[], object], pick: Callable[[str], object], builds: int = BUILDS) -> tuple[float, float]:
    """Milliseconds: the longest gap between two picks while `work` is done so often elsewhere, and its mean time."""
    done = threading.Event()
    spent = [0]

    def rebuild() -> None:
        start = perf_counter_ns()
        try:
            for _ in range(builds):
                work()
        finally:
            spent[0] = perf_counter_ns() - start
            done.set()

    thread = threading.Thread(target=rebuild)
    thread.start()
    gap, last = 0, perf_counter_ns()
    while not done.is_set():
        pick("user-17")
        now = perf_counter_ns()
        gap, last = max(gap, now - last), now
    thread.join()
    return gap / 1e6, spent[0] / builds / 1e6


def main() -> None:
    ids = [f"10.0.{i >> 8}.{i & 255}:8080" for i in range(N)]
    weights = np.random.default_rng(1).integers(1, 4, N).tolist()
    view = lb.View.of(ids)
    weighted = lb.View.of(dict(zip(ids, weights, strict=True)))
    policy = lb.Maglev(table_size=SIZE)
    pick = policy.build(view).pick
    rng = np.random.default_rng(1)
    turns = rng.permutation(N).astype(np.int32)
    offset, skip = (rng.integers(low, SIZE, N).astype(np.uint32) for low in (0, 1))
    table = np.empty(SIZE, np.int32)
    loop = ctypes.PyDLL(yardstick._library()._name).fill  # PyDLL: a call holds the lock

    def held() -> None:
        given = (table, np.zeros(N, np.uint64), offset, skip, turns)
        at = [a.ctypes.data_as(ctypes.c_void_p) for a in given]
        loop(*at, ctypes.c_int64(N), ctypes.c_uint64(SIZE))

    pause = threading.Event()
    rows: list[tuple[str, Callable[[], object]]] = [
        ("nothing (waits 20 ms)", lambda: pause.wait(0.02)),
        (f"Maglev, M={SIZE}, N={N}", lambda: policy.build(view)),
        (f"Maglev, M={SIZE}, N={N}, weights 1 to 3", lambda: policy.build(weighted)),
        ("RingHash, 100 000 points", lambda: lb.RingHash().build(view)),
        (f"a fill in C that holds the lock, M={SIZE}", held),
    ]
    print(f"longest ms between picks, of {BUILDS} rebuilds each; switch interval {sys.getswitchinterval() * 1e3} ms")
    for name, work in rows:
        gap, mean = longest(work, pick)
        print(f"  {name:<50} {gap:8.2f}   (one takes {mean:.1f})", flush=True)


if __name__ == "__main__":
    main()
