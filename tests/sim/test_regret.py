"""Those who know everything, against what is known of them, and against the simulator where it can do the same."""

import itertools

import numpy as np
import pytest

import lbalgo as lb
from benchmarks import regret
from lbalgo.sim import LogNormal, Poisson, Scenario, Servers, run


@pytest.mark.parametrize("servers", [1, 3, 20])
def test_one_queue_is_the_simulator_s_server_of_many_slots(servers):
    """To the last bit: so the arrivals and the work are the very ones that the policies get."""
    rate = 0.8 * servers
    scenario = Scenario(
        lb.Random(), Servers(1, slots=servers), Poisson(rate), 500.0, LogNormal(1.0, 1.5), warmup=50.0, seed=3
    )
    times, works = regret.trace(scenario)
    ends = regret.one_queue(times, works, servers)
    took = [end - now for now, end in sorted(zip(times, ends, strict=True), key=lambda pair: pair[1])]
    shown = [t for t, e in zip(took, sorted(ends), strict=True) if 50.0 < e <= 500.0]
    result = run(scenario)
    assert len(times) == result.arrived
    assert result.latencies.tolist() == pytest.approx(shown, rel=1e-12)
    mean, tail = regret.measured(times, ends, scenario)
    assert mean == pytest.approx(result.mean)
    assert tail == pytest.approx(result.quantile(0.99))


def test_shortest_remaining_first_is_optimal_on_one_server():
    """Against every order without interruption, and against one example worked out by hand."""
    assert regret.clairvoyant([0.0, 1.0, 2.0], [5.0, 1.0, 3.0], 1) == [9.0, 2.0, 5.0]
    rng = np.random.default_rng(5)
    for _ in range(30):
        times, works = sorted(rng.uniform(0, 4, 5).tolist()), rng.exponential(1.0, 5).tolist()
        total = sum(regret.clairvoyant(times, works, 1))
        for order in itertools.permutations(range(5)):
            now, ends = 0.0, 0.0
            for i in order:
                now = max(now, times[i]) + works[i]
                ends += now
            assert total <= ends + 1e-9


def test_it_interrupts_on_several_and_serves_all():
    assert regret.clairvoyant([0.0, 0.0, 1.0], [5.0, 4.0, 1.0], 2) == [6.0, 4.0, 2.0]
    rng = np.random.default_rng(6)
    times, works = np.cumsum(rng.exponential(0.3, 500)).tolist(), rng.exponential(1.0, 500).tolist()
    ends = regret.clairvoyant(times, works, 4)
    assert all(end - now > work - 1e-9 for now, work, end in zip(times, works, ends, strict=True))
    # no server rests while somebody waits: the last to end is the same whatever the order, but for the last few
    assert max(ends) == pytest.approx(max(regret.one_queue(times, works, 4)), rel=0.05)
    assert sum(ends) < sum(regret.one_queue(times, works, 4))


def test_enough_servers_make_everybody_clairvoyant():
    times, works = [0.0, 0.1, 0.2], [3.0, 2.0, 1.0]
    assert regret.clairvoyant(times, works, 3) == regret.one_queue(times, works, 3)


FAST = (
    "Random",
    "RoundRobin",
    "PowerOfTwo",
    "LeastLoaded",
    "PowerOfTwo by PeakEwma",
    "Maglev",
    "LeastLoaded, 20 clients",
)


@pytest.mark.parametrize("service", regret.SERVICES)
def test_nobody_beats_the_clairvoyant(service):
    found = regret.study(regret.SERVICES[service], 3000, FAST)
    least = found.pop("clairvoyant")
    assert found.keys() == {"one queue", *FAST}
    for name, values in found.items():
        assert all(mean > best > 0.8 for (mean, _), (best, _) in zip(values, least, strict=True)), name


ALL = {name: case for group in regret.POLICIES.values() for name, case in group.items()}


@pytest.mark.parametrize("name", ALL)
def test_every_line_of_the_table_can_be_had(name):
    policy, more = ALL[name]
    result = run(Scenario(policy, Servers(20, zone="here"), Poisson(16.0), duration=30.0, **more))
    assert result.refused == 0
    assert set(result.outcomes) == {lb.Outcome.SUCCESS}


def test_the_table_has_every_policy_there_is():
    every = {kind for kind in lb.policies.__all__ if hasattr(getattr(lb.policies, kind), "build")}
    assert {kind for kind in every if not any(kind in name for name in ALL)} == set()


def test_each_client_has_a_subset_of_its_own():
    policy, more = ALL["DeterministicSubset(5)"]
    result = run(Scenario(policy, Servers(20), Poisson(16.0), duration=500.0, rows=True, **more))
    used = [{row[4] for row in result.rows if row[2] == client} for client in range(20)]
    assert [len(servers) for servers in used] == [5] * 20
    assert set().union(*used) == set(range(20))
