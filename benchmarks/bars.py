"""`python benchmarks/bars.py [table ...] [--quick]`: ratios of times in one run, each beside the most it may be.

Every table module names its bars: one case, another that is timed in the same rounds, and the most the ratio of their
least times may be. Exit status 1 if a bar is missed, 2 on the plain twins, which nobody has to wait for. `--quick` is
the part that needs N = 100 only, in a tenth of the time; CI prints that, and does not fail: its machines are shared.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if not __package__:  # run as a script
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import lbalgo as lb
from benchmarks.tables import TABLES, bars, fill
from benchmarks.timing import Bar


def ratios(table: str, quick: bool) -> list[tuple[Bar, float]]:
    """The bars of a table and what was measured; in a quick run, those whose cases are in it."""
    wanted = bars(table)
    ns = fill(table, quick, {name for bar in wanted for name in (bar.what, bar.than)}) if wanted else {}
    made = [bar for bar in wanted if not quick or {bar.what, bar.than} <= ns.keys()]
    return [(bar, ns[bar.what] / ns[bar.than]) for bar in made]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks/bars.py", description=__doc__.split("\n\n")[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="which tables (all)")
    parser.add_argument("--quick", action="store_true", help="N = 100 (builds: 1000) only, fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of lines")
    options = parser.parse_args(arguments)
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
        return 2
    found = []
    for table in options.tables or TABLES:
        for bar, ratio in ratios(table, options.quick):
            found.append((table, bar, ratio))
            if not options.json:
                said = "ok  " if ratio <= bar.most else "MISS"
                print(f"{said} {ratio:8.3f} <= {bar.most:<6.3g} {bar.what} / {bar.than}", flush=True)
    missed = sum(ratio > bar.most for _, bar, ratio in found)
    if options.json:
        rows = [{"table": t, "what": b.what, "than": b.than, "most": b.most, "ratio": r} for t, b, r in found]
        print(json.dumps(rows))
    else:
        print(f"{len(found)} bars, {missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
