"""Draws configurations, lets the real programs decide, and compares.

usage: python -m tests.live [--system NAME]… [--configurations N] [--seed N] [--keep FILE]

Prints, per system: configurations, decisions, mismatches, seconds; then each configuration that disagrees, by the
seed that draws it. Exit status 1 if there is any mismatch.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.live.comparing import SYSTEMS, compare


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--system", action="append", choices=SYSTEMS, help="one of these; several times for several")
    parser.add_argument("--configurations", type=int, default=200, help="configurations of each system")
    parser.add_argument("--seed", type=int, default=1, help="the first configuration's; the others' follow")
    parser.add_argument("--keep", help="file for the configurations that disagree, with both sides' decisions")
    asked = parser.parse_args()
    kept, wrong = [], 0
    for system in asked.system or SYSTEMS:
        total = compare(system, range(asked.seed, asked.seed + asked.configurations))
        print(total, flush=True)
        for bad in total.disagreeing:
            print("  ", bad, flush=True)
            kept.append(bad.as_data())
        wrong += total.mismatches + len(total.disagreeing)
    if asked.keep:
        with open(asked.keep, "w", encoding="utf-8") as out:
            json.dump(kept, out)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
