"""The laws every signal keeps, over scripts of everything that can happen to one."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbalgo import (
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    FailurePercentage,
    Outcome,
    OutlierEjection,
    SlowStart,
    State,
    SuccessRate,
)
from lbalgo.signals import Breaker, FailureEwma, LatencyQuantile, Sequential, Statistical

MAKERS = {
    "slow": lambda: SlowStart(12.0, aggression=2.0, steps=7),
    "slow, linear": lambda: SlowStart(3.1, floor=0.3),
    "runs": lambda: OutlierEjection([ConsecutiveErrors(2)], 1, 3, 8, 40),
    "judges": lambda: OutlierEjection(
        [SuccessRate(2, 2, 0.5), FailurePercentage(60, 1, 1)], 0.7, 2.1, 9, 50, always_eject_one=False
    ),
    "all, at random": lambda: OutlierEjection(
        [
            ConsecutiveGatewayErrors(2, 70),
            ConsecutiveErrors(3, 40),
            SuccessRate(2, 2, 1.0, 50),
            FailurePercentage(50, 1, 2, 80),
        ],
        interval=2.0,
        base_ejection_time=3.0,
        max_ejection_time=9.0,
        max_ejection_percent=60,
        max_ejection_time_jitter=2.5,
        seed=3,
    ),
    "watching": lambda: OutlierEjection(
        [
            Sequential(0.1, 0.5, 0.05, 0.05),
            Breaker(50, 2.0, 2, 2),
            FailureEwma(2.0, 0.7, 2),
            LatencyQuantile(0.5, 1.5, 1.0, 2, 1),
            Statistical(1.0, 0.1, 1.0, 2, 1),
        ],
        interval=2.0,
        base_ejection_time=3.0,
        max_ejection_time=9.0,
        max_ejection_percent=60,
    ),
}
FEWER = settings(max_examples=max(1, settings.default.max_examples // 2))  # five signals share the examples
SIGNALS = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
ORIGINS = st.sampled_from([0.0, -5.5, 1234.5678, 1.7e9 + 0.3])
pools = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)
steps = st.one_of(
    st.tuples(st.just("sync"), pools),
    st.tuples(st.just("observe"), st.integers(0, 5), st.sampled_from(list(Outcome)), st.integers(1, 4)),
    st.tuples(st.just("observe"), st.integers(0, 5), st.just(Outcome.TIMEOUT), st.integers(1, 4)),
    st.tuples(st.just("changed"), st.integers(0, 5), st.sampled_from(list(State)), st.sampled_from(list(State))),
    st.tuples(st.just("pass"), st.floats(0, 8)),
    st.tuples(st.just("deadline")),
    st.tuples(st.just("back"), st.floats(0, 5)),
)
scripts = st.lists(steps, max_size=30)


class Run:
    """A signal, the ids it was last given and the time; the same script makes the same run."""

    def __init__(self, make, origin):
        self.signal, self.ids, self.now = make(), (), origin
        self.signal.forget_after = 6.0
        self.events = []

    def do(self, step):
        name, *rest = step
        if name == "sync":
            self.signal.sync(rest[0], self.now)
            self.ids = tuple(rest[0])
        elif name == "observe" and rest[0] < len(self.ids):
            for _ in range(rest[2]):
                self.signal.observe(rest[0], rest[1], None, self.now)
        elif name == "changed" and rest[0] < len(self.ids):
            self.signal.changed(*rest, self.now)
        elif name == "pass":
            self.now += rest[0]
            self.signal.advance(self.now)
        elif name == "deadline" and self.signal.deadline is not None:
            self.now = max(self.now, self.signal.deadline)
            self.signal.advance(self.now)
        elif name == "back":
            self.signal.advance(self.now - rest[0])
        self.events += self.signal.drain_events() if hasattr(self.signal, "drain_events") else []
        return self

    def facts(self):
        """All that a caller can see, and all that will decide what it sees next."""
        factors, states = np.ones(len(self.ids)), np.zeros(len(self.ids), np.uint8)
        self.signal.apply(factors, states)
        return factors.tolist(), states.tolist(), self.signal.deadline, self.signal.snapshot(), self.events


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS)
def test_equal_version_is_equal_apply(make, script, origin):
    run, seen = Run(make, origin), {}
    for step in [("sync", ["a", "b", "c"]), *script]:
        factors, states = run.do(step).facts()[:2]
        assert all(0 < f <= 1 for f in factors)
        assert seen.setdefault(run.signal.version, (factors, states)) == (factors, states)
        assert run.signal.version == max(seen)


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS, parts=st.lists(st.floats(0, 15), min_size=1, max_size=5))
def test_time_in_parts_is_time_in_one(make, script, origin, parts):
    one, two = Run(make, origin), Run(make, origin)
    for step in [("sync", ["a", "b", "c"]), *script]:
        one.do(step)
        two.do(step)
    instants = sorted(one.now + part for part in parts)
    for now in instants:
        one.signal.advance(now)
    two.signal.advance(instants[-1])
    assert one.do(("pass", 0)).facts() == two.do(("pass", 0)).facts()


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS, back=st.floats(0, 1e9))
def test_an_earlier_now_is_no_time(make, script, origin, back):
    run = Run(make, origin)
    for step in [("sync", ["a", "b", "c"]), *script]:
        run.do(step)
    before = run.facts()[:4], run.signal.version, list(run.events)
    run.signal.advance(run.now - back)
    assert (run.facts()[:4], run.signal.version, run.do(("pass", 0)).events) == before


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS, back=st.floats(0.1, 20))
def test_a_late_observation_counts_at_the_latest_instant(make, script, origin, back):
    one, two = Run(make, origin), Run(make, origin)
    for step in [("sync", ["a", "b", "c"]), *script, ("sync", ["a", "b", "c"])]:
        one.do(step)
        two.do(step)
    for _ in range(4):
        one.signal.observe(1, Outcome.TIMEOUT, None, one.now - back)
        two.signal.observe(1, Outcome.TIMEOUT, None, two.now)
    assert one.do(("pass", 9)).facts() == two.do(("pass", 9)).facts()


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS)
def test_deadlines_move(make, script, origin):
    run = Run(make, origin)
    for step in [("sync", ["a", "b", "c"]), *script]:
        run.do(step)
    for _ in range(30):
        deadline, version = run.signal.deadline, run.signal.version
        if deadline is None:
            return
        assert deadline > run.now
        before = run.facts()[:2]
        run.signal.advance(max(run.now, deadline - 1e-5))
        assert (run.facts()[:2], run.signal.deadline) == (before, deadline), "nothing moves early"
        run.signal.advance(deadline)
        run.now = deadline
        assert (run.signal.deadline, run.signal.version) != (deadline, version)


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS)
def test_cancelled_is_no_evidence(make, script, origin):
    one, two = Run(make, origin), Run(make, origin)
    for step in [("sync", ["a", "b", "c"]), *script]:
        one.do(step)
        two.do(step)
        for slot in range(len(two.ids)):
            two.do(("observe", slot, Outcome.CANCELLED, 3))
    assert one.facts() == two.facts()


@SIGNALS
@FEWER
@given(script=scripts, rest=scripts, before=st.integers(-1000, 1000), after=st.integers(-1000, 1000))
def test_a_restored_signal_goes_on_as_if_never_stopped(make, script, rest, before, after):
    """Both clocks are whole multiples of 2**-9 s here, which are whole nanoseconds."""
    grain = 2.0**-9

    def exact(steps):
        return [
            (s[0], round(s[1] / grain) * grain) if s[0] in ("pass", "back") else s for s in steps if s[0] != "deadline"
        ]

    one = Run(make, float(before))
    for step in [("sync", ["a", "b", "c"]), *exact(script)]:
        one.do(step)
    two = Run(make, one.now + after)
    two.signal.restore(json.loads(json.dumps(one.signal.snapshot())), two.now)
    two.ids, one.events = one.ids, []
    for step in [("pass", 0), *exact(rest)]:
        f1, s1, d1, state1, e1 = one.do(step).facts()
        f2, s2, d2, state2, e2 = two.do(step).facts()
        assert (f1, s1, state1) == (f2, s2, state2)
        assert (d1 is None) == (d2 is None)
        assert d1 is None or d1 + after == pytest.approx(d2, abs=1e-6)
        assert [(type(e), e.id, getattr(e, "detector", "")) for e in e1] == [
            (type(e), e.id, getattr(e, "detector", "")) for e in e2
        ]
        assert [e.now + after for e in e1] == pytest.approx([e.now for e in e2], abs=1e-6)


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS, order=st.permutations(["a", "b", "c", "d"]))
def test_listing_order_is_only_an_order(make, script, origin, order):
    """The same history told in two listing orders leaves every id where the other leaves it (no random withholding)."""
    one, two = Run(make, origin), Run(make, origin)
    names = ["a", "b", "c", "d"]
    one.do(("sync", names))
    two.do(("sync", order))
    for step in script:
        if step[0] == "sync":
            continue
        one.do(step)
        at = order.index(names[step[1]]) if step[0] in ("observe", "changed") and step[1] < 4 else None
        two.do(step if at is None else (step[0], at, *step[2:]))
    first, second = one.signal.snapshot(), two.signal.snapshot()
    assert first == second
    assert math.isclose(one.signal.deadline or 0, two.signal.deadline or 0)


@SIGNALS
@FEWER
@given(script=scripts, origin=ORIGINS)
def test_signals_commute(make, script, origin):
    """Merged as a balancer merges them, factor by factor and worst state, no order of application shows."""
    runs = [Run(make, origin), Run(MAKERS["slow"], origin), Run(MAKERS["runs"], origin)]
    for step in [("sync", ["a", "b", "c"]), *script]:
        for run in runs:
            run.do(step)
    n = len(runs[0].ids)
    merged = []
    for order in (runs, runs[::-1]):
        columns, states = [], np.zeros(n, np.uint8)
        for run in order:
            column = np.ones(n)
            run.signal.apply(column, states)
            columns.append(column)
        merged.append((np.sort(columns, axis=0).prod(axis=0).tolist(), states.tolist()))
    assert merged[0] == merged[1]
