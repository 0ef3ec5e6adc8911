"""The compiled loads and the plain ones: the same answers and the same errors, call by call."""

import math

from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
import lbalgo.reference.loads as plain
from lbalgo.kernels import loads as compiled

ROWS = st.one_of(st.integers(-2, 40), st.sampled_from([2**31, 10**30, 1.5, None, True, "1"]))
AMOUNTS = st.one_of(st.floats(), st.integers(-1, 3), st.sampled_from([None, "1", True]))
OUTCOMES = st.one_of(st.sampled_from(list(lb.Outcome)), st.just("success"))
CALLS = st.one_of(
    st.tuples(st.just("started"), st.tuples(ROWS, AMOUNTS, AMOUNTS)),
    st.tuples(st.just("started"), st.tuples(st.integers(0, 9), st.just(1.0), st.just(0.0))),
    st.tuples(st.just("finished"), st.tuples(ROWS, OUTCOMES, AMOUNTS, AMOUNTS)),
    st.tuples(st.just("finished"), st.tuples(st.integers(0, 9), OUTCOMES, st.none(), st.just(0.0))),
    st.tuples(st.just("advance"), st.tuples(AMOUNTS)),
    st.tuples(st.just("at"), st.tuples(ROWS)),
    st.tuples(st.just("restart"), st.tuples(ROWS)),
)


def answer(load, name, arguments):
    try:
        return getattr(load, name)(*arguments)
    except Exception as error:
        return type(error), str(error)


@given(st.lists(CALLS, max_size=60), st.booleans())
def test_same_answers(calls, foreign):
    one, two = plain.InFlightCounts(), compiled.InFlightCounts()
    if foreign:
        one, two = plain.ForeignLoad(one), compiled.ForeignLoad(two)
    for name, arguments in calls:
        assert answer(one, name, arguments) == answer(two, name, arguments)
        assert repr(one) == repr(two)


def test_errors_are_compared():
    assert answer(compiled.InFlightCounts(), "at", (math.nan,))[0] is lb.ConfigError
