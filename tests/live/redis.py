"""Redis Cluster: one node a configuration, whose file says which slots the other nodes serve.

Decisions are the slot of each key (CLUSTER KEYSLOT), and then the node that a client is sent to: the node itself, or
the one it names in MOVED. The other nodes do not run: nobody has to be told that they do not answer so soon.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from itertools import pairwise
from pathlib import Path

from lbalgo.compat import redis
from tests.live import drawing
from tests.live.drawing import Config
from tests.live.origins import Origins
from tests.live.servers import LOOPBACK, daemon, folder, free_port

REQUESTS = 320
KINDS = ("cluster",)


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    cuts = sorted(rng.sample(range(1, redis.SLOTS), min(count * rng.randint(1, 4), redis.SLOTS - 1) - 1))
    bounds = [0, *cuts, redis.SLOTS]
    ranges: list[list[list[int]]] = [[] for _ in range(count)]
    for number, (first, end) in enumerate(pairwise(bounds)):
        ranges[number if number < count else rng.randrange(count)].append([first, end - 1])
    return {"kind": kind, "slots": ranges, "keys": [_key(rng).hex() for _ in range(REQUESTS)]}


def _key(rng: random.Random) -> bytes:
    shape = rng.randrange(4)
    word = drawing.keys(rng, 1)[0].encode()
    if shape == 0:
        return word
    if shape == 1:
        return b"%s{%s}%d" % (word, drawing.keys(rng, 1)[0].encode(), rng.randrange(99))
    if shape == 2:
        return rng.randbytes(rng.randint(0, 80))
    return bytes(rng.choice(b"{}ab") for _ in range(rng.randint(1, 12)))


def nodes(config: Config, port: int) -> str:
    """The node's file of the cluster; the first node is itself. The others' ports are 1, 2, …, and unused."""
    lines = []
    for index, ranges in enumerate(config["slots"]):
        place = f"{LOOPBACK}:{port}@{port}" if index == 0 else f"{LOOPBACK}:{index}@{index}"
        flags = "myself,master" if index == 0 else "master"
        slots = " ".join(f"{first}-{last}" if first < last else str(first) for first, last in ranges)
        lines.append(f"{index:040x} {place} {flags} - 0 0 {index + 1} connected {slots}".rstrip())
    return "\n".join([*lines, f"vars currentEpoch {len(lines)} lastVoteEpoch 0", ""])


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    with contextlib.ExitStack() as running:
        ports = []
        for config in configs:
            home, port = running.enter_context(folder()), free_port()
            ports.append(port)
            running.enter_context(
                daemon(["redis-server", _settings(home, port, nodes(config, port))], [port], home / "log")
            )
        return [_capture(config, port) for config, port in zip(configs, ports, strict=True)]


def _settings(home: Path, port: int, cluster: str) -> Path:
    (home / "nodes.conf").write_text(cluster)
    file = home / "redis.conf"
    file.write_text(
        f"bind {LOOPBACK}\nport {port}\ncluster-enabled yes\ncluster-config-file nodes.conf\ndir {home}\n"
        f"cluster-port {free_port()}\ncluster-node-timeout 3600000\nsave ''\nappendonly no\n"
    )
    return file


def _capture(config: Config, port: int) -> list[int | None]:
    keys = [bytes.fromhex(key) for key in config["keys"]]
    with socket.create_connection((LOOPBACK, port), timeout=20) as connection:
        slots = [int(answer[1:]) for answer in _ask(connection, [(b"CLUSTER", b"KEYSLOT", key) for key in keys])]
        for _ in range(600):  # a node waits after its start before it serves
            if b"cluster_state:ok" in _info(connection):
                break
            time.sleep(0.02)
        owners = [_owner(answer) for answer in _ask(connection, [(b"GET", key) for key in keys])]
    return slots + owners


def _ask(connection: socket.socket, commands: list[tuple[bytes, ...]]) -> list[bytes]:
    """Answers of one line each."""
    connection.sendall(
        b"".join(b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in c) for c in commands)
    )
    lines = connection.makefile("rb")
    return [lines.readline().rstrip() for _ in commands]


def _info(connection: socket.socket) -> bytes:
    connection.sendall(b"CLUSTER INFO\r\n")
    lines = connection.makefile("rb")
    return lines.read(int(lines.readline()[1:]) + 2)


def _owner(answer: bytes) -> int:
    """Index of the node: it has no such key (and so serves the slot), or it names another one."""
    if answer == b"$-1":
        return 0
    if not answer.startswith(b"-MOVED "):
        raise ValueError(answer)
    return int(answer.rpartition(b":")[2])


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    keys = [bytes.fromhex(key) for key in config["keys"]]
    members = [redis.Node(str(i), tuple((a, b) for a, b in ranges)) for i, ranges in enumerate(config["slots"])]
    picker = redis.Cluster().build(members)
    return [redis.slot(key) for key in keys] + [int(picker.pick(key).id) for key in keys]
