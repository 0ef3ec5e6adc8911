"""Leases: how they end, what that means, and who is told."""

import asyncio
import copy
import gc
import pickle

import pytest

from lbalgo import ConfigError, NoBackend, Outcome, RoundRobin, State
from lbalgo.signals import OutlierEjection
from lbalgo.signals.detectors import ConsecutiveErrors
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Diary, Least, Manual


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


def ended(lb):
    """The outcomes that have been counted, without zeros."""
    stats = lb.stats()
    assert stats.opened == stats.closed + stats.open_leases
    assert stats.closed == sum(stats.outcomes.values())
    assert stats.open_leases == sum(stats.in_flight.values())
    return {outcome: n for outcome, n in stats.outcomes.items() if n}


class Refused(OSError):
    pass


BLOCKS = [
    (None, None, Outcome.SUCCESS),
    (None, 200, Outcome.SUCCESS),
    (None, 404, Outcome.SUCCESS),
    (None, 429, Outcome.OVERLOADED),
    (None, 500, Outcome.SERVER_ERROR),
    (None, 503, Outcome.GATEWAY_ERROR),
    (asyncio.CancelledError, None, Outcome.CANCELLED),
    (GeneratorExit, None, Outcome.CANCELLED),
    (KeyboardInterrupt, None, Outcome.CANCELLED),
    (SystemExit, None, Outcome.CANCELLED),
    (TimeoutError, None, Outcome.TIMEOUT),
    (asyncio.TimeoutError, None, Outcome.TIMEOUT),
    (ConnectionResetError, None, Outcome.LOCAL_ERROR),
    (Refused, None, Outcome.LOCAL_ERROR),
    (ValueError, None, Outcome.CANCELLED),
    (TimeoutError, 200, Outcome.TIMEOUT),
    (OSError, 200, Outcome.LOCAL_ERROR),
    (ValueError, 200, Outcome.CANCELLED),
    (Refused, 503, Outcome.GATEWAY_ERROR),
    (ValueError, 500, Outcome.SERVER_ERROR),
    (asyncio.CancelledError, 503, Outcome.GATEWAY_ERROR),
]


@pytest.mark.parametrize(("error", "status", "outcome"), BLOCKS)
def test_block(balancer, error, status, outcome):
    lb = balancer(RoundRobin(), ["a"], seed=0)

    def use():
        with lb.acquire() as lease:
            assert lb.stats().in_flight == {"a": 1}
            if status is not None:
                lease.status(status)
            if error is not None:
                raise error

    if error is None:
        use()
    else:
        with pytest.raises(error):
            use()
    assert ended(lb) == {outcome: 1}


def test_done_is_idempotent(balancer):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    with lb.acquire() as lease:
        lease.done(Outcome.TIMEOUT)
        lease.done(Outcome.SUCCESS)
        lease.status(500)
    lease.done()
    assert ended(lb) == {Outcome.TIMEOUT: 1}
    assert lease.backend.id == "a"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_done_says_how(balancer, outcome):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    lb.acquire().done(outcome)
    assert ended(lb) == {outcome: 1}


def test_done_without_outcome_is_what_the_status_said(balancer):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    for status in (200, 502):
        lease = lb.acquire()
        lease.status(status)
        lease.done()
    lease = lb.acquire()
    lease.status(502)
    lease.done(Outcome.SUCCESS)
    assert ended(lb) == {Outcome.SUCCESS: 2, Outcome.GATEWAY_ERROR: 1}


def test_dropped_leases_count_as_cancelled(balancer):
    witness = Manual()
    lb = balancer(RoundRobin(), ["a"], seed=0, signals=[witness], clock=FakeClock())
    for _ in range(200):  # more than the freelist holds, and each slot of it more than once
        lb.acquire()
    gc.collect()
    assert ended(lb) == {Outcome.CANCELLED: 200}
    assert {heard[1] for heard in witness.heard} == {Outcome.CANCELLED}


def test_a_dropped_lease_inside_a_cycle_is_found(balancer):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    knot = [lb.acquire()]
    knot.append(knot)
    del knot
    gc.collect()
    assert ended(lb) == {Outcome.CANCELLED: 1}


def test_a_dropped_lease_no_longer_weighs(balancer):
    load = Diary()
    lb = balancer(Least(load), ["a", "b"], clock=FakeClock())
    held = lb.acquire()
    assert held.backend.id == "a"
    assert lb.acquire().backend.id == "b"  # and dropped
    gc.collect()
    assert lb.acquire().backend.id == "b"


def test_leases_are_not_made_copied_or_pickled(balancer):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    lease = lb.acquire()
    with pytest.raises(TypeError):
        type(lease)()
    for copying in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError):
            copying(lease)
        with pytest.raises(TypeError):
            copying(lb)
    lease.done()
    assert ended(lb) == {Outcome.SUCCESS: 1}


def test_latency_is_measured_when_somebody_wants_it(balancer):
    clock, witness = FakeClock(10.0), Manual()
    lb = balancer(RoundRobin(), ["a"], seed=0, signals=[witness], clock=clock)
    lease = lb.acquire()
    clock.advance(1.5)
    lease.done()
    lb.acquire().done(latency=0.25)
    assert witness.heard == [("a", Outcome.SUCCESS, 1.5, 11.5), ("a", Outcome.SUCCESS, 0.25, 11.5)]


def test_nobody_wants_it_so_the_clock_is_left_alone(balancer):
    readings = []

    def clock():
        readings.append(None)
        return 0.0

    lb = balancer(RoundRobin(), ["a"], seed=0, clock=clock)
    readings.clear()
    lb.acquire().done()
    assert not readings


def test_load_is_told_with_rows_that_outlive_membership(balancer):
    clock, load = FakeClock(), Diary()
    lb = balancer(Least(load), ["a", "b"], clock=clock, forget_after=10.0)
    lease = lb.acquire(cost=3.0)
    lb.update(["b"])
    clock.advance(20.0)
    lb.update(["b", "c"])  # a is forgotten, but its row is not free
    lb.acquire().done()
    lease.done(Outcome.TIMEOUT)
    assert lb.stats().in_flight == {"b": 0, "c": 0}
    assert load.calls == [
        ("started", 0, 3.0, 0.0),
        ("started", 1, 1.0, 20.0),
        ("finished", 1, Outcome.SUCCESS, 0.0, 20.0, 1.0),
        ("finished", 0, Outcome.TIMEOUT, 20.0, 20.0, 3.0),
    ]
    load.calls.clear()
    clock.advance(20.0)
    lb.update(["b", "c", "d"])  # now it is
    assert load.calls == [("restart", 0)]


def test_who_returns_in_time_has_its_row_and_its_record(balancer):
    clock = FakeClock()
    lb = balancer(RoundRobin(), ["a"], seed=0, clock=clock, forget_after=10.0)
    lease = lb.acquire()
    row = int(lb.view.rows[0])
    lb.update([])
    assert lb.stats().in_flight == {"a": 1}
    clock.advance(9.0)
    lb.update(["z", "a"])
    assert int(lb.view.rows[1]) == row
    assert lb.stats().in_flight == {"z": 0, "a": 1}
    lease.done()
    assert lb.stats().in_flight == {"z": 0, "a": 0}


def test_who_returns_late_is_somebody_else(balancer):
    clock = FakeClock()
    lb = balancer(RoundRobin(), ["a"], seed=0, clock=clock, forget_after=10.0)
    lease = lb.acquire()
    row = int(lb.view.rows[0])
    lb.update([])
    clock.advance(10.0)
    lb.update(["a"])
    assert int(lb.view.rows[0]) != row
    lease.done()
    assert lb.stats().open_leases == 0


def test_evidence_reaches_the_ejector(balancer):
    clock = FakeClock()
    lb = balancer(RoundRobin(), ["a", "b", "c"], seed=0, clock=clock, signals=[OutlierEjection([ConsecutiveErrors(2)])])
    while lb.view.states.max() == State.HEALTHY:
        with lb.acquire() as lease:
            if lease.backend.id == "b":
                lease.status(500)
    assert lb.view.states.tolist() == [0, State.UNHEALTHY, 0]
    assert lb.stats().ejections == {"ConsecutiveErrors": 1}
    assert {lb.acquire().backend.id for _ in range(10)} == {"a", "c"}
    clock.set(lb.next_deadline)
    assert {lb.acquire().backend.id for _ in range(10)} == {"a", "b", "c"}


def test_retry_after_is_handed_to_whoever_listens(balancer):
    heard = []

    class Patient(Manual):
        def retry_after(self, slot, seconds, now):
            heard.append((self.ids[slot], seconds, now))

    lb = balancer(RoundRobin(), ["a"], seed=0, clock=FakeClock(1.0), signals=[Patient(), Manual()])
    lb.acquire().done(Outcome.OVERLOADED, retry_after=30)
    lb.acquire().done(Outcome.OVERLOADED)
    assert heard == [("a", 30.0, 1.0)]


def test_asyncio(balancer):
    lb = balancer(RoundRobin(), ["a", "b"], seed=0)

    async def call(seconds):
        with lb.acquire():
            await asyncio.sleep(seconds)

    async def main():
        slow = asyncio.create_task(call(60))
        await asyncio.sleep(0)
        assert lb.stats().open_leases == 1
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await call(60)
        with pytest.raises(TimeoutError), lb.acquire():
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)

    asyncio.run(main())
    assert ended(lb) == {Outcome.CANCELLED: 2, Outcome.TIMEOUT: 1}


def test_refusals_are_counted_by_reason(balancer):
    lb = balancer(RoundRobin(), ["a", "b"], seed=0)
    with pytest.raises(NoBackend, match="excluded"):
        lb.acquire(exclude={"a", "b"})
    lb.update({"a": 0.0})
    with pytest.raises(NoBackend, match="eligible"):
        lb.acquire()
    lb.update([])
    for _ in range(2):
        with pytest.raises(NoBackend, match="no backends"):
            lb.acquire()
    stats = lb.stats()
    assert stats.no_backend == {"excluded": 1, "ineligible": 1, "empty": 2}
    assert (stats.opened, stats.open_leases) == (0, 0)


def test_exclusion_and_its_fallbacks(balancer):
    lb = balancer(RoundRobin(), ["a", "b", "c"], seed=0)
    first = lb.acquire()
    again = lb.acquire(exclude={first.backend.id})
    assert again.backend.id != first.backend.id
    assert lb.stats().excluded_fallbacks == 0  # it was not its turn
    lb.acquire(exclude={next(lb.picker.walk()).id})
    assert lb.stats().excluded_fallbacks == 1


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda lease: lease.done("success"), "outcome"),
        (lambda lease: lease.done(0), "outcome"),
        (lambda lease: lease.done(latency=-1.0), "latency"),
        (lambda lease: lease.done(latency=float("nan")), "latency"),
        (lambda lease: lease.done(latency="1"), "latency"),
        (lambda lease: lease.done(retry_after=-1), "retry_after"),
        (lambda lease: lease.done(retry_after=float("inf")), "retry_after"),
        (lambda lease: lease.status(99), "status"),
        (lambda lease: lease.status("200"), "status"),
    ],
)
def test_a_refused_end_leaves_the_lease_open(balancer, call, parameter):
    lb = balancer(RoundRobin(), ["a"], seed=0)
    lease = lb.acquire()
    with pytest.raises(ConfigError) as caught:
        call(lease)
    assert caught.value.parameter == parameter
    assert lb.stats().open_leases == 1
    lease.done()
    assert ended(lb) == {Outcome.SUCCESS: 1}


@pytest.mark.parametrize("twin", TWINS)
def test_a_lease_says_whether_it_is_open(twin):
    lease = twin(RoundRobin(), ["a"], seed=1).acquire()
    assert repr(lease) == f"<Lease of {lease.backend!r}, open>"
    lease.done()
    assert repr(lease) == f"<Lease of {lease.backend!r}, ended>"
