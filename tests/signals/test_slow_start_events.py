"""What a slow start says: when a warm-up begins, when it will end, and that it has ended."""

from lbalgo import SlowStart, State
from lbalgo.events import Warmed, Warming


def synced(*ids):
    signal = SlowStart(30.0, steps=3)
    signal.sync(["a"], 0.0)
    signal.sync(ids, 10.0)
    return signal


def test_a_joiner_warms_until_the_window_is_over():
    signal = synced("a", "b")
    assert signal.drain_events() == [Warming(10.0, "b", 40.0)]
    signal.advance(39.0)
    assert signal.drain_events() == []
    signal.advance(55.0)
    assert signal.drain_events() == [Warmed(40.0, "b")]
    signal.advance(90.0)
    assert signal.drain_events() == []


def test_a_return_to_health_begins_anew():
    signal = synced("a", "b")
    signal.drain_events()
    for now in (20.0, 25.0):
        signal.changed(1, State.UNHEALTHY, State.HEALTHY, now)
    assert signal.drain_events() == [Warming(20.0, "b", 50.0), Warming(25.0, "b", 55.0)]


def test_who_leaves_is_passed_over_in_silence_and_goes_on_when_it_returns():
    signal = synced("a", "b")
    signal.drain_events()
    signal.sync(["a"], 20.0)
    signal.advance(30.0)
    assert signal.drain_events() == []
    signal.sync(["a", "b"], 30.0)
    assert signal.drain_events() == [Warming(30.0, "b", 40.0)]
    signal.sync(["a"], 35.0)
    signal.sync(["a", "b"], 50.0)
    assert signal.drain_events() == []


def test_the_first_pool_is_warm_and_a_restored_signal_repeats_nothing():
    signal = synced("a", "b")
    other = SlowStart(30.0, steps=3)
    other.restore(signal.snapshot(), 1000.0)
    assert other.drain_events() == []
    other.advance(1030.0)
    assert other.drain_events() == [Warmed(1030.0, "b")]
    first = SlowStart(30.0)
    first.sync(["a"], 0.0)
    assert first.drain_events() == []
