"""`python -m benchmarks.tiers`: what breaks when either of two tiers changes, and how hash polarisation shows."""

from __future__ import annotations

import argparse
from typing import Any

import lbalgo as lb
from lbalgo.gates.second_chance import SecondChance
from lbalgo.measure.tiers import FLOWS, Keep, Spray, Tiers, breakage, polarisation
from lbalgo.policies.stable_table import StableTable

SECRET = bytes(16)


def changes(flows: int) -> None:
    """8 balancers, 100 backends; each line a history, each cell the flows broken in its last step."""
    fronts, backs = tuple(f"l{i}" for i in range(8)), tuple(f"10.0.0.{i}" for i in range(100))
    more = (*backs, "10.0.1.1")
    begin, joined = Tiers(fronts, backs), Tiers(fronts, more)
    histories = {
        "a backend joins": [begin, joined],
        "a backend leaves": [begin, Tiers(fronts, backs[:-1])],
        "a balancer leaves": [begin, Tiers(fronts[:-1], backs)],
        "a backend joins, then a balancer leaves": [begin, joined, Tiers(fronts[:-1], more)],
        "both in one step": [begin, Tiers(fronts[:-1], more)],
        "two backends join, one by one": [begin, joined, Tiers(fronts, (*more, "10.0.1.2"))],
    }
    setups: list[tuple[str, Any, Keep]] = [
        ("Maglev, no memory", lb.Maglev(), Keep.NOTHING),
        ("Maglev, flow tables", lb.Maglev(), Keep.TABLE),
        ("Rendezvous, flow tables", lb.Rendezvous(), Keep.TABLE),
        ("Rendezvous, JET", lb.Rendezvous(), Keep.JET),
        ("SecondChance, no memory", SecondChance(SECRET), Keep.CHANCES),
        ("StableTable, no memory", StableTable(), Keep.CHANCES),
    ]
    for spray in (Spray.MODULO, Spray.CONSISTENT):
        print(f"\nflows broken in the last step, % of all; routers spray by {spray.value}")
        print(f"  {'':<26}" + "".join(f"  {number}" + " " * 7 for number in range(1, len(histories) + 1)) + "held")
        for name, policy, keep in setups:
            cells = [breakage(policy, steps, spray=spray, keep=keep, flows=flows)[-1] for steps in histories.values()]
            print(f"  {name:<26}" + "".join(f"{100 * cell.broken:7.3f}   " for cell in cells) + f"{cells[0].held:.3f}")
    for number, name in enumerate(histories, 1):
        print(f"  {number}: {name}")
    print("  held: flows in the balancers' tables after history 1, for each flow")


def poles(flows: int) -> None:
    """64 balancers, 100 backends, one hash in both tiers or two."""
    names = [f"10.0.0.{i}" for i in range(100)]
    print("\n64 balancers, 100 backends: what one balancer uses (mean), with one hash in both tiers | with two")
    print(f"  {'':<44}{'reach':>7}{'peak':>7}  | {'reach':>7}{'peak':>7}{'all':>7}")
    setups: list[tuple[str, Any, Spray]] = [
        ("RingHash", lb.RingHash(), Spray.RANGE),
        ("RingHash", lb.RingHash(), Spray.MODULO),
        ("Jump", lb.Jump(), Spray.RANGE),
        ("Jump", lb.Jump(), Spray.MODULO),
        ("Maglev", lb.Maglev(), Spray.RANGE),
        ("Maglev", lb.Maglev(), Spray.MODULO),
        ("SecondChance, 4096 rows", SecondChance(SECRET, 4096), Spray.MODULO),
        ("Rendezvous", lb.Rendezvous(), Spray.RANGE),
        ("Rendezvous", lb.Rendezvous(), Spray.CONSISTENT),
    ]
    for name, policy, spray in setups:
        picker = policy.build(names)
        one, two = (polarisation(picker, 64, spray=spray, spray_seed=seed, flows=flows) for seed in (None, 1))
        line = f"  {name + ', ' + spray.value:<44}{one.reach:7.3f}{one.peak:7.2f}  | {two.reach:7.3f}{two.peak:7.2f}"
        print(f"{line}{two.total_peak:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiers", description=__doc__)
    parser.add_argument("--flows", type=int, default=FLOWS, help=f"how many flows ({FLOWS})")
    options = parser.parse_args()
    changes(options.flows)
    poles(max(options.flows, 1 << 18))


if __name__ == "__main__":
    main()
