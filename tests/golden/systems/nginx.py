"""Replays nginx: round robin, hashes, failures, held requests, time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lbalgo import NoBackend, Outcome
from lbalgo.compat import nginx
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET, ip4, ip127, mix

KNOWN = {
    "algo", "n", "picks", "section", "servers", "set", "keys", "method", "dead", "tries", "ops", "obs", "list",
}  # fmt: skip
SERVER = {"addr", "weight", "down", "backup", "max_fails", "fail_timeout", "max_conns", "name", "id", "port"}
SEED = 1  # nginx's workers draw from random() as seeded for every configuration
START = 1_700_000_000  # a large epoch
KEYS = {
    "mix": mix,
    "asc": lambda i: b"key_%d" % i if i % 6 == 4 else mix(i),
    "ip4": ip4,
    "ip127": ip127,
    "ip6": lambda i: ip4(i) + ip4(i + 7) + ip4(3 * i) + ip4(i + 1),
}


def policy_of(method: str) -> Any:
    """The policy of a directive, such as ``hash $http_x_key consistent``."""
    words = method.rstrip(";").split()
    match words:
        case ["rr"] | ["round_robin"] | []:
            return nginx.RoundRobin()
        case ["least_conn"]:
            return nginx.LeastConn()
        case ["ip_hash"]:
            return nginx.IpHash()
        case ["hash"] | ["hash", str()]:
            return nginx.Hash(consistent="consistent" in words)
        case ["hash", str(), "consistent"] | ["chash"]:
            return nginx.Hash(consistent=True)
        case ["random"]:
            return nginx.Random(srandom=SEED)
        case ["random", "two"] | ["random", "two", "least_conn"]:
            return nginx.Random(two=True, srandom=SEED)
    raise Strange(f"no method of nginx: {method!r}")


def seconds(value: Any) -> int:
    """A time as a configuration writes it."""
    match = re.fullmatch(r"(\d+)(s|m|h|d|)", str(value))
    if match is None:
        raise Strange(f"no time: {value!r}")
    return int(match[1]) * {"s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def servers_of(config: Any) -> list[nginx.Server]:
    found = []
    for i, server in enumerate(config["servers"]):
        if set(server) - SERVER:
            raise Strange(f"fields of a server: {sorted(set(server) - SERVER)}")
        port = f":{server['port']}" if "port" in server else ""
        options = {k: server[k] for k in ("down", "backup", "max_fails", "max_conns") if server.get(k) is not None}
        if server.get("fail_timeout") is not None:
            options["fail_timeout"] = seconds(server["fail_timeout"])
        name = server.get("name") or server["addr"] + port
        found.append(nginx.Server(str(i), server.get("weight", 1), name=name, **options))
    return found


class Run:
    """A worker process: picks by index, and what became of requests."""

    def __init__(self, config: Any, policy: Any) -> None:
        self.picker = policy.build(servers_of(config))
        self.now = float(START)
        self.picker.load.advance(self.now)

    def pick(self, key: bytes | None, tried: tuple[str, ...] = ()) -> int:
        """The server that gets the request, which is under way from then on; -1 if there is none."""
        try:
            index = int(self.picker.pick(key, exclude=tried).id)
        except NoBackend:
            return -1
        self.picker.load.started(int(self.picker.rows[index]), 1.0, self.now)
        return index

    def end(self, index: int, outcome: Outcome = Outcome.SUCCESS) -> None:
        if index >= 0:
            self.picker.load.finished(int(self.picker.rows[index]), outcome, None, self.now)

    def serve(self, key: bytes | None, dead: set[int] = frozenset()) -> str:  # type: ignore[assignment]
        """One request with all its tries, by index, and its end."""
        tried: list[int] = []
        while True:
            index = self.pick(key, tuple(map(str, tried)))
            if index < 0:
                break
            tried.append(index)
            self.end(index, Outcome.LOCAL_ERROR if index in dead else Outcome.SUCCESS)
            if index not in dead:
                break
        return "".join(ALPHABET[i] for i in tried) or "-"


def method_of(config: Any) -> str:
    method, algo = config.get("method"), config["algo"]
    if config["set"].startswith("emptykey"):
        return str(config["set"].removeprefix("emptykey").strip() or method or "hash")
    if method is not None:
        return str(method)
    if algo in ("rr", "timed"):
        return "rr"
    if algo in ("least_conn", "ip_hash"):
        return str(algo)
    raise Strange(f"no method is given: {config['set']}")


def keys_of(config: Any, method: str) -> Any:
    if config["set"].startswith("emptykey"):
        return lambda i: b""
    rule = config.get("keys")
    if rule is None or rule == "mix/ip4":
        return ip4 if method == "ip_hash" else mix
    if rule == "list":
        return lambda i: bytes.fromhex(config["list"][i])
    if rule not in KEYS:
        raise Strange(f"no rule for keys: {rule!r}")
    return KEYS[rule]


def replay_config(config: Any) -> Replayed:
    name = f"{config['section']} {config['set']} {config.get('method', '')}".strip()
    if set(config) - KNOWN:
        raise Strange(f"{name}: fields {sorted(set(config) - KNOWN)}")
    algo, method = config["algo"], method_of(config)
    run, key_of = Run(config, policy_of(method)), keys_of(config, method)
    if algo == "fail":
        dead = set(config["dead"])
        expected = config["tries"].split()
        if len(expected) != config["n"]:
            raise Strange(f"{name}: {len(expected)} requests instead of {config['n']}")
        found = [run.serve(key_of(i), dead) for i in range(config["n"])]
        return Replayed(name, sum(map(len, expected)), sum(map(count_mismatches, expected, found)))
    if algo == "timed":
        wrong = decisions = 0
        for i, (second, up, tries) in enumerate(config["obs"]):
            run.now = float(START + second)
            run.picker.load.advance(run.now)
            wrong += count_mismatches(tries, run.serve(key_of(i), set() if up else {0}))
            decisions += len(tries)
        return Replayed(name, decisions, wrong)
    picks: list[int] = []
    if algo == "held":
        under_way: list[int] = []
        for op in config["ops"]:
            if op < -1:
                raise Strange(f"{name}: operation {op}")
            if op >= 0:
                run.end(under_way.pop(op))
            else:
                picks.append(run.pick(key_of(len(picks))))
                under_way.append(picks[-1])
    elif algo in ("rr", "hash", "random", "least_conn", "ip_hash"):
        for i in range(config["n"]):
            picks.append(run.pick(key_of(i)))
            run.end(picks[-1])
    else:
        raise Strange(f"{name}: algo {algo!r}")
    got = "".join(ALPHABET[i] if i >= 0 else "-" for i in picks)
    if len(config["picks"]) != config["n"]:
        raise Strange(f"{name}: {len(config['picks'])} picks instead of {config['n']}")
    return Replayed(name, len(config["picks"]), count_mismatches(config["picks"], got))


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """One result for each configuration."""
    if set(data) - {"system", "configs"}:
        raise Strange(f"{stem}: fields {sorted(data)}")
    for config in data["configs"]:
        yield replay_config(config)
