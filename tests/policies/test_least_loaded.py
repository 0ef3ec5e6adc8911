"""Least loaded and its plain name: the least score always, ties as promised, and what is handed on or refused."""

import itertools
import math
import pickle
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import active
from lbalgo.reference.hashing import GAMMA
from tests.words import unmixed

POLICIES = [lb.LeastLoaded(), lb.LeastConnections(), lb.PowerOfTwo(), lb.PowerOfTwo(choices=3)]
SCANS = [lb.LeastLoaded, lb.LeastConnections]


def busy(picker, counts):
    """Opens so many requests at each slot."""
    for row, count in zip(picker.rows.tolist(), counts, strict=True):
        for _ in range(count):
            picker.load.started(row, 1.0, 0.0)
    return picker


POOLS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=1, max_size=130)


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("ties", lb.Ties)
@given(POOLS, st.integers(0, 2**64 - 1))
def test_nobody_has_less_by_exact_arithmetic(kind, ties, pool, seed):
    """Integer weights and loads: the chosen score is the exact minimum, and FIRST is the first of the exact ties."""
    weights, counts = zip(*pool, strict=True)
    picker = busy(kind(ties=ties).build({f"b{i}": w for i, w in enumerate(weights)}), counts)
    picker.reseed(seed)
    scores = [Fraction(c + 1, w) if w else math.inf for w, c in pool]
    if not any(weights):
        with pytest.raises(lb.NoBackend):
            picker.pick()
        return
    slot = picker.backends.index(picker.pick())
    assert scores[slot] == min(scores)
    assert picker.scores().tolist() == [float(s) for s in scores]
    if ties is lb.Ties.FIRST:
        assert slot == scores.index(min(scores))
    walked = [scores[picker.backends.index(b)] for b in picker.walk()]
    assert walked == sorted(s for s in scores if s < math.inf)


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(0.01, 1.0), st.integers(0, 9)), min_size=1, max_size=20))
def test_a_real_score_is_missed_by_no_more_than_rounding(pool):
    view = lb.View.of(
        {f"b{i}": w for i, (w, _, _) in enumerate(pool)}, factors={f"b{i}": f for i, (_, f, _) in enumerate(pool)}
    )
    picker = busy(lb.LeastLoaded().build(view), [c for _, _, c in pool])
    scores = [Fraction(c + 1) / Fraction(w * f) for w, f, c in pool]
    assert scores[picker.backends.index(picker.pick())] <= min(scores) * (1 + Fraction(2) ** -52)


def test_true_ties_are_found_across_loads_and_weights():
    picker = busy(lb.LeastLoaded().build({"a": 2, "b": 4, "c": 1}), [1, 3, 1])
    assert {picker.pick().id for _ in range(100)} == {"a", "b"}
    for unit in (3.0, 7.0, 49.0, 0.1, 1e300, 1e-300):
        picker = busy(lb.LeastLoaded().build({"a": unit, "b": 4 * unit, "c": 2 * unit}), [0, 3, 1])
        assert len(set(picker.scores())) == 1
        assert {picker.pick().id for _ in range(100)} == {"a", "b", "c"}


@pytest.mark.parametrize("policy", [*SCANS, lb.PowerOfTwo])
def test_an_idle_pool_picks_by_weight_not_by_position(policy):
    picker = policy().build({"a": 1, "b": 3})
    assert {picker.pick().id for _ in range(50)} == {"b"}


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@given(POOLS, st.integers(0, 2**64 - 1), st.sets(st.integers(0, 12)))
def test_laws_of_a_picker(policy, pool, seed, excluded):
    weights, counts = zip(*pool, strict=True)
    picker = busy(policy.build({f"b{i}": w for i, w in enumerate(weights)}), counts)
    picker.reseed(seed)
    picker.check_invariants()
    before = [picker.load.at(row) for row in picker.rows]
    walk = [b.id for b in picker.walk()]
    assert picker.cursor.state == seed, "a walk takes no ticket"
    assert sorted(walk) == sorted(f"b{i}" for i, w in enumerate(weights) if w)
    if walk:
        assert picker.pick("any key").id == walk[0], "a walk starts with what pick would return"
        assert picker.cursor.state != seed
        picker.reseed(seed)
    excluded = {f"b{i}" for i in excluded}
    left = [id for id in walk if id not in excluded]
    if left:
        assert picker.pick(exclude=excluded).id == left[0]
    else:
        with pytest.raises(lb.NoBackend) as error:
            picker.pick(exclude=excluded)
        assert error.value.reason == ("excluded" if walk else "ineligible")
    assert [picker.load.at(row) for row in picker.rows] == before, "picking changes no load"


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_pools_without_choice(policy):
    for backends, reason in ([], "empty"), ({"a": 0.0}, "ineligible"):
        picker = policy.build(backends)
        picker.check_invariants()
        for exclude in ((), {"a"}, ["z"]):
            with pytest.raises(lb.NoBackend) as error:
                picker.pick(exclude=exclude)
            assert error.value.reason == reason
        assert list(picker.walk()) == [] and picker.cursor.state == 0
        assert picker.scores().tolist() == [math.inf] * len(backends)
    alone = policy.build(["a"])
    assert alone.pick().id == "a" and [b.id for b in alone.walk()] == ["a"] and alone.drawn(0) == [0]
    down = lb.View.of(["a", "b"], states={"a": lb.State.DRAINING, "b": lb.State.DRAINING})
    with pytest.raises(lb.NoBackend):
        policy.build(down).pick()


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_only_the_eligible_and_factors_count(policy):
    view = lb.View.of({"a": 4, "b": 4, "c": 4}, states={"c": lb.State.UNHEALTHY}, factors={"a": 0.25})
    picker = policy.build(view)
    assert {picker.pick().id for _ in range(20)} == {"b"}
    busy(picker, [0, 5, 0])
    assert picker.scores().tolist() == [1.0, 1.5, math.inf]
    assert {picker.pick().id for _ in range(20)} == {"a"}


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_key_is_ignored_whatever_it_is(policy):
    picker = policy.build(["a", "b", "c", "d"])
    for key in (None, "k", b"k", 7, 1.5, object()):
        picker.reseed(3)
        want = picker.pick()
        picker.reseed(3)
        assert picker.pick(key) is want
        picker.reseed(3)
        assert next(picker.walk(key)) is want


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_load_rows_and_cursor_are_handed_on(policy):
    first = busy(policy.build(["a", "b", "c"]), [1, 2, 3])
    first.pick()
    second = policy.build(["d", "c", "a", "e"], previous=first)
    assert second.load is first.load and second.cursor is first.cursor
    assert second.rows.tolist() == [3, 2, 0, 4], "known by id; a joiner gets a row nobody had"
    third = policy.build(["b", "a"], previous=second)
    assert third.rows.tolist() == [5, 0] and third.unused == 6, "who comes back is another incarnation"
    given_rows = lb.View(third.view.backends, np.ones(2), np.ones(2), np.zeros(2, np.uint8), rows=np.array([40, 7]))
    fourth = policy.build(given_rows, previous=third)
    assert fourth.rows.tolist() == [40, 7] and fourth.unused == 41
    assert policy.build(["z"], previous=fourth).rows.tolist() == [41]
    assert policy.build(["a"]).load is not first.load


def test_a_load_is_handed_on_between_policies_that_count_the_same():
    first = busy(lb.LeastConnections().build(["a", "b", "c"]), [1, 0, 0])
    second = lb.PowerOfTwo().build(first.view, previous=first)
    third = lb.LeastLoaded(ties=lb.Ties.FIRST).build(first.view, previous=second)
    assert first.load is second.load is third.load
    other = lb.LeastLoaded(load=Halves()).build(first.view, previous=third)
    assert other.load is not first.load and other.rows.tolist() == [0, 1, 2] and other.cursor is first.cursor
    assert lb.LeastLoaded().build(first.view, previous=lb.Maglev().build(first.view)).load.at(0) == 0.0


@pytest.mark.parametrize("rows", [[0, -1], [0, 2**31], [3, 3]])
@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_impossible_rows_are_refused(policy, rows):
    view = lb.View([lb.Endpoint("a"), lb.Endpoint("b")], np.ones(2), np.ones(2), np.zeros(2, np.uint8), rows=rows)
    with pytest.raises(lb.ConfigError) as error:
        policy.build(view)
    assert error.value.parameter == "rows"


@dataclass(frozen=True)
class Halves:
    """A load of one's own: row / 2, whatever happens."""

    answer: object = None

    def start(self):
        return self

    def to_dict(self):
        return {"type": "Halves"}

    def started(self, row, cost, now):
        pass

    finished = advance = started

    def at(self, row):
        return row / 2 if self.answer is None else self.answer


@pytest.mark.parametrize("kind", [lb.LeastLoaded, lb.PowerOfTwo])
def test_a_load_of_ones_own(kind):
    policy = kind(load=Halves())
    picker = policy.build(["a", "b"])
    assert isinstance(picker.load, active.ForeignLoad) and picker.pick().id == "a"
    assert picker.scores().tolist() == [1.0, 1.5]
    assert kind.from_dict(policy.to_dict(), load=Halves()) == policy
    with pytest.raises(lb.ConfigError):
        kind.from_dict(policy.to_dict())


@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf, -1.0, -1e-9, "1", True])
@pytest.mark.parametrize("kind", [lb.LeastLoaded, lb.PowerOfTwo])
def test_an_impossible_load_is_an_error_and_no_pick(kind, answer):
    picker = kind(load=Halves(answer)).build(["a", "b", "c"])
    for call in (picker.pick, lambda: picker.pick(exclude={"z"}), lambda: list(picker.walk()), picker.scores):
        with pytest.raises(lb.ConfigError) as error:
            call()
        assert error.value.parameter.startswith("load.at(")
    assert picker.cursor.state == 0, "no ticket was taken"


@pytest.mark.parametrize(
    "make, parameter",
    [(lambda v=v, k=k: k(load=v), "load") for v in (None, 1, lb.InFlight, "InFlight", {}) for k in SCANS[:1]]
    + [(lambda v=v: lb.PowerOfTwo(load=v), "load") for v in (None, lb.InFlight)]
    + [(lambda v=v, k=k: k(ties=v), "ties") for v in ("FIRST", None, 0) for k in SCANS]
    + [(lambda v=v: lb.PowerOfTwo(choices=v), "choices") for v in (0, -1, 65, 2.0, True, None, "2")],
)
def test_bad_parameters_are_refused(make, parameter):
    with pytest.raises(lb.ConfigError) as error:
        make()
    assert error.value.parameter == parameter


@pytest.mark.parametrize(
    "kind, data",
    [
        (lb.LeastLoaded, {"type": "LeastConnections"}),
        (lb.LeastLoaded, {"ties": "LAST"}),
        (lb.LeastLoaded, {"load": {"type": "Other"}}),
        (lb.LeastLoaded, {"load": "InFlight"}),
        (lb.LeastLoaded, {"choices": 2}),
        (lb.LeastConnections, {"load": {"type": "InFlight"}}),
        (lb.PowerOfTwo, {"choices": 0}),
        (lb.PowerOfTwo, {"ties": "FIRST"}),
        (lb.PowerOfTwo, []),
    ],
)
def test_bad_plain_data_are_refused(kind, data):
    with pytest.raises(lb.ConfigError):
        kind.from_dict(data)


@pytest.mark.parametrize(
    "policy", [*POLICIES, lb.LeastLoaded(ties=lb.Ties.FIRST), lb.LeastConnections(ties=lb.Ties.FIRST)], ids=repr
)
def test_round_trips(policy):
    assert type(policy).from_dict(policy.to_dict()) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(type(policy).from_dict(policy.to_dict())) == hash(policy)
    assert eval(repr(policy), dict(vars(lb))) == policy
    view = lb.View.of({"a": 1, "b": 2, "c": 2}, factors={"b": 0.5})
    picker = policy.build(view)
    for _ in range(3):
        picker.pick()
    again = pickle.loads(pickle.dumps(picker))
    assert again.policy == policy and again.view == view and again.cursor.state == picker.cursor.state
    assert [again.pick() for _ in range(20)] == [picker.pick() for _ in range(20)]
    busy(picker, [3, 3, 3])
    assert pickle.loads(pickle.dumps(picker)).load.at(0) == 0.0, "the live load stays behind"
    assert repr(picker) == f"{policy!r}.build({view!r})"


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@pytest.mark.parametrize("exclude", ["a", b"a"])
def test_one_string_is_no_container(policy, exclude):
    with pytest.raises(lb.ConfigError):
        policy.build(["a"]).pick(exclude=exclude)


def test_weights_far_apart():
    """Weights over the whole range of doubles, and products below it, still give every eligible backend its turn."""
    picker = lb.LeastLoaded().build(lb.View.of({"a": 5e-324, "b": 1.7e308}, factors={"a": 0.1}))
    assert [b.id for b in picker.walk()] == ["b", "a"]
    assert picker.pick(exclude={"b"}).id == "a"
    tiny = busy(lb.LeastLoaded().build({"a": 1e-320, "b": 2e-320}), [0, 2])
    assert {tiny.pick().id for _ in range(20)} == {"a"}


def test_excluding_the_head_is_fair_among_the_tied():
    """Retries of an idle pool must not all go to the first slot."""
    picker = lb.LeastLoaded().build(["a", "b", "c", "d"])
    assert {picker.pick(exclude={"a"}).id for _ in range(100)} == {"b", "c", "d"}
    assert len({tuple(b.id for b in itertools.islice(picker.walk(), 2)) for _ in range(300) if picker.pick()}) == 12


def test_a_row_once_used_stays_used_when_a_view_brings_lower_ones():
    def assigned(ids, rows):
        plain = lb.View.of(ids)
        return lb.View(plain.backends, plain.weights, plain.factors, plain.states, rows=np.array(rows))

    policy = lb.LeastLoaded()
    first = policy.build(assigned(["a", "b"], [5, 6]))
    second = policy.build(assigned(["a"], [0]), previous=first)
    third = policy.build(["a", "c"], previous=second)
    assert third.rows.tolist() == [0, 7]  # requests to b may still be open in row 6


@pytest.mark.parametrize("kind", SCANS)
def test_first_is_first_and_weighted_is_anybody(kind):
    ids = [f"b{i}" for i in range(8)]
    first, weighted = kind(ties=lb.Ties.FIRST).build(ids), kind(ties=lb.Ties.WEIGHTED).build(ids)
    assert {first.pick().id for _ in range(50)} == {"b0"}
    assert [b.id for b in first.walk()] == ids
    assert len({weighted.pick().id for _ in range(200)}) == 8
    assert kind().build(ids).policy == kind(ties=lb.Ties.WEIGHTED)


def test_two_that_are_tied_come_in_either_order_by_weight():
    """1000 walks; c leads b with chance 2/3: outside 4.9 standard deviations with chance 1e-6."""
    picker = lb.LeastLoaded().build({"a": 3.0, "b": 1.0, "c": 2.0})
    for slot in (0, 0, 0, 0, 0, 2):
        picker.load.started(picker.rows[slot], 1.0, 0.0)  # scores 2, 1, 1
    leads = 0
    for seed in range(1000):
        picker.reseed(seed * 2**40)
        walk = [b.id for b in picker.walk()]
        assert walk[-1] == "a" and sorted(walk) == ["a", "b", "c"]
        leads += walk[0] == "c"
    assert abs(leads - 1000 * 2 / 3) < 4.9 * (1000 * 2 / 9) ** 0.5


@pytest.mark.parametrize(
    ("rows", "value"), [([0, -1], -1), ([2**31, 1], 2**31), ([2**40, 1], 2**40), ([3, 3], [3, 3]), ([-5, 2**31], -5)]
)
def test_rows_that_are_none(rows, value):
    pair = [lb.Endpoint("a"), lb.Endpoint("b")]
    view = lb.View(pair, np.ones(2), np.ones(2), np.zeros(2, np.uint8), rows=np.array(rows))
    with pytest.raises(lb.ConfigError) as refused:
        lb.LeastLoaded().build(view)
    assert (refused.value.parameter, refused.value.value) == ("rows", value)


def test_the_last_row_there_is_and_the_first_never_used():
    pair = [lb.Endpoint("a"), lb.Endpoint("b")]
    view = lb.View(pair, np.ones(2), np.ones(2), np.zeros(2, np.uint8), rows=np.array([2**31 - 1, 62]))
    picker = lb.LeastLoaded().build(view)
    assert picker.rows.tolist() == [2**31 - 1, 62] and picker.unused == 2**31
    assert lb.LeastLoaded().build([]).unused == 0 and lb.LeastLoaded().build(["a"]).unused == 1
    for rows, unused in (([0], 1), ([], 0)):
        some, n = pair[: len(rows)], len(rows)
        given = lb.View(some, np.ones(n), np.ones(n), np.zeros(n, np.uint8), rows=np.array(rows, dtype=np.int64))
        assert lb.LeastLoaded().build(given).unused == unused


@pytest.mark.parametrize("load", [lb.InFlight(), Halves(0.0)], ids=["counts", "foreign"])
def test_a_walk_of_the_idle_starts_with_the_pick(load):
    """All are tied, so that any difference in the ticket shows: by chance twenty times once in 10**20."""
    picker = lb.LeastLoaded(load=load).build([f"b{i}" for i in range(10)])
    for _ in range(20):
        assert next(picker.walk()) is picker.pick()


@pytest.mark.parametrize(("coin", "winner"), [(2**52 - 1, "b"), (2**52, "a")])
def test_a_tie_is_decided_to_the_last_bit(coin, winner):
    """The second of two equals takes the place of the first with half of 2**53 coins: those below 2**52."""
    picker = lb.LeastLoaded(load=Halves(0.0)).build(["a", "b"])
    ticket = unmixed(coin << 11) - GAMMA
    picker.reseed((unmixed(ticket % 2**64) - GAMMA) % 2**64)
    assert picker.pick().id == winner
