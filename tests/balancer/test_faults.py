"""What may go wrong around a balancer, and what is left of it then: nothing counted twice, nothing half done."""

import gc
from dataclasses import dataclass

import numpy as np
import pytest

import lbalgo as lb
from lbalgo import ConfigError, Outcome, State, UnknownBackend
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Diary, Least, Manual


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


class Failure(Exception):
    pass


class Without:
    """A policy that leaves one backend out and lets another policy choose among the rest."""

    def __init__(self, base, id):
        self.base, self.id = base, id

    def build(self, view, *, previous=None):
        kept = np.array([id != self.id for id in view.ids], bool)
        return self.base.build(view.restrict(kept), previous=previous)


@pytest.mark.parametrize("base", [lb.RoundRobin(), lb.LeastLoaded(), lb.Maglev()], ids=["counter", "load", "keyed"])
def test_a_restricted_view_is_accounted_to_who_was_picked(balancer, base):
    balance = balancer(Without(base, "a"), ["a", "b", "c"], seed=0, signals=[lb.OutlierEjection()])
    leases = [balance.acquire() for _ in range(10)]
    counts = {id: sum(lease.backend.id == id for lease in leases) for id in "abc"}
    assert counts["a"] == 0 < counts["b"]
    assert balance.stats().in_flight == counts
    if isinstance(base, lb.LeastLoaded):
        assert counts["b"] == counts["c"] == 5
    for lease in leases:
        lease.done(Outcome.SERVER_ERROR)
    assert balance.view.states[0] == State.HEALTHY
    assert balance.stats().in_flight == dict.fromkeys("abc", 0)


def test_a_picker_of_strangers_is_refused(balancer):
    class Elsewhere:
        def build(self, view, *, previous=None):
            return lb.RoundRobin().build(["somebody"])

    balance = balancer(Elsewhere(), ["a"], seed=0)
    with pytest.raises(UnknownBackend):
        balance.acquire()
    assert balance.stats().opened == 0


def test_a_clock_that_fails_leaves_the_lease_open(balancer):
    broken, load = [], Diary()

    def clock():
        if broken:
            raise Failure
        return 1.0

    balance = balancer(Least(load), ["a"], clock=clock)
    lease = balance.acquire()
    broken.append(True)
    with pytest.raises(Failure):
        lease.done(Outcome.TIMEOUT)
    broken.clear()
    assert (balance.stats().open_leases, load.open) == (1, {0: 1})
    lease.done(Outcome.TIMEOUT)
    assert (balance.stats().open_leases, load.open) == (0, {0: 0})
    assert balance.stats().outcomes[Outcome.TIMEOUT] == 1


@pytest.mark.parametrize("instant", [2.0**60, -(2.0**60)])
def test_an_instant_out_of_range_is_forgotten(balancer, instant):
    balance = balancer(lb.RoundRobin(), ["a"], signals=[lb.SlowStart(30)], clock=FakeClock())
    with pytest.raises(ConfigError, match="now"):
        balance.advance(instant)
    balance.update(["a", "b"])
    assert balance.view.factors.tolist() == [1.0, 0.1]
    with pytest.raises(ConfigError, match=r"clock\(\)"):
        balancer(lb.RoundRobin(), ["a"], clock=lambda: instant)


def test_a_load_that_fails_does_not_silence_the_witnesses(balancer):
    class Broken(Diary):
        def finished(self, *facts):
            raise Failure

    signals = [lb.OutlierEjection([lb.ConsecutiveErrors(1)])]
    balance = balancer(Least(Broken()), ["a", "b", "c"], signals=signals)
    with pytest.raises(Failure):
        balance.acquire().done(Outcome.SERVER_ERROR)
    assert balance.view.states.tolist() == [State.UNHEALTHY, 0, 0]
    assert balance.stats().open_leases == 0


def test_a_witness_that_fails_does_not_silence_the_next(balancer):
    class Deaf(Manual):
        def observe(self, *facts):
            raise Failure

    witness = Manual()
    balance = balancer(Least(), ["a"], signals=[Deaf(), witness], clock=FakeClock())
    with pytest.raises(Failure):
        balance.acquire().done(Outcome.SERVER_ERROR)
    assert witness.heard == [("a", Outcome.SERVER_ERROR, 0.0, 0.0)]


def test_a_refused_ejection_does_not_silence_the_next_witness(balancer):
    def trap(view):
        if view.states.any():
            raise Failure

    signals = [lb.OutlierEjection([lb.ConsecutiveErrors(1)]), lb.OutlierEjection([lb.ConsecutiveErrors(2)])]
    balance = balancer(Least(trap=trap), ["a", "b", "c"], signals=signals)
    with pytest.raises(Failure):
        balance.acquire().done(Outcome.SERVER_ERROR)
    assert [signal.evidence.rows()[0][3] for signal in signals] == [1, 1]


@pytest.mark.parametrize("heard", [False, True], ids=["noted", "told"])
def test_an_outcome_after_a_tick_belongs_to_the_next_interval(balancer, heard):
    """As `observe` has it: what is due runs before the outcome counts, whether or not somebody acquires in between."""

    def machine():
        return lb.OutlierEjection([lb.SuccessRate()], interval=10.0)

    clock, ejection, alone = FakeClock(), machine(), machine()
    balance = balancer(lb.RoundRobin(), ["a"], seed=0, signals=[ejection] + [Manual()] * heard, clock=clock)
    alone.sync(["a"], 0.0)
    leases = [balance.acquire() for _ in range(3)]
    for lease, now in zip(leases, [5.0, 11.0, 12.0], strict=True):
        clock.set(now)
        lease.done(Outcome.TIMEOUT)
        alone.observe(0, Outcome.TIMEOUT, None, now)
    assert ejection.evidence.rows() == alone.evidence.rows() == [(3, 3, 0, 2)]
    ejection.advance(12.0)
    assert ejection.snapshot() == alone.snapshot()
    assert balance.next_deadline == 20.0


def test_nobody_knows_how_long_a_dropped_lease_took(balancer):
    clock, witness, load = FakeClock(), Manual(), Diary()
    balance = balancer(Least(load), ["a"], signals=[witness], clock=clock)
    balance.acquire()
    gc.collect()
    clock.advance(5.0)
    assert balance.stats().closed == 1
    assert witness.heard == [("a", Outcome.CANCELLED, None, 5.0)]
    assert load.calls[-1] == ("finished", 0, Outcome.CANCELLED, None, 5.0, 1.0)


def test_nobody_knows_how_long_a_request_took_that_began_unwatched(balancer):
    load, clock = Diary(), FakeClock()

    class Later:
        """A policy that begins to count with the second build."""

        def build(self, view, *, previous=None):
            return Least(load if previous else None).build(view)

    balance = balancer(Later(), ["a"], clock=clock)
    clock.set(100.0)
    lease = balance.acquire()
    balance.update(["a", "b"])
    lease.done()
    balance.acquire().done()
    ended = [call for call in load.calls if call[0] == "finished"]
    assert ended == [("finished", 0, Outcome.SUCCESS, 0.0, 100.0, 1.0)]
    assert balance.stats().open_leases == 0


def test_the_policy_is_asked_once_and_its_refusal_leaves_the_signals_as_they_were(balancer):
    asked = []

    def trap(view):
        asked.append(view)
        if "bad" in view.ids:
            raise Failure

    signals = [lb.SlowStart(30.0), lb.OutlierEjection(), Manual()]
    before = [signal.snapshot() for signal in signals]
    with pytest.raises(Failure):
        balancer(Least(trap=trap), ["bad"], signals=signals, forget_after=5.0)
    assert [signal.snapshot() for signal in signals] == before
    assert [signal.forget_after for signal in signals[:2]] == [300.0, 300.0]
    assert signals[1].drain_events() == []
    asked.clear()
    balance = balancer(Least(trap=trap), ["a"], signals=signals, forget_after=5.0)
    assert len(asked) == 1
    assert balance.view.factors.tolist() == [1.0]  # warm: the first members are
    assert [signal.forget_after for signal in signals[:2]] == [5.0, 5.0]


def test_a_row_that_cannot_be_cleared_refuses_the_update(balancer):
    class Stubborn(Diary):
        def restart(self, row):
            raise Failure

    clock = FakeClock()
    balance = balancer(Least(Stubborn()), ["a", "b"], signals=[lb.SlowStart(30.0)], clock=clock, forget_after=1.0)
    balance.update(["b"])
    clock.advance(2.0)
    balance.advance()
    before = balance.snapshot(), balance.view, balance.picker
    with pytest.raises(Failure):
        balance.update(["b", "c"])
    assert (balance.snapshot(), balance.view, balance.picker) == before


class Remembering:
    """A load that cannot forget."""

    def __init__(self):
        self.total = {}

    def started(self, row, cost, now):
        self.total[row] = self.total.get(row, 0.0) + cost

    def finished(self, row, outcome, latency, now, cost=1.0):
        pass

    def advance(self, now):
        pass

    def at(self, row):
        return self.total.get(row, 0.0)

    def reported(self, row, report, now):
        self.total[row] = report


@dataclass(frozen=True)
class Remembered:
    """The specification of one."""

    def start(self):
        return Remembering()

    def to_dict(self):
        return {"type": "Remembered"}


@pytest.mark.parametrize("adapted", [False, True])
def test_a_load_that_cannot_forget_is_never_given_the_row_of_another(balancer, adapted):
    policy = lb.LeastLoaded(load=Remembered()) if adapted else Least(Remembering())
    clock = FakeClock()
    balance = balancer(policy, ["a", "b"], clock=clock, forget_after=1.0)
    balance.acquire(exclude={"b"}).done()
    balance.update(["b"])
    clock.advance(2.0)
    balance.update(["b", "c"])
    assert balance.view.rows.tolist() == [1, 2]
    assert balance.picker.load.at(2) == 0.0


def test_a_report_reaches_a_load_behind_an_adapter(balancer):
    balance = balancer(lb.LeastLoaded(load=Remembered()), ["a", "b"])
    balance.report("b", 7.0)
    assert [balance.picker.load.at(row) for row in (0, 1)] == [0.0, 7.0]


class Meddler(Manual):
    """A signal in the midst of whose sync something happens, as a finaliser may make it happen."""

    happens = None

    def sync(self, ids, now):
        super().sync(ids, now)
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()


def test_a_lease_that_ends_amid_a_change_is_accounted_to_its_backend(balancer):
    """The signals mean the new members already, the balancer still the old ones."""
    first, meddler, ejection = Manual(), Meddler(), lb.OutlierEjection([lb.ConsecutiveErrors(2)])
    members, clock = ["a", "b", "c"], FakeClock()
    balance = balancer(lb.RoundRobin(), members, seed=0, signals=[first, meddler, ejection], clock=clock)
    one, of_b, _, two = leases = [balance.acquire() for _ in range(4)]
    assert [lease.backend.id for lease in leases] == ["a", "b", "c", "a"]
    meddler.happens = lambda: one.done(Outcome.SERVER_ERROR)
    balance.update(["x", "y", "z", "a"])
    meddler.happens = lambda: of_b.done(Outcome.SERVER_ERROR)
    balance.update(["a", "z"])
    assert [heard[:2] for heard in first.heard] == [("a", Outcome.SERVER_ERROR)]  # b has left, and its news with it
    meddler.happens = lambda: two.done(Outcome.SERVER_ERROR)
    balance.update(["z", "x", "y", "a"])
    assert dict(zip(balance.view.ids, balance.view.states.tolist(), strict=True)) == {"z": 0, "x": 0, "y": 0, "a": 2}


@pytest.mark.parametrize(
    "change",
    [
        lambda balance, state: balance.update(["p", "q"]),
        lambda balance, state: balance.restore(state),
        lambda balance, state: balance.report("a", None),
        lambda balance, state: balance.snapshot(),
    ],
)
def test_no_change_begins_amid_another(balancer, change):
    meddler = Meddler()
    balance = balancer(lb.RoundRobin(), ["a", "b", "c"], seed=0, signals=[meddler], clock=FakeClock())
    state = balance.snapshot()
    meddler.happens = lambda: change(balance, state)
    with pytest.raises(RuntimeError, match="changing"):
        balance.update(["c", "d"])
    assert balance.view.ids == ("a", "b", "c")
    balance.update(["c", "d"])
    assert (balance.view.ids, balance.view.rows.tolist()) == (("c", "d"), [2, 3])


def test_what_reads_may_run_amid_a_change(balancer):
    meddler, clock = Meddler(), FakeClock()
    signals = [meddler, lb.SlowStart(30.0)]
    balance = balancer(lb.RoundRobin(), ["a", "b"], seed=0, signals=signals, clock=clock)
    seen = []

    def happens():
        seen.append(balance.acquire().backend.id)  # dropped at once, and found by the next call
        seen.append(balance.stats().opened)
        seen.append(balance.advance())

    meddler.happens = happens
    balance.update(["b", "c"])
    assert seen == ["a", 1, None]
    gc.collect()
    assert balance.stats().outcomes[Outcome.CANCELLED] == 1
    assert balance.next_deadline == 3.0


def test_a_balancer_is_made_once(balancer):
    balance = balancer(lb.RoundRobin(), ["a", "b", "c"], seed=0)
    leases = [balance.acquire() for _ in range(3)]
    with pytest.raises(TypeError):
        balance.__init__(lb.RoundRobin(), ["a"], seed=0)
    for lease in leases:
        lease.done()
    assert balance.stats().in_flight == {"a": 0, "b": 0, "c": 0}


def test_ids_that_come_and_go_for_hours_leave_nothing_behind(balancer):
    """Five hundred incarnations, a dozen remembered at a time: as many rows, and as many records in each signal."""
    clock = FakeClock()
    signals = [lb.SlowStart(30), lb.OutlierEjection()]
    balance = balancer(lb.PowerOfTwo(), ["a"], signals=signals, clock=clock, forget_after=10.0)
    for number in range(500):
        clock.advance(1.0)
        balance.update([f"{number}", f"{number + 1}"])
        balance.acquire().done()
    assert balance.view.rows.max() < 16
    for part in balance.snapshot()["signals"]:
        assert len(part["state"]["away"]) <= 12
    assert set(balance.stats().in_flight) == {"499", "500"}
