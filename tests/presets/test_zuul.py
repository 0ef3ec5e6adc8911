"""Netflix's edge balancer: what it prefers, whom it tries, and whom it leaves out."""

import pytest

from lbalgo import ConfigError, Outcome
from lbalgo.events import Ejected
from lbalgo.loads.blend import Blend
from lbalgo.loads.peak_ewma import PeakEwma
from lbalgo.presets import zuul
from lbalgo.report import Report
from tests.presets.pool import Pool


def test_what_is_second_hand_is_said():
    assert any("90 s" in line and "second-hand" in line for line in zuul().unconfirmed)


def grown(ids):
    """A pool in which everybody has answered well and is past its first 90 s."""
    pool = Pool(zuul(), list(ids))
    serve(pool, sick=(), seconds=5)
    pool.wait(90)
    return pool


def serve(pool, sick, seconds, at_once=4):
    """Ten rounds of requests a second, `at_once` in flight; those to `sick` fail; where they went."""
    went = dict.fromkeys(pool.balancer.view.ids, 0)
    for _ in range(seconds):
        for _ in range(10):
            leases = [pool.balancer.acquire() for _ in range(at_once)]
            for lease in leases:
                went[lease.backend.id] += 1
                lease.done(Outcome.SERVER_ERROR if lease.backend.id in sick else Outcome.SUCCESS, latency=0.01)
        pool.wait(1)
    return went


def test_the_worst_is_filtered():
    pool = grown("abcdef")
    before = serve(pool, sick={"f"}, seconds=11, at_once=60)
    assert 0 < before["f"] < sum(before.values()) / 12, "errors weigh before anybody is left out"
    assert [event.id for event in pool.events if isinstance(event, Ejected)] == ["f"]
    assert serve(pool, sick={"f"}, seconds=15, at_once=60)["f"] == 0


def test_while_others_are_idle_one_failure_is_enough_not_to_be_chosen():
    pool = grown("abcdef")
    assert serve(pool, sick={"f"}, seconds=11)["f"] == 1


def test_no_more_than_half_are_left_out():
    pool = grown("abcd")
    serve(pool, sick={"a", "b", "c"}, seconds=60, at_once=60)
    out = [id for id, share in zip(pool.balancer.view.ids, pool.balancer.view.eligible, strict=True) if not share]
    assert len(out) == 2 and set(out) < {"a", "b", "c"}


def test_of_two_the_one_that_says_it_is_busier_gets_less():
    pool = grown("ab")
    for _ in range(12):  # longer than reports must have come to count
        pool.balancer.report("a", Report(1.0, qps=100.0))
        pool.balancer.report("b", Report(0.0, qps=100.0))
        pool.wait(1)
    assert {pool.balancer.acquire().backend.id} == {"b"}
    leases = [pool.balancer.acquire() for _ in range(30)]
    counts = [sum(lease.backend.id == id for lease in leases) for id in "ab"]
    assert counts[1] == pytest.approx(2 * counts[0], abs=2), "full is worth half of idle"


def test_a_new_server_has_one_request_at_a_time_until_it_has_answered():
    pool = grown("abc")
    pool.balancer.update([*"abcd"])
    leases = [pool.balancer.acquire() for _ in range(60)]
    tried = [lease for lease in leases if lease.backend.id == "d"]
    assert len(tried) == 1
    tried[0].done(latency=0.01)
    more = [pool.balancer.acquire() for _ in range(60)]
    assert sum(lease.backend.id == "d" for lease in more) > 1


@pytest.mark.parametrize("failures", [0, 100.5, -1, None, "50"])
def test_bad_failures(failures):
    with pytest.raises(ConfigError) as refused:
        zuul(failures)
    assert refused.value.parameter == "failures"


@pytest.mark.parametrize("load", [PeakEwma(), Blend, None])
def test_bad_loads(load):
    with pytest.raises(ConfigError) as refused:
        zuul(load=load)
    assert refused.value.parameter == "load"
