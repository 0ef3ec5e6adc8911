"""Ejection as twemproxy does it: the laws of signals, and its own rules."""

import numpy as np
import pytest

from lbalgo import ConfigError, Outcome, State
from lbalgo.compat.memcached import AutoEject
from lbalgo.testing import SignalContract


class TestAutoEject(SignalContract):
    longest = 4.0

    def signal(self):
        return AutoEject(server_failure_limit=2, server_retry_timeout=3000)


def states(signal, n):
    column = np.zeros(n, np.uint8)
    signal.apply(np.ones(n), column)
    return column.tolist()


def started(limit=2, timeout=1000, n=3):
    signal = AutoEject(limit, timeout)
    signal.sync([f"s{i}" for i in range(n)], 0.0)
    return signal


UP, OUT = int(State.HEALTHY), int(State.UNHEALTHY)


def test_an_answer_clears_the_count():
    for answer in (Outcome.SUCCESS, Outcome.SERVER_ERROR, Outcome.OVERLOADED, Outcome.GATEWAY_ERROR):
        signal = started()
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
        signal.observe(0, answer, None, 1.0)
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
        assert states(signal, 3) == [UP, UP, UP]
        signal.observe(0, Outcome.LOCAL_ERROR, None, 1.0)
        assert states(signal, 3) == [OUT, UP, UP]


def test_cancelled_is_nothing():
    signal = started()
    for outcome in (Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.TIMEOUT):
        signal.observe(1, outcome, None, 1.0)
    assert states(signal, 3) == [UP, OUT, UP]


def test_it_returns_when_more_than_the_timeout_is_over_and_counts_anew():
    signal = started(timeout=500)
    for _ in range(2):
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
    signal.advance(1.5)
    assert states(signal, 3) == [OUT, UP, UP]
    assert 1.5 < signal.deadline < 1.500001
    signal.advance(signal.deadline)
    assert states(signal, 3) == [UP, UP, UP] and signal.deadline is None
    signal.observe(0, Outcome.TIMEOUT, None, 2.0)
    assert states(signal, 3) == [UP, UP, UP]
    signal.observe(0, Outcome.TIMEOUT, None, 2.0)
    assert states(signal, 3) == [OUT, UP, UP]


def test_everybody_may_be_out():
    signal = started(limit=1)
    for slot in range(3):
        signal.observe(slot, Outcome.TIMEOUT, None, float(slot))
    assert states(signal, 3) == [UP, OUT, OUT]  # the first has been out for more than its second
    signal = started(limit=1, timeout=60_000)
    for slot in range(3):
        signal.observe(slot, Outcome.TIMEOUT, None, float(slot))
    assert states(signal, 3) == [OUT, OUT, OUT]


def test_failures_while_out_put_the_return_off():
    signal = started(limit=1)
    signal.observe(0, Outcome.TIMEOUT, None, 0.0)
    signal.observe(0, Outcome.TIMEOUT, None, 0.9)
    signal.advance(1.8)
    assert states(signal, 3) == [OUT, UP, UP]
    signal.advance(2.0)
    assert states(signal, 3) == [UP, UP, UP]


def test_who_is_forgiven_returns_with_the_next_rebuild():
    """Out, one more failure, then an answer on an old connection: any ejection of another brings it back."""
    signal = started(limit=2, timeout=60_000)
    for outcome in (Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.TIMEOUT, Outcome.SUCCESS):
        signal.observe(0, outcome, None, 1.0)
    assert states(signal, 3) == [OUT, UP, UP]
    for _ in range(2):
        signal.observe(1, Outcome.TIMEOUT, None, 2.0)
    assert states(signal, 3) == [UP, OUT, UP]


def test_states_only_get_worse():
    signal = started()
    for _ in range(2):
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
    column = np.array([State.DRAINING, State.DEGRADED, UP], np.uint8)
    signal.apply(np.ones(3), column)
    assert column.tolist() == [State.DRAINING, State.DEGRADED, UP]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: {**s, "type": "SlowStart"},
        lambda s: {**s, "synced": 1},
        lambda s: {k: v for k, v in s.items() if k != "away"},
        lambda s: {**s, "members": {"s0": [-1, None, False]}},
        lambda s: {**s, "members": {"s0": [0, 1.5, False]}},
        lambda s: {**s, "members": {"s0": [0, None, 0]}},
        lambda s: {**s, "members": {"s0": [0, None]}},
        lambda s: {**s, "members": {"": [0, None, False]}},
        lambda s: {**s, "away": {"x": [-1, [0, None, False]]}},
        lambda s: {**s, "away": {"x": 3}},
        lambda s: {**s, "members": None},
        lambda s: None,
    ],
)
def test_a_spoilt_snapshot_is_refused_and_changes_nothing(spoil):
    signal = started()
    for _ in range(2):
        signal.observe(0, Outcome.TIMEOUT, None, 1.0)
    before = signal.snapshot()
    with pytest.raises(ConfigError):
        signal.restore(spoil(before), 1.0)
    assert signal.snapshot() == before and states(signal, 3) == [OUT, UP, UP]


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.sync(["a", "a"], 0.0),
        lambda s: s.sync(["a"], float("nan")),
        lambda s: s.observe(3, Outcome.SUCCESS, None, 1.0),
        lambda s: s.observe(0, "timeout", None, 1.0),
        lambda s: s.observe(0, Outcome.TIMEOUT, None, float("inf")),
        lambda s: s.changed(0, 0, State.HEALTHY, 1.0),
        lambda s: s.advance("now"),
    ],
)
def test_bad_input_is_refused(act):
    signal = started(limit=1)
    with pytest.raises(ConfigError):
        act(signal)
    assert states(signal, 3) == [UP, UP, UP]
