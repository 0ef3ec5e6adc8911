"""`GateContract`: what every admission gate promises, driven by requests that are asked, sent, refused and ended."""

from __future__ import annotations

import json
import math
from collections import deque
from typing import Any

import hypothesis
from hypothesis import strategies as st

from lbalgo.active import Balancer
from lbalgo.errors import ConfigError, NoBackend
from lbalgo.gates.admission import Gate
from lbalgo.request import Criticality, Decision, Request
from lbalgo.testing import strategies as some
from lbalgo.testing.clock import FakeClock
from lbalgo.testing.laws import GlobalRandomness, law
from lbalgo.types import Outcome

EPOCH = 1_700_000_000.0  # seconds: gates with sessions count from the Unix epoch
REQUEST = Request(bits=1)
Step = tuple[float, Request, Outcome, int, float]  # seconds since the last, request, outcome, how many end, latency


def requests() -> st.SearchStrategy[Request]:
    """Requests as gates are told of them, with and without a backend.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(requests(), lambda request: request.attempt > 1).attempt
    2
    """
    return st.builds(
        Request,
        backend=st.sampled_from([None, "a", "b"]),
        attempt=st.integers(0, 2),
        hedge=st.booleans(),
        after_timeout=st.booleans(),
        criticality=st.sampled_from(Criticality),
        bits=st.integers(0, 2**64 - 1),
    )


class GateContract:
    """What every admission gate promises. Subclass it and define `gate`, which makes a new one.

    Attributes
    ----------
    goes_on : whether a restored gate answers as the one that was saved would have; False where what is left out of a
        snapshot, as a sample under way, shows later.
    settings : Hypothesis settings, or None for those in force.

    Examples
    --------
    >>> from lbalgo.gates import Limits
    >>> class TestLimits(GateContract):
    ...     def gate(self):
    ...         return Limits(pool=2, per_backend=1)
    >>> TestLimits().test_bad_events_are_refused()
    """

    goes_on: bool = True
    settings: hypothesis.settings | None = None

    def gate(self) -> Any:
        """A new gate; every call makes an equal one."""
        raise TypeError(f"{type(self).__name__} does not say which gate it is about")

    def steps(self, data: st.DataObject, label: str = "steps") -> list[Step]:
        """A drawn history: pause, request, the outcome it will have, how many that are open end now, their latency."""
        step = st.tuples(
            st.sampled_from([0.0, 0.25, 1.0, 3.0]),
            requests(),
            some.outcomes(),
            st.integers(0, 3),
            st.sampled_from([0.0, 0.1, 1.0]),
        )
        return data.draw(st.lists(step, max_size=30), label=label)

    def play(self, gate: Any, steps: list[Step], now: float = 0.0) -> tuple[float, list[Decision]]:
        """Everybody asks; who is admitted is sent, and the oldest end now and then, in the end all. The answers."""
        answers, open_ = [], deque[tuple[Request, Outcome]]()
        for pause, request, outcome, ends, latency in steps:
            now += pause
            decision = gate.admit(now, request)
            answers.append(decision)
            if decision.admitted:
                gate.started(now, request)
                open_.append((request, outcome))
            else:
                gate.refused(now, request)
            for _ in range(min(ends, len(open_))):
                gate.finished(now, *open_.popleft(), latency)
        for request, outcome in open_:
            gate.finished(now, request, outcome, 0.1)
        return now, answers

    def answers(self, gate: Any, now: float) -> list[Decision]:
        """What it would say to some requests now and later."""
        asked = [
            Request(backend, attempt=attempt, bits=bits)
            for backend in (None, "a")
            for attempt in (0, 1)
            for bits in (0, 1 << 63)
        ]
        hedge = gate.admit(now, Request(hedge=True))  # makes their number odd: nothing that alternates comes round
        return [hedge, *(gate.admit(now + later, request) for later in (0.0, 2.0) for request in asked)]

    @law
    def test_it_is_a_gate_and_answers_with_decisions(self, data: st.DataObject) -> None:
        """A gate has every method of `Gate`, and `admit` answers with a `Decision`."""
        gate = self.gate()
        assert isinstance(gate, Gate), f"{gate!r} lacks a method"
        for answer in self.play(gate, self.steps(data))[1]:
            assert isinstance(answer, Decision), f"admit answered {answer!r}"

    @law
    def test_admitting_only_decides(self, data: st.DataObject) -> None:
        """`admit` changes nothing: a gate that is asked all the time goes on as one that is asked once."""
        steps, rest = self.steps(data), self.steps(data, "rest")
        asked, unasked = self.gate(), self.gate()
        now, _ = self.play(asked, steps)
        self.play(unasked, steps)
        before = asked.snapshot(now)
        first, again = self.answers(asked, now), self.answers(asked, now)
        assert first == again, f"asked twice, it said {first}, then {again}"
        assert asked.snapshot(now) == before, f"asking made {before} into {asked.snapshot(now)}"
        told, wanted = self.play(asked, rest, now + 2.0), self.play(unasked, rest, now + 2.0)
        assert told == wanted, f"having been asked it answers {told[1]}, else {wanted[1]}"

    @law
    def test_equal_histories_mean_equal_answers(self, data: st.DataObject) -> None:
        """A gate is a function of its history, read from its arguments alone: no clock, no global randomness."""
        steps = self.steps(data)
        first, second = self.gate(), self.gate()
        with GlobalRandomness():
            one, other = self.play(first, steps), self.play(second, steps)
        assert one == other, f"{one[1]} and {other[1]}"
        assert first.snapshot(one[0]) == second.snapshot(one[0]), "their snapshots differ"

    @law
    def test_the_origin_of_time_is_irrelevant(self, data: st.DataObject) -> None:
        """Only differences of instants count: the same history, 4096 s later, gets the same answers."""
        steps = self.steps(data)
        early, late = self.gate(), self.gate()
        one, other = self.play(early, steps), self.play(late, steps, 4096.0)
        assert one[1] == other[1], f"{one[1]} from 0 s on, {other[1]} from 4096 s on"

    @law
    def test_nothing_is_left_in_flight(self, data: st.DataObject) -> None:
        """Whatever was started and has ended holds no place: what a gate knows fits in its snapshot."""
        used, fresh = self.gate(), self.gate()
        now, _ = self.play(used, self.steps(data))
        fresh.restore(used.snapshot(now), now)
        said, wanted = self.answers(used, now), self.answers(fresh, now)
        assert said == wanted, f"{said}, of a new one with the same knowledge {wanted}"

    @law
    def test_a_restored_gate_goes_on(self, data: st.DataObject) -> None:
        """A snapshot is JSON, holds ages rather than instants, and a gate restored from it goes on as the saved one."""
        saved, restored = self.gate(), self.gate()
        now, _ = self.play(saved, self.steps(data))
        state = saved.snapshot(now)
        restored.restore(json.loads(json.dumps(state)), 4096.0)
        assert restored.snapshot(4096.0) == state, f"{state} came back as {restored.snapshot(4096.0)}"
        if self.goes_on:
            rest = self.steps(data, "rest")
            said, wanted = self.play(restored, rest, 4096.0)[1], self.play(saved, rest, now)[1]
            assert said == wanted, f"restored it answers {said}, else {wanted}"

    @law
    def test_bad_snapshots_are_refused(self) -> None:
        """What is no snapshot of such a gate is a ConfigError, and changes nothing."""
        gate = self.gate()
        kept = gate.snapshot(0.0)
        wrong: list[Any] = [None, "x", {}, [1], -1]
        bad: list[Any] = [{}, None, [], "x", {**kept, "more": 1}, {**kept, "type": "Other"}]
        bad += [{**kept, key: value} for key in set(kept) - {"type"} for value in wrong]
        for state in bad:
            try:
                gate.restore(state, 9.0)
            except ConfigError:
                assert gate.snapshot(0.0) == kept, f"{state!r} was refused and changed something"
            else:
                raise AssertionError(f"{state!r} was taken")

    @law
    def test_bad_events_are_refused(self) -> None:
        """An instant that is no number is a ConfigError that names `now`, and changes nothing."""
        gate = self.gate()
        gate.started(0.0, REQUEST)
        before = gate.snapshot(0.0)
        for now in (math.nan, math.inf, "0", None):
            for name, *more in (
                ("admit", REQUEST),
                ("started", REQUEST),
                ("refused", REQUEST),
                ("finished", REQUEST, Outcome.SUCCESS, 0.1),
                ("snapshot",),
            ):
                try:
                    getattr(gate, name)(now, *more)
                except ConfigError as refused:
                    assert refused.parameter == "now", f"{name}({now!r}) names {refused.parameter!r}"
                else:
                    raise AssertionError(f"{name}({now!r}) was taken")
        assert gate.snapshot(0.0) == before, "a refusal changed something"

    @law
    def test_a_balancer_closes_its_books(self, data: st.DataObject) -> None:
        """In front of a balancer every lease is started and finished once, every other request refused once."""
        heard = _Heard(self.gate())
        from lbalgo.policies import RoundRobin

        clock = FakeClock(EPOCH)
        balancer = Balancer(RoundRobin(), ["a", "b"], gates=[heard], clock=clock, seed=0)
        leases, refusals = [], 0
        for pause, request, outcome, ends, _ in self.steps(data):
            clock.advance(pause)
            exclude = () if request.backend is None else ("a", "b")
            try:
                leases.append((balancer.acquire(exclude=exclude, request=Request(bits=request.bits)), outcome))
            except NoBackend:
                refusals += 1
            for _ in range(min(ends, len(leases))):
                lease, how = leases.pop(0)
                lease.done(how)
        stats = balancer.stats()
        assert stats.opened == heard.count["started"], f"{stats.opened} opened, {heard.count['started']} started"
        assert stats.closed == heard.count["finished"], f"{stats.closed} closed, {heard.count['finished']} finished"
        assert refusals == heard.count["refused"], f"{refusals} refusals, {heard.count['refused']} refused"
        assert stats.open_leases == len(leases), "a lease was lost"


class _Heard:
    """A gate, and how often it was told what."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.count = {"started": 0, "refused": 0, "finished": 0}
        if hasattr(gate, "full"):
            self.full = gate.full

    def admit(self, now: float, request: Request) -> Any:
        return self.gate.admit(now, request)

    def started(self, now: float, request: Request) -> None:
        self.count["started"] += 1
        self.gate.started(now, request)

    def refused(self, now: float, request: Request) -> None:
        self.count["refused"] += 1
        self.gate.refused(now, request)

    def finished(self, now: float, request: Request, outcome: Outcome, latency: float | None) -> None:
        self.count["finished"] += 1
        self.gate.finished(now, request, outcome, latency)
