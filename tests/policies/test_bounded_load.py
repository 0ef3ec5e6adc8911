"""BoundedLoad: the cap's formula, the first of the walk that is not full, and what it leaves alone."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, Outcome, State, View
from lbalgo.testing import check_picker

BASES = [lb.Maglev(251), lb.RingHash(points=20), lb.Rendezvous()]


def start(picker, backend):
    picker.load.started(int(picker.rows[picker.view.ids.index(backend.id)]), 1.0, 0.0)


def counts(picker):
    return {i: int(picker.load.at(int(r))) for i, r in zip(picker.view.ids, picker.rows, strict=True)}


def caps(weights, factor, total):
    """The formula in exact arithmetic."""
    whole = sum(map(Fraction, weights.values()))
    return {i: math.ceil(Fraction(factor) * (total + 1) * Fraction(w) / whole) for i, w in weights.items()}


@pytest.mark.parametrize("base", BASES, ids=lambda p: type(p).__name__)
@given(data=st.data())
def test_the_first_of_the_walk_that_is_not_full(base, data):
    weights = data.draw(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([1.0, 2.0, 4.0]), min_size=1))
    factor = data.draw(st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]))
    picker = lb.BoundedLoad(base, factor).build(weights)
    plain, open_requests = base.build(weights), []
    for key in data.draw(st.lists(st.integers(-1, 3), max_size=60)):
        if key < 0 and open_requests:
            picker.load.finished(open_requests.pop(0), Outcome.SUCCESS, None, 0.0)
            continue
        have, bound = counts(picker), caps(weights, factor, len(open_requests))
        assert {i: int(c) for i, c in zip(picker.view.ids, picker.caps(), strict=True)} == bound
        free = [b.id for b in plain.walk(f"key{key}") if have[b.id] < bound[b.id]]
        full = [b.id for b in plain.walk(f"key{key}") if have[b.id] >= bound[b.id]]
        assert free, "there is always room"
        assert [b.id for b in picker.walk(f"key{key}")] == free + full
        chosen = picker.pick(f"key{key}")
        assert chosen.id == free[0]
        start(picker, chosen)
        open_requests.append(int(picker.rows[picker.view.ids.index(chosen.id)]))
        assert counts(picker)[chosen.id] <= bound[chosen.id], "never above the cap"
    picker.check_invariants()


@pytest.mark.parametrize("base", BASES, ids=lambda p: type(p).__name__)
def test_an_idle_pool_is_the_base_policy(base):
    view = View.of({"a": 1, "b": 2, "c": 1, "d": 3}, factors={"b": 0.5}, states={"d": State.UNHEALTHY})
    picker, plain = lb.BoundedLoad(base).build(view), base.build(view)
    for key in range(300):
        assert picker.pick(key) == plain.pick(key)
        assert list(picker.walk(key)) == list(plain.walk(key))
    check_picker(picker, eligible={"a", "b", "c"})


def test_factors_count_as_weight():
    view = View.of(["a", "b"], factors={"a": 0.25})
    picker = lb.BoundedLoad(lb.Rendezvous(), 1.0).build(view)
    for _ in range(100):
        start(picker, picker.pick("k"))
    assert counts(picker) == {"a": 20, "b": 80}


def test_what_is_in_flight_to_the_ineligible_does_not_count():
    policy = lb.BoundedLoad(lb.Rendezvous(), 1.0)
    picker = policy.build(["a", "b", "c"])
    for _ in range(9):
        start(picker, picker.pick("k"))
    view = View.of(["a", "b", "c"], states={"a": State.UNHEALTHY})
    picker = policy.build(view, previous=picker)
    assert picker.caps().tolist() == [0.0, 4.0, 4.0]
    assert counts(picker) == {"a": 3, "b": 3, "c": 3}


def test_load_and_cursor_are_handed_on_and_rows_are_kept():
    policy = lb.BoundedLoad(lb.Maglev(251))
    picker = policy.build(["a", "b", "c"])
    for _ in range(6):
        start(picker, picker.pick("k"))
    before = counts(picker)
    other = policy.build(["d", "c", "a"], previous=picker)
    assert other.load is picker.load
    assert {i: counts(other)[i] for i in "ac"} == {i: before[i] for i in "ac"}
    assert counts(other)["d"] == 0
    assert other.cursor is picker.cursor


def test_requests_without_a_key_go_on():
    picker, plain = lb.BoundedLoad(lb.Maglev(251)).build(list("abcd")), lb.Maglev(251).build(list("abcd"))
    assert [picker.pick().id for _ in range(50)] == [plain.pick().id for _ in range(50)]
    picker.reseed(7), plain.reseed(7)
    copy = pickle.loads(pickle.dumps(picker))
    assert [copy.pick().id for _ in range(9)] == [picker.pick().id for _ in range(9)]


def test_in_a_balancer_no_backend_exceeds_its_cap():
    balancer = lb.Balancer(lb.BoundedLoad(lb.RingHash(), 1.25), list("abcdef"), seed=1)
    leases = [balancer.acquire(f"user-{i % 3}") for i in range(60)]
    assert max(counts(balancer.picker).values()) <= math.ceil(1.25 * 60 / 6)
    balancer.update(list("abcdefg"))
    assert sum(counts(balancer.picker).values()) == 60
    for lease in leases:
        lease.done()
    assert sum(counts(balancer.picker).values()) == 0
    assert balancer.acquire("user-0").backend == lb.RingHash().build(list("abcdefg")).pick("user-0")


def test_extreme_weights():
    picker = lb.BoundedLoad(lb.Rendezvous(), 1.0).build({"a": 1e308, "b": 5e-324, "c": 1e308})
    for _ in range(40):
        start(picker, picker.pick("k"))
    assert counts(picker)["b"] <= 1
    assert abs(counts(picker)["a"] - counts(picker)["c"]) <= 2


def test_tiny_weights_keep_their_ratio():
    """Weights are scaled by the greatest of them, however small that is."""
    picker = lb.BoundedLoad(lb.Rendezvous(), 1.0).build({"a": 3 * 2.0**-1015, "b": 2.0**-1015})
    for _ in range(100):
        start(picker, picker.pick("k"))
    assert counts(picker) == {"a": 75, "b": 25}


def test_caps_of_whoever_is_there():
    assert lb.BoundedLoad(lb.Maglev(251)).build({"a": 0.0, "b": 0.0}).caps().tolist() == [0.0, 0.0]
    assert lb.BoundedLoad(lb.Maglev(251)).build([]).caps().tolist() == []
    assert lb.BoundedLoad(lb.Maglev(251)).build(["a"]).caps().dtype == np.float64


@pytest.mark.parametrize(
    ("make", "parameter", "value"),
    [
        (lambda: lb.BoundedLoad("maglev"), "policy", "maglev"),
        (lambda: lb.BoundedLoad(None), "policy", None),
        (lambda: lb.BoundedLoad(lb.Maglev(), 0.99), "factor", 0.99),
        (lambda: lb.BoundedLoad(lb.Maglev(), math.inf), "factor", math.inf),
        (lambda: lb.BoundedLoad(lb.Maglev(), "2"), "factor", "2"),
        (lambda: lb.BoundedLoad(lb.PowerOfTwo()).build(["a"]), "policy", lb.PowerOfTwo()),
        (lambda: lb.BoundedLoad.from_dict({"policy": "Nothing"}), "policy", "Nothing"),
        (lambda: lb.BoundedLoad.from_dict({"policy": "Ties"}), "policy", "Ties"),
    ],
)
def test_bad_input(make, parameter, value):
    with pytest.raises(ConfigError) as refused:
        make()
    assert (refused.value.parameter, refused.value.value) == (parameter, value)


def test_refusals():
    policy = lb.BoundedLoad(lb.Maglev(251))
    for pool, reason in (([], "empty"), ({"a": 0.0}, "ineligible")):
        with pytest.raises(NoBackend) as refused:
            policy.build(pool).pick("k")
        assert refused.value.reason == reason
    with pytest.raises(NoBackend) as refused:
        policy.build(["a", "b"]).pick("k", exclude=["a", "b"])
    assert refused.value.reason == "excluded"


def test_plain_data():
    policy = lb.BoundedLoad(lb.Maglev(251, hasher=lb.XXH3()), 1.5)
    assert lb.BoundedLoad.from_dict(policy.to_dict()) == policy
    assert lb.BoundedLoad.from_dict({"policy": "Jump"}) == lb.BoundedLoad(lb.Jump())
    own = lb.Maglev(hasher=lb.SipHash(bytes(16)))
    assert lb.BoundedLoad.from_dict(lb.BoundedLoad(own).to_dict(), policy=own) == lb.BoundedLoad(own)
    assert eval(repr(policy), {**vars(lb)}) == policy


def test_the_sum_of_loads_is_the_same_in_both_twins():
    from tests.both import both

    for module in both("loads"):
        load = module.InFlightCounts([3, 0, 2])
        assert load.total(np.array([0, 2, 5, 70000], dtype=np.int64)) == 5
        assert load.total(np.array([], dtype=np.int64)) == 0
        with pytest.raises(ConfigError):
            load.total([0, 1])
