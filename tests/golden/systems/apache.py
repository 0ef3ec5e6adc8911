"""Replays of mod_proxy_balancer: one picker a configuration, told of ends and of bytes as the real one was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbalgo import Outcome
from lbalgo.compat import apache
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET

METHODS: dict[str, Any] = {
    "byrequests": apache.ByRequests,
    "bytraffic": apache.ByTraffic,
    "bybusyness": apache.ByBusyness,
}
KNOWN = {"algo", "n", "picks", "servers", "set", "sizes", "held", "ops"}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    for number, config in enumerate(data["configs"]):
        if config["algo"] not in METHODS or set(config) - KNOWN:
            raise Strange(f"{config['algo']!r} with {sorted(config)}")
        picker = METHODS[config["algo"]]().build(workers(config))
        got = "".join(held(picker, config["ops"]) if "ops" in config else serial(picker, config))
        if config["n"] != len(config["picks"]):
            raise Strange(f"{config['n']} decisions, {len(config['picks'])} given")
        yield Replayed(
            f"{number} {config['algo']} {config['set']}", config["n"], count_mismatches(config["picks"], got)
        )


def workers(config: Any) -> list[apache.Worker]:
    made = []
    for server in config["servers"]:
        if set(server) - {"factor", "lbset", "port", "status"}:
            raise Strange(f"fields of a worker: {sorted(server)}")
        status = server.get("status", "").replace("+", "")
        made.append(apache.Worker(str(server["port"]), server.get("factor", 1), server.get("lbset", 0), status))
    return made


def serial(picker: Any, config: Any) -> Iterator[str]:
    """Each request has ended before the next comes."""
    slots = {backend.id: slot for slot, backend in enumerate(picker.backends)}
    sizes = config.get("sizes")
    for i in range(config["n"]):
        slot = slots[picker.pick().id]
        yield ALPHABET[slot]
        row = int(picker.rows[slot])
        picker.load.started(row, 1.0, 0.0)
        if sizes is not None:
            picker.load.reported(row, apache.Traffic.of(*sizes[i]), 0.0)
        picker.load.finished(row, Outcome.SUCCESS, None, 0.0)


def held(picker: Any, ops: list[int]) -> Iterator[str]:
    """Requests stay open until they are closed."""
    slots = {backend.id: slot for slot, backend in enumerate(picker.backends)}
    opened: list[int] = []
    for op in ops:
        if op >= 0:
            picker.load.finished(opened.pop(op), Outcome.SUCCESS, None, 0.0)
            continue
        slot = slots[picker.pick().id]
        yield ALPHABET[slot]
        opened.append(int(picker.rows[slot]))
        picker.load.started(opened[-1], 1.0, 0.0)
