"""Captured decisions of HAProxy 2.6 and 3.4, one by one; and that a changed constant would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat.haproxy import agent, farm, fwrr, hashing, health, keys, orders, ring_order, slow_start, structures
from lbalgo.compat.haproxy.generator import U32, Xorshift32
from tests.golden.systems import Strange, replayer
from tests.golden.systems.haproxy import replay

VECTORS = Path(__file__).parent / "vectors" / "classic"
FILES = {stem: json.loads((VECTORS / f"{stem}.json").read_text("utf-8")) for stem in ("haproxy", "haproxy34")}
EVERY = [(stem, number) for stem, data in FILES.items() for number in range(len(data["configs"]))]


def replayed(stem, configs):
    return list(replay(stem, {**FILES[stem], "configs": configs}))


@pytest.mark.parametrize(("stem", "number"), EVERY)
def test_every_configuration_replays(stem, number):
    assert replayer(stem, FILES[stem]) is replay
    config = FILES[stem]["configs"][number]
    (result,) = replayed(stem, [config])
    assert result.decisions == len(config.get("picks", ())) or config["algo"] in ("slowstart", "health", "agent")
    assert result.decisions >= 21
    assert result.mismatches == 0


def wrong(wanted, stem="haproxy", **changes):
    """Whether every one of these configurations has a mismatch."""
    configs = [{**config, **changes} for config in FILES[stem]["configs"] if wanted(config)]
    results = replayed(stem, configs)
    assert results
    return all(result.mismatches > 0 for result in results)


def section(name, algo=None, kind=""):
    def wanted(config):
        return (
            config.get("section") == name
            and algo in (None, config["algo"])
            and kind in f"{config.get('hash_type')} {config.get('balance')}"
        )

    return wanted


@pytest.mark.parametrize("function", hashing.Function)
def test_hash_functions(monkeypatch, function):
    """The hash of one more byte is another hash."""
    was = hashing.FUNCTIONS[function]
    monkeypatch.setitem(hashing.FUNCTIONS, function, lambda data: was(data + b"1"))
    if function is hashing.Function.NONE:
        assert wrong(lambda config: config["algo"] == "none", "haproxy34")
    else:
        assert wrong(section("hash_matrix", kind=function.value))


def test_the_last_multiplication_of_the_avalanche(monkeypatch):
    monkeypatch.setattr(hashing, "full_avalanche", lambda a: structures.full_avalanche(a) ^ 1 << 31)
    assert wrong(section("hash_matrix", kind="avalanche"))


def test_points_of_a_numeric_id(monkeypatch):
    monkeypatch.setattr(structures, "SPREAD", 2048)
    assert wrong(section("hash_matrix", kind="consistent"))
    assert wrong(lambda config: config["algo"] == "random")
    assert wrong(lambda config: config.get("hash_key") == "id", "haproxy34")


def test_points_per_unit_of_weight(monkeypatch):
    monkeypatch.setattr(farm, "SCALE", 15)
    assert wrong(section("hash_matrix", kind="consistent"))
    assert wrong(section("random_seq"))


def test_the_point_a_hash_belongs_to(monkeypatch):
    class Successor(structures.HashRing):
        def __init__(self, entries, slots):
            super().__init__(entries, slots)
            places = (self._places // structures.np.uint64(structures.RANKS)) << structures.np.uint64(32)
            self.ring = structures.Ring(places, self.order, slots)

    from lbalgo.compat.haproxy import hash as hash_module

    monkeypatch.setattr(hash_module, "HashRing", Successor)
    assert wrong(section("hash_matrix", kind="consistent"))


def test_truncation_of_the_map(monkeypatch):
    def smooth(weights):
        scores, table = [0] * len(weights), []
        for _ in range(sum(weights)):
            scores = [score + weight for score, weight in zip(scores, weights, strict=True)]
            owner = scores.index(max(scores))
            scores[owner] -= sum(weights)
            table.append(owner)
        return table

    monkeypatch.setattr(orders, "map_table", smooth)
    assert wrong(lambda config: config["algo"] == "static-rr" and config.get("set") in ("w5", "w10"))


def test_the_carried_remainder_of_round_robin(monkeypatch):
    was = fwrr.Group._serve

    def forgetful(self, turn):
        was(self, turn)
        turn.rest = 0

    monkeypatch.setattr(fwrr.Group, "_serve", forgetful)
    assert wrong(lambda config: config["algo"] == "roundrobin" and config.get("set") != "w256")


def test_changes_of_weight_before_and_since_3_2():
    data = {**FILES["haproxy"], "system": "HAProxy 3.4.0"}
    (config,) = (c for c in data["configs"] if c["algo"] == "roundrobin" and c.get("dynamic"))
    (result,) = replay("haproxy", {**data, "configs": [config]})
    assert result.mismatches > 200
    (config,) = (c for c in FILES["haproxy34"]["configs"] if c.get("dynamic"))
    (result,) = replay("haproxy34", {"system": "HAProxy 2.6.12", "configs": [config]})
    assert result.mismatches > 200


def test_the_scale_of_least_connections(monkeypatch):
    monkeypatch.setattr(orders, "LEAST_SCALE", 8)
    assert wrong(section("held", "leastconn"))


def test_first_is_by_numeric_id(monkeypatch):
    monkeypatch.setattr(farm, "numeric_ids", lambda servers, known=None: list(range(1, len(servers) + 1)))
    assert wrong(section("held", "first"))


def test_the_generator(monkeypatch):
    def draw(self):
        x = self.state
        x ^= x << 13 & U32
        x ^= x >> 17
        x ^= x << 6 & U32
        self.state = x
        return x

    monkeypatch.setattr(Xorshift32, "__call__", draw)
    assert wrong(lambda config: config["algo"] in ("random", "boundedrand"))


def test_the_limits_of_bounded_loads(monkeypatch):
    was = ring_order.load_limits
    monkeypatch.setattr(ring_order, "load_limits", lambda farm, factor: was(farm, factor - 5))
    assert wrong(lambda config: config["algo"] in ("bounded", "boundedrand"))


def test_the_words_of_an_address(monkeypatch):
    monkeypatch.setattr(keys.Source, "digest", lambda self, data, kind: kind.finish(int.from_bytes(data[:4], "little")))
    assert wrong(section("source", kind="map-based"))


def test_what_of_a_request_is_hashed(monkeypatch):
    monkeypatch.setattr(keys.Uri, "sample", lambda self, key: key)
    monkeypatch.setattr(keys.UrlParam, "sample", lambda self, key: key)
    monkeypatch.setattr(keys.Hdr, "sample", lambda self, key: key + b" ")
    assert wrong(section("uri_like"))


def test_the_steps_of_a_slow_start(monkeypatch):
    was = slow_start.slowstart_step
    monkeypatch.setattr(slow_start, "slowstart_step", lambda age, seconds: was(age + 1, seconds))
    assert wrong(section("slowstart"))


def test_the_counter_of_health(monkeypatch):
    monkeypatch.setattr(health.Health, "top", property(lambda self: self.check.rise + self.check.fall))
    assert wrong(section("health", "health"))


def test_the_words_of_an_agent(monkeypatch):
    monkeypatch.setattr(agent, "DOWN_WORDS", ("down", "fail"))
    assert wrong(section("health", "agent"))


def test_which_hash_key_counts():
    for config in FILES["haproxy34"]["configs"]:
        if config["algo"] == "hashkey" and config["hash_key"] != "id":
            servers = [{**server, "hash_key": "id"} for server in config["servers"]]
            (result,) = replayed("haproxy34", [{**config, "servers": servers}])
            assert result.mismatches > 0


def test_the_byte_order_of_an_address(monkeypatch):
    was = structures.packed
    monkeypatch.setattr(structures, "packed", lambda text: was(text)[::-1])
    assert wrong(lambda config: config.get("hash_key") == "addr-port", "haproxy34")


def test_affinity():
    lines = ["balance source", "hash-type consistent"]
    assert wrong(lambda config: config["algo"] == "affinity", "haproxy34", lines=lines)


@pytest.mark.parametrize(
    "change",
    [
        {"algo": "sticky"},
        {"novelty": 1},
        {"keys": "other"},
        {"lines": ["balance source", "cookie x"]},
        {"balance": "rdp-cookie"},
        {"balance": "uri sideways"},
        {"servers": [{"weight": 1, "state": "odd"}]},
        {"servers": [{"weight": 1, "cookie": "a"}]},
        {"ops": [["forget", 0]]},
    ],
)
def test_what_is_not_understood_is_strange(change):
    config = next(c for c in FILES["haproxy"]["configs"] if c["algo"] == "hash" and c["keys"] == "mix")
    with pytest.raises(Strange):
        replayed("haproxy", [{**config, **change}])


def test_an_unknown_system_is_strange():
    for system in ("HAProxy", "HAProxy 1.8.0"):
        with pytest.raises(Strange):
            list(replay("haproxy", {"system": system, "configs": []}))
