"""Replays of CLUSTER KEYSLOT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lbalgo.compat import redis
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import asc, ip4, ip127, mix

RULES: dict[str, Callable[[int], bytes]] = {"mix": mix, "asc": asc, "ip4": ip4, "ip127": ip127}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    for number, config in enumerate(data["configs"]):
        if config["algo"] != "slot" or set(config) - {"algo", "keys", "list", "n", "picks", "set"}:
            raise Strange(f"{sorted(config)}")
        if config["keys"] == "list":
            keys = [bytes.fromhex(text) for text in config["list"]]
        elif config["keys"] in RULES:
            keys = [RULES[config["keys"]](i) for i in range(config["n"])]
        else:
            raise Strange(f"key rule {config['keys']!r}")
        picker = redis.Cluster().build([redis.Node("all", ((0, redis.SLOTS - 1),))])
        slots = [redis.slot(key) for key in keys]
        wrong = count_mismatches(config["picks"], slots) + count_mismatches(slots, picker.tickets(keys).tolist())
        yield Replayed(f"{number} slot", config["n"], wrong)
