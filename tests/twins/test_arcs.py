"""Shares of rings: compiled equals plain bit for bit, and both equal a sum of fractions over every order there is."""

from fractions import Fraction

import numpy as np
import pytest
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
@example(([5, 5, 9, 9, 30], [0, 1, 2, 0, 1], [0.5, 1.0, 0.25], [True] * 3), False)
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


SMALL = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=7)


@given(SMALL, st.lists(st.sampled_from([1.0, 0.5]), min_size=4, max_size=4), st.booleans())
@example([(0, 0), (3, 1), (10, 2)], [1.0, 1.0, 1.0, 1.0], True)
@example([(9, 0), (10, 1), (12, 2), (40, 3)], [0.5, 0.5, 1.0, 1.0], True)
@example([(0, 0), (2, 0), (3, 1), (4, 2), (9, 2)], [0.5, 0.5, 1.0, 1.0], True)
def test_to_the_last_ticket(ring, chance, nearest):
    """Whoever has only arcs of some tickets has a share that is exact, so that not one of them may go elsewhere."""
    chance = [*chance[:3], 1.0]
    points, owners = [point for point, _ in ring] + [50, 51], [owner for _, owner in ring] + [3, 3]
    at, whose = arrays(points, owners)
    order = np.argsort(at, kind="stable")
    wanted = law(points, owners, chance, [True] * 4, nearest)
    for shares in (arc_shares, plain.arc_shares):
        got = list(shares(at[order], whose[order], np.array(chance), np.ones(4, bool), nearest))
        for share, exact in zip(got, wanted, strict=True):
            assert exact > Fraction(1, 2**20) or Fraction(share) == exact


@pytest.mark.parametrize("shares", [arc_shares, plain.arc_shares])
def test_a_chance_below_an_ulp_goes_to_the_head(shares):
    """Nearly all tickets walk through 60 that refuse every other time: 2**-53 of them is asked on, half of that not."""
    points, owners = arrays(range(60), range(60))
    got = shares(points, owners, np.full(60, 0.5), np.ones(60, bool), False)
    assert got[52] == pytest.approx(2.0**-53, rel=1e-3, abs=0.0)
    assert got[53] == pytest.approx(2.0**-54, rel=1e-3, abs=0.0)
    assert got[54] < 2.0**-57


def coarse(points, owners, chance, cuts):
    """The law of a nearest ring whose arcs are cut `cuts` times each: a piece left whole goes as its middle ticket."""

    def places(ticket):
        away = [((p - ticket) % TURN, 1) for p in points]
        return tuple(sorted(range(len(points)), key=lambda k: min(away[k], (TURN - away[k][0], 0))))

    shares = [Fraction(0)] * len(chance)
    for before, point in zip(points[-1:] + points[:-1], points, strict=True):
        pieces, left = [((before + 1), before + (point - before) % TURN)], cuts
        while pieces:
            low, high = pieces.pop()
            if left and places(low) != places(high):
                step = next(i for i, (a, b) in enumerate(zip(places(low), places(high), strict=True)) if a != b)
                inside, outside = low, high  # the last ticket that goes as the first one does, and one that does not
                while outside - inside > 1:
                    middle = (inside + outside) // 2
                    if places(middle)[: step + 1] == places(low)[: step + 1]:
                        inside = middle
                    else:
                        outside = middle
                left -= 1
                pieces += [(inside + 1, high), (low, inside)]
                continue
            mass, walk = Fraction(high - low + 1, TURN), [owners[k] for k in places(low + (high - low) // 2)]
            for slot in dict.fromkeys(walk):
                shares[slot] += mass * Fraction(chance[slot])
                mass *= 1 - Fraction(chance[slot])
            shares[walk[0]] += mass
    return shares


@pytest.mark.parametrize("extra", [0, 1])
@given(st.lists(st.integers(0, 60), min_size=2, max_size=7, unique=True), st.booleans())
@example([0, 7, 9, 24, 31, 44], True)
@example([0, 3, 8, 15, 24, 35, 48], False)
@example([0, 4, 5, 9, 20, 22, 60], True)
def test_a_ring_out_of_cuts_goes_by_the_middle(extra, points, spread):
    """One cut is left to each arc, and in the plain twin that can be had without a million points."""
    points = sorted(point * (TURN // 61 if spread else 1) for point in points)
    chance = [0.25, 0.5, 0.125, 0.5, 0.25, 0.75, 0.5][: len(points)]
    wanted = coarse(points, range(len(points)), chance, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "CUTS", extra)
        at, whose = arrays(points, range(len(points)))
        got = plain.arc_shares(at, whose, np.array(chance), np.ones(len(points), bool), True)
    assert max(abs(Fraction(g) - w) / w for g, w in zip(got, wanted, strict=True)) < Fraction(1, 2**40)
