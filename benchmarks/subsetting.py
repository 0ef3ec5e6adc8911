"""`python -m benchmarks.subsetting`: balance and churn of the subsetting rules, and of the book's shuffle."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.policies.subsetting import Aperture, DeterministicSubset, RandomSubset, Ringsteady, Rocksteadier

SEED = 2026
SETTINGS = ((200, 100, 10), (300, 300, 30), (300, 300, 90))  # clients, backends, size


class Shuffled:
    """*Site Reliability Engineering*, chapter 20, with Python's generator, as the book has it."""

    def __init__(self, size: int, client: int) -> None:
        self.size, self.client = size, client

    def coverage(self, view: Any) -> Any:
        hands = max(len(view) // self.size, 1)
        turn, hand = divmod(self.client, hands)
        slots = list(range(len(view)))
        random.Random(turn).shuffle(slots)
        cover = np.zeros(len(view))
        cover[slots[hand * self.size : (hand + 1) * self.size]] = 1.0
        return cover


def rules(clients: int, size: int) -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Name and what makes the rule of client i."""
    seeds = np.random.default_rng(SEED).integers(0, 2**63, clients).tolist()
    yield "RandomSubset", lambda i: RandomSubset(size, seeds[i])
    yield "the book's shuffle", lambda i: Shuffled(size, i)
    yield "DeterministicSubset", lambda i: DeterministicSubset(size, i)
    yield "Ringsteady", lambda i: Ringsteady(size, i)
    yield "Rocksteadier", lambda i: Rocksteadier(size, i)
    yield "Aperture", lambda i: Aperture(clients, i, size)


def covers(rule: Callable[[int], Any], clients: int, backends: int) -> Any:
    """Coverage by client and backend."""
    view = lb.View.of([f"b{i}" for i in range(backends)])
    return np.array([rule(i).coverage(view) for i in range(clients)])


def balance(cover: Any) -> tuple[float, float]:
    """Least and most traffic of a backend over the mean, if clients send equally much."""
    traffic = (cover / cover.sum(axis=1, keepdims=True)).sum(axis=0)
    return traffic.min() / traffic.mean(), traffic.max() / traffic.mean()


def churn(before: Any, after: Any) -> float:
    """Part of the connections that end when the last backend of `after` joins."""
    return float(np.maximum(before - after[:, : before.shape[1]], 0.0).sum() / before.sum())


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.subsetting", description=__doc__).parse_args()
    for clients, backends, size in SETTINGS:
        print(f"{clients} clients, {backends} backends, {size} each: least and most over mean traffic; moved by a join")
        for name, rule in rules(clients, size):
            before, after = covers(rule, clients, backends), covers(rule, clients, backends + 1)
            least, most = balance(before)
            print(f"  {name:20} {least:6.3f} {most:6.3f} {100 * churn(before, after):7.2f} %")


if __name__ == "__main__":
    main()
