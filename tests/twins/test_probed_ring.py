"""A ring asked at several places: compiled equals plain, and both equal the sentence that defines it."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.probed_ring as plain
from lbalgo.errors import ConfigError
from lbalgo.kernels.hashing import mix64
from lbalgo.kernels.probed_ring import ProbedRing
from lbalgo.kernels.ring import Ring
from tests.both import both

GAMMA = 0x9E3779B97F4A7C15
WORD = st.integers(0, 2**64 - 1)
POINT = st.one_of(WORD, st.integers(0, 3), st.integers(2**64 - 3, 2**64 - 1))
RINGS = st.lists(st.tuples(POINT, st.integers(0, 4)), min_size=1, max_size=12)


def ranked(pairs, probes):
    """Owners by the least of (distance, probe) over their points, by pairs alone; the first of equal points counts."""
    first = {}
    for point, owner in pairs:
        first.setdefault(point, owner)
    met = sorted(((p - q) % 2**64, i, p) for i, q in enumerate(probes) for p in first)
    return list(dict.fromkeys(first[p] for *_, p in met))


@given(RINGS, st.integers(1, 7), st.lists(WORD, min_size=1, max_size=8))
@example([(0, 0), (2**64 - 1, 1)], 2, [0, 1, 2**64 - 1])
@example([(5, 1), (5, 0), (9, 0)], 3, [4])
def test_structures(pairs, probes, tickets):
    points, owners = map(list, zip(*pairs, strict=True))
    fast, slow = ProbedRing(points, owners, 5, probes), plain.ProbedRing(points, owners, 5, probes)
    assert fast.slots == slow.slots == 5
    assert fast.probes == slow.probes == probes
    got = np.empty(len(tickets), dtype=np.int32)
    fast.slot_many(np.array(tickets, dtype=np.uint64), got)
    for ticket, bulk in zip(tickets, got.tolist(), strict=True):
        asked = [mix64((ticket + i * GAMMA) % 2**64) for i in range(probes)]
        walk = ranked(pairs, asked)
        assert list(fast.walk(ticket)) == list(slow.walk(ticket)) == walk
        assert fast.slot(ticket) == slow.slot(ticket) == bulk == walk[0]
        assert fast.nearest(asked) == slow.nearest(asked) == walk[0]


@given(RINGS, st.lists(POINT, min_size=1, max_size=6))
def test_probes_of_the_callers_own(pairs, probes):
    """Probes on points, on each other and on both sides of 0."""
    points, owners = map(list, zip(*pairs, strict=True))
    wanted = ranked(pairs, probes)[0]
    assert ProbedRing(points, owners, 5, 3).nearest(probes) == wanted
    assert plain.ProbedRing(points, owners, 5, 3).nearest(probes) == wanted


@given(st.lists(st.tuples(WORD, st.integers(0, 4)), min_size=1, max_size=12, unique_by=lambda p: p[0]), WORD)
def test_one_probe_is_a_ring(pairs, ticket):
    points, owners = map(list, zip(*pairs, strict=True))
    assert list(ProbedRing(points, owners, 5, 1).walk(ticket)) == list(Ring(points, owners, 5).walk(mix64(ticket)))


BAD = [
    (lambda m: m.ProbedRing([], [], 1, 1), "points"),
    (lambda m: m.ProbedRing([1, 2], [0], 1, 1), "owners"),
    (lambda m: m.ProbedRing([1], [1], 1, 1), "owners"),
    (lambda m: m.ProbedRing([1], [0], 0, 1), "slots"),
    (lambda m: m.ProbedRing([1], [0], 1, 0), "probes"),
    (lambda m: m.ProbedRing([1], [0], 1, 1).nearest([]), "probes"),
    (lambda m: m.ProbedRing([1], [0], 1, 1).nearest([-1]), "probes"),
]


@pytest.mark.parametrize("module", both("probed_ring"))
@pytest.mark.parametrize(("call", "parameter"), BAD)
def test_refused(module, call, parameter):
    with pytest.raises(ConfigError) as caught:
        call(module)
    assert caught.value.parameter == parameter
