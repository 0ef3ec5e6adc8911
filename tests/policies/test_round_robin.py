"""Round robin and weighted round robin: exact counts, bounded deviation, continuity, and what is refused."""

import itertools
import json
import math
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.active import Period, Stride, smooth_period
from lbalgo.policies.round_robin import DENOMINATOR, strides, whole_weights
from tests.statistical.budget import assert_chi_square

WRR = lb.WeightedRoundRobin()
STRIDING = lb.WeightedRoundRobin(max_period=1)
UNKEYED = [lb.RoundRobin(), WRR, STRIDING, lb.Random()]
SEQUENCES = UNKEYED[:3]
WHOLE = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def pool_of(weights):
    return {f"b{i}": w for i, w in enumerate(weights)}


@st.composite
def views(draw):
    """Pools of every kind: weights of any size, factors, states, possibly nobody eligible."""
    n = draw(st.integers(0, 12))
    weight = st.sampled_from([0.0, 1.0, 2.0, 0.5, 0.1, 7.0, 1e6, 1e-6, 1e300, 5e-324]) | st.floats(1e-3, 1e3)
    factor = st.sampled_from([1.0, 1.0, 0.1, 0.5, 1e-3]) | st.floats(1e-3, 1.0)
    state = st.sampled_from([lb.State.HEALTHY] * 4 + list(lb.State))
    ids = [f"b{i}" for i in range(n)]
    return lb.View.of(
        {i: draw(weight) for i in ids},
        factors={i: draw(factor) for i in ids},
        states={i: draw(state) for i in ids},
    )


def naive_smooth(weights):
    """The rule as nginx words it: all gain, the first greatest is served and pays the total."""
    current, total = [0] * len(weights), sum(weights)
    for _ in range(total):
        current = [c + w for c, w in zip(current, weights, strict=True)]
        best = current.index(max(current))
        current[best] -= total
        yield best


@given(WHOLE)
def test_the_period_is_the_rule_turn_by_turn(weights):
    assert list(smooth_period(weights)) == list(naive_smooth(weights))


@given(WHOLE, st.integers(1, 5))
def test_every_period_serves_each_backend_its_weight(weights, multiple):
    picker = WRR.build(pool_of([w * multiple / 4 for w in weights]))
    divisor = math.gcd(*weights)
    for _ in range(2):
        counts = Counter(picker.pick().id for _ in range(sum(weights) // divisor))
        assert counts == {f"b{i}": w // divisor for i, w in enumerate(weights)}
    assert picker.shares().tolist() == pytest.approx([w / sum(weights) for w in weights], rel=1e-15)
    picker.check_invariants()


@given(WHOLE)
def test_no_prefix_strays_from_its_due(weights):
    """Ahead by at most 1 - 1/n, behind by at most H_n - 1, after every turn, in exact arithmetic."""
    n, total = len(weights), sum(weights)
    harmonic = sum(Fraction(1, k) for k in range(1, n + 1))
    counts = [0] * n
    for t, slot in enumerate(smooth_period(weights), 1):
        counts[slot] += 1
        for count, w in zip(counts, weights, strict=True):
            assert -(1 - Fraction(1, n)) <= Fraction(t * w, total) - count <= harmonic - 1


@settings(max_examples=25)
@given(st.lists(st.floats(1e-7, 1.0), min_size=1, max_size=6))
def test_strides_serve_exact_counts_evenly(weights):
    picker = STRIDING.build(pool_of(weights))
    if not isinstance(picker.structure, Stride):
        return
    rates = strides(weights)
    numbers = picker.tickets(range(int(rates.sum())))
    slots = picker.pick_many(numbers)
    assert np.bincount(slots).tolist() == rates.tolist()
    assert numbers[-1] < len(weights) * 65535 <= picker_next(picker, int(numbers[-1]) + 1)
    for slot, rate in enumerate(rates.tolist()):
        generations = numbers[slots == slot] // np.uint64(len(weights))
        due = np.arange(1, 65536) * rate / 65535
        served = np.searchsorted(generations, np.arange(65535), side="right")
        assert abs(served - due).max() < 1 + 1e-9


def picker_next(picker, number):
    """The first number at or after this one that serves somebody; the cursor is put back."""
    state = picker.cursor.state
    picker.reseed(number)
    settled = int(picker.tickets([0])[0])
    picker.reseed(state)
    return settled


@given(st.lists(st.floats(5e-324, 1e308), min_size=1, max_size=20))
def test_strides_are_within_half_a_step_and_never_nothing(weights):
    top = max(weights)
    for w, rate in zip(weights, strides(weights).tolist(), strict=True):
        exact = Fraction(w) / Fraction(top) * 65535
        assert rate == 1 if exact < Fraction(1, 2) else abs(rate - exact) <= Fraction(1, 2) + Fraction(1, 2**30)


def test_a_light_weight_is_served_all_the_same():
    picker = WRR.build({"a": 1e9, "b": 1.0})
    assert isinstance(picker.structure, Stride)
    counts = Counter(picker.pick().id for _ in range(65536))
    assert counts == {"a": 65535, "b": 1}
    assert picker.shares().tolist() == [65535 / 65536, 1 / 65536]


@given(
    st.sampled_from([1, 50]).flatmap(
        lambda most: st.lists(st.tuples(st.integers(1, 2000), st.integers(1, most)), min_size=1, max_size=8)
    ),
    st.integers(1, 3000),
)
def test_whole_weights_are_the_least_integers_or_none(ratios, limit):
    exact = [Fraction(p, q) for p, q in ratios]
    multiple = math.lcm(*(f.denominator for f in exact))
    divisor = math.gcd(*(int(f * multiple) for f in exact))
    least = [int(f * multiple) // divisor for f in exact]
    found = whole_weights([float(f) for f in exact], [1.0] * len(exact), limit)
    assert found == (least if sum(least) <= limit else None)
    assert whole_weights([float(f) for f in exact], [0.5] * len(exact), limit) == found


def test_weights_and_factors_are_read_as_decimal_fractions():
    assert whole_weights([3.0, 1.0], [0.1, 0.7], 100) == [3, 7]
    assert whole_weights([1 / 3, 2 / 3], [1.0, 1.0], 100) == [1, 2]
    assert whole_weights([1 / DENOMINATOR, 1.0], [1.0, 1.0], 10**9) == [1, DENOMINATOR]
    assert whole_weights([1 / (DENOMINATOR + 1), 1.0], [1.0, 1.0], 10**9) is None
    assert whole_weights([1e300, 1e300], [1.0, 1.0], 2) == [1, 1]
    assert whole_weights([5e-324], [1.0], 10) is None


def test_round_robin_serves_in_listing_order_whatever_the_weights():
    picker = lb.RoundRobin().build({"x": 5.0, "zero": 0, "y": 0.01, "w": 1e9})
    assert [picker.pick().id for _ in range(7)] == ["x", "y", "w"] * 2 + ["x"]
    assert picker.shares().tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])


def test_round_robin_of_more_backends_than_a_period_may_be_long():
    n = 70_000
    picker = lb.RoundRobin().build([str(i) for i in range(n)])
    assert isinstance(picker.structure, Stride)
    slots = picker.pick_many(picker.tickets(range(2 * n)))
    assert (slots == np.tile(np.arange(n), 2)).all()


def test_factors_thin_the_turns():
    for policy in (lb.RoundRobin(), WRR):
        picker = policy.build(lb.View.of(["a", "b", "c"], factors={"b": 0.3}))
        assert isinstance(picker.structure, Period)
        assert Counter(picker.pick().id for _ in range(23)) == {"a": 10, "b": 3, "c": 10}
    odd = lb.RoundRobin().build(lb.View.of(["a", "b"], factors={"b": 0.1 + 0.2}))
    assert isinstance(odd.structure, Stride)
    assert odd.shares()[1] == pytest.approx(0.3 / 1.3, abs=1 / 65535)


@given(views(), st.integers(0, 2**64 - 1) | st.integers(2**64 - 40, 2**64 - 1), st.sampled_from(UNKEYED))
def test_one_decision_however_it_is_asked_for(view, seed, policy):
    picker = policy.build(view)
    picker.check_invariants()
    picker.reseed(seed)
    if not view.eligible.any():
        reason = "ineligible" if len(view) else "empty"
        for ask in (picker.pick, lambda: picker.slot(0), lambda: picker.pick(exclude={"b0"})):
            with pytest.raises(lb.NoBackend) as caught:
                ask()
            assert caught.value.reason == reason
        assert picker.cursor.state == seed
        assert list(picker.walk()) == []
        assert picker.shares().sum() == 0
        return
    tickets = picker.tickets([None] * 30)
    bulk = picker.pick_many(tickets).tolist()
    assert [picker.slot(t) for t in tickets.tolist()] == bulk
    eligible = {view.ids[i] for i in np.flatnonzero(view.eligible)}
    for slot in bulk:
        walk = [b.id for b in picker.walk()]
        assert walk[0] == view.ids[slot]
        assert len(walk) == len(eligible)
        assert set(walk) == eligible
        assert picker.pick().id == walk[0]
    assert ((picker.shares() > 0) == view.eligible).all()
    assert picker.shares().sum() == pytest.approx(1.0, rel=1e-12)


@given(
    views(), st.integers(0, 2**64 - 1), st.sampled_from(UNKEYED), st.sets(st.sampled_from([f"b{i}" for i in range(12)]))
)
def test_excluding_follows_the_walk(view, seed, policy, banned):
    picker = policy.build(view)
    picker.reseed(seed)
    allowed = [b.id for b in picker.walk() if b.id not in banned]
    after = policy.build(view)
    after.reseed(seed)
    if not allowed:
        with pytest.raises(lb.NoBackend):
            picker.pick(exclude=banned)
        assert picker.cursor.state == seed
        return
    assert picker.pick(exclude=banned).id == allowed[0]
    after.pick()
    assert picker.cursor.state == after.cursor.state


@pytest.mark.parametrize("policy", SEQUENCES)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=8))
def test_a_walk_is_the_order_of_next_turns(policy, weights):
    picker = policy.build(pool_of(weights))
    for _ in range(20):
        walk = [b.id for b in picker.walk()]
        horizon = picker.pick_many(picker.tickets(range(200)))
        assert walk == list(dict.fromkeys(f"b{s}" for s in horizon))
        picker.pick()


@pytest.mark.parametrize("policy", UNKEYED)
def test_a_rebuild_is_invisible(policy):
    view = lb.View.of({"a": 3, "b": 2.5, "c": 2**0.5}, factors={"b": 0.4})
    steady, rebuilt = policy.build(view), policy.build(view)
    for _ in range(200):
        rebuilt = policy.build(view, previous=rebuilt)
        assert rebuilt.pick() is steady.pick()
    assert policy.build(view, previous=rebuilt).structure is rebuilt.structure
    moved = lb.View.of(view, factors={"b": 0.5})
    assert policy.build(moved, previous=rebuilt).structure is not rebuilt.structure


def test_a_changed_pool_goes_on_and_does_not_herd():
    picker = lb.RoundRobin().build(["a", "b", "c"])
    served = [picker.pick().id]
    picker = lb.RoundRobin().build(["a", "b", "c", "d"], previous=picker)
    served += [picker.pick().id for _ in range(3)]
    assert served == ["a", "b", "c", "d"]
    rng = np.random.default_rng(7)
    counts = {3: np.zeros(3), 4: np.zeros(4)}
    for i in range(2000):  # after a uniform number of turns mod 12, the first pick of a new pool is uniform
        pool = ["a", "b", "c"] if i % 2 else ["a", "b", "c", "d"]
        picker = lb.RoundRobin().build(pool, previous=picker)
        counts[len(pool)][pool.index(picker.pick().id)] += 1
        for _ in range(rng.integers(12)):
            picker.pick()
    for n, firsts in counts.items():
        assert_chi_square(firsts, [1 / n] * n)


def test_the_cursor_survives_a_change_of_policy_and_of_kind():
    picker = WRR.build({"a": 1, "b": 1})
    picker.pick()
    picker = lb.RoundRobin().build({"a": 2**0.5, "b": 1}, previous=picker)
    assert picker.pick().id == "b"
    assert STRIDING.build({"a": 1, "b": 1}, previous=picker).cursor is picker.cursor


@pytest.mark.parametrize("policy", UNKEYED)
def test_reseeding_moves_the_phase(policy):
    pool = {"a": 5, "b": 3, "c": 1}
    sequences = set()
    for seed in range(6):
        picker = policy.build(pool)
        picker.reseed(seed)
        sequences.add("".join(picker.pick().id for _ in range(40)))
    assert len(sequences) >= 3  # round robin over three backends has no more
    picker = policy.build(pool)
    assert picker.cursor.state == 0
    for seed in (-1, 2**64, True, 1.0, "1", None):
        with pytest.raises(lb.ConfigError) as caught:
            picker.reseed(seed)
        assert caught.value.parameter == "seed"
    assert picker.cursor.state == 0


def test_the_last_sequence_number_is_followed_by_the_first():
    picker = lb.RoundRobin().build(["a", "b", "c"])
    picker.reseed(2**64 - 1)
    assert [picker.pick().id for _ in range(4)] == ["a", "a", "b", "c"]  # 2**64 - 1 is a multiple of 3
    picker = STRIDING.build({"a": 65535, "b": 2})
    picker.reseed(2**64 - 1)  # the light one's number, unserved: the next that is served is 0
    assert picker.tickets([0]).tolist() == [0]
    assert picker.pick().id == "a"
    assert picker.cursor.state == 1


@pytest.mark.parametrize("policy", UNKEYED)
def test_a_key_is_accepted_and_ignored(policy):
    plain, keyed = policy.build({"a": 2, "b": 1}), policy.build({"a": 2, "b": 1})
    keys = itertools.cycle(["user", b"user", 17, None])
    assert [plain.pick().id for _ in range(40)] == [keyed.pick(next(keys)).id for _ in range(40)]
    assert [b.id for b in plain.walk()] == [b.id for b in keyed.walk("user")]
    assert plain.tickets(["u", "v"]).tolist() == keyed.tickets([b"x", 7]).tolist()


@pytest.mark.parametrize("policy", UNKEYED)
def test_a_picker_keeps_its_place_through_pickle(policy):
    picker = policy.build({"a": 5, "b": 2**0.5, "c": 1})
    for _ in range(17):
        picker.pick()
    other = pickle.loads(pickle.dumps(picker))
    assert other.fingerprint() == picker.fingerprint()
    assert [other.pick() for _ in range(50)] == [picker.pick() for _ in range(50)]


@pytest.mark.parametrize("policy", UNKEYED)
def test_a_policy_is_plain_data(policy):
    data = json.loads(json.dumps(policy.to_dict()))
    assert type(policy).from_dict(data) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert eval(repr(policy), vars(lb).copy()) == policy
    with pytest.raises(lb.ConfigError, match="is no field"):
        type(policy).from_dict({**data, "weight": 1})
    with pytest.raises(lb.ConfigError, match="type"):
        type(policy).from_dict({**data, "type": "Maglev"})


def test_equal_fingerprints_are_equal_sequences():
    def mark(pool, policy=WRR, **signals):
        return policy.build(lb.View.of(pool, **signals)).fingerprint()

    base = {"a": 2, "b": 1}
    assert mark(base) == mark({"a": 4, "b": 2})
    assert mark(base) != mark({"a": 1, "b": 2})
    assert mark(base) == mark({"b": 1, "a": 2})  # a b a, whatever the listing order
    assert mark({"a": 1, "b": 1}) != mark({"b": 1, "a": 1})  # a b, and b a
    assert mark({"a": 1, "b": 1}) == mark(base, lb.RoundRobin())
    assert mark(base, STRIDING) != mark(base)
    assert mark(base, factors={"a": 0.5}) == mark({"a": 1, "b": 1})
    assert len({mark(base, policy) for policy in UNKEYED}) == 4
    assert len({mark(base, policy, states={"a": lb.State.DRAINING}) for policy in UNKEYED}) >= 2


@pytest.mark.parametrize("value", [0, -1, 2**24 + 1, True, 1.0, "9", None])
def test_max_period_is_an_integer_in_range(value):
    with pytest.raises(lb.ConfigError) as caught:
        lb.WeightedRoundRobin(max_period=value)
    assert (caught.value.parameter, caught.value.value) == ("max_period", value)


def test_max_period_bounds_the_period():
    pool = {"a": 3, "b": 4}
    assert isinstance(lb.WeightedRoundRobin(max_period=7).build(pool).structure, Period)
    assert isinstance(lb.WeightedRoundRobin(max_period=6).build(pool).structure, Stride)


@pytest.mark.parametrize("policy", UNKEYED)
def test_bad_input_changes_nothing(policy):
    picker = policy.build({"a": 5, "b": 1})
    picker.pick()
    state = picker.cursor.state
    refused = [
        (lb.ConfigError, lambda: picker.pick(exclude="a")),
        (lb.ConfigError, lambda: picker.pick(exclude=b"a")),
        (lb.ConfigError, lambda: picker.slot(-1)),
        (lb.ConfigError, lambda: picker.slot(2**64)),
        (TypeError, lambda: picker.slot(True)),
        (TypeError, lambda: picker.slot(1.0)),
        (lb.ConfigError, lambda: picker.pick_many(np.arange(3))),
        (lb.ConfigError, lambda: picker.pick_many([1, 2])),
        (lb.ConfigError, lambda: picker.pick_many(np.zeros((2, 2), dtype=np.uint64))),
        (lb.ConfigError, lambda: picker.tickets("user")),
        (lb.ConfigError, lambda: policy.build({"a": -1.0})),
        (lb.ConfigError, lambda: policy.build({"a": math.nan})),
        (lb.ConfigError, lambda: policy.build("ab")),
        (lb.DuplicateBackend, lambda: policy.build(["a", "a"], previous=picker)),
        (lb.UnknownBackend, lambda: policy.build(lb.View.of(["a"], weights={"z": 1}), previous=picker)),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()
    with pytest.raises(lb.NoBackend) as caught:
        picker.pick(exclude={"a", "b"})
    assert caught.value.reason == "excluded"
    assert picker.cursor.state == state
