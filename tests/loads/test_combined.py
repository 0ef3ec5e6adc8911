"""Sums, products and forced picks, and loads within policies: handed on, replayed, named in plain data."""

import json
import pickle

import numpy as np
import pytest

import lbalgo as lb
from lbalgo.loads import (
    Blend,
    FailurePenalty,
    InFlight,
    InFlightAge,
    LatencyEwma,
    Overdue,
    PeakEwma,
    Product,
    Reported,
    Sum,
)
from lbalgo.testing import FakeClock

OK = lb.Outcome.SUCCESS
SPECS = [
    InFlight(),
    PeakEwma(5.0, initial=0.1),
    LatencyEwma(peak=True),
    InFlightAge(InFlight()),
    Reported(expiry=60.0),
    FailurePenalty(Product(InFlight(), InFlightAge())),
    Sum(InFlight(), Reported(), weights=(1.0, 10.0)),
    Product(InFlight(), LatencyEwma()),
    Blend(reports=Reported(0.1)),
    Overdue(PeakEwma(), 3.0),
]


def test_sums_and_products_are_of_loads_with_one_more():
    total, product = Sum(InFlight(), InFlight(), weights=(2.0, 3.0)).start(), Product(InFlight(), InFlight()).start()
    for load in (total, product):
        load.started(0, 1.5, 0.0)
    assert (total.at(0), total.at(1)) == (12.5, 5.0)
    assert (product.at(0), product.at(1)) == (6.25, 1.0)


def test_an_own_load_is_a_part_like_any_other():
    class Mine:
        margin = 0.0

        def started(self, row, cost, now): ...
        def finished(self, row, outcome, latency, now, cost=1.0): ...
        def advance(self, now): ...
        def at(self, row):
            return float(row)

    class Spec:
        def start(self):
            return Mine()

        def to_dict(self):
            return {}

    load = Sum(InFlight(), Spec()).start()
    assert load.at(7) == 8.0


@pytest.mark.parametrize("spec", SPECS, ids=repr)
def test_specifications_come_back_and_name_themselves(spec):
    for policy in (lb.LeastLoaded(spec), lb.PowerOfTwo(load=spec, force_after=2.0)):
        assert type(policy).from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
        assert pickle.loads(pickle.dumps(policy)) == policy
    names = {cls.__name__: cls for cls in map(type, SPECS)}
    assert eval(repr(spec), names) == spec
    assert eval(repr(spec.start()), {**names, "InFlightCounts": lambda counts: spec.start()}).at(0) == spec.start().at(
        0
    )


@pytest.mark.parametrize("spec", SPECS, ids=repr)
@pytest.mark.parametrize("policy", [lb.LeastLoaded, lb.PowerOfTwo])
def test_loads_are_handed_on_through_rebuilds(spec, policy):
    made = policy(load=spec, force_after=1.0)
    first = made.build(["a", "b"])
    first.load.started(first.rows[0], 1.0, 0.0)
    again = made.build(["b", "a", "c"], previous=first)
    assert again.load is first.load
    assert again.rows.tolist()[:2] == [first.rows[1], first.rows[0]]
    other = policy(load=Overdue(spec, 9.0)).build(["a"], previous=again)
    assert other.load is not first.load


@pytest.mark.parametrize("spec", SPECS, ids=repr)
@pytest.mark.parametrize("policy", [lb.LeastLoaded, lb.PowerOfTwo])
def test_a_recorded_run_replays(spec, policy):
    """Same tickets, same events, same picks, one by one, from a cursor noted in the midst of it."""
    rng = np.random.default_rng(4)
    weights = {f"b{i}": 1.0 + i % 3 for i in range(20)}
    script = [(float(rng.exponential(0.01)), float(rng.exponential(0.1)), rng.random() < 0.1) for _ in range(400)]

    def run(picker, begin, log):
        now, open_ = 0.0, []
        for i, (wait, took, bad) in enumerate(script):
            now += wait
            for end in sorted(e for e in open_ if e[0] <= now):
                open_.remove(end)
                picker.load.finished(end[1], end[3], end[2], end[0])
            picker.load.advance(now)
            if log is None or i >= begin:
                row = int(picker.pick().id[1:])
            else:
                row = log[i]
            yield i, row, picker.cursor.state
            picker.load.started(row, 1.0, now)
            open_.append((now + took, row, took, lb.Outcome.SERVER_ERROR if bad else OK))

    picker = policy(load=spec).build(weights)
    record = list(run(picker, 0, None))
    rows = [row for _, row, _ in record]
    again = policy(load=spec).build(weights)
    again.reseed(record[199][2])
    assert [row for _, row, _ in run(again, 200, rows)][200:] == rows[200:]


def test_the_long_unpicked_are_forced():
    """Two choices by a standing load never pick the worst; with force_after it gets a request now and then."""
    for force, least in ((None, 0), (1.0, 8)):
        clock = FakeClock()
        policy = lb.PowerOfTwo(load=LatencyEwma(initial=0.0), force_after=force)
        balancer = lb.Balancer(policy, ["a", "b", "slow"], clock=clock, seed=2)
        balancer.picker.load.started(2, 1.0, 0.0)
        balancer.picker.load.finished(2, OK, 5.0, clock())
        got = 0
        for _ in range(1000):
            lease = balancer.acquire()
            got += lease.backend.id == "slow"
            clock.advance(0.01)
            lease.done(latency=5.0 if lease.backend.id == "slow" else 0.01)
        assert least <= got <= (11 if force else 0)


def test_least_loaded_forces_everybody_in_turn():
    clock = FakeClock()
    balancer = lb.Balancer(lb.LeastLoaded(force_after=1.0), ["a", "b", "c"], clock=clock, seed=2)
    assert {balancer.acquire().backend.id for _ in range(3)} == {"a", "b", "c"}
    clock.advance(1.0)
    assert {balancer.acquire().backend.id for _ in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: PeakEwma(0.0), "tau"),
        (lambda: PeakEwma(float("nan")), "tau"),
        (lambda: PeakEwma(initial=-1.0), "initial"),
        (lambda: LatencyEwma("1"), "tau"),
        (lambda: LatencyEwma(peak=1), "peak"),
        (lambda: InFlightAge(None), "load"),
        (lambda: FailurePenalty(PeakEwma(), 0.0), "penalty"),
        (lambda: FailurePenalty(PeakEwma), "load"),
        (lambda: Sum(), "loads"),
        (lambda: Sum(InFlight(), weights=(1.0, 2.0)), "weights"),
        (lambda: Sum(InFlight(), weights=(-1.0,)), "weights"),
        (lambda: Sum(7), "load"),
        (lambda: Product(), "loads"),
        (lambda: Product.from_dict({"type": "Product"}), "loads"),
        (lambda: Sum.from_dict({"type": "Product", "loads": []}), "Sum"),
        (lambda: Reported(unknown=-0.1), "unknown"),
        (lambda: Reported(expiry=0.0), "expiry"),
        (lambda: Reported(blackout=-1.0), "blackout"),
        (lambda: Blend(floor=0.0), "floor"),
        (lambda: Blend(reports=InFlight()), "reports"),
        (lambda: Overdue(after=0.0), "after"),
        (lambda: lb.PowerOfTwo(force_after=0.0), "force_after"),
        (lambda: lb.LeastLoaded(force_after="1"), "force_after"),
        (lambda: lb.LeastLoaded.from_dict({"load": {"type": "Nope"}}), "load"),
    ],
)
def test_bad_parameters(make, parameter):
    with pytest.raises(lb.ConfigError) as refused:
        make()
    assert refused.value.parameter == parameter
