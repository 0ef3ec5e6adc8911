"""Replays Varnish: the directors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lbalgo import NoBackend, State, View
from lbalgo.compat import varnish
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET, asc, mix

KNOWN = {
    "algo", "n", "picks", "set", "sick", "servers", "weights", "args", "by", "keys", "replicas", "sticky", "list",
}  # fmt: skip
SERVER = {"name", "ident", "weight", "rampup"}
SEED = 42  # of debug.srandom
KEYS = {"asc": asc, "mix": mix}
COUNTED = ("rr", "fallback")


def number(text: str) -> float:
    """A real or a duration in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    for unit, factor in units.items():
        if text.endswith(unit) and text[: -len(unit)].replace(".", "", 1).isdigit():
            return float(text[: -len(unit)]) * factor
    return float(text)


def arguments(text: str) -> dict[str, Any]:
    """The parameters of shard's ``.backend()``, such as ``, alt=1, healthy=ALL``."""
    found: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        name, value = name.strip(), value.strip()
        if not equals:
            raise Strange(f"arguments {text!r}")
        if name == "alt":
            found["alt"] = int(value)
        elif name == "healthy":
            found["healthy"] = varnish.Healthy(value)
        elif name == "warmup":
            found["warmup"] = max(number(value), 0.0)  # -1 is the director's, which is 0
        elif name == "rampup":
            found["rampup"] = {"true": True, "false": False}[value]
        elif name == "by":
            found["by"] = varnish.By(value.lower())
        else:
            raise Strange(f"arguments {text!r}")
    return found


def policy_of(config: Any) -> Any:
    algo = config["algo"]
    if algo == "rr":
        return varnish.RoundRobin()
    if algo == "fallback":
        return varnish.Fallback(sticky=bool(config.get("sticky", False)))
    if algo == "random":
        return varnish.Random(srandom=SEED)
    if algo == "hash":
        return varnish.Hash()
    if algo == "shard":
        by = varnish.By(config.get("by", "key"))
        options = {"by": by, "replicas": config["replicas"], "srandom": SEED, **arguments(config.get("args", ""))}
        return varnish.Shard(**options)
    raise Strange(f"algo {algo!r}")


def backends_of(config: Any) -> list[varnish.Backend]:
    if "weights" in config:
        return [varnish.Backend(str(i), w) for i, w in enumerate(config["weights"])]
    servers = config["servers"]
    if isinstance(servers, int):
        return [varnish.Backend(str(i)) for i in range(servers)]
    for server in servers:
        if set(server) - SERVER:
            raise Strange(f"fields of a server: {sorted(server)}")
    return [
        varnish.Backend(str(i), s.get("weight", 1), ident=s.get("ident") or s["name"], rampup=s.get("rampup"))
        for i, s in enumerate(servers)
    ]


def keys_of(config: Any) -> Any:
    rule = config.get("keys", "asc")
    if config.get("by") == "url":
        return lambda i: f"/p{i}/q.html?x={i * i}"
    if rule == "list":
        return lambda i: bytes.fromhex(config["list"][i])
    if rule not in KEYS:
        raise Strange(f"no rule for keys: {rule!r}")
    if config.get("by", "key") in ("hash", "blob"):  # the key is the hash, given as a number of 32 bits
        return lambda i: varnish.h32(KEYS[rule](i)).to_bytes(4, "big")
    return KEYS[rule]


def replay_config(config: Any) -> Replayed:
    name = f"{config['algo']} {config['set']}{config.get('args', '')}"
    if set(config) - KNOWN:
        raise Strange(f"{name}: fields {sorted(set(config) - KNOWN)}")
    if len(config["picks"]) != config["n"]:
        raise Strange(f"{name}: {len(config['picks'])} picks instead of {config['n']}")
    states = {str(i): State.UNHEALTHY for i in config.get("sick") or ()}
    picker, key_of = policy_of(config).build(View.of(backends_of(config), states=states)), keys_of(config)
    got = []
    for i in range(config["n"]):
        try:
            got.append(ALPHABET[int(picker.pick(key_of(i)).id)])
        except NoBackend:
            got.append("-")
    return Replayed(name, config["n"], count_mismatches(config["picks"], "".join(got)))


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    """One result for each configuration."""
    if set(data) - {"system", "configs"}:
        raise Strange(f"{stem}: fields {sorted(data)}")
    for config in data["configs"]:
        yield replay_config(config)
