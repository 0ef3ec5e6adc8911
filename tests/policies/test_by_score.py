"""Scores: sums by hand, choosers by their laws, loads that hear everything once, contexts that reach the scorers."""

import json
import math
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, Outcome, State, View
from lbalgo.loads import InFlight, PeakEwma, Reported
from lbalgo.policies.by_score import ByScore
from lbalgo.policies.choosing import Best, BestOf, Softmax
from lbalgo.report import Report
from lbalgo.scores import Affinity, LeastLoad
from lbalgo.testing import LoadContract, PolicyContract
from tests.statistical.budget import assert_binomial


@dataclass(frozen=True)
class Said:
    """Scores by id, as told."""

    table: tuple[tuple[str, float], ...]

    def scores(self, asked):
        table = dict(self.table)
        return np.array([table.get(asked.view.ids[slot], 0.0) for slot in asked.slots.tolist()])


@dataclass(frozen=True)
class Wanted:
    """1 for the backend that the context names."""

    def scores(self, asked):
        return np.array([float(asked.view.ids[slot] == asked.context) for slot in asked.slots.tolist()])


def said(**table):
    return Said(tuple(table.items()))


class TestBest(PolicyContract):
    policy = ByScore([LeastLoad(), (Affinity(), 0.5)])
    max_size = 33
    test_a_policy_survives_json = None  # scorers are objects

    def from_dict(self, data):
        raise AssertionError


class TestDrawn(TestBest):
    policy = ByScore([LeastLoad()], Softmax(0.5))
    max_size = 9


class Several:
    """The loads of two scorers, as a specification."""

    def start(self):
        return ByScore([LeastLoad(), LeastLoad(InFlight())]).build(["a"]).load

    def __eq__(self, other):
        return isinstance(other, Several)

    def __hash__(self):
        return 0

    def to_dict(self):
        return {}

    @classmethod
    def from_dict(cls, data):
        return cls(**data)


class TestScorerLoads(LoadContract):
    load = Several()


def test_weights_are_weights():
    policy = ByScore([(said(a=1.0, b=0.0), 2.0), (said(a=0.0, b=1.0), 3.0), said(a=0.5, b=0.25)])
    picker = policy.build(["a", "b", "c"])
    assert picker.scores() == {"a": 2.5, "b": 3.25, "c": 0.0}
    assert [b.id for b in picker.walk()] == ["b", "a", "c"]
    assert picker.pick().id == "b" and picker.pick(exclude={"b"}).id == "a"
    assert ByScore([(said(a=1.0), -1.0)]).build(["a", "b"]).pick().id == "b"


def test_only_the_eligible_are_asked():
    seen = []

    @dataclass(frozen=True)
    class Nosy:
        def scores(self, asked):
            seen.append([asked.view.ids[slot] for slot in asked.slots.tolist()])
            return np.zeros(len(asked.slots))

    view = View.of({"a": 1.0, "b": 0.0, "c": 1.0, "d": 1.0}, states={"c": State.UNHEALTHY})
    picker = ByScore([Nosy()]).build(view)
    picker.pick(exclude=["d"])
    picker.pick()
    assert seen == [["a"], ["a", "d"]]
    with pytest.raises(NoBackend, match="excluded"):
        picker.pick(exclude=["a", "d"])


def test_equals_are_drawn_evenly():
    picker = ByScore([said(a=1.0, b=1.0, c=0.5)]).build(["a", "b", "c"])
    picks = [picker.pick().id for _ in range(2000)]
    assert "c" not in picks
    assert_binomial(picks.count("a"), 2000, 0.5)


def test_softmax_draws_in_proportion():
    picker = ByScore([said(a=1.0, b=0.0)], Softmax(0.5)).build(["a", "b"])
    assert_binomial(sum(picker.pick().id == "a" for _ in range(4000)), 4000, math.exp(2) / (math.exp(2) + 1))
    cold = ByScore([said(a=1.0, b=0.9)], Softmax(1e-6)).build(["a", "b"])
    assert {cold.pick().id for _ in range(100)} == {"a"}


def test_best_of_two_takes_the_better_of_two_that_are_drawn():
    """Of n candidates ranked 1 to n the k-th best is the better of two different ones with 2 (n - k) / (n (n - 1))."""
    picker = ByScore([Said(tuple((f"b{i}", -float(i)) for i in range(5)))], BestOf(2)).build(
        [f"b{i}" for i in range(5)]
    )
    picks = [picker.pick().id for _ in range(4000)]
    for k in range(1, 6):
        p = 2 * (5 - k) / 20
        if p:
            assert_binomial(picks.count(f"b{k - 1}"), 4000, p)
        else:
            assert picks.count("b4") == 0


@pytest.mark.parametrize("choose", [Best(), BestOf(3), Softmax(0.3)])
@given(scores=st.lists(st.floats(-5, 5), min_size=1, max_size=20), seed=st.integers(0, 2**32))
def test_choosers_order_everybody(choose, scores, seed):
    draws = np.random.default_rng(seed).random(len(scores))
    order = choose.order(np.array(scores), draws)
    assert sorted(order.tolist()) == list(range(len(scores)))
    if isinstance(choose, Best):
        assert [scores[at] for at in order] == sorted(scores, reverse=True)


def test_a_draw_is_a_backends_own():
    """Who else is a candidate does not change how two stand: retries keep the order."""
    picker = ByScore([said()], Softmax(1.0)).build([f"b{i}" for i in range(9)])
    for _ in range(20):
        order = [b.id for b in picker.walk()]
        away = set(order[:4])
        assert picker.pick(exclude=away).id == order[4]


def test_loads_hear_everything_and_pass_on():
    policy = ByScore([LeastLoad(), (said(a=1.0), 0.4)])
    balancer = lb.Balancer(policy, ["a", "b", "c"], seed=0)
    leases = [balancer.acquire() for _ in range(6)]
    counts = [lease.backend.id for lease in leases]
    assert counts[0] == "a", "idle all, so the second scorer decides"
    assert balancer.stats().in_flight == {id: counts.count(id) for id in "abc"}
    load = balancer.picker.load
    balancer.update(["a", "b", "c", "d"])
    assert balancer.picker.load is load and balancer.acquire().backend.id == "d"
    for lease in leases:
        lease.done()
    assert balancer.stats().open_leases == 0, "the one for d, dropped without a word, is swept"
    assert [load.at(row) for row in balancer.picker.rows.tolist()] == [0.0] * 4


def test_what_loads_have_learned_is_carried_over():
    def make():
        return ByScore([LeastLoad(PeakEwma()), said(a=1.0), LeastLoad(Reported(blackout=0.0))]).build(["a", "b"]).load

    one, other, third = make(), make(), make()
    one.started(0, 1.0, 0.0)
    one.finished(0, Outcome.SUCCESS, 0.5, 0.5)
    one.reported(1, Report(0.25), 1.0)
    one.advance(1.0)
    state = json.loads(json.dumps(one.snapshot()))
    other.restore(state, 1.0)
    third.advance(1.0)
    third.merge(one)
    for load in (other, third):
        assert [part.at(row) for part in load.parts if part is not None for row in (0, 1)] == [
            part.at(row) for part in one.parts if part is not None for row in (0, 1)
        ]
    bad = [{}, None, {**state, "type": "Sum"}, {**state, "parts": state["parts"][:2]}, {**state, "parts": [None] * 3}]
    bad.append({**state, "parts": [state["parts"][0], None, {"type": "Reported", "rows": {"0": {}}}]})
    for wrong in bad:
        before = other.snapshot()
        with pytest.raises(ConfigError):
            other.restore(wrong, 2.0)
        assert other.snapshot() == before
    for wrong in (None, make().parts[0], ByScore([said(a=1.0)]).build(["a"]).load):
        with pytest.raises(ConfigError):
            one.merge(wrong)


def test_a_load_that_refuses_leaves_no_trace():
    policy = ByScore([LeastLoad(), LeastLoad()])
    load = policy.build(["a"]).load
    for row, cost in ((0, math.nan), (-1, 1.0)):
        with pytest.raises(ConfigError):
            load.started(row, cost, 0.0)
    assert [part.at(0) for part in load.parts] == [0.0, 0.0] and load.at(0) == 0.0


def test_contexts_reach_the_scorers():
    balancer = lb.Balancer(ByScore([Wanted()]), ["a", "b", "c"], seed=0)
    for id in "cab":
        with balancer.acquire(context=id) as lease:
            assert lease.backend.id == id
        with balancer.acquire(context=id, exclude={id}) as lease:
            assert lease.backend.id != id
    ways = []
    for lease in balancer.attempts(context="b", limit=3):
        ways.append(lease.backend.id)
        lease.done(Outcome.GATEWAY_ERROR)
    assert ways[0] == "b" and sorted(ways) == ["a", "b", "c"]
    assert next(balancer.picker.walk(context="a")).id == "a"


def test_a_context_is_refused_where_nobody_reads_it():
    plain = lb.Balancer(lb.RoundRobin(), ["a"])
    sessions = lb.Balancer(ByScore([Wanted()]), ["a"], gates=[lb.FlowTable(8)])
    for balancer in (plain, sessions):
        for call in (balancer.acquire, balancer.attempts):
            with pytest.raises(ConfigError) as refused:
                call(context="x")
            assert refused.value.parameter == "context"
        assert balancer.stats().opened == 0


@pytest.mark.parametrize(
    "answer", [None, np.zeros(3), np.array([1.0, math.nan]), np.array([1.0, math.inf]), np.array(["a", "b"]), 1.0]
)
def test_a_scorer_that_answers_nonsense_is_named(answer):
    @dataclass(frozen=True)
    class Odd:
        def scores(self, asked):
            return answer

    picker = ByScore([LeastLoad(), Odd()]).build(["a", "b"])
    before = picker.cursor.state
    with pytest.raises(ConfigError) as refused:
        picker.pick()
    assert refused.value.parameter == "scorer" and refused.value.value == Odd()
    assert picker.cursor.state == before


def test_bad_input():
    rows = [
        *(("scorers", lambda s=s: ByScore(s)) for s in ([], "ab", None, 7, {"a": 1}, LeastLoad())),
        *(("scorers[1]", lambda s=s: ByScore([LeastLoad(), s])) for s in (7, None, LeastLoad, (7, 1.0))),
        *(("scorers[0]", lambda w=w: ByScore([(LeastLoad(), w)])) for w in (math.nan, math.inf, "1", None, True)),
        *(("choose", lambda c=c: ByScore([LeastLoad()], c)) for c in (None, Best, "best")),
        *(("choices", lambda n=n: BestOf(n)) for n in (0, -1, 1.5, True)),
        *(("temperature", lambda t=t: Softmax(t)) for t in (0.0, -1.0, math.nan, math.inf, "1")),
        ("exclude", lambda: ByScore([LeastLoad()]).build(["a"]).pick(exclude="a")),
        ("seed", lambda: ByScore([LeastLoad()]).build(["a"]).reseed(-1)),
    ]
    for parameter, call in rows:
        with pytest.raises(ConfigError) as refused:
            call()
        assert refused.value.parameter == parameter


def test_pickles():
    picker = ByScore([LeastLoad(), (said(a=0.1), 0.2)], BestOf(2)).build(["a", "b", "c"])
    picker.pick()
    again = pickle.loads(pickle.dumps(picker))
    assert [again.pick().id for _ in range(30)] == [picker.pick().id for _ in range(30)]
