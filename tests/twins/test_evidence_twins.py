"""The compiled evidence is the plain one, counter for counter, errors included."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo.kernels.evidence import Evidence as Compiled
from lbalgo.reference.evidence import Evidence

LARGEST = 2**63 - 1
TWINS = [Evidence, Compiled]
counts = st.integers(0, 5) | st.just(LARGEST - 10)
rows = st.lists(st.lists(counts, min_size=4, max_size=4), max_size=4)
odd = st.sampled_from([-1, 7, 10**30, -(10**30), True, None, 1.0, "1"])
slots = st.integers(0, 4) | odd
codes = st.integers(0, 6) | odd
calls = st.one_of(
    st.tuples(st.just("record"), slots, codes),
    st.tuples(st.just("streaks"), slots),
    st.tuples(st.just("clear"), slots, st.booleans(), st.booleans()),
    st.tuples(st.just("take")),
    st.tuples(st.just("rows")),
    st.tuples(
        st.just("load"), rows | st.sampled_from([[[1, 2, 3]], [[1, 2, 3, -1]], [[1, 2, 3, 2**63]], [[0, 0, 0, True]]])
    ),
    st.tuples(st.just("__len__")),
    st.tuples(st.just("__repr__")),
)


def answer(evidence, call):
    try:
        return getattr(evidence, call[0])(*call[1:])
    except Exception as error:
        return type(error), str(error)


@given(st.integers(0, 4), st.integers(0, 4), rows, st.lists(calls, max_size=40))
def test_equal(errors, gateway, start, script):
    pair = [twin(errors, gateway) for twin in TWINS]
    for evidence in pair:
        evidence.load(start)
    for call in script:
        first, second = (answer(evidence, call) for evidence in pair)
        assert first == second
        assert type(first) is type(second)
    assert pair[0].rows() == pair[1].rows()


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("thresholds", [(-1, 0), (0, -1), (2**63, 0), (0, 2**63), (True, 0), (1.0, 0), (0, None)])
def test_thresholds(twin, thresholds):
    with pytest.raises(ValueError, match="_threshold = "):
        twin(*thresholds)


@pytest.mark.parametrize("twin", TWINS)
def test_refused_rows_change_nothing(twin):
    evidence = twin(2, 2)
    evidence.load([(1, 1, 0, 1)])
    with pytest.raises(ValueError, match="rows = "):
        evidence.load([(0, 0, 0, 0), (0, 0, 0, -1)])
    assert evidence.rows() == [(1, 1, 0, 1)]


@pytest.mark.parametrize("twin", TWINS)
def test_copies_are_their_own(twin):
    evidence = twin(3, 2)
    evidence.load([(1, 1, 4, 5), (0, 0, 0, 0)])
    for other in (copy.deepcopy(evidence), pickle.loads(pickle.dumps(evidence))):
        assert (repr(other), other.rows()) == (repr(evidence), evidence.rows())
        other.record(0, 1)
        assert evidence.rows()[0] == (1, 1, 4, 5)


@pytest.mark.parametrize("twin", TWINS)
def test_without_thresholds_nothing_ever_trips(twin):
    evidence = twin()
    evidence.load([(0, 0, 0, 0)])
    assert [evidence.record(0, code) for code in (1, 2, 1, 4, 5)] == [False] * 5


@pytest.mark.parametrize("twin", TWINS)
def test_only_an_error_trips(twin):
    """A run just below its thresholds, then an end that is no evidence, or a success."""
    for code in (6, 0, 3):
        evidence = twin(1, 1)
        evidence.load([(0, 0, 0, 0)])
        assert evidence.record(0, code) is False
        assert evidence.record(0, 2) is True


def test_note_passes_over_what_it_does_not_know():
    """Whoever calls `note` looks at nothing first; compiled it is called from C alone."""
    evidence = Evidence(1, 1)
    evidence.load([(0, 0, 0, 0)] * 2)
    for slot, code in ((-1, 1), (2, 1), (3, 2), (0, -1), (0, 7), (1, 8), (-1, 7)):
        assert evidence.note(slot, code) is False
    assert evidence.rows() == [(0, 0, 0, 0)] * 2
