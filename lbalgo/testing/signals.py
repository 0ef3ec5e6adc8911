"""`SignalContract`: what every signal promises: a sans-IO state machine that can be driven, copied and composed.

A history is a list of steps over a few, easily confused ids. Steps name ids, not slots, so that the same history can be
played into pools listed in another order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from lbalgo.testing import strategies as some
from lbalgo.testing.history import Run, Step
from lbalgo.testing.laws import GlobalRandomness, law
from lbalgo.types import Outcome, State

POOL = some.ALIKE[:4]


class SignalContract:
    """What every signal promises. Subclass it and define `signal`, which makes a new one.

    Attributes
    ----------
    longest : seconds between two events, at most; let a few of the signal's own periods fit in.
    most_steps : length of the longest history.
    several : strategy of outcomes to end with, all different.
    settings : Hypothesis settings, or None for those in force.

    Examples
    --------
    >>> from lbalgo.testing import laws_of
    >>> laws_of(SignalContract)["test_flapping_erases_nothing"]
    'Who leaves and returns within `forget_after` is what it was.'
    """

    longest: float = 100.0
    most_steps: int = 25
    settings: hypothesis.settings | None = None
    several = st.lists(st.sampled_from(Outcome), unique=True, min_size=1)

    def signal(self) -> Any:
        """A new signal; every call makes an equal one."""
        raise TypeError(f"{type(self).__name__} does not say which signal it is about")

    def steps(self, data: st.DataObject, label: str = "steps") -> list[Step]:
        """A drawn history: a sync, steps of a few kinds with few outcomes, and at last bursts of several outcomes."""
        one = st.sampled_from(POOL)
        outcomes = st.sampled_from(data.draw(st.lists(some.outcomes(), min_size=1, max_size=3), label="outcomes"))
        kinds = {
            "observe": st.tuples(one, outcomes, some.latencies()),
            "burst": st.tuples(one, outcomes),
            "advance": st.none(),
            "sync": st.lists(one, unique=True, min_size=1),
            "changed": st.tuples(one, st.sampled_from(State)),
        }
        chosen = data.draw(st.lists(st.sampled_from(sorted(kinds)), unique=True, min_size=2), label="kinds")
        wait = {kind: some.durations(self.longest if kind == "advance" else 1.0) for kind in chosen}
        step = st.one_of([st.tuples(st.just(kind), wait[kind], kinds[kind]) for kind in chosen])
        members = data.draw(st.lists(one, unique=True, min_size=1), label="first members")
        length = data.draw(st.integers(0, self.most_steps), label="length")
        middle = data.draw(st.lists(step, min_size=length, max_size=length), label=label)
        whose = data.draw(st.sampled_from(members), label="last of")
        said = data.draw(self.several, label="last outcomes")
        last = [("burst", 0.25, (whose, outcome)) for outcome in said]
        return [("sync", 0.0, members), *middle, *last]

    def play(self, signal: Any, steps: Iterable[Step], now: float = 0.0, members: Iterable[str] = ()) -> Run:
        """Plays a history into a signal from the instant `now` and the members it has."""
        run = Run(signal, now, tuple(members))
        for step in steps:
            run.take(step)
        return run

    @law
    def test_factors_are_factors_and_states_only_worsen(self, data: st.DataObject) -> None:
        """`apply` writes factors in (0, 1] and states; a state already there is only worsened."""
        run = self.play(self.signal(), [])
        for step in self.steps(data):
            run.take(step)
            factors, states = run.applied()
            assert ((factors > 0) & (factors <= 1)).all(), f"factors are {factors.tolist()}"
            assert (states <= State.DRAINING).all(), f"states are {states.tolist()}"
            for worst in State:
                _, worsened = run.applied(state=worst)
                wanted = np.maximum(states, worst)
                assert (worsened == wanted).all(), (
                    f"over {worst.name} states are {worsened.tolist()}, not {wanted.tolist()}"
                )

    @law
    def test_the_order_of_signals_is_irrelevant(self, data: st.DataObject) -> None:
        """What other signals wrote before changes nothing: `apply` writes its own factors, and the worse state."""
        run = self.play(self.signal(), self.steps(data))
        factors, _ = run.applied()
        over, _ = run.applied(factor=data.draw(some.factors(), label="factors found"))
        assert (over == factors).all(), f"factors are {over.tolist()}, alone {factors.tolist()}"

    @law
    def test_equal_version_means_equal_apply(self, data: st.DataObject) -> None:
        """While `version` stays, `apply` answers the same; whoever watches it misses nothing."""
        run = self.play(self.signal(), [])
        seen: dict[int, Any] = {}
        for step in [*self.steps(data), ("advance", self.longest, None)]:
            run.take(step)
            answer = tuple(column.tolist() for column in run.applied())
            before = seen.setdefault(run.signal.version, answer)
            assert before == answer, f"version {run.signal.version} was {before}, after {step[0]} it is {answer}"

    @law
    def test_applying_changes_nothing(self, data: st.DataObject) -> None:
        """`apply` only reads: a signal that is applied all the time goes on as one that is not."""
        steps = self.steps(data)
        watched = self.play(self.signal(), [])
        for step in steps:
            watched.take(step)
            watched.applied()
            assert watched.tell() == watched.tell(), "two looks differ"
        assert watched.tell() == self.play(self.signal(), steps).tell(), "being looked at changed the signal"

    @law
    def test_advancing_in_steps_is_advancing_at_once(self, data: st.DataObject) -> None:
        """`advance(a); advance(b)` is `advance(b)` for a <= b, without events between."""
        steps = self.steps(data)
        waits = data.draw(st.lists(some.durations(self.longest), min_size=1, max_size=5), label="waits")
        direct, stepwise = (self.play(self.signal(), steps) for _ in range(2))
        for wait in waits:
            stepwise.take(("advance", wait, None))
        direct.signal.advance(stepwise.now)
        assert direct.tell() == stepwise.tell(), f"at once {direct.tell()}, in steps {stepwise.tell()}"

    @law
    def test_an_earlier_now_is_a_no_op(self, data: st.DataObject) -> None:
        """`advance` to an instant before the latest seen changes nothing, now or later."""
        steps, back = self.steps(data), data.draw(some.durations(self.longest), label="how much earlier")
        late = data.draw(self.several, label="late outcomes")
        run, other = (self.play(self.signal(), steps) for _ in range(2))
        version = run.signal.version
        run.signal.advance(run.now - back)
        assert run.tell() == other.tell(), f"{other.tell()} became {run.tell()}"
        assert run.signal.version == version, "the version moved"
        for each in (run, other):
            each.repeat(late, each.now - back)
        assert run.tell() == other.tell(), f"later it is {run.tell()}, else {other.tell()}"

    @law
    def test_a_late_observation_counts(self, data: st.DataObject) -> None:
        """An observation with an earlier `now` counts, at the latest instant seen."""
        steps, late = self.steps(data), data.draw(some.durations(self.longest), label="how late")
        outcomes = data.draw(self.several, label="outcomes")
        timely, tardy = (self.play(self.signal(), steps) for _ in range(2))
        timely.repeat(outcomes, timely.now)
        tardy.repeat(outcomes, tardy.now - late)
        for _ in range(2):
            assert timely.tell() == tardy.tell(), f"in time {timely.tell()}, late {tardy.tell()}"
            for run in (timely, tardy):
                run.take(("advance", self.longest, None))

    @law
    def test_the_deadline_is_not_idle(self, data: st.DataObject) -> None:
        """After `advance(deadline)` the version or the deadline has moved, and the deadline lies ahead."""
        run = self.play(self.signal(), self.steps(data))
        for _ in range(4):
            deadline, version = run.signal.deadline, run.signal.version
            if deadline is None:
                return
            run.signal.advance(deadline)
            run.now = max(run.now, deadline)
            moved = run.signal.version != version or run.signal.deadline != deadline
            assert moved, f"advance({deadline}) moved neither version {version} nor the deadline"
            left = run.signal.deadline
            assert left is None or left > deadline, f"after advance({deadline}) the deadline is {left}"

    @law
    def test_nothing_happens_before_the_deadline(self, data: st.DataObject) -> None:
        """Between events `apply` changes at the deadline or later, never before: to wake at the deadline is enough."""
        run = self.play(self.signal(), self.steps(data))
        before, deadline = run.answers(), run.signal.deadline
        left = self.longest if deadline is None else deadline - run.now
        for share in (0.125, 0.5, 0.75, 0.9, 0.999):
            now = run.now + share * left
            if deadline is None or now < deadline:
                run.signal.advance(now)
                assert run.answers() == before, f"the deadline is {deadline}, but at {now} {before} is {run.answers()}"

    @law
    def test_sync_keeps_the_state_of_survivors(self, data: st.DataObject) -> None:
        """`sync` keeps the state of those who stay, in whatever order they are listed; at the same instant it moves
        neither a factor nor a state of theirs."""
        run = self.play(self.signal(), self.steps(data))
        before, members = run.answers(), run.members
        run.take(
            ("sync", 0.0, data.draw(st.lists(st.sampled_from(POOL), unique=True, min_size=1), label="next members"))
        )
        for name in set(members) & set(run.members):
            assert run.answers()[name] == before[name], f"{name!r} was {before[name]}, after sync {run.answers()[name]}"

    @law
    def test_flapping_erases_nothing(self, data: st.DataObject) -> None:
        """Who leaves and returns within `forget_after` is what it was."""
        steps = self.steps(data)
        run = self.play(self.signal(), steps)
        before, members = run.answers(), run.members
        for name in members if len(members) > 1 else ():
            run.take(("sync", 0.0, [other for other in members if other != name]))
            run.take(("sync", 0.0, members))
            assert run.answers()[name] == before[name], f"{name!r} was {before[name]}, is {run.answers()[name]}"

    @law
    def test_leavers_are_forgotten(self, data: st.DataObject) -> None:
        """Who stays away for longer than `forget_after` and returns is like one who was never there."""
        steps = [step for step in self.steps(data) if step[0] != "sync"]
        answers = []
        for known in ("leaver", "other"):  # a leaver that returns, or one nobody has heard of, in the place of another
            renamed = [(what, wait, _renamed(what, of, known)) for what, wait, of in steps]
            run = self.play(self.signal(), [("sync", 0.0, [*POOL[1:], known]), *renamed])
            run.take(("sync", 0.0, POOL[1:]))
            run.take(("advance", 2 * getattr(run.signal, "forget_after", 300.0) + 1.0, None))
            run.take(("sync", 0.0, [*POOL[1:], "leaver"]))
            answers.append(run.answers())
            run.take(("advance", self.longest, None))
            answers.append(run.answers())
        assert answers[:2] == answers[2:], f"a leaver returned as {answers[:2]}, a stranger would be {answers[2:]}"

    @law
    def test_cancelled_is_no_evidence(self, data: st.DataObject) -> None:
        """CANCELLED says nothing of a backend: with and without such outcomes the signal is the same."""
        steps, name = self.steps(data), data.draw(st.sampled_from(POOL), label="whose")
        clean, noisy = self.play(self.signal(), []), self.play(self.signal(), [])
        for step in [*steps, ("advance", self.longest, None)]:
            clean.take(step)
            clean.take(("advance", 0.0, None))
            noisy.take(step)
            noisy.take(("burst", 0.0, (name, Outcome.CANCELLED)))
            assert clean.tell() == noisy.tell(), f"without cancellations {clean.tell()}, with them {noisy.tell()}"

    @law
    def test_a_restored_signal_goes_on(self, data: st.DataObject) -> None:
        """`restore(snapshot())`, through JSON, goes on as the signal would have, on a clock of another origin too."""
        shift = data.draw(st.sampled_from([0.0, 4096.0]), label="the other clock is ahead by")
        run = self.play(self.signal(), self.steps(data, "steps before"))
        kept = json.loads(json.dumps(run.signal.snapshot()))
        other = Run(self.signal(), run.now + shift, run.members)
        other.signal.restore(kept, run.now + shift)
        other.announced = dict(run.announced)
        assert other.answers() == run.answers(), f"restored {other.answers()}, was {run.answers()}"
        for step in self.steps(data, "steps after")[1:]:
            run.take(step)
            other.take(step)
            assert other.answers() == run.answers(), f"restored, after {step} {other.answers()}, else {run.answers()}"

    @law
    def test_equal_histories_mean_equal_signals(self, data: st.DataObject) -> None:
        """A signal is a function of its history, which it reads from its arguments: no clock, no global randomness."""
        steps = self.steps(data)
        with GlobalRandomness():
            first, second = (self.play(self.signal(), steps).tell() for _ in range(2))
        assert first == second, f"{first} and {second}"


def _renamed(what: str, of: Any, known: str) -> Any:
    return (known if of[0] == POOL[0] else of[0], *of[1:]) if what in ("observe", "burst", "changed") else of
