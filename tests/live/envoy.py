"""Envoy 1.40: all configurations are clusters of one process with one worker, each behind a path of its own.

The starting points of round robin and of the EDF scheduler are random in Envoy. They are fitted: one that gives the
whole run has to exist.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

from lbalgo.compat import envoy
from lbalgo.types import State
from tests.live import drawing, envoy_context
from tests.live.client import Client, get
from tests.live.drawing import Config
from tests.live.held import play
from tests.live.origins import Origins
from tests.live.player import Player
from tests.live.servers import LOOPBACK, daemon, folder, free_port

REQUESTS = 320
KINDS = (
    ("ring_hash",) * 4
    + ("maglev",) * 4
    + ("bounded", "policy", "round_robin", "weighted_round_robin", "least_request", "subset", "subset", "override")
)
HEALTHS = ("UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")
PRIMES = (2, 3, 5, 11, 53, 101, 251, 503, 1021, 2039, 4093, 8191, 16381, 65537)
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_POLICIES = "type.googleapis.com/envoy.extensions.load_balancing_policies"


def draw(rng: random.Random, kind: str) -> Config:
    hashes = kind in ("ring_hash", "maglev", "bounded", "policy", *envoy_context.KINDS)
    count = drawing.size(rng) if hashes else rng.randint(2, 9)
    most = 128 if hashes else 6
    weights = drawing.weights(rng, count, most) if kind != "round_robin" else [1] * count
    if kind in ("weighted_round_robin", "least_request") and len(set(weights)) == 1:
        weights[0] += 1  # else no scheduler
    hosts: list[dict[str, Any]] = [{"weight": weight} for weight in weights]
    for index in drawing.some(rng, count, often=0.6):
        hosts[index]["health"] = rng.choice(HEALTHS if hashes else HEALTHS[:3])  # else degraded or not is drawn
    config: Config = {"kind": kind, "hosts": hosts, "policy": kind if hashes else kind.replace("weighted_", "")}
    if rng.random() < 0.4:
        config["panic"] = rng.choice([0, 10, 40, 60, 80, 100])
    if kind in ("bounded", "policy", *envoy_context.KINDS):
        config["policy"] = rng.choice(["ring_hash", "maglev"])
    if not hashes:
        if kind == "least_request":
            config["steps"] = drawing.script(rng, REQUESTS, rng.choice([1, 10, 40]))
        return config
    _draw_hashing(rng, config, count)
    if kind == "bounded":
        config["hash_balance_factor"] = rng.choice([100, 101, 120, 150, 200, 300])
        config["steps"] = drawing.script(rng, REQUESTS, rng.choice([5, 20, 60]))
    if kind == "policy":
        config["hash_policy"] = [_hash_policy(rng) for _ in range(rng.randint(1, 4))]
        config["requests"] = [_request(rng) for _ in range(REQUESTS)]
    else:
        config["keys"] = drawing.keys(rng, REQUESTS)
    if kind in envoy_context.KINDS:
        envoy_context.draw(rng, config)
    return config


def _draw_hashing(rng: random.Random, config: Config, count: int) -> None:
    hosts = config["hosts"]
    if config["policy"] == "ring_hash":
        least = rng.choice([0, 1, 7, 100, 1024, 1024, 3000, rng.randint(1, 20000)])
        if rng.random() < 0.8:
            config["minimum_ring_size"] = least
            if rng.random() < 0.5:
                config["maximum_ring_size"] = max(1, least) + rng.choice([0, 1, 50, 4000])
        config["hash_function"] = rng.choice(["XX_HASH", "XX_HASH", "MURMUR_HASH_2"])
    elif rng.random() < 0.8:
        config["table_size"] = rng.choice(PRIMES)
    if rng.random() < 0.3:
        config["use_hostname_for_hashing"] = True
        for index, host in enumerate(hosts):
            host["hostname"] = f"host-{index * 7919 % 1000}.zone{index % 3}.test"
    if rng.random() < 0.3:
        for index in range(count):
            if rng.random() < 0.6:
                hosts[index]["hash_key"] = f"key{rng.randrange(1 << 30)}-{index}"
    if rng.random() < 0.35 and count > 2:
        for host in hosts:
            host["priority"] = rng.randrange(3)
        hosts[0]["priority"] = 0  # priorities have no gap
        hosts[1]["priority"] = 1
        if rng.random() < 0.4:
            config["overprovisioning_factor"] = rng.choice([100, 120, 200])
        if rng.random() < 0.3:
            config["weighted_priority_health"] = True
    elif rng.random() < 0.4:
        zones = rng.randint(1, 4)
        for host in hosts:
            host["zone"] = f"z{rng.randrange(zones)}"
        if rng.random() < 0.7:
            config["locality_weights"] = {f"z{zone}": rng.randint(1, 9) for zone in range(zones) if rng.random() < 0.9}


def _hash_policy(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["header", "header", "cookie", "query_parameter", "source_ip"])
    policy: dict[str, Any] = {
        "header": {"header": {"header_name": rng.choice(["x-key", "x-other"])}},
        "cookie": {"cookie": {"name": rng.choice(["sid", "who"])}},
        "query_parameter": {"query_parameter": {"name": rng.choice(["q", "r"])}},
        "source_ip": {"connection_properties": {"source_ip": True}},
    }[kind]
    if kind == "header" and rng.random() < 0.4:
        policy["header"]["regex_rewrite"] = {"pattern": {"regex": "[0-9]+"}, "substitution": "N"}
    if rng.random() < 0.3:
        policy["terminal"] = True
    return policy


def _request(rng: random.Random) -> dict[str, Any]:
    """Headers and query of a request; the first of each policy's inputs is always there, so that nothing is random."""
    first, second, third, fourth = drawing.keys(rng, 4, ascii_only=True)
    headers = [["x-key", first], ["x-other", third], ["cookie", f"sid=s{rng.randrange(500)}; who=w{rng.randrange(50)}"]]
    if rng.random() < 0.3:
        headers.append(["x-key", second])
    return {"headers": headers, "query": f"q={rng.randrange(1000)}&r={fourth.replace('/', '')}&q=9"}


def cluster(name: str, config: Config, origins: Origins) -> dict[str, Any]:
    """The cluster, as Envoy's bootstrap has it."""
    config["addresses"] = [f"{LOOPBACK}:{port}" for port in origins.ports[: len(config["hosts"])]]
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for index, host in enumerate(config["hosts"]):
        endpoint: dict[str, Any] = {
            "address": {"socket_address": {"address": LOOPBACK, "port_value": origins.ports[index]}}
        }
        if "hostname" in host:
            endpoint["hostname"] = host["hostname"]
        entry: dict[str, Any] = {"endpoint": endpoint, "load_balancing_weight": host["weight"]}
        if "health" in host:
            entry["health_status"] = host["health"]
        if _labels(host):
            entry["metadata"] = {"filter_metadata": {"envoy.lb": _labels(host)}}
        groups.setdefault((host.get("priority", 0), host.get("zone", "")), []).append(entry)
    localities = []
    weights = config.get("locality_weights")
    for (priority, zone), entries in groups.items():
        group: dict[str, Any] = {"priority": priority, "lb_endpoints": entries}
        if zone:
            group["locality"] = {"region": "r", "zone": zone}
        if weights is not None and zone in weights:
            group["load_balancing_weight"] = weights[zone]
        localities.append(group)
    assignment: dict[str, Any] = {"cluster_name": name, "endpoints": localities}
    extra = {word: config[word] for word in ("overprovisioning_factor", "weighted_priority_health") if word in config}
    if extra:
        assignment["policy"] = extra
    made: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": assignment,
        "load_balancing_policy": {
            "policies": [{"typed_extension_config": envoy_context.wrapped(config, typed(config))}]
        },
    }
    if "panic" in config:
        made["common_lb_config"] = {"healthy_panic_threshold": {"value": config["panic"]}}
    config["written"] = made
    return made


def _labels(host: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a host in the namespace of load balancing."""
    return {**host.get("labels", {}), **({"hash_key": host["hash_key"]} if "hash_key" in host else {})}


def typed(config: Config) -> dict[str, Any]:
    """The typed load balancing policy."""
    policy = config["policy"]
    message = {
        "ring_hash": "RingHash",
        "maglev": "Maglev",
        "round_robin": "RoundRobin",
        "least_request": "LeastRequest",
    }
    body: dict[str, Any] = {"@type": f"{_POLICIES}.{policy}.v3.{message[policy]}"}
    for word in ("minimum_ring_size", "maximum_ring_size", "hash_function", "table_size"):
        if word in config:
            body[word] = config[word]
    common = {word: config[word] for word in ("use_hostname_for_hashing", "hash_balance_factor") if word in config}
    if common:
        body["consistent_hashing_lb_config"] = common
    if "locality_weights" in config:
        body["locality_weighted_lb_config"] = {}
    return {"name": f"envoy.load_balancing_policies.{policy}", "typed_config": body}


def bootstrap(configs: list[Config], origins: Origins, port: int) -> dict[str, Any]:
    """The whole static configuration."""
    routes = []
    for index, config in enumerate(configs):
        action: dict[str, Any] = {"cluster": f"c{index}", "timeout": "0s"}
        action["hash_policy"] = config.get("hash_policy", [{"header": {"header_name": "x-key"}}])
        routes += envoy_context.routes(config, f"/c{index}", action)
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "i",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": LOOPBACK, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    clusters = [cluster(f"c{index}", config, origins) for index, config in enumerate(configs)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def requests(config: Config, index: int) -> list[bytes]:
    """The requests in order, as sent."""
    if config["kind"] in envoy_context.KINDS:
        return envoy_context.requests(config, f"/c{index}")
    path = f"/c{index}/x"
    if "requests" in config:
        return [get(f"{path}?{request['query']}", request["headers"]) for request in config["requests"]]
    if "keys" in config:
        return [get(path, [("x-key", key)]) for key in config["keys"]]
    return [get(path)] * REQUESTS


def capture(configs: list[Config], origins: Origins) -> list[list[int | None]]:
    found = []
    with folder() as home:
        port = free_port()
        (home / "envoy.json").write_text(json.dumps(bootstrap(configs, origins, port)))
        command = ["envoy", "-c", home / "envoy.json", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
        with daemon(command, [port], home / "log", patience=60.0):
            for index, config in enumerate(
                configs
            ):  # one request at a time: Envoy may end a connection after an answer of its own
                if "steps" in config:
                    found.append(play(port, requests(config, index), config["steps"], origins))
                    continue
                with Client(port) as client:
                    found.append([answer.origin for answer in client.ask(requests(config, index), together=1)])
    return found


def predict(config: Config, seen: list[int | None]) -> list[int | None]:
    hosts, states, listed = [], {}, _listed(config)
    for place, index in enumerate(listed):
        host = config["hosts"][index]
        zone = host.get("zone", "")
        hosts.append(
            envoy.Host(
                config["addresses"][index],
                host["weight"],
                hostname=host.get("hostname", ""),
                priority=host.get("priority", 0),
                locality=("r" if zone else "", zone, ""),
                locality_weight=config.get("locality_weights", {}).get(zone, 0),
                metadata=_labels(host),
            )
        )
        if "health" in host:
            states[place] = _STATES[host["health"]]
    _is_read_so(config, hosts, states)
    found = _decisions(config, hosts, states, seen)
    return [None if place is None else listed[place] for place in found]


def _is_read_so(config: Config, hosts: list[Any], states: dict[int, State]) -> None:
    """What Envoy was given, read by `load`, is the same hosts, states and policy."""
    loaded = envoy.load(config["written"])
    assert loaded.backends == tuple(hosts), "hosts"
    assert dict(loaded.states) == {hosts[place].id: state for place, state in states.items()}, "states"
    wanted = policy({word: config[word] for word in config if word != "hash_policy"})
    assert loaded.policy == envoy_context.policy(config, wanted), "policy"


def _listed(config: Config) -> list[int]:
    """The hosts in the order of the configuration that Envoy gets: one locality of a priority after the other."""
    groups: dict[tuple[int, str], list[int]] = {}
    for index, host in enumerate(config["hosts"]):
        groups.setdefault((host.get("priority", 0), host.get("zone", "")), []).append(index)
    return [index for group in groups.values() for index in group]


def _decisions(config: Config, hosts: list[Any], states: dict[int, State], seen: list[int | None]) -> list[int | None]:
    """Places in the list of hosts."""
    if config["policy"] in ("round_robin", "least_request"):
        return _fitted(config, hosts, states, seen)
    player = Player(envoy_context.policy(config, policy(config)), hosts, states)
    if config["kind"] in envoy_context.KINDS:
        return [player.pick(context) for context in envoy_context.contexts(config)]
    if "requests" in config:
        request_hash = envoy.RequestHash.from_config(config["hash_policy"])
        return [_by_hash(player, request_hash, request) for request in config["requests"]]
    if "steps" in config:
        return player.play(config["keys"], config["steps"])
    return [player.pick(key) for key in config["keys"]]


_STATES = {
    "UNHEALTHY": State.UNHEALTHY,
    "TIMEOUT": State.UNHEALTHY,
    "DRAINING": State.DRAINING,
    "DEGRADED": State.DEGRADED,
}


def _fitted(config: Config, hosts: list[Any], states: dict[int, State], seen: list[int | None]) -> list[int | None]:
    """The run from the starting point that explains the first decisions, and all if there is one that does."""
    turns: Any = envoy.RoundRobin if config["policy"] == "round_robin" else envoy.LeastRequest
    shared = {"healthy_panic_threshold": config["panic"]} if "panic" in config else {}
    starts: Iterable[int] = range(len(hosts))
    if len({host.weight for host in hosts}) > 1:  # by the phase that a start gives, and in rare ties by its rounding
        rng = random.Random(1)
        starts = (rng.randrange(_STARTS) for _ in range(5000))
    best: list[int | None] = []
    for start in starts:
        made = turns(start=start, **shared)
        if _run(config, Player(made, hosts, states), 40) == seen[:40]:
            best = _run(config, Player(made, hosts, states), REQUESTS)
            if best == seen:
                return best
    return best or _run(config, Player(turns(**shared), hosts, states), REQUESTS)


_STARTS = 429496729  # those that the scheduler tells apart


def _run(config: Config, player: Player, count: int) -> list[int | None]:
    if "steps" not in config:
        return [player.pick() for _ in range(count)]
    opened = [place for place, step in enumerate(config["steps"]) if step < 0]
    return player.play([None] * count, config["steps"][: opened[count - 1] + 1])


def _by_hash(player: Player, request_hash: Any, request: dict[str, Any]) -> int | None:
    path = f"/x?{request['query']}"
    asked = envoy.Request(headers=[tuple(h) for h in request["headers"]], path=path, source_ip=LOOPBACK)
    return player.pick(request_hash.hash(asked))


def policy(config: Config) -> Any:
    """The policy that `lbalgo` has for it."""
    shared = {
        word: config[word]
        for word in (
            "use_hostname_for_hashing",
            "hash_balance_factor",
            "overprovisioning_factor",
            "weighted_priority_health",
            "minimum_ring_size",
            "maximum_ring_size",
            "table_size",
        )
        if word in config
    }
    if "panic" in config:
        shared["healthy_panic_threshold"] = config["panic"]
    if "locality_weights" in config:
        shared["locality_weighted_lb_config"] = True
    if "hash_policy" in config:
        shared["ready_hash"] = True
    if config["policy"] in ("round_robin", "least_request"):
        return (envoy.RoundRobin if config["policy"] == "round_robin" else envoy.LeastRequest)(**shared)
    if config["policy"] == "maglev":
        return envoy.Maglev(**shared)
    return envoy.RingHash(hash_function=envoy.HashFunction[config["hash_function"]], **shared)
