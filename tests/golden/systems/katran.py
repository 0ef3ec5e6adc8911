"""Replays of Katran's tables: every position, by their digest, and the captured ones one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from lbalgo.compat.katran import CH_RINGS_SIZE, Katran, MaglevVersion, Real
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET

VERSIONS = {"maglev1": MaglevVersion.V1, "maglev2": MaglevVersion.V2}
KNOWN = {"algo", "counts", "endpoints", "every", "n", "picks", "ring", "set", "sha256"}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    for number, config in enumerate(data["configs"]):
        if config["algo"] not in VERSIONS or set(config) - KNOWN:
            raise Strange(f"{config['algo']!r} with {sorted(config)}")
        policy = Katran(VERSIONS[config["algo"]], config["ring"], config["ring"] > CH_RINGS_SIZE)
        rows = config["endpoints"]
        picker = policy.build([Real(str(num), weight, hash) for num, weight, hash in rows])
        numbers = np.array([num for num, _, _ in rows], dtype="<i4")
        if picker.view.eligible.any():
            table = numbers[picker.pick_many(np.arange(config["ring"], dtype=np.uint64))]
        else:
            table = np.full(config["ring"], -1, dtype="<i4")  # nobody: the positions stay as they were
        wrong = count_mismatches(config["picks"], [letter(num) for num in table[:: config["every"]].tolist()])
        wrong += count_mismatches(
            config["counts"], np.bincount(table[table >= 0], minlength=len(config["counts"])).tolist()
        )
        wrong += hashlib.sha256(table.tobytes()).hexdigest() != config["sha256"]
        wrong += config["n"] != len(config["picks"])
        yield Replayed(f"{number} {config['algo']} {config['set']} {config['ring']}", config["ring"], wrong)


def letter(num: int) -> str:
    if not -1 <= num < len(ALPHABET):
        raise Strange(f"number {num} of an endpoint")
    return ALPHABET[num] if num >= 0 else "-"
