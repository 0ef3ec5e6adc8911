"""Shares of rings: compiled equals plain bit for bit, and both equal a sum of fractions over every order there is."""

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.arcs as plain
from lbalgo.kernels.arcs import arc_shares
from tests.twins.test_ring import TURN, arrays, brute, rings


def law(points, owners, chance, able, nearest):
    """Between two neighbouring points or midpoints all tickets walk alike: one ticket stands for each such stretch."""
    edges = set(points)
    if nearest:
        edges |= {(a + ((b - a) % TURN) // 2) % TURN for a in points for b in points}
        edges |= {(a + TURN // 2) % TURN for a in points}
    edges = sorted(edges)
    shares = [Fraction(0)] * len(chance)
    for low, high in zip(edges[-1:] + edges[:-1], edges, strict=True):
        mass = Fraction((high - low) % TURN or TURN, TURN)
        walk = [slot for slot in brute(points, owners, high, nearest) if able[slot]]
        for slot in walk:
            shares[slot] += mass * Fraction(chance[slot])
            mass *= 1 - Fraction(chance[slot])
        if walk:
            shares[walk[0]] += mass
    return shares


@st.composite
def thinned(draw):
    points, owners, slots = draw(rings())
    points, owners = points[:9], owners[:9]
    chance = draw(
        st.lists(st.sampled_from([1.0, 0.5, 0.1, 2.0**-20]) | st.floats(0, 1), min_size=slots, max_size=slots)
    )
    able = draw(st.lists(st.booleans() | st.just(True), min_size=slots, max_size=slots))
    return points, owners, [c if on else 0.0 for c, on in zip(chance, able, strict=True)], able


@given(thinned(), st.booleans())
@example(([5, 5, 5], [2, 0, 1], [1.0, 1.0, 1.0], [True] * 3), True)
@example(([0], [0], [0.25], [True]), True)
@example(([0, 2**63], [0, 1], [0.5, 0.5], [True, True]), True)
def test_shares_are_the_law(ring, nearest):
    points, owners, chance, able = ring
    at, whose = arrays(points, owners)
    order = np.argsort(at, kind="stable")
    inputs = at[order], whose[order], np.array(chance), np.array(able)
    got = list(arc_shares(*inputs, nearest))
    assert got == list(plain.arc_shares(*inputs, nearest))
    wanted = law(points, owners, chance, able, nearest)
    # every share is a sum of at most some hundred rounded terms, and what is cut off is below 2**-53
    assert max(abs(Fraction(g) - w) for g, w in zip(got, wanted, strict=True)) < Fraction(2000, 2**53)


@given(st.integers(0, 2**32), st.integers(1, 200), st.booleans())
def test_twins_agree_on_larger_rings(seed, slots, nearest):
    rng = np.random.default_rng(seed)
    points = np.sort(rng.integers(0, TURN, 5 * slots, dtype=np.uint64))
    owners = rng.integers(0, slots, 5 * slots, dtype=np.int32)
    eligible = rng.random(slots) < 0.9
    accept = np.where(eligible, rng.choice([1.0, 0.5, 0.9], slots), 0.0)
    got = np.asarray(arc_shares(points, owners, accept, eligible, nearest))
    assert got.tolist() == list(plain.arc_shares(points, owners, accept, eligible, nearest))
    assert abs(got.sum() - (1.0 if eligible[np.unique(owners)].any() else 0.0)) < 1e-12
