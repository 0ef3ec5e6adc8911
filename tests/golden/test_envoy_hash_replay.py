"""Envoy's hash balancers: every captured decision and table; and that a changed constant or rule would be seen."""

import json
from pathlib import Path

import pytest

from lbalgo.compat.envoy import (
    bounded_load,
    composite,
    hash_policy,
    hosts,
    maglev,
    normalized,
    regex,
    request_hash,
    ring_hash,
)
from tests.golden.systems import Strange, replayer
from tests.golden.systems.envoy_hash import replay

ROOM = Path(__file__).parent / "vectors" / "envoy"
DATA = {
    name: json.loads((ROOM / f"{name}.json").read_text("utf-8"))
    for name in ("hash_picks", "hash_policy_retry", "bounded_load", "eds_changes")
}


def part(kind, *names, field="cfg"):
    """The file with some of its configurations."""
    whole = DATA[kind]
    return {**whole, field: {name: whole[field][name] for name in names}}


def mismatches(kind, *names, field="cfg"):
    data = part(kind, *names, field=field)
    if kind == "hash_policy_retry":
        data = {**data, **{other: {} for other in ("policy", "retry") if other != field}}
    return [result.mismatches for result in replay(kind, data)]


@pytest.mark.parametrize("kind", DATA)
def test_every_configuration_replays(kind):
    assert replayer(kind, DATA[kind]) is replay
    assert replayer("of another name", DATA[kind]) is replay
    results = list(replay(kind, DATA[kind]))
    fields = ("policy", "retry") if kind == "hash_policy_retry" else ("cfg",)
    assert len(results) == sum(len(DATA[kind][f]) for f in fields)
    assert {r.name: r.mismatches for r in results if r.mismatches} == {}
    assert all(r.decisions > 200 for r in results)


def test_tables_are_compared_by_digest():
    cfg = DATA["hash_picks"]["cfg"]
    for name in ("mg_n3_default", "rh_n5_min100"):
        for digest in {"sha256", "ring_sha256", "gen_sha256"} & set(cfg[name]["tables"][0]):
            table = {**cfg[name]["tables"][0], digest: "0" * 64}
            (result,) = replay("hash_picks", {**DATA["hash_picks"], "cfg": {name: {**cfg[name], "tables": [table]}}})
            assert result.mismatches == 1


@pytest.mark.parametrize(
    ("module", "constant", "value", "names"),
    [
        (ring_hash, "MURMUR_SEED", 0xC70F6908, ("rh_n3_murmur", "rh_n5_w_murmur_min64")),
        (ring_hash, "SEPARATOR", b"-", ("rh_n3_min3", "rh_n5_w")),
        (maglev, "SKIP_SEED", 2, ("mg_n10_1021", "mg_n5_w")),
    ],
)
def test_constants_are_seen(monkeypatch, module, constant, value, names):
    monkeypatch.setattr(module, constant, value)
    assert all(mismatches("hash_picks", *names))


def test_the_hash_of_requests_is_seen(monkeypatch):
    monkeypatch.setattr(composite, "XX_HASH", composite.KeyHasher(0, 1))
    assert all(mismatches("hash_picks", "rh_n3_min3", "mg_n10_1021"))


def test_the_rounds_of_turns_are_seen(monkeypatch):
    real = maglev.rounds
    monkeypatch.setattr(maglev, "rounds", lambda weights, size: real([w * w for w in weights], size))
    assert all(mismatches("hash_picks", "mg_n10_w_1021", "mg_n5_w"))
    monkeypatch.setattr(maglev, "rounds", lambda weights, size: real(weights, size)[::-1])
    assert all(mismatches("hash_picks", "mg_n10_1021"))


def test_the_order_of_turns_is_that_of_the_keys(monkeypatch):
    monkeypatch.setattr(maglev, "sorted", lambda places, key: list(places)[::-1], raising=False)
    assert all(mismatches("hash_picks", "mg_n10_1021", "mg_n5_hostname_1021"))


def test_how_many_points_is_seen(monkeypatch):
    real = ring_hash.ring_counts
    monkeypatch.setattr(ring_hash, "ring_counts", lambda n, least, most: real(n, 2 * least, 2 * most))
    assert all(mismatches("hash_picks", "rh_n3_min3", "rh_n7_min10_max17", "rh_n5_w"))


def test_ties_are_seen():
    policy = ring_hash.RingHash.__init__
    try:
        ring_hash.RingHash.__init__ = lambda self, **given: policy(self, **{**given, "libcxx_sort": False})
        assert all(mismatches("hash_picks", "rh_n200_dup_hashkey"))
        assert mismatches("hash_picks", "rh_n5_w") == [0]
    finally:
        ring_hash.RingHash.__init__ = policy


@pytest.mark.parametrize(
    ("module", "constant", "change", "names"),
    [
        (hosts, "priority_load", {"overprovisioning_factor": 100}, ("rh_n2x3_prio", "rh_n5_wprio_health")),
        (hosts, "priority_load", {"weighted_priority_health": False}, ("rh_n5_wprio_health",)),
        (hosts, "priority_load", {"healthy_panic_threshold": 1}, ("rh_n5_panic", "mg_n9_prio_total_panic_251")),
        (hosts, "priority_load", {"healthy_panic_threshold": 51}, ("rh_n5_draining3_excluded_nopanic",)),
        (normalized, "normalized", {"by_locality": False}, ("rh_n6_locality_w", "mg_n6_locality_w_1021")),
    ],
)
def test_rules_of_health_are_seen(monkeypatch, module, constant, change, names):
    from lbalgo.compat.envoy import hashed

    real = getattr(module, constant)
    monkeypatch.setattr(hashed, constant, lambda *a, **k: real(*a, **{**k, **change}))
    assert all(mismatches("hash_picks", *names))


def test_the_shuffle_is_seen(monkeypatch):
    monkeypatch.setattr(bounded_load, "shuffled", lambda h, n: iter(range(n)))
    assert all(mismatches("bounded_load", *DATA["bounded_load"]["cfg"]))


def test_equality_passes_in_bounded_loads(monkeypatch):
    real = bounded_load.BoundedPicker._load
    monkeypatch.setattr(bounded_load.BoundedPicker, "_load", lambda *a: real(*a) + 1e-9)
    assert all(mismatches("bounded_load", *DATA["bounded_load"]["cfg"]))


def test_attempts_are_seen(monkeypatch):
    real = composite.attempt_slot
    monkeypatch.setattr("lbalgo.compat.envoy.retry.attempt_slot", lambda table, h, a: real(table, h, a + 1 if a else a))
    assert all(mismatches("hash_policy_retry", "retry_prev_default/hp_mg5", field="retry"))


def test_the_combination_is_seen(monkeypatch):
    monkeypatch.setattr(request_hash, "WORD", 2**63 - 1)
    names = ("source_ip_and_header", "three_policies")
    assert all(mismatches("hash_policy_retry", *names, field="policy"))


def test_rewriting_is_seen(monkeypatch):
    monkeypatch.setattr(hash_policy, "replace_all", lambda pattern, substitution, text: text)
    assert all(mismatches("hash_policy_retry", "regex_rewrite", field="policy"))
    assert regex.replace_all("a", "b", "a") == "b"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("hash_picks", {"policy": "subset"}),
        ("hash_picks", {"surprise": 1}),
        ("hash_picks", {"hosts": [{"addr": "127.0.0.1:1", "health": "WELL"}]}),
        ("hash_picks", {"hosts": [{"addr": "127.0.0.1:1", "surprise": 1}]}),
        ("hash_picks", {"fn": "MD5", "policy": "ring_hash"}),
        ("bounded_load", {"ops": [["?", 1]]}),
        ("eds_changes", {"maglev_lb_config": {"surprise": 1}, "policy": "maglev"}),
    ],
)
def test_what_is_not_understood_is_refused(kind, change):
    name, cfg = next(iter(DATA[kind]["cfg"].items()))
    with pytest.raises(Strange):
        list(replay(kind, {**DATA[kind], "cfg": {name: {**cfg, **change}}}))
