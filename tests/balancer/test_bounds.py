"""What a balancer takes and refuses at the very bounds, and what it does without being told."""

import pytest

from lbalgo import ConfigError, Outcome, RoundRobin
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Diary, Least, Manual


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


@pytest.mark.parametrize("policy", [RoundRobin, Least])
@pytest.mark.parametrize(("seed", "good"), [(-1, False), (0, True), (128, True), (2**64 - 1, True), (2**64, False)])
def test_a_seed_is_64_bits_whoever_needs_it(balancer, policy, seed, good):
    if good:
        assert balancer(policy(), ["a"], seed=seed).acquire().backend.id == "a"
    else:
        with pytest.raises(ConfigError) as caught:
            balancer(policy(), ["a"], seed=seed)
        assert (caught.value.parameter, caught.value.value) == ("seed", seed)


@pytest.mark.parametrize("wrong", [{"panic_below": -0.1}, {"panic_below": 1.1}, {"forget_after": -1.0}, {"seed": -1}])
def test_refused_before_a_signal_hears_of_it(balancer, wrong):
    signal = Manual()
    with pytest.raises(ConfigError) as caught:
        balancer(Least(), ["a"], signals=[signal], **wrong)
    assert {caught.value.parameter: caught.value.value} == wrong
    assert (signal.version, signal.ids) == (0, ())


@pytest.mark.parametrize(("away", "same"), [(299.5, True), (300.5, False)])
def test_leavers_are_remembered_for_five_minutes_unless_told_otherwise(balancer, away, same):
    clock = FakeClock()
    lb = balancer(RoundRobin(), ["a"], seed=0, clock=clock)
    lease, row = lb.acquire(), int(lb.view.rows[0])
    lb.update([])
    clock.advance(away)
    lb.update(["a"])
    assert (int(lb.view.rows[0]) == row) is same
    again = lb.acquire()
    assert lb.stats().in_flight == {"a": 2}, "both of them, whichever incarnation they are of"
    lease.done()
    again.done()
    assert lb.stats().in_flight == {"a": 0}


def test_a_clock_of_whole_seconds(balancer):
    witness = Manual()
    lb = balancer(RoundRobin(), ["a"], signals=[witness], clock=lambda: 5)
    lb.acquire().done()
    assert witness.heard == [("a", Outcome.SUCCESS, 0.0, 5.0)]
    with pytest.raises(ConfigError) as caught:
        balancer(RoundRobin(), ["a"], clock=lambda: "now")
    assert (caught.value.parameter, caught.value.value) == ("clock()", "now")


def test_a_clock_that_is_set_back(balancer):
    """Nothing ends before it began, and an observation of earlier counts at the latest time seen."""
    readings, witness = [10.0], Manual()
    lb = balancer(RoundRobin(), ["a"], signals=[witness], clock=lambda: readings[-1])
    readings.append(12.0)
    lease = lb.acquire()
    readings.append(11.0)
    lease.done()
    (heard,) = witness.heard
    assert heard[2] == 0.0


@pytest.mark.parametrize("amount", [0.0, 0.5])
def test_amounts_below_one(balancer, amount):
    asked, load = [], Diary()

    class Patient(Manual):
        def retry_after(self, slot, seconds, now):
            asked.append(seconds)

    lb = balancer(Least(load), ["a"], signals=[Patient()], clock=FakeClock())
    lb.acquire(cost=amount).done(retry_after=amount)
    assert asked == [amount]
    assert load.calls[0] == ("started", 0, amount, 0.0)


def test_the_books_of_nobody(balancer):
    stats = balancer(RoundRobin(), [], seed=0).stats()
    assert (stats.opened, stats.open_leases, stats.in_flight) == (0, 0, {})
