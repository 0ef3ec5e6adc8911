"""Outlier ejection: Envoy's rules by the numbers, the two repairs, and what is refused."""

import math

import numpy as np
import pytest

from lbalgo import (
    ConfigError,
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    DuplicateBackend,
    FailurePercentage,
    Outcome,
    OutlierEjection,
    State,
    SuccessRate,
)
from lbalgo.active import mix64
from lbalgo.events import Ejected, EjectionWithheld, Readmitted
from lbalgo.signals.outlier import GAMMA
from lbalgo.signals.standing import TRANSITIONS, Standing, Trigger
from tests.statistical.budget import assert_binomial, assert_mean

ERROR, SUCCESS = Outcome.SERVER_ERROR, Outcome.SUCCESS


def pool(n, *detectors, now=0.0, **parameters):
    signal = OutlierEjection(detectors or (ConsecutiveErrors(1),), **parameters)
    signal.sync([str(i) for i in range(n)], now)
    return signal


def ejected(signal):
    """Slots that are out."""
    states, factors = np.zeros(len(signal.evidence), np.uint8), np.ones(len(signal.evidence))
    signal.apply(factors, states)
    assert (factors == 1.0).all()
    assert set(states.tolist()) <= {State.HEALTHY, State.UNHEALTHY}
    return np.flatnonzero(states).tolist()


def fail(signal, slot, now, times=1, outcome=ERROR):
    for _ in range(times):
        signal.observe(slot, outcome, None, now)


CODES = {
    "s": Outcome.SUCCESS,
    "e": Outcome.SERVER_ERROR,
    "g": Outcome.GATEWAY_ERROR,
    "o": Outcome.OVERLOADED,
    "l": Outcome.LOCAL_ERROR,
    "t": Outcome.TIMEOUT,
    "c": Outcome.CANCELLED,
}


@pytest.mark.parametrize(
    ("run", "detector", "out"),
    [
        ("eee", ConsecutiveErrors(3), True),
        ("ee", ConsecutiveErrors(3), False),
        ("egl", ConsecutiveErrors(3), True),
        ("ttt", ConsecutiveErrors(3), True),
        ("eesee", ConsecutiveErrors(3), False),
        ("eeoee", ConsecutiveErrors(3), False),  # overloaded: it answers
        ("eece", ConsecutiveErrors(3), True),  # cancelled: no evidence
        ("eecc", ConsecutiveErrors(3), False),
        ("ggg", ConsecutiveGatewayErrors(3), True),
        ("glt", ConsecutiveGatewayErrors(3), True),
        ("ggegg", ConsecutiveGatewayErrors(3), False),  # another error ends the run
        ("ggsgg", ConsecutiveGatewayErrors(3), False),
        ("ggcg", ConsecutiveGatewayErrors(3), True),
        ("eeeee", ConsecutiveGatewayErrors(3), False),
    ],
)
def test_runs(run, detector, out):
    signal = pool(3, detector)
    for letter in run:
        signal.observe(1, CODES[letter], None, 1.0)
    assert ejected(signal) == ([1] if out else [])


@pytest.mark.parametrize("first", [ConsecutiveErrors(2), ConsecutiveGatewayErrors(2)])
def test_the_first_listed_names_the_ejection_and_keeps_the_other_run(first):
    second = ConsecutiveGatewayErrors(2) if isinstance(first, ConsecutiveErrors) else ConsecutiveErrors(2)
    signal = pool(3, first, second)
    fail(signal, 0, 1.0, 2, Outcome.GATEWAY_ERROR)
    assert [type(e).__name__ + e.detector for e in signal.drain_events()] == ["Ejected" + type(first).__name__]
    assert sorted(signal.evidence.streaks(0)) == [0, 2]


@pytest.mark.parametrize(
    ("n", "percent", "always", "out"),
    [
        (3, 33, False, 0),
        (3, 34, False, 1),
        (9, 10, False, 0),
        (10, 10, False, 1),
        (9, 10, True, 1),
        (3, 0, True, 1),
        (3, 0, False, 0),
        (10, 50, False, 5),
        (4, 100, False, 4),
        (19, 10, False, 1),
        (20, 10, True, 2),
        (3, 66, True, 1),
        (3, 67, True, 2),
        (1, 100, False, 1),
    ],
)
def test_budget(n, percent, always, out):
    signal = pool(n, max_ejection_percent=percent, always_eject_one=always)
    for slot in range(n):
        fail(signal, slot, 1.0)
    assert ejected(signal) == list(range(out))
    events = signal.drain_events()
    assert [type(e) for e in events] == [Ejected] * out + [EjectionWithheld] * (n - out)
    assert {e.reason for e in events[out:]} <= {"budget"}


def test_one_budget_over_all_detectors():
    signal = pool(10, ConsecutiveErrors(2), ConsecutiveGatewayErrors(1), FailurePercentage(50, 1, 1))
    fail(signal, 0, 1.0, 1, Outcome.TIMEOUT)
    fail(signal, 1, 2.0, 2)
    fail(signal, 2, 3.0)
    signal.advance(10.0)
    assert ejected(signal) == [0]
    assert [(type(e).__name__, e.id, e.detector) for e in signal.drain_events()] == [
        ("Ejected", "0", "ConsecutiveGatewayErrors"),
        ("EjectionWithheld", "1", "ConsecutiveErrors"),
        ("EjectionWithheld", "1", "FailurePercentage"),
        ("EjectionWithheld", "2", "FailurePercentage"),
    ]


def test_a_withheld_run_begins_anew():
    signal = pool(3, ConsecutiveErrors(3, enforcement=0))
    fail(signal, 0, 1.0, 7)
    assert signal.drain_events() == [EjectionWithheld(1.0, "0", "ConsecutiveErrors", "enforcement")] * 2
    assert signal.evidence.streaks(0)[0] == 1
    assert ejected(signal) == []


def test_an_ejected_backends_run_goes_on_in_silence_and_ends_with_readmission():
    signal = pool(3, ConsecutiveErrors(2), base_ejection_time=10)
    fail(signal, 0, 1.0, 9)
    assert len(signal.drain_events()) == 1
    assert signal.evidence.streaks(0) == (7, 0)
    signal.advance(20.0)
    assert signal.drain_events() == [Readmitted(20.0, "0")]
    assert signal.evidence.streaks(0) == (0, 0)
    fail(signal, 0, 20.0)
    assert ejected(signal) == []


def test_runs_outlive_ticks():
    signal = pool(3, ConsecutiveErrors(4), SuccessRate())
    fail(signal, 0, 1.0, 3)
    signal.advance(95.0)
    fail(signal, 0, 96.0)
    assert ejected(signal) == [0]


@pytest.mark.parametrize(
    ("base", "cap", "lengths"),
    [
        (30, 300, [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]),
        (10, 10, [10, 10, 10]),
        (100, 250, [100, 200, 250, 250]),
    ],
)
def test_the_nth_ejection_in_a_row_lasts_n_times_as_long(base, cap, lengths):
    """It fails again in the instant of its readmission, before a tick has taken a turn back."""
    signal, now = pool(1, base_ejection_time=base, max_ejection_time=cap), 0.0
    for times, length in enumerate(lengths, start=1):
        fail(signal, 0, now)
        assert signal.drain_events() == [Ejected(now, "0", "ConsecutiveErrors", times, now + length)]
        now += length
        signal.advance(now - 0.001)
        assert ejected(signal) == [0]
        signal.advance(now)
        assert signal.drain_events() == [Readmitted(now, "0")]


@pytest.mark.parametrize(("ticks", "length"), [(0, 150), (1, 120), (2, 90), (3, 60), (4, 30), (5, 30), (50, 30)])
def test_each_healthy_tick_takes_one_back(ticks, length):
    signal, now = pool(1), 0.0
    for n in range(1, 5):
        fail(signal, 0, now)
        now += 30 * n
        signal.advance(now)
    signal.drain_events()
    signal.advance(now + 10 * ticks + 5)
    fail(signal, 0, now + 10 * ticks + 5)
    assert signal.drain_events()[0].until == now + 10 * ticks + 5 + length


def test_backoff_ends_one_past_the_cap():
    """It grows while backoff x base < cap + base; so from 11 it is 300 s until two healthy ticks have passed."""
    signal, now = pool(1), 0.0
    for n in range(1, 20):
        fail(signal, 0, now)
        now += min(30 * n, 300)
        signal.advance(now)
    assert signal.snapshot()["members"]["0"]["backoff"] == 11
    assert signal.snapshot()["members"]["0"]["times"] == 19


@pytest.mark.parametrize(("at", "back"), [(0.0, 30.0), (0.001, 40.0), (5.0, 40.0), (9.999, 40.0), (10.0, 40.0)])
def test_ejections_end_on_ticks(at, back):
    signal = pool(2)
    fail(signal, 0, at)
    assert signal.deadline == back
    signal.advance(math.nextafter(back, 0) - 1e-6)
    assert ejected(signal) == [0]
    signal.advance(back)
    assert ejected(signal) == []


@pytest.mark.parametrize("origin", [0.0, 0.1, 12345.678, 1.7e9 + 0.1, -3.3])
@pytest.mark.parametrize("interval", [0.1, 0.7, 10.0])
def test_time_served_is_exact_at_any_origin(origin, interval):
    """Ejected in a tick for exactly three intervals: out for three ticks, not four, whatever floats round to."""
    signal = pool(2, FailurePercentage(50, 1, 1), interval=interval, base_ejection_time=3 * interval, now=origin)
    for wanted in ([0], [0], [0], []):
        if wanted == [0] and not ejected(signal):
            fail(signal, 0, origin)
        signal.advance(signal.deadline)
        assert ejected(signal) == wanted


def test_tick_order_readmits_then_judges_then_decays():
    """One tick: served, named by the interval it spent outside (its traffic counted on), ejected anew, backoff kept."""
    signal = pool(2, FailurePercentage(50, 1, 1), base_ejection_time=10)
    fail(signal, 0, 1.0)
    signal.advance(10.0)
    fail(signal, 0, 11.0)
    assert len(signal.drain_events()) == 1
    signal.advance(20.0)
    assert signal.drain_events() == [
        Readmitted(20.0, "0"),
        Ejected(20.0, "0", "FailurePercentage", 2, 40.0),
    ]


def test_judges_see_whole_intervals():
    """The tenth failure comes after the tick, and its observation runs the tick first."""
    signal = pool(3, FailurePercentage(50, 1, 10))
    fail(signal, 0, 9.0, 9)
    fail(signal, 0, 11.0)
    signal.advance(20.0)
    assert signal.drain_events() == []
    assert signal.evidence.rows()[0] == (10, 0, 0, 0)


def test_worst_first_ties_by_id():
    """10 backends, room for two: the two with the lowest success rates, whatever the slots."""
    order = ["e", "d", "c", "b", "a", *"vwxyz"]
    signal = OutlierEjection([FailurePercentage(50, 1, 10)], max_ejection_percent=20)
    signal.sync(order, 0.0)
    for slot, errors in enumerate([5, 9, 7, 9, 9]):
        fail(signal, slot, 1.0, errors)
        fail(signal, slot, 1.0, 10 - errors, SUCCESS)
    signal.advance(10.0)
    assert [(type(e).__name__, e.id) for e in signal.drain_events()] == [
        ("Ejected", "a"),
        ("Ejected", "b"),
        ("EjectionWithheld", "d"),
        ("EjectionWithheld", "c"),
        ("EjectionWithheld", "e"),
    ]


def test_repaired_nobody_is_ejected_twice_in_a_tick():
    """Both judges name it; the first ejects, the second finds it gone: once counted, one backoff, one place taken."""
    signal = pool(6, SuccessRate(), FailurePercentage(), max_ejection_percent=34)
    for slot in range(6):
        fail(signal, slot, 1.0, 100, ERROR if slot == 5 else SUCCESS)
    signal.advance(10.0)
    assert signal.drain_events() == [Ejected(10.0, "5", "SuccessRate", 1, 40.0)]
    record = signal.snapshot()["members"]["5"]
    assert (record["times"], record["backoff"]) == (1, 1)
    for slot in range(5):
        fail(signal, slot, 11.0, 100, ERROR if slot == 0 else SUCCESS)
    signal.advance(20.0)
    assert ejected(signal) == [0, 5], "34 % of 6 is two places, and one was free"


def test_repaired_a_leaver_gives_its_place_back():
    signal = pool(10, max_ejection_percent=10, always_eject_one=False)
    fail(signal, 0, 1.0)
    fail(signal, 1, 1.0)
    assert ejected(signal) == [0]
    signal.sync([str(i) for i in range(1, 11)], 2.0)
    fail(signal, 0, 3.0)
    assert ejected(signal) == [0]
    assert [(type(e).__name__, e.id) for e in signal.drain_events()] == [
        ("Ejected", "0"),
        ("EjectionWithheld", "1"),
        ("Readmitted", "0"),
        ("Ejected", "1"),
    ]


@pytest.mark.parametrize(
    ("back", "out"), [(3.0, True), (29.0, True), (31.0, True), (39.0, True), (40.0, False), (302.9, False)]
)
def test_a_returning_leaver_keeps_its_ejection(back, out):
    signal = pool(3)
    fail(signal, 0, 1.0)
    signal.sync(["1", "2"], 3.0)
    signal.sync(["1", "2", "0"], back)
    assert ejected(signal) == ([2] if out else [])
    told = [Ejected(1.0, "0", "ConsecutiveErrors", 1, 31.0), Readmitted(3.0, "0")]
    assert signal.drain_events() == told + [Ejected(back, "0", "ConsecutiveErrors", 1, 31.0)] * out


@pytest.mark.parametrize(
    ("forget_after", "back", "kept"),
    [(300.0, 302.9, True), (300.0, 303.0, False), (0.0, 3.0, False), (5.0, 7.9, True), (5.0, 8.0, False)],
)
def test_forgetting(forget_after, back, kept):
    signal = pool(3, ConsecutiveErrors(3))
    signal.forget_after = forget_after
    fail(signal, 0, 1.0, 2)
    signal.sync(["1", "2"], 3.0)
    signal.sync(["0", "1", "2"], back)
    assert signal.evidence.streaks(0) == ((2, 0) if kept else (0, 0))


def test_survivors_keep_their_counters_wherever_they_are_listed():
    signal = pool(3, ConsecutiveErrors(3), FailurePercentage(50, 1, 1))
    fail(signal, 0, 1.0, 2)
    fail(signal, 2, 1.0, 1, Outcome.TIMEOUT)
    signal.sync(["2", "new", "0"], 2.0)
    assert signal.evidence.rows() == [(1, 1, 0, 1), (0, 0, 0, 0), (2, 0, 0, 2)]


def test_an_interval_counts_for_a_backend_that_left_in_it_only_if_it_is_back_in_it():
    for back, row in ((9.0, (1, 0, 1, 2)), (11.0, (1, 0, 0, 0))):
        signal = pool(2, SuccessRate())
        fail(signal, 0, 1.0, 1, SUCCESS)
        fail(signal, 0, 1.0)
        signal.sync(["1"], 2.0)
        signal.sync(["0", "1"], back)
        assert signal.evidence.rows()[0] == row


def test_tripped_after_record_is_observe():
    one, two = pool(3, ConsecutiveErrors(2)), pool(3, ConsecutiveErrors(2))
    for now in (1.0, 2.0):
        one.observe(1, ERROR, None, now)
        two.advance(now)
        if two.evidence.record(1, 1):
            two.tripped(1, now)
    assert one.snapshot() == two.snapshot()
    assert one.drain_events() == two.drain_events()
    two.tripped(0, 2.0)
    assert one.snapshot() == two.snapshot(), "nothing follows where nothing tripped"


def test_outcomes_between_the_note_and_the_judgement_do_not_save_it():
    """Two threads: one is told that the run is complete, the other adds to the run before the first can say so."""
    signal = pool(3, ConsecutiveErrors(2))
    assert [signal.evidence.record(1, 1) for _ in range(3)] == [False, True, False]
    signal.tripped(1, 1.0)
    assert ejected(signal) == [1]


def test_a_run_restored_under_a_lower_threshold_trips_with_the_next_error():
    before = pool(3, ConsecutiveGatewayErrors(9), ConsecutiveErrors(9))
    fail(before, 0, 1.0, 7, Outcome.TIMEOUT)
    for detector in (ConsecutiveErrors(3), ConsecutiveGatewayErrors(3)):
        signal = OutlierEjection([detector])
        signal.restore(before.snapshot(), 1.0)
        assert ejected(signal) == []
        fail(signal, 0, 1.0, 1, Outcome.TIMEOUT)
        assert ejected(signal) == [0]


def test_a_late_report_counts_at_the_latest_instant():
    signal = pool(3)
    signal.advance(25.0)
    fail(signal, 0, 3.0)
    assert signal.drain_events() == [Ejected(25.0, "0", "ConsecutiveErrors", 1, 55.0)]


def test_enforcement_is_a_share():
    signal = pool(1, ConsecutiveErrors(1, enforcement=30), base_ejection_time=1, interval=1, seed=7)
    for k in range(4000):
        signal.advance(2.0 * k)
        fail(signal, 0, 2.0 * k)
    events = [type(e) for e in signal.drain_events()]
    assert_binomial(events.count(Ejected), 4000, 0.3)
    assert events.count(Ejected) + events.count(EjectionWithheld) == 4000


@pytest.mark.parametrize(("above", "kind"), [(False, EjectionWithheld), (True, Ejected)])
def test_enforcement_is_what_the_draw_is_below(above, kind):
    """To the last bit: a draw that is just the percentage is not below it."""
    draw = (mix64(7 + GAMMA) >> 11) * 2.0**-53
    percent = math.nextafter(100 * draw, 100.0) if above else 100 * draw
    signal = pool(1, ConsecutiveErrors(1, enforcement=percent), seed=7)
    fail(signal, 0, 1.0)
    assert [type(e) for e in signal.drain_events()] == [kind]
    assert signal.snapshot()["draws"] == 1


def test_who_leaves_nothing_to_chance_draws_nothing():
    """So the draws of others, and of a restored signal, stay where they were."""
    signal = pool(1)
    fail(signal, 0, 1.0)
    assert ejected(signal) == [0]
    assert signal.snapshot()["draws"] == 0


def test_the_version_stays_while_nobody_moves():
    signal = pool(2, ConsecutiveErrors(1, enforcement=0), SuccessRate())
    assert signal.version == 1
    fail(signal, 0, 1.0)
    signal.advance(25.0)
    signal.sync(["0", "1"], 26.0)
    assert len(signal.drain_events()) == 1
    assert signal.version == 1
    signal.sync(["1", "0", "2"], 27.0)
    assert signal.version == 2


def test_a_backoff_is_taken_back_an_interval_after_the_readmission_and_no_sooner():
    """Restored under a longer interval: of the next tick, in 5 s, nothing is due yet."""
    kept = pool(2)
    fail(kept, 0, 1.0)
    kept.advance(45.0)
    assert kept.snapshot()["members"]["0"]["readmitted_for"] == 5 * 10**9
    signal = OutlierEjection((ConsecutiveErrors(1),), interval=20.0)
    signal.restore(kept.snapshot(), 100.0)
    assert signal.deadline == 125.0
    signal.advance(124.9)
    assert signal.snapshot()["members"]["0"]["backoff"] == 1
    signal.advance(125.0)
    assert signal.snapshot()["members"]["0"]["backoff"] == 0
    assert signal.deadline is None


def test_jitter_is_uniform_and_follows_the_seed():
    runs = []
    for seed in (0, 0, 1):
        signal = pool(1, base_ejection_time=1, max_ejection_time=1, interval=1, max_ejection_time_jitter=4.0, seed=seed)
        for k in range(2000):
            fail(signal, 0, 10.0 * k)
            signal.advance(10.0 * k + 9)
        runs.append([e.until - e.now - 1.0 for e in signal.drain_events() if isinstance(e, Ejected)])
    assert len(runs[0]) == 2000
    assert runs[0] == runs[1] != runs[2]
    assert 0 <= min(runs[0]) <= max(runs[0]) < 4.0
    assert_mean(runs[0], 2.0, 4 / math.sqrt(12))
    assert_mean((np.array(runs[0]) - 2.0) ** 2, 4 / 3, math.sqrt(256 / 80 - 16 / 9))


def test_a_long_silence_is_quick():
    signal = pool(3, ConsecutiveErrors(1), SuccessRate(), interval=0.001)
    fail(signal, 0, 0.0)
    signal.advance(1e9)
    assert signal.deadline == pytest.approx(1e9 + 0.001)
    assert signal.drain_events()[-1] == Readmitted(30.0, "0")
    assert signal.snapshot()["members"]["0"]["backoff"] == 0


def test_without_judges_there_is_nothing_to_wake_for():
    signal = pool(2)
    assert signal.deadline is None
    fail(signal, 0, 1.0)
    deadlines = []
    while signal.deadline is not None:
        deadlines.append(signal.deadline)
        signal.advance(signal.deadline)
    assert deadlines == [40.0, 50.0], "readmission, then its backoff is taken back"


class Contrary:
    """A judging detector of somebody else's: the best backend is the outlier."""

    enforcement = 100.0

    def outliers(self, successes, totals):
        return [max(range(len(totals)), key=lambda i: successes[i] / totals[i])] if totals else []


class Broken(Contrary):
    def outliers(self, successes, totals):
        raise ZeroDivisionError


def test_somebody_elses_detector():
    signal = pool(3, Contrary())
    fail(signal, 0, 1.0)
    fail(signal, 1, 1.0, 1, SUCCESS)
    signal.advance(10.0)
    assert signal.drain_events() == [Ejected(10.0, "1", "Contrary", 1, 40.0)]


def test_a_detector_that_raises_leaves_the_state_whole():
    signal = pool(3, ConsecutiveErrors(1), Broken())
    fail(signal, 0, 1.0)
    before = signal.snapshot()
    with pytest.raises(ZeroDivisionError):
        signal.advance(10.0)
    after = signal.snapshot()
    assert (before["members"]["0"]["standing"], before["members"]["0"]["evidence"]) == ("EJECTED", [0, 0, 0, 1])
    assert after["members"]["0"]["evidence"] == [0, 0, 0, 1]


def test_the_table_is_closed():
    """Every standing is reached from UNKNOWN, and every standing can be left."""
    reached, fringe = set(), [Standing.UNKNOWN]
    while fringe:
        here = fringe.pop()
        reached.add(here)
        fringe += [to for (at, _), to in TRANSITIONS.items() if at is here and to not in reached]
    assert reached == set(Standing)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)


def test_repr_is_the_signal():
    signal = OutlierEjection([SuccessRate(), ConsecutiveErrors(3)], interval=5, seed=9)
    assert eval(repr(signal)).spec == signal.spec
    assert repr(OutlierEjection()) == (
        "OutlierEjection(detectors=(ConsecutiveErrors(threshold=5, enforcement=100.0),), interval=10.0, "
        "base_ejection_time=30.0, max_ejection_time=300.0, max_ejection_percent=10.0, always_eject_one=True, "
        "max_ejection_time_jitter=0.0, seed=0)"
    )
    assert signal.spec.to_dict()["detectors"][1] == {"type": "ConsecutiveErrors", "threshold": 3, "enforcement": 100.0}


@pytest.mark.parametrize(
    ("parameter", "value", "named"),
    [
        ("detectors", "ConsecutiveErrors", "detectors"),
        ("detectors", ConsecutiveErrors(5), "detectors"),
        ("detectors", [None], "detectors[0]"),
        ("detectors", [SuccessRate], "detectors[0]"),
        ("detectors", [SuccessRate(), ConsecutiveErrors(2), ConsecutiveErrors(3)], "detectors[2]"),
        ("interval", 0, "interval"),
        ("interval", math.nan, "interval"),
        ("base_ejection_time", -1, "base_ejection_time"),
        ("base_ejection_time", 301, "max_ejection_time"),
        ("max_ejection_time", 29, "max_ejection_time"),
        ("max_ejection_time", math.inf, "max_ejection_time"),
        ("max_ejection_percent", 101, "max_ejection_percent"),
        ("max_ejection_percent", -1, "max_ejection_percent"),
        ("always_eject_one", 1, "always_eject_one"),
        ("max_ejection_time_jitter", -1, "max_ejection_time_jitter"),
        ("seed", -1, "seed"),
        ("seed", 2**64, "seed"),
        ("seed", None, "seed"),
    ],
)
def test_bad_parameters(parameter, value, named):
    with pytest.raises(ConfigError) as caught:
        OutlierEjection(**{parameter: value})
    assert caught.value.parameter == named


def snapshot_with(path, value):
    signal = pool(2)
    fail(signal, 0, 1.0)
    signal.sync(["1"], 2.0)
    state = signal.snapshot()
    at = state
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return state


CALLS = [
    ("sync", ("a", 9.0), ConfigError),
    ("sync", (5, 9.0), ConfigError),
    ("sync", (["a", None], 9.0), ConfigError),
    ("sync", (["a", "a"], 9.0), DuplicateBackend),
    ("sync", (["a"], None), ConfigError),
    ("advance", (math.nan,), ConfigError),
    ("advance", (-1e300,), ConfigError),
    ("observe", (3, ERROR, None, 9.0), ConfigError),
    ("observe", (-1, ERROR, None, 9.0), ConfigError),
    ("observe", (0.0, ERROR, None, 9.0), ConfigError),
    ("observe", (0, 1, None, 9.0), ConfigError),
    ("observe", (0, ERROR, None, math.inf), ConfigError),
    ("tripped", (3, 9.0), ConfigError),
    ("tripped", (0, "now"), ConfigError),
    ("changed", (3, State.HEALTHY, State.UNHEALTHY, 9.0), ConfigError),
    ("restore", ([], 9.0), ConfigError),
    ("restore", ({"type": "OutlierEjection"}, 9.0), ConfigError),
    *(
        ("restore", (snapshot_with(path, value), 9.0), ConfigError)
        for path, value in [
            (["type"], "SlowStart"),
            (["synced"], None),
            (["next_tick_in"], 0),
            (["next_tick_in"], 1.5),
            (["draws"], -1),
            (["members"], []),
            (["members"], {"": {}}),
            (["members", "1"], None),
            (["members", "1", "standing"], "AWAY"),
            (["members", "1", "standing"], "GONE"),
            (["members", "1", "standing"], "EJECTED"),
            (["members", "1", "detector"], None),
            (["members", "1", "backoff"], -1),
            (["members", "1", "times"], True),
            (["members", "1", "jitter"], -1),
            (["members", "1", "ejected_for"], -1),
            (["members", "1", "readmitted_for"], "1"),
            (["members", "1", "evidence"], [0, 0, 0]),
            (["members", "1", "evidence"], [0, 0, 0, -1]),
            (["members", "1", "more"], 1),
            (["away", "0"], None),
            (["away", "0", 0], -5),
            (["away", "0", 1], {}),
            (["away", "1"], [1, {}]),
        ]
    ),
]


@pytest.mark.parametrize(("method", "arguments", "error"), CALLS)
def test_bad_calls_change_nothing(method, arguments, error):
    signal = pool(3, ConsecutiveErrors(2))
    fail(signal, 0, 1.0, 2)
    fail(signal, 1, 2.0)
    before = signal.snapshot(), signal.version, signal.deadline, ejected(signal), repr(signal.evidence.rows())
    with pytest.raises(error):
        getattr(signal, method)(*arguments)
    assert (signal.snapshot(), signal.version, signal.deadline, ejected(signal), repr(signal.evidence.rows())) == before


def test_nothing_is_observed_before_the_first_sync():
    signal = OutlierEjection()
    with pytest.raises(ConfigError, match="the pool has no backends"):
        signal.observe(0, ERROR, None, 1.0)
    signal.advance(5.0)
    assert (signal.deadline, signal.version) == (None, 0)
