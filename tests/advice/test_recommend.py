"""The matrix: every row is reached, decides as it says, and does well in the simulation; traces; plain data."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError
from lbalgo.advice import ADDITIONS, MATRIX, Affinity, Workload, recommend
from lbalgo.advice.matrix import AGES, EVEN, HOT, SCAN, SMALL, additions_for, row_for
from lbalgo.advice.measured import measured
from lbalgo.advice.trials import scaled, shown
from lbalgo.sim import read_trace

CACHE, SHARD, SESSION = Affinity.CACHE, Affinity.SHARD, Affinity.SESSION
BELOW = math.nextafter

# a workload on each side of every threshold, and the policy's name
EDGES = [
    (Workload(backends=1, affinity=SHARD), "RoundRobin"),
    (Workload(backends=2, affinity=SHARD), "Rendezvous"),
    (Workload(affinity=SHARD, numbered=True), "Jump"),
    (Workload(affinity=SHARD, numbered=True, weights=True), "Rendezvous"),
    (Workload(backends=SMALL, affinity=SHARD), "Rendezvous"),
    (Workload(backends=SMALL + 1, affinity=SHARD), "RingHash"),
    (Workload(backends=10, affinity=CACHE, hot_share=HOT / 10), "Rendezvous"),
    (Workload(backends=10, affinity=CACHE, hot_share=HOT / 10 + 1e-9), "BoundedLoad"),
    (Workload(backends=SMALL, affinity=CACHE), "Rendezvous"),
    (Workload(backends=SMALL + 1, affinity=CACHE), "Maglev"),
    (Workload(variance=EVEN), "RoundRobin"),
    (Workload(variance=EVEN, weights=True), "WeightedRoundRobin"),
    (Workload(variance=EVEN + 1e-9), "LeastConnections"),
    (Workload(variance=0, backends=10, load=0.5, balancers=10), "RoundRobin"),
    (Workload(variance=0, backends=10, load=0.5, balancers=11), "PowerOfTwo"),
    (Workload(load=0.5, balancers=10, probes=True), "LeastConnections"),
    (Workload(load=0.5, balancers=11, probes=True), "Prequal"),
    (Workload(load=0.5, balancers=11), "PowerOfTwo"),
    (Workload(load=0.5, balancers=11, probes=True, age=50.0), "Prequal"),
    (Workload(age=BELOW(AGES[0], 0)), "LeastConnections"),
    (Workload(age=AGES[0]), "PowerOfTwo"),
    (Workload(age=BELOW(AGES[1], 0)), "PowerOfTwo"),
    (Workload(age=AGES[1]), "PowerOfTwo"),
    (Workload(age=BELOW(AGES[2], 0)), "PowerOfTwo"),
    (Workload(age=AGES[2]), "RoundRobin"),
    (Workload(backends=SCAN), "LeastConnections"),
    (Workload(backends=SCAN + 1), "PowerOfTwo"),
    (Workload(backends=10, load=0.5, balancers=10, affinity=SESSION), "LeastConnections"),
    (Workload(backends=10, load=0.5, balancers=11, affinity=SESSION), "PowerOfTwo"),
]


@pytest.mark.parametrize(("workload", "name"), EDGES)
def test_both_sides_of_a_threshold(workload, name):
    advice = recommend(workload, simulate=False)
    assert type(advice.policy).__name__ == name
    assert advice.because == (row_for(workload).when, row_for(workload).because)
    assert advice.trials == () and advice.better == ()


def test_choices_narrow_with_age():
    widths = [recommend(Workload(age=age), simulate=False).policy for age in AGES[:2]]
    assert [policy.choices for policy in widths] == [3, 2]


def test_every_row_is_reached():
    assert {id(row_for(workload)) for workload, _ in EDGES} == {id(row) for row in MATRIX}


WORKLOADS = st.builds(
    Workload,
    backends=st.integers(1, 3000),
    balancers=st.integers(1, 3000),
    load=st.floats(0.01, 0.99),
    variance=st.floats(0, 50),
    affinity=st.sampled_from(Affinity),
    weights=st.booleans(),
    hot_share=st.floats(0, 1),
    age=st.floats(0, 100),
    numbered=st.booleans(),
    strangers=st.booleans(),
    probes=st.booleans(),
)


@given(workload=WORKLOADS)
def test_what_is_recommended_can_be_built_and_is_what_the_row_says(workload):
    row = row_for(workload)
    policy = row.policy(workload)
    if workload.backends <= 100:
        pool = {f"b{i}": 1.0 + (i % 2 if workload.weights else 0) for i in range(workload.backends)}
        assert policy.build(pool).pick("key").id in pool
    names = (policy, getattr(policy, "policy", policy))
    assert all(f"`{type(each).__name__}" in row.what for each in names)
    advice = recommend(workload, simulate=False)
    assert Workload.from_dict(workload.to_dict()) == workload
    assert json.loads(json.dumps(advice.to_dict()))["policy"]["type"] == type(policy).__name__
    assert "\n" in str(advice) or not advice.additions


@pytest.mark.parametrize("addition", ADDITIONS, ids=lambda addition: addition.what)
def test_both_sides_of_an_addition(addition):
    sides = {
        "`Sticky(secrets, spill=1.25)`": (Workload(), Workload(affinity=SESSION)),
        "`hasher=SipHash(secret)`": (Workload(affinity=CACHE), Workload(affinity=CACHE, strangers=True)),
        "`HotKeySpread`, if the data has copies": (
            Workload(affinity=SHARD, hot_share=HOT / 10),
            Workload(affinity=SHARD, hot_share=HOT / 10 + 1e-9),
        ),
        "probes (`Prequal`), loads that backends report, or fewer balancers with more traffic each": (
            Workload(load=0.5, balancers=10),
            Workload(load=0.5, balancers=11),
        ),
        "`OutlierEjection`": (Workload(variance=EVEN), Workload(variance=EVEN + 1e-9)),
    }
    well, ill = sides[addition.what]
    assert addition not in additions_for(well)
    assert addition in additions_for(ill)


@pytest.mark.parametrize(
    "workload",
    [Workload(backends=1, balancers=10), Workload(affinity=SHARD, hot_share=HOT / 10), Workload(affinity=CACHE)],
    ids=["alone", "shard", "cache"],
)
def test_nothing_is_added_without_need(workload):
    assert additions_for(workload) == ()


def test_who_has_one_hot_key_and_shards_needs_no_ejection():
    assert [each.what for each in additions_for(Workload(affinity=SHARD, hot_share=0.5))] == [
        "`HotKeySpread`, if the data has copies"
    ]
    assert additions_for(Workload(affinity=CACHE, hot_share=HOT / 10)) == ()
    assert [each.what for each in additions_for(Workload(affinity=CACHE, hot_share=0.5))] == ["`OutlierEjection`"]


# --- the simulation agrees -------------------------------------------------------------------------------------------

GRID = [
    *(Workload(n, m, load, v) for n in (5, 20, 100) for m in (1, 3) for load in (0.5, 0.9) for v in (0, 0.3, 1, 4)),
    *(Workload(20, m, 0.9) for m in (10, 50, 200)),
    *(Workload(100, 1, 0.9, age=age) for age in (1.0, 2.5, 4.0, 6.0, 12.0, 40.0)),
    *(Workload(n, affinity=affinity) for n in (10, 100) for affinity in (CACHE, SHARD)),
    Workload(10, affinity=CACHE, hot_share=0.2),
    *(Workload(20, m, 0.9, probes=True) for m in (50, 200)),
    *(Workload(10, weights=True, variance=v) for v in (0, 1)),
]


@pytest.mark.parametrize("workload", GRID, ids=repr)
def test_nothing_else_is_clearly_better(workload):
    """Seeds are constant. What is recommended is within a tenth of the best mean among those that keep keys as well."""
    advice = recommend(workload)
    assert [trial.policy for trial in advice.better] == []
    assert [trial.recommended for trial in advice.trials] == [True] + [False] * (len(advice.trials) - 1)


def test_better_is_said_where_it_is():
    """A full scan of many backends is better in a run, which does not show what it costs."""
    assert [trial.policy for trial in recommend(Workload(1000, 10, 0.9)).better] == ["LeastConnections()"]


def test_the_known_figures():
    """M/M/n behind one balancer, n = 20 at 90 %: random 10, two choices 2.6 to 2.9 (finite n), in mean service times.

    50 000 requests at 90 %: the standard error of random's mean is some 0.3; 5 of them.
    """
    means = {trial.policy: trial.mean for trial in recommend(Workload(100, 1, 0.9), requests=200_000).trials}
    assert means["PowerOfTwo()"] == pytest.approx(2.646, rel=0.06)
    assert means["Random()"] == pytest.approx(10.0, abs=1.5)
    assert means["LeastConnections()"] == pytest.approx(1.067, rel=0.03)


def test_a_comparison_is_short_and_repeatable():
    begin = time.process_time()
    one = recommend(Workload(100, affinity=CACHE))
    assert time.process_time() - begin < 20.0  # some tenths of a second; here the machine may be slow
    assert one == recommend(Workload(100, affinity=CACHE))
    assert one != recommend(Workload(100, affinity=CACHE), seed=1)


@given(n=st.integers(1, 10**6), m=st.integers(1, 10**6))
def test_a_smaller_scale_keeps_what_decides(n, m):
    backends, balancers = scaled(Workload(n, m))
    assert 1 <= backends <= min(n, 100) and 1 <= balancers <= min(m, 500)
    if 1 < balancers < 500:
        assert backends / balancers == pytest.approx(n / m, rel=0.5)


# --- traces --------------------------------------------------------------------------------------------------------


def lines(times, costs=None, keys=None):
    heads = ["time", *(["cost"] if costs is not None else []), *(["key"] if keys is not None else [])]
    columns = [column for column in (times, costs, keys) if column is not None]
    return read_trace("\n".join([",".join(heads), *(",".join(map(str, row)) for row in zip(*columns, strict=True))]))


def test_a_hundred_requests_are_enough():
    assert measured(lines(range(100))).requests == 100


def test_a_trace_decides():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.exponential(1.0, 3000))
    even, uneven = lines(times, np.ones(3000)), lines(times, rng.exponential(1.0, 3000))
    assert recommend(Workload(), trace=even).policy == lb.RoundRobin()
    assert recommend(Workload(), trace=uneven).policy == lb.LeastConnections()
    assert recommend(Workload(variance=0), trace=lines(times)).policy == lb.RoundRobin(), "no costs: as stated"


def test_what_a_trace_has():
    rng = np.random.default_rng(2)
    n = 20_000
    told = measured(
        lines(np.cumsum(rng.exponential(0.5, n)), rng.exponential(3.0, n), ["hot", "a", "b", "c"] * (n // 4))
    )
    # the variance of an exponential sample's squared coefficient of variation is near 8 / n: 6 standard errors
    assert told.variance == pytest.approx(1.0, abs=6 * (8 / n) ** 0.5)
    assert told.burstiness == pytest.approx(1.0, abs=6 * (8 / n) ** 0.5)
    assert told.rate == pytest.approx(2.0, rel=6 / n**0.5)
    assert told.hot_share == 0.25


def test_the_hottest_key_counts_where_keys_do():
    keys = ["hot" if i % 2 else f"k{i}" for i in range(1000)]
    trace = lines(range(1000), None, keys)
    assert recommend(Workload(affinity=CACHE), trace=trace).policy == lb.BoundedLoad(lb.Rendezvous())
    assert recommend(Workload(), trace=trace).workload.hot_share == 0.0
    told = recommend(Workload(affinity=CACHE), trace=trace)
    assert {trial.kept is not None for trial in told.trials} == {True}


def test_a_trace_is_simulated_at_the_pace_of_the_load():
    trace = lines([i * 1e-6 for i in range(5000)])
    fast, slow = (recommend(Workload(variance=0, load=load), trace=trace).trials[0].mean for load in (0.95, 0.1))
    assert fast == pytest.approx(1.0) and slow == pytest.approx(1.0), "an even pace and equal requests never wait"


@pytest.mark.parametrize(
    "trace",
    [
        lines(range(99)),
        lines([0.0] * 200),
        lines(range(200), [0.0] * 200),
        "time\n1\n",
        3,
    ],
)
def test_traces_that_say_nothing_are_refused(trace):
    with pytest.raises(ConfigError) as refused:
        recommend(Workload(), trace=trace)
    assert refused.value.parameter == "trace"


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        *(({"backends": v}, "backends") for v in (0, 1.5, True, 10**7)),
        *(({"balancers": v}, "balancers") for v in (0, "1")),
        *(({"load": v}, "load") for v in (0, 1.0, -1, math.nan, "high")),
        *(({"variance": v}, "variance") for v in (-1, math.inf)),
        *(({"affinity": v}, "affinity") for v in (None, "CACHE")),
        *(({"hot_share": v}, "hot_share") for v in (-0.1, 1.1)),
        *(({"age": v}, "age") for v in (-1, math.nan)),
        *(({name: 1}, name) for name in ("weights", "numbered", "strangers", "probes")),
    ],
)
def test_workloads_refuse(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        Workload(**fields)
    assert refused.value.parameter == parameter


def test_recommend_refuses():
    for wrong, parameter in (({"requests": 10}, "requests"), ({"seed": -1}, "seed"), ({"simulate": 1}, "simulate")):
        with pytest.raises(ConfigError) as refused:
            recommend(Workload(), **wrong)
        assert refused.value.parameter == parameter
    with pytest.raises(ConfigError):
        recommend(10)


def test_policies_are_shown_as_they_differ():
    assert shown(lb.PowerOfTwo(choices=3)) == "PowerOfTwo(choices=3)"
    assert shown(lb.BoundedLoad(lb.Maglev(251), 2.0)) == "BoundedLoad(Maglev(table_size=251), factor=2.0)"
