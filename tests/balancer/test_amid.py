"""What happens amid something else on the same thread: it waits its turn, is accounted rightly, or is refused."""

import pytest

from lbalgo import Outcome, RoundRobin
from lbalgo.signals import OutlierEjection
from lbalgo.signals.detectors import ConsecutiveErrors, SuccessRate
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Manual


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


class Talking(Manual):
    """A signal in the midst of which something happens, once."""

    happens = None

    def meddle(self):
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()

    def observe(self, slot, outcome, latency, now):
        super().observe(slot, outcome, latency, now)
        self.meddle()

    def advance(self, now):
        super().advance(now)
        self.meddle()


class Ejecting(OutlierEjection):
    """The same of a machine whose evidence the balancer notes itself: after a sync, before a restore, in a tick."""

    happens = None
    where = ""

    def meddle(self, where):
        if where == self.where and self.happens is not None:
            happens, self.happens = self.happens, None
            happens()

    def sync(self, ids, now):
        super().sync(ids, now)
        self.meddle("sync")

    def restore(self, state, now):
        self.meddle("restore")
        super().restore(state, now)

    def advance(self, now):
        self.meddle("advance")
        super().advance(now)


def test_a_lease_that_ends_while_another_is_heard_waits_for_it(balancer):
    asked, talking, witness = [], Talking(), Manual()
    witness.retry_after = lambda slot, seconds, now: asked.append((slot, seconds))
    lb = balancer(RoundRobin(), ["a", "b"], seed=0, signals=[talking, witness], clock=FakeClock())
    one, two = lb.acquire(), lb.acquire()
    talking.happens = lambda: two.done(Outcome.TIMEOUT, latency=0.25, retry_after=3.0)
    one.done(Outcome.SERVER_ERROR, latency=0.5)
    assert witness.heard == talking.heard == [
        (one.backend.id, Outcome.SERVER_ERROR, 0.5, 0.0),
        (two.backend.id, Outcome.TIMEOUT, 0.25, 0.0),
    ]  # fmt: skip
    assert asked == [(lb.view.ids.index(two.backend.id), 3.0)]
    assert lb.stats().closed == 2


@pytest.mark.parametrize("call", [lambda lb, lease: lease.done(), lambda lb, lease: lb.advance()], ids=["end", "tick"])
def test_who_hears_and_who_is_told_the_time_may_not_change_the_pool(balancer, call):
    talking = Talking()
    lb = balancer(RoundRobin(), ["a", "b"], seed=0, signals=[talking], clock=FakeClock())
    lease = lb.acquire()
    talking.happens = lambda: lb.update(["c"])
    with pytest.raises(RuntimeError, match="changing"):
        call(lb, lease)
    assert lb.view.ids == ("a", "b")
    lb.update(["c"])
    assert lb.acquire().backend.id == "c"


def errors(lb, ejecting):
    """Runs of errors and responses by id."""
    return {id: (row[0], row[3]) for id, row in zip(lb.view.ids, ejecting.evidence.rows(), strict=True)}


def test_an_error_noted_amid_an_update_is_its_backends_own(balancer):
    """The machine has its new members already, and in the slot that a had there is x."""
    ejecting = Ejecting([ConsecutiveErrors(5)])
    lb = balancer(RoundRobin(), ["a", "b"], seed=0, signals=[ejecting], clock=FakeClock())
    lease = lb.acquire(exclude={"b"})
    ejecting.where, ejecting.happens = "sync", lambda: lease.done(Outcome.SERVER_ERROR)
    lb.update(["x", "b", "a"])
    assert errors(lb, ejecting) == {"x": (0, 0), "b": (0, 0), "a": (1, 1)}


def test_an_error_noted_amid_a_restore_is_not_lost(balancer):
    ejecting = Ejecting([ConsecutiveErrors(5)])
    lb = balancer(RoundRobin(), ["a", "b"], seed=0, signals=[ejecting], clock=FakeClock())
    state, lease = lb.snapshot(), lb.acquire(exclude={"b"})
    ejecting.where, ejecting.happens = "restore", lambda: lease.done(Outcome.SERVER_ERROR)
    lb.restore(state)
    assert errors(lb, ejecting) == {"a": (1, 1), "b": (0, 0)}


def test_an_error_that_trips_amid_a_tick_counts_once(balancer):
    ejecting = Ejecting([ConsecutiveErrors(1)])
    lb = balancer(RoundRobin(), ["a", "b", "c"], seed=0, signals=[ejecting], clock=FakeClock())
    lease = lb.acquire(exclude={"b", "c"})
    ejecting.where, ejecting.happens = "advance", lambda: lease.done(Outcome.SERVER_ERROR)
    lb.advance()
    assert lb.stats().ejections == {"ConsecutiveErrors": 1}
    assert errors(lb, ejecting)["a"] == (0, 1)


def test_all_whom_one_error_trips_judge(balancer):
    signals = [OutlierEjection([ConsecutiveErrors(n)]) for n in (1, 2, 1)]
    lb = balancer(RoundRobin(), ["a", "b", "c"], seed=0, signals=signals, clock=FakeClock())
    lb.acquire().done(Outcome.SERVER_ERROR)
    assert [signal.deadline is not None for signal in signals] == [True, False, True]
    assert lb.stats().ejections == {"ConsecutiveErrors": 2}


def test_who_hears_no_outcomes_may_still_hear_for_how_long_to_wait(balancer):
    asked = []

    class Patient(Manual):
        observes = False

        def retry_after(self, slot, seconds, now):
            asked.append(seconds)

    lb = balancer(RoundRobin(), ["a"], seed=0, signals=[Patient()], clock=FakeClock())
    lb.acquire().done(Outcome.OVERLOADED, retry_after=7)
    assert asked == [7.0]


def test_an_outcome_at_the_very_tick_belongs_to_the_next_interval(balancer):
    clock, ejection, alone = FakeClock(), OutlierEjection([SuccessRate()]), OutlierEjection([SuccessRate()])
    lb = balancer(RoundRobin(), ["a"], seed=0, signals=[ejection], clock=clock)
    alone.sync(["a"], 0.0)
    leases = [lb.acquire() for _ in range(2)]
    for lease, now in zip(leases, [5.0, 10.0], strict=True):
        clock.set(now)
        lease.done(Outcome.TIMEOUT)
        alone.observe(0, Outcome.TIMEOUT, None, now)
    assert ejection.evidence.rows() == alone.evidence.rows() == [(2, 2, 0, 1)]
