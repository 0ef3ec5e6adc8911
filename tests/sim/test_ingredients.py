"""What scenarios are made of, each by itself: work, arrivals and keys by their laws, changes by what they do."""

import math

import numpy as np
import pytest
from scipy import stats

import lbalgo as lb
from lbalgo.sim import (
    Bursts,
    Cold,
    Constant,
    Exponential,
    FailFast,
    Faulty,
    HotKey,
    Join,
    LogNormal,
    Paced,
    Pareto,
    Poisson,
    Ramp,
    Scenario,
    Servers,
    Slow,
    Stream,
    UniformKeys,
    Weigh,
    ZipfKeys,
    deploy,
    run,
)
from tests.statistical.budget import ALPHA, assert_binomial, assert_chi_square

DRAWS = 20_000


def assert_law(sample, distribution):
    """Kolmogorov's test, at the suite's alpha."""
    assert stats.kstest(sample, distribution.cdf).pvalue > ALPHA


def first(arrivals, count=DRAWS, seed=1):
    """The first instants."""
    instants = []
    for block in arrivals.start(Stream(seed)):
        instants += block.tolist()
        if len(instants) >= count:
            break
    return np.array(instants[:count])


@pytest.mark.parametrize(
    ("work", "law"),
    [
        (Exponential(3.0), stats.expon(scale=3.0)),
        (Pareto(2.0, 2.5), stats.pareto(2.5, scale=1.2)),  # least = mean (shape - 1) / shape
        (Pareto(1.0, 1.1), stats.pareto(1.1, scale=1 / 11)),
        (LogNormal(2.0, 0.7), stats.lognorm(0.7, scale=2.0 * math.exp(-(0.7**2) / 2))),
    ],
    ids=lambda given: given.dist.name if hasattr(given, "dist") else repr(given),
)
def test_work_has_its_law(work, law):
    assert law.mean() == pytest.approx(work.mean)
    assert_law(work.draw(Stream(2), DRAWS), law)


def test_bursts_with_pauses_renew_by_the_law_of_kuczura():
    """A Poisson stream that is switched on and off: gaps are independent, of two exponentials mixed.

    On at rate 5 for 4 s in the mean, off for 2: the rates of the two are the roots of r**2 - (5 + 1/4 + 1/2) r + 5/2.
    """
    rate, to_off, to_on = 5.0, 1 / 4, 1 / 2
    total = rate + to_off + to_on
    root = math.sqrt(total**2 - 4 * rate * to_on)
    fast, slow = (total + root) / 2, (total - root) / 2
    mixed = (rate - slow) / (fast - slow)

    class Law:
        def cdf(self, t):
            return 1.0 - mixed * np.exp(-fast * t) - (1.0 - mixed) * np.exp(-slow * t)

    assert_law(np.diff(first(Bursts((rate, 0.0), (4.0, 2.0)))), Law())


def test_bursts_go_round_at_their_mean_rate_and_are_as_uneven_as_their_law_says():
    """Two rates: counts over a long time T have mean m T and variance m T (1 + I) (Fischer, Meier-Hellstern)."""
    (low, high), (calm, burst) = (2.0, 20.0), (4.0, 1.0)
    bursts, span, runs = Bursts((low, high), (calm, burst)), 1000.0, 400
    leave, back = 1 / calm, 1 / burst
    extra = 2 * (high - low) ** 2 * leave * back / ((leave + back) ** 2 * (low * back + high * leave))
    mean = bursts.mean_rate * span
    counts = [np.searchsorted(first(bursts, int(2 * mean), seed), span) for seed in range(runs)]
    deviation = math.sqrt(mean * (1 + extra))
    assert abs(np.mean(counts) - mean) < stats.norm.isf(ALPHA / 2) * deviation / math.sqrt(runs) + 1.0
    # a variance over 400 nearly normal counts is known to 35 % at that alpha, and is far from that of a Poisson stream
    assert np.var(counts, ddof=1) == pytest.approx(deviation**2, rel=0.35)
    assert deviation**2 > 5 * mean
    begins = [first(Bursts((0.0, 1e6), (1.0, 1e-3)), 1, seed)[0] for seed in range(400)]
    assert_law(begins, stats.expon())  # it begins with the first rate, here none at all


def test_a_ramp_is_a_poisson_stream_of_the_rate_s_integral():
    """Instants mapped by the integral of the rate are those of a stream of rate 1 (time rescaling)."""
    ramp = Ramp((0.0, 500.0, 800.0, 2000.0), (0.0, 20.0, 20.0, 1.0))
    fine = np.linspace(0.0, 2000.0, 200_001)
    integral = np.concatenate([[0.0], np.cumsum(np.diff(fine) * np.interp((fine[1:] + fine[:-1]) / 2, *ramp_of(ramp)))])
    instants = first(ramp, 23_000)
    assert 1000.0 < instants[-1] < 2000.0, "all parts of it are looked at"
    even = np.interp(instants, fine, integral)
    assert_law(np.diff(even), stats.expon())
    assert even == pytest.approx(first(Poisson(1.0), 23_000), rel=1e-5), "the same pattern as at an even rate"
    last = np.diff(first(Ramp((0.0, 1.0), (9.0, 2.0)))[100:])
    assert_law(last, stats.expon(scale=0.5))  # the last rate stays
    over = np.concatenate(list(Ramp((0.0, 10.0, 20.0), (5.0, 5.0, 0.0)).start(Stream(1))))
    assert over[-1] <= 20.0
    assert len(over) == pytest.approx(75, abs=5 * math.sqrt(75))


def ramp_of(ramp):
    return np.array(ramp.times), np.array(ramp.rates)


def test_keys_have_their_shares():
    instants = np.zeros(DRAWS)
    for keys, weights in (
        (UniformKeys(50), np.ones(50)),
        (ZipfKeys(50, 0.9), np.arange(1.0, 51.0) ** -0.9),
        (ZipfKeys(50, 0.0), np.ones(50)),
    ):
        drawn = keys.start(Stream(3))(instants)
        assert_chi_square(np.bincount(drawn, minlength=50), weights / weights.sum())


def test_a_hot_key_is_hot_from_its_beginning_to_its_end():
    keys = HotKey(UniformKeys(100), 7, 0.3, begins=10.0, ends=20.0)
    draw = keys.start(Stream(4))
    for when, share in ((9.9, 0.01), (10.0, 0.3 + 0.7 * 0.01), (19.9, 0.3 + 0.7 * 0.01), (20.0, 0.01)):
        assert_binomial((draw(np.full(DRAWS, when)) == 7).sum(), DRAWS, share)


# --- changes -------------------------------------------------------------------------------------------------------

ONE = Scenario(lb.Random(), 1, Paced(1.0), duration=40.5, service=Constant(0.5), rows=True)


def test_a_slow_server_is_slow_until_it_is_not():
    took = run(ONE.but(changes=(Slow(10.75, "server", 0.625, until=20.875),))).latencies
    assert took == pytest.approx([0.5] * 10 + [0.8] * 10 + [0.5] * 20)
    assert run(ONE.but(servers=Servers(1, "server", speed=2.0))).latencies == pytest.approx(np.full(40, 0.25))


def test_a_part_of_the_requests_fails_fast_for_a_while():
    change = FailFast(1000.5, "server", 0.3, after=0.125, until=3000.5, outcome=lb.Outcome.OVERLOADED)
    result = run(ONE.but(duration=4000.75, changes=(change,)))
    failed = [row for row in result.rows if row[1] - row[0] < 0.5]
    assert {row[1] - row[0] for row in failed} == {0.125}
    assert all(1000.5 < row[0] < 3000.5 for row in failed)
    assert_binomial(len(failed), 2000, 0.3)
    assert result.outcomes[lb.Outcome.OVERLOADED] == len(failed)
    assert result.outcomes.keys() == {lb.Outcome.SUCCESS, lb.Outcome.OVERLOADED}
    assert result.busy[0] == pytest.approx(0.5 * result.succeeded), "nothing was done for those that failed"


def test_a_part_of_the_requests_fails_after_all_the_work_for_a_while():
    result = run(ONE.but(duration=4000.25, changes=(Faulty(1000.75, "server", 0.3, until=3000.75),)))
    assert all(row[1] - row[0] == pytest.approx(0.5) for row in result.rows)
    assert_binomial(result.outcomes[lb.Outcome.SERVER_ERROR], 2000, 0.3)
    assert result.error_rate == result.outcomes[lb.Outcome.SERVER_ERROR] / result.ended
    bad = [row[0] for row in result.rows if row[5] != 0]
    assert 1000.75 < min(bad) < max(bad) < 3000.75


def to_by_time(result, server):
    """When requests were sent to a server."""
    return np.array([row[0] for row in result.rows if row[4] == server])


THREE = Scenario(lb.RoundRobin(), Servers(3), Paced(1.0), duration=90.9, service=Constant(0.75), rows=True)


def test_who_drains_is_sent_nothing_more_and_ends_what_it_has():
    result = run(THREE.but(changes=(Weigh(29.25, "server-1", 0.0), Weigh(60.25, "server-1", 1.0))))
    sent = to_by_time(result, 1)
    assert len(sent[sent < 29.25]) == 10
    assert not ((sent > 29.25) & (sent < 60.25)).any()
    assert len(sent[sent > 60.25]) == 10
    assert result.outcomes == {lb.Outcome.SUCCESS: 90}, "also what it had"


def test_other_weights_are_other_shares():
    sent = to_by_time(run(THREE.but(policy=lb.WeightedRoundRobin(), changes=(Weigh(30.25, "server-1", 4.0),))), 1)
    assert (len(sent[sent < 30.25]), len(sent[sent > 30.25])) == (10, 40)


def test_a_deploy_takes_one_after_the_other_and_brings_them_back_cold():
    ids = [f"server-{i}" for i in range(3)]
    changes = deploy(ids, at=10.25, every=20.0, away=10.0, extra=1.0, requests=1e9)
    assert [c.at for c in changes if isinstance(c, Join)] == [c.at for c in changes if isinstance(c, Cold)]
    result = run(THREE.but(service=Constant(0.25), changes=changes))
    assert result.refused == 0
    for server in range(3):
        leaves = 10.25 + 20.0 * server
        sent = to_by_time(result, server)
        assert not ((sent > leaves) & (sent < leaves + 10.0)).any()
        assert ((sent > leaves - 10.0) & (sent < leaves)).any()
        took = {round(row[1] - row[0], 6): row[0] > leaves for row in result.rows if row[4] == server}
        assert took == {0.25: False, 0.5: True}, "its work doubles when it is back, and not before"


# --- who sees what, and what is counted ----------------------------------------------------------------------------


def test_each_balancer_sees_its_own_requests_only():
    """Nothing ever ends: each client's own requests are even over the servers, those of all together are not."""
    scenario = Scenario(
        lb.LeastLoaded(), Servers(2, slots=1000), Poisson(10.0), 40.0, Constant(1000.0), clients=15, rows=True
    )
    result = run(scenario.but(timeout=lb.sim.Timeout(500.0), duration=2000.0, arrivals=Ramp((0, 40, 41), (10, 10, 0))))
    sent = np.zeros((15, 2), int)
    for _, _, client, _, server, _ in result.rows:
        sent[client, server] += 1
    assert (np.abs(sent[:, 0] - sent[:, 1]) <= 1).all()
    assert abs(sent[:, 0].sum() - sent[:, 1].sum()) > 1
    one = run(scenario.but(clients=1))
    assert abs(int(one.received[0]) - int(one.received[1])) <= 1


def test_imbalance_is_the_most_over_the_mean():
    result = run(THREE.but(policy=lb.WeightedRoundRobin(), servers=(Servers(2, "a"), Servers(1, "b", weight=2.5))))
    assert result.received.tolist() == [20, 20, 50]
    assert result.imbalance == 50 / 30
    assert run(THREE).imbalance == 1.0
    assert result.summary()["imbalance"] == result.imbalance


def test_what_gates_and_missing_servers_refuse_is_counted_by_reason():
    """M/M/2/2: by Erlang's B of 3, 9/17 are refused."""
    base = Scenario(lb.Random(), Servers(1, slots=2), Poisson(3.0), duration=5000.0)
    result = run(base.but(gates=(lambda: lb.gates.Limits(pool=2),)))
    assert result.refusals == {"pool limit": result.refused}
    assert result.error_rate == result.refused / (result.refused + result.succeeded) == pytest.approx(9 / 17, abs=0.02)
    gone = run(base.but(changes=(lb.sim.Leave(1000.0, "server"),)))
    assert list(gone.refusals) == ["empty"]
    assert gone.refused == sum(gone.refusals.values()) == pytest.approx(12_000, abs=600)


def test_utilisation_over_time_says_when():
    looks = run(ONE.but(sample=10.0, duration=40.0, changes=(Slow(10.0, "server", 0.5, until=20.0),))).over_time()
    assert looks["time"] == [10.0, 20.0, 30.0, 40.0]
    assert looks["utilisation"] == pytest.approx([0.45, 1.0, 0.5, 0.5], abs=0.051)
