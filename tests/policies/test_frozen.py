"""The mappings are frozen: a release that answers differently is a different algorithm, and has to say so.

The figures were taken once from the library and say nothing of correctness, which other tests draw from papers, laws
and captured decisions. What they catch is a change that nobody meant: to a hash, a seed, a separator, an order.
"""

import hashlib

import numpy as np
import pytest

import lbalgo as lb

POOL = {"a": 3.0, "b": 1.0, "ç": 2.0, "d": 0.0, "e": 0.5}
EQUAL = {"a": 1.0, "b": 1.0, "ç": 1.0, "d": 0.0, "e": 1.0}
UNEVEN = {"a": 3.0, "b": 2.0**0.5, "ç": 2.0, "d": 0.0, "e": 0.5}  # no short period
TICKETS = np.arange(10_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)

FROZEN = [
    (lb.RingHash(), POOL),
    (lb.RingHash(lookup=lb.Lookup.NEAREST), POOL),
    (lb.Maglev(table_size=1009), POOL),
    (lb.Maglev(table_size=1009), EQUAL),
    (lb.Rendezvous(), POOL),
    (lb.Rendezvous(), EQUAL),
    (lb.Jump(), EQUAL),
    (lb.RoundRobin(), POOL),
    (lb.WeightedRoundRobin(), POOL),
    (lb.WeightedRoundRobin(), UNEVEN),
    (lb.Random(), POOL),
    (lb.MultiProbe(points=10), POOL),
    (lb.JumpBack(), EQUAL),
    (lb.StableTable(table_size=1009), POOL),
    (lb.TopK(lb.Maglev(table_size=1009)), POOL),
]
FIGURES = [
    (0xCCA460AB26F4CB7E, 0xA2EDBC89D4E5175E, "d1be7ca30db53f42"),
    (0x7520BA15E8578CC8, 0x19B86E0E1A55705A, "e5594bba9aa2aece"),
    (0x9E2AE23F82538DB3, 0x204E17E51D2BDA84, "cd3b2dafefa95446"),
    (0xBEEE6C6FA2E71FA9, 0x1DBA5BA9E44EE995, "32206c6c4afbacec"),
    (0x05C239CFBC04C2A9, 0xE71EF0326FB8554C, "aff429ded94085a8"),
    (0x57AC14B8C999D275, 0x61F763E03043F939, "7f78531335e3a17a"),
    (0x449532504023AFFA, 0x9E0C90BF5AAB420E, "6ec9a98edb78a67d"),
    (0xDC1409B66E0E50DD, 0xE9AE463328323D9A, "0bb7dc31a2ee2846"),
    (0xE545806A4D0BD43E, 0x5263B58671AAB7CE, "cb6e92f9ca94a72e"),
    (0xABD47FDF1BE9E768, 0x010C3AFCB14F61FC, "06e71b32627463ea"),
    (0xB60B9A6D92EEFE5B, 0x71EBF5EF55D14E01, "796b0c8877c5cc40"),
    (0x3620EB03966C728F, 0x394369EA038513F8, "3b0ed21ac340bf17"),
    (0x471887748C98A893, 0x7D8781908DE62BEC, "f516e4a30c5507d5"),
    (0xA84EE427DA4B5807, 0xF0550FCB3443F675, "cd3b2dafefa95446"),
    (0xFA4B047C18263310, 0x9197238E6915AE0D, "cd3b2dafefa95446"),
]
HISTORY = (0xD59B3B496486B195, 0x47459890534CEF18)
LAYOUT = "7f5c9b75ba6fb06d"
ZONES = 0x8922DDCC14794985


@pytest.mark.parametrize(("case", "figures"), list(zip(FROZEN, FIGURES, strict=True)), ids=lambda x: repr(x)[:40])
def test_the_mapping_is_frozen(case, figures):
    policy, pool = case
    view = lb.View.of(pool, factors={"b": 0.25}, states={"ç": lb.State.UNHEALTHY}, panic_below=0.0)
    picker, thinned = policy.build(pool), policy.build(view)
    digest = hashlib.sha256(picker.pick_many(TICKETS).tobytes() + thinned.pick_many(TICKETS).tobytes()).hexdigest()
    assert (picker.fingerprint(), thinned.fingerprint(), digest[:16]) == figures


def test_what_history_leaves_is_frozen():
    """A free seat between two, and a table after joins, leaves and a new weight."""
    seats = lb.JumpBack().build(["a", "d", "e"], previous=lb.JumpBack().build(list("abcde")))
    assert seats.policy.seats == tuple("abcde")
    table = None
    for pool in ("abcd", "abce", "ace", "abcdef"):
        table = lb.StableTable(table_size=1009).build(list(pool), previous=table)
    table = lb.StableTable(table_size=1009).build({"a": 2.0, "b": 1.0, "g": 1.0}, previous=table)
    assert (seats.fingerprint(), table.fingerprint()) == HISTORY
    assert hashlib.sha256(table.policy.layout.owners + table.policy.layout.previous).hexdigest()[:16] == LAYOUT


def test_zones_are_frozen():
    pool = [lb.Endpoint("a", zone="x"), lb.Endpoint("b", zone="x"), lb.Endpoint("c")]
    assert lb.TopK(lb.Rendezvous(), k=2).build(pool).fingerprint() == ZONES


def test_an_empty_pool_is_frozen():
    for policy in (lb.RoundRobin(), lb.WeightedRoundRobin()):
        assert policy.build([]).fingerprint() == 0xEF46DB3751D8E999
    assert lb.MultiProbe().build([]).fingerprint() == 0xADE3BF26946912DA
    assert lb.JumpBack().build([]).fingerprint() == 0xC0E0464EB83C4EA1
    assert lb.StableTable().build([]).fingerprint() == 0x67DD3E061929016C


def test_the_coins_of_enforcement_and_jitter_are_frozen():
    """7 of twelve ejections are carried out, and how long each lasts, with the signal's own draws."""
    rules = {"max_ejection_percent": 100, "max_ejection_time_jitter": 8.0, "seed": 5}
    signal = lb.OutlierEjection(detectors=(lb.ConsecutiveErrors(1, enforcement=50),), **rules)
    signal.sync([f"b{i}" for i in range(12)], 0.0)
    for slot in range(12):
        signal.observe(slot, lb.Outcome.SERVER_ERROR, None, 1.0)
    until = [round(e.until - 31.0, 6) for e in signal.drain_events() if isinstance(e, lb.events.Ejected)]
    assert until == [6.018456, 0.794715, 3.044871, 4.827524, 1.093619, 7.63743, 1.258519]
