"""MultiProbe as a policy: points, shares by the law, what moves, invariants."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import ProbedRing, TicketPicker, derived, mix64
from lbalgo.policies import multi_probe, ring_hash
from lbalgo.policies.multi_probe import SAMPLES, MultiProbe, closest_shares

TICKETS = np.random.default_rng(5).integers(0, 2**64, 4000, dtype=np.uint64)
GAMMA = 0x9E3779B97F4A7C15


def test_points_are_those_of_a_ring_hash():
    pool = {"a": 2, "b": 1, "z": 0, "c": 0.5}
    ring, probed = lb.RingHash(points=3).build(pool).structure, MultiProbe(points=3).build(pool).structure
    assert list(ring.points()) == list(probed.ring.points())
    assert list(ring.owners()) == list(probed.ring.owners())


def test_one_probe_is_the_ring_of_the_mixed_ticket():
    pool = [f"b{i}" for i in range(9)]
    ring, probed = lb.RingHash(points=5).build(pool), MultiProbe(probes=1, points=5).build(pool)
    mixed = np.array([mix64(int(t)) for t in TICKETS], dtype=np.uint64)
    assert (probed.pick_many(TICKETS) == ring.pick_many(mixed)).all()
    assert np.allclose(probed.shares(), ring.shares(), rtol=1e-9)


def integral(gaps, x, k, steps=20_000):
    """H(x) by the midpoint rule, from its definition."""
    t = (np.arange(steps) + 0.5) * x / steps
    covered = np.minimum(np.asarray(gaps)[:, None], t[None, :]).sum(axis=0)
    return float((k * (1 - covered) ** (k - 1)).sum() * x / steps)


@pytest.mark.parametrize("k", [1, 2, 5, 21])
@pytest.mark.parametrize("points", [[7], [0, 2**63], [1, 2, 2**40, 2**62, 2**63 + 5], list(range(0, 2**64, 2**60))])
def test_the_law_is_the_integral(points, k):
    shares = closest_shares(np.array(points, dtype=np.uint64), k)
    gaps = [((p - q) % 2**64 or 2**64) / 2**64 for p, q in zip(points, [points[-1], *points[:-1]], strict=True)]
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert shares == pytest.approx([integral(gaps, g, k) for g in gaps], abs=1e-5)


def test_coins_are_followed_through_all_their_outcomes():
    view = lb.View.of(list("abcd"), factors={"b": 0.5, "c": 0.25}, states={"d": lb.State.UNHEALTHY})
    policy = MultiProbe(probes=3, points=2)
    wanted = np.zeros(4)
    for b, c in itertools.product((True, False), repeat=2):
        names = ["a"] + ["b"] * b + ["c"] * c
        alone = dict(zip(names, policy.build(names).shares().tolist(), strict=True))
        chance = 0.5 * (0.25 if c else 0.75)
        wanted += [chance * alone.get(name, 0.0) for name in "abcd"]
    assert policy.build(view).shares() == pytest.approx(wanted, abs=1e-12)


def test_coins_that_cannot_fall_otherwise_are_not_followed(monkeypatch):
    """Two unsure of nine, and as many coins as may be followed: exact, however many are sure of their answer."""
    monkeypatch.setattr(multi_probe, "SETS", 2)
    view = lb.View.of(list("abcdefghi"), factors={"b": 0.5, "c": 0.25}, states=dict.fromkeys("ghi", lb.State.DRAINING))
    policy, wanted = MultiProbe(probes=3, points=2), np.zeros(9)
    for b, c in itertools.product((True, False), repeat=2):
        names = list("adef") + ["b"] * b + ["c"] * c
        alone = dict(zip(names, policy.build(names).shares().tolist(), strict=True))
        wanted += [0.5 * (0.25 if c else 0.75) * alone.get(name, 0.0) for name in "abcdefghi"]
    assert policy.build(view).shares() == pytest.approx(wanted, abs=1e-12)


def test_more_coins_are_sampled(monkeypatch):
    """Of 1024 draws a mean of shares is off by more than 0.09 with chance 1e-6 at most (Hoeffding, six of them)."""
    view = lb.View.of(list("abcdef"), factors={"b": 0.5, "c": 0.25, "d": 0.5, "e": 0.125})
    picker = MultiProbe(probes=3, points=2).build(view)
    exact = picker.shares()
    monkeypatch.setattr(multi_probe, "SETS", 3)
    sampled = picker.shares()
    assert sampled.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.abs(sampled - exact).max() < math.sqrt(math.log(2 * 6 / 1e-6) / 2 / SAMPLES)
    assert (sampled == picker.shares()).all(), "the same draws every time"
    assert sampled == pytest.approx(SAMPLED, abs=1e-12)
    nobody = MultiProbe(probes=3, points=2).build(
        lb.View.of(
            {"z": 9, **dict.fromkeys("abcd", 1)}, factors=dict.fromkeys("abcd", 1e-6), states={"z": lb.State.DRAINING}
        )
    )
    assert nobody.shares()[0] == 0.0
    assert nobody.shares()[1:] == pytest.approx(MultiProbe(probes=3, points=2).build(list("abcd")).shares(), abs=0.01)


def test_of_points_at_one_position_the_first_ids_counts(monkeypatch):
    """Derived points practically never collide; here they are made to."""
    monkeypatch.setattr(ring_hash, "derived", lambda *of: derived(*of) >> np.uint64(60))
    pool = {"c": 1, "a": 1, "d": 2, "b": 1}
    picker, turned = MultiProbe(points=9).build(pool), MultiProbe(points=9).build(dict(reversed(pool.items())))
    assert picker.structure.ring.size < 9 * 5, "some do collide"
    assert picker.fingerprint() == turned.fingerprint()
    names = [np.array([b.id for b in p.backends])[p.pick_many(TICKETS)].tolist() for p in (picker, turned)]
    assert names[0] == names[1]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=8))
def test_invariants_hold(pool):
    picker = MultiProbe(points=4).build(pool)
    picker.check_invariants()
    assert ((picker.shares() > 0) == (picker.view.weights > 0)).all()


def test_invariants_are_checked():
    policy = MultiProbe(probes=3, points=2)
    picker = policy.build({"a": 1, "b": 1, "c": 0})
    ring = picker.structure.ring
    points, whose = np.asarray(ring.points(), np.uint64), np.asarray(ring.owners())

    def altered(structure):
        return TicketPicker(policy, picker.view, structure, picker.hasher, picker.source, picker.cursor, True)

    altered(ProbedRing(points, whose, 3, 3)).check_invariants()
    swapped = np.where(whose == 0, 2, whose)
    for structure in (
        ProbedRing(points, whose, 3, 4),
        ProbedRing(points[1:], whose[1:], 3, 3),
        ProbedRing(points, swapped, 3, 3),
    ):
        with pytest.raises(AssertionError):
            altered(structure).check_invariants()


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        *((lambda n=n: MultiProbe(probes=n), "probes") for n in (0, 1025, 1.5, True, None, "3")),
        *((lambda n=n: MultiProbe(points=n), "points") for n in (0, -1, 1.5, True, None)),
        (lambda: MultiProbe().build({"a": 1, "b": 0.25}), "weights['b']"),
        (lambda: MultiProbe(points=2**20).build({"a": 9}), "points"),
    ],
)
def test_refused(call, parameter):
    with pytest.raises(lb.ConfigError) as caught:
        call()
    assert caught.value.parameter == parameter


def test_frozen():
    picker = MultiProbe().build({"a": 3, "b": 1, "c": 2})
    assert picker.pick_many(np.arange(12, dtype=np.uint64)).tolist() == FROZEN
    assert picker.fingerprint() == FINGERPRINT


SAMPLED = [
    0.4147069608099324,
    0.13127277015914635,
    0.058240969684207625,
    0.1612961653192289,
    0.02642561212051166,
    0.20805752190696994,
]
FROZEN = [0, 0, 0, 0, 2, 1, 2, 2, 2, 1, 0, 1]  # says nothing of correctness: a change has to be meant
FINGERPRINT = 0x125E3A08A763CCA8
