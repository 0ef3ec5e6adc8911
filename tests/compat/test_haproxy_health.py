"""HAProxy's health counter, observed traffic, agents and slow starts."""

import json

import numpy as np
import pytest

from lbalgo import Balancer, ConfigError, Outcome, State, UnknownBackend
from lbalgo.compat.haproxy import (
    Agent,
    AgentReply,
    Check,
    Health,
    HealthChecks,
    LeastConn,
    Observe,
    OnError,
    RoundRobin,
    Server,
    SlowStart,
    dynamic_maxconn,
    parse_agent,
    slowstart_maxconn,
)


def run(health, results):
    for result in results:
        (health.passed if result == "+" else health.failed)()
    return health.status


def test_the_counter():
    assert run(Health(Check()), "") == "UP 1/3"
    assert run(Health(Check()), "-") == "DOWN"
    assert run(Health(Check()), "+--") == "UP 1/3"
    assert run(Health(Check()), "+---") == "DOWN"
    assert run(Health(Check()), "+--+--") == "UP 1/3"
    assert run(Health(Check(rise=3)), "-++-") == "DOWN"
    assert run(Health(Check(rise=3)), "-++") == "DOWN 2/3"
    assert run(Health(Check(rise=3)), "-+++") == "UP"


def test_intervals():
    health = Health(Check(inter=10, fastinter=1, downinter=5))
    assert health.interval() == 1  # going up
    health.passed()
    assert health.interval() == 10
    health.failed()
    assert health.interval() == 1
    run(health, "--")
    assert health.interval() == 5
    assert Health(Check(inter=10)).interval(spread_checks=20, draw=1.0) == 12
    for bad in ({"spread_checks": 51}, {"draw": 1.5}):
        with pytest.raises(ConfigError):
            health.interval(**bad)


@pytest.mark.parametrize(
    ("on_error", "status"),
    [
        (OnError.FASTINTER, "UP"),
        (OnError.FAIL_CHECK, "UP 3/4"),
        (OnError.SUDDEN_DEATH, "UP 1/4"),
        (OnError.MARK_DOWN, "DOWN"),
    ],
)
def test_errors_in_a_row(on_error, status):
    check = Check(rise=2, fall=4, inter=10, fastinter=1, observe=Observe.LAYER7, error_limit=3, on_error=on_error)
    health = Health(check)
    health.passed()
    for error in (True, True, False, True, True):
        health.seen(error)
    assert health.status == "UP" and health.interval() == 10
    health.seen(True)
    assert health.status == status and health.interval() == 1
    health.passed()
    assert health.status == ("UP" if status != "DOWN" else "DOWN 1/2") and health.errors == 0


def test_traffic_that_nobody_observes():
    health = Health(Check(error_limit=1, on_error=OnError.MARK_DOWN))
    health.seen(True)
    assert health.up


@pytest.mark.parametrize(
    ("layer", "outcomes"),
    [
        (Observe.LAYER4, {Outcome.LOCAL_ERROR}),
        (Observe.LAYER7, {Outcome.LOCAL_ERROR, Outcome.TIMEOUT, Outcome.SERVER_ERROR, Outcome.GATEWAY_ERROR}),
    ],
)
def test_which_outcomes_are_errors(layer, outcomes):
    for outcome in Outcome:
        signal = HealthChecks(Check(observe=layer, error_limit=1, on_error=OnError.MARK_DOWN))
        signal.sync(["a"], 0.0)
        signal.observe(0, outcome, None, 1.0)
        assert (signal.status("a") == "DOWN") == (outcome in outcomes)


def test_checks_by_id():
    signal = HealthChecks({"a": Check(fall=1, inter=4)}, spread_checks=10)
    signal.sync(["a", "b"], 0.0)
    assert signal.next_check("a") == 0.0 and signal.next_check("b") is None
    signal.checked("a", True, 1.0, draw=1.0)
    assert signal.next_check("a") == pytest.approx(5.4)
    with pytest.raises(ConfigError):
        signal.checked("b", True, 1.0)
    with pytest.raises(UnknownBackend):
        signal.checked("c", True, 1.0)
    with pytest.raises(ConfigError):
        signal.checked("a", 1, 1.0)
    version = signal.version
    signal.checked("a", False, 5.0)
    assert signal.version == version + 1
    states = np.zeros(2, np.uint8)
    signal.apply(np.ones(2), states)
    assert states.tolist() == [State.UNHEALTHY, State.HEALTHY]


def test_a_hurried_check():
    check = Check(inter=10, fastinter=1, observe=Observe.LAYER4, error_limit=1, on_error=OnError.FASTINTER)
    signal = HealthChecks(check)
    signal.sync(["a"], 0.0)
    signal.checked("a", True, 0.0)
    assert signal.next_check("a") == 10.0
    signal.observe(0, Outcome.LOCAL_ERROR, None, 3.0)
    assert signal.next_check("a") == 4.0


def test_snapshots():
    signal = HealthChecks(Check(), weights={"a": 40})
    signal.sync(["a", "b"], 0.0)
    signal.checked("a", False, 1.0)
    signal.told("a", "drain 50% maxconn:3", 2.0)
    signal.sync(["a"], 3.0)
    state = json.loads(json.dumps(signal.snapshot()))
    other = HealthChecks(Check(), weights={"a": 40})
    other.restore(state, 1003.0)
    assert other.status("a") == "DRAIN (agent)" and other.agent("a").weight == 20 and other.agent("a").maxconn == 3
    assert other.next_check("a") == pytest.approx(1003.0 + signal.next_check("a") - 3.0)
    assert other.snapshot() == state
    for bad in ({}, {**state, "type": "SlowStart"}, {**state, "members": {"a": 1}}, {**state, "synced": 1}):
        with pytest.raises(ConfigError):
            other.restore(bad, 0.0)
    with pytest.raises(ConfigError):
        HealthChecks().restore(state, 0.0)
    slow = SlowStart({"a": 5, "b": 0})
    with pytest.raises(ConfigError):
        slow.restore({"type": "SlowStart", "synced": True, "members": [], "away": {}}, 0.0)


def test_the_words_of_an_agent():
    """As 2.6.12 takes them, one line after the other."""
    agent = Agent(40)
    for line, status, weight in [
        ("UP", "no check", 40),
        ("dOWN 50%", "DOWN (agent)", 20),
        ("up 100%", "no check", 40),
        ("50 %", "no check", 40),
        ("050%", "no check", 20),
        ("50%%", "no check", 20),
        ("+50% -5% 5.5% 20%25% x30%", "no check", 20),
        ("99999%", "no check", 256),
        ("100%", "no check", 40),
        ("maint", "MAINT", 40),
        ("drain", "DRAIN (agent)", 40),
        ("drain maint", "MAINT", 40),
        ("ready", "no check", 40),
        ("up down", "DOWN (agent)", 40),
        ("down up", "no check", 40),
        ("50% 20%", "no check", 8),
        ("fail # up", "DOWN (agent)", 8),
        ("up# down", "DOWN (agent)", 8),
        ("stopped\tup", "no check", 8),
        ("75% maxconn:7", "no check", 30),
        ("disabled", "no check", 30),
        ("", "no check", 30),
    ]:
        agent.reply(line)
        assert (agent.status, agent.weight) == (status, weight), line
    assert agent.maxconn == 7
    assert parse_agent("\ndown") == AgentReply()


def test_agents_in_a_balancer():
    servers = [Server("a", 40), Server("b", 40)]
    checks = HealthChecks(weights={"a": 40, "b": 40})
    balancer = Balancer(RoundRobin(), servers, signals=[checks], clock=lambda: 1.0)
    checks.told("a", "drain", 1.0)
    balancer.advance()
    assert {balancer.acquire().backend.id for _ in range(9)} == {"b"}
    checks.told("a", "ready 250%", 1.0)
    balancer.update([Server(s.id, checks.agent(s.id).weight) for s in servers])
    picks = [balancer.acquire().backend.id for _ in range(700)]
    assert abs(picks.count("a") - 500) <= 2


def test_a_slow_start_in_a_balancer():
    now = [0.0]
    checks, slow = HealthChecks(Check(rise=1, fall=1)), SlowStart({"a": 4})
    balancer = Balancer(LeastConn(), [Server("a", 10), Server("b", 10)], signals=[checks, slow], clock=lambda: now[0])

    def weights():
        balancer.advance()
        return [standing.ew for standing in balancer.picker.machine.farm.standings.values()]

    assert weights() == [160, 160]
    checks.checked("a", False, 0.0)
    weights()
    now[0] = 10.0
    checks.checked("a", True, 10.0)
    seen = []
    for second in (0.0, 0.5, 1.0, 2.0, 3.9, 4.0):
        now[0] = 10.0 + second
        seen.append(weights()[0])
    assert seen == [10, 10, 50, 90, 130, 160]


def test_limits():
    assert dynamic_maxconn(10, 20, 100, 0) == 20  # a minconn above maxconn is the limit
    assert dynamic_maxconn(10, 0, 0, 5) == 10
    assert slowstart_maxconn(3, 0.9, 10) == 1
