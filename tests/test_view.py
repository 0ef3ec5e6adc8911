"""`View`: columns, eligibility, panic arithmetic, restriction, and what a value has to be."""

import pickle
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import Endpoint, State, View
from lbalgo.testing import strategies as some
from lbalgo.view import members_of, view_of

HEALTHY, DEGRADED, UNHEALTHY, DRAINING = State


@dataclass(frozen=True)
class Own:
    id: str
    weight: float = 1.0


def test_columns_default_and_by_id():
    view = View.of(
        ["a", Own("b", 2.0), Endpoint("c", 3.0)], weights={"c": 0}, factors={"a": 0.5}, states={"b": DEGRADED}
    )
    assert view.ids == ("a", "b", "c") and len(view) == 3
    assert view.backends == (Endpoint("a"), Own("b", 2.0), Endpoint("c", 3.0))
    assert view.weights.tolist() == [1.0, 2.0, 0.0]
    assert view.factors.tolist() == [0.5, 1.0, 1.0]
    assert view.states.tolist() == [0, 1, 0]
    assert view.weights.dtype == view.factors.dtype == np.float64
    assert view.states.dtype == np.uint8 and view.eligible.dtype == np.bool_
    assert view.rows is None


@pytest.mark.parametrize(
    ("weight", "state", "normally", "in_panic"),
    [
        (1.0, HEALTHY, True, True),
        (1.0, DEGRADED, False, True),
        (1.0, UNHEALTHY, False, True),
        (1.0, DRAINING, False, False),
        (0.0, HEALTHY, False, False),
        (0.0, UNHEALTHY, False, False),
    ],
)
def test_who_is_eligible(weight, state, normally, in_panic):
    one = {"a": (weight, state)}
    for company, wanted in ((HEALTHY, normally), (UNHEALTHY, in_panic)):
        pool = one | {f"c{k}": (1.0, company) for k in range(9)}
        view = View.of({i: w for i, (w, _) in pool.items()}, states={i: s for i, (_, s) in pool.items()})
        assert view.panic is (company is UNHEALTHY)
        assert bool(view.eligible[0]) is wanted


@given(st.lists(st.sampled_from(State), max_size=12), st.sampled_from([0.0, 0.25, 0.5, 1 / 3, 0.75, 1.0]), st.data())
def test_panic_is_fewer_healthy_than_the_threshold(states, threshold, data):
    """Exact rational arithmetic on the candidates (weight > 0, not DRAINING) agrees."""
    weights = data.draw(st.lists(st.sampled_from([0.0, 1.0, 5.0]), min_size=len(states), max_size=len(states)))
    view = View.of(
        {str(k): w for k, w in enumerate(weights)},
        states={str(k): s for k, s in enumerate(states)},
        panic_below=threshold,
    )
    candidates = [s for s, w in zip(states, weights, strict=True) if w > 0 and s is not DRAINING]
    healthy = candidates.count(HEALTHY)
    panic = Fraction(healthy) < Fraction(threshold) * len(candidates)
    assert view.panic is panic
    able = [w > 0 and (s is HEALTHY or (panic and s is not DRAINING)) for s, w in zip(states, weights, strict=True)]
    assert view.eligible.tolist() == able


def test_panic_at_the_edges():
    half = {"a": HEALTHY, "b": UNHEALTHY}
    assert not View.of(["a", "b"], states=half).panic, "half healthy is not below a half"
    assert View.of(["a", "b"], states=half, panic_below=0.51).panic
    assert not View.of(["a"], states={"a": UNHEALTHY}, panic_below=0.0).panic, "0 never panics"
    assert View.of(["a"], states={"a": UNHEALTHY}).panic
    assert not View.of([]).panic
    assert not View.of(["a"], states={"a": DRAINING}).panic, "nobody could be used again"


@given(some.views(max_size=33), st.data())
def test_restrict_is_the_view_of_the_kept(view, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(view), max_size=len(view))), dtype=np.bool_)
    kept = view.restrict(mask)
    slots = np.flatnonzero(mask).tolist()
    direct = View.of(
        [view.backends[k] for k in slots],
        weights={view.ids[k]: view.weights[k] for k in slots},
        factors={view.ids[k]: view.factors[k] for k in slots},
        states={view.ids[k]: int(view.states[k]) for k in slots},
        panic_below=view.panic_below,
    )
    assert kept == direct
    assert kept.panic == direct.panic and kept.eligible.tolist() == direct.eligible.tolist()


def test_restrict_keeps_rows_and_judges_panic_anew():
    view = View(
        (Own("a"), Own("b"), Own("c")),
        np.ones(3),
        np.ones(3),
        np.array([0, 0, 2]),
        rows=np.array([7, 3, 5]),
    )
    assert not view.panic
    rest = view.restrict([False, False, True])
    assert rest.rows.tolist() == [5] and rest.panic and rest.eligible.tolist() == [True]
    assert view.restrict([True, True, True]) == view


@pytest.mark.parametrize("column", ["weights", "factors", "states", "eligible"])
def test_columns_are_read_only(column):
    view = View.of(["a", "b"])
    array = getattr(view, column)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = array[1]


def test_a_view_keeps_its_own_copy():
    weights = np.ones(2)
    view = View((Own("a"), Own("b")), weights, np.ones(2), np.zeros(2))
    weights[0] = 9.0
    assert view.weights.tolist() == [1.0, 1.0]


def test_of_a_view_keeps_its_columns():
    rows = np.array([4, 2])
    view = View((Own("a"), Own("b")), np.array([3.0, 1.0]), np.array([0.5, 1.0]), np.array([0, 2]), rows=rows)
    again = View.of(view, factors={"b": 0.25})
    assert again.weights.tolist() == [3.0, 1.0] and again.factors.tolist() == [0.5, 0.25]
    assert again.states.tolist() == [0, 2] and again.rows.tolist() == [4, 2]


@given(some.views(max_size=33))
def test_repr_evaluates_and_pickles_to_an_equal_view(view):
    for again in (eval(repr(view)), pickle.loads(pickle.dumps(view))):
        assert again == view
        assert again.eligible.tolist() == view.eligible.tolist() and again.panic == view.panic


def test_equality():
    view = View.of({"a": 1, "b": 2})
    assert view == View.of({"a": 1, "b": 2}) and view != "view"
    for other in (
        View.of({"b": 2, "a": 1}),
        View.of({"a": 1}),
        View.of({"a": 1, "b": 2}, factors={"a": 0.5}),
        View.of({"a": 1, "b": 2}, states={"a": DEGRADED}),
        View.of({"a": 1, "b": 2}, panic_below=0.4),
        View.of([Endpoint("a", 1.0, "z"), Endpoint("b", 2.0)]),
    ):
        assert view != other
    with pytest.raises(TypeError):
        hash(view)


def test_what_a_beginner_has():
    wanted = [Endpoint("a", 1.0), Endpoint("b", 1.0)]
    for pool in (["a", "b"], ("a", "b"), iter(["a", "b"]), {"a": 1.0, "b": 1.0}, wanted, {"a": 1, "b": 1}):
        assert members_of(pool) == wanted
    own = Own("a")
    assert members_of([own])[0] is own
    view = View.of(["a"])
    assert view_of(view) is view and view_of(["a"]) == view


def test_an_own_weight_may_be_any_number():
    assert View.of([Own("a", Fraction(1, 2)), Own("b", np.float32(2.0))]).weights.tolist() == [0.5, 2.0]
