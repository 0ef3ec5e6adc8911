"""Active health: its table, its bounds attained and never exceeded, its guard, its probes."""

import copy
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, Outcome, State, UnknownBackend
from lbalgo.events import HealthChanged, HealthHeld, MembersChanged, StateChanged
from lbalgo.signals.active_health import ActiveHealth
from lbalgo.signals.checks import GrpcCheck, HttpCheck, TcpCheck, Verdict
from lbalgo.signals.probed import FAILING, OUT, TRANSITIONS, Health, Trigger
from lbalgo.signals.probing import Probing
from lbalgo.testing import FakeClock
from tests.signals.probers import Prober, once, started

PENDING, UP, FALLING, HELD, DOWN, RISING = Health
TABLE = """
         passed  rose  failed   fell  held
pending          up             down  held
up       up            falling  down  held
falling  up            falling  down  held
held     up                     down  held
down     rising  up    down
rising   rising  up    down
"""


def states(signal, n):
    column = np.zeros(n, np.uint8)
    signal.apply(np.ones(n), column)
    return [State(s) for s in column.tolist()]


def table():
    """The table above, read by the columns of its heading."""
    heading, *rows = TABLE.strip("\n").split("\n")
    columns = {name: heading.index(name) for name in heading.split()}
    for row in rows:
        for name, at in columns.items():
            cell = row[at : at + 8].split(" ")[0]
            if cell:
                yield (Health(row.split()[0]), Trigger(name)), Health(cell)


def test_the_table():
    assert dict(table()) == TRANSITIONS


def test_every_standing_is_reached_and_left():
    assert {to for (at, _), to in TRANSITIONS.items() if to is not at} == set(Health) - {PENDING}
    assert {at for (at, _), to in TRANSITIONS.items() if to is not at} == set(Health)


def test_who_is_out_and_who_fails():
    assert {to for (_, trigger), to in TRANSITIONS.items() if trigger is Trigger.FELL} <= set(OUT)
    failed = {to for (_, trigger), to in TRANSITIONS.items() if trigger in (Trigger.FAILED, Trigger.FELL, Trigger.HELD)}
    assert failed == set(FAILING)


@pytest.mark.parametrize(
    ("results", "standings"),
    [
        ("+", [UP]),
        ("-", [DOWN]),
        ("+--+", [UP, FALLING, FALLING, UP]),
        ("+---", [UP, FALLING, FALLING, DOWN]),
        ("+--+--+---", [UP, FALLING, FALLING, UP, FALLING, FALLING, UP, FALLING, FALLING, DOWN]),
        ("-+-++", [DOWN, RISING, DOWN, RISING, UP]),
        ("+!", [UP, DOWN]),
        ("+-!+!++", [UP, FALLING, DOWN, RISING, DOWN, RISING, UP]),
    ],
)
def test_runs(results, standings):
    """+ is a pass, - a failure, ! a final failure; rise 2, fall 3."""
    signal, seen = started(interval=1, timeout=0.5), []
    for k, result in enumerate(results):
        assert once(signal, 0, result == "+", float(k), final=result == "!")
        seen.append(signal.health(0))
    assert seen == standings


class Counter:
    """HAProxy's one counter: 0 to rise + fall - 1, up from `rise` on; any pass restores it, any failure empties it."""

    def __init__(self, rise, fall):
        self.rise, self.fall, self.h = rise, fall, rise

    def take(self, passed):
        if passed:
            self.h = min(self.h + 1, self.rise + self.fall - 1)
            if self.h >= self.rise:
                self.h = self.rise + self.fall - 1
        elif self.h > 0:
            self.h -= 1
            if self.h < self.rise:
                self.h = 0

    def interval(self, inter, fast, down):
        if self.h == self.rise + self.fall - 1:
            return inter
        return down if self.h == 0 else fast


@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.booleans(), max_size=40))
def test_states_and_intervals_are_those_of_haproxys_counter(rise, fall, results):
    signal = started(
        interval=8,
        timeout=1,
        fast_interval=2,
        down_interval=4,
        rise=rise,
        fall=fall,
        initial=State.HEALTHY,
        hold_share=1,
    )
    counter, now = Counter(rise, fall), 0.0
    for passed in results:
        assert once(signal, 0, passed, now)
        counter.take(passed)
        assert states(signal, 1) == [State.HEALTHY if counter.h >= rise else State.UNHEALTHY]
        assert signal.deadline == now + counter.interval(8, 2, 4)
        now = signal.deadline


PLAIN = {"interval": 5.0, "timeout": 2.0, "rise": 2, "fall": 3, "hold_share": 1.0}
SETTINGS = [
    PLAIN,
    {**PLAIN, "fast_interval": 1.0, "down_interval": 3.0},
    {**PLAIN, "fast_interval": 2.5, "fall": 1, "rise": 1},
    {**PLAIN, "timeout": 7.0},
    {**PLAIN, "interval": 2.0, "timeout": 1.0, "fall": 2},
]
JUST = 2.0**-9  # seconds; an answer has to come before the timeout
BOUNDS = [(17.0, 12.0), (5 + 2 * 2 + 2, 3 + 2 + 2), (7.0, 7.0), (28.0, 21.0), (5.0, 5.0)]


def adversary(parameters, death, back, until):
    """Answers at once until it dies, or as late as it may if that delays the next probe; then hangs; then is slow."""
    timeout = parameters["timeout"]
    slow = timeout - JUST if timeout >= parameters["interval"] else 0.0

    def answer(_, start):
        if start <= death:
            return slow, True
        return (timeout - JUST, True) if start > back else None

    prober = Prober(started(**parameters), answer, ["a"])
    prober.run(0.0, until)
    starts = [at for at, _ in prober.starts]
    return starts, [(e.state is State.HEALTHY, e.now) for e in prober.events if isinstance(e, HealthChanged)]


@pytest.mark.parametrize(("parameters", "bounds"), [*zip(SETTINGS, BOUNDS, strict=True)])
def test_the_worst_cases_are_attained(parameters, bounds):
    """It dies just after a probe has begun and been answered, and comes back just after another has begun."""
    spec = started(**parameters).spec
    assert (spec.worst_case_detection(), spec.worst_case_recovery()) == bounds
    timeout, interval, fast = (
        parameters.get(n) or parameters["interval"] for n in ("timeout", "interval", "fast_interval")
    )
    slow = JUST * (timeout >= interval), JUST * (1 + (parameters["rise"] - 1) * (timeout > fast))
    starts, _ = adversary(parameters, math.inf, math.inf, 100.0)
    death = starts[4]
    starts, changes = adversary(parameters, death, math.inf, 200.0)
    assert changes[1] == (False, death + bounds[0] - slow[0])
    back = next(at for at in starts if at > changes[1][1] + 10.0)
    _, changes = adversary(parameters, death, back, 300.0)
    assert changes[1:] == [(False, death + bounds[0] - slow[0]), (True, back + bounds[1] - slow[1])]


@given(
    st.fixed_dictionaries(
        {
            "interval": st.sampled_from([1.0, 3.0, 5.0]),
            "timeout": st.sampled_from([0.5, 1.0, 4.0]),
            "fast_interval": st.sampled_from([None, 0.5, 2.0]),
            "down_interval": st.sampled_from([None, 0.5, 6.0]),
            "rise": st.integers(1, 3),
            "fall": st.integers(1, 3),
            "jitter": st.sampled_from([0.0, 0.1, 0.5]),
            "spread": st.sampled_from([None, 0.0]),
            "seed": st.integers(0, 2**64 - 1),
        }
    ),
    st.integers(0, 4000),
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.998, None]), min_size=1, max_size=6),
)
def test_the_worst_cases_are_never_exceeded(parameters, when, delays):
    """Whenever it dies and comes back, however long its answers take within the timeout, or if they never come."""
    signal = started(hold_share=1.0, **parameters)
    spec, timeout = signal.spec, parameters["timeout"]
    death = 100.0 + when / 128  # up long before: 100 s is more than any worst case of recovery and spread
    back = death + 100.0 + when / 256
    turn = iter(range(10**6))

    def answer(_, start):
        delay = delays[next(turn) % len(delays)]
        alive = start < death or start >= back
        took = (delay or 0.0) * timeout
        if not alive and delay is None:
            return None
        dies_first = start < death <= start + took
        return took, alive and not dies_first

    prober = Prober(signal, answer, ["a"])
    prober.run(0.0, back + 100.0)
    changes = [(e.state is State.HEALTHY, e.now) for e in prober.events if isinstance(e, HealthChanged)]
    (first, _), (fell, down), (rose, up) = changes
    assert (first, fell, rose) == (True, False, True)
    assert 0.0 <= down - death <= spec.worst_case_detection() + 1e-9
    assert 0.0 <= up - back <= spec.worst_case_recovery() + 1e-9


def test_the_presets():
    named = {
        "aggressive": (Probing.aggressive(), 5.0),
        "balanced": (Probing.balanced(), 17.0),
        "conservative": (Probing.conservative(), 155.0),
        "haproxy": (Probing.haproxy(), 8.0),
        "alb": (Probing.alb(), 65.0),
        "kubernetes": (Probing.kubernetes(), 31.0),
        "envoy": (Probing.envoy(5.0, 1.0, 2, 3), 16.0),
    }
    assert {name: spec.worst_case_detection() for name, (spec, _) in named.items()} == {
        name: seconds for name, (_, seconds) in named.items()
    }
    assert [(s.interval, s.timeout, s.fall) for s, _ in list(named.values())[:3]] == [(2, 1, 2), (5, 2, 3), (30, 5, 5)]
    recovery = [named[name][0].worst_case_recovery() for name in ("haproxy", "alb", "kubernetes")]
    assert recovery == [2 * 2 + 2, 30 * 5 + 5, 10 + 1]
    for spec, _ in named.values():
        assert Probing.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
        assert eval(repr(ActiveHealth.of(spec)), NAMES).spec == spec


NAMES = {
    "ActiveHealth": ActiveHealth,
    "HttpCheck": HttpCheck,
    "TcpCheck": TcpCheck,
    "GrpcCheck": GrpcCheck,
    "State": State,
}


def fleet(n):
    return [f"b{k}" for k in range(n)]


@pytest.mark.parametrize("failing", range(11))
def test_the_guard_holds_when_most_fail_at_once(failing):
    """Of ten: five are believed, six are not; nothing is marked, and an event says so of each."""
    ids = fleet(10)
    signal = started(ids, interval=5, timeout=1, fall=3, spread=5.0)
    bad = set(ids[:failing])
    prober = Prober(signal, lambda id, start: (0.0, start < 50 or id not in bad), ids)
    prober.run(0.0, 50 + 16 + 10)
    down = {id for id, state in zip(ids, states(signal, 10), strict=True) if state is not State.HEALTHY}
    held = [e for e in prober.events if isinstance(e, HealthHeld)]
    if failing <= 5:
        assert (down, held) == (bad, [])
    else:
        assert down == set()
        assert sorted(e.id for e in held) == sorted(bad)
        assert {(e.members, e.reason) for e in held} == {(10, "said so")}
        assert all(5 < e.failing <= failing for e in held)


def test_a_hold_ends_when_the_probes_pass_or_when_the_window_is_over():
    for recovers in (True, False):
        ids = fleet(4)
        signal = started(ids, interval=5, timeout=1, fall=2, hold_window=22.0)
        prober = Prober(signal, lambda _, start, r=recovers: (0.0, start < 50 or (r and start >= 65)), ids)
        prober.run(0.0, 71.9)
        assert [signal.health(slot) for slot in range(4)] == [UP if recovers else HELD] * 4
        assert not any(isinstance(e, HealthChanged) and e.state is not State.HEALTHY for e in prober.events)
        prober.run(prober.signal.deadline, 75.0)  # the runs began at 50, the first failure after 72 is at 75
        assert [signal.health(slot) for slot in range(4)] == [UP if recovers else DOWN] * 4


def test_those_long_dead_are_no_witnesses():
    """Six of ten are dead; when two of the other four fail, that is half of those who count."""
    ids = fleet(10)
    signal = started(ids, interval=5, timeout=1, fall=2, hold_window=30.0)

    def answer(id, start):
        k = ids.index(id)
        return 0.0, start < (10 if k == 0 else 20 + 10 * k if k < 6 else 200 if k < 8 else 10**6)

    prober = Prober(signal, answer, ids)
    prober.run(0.0, 199.0)
    assert states(signal, 10) == [State.UNHEALTHY] * 6 + [State.HEALTHY] * 4
    prober.run(signal.deadline, 210.0)
    assert states(signal, 10) == [State.UNHEALTHY] * 8 + [State.HEALTHY] * 2
    prober.answer = lambda id, start: (0.0, False)
    prober.run(signal.deadline, 230.0)  # the last two are all who are left: 4 of 4 in the window
    assert [signal.health(slot) for slot in (8, 9)] == [HELD, HELD]


@pytest.mark.parametrize(("window", "health"), [(10.0, DOWN), (10.25, HELD)])
def test_who_began_to_fail_a_whole_window_ago_is_no_witness(window, health):
    ids = ("a", "b", "c")
    signal = started(ids, interval=5, timeout=1, fall=1, hold_window=window)
    prober = Prober(signal, lambda id, start: (0.0, start < {"a": 10, "b": 20, "c": 100}[id]), ids)
    prober.run(0.0, 20.0)
    assert [signal.health(slot) for slot in range(3)] == [DOWN, health, UP]


def test_a_pool_of_one_is_not_held():
    signal = started(interval=1, timeout=0.5, fall=1)
    assert once(signal, 0, True, 0.0)
    assert once(signal, 0, False, 1.0)
    assert signal.health(0) is DOWN


def test_a_held_backend_asks_again_even_if_its_run_is_short():
    ids = ("a", "b", "c")
    signal = started(ids, interval=1, timeout=0.5, fall=3, hold_window=2.5)
    for now, passed, final in ((0.0, True, False), (1.0, False, True), (2.0, False, False), (4.0, False, False)):
        signal.advance(now)
        for probe in signal.take(now):
            signal.reported(ids.index(probe.id), probe.result(Verdict(passed, "x" * (not passed), final)), now)
        if now == 1.0:
            assert [signal.health(s) for s in range(3)] == [DOWN, HELD, HELD]  # the first could not know
        if now == 2.0:
            assert [signal.health(s) for s in range(3)] == [DOWN, HELD, HELD]
    assert [signal.health(s) for s in range(3)] == [DOWN, DOWN, DOWN]


def test_a_backend_that_was_never_up_is_marked_without_asking():
    signal = started(("a", "b", "c"), interval=1, timeout=0.5, spread=0.0)
    for probe in signal.take(0.0):
        signal.reported(("a", "b", "c").index(probe.id), probe.result(Verdict(False, "refused")), 0.0)
    assert [signal.health(s) for s in range(3)] == [DOWN] * 3
    assert signal.drain_events() == []


def test_until_the_first_probe_has_ended():
    assert states(started(), 1) == [State.UNHEALTHY]
    assert states(started(initial=State.HEALTHY), 1) == [State.HEALTHY]
    signal = started(initial=State.HEALTHY, interval=1, timeout=0.5)
    assert once(signal, 0, False, 0.0)
    assert states(signal, 1) == [State.UNHEALTHY]
    assert signal.drain_events() == [HealthChanged(0.0, "a", State.UNHEALTHY, "said so")]


def test_what_does_not_come_in_time_has_failed_and_does_not_count_later():
    signal = started(interval=5, timeout=2, fall=1)
    assert once(signal, 0, True, 0.0)
    signal.advance(5.0)
    (probe,) = signal.take(5.5)
    signal.advance(5.5)
    assert signal.deadline == 7.5
    signal.reported(0, probe.result(Verdict(True)), 7.5)
    assert signal.health(0) is DOWN
    signal.reported(0, probe.result(Verdict(True)), 7.6)
    assert signal.health(0) is DOWN
    assert signal.drain_events()[1:] == [HealthChanged(7.5, "a", State.UNHEALTHY, "timeout")]
    assert signal.deadline == 10.5


def test_a_probe_is_given_once_and_its_result_counts_once():
    signal = started(interval=5, timeout=2)
    (probe,) = signal.take(0.0)
    assert signal.take(0.0) == []
    for _ in range(3):
        signal.reported(0, probe.result(Verdict(False, "refused")), 0.0)
    assert (signal.health(0), signal.deadline) == (DOWN, 5.0)
    signal.advance(5.0)
    signal.reported(0, probe.result(Verdict(True)), 5.0)  # not the one on offer
    assert signal.health(0) is DOWN


def test_a_result_of_what_nobody_took_says_nothing():
    signal = started(interval=5, timeout=2)
    (probe,) = copy.deepcopy(signal).take(0.0)
    signal.reported(0, probe.result(Verdict(True)), 0.0)
    assert signal.health(0) is PENDING


def test_reports_of_other_kinds_are_for_others():
    signal = started()
    before = signal.snapshot(), signal.version
    signal.reported(0, {"cpu": 0.5}, 100.0)
    assert (signal.snapshot(), signal.version) == before


def test_the_result_of_another_backend_is_refused():
    signal = started(("a", "b"))
    probe = next(p for p in signal.take(0.0) if p.id == "a")
    with pytest.raises(ConfigError):
        signal.reported(1, probe.result(Verdict(True)), 0.0)


def test_a_caller_that_slept_finds_one_probe_each():
    signal = started(("a", "b"), interval=1, timeout=0.5, fall=2)
    assert once(signal, 0, True, 0.0)
    assert signal.health(0) is UP
    for now in np.arange(1.0, 1000.0, 0.7).tolist():
        signal.advance(now)
    assert sorted(p.id for p in signal.take(1000.0)) == ["a", "b"]
    assert (signal.health(0), signal.health(1)) == (UP, DOWN)  # the other one was taken at 0 and is late since 0.5
    signal.advance(1000.4)
    assert signal.health(0) is UP


def test_who_leaves_takes_the_probe_along():
    signal = started(("a", "b"), interval=5, timeout=1)
    (a,) = [p for p in signal.take(0.0) if p.id == "a"]
    signal.sync(["b"], 0.5)
    signal.sync(["b", "a"], 0.75)
    signal.reported(1, a.result(Verdict(False, "refused")), 0.8)
    assert signal.health(1) is PENDING
    (again,) = signal.take(0.8)
    assert (again.id, again.number) == ("a", 2)


def test_what_is_offered_is_withdrawn_when_its_backend_leaves():
    signal = started(("a", "b"))
    signal.sync(["b"], 0.0)
    assert [p.id for p in signal.take(0.0)] == ["b"]


def test_restored_probes_are_due_again():
    signal = started(("a", "b", "c"), interval=5, timeout=1, spread=0.0)
    assert once(signal, 0, True, 0.0)  # b or c is under way now, or offered
    other = ActiveHealth.of(signal.spec)
    other.restore(json.loads(json.dumps(signal.snapshot())), 1000.0)
    assert sorted(p.id for p in other.take(1000.0)) == ["b", "c"]
    assert (other.health(0), other.deadline) == (UP, 1005.0)
    assert other.drain_events() == []


def test_jitter_depends_on_seed_id_and_number_alone():
    def starts(ids, seed):
        signal = started(ids, interval=5, timeout=1, jitter=0.5, spread=None, seed=seed)
        prober = Prober(signal, lambda _, start: (0.0, True), ids)
        prober.run(0.0, 100.0)
        return [at for at, id in prober.starts if id == "a"]

    assert starts(["a"], 7) == starts(["z", "y", "a"], 7)
    assert starts(["a"], 7) != starts(["a"], 8)


def test_jitter_and_spread_are_uniform():
    """Chi-square of ten bins over 2000 backends; alpha is 1e-6, which is 44.8 for nine degrees of freedom."""
    ids = fleet(2000)
    signal = started(ids, interval=10, timeout=1, jitter=0.5, spread=4.0, seed=1)
    prober = Prober(signal, lambda _, start: (0.0, True), ids)
    prober.run(0.0, 8.99)
    firsts = {id: at for at, id in reversed(prober.starts)}
    assert len(firsts) == 2000
    ats = np.array(list(firsts.values()))
    assert 0.0 <= ats.min() < 0.02 and 3.98 < ats.max() <= 4.0  # P(none within 0.02 of 4) = 0.995 ** 2000 < 5e-5
    counts = np.histogram(ats, 10, (0.0, 4.0))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 44.8
    prober.run(signal.deadline, 14.1)
    seconds = {id: at for at, id in reversed(prober.starts) if at > firsts[id]}
    steps = np.array([seconds[id] - firsts[id] for id in ids])
    assert steps.min() >= 5.0 and steps.max() <= 10.0
    counts = np.histogram(steps, 10, (5.0, 10.0))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 44.8


def test_probes_per_second():
    signal = started(fleet(30), interval=5, timeout=1)
    prober = Prober(signal, lambda _, start: (0.0, True), fleet(30))
    prober.run(0.0, 99.999)
    assert len(prober.starts) == 100 * signal.spec.probes_per_second(30)
    assert Probing(interval=5).probes_per_second(100, 40) == pytest.approx(40 * 100 / 4.75)


def test_a_history_replayed_is_the_same_history():
    """The same answers give the same events, in any order of listing, and across a restart at a quiet instant."""
    ids = fleet(7)

    def answer(id, start):
        wave = (int(start) // 20 + ids.index(id)) % 4
        return (0.25, wave != 0) if wave < 3 else (0.5, True)

    logs = []
    for listed, restart in ((ids, None), (ids[::-1], None), (ids, 101.0)):
        signal = started(listed, interval=3, timeout=1, fall=2, fast_interval=1, jitter=0.2, spread=None, seed=5)
        prober = Prober(signal, answer, listed)
        if restart is None:
            prober.run(0.0, 300.0)
        else:
            prober.run(0.0, restart)
            kept = json.loads(json.dumps(signal.snapshot()))
            prober.signal = ActiveHealth.of(signal.spec)
            prober.signal.restore(kept, signal._timeline.now)
            prober.run(signal._timeline.now, 300.0)
        logs.append(sorted(prober.events, key=lambda e: (round(e.now, 6), e.id)))
    assert len(logs[0]) > 40
    assert logs[0] == logs[1]
    before = [e for e in logs[0] if e.now <= 101.0]
    assert [e for e in logs[2] if e.now <= 101.0] == before
    assert len(logs[2]) > len(before)


def test_in_a_balancer():
    clock, events = FakeClock(), []
    health = ActiveHealth(interval=5, timeout=2, fall=2, jitter=0, spread=0)
    balancer = lb.Balancer(
        lb.RoundRobin(), ["a", "b", "c"], signals=[health], clock=clock, seed=0, on_event=events.append
    )
    dead = {"b"}

    def tick():
        for probe in health.take(clock()):
            balancer.report(probe.id, probe.result(Verdict(probe.id not in dead, "refused" * (probe.id in dead))))
        return balancer.advance()

    assert balancer.view.panic  # nobody has been proved yet
    assert tick() == 5.0
    assert balancer.view.states.tolist() == [0, 2, 0]
    assert {balancer.acquire().backend.id for _ in range(6)} == {"a", "c"}
    dead.clear()
    for _ in range(2):
        clock.advance(5.0)
        balancer.advance()
        tick()
    assert balancer.view.states.tolist() == [0, 0, 0]
    events.clear()
    balancer.update(["a", "b", "c", "d"])
    assert events == [
        MembersChanged(10.0, ("d",), (), ("d",)),
        StateChanged(10.0, "d", State.HEALTHY, State.UNHEALTHY),
    ]
    tick()
    assert events[2:] == [
        HealthChanged(10.0, "d", State.HEALTHY, ""),
        StateChanged(10.0, "d", State.UNHEALTHY, State.HEALTHY),
    ]
    taken = None
    clock.advance(5.0)
    balancer.advance()
    taken = next(p for p in health.take(clock()) if p.id == "d")
    balancer.update(["a", "b", "c"])
    with pytest.raises(UnknownBackend):
        balancer.report("d", taken.result(Verdict(True)))
    kept = json.loads(json.dumps(balancer.snapshot()))
    again = lb.Balancer(lb.RoundRobin(), ["a", "b", "c"], signals=[ActiveHealth.of(health.spec)], clock=clock, seed=0)
    again.restore(kept)
    assert again.view.states.tolist() == balancer.view.states.tolist()


def test_a_timeout_takes_effect_in_a_balancer_without_requests():
    clock = FakeClock()
    health = ActiveHealth(interval=5, timeout=2, fall=1, jitter=0, spread=0, initial=State.HEALTHY)
    balancer = lb.Balancer(lb.RoundRobin(), ["a", "b", "c"], signals=[health], clock=clock, seed=0)
    for probe in health.take(0.0):
        if probe.id != "b":
            balancer.report(probe.id, probe.result(Verdict(True)))
    assert balancer.advance() == 2.0
    clock.advance(2.0)
    assert balancer.advance() == 5.0
    assert balancer.view.states.tolist() == [0, 2, 0]


def test_slow_start_follows_a_recovery():
    clock = FakeClock()
    health = ActiveHealth(interval=5, timeout=2, rise=1, fall=1, jitter=0, spread=0, initial=State.HEALTHY)
    signals = [health, lb.SlowStart(30.0)]
    balancer = lb.Balancer(lb.RoundRobin(), ["a", "b", "c"], signals=signals, clock=clock, seed=0)
    for passed in (True, False, True):
        for probe in health.take(clock()):
            verdict = Verdict(passed or probe.id != "a")
            balancer.report(probe.id, probe.result(verdict))
        clock.advance(balancer.advance() - clock())
        balancer.advance()
        clock.advance(max(0.0, health.deadline - clock()) if health.deadline else 0.0)
    assert balancer.view.factors[0] < 1.0 and balancer.view.factors[1:].tolist() == [1.0, 1.0]


def test_outcomes_of_requests_move_nothing():
    signal = started(("a", "b"), interval=5, timeout=2)
    for probe in signal.take(0.0):
        signal.reported(("a", "b").index(probe.id), probe.result(Verdict(True)), 0.0)
    for _ in range(100):
        signal.observe(0, Outcome.SERVER_ERROR, None, 1.0)
    assert [signal.health(s) for s in range(2)] == [UP, UP]
    assert math.isclose(signal.deadline, 5.0)


def test_the_page_shows_the_table_and_the_graph():
    docs = Path(__file__).parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("state_machine", docs / "state_machine.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    page = (docs / "guide" / "health.md").read_text(encoding="utf-8")
    assert f"\n\n{draw.table(TRANSITIONS)}\n\n" in page
    assert f"```dot\n{draw.dot(TRANSITIONS)}\n```\n" in page


def test_who_asks_to_be_served_last_is_until_it_does_not():
    signal = ActiveHealth(interval=1, timeout=1, rise=2, fall=2, jitter=0, spread=0)
    signal.sync(["a"], 0.0)
    seen, states = [], np.zeros(1, np.uint8)
    last, well, bad = Verdict(True, "busy", degraded=True), Verdict(True), Verdict(False, "no")
    for now, verdict in enumerate([last, well, last, bad, bad, last, last, well]):
        probe = signal.take(float(now))[0]
        signal.advance(float(now))
        signal.reported(0, probe.result(verdict), now + 0.5)
        states[:] = 0
        signal.apply(np.ones(1), states)
        seen.append(State(int(states[0])).name)
        signal.advance(now + 1.0)
    assert seen == [
        "DEGRADED", "HEALTHY", "DEGRADED",
        "DEGRADED", "UNHEALTHY",  # one failure says nothing new, two that it is down
        "UNHEALTHY", "DEGRADED", "HEALTHY",
    ]  # fmt: skip
    assert [(e.now, e.state.name, e.reason) for e in signal.drain_events()] == [
        (0.5, "DEGRADED", "busy"), (1.5, "HEALTHY", ""), (2.5, "DEGRADED", "busy"),
        (4.5, "UNHEALTHY", "no"), (6.5, "DEGRADED", "busy"), (7.5, "HEALTHY", ""),
    ]  # fmt: skip
    assert signal.snapshot()["members"]["a"]["degraded"] is False
