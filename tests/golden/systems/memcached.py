"""Replays of twemproxy and libmemcached, which differ in what a configuration says beside servers and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lbalgo import Outcome
from lbalgo.compat import memcached as mc
from lbalgo.errors import ConfigError
from lbalgo.view import View
from tests.golden.systems import Replayed, Strange, count_mismatches
from tests.golden.systems.keyrules import ALPHABET, asc, mix

DISTRIBUTIONS = {"weighted": "consistent weighted", "spy": "consistent ketama spy"}


def replay(stem: str, data: Any) -> Iterator[Replayed]:
    for number, config in enumerate(data["configs"]):
        if "nutcracker" in data["system"] or data["system"] == "twemproxy":
            yield twemproxy(number, config)
        elif config.get("algo") != "note":
            yield from libmemcached(number, config)


def keys(config: Any) -> list[bytes]:
    rule, n = config["keys"], config["n"]
    if rule == "list":
        return [bytes.fromhex(text) for text in config["list"]]
    if rule == "tag":
        a, z = config["hash_tag"]
        return [mix(i) if i % 3 == 0 else f"x{i}{a}g{i % 300}{z}z".encode() for i in range(n)]
    rules: dict[str, Callable[[int], bytes]] = {"mix": mix, "asc": asc}
    if rule not in rules:
        raise Strange(f"key rule {rule!r}")
    return [rules[rule](i) for i in range(n)]


def servers(config: Any) -> list[mc.Server]:
    made = []
    for server in config["servers"]:
        if set(server) - {"host", "port", "weight", "name"}:
            raise Strange(f"fields of a server: {sorted(server)}")
        made.append(mc.Server(f"{server['host']}:{server['port']}", server.get("weight", 1), server.get("name")))
    return made


def letters(picker: Any, some: list[bytes]) -> str:
    if hasattr(picker, "tickets"):
        slots = picker.pick_many(picker.tickets(some)).tolist()
    else:
        places = {backend.id: slot for slot, backend in enumerate(picker.backends)}
        slots = [places[picker.pick(key).id] for key in some]
    return "".join(ALPHABET[slot] for slot in slots)


def only(config: Any, known: set[str]) -> None:
    if set(config) - known:
        raise Strange(f"fields {sorted(set(config) - known)}")


def twemproxy(number: int, config: Any) -> Replayed:
    known = {"dist", "hash", "hash_tag", "keys", "list", "n", "picks", "servers", "set", "eject", "ejected"}
    only(config, known)
    policy = mc.Twemproxy(
        mc.TwemproxyHash(config["hash"]),
        mc.TwemproxyDistribution(config["dist"]),
        config.get("hash_tag") or "",
        "eject" in config,
    )
    pool = servers(config)
    states = {}
    if "eject" in config:
        signal = mc.AutoEject(server_failure_limit=config["eject"])
        signal.sync([s.id for s in pool], 0.0)
        for slot in config["ejected"]:
            for _ in range(config["eject"]):
                signal.observe(slot, Outcome.LOCAL_ERROR, None, 1.0)
        column = View.of(pool).states.copy()
        signal.apply(View.of(pool).factors.copy(), column)
        states = {s.id: int(state) for s, state in zip(pool, column, strict=True)}
    picker = policy.build(View.of(pool, states=states, panic_below=0.0))
    name = f"{number} {config['dist']} {config['hash']} {config.get('set', '')}"
    return Replayed(name, config["n"], count_mismatches(config["picks"], letters(picker, keys(config))))


def libmemcached(number: int, config: Any) -> Iterator[Replayed]:
    algo = config["algo"]
    if algo == "hashvalue":
        only(config, {"algo", "hash", "keys", "list", "n", "values", "bundled", "bundled_same"})
        got = [mc.generate_hash_value(key, mc.LibmemcachedHash(config["hash"])) for key in keys(config)]
        wrong = count_mismatches(config["values"], got)
        if config["bundled"] is not None:
            wrong += count_mismatches(config["bundled"], got)
        elif config["bundled_same"] is not True:
            raise Strange(f"bundled_same {config['bundled_same']!r}")
        yield Replayed(f"{number} hashvalue {config['hash']}", config["n"], wrong)
    elif algo == "libmemcached":
        only(
            config,
            {"algo", "dist", "hash", "keys", "list", "n", "picks", "servers", "set", "bundled_same", "bundled_picks"},
        )
        name = f"{number} {config['dist']} {config['hash']} {config.get('set', '')}"
        for version, expected in versions(config):
            policy = mc.Libmemcached(hash_of(config["hash"]), distribution_of(config["dist"]), version=version)
            got = letters(policy.build(servers(config)), keys(config))
            yield Replayed(f"{name} {version.value}", config["n"], count_mismatches(expected, got))
    elif algo == "pylibmc":
        only(config, {"algo", "behaviors", "effective", "keys", "list", "n", "picks", "servers", "set"})
        policy = mc.pylibmc(config["behaviors"])
        got = letters(policy.build(servers(config)), keys(config))
        wrong = count_mismatches(config["picks"], got)
        effective = config["effective"]
        wrong += (policy.hash.value, policy.distribution.value) != (effective["hash"], effective["distribution"])
        yield Replayed(f"{number} pylibmc {config['behaviors']}", config["n"] + 1, wrong)
    else:
        raise Strange(f"algo {algo!r}")


def versions(config: Any) -> Iterator[tuple[mc.Version, str]]:
    """The versions whose picks are given: both, or 1.1.4 alone where the other one crashed."""
    yield mc.Version.V1_1_4, config["picks"]
    same = config.get("bundled_same")
    if same is True:
        yield mc.Version.V1_0_16, config["picks"]
    elif "bundled_picks" in config:
        yield mc.Version.V1_0_16, config["bundled_picks"]
    elif same is not None and not str(same).startswith("CRASH"):
        raise Strange(f"bundled_same {same!r} without bundled_picks")


def hash_of(name: str) -> mc.LibmemcachedHash:
    """The hash that is in force after this one was set: the default stays where the library refuses."""
    hash = mc.LibmemcachedHash(name)
    try:
        return mc.Libmemcached(hash).hash
    except ConfigError:
        return mc.LibmemcachedHash.DEFAULT


def distribution_of(name: str) -> mc.LibmemcachedDistribution:
    return mc.LibmemcachedDistribution(DISTRIBUTIONS.get(name, name).replace("_", " "))
