"""twemproxy 0.5: all configurations are pools of one process, but for `random`, which has a process of its own.

Its servers are the origins, which say who they are as the value of every key; `dead` ones refuse connections. A
request that a dead server was chosen for fails, so that decision reads None; `auto_eject_hosts` counts it.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Any

from lbalgo import Outcome
from lbalgo.compat import memcached
from tests.live import drawing
from tests.live.drawing import Config
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port
from tests.live.unseeded import unseeded

REQUESTS = 320
HASHES = tuple(member.value for member in memcached.TwemproxyHash)
KINDS = ("ketama", "ketama", "modula", "random", "eject")
RETRY = 600_000  # milliseconds: nobody returns while a test runs


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    servers: list[dict[str, Any]] = [{"weight": weight} for weight in drawing.weights(rng, count, 100)]
    if rng.random() < 0.4:
        for index in range(count):
            servers[index]["name"] = f"node-{index * 7919 % 1009}"
    config: Config = {"kind": kind, "servers": servers, "hash": rng.choice(HASHES)}
    config["distribution"] = rng.choice(["ketama", "ketama", "modula"]) if kind == "eject" else kind
    config["keys"] = drawing.keys(rng, REQUESTS)
    if rng.random() < 0.3:
        config["hash_tag"] = rng.choice(["{}", "::", "[]"])
        first, last = config["hash_tag"]
        tag = f"{first}g%d{last}"
        config["keys"] = [
            key[:20] + tag % rng.randrange(99) + key[20:] if rng.random() < 0.7 else key for key in config["keys"]
        ]
    if kind == "eject":
        config["server_failure_limit"] = rng.randint(1, 4)
        for index in rng.sample(range(count), min(count, rng.randint(1, 6))):
            servers[index]["dead"] = True
    return config


def pool(name: str, config: Config, port: int, origins: Origins) -> str:
    """A pool of the configuration file."""
    refusing = iter(origins.refusing)
    config["addresses"] = [
        f"{LOOPBACK}:{next(refusing) if server.get('dead') else origins.ports[index]}"
        for index, server in enumerate(config["servers"])
    ]
    lines = [f"{name}:", f"  listen: {LOOPBACK}:{port}", f"  hash: {config['hash']}"]
    lines += [f"  distribution: {config['distribution']}", "  timeout: 5000", "  backlog: 1024"]
    if "hash_tag" in config:
        lines.append(f'  hash_tag: "{config["hash_tag"]}"')
    if "server_failure_limit" in config:
        lines += ["  auto_eject_hosts: true", f"  server_failure_limit: {config['server_failure_limit']}"]
        lines.append(f"  server_retry_timeout: {RETRY}")
    lines.append("  servers:")
    for server, address in zip(config["servers"], config["addresses"], strict=True):
        lines.append(f"    - {address}:{server['weight']} {server.get('name', '')}".rstrip())
    return "\n".join(lines) + "\n"


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    found: list[list[int | None]] = [[] for _ in configs]
    with folder() as home:
        prefix = unseeded(home)
        together = [n for n, config in enumerate(configs) if config["kind"] != "random"]
        for group in [together, *([n] for n, config in enumerate(configs) if config["kind"] == "random")]:
            if group:
                _capture([configs[n] for n in group], [found[n] for n in group], origins, home, prefix)
    return found


def _capture(
    configs: list[Config], found: list[list[int | None]], origins: Origins, home: Path, prefix: list[str]
) -> None:
    ports = [free_port() for _ in configs]
    pools = (pool(f"c{n}", config, ports[n], origins) for n, config in enumerate(configs))
    (home / "nutcracker.yml").write_text("".join(pools))
    command = [*prefix, "nutcracker", "-c", home / "nutcracker.yml", "-a", LOOPBACK, "-s", str(free_port())]
    with daemon(command, ports, home / "log"):
        for config, port, answers in zip(configs, ports, found, strict=True):
            answers += ask(port, config["keys"], 1 if config["kind"] == "eject" else 40)


def ask(port: int, keys: list[str], together: int) -> list[int | None]:
    """The value of each key, None for an error."""
    found: list[int | None] = []
    with socket.create_connection((LOOPBACK, port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = connection.makefile("rb")
        for start in range(0, len(keys), together):
            some = keys[start : start + together]
            connection.sendall(b"".join(b"get %s\r\n" % key.encode() for key in some))
            for _ in some:
                first = lines.readline()
                if not first.startswith(b"VALUE "):
                    found.append(None)
                    if not first.startswith(b"SERVER_ERROR"):
                        raise ValueError(first)
                    continue
                found.append(int(lines.readline()))
                if lines.readline() != b"END\r\n":
                    raise ValueError("an answer without its end")
    return found


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    servers = [
        memcached.Server(address, server["weight"], server.get("name"))
        for address, server in zip(config["addresses"], config["servers"], strict=True)
    ]
    ejects = "server_failure_limit" in config
    policy = memcached.Twemproxy(
        memcached.TwemproxyHash(config["hash"]),
        memcached.TwemproxyDistribution(config["distribution"]),
        config.get("hash_tag", ""),
        ejects,
        **({"seed": 1} if config["kind"] == "random" else {}),
    )
    signals = [memcached.AutoEject(config["server_failure_limit"], RETRY)] if ejects else []
    player = Player(policy, servers, signals=signals)
    dead = {index for index, server in enumerate(config["servers"]) if server.get("dead")}
    found: list[int | None] = []
    for key in config["keys"]:
        index, lease = player.open(key)
        if lease is not None:
            lease.done(Outcome.LOCAL_ERROR if index in dead else Outcome.SUCCESS)
        found.append(None if index in dead else index)
    return found
