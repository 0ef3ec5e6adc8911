"""Gates in front of a balancer: who is asked, who is told, in which order, and what it costs nobody."""

import gc
import json
from dataclasses import replace

import pytest

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, NotAdmitted, Outcome, UnknownBackend
from lbalgo.gates import (
    ADMIT,
    FIRST,
    AdaptiveThrottle,
    Decision,
    FlowTable,
    Hedging,
    Limits,
    Queue,
    Reason,
    Request,
    RetryBudget,
    Sticky,
    Why,
)
from lbalgo.gates.queueing import Order
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Diary, Least

SECRET = (b"0123456789abcdef",)


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


class Doorman:
    """A gate that writes down what it hears, and says no when told to."""

    def __init__(self, answer=ADMIT, full=None, trap=None):
        self.answer, self.heard, self.trap = answer, [], trap
        if full is not None:
            self.full = lambda: full

    def admit(self, now, request):
        self.heard.append(("admit", now, request))
        return self.answer

    def started(self, now, request):
        if self.trap == "started":
            raise ArithmeticError
        self.heard.append(("started", now, request))

    def refused(self, now, request):
        self.heard.append(("refused", now, request))

    def finished(self, now, request, outcome, latency):
        if self.trap == "finished":
            raise ArithmeticError
        self.heard.append(("finished", now, request, outcome, latency))

    def words(self):
        return [heard[0] for heard in self.heard]


class Usher:
    """An affinity gate without sessions that sends everybody where it was told to."""

    def __init__(self, backend=None, error=None):
        self.backend, self.error, self.asked = backend, error, []

    def pick(self, picker, key, *, now, exclude):
        self.asked.append((key, now, exclude))
        if self.error is not None:
            raise self.error
        return picker.backends[0] if self.backend is None else self.backend


def counts(lb):
    stats = lb.stats()
    assert stats.opened == stats.closed + stats.open_leases
    return stats.opened, stats.open_leases, dict(stats.no_backend), dict(stats.not_admitted)


def test_all_are_asked_then_told_with_the_backend_then_told_the_end(balancer):
    one, other, clock = Doorman(), Doorman(), FakeClock(5.0)
    pool = balancer(lb.RoundRobin(), ["a"], gates=[one, other], clock=clock, seed=0)
    lease = pool.acquire()
    clock.advance(2.0)
    lease.done(Outcome.SERVER_ERROR)
    asked = lease.request
    there = replace(asked, backend="a")
    assert replace(asked, bits=0) == FIRST and asked.bits
    assert one.heard == other.heard
    assert one.heard == [
        ("admit", 5.0, asked),
        ("started", 5.0, there),
        ("finished", 7.0, there, Outcome.SERVER_ERROR, 2.0),
    ]
    lease.done()
    assert len(one.heard) == 3, "once"


def test_a_request_is_handed_on_with_all_it_says(balancer):
    gate = Doorman()
    pool = balancer(lb.RoundRobin(), ["a"], gates=[gate], seed=0, clock=FakeClock())
    pool.acquire(request=Request(attempt=2, hedge=True, bits=9)).done()
    assert [heard[2] for heard in gate.heard] == [
        Request(attempt=2, hedge=True, bits=9),
        *[Request("a", attempt=2, hedge=True, bits=9)] * 2,
    ]


def test_requests_are_given_bits_of_their_own(balancer):
    def coins(seed):
        gate = Doorman()
        pool = balancer(lb.PowerOfTwo(), ["a", "b", "c"], gates=[gate], seed=seed, clock=FakeClock())
        for _ in range(400):
            pool.acquire().done()
        return [heard[2].coin for heard in gate.heard if heard[0] == "admit"]

    first, again, other = coins(1), coins(1), coins(2)
    assert first == again and len(set(first + other)) == 800
    below = sum(coin < 0.25 for coin in first)
    assert 65 <= below <= 137  # binomial(400, 1/4): alpha 3e-5, both sides


def test_no_pick_and_no_coin_are_of_the_same_bits(balancer):
    """Of 2000 requests, those with a coin below 1/2 go to the first of two backends as often as to the second."""
    gate = Doorman()
    pool = balancer(lb.Random(), ["a", "b"], gates=[gate], seed=3, clock=FakeClock())
    for _ in range(2000):
        pool.acquire().done()
    started = [heard[2] for heard in gate.heard if heard[0] == "started"]
    alike = sum((request.coin < 0.5) == (request.backend == "a") for request in started)
    assert 910 <= alike <= 1090  # binomial(2000, 1/2): alpha 6e-5, both sides


def test_the_first_refusal_ends_it_and_all_are_told(balancer):
    no = Decision(Reason.SHED, retry_after=3.0)
    gates = [Doorman(), Doorman(no), Doorman(Decision(Reason.THROTTLED))]
    pool = balancer(lb.RoundRobin(), ["a"], gates=gates, seed=0)
    with pytest.raises(NotAdmitted, match="shed") as refused:
        pool.acquire()
    assert refused.value.decision == no and refused.value.reason == "overloaded"
    assert refused.value.request == gates[0].heard[0][2]
    assert [gate.words() for gate in gates] == [["admit", "refused"], ["admit", "refused"], ["refused"]]
    assert counts(pool) == (0, 0, {"overloaded": 1}, {Reason.SHED: 1})
    gates[1].answer = gates[2].answer = ADMIT
    assert pool.acquire().backend.id == "a"


def test_nobody_to_go_to_is_a_refusal_that_all_are_told(balancer):
    gate = Doorman()
    pool = balancer(lb.RoundRobin(), ["a"], gates=[gate], seed=0)
    with pytest.raises(NoBackend, match="excluded") as refused:
        pool.acquire(exclude={"a"})
    assert type(refused.value) is NoBackend
    pool.update([])
    with pytest.raises(NoBackend, match="no backends"):
        pool.acquire()
    assert gate.words() == ["admit", "refused"] * 2
    assert counts(pool) == (0, 0, {"excluded": 1, "empty": 1}, {})


def test_full_backends_are_passed_over_and_it_is_said_when_all_are(balancer):
    limits = Limits(None, per_backend=1)
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], gates=[limits], seed=0)
    leases = [pool.acquire("k") for _ in range(3)]
    assert [lease.backend.id for lease in leases] == [backend.id for backend in pool.picker.walk("k")]
    with pytest.raises(NotAdmitted, match="backend limit") as refused:
        pool.acquire("k")
    assert refused.value.decision.reason is Reason.BACKEND_LIMIT
    leases[1].done()
    with pytest.raises(NotAdmitted):
        pool.acquire("k", exclude={leases[1].backend.id})
    with pytest.raises(NoBackend) as gone:
        pool.acquire("k", exclude={"a", "b", "c"})
    assert type(gone.value) is NoBackend and gone.value.reason == "excluded", "limits were not what stood in the way"
    assert pool.acquire("k").backend.id == leases[1].backend.id
    assert limits.in_flight == 3
    assert counts(pool)[2:] == ({"overloaded": 2, "excluded": 1}, {Reason.BACKEND_LIMIT: 2})
    assert pool.stats().excluded_fallbacks == 0, "passed over, not excluded"


def test_full_of_several_gates_is_put_together(balancer):
    gates = [Doorman(full=frozenset("a")), Doorman(full={"b"}), Doorman()]
    pool = balancer(lb.RoundRobin(), ["a", "b", "c", "d"], gates=gates, seed=0)
    assert {pool.acquire().backend.id for _ in range(8)} == {"c", "d"}
    assert pool.acquire(exclude=["c"]).backend.id == "d"


def test_limits_count_leases_to_their_end(balancer):
    limits, clock = Limits(pool=2), FakeClock()
    pool = balancer(lb.RoundRobin(), ["a", "b"], gates=[limits], seed=0, clock=clock)
    first, second = pool.acquire(), pool.acquire()
    with pytest.raises(NotAdmitted, match="pool limit"):
        pool.acquire()
    first.done()
    del second  # dropped without a word: swept at the next
    gc.collect()
    assert pool.acquire() is not None
    gc.collect()
    with pool.acquire():
        assert limits.in_flight == 1
    assert limits.in_flight == 0
    assert pool.stats().outcomes[Outcome.CANCELLED] == 2


def test_who_waited_in_the_queue_gets_the_place(balancer):
    limits = Limits(pool=1, queue=Queue(5, Order.FIFO, target=None))
    pool = balancer(lb.RoundRobin(), ["a"], gates=[limits], seed=0, clock=FakeClock())
    lease = pool.acquire()
    with pytest.raises(NotAdmitted) as refused:
        pool.acquire()
    waiting = refused.value.request
    assert refused.value.decision.may_wait and limits.wait(0.0, waiting)
    lease.done()
    assert limits.released(0.0) == ([waiting], [])
    with pytest.raises(NotAdmitted):
        pool.acquire()
    assert pool.acquire(request=waiting).backend.id == "a"


@pytest.mark.parametrize("traps", [("started", None), (None, "started")])
def test_a_gate_that_fails_leaves_no_lease_and_no_count(balancer, traps):
    gates, load = [Doorman(trap=trap) for trap in traps], Diary()
    pool = balancer(Least(load), ["a"], gates=gates, seed=0, clock=FakeClock())
    with pytest.raises(ArithmeticError):
        pool.acquire()
    assert load.calls == [] and counts(pool) == (0, 0, {}, {})
    told = [gate.words() for gate in gates]
    assert told == (
        [["admit", "refused"]] * 2 if traps[0] else [["admit", "started", "finished"], ["admit", "refused"]]
    )
    for gate in gates:
        gate.trap = None
    pool.acquire().done()
    assert counts(pool)[:2] == (1, 0)


def test_a_load_that_fails_at_the_start_cancels_the_visit(balancer):
    class Broken(Diary):
        def started(self, row, cost, now):
            raise ArithmeticError

    gate = Doorman()
    pool = balancer(Least(Broken()), ["a"], gates=[gate], seed=0, clock=FakeClock())
    with pytest.raises(ArithmeticError):
        pool.acquire()
    assert gate.words() == ["admit", "started", "finished"]
    assert gate.heard[-1][3] is Outcome.CANCELLED
    assert counts(pool) == (0, 0, {}, {})


def test_a_gate_that_fails_at_the_end_keeps_nothing_from_the_others(balancer):
    gates, load = [Doorman(trap="finished"), Doorman()], Diary()
    pool = balancer(Least(load), ["a"], gates=gates, seed=0, clock=FakeClock())
    lease = pool.acquire()
    with pytest.raises(ArithmeticError):
        lease.done(Outcome.TIMEOUT)
    assert gates[1].words() == ["admit", "started", "finished"]
    assert [call[0] for call in load.calls] == ["started", "finished"]
    assert pool.stats().outcomes[Outcome.TIMEOUT] == 1 and counts(pool)[:2] == (1, 0)


def test_an_affinity_gate_chooses(balancer):
    usher, gate, clock = Usher(), Doorman(full={"b"}), FakeClock(3.0)
    pool = balancer(lb.Maglev(251), ["a", "b"], gates=[gate, usher], seed=0, clock=clock)
    assert [pool.acquire(key).backend.id for key in "xyz"] == ["a"] * 3
    assert [(key, now) for key, now, _ in usher.asked] == [("x", 3.0), ("y", 3.0), ("z", 3.0)]
    assert all("b" in exclude and "a" not in exclude for *_, exclude in usher.asked)
    usher.error = NoBackend("ineligible")
    with pytest.raises(NoBackend, match="eligible"):
        pool.acquire("x")
    assert gate.words()[-2:] == ["admit", "refused"]


def test_an_affinity_gate_that_chooses_a_stranger_is_named(balancer):
    gate = Doorman()
    pool = balancer(lb.Maglev(251), ["a"], gates=[Usher(lb.Endpoint("z")), gate], seed=0)
    with pytest.raises(UnknownBackend, match="'z'"):
        pool.acquire("x")
    assert counts(pool) == (0, 0, {}, {})
    assert gate.words() == ["admit", "refused"]


def test_flows_stay_through_a_rebuild(balancer):
    table = FlowTable(1000, idle=60.0)
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], gates=[table], seed=0, clock=FakeClock())
    keys = [f"flow {k}" for k in range(200)]

    def where():
        homes = {}
        for key in keys:
            with pool.acquire(key) as lease:
                homes[key] = lease.backend.id
        return homes

    before = where()
    pool.update(["a", "b", "c", "d"])
    assert where() == before
    assert any(pool.picker.pick(key).id != before[key] for key in keys), "the table alone would have moved some"


def test_sessions_of_sticky(balancer):
    clock = FakeClock(1_700_000_000.0)
    pool = balancer(lb.RoundRobin(), ["a", "b", "c"], gates=[Sticky(SECRET)], seed=0, clock=clock)
    first = pool.acquire(request=Request(bits=77))
    assert first.choice.why is Why.NEW and first.choice.backend is first.backend
    for _ in range(4):
        again = pool.acquire(session=first.choice.cookie)
        assert again.choice.why is Why.HIT and again.backend is first.backend
        assert again.choice.cookie is None
        again.done()
    away = pool.acquire(session=first.choice.cookie, exclude={first.backend.id})
    assert away.choice.why is Why.EXCLUDED and away.backend is not first.backend
    assert pool.acquire(session="forged").choice.why is Why.INVALID
    assert first.delay == 0.0


def test_spill_is_bounded_by_what_is_in_flight(balancer):
    clock = FakeClock(1_700_000_000.0)
    pool = balancer(lb.RoundRobin(), ["a", "b"], gates=[Sticky(SECRET, spill=1.5)], seed=0, clock=clock)
    first = pool.acquire()  # held: it is in flight
    cookie = first.choice.cookie
    whys = [pool.acquire(session=cookie) for _ in range(6)]
    # home has 1; ceil(1.5 * (total + 1) / 2) is 2, 3, 3, 4, 5, 6 for totals 1 to 6
    room, at_home, expected = [2, 3, 3, 4, 5, 6], 1, []
    for most in room:
        expected.append(Why.HIT if at_home < most else Why.OVERLOADED)
        at_home += expected[-1] is Why.HIT
    assert [lease.choice.why for lease in whys] == expected
    assert Why.OVERLOADED in expected


def test_gates_and_signals_hear_the_same(balancer):
    """Dropped leases, blocks left by exceptions, explicit latencies."""
    gate, clock = Doorman(), FakeClock()
    pool = balancer(
        lb.RoundRobin(),
        ["a"],
        gates=[gate],
        seed=0,
        clock=clock,
        signals=[lb.OutlierEjection([lb.ConsecutiveErrors(2)])],
    )
    pool.acquire().done(latency=7.0)
    with pytest.raises(TimeoutError), pool.acquire():
        clock.advance(1.0)
        raise TimeoutError
    pool.acquire()
    gc.collect()
    pool.stats()
    ends = [heard[3:] for heard in gate.heard if heard[0] == "finished"]
    assert ends == [(Outcome.SUCCESS, 7.0), (Outcome.TIMEOUT, 1.0), (Outcome.CANCELLED, None)]
    for _ in range(2):
        pool.acquire().done(Outcome.SERVER_ERROR)
    assert pool.view.states.tolist() == [2]


def test_snapshots_hold_what_gates_know(balancer):
    def make():
        gates = [RetryBudget(), AdaptiveThrottle(), Hedging(min_samples=1), Sticky(SECRET)]
        return gates, balancer(lb.RoundRobin(), ["a", "b"], gates=gates, seed=0, clock=FakeClock(1_700_000_000.0))

    gates, pool = make()
    for k in range(20):
        pool.acquire(request=Request(bits=2**64 - 1)).done(
            Outcome.OVERLOADED if k % 4 else Outcome.SUCCESS, latency=k / 10
        )
    state = json.loads(json.dumps(pool.snapshot()))
    others, other = make()
    other.restore(state)
    assert other.snapshot() == pool.snapshot()
    now = 1_700_000_000.0
    assert others[1].probability(now) == gates[1].probability(now) > 0
    assert others[2].delay(now) == gates[2].delay(now)


def test_a_snapshot_that_does_not_fit_changes_nothing(balancer):
    def make():
        gates = [AdaptiveThrottle(), RetryBudget()]
        signals = [lb.SlowStart(40)]
        return balancer(lb.RoundRobin(), ["a", "b"], gates=gates, signals=signals, seed=0, clock=FakeClock(9.0))

    pool, other = make(), make()
    for _ in range(5):
        other.acquire(request=Request(bits=2**64 - 1)).done(Outcome.OVERLOADED)
    good, before = other.snapshot(), pool.snapshot()
    first, second = good["gates"]
    bad = [
        {k: v for k, v in good.items() if k != "gates"},
        *({**good, "gates": gates} for gates in (None, [], [first], [second, first], [first, second, second], "ab")),
        {**good, "gates": [first, {**second, "more": 1}]},
        {**good, "gates": [first, {**second, "state": None}]},
        {**good, "gates": [first, {**second, "state": {}}]},
        {**good, "signals": []},
        {**good, "signals": [{**good["signals"][0], "state": {"x": 1}}]},
    ]
    for state in bad:
        with pytest.raises(ConfigError):
            pool.restore(state)
        assert pool.snapshot() == before
    pool.restore(good)
    assert pool.snapshot() == good


def test_a_gate_that_remembers_nothing_has_no_state(balancer):
    pool = balancer(lb.RoundRobin(), ["a"], gates=[Doorman(), Usher()], seed=0, clock=FakeClock())
    state = pool.snapshot()
    assert state["gates"] == [{"type": "Doorman", "state": None}, {"type": "Usher", "state": None}]
    pool.restore(state)
    state["gates"][1]["state"] = {"x": 1}
    with pytest.raises(ConfigError, match="remembers nothing"):
        pool.restore(state)


def test_bad_gates_are_named(balancer):
    gate = Doorman()
    rows = [
        ("gates", 7),
        ("gates", "ab"),
        ("gates", gate),
        ("gates[0]", [7]),
        ("gates[0]", [Doorman]),
        ("gates[0]", [None]),
        ("gates[0]", [lb.Maglev(7).build(["a"])]),
        ("gates[1]", [gate, gate]),
        ("gates[1]", [FlowTable(8), Usher()]),
    ]
    for parameter, gates in rows:
        with pytest.raises(ConfigError) as refused:
            balancer(lb.RoundRobin(), ["a"], gates=gates, clock=FakeClock())
        assert refused.value.parameter == parameter
    with pytest.raises(ConfigError) as refused:
        balancer(lb.RoundRobin(), ["a"], gates=[Sticky(SECRET)])
    assert refused.value.parameter == "clock", "sessions count from the epoch"
    pool = balancer(lb.RoundRobin(), ["a"], gates=[gate], seed=0)
    for parameter, more in (
        ("session", {"session": "x"}),
        ("request", {"request": 7}),
        ("request", {"request": None}),
        ("request", {"request": Request("a")}),
    ):
        with pytest.raises(ConfigError) as refused:
            pool.acquire(**more)
        assert refused.value.parameter == parameter
    with pytest.raises(ConfigError, match="exclude"):
        pool.acquire(exclude="a")
    assert counts(pool) == (0, 0, {}, {})
    assert gate.words().count("admit") == gate.words().count("refused")


def test_a_bare_balancer_takes_requests_and_ignores_them(balancer):
    pool = balancer(lb.RoundRobin(), ["a"], seed=0)
    lease = pool.acquire(request=Request(attempt=1))
    assert (lease.choice, lease.delay, lease.outcome, lease.retry_after, lease.request) == (None, 0.0, *[None] * 3)
    lease.done(Outcome.OVERLOADED, retry_after=2.0)
    assert (lease.outcome, lease.retry_after) == (Outcome.OVERLOADED, 2.0)
    lease.done(Outcome.SUCCESS, retry_after=3.0)
    assert (lease.outcome, lease.retry_after) == (Outcome.OVERLOADED, 2.0)


def test_gates_are_in_the_repr(balancer):
    assert "gates=[Limits(" in repr(balancer(lb.RoundRobin(), ["a"], gates=[Limits()]))
    assert "gates" not in repr(balancer(lb.RoundRobin(), ["a"]))
