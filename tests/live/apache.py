"""Apache httpd 2.4: all configurations are balancers of one server with one child, each behind a path of its own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lbalgo import Outcome
from lbalgo.compat import apache
from tests.live import drawing
from tests.live.client import Client, get
from tests.live.drawing import Config
from tests.live.held import play
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port

REQUESTS = 320
MODULES = Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer", "slotmem_shm")
KINDS = ("byrequests", "byrequests", "bytraffic", "bybusyness")
METHODS = ("byrequests", "bytraffic", "bybusyness")


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    workers: list[dict[str, Any]] = [{"loadfactor": float(weight)} for weight in drawing.weights(rng, count, 100)]
    for index in drawing.some(rng, count, often=0.4):
        workers[index]["loadfactor"] = min(100.0, workers[index]["loadfactor"] + rng.choice([0.5, 0.25, 0.99]))
    for index in drawing.some(rng, count, often=0.4):
        workers[index]["lbset"] = rng.randint(0, 3)
    for index in drawing.some(rng, count, often=0.5):
        workers[index]["status"] = rng.choice(["D", "D", "H", "R"])
    config: Config = {"kind": kind, "workers": workers}
    if kind == "bybusyness":
        config["steps"] = drawing.script(rng, REQUESTS, rng.choice([1, 8, 40]))
    if kind == "bytraffic":
        config["sizes"] = [[rng.randrange(2000), rng.randrange(8000)] for _ in range(REQUESTS)]
    return config


def text(configs: list[Config], port: int, origins: Origins, home: Path) -> str:
    """The configuration file."""
    modules = [*LOADED, *(f"lbmethod_{method}" for method in METHODS)]
    lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules]
    lines += [f"ServerRoot {home}", f"DocumentRoot {home}", f"DefaultRuntimeDir {home}", f"PidFile {home}/pid"]
    lines += [f"Listen {LOOPBACK}:{port}", "ServerName test", "User www-data", "Group www-data"]
    lines += [f"ErrorLog {home}/error.log", "LogLevel crit", "KeepAlive On", "MaxKeepAliveRequests 0"]
    lines += ["KeepAliveTimeout 60", "Timeout 60", "ServerLimit 1", "StartServers 1", "ThreadLimit 64"]
    lines += ["ThreadsPerChild 64", "MaxRequestWorkers 64", "MinSpareThreads 1", "MaxSpareThreads 64"]
    lines += ["MaxConnectionsPerChild 0", "ProxyBadHeader IsError", "LimitRequestFieldSize 16380"]
    for number, config in enumerate(configs):
        lines.append(f"<Proxy balancer://c{number}>")
        for index, worker in enumerate(config["workers"]):
            line = f"  BalancerMember http://{LOOPBACK}:{origins.ports[index]} loadfactor={worker['loadfactor']:g}"
            line += f" lbset={worker['lbset']}" if "lbset" in worker else ""
            line += f" status=+{worker['status']}" if "status" in worker else ""
            lines.append(line)
        lines += [f"  ProxySet lbmethod={config['kind']}", "</Proxy>"]
        lines.append(f"ProxyPass /c{number}/ balancer://c{number}/")
    return "\n".join(lines) + "\n"


def requests(config: Config, number: int) -> list[bytes]:
    """The requests in order, as sent."""
    path = f"/c{number}/x"
    if "sizes" not in config:
        return [get(path)] * REQUESTS
    return [get(path, [("x-pad", "p" * request), ("x-body", str(body + 2))]) for request, body in config["sizes"]]


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    found = []
    with folder() as home:
        port = free_port()
        (home / "httpd.conf").write_text(text(configs, port, origins, home))
        command = ["apache2", "-f", home / "httpd.conf", "-DFOREGROUND"]
        with daemon(command, [port], home / "log"):
            for number, config in enumerate(configs):
                asked = requests(config, number)
                if "steps" in config:
                    found.append(play(port, asked, config["steps"], origins))
                    continue
                with Client(port) as client:
                    answers = client.ask(asked, together=1)
                found.append([answer.origin for answer in answers])
                if "sizes" in config:  # what the backend got, and what it answered
                    config["traffic"] = [[int(a.header(b"x-bytes") or 0), len(a.body)] for a in answers]
    return found


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    workers = [
        apache.Worker(f"w{index}", worker["loadfactor"], worker.get("lbset", 0), worker.get("status", ""))
        for index, worker in enumerate(config["workers"])
    ]
    methods = {"byrequests": apache.ByRequests, "bytraffic": apache.ByTraffic, "bybusyness": apache.ByBusyness}
    player = Player(methods[config["kind"]](), workers)
    if "steps" in config:
        return player.play([None] * REQUESTS, config["steps"])
    found: list[int | None] = []
    for number in range(REQUESTS):
        index, lease = player.open()
        found.append(index)
        if lease is not None:
            if "traffic" in config:
                player.balancer.report(lease.backend.id, apache.Traffic.of(*config["traffic"][number]))
            lease.done(Outcome.SUCCESS)
    return found
