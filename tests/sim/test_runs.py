"""Runs: the same seed gives the same bits, whoever chooses and whichever twin runs; what is counted adds up."""

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.loads import FailurePenalty, InFlightAge, LatencyEwma, PeakEwma, Reported
from lbalgo.policies import C3, Prequal
from lbalgo.sim import (
    Bimodal,
    Board,
    Bursts,
    Checks,
    Cold,
    Constant,
    Crash,
    Exponential,
    FailFast,
    Faulty,
    Hedge,
    Join,
    Leave,
    LogNormal,
    Network,
    Paced,
    Path,
    Poisson,
    Probes,
    Reports,
    Retries,
    Scenario,
    Servers,
    Slow,
    Timeout,
    UniformKeys,
    Weigh,
    ZipfKeys,
    feedback,
    load_report,
    replicate,
    run,
    sweep,
    vary,
)
from lbalgo.sim.running import Run

POLICIES = [
    *[lb.PowerOfTwo(load=load) for load in (PeakEwma(), InFlightAge(), FailurePenalty(LatencyEwma()))],
    lb.PowerOfTwo(),
    lb.LeastLoaded(),
    lb.RoundRobin(),
    lb.Random(),
    lb.Maglev(),
    lb.Rendezvous(),
]
BUSY = Scenario(lb.PowerOfTwo(), Servers(10), Poisson(9.0), duration=300.0, warmup=50.0, keys=ZipfKeys(50), sample=30.0)


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not():
    assert run(BUSY).fingerprint() == run(BUSY).fingerprint()
    assert run(BUSY).fingerprint() != run(BUSY.but(seed=1)).fingerprint()


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@pytest.mark.parametrize("clients", [1, 3])
def test_it_cannot_be_seen_who_chooses(policy, clients):
    scenario = BUSY.but(policy=policy, clients=clients)
    direct, around = Run(scenario), Run(scenario, by_balancers=True)
    assert direct.pickers and not around.pickers and around.balancers
    assert direct.go().fingerprint() == around.go().fingerprint()


CALM = BUSY.but(
    keys=None,
    servers=Servers(10, queue_limit=12),
    changes=(Slow(60.0, "server-1", 0.0, until=80.0), Crash(100.0, "server-2", until=120.0)),
)


@pytest.mark.parametrize("policy", [lb.PowerOfTwo(), lb.PowerOfTwo(3), lb.LeastLoaded()], ids=repr)
@pytest.mark.parametrize("late", [(), (FailFast(150.0, "server-3", 0.5, after=0.1), Faulty(200.0, "server-4", 0.5))])
def test_nor_whether_somebody_looks_at_single_requests(policy, late):
    """The engine takes a shorter way where nobody does, and where no server errs; that may change in the course."""
    scenario = CALM.but(policy=policy, changes=(*CALM.changes, *late))
    short, watched = Run(scenario), Run(scenario.but(rows=True))
    found, rows = short.go(), watched.go()
    assert found.refusals == {} and found.outcomes.keys() > {lb.Outcome.SUCCESS}
    assert replace(rows, rows=None).fingerprint() == found.fingerprint()
    assert found.fingerprint() == Run(scenario, by_balancers=True).go().fingerprint()


class Own:
    """A policy of one's own, with a load in plain Python: two choices, and it sees outcomes, latencies and time."""

    def __repr__(self):
        return "Own()"

    def build(self, view, *, previous=None):
        return OwnPicker(lb.View.of(view))

    def to_dict(self):
        return {"type": "Own"}


class OwnPicker:
    def __init__(self, view):
        self.backends, self.load, self.state = view.backends, self, 1
        self.flying, self.cost, self.now = [0] * len(view), [1.0] * len(view), 0.0

    def reseed(self, seed):
        self.state = seed

    def pick(self, key=None, *, exclude=()):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        n = len(self.backends)
        one, two = (self.state >> 32) % n, (self.state >> 40) % n
        return self.backends[min(one, two, key=lambda i: (self.flying[i] + 1) * self.cost[i])]

    def walk(self, key=None):
        return iter(self.backends)

    def started(self, row, cost, now):
        assert now == self.now
        self.flying[row] += 1

    def finished(self, row, outcome, latency, now, cost=1.0):
        self.flying[row] -= 1
        self.cost[row] += 0.1 * (latency - self.cost[row]) if outcome is lb.Outcome.SUCCESS else 1.0

    def advance(self, now):
        self.now = now

    def at(self, row):
        return self.cost[row]


@pytest.mark.parametrize("policy", [Own(), lb.BoundedLoad(lb.RingHash()), lb.HotKeySpread(lb.Maglev())], ids=repr)
def test_nor_if_a_picker_is_of_another_kind(policy):
    scenario = BUSY.but(policy=policy, clients=2, changes=(FailFast(20.0, "server-1", 0.5),), duration=100.0)
    direct, around = Run(scenario), Run(scenario, by_balancers=True)
    assert direct.pickers and not around.pickers
    assert direct.go().fingerprint() == around.go().fingerprint()


MIXED = BUSY.but(
    servers=(Servers(5, "fifo", queue_limit=8), Servers(4, "shared", slots=2, sharing=True, speed=0.7)),
    service=LogNormal(1.0, 0.5),
    arrivals=Bursts((4.0, 14.0), (20.0, 5.0)),
    clients=2,
    changes=(
        Crash(60.0, "fifo-1", until=90.0),
        Slow(100.0, "shared-0", 0.0, until=130.0),
        FailFast(120.0, "fifo-2", 0.5, after=0.01, until=200.0),
        Faulty(150.0, "fifo-3", 0.3, until=220.0),
        Cold(10.0, "shared-1", 3.0, 20.0),
        Leave(170.0, "shared-2"),
        Join(190.0, "shared-2"),
        Weigh(200.0, "fifo-0", 0.5),
    ),
    signals=(lb.OutlierEjection, partial(lb.SlowStart, 20.0)),
    timeout=Timeout(6.0, stops=True),
    retries=Retries(3, pause=0.05),
    hedge=Hedge(3.0),
    rows=True,
)
FAR = MIXED.but(
    servers=(Servers(5, "fifo", queue_limit=8, zone="a"), Servers(4, "shared", slots=2, sharing=True, zone="b")),
    network=Network((Path(Exponential(0.1), to_zone="a"), Path(Constant(0.2), Exponential(0.3)))),
    signals=(*MIXED.signals, lb.signals.ActiveHealth),
    checks=Checks(0.1),
)
CODE = """
import sys, lbalgo as lb
from tests.sim.test_runs import BUSY, CALM, FAR, MIXED
from lbalgo.sim import run
tame = MIXED.but(timeout=None, hedge=None, retries=None)
print(lb.kernels(), *(run(s).fingerprint() for s in (BUSY, CALM, FAR, MIXED, tame)))
"""


def test_the_plain_twins_give_the_same_bits():
    """Everything at once: two kinds of servers, failures, members, signals, timeouts, retries, copies."""
    here = [run(s).fingerprint() for s in (BUSY, CALM, FAR, MIXED, MIXED.but(timeout=None, hedge=None, retries=None))]
    done = subprocess.run(
        [sys.executable, *(["-S"] if sys.flags.no_site else []), "-W", "ignore", "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env={**__import__("os").environ, "LBALGO_KERNELS": "python", "LBALGO_SIMD": ""},
    )
    kernels, *there = done.stdout.split()
    assert kernels == "python" and [int(each) for each in there] == here


def balanced(result):
    assert result.arrived == result.ended + result.refused + result.in_system
    assert result.in_system >= 0
    assert (result.present >= 0).all() and (result.most >= result.present).all()
    if result.rows is not None:
        assert len(result.rows) == result.ended + result.refused
    assert (result.busy <= result.slots * result.span * (1 + 1e-12)).all()
    assert (result.jobs >= result.busy - 1e-9).all()


@settings(deadline=None, max_examples=60)
@given(
    policy=st.sampled_from(POLICIES),
    sharing=st.booleans(),
    limit=st.none() | st.integers(0, 3),
    clients=st.integers(1, 3),
    changes=st.lists(
        st.builds(Crash, st.floats(0, 40), st.sampled_from(["server-0", "server-1"]), until=st.just(41.0))
        | st.builds(Slow, st.floats(0, 40), st.sampled_from(["server-0", "server-2"]), st.sampled_from([0.0, 0.3, 2.0]))
        | st.builds(FailFast, st.floats(0, 40), st.just("server-1"), st.floats(0, 1), st.sampled_from([0.0, 0.5]))
        | st.builds(Faulty, st.floats(0, 40), st.just("server-2"), st.floats(0, 1))
        | st.builds(Leave, st.floats(0, 40), st.sampled_from(["server-0", "server-1"]))
        | st.builds(Join, st.floats(0, 40), st.sampled_from(["server-0", "server-3"]))
        | st.builds(Weigh, st.floats(0, 40), st.just("server-2"), st.sampled_from([0.0, 2.0])),
        max_size=5,
    ),
    timeout=st.none() | st.builds(Timeout, st.floats(0.1, 5), st.booleans()),
    retries=st.none() | st.builds(Retries, st.integers(1, 3), st.sampled_from([0.0, 0.2])),
    hedge=st.none() | st.builds(Hedge, st.floats(0, 3), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**64 - 1),
)
def test_whatever_happens_nobody_is_lost(policy, sharing, limit, clients, changes, timeout, retries, hedge, seed):
    scenario = Scenario(
        policy,
        Servers(4, sharing=sharing, queue_limit=limit),
        Poisson(5.0),
        duration=50.0,
        clients=clients,
        keys=UniformKeys(20),
        changes=changes,
        timeout=timeout,
        retries=retries,
        hedge=hedge,
        seed=seed,
        rows=True,
    )
    lane = Run(scenario)
    result = lane.go()
    balanced(result)
    lane.stations.check_invariants()
    lane.engine.queue.check_invariants()
    for balancer in lane.balancers:
        stats = balancer.stats()
        assert stats.open_leases >= 0
    assert result.received.sum() >= result.ended


def test_requests_at_even_distances_to_one_server_of_constant_work():
    """D/D/1: nobody waits below capacity; above, request k of work 1 waits k times what is missing."""
    calm = run(Scenario(lb.Random(), 1, Paced(0.5), duration=100.5, service=Constant(1.0)))
    assert calm.latencies == pytest.approx(np.ones(49)) and calm.utilisation[0] == pytest.approx(49.5 / 100.5, abs=0.01)
    late = run(Scenario(lb.Random(), 1, Paced(2.0), duration=50.0, service=Constant(1.0)))
    assert late.latencies == pytest.approx(1.0 + np.arange(len(late.latencies)) * 0.5)


def test_a_full_queue_refuses():
    """M/M/1/K with K = 1 + 3 places: the chance of being refused is that of a full system (PASTA)."""
    rho, places = 0.9, 4
    found = [
        run(
            Scenario(lb.Random(), Servers(queue_limit=places - 1), Poisson(rho), duration=20_000.0, seed=seed)
        ).error_rate
        for seed in range(20)
    ]
    law = (1 - rho) * rho**places / (1 - rho ** (places + 1))
    band = lb.sim.interval(found, 1 - 1e-4)
    assert law in band and band.half < 0.1 * law


def test_a_server_that_hangs_keeps_what_it_has_and_goes_on():
    base = Scenario(lb.Random(), 1, Paced(1.0), duration=40.5, service=Constant(0.5))
    hung = run(base.but(changes=(Slow(10.25, "server", 0.0, until=20.25),)))
    assert hung.latencies[:9] == pytest.approx(np.full(9, 0.5))
    assert hung.latencies[9] == pytest.approx(10.5)  # half of it done, ten seconds of nothing, the other half
    assert hung.latencies[-1] == pytest.approx(0.5, abs=5.0)


def test_a_crash_ends_all_and_refuses_until_it_is_over():
    base = Scenario(lb.Random(), 1, Paced(1.0), duration=30.5, service=Constant(0.5), rows=True)
    result = run(base.but(changes=(Crash(10.25, "server", until=20.25),)))
    by = {o.value: n for o, n in result.outcomes.items()}
    assert by == {"success": 9 + 10, "gateway_error": 1, "local_error": 10}


def test_a_cold_server_warms():
    base = Scenario(lb.Random(), 1, Paced(0.1), duration=1001.0, service=Constant(1.0))
    cold = run(base.but(changes=(Cold(0.0, "server", 4.0, 10.0),))).latencies
    assert cold == pytest.approx(1.0 + 4.0 * np.exp(-np.arange(len(cold)) / 10.0))


def test_members_join_and_leave():
    base = Scenario(lb.RoundRobin(), Servers(3), Paced(1.0), duration=90.5, service=Constant(0.1), rows=True)
    result = run(base.but(changes=(Join(30.25, "server-2"), Leave(60.25, "server-0"))))
    who = [row[4] for row in result.rows]
    assert set(who[:30]) == {0, 1} and set(who[30:60]) == {0, 1, 2} and set(who[60:]) == {1, 2}


def test_a_failing_server_is_ejected_and_the_fast_failure_attracts_traffic():
    """Least loaded, one of ten fails at once: 10 servers at 0.9 of the nine, it gets far more than its tenth."""
    base = Scenario(lb.LeastLoaded(), Servers(10), Poisson(8.1), duration=2000.0, changes=(FailFast(0.0, "server-0"),))
    drawn = run(base)
    assert drawn.received[0] / drawn.arrived > 0.25
    guarded = run(base.but(signals=(lb.OutlierEjection,)))
    assert guarded.ejections > 0 and guarded.error_rate < drawn.error_rate / 5


def test_hedging_law():
    """Copies after the 95th percentile of exp(1), independent work, nobody waits: p99 = (ln 100 + ln 20) / 2 = 3.80."""
    base = Scenario(lb.Random(), Servers(50, slots=1000), Poisson(50.0), duration=4000.0, hedge=Hedge(math.log(20.0)))
    results = [run(base.but(seed=seed)) for seed in range(5)]
    p99 = np.mean([result.quantile(0.99) for result in results])
    extra = np.mean([result.received.sum() / result.arrived - 1 for result in results])
    # 10**6 requests: the quantile's standard error is sqrt(.01 * .99 / n) / f = .005, with density f = .02
    assert p99 == pytest.approx((math.log(100.0) + math.log(20.0)) / 2, abs=0.03)
    assert extra == pytest.approx(0.05, abs=5 * math.sqrt(0.05 * 0.95 / 1e6))


def test_a_budget_bounds_what_retries_add():
    changes = tuple(Faulty(0.0, f"server-{i}", 1.0, outcome=lb.Outcome.GATEWAY_ERROR) for i in range(20))
    base = Scenario(lb.Random(), Servers(20), Poisson(5.0), duration=2000.0, retries=Retries(3), changes=changes)
    free = run(base)
    assert free.received.sum() / free.arrived == pytest.approx(3.0, rel=0.02)
    bound = run(base.but(gates=(partial(lb.gates.RetryBudget, min_per_second=0.0),)))
    assert 1.1 < bound.received.sum() / bound.arrived <= 1.2


def test_a_timeout_that_the_server_does_not_notice_wastes_work():
    base = Scenario(lb.Random(), 1, Paced(0.25), duration=1000.0, service=Bimodal(0.5, 3.0, 0.5))
    deaf, heard = run(base.but(timeout=Timeout(1.0))), run(base.but(timeout=Timeout(1.0, stops=True)))
    assert deaf.error_rate == heard.error_rate == pytest.approx(0.5, abs=0.15)
    assert deaf.busy[0] == pytest.approx(run(base).busy[0])
    assert heard.busy[0] < 0.6 * deaf.busy[0]


def test_a_stale_board_turns_the_order_round():
    """Published at once, more choices are better; every ten services, they are worse (Mitzenmacher)."""
    base = Scenario(lb.PowerOfTwo(), 100, Poisson(90.0), duration=1000.0, warmup=200.0)
    every = {"P2C": lb.PowerOfTwo(), "d=3": lb.PowerOfTwo(3), "JSQ": lb.LeastLoaded()}
    fresh = {name: run(base.but(policy=policy, board=Board(0.1))).mean for name, policy in every.items()}
    stale = {name: run(base.but(policy=policy, board=Board(10.0))).mean for name, policy in every.items()}
    assert fresh["P2C"] > fresh["d=3"] > fresh["JSQ"]
    assert stale["P2C"] < stale["d=3"] < stale["JSQ"]


def test_a_board_that_nobody_could_read_is_refused():
    for policy in (lb.RoundRobin(), lb.Maglev()):
        with pytest.raises(lb.ConfigError, match="board"):
            run(BUSY.but(policy=policy, board=Board(1.0)))
    with pytest.raises(lb.ConfigError, match="board"):
        run(BUSY.but(board=Board(1.0), signals=(lb.OutlierEjection,)))


def test_results_add_up_in_every_form():
    result = run(BUSY)
    columns, looks = result.columns(), result.over_time()
    assert sum(columns["received"]) == result.received.sum() and len(looks["time"]) == 10 * len(result.times)
    assert result.times.tolist() == [30.0 * k for k in range(1, 11)]
    assert result.busy_over_time.sum(axis=0) * 30.0 == pytest.approx(run(BUSY.but(warmup=0.0)).busy)
    assert result.quantile(0.0) == result.latencies.min() and result.quantile(1.0) == result.latencies.max()
    assert result.quantile(0.5) == np.sort(result.latencies)[math.ceil(0.5 * len(result.latencies)) - 1]
    assert result.moved == 0 or result.moved < result.repeated
    rough = run(BUSY.but(histogram=True))
    for q in (0.5, 0.9, 0.99):
        assert rough.quantile(q) == pytest.approx(result.quantile(q), rel=0.02)
    assert rough.mean == pytest.approx(result.mean, rel=0.01)


def test_a_keyed_policy_moves_no_key_while_nothing_changes():
    assert run(BUSY.but(policy=lb.Maglev())).moved == 0
    assert run(BUSY.but(policy=lb.Random())).moved > 100


def test_the_keys_of_who_leaves_move_once_and_come_back_with_it():
    keys = BUSY.but(policy=lb.Rendezvous(), keys=UniformKeys(50), duration=900.0)
    left = run(keys.but(changes=(Leave(300.0, "server-3"),)))
    its = left.moved  # each of the fifty is asked for again and again: those of the tenth server move, and only once
    assert 0 < its < 20
    assert run(keys.but(changes=(Leave(300.0, "server-3"), Join(600.0, "server-3")))).moved == 2 * its


def test_studies():
    base = Scenario(lb.Random(), 20, Poisson(18.0), duration=200.0)
    with ThreadPoolExecutor(2) as executor:
        study = replicate(base, 3, executor=executor)
        found = sweep(vary(base, policy=[lb.Random(), lb.PowerOfTwo()]), 3, executor=executor)
    alone = tuple(run(base.but(seed=seed)).mean for seed in range(3))
    assert study.values["mean"] == alone == found[(lb.Random(),)].values["mean"]
    assert found[(lb.PowerOfTwo(),)].interval("mean").mean < study.interval("mean").mean
    with pytest.raises(lb.ConfigError, match="figure"):
        study.interval("median")


def test_a_study_in_other_processes():
    base = Scenario(
        lb.PowerOfTwo(), 5, Poisson(4.0), duration=50.0, service=Exponential(), signals=(partial(lb.SlowStart, 5.0),)
    )
    assert replicate(base, 2).values["mean"] == tuple(run(base.but(seed=seed)).mean for seed in range(2))


class Listening:
    """A round robin that keeps what it is told."""

    def __init__(self):
        self.heard = []

    def build(self, view, *, previous=None):
        picker = lb.RoundRobin().build(view)
        return Listener(picker, self.heard)

    def to_dict(self):
        return {"type": "Listening"}


class Listener:
    def __init__(self, picker, heard):
        self.picker, self.backends, self.load, self.heard = picker, picker.backends, self, heard
        self.pick, self.walk = picker.pick, picker.walk

    def started(self, row, cost, now):
        pass

    def finished(self, row, outcome, latency, now, cost=1.0):
        pass

    def advance(self, now):
        pass

    def at(self, row):
        return 0.0

    def reported(self, row, report, now):
        self.heard.append((now, row, report))


def test_reports_come_when_they_are_said_to_and_say_what_is_so():
    policy = Listening()
    base = Scenario(policy, Servers(2), Paced(1.0), duration=20.5, service=Constant(0.5))
    run(base.but(reports=Reports(lambda vitals: vitals, period=5.0, delay=0.25)))
    assert [(now, row) for now, row, _ in policy.heard] == [
        (5.0 * k + 0.25, row) for k in (1, 2, 3, 4) for row in (0, 1)
    ]
    said = [vitals for _, _, vitals in policy.heard]
    assert [vitals.now for vitals in said] == [5.0, 5.0, 10.0, 10.0, 15.0, 15.0, 20.0, 20.0]
    assert sum(vitals.utilisation for vitals in said) * 5.0 == pytest.approx(0.5 * 19)
    assert sum(vitals.qps for vitals in said) * 5.0 == pytest.approx(19)
    policy.heard.clear()
    run(base.but(reports=Reports(lambda vitals: vitals.jobs)))
    assert [(now, row, jobs) for now, row, jobs in policy.heard] == [(k + 1.5, k % 2, 0) for k in range(20)]


def test_c3_and_reported_loads_hear_what_they_ask_for():
    """Fast and slow servers, of which nobody but the servers' own words tells; blind draws are the yardstick."""
    fleet = (Servers(10, "slow", speed=0.5, sharing=True), Servers(10, "fast", speed=1.5, sharing=True))
    base = Scenario(lb.Random(), fleet, Poisson(9.0), duration=500.0, warmup=100.0, clients=4)
    blind = run(base).mean
    told = run(base.but(policy=C3(clients=4), reports=Reports(feedback))).mean
    ours = lb.PowerOfTwo(load=Reported(blackout=1.0))
    reported = run(base.but(policy=ours, reports=Reports(load_report, period=2.0, delay=0.1))).mean
    assert told < 0.7 * blind and reported < 0.9 * blind


def test_probes_are_answered_for_later_requests():
    """Prequal over servers of two speeds: better than two choices that know their own requests only."""
    fleet = (Servers(10, "slow", speed=0.5, sharing=True), Servers(10, "fast", speed=1.5, sharing=True))
    base = Scenario(Prequal(age=20.0), fleet, Poisson(14.0), duration=500.0, warmup=100.0, clients=20, probes=Probes())
    probed = run(base)
    blind = run(base.but(policy=lb.PowerOfTwo(), probes=None))
    assert probed.mean < 0.8 * blind.mean
    assert run(base.but(probes=Probes(delay=0.5))).mean < blind.mean
    with pytest.raises(lb.ConfigError, match="probes"):
        run(base.but(policy=lb.PowerOfTwo()))


def test_progress_is_told():
    told = []
    run(Scenario(lb.Random(), 10, Poisson(9.0), duration=20_000.0), progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 2
