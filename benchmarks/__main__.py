"""`python -m benchmarks`: tables of timings; `benchmarks/bars.py` sets ratios in them against what they have to be."""

from __future__ import annotations

import argparse
import json
import platform
import sys

import lbalgo as lb

from .tables import TABLES, fill


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="which tables (all)")
    parser.add_argument("--quick", action="store_true", help="N = 100 (builds: 1000) only, fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
        return 2
    results = {}
    for table in options.tables or TABLES:
        results[table] = fill(table, options.quick)
        if not options.json:
            print(f"\n{table}: nanoseconds per item, least of the rounds")
            for name, ns in results[table].items():
                print(f"  {name:<52} {ns:>14,.1f}")
    if options.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "ns": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
