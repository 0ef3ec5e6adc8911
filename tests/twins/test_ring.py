"""Ring: compiled equals plain, and both equal a sort of all points by distance."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.ring as plain
from lbalgo.errors import ConfigError
from lbalgo.kernels import ring
from lbalgo.kernels.ring import Ring
from tests.levels import at_every_level

TURN = 1 << 64
WORD = st.integers(0, TURN - 1)
CLUSTER = st.builds(lambda base, step: (base + step) % TURN, st.sampled_from([0, 2**63, TURN - 5]), st.integers(0, 60))


def brute(points, owners, ticket, nearest):
    """Owners in the order of their points' distance from the ticket: the definition, by sorting everything."""
    listed = sorted(range(len(points)), key=lambda k: points[k])

    def distance(place):
        ahead = (points[listed[place]] - ticket) % TURN
        behind = TURN - ahead
        if nearest and behind <= ahead:
            return behind, 0, -place
        return ahead, 1, place

    return list(dict.fromkeys(owners[listed[place]] for place in sorted(range(len(points)), key=distance)))


def arrays(points, owners):
    return np.array(points, dtype=np.uint64), np.array(owners, dtype=np.int32)


@st.composite
def rings(draw):
    points = draw(st.lists(st.one_of(WORD, CLUSTER), min_size=1, max_size=80))
    slots = draw(st.integers(1, 12))
    owners = draw(st.lists(st.integers(0, slots - 1), min_size=len(points), max_size=len(points)))
    return points, owners, slots


def interesting(points, extra):
    tickets = set(extra) | {0, TURN - 1}
    for a, b in zip(points, points[1:] + points[:1], strict=True):
        middle = a + ((b - a) % TURN) // 2
        tickets |= {(x + d) % TURN for x in (a, middle) for d in (-1, 0, 1)}
    return sorted(tickets)


@given(rings(), st.booleans(), st.lists(WORD, max_size=10))
@example(([5, 5, 5], [2, 0, 1], 3), True, [])
@example(([0], [0], 1), True, [])
@example(([2**63, 0], [0, 1], 2), True, [2**62, 2**62 + 1, 3 * 2**62])
def test_small_rings(ring, nearest, extra):
    points, owners, slots = ring
    fast, slow = (kind(*arrays(points, owners), slots, nearest) for kind in (Ring, plain.Ring))
    assert list(fast.points()) == list(slow.points()) == sorted(points)
    assert list(fast.owners()) == list(slow.owners())
    assert (fast.size, fast.slots, fast.members, fast.nearest) == (slow.size, slow.slots, slow.members, slow.nearest)
    for ticket in interesting(points, extra):
        walk = brute(points, owners, ticket, nearest)
        assert list(fast.walk(ticket)) == list(slow.walk(ticket)) == walk
        assert fast.slot(ticket) == slow.slot(ticket) == walk[0]


@given(
    st.integers(0, 2**32),
    st.integers(1, 1000),
    st.integers(0, 3000),
    st.sampled_from([0, 20, 44, 58, 63]),
    st.booleans(),
)
@example(1, 1000, 20000, 0, False)
@example(2, 7, 5000, 58, True)
def test_large_rings(seed, slots, extra, squeeze, nearest):
    """Uniform points, and points squeezed into the low end of the circle, where one bucket holds them all."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, TURN, slots + extra, dtype=np.uint64) >> np.uint64(squeeze)
    owners = rng.integers(0, slots, slots + extra, dtype=np.int32)
    fast, slow = (kind(points, owners, slots, nearest) for kind in (Ring, plain.Ring))
    assert np.array_equal(fast.points(), slow.points())
    assert np.array_equal(fast.owners(), slow.owners())
    tickets = rng.integers(0, TURN, 300, dtype=np.uint64)
    tickets[100:] >>= np.uint64(squeeze)
    tickets[200:250] = points[rng.integers(0, len(points), 50)]
    got = np.empty(len(tickets), dtype=np.int32)
    fast.slot_many(tickets, got)
    assert got.tolist() == [slow.slot(t) for t in tickets.tolist()] == [fast.slot(t) for t in tickets.tolist()]
    for ticket in tickets[::100].tolist():
        assert list(fast.walk(ticket)) == list(slow.walk(ticket))


@given(rings(), st.booleans(), st.booleans(), st.data())
def test_rings_merged(drawn, was_nearest, nearest, data):
    """What stays of a ring, its slots renumbered, and more points, is the ring of both; the old come before equals."""
    points, owners, slots = drawn
    more = data.draw(st.lists(st.one_of(WORD, CLUSTER, st.sampled_from(points)), max_size=12))
    now = data.draw(st.integers(1, 9))
    places = data.draw(st.lists(st.integers(-1, now - 1), min_size=slots, max_size=slots))
    whose = data.draw(st.lists(st.integers(0, now - 1), min_size=len(more), max_size=len(more)))
    listed = sorted(range(len(points)), key=points.__getitem__)
    kept = [(points[k], places[owners[k]]) for k in listed if places[owners[k]] >= 0] + list(
        zip(more, whose, strict=True)
    )
    rings = [kind(*arrays(points, owners), slots, was_nearest) for kind in (Ring, plain.Ring)]
    if not kept:
        for before in rings:
            with pytest.raises(ConfigError, match="places"):
                type(before)(more, whose, now, nearest, before, places)
        return
    fast, slow = (type(before)(*arrays(more, whose), now, nearest, before, places) for before in rings)
    whole = Ring(*arrays(*zip(*kept, strict=True)), now, nearest)
    for what in ("size", "slots", "members", "nearest", "ties"):
        assert getattr(fast, what) == getattr(slow, what) == getattr(whole, what), what
    assert slow.ties == (len({point for point, _ in kept}) < len(kept))
    for part in ("points", "owners"):
        assert list(getattr(fast, part)()) == list(getattr(slow, part)()) == list(getattr(whole, part)())
    for ticket in interesting([point for point, _ in kept], []):
        assert fast.slot(ticket) == slow.slot(ticket) == whole.slot(ticket)


@given(
    st.integers(0, 2**32),
    st.integers(2, 40),
    st.sets(st.integers(0, 39), max_size=4),
    st.integers(-1, 39),
    st.sampled_from([0, 44, 58]),
    st.integers(0, 300),
)
def test_large_rings_changed(seed, slots, leave, join, squeeze, more):
    """Some slots go, one comes in between or at an end, the rest shift: at every level as made anew, crowds too."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, TURN, 50 * slots, dtype=np.uint64) >> np.uint64(squeeze)
    owners = rng.integers(0, slots, len(points), dtype=np.int32)
    places, now = np.full(slots, -1), 0
    for slot in range(slots):
        now += slot == join
        if slot not in leave:
            places[slot], now = now, now + 1
    now = max(now, 1)
    come = rng.integers(0, TURN, more + 1, dtype=np.uint64) >> np.uint64(squeeze)
    whose = rng.integers(0, now, len(come), dtype=np.int32)
    at, whom = np.sort(points), owners[np.argsort(points, kind="stable")]
    stay = places[whom] >= 0
    whole = plain.Ring(np.concatenate([at[stay], come]), np.concatenate([places[whom][stay], whose]), now)
    near = [np.asarray(whole.points(), np.uint64) + np.uint64(d) for d in (TURN - 1, 0, 1)]
    tickets = np.concatenate([*near, rng.integers(0, TURN, 2000, dtype=np.uint64)])
    wanted = [whole.slot(ticket) for ticket in tickets.tolist()]
    for made in at_every_level(lambda: Ring(come, whose, now, False, Ring(points, owners, slots), places)):
        assert (made.size, made.members, made.ties) == (whole.size, whole.members, whole.ties)
        assert made.points().tolist() == whole.points()
        assert made.owners().tolist() == whole.owners()
        found = np.empty(len(tickets), np.int32)
        made.slot_many(tickets, found)
        assert found.tolist() == wanted


@given(st.data())
def test_moves(data):
    before, now = (
        data.draw(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 1.0, 2.0]))) for _ in range(2)
    )
    if data.draw(st.booleans()):  # lists that begin and end alike
        now = {**before, **now}
    given = [part for pool in (before, now) for part in (tuple(pool), np.array(list(pool.values()), np.float64))]
    slots = {name: slot for slot, name in enumerate(now)}
    kept = {name: weight for name, weight in before.items() if weight <= now.get(name, -1.0)}
    more = {slots[name]: kept.get(name, 0.0) for name, weight in now.items() if weight > kept.get(name, 0.0)}
    for module in (ring, plain):
        places, come, weighed = module.moves(*given)
        assert places.dtype == np.int32
        assert places.tolist() == [slots[name] if name in kept else -1 for name in before]
        assert dict(zip(come, weighed, strict=True)) == more
        assert come == list(more)


@pytest.mark.parametrize("module", [ring, plain])
@pytest.mark.parametrize(
    ("parameter", "weights", "now"),
    [
        ("weights", np.ones(1), np.ones(1)),
        ("weights", [1.0, 1.0], np.ones(1)),
        ("weights_now", np.ones(2), np.ones(2)),
        ("weights_now", np.ones(2), np.ones(1, np.float32)),
    ],
)
def test_moves_refused_alike(module, parameter, weights, now):
    with pytest.raises(ConfigError) as caught:
        module.moves(("a", "b"), weights, ("a",), now)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", [Ring, plain.Ring])
@pytest.mark.parametrize(
    ("parameter", "points", "owners", "places"),
    [
        ("places", [], [], [0]),
        ("places", [], [], [0, 3]),
        ("places", [], [], [0, -2]),
        ("places", [], [], [0, 0.5]),
        ("places", [], [], None),
        ("places", [], [], [-1, -1]),
        ("points", [], [0], [0, 1]),
        ("owners", [1], [], [0, 1]),
        ("owners", [1], [3], [0, 1]),
        ("owners", [1, 2], [0], [0, 1]),
    ],
)
def test_refused_merged_alike(kind, parameter, points, owners, places):
    before = kind([5, 6], [0, 1], 2)
    with pytest.raises(ConfigError) as caught:
        kind(points, owners, 3, False, before, places)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", [Ring, plain.Ring])
@pytest.mark.parametrize(
    ("parameter", "points", "owners", "slots"),
    [
        ("points", [1.5, 2], np.zeros(2, np.int32), 1),
        ("points", np.array([1.0, 2.0]), np.zeros(2, np.int32), 1),
        ("points", np.array([[1, 2]], np.uint64), np.zeros(2, np.int32), 1),
        ("points", np.array([-1, 2]), np.zeros(2, np.int32), 1),
        ("points", np.array([], np.uint64), np.array([], np.int32), 1),
        ("owners", np.array([1, 2], np.uint64), [0.0, 0], 1),
        ("owners", np.array([1, 2], np.uint64), np.array([0, 2**32]), 1),
        ("owners", np.array([1, 2], np.uint64), np.zeros(3, np.int32), 1),
        ("owners", np.array([1, 2], np.uint64), np.array([0, -1], np.int32), 1),
        ("owners", np.array([1, 2], np.uint64), np.array([0, 1], np.int32), 1),
    ],
)
def test_refused_alike(kind, parameter, points, owners, slots):
    with pytest.raises(ConfigError) as caught:
        kind(points, owners, slots)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", [Ring, plain.Ring])
def test_the_input_may_be_any_view_and_is_not_kept(kind):
    points = np.arange(20, dtype=np.uint64)[::-2]
    owners = np.arange(20, dtype=np.int32)[::-2]
    ring = kind(points, owners, 20)
    points[:] = 0
    assert list(ring.points()) == list(ring.owners()) == list(range(1, 20, 2))
