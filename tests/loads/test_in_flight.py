"""The in-flight count: what it counts, what it refuses, and that nothing is ever lost from its ledger."""

import collections
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
import lbalgo.reference.loads as plain
from lbalgo import active

DONE = lb.Outcome.SUCCESS
COUNTS = [plain.InFlightCounts, active.InFlightCounts]
FOREIGN = [(plain.ForeignLoad, plain.InFlightCounts), (active.ForeignLoad, active.InFlightCounts)]


@pytest.mark.parametrize("counts", COUNTS)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["start", "finish", "restart", "read"])), max_size=200))
def test_opened_is_closed_plus_in_flight(counts, steps):
    load, ledger = counts(), collections.Counter()
    opened = closed = forgotten = 0
    for row, step in steps:
        if step == "start":
            load.started(row, 1.0, 0.0)
            ledger[row] += 1
            opened += 1
        elif step == "restart":
            forgotten += ledger.pop(row, 0)
            load.restart(row)
        elif step == "finish" and ledger[row]:
            load.finished(row, DONE, None, 0.0)
            ledger[row] -= 1
            closed += 1
        elif step == "finish":
            with pytest.raises(lb.ConfigError) as error:
                load.finished(row, DONE, None, 0.0)
            assert (error.value.parameter, error.value.value) == ("row", row)
        assert load.at(row) == ledger[row]
    assert opened == closed + forgotten + sum(load.at(row) for row in range(41))


@pytest.mark.parametrize("counts", COUNTS)
def test_rows_grow_zeroed_and_keep_what_they_held(counts):
    load = counts()
    for row in [0, 7, 8, 9, 100, 5000, 5000, 100_000]:
        load.started(row, 1.0, 0.0)
    busy = {row: load.at(row) for row in range(100_002) if load.at(row)}
    assert busy == {0: 1.0, 7: 1.0, 8: 1.0, 9: 1.0, 100: 1.0, 5000: 2.0, 100_000: 1.0}
    assert load.at(2**31 - 1) == 0.0


BAD_ROWS = [-1, 2**31, 2**70, 1.0, "0", None, True, math.nan]
BAD_AMOUNTS = [-1.0, math.nan, math.inf, "1", True, 10**400]
BAD_INSTANTS = [math.nan, math.inf, -math.inf, "0", None]


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize(
    "call, parameter, value",
    [("started", "row", (row, 1.0, 0.0)) for row in BAD_ROWS]
    + [("finished", "row", (row, DONE, None, 0.0)) for row in BAD_ROWS]
    + [("at", "row", (row,)) for row in BAD_ROWS]
    + [("restart", "row", (row,)) for row in BAD_ROWS]
    + [("started", "cost", (0, cost, 0.0)) for cost in [*BAD_AMOUNTS, None]]
    + [("finished", "latency", (0, DONE, latency, 0.0)) for latency in BAD_AMOUNTS]
    + [("finished", "outcome", (0, outcome, None, 0.0)) for outcome in ["success", 0, None]]
    + [("started", "now", (0, 1.0, now)) for now in BAD_INSTANTS]
    + [("finished", "now", (0, DONE, None, now)) for now in BAD_INSTANTS]
    + [("advance", "now", (now,)) for now in BAD_INSTANTS],
)
def test_bad_input_is_refused_and_changes_nothing(counts, call, parameter, value):
    load = counts([1, 2])
    with pytest.raises(lb.ConfigError) as error:
        getattr(load, call)(*value)
    assert error.value.parameter == parameter
    assert repr(load) == "InFlightCounts([1, 2])"


@pytest.mark.parametrize("counts", COUNTS)
def test_numbers_of_other_types_are_taken(counts):
    load = counts()
    load.started(np.int64(2), 1, 0)
    load.finished(np.uint8(2), DONE, np.float64(0.5), np.int32(3))
    load.started(0, np.float32(2.0), 5)
    load.advance(7)
    assert repr(load) == "InFlightCounts([1], [2.0])"


@pytest.mark.parametrize("counts", COUNTS)
def test_repr_and_pickle_give_the_load_back(counts):
    load = counts([0, 3, 1, 0])
    assert repr(load) == "InFlightCounts([0, 3, 1])"
    assert repr(eval(repr(load), {"InFlightCounts": counts})) == repr(load)
    assert repr(pickle.loads(pickle.dumps(load))) == repr(load)
    with pytest.raises(lb.ConfigError):
        counts([0, -1])


@pytest.mark.parametrize("foreign, counts", FOREIGN)
def test_a_foreign_load_is_the_load_it_adapts(foreign, counts):
    seen = []

    class Mine:
        def started(self, row, cost, now):
            seen.append(("started", row, cost, now))

        def finished(self, row, outcome, latency, now, cost=1.0):
            seen.append(("finished", row, outcome, latency, now, cost))

        def advance(self, now):
            seen.append(("advance", now))

        def at(self, row):
            return row / 2

    load = foreign(Mine())
    load.started(1, 2.0, 3.0)
    load.finished(1, lb.Outcome.TIMEOUT, None, 4.0)
    load.finished(1, lb.Outcome.CANCELLED, 0.25, 5.0, 2.0)
    load.advance(6.0)
    load.restart(1)
    assert load.at(3) == 1.5
    assert seen == [
        ("started", 1, 2.0, 3.0),
        ("finished", 1, lb.Outcome.TIMEOUT, None, 4.0, 1.0),
        ("finished", 1, lb.Outcome.CANCELLED, 0.25, 5.0, 2.0),
        ("advance", 6.0),
    ]
    inner = counts([4])
    foreign(inner).restart(0)
    assert inner.at(0) == 0.0
    assert repr(foreign(counts([1]))) == "ForeignLoad(InFlightCounts([1]))"
    assert pickle.loads(pickle.dumps(foreign(counts([1])))).at(0) == 1.0


@pytest.mark.parametrize("foreign, counts", FOREIGN)
@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf, -1.0, -1e-300, None, "1", True])
def test_an_impossible_foreign_load_is_refused(foreign, counts, answer):
    class Broken:
        def at(self, row):
            return answer

    with pytest.raises(lb.ConfigError) as error:
        foreign(Broken()).at(7)
    assert error.value.parameter == "load.at(7)"


@pytest.mark.parametrize("module", [plain, active])
def test_the_base_is_zero_everywhere(module):
    load = module.LoadState()
    load.started(0, 1.0, 0.0)
    load.finished(5, DONE, None, 0.0)
    load.advance(1.0)
    load.restart(0)
    assert load.at(0) == 0.0


def test_specification():
    assert lb.InFlight() == lb.InFlight() and hash(lb.InFlight()) == hash(lb.InFlight())
    assert lb.InFlight().to_dict() == {"type": "InFlight"}
    assert lb.InFlight.from_dict(lb.InFlight().to_dict()) == lb.InFlight()
    assert pickle.loads(pickle.dumps(lb.InFlight())) == lb.InFlight()
    assert isinstance(lb.InFlight().start(), active.InFlightCounts)
    for bad in [{"type": "PeakEwma"}, {"tau": 1.0}, "InFlight"]:
        with pytest.raises(lb.ConfigError):
            lb.InFlight.from_dict(bad)


def test_repr_shows_every_row_up_to_the_last_busy_one():
    load = lb.InFlight().start()
    assert repr(load) == "InFlightCounts([])"
    load.started(2, 1.0, 0.0)
    assert repr(load) == "InFlightCounts([0, 0, 1])"
    load.started(0, 1.0, 0.0)
    load.finished(2, DONE, None, 0.0)
    assert repr(load) == "InFlightCounts([1])"
    load.finished(0, DONE, None, 0.0)
    assert repr(load) == "InFlightCounts([])"


@pytest.mark.parametrize("now", [float("nan"), float("inf"), "0", None])
def test_a_foreign_load_is_told_the_time_only_if_it_is_one(now):
    load = active.ForeignLoad(lb.InFlight().start())
    with pytest.raises(lb.ConfigError) as refused:
        load.advance(now)
    assert refused.value.parameter == "now"
