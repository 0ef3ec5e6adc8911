"""HAProxy 2.6 and 3.4: every decision through the pickers of `lbalgo.compat.haproxy`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lbalgo import NoBackend, State, View
from lbalgo.compat import haproxy
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET, asc, ip4, ip127, mix

ALGORITHMS = ("roundrobin", "static-rr", "leastconn", "first", "random", "hash", "source", "hashkey", "none")
ALGORITHMS += ("bounded", "boundedrand", "affinity", "slowstart", "health", "agent")
FIELDS = {"algo", "balance", "draws", "dynamic", "fall", "hash_key", "hash_type", "held", "keys", "lines", "list", "n"}
FIELDS |= {"obs", "ops", "picks", "rise", "script", "section", "servers", "set", "weight"}
SERVER = {"name", "weight", "id", "backup", "state", "maxconn", "minconn", "maxqueue", "slowstart", "guid", "hash_key"}
SERVER |= {"host", "addr", "port"}
STATES = {"up": State.HEALTHY, "down": State.UNHEALTHY, "maint": State.UNHEALTHY, "drain": State.DRAINING}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """One result for each configuration."""
    version = version_of(data["system"])
    for number, config in enumerate(data["configs"]):
        unknown = set(config) - FIELDS
        if unknown or config["algo"] not in ALGORITHMS:
            raise Strange(f"configuration {number}: {config['algo']}, {sorted(unknown)}")
        parts = [config.get(k) for k in ("section", "algo", "balance", "hash_type", "hash_key", "keys", "set")]
        name = " ".join([str(number), *(str(part) for part in parts if part)])
        runs = {"slowstart": slowstart, "health": health, "agent": agent}
        decisions, mismatches = runs.get(config["algo"], picks)(version, config)
        yield Replayed(name, decisions, mismatches)


def version_of(system: str) -> haproxy.Version:
    """The latest member that is not later than what the file names."""
    found = re.search(r"(\d+)\.(\d+)", system)
    if found is None:
        raise Strange(system)
    numbers = int(found[1]), int(found[2])
    older = [v for v in haproxy.Version if v.value <= numbers]
    if not older:
        raise Strange(system)
    return max(older, key=lambda v: v.value)


def servers_of(config: Any) -> tuple[list[haproxy.Server], dict[str, State]]:
    """The servers, and the states of those that are not up."""
    servers, states = [], {}
    for i, given in enumerate(config["servers"]):
        if set(given) - SERVER:
            raise Strange(f"server fields {sorted(set(given) - SERVER)}")
        name = given.get("name", f"s{i + 1}")
        servers.append(
            haproxy.Server(
                name,
                given.get("weight", 1),
                puid=given.get("id"),
                backup=bool(given.get("backup", False)),
                maxconn=given.get("maxconn") or 0,
                minconn=given.get("minconn") or 0,
                maxqueue=given.get("maxqueue") or 0,
                slowstart=given.get("slowstart") or 0,
                hash_key=haproxy.HashKey(given.get("hash_key") or "id"),
                guid=given.get("guid"),
                addr=given.get("host") or given.get("addr"),
                port=given.get("port") or 0,
            )
        )
        state = given.get("state") or "up"
        if state not in STATES:
            raise Strange(f"state {state!r}")
        if STATES[state] is not State.HEALTHY:
            states[name] = STATES[state]
    return servers, states


def policy_of(version: haproxy.Version, config: Any) -> Any:
    """The policy that the configuration's words mean."""
    words: dict[str, str] = {}
    options = {"allbackups": False, "fullconn": 0}
    for line in config.get("lines") or ():
        name, _, rest = line.strip().partition(" ")
        if name == "option" and rest == "allbackups":
            options["allbackups"] = True
        elif name == "fullconn":
            options["fullconn"] = int(rest)
        elif name in ("balance", "hash-type", "hash-balance-factor", "hash-preserve-affinity") and rest:
            words[name] = rest
        else:
            raise Strange(f"line {line!r}")
    balance = words.get("balance") or config.get("balance") or balance_word(config)
    shared: dict[str, Any] = {"version": version, **options}
    factor = int(words.get("hash-balance-factor", 0))
    plain = {
        "roundrobin": haproxy.RoundRobin,
        "static-rr": haproxy.StaticRR,
        "leastconn": haproxy.LeastConn,
        "first": haproxy.First,
    }
    if balance in plain:
        return plain[balance](**shared)
    drawn = re.fullmatch(r"random(?:\((\d+)\))?", balance)
    if drawn:
        return haproxy.Random(draws=int(drawn[1] or 2), hash_balance_factor=factor, **shared)
    return haproxy.Hash(
        rule_of(balance),
        haproxy.HashType.parse(words.get("hash-type") or config.get("hash_type") or "map-based"),
        hash_balance_factor=factor,
        hash_preserve_affinity=haproxy.Affinity(words.get("hash-preserve-affinity", "always")),
        **shared,
    )


def balance_word(config: Any) -> str:
    """What `balance` says, where only the algorithm is named."""
    algorithm = config["algo"]
    if algorithm == "random":
        return f"random({config.get('draws', 2)})"
    if algorithm in ("hash", "hashkey", "none"):
        return "hash req.fhdr(x-key)"
    if algorithm == "affinity":
        return "source"
    return str(algorithm)


def rule_of(balance: str) -> Any:
    """What is hashed, from the words of a `balance` line."""
    name, *words = balance.split()
    if name == "source" and not words:
        return haproxy.Source()
    if name == "hash" and words:
        return haproxy.Expr(" ".join(words))
    if name == "url_param" and len(words) == 1:
        return haproxy.UrlParam(words[0])
    header = re.fullmatch(r"hdr\(([^)]+)\)", name)
    if header and words in ([], ["use_domain_only"]):
        return haproxy.Hdr(header[1], use_domain_only=bool(words))
    if name != "uri":
        raise Strange(f"balance {balance!r}")
    fields: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word in ("len", "depth") and words:
            fields[word] = int(words.pop(0))
        elif word in ("whole", "path-only"):
            fields[word.replace("-", "_")] = True
        else:
            raise Strange(f"balance {balance!r}")
    return haproxy.Uri(**fields)


def keys_of(config: Any, policy: Any) -> Callable[[int], bytes | None]:
    """The key of request i, as the policy's rule takes it."""
    name = config.get("keys")
    if name == "uri":
        rule = policy.balance
        if isinstance(rule, haproxy.Hdr):
            if rule.name.lower() != "host":
                raise Strange(f"header {rule.name!r}")
            return host_of
        if isinstance(rule, (haproxy.Uri, haproxy.UrlParam)):
            return target_of
        raise Strange(f"balance {rule!r} on uri keys")
    if name == "list":
        return lambda i: bytes.fromhex(config["list"][i])
    known = {"mix": mix, "asc": asc, "ip4": ip4, "ip127": ip127, "ip6": ip6, "num": num, None: lambda i: None}
    if name not in known:
        raise Strange(f"keys {name!r}")
    found: Callable[[int], bytes | None] = known[name]
    return found


def ip6(i: int) -> bytes:
    return ip4(i) + ip4(i + 7) + ip4(3 * i) + ip4(i + 1)


def num(i: int) -> bytes:
    return b"%d" % (((i * 2654435761 * 7) % (1 << 34)) - (1 << 20) * (i % 2))


def target_of(i: int) -> bytes:
    return b"/d%d/e%d/f%d.png?uid=u%d&x=%d" % (i % 13, i % 101, i, i, 7 * i)


def host_of(i: int) -> bytes:
    return b"plain%d" % i if i % 4 == 0 else b"h%d.dom%d.tld%d.org" % (i, i % 211, i % 3)


class Run:
    """A picker that follows changes, and the requests that are open."""

    def __init__(self, version: haproxy.Version, config: Any) -> None:
        self.policy = policy_of(version, config)
        self.servers, self.states = servers_of(config)
        self.weights: dict[str, int] = {}
        self.keys = keys_of(config, self.policy)
        self.picker: Any = None
        self.asked = 0
        self.open: list[int | None] = []
        self.build()

    def build(self) -> None:
        view = View.of(self.servers, weights=self.weights, states=self.states, panic_below=0.0)
        self.picker = self.policy.build(view, previous=self.picker)

    def ask(self) -> str:
        """One decision; the request stays open."""
        key = self.keys(self.asked)
        self.asked += 1
        try:
            chosen = self.picker.pick(key)
        except NoBackend:
            self.open.append(None)
            return "-"
        slot = self.picker.view.ids.index(chosen.id)
        row = int(self.picker.rows[slot])
        self.picker.load.started(row, 1.0, 0.0)
        self.open.append(row)
        return ALPHABET[slot]

    def close(self, j: int) -> None:
        row = self.open.pop(j)
        if row is not None:
            self.picker.load.finished(row, None, None, 0.0)

    def change(self, op: Any) -> None:
        name = self.servers[op[1]].id
        if op[0] == "weight":
            self.weights[name] = op[2]
        elif op[0] == "disable":
            self.states[name] = State.UNHEALTHY
        elif op[0] == "enable":
            self.states.pop(name, None)
        else:
            raise Strange(f"op {op!r}")
        self.build()


def picks(version: haproxy.Version, config: Any) -> tuple[int, int]:
    run = Run(version, config)
    got = []
    ops = config.get("ops") or [["pick", config["n"]]]
    for op in ops:
        if isinstance(op, int):
            if op < 0:
                got.append(run.ask())
            else:
                run.close(op)
        elif op[0] == "pick":
            for _ in range(op[1]):
                got.append(run.ask())
                run.close(-1)
        else:
            run.change(op)
    bulk = 0
    if isinstance(run.picker, haproxy.HashPicker) and "ops" not in config:
        tickets = run.picker.tickets([run.keys(i) for i in range(config["n"])])
        bulk = count_mismatches(config["picks"], [ALPHABET[slot] for slot in run.picker.pick_many(tickets)])
    return config["n"], max(count_mismatches(config["picks"], got), bulk)


def slowstart(version: haproxy.Version, config: Any) -> tuple[int, int]:
    servers, _ = servers_of(config)
    signal = haproxy.SlowStart({s.id: s.slowstart for s in servers})
    signal.sync([s.id for s in servers], 0.0)
    for slot in range(len(servers)):
        signal.changed(slot, State.UNHEALTHY, State.HEALTHY, 0.0)
    wrong = 0
    for second, *weights in config["obs"]:
        signal.advance(float(int(second)))
        factors, states = np.ones(len(servers)), np.zeros(len(servers), np.uint8)
        signal.apply(factors, states)
        view = View.of(servers, factors={s.id: f for s, f in zip(servers, factors, strict=True)})
        farm = haproxy.RoundRobin(version).build(view).machine.farm
        shown = [haproxy.shown_weight(standing.ew) for standing in farm.standings.values()]
        wrong += count_mismatches(weights, shown)
    return len(servers) * len(config["obs"]), wrong


def health(version: haproxy.Version, config: Any) -> tuple[int, int]:
    signal = haproxy.HealthChecks(haproxy.Check(rise=config["rise"], fall=config["fall"]))
    signal.sync(["s"], 0.0)
    statuses = ["UP"]
    for k, passed in enumerate(config["script"]):
        signal.checked("s", bool(passed), float(k))
        statuses.append(signal.status("s"))
    settled = config["obs"][2:]  # the first two race with the start of the program
    return len(settled), sum(status != statuses[k] for k, status in settled)


def agent(version: haproxy.Version, config: Any) -> tuple[int, int]:
    signal = haproxy.HealthChecks(weights={"s": config["weight"]})
    signal.sync(["s"], 0.0)
    shown = [(signal.status("s"), config["weight"])]
    for k, line in enumerate(config["script"]):
        signal.told("s", line, float(k))
        shown.append((signal.status("s"), signal.agent("s").weight))
    return len(config["obs"]), sum((status, weight) != shown[k] for k, status, weight in config["obs"])
