"""Adaptive choices: who is compared, by age; the law of each width; boards that are published every so often."""

import copy
import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import lbalgo as lb
from benchmarks.reporting import stale
from lbalgo import Outcome
from lbalgo.loads import InFlight, Reported, Sum
from lbalgo.policies.adaptive_choices import AdaptiveChoices
from lbalgo.report import Report

BOARD = Reported(blackout=0.0, expiry=1e9)
POLICY = AdaptiveChoices(BOARD, 1.0)


def told(loads, ages, policy=POLICY, weights=None):
    """A picker whose backends said these loads so many service times ago; None: nothing."""
    picker = policy.build(weights or [f"b{i}" for i in range(len(loads))])
    heard = sorted((-age, row) for row, age in enumerate(ages) if age is not None)
    for when, row in heard:
        picker.load.reported(row, Report(loads[row]), when)
    picker.load.advance(0.0)
    return picker


@pytest.mark.parametrize(
    ("age", "width"),
    [(0.0, None), (0.49, None), (0.5, 3), (2.9, 3), (3.0, 2), (19.0, 2), (20.0, 1), (math.inf, 1)],
)
def test_the_rule(age, width):
    assert AdaptiveChoices(BOARD, 0.25, ((0.5, None), (3.0, 3), (20.0, 2))).width(age * 0.25) == width


@pytest.mark.parametrize(("age", "choices"), [(0.0, 10), (1.0, 3), (5.0, 2), (30.0, 1)])
def test_shares_are_those_of_so_many_choices(age, choices):
    """With n distinct loads the r-th best is picked if it is the best of d drawn: C(n-r, d-1) / C(n, d)."""
    n, picks = 10, 4000
    picker = told(range(n), [age] * n)
    counts = Counter(picker.pick().id for _ in range(picks))
    law = [math.comb(n - r, choices - 1) / math.comb(n, choices) for r in range(1, n + 1)]
    able = [i for i in range(n) if law[i] > 0]
    assert set(counts) <= {f"b{i}" for i in able}
    if len(able) > 1:
        seen = [counts[f"b{i}"] for i in able]
        assert stats.chisquare(seen, [picks * law[i] for i in able]).pvalue > 1e-4


def test_those_never_heard_of_get_what_random_choice_gives():
    """Two of six are unknown: each is drawn first once in six times, whatever the others say."""
    picker = told([0, 0, 9, 9, 9, 5], [0.0, 0.0, 0.0, 0.0, None, None])
    counts = Counter(picker.pick().id for _ in range(6000))
    assert set(counts) == {"b0", "b1", "b4", "b5"}
    assert all(stats.binomtest(counts[id], 6000, 1 / 6).pvalue > 1e-4 for id in ("b4", "b5"))


def test_ties_are_drawn_by_weight():
    weights = {"a": 1.0, "b": 2.0, "c": 3.0}
    for age in (0.0, 1.0, 50.0):
        picker = told([0.0, 0.0, 0.0], [age] * 3, weights=weights)
        counts = Counter(picker.pick().id for _ in range(6000))
        assert stats.chisquare([counts[id] for id in "abc"], [1000, 2000, 3000]).pvalue > 1e-4, age


AGES = st.one_of(st.none(), st.sampled_from([0.0, 0.0625, 1.0, 2.5, 4.0, 30.0]))


@given(
    st.lists(st.tuples(st.integers(0, 5), AGES, st.integers(1, 4)), min_size=1, max_size=20), st.integers(0, 2**64 - 1)
)
def test_who_is_compared(pool, seed):
    """The pick against a plain model that is given the order in which all are drawn."""
    loads, ages, weights = zip(*pool, strict=True)
    picker = told(loads, ages, weights={f"b{i}": float(w) for i, w in enumerate(weights)})
    picker.reseed(seed)
    drawn = list(picker.sample(picker.ticket))
    widths = {slot: POLICY.width(math.inf if ages[slot] is None else ages[slot]) for slot in drawn}
    head = drawn[:3]
    compared = {slot for at, slot in enumerate(head, 1) if widths[slot] is None or widths[slot] >= at}
    if widths[head[0]] == 1:
        compared = {head[0]}
    elif any(widths[slot] is None for slot in head):
        compared |= {slot for slot in drawn if widths[slot] is None}
    said = [0.5 if age is None else load for load, age in zip(loads, ages, strict=True)]  # what `Reported` takes it for
    order = [int(backend.id[1:]) for backend in picker.walk()]
    scores = {slot: said[slot] / picker.weights[slot] for slot in drawn}
    assert sorted(order) == sorted(drawn)
    assert set(order[: len(compared)]) == compared
    assert [scores[slot] for slot in order[: len(compared)]] == sorted(scores[slot] for slot in compared)
    assert int(picker.pick().id[1:]) == order[0]
    picker.check_invariants()


def test_a_report_from_before_is_no_news():
    picker = POLICY.build(["a", "b"])
    picker.load.reported(0, Report(1.0, at=100.0), 0.0)
    picker.load.reported(0, Report(9.0, at=99.0), 5.0)
    picker.load.advance(6.0)
    assert (picker.load.at(0), picker.load.age(0)) == (1.0, 6.0)
    picker.load.reported(0, Report(3.0, at=101.0), 4.0)
    assert (picker.load.at(0), picker.load.age(0)) == (3.0, 0.0), "what comes late counts now"
    picker.load.restart(0)
    assert picker.load.age(0) == math.inf


def test_in_a_balancer_over_a_sum():
    now = [0.0]
    policy = AdaptiveChoices(Sum(InFlight(), BOARD), service_time=0.1)
    balancer = lb.Balancer(policy, ["a", "b", "c"], clock=lambda: now[0], seed=1)
    for id, queue in (("a", 1), ("b", 0), ("c", 5)):
        balancer.report(id, Report(queue))
    leases = [balancer.acquire(cost=3.0) for _ in range(3)]
    assert sorted(lease.backend.id for lease in leases) == ["a", "b", "b"], "what was sent since counts as well"
    for lease in leases:
        lease.done()
    load = balancer.picker.load
    assert [load.at(row) for row in range(3)] == [2.0, 1.0, 6.0], "a sum has the request to come in it"
    balancer.update(["c", "b"])
    assert balancer.picker.load is load and load.age(1) == 0.0
    now[0] = 100.0
    balancer.acquire().done()
    assert POLICY.width(load.age(1)) == 1


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.sampled_from([0.0, 0.25, 2.0])), max_size=20),
    st.integers(0, 2**64 - 1),
)
def test_a_recorded_stream_of_tickets_gives_the_same_picks(steps, seed):
    plain = AdaptiveChoices(Plain(), 1.0)
    picker, now, records = plain.build(list("abcde")), 0.0, []
    picker.reseed(seed)
    for row, queue, wait in steps:
        now += wait
        picker.load.reported(row, Report(queue), now)
        records.append((picker.cursor.state, copy.deepcopy(picker.load), picker.pick().id))
    replay = plain.build(picker.view)
    for state, load, picked in reversed(records):
        replay.load = load
        replay.reseed(state)
        assert replay.pick().id == picked


class Plain:
    """A load of a user's own that is told by reports."""

    def start(self):
        return Said()

    def to_dict(self):
        return {"type": "Plain"}

    def __eq__(self, other):
        return type(other) is Plain

    def __hash__(self):
        return 7


class Said:
    margin = 0.0

    def __init__(self):
        self.said = {}

    def started(self, row, cost, now): ...
    def finished(self, row, outcome, latency, now, cost=1.0): ...
    def advance(self, now): ...
    def at(self, row):
        return self.said.get(row, 0.0)

    def reported(self, row, report, now):
        self.said[row] = report.utilisation


@pytest.mark.parametrize(("every", "best"), [(0.5, 2.34), (2.0, 3.06), (10.0, 5.11)])
def test_stale_boards(every, best):
    """At most a tenth above the best of all, three and two, by an independent simulation."""
    assert stale(POLICY, every, 0.9, 20_000) < 1.1 * best


def test_snapshots():
    load, other = POLICY.start(), POLICY.start()
    load.reported(3, Report(4.0), 1.0)
    load.advance(5.0)
    other.restore(json.loads(json.dumps(load.snapshot())), 100.0)
    assert (other.age(3), other.at(3), other.age(1)) == (4.0, 4.0, math.inf)
    other.advance(101.0)
    assert other.age(3) == 5.0
    for bad in (None, {}, {**load.snapshot(), "ages": 3}, {**load.snapshot(), "ages": [[0, -1]]}):
        with pytest.raises(lb.ConfigError):
            other.restore(bad, 101.0)
    assert other.age(3) == 5.0


def test_plain_data():
    policy = AdaptiveChoices(Sum(InFlight(), BOARD), 0.1, ((1.0, 8), (2.0, 3)))
    assert AdaptiveChoices.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    assert AdaptiveChoices.from_dict(AdaptiveChoices(Plain(), 0.1).to_dict(), load=Plain()).load == Plain()
    assert repr(policy.start()) == f"{policy!r}.start()"
    pool = policy.start()
    with pytest.raises(lb.ConfigError):
        pool.finished(0, Outcome.SUCCESS, 0.1, 0.0)


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: AdaptiveChoices(BOARD, 0.0), "service_time"),
        (lambda: AdaptiveChoices(BOARD, 1.0, ((1.0, 2), (0.5, None))), "widths[1][0]"),
        (lambda: AdaptiveChoices(BOARD, 1.0, ((1.0, 2), (2.0, 2))), "widths[1][1]"),
        (lambda: AdaptiveChoices(BOARD, 1.0, ((1.0, 1),)), "widths[0][1]"),
        (lambda: AdaptiveChoices(BOARD, 1.0, ((1.0, 2), (2.0, None))), "widths[1][1]"),
        (lambda: AdaptiveChoices(BOARD, 1.0, [(1.0, 2)]), "widths"),
        (lambda: AdaptiveChoices(BOARD, 1.0, ((1.0,),)), "widths"),
        (lambda: AdaptiveChoices("x", 1.0), "load"),
        (lambda: AdaptiveChoices(InFlight(), 1.0).build(["a"]), "load"),
    ],
)
def test_refused(make, parameter):
    with pytest.raises(lb.ConfigError) as refused:
        make()
    assert refused.value.parameter == parameter
