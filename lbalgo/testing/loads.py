"""`LoadContract`: what every load promises, whatever it measures."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import hypothesis
from hypothesis import strategies as st

from lbalgo.errors import ConfigError
from lbalgo.testing import strategies as some
from lbalgo.testing.laws import GlobalRandomness, law
from lbalgo.types import Outcome

ROWS = 4
Step = tuple[str, int, float, Outcome, float | None, float]  # what, row, cost, outcome, latency, seconds since the last


class LoadContract:
    """What every load promises. Subclass it and set `load`, the frozen specification whose `start` makes the state.

    Attributes
    ----------
    load : the specification under test.
    settings : Hypothesis settings, or None for those in force.

    Examples
    --------
    >>> from lbalgo import InFlight
    >>> class TestInFlight(LoadContract):
    ...     load = InFlight()
    >>> TestInFlight().test_reading_changes_nothing()
    """

    load: Any
    settings: hypothesis.settings | None = None

    def steps(self, data: st.DataObject, label: str = "steps") -> list[Step]:
        """A drawn history: ("start" | "finish" | "pass", row, cost, outcome, latency, seconds since the step before).

        Nothing is finished that was not started.
        """
        drawn = data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["start", "start", "finish", "pass"]),
                    st.integers(0, ROWS - 1),
                    st.floats(0.0, 100.0),
                    some.outcomes(),
                    some.latencies(),
                    some.durations(),
                ),
                max_size=25,
            ),
            label=label,
        )
        open_, kept = [0] * ROWS, []
        for what, row, *rest in drawn:
            open_[row] += (what == "start") - (what == "finish")
            if open_[row] < 0:
                open_[row] = 0
            else:
                kept.append((what, row, *rest))
        return kept

    def play(self, state: Any, steps: list[Step], now: float = 0.0, *, only: int | None = None) -> float:
        """Runs a history and returns its last instant; with `only`, time alone passes where other rows are meant."""
        for what, row, cost, outcome, latency, wait in steps:
            now += wait
            if what == "pass" or only not in (None, row):
                state.advance(now)
            elif what == "start":
                state.started(row, cost, now)
            else:
                state.finished(row, outcome, latency, now, cost)
        return now

    def loads(self, state: Any) -> list[float]:
        """The load of every row."""
        return [state.at(row) for row in range(ROWS)]

    @law
    def test_a_load_is_finite_and_not_negative(self, data: st.DataObject) -> None:
        """`at` is finite and >= 0, always; also of a row that nobody has used."""
        state, now = self.load.start(), 0.0
        for step in self.steps(data):
            now = self.play(state, [step], now)
            for row in (*range(ROWS), 1000):
                load = state.at(row)
                assert math.isfinite(load) and load >= 0, f"at({row}) is {load}"

    @law
    def test_reading_changes_nothing(self, data: st.DataObject) -> None:
        """`at` never mutates: a load that is read all the time is the one that is read once."""
        read, unread, now = self.load.start(), self.load.start(), 0.0
        steps = self.steps(data)
        for step in steps:
            now = self.play(read, [step], now)
            first, again = self.loads(read), self.loads(read)
            assert first == again, f"read {first}, then {again}"
        self.play(unread, steps)
        assert self.loads(read) == self.loads(unread), f"read {self.loads(read)}, unread {self.loads(unread)}"

    @law
    def test_what_was_started_is_finished_once(self, data: st.DataObject) -> None:
        """What was started can be finished, once; finishing more is a ConfigError and changes nothing."""
        state, steps = self.load.start(), self.steps(data)
        now = self.play(state, steps)
        for row in range(ROWS):
            begun = sum((what == "start") - (what == "finish") for what, at, *_ in steps if at == row)
            for _ in range(begun):
                state.finished(row, Outcome.SUCCESS, 0.1, now)
            before = self.loads(state)
            try:
                state.finished(row, Outcome.SUCCESS, 0.1, now)
            except ConfigError as refused:
                assert refused.parameter == "row", f"ConfigError names {refused.parameter!r}"
            else:
                raise AssertionError(f"row {row} finished what was never started")
            assert self.loads(state) == before, f"the refusal changed {before} to {self.loads(state)}"

    @law
    def test_rows_are_independent(self, data: st.DataObject) -> None:
        """What happens in one row shows in no other, but for the time that passes."""
        steps, row = self.steps(data), data.draw(st.integers(0, ROWS - 1), label="row")
        together, alone = self.load.start(), self.load.start()
        self.play(together, steps)
        self.play(alone, steps, only=row)
        assert together.at(row) == alone.at(row), f"at({row}) is {together.at(row)}, without the others {alone.at(row)}"

    @law
    def test_time_does_not_run_backwards(self, data: st.DataObject) -> None:
        """`advance` to an earlier instant is a no-op; `advance(a); advance(b)` is `advance(b)` for a <= b."""
        steps, waits = self.steps(data), data.draw(st.tuples(some.durations(), some.durations()), label="waits")
        direct, stepwise = self.load.start(), self.load.start()
        now = self.play(direct, steps)
        self.play(stepwise, steps)
        direct.advance(now + waits[0] + waits[1])
        stepwise.advance(now + waits[0])
        stepwise.advance(now + waits[0] + waits[1])
        assert self.loads(direct) == self.loads(stepwise), (
            f"{self.loads(direct)} at once, {self.loads(stepwise)} in two"
        )
        stepwise.advance(now - 1.0)
        assert self.loads(direct) == self.loads(stepwise), f"an earlier instant made {self.loads(stepwise)}"

    @law
    def test_equal_histories_mean_equal_loads(self, data: st.DataObject) -> None:
        """A load is a function of its history, read from its arguments alone: no clock, no global randomness."""
        steps = self.steps(data)
        first, second = self.load.start(), self.load.start()
        with GlobalRandomness():
            self.play(first, steps)
            self.play(second, steps)
        assert self.loads(first) == self.loads(second), f"{self.loads(first)} and {self.loads(second)}"

    @law
    def test_bad_events_change_nothing(self, data: st.DataObject) -> None:
        """Events with a row, cost, latency or instant out of range are a ConfigError, and change nothing."""
        state = self.load.start()
        now = self.play(state, self.steps(data))
        state.started(0, 1.0, now)
        before = self.loads(state)
        nan = math.nan
        calls: list[tuple[Any, tuple[Any, ...]]] = [(state.started, (row, 1.0, now)) for row in (-1, 2**63, True, 1.0)]
        calls += [(state.started, (0, cost, now)) for cost in (nan, math.inf, -1.0)]
        calls += [(state.started, (0, 1.0, when)) for when in (nan, math.inf)]
        calls += [(state.finished, (-1, Outcome.SUCCESS, 0.1, now)), (state.finished, (0, "success", 0.1, now))]
        calls += [(state.finished, (0, Outcome.SUCCESS, took, now)) for took in (nan, math.inf, -1.0)]
        calls += [(state.finished, (0, Outcome.SUCCESS, 0.1, when)) for when in (nan, math.inf)]
        calls += [(state.finished, (0, Outcome.SUCCESS, 0.1, now, cost)) for cost in (nan, math.inf, -1.0)]
        calls += [(state.advance, (when,)) for when in (nan, -math.inf)]
        calls += [(state.at, (-1,))]
        for call, arguments in calls:
            try:
                call(*arguments)
            except ConfigError:
                assert self.loads(state) == before, f"{call.__name__}{arguments} was refused and changed something"
            else:
                raise AssertionError(f"{call.__name__}{arguments} was taken")

    @law
    def test_a_load_survives_json_and_pickle(self) -> None:
        """The specification comes back equal from `to_dict` through JSON, and from pickle."""
        again = type(self.load).from_dict(json.loads(json.dumps(self.load.to_dict())))
        for copy in (again, pickle.loads(pickle.dumps(self.load))):
            assert copy == self.load and hash(copy) == hash(self.load), f"{copy!r} is not {self.load!r}"
