"""Varnish 7.1: all configurations are directors of one VCL; health is set over the administrator's port in phases."""

from __future__ import annotations

import hashlib
import random
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from lbalgo.compat import varnish
from lbalgo.types import State
from tests.live import drawing
from tests.live.client import Answer, Client, get
from tests.live.drawing import Config
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port

REQUESTS = 320
PHASES = 4
SEED = 42  # of Varnish's testable generator
KINDS = ("round_robin", "fallback", "random", "hash", "hash", "shard", "shard", "shard", "warm")


def draw(rng: random.Random, kind: str) -> Config:
    count = drawing.size(rng)
    servers: list[dict[str, Any]] = [{} for _ in range(count)]
    if kind in ("random", "hash"):
        for server, weight in zip(servers, drawing.weights(rng, count, 100, zero=True), strict=True):
            server["weight"] = weight + rng.choice([0.0, 0.0, 0.25, 0.5]) if weight else 0.0
    elif kind in ("shard", "warm"):
        for server, weight in zip(servers, drawing.weights(rng, count, 6), strict=True):
            server["weight"] = weight + rng.choice([0.0, 0.0, 0.25, 0.5])
        if rng.random() < 0.4:
            for index, server in enumerate(servers):
                server["ident"] = f"ident {index * 7919 % 1009}"
    config: Config = {"kind": kind, "servers": servers}
    if kind == "fallback":
        config["sticky"] = rng.random() < 0.5
    if kind in ("shard", "warm"):
        config["replicas"] = rng.choice([1, 7, 67, 67, 100, rng.randint(1, 200)])
        config["by"] = rng.choice(["KEY", "KEY", "URL", "BLOB"])
        config["healthy"] = rng.choice(["CHOSEN", "ALL", "IGNORE"])
        config["alt"] = rng.choice([0, 0, 1, 2, rng.randint(0, 8)]) if kind == "shard" else 0
        if kind == "warm":
            config["warmup"] = round(rng.random(), 3)
            config["healthy"] = rng.choice(["CHOSEN", "ALL"])
    if kind in ("hash", "shard", "warm"):
        config["keys"] = _keys(rng, config.get("by", "KEY"))
    config["sick"] = [drawing.some(rng, count, often=0.6) for _ in range(PHASES)]
    return config


def _keys(rng: random.Random, by: str) -> list[str]:
    if by == "BLOB":
        return [rng.randbytes(rng.randint(4, 9)).hex() for _ in range(REQUESTS)]
    keys = drawing.keys(rng, REQUESTS, ascii_only=by == "URL")
    return [f"/{key}" for key in keys] if by == "URL" else keys


def vcl(configs: list[Config], origins: Origins) -> str:
    """The whole program."""
    lines = ["vcl 4.1;", "import directors; import blob;"]
    most = max(len(config["servers"]) for config in configs)  # a backend that nobody uses is refused
    for index, port in enumerate(origins.ports[:most]):
        lines.append(f'backend b{index} {{ .host = "{LOOPBACK}"; .port = "{port}"; }}')
    lines.append("sub vcl_init {")
    for number, config in enumerate(configs):
        lines += _director(f"c{number}", config)
    lines += ["}", "sub vcl_recv {"]
    for number, config in enumerate(configs):
        lines.append(
            f'    if (req.http.x-c == "{number}") {{ set req.backend_hint = {_backend(f"c{number}", config)}; }}'
        )
    lines += ["    return (pass);", "}"]
    lines += ["sub vcl_deliver {", "    set resp.http.x-chosen = req.backend_hint;", "}"]
    return "\n".join(lines) + "\n"


def _director(name: str, config: Config) -> list[str]:
    kind = "shard" if config["kind"] == "warm" else config["kind"]
    made = f"directors.{kind}({'sticky = true' if config.get('sticky') else ''})"
    lines = [f"    new {name} = {made};"]
    for index, server in enumerate(config["servers"]):
        arguments = [f"b{index}"]
        if "ident" in server:
            arguments.append(f'ident = "{server["ident"]}"')
        if "weight" in server:
            arguments.append(f"weight = {server['weight']:.2f}" if kind == "shard" else f"{server['weight']:.2f}")
        lines.append(f"    {name}.add_backend({', '.join(arguments)});")
    if kind == "shard":
        if "warmup" in config:
            lines.append(f"    {name}.set_warmup({config['warmup']:.3f});")
        lines.append(f"    {name}.reconfigure(replicas = {config['replicas']});")
    return lines


def _backend(name: str, config: Config) -> str:
    if config["kind"] == "hash":
        return f"{name}.backend(req.http.x-key)"
    if config["kind"] not in ("shard", "warm"):
        return f"{name}.backend()"
    by = {
        "KEY": f"by = KEY, key = {name}.key(req.http.x-key)",
        "URL": "by = URL",
        "BLOB": "by = BLOB, key_blob = blob.decode(HEX, encoded = req.http.x-key)",
    }[config["by"]]
    now = ", resolve = NOW" if config["healthy"] == "IGNORE" else ""
    return f"{name}.backend({by}, alt = {config['alt']}, healthy = {config['healthy']}{now})"


class Administrator:
    """The port that commands come in by."""

    def __init__(self, port: int, secret: bytes) -> None:
        self._connection = socket.create_connection((LOOPBACK, port), timeout=20)
        self._lines = self._connection.makefile("rb")
        status, said = self._answer()
        if status == 107:
            challenge = said[:32]
            proof = hashlib.sha256(challenge + b"\n" + secret + challenge + b"\n").hexdigest()
            self(f"auth {proof}")

    def __call__(self, command: str) -> bytes:
        self._connection.sendall(command.encode() + b"\n")
        status, said = self._answer()
        if status != 200:
            raise ValueError(f"{command!r}: {status} {said!r}")
        return said

    def _answer(self) -> tuple[int, bytes]:
        status, length = self._lines.readline().split()
        return int(status), self._lines.read(int(length) + 1)

    def __enter__(self) -> Administrator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lines.close()
        self._connection.close()


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    with folder() as home:
        port, admin = free_port(), free_port()
        (home / "test.vcl").write_text(vcl(configs, origins))
        (home / "secret").write_bytes(b"lbalgo\n")
        running = daemon(_command(home, port, admin), [admin, port], home / "log", patience=60.0)
        with running, Administrator(admin, b"lbalgo\n") as tell:
            return [_capture(config, number, port, tell) for number, config in enumerate(configs)]


def _command(home: Path, port: int, admin: int) -> list[str | Path]:
    settings = ["thread_pools=1", "thread_pool_min=20", "vsl_space=2M", "workspace_client=64k"]
    options = [word for setting in settings for word in ("-p", setting)]
    places = ["-a", f"{LOOPBACK}:{port}", "-T", f"{LOOPBACK}:{admin}", "-S", home / "secret", "-n", home / "work"]
    return ["varnishd", "-F", "-j", "none", "-f", home / "test.vcl", "-s", "malloc,8m", *places, *options]


def _capture(config: Config, number: int, port: int, tell: Administrator) -> list[int | None]:
    tell(f"debug.srandom {SEED}")
    found: list[int | None] = []
    asked = _requests(config, number)
    share = len(asked) // PHASES
    with Client(port) as client:
        for phase, sick in enumerate(config["sick"]):
            tell("backend.set_health boot.* healthy")
            for index in sick:
                tell(f"backend.set_health boot.b{index} sick")
            answers = client.ask(asked[phase * share : (phase + 1) * share], together=1)
            found += [_chosen(answer) for answer in answers]
    return found


def _chosen(answer: Answer) -> int | None:
    """Who answered; or whom the director chose although it is sick, which Varnish then does not ask."""
    name = answer.header(b"x-chosen") or b""
    return answer.origin if answer.origin is not None or not name.startswith(b"b") else int(name[1:])


def _requests(config: Config, number: int) -> list[bytes]:
    chosen = ("x-c", str(number))
    if "keys" not in config:
        return [get("/", [chosen])] * REQUESTS
    if config.get("by") == "URL":
        return [get(key, [chosen]) for key in config["keys"]]
    return [get("/", [chosen, ("x-key", key)]) for key in config["keys"]]


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    backends = [
        varnish.Backend(f"b{index}", server.get("weight", 1.0), ident=server.get("ident"))
        for index, server in enumerate(config["servers"])
    ]
    player = Player(policy(config), backends)
    found: list[int | None] = []
    keys = config.get("keys", [None] * REQUESTS)
    if config.get("by") == "BLOB":
        keys = [bytes.fromhex(key) for key in keys]
    share = len(keys) // PHASES
    for phase, sick in enumerate(config["sick"]):
        for index in range(len(backends)):
            player.set_state(index, State.UNHEALTHY if index in sick else State.HEALTHY)
        found += [player.pick(key) for key in keys[phase * share : (phase + 1) * share]]
    return found


def policy(config: Config) -> Any:
    """The policy that `lbalgo` has for it."""
    kind = config["kind"]
    if kind == "round_robin":
        return varnish.RoundRobin()
    if kind == "fallback":
        return varnish.Fallback(config["sticky"])
    if kind == "random":
        return varnish.Random(srandom=SEED)
    if kind == "hash":
        return varnish.Hash()
    return varnish.Shard(
        config["replicas"],
        varnish.By[config["by"]],
        config["alt"],
        config.get("warmup", 0.0),
        healthy=varnish.Healthy[config["healthy"]],
        srandom=SEED,
    )
