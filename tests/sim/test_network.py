"""The network against closed forms, and health checks against the library's own bounds."""

from functools import partial

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.signals import ActiveHealth, HttpCheck, Probing
from lbalgo.sim import (
    Checks,
    Constant,
    Crash,
    Exponential,
    FailFast,
    Faulty,
    Network,
    Paced,
    Path,
    Poisson,
    Retries,
    Scenario,
    Servers,
    Slow,
    Timeout,
    interval,
    read_toml,
    run,
)
from lbalgo.sim.running import Run
from lbalgo.types import State

ALONE = Scenario(lb.Random(), Servers(1), Paced(1.0), duration=20.5, service=Constant(0.25), rows=True)


def test_both_ways_are_added_to_each_latency_and_load_nobody():
    there, back = Constant(0.5), Constant(0.125)
    result = run(ALONE.but(network=Network((Path(there, back),))))
    assert result.latencies.tolist() == [0.875] * 19
    assert result.busy[0] == pytest.approx(0.25 * 19)  # that of 20 has just arrived
    assert run(ALONE.but(network=Network((Path(there),)))).latencies.tolist() == [1.25] * 19


@pytest.mark.parametrize("by_balancers", [False, True])
def test_the_mean_is_that_of_the_queue_and_of_both_ways(by_balancers):
    """Poisson arrivals, displaced by times of their own, are Poisson: M/M/1 of load .5 has mean 2, and ways 3 and 1."""
    network = Network((Path(Exponential(3.0), Exponential(1.0)),))
    base = Scenario(lb.Random(), Servers(4), Poisson(2.0), duration=2000.0, warmup=100.0, network=network)
    found = [Run(base.but(seed=seed), by_balancers=by_balancers).go().mean for seed in range(20)]
    band = interval(found, 1 - 1e-4)
    assert 6.0 in band
    assert band.half < 0.2


def test_each_pair_takes_the_first_path_that_joins_it():
    paths = (
        Path(Constant(1.0), Constant(0.5), client=0, server="b-0"),
        Path(Constant(2.0), from_zone="x", to_zone="b"),
        Path(Constant(3.0), from_zone="y"),
    )
    servers = (Servers(2, "a", slots=9, zone="a"), Servers(2, "b", slots=9, zone="b"))
    scenario = ALONE.but(
        policy=lb.RoundRobin(), servers=servers, clients=3, duration=400.0, network=Network(paths, zones=("x", "y"))
    )
    took = {}
    for began, ended, client, _, server, _ in run(scenario).rows:
        took.setdefault((client, server), set()).add(round(ended - began - 0.25, 9))
    pairs = [(client, server) for client in range(3) for server in range(4)]
    law = {(client, server): 6.0 if client == 1 else 4.0 if server > 1 else 0.0 for client, server in pairs}
    law[0, 2] = 1.5
    assert took == {pair: {way} for pair, way in law.items()}


def test_a_way_has_a_stream_of_its_own():
    """Other servers, of which none is on the path, do not change what it takes."""
    far = Path(Exponential(1.0), server="far")
    few = ALONE.but(servers=(Servers(1, "far"), Servers(1, "near")), policy=lb.RoundRobin(), network=Network((far,)))
    more = few.but(network=Network((far, Path(Exponential(1.0), server="near"))))
    found = [[row[1] for row in run(each).rows if row[4] == 0] for each in (few, more)]
    assert sorted(found[0]) == sorted(found[1])
    assert len(found[0]) > 5


def test_who_is_down_refuses_over_the_network_and_a_timeout_counts_from_the_client():
    network = Network((Path(Constant(0.5)),))
    down = run(ALONE.but(network=network, changes=(Crash(10.25, "server"),)))
    assert {outcome.value: n for outcome, n in down.outcomes.items()} == {"success": 9, "local_error": 10}
    assert [row[1] - row[0] for row in down.rows[9:]] == [1.0] * 10
    late = run(ALONE.but(network=network, timeout=Timeout(1.1)))
    assert late.outcomes == {lb.Outcome.TIMEOUT: 19}
    assert late.busy[0] == pytest.approx(0.25 * 19)  # the servers have worked all the same
    stopped = run(ALONE.but(network=network, timeout=Timeout(0.25, stops=True)))
    assert stopped.busy[0] == 0.0  # called off on the way


def test_it_cannot_be_seen_who_chooses_and_nobody_is_lost():
    network = Network((Path(Exponential(0.3), to_zone="a"), Path(Exponential(0.1))), zones=("a", "b"))
    servers = (Servers(3, "a", zone="a"), Servers(3, "b", zone="b", queue_limit=3))
    scenario = Scenario(lb.PowerOfTwo(), servers, Poisson(5.0), duration=200.0, clients=2, network=network)
    changes = (Crash(50.0, "a-0", until=70.0), FailFast(90.0, "a-1", 0.5), Slow(120.0, "b-0", 0.0, until=130.0))
    for each in (scenario, scenario.but(changes=changes)):
        assert Run(each).go().fingerprint() == Run(each, by_balancers=True).go().fingerprint()
    lane = Run(scenario.but(changes=changes, timeout=Timeout(2.0), retries=Retries(2), rows=True))
    result = lane.go()
    assert result.arrived == result.ended + result.refused + result.in_system
    lane.stations.check_invariants()


PROBING = Probing(interval=5.0, timeout=2.0, fall=3, fast_interval=3.0, jitter=0.0, spread=0.0, initial=State.HEALTHY)
POOL = Scenario(lb.RoundRobin(), Servers(5), Paced(20.0), duration=200.0, service=Constant(0.01))


def told(scenario, id="server-0", state=State.UNHEALTHY):
    """When the first client hears that a server is in this state."""
    events = [event for client, event in run(scenario).happened if client == 0]
    return [e.now for e in events if getattr(e, "id", None) == id and getattr(e, "state", None) is state]


@pytest.mark.parametrize("delay", [0.0, 0.25])
def test_the_worst_case_of_detection_is_reached_and_is_the_worst(delay):
    """A server that hangs just after it has answered is found out after the library's own bound, to the last probe."""
    health = partial(ActiveHealth.of, PROBING)
    network = Network((Path(Constant(delay)),)) if delay else None
    scenario = POOL.but(signals=(health,), network=network)
    bound = PROBING.worst_case_detection()
    deaths = [*np.linspace(50.0, 55.0, 21)[1:-1].tolist(), 50.0 + delay + 1e-6]
    took = [told(scenario.but(changes=(Slow(dies, "server-0", 0.0),)))[0] - dies for dies in deaths]
    assert max(took) == took[-1] == pytest.approx(bound - delay, abs=2e-6)
    assert max(took) <= bound
    assert min(took) < bound - 4.0  # just before the next probe it is one interval less


def test_with_chance_the_bound_holds_as_well():
    health = partial(ActiveHealth, HttpCheck(), 5.0, 2.0, 2, 3)  # with a tenth of jitter
    scenario, bound = POOL.but(signals=(health,), clients=3), health().spec.worst_case_detection()
    for seed in range(10):
        dies = 50.0 + seed / 2.0
        (found,) = told(scenario.but(changes=(Slow(dies, "server-0", 0.0),), seed=seed))
        assert 0.0 < found - dies <= bound


def test_who_refuses_is_found_sooner_and_who_is_back_is_used_again():
    scenario = POOL.but(signals=(partial(ActiveHealth.of, PROBING),), changes=(Crash(51.0, "server-0", until=100.0),))
    assert told(scenario) == [61.0]  # refused at 55, 58 and 61
    assert told(scenario, state=State.HEALTHY) == [104.0]  # passed at 101 and 104
    rows = run(scenario.but(rows=True)).rows
    to = [began for began, _, _, _, server, _ in rows if server == 0]
    assert not [began for began in to if 61.0 < began < 104.0]
    assert [began for began in to if began > 115.0]


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (FailFast(51.0, "server-0", outcome=lb.Outcome.SERVER_ERROR), False),
        (Faulty(51.0, "server-0", 1.0), False),
        (Slow(51.0, "server-0", 0.02), False),  # answers, after 2.5 s
        (Slow(51.0, "server-0", 0.5), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_probe_is_answered_as_the_server_is(change, passes):
    health = partial(ActiveHealth, HttpCheck(), 5.0, 2.0, 2, 3, jitter=0.0, spread=0.0, initial=State.HEALTHY)
    scenario = POOL.but(signals=(health,), checks=Checks(work=0.05), changes=(change,))
    assert bool(told(scenario)) is not passes


def test_a_scenario_of_it_loads_from_toml():
    scenario = read_toml(
        """
        policy = "PowerOfTwo"
        servers = [{ count = 2, name = "a", zone = "a" }, { count = 2, name = "b", zone = "b" }]
        clients = 2
        duration = 60
        arrivals = { type = "Poisson", rate = 2 }
        checks = { work = 0.001 }
        signals = [{ type = "ActiveHealth", interval = 2.0, timeout = 1.0, check = { type = "HttpCheck" } }]
        [network]
        zones = ["a", "b"]
        paths = [
            { from_zone = "a", to_zone = "a", there = { type = "Constant", mean = 0.001 } },
            { there = { type = "LogNormal", mean = 0.03, sigma = 0.5 }, back = { type = "Exponential", mean = 0.02 } },
        ]
        """
    )
    assert scenario.network.zones == ("a", "b")
    assert scenario.network == Network.from_dict(scenario.network.to_dict())
    assert scenario.checks == Checks(0.001)
    result = run(scenario)
    assert result.error_rate == 0.0
    assert result.arrived > 50
    one = read_toml(
        'policy = "Random"\nservers = 1\nduration = 9\narrivals = { type = "Paced", rate = 1 }\n'
        'network = { there = { type = "Constant", mean = 0.5 } }'
    )
    assert one.network == Network((Path(Constant(0.5)),))
    with pytest.raises(lb.ConfigError, match=r"network.paths\[0\].there"):
        read_toml(
            'policy = "Random"\nservers = 1\nduration = 9\narrivals = { type = "Paced", rate = 1 }\n'
            'network = { paths = [{ there = { type = "Constant", mean = -1 } }] }'
        )
