"""What a backend answers to a probe: both estimates against plain sums, and what each is exact for."""

import json
from collections import deque
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies.probe_answers import NEAR, Estimate, ProbeAnswers
from lbalgo.policies.probe_pool import Probe

ENDED = st.lists(st.tuples(st.integers(0, 20), st.floats(0.0, 10.0)), max_size=40)


def told(answers, ended, rif):
    for met, latency in ended:
        answers.started()
        answers.finished(met, latency)
    for _ in range(rif):
        answers.started()
    return answers


@given(ENDED, st.integers(1, 12), st.integers(0, 20))
def test_scaled_is_the_mean_for_one_request_times_those_in_flight(ended, history, rif):
    answers = told(ProbeAnswers(history=history, initial=7.0), ended, rif)
    kept = [*deque(ended, history)]
    wanted = (rif + 1) * sum(x / (met + 1) for met, x in kept) / len(kept) if kept else 7.0
    assert answers.latency() == pytest.approx(wanted, abs=1e-12) and answers.probe().rif == rif


@given(ENDED, st.integers(1, 12), st.integers(0, 20))
def test_nearest_is_the_median_of_those_that_met_about_as_many(ended, history, rif):
    answers = told(ProbeAnswers(Estimate.NEAREST, history), ended, rif)
    kept = [*deque(ended, history)]
    places = sorted(range(len(kept)), key=lambda i: (abs(kept[i][0] - rif), -i))[:NEAR]
    assert answers.latency() == (median(kept[i][1] for i in places) if kept else 0.0)


def test_scaled_is_exact_where_requests_share():
    """Alone a request takes 0.1 s, with k others 0.1 (k + 1): whatever was seen, that is the answer at any load."""
    answers = told(ProbeAnswers(), [(met, 0.1 * (met + 1)) for met in (0, 3, 1, 7)], 9)
    assert answers.probe().latency == pytest.approx(1.0)


def test_nearest_answers_with_what_is_left_from_long_ago():
    """The pitfall: at a load that it has not seen lately it says what was true then, however slow it is now."""
    ended = [(0, 0.01)] * 5 + [(8, 5.0)] * 50
    near, scaled = told(ProbeAnswers(Estimate.NEAREST), ended, 0), told(ProbeAnswers(), ended, 0)
    assert near.latency() == 0.01 and scaled.latency() == pytest.approx((5 * 0.01 + 50 * 5.0 / 9) / 55)


def test_counts_and_refusals():
    answers = ProbeAnswers()
    assert [answers.started() for _ in range(3)] == [0, 1, 2]
    answers.dropped()
    assert answers.probe() == Probe(2, 0.0)
    for call in (
        lambda: answers.finished(-1, 0.1),
        lambda: answers.finished(0, -1.0),
        lambda: answers.finished(0, "1"),
    ):
        with pytest.raises(lb.ConfigError):
            call()
    assert answers.rif == 2
    answers.finished(0, 0.1)
    answers.finished(0, 0.1)
    for call in (answers.dropped, lambda: answers.finished(0, 0.1)):
        with pytest.raises(lb.ConfigError):
            call()
    assert answers.rif == 0
    for arguments, parameter in (
        (("scaled",), "estimate"),
        ((Estimate.SCALED, 0), "history"),
        ((Estimate.SCALED, 1, -1), "initial"),
    ):
        with pytest.raises(lb.ConfigError) as refused:
            ProbeAnswers(*arguments)
        assert refused.value.parameter == parameter


def test_snapshots():
    answers = told(ProbeAnswers(history=4), [(1, 0.2), (2, 0.6)], 3)
    other = ProbeAnswers(history=4)
    other.restore(json.loads(json.dumps(answers.snapshot())))
    assert (other.latency() * 4, other.rif) == (pytest.approx(answers.latency()), 0)
    for bad in (None, {}, {"type": "ProbeAnswers", "ended": 1}, {"type": "ProbeAnswers", "ended": [[1, -1.0]]}):
        with pytest.raises(lb.ConfigError):
            other.restore(bad)
    assert other.snapshot() == answers.snapshot()
