"""nginx: one process without workers a configuration, so one set of currents; `random` as the C library starts."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lbalgo.compat import nginx
from tests.live import drawing
from tests.live.client import Client, get
from tests.live.drawing import Config
from tests.live.held import play
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port
from tests.live.unseeded import unseeded

REQUESTS = 320
HEADER = "hash $http_x_key"
KINDS = (
    "rr",
    "rr",
    "hash",
    "hash",
    "consistent",
    "consistent",
    "ip_hash",
    "least_conn",
    "fail",
    "fail",
    "random",
    "held",
)


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    most = 20 if kind == "consistent" else 300
    servers: list[dict[str, Any]] = [{"weight": weight} for weight in drawing.weights(rng, count, most)]
    for index in drawing.some(rng, count, often=0.4):
        servers[index]["down"] = True
    if kind in ("rr", "least_conn", "fail", "held"):
        for index in drawing.some(rng, count, often=0.4):
            servers[index]["backup"] = True
    method = {
        "hash": HEADER,
        "consistent": HEADER + " consistent",
        "ip_hash": "ip_hash",
        "least_conn": "least_conn",
    }.get(kind, "")
    if kind == "random":
        method = rng.choice(["random", "random two", "random two least_conn"])
    elif kind == "fail":
        method = rng.choice(["", HEADER, HEADER + " consistent", "least_conn"])
    elif kind == "held":
        method = rng.choice(["", HEADER, HEADER + " consistent", "least_conn", "least_conn"])
    if method.startswith(("hash", "ip_hash", "random")):
        for server in servers:
            server.pop("backup", None)
    if all(server.get("backup") for server in servers):
        servers[0].pop("backup")  # nginx wants a primary
    config: Config = {"kind": kind, "method": method, "servers": servers}
    if method.startswith("hash"):
        missing = rng.choice([0.0, 0.0, 0.1])
        config["keys"] = ["" if rng.random() < missing else key for key in drawing.keys(rng, REQUESTS)]
    elif method == "ip_hash":
        config["keys"] = drawing.addresses(rng, REQUESTS)
    if kind == "fail":
        for index in rng.sample(range(count), min(count, rng.randint(1, 4))):
            servers[index] |= {"dead": True, "max_fails": rng.choice([0, 1, 1, 2, 3]), "fail_timeout": 600}
        for index in drawing.some(rng, count):
            servers[index].setdefault("max_fails", rng.randint(1, 3))
    elif kind in ("held", "least_conn") or (kind == "random" and rng.random() < 0.5):
        config["steps"] = drawing.script(rng, REQUESTS, rng.choice([4, 15, 40]))
        if kind == "held":
            for index in drawing.some(rng, count, often=0.7, share=0.6):
                servers[index]["max_conns"] = rng.randint(1, 5)
    return config


def text(config: Config, port: int, home: Path) -> str:
    """The configuration file."""
    return f"""
daemon off; master_process off; pid {home}/pid; error_log {home}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    keepalive_requests 100000;
    upstream u {{
        {upstream(config)}
    }}
    server {{
        listen {LOOPBACK}:{port} backlog=1024;
        location / {{
            proxy_pass http://u; proxy_buffering off; proxy_next_upstream error;
            proxy_ignore_client_abort off;
            add_header x-tried $upstream_addr always;
        }}
    }}
}}
"""


def upstream(config: Config) -> str:
    """The upstream block, without its braces."""
    lines = [config["method"] + ";"] if config["method"] else []
    for server, port in zip(config["servers"], config["ports"], strict=True):
        line = f"server {LOOPBACK}:{port}"
        for word in ("weight", "max_fails", "max_conns"):
            if word in server:
                line += f" {word}={server[word]}"
        if "fail_timeout" in server:
            line += f" fail_timeout={server['fail_timeout']}s"
        for flag in ("backup", "down"):
            if server.get(flag):
                line += f" {flag}"
        lines.append(line + ";")
    return "\n        ".join(lines)


def ports(config: Config, origins: Origins) -> list[int]:
    """The port of each server: one that refuses if it is dead."""
    refusing = iter(origins.refusing)
    return [
        next(refusing) if server.get("dead") else origins.ports[index] for index, server in enumerate(config["servers"])
    ]


def requests(config: Config) -> list[bytes]:
    """The requests in order, as sent."""
    if config["method"].startswith("hash"):
        return [get("/", [("x-key", key)] if key else []) for key in config["keys"]]
    return [get()] * REQUESTS


def capture(configs: list[Config], origins: Origins) -> list[list[Any]]:
    with folder() as home:
        prefix = unseeded(home)
        return [_capture(config, origins, prefix) for config in configs]


def _capture(config: Config, origins: Origins, prefix: list[str]) -> list[Any]:
    with folder() as home:
        port = free_port()
        config["ports"] = ports(config, origins)
        (home / "nginx.conf").write_text(text(config, port, home))
        command = ["nginx", "-p", home, "-c", home / "nginx.conf", "-e", home / "error.log"]
        if config["kind"] == "random":
            command = [*prefix, *command]
        with daemon(command, [port], home / "log"):
            if config["method"] == "ip_hash":
                found: list[Any] = []
                for address in config["keys"]:
                    with Client(port, address) as client:
                        found += [answer.origin for answer in client.ask([get()])]
                return found
            if "steps" in config:
                return play(port, requests(config), config["steps"], origins)
            with Client(port) as client:
                answers = client.ask(requests(config))
            if config["kind"] != "fail":
                return [answer.origin for answer in answers]
            index = {f"{LOOPBACK}:{port}": n for n, port in enumerate(config["ports"])}
            return [_tried(answer.header(b"x-tried") or b"", index) for answer in answers]


def _tried(header: bytes, index: dict[str, int]) -> list[int]:
    """Servers in the order tried; what nginx names instead when there is none is no server."""
    return [index[word] for word in header.decode().replace(",", " ").split() if word in index]


def predict(config: Config, seen: list[Any]) -> list[Any]:
    servers = [
        nginx.Server(
            f"s{index}",
            name=f"{LOOPBACK}:{port}",
            **{word: value for word, value in server.items() if word != "dead"},
        )
        for index, (server, port) in enumerate(zip(config["servers"], config["ports"], strict=True))
    ]
    player = Player(policy(config["method"]), servers)
    keys: list[Any] = config.get("keys", [None] * REQUESTS)
    if config["method"] == "ip_hash":
        keys = [nginx.address(address) for address in keys]
    if "steps" in config:
        return player.play(keys, config["steps"])
    if config["kind"] == "fail":
        dead = {index for index, server in enumerate(config["servers"]) if server.get("dead")}
        return [player.tries(key, dead) for key in keys]
    return [player.pick(key) for key in keys]


def policy(method: str) -> Any:
    """The policy that `lbalgo` has for it."""
    if method.startswith("random"):
        return nginx.Random(two="two" in method, srandom=1)
    if method.startswith("hash"):
        return nginx.Hash(consistent="consistent" in method)
    return {"": nginx.RoundRobin(), "least_conn": nginx.LeastConn(), "ip_hash": nginx.IpHash()}[method]
