"""gRPC's outlier detection: against the text transcribed, under the laws of signals, and each difference from Envoy."""

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, Outcome
from lbalgo.compat.grpc import FailurePercentageEjection, OutlierDetection, SuccessRateEjection
from lbalgo.events import Ejected, EjectionWithheld, Readmitted
from lbalgo.testing import FakeClock, SignalContract
from lbalgo.testing.laws import certify

OK, BAD = Outcome.SUCCESS, Outcome.SERVER_ERROR


class Text:
    """A50's sections, word for word where it says something, without enforcement below 100 (which draws)."""

    def __init__(self, ids, interval, base, longest, percent, sr, fp):
        self.map = {id: {"ok": 0, "bad": 0, "at": None, "multiplier": 0} for id in ids}
        self.interval, self.base, self.longest, self.percent, self.sr, self.fp = (
            interval,
            base,
            longest,
            percent,
            sr,
            fp,
        )
        self.now = 0

    def tick(self):
        self.now += self.interval
        stamp = self.now
        swapped = {id: (e["ok"], e["bad"]) for id, e in self.map.items()}
        for e in self.map.values():
            e["ok"] = e["bad"] = 0
        if self.sr:
            volume = [id for id in self.map if sum(swapped[id]) >= max(1, self.sr.request_volume)]
            if volume and len(volume) >= self.sr.minimum_hosts:
                fractions = [swapped[id][0] / sum(swapped[id]) for id in volume]
                mean = math.fsum(fractions) / len(fractions)
                stdev = math.sqrt(math.fsum((f - mean) ** 2 for f in fractions) / len(fractions))
                for id in sorted(volume):
                    if self.ejected_percent() >= self.percent:
                        break
                    if swapped[id][0] / sum(swapped[id]) < mean - stdev * (self.sr.stdev_factor / 1000):
                        self.eject(id, stamp)
        if self.fp:
            volume = [id for id in self.map if sum(swapped[id]) >= max(1, self.fp.request_volume)]
            if volume and len(volume) >= self.fp.minimum_hosts:
                for id in sorted(volume):
                    if self.ejected_percent() >= self.percent:
                        break
                    if 100 * swapped[id][1] > self.fp.threshold * sum(swapped[id]):
                        self.eject(id, stamp)
        for e in self.map.values():
            if e["at"] is None:
                if e["multiplier"] > 0:
                    e["multiplier"] -= 1
            elif self.now > e["at"] + min(self.base * e["multiplier"], max(self.base, self.longest)):
                e["at"] = None

    def ejected_percent(self):
        return 100 * sum(e["at"] is not None for e in self.map.values()) / len(self.map)

    def eject(self, id, stamp):
        self.map[id]["at"], self.map[id]["multiplier"] = stamp, self.map[id]["multiplier"] + 1


rates = st.builds(
    SuccessRateEjection,
    stdev_factor=st.sampled_from([0, 500, 1900]),
    minimum_hosts=st.integers(0, 4),
    request_volume=st.integers(0, 5),
)
failures = st.builds(
    FailurePercentageEjection,
    threshold=st.sampled_from([0, 50, 85, 100]),
    minimum_hosts=st.integers(0, 4),
    request_volume=st.integers(0, 5),
)


calls = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=5)


@given(
    st.none() | rates,
    st.none() | failures,
    st.integers(0, 3),
    st.integers(0, 4),
    st.sampled_from([0, 10, 30, 60, 100]),
    st.lists(calls, max_size=12),
)
def test_as_the_text(sr, fp, base, longest, percent, intervals):
    ids = ["e", "d", "c", "b", "a"]
    signal = OutlierDetection(2.0, float(base), float(longest), percent, sr, fp)
    signal.sync(ids, 0.0)
    text = Text(ids, 2, base, longest, percent, sr, fp)
    for counts in intervals:
        for slot, (good, bad) in enumerate(counts):
            for outcome in [OK] * good + [BAD] * bad:
                signal.observe(slot, outcome, None, text.now + 1.0)
            text.map[ids[slot]]["ok"] += good
            text.map[ids[slot]]["bad"] += bad
        if sr or fp:
            text.tick()
            signal.advance(float(text.now))
            found = {id: (e[2], e[4] is not None) for id, e in signal.snapshot()["members"].items()}
            assert found == {id: (e["multiplier"], e["at"] is not None) for id, e in text.map.items()}
        else:
            text.now += 2
            signal.advance(float(text.now))
            assert not signal._column.any() and signal.deadline is None


class Contract(SignalContract):
    longest = 30.0
    settings = settings(max_examples=30)

    test_flapping_erases_nothing = None  # A50 forgets who leaves
    test_cancelled_is_no_evidence = None  # a call that was cancelled did not end with OK

    def signal(self):
        return OutlierDetection(
            interval=5,
            base_ejection_time=7,
            max_ejection_percent=60,
            success_rate_ejection=SuccessRateEjection(minimum_hosts=2, request_volume=2, stdev_factor=500),
            failure_percentage_ejection=FailurePercentageEjection(
                50, minimum_hosts=1, request_volume=3, enforcement_percentage=70
            ),
            seed=5,
        )


def test_laws():
    assert certify(Contract) > 10


def column(signal, n):
    states = np.zeros(n, np.uint8)
    signal.apply(np.ones(n), states)
    return states.tolist()


def fed(signal, counts, now):
    for slot, (good, bad) in enumerate(counts):
        for outcome in [OK] * good + [BAD] * bad:
            signal.observe(slot, outcome, None, now)


def percentage(threshold=85, **more):
    return FailurePercentageEjection(threshold, minimum_hosts=1, request_volume=1, **more)


def test_1_ejections_end_strictly_after_their_time():
    signal = OutlierDetection(10, 30, 300, 100, failure_percentage_ejection=percentage())
    signal.sync(["a", "b"], 0.0)
    fed(signal, [(1, 0), (0, 1)], 1.0)
    for now, states in ((10.0, [0, 2]), (40.0, [0, 2]), (50.0, [0, 0])):
        signal.advance(now)
        assert column(signal, 2) == states
    native = lb.OutlierEjection([lb.FailurePercentage(85, 1, 1)], max_ejection_percent=100)
    native.sync(["a", "b"], 0.0)
    fed(native, [(1, 0), (0, 1)], 1.0)
    native.advance(40.0)
    assert column(native, 2) == [0, 0], "Envoy's ends at its time"


def test_2_multipliers_decay_at_once():
    signal = OutlierDetection(10, 10, 300, 100, failure_percentage_ejection=percentage())
    signal.sync(["a", "b"], 0.0)
    multipliers = []
    for k in range(8):
        if k < 3:
            fed(signal, [(1, 0), (0, 1)], 10.0 * k + 1)
        signal.advance(10.0 * k + 10)
        multipliers.append(signal.snapshot()["members"]["b"][2])
    # ejected at 10, 20 and 30 (late failures), so until after 60; from the next tick on one less each
    assert multipliers == [1, 2, 3, 3, 3, 3, 3, 2]


def test_3_one_can_always_be_ejected_and_one_more_below_the_cap():
    signal = OutlierDetection(max_ejection_percent=10, failure_percentage_ejection=percentage())
    signal.sync(["a", "b", "c"], 0.0)
    fed(signal, [(0, 1), (0, 1), (0, 1)], 1.0)
    signal.advance(10.0)
    assert column(signal, 3) == [2, 0, 0]
    none = OutlierDetection(max_ejection_percent=0, failure_percentage_ejection=percentage())
    none.sync(["a", "b", "c"], 0.0)
    fed(none, [(0, 1), (0, 1), (0, 1)], 1.0)
    none.advance(10.0)
    assert column(none, 3) == [0, 0, 0]
    more = OutlierDetection(max_ejection_percent=34, failure_percentage_ejection=percentage())
    more.sync(["a", "b", "c"], 0.0)
    fed(more, [(0, 1), (0, 1), (0, 1)], 1.0)
    more.advance(10.0)
    assert column(more, 3) == [2, 2, 0], "a third is below 34 %, so the second goes too; Envoy would stop at one"


def test_4_above_the_threshold_not_at_it():
    for bad, states in ((85, [0, 0]), (86, [0, 2])):
        signal = OutlierDetection(failure_percentage_ejection=percentage(85))
        signal.sync(["a", "b"], 0.0)
        fed(signal, [(1, 0), (100 - bad, bad)], 1.0)
        signal.advance(10.0)
        assert column(signal, 2) == states


def test_5_minimum_hosts_counts_those_with_volume():
    for volume, states in ((50, [0, 0, 0, 0, 2]), (51, [0, 0, 0, 0, 0])):
        signal = OutlierDetection(
            failure_percentage_ejection=FailurePercentageEjection(minimum_hosts=2, request_volume=volume)
        )
        signal.sync(list("abcde"), 0.0)
        fed(signal, [(60, 0), (1, 0), (1, 0), (1, 0), (0, 50)], 1.0)
        signal.advance(10.0)
        assert column(signal, 5) == states


def test_6_an_ejection_begins_with_its_tick():
    signal = OutlierDetection(failure_percentage_ejection=percentage())
    signal.sync(["a", "b"], 0.0)
    fed(signal, [(1, 0), (0, 1)], 1.0)
    signal.advance(13.5)
    assert next(event for event in signal.drain_events() if isinstance(event, Ejected)).until == 40.0


def test_9_to_11_every_call_that_is_not_ok_fails_and_enforcement_draws():
    signal = OutlierDetection(max_ejection_percent=100, failure_percentage_ejection=percentage(0))
    signal.sync([outcome.name for outcome in Outcome], 0.0)
    for slot, outcome in enumerate(Outcome):
        signal.observe(slot, outcome, None, 1.0)
    signal.advance(10.0)
    ejected = {event.id for event in signal.drain_events()}
    assert ejected == {outcome.name for outcome in Outcome} - {"SUCCESS"}
    ids = [f"{i:03}" for i in range(400)]
    half = OutlierDetection(
        max_ejection_percent=100, failure_percentage_ejection=percentage(0, enforcement_percentage=25), seed=9
    )
    half.sync(ids, 0.0)
    fed(half, [(0, 1)] * 400, 1.0)
    half.advance(10.0)
    events = half.drain_events()
    carried = sum(isinstance(event, Ejected) for event in events)
    assert carried + sum(isinstance(event, EjectionWithheld) for event in events) == 400
    assert abs(carried - 100) < 4.9 * math.sqrt(400 * 0.25 * 0.75)  # normal bound, 1e-6


def test_both_detectors_may_eject_in_one_tick():
    signal = OutlierDetection(
        max_ejection_percent=100,
        success_rate_ejection=SuccessRateEjection(minimum_hosts=2, request_volume=1),
        failure_percentage_ejection=percentage(),
    )
    ids = list("abcdef")
    signal.sync(ids, 0.0)
    fed(signal, [(9, 0)] * 5 + [(0, 9)], 1.0)
    signal.advance(10.0)
    assert [event.detector for event in signal.drain_events()] == ["SuccessRateEjection", "FailurePercentageEjection"]
    assert signal.snapshot()["members"]["f"][2] == 2


def test_success_rate_by_hand():
    """Five endpoints, four perfect and one at half: mean 0.9, deviation 0.2; 0.5 is below 0.9 - 1.9 * 0.2 = 0.52."""
    for factor, states in ((1900, [0, 0, 0, 0, 2]), (2100, [0, 0, 0, 0, 0])):
        signal = OutlierDetection(success_rate_ejection=SuccessRateEjection(factor, request_volume=10))
        signal.sync(list("abcde"), 0.0)
        fed(signal, [(10, 0)] * 4 + [(5, 5)], 1.0)
        signal.advance(10.0)
        assert column(signal, 5) == states


def test_who_leaves_is_forgotten():
    signal = OutlierDetection(failure_percentage_ejection=percentage())
    signal.sync(["a", "b"], 0.0)
    fed(signal, [(1, 0), (0, 1)], 1.0)
    signal.advance(10.0)
    signal.sync(["a"], 11.0)
    signal.sync(["a", "b"], 12.0)
    assert column(signal, 2) == [0, 0]
    assert [type(event) for event in signal.drain_events()] == [Ejected, Readmitted]


def test_in_a_balancer():
    clock, rng = FakeClock(), random.Random(4)
    signal = OutlierDetection(failure_percentage_ejection=FailurePercentageEjection(minimum_hosts=2, request_volume=20))
    balancer = lb.Balancer(lb.RoundRobin(), list("abcde"), signals=[signal], clock=clock, seed=1)
    for _ in range(300):
        lease = balancer.acquire()
        lease.done(BAD if lease.backend.id == "c" and rng.random() < 0.99 else OK)
        clock.advance(0.1)
    assert {balancer.acquire().backend.id for _ in range(20)} == {"a", "b", "d", "e"}
    clock.advance(60.0)
    assert {balancer.acquire().backend.id for _ in range(20)} == set("abcde")
    assert balancer.stats().ejections == {"FailurePercentageEjection": 1}


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"interval": 0}, "interval"),
        ({"base_ejection_time": -1.0}, "base_ejection_time"),
        ({"max_ejection_time": "5m"}, "max_ejection_time"),
        ({"max_ejection_percent": 101}, "max_ejection_percent"),
        ({"success_rate_ejection": FailurePercentageEjection()}, "success_rate_ejection"),
        ({"failure_percentage_ejection": 85}, "failure_percentage_ejection"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_parameters(fields, parameter):
    with pytest.raises(ConfigError) as refused:
        OutlierDetection(**fields)
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("kind", [SuccessRateEjection, FailurePercentageEjection])
@pytest.mark.parametrize("field", ["enforcement_percentage", "minimum_hosts", "request_volume"])
def test_bad_detectors(kind, field):
    for bad in (-1, 1.5, 2**32, None, True):
        with pytest.raises(ConfigError) as refused:
            kind(**{field: bad})
        assert refused.value.parameter == field


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: None,
        lambda s: {**s, "type": "OutlierEjection"},
        lambda s: {**s, "more": 1},
        lambda s: {**s, "synced": 1},
        lambda s: {**s, "next_tick_in": 0},
        lambda s: {**s, "words": -1},
        lambda s: {**s, "members": [1]},
        lambda s: {**s, "members": {"a": [0, 0, 0, 0]}},
        lambda s: {**s, "members": {"a": [0, 0, 0, -1, None]}},
        lambda s: {**s, "members": {"a": [0, 0, 0, 0, -1]}},
        lambda s: {**s, "members": {"": [0, 0, 0, 0, None]}},
    ],
)
def test_bad_snapshots_change_nothing(spoil):
    signal = OutlierDetection(failure_percentage_ejection=percentage())
    signal.sync(["a", "b"], 0.0)
    fed(signal, [(1, 0), (0, 1)], 1.0)
    before = json.dumps(signal.snapshot())
    with pytest.raises(ConfigError):
        signal.restore(spoil(signal.snapshot()), 5.0)
    assert json.dumps(signal.snapshot()) == before


def test_it_shows_itself():
    signal = OutlierDetection(interval=5, failure_percentage_ejection=percentage(50))
    assert repr(eval(repr(signal), {**vars(lb), **globals()})) == repr(signal)
