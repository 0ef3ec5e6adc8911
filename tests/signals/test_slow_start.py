"""Slow start: the ramp's closed form, when it begins, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbalgo import ConfigError, DuplicateBackend, Outcome, SlowStart, State
from tests.statistical.budget import assert_binomial


def factors(signal, n):
    out, states = np.ones(n), np.zeros(n, np.uint8)
    signal.apply(out, states)
    assert not states.any()
    return out.tolist()


def joined(signal, now=0.0):
    """A pool of one warm backend and one that joins at `now`."""
    signal.sync(["old"], now - 1.0)
    signal.sync(["old", "new"], now)
    return signal


def envoy(elapsed, window, aggression, floor):
    """Envoy's factor, from its documentation; elapsed and window in seconds."""
    return max((max(0.001, elapsed) / window) ** (1 / aggression), floor) if elapsed < window else 1.0


@given(
    st.sampled_from([1.0, 30.0, 4.0, 0.5, 1e6]),
    st.sampled_from([1.0, 2.0, 0.5, 10.0, 0.1]) | st.floats(0.05, 50),
    st.floats(0.001, 1.0),
    st.integers(1, 40),
    st.floats(0.0, 1.2),
)
def test_the_ramp_is_envoys_held_between_steps(window, aggression, floor, steps, part):
    signal = joined(SlowStart(window, aggression, floor, steps))
    signal.advance(part * window)
    step = math.floor(part * window / window * steps)
    if min(part * steps - step, step + 1 - part * steps) > 1e-6:  # not at a step's very edge
        old, new = factors(signal, 2)
        assert old == 1.0
        assert new == pytest.approx(envoy(step / steps * window, window, aggression, floor), rel=1e-12)
        assert new <= envoy(part * window, window, aggression, floor) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ({"window": 30.0}, [0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ({"window": 30.0, "steps": 1}, [0.1]),
        ({"window": 30.0, "steps": 4, "aggression": 2.0}, [0.1, 0.5, math.sqrt(0.5), math.sqrt(0.75)]),
        ({"window": 30.0, "steps": 4, "aggression": 0.5}, [0.1, 0.1, 0.25, 0.5625]),
        ({"window": 10.0, "steps": 2, "floor": 0.01, "aggression": 4.0}, [0.1, 0.5**0.25]),  # the first millisecond
        ({"window": 0.0005, "steps": 2}, [1.0, 1.0]),  # shorter than the first millisecond
        ({"window": 30.0, "steps": 2, "aggression": 1e-300}, [0.1, 0.1]),
        ({"window": 30.0, "steps": 2, "aggression": 1e300}, [1.0, 1.0]),
        ({"window": 30.0, "steps": 3, "floor": 1.0}, [1.0, 1.0, 1.0]),
    ],
)
def test_factors_by_hand(arguments, values):
    assert SlowStart(**arguments).spec.factors() == pytest.approx(values, rel=1e-15)


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 64])
def test_steps_are_taken_at_their_instants(steps):
    signal = joined(SlowStart(10.0, steps=steps, floor=1e-6))
    seen, versions = [], {signal.version}
    while signal.deadline is not None:
        seen.append(signal.deadline)
        signal.advance(math.nextafter(signal.deadline - 1e-9, 0))
        assert signal.version in versions, "nothing moves before the deadline"
        signal.advance(signal.deadline)
        versions.add(signal.version)
    assert seen == pytest.approx([10.0 * (k + 1) / steps for k in range(steps)], abs=2e-9)
    assert len(versions) == steps + 1
    assert factors(signal, 2) == [1.0, 1.0]


def test_the_first_pool_is_warm_and_joiners_are_not():
    signal = SlowStart(10.0)
    signal.sync([], 0.0)
    signal.sync(["a"], 5.0)
    assert factors(signal, 1) == [0.1], "the first sync was the one without members"
    signal = SlowStart(10.0)
    signal.sync(["a", "b"], 0.0)
    assert factors(signal, 2) == [1.0, 1.0]
    assert signal.deadline is None
    signal.sync(["c", "a"], 1.0)
    assert factors(signal, 2) == [0.1, 1.0]


@pytest.mark.parametrize("old", list(State))
@pytest.mark.parametrize("new", list(State))
def test_a_return_to_health_is_a_start(old, new):
    signal = SlowStart(10.0)
    signal.sync(["a", "b"], 0.0)
    signal.changed(1, old, new, 3.0)
    starts = new is State.HEALTHY and old is not State.HEALTHY
    assert factors(signal, 2) == [1.0, 0.1 if starts else 1.0]
    assert signal.deadline == (4.0 if starts else None)


def test_a_second_start_begins_anew():
    signal = joined(SlowStart(10.0))
    signal.advance(9.0)
    assert factors(signal, 2) == [1.0, 0.9]
    signal.changed(1, State.UNHEALTHY, State.HEALTHY, 9.0)
    assert factors(signal, 2) == [1.0, 0.1]
    signal.advance(18.0)
    assert factors(signal, 2) == [1.0, 0.9]


@pytest.mark.parametrize(
    ("forget_after", "back", "wanted"),
    [
        (300.0, 6.0, 0.6),
        (300.0, 301.0, 1.0),
        (300.0, 301.9, 1.0),
        (300.0, 302.0, 0.1),
        (0.0, 2.0, 0.1),
        (1.0, 2.9, 0.2),
    ],
)
def test_leavers(forget_after, back, wanted):
    """Left at 2 s, two tenths into its ramp; within `forget_after` it goes on where time has brought it."""
    signal = joined(SlowStart(10.0))
    signal.forget_after = forget_after
    signal.sync(["old"], 2.0)
    signal.sync(["new", "old"], back)
    assert factors(signal, 2) == [wanted, 1.0]


def test_time_that_passes_while_it_is_away_does_not_forget_it():
    signal = joined(SlowStart(10.0, steps=10))
    signal.forget_after = 60.0
    signal.sync(["old"], 2.0)
    signal.advance(3.0)
    signal.sync(["old", "new"], 4.0)
    assert factors(signal, 2) == [1.0, 0.4], "on its fourth second still, not on its first"
    signal.sync(["old"], 5.0)
    signal.advance(65.0)
    signal.sync(["old", "new"], 65.0)
    assert factors(signal, 2) == [1.0, 0.1]


def test_outcomes_say_nothing():
    signal = joined(SlowStart(10.0))
    before = signal.snapshot(), signal.version
    for outcome in Outcome:
        signal.observe(1, outcome, 0.1, 0.0)
    assert (signal.snapshot(), signal.version) == before
    assert signal.observes is False
    assert signal.evidence is None


def test_repr_is_the_signal():
    signal = SlowStart(30, aggression=2.0, floor=0.2, steps=5)
    assert repr(signal) == "SlowStart(window=30, aggression=2.0, floor=0.2, steps=5)"
    assert eval(repr(signal)).spec == signal.spec
    assert signal.spec.to_dict() == {"type": "Ramp", "window": 30, "aggression": 2.0, "floor": 0.2, "steps": 5}


BAD = [
    ("window", 0),
    ("window", -1.0),
    ("window", math.nan),
    ("window", math.inf),
    ("window", 1e-10),
    ("window", "30"),
    ("window", None),
    ("aggression", 0.0),
    ("aggression", -1),
    ("aggression", math.inf),
    ("floor", 0.0),
    ("floor", 1.1),
    ("floor", math.nan),
    ("steps", 0),
    ("steps", 10_001),
    ("steps", 2.0),
    ("steps", True),
]


@pytest.mark.parametrize(("parameter", "value"), BAD)
def test_bad_parameters(parameter, value):
    with pytest.raises(ConfigError) as caught:
        SlowStart(**{"window": 30.0, parameter: value})
    assert caught.value.parameter == parameter


CALLS = [
    ("sync", ("a", 1.0), ConfigError, "ids"),
    ("sync", (None, 1.0), ConfigError, "ids"),
    ("sync", (["a", ""], 1.0), ConfigError, "ids"),
    ("sync", (["a", 1], 1.0), ConfigError, "ids"),
    ("sync", (["a", "a"], 1.0), DuplicateBackend, "id"),
    ("sync", (["a"], math.nan), ConfigError, "now"),
    ("sync", (["a"], 1e300), ConfigError, "now"),
    ("advance", (math.inf,), ConfigError, "now"),
    ("advance", ("1",), ConfigError, "now"),
    ("observe", (2, Outcome.SUCCESS, None, 1.0), ConfigError, "slot"),
    ("observe", (0, "success", None, 1.0), ConfigError, "outcome"),
    ("observe", (0, Outcome.SUCCESS, None, None), ConfigError, "now"),
    ("changed", (-1, State.UNHEALTHY, State.HEALTHY, 1.0), ConfigError, "slot"),
    ("changed", (0, 0, State.HEALTHY, 1.0), ConfigError, "old"),
    ("changed", (0, State.UNHEALTHY, 0, 1.0), ConfigError, "new"),
    ("changed", (0, State.UNHEALTHY, State.HEALTHY, math.nan), ConfigError, "now"),
    ("restore", (None, 1.0), ConfigError, "state"),
    ("restore", ({}, 1.0), ConfigError, "state"),
    ("restore", ({"type": "OutlierEjection", "synced": True, "members": {}, "away": {}}, 1.0), ConfigError, None),
    ("restore", ({"type": "SlowStart", "synced": 1, "members": {}, "away": {}}, 1.0), ConfigError, None),
    ("restore", ({"type": "SlowStart", "synced": True, "members": {"a": -1}, "away": {}}, 1.0), ConfigError, None),
    (
        "restore",
        ({"type": "SlowStart", "synced": True, "members": {}, "away": {"a": [-5, None]}}, 1.0),
        ConfigError,
        "state['away']['a']",
    ),
    ("restore", ({"type": "SlowStart", "synced": True, "members": {"a": 0.5}, "away": {}}, 1.0), ConfigError, None),
    ("restore", ({"type": "SlowStart", "synced": True, "members": ["a"], "away": {}}, 1.0), ConfigError, None),
    ("restore", ({"type": "SlowStart", "synced": True, "members": {}, "away": {"a": [1]}}, 1.0), ConfigError, None),
    ("restore", ({"type": "SlowStart", "synced": True, "members": {}, "away": {"a": None}}, 1.0), ConfigError, None),
    (
        "restore",
        ({"type": "SlowStart", "synced": True, "members": {"a": None}, "away": {"a": [1, 2]}}, 1.0),
        DuplicateBackend,
        "id",
    ),
]


@pytest.mark.parametrize(("method", "arguments", "error", "parameter"), CALLS)
def test_bad_calls_change_nothing(method, arguments, error, parameter):
    signal = joined(SlowStart(10.0))
    before = signal.snapshot(), signal.version, signal.deadline, factors(signal, 2)
    with pytest.raises(error) as caught:
        getattr(signal, method)(*arguments)
    assert parameter is None or caught.value.parameter == parameter
    assert (signal.snapshot(), signal.version, signal.deadline, factors(signal, 2)) == before


GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "envoy_slow_start.json").read_text())["configs"]


@pytest.mark.parametrize("config", GOLDEN, ids=[c["name"] for c in GOLDEN])
def test_envoys_shares(config):
    """Three old backends and one new: over the whole capture Envoy's picks of the new one are those of our ramp.

    Envoy's picks alternate rather than being drawn, so their count lies well inside the binomial it is tested with; a
    ramp held between steps of a tenth of a second of the window is close enough to its continuous one.
    """
    signal = SlowStart(config["window"], config["aggression"], config["floor"], steps=400)
    signal.sync(["1", "2", "3"], 0.0)
    signal.sync(["1", "2", "3", "new"], 0.0)
    for begin in range(0, len(config["bins"]), 11):
        picks = new = 0
        expected = 0.0
        for k, (everybody, ours) in list(enumerate(config["bins"]))[begin : begin + 11]:
            signal.advance(0.1 * k + 0.05)
            f = factors(signal, 4)[3]
            picks, new, expected = picks + everybody, new + ours, expected + everybody * f / (3 + f)
        assert_binomial(new, picks, expected / picks)
