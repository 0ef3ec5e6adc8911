"""Rendezvous as a policy: least disruption per key, the laws of pickers, extreme weights, bad input."""

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies import rendezvous
from lbalgo.policies.rendezvous import rates

KEYS = [f"key-{i}" for i in range(150)]
STATES = st.sampled_from([lb.State.HEALTHY] * 3 + list(lb.State))


WEIGHTS = st.sampled_from([0.0, 0.1, 1.0, 1.0, 1.0, 2.5, 7.0])


@st.composite
def pools(draw, weights=WEIGHTS):
    ids = draw(st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=12))
    return lb.View.of(
        {i: draw(weights) for i in ids},
        factors={i: draw(st.sampled_from([0.1, 0.3, 0.7, 1.0, 1.0])) for i in ids},
        states={i: draw(STATES) for i in ids},
    )


def exact_rates(view):
    """id to the weight that races, exactly; 0 if it does not."""
    pairs = zip(*(part.tolist() for part in rates(view)), strict=True)
    return {
        i: Fraction(m) * Fraction(2) ** e if ok else Fraction(0)
        for i, (m, e), ok in zip(view.ids, pairs, view.eligible, strict=True)
    }


def owners(view):
    picker = lb.Rendezvous().build(view)
    return {key: picker.pick(key).id if view.eligible.any() else None for key in KEYS}


def assert_no_excess(old, new):
    """A moved key's new owner gained more, relatively, than its old one: so one of them rose or the other fell."""
    before, after = exact_rates(old), exact_rates(new)
    was, now = owners(old), owners(new)
    for key in KEYS:
        i, j = was[key], now[key]
        if i != j and i is not None and j is not None:
            assert after.get(i, 0) < before[i] or after[j] > before.get(j, 0)
            assert after[j] * before[i] > after.get(i, 0) * before.get(j, 0)


@given(pools(), pools())
def test_no_key_moves_without_cause(old, new):
    """Joining, leaving, weights, ejection, recovery, factors: all at once."""
    assert_no_excess(old, new)


@given(pools(), st.data())
def test_one_change_moves_keys_of_that_backend_only(view, data):
    if not len(view):
        return
    name = data.draw(st.sampled_from(view.ids))
    keep = np.array([i != name for i in view.ids])
    top = view.factors[keep].max(initial=0) >= view.factors.max()  # else its leaving raises the others' ratios
    without = view.restrict(keep)
    was, now = owners(view), owners(without)
    if top and not view.panic and not without.panic:
        assert all(was[k] == now[k] or was[k] == name for k in KEYS)


@given(pools(), st.randoms(use_true_random=False))
def test_order_of_listing_is_irrelevant(view, random):
    order = list(range(len(view)))
    random.shuffle(order)
    other = lb.View(
        [view.backends[i] for i in order], view.weights[order], view.factors[order], view.states[order], panic_below=0.5
    )
    one, two = lb.Rendezvous().build(view), lb.Rendezvous().build(other)
    assert one.fingerprint() == two.fingerprint()
    assert owners(view) == owners(other)


@given(pools(st.one_of(st.just(0.0), st.floats(0, 1.7e308), st.sampled_from([5e-324, 1e-300, 1.0, 1e300]))))
def test_laws_of_a_picker(view):
    picker = lb.Rendezvous().build(view)
    picker.check_invariants()
    shares = picker.shares()
    if not view.eligible.any():
        assert not shares.any()
        with pytest.raises(lb.NoBackend):
            picker.pick("key")
        assert list(picker.walk("key")) == []
        return
    assert shares.sum() == pytest.approx(1, abs=len(view) * 2.0**-52)
    exact = exact_rates(view)
    assert np.allclose(shares, [float(exact[i] / sum(exact.values())) for i in view.ids], rtol=1e-14, atol=1e-320)
    tickets = picker.tickets(KEYS[:20])
    slots = picker.pick_many(tickets)
    for key, ticket, slot in zip(KEYS, tickets, slots, strict=False):
        walk = [b.id for b in picker.walk(key)]
        assert sorted(walk) == sorted(i for i, ok in zip(view.ids, view.eligible, strict=True) if ok)
        assert walk[0] == picker.pick(key).id == view.ids[slot] == view.ids[picker.slot(int(ticket))]
        for depth in range(1, len(walk)):
            assert picker.pick(key, exclude=set(walk[:depth])).id == walk[depth]
        with pytest.raises(lb.NoBackend) as error:
            picker.pick(key, exclude=walk)
        assert error.value.reason == "excluded"
    for again in (
        pickle.loads(pickle.dumps(picker)),
        lb.Rendezvous.from_dict(json.loads(json.dumps(picker.policy.to_dict()))).build(view),
    ):
        assert again.fingerprint() == picker.fingerprint()
        assert (again.pick_many(tickets) == slots).all()


def test_scaling_all_weights_by_a_power_of_two_moves_nothing():
    """Also at the ends of the range, where the plain product or quotient would over- or underflow."""
    weights = {f"b{i}": 1.0 + i for i in range(9)}
    tickets = np.arange(2000, dtype=np.uint64) * 0x9E3779B97F4A7C15
    slots = lb.Rendezvous().build(weights).pick_many(tickets)
    for scale in (2.0**-1074, 2.0**-1000, 2.0**1019):
        scaled = lb.Rendezvous().build({i: w * scale for i, w in weights.items()})
        assert (scaled.pick_many(tickets) == slots).all()
        assert scaled.shares().tolist() == lb.Rendezvous().build(weights).shares().tolist()


def test_equal_weights_of_any_size_decide_as_one():
    tickets = np.arange(2000, dtype=np.uint64) * 0x9E3779B97F4A7C15
    ids = [f"b{i}" for i in range(70)]
    slots = lb.Rendezvous().build(ids).pick_many(tickets)
    for weight in (5e-324, 0.3, 1.7e308):
        assert (lb.Rendezvous().build(dict.fromkeys(ids, weight)).pick_many(tickets) == slots).all()
    with_feather = lb.Rendezvous().build({**dict.fromkeys(ids, 1.0), "z": 1e-300})  # not even any more
    assert (with_feather.pick_many(tickets) == slots).all()


def test_hopeless_weights_are_walked_in_their_own_order():
    """1e-300 against 1e300 is never first, but always has its place, and ranks by weight among its like."""
    picker = lb.Rendezvous().build({"tiny": 1e-300, "huge": 1e300, "tinier": 5e-324, "mid": 1.0})
    for key in KEYS:
        assert [b.id for b in picker.walk(key)] == ["huge", "mid", "tiny", "tinier"]


def test_factors_weigh_and_states_exclude():
    view = lb.View.of({"a": 1, "b": 1, "c": 1}, factors={"a": 0.5, "c": 0.25}, states={"c": lb.State.UNHEALTHY})
    picker = lb.Rendezvous().build(view)
    assert picker.shares().tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    same = lb.Rendezvous().build({"a": 1, "b": 2})
    assert [picker.pick(k).id for k in KEYS] == [same.pick(k).id for k in KEYS]


def test_a_pool_that_warms_as_a_whole_is_not_disturbed():
    ids = [f"b{i}" for i in range(5)]
    cold = lb.View.of(ids, factors=dict.fromkeys(ids, 0.1))
    assert lb.Rendezvous().build(cold).fingerprint() == lb.Rendezvous().build(ids).fingerprint()


def test_without_a_key_requests_spread_and_a_rebuild_goes_on():
    view = lb.View.of({"a": 2, "b": 1})
    whole = lb.Rendezvous().build(view)
    seen = [whole.pick().id for _ in range(20)]
    half = lb.Rendezvous().build(view)
    first = [half.pick().id for _ in range(10)]
    assert first + [b.id for b in (lb.Rendezvous().build(view, previous=half).pick() for _ in range(10))] == seen
    assert {"a", "b"} == set(seen)


@pytest.mark.parametrize(
    ("build", "parameter"),
    [
        (lambda: lb.Rendezvous(seed=-1), "seed"),
        (lambda: lb.Rendezvous(seed=2**64), "seed"),
        (lambda: lb.Rendezvous(seed=True), "seed"),
        (lambda: lb.Rendezvous(hasher="xxh64"), "hasher"),
        (lambda: lb.Rendezvous(hasher=lb.SipHash(bytes(16)), seed=1), "seed"),
        (lambda: lb.Rendezvous().build({"a": -1.0}), "weights['a']"),
        (lambda: lb.Rendezvous().build({"a": float("nan")}), "weights['a']"),
        (lambda: lb.Rendezvous().build({"a": float("inf")}), "weights['a']"),
        (lambda: lb.Rendezvous().build(["a", "a"]), "id"),
        (lambda: lb.Rendezvous.from_dict({"type": "Maglev"}), "type"),
        (lambda: lb.Rendezvous.from_dict({"table_size": 7}), "table_size"),
        (lambda: lb.Rendezvous.from_dict({"hasher": "SipHash"}), "hasher"),
        (lambda: lb.Rendezvous().build(["a"]).pick("k", exclude="a"), "exclude"),
        (lambda: lb.Rendezvous().build(["a"]).pick_many(np.arange(3)), "tickets"),
        (lambda: lb.Rendezvous().build(["a"]).slot(2**64), "ticket"),
        (lambda: lb.Rendezvous().build(["a"]).pick(-1), "key"),
    ],
)
def test_bad_input_is_named(build, parameter):
    with pytest.raises(lb.ConfigError) as error:
        build()
    assert error.value.parameter == parameter


def test_keys_of_a_wrong_type():
    picker = lb.Rendezvous().build(["a"])
    for key in (1.5, True, ("a",)):
        with pytest.raises(TypeError):
            picker.pick(key)


def test_nobody_to_pick():
    for view, reason in (({}, "empty"), ({"a": 0}, "ineligible")):
        with pytest.raises(lb.NoBackend) as error:
            lb.Rendezvous().build(view).pick("k")
        assert error.value.reason == reason
    drained = lb.Rendezvous().build(lb.View.of(["a"], states={"a": lb.State.DRAINING}))
    for use in (lambda: drained.pick("k"), lambda: drained.pick(), lambda: drained.pick_many(np.ones(2, np.uint64))):
        with pytest.raises(lb.NoBackend) as error:
            use()
        assert error.value.reason == "ineligible"
    assert drained.shares().tolist() == [0.0]


def test_repr_evaluates_and_secrets_stay_hidden():
    assert eval(repr(lb.Rendezvous(seed=3)), {"Rendezvous": lb.Rendezvous, "XXH64": lb.XXH64}) == lb.Rendezvous(seed=3)
    policy = lb.Rendezvous(hasher=lb.SipHash(b"0123456789abcdef"))
    assert "0123456789abcdef" not in repr(policy) + json.dumps(policy.to_dict())
    again = lb.Rendezvous.from_dict(policy.to_dict(), hasher=policy.hasher)
    assert again == policy == pickle.loads(pickle.dumps(policy))


def test_who_is_eligible_changes_nobodys_rate_by_a_bit():
    """Rates are relative to the largest factor configured, so an ejection does not even round the others anew."""
    draw = np.random.default_rng(3)
    ids = [f"b{i}" for i in range(50)]
    weights = dict(zip(ids, draw.uniform(0.1, 10, 50).tolist(), strict=True))
    factors = dict(zip(ids, draw.uniform(0.1, 0.9, 50).tolist(), strict=True))
    before = rates(lb.View.of(weights, factors=factors))
    after = rates(lb.View.of(weights, factors=factors, states={max(ids, key=factors.get): lb.State.UNHEALTHY}))
    assert [column.tolist() for column in before] == [column.tolist() for column in after]


def test_a_tied_race_is_won_by_the_first_id(monkeypatch):
    """Salts practically never agree; here they are made to."""
    monkeypatch.setattr(rendezvous, "xxh64", lambda data, seed=0: 7)
    for ids in (["b", "a", "c"], ["c", "b", "a"]):
        picker = lb.Rendezvous().build(ids)
        assert [[b.id for b in picker.walk(key)] for key in range(20)] == [["a", "b", "c"]] * 20
        assert {picker.pick(key).id for key in range(20)} == {"a"}
