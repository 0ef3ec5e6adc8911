"""`python benchmarks/figures.py load-aware [--quick]`: known figures beside what the simulator makes of the library.

Each line: what, the value expected, where the expectation comes from (a published figure, an exact law, or a simulation
that shares no code with this one), what was measured with its 99.99 % confidence interval, and whether the two agree.
Exit status 1 if one is missed; what each group took is said on standard error. `--quick` is the part that takes less
than a minute; names of figures' functions after the table's name choose some of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

if not __package__:  # run as a script
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import lbalgo as lb
from benchmarks import load_aware
from benchmarks.figure import Figure, table

TABLES: dict[str, tuple[Callable[[bool], Iterable[Figure]], ...]] = {"load-aware": load_aware.FIGURES}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks/figures.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("table", choices=TABLES, help="which table")
    parser.add_argument("only", nargs="*", metavar="name", help="which of its figures (all)")
    parser.add_argument(
        "--quick", action="store_true", help="less than a minute: shorter runs, none of the slow figures"
    )
    options = parser.parse_args()
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: the figures would be the same, in hours", file=sys.stderr)
        return 2
    functions = {function.__name__: function for function in TABLES[options.table]}
    for name in options.only:
        if name not in functions:
            parser.error(f"{name!r} is none of {', '.join(functions)}")
    found: list[Figure] = []
    for name, function in functions.items():
        if not options.only or name in options.only:
            began = time.process_time()
            found += function(options.quick)
            print(f"{name}: {time.process_time() - began:.0f} s of a core", file=sys.stderr, flush=True)
    print(table(found))
    missed = sum(not figure.ok for figure in found)
    print(f"\n{len(found)} figures, {missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
