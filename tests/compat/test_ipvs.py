"""IPVS's schedulers by weights and connections: against brute-force models of the descriptions, and by hand."""

import itertools
import json
import math
import pickle
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Balancer, ConfigError, NoBackend, Outcome, State, View
from lbalgo.compat.ipvs import LocalityLeastConnection, RealServer, Scheduler, VirtualService
from lbalgo.compat.states import FixedStates
from lbalgo.testing import FakeClock


def sequence(scheduler, pool, n):
    picker = VirtualService(scheduler).build(pool)
    return "".join(picker.pick().id for _ in range(n))


def test_turns_by_hand():
    assert sequence(Scheduler.RR, {"a": 9, "b": 0, "c": 1}, 5) == "acaca"
    assert sequence(Scheduler.WRR, {"a": 5, "b": 1, "c": 3}, 18) == "aaacacabc" * 2
    assert sequence(Scheduler.WRR, {"a": 4, "b": 2, "c": 0}, 6) == "aab" * 2  # g = 2: bars 3, 1
    assert sequence(Scheduler.WRR, {"a": 1, "b": 1}, 4) == "abab"


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6))
def test_a_round_of_wrr_serves_each_its_weight(weights):
    """Bars fall from mw to 1 in steps of g: server i is met w_i / g times."""
    pool = {f"{i}": w for i, w in enumerate(weights)}
    g = math.gcd(*weights)
    if g == 0:
        with pytest.raises(NoBackend):
            sequence(Scheduler.WRR, pool, 1)
        return
    one = sum(weights) // g
    served = sequence(Scheduler.WRR, pool, 2 * one)
    assert served[:one] == served[one:]
    assert Counter(served[:one]) == {f"{i}": w // g for i, w in enumerate(weights) if w}
    bars = range(max(weights) - (g - 1), 0, -g)
    assert served[:one] == "".join(f"{i}" for bar in bars for i, w in enumerate(weights) if w >= bar)


def test_wrr_on_changes():
    policy = VirtualService(Scheduler.WRR)
    picker = policy.build({"a": 5, "b": 1, "c": 3})
    assert [picker.pick().id for _ in range(4)] == ["a", "a", "a", "c"]  # the bar is at 3
    picker = policy.build({"a": 5, "b": 1, "c": 3, "d": 2}, previous=picker)
    assert "".join(picker.pick().id for _ in range(6)) == "acacda"  # from the head, at the same bar
    picker = policy.build({"a": 2, "b": 1, "c": 2}, previous=picker)
    assert picker.machine.bar == 1  # it was there; at most mw = 2
    picker = policy.build({"a": 8, "b": 4}, previous=picker)
    assert picker.machine.bar == 1  # 1 // 4 * 4 + 1
    same = policy.build({"a": 8, "b": 4}, previous=picker)
    assert (same.machine.bar, same.machine.last) == (1, -1)


def test_rr_goes_on_after_changes():
    policy = VirtualService(Scheduler.RR)
    picker = policy.build(["a", "b", "c", "d"])
    assert [picker.pick().id for _ in range(2)] == ["a", "b"]
    picker = policy.build(["a", "c", "d"], previous=picker)  # b, the last served, is gone
    assert picker.pick().id == "c"
    picker = policy.build(["z", "a", "c", "d"], previous=picker)  # z is added at the end of the list
    assert [picker.pick().id for _ in range(4)] == ["d", "z", "a", "c"]


loads = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=6)


def loaded(scheduler, table, **options):
    """A picker whose servers have these (weight, active, inactive), named by their place."""
    picker = VirtualService(scheduler, inactive_for=100.0, **options).build(
        {f"{i}": w for i, (w, _, _) in enumerate(table)}
    )
    for row, (_, active, inactive) in enumerate(table):
        for _ in range(active + inactive):
            picker.load.started(row, 1.0, 0.0)
        for _ in range(inactive):
            picker.load.finished(row, Outcome.SUCCESS, None, 0.0)
    return picker


def best(table, score, rows):
    """The first of the least exact score."""
    return min(rows, key=lambda i: (score(*table[i]), i), default=None)


MODELS = {
    Scheduler.LC: lambda table, rows: best(table, lambda w, a, i: 256 * a + i, rows),
    Scheduler.WLC: lambda table, rows: best(table, lambda w, a, i: Fraction(256 * a + i, w), rows),
    Scheduler.SED: lambda table, rows: best(table, lambda w, a, i: Fraction(a + 1, w), rows),
    Scheduler.NQ: lambda table, rows: next(
        (i for i in rows if table[i][1] == 0), best(table, lambda w, a, i: Fraction(a + 1, w), rows)
    ),
    Scheduler.FO: lambda table, rows: best(table, lambda w, a, i: -w, rows),
    Scheduler.OVF: lambda table, rows: best(table, lambda w, a, i: -w, [i for i in rows if table[i][1] <= table[i][0]]),
}


@given(st.sampled_from(sorted(MODELS, key=lambda s: s.value)), loads)
def test_least_of_something(scheduler, table):
    picker = loaded(scheduler, table)
    expected = MODELS[scheduler](table, [i for i, (w, _, _) in enumerate(table) if w > 0])
    if expected is None:
        with pytest.raises(NoBackend):
            picker.pick()
    else:
        assert picker.pick().id == f"{expected}"


@pytest.mark.parametrize(("inactive", "least"), [(255, "1"), (256, "0"), (257, "0")])
def test_an_active_connection_weighs_as_256_inactive_ones(inactive, least):
    assert loaded(Scheduler.LC, [(1, 1, 0), (1, 0, inactive)]).pick().id == least


def test_overflow_takes_one_more_than_its_weight():
    balancer = Balancer(VirtualService(Scheduler.OVF), {"a": 3, "b": 2, "c": 1}, seed=1)
    leases = []
    with pytest.raises(NoBackend):
        for _ in range(20):
            leases.append(balancer.acquire())  # noqa: PERF401 - those before the refusal count
    assert "".join(lease.backend.id for lease in leases) == "aaaabbbcc"


@given(loads, st.integers(0, 2**64 - 1))
def test_twos_as_described(table, seed):
    picker = loaded(Scheduler.TWOS, table, seed=seed)
    rows = [i for i, (w, _, _) in enumerate(table) if w > 0]
    if not rows:
        return
    twin, total = pickle.loads(pickle.dumps(picker.machine)), sum(table[i][0] for i in rows)
    drawn = []
    for _ in range(2):
        left = twin.below(total + 1)
        ends = itertools.accumulate(table[i][0] for i in rows)
        drawn.append(next(i for i, end in zip(rows, ends, strict=True) if left <= end))
    (w1, a1, i1), (w2, a2, i2) = (table[i] for i in drawn)
    second = w2 * (256 * a1 + i1) > w1 * (256 * a2 + i2)
    assert picker.pick().id == f"{drawn[second]}"


def test_the_first_server_gets_one_part_too_much():
    """Of total + 1 = 5 numbers, 0 and 1 are the first server's: 2/5 of single draws, so that is P(first) at no load."""
    picker, n = VirtualService(Scheduler.TWOS).build({"a": 1, "b": 3}), 8000
    got = sum(picker.pick().id == "a" for _ in range(n))
    assert abs(got - n * 0.4) < 4.9 * math.sqrt(n * 0.4 * 0.6)


def test_thresholds():
    pool = [RealServer("a", 1, u_threshold=4), RealServer("b", 1, u_threshold=2, l_threshold=1)]
    balancer = Balancer(VirtualService(Scheduler.RR), pool, seed=1)
    leases = [balancer.acquire() for _ in range(6)]
    assert "".join(lease.backend.id for lease in leases) == "abab" + "aa"
    with pytest.raises(NoBackend):
        balancer.acquire()
    leases[0].done()
    with pytest.raises(NoBackend):  # 3 of a are not below three quarters of 4
        balancer.acquire()
    leases[2].done()
    more = [balancer.acquire(), balancer.acquire()]
    assert [lease.backend.id for lease in more] == ["a", "a"]
    leases[1].done()
    with pytest.raises(NoBackend):  # a is full again; b has 1, which is not below 1
        balancer.acquire()
    leases[3].done()
    more.append(balancer.acquire())
    assert more[2].backend.id == "b"


def test_inactive_connections_go_after_a_while():
    clock = FakeClock()
    balancer = Balancer(VirtualService(Scheduler.LC, inactive_for=60.0), ["a", "b"], clock=clock, seed=1)
    balancer.acquire().done()
    lease = balancer.acquire()
    assert lease.backend.id == "b", "a has one inactive"
    clock.advance(61.0)
    assert balancer.acquire().backend.id == "a", "b has one active"


def test_states_say_what_health_checkers_do():
    view = View.of(
        {"a": 1, "b": 1, "c": 1, "d": 1}, states={"b": State.UNHEALTHY, "c": State.DRAINING, "d": State.DEGRADED}
    )
    policy = VirtualService(Scheduler.RR)
    picker = policy.build(view)
    assert {picker.pick().id for _ in range(4)} == {"a"}
    assert picker.machine.connections.order == [0, 2, 3]
    back = policy.build(View.of(["a", "b", "c", "d"]), previous=picker)
    assert back.machine.connections.order == [0, 2, 3, 1], "who returns is added at the end"


def test_in_a_balancer():
    fixed = FixedStates({"a": State.UNHEALTHY})
    balancer = Balancer(VirtualService(), {"a": 5, "b": 2, "c": 1}, signals=[fixed], seed=1)
    leases = [balancer.acquire() for _ in range(30)]
    assert Counter(lease.backend.id for lease in leases) == {"b": 20, "c": 10}
    balancer.update({"b": 1, "c": 1})
    leases += [balancer.acquire() for _ in range(10)]
    assert {lease.backend.id for lease in leases[30:]} == {"c"}, "b has 20"
    balancer.update([])
    with pytest.raises(NoBackend, match="no backends"):
        balancer.acquire()


@pytest.mark.parametrize("scheduler", Scheduler)
def test_every_scheduler(scheduler):
    policy = VirtualService(scheduler, 5.0, 3)
    assert VirtualService.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    picker = pickle.loads(pickle.dumps(policy.build({"a": 1, "b": 2, "c": 3})))
    assert sorted(backend.id for backend in picker.walk()) == ["a", "b", "c"]
    assert next(picker.walk()).id == picker.pick().id
    assert picker.pick(exclude=["a", "b"]).id == "c"
    with pytest.raises(NoBackend) as refused:
        picker.pick(exclude=["a", "b", "c"])
    assert refused.value.reason == "excluded"


# -- lblc, lblcr


def test_lblc_keeps_a_destination_until_its_server_is_overloaded():
    picker = LocalityLeastConnection().build({"a": 1, "b": 2})
    start = picker.load.started
    assert picker.pick("x").id == "a"
    for _ in range(2):
        start(0, 1.0, 0.0)
    assert picker.pick("x").id == "b", "2 active at weight 1, and b has less than half its weight"
    assert picker.pick("x").id == "b"
    for _ in range(3):
        start(1, 1.0, 0.0)
    assert picker.pick("x").id == "b", "overloaded too, but nobody has less than half"
    picker.load.finished(0, Outcome.SUCCESS, None, 0.0)
    picker.load.finished(0, Outcome.SUCCESS, None, 0.0)
    assert picker.pick("x").id == "a"


def test_lblc_forgets_servers_that_leave():
    policy = LocalityLeastConnection()
    picker = policy.build(["a", "b"])
    assert picker.pick("x").id == "a"
    picker = policy.build(["b"], previous=picker)
    assert picker.pick("x").id == "b" and picker.machine.sets == {b"x": ([1], 0.0)}
    drained = policy.build(View.of(["a", "b"], states={"b": State.DRAINING}), previous=picker)
    assert drained.pick("x").id == "a"


def test_lblcr_grows_and_shrinks():
    picker = LocalityLeastConnection(replication=True, lblcr_expiration=100.0).build({"a": 1, "b": 2})
    assert picker.pick("x").id == "a"
    for _ in range(2):
        picker.load.started(0, 1.0, 0.0)
    assert picker.pick("x").id == "b"
    assert picker.machine.sets[b"x"][0] == [0, 1]
    picker.load.advance(100.0)
    assert picker.pick("x").id == "b" and picker.machine.sets[b"x"][0] == [0, 1], "not yet longer than the expiration"
    picker.load.advance(100.5)
    assert picker.pick("x").id == "b" and picker.machine.sets[b"x"][0] == [1], "the most loaded has left the set"


def test_locality_bad_input_and_round_trips():
    for fields, parameter in (
        ({"replication": 1}, "replication"),
        ({"lblcr_expiration": -1.0}, "lblcr_expiration"),
        ({"inactive_for": "x"}, "inactive_for"),
    ):
        with pytest.raises(ConfigError) as refused:
            LocalityLeastConnection(**fields)
        assert refused.value.parameter == parameter
    policy = LocalityLeastConnection(True, 5.0, 6.0)
    assert LocalityLeastConnection.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    picker = policy.build(["a", "b"])
    assert picker.pick("x", exclude=["a"]).id == "b"
    with pytest.raises(NoBackend):
        policy.build({"a": 0}).pick("x")
    assert {picker.pick().id for _ in range(3)} == {"a"}, "without a key: wlc"
    assert Balancer(policy, ["a", "b"], seed=1).acquire("x").backend.id == "a"


# -- bad input


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: VirtualService("rr"), "scheduler"),
        (lambda: VirtualService(inactive_for=-1.0), "inactive_for"),
        (lambda: VirtualService(seed=2**64), "seed"),
        (lambda: RealServer(""), "id"),
        (lambda: RealServer("a", 65536), "weight"),
        (lambda: RealServer("a", -1), "weight"),
        (lambda: RealServer("a", u_threshold=-1), "u_threshold"),
        (lambda: RealServer("a", u_threshold=3, l_threshold=4), "l_threshold"),
    ],
)
def test_bad_input(make, parameter):
    with pytest.raises(ConfigError) as refused:
        make()
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("weight", [0.5, 65536.0])
def test_bad_weights_change_nothing(weight):
    policy = VirtualService(Scheduler.WRR)
    picker = policy.build({"a": 2, "b": 1})
    picker.pick()
    before = pickle.dumps((picker.machine.last, picker.machine.bar, picker.machine.connections.weight))
    with pytest.raises(ConfigError) as refused:
        policy.build({"a": 2, "b": weight}, previous=picker)
    assert refused.value.parameter == "weights['b']"
    assert pickle.dumps((picker.machine.last, picker.machine.bar, picker.machine.connections.weight)) == before
