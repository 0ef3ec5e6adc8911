"""`python -m benchmarks`: tables and the bars they have to meet; with --strict, exit status 1 if one is missed."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable

import lbalgo as lb

from . import affinity, build, bulk, compat, dialects, lease, loads, scalar
from .timing import Case, measure

TABLES: dict[str, Callable[[bool], list[Case]]] = {
    "scalar": scalar.cases,
    "bulk": bulk.cases,
    "build": build.cases,
    "lease": lease.cases,
    "affinity": affinity.cases,
    "loads": loads.cases,
    "compat": compat.cases,
    "dialects": dialects.cases,
}
XXH64, CYCLE, RING = "xxhash.xxh64_intdigest(16 bytes)", "next(itertools.cycle)", "uhashring get_node (md5), N=100"
FILL, MODULO = "Maglev fill, M=65537 N=1000", "C loop, remainder per probe, M=65537 N=1000"
ATTACHED = "slow start + ejection"
LEAST = "LeastLoaded acquire + done, N={}, 10 in flight"

# table, what, against what (both timed in one run), most the ratio may be
BARS = (
    ("scalar", "Maglev, N=100", XXH64, 1.3),
    ("scalar", "RingHash, N=100", XXH64, 1.3),
    ("scalar", "WeightedRoundRobin, N=100", CYCLE, 1.3),
    ("scalar", "PowerOfTwo, N=100", CYCLE, 1.6),
    ("scalar", "Maglev, N=100", RING, 1 / 15),
    ("scalar", "RingHash, N=100", RING, 1 / 15),
    ("build", FILL, MODULO, 0.65),
    ("loads", "PowerOfTwo by PeakEwma", "PowerOfTwo by InFlight", 2.0),
    ("loads", LEAST.format(10_000), LEAST.format(10), 1.5),
    ("lease", f"WeightedRoundRobin, {ATTACHED}", CYCLE, 15.0),
    ("lease", f"PowerOfTwo, {ATTACHED}", CYCLE, 15.0),
    ("lease", f"Maglev, {ATTACHED}", CYCLE, 15.0),
)

BARS += tuple(("compat", f"envoy.{name} pick, N=100", f"{name} pick, N=100", 1.15) for name in ("Maglev", "RingHash"))
BARS += tuple(
    ("compat", f"envoy.RingHash build, {ring}, N=100", f"C hash and qsort, {ring}, N=100", 1.3) for ring in compat.RINGS
)
BARS += tuple(("dialects", f"{name} build, N=100", f"C {name}, N=100", 1.3) for name in dialects.NAMES)
BARS += (("compat", "envoy.Maglev build, N=100", "C fill by rounds, N=100", 1.3),)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="which tables (all)")
    parser.add_argument("--quick", action="store_true", help="N = 100 (builds: 1000) only, fewer rounds")
    parser.add_argument("--strict", action="store_true", help="exit with status 1 if a bar is missed")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    options = parser.parse_args()
    if lb.kernels() != "cython":
        print("the plain-Python kernels are in use: there is nothing to time", file=sys.stderr)
        return 2
    results = {}
    for table in options.tables or TABLES:
        slow = table in ("build", "compat", "dialects")
        rounds = 7 if options.quick else 15
        cases = TABLES[table](options.quick)
        results[table] = measure(cases, rounds=rounds, slice_ms=10.0) if slow else measure(cases, rounds=3 * rounds)
        if not options.json:
            show(table, results[table])
    bars = [(t, what, than, results[t][what] / results[t][than], bar) for t, what, than, bar in BARS if t in results]
    if options.json:
        print(json.dumps({"machine": platform.processor() or platform.machine(), "ns": results, "bars": bars}))
    else:
        print("\nbars (ratio of minima in one run)")
        for _, what, than, ratio, bar in bars:
            print(f"  {'ok  ' if ratio <= bar else 'MISS'} {ratio:8.3f} <= {bar:<6.3g} {what} / {than}")
    return int(options.strict and any(ratio > bar for *_, ratio, bar in bars))


def show(table: str, results: dict[str, float]) -> None:
    print(f"\n{table}: nanoseconds per item, least of the rounds")
    for name, ns in results.items():
        print(f"  {name:<52} {ns:>14,.1f}")


if __name__ == "__main__":
    sys.exit(main())
