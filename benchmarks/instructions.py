"""`python benchmarks/instructions.py HERE BEFORE`: instructions of picks and builds in two Pythons, side by side.

Both arguments are Python interpreters, each with one version of lbalgo (`.ci/instructions` makes them). What is counted
are instructions under valgrind's callgrind: no clock is read, so another load on the machine changes nothing, and a
change of some percent is a change of the code. Each case runs n and then 2 n times after a first n; the difference of
the two is n, without what surrounds it. Callgrind writes out its count whenever the process asks for its parent's
number, which nothing else here does.

Valgrind's processor has AVX2 and not AVX-512, so what is counted are the kernels of the level "avx2". A rise of more
than 3 % in one case is exit status 1, a count that fails is 2; a case that the version before does not have is new.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

MOST = 1.03
KEYS = [f"user-{i:011d}" for i in range(100)]
KEYED = ("Maglev", "RingHash", "Rendezvous", "Jump")
OTHERS = ("RoundRobin", "WeightedRoundRobin", "Random", "PowerOfTwo", "LeastConnections", "LeastLoaded")


def cases() -> list[tuple[str, Callable[[int], object], int]]:
    """What is counted, and how often it runs; of what this lbalgo has."""
    import lbalgo as lb

    def each_key(pick: Any) -> Callable[[int], object]:
        def run(n: int) -> None:
            for _ in repeat(None, n // len(KEYS)):
                for key in KEYS:
                    pick(key)

        return run

    def turns(call: Callable[[], object]) -> Callable[[int], object]:
        def run(n: int) -> None:
            for _ in repeat(None, n):
                call()

        return run

    made = []
    for name in (*KEYED, *OTHERS):
        if not hasattr(lb, name):
            continue
        policy = getattr(lb, name)()
        for n in (10, 1000):
            weights = {f"10.0.{i // 256}.{i % 256}:80": 1.0 if name == "Jump" else 1.0 + i % 3 for i in range(n)}
            view = lb.View.of(weights)
            pick = policy.build(view).pick
            made.append((f"{name} pick, N={n}", each_key(pick) if name in KEYED else turns(pick), 400))
            made.append((f"{name} build, N={n}", turns(lambda policy=policy, view=view: policy.build(view)), 2))
    for name in ("WeightedRoundRobin", "PowerOfTwo"):
        weights = {f"10.0.0.{i}:80": 1.0 + i % 3 for i in range(100)}
        signals = (lb.SlowStart(60.0), lb.OutlierEjection())
        acquire = lb.Balancer(getattr(lb, name)(), weights, signals=signals, seed=1, clock=lambda: 1.0).acquire
        made.append((f"{name} acquire + done, N=100", turns(lambda acquire=acquire: acquire().done()), 400))
    return made


def inside() -> None:
    """What callgrind runs: each case between two marks; the cases and their numbers are printed last."""
    mark = os.getppid
    counted = cases()
    gc.disable()
    for _, run, n in counted:
        run(n)
        mark()
        run(n)
        mark()
        run(2 * n)
        mark()
    print(json.dumps([(name, n) for name, _, n in counted]))


def count(python: str) -> dict[str, float]:
    """Instructions of each case in this Python, per pick or build."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LBALGO_", "PYTHON"))}
    environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        tool = ["valgrind", "-q", "--tool=callgrind", "--dump-before=getppid", f"--callgrind-out-file={folder}/out"]
        command = [*tool, python, "-P", __file__, "inside"]
        answer = subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        found = {}
        for at, (name, n) in enumerate(json.loads(answer.stdout.splitlines()[-1])):
            once, twice = (total(Path(f"{folder}/out.{3 * at + part}")) for part in (2, 3))
            found[name] = (twice - once) / n
    return found


def total(path: Path) -> int:
    """The instructions of one part of callgrind's output."""
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("totals:"))
    return int(line.split()[1])


def compared(here: dict[str, float], before: dict[str, float]) -> tuple[list[str], int]:
    """A line for each case, and how many rose by more than they may."""
    lines, risen = [], 0
    for name, now in here.items():
        if name not in before:
            lines.append(f"new  {now:14,.0f} {'':>14} {'':>8}  {name}")
            continue
        rise = now / before[name]
        risen += rise > MOST
        said = "MORE" if rise > MOST else "ok  "
        lines.append(f"{said} {now:14,.0f} {before[name]:14,.0f} {rise - 1:+8.1%}  {name}")
    lines += [f"gone {'':>14} {was:14,.0f} {'':>8}  {name}" for name, was in before.items() if name not in here]
    return lines, risen


def main(arguments: list[str]) -> int:
    if arguments == ["inside"]:
        inside()
        return 0
    if len(arguments) != 2:
        print(__doc__.split("\n\n")[0], file=sys.stderr)
        return 2
    pythons = [os.path.abspath(shutil.which(python) or python) for python in arguments]
    try:
        with ThreadPoolExecutor(2) as both:
            lines, risen = compared(*both.map(count, pythons))
    except (subprocess.CalledProcessError, OSError) as failed:
        print(failed, file=sys.stderr)
        return 2
    print("     instructions         before     more", *lines, sep="\n")
    print(f"{len(lines)} cases, {risen} with more than {MOST - 1:.0%} more instructions")
    return int(risen > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
