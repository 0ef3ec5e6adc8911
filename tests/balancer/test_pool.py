"""Members, signals, time and the pickers they make: what is rebuilt, what is refused, what is remembered."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError, DuplicateBackend, Endpoint, InFlight, Maglev, RoundRobin, State, UnknownBackend
from lbalgo.events import Ejected, MembersChanged, PanicChanged, StateChanged
from lbalgo.merging import merged
from lbalgo.signals import OutlierEjection, SlowStart
from lbalgo.signals.detectors import ConsecutiveErrors
from lbalgo.testing import FakeClock
from lbalgo.types import Outcome
from tests.balancer.doubles import TWINS, Diary, Least, Manual


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


@given(
    st.lists(
        st.lists(st.tuples(st.floats(1e-3, 1.0), st.sampled_from(State)), min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_signals_cannot_show(answers, shuffle):
    signals = []
    for column in answers:
        signal = Manual()
        signal.sync("abc", 0.0)
        for id, (factor, state) in zip("abc", column, strict=True):
            signal.say(id, factor, state)
        signals.append(signal)
    factors, states = merged(signals, "abc")
    shuffle.shuffle(signals)
    again = merged(signals, "abc")
    assert factors.tolist() == again[0].tolist()
    assert states.tolist() == again[1].tolist()
    assert np.allclose(factors, np.prod([[f for f, _ in column] for column in answers], axis=0))
    assert states.tolist() == [max(column[slot][1] for column in answers) for slot in range(3)]


def test_nothing_new_is_not_built(balancer):
    policy, signal, clock = Least(), Manual(), FakeClock()
    lb = balancer(policy, {"a": 1, "b": 2}, signals=[signal], clock=clock)
    built, picker = len(policy.built), lb.picker
    lb.update({"a": 1, "b": 2})
    lb.advance()
    signal.say("a")  # another version, the same answer
    lb.advance()
    assert (len(policy.built), lb.picker) == (built, picker)
    signal.say("a", 0.5)
    lb.advance()
    assert len(policy.built) == built + 1
    assert lb.view.factors.tolist() == [0.5, 1.0]
    lb.update({"a": 1, "b": 3})
    assert lb.view.weights.tolist() == [1.0, 3.0]
    assert lb.stats().rebuilds == 2


def test_another_object_under_the_same_id_is_news(balancer):
    lb = balancer(RoundRobin(), [Endpoint("a", payload=[1])], seed=0)
    other = Endpoint("a", payload=[1])
    lb.update([other])
    assert lb.acquire().backend is other


def test_signals_are_told_of_merged_states_only(balancer):
    one, two = Manual(), Manual()
    lb = balancer(Least(), ["a", "b"], signals=[one, two], clock=FakeClock(5.0))
    one.say("a", state=State.UNHEALTHY)
    lb.advance()
    two.say("a", state=State.DEGRADED)
    lb.advance()
    one.say("a")
    lb.advance()
    expected = [
        ("a", State.HEALTHY, State.UNHEALTHY, 5.0),
        ("a", State.UNHEALTHY, State.DEGRADED, 5.0),
    ]
    assert one.heard == two.heard == expected


def test_the_next_owner_of_a_row_begins_healthy(balancer):
    signal, clock = Manual(), FakeClock()
    lb = balancer(Least(), ["a", "b"], signals=[signal], clock=clock, forget_after=1.0)
    signal.say("a", state=State.UNHEALTHY)
    lb.advance()
    lb.update(["b"])
    clock.advance(1.0)
    signal.heard.clear()
    lb.update(["b", "c"])
    assert lb.view.rows.tolist() == [1, 0]
    assert signal.heard == []


def test_an_ejection_that_ends_begins_a_slow_start(balancer):
    clock = FakeClock()
    signals = [SlowStart(40.0, steps=4), OutlierEjection([ConsecutiveErrors(1)], base_ejection_time=10)]
    lb = balancer(RoundRobin(), ["a", "b", "c"], signals=signals, clock=clock, seed=0)
    assert lb.view.factors.tolist() == [1, 1, 1]
    lease = lb.acquire()
    slot = lb.view.ids.index(lease.backend.id)
    lease.done(Outcome.SERVER_ERROR)
    assert lb.view.states[slot] == State.UNHEALTHY
    while lb.view.states[slot]:
        clock.set(lb.next_deadline)
        lb.advance()
    assert lb.view.factors[slot] == 0.1
    clock.advance(20.0)
    lb.advance()
    assert lb.view.factors[slot] == 0.5


def test_events_replay_to_the_view(balancer):
    """Who joins is taken for healthy until an event says otherwise: events alone give members, states and panic."""
    seen, signal = [], Manual()
    lb = balancer(Least(), ["a", "b"], signals=[signal], clock=FakeClock(1.0), on_event=seen.append)
    signal.say("b", state=State.UNHEALTHY)
    signal.say("c", state=State.DRAINING)
    lb.update(["b", "c", "d"])
    lb.update(["d"])
    assert seen == [
        MembersChanged(1.0, ("a", "b"), ()),
        MembersChanged(1.0, ("c", "d"), ("a",), held=("c",)),
        StateChanged(1.0, "b", State.HEALTHY, State.UNHEALTHY),
        StateChanged(1.0, "c", State.HEALTHY, State.DRAINING),
        MembersChanged(1.0, (), ("b", "c")),
    ]


def test_panic(balancer):
    seen, signal = [], Manual()
    lb = balancer(Least(), ["a", "b", "c"], signals=[signal], clock=FakeClock(), on_event=seen.append)
    for id in "ab":
        signal.say(id, state=State.UNHEALTHY)
        lb.advance()
    assert lb.view.panic
    lb.acquire().done()
    signal.say("a")
    lb.advance()
    assert [event for event in seen if isinstance(event, PanicChanged)] == [
        PanicChanged(0.0, True),
        PanicChanged(0.0, False),
    ]
    assert (lb.stats().panics, lb.stats().panic_picks) == (1, 1)


def test_acquire_runs_what_is_due_and_only_then(balancer):
    clock, signal = FakeClock(), Manual(deadline=5.0)
    lb = balancer(Least(), ["a"], signals=[signal], clock=clock)
    clock.set(4.75)
    lb.acquire().done()
    assert lb.next_deadline == 5.0
    clock.set(5.25)
    lb.acquire().done()
    assert ("due", 5.0, 5.25) in signal.heard
    assert lb.next_deadline is None
    assert lb.advance() is None


def test_time_given_is_the_latest(balancer):
    signal = Manual(deadline=50.0)
    lb = balancer(Least(), ["a"], signals=[signal], clock=FakeClock(10.0))
    assert lb.advance(49.0) == 50.0
    assert lb.advance(20.0) == 50.0
    assert lb.advance(51.0) is None
    assert signal.heard == [("due", 50.0, 51.0)]


class Refusal(Exception):
    pass


def everything(lb, signals):
    stats = lb.stats()
    return lb.view, lb.picker, lb.next_deadline, stats, [s.snapshot() for s in signals], lb.snapshot()


def test_a_refused_update_has_changed_nothing(balancer):
    def trap(view):
        if "bad" in view.ids:
            raise Refusal

    seen, clock = [], FakeClock()
    signals = [SlowStart(40.0), OutlierEjection([ConsecutiveErrors(1)]), Manual()]
    lb = balancer(Least(trap=trap), ["a", "b", "c"], signals=signals, clock=clock, on_event=seen.append)
    held = lb.acquire()
    lb.acquire().done(Outcome.SERVER_ERROR)
    clock.advance(1.0)
    lb.update(["a", "b", "c", "d"])
    clock.advance(3.0)
    lb.advance()
    seen.clear()
    before = everything(lb, signals)
    for members in (["b", "bad"], ["bad"], ["d", "c", "b", "a", "bad"]):
        with pytest.raises(Refusal):
            lb.update(members)
        assert everything(lb, signals) == before
        assert lb.picker is before[1]
        assert seen == []
    lb.advance()
    assert everything(lb, signals)[:3] == before[:3]
    held.done(Outcome.SERVER_ERROR)
    assert lb.stats().open_leases == 0
    lb.update(["b", "d"])
    assert lb.view.ids == ("b", "d")
    assert lb.view.factors[0] == 1.0  # not a joiner
    assert lb.view.factors[1] < 1.0


@pytest.mark.parametrize(
    ("members", "error"),
    [
        (["a", "a"], DuplicateBackend),
        ("ab", ConfigError),
        ([""], ConfigError),
        ([1], ConfigError),
        (5, ConfigError),
        ({"a": -1.0}, ConfigError),
        ({"a": math.nan}, ConfigError),
        ({"a": math.inf}, ConfigError),
    ],
)
def test_bad_members(balancer, members, error):
    signal = Manual()
    lb = balancer(RoundRobin(), ["a", "b"], signals=[signal], seed=0)
    before = everything(lb, [signal])
    with pytest.raises(error):
        lb.update(members)
    assert everything(lb, [signal]) == before
    with pytest.raises(error):
        balancer(RoundRobin(), members)


def test_what_time_brought_and_the_policy_refuses(balancer):
    """Raised once; the old picker goes on; the next change tries again; states are told once."""

    def trap(view):
        if view.states.any() and not tolerant:
            raise Refusal

    tolerant, signal, clock = False, Manual(), FakeClock()
    lb = balancer(Least(trap=trap), ["a", "b"], signals=[signal], clock=clock)
    picker = lb.picker
    signal.say("a", state=State.UNHEALTHY)
    clock.set(2.0)
    with pytest.raises(Refusal):
        lb.acquire().done()
    lb.acquire().done()
    assert lb.picker is picker
    with pytest.raises(Refusal):
        lb.advance()
    assert (lb.stats().opened, lb.stats().closed) == (2, 2)
    assert lb.stats().rebuilds == 0
    tolerant = True
    lb.advance()
    assert lb.view.states.tolist() == [State.UNHEALTHY, State.HEALTHY]
    assert [heard for heard in signal.heard if heard[1] is State.HEALTHY] == [
        ("a", State.HEALTHY, State.UNHEALTHY, 2.0)
    ]


def test_signals_that_answer_in_circles_are_refused(balancer):
    class Contrary(Manual):
        def changed(self, slot, old, new, now):
            self.say(self.ids[slot], state=old)

    signal = Contrary()
    lb = balancer(Least(), ["a"], signals=[signal], clock=FakeClock())
    signal.say("a", state=State.UNHEALTHY)
    with pytest.raises(ConfigError) as caught:
        lb.advance()
    assert caught.value.parameter == "signals"


def test_a_factor_out_of_range_is_the_signals_fault(balancer):
    good, bad = Manual(), Manual()
    lb = balancer(Least(), ["a", "b"], signals=[good, bad], clock=FakeClock())
    good.say("b", 0.1)
    bad.say("b", 5.0)
    with pytest.raises(ConfigError) as caught:
        lb.advance()
    assert (caught.value.parameter, caught.value.value) == ("signals[1].factors['b']", 5.0)


def test_report(balancer):
    heard = []

    class Curious(Manual):
        def reported(self, slot, report, now):
            heard.append((self.ids[slot], report, now))

    class Counting(Diary):
        def reported(self, row, report, now):
            heard.append((row, report, now))

    lb = balancer(Least(Counting()), ["a", "b"], signals=[Manual(), Curious()], clock=FakeClock(3.0))
    lb.report("b", {"cpu": 0.5})
    assert heard == [("b", {"cpu": 0.5}, 3.0), (1, {"cpu": 0.5}, 3.0)]
    with pytest.raises(UnknownBackend):
        lb.report("c", {})


BAD = [
    ({"policy": object()}, "policy"),
    ({"signals": 5}, "signals"),
    ({"signals": [object()]}, "signals[0]"),
    ({"signals": [SlowStart]}, "signals[0]"),
    ({"signals": [Manual()] * 2}, "signals[1]"),
    ({"clock": 0.0}, "clock"),
    ({"clock": lambda: math.nan}, "clock()"),
    ({"clock": lambda: "now"}, "clock()"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**64}, "seed"),
    ({"seed": 0.5}, "seed"),
    ({"panic_below": 1.5}, "panic_below"),
    ({"panic_below": math.nan}, "panic_below"),
    ({"forget_after": -1.0}, "forget_after"),
    ({"forget_after": math.inf}, "forget_after"),
    ({"on_event": 3}, "on_event"),
]


@pytest.mark.parametrize(("wrong", "parameter"), BAD)
def test_bad_configuration(balancer, wrong, parameter):
    arguments = {"policy": RoundRobin(), "backends": ["a"], **wrong}
    with pytest.raises(ConfigError) as caught:
        balancer(arguments.pop("policy"), arguments.pop("backends"), **arguments)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda lb: lb.acquire(exclude="a"), ConfigError),
        (lambda lb: lb.acquire(cost=-1.0), ConfigError),
        (lambda lb: lb.acquire(cost=math.nan), ConfigError),
        (lambda lb: lb.acquire(cost="1"), ConfigError),
        (lambda lb: lb.acquire(1.5), TypeError),
        (lambda lb: lb.advance(math.nan), ConfigError),
        (lambda lb: lb.advance("now"), ConfigError),
    ],
)
def test_bad_calls(balancer, call, error):
    lb = balancer(Maglev(), ["a"], clock=FakeClock())
    with pytest.raises(error):
        call(lb)
    assert (lb.stats().opened, lb.stats().open_leases) == (0, 0)


def test_a_refused_constructor_leaves_signals_untouched(balancer):
    signal = SlowStart(30.0)
    before = signal.snapshot()
    with pytest.raises(ConfigError):
        balancer(Maglev(table_size=2), ["a", "b", "c"], signals=[signal])
    assert signal.snapshot() == before


def test_snapshot_and_restore(balancer):
    def fresh(clock):
        signals = [SlowStart(40.0), OutlierEjection([ConsecutiveErrors(1)])]
        return balancer(RoundRobin(), ["a", "b", "c", "d"], signals=signals, clock=clock, seed=7)

    clock = FakeClock(100.0)
    lb = fresh(clock)
    lb.update(["a", "b", "c", "d", "e"])
    clock.advance(10.0)
    for _ in range(3):
        lb.acquire().done()
    lease = lb.acquire()
    lease.done(Outcome.SERVER_ERROR)
    state = json.loads(json.dumps(lb.snapshot()))
    elsewhere = FakeClock(5.0)
    copy = fresh(elsewhere)
    copy.update(["a", "b", "c", "d", "e"])
    copy.restore(state)
    assert copy.snapshot() == state
    assert copy.view == lb.view
    for _ in range(50):
        clock.advance(1.0)
        elsewhere.advance(1.0)
        assert copy.acquire().backend == lb.acquire().backend
        assert copy.view.factors.tolist() == lb.view.factors.tolist()


def test_restore_into_another_membership(balancer):
    clock = FakeClock()
    lb = balancer(RoundRobin(), ["a", "b"], signals=[SlowStart(40.0)], clock=clock, seed=0)
    state = lb.snapshot()
    other = balancer(RoundRobin(), ["b", "z"], signals=[SlowStart(40.0)], clock=clock, seed=0)
    other.restore(state)
    assert other.view.ids == ("b", "z")
    assert other.view.factors.tolist() == [1.0, 0.1]  # z is new to those who remember


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: None,
        lambda s: [],
        lambda s: {**s, "type": "Pool"},
        lambda s: {**s, "version": 2},
        lambda s: {**s, "signals": s["signals"][:1]},
        lambda s: {**s, "signals": s["signals"][::-1]},
        lambda s: {**s, "signals": {}},
        lambda s: {**s, "signals": [{"type": "SlowStart"}, s["signals"][1]]},
        lambda s: {**s, "signals": [s["signals"][0], {**s["signals"][1], "state": {}}]},
        lambda s: {**s, "cursor": None},
        lambda s: {**s, "cursor": -1},
        lambda s: {**s, "cursor": 2**64},
        lambda s: {k: v for k, v in s.items() if k != "cursor"},
    ],
)
def test_a_refused_restore_has_changed_nothing(balancer, spoil):
    clock = FakeClock()
    signals = [SlowStart(40.0), OutlierEjection([ConsecutiveErrors(1)])]
    lb = balancer(RoundRobin(), ["a", "b"], signals=signals, clock=clock, seed=0)
    lb.update(["a", "b", "c"])
    state = lb.snapshot()
    clock.advance(10.0)
    lb.acquire().done(Outcome.SERVER_ERROR)
    lb.advance()
    before = everything(lb, signals)
    with pytest.raises(ConfigError):
        lb.restore(spoil(state))
    assert everything(lb, signals) == before
    lb.advance()
    assert everything(lb, signals)[:3] == before[:3]
    lb.restore(state)
    assert lb.view.states.tolist() == [0, 0, 0]


def test_events_carry_what_signals_say_in_order(balancer):
    seen, clock = [], FakeClock()
    lb = balancer(
        RoundRobin(),
        ["a", "b"],
        signals=[OutlierEjection([ConsecutiveErrors(1)])],
        clock=clock,
        seed=0,
        on_event=seen.append,
    )
    seen.clear()
    id = lb.acquire().backend.id
    lb.acquire(exclude={"a", "b"} - {id}).done(Outcome.SERVER_ERROR)
    assert [type(event) for event in seen] == [Ejected, StateChanged]
    assert {event.id for event in seen} == {id}


def test_a_load_counts_through_rebuilds(balancer):
    signal = Manual()
    lb = balancer(Least(InFlight().start()), ["a", "b", "c"], signals=[signal], clock=FakeClock())
    held = [lb.acquire() for _ in range(3)]
    assert {lease.backend.id for lease in held} == {"a", "b", "c"}
    signal.say("a", 0.5)
    lb.advance()
    lb.update(["c", "b", "a", "d"])
    assert lb.acquire().backend.id == "d"
    assert lb.stats().in_flight == {"a": 1, "b": 1, "c": 1, "d": 0}
