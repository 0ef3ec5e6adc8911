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
    return np.array(list(points), dtype=np.uint64), np.array(list(owners), dtype=np.int32)


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
    whose = dict(zip(points, owners, strict=True))
    now = data.draw(st.integers(1, 9))
    places = data.draw(st.lists(st.integers(-1, now - 1), min_size=slots, max_size=slots))
    few = data.draw(st.sets(st.sampled_from(sorted(whose)), max_size=9))
    go = [(point, ~slot) for point, slot in whose.items() if places[slot] < 0 or point in few]
    come = data.draw(
        st.lists(st.tuples(st.one_of(WORD, CLUSTER, st.sampled_from(points)), st.integers(0, now - 1)), max_size=12)
    )
    given_points, given_owners = zip(*data.draw(st.permutations(go + come)), strict=True) if go + come else ((), ())
    came = [pair for pair in zip(given_points, given_owners, strict=True) if pair[1] >= 0]
    leaves = {point for point, _ in go}
    kept = [(point, places[slot]) for point, slot in sorted(whose.items()) if point not in leaves] + came
    rings = [kind(*arrays(whose, whose.values()), slots, was_nearest) for kind in (Ring, plain.Ring)]
    if not kept:
        for before in rings:
            with pytest.raises(ConfigError, match="places"):
                type(before)(given_points, given_owners, now, nearest, before, places)
        return
    fast, slow = (type(before)(*arrays(given_points, given_owners), now, nearest, before, places) for before in rings)
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
    st.sets(st.integers(0, 39), max_size=3),
    st.integers(-1, 39),
    st.sampled_from([0, 40, 44]),
    st.integers(0, 300),
)
def test_large_rings_changed(seed, slots, leave, fall, join, squeeze, more):
    """Slots go or lose points, one comes in between or at an end, the rest shift: at every level as made anew."""
    rng = np.random.default_rng(seed)
    points = np.unique(rng.integers(0, TURN, 50 * slots, dtype=np.uint64) >> np.uint64(squeeze))
    owners = rng.integers(0, slots, len(points), dtype=np.int32)
    places, now = np.full(slots, -1), 0
    for slot in range(slots):
        now += slot == join
        if slot not in leave:
            places[slot], now = now, now + 1
    now = max(now, 1)
    go = (places[owners] < 0) | (np.isin(owners, list(fall)) & (rng.random(len(points)) < 0.5))
    come = rng.integers(0, TURN, more + 1, dtype=np.uint64) >> np.uint64(squeeze)
    where = np.concatenate([come, rng.permutation(points[go])[:1], points[go]])  # one comes to where another goes
    whose = rng.integers(0, now, len(where), dtype=np.int32)
    whose[len(where) - go.sum() :] = ~owners[go]
    comes = whose >= 0
    whole = plain.Ring(
        np.concatenate([points[~go], where[comes]]), np.concatenate([places[owners][~go], whose[comes]]), now
    )
    order = rng.permutation(len(where))
    near = [np.asarray(whole.points(), np.uint64) + np.uint64(d) for d in (TURN - 1, 0, 1)]
    tickets = np.concatenate([*near, rng.integers(0, TURN, 2000, dtype=np.uint64)])
    wanted = [whole.slot(ticket) for ticket in tickets.tolist()]
    for made in at_every_level(
        lambda: Ring(where[order], whose[order], now, False, Ring(points, owners, slots), places)
    ):
        assert (made.size, made.members) == (whole.size, whole.members)
        assert made.points().tolist() == whole.points()
        if made.ties or whole.ties:
            assert made.ties == whole.ties
            continue  # equals that come are in the order given
        assert made.owners().tolist() == whole.owners()
        found = np.empty(len(tickets), np.int32)
        made.slot_many(tickets, found)
        assert found.tolist() == wanted


@pytest.mark.parametrize("n", [64, 100, 10_000])
def test_rings_changed_again_and_again(n):
    """Points come and go for long, a few each time, at the ends of the circle too: as made anew, and counted alike."""
    rng = np.random.default_rng(n)
    points = rng.integers(0, TURN, n, dtype=np.uint64)
    points[:2] = 0, TURN - 1
    pool = dict(zip(points.tolist(), rng.integers(0, 5, n).tolist(), strict=True))
    ring = Ring(*arrays(pool, pool.values()), 5)
    for _ in range(60):
        go = {int(point): ~pool[int(point)] for point in rng.choice(np.array(list(pool), np.uint64), 3, replace=False)}
        come = {int(point): int(rng.integers(5)) for point in [*rng.integers(0, TURN, 2, dtype=np.uint64), min(go)]}
        where, whose = [*come, *go], [*come.values(), *go.values()]
        pool = {point: owner for point, owner in pool.items() if point not in go} | come
        ring = Ring(where, whose, 5, False, ring, range(5))
        whole = Ring(*arrays(pool, pool.values()), 5)
        assert (ring.size, ring.members, ring.ties) == (whole.size, whole.members, whole.ties)
        assert np.array_equal(ring.points(), whole.points())
        assert np.array_equal(ring.owners(), whole.owners())
        tickets = np.concatenate([np.array(where, np.uint64) + np.uint64(d) for d in (TURN - 1, 0, 1)])
        assert [ring.slot(ticket) for ticket in tickets.tolist()] == [whole.slot(ticket) for ticket in tickets.tolist()]


@given(st.data())
def test_moves(data):
    before, now = (
        data.draw(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 1.0, 2.0]))) for _ in range(2)
    )
    if data.draw(st.booleans()):  # lists that begin and end alike
        now = {**before, **now}
    given = [part for pool in (before, now) for part in (tuple(pool), np.array(list(pool.values()), np.float64))]
    slots, had = ({name: slot for slot, name in enumerate(pool)} for pool in (now, before))
    less = {~had[name]: (now.get(name, 0.0), w) for name, w in before.items() if w > now.get(name, 0.0)}
    more = {slots[name]: (before.get(name, 0.0), w) for name, w in now.items() if w > before.get(name, 0.0)}
    for module in (ring, plain):
        places, owners, low, high = module.moves(*given)
        assert places.dtype == np.int32
        assert places.tolist() == [slots.get(name, -1) for name in before]
        assert list(zip(owners, zip(low, high, strict=True), strict=True)) == [*less.items(), *more.items()]


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
        ("places", [], [], [-1, 1]),
        ("places", [5], [~0], [0, -1]),
        ("places", [5, 6], [~0, ~1], [0, 1]),
        ("points", [5], [~1], [0, 1]),
        ("points", [5, 5], [~0, ~0], [0, 1]),
        ("points", [5, 5, 5], [~0, 2, ~0], [0, 1]),
        ("points", [4], [~0], [0, 1]),
        ("points", [7], [~0], [0, 1]),
        ("owners", [5], [~2], [0, 1]),
        ("points", [], [0], [0, 1]),
        ("owners", [1], [], [0, 1]),
        ("owners", [1], [3], [0, 1]),
        ("owners", [1, 2], [0], [0, 1]),
    ],
)
def test_refused_merged_alike(kind, parameter, points, owners, places):
    for nearest in (False, True):
        before = kind([5, 6], [0, 1], 2, nearest)
        with pytest.raises(ConfigError) as caught:
            kind(points, owners, 3, nearest, before, places)
        assert caught.value.parameter == parameter


@pytest.mark.parametrize("kind", [Ring, plain.Ring])
def test_the_last_point_of_a_nearest_ring_goes(kind):
    """Its edge lies past 0, so the search for it ends past the last edge."""
    before = kind([10, 20, TURN - 3], [0, 1, 2], 3, True)
    assert list(kind([TURN - 3], [~2], 2, True, before, [0, 1, -1]).points()) == [10, 20]


@pytest.mark.parametrize("kind", [Ring, plain.Ring])
def test_a_ring_of_equal_points_is_not_changed(kind):
    with pytest.raises(ConfigError) as caught:
        kind([7], [0], 1, False, kind([5, 5], [0, 0], 1), [0])
    assert caught.value.parameter == "before"


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
