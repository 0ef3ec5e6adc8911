"""`Lifecycle` by hand: which event leads where, what it remembers, and what it refuses."""

import importlib.util
from pathlib import Path

import pytest

from lbalgo import ConfigError, ConsecutiveErrors, Outcome, OutlierEjection, RoundRobin, SlowStart, State
from lbalgo.errors import LBError, UnknownBackend
from lbalgo.events import (
    Ejected,
    EjectionWithheld,
    MembersChanged,
    PanicChanged,
    Readmitted,
    StateChanged,
    Warmed,
    Warming,
)
from lbalgo.lifecycle import Lifecycle, UndeclaredTransition
from lbalgo.stages import SOURCES, STATES, TRANSITIONS, Cause, Stage
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Manual

H, D, U, X = State
DOCS = Path(__file__).parents[1] / "docs"


def follow(*events, life=None):
    life = life or Lifecycle()
    return life, [(p.id, p.before.value, p.cause.value, p.stage.value) for event in events for p in life(event)]


def joined(*ids, now=0.0, **more):
    return MembersChanged(now, ids, (), **more)


def test_who_joins_and_is_well_is_healthy_at_once():
    life, moves = follow(joined("a"))
    assert moves == [("a", "removed", "joined", "joining"), ("a", "joining", "well", "healthy")]
    assert (life["a"].since, life["a"].event) == (0.0, joined("a"))


def test_who_is_held_joins_until_it_is_well_and_then_warms():
    _, moves = follow(
        joined("a", "b", held=("a", "b"), cold=("a",)),
        Warming(0.0, "a", 30.0),
        StateChanged(0.0, "a", H, U),
        StateChanged(0.0, "b", H, X),
        Warming(5.0, "a", 35.0),
        StateChanged(5.0, "a", U, H),
        Warmed(35.0, "a"),
    )
    assert moves == [
        ("a", "removed", "joined", "joining"),
        ("b", "removed", "joined", "joining"),
        ("b", "joining", "drain", "draining"),
        ("a", "joining", "cold", "warming"),
        ("a", "warming", "well", "healthy"),
    ]


def test_who_joins_cold_is_never_called_healthy_before_it_is_warm():
    _, moves = follow(joined("a", cold=("a",)), Warming(0.0, "a", 30.0), Warmed(30.0, "a"))
    assert [stage for *_, stage in moves] == ["joining", "warming", "healthy"]


def test_the_event_that_ejected_says_why_and_until_when():
    ejected = Ejected(1.0, "a", "ConsecutiveErrors", 1, 31.0)
    life, moves = follow(joined("a"), ejected, StateChanged(1.0, "a", H, U))
    assert moves[2:] == [("a", "healthy", "outlier", "ejected")]
    assert life["a"].event is ejected
    assert life["a"].next[Cause.WELL] is Stage.HEALTHY


def test_a_readmission_is_not_yet_recovery():
    """Another signal may still call it UNHEALTHY; that it does not is said by the next event."""
    life, moves = follow(
        joined("a"), Ejected(1.0, "a", "d", 1, 31.0), StateChanged(1.0, "a", H, U), Readmitted(40.0, "a")
    )
    assert moves[-1] == ("a", "ejected", "failing", "unhealthy")
    assert follow(StateChanged(40.0, "a", U, H), life=life)[1] == [("a", "unhealthy", "well", "healthy")]


@pytest.mark.parametrize(("state", "stage"), [(H, Stage.HEALTHY), (D, Stage.DEGRADED)])
def test_a_restored_balancer_readmits_without_a_word(state, stage):
    life, _ = follow(joined("a"), Ejected(1.0, "a", "d", 1, 31.0), StateChanged(1.0, "a", H, U))
    follow(StateChanged(2.0, "a", U, state), life=life)
    assert life["a"].stage is stage
    follow(StateChanged(3.0, "a", state, U), life=life)
    assert life["a"].stage is Stage.UNHEALTHY


def test_a_drain_is_over_when_no_lease_is_open_and_goes_back_when_one_is():
    life, _ = follow(joined("a", "b"), StateChanged(1.0, "a", H, X))
    assert life.count({"a": 2, "b": 0}, 2.0) == ()
    (place,) = life.count({"b": 0}, 3.0)
    assert (place.id, place.stage, place.since, place.event) == ("a", Stage.DRAINED, 3.0, None)
    assert life.count({}, 4.0) == ()
    assert life["a"].since == 3.0
    assert [p.stage for p in life.count({"a": 1}, 5.0)] == [Stage.DRAINING]
    life.count({}, 6.0)
    follow(StateChanged(7.0, "a", X, H), StateChanged(8.0, "a", H, X), life=life)
    assert life["a"].stage is Stage.DRAINING  # what was counted was the drain before


def test_a_warm_up_may_begin_while_healthy():
    """A view in which it was not was refused by the policy, and nobody saw it."""
    assert follow(joined("a"), Warming(1.0, "a", 31.0))[1][-1] == ("a", "healthy", "cold", "warming")


def test_the_removed_are_known_for_a_while():
    life, moves = follow(joined("a", "b"), MembersChanged(10.0, (), ("a",)), life=Lifecycle(5.0))
    assert moves[-1] == ("a", "healthy", "left", "removed")
    follow(MembersChanged(15.0, ("c",), ()), life=life)
    assert "a" in life
    follow(MembersChanged(15.5, (), ("c",)), life=life)
    assert "a" not in life
    assert set(life.places()) == {"b", "c"}
    with pytest.raises(UnknownBackend):
        life["a"]


def test_what_moves_nobody():
    life, _ = follow(joined("a"))
    for event in (PanicChanged(1.0, True), EjectionWithheld(1.0, "a", "d", "budget"), Readmitted(1.0, "z")):
        assert life(event) == ()


@pytest.mark.parametrize(
    ("event", "id", "stage", "cause"),
    [
        (StateChanged(1.0, "z", H, U), "z", Stage.REMOVED, Cause.FAILING),
        (Ejected(1.0, "z", "d", 1, 2.0), "z", Stage.REMOVED, Cause.OUTLIER),
        (Warming(1.0, "z", 2.0), "z", Stage.REMOVED, Cause.COLD),
        (Warmed(1.0, "z"), "z", Stage.REMOVED, Cause.WELL),
        (joined("b", "a"), "a", Stage.HEALTHY, Cause.JOINED),
        (MembersChanged(1.0, ("b",), ("a", "z")), "z", Stage.REMOVED, Cause.LEFT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_have_happened_is_refused_and_changes_nothing(event, id, stage, cause):
    life, _ = follow(joined("a"))
    before = life.places()
    with pytest.raises(UndeclaredTransition) as refused:
        life(event)
    assert isinstance(refused.value, LBError)
    assert (refused.value.id, refused.value.stage, refused.value.cause) == (id, stage, cause)
    assert life.places() == before
    follow(MembersChanged(2.0, ("b",), ("a",)), life=life)  # and it goes on


@pytest.mark.parametrize(
    ("counts", "now", "parameter"),
    [({"a": -1}, 1.0, "in_flight['a']"), ({"a": 0.5}, 1.0, "in_flight['a']"), ({}, float("nan"), "now")],
)
def test_counts_that_cannot_be(counts, now, parameter):
    life, _ = follow(joined("a"), StateChanged(0.5, "a", H, X))
    with pytest.raises(ConfigError) as refused:
        life.count(counts, now)
    assert refused.value.parameter == parameter
    assert life["a"].stage is Stage.DRAINING


@pytest.mark.parametrize("forget", [-1.0, float("nan"), None])
def test_a_parameter_that_cannot_be(forget):
    with pytest.raises(ConfigError) as refused:
        Lifecycle(forget)
    assert refused.value.parameter == "forget_after"


@pytest.mark.parametrize("balancer", TWINS)
def test_a_life(balancer):
    """Both twins, real signals: probes (a stand-in), a warm-up, an ejection, a drain, removal with a lease open."""
    clock, probes, moves = FakeClock(), Manual(), []
    signals = [probes, SlowStart(30.0, steps=3), OutlierEjection([ConsecutiveErrors(1)])]
    life = Lifecycle()
    lb = balancer(
        RoundRobin(), ["a"], signals=signals, clock=clock, seed=0, on_event=lambda event: moves.extend(life(event))
    )
    probes.say("b", state=U)
    lb.update(["a", "b"])
    assert life["b"].stage is Stage.JOINING
    for state in (H, D, H):
        clock.advance(10.0)
        probes.say("b", state=state)
        lb.advance()
    clock.set(60.0)
    lb.advance()
    lb.acquire(exclude={"a"}).done(Outcome.TIMEOUT)
    clock.set(90.0)
    lb.advance()
    lease = lb.acquire(exclude={"a"})
    probes.say("b", state=X)
    lb.advance()
    moves += life.count(lb.stats().in_flight, clock())
    lease.done()
    moves += life.count(lb.stats().in_flight, clock())
    lb.update(["a"])
    told = [(place.stage.value, place.since) for place in moves if place.id == "b"]
    assert told == [
        ("joining", 0.0),
        ("warming", 10.0),
        ("degraded", 20.0),
        ("warming", 30.0),
        ("healthy", 60.0),
        ("ejected", 60.0),
        ("unhealthy", 90.0),
        ("warming", 90.0),
        ("draining", 90.0),
        ("drained", 90.0),
        ("removed", 90.0),
    ]


def test_every_stage_and_cause_is_described_and_removal_is_open_to_all():
    assert set(STATES) == set(Stage)
    assert set(SOURCES) == set(Cause)
    assert {at for at, _ in TRANSITIONS} == set(Stage) == set(TRANSITIONS.values())
    assert {at for at, cause in TRANSITIONS if cause is Cause.LEFT} == set(Stage) - {Stage.REMOVED}


def test_the_page_shows_the_table():
    spec = importlib.util.spec_from_file_location("state_machine", DOCS / "state_machine.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    page = (DOCS / "guide" / "lifecycle.md").read_text(encoding="utf-8")
    assert f"\n\n{draw.table(TRANSITIONS)}\n\n" in page
    assert f"```dot\n{draw.dot(TRANSITIONS)}\n```\n" in page
    for stage, state in STATES.items():
        assert f"| {stage.value} | {'none' if state is None else f'`{state.name}`'} |" in page
    for cause, source in SOURCES.items():
        assert f"| {cause.value} | {source} |" in page
