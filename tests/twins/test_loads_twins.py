"""The compiled loads and the plain ones: the same answers and the same errors, call by call."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
import lbalgo.reference.combined_loads as plain_combined
import lbalgo.reference.estimated_loads as plain_estimated
import lbalgo.reference.loads as plain
import lbalgo.reference.reported_loads as plain_reported
from lbalgo.kernels import combined_loads, estimated_loads, reported_loads
from lbalgo.kernels import loads as compiled
from lbalgo.loads import Blend, FailurePenalty, InFlightAge, LatencyEwma, Overdue, PeakEwma, Product, Reported, Sum
from lbalgo.report import Report

ROWS = st.one_of(st.integers(-2, 40), st.sampled_from([2**31, 10**30, 1.5, None, True, "1"]))
AMOUNTS = st.one_of(st.floats(), st.integers(-1, 3), st.sampled_from([None, "1", True]))
OUTCOMES = st.one_of(st.sampled_from(list(lb.Outcome)), st.just("success"))
COSTS = st.sampled_from([0.0, 0.1, 0.3, 1.0, 1.0, 7.5, 1e308])
GOOD = st.integers(0, 9)
CALLS = st.one_of(
    st.tuples(st.just("started"), st.tuples(ROWS, AMOUNTS, AMOUNTS)),
    st.tuples(st.just("started"), st.tuples(GOOD, COSTS, st.floats(0, 50))),
    st.tuples(st.just("finished"), st.tuples(ROWS, OUTCOMES, AMOUNTS, AMOUNTS)),
    st.tuples(st.just("finished"), st.tuples(GOOD, OUTCOMES, st.none(), st.just(0.0))),
    st.tuples(st.just("finished"), st.tuples(GOOD, OUTCOMES, st.floats(0, 9), st.floats(0, 50), COSTS)),
    st.tuples(st.just("advance"), st.tuples(AMOUNTS)),
    st.tuples(st.just("at"), st.tuples(ROWS)),
    st.tuples(st.just("restart"), st.tuples(ROWS)),
)
REPORTS = st.builds(Report, st.floats(0, 2), st.floats(0, 9), st.floats(0, 9), st.one_of(st.none(), st.integers(0, 50)))
HEARD = st.tuples(st.just("reported"), st.tuples(st.one_of(GOOD, ROWS), st.one_of(REPORTS, st.none()), AMOUNTS))


def latency(spec, peak, pending):
    initial = math.nan if spec.initial is None else spec.initial
    return lambda base, estimated, combined, reported: estimated.LatencyLoad(spec, spec.tau, peak, pending, initial)


def blend(base, estimated, combined, reported):
    spec = Blend(tau=3.0, ramp=9.0)
    return reported.BlendLoad(spec, REPORTED(base, estimated, combined, reported))


def REPORTED(base, estimated, combined, reported):  # noqa: N802
    return reported.ReportLoad(Reported(), 0.5, 1.0, 5.0, 20.0)


PEAK = latency(PeakEwma(), True, True)
AGED = LatencyEwma(peak=True, initial=0.5)
MADE = {
    "peak": PEAK,
    "assumed": latency(PeakEwma(2.0, 0.1), True, True),
    "average": latency(LatencyEwma(), False, False),
    "age": lambda *m: m[1].AgeLoad(InFlightAge(AGED), latency(AGED, True, False)(*m)),
    "reported": REPORTED,
    "blend": blend,
    "sum": lambda *m: m[2].CombinedLoad(Sum(PeakEwma()), [PEAK(*m), m[0].InFlightCounts(), REPORTED(*m)], [1, 2, 3]),
    "product": lambda *m: m[2].CombinedLoad(Product(PeakEwma()), [PEAK(*m), m[0].InFlightCounts()]),
    "penalty": lambda *m: m[2].PenaltyLoad(FailurePenalty(), PEAK(*m), 5.0),
    "overdue": lambda *m: m[2].OverdueLoad(Overdue(), m[0].InFlightCounts(), 4.0),
}


def answer(load, name, arguments):
    try:
        return getattr(load, name)(*arguments)
    except Exception as error:
        return type(error), str(error)


def pair(make):
    return (
        make(plain, plain_estimated, plain_combined, plain_reported),
        make(compiled, estimated_loads, combined_loads, reported_loads),
    )


@given(st.lists(CALLS, max_size=60), st.booleans())
def test_same_answers(calls, foreign):
    one, two = plain.InFlightCounts(), compiled.InFlightCounts()
    if foreign:
        one, two = plain.ForeignLoad(one), compiled.ForeignLoad(two)
    for name, arguments in calls:
        assert answer(one, name, arguments) == answer(two, name, arguments)
        assert repr(one) == repr(two)


@pytest.mark.parametrize("kind", MADE)
@given(st.lists(st.one_of(CALLS, HEARD), max_size=60), st.lists(st.one_of(CALLS, HEARD), max_size=20))
def test_same_loads_snapshots_and_merges(kind, calls, others):
    (one, two), (third, fourth) = pair(MADE[kind]), pair(MADE[kind])
    calls = [c for c in calls if c[0] != "reported" or hasattr(one, "reported")]
    others = [c for c in others if c[0] != "reported" or hasattr(one, "reported")]
    for name, arguments in calls:
        assert answer(one, name, arguments) == answer(two, name, arguments), (name, arguments)
        assert [one.at(row) for row in range(10)] == [two.at(row) for row in range(10)], (name, arguments)
    for name, arguments in others:
        assert answer(third, name, arguments) == answer(fourth, name, arguments), (name, arguments)
    one.merge(third)
    two.merge(fourth)
    assert one.snapshot() == two.snapshot()
    third.restore(one.snapshot(), 60.0)
    fourth.restore(two.snapshot(), 60.0)
    for load in (one, two):
        load.advance(70.0)
    assert [one.at(row) for row in range(10)] == [two.at(row) for row in range(10)]
    assert [third.at(row) for row in range(10)] == [fourth.at(row) for row in range(10)]


def test_errors_are_compared():
    assert answer(compiled.InFlightCounts(), "at", (math.nan,))[0] is lb.ConfigError


def test_rows_are_added_before_and_after_costs_differ():
    """Rows grow at 1024 and at 2048; what was known of each is still known, of counts and of costs."""
    one, two = plain.InFlightCounts(), compiled.InFlightCounts()
    calls = [("started", (row, 1.0, 0.0)) for row in (0, 5, 5, 1023, 1024, 1030)]
    calls += [("finished", (5, lb.Outcome.SUCCESS, None, 0.0, 0.25)), ("started", (7, 2.5, 0.0))]
    calls += [("started", (row, 1.0, 0.0)) for row in (0, 7, 2047, 2048, 5000)]
    calls += [("restart", (7,)), ("restart", (9000,)), ("started", (9000, 0.0, 0.0))]
    for load in (one, two):
        for name, arguments in calls:
            answer(load, name, arguments)
    rows = [0, 5, 7, 8, 1023, 1024, 1030, 2047, 2048, 5000, 9000, 10**6]
    assert [one.at(row) for row in rows] == [two.at(row) for row in rows] == [2, 1.75, 0, 0] + [1] * 6 + [0, 0]
    assert one.total(np.array(rows)) == two.total(np.array(rows)) == 9
    assert repr(one) == repr(two)
