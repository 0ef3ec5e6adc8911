"""Priorities and zones: shares by their laws, keys that stay, parts that continue, loads that are one."""

import json
import math
import pickle
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import BoundedLoad, ByPriority, ByZone, ConfigError, Endpoint, NoBackend, State, View
from lbalgo.policies.by_zone import zone_shares
from lbalgo.testing import KeyedContract, PolicyContract
from lbalgo.testing import strategies as some
from tests.statistical.budget import assert_binomial

FEW = settings(max_examples=settings.default.max_examples // 4)


def spread(view):
    """The view with a priority and a zone for each backend, by its id."""
    marks = [zlib.crc32(id.encode()) for id in view.ids]
    backends = [
        replace(b, priority=mark % 3, zone=(None, "a", "b")[mark // 3 % 3])
        for b, mark in zip(view.backends, marks, strict=True)
    ]
    return View(backends, view.weights, view.factors, view.states, panic_below=view.panic_below, rows=view.rows)


class Parts:
    """Pools of several levels and zones; who is eligible is what the parts say."""

    def view(self, data, **fixed):
        return spread(super().view(data, **fixed))

    def eligible(self, view):
        parts = self.policy.build(view).parts
        return frozenset(
            id
            for part in parts
            for id, able in zip(part.picker.view.ids, part.picker.view.eligible.tolist(), strict=True)
            if able
        )


class TestTurnsByPriority(Parts, PolicyContract):
    policy = ByPriority(lb.RoundRobin())
    max_size = 33


class TestKeysByPriority(Parts, KeyedContract):
    policy = ByPriority(lb.Maglev(251), seed=7)
    weights = some.weights(1.0, 4.0)
    max_size = 17
    settings = FEW
    # a level that loses capacity gives keys of healthy backends away, as do bulk and fingerprints not exist here
    test_signals_move_only_keys_of_who_fell_or_to_who_rose = None
    test_while_ratios_rise_keys_only_return = None
    test_bulk_equals_scalar = None
    test_shares_are_a_law = None
    test_equal_fingerprints_mean_equal_mappings = None


class TestTurnsByZone(Parts, PolicyContract):
    policy = ByZone(lb.PowerOfTwo(), zone="a", least=2)
    max_size = 33


class TestNested(Parts, PolicyContract):
    policy = ByPriority(ByZone(BoundedLoad(lb.Rendezvous()), zone="b", least=1))
    keyed = True
    max_size = 17
    settings = FEW

    def eligible(self, view):
        return frozenset(b.id for b in self.policy.build(view).walk())


def levels(*healthy, down=(), each=10):
    """A pool with so many healthy backends, of `each`, in each level."""
    pool = [Endpoint(f"{p}-{i}", priority=p) for p in range(len(healthy)) for i in range(each)]
    states = {f"{p}-{i}": State.UNHEALTHY for p, n in enumerate(healthy) for i in range(n, each)}
    return View.of(pool, states=states)


def shares(policy, view):
    return {part.name: pytest.approx(part.share, abs=1e-12) for part in policy.build(view).parts}


@pytest.mark.parametrize(
    ("healthy", "expected"),
    [  # the tables of Envoy's documentation, "Priority levels" and "Panic threshold", to its rounding
        ((10, 10), (1.0, 0.0)),
        ((8, 10), (1.0, 0.0)),
        ((7, 10), (0.98, 0.02)),
        ((5, 10), (0.7, 0.3)),
        ((2, 10), (0.28, 0.72)),
        ((0, 10), (0.0, 1.0)),
        ((5, 5), (0.7, 0.3)),
        ((2, 2), (0.5, 0.5)),
        ((2, 1), (2 / 3, 1 / 3)),
        ((0, 0), (1.0, 0.0)),
        ((5, 1, 10), (0.7, 0.14, 0.16)),
    ],
)
def test_shares_of_levels(healthy, expected):
    assert shares(ByPriority(lb.RoundRobin()), levels(*healthy)) == dict(enumerate(expected))


def test_panic_is_judged_by_level_and_only_without_room_elsewhere():
    view = levels(2, 10)
    assert ByPriority(lb.RoundRobin()).build(view).parts[0].picker.view.panic is False
    low = ByPriority(lb.RoundRobin()).build(levels(2, 6))
    assert [part.picker.view.panic for part in low.parts] == [False, False], "0.28 and 0.84 are enough"
    low = ByPriority(lb.RoundRobin()).build(levels(2, 5))
    assert [part.picker.view.panic for part in low.parts] == [True, False], "0.28 and 0.7 are not; half is no panic"
    assert {low.pick().id[0] for _ in range(200)} == {"0", "1"}
    seen = {low.pick().id for _ in range(400)}
    assert {f"0-{i}" for i in range(10)} <= seen and not seen & {f"1-{i}" for i in range(5, 10)}


def test_weights_count():
    pool = [Endpoint("big", weight=9.0), Endpoint("small"), Endpoint("next", priority=1)]
    view = View.of(pool, states={"big": State.UNHEALTHY})
    assert shares(ByPriority(lb.RoundRobin()), view) == {0: 0.14, 1: 0.86}


def test_draining_backends_are_no_capacity_that_was_lost():
    view = View.of([Endpoint("a"), Endpoint("b"), Endpoint("c", priority=1)], states={"a": State.DRAINING})
    assert shares(ByPriority(lb.RoundRobin()), view) == {0: 1.0, 1: 0.0}


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=5),
    st.sampled_from([1.0, 1.4, 3.0]),
)
def test_the_law_of_spilling(counts, over):
    """Levels before the last used are at capacity; with room in all, nobody has more than capacity."""
    pool, states = [], {}
    for level, (size, ill) in enumerate(counts):
        for i in range(size):
            pool.append(Endpoint(f"{level}-{i}", priority=level))
            if i < ill:
                states[f"{level}-{i}"] = State.UNHEALTHY
    parts = ByPriority(lb.Random(), overprovisioning=over).build(View.of(pool, states=states)).parts
    capacity = [min(1.0, over * max(0, size - ill) / size) for size, ill in counts]
    given_ = [part.share for part in parts]
    assert sum(given_) == pytest.approx(1.0)
    if sum(capacity) >= 1:
        left = 1.0
        for share, most in zip(given_, capacity, strict=True):
            assert share == pytest.approx(min(left, most), abs=1e-12)
            left -= share
    elif sum(capacity):
        assert given_ == pytest.approx([c / sum(capacity) for c in capacity])


def test_requests_and_keys_are_drawn_by_share():
    picker = ByPriority(lb.Maglev(1009)).build(levels(5, 10))
    assert_binomial(sum(picker.pick().id[0] == "1" for _ in range(4000)), 4000, 0.3)
    keys = [f"key {k}" for k in range(4000)]
    second = [key for key in keys if picker.pick(key).id[0] == "1"]
    assert_binomial(len(second), 4000, 0.3)
    assert [picker.pick(key).id for key in keys] == [picker.pick(key).id for key in keys]
    counts = {f"1-{i}": 0 for i in range(10)}
    for key in second:
        counts[picker.pick(key).id] += 1
    for n in counts.values():
        assert_binomial(n, len(second), 0.1)  # within the level as random as ever
    own = [0.7 * x for x in picker.parts[0].picker.shares()] + [0.3 * x for x in picker.parts[1].picker.shares()]
    assert picker.shares() == pytest.approx(own) and own[5:10] == [0.0] * 5


def test_keys_leave_a_level_only_for_its_share():
    before = ByPriority(lb.Rendezvous()).build(levels(6, 10))
    after = ByPriority(lb.Rendezvous()).build(levels(5, 10), previous=before)
    keys = [f"key {k}" for k in range(2000)]
    for key in keys:
        old, new = before.pick(key).id, after.pick(key).id
        if old != new:
            assert (old == "0-5" and new[0] == "0") or (old[0] == "0" and new[0] == "1")


def test_a_retry_uses_up_its_level_then_goes_on():
    picker = ByPriority(lb.Maglev(251)).build(levels(1, 2, 1, each=2))
    order = [b.id for b in picker.walk("k")]
    tried = []
    for _ in order:
        tried.append(picker.pick("k", exclude=set(tried)).id)
    assert tried == order and sorted(order) == ["0-0", "1-0", "1-1", "2-0"]
    assert [id[0] for id in order] == [order[0][0]] * sum(id[0] == order[0][0] for id in order) + [
        id[0] for id in order if id[0] != order[0][0]
    ]
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick("k", exclude=order)


def test_parts_continue_and_loads_are_one():
    policy = ByPriority(lb.PowerOfTwo())
    first = policy.build(levels(5, 10))
    assert first.parts[0].picker.load is first.parts[1].picker.load is first.load
    first.load.started(int(first.rows[12]), 1.0, 0.0)
    second = policy.build(levels(4, 10), previous=first)
    assert second.load is first.load and second.rows.tolist() == first.rows.tolist()
    third = policy.build(levels(4, 10, 10), previous=second)
    assert len({id(part.picker.load) for part in third.parts}) == 1
    turns = ByPriority(lb.RoundRobin())
    one = turns.build(levels(10, 10))
    served = [one.pick().id for _ in range(3)]
    again = turns.build(levels(10, 9), previous=one)
    assert served + [again.pick().id for _ in range(3)] == [f"0-{i}" for i in range(6)]


def test_in_a_balancer():
    pool = [Endpoint(f"{p}-{i}", priority=p) for p in (0, 1) for i in range(4)]
    balancer = lb.Balancer(
        ByPriority(lb.LeastConnections()),
        pool,
        signals=[lb.OutlierEjection([lb.ConsecutiveErrors(1)], max_ejection_percent=50)],
        seed=0,
    )
    leases = [balancer.acquire() for _ in range(40)]
    assert {lease.backend.id for lease in leases} == {f"0-{i}" for i in range(4)}
    assert set(balancer.stats().in_flight.values()) == {10, 0}
    for id in ("0-0", "0-1"):
        next(lease for lease in leases if lease.backend.id == id).done(lb.Outcome.SERVER_ERROR)
    assert [round(part.share, 12) for part in balancer.picker.parts] == [0.7, 0.3]
    more = [balancer.acquire() for _ in range(400)]
    assert_binomial(sum(lease.backend.id[0] == "1" for lease in more), 400, 0.3)
    for lease in leases + more:
        lease.done()
    assert balancer.stats().open_leases == 0


# --- zones


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=5).filter(
        lambda zones: sum(b for b, _ in zones) > 0
    )
)
def test_every_zone_receives_its_part(zones):
    """Clients of zone k send c_k in all; over all of them zone z receives exactly its part of the backends."""
    backends, clients = (np.array(column, dtype=float) for column in zip(*zones, strict=True))
    room = {str(z): part for z, part in enumerate(backends / backends.sum()) if part}
    here = {str(z): part for z, part in enumerate(clients / clients.sum())}
    received = dict.fromkeys(room, 0.0)
    for zone, part in here.items():
        sent = zone_shares(zone, here, room)
        assert sum(sent.values()) == pytest.approx(1.0)
        for other, share in sent.items():
            received[other] += part * share
    assert received == pytest.approx(room)


def zoned(**counts):
    return [Endpoint(f"{zone}{i}", zone=zone) for zone, n in counts.items() for i in range(n)]


@pytest.mark.parametrize(
    ("pool", "zone", "clients", "expected"),
    [
        (zoned(a=4, b=4), "a", None, {"a": 1.0, "b": 0.0}),
        (zoned(a=2, b=6), "a", None, {"a": 0.5, "b": 0.5}),
        (zoned(a=2, b=6), "b", None, {"b": 1.0, "a": 0.0}),
        (zoned(a=2, b=4, c=6), "a", None, {"a": 0.5, "b": 0.0, "c": 0.5}),
        (zoned(a=4, b=4), "a", {"a": 3, "b": 1}, {"a": 2 / 3, "b": 1 / 3}),
        (zoned(b=4, c=4), "a", None, {"b": 0.5, "c": 0.5}),
        (zoned(a=3, b=2), "a", None, {(): 1.0}),  # fewer than six
        (zoned(a=8), "a", None, {(): 1.0}),
        (zoned(a=4, b=4), "a", {"b": 1, "c": 1}, {(): 1.0}),
        (zoned(a=0, b=8), "a", {"a": 1, "b": 1}, {(): 1.0}),
    ],
)
def test_shares_of_zones(pool, zone, clients, expected):
    assert shares(ByZone(lb.RoundRobin(), zone, clients), View.of(pool)) == expected


def test_illness_spills_over():
    pool = zoned(a=6, b=6)
    view = View.of(pool, states={"a0": State.UNHEALTHY, "a1": State.UNHEALTHY})
    given_ = shares(ByZone(lb.RoundRobin(), "a"), view)
    assert given_ == {"a": 0.8, "b": 0.2}  # 4 of 10 for one half of the clients
    picker = ByZone(lb.RoundRobin(), "a").build(
        View.of(pool, states=dict.fromkeys([f"a{i}" for i in range(6)], State.UNHEALTHY), panic_below=0.4)
    )
    assert {picker.pick().id[0] for _ in range(50)} == {"b"}


def test_zones_panic_with_the_pool_and_not_by_themselves():
    pool = zoned(a=6, b=6)
    ill = dict.fromkeys([f"a{i}" for i in range(5)], State.UNHEALTHY)
    calm = ByZone(lb.RoundRobin(), "a").build(View.of(pool, states=ill))
    assert {b.id for b in calm.walk()} == {"a5", *(f"b{i}" for i in range(6))}
    ill |= dict.fromkeys([f"b{i}" for i in range(3)], State.UNHEALTHY)
    panic = ByZone(lb.RoundRobin(), "a").build(View.of(pool, states=ill))
    assert {b.id for b in panic.walk()} == {b.id for b in pool}


def test_a_zone_named_none_is_one():
    pool = [*zoned(a=4), *(Endpoint(f"x{i}") for i in range(4))]
    assert shares(ByZone(lb.RoundRobin(), "a"), View.of(pool)) == {"a": 1.0, None: 0.0}


@pytest.mark.parametrize(
    "policy",
    [
        ByPriority(lb.Maglev(251), 2.0, lb.XXH3(), 5),
        ByZone(lb.Maglev(251), "a", {"b": 2, "a": 1}, 3),
        ByPriority(ByZone(lb.PowerOfTwo(), "a")),
    ],
)
def test_round_trips(policy):
    assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy and hash(policy) is not None
    assert eval(repr(policy), vars(lb)) == policy
    picker = policy.build(spread(View.of([f"b{i}" for i in range(20)])))
    again = pickle.loads(pickle.dumps(picker))
    assert [again.pick(k).id for k in range(50)] == [picker.pick(k).id for k in range(50)]
    picker.check_invariants()


@pytest.mark.parametrize("priority", [-1, 1.5, "0", None, True])
def test_a_priority_that_is_none_is_named(priority):
    class Own:
        id, weight = "own", 1.0

    own = Own()
    own.priority = priority
    with pytest.raises(ConfigError, match="priority of 'own'"):
        ByPriority(lb.RoundRobin()).build([own])


def test_own_backends_need_neither_priority_nor_zone():
    class Own:
        def __init__(self, id):
            self.id, self.weight = id, 1.0

    pool = [Own(id) for id in "abcdefg"]
    for policy in (ByPriority(lb.RoundRobin()), ByZone(lb.RoundRobin(), "a")):
        assert [policy.build(pool).pick().id] == ["a"]


def test_huge_weights_do_not_overflow():
    pool = [Endpoint("a", 1.7e308), Endpoint("b", 1.7e308), Endpoint("c", 1.7e308, priority=1)]
    assert shares(ByPriority(lb.RoundRobin()), View.of(pool)) == {0: 1.0, 1: 0.0}
    assert math.isfinite(ByPriority(lb.Random()).build(pool).shares().sum())
