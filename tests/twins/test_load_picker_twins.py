"""The compiled `LoadPicker` and the plain one: the same picks, walks, draws, scores and errors, bit for bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.kernels import alias as fast_alias
from lbalgo.kernels import load_picker as fast_picker
from lbalgo.kernels import loads as fast_loads
from lbalgo.kernels import structure as fast_structure
from lbalgo.kernels import urn as fast_urn
from lbalgo.policies.round_robin import whole_weights
from lbalgo.policies.weighted_random import _effective, ticket_counts
from lbalgo.reference import alias, hashing, load_picker, loads, structure, urn

WEIGHTS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, 3.0, 0.1, 0.3]),
    st.floats(0.0, 1e6),
    st.sampled_from([5e-324, 1e-300, 1e300, 1.7e308]),
)
SIZES = st.one_of(st.integers(1, 9), st.sampled_from([63, 64, 65, 128, 129, 1000]))


class Given:
    """A load whose answers are given; not everything it may be given is a load."""

    def __init__(self, values):
        self.values = values

    def at(self, row):
        return self.values[row]


def repeated(period, size):
    return list(itertools.islice(itertools.cycle(period), size))


@st.composite
def pools(draw):
    size = draw(SIZES)
    period = draw(st.lists(WEIGHTS, min_size=1, max_size=min(size, 6)))
    weights = repeated(period, size)
    factors = repeated(draw(st.sampled_from([[1.0], [1.0, 0.5], [0.1, 1.0, 1e-9]])), size)
    states = repeated(draw(st.sampled_from([[0], [0, 0, 2], [2], [0, 3]])), size)
    backends = [lb.Endpoint(f"b{i}", w) for i, w in enumerate(weights)]
    view = lb.View(backends, np.array(weights), np.array(factors), np.array(states, dtype=np.uint8))
    rows = draw(st.permutations(range(min(size, 9)))) + list(range(9, size))
    busy = draw(st.lists(st.integers(0, 5), min_size=1, max_size=7))
    return view, np.array(rows, dtype=np.int64), repeated(busy, size)


def twins(view, rows, fast_load, plain_load, choices, first, state, urns=True):
    policy = lb.LeastLoaded()
    slots = np.flatnonzero(view.eligible)
    fast_table = plain_table = None
    if choices < len(slots):
        whole = whole_weights(view.weights[slots].tolist(), view.factors[slots].tolist(), 4000)
        if urns and whole is not None:
            fast_table, plain_table = (m.Urn(slots, whole, len(view)) for m in (fast_urn, urn))
    if choices < len(slots) and plain_table is None:
        salts = [hashing.mix64(hashing.xxh64(i.encode())) for i in view.ids]
        counts = ticket_counts(_effective(view, slots))
        fast_table = fast_alias.AliasTable(slots, np.array([c % 2**64 for c in counts], dtype=np.uint64), salts)
        plain_table = alias.AliasTable(slots, counts, salts)
    last = int(rows.max()) + 1
    return (
        load_picker.LoadPicker(
            policy, view, policy.load, plain_load, rows, last, plain_table, structure.Cursor(state), choices, first
        ),
        fast_picker.LoadPicker(
            policy, view, policy.load, fast_load, rows, last, fast_table, fast_structure.Cursor(state), choices, first
        ),
    )


def answers(picker, calls):
    """What the picker answers, as ids and bits, errors included."""
    out = []
    for name, argument in calls:
        try:
            if name == "pick":
                out.append(picker.pick().id)
            elif name == "exclude":
                out.append(picker.pick("key", exclude={f"b{i}" for i in argument}).id)
            elif name == "walk":
                out.append([b.id for b in itertools.islice(picker.walk(), argument)])
            elif name == "drawn":
                out.append(picker.drawn(argument))
            else:
                out.append(picker.scores().tobytes())
        except Exception as error:
            out.append((type(error), str(error)))
        out.append(picker.cursor.state)
    return out


CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("pick"), st.none()),
        st.tuples(st.just("pick"), st.none()),
        st.tuples(st.just("exclude"), st.sets(st.integers(0, 9), max_size=9)),
        st.tuples(st.just("walk"), st.sampled_from([1, 3, 10, 70])),
        st.tuples(st.just("drawn"), st.one_of(st.integers(-1, 2**64), st.just(1.5), st.just(True))),
        st.tuples(st.just("scores"), st.none()),
    ),
    min_size=1,
    max_size=12,
)
CHOICES = st.sampled_from([1, 2, 2, 2, 3, 8, 64, 1000])


@given(pools(), CHOICES, st.booleans(), st.integers(0, 2**64 - 1), CALLS, st.booleans())
def test_same_answers(pool, choices, first, state, calls, urns):
    view, rows, busy = pool
    pair = twins(view, rows, fast_loads.InFlightCounts(busy), loads.InFlightCounts(busy), choices, first, state, urns)
    for picker in pair:
        picker.check_invariants()
    assert answers(pair[0], calls) == answers(pair[1], calls)


ANSWERS = st.one_of(
    st.floats(0, 9), st.integers(0, 9), st.sampled_from([float("nan"), -1.0, float("inf"), 1e308, None, "1", True])
)


@given(pools(), st.lists(ANSWERS, min_size=1, max_size=20), CHOICES, st.integers(0, 2**64 - 1), CALLS)
def test_same_answers_and_errors_of_a_foreign_load(pool, values, choices, state, calls):
    view, rows, _ = pool
    load = Given(repeated(values, len(rows)))
    pair = twins(view, rows, fast_loads.ForeignLoad(load), loads.ForeignLoad(load), choices, False, state)
    assert answers(pair[0], calls) == answers(pair[1], calls)


def test_loads_are_read_in_the_order_drawn():
    """Of two loads that are none, the first drawn is complained of."""
    view, load = lb.View.of({"b0": 1.0, "b1": 1.0, "b2": 1.0}), Given([float("nan")] * 3)
    for state in range(10):
        for picker in twins(view, np.arange(3), fast_loads.ForeignLoad(load), loads.ForeignLoad(load), 2, False, state):
            with pytest.raises(lb.ConfigError, match=rf"load\.at\({picker.drawn(state)[0]}\)"):
                picker.pick()


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("choices", [2, 1000])
def test_whole_walks_of_a_large_idle_pool(choices, first):
    view = lb.View.of({f"b{i}": 1 + i % 3 for i in range(500)})
    rows = np.arange(500)
    plain, fast = twins(view, rows, fast_loads.InFlightCounts(), loads.InFlightCounts(), choices, first, 17)
    assert answers(plain, [("walk", 500)] * 2) == answers(fast, [("walk", 500)] * 2)


@pytest.mark.parametrize("choices", [2, 3, 5])
def test_same_answers_when_one_backend_is_nearly_all_of_the_weight(choices):
    """Nearly all draws collide, so that 4 N of them do not find enough and the rest are drawn from the missing."""
    view = lb.View.of({f"b{i}": 1e18 if i == 7 else 1 + i % 3 for i in range(20)})
    busy = [i % 4 for i in range(20)]
    plain, fast = twins(
        view, np.arange(20), fast_loads.InFlightCounts(busy), loads.InFlightCounts(busy), choices, False, 5
    )
    calls = [("pick", None), ("walk", 20), ("drawn", 99)] * 30
    assert answers(plain, calls) == answers(fast, calls)


@pytest.mark.parametrize("choices", [2, 3])
def test_same_draws_whether_or_not_the_last_one_is_new(choices):
    """One draw in 14 or so is new: of 4 N the last, and one more that does not count, are so often enough."""
    view = lb.View.of({"a": 26.0} | dict.fromkeys("bcd"[:choices], 1.0))
    plain, fast = twins(
        view, np.arange(choices + 1), fast_loads.InFlightCounts(), loads.InFlightCounts(), choices, False, 0
    )
    for i in range(600):
        assert plain.drawn(i * 2**50) == fast.drawn(i * 2**50)
