"""Hot keys: `python -m benchmarks.hot_keys` prints the figures of docs/theory/hot_keys.md (same seed, same figures).

Zipf keys: key number r is requested in proportion to 1 / r^s. Three tables: how well the sketch names the heaviest keys
and how far its counts are off; what a pool's largest load is, and what that costs in copies of keys; what it costs in
time (`--time`; that table alone depends on the machine).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.policies.hot_key_spread import HotKeySpread
from lbalgo.sketches import HeavyHitters

KEYS, REQUESTS, BACKENDS, SEED = 100_000, 200_000, 25, 1
EXPONENTS = (0.8, 1.0, 1.2)


def zipf(exponent: float, requests: int) -> list[int]:
    law = np.arange(1, KEYS + 1) ** -exponent
    return np.random.default_rng(SEED).choice(KEYS, size=requests, p=law / law.sum()).tolist()  # type: ignore[no-any-return]


def sketches(requests: int) -> None:
    print(f"\nsketch of {requests} requests for {KEYS} keys: heaviest keys named, error of the counts kept")
    print("     s  counters   of top 10  of top 100   worst error of top 10   n / m   law for skewed streams")
    for exponent in EXPONENTS:
        keys = zipf(exponent, requests)
        true = Counter(keys)
        ranked = [key for key, _ in true.most_common()]
        for capacity in (100, 400, 1600):
            sketch = HeavyHitters(capacity)
            for key in keys:
                sketch.add(key)
            named = [hot.key for hot in sketch.top()]
            ten, hundred = (len(set(ranked[:n]) & set(named[:n])) for n in (10, 100))
            worst = max(sketch.top(10), key=lambda hot: hot.count - true[int(hot.key)])  # type: ignore[arg-type]
            error = worst.count - true[int(worst.key)]  # type: ignore[arg-type]
            heavy = np.array([true[key] for key in ranked[: capacity - 1]])
            left = requests - np.concatenate(([0], np.cumsum(heavy)))
            bound = float((left / (capacity - np.arange(len(left)))).min())
            print(
                f"  {exponent:4}  {capacity:8}  {ten:10}  {hundred:10}  {error:22}  {requests / capacity:6.0f}"
                f"  {bound:23.0f}"
            )


def setups() -> list[tuple[str, Any]]:
    base = lb.Rendezvous()
    return [
        ("Rendezvous", base),
        *((f"HotKeySpread, k={k}, share=0.01", HotKeySpread(base, k)) for k in (2, 4, 8, 25)),
        ("HotKeySpread, k=25, share=0.003", HotKeySpread(base, 25, 0.003)),
        ("Random (no affinity)", lb.Random()),
    ]


def loads(requests: int) -> None:
    """The second half counts; the sketch has seen the first."""
    ids = [f"10.0.0.{i}" for i in range(BACKENDS)]
    print(f"\n{BACKENDS} backends, {requests} requests after as many that the sketch has seen")
    print("     s  policy                             peak / mean   spread   hot keys   first requests, %")
    for exponent in EXPONENTS:
        keys = zipf(exponent, 2 * requests)
        for name, policy in setups():
            picker: Any = policy.build(ids)
            sketch = getattr(picker, "sketch", None)
            load: Counter[str] = Counter()
            seen: set[tuple[int, str]] = set()
            first = 0
            for number, key in enumerate(keys):
                if sketch is not None:
                    sketch.add(key)
                chosen = picker.pick(key).id
                if number >= requests:
                    load[chosen] += 1
                    first += (key, chosen) not in seen
                seen.add((key, chosen))
            counts = np.array([load[i] for i in ids]) / (requests / BACKENDS)
            hot = 0 if sketch is None else sum(picker.width(h.key) > 1 for h in sketch.top())
            print(
                f"  {exponent:4}  {name:33}  {counts.max():11.2f}  {counts.std():7.2f}  {hot:9}"
                f"  {100 * first / requests:18.2f}"
            )
        print(
            f"        hottest key: {100 * Counter(keys[requests:]).most_common(1)[0][1] / requests:.2f} % of requests"
        )


def costs() -> None:
    ids, keys = [f"10.0.0.{i}" for i in range(BACKENDS)], zipf(1.0, 50_000)
    base, spread = lb.Rendezvous().build(ids), HotKeySpread(lb.Rendezvous()).build(ids)

    def timed(function: Any) -> float:
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            for key in keys:
                function(key)
            best = min(best, time.perf_counter() - started)
        return 1e9 * best / len(keys)

    print("\nnanoseconds a request, least of five rounds of 50000 Zipf(1) keys")
    for name, function in (
        ("Rendezvous pick", base.pick),
        ("sketch add, 400 counters", spread.sketch.add),
        ("HotKeySpread pick", spread.pick),
    ):
        print(f"  {name:28}{timed(function):8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_keys", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"how many ({REQUESTS})")
    parser.add_argument("--time", action="store_true", help="also what a request costs on this machine")
    options = parser.parse_args()
    sketches(options.requests)
    loads(options.requests)
    if options.time:
        costs()


if __name__ == "__main__":
    main()
