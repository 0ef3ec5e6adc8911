"""pylibmc and the libmemcached in its wheel, in front of real memcached servers.

Each configuration stores its keys through the client; then every server is asked which of them it has.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from typing import Any

from lbalgo.compat import memcached
from tests.live import drawing
from tests.live.drawing import Config
from tests.live.origins import Origins
from tests.live.servers import LOOPBACK, Failed, daemon, folder, free_port, listens

REQUESTS = 320
HASHES = tuple(member.value for member in memcached.LibmemcachedHash if member.value not in ("hsieh", "murmur3"))
KINDS = (
    "default",
    "default",
    "modula",
    "consistent",
    "consistent ketama",
    "consistent ketama spy",
    "consistent weighted",
)
# A ring that is not said to be weighted has room for 1100 points at first. With a weight above 1 this version writes
# 160 points a server into it all the same: with more servers than these it overruns its memory.
SAFE = 6
# In a process of its own, since it may crash.
CLIENT = """
import json, sys
import pylibmc
servers, behaviors, value, keys = json.load(sys.stdin)
client = pylibmc.Client(servers, binary=False, behaviors={**behaviors, "tcp_nodelay": True})
for key in keys:
    client.set(key, value)
client.disconnect_all()
"""


def draw(rng: random.Random, kind: str) -> Config:
    behaviors: dict[str, Any] = {}
    if rng.random() < 0.8:
        behaviors["hash"] = rng.choice(HASHES)
    if kind != "default":
        behaviors["distribution"] = kind
    for flag in ("ketama", "ketama_weighted"):
        if rng.random() < 0.25:
            behaviors[flag] = rng.random() < 0.8
    if rng.random() < 0.1:
        behaviors["ketama_hash"] = rng.choice(HASHES)
    count = drawing.size(rng)
    weights = drawing.weights(rng, count, 40)
    if count > SAFE and behaviors.get("distribution") not in ("modula", "consistent weighted"):
        weights = [1] * count
    keys = sorted(set(drawing.keys(rng, REQUESTS + 40)))  # one value a key
    rng.shuffle(keys)
    return {"kind": kind, "behaviors": behaviors, "weights": weights, "keys": keys[:REQUESTS]}


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    count = max(len(config["weights"]) for config in configs)
    ports = [free_port() for _ in range(count)]
    with contextlib.ExitStack() as running:
        home = running.enter_context(folder())
        options = (
            ["-l", LOOPBACK, "-U", "0", "-t", "1", "-m", "8", "-u", "root"] if os.getuid() == 0 else ["-l", LOOPBACK]
        )
        logs = [home / f"log{port}" for port in ports]
        started = [
            running.enter_context(daemon(["memcached", *options, "-p", str(port)], [], log, kill=True))
            for port, log in zip(ports, logs, strict=True)
        ]
        for process, port, log in zip(started, ports, logs, strict=True):
            listens(process, port, log)
        servers = [running.enter_context(socket.create_connection((LOOPBACK, port), timeout=20)) for port in ports]
        return [_capture(config, number, ports, servers) for number, config in enumerate(configs)]


def _capture(config: Config, number: int, ports: list[int], servers: list[socket.socket]) -> list[int | None]:
    config["addresses"] = [f"{LOOPBACK}:{port}" for port in ports[: len(config["weights"])]]
    named = [f"{address}:{weight}" for address, weight in zip(config["addresses"], config["weights"], strict=True)]
    value = f"c{number}"
    asked = json.dumps([named, config["behaviors"], value, config["keys"]])
    client = subprocess.run([sys.executable, "-c", CLIENT], input=asked.encode(), capture_output=True, timeout=60)
    if client.returncode:
        raise Failed(f"the client ended with {client.returncode} on {config['behaviors']}: {client.stderr.decode()}")
    owner: dict[bytes, int] = {}
    raw = [key.encode() for key in config["keys"]]
    for index in range(len(config["weights"])):
        for key in _held_by(servers[index], raw, value.encode()):
            if key in owner:
                raise ValueError(f"{key!r} is on two servers")
            owner[key] = index
    return [owner.get(key) for key in raw]


def _held_by(server: socket.socket, keys: list[bytes], value: bytes) -> list[bytes]:
    server.sendall(b"".join(b"get %s\r\n" % b" ".join(keys[at : at + 80]) for at in range(0, len(keys), 80)))
    lines, found = server.makefile("rb"), []
    for _ in range(0, len(keys), 80):
        while (line := lines.readline()) != b"END\r\n":
            key, length = line.split(b" ")[1], int(line.split(b" ")[3])
            if lines.read(length + 2)[:-2] == value:
                found.append(key)
    return found


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    servers = [memcached.Server(a, w) for a, w in zip(config["addresses"], config["weights"], strict=True)]
    picker = memcached.pylibmc(config["behaviors"]).build(servers)
    slots = picker.pick_many(picker.tickets(config["keys"])) if hasattr(picker, "tickets") else ()
    return [int(slot) for slot in slots]
