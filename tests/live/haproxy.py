"""HAProxy 2.6: one process a configuration, one thread, decisions read from the backend that answered."""

from __future__ import annotations

import random
import socket
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from lbalgo.compat import haproxy
from lbalgo.types import State
from tests.live import drawing
from tests.live.client import Client, get
from tests.live.drawing import Config
from tests.live.held import play
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port

REQUESTS = 320
FUNCTIONS = ("", "sdbm", "djb2", "wt6", "crc32")
KINDS = ("header", "header", "header", "uri", "url_param", "source", "roundrobin", "roundrobin", "static-rr", "random")
KINDS += ("leastconn", "first", "bounded", "held", "changing", "changing", "domain")


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    consistent = kind == "bounded" or rng.random() < 0.5
    function = rng.choice(FUNCTIONS)
    hash_type = " ".join(
        [
            "consistent" if consistent else "map-based",
            *([function] if function else []),
            *(["avalanche"] if function and rng.random() < 0.5 else []),
        ]
    )
    weights = drawing.weights(rng, count, 256 if consistent or kind != "static-rr" else 100, zero=True)
    servers: list[dict[str, Any]] = [{"weight": weight} for weight in weights]
    for index in drawing.some(rng, count, often=0.4):
        servers[index]["id"] = 1000 + index * 7 + rng.choice([0, 1 << 12, 1 << 20])
    for index in drawing.some(rng, count, often=0.3):
        servers[index]["disabled"] = True
    for index in drawing.some(rng, count, often=0.25):
        servers[index]["backup"] = True
    config: Config = {"kind": kind, "servers": servers, "allbackups": rng.random() < 0.3}
    if kind in ("header", "uri", "url_param", "source", "bounded", "changing", "domain"):
        config["hash_type"] = hash_type
    if kind == "changing":
        config["balance"] = rng.choice(["hash req.fhdr(x-key)", "hdr(x-key)"])
        config["ops"] = _ops(rng, count, weights=consistent)
        count = sum(operands[0] for word, *operands in config["ops"] if word == "pick")
        config["keys"] = [None if rng.random() < 0.15 else key for key in drawing.keys(rng, count)]
    elif kind == "domain":
        config["balance"] = "hdr(x-key) use_domain_only"
        config["keys"] = [_host(rng) for _ in range(REQUESTS)]
    elif kind == "header":
        config["balance"] = rng.choice(["hash req.fhdr(x-key)", "hdr(x-key)"])
        config["keys"] = drawing.keys(rng, REQUESTS)
    elif kind == "uri":
        config["balance"] = "uri" + rng.choice(
            ["", " whole", f" len {rng.randint(3, 30)}", f" depth {rng.randint(1, 4)}", " path-only"]
        )
        config["keys"] = [_target(rng) for _ in range(REQUESTS)]
    elif kind == "url_param":
        config["balance"] = "url_param uid"
        config["keys"] = drawing.keys(rng, REQUESTS, ascii_only=True)
    elif kind == "source":
        config["balance"] = "source"
        config["keys"] = drawing.addresses(rng, REQUESTS)
    elif kind == "bounded":
        config["balance"] = "hash req.fhdr(x-key)"
        config["hash_balance_factor"] = rng.choice([101, 110, 125, 150, 200, 400])
        config["steps"] = drawing.script(rng, REQUESTS, rng.choice([5, 20, 60]))
        config["keys"] = drawing.keys(rng, REQUESTS)
    elif kind == "random":
        config["balance"] = f"random({rng.choice([1, 2, 2, 3, 5])})"
        config["steps"] = drawing.script(rng, REQUESTS, rng.choice([1, 1, 40]))
    elif kind == "held":
        config["balance"] = rng.choice(["roundrobin", "static-rr"])
        config["steps"] = drawing.script(rng, REQUESTS, _cap(servers, rng))
    elif kind in ("leastconn", "first"):
        config["balance"] = kind
        config["steps"] = drawing.script(rng, REQUESTS, _cap(servers, rng))
    else:
        config["balance"] = kind
        if kind == "roundrobin" and rng.random() < 0.7:
            config["ops"] = _ops(rng, count)
    return config


def _target(rng: random.Random) -> str:
    start = rng.choice(["", "", "", "http://h.test"])
    file = f"/d{rng.randrange(13)}/e{rng.randrange(101)}/f{rng.randrange(9999)}.png"
    return f"{start}{file}?uid=u{rng.randrange(999)}"


def _host(rng: random.Random) -> str:
    name = f"h{rng.randrange(9)}"
    return rng.choice([name, f"{name}.d{rng.randrange(99)}", f"{name}.d{rng.randrange(99)}.t{rng.randrange(99)}.org"])


def _cap(servers: list[dict[str, Any]], rng: random.Random) -> int:
    """Gives servers a maxconn, and the most requests that all of them together hold without a queue."""
    room = 0
    for server in servers:
        server["maxconn"] = rng.randint(1, 6)
        server.pop("backup", None)
        if not server.get("disabled") and server["weight"]:
            room += server["maxconn"]
    return max(1, min(40, room))


def _ops(rng: random.Random, count: int, weights: bool = True) -> list[list[Any]]:
    """Runtime changes, each after some picks."""
    ops: list[list[Any]] = []
    for _ in range(12):
        ops.append(["pick", rng.randint(5, REQUESTS // 12 * 2)])
        server = rng.randrange(count)
        changes = [["disable", server], ["enable", server]]
        if weights:  # which static algorithms refuse
            changes.append(["weight", server, rng.choice([0, 1, 7, 50, 256])])
        ops.append(rng.choice(changes))
    return [*ops, ["pick", REQUESTS // 6]]


def text(config: Config, port: int, origins: Origins, control: Path) -> str:
    """The configuration file."""
    lines = ["global", "    nbthread 1", "    maxconn 2000", f"    stats socket {control} level admin"]
    lines += ["defaults", "    mode http", "    timeout connect 5s", "    timeout client 60s", "    timeout server 60s"]
    lines += ["    timeout queue 2s", "    retries 0", "    option http-no-delay"]
    lines += [
        "frontend f",
        f"    bind {LOOPBACK}:{port}",
        "    default_backend b",
        "backend b",
        *backend_lines(config, origins),
    ]
    return "\n".join(lines) + "\n"


def backend_lines(config: Config, origins: Origins) -> list[str]:
    lines = [f"    balance {config['balance']}"]
    if "hash_type" in config:
        lines.append(f"    hash-type {config['hash_type']}")
    if "hash_balance_factor" in config:
        lines.append(f"    hash-balance-factor {config['hash_balance_factor']}")
    if config["allbackups"]:
        lines.append("    option allbackups")
    for index, server in enumerate(config["servers"]):
        line = f"    server s{index} {LOOPBACK}:{origins.ports[index]} weight {server['weight']}"
        for word in ("id", "maxconn"):
            if word in server:
                line += f" {word} {server[word]}"
        for flag in ("backup", "disabled"):
            if server.get(flag):
                line += f" {flag}"
        lines.append(line)
    return lines


def requests(config: Config) -> list[bytes]:
    """The requests in order, as sent."""
    kind = config["kind"]
    if kind in ("header", "bounded", "changing", "domain"):
        return [get("/", [] if key is None else [("x-key", key)]) for key in config["keys"]]
    if kind == "uri":
        return [get(key, host="h.test") for key in config["keys"]]
    if kind == "url_param":
        return [get(f"/p?a=1&uid={key}&b=2") for key in config["keys"]]
    return [get()] * (2 * REQUESTS)


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    return [_capture(config, origins) for config in configs]


def _capture(config: Config, origins: Origins) -> list[int | None]:
    with folder() as home:
        port, control = free_port(), home / "control"
        (home / "haproxy.cfg").write_text(text(config, port, origins, control))
        with daemon(["haproxy", "-db", "-f", home / "haproxy.cfg"], [port], home / "log"):
            if config["kind"] == "source":
                found: list[int | None] = []
                for address in config["keys"]:
                    with Client(port, address) as client:
                        found += [answer.origin for answer in client.ask([get()])]
                return found
            if "steps" in config:
                return play(port, requests(config), config["steps"], origins)
            with Client(port) as client:
                if "ops" not in config:
                    return [answer.origin for answer in client.ask(requests(config)[:REQUESTS])]
                found, asked = [], requests(config)
                for word, *operands in config["ops"]:
                    if word == "pick":
                        some = asked[len(found) : len(found) + operands[0]]
                        found += [answer.origin for answer in client.ask(some)]
                    elif word == "weight":
                        _tell(control, f"set server b/s{operands[0]} weight {operands[1]}")
                    else:
                        state = "maint" if word == "disable" else "ready"
                        _tell(control, f"set server b/s{operands[0]} state {state}")
                return found


def _tell(control: Path, command: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.sendall(command.encode() + b"\n")
        said = b""
        while data := connection.recv(4096):
            said += data
    if said.strip():
        raise ValueError(f"{command!r}: {said!r}")


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    servers = [
        haproxy.Server(
            f"s{index}",
            server["weight"],
            puid=server.get("id"),
            backup=server.get("backup", False),
            maxconn=server.get("maxconn", 0),
        )
        for index, server in enumerate(config["servers"])
    ]
    down = {index: State.UNHEALTHY for index, server in enumerate(config["servers"]) if server.get("disabled")}
    player = Player(policy(config), servers, down)
    keys = _keys(config)
    if "steps" in config:
        return player.play(keys, config["steps"])
    if "ops" not in config:
        return [player.pick(key) for key in keys[:REQUESTS]]
    found: list[int | None] = []
    for word, *operands in config["ops"]:
        if word == "pick":
            found += [player.pick(key) for key in keys[len(found) : len(found) + operands[0]]]
        elif word == "weight":
            server, weight = operands
            player.replace(server, replace(player.backends[server], weight=weight))
        else:
            player.set_state(operands[0], State.UNHEALTHY if word == "disable" else State.HEALTHY)
    return found


def policy(config: Config) -> Any:
    """The policy that `lbalgo` has for it."""
    word, *rest = config["balance"].split(" ", 1)
    shared = {"allbackups": config["allbackups"]}
    if word.startswith("random"):
        return haproxy.Random(draws=int(word[7:-1]), **shared)
    plain = {
        "roundrobin": haproxy.RoundRobin,
        "static-rr": haproxy.StaticRR,
        "leastconn": haproxy.LeastConn,
        "first": haproxy.First,
    }
    if word in plain:
        return plain[word](**shared)
    options = rest[0].split() if rest else []
    rule: Any
    if word == "uri":
        numbers = {name: int(value) for name, value in pairwise(options) if value.isdigit()}
        rule = haproxy.Uri(whole="whole" in options, path_only="path-only" in options, **numbers)
    elif word == "hash":
        rule = haproxy.Expr(rest[0])
    else:
        header = haproxy.Hdr("x-key", use_domain_only="use_domain_only" in options)
        rule = {"hdr(x-key)": header, "url_param": haproxy.UrlParam("uid"), "source": haproxy.Source()}[word]
    return haproxy.Hash(
        rule,
        haproxy.HashType.parse(config["hash_type"]),
        hash_balance_factor=config.get("hash_balance_factor", 0),
        **shared,
    )


def _keys(config: Config) -> list[bytes | str | None]:
    kind = config["kind"]
    if kind == "source":
        return [haproxy.source_key(address) for address in config["keys"]]
    if kind == "url_param":
        return [f"/p?a=1&uid={key}&b=2" for key in config["keys"]]
    return list(config.get("keys", [None] * (2 * REQUESTS)))
