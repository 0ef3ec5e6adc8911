"""Attempts: which outcomes are tried again, where, when, and what comes out in the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, NotAdmitted, Outcome
from lbalgo.attempts import RETRIED
from lbalgo.gates import Decision, Limits, Reason, Request, RetryBudget, Sticky
from lbalgo.testing import FakeClock
from tests.balancer.doubles import OUTCOMES, TWINS
from tests.balancer.test_gates import Doorman

GATEWAY = Outcome.GATEWAY_ERROR


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


def walk(pool, key="k"):
    return [backend.id for backend in pool.picker.walk(key)]


def run(pool, outcomes, key="k", **more):
    """Where the attempts went, each ending as told."""
    ways = []
    for lease, outcome in zip(pool.attempts(key, limit=len(outcomes), **more), outcomes, strict=False):
        ways.append(lease.backend.id)
        lease.done(outcome)
    return ways


def test_the_loop_of_three_lines(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0)
    answers = iter([503, 502, 200, 500])
    for lease in pool.attempts("k", limit=4):
        with lease:
            lease.status(next(answers))
    assert lease.outcome is Outcome.SUCCESS
    assert lease.backend.id == walk(pool)[2]
    assert next(answers) == 500, "a success ends it"
    assert pool.stats().open_leases == 0


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_which_outcomes_are_tried_again(balancer, outcome):
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0)
    ways = run(pool, [outcome] * 3)
    assert ways == walk(pool)[: 3 if outcome in RETRIED else 1]
    assert run(pool, [outcome] * 3, on=[outcome]) == walk(pool)
    assert run(pool, [outcome] * 3, on=()) == walk(pool)[:1]


def test_an_exception_is_kept_back_while_there_is_another_attempt(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0)
    seen = []
    with pytest.raises(TimeoutError, match="third"):
        for lease, name in zip(pool.attempts("k"), ["first", "second", "third"], strict=True):
            seen.append(lease.backend.id)
            with lease:
                raise TimeoutError(name)
    assert seen == walk(pool)
    assert pool.stats().outcomes[Outcome.TIMEOUT] == 3 and pool.stats().open_leases == 0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_verdict_on_the_backend_comes_out_at_once(balancer, error):
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0)
    with pytest.raises(error):
        for lease in pool.attempts("k", on=OUTCOMES if error is not ValueError else RETRIED):
            with lease:
                raise error
    assert pool.stats().opened == 1


def test_an_error_after_an_answer_is_retried_by_the_answer(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    ways = []
    for lease in pool.attempts("k"):
        ways.append(lease.backend.id)
        with lease:
            lease.status(503 if len(ways) == 1 else 200)
            if len(ways) == 1:
                raise RuntimeError("503")
    assert ways == walk(pool) and lease.outcome is Outcome.SUCCESS


def test_the_kept_error_comes_out_when_the_next_attempt_is_refused(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    budget = RetryBudget(ratio=0.0, min_per_second=0.0)
    with pytest.raises(ConnectionError) as failed:
        for lease in pool.attempts("k", budget=budget):
            with lease:
                raise ConnectionError
    assert isinstance(failed.value.__cause__, NotAdmitted)
    assert failed.value.__cause__.decision.reason is Reason.RETRY_BUDGET
    assert pool.stats().not_admitted == {Reason.RETRY_BUDGET: 1}


def test_the_last_answer_stands_when_the_next_attempt_is_refused(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    assert run(pool, [GATEWAY] * 3, budget=RetryBudget(ratio=0.0, min_per_second=0.0)) == walk(pool)[:1]


def test_an_older_error_does_not_come_out_for_a_newer_answer(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0, gates=[gate := Doorman()])
    answers = []
    for lease in pool.attempts("k"):
        with lease:
            if not answers:
                answers.append("none")
                raise ConnectionError
            answers.append(503)
            lease.status(503)
            gate.answer = Decision(Reason.SHED)  # of the third attempt
    assert answers == ["none", 503] and lease.outcome is GATEWAY


def test_a_first_attempt_that_is_refused_raises(balancer):
    pool = balancer(lb.Maglev(251), ["a"], seed=0, gates=[Limits(pool=0)])
    with pytest.raises(NotAdmitted, match="pool limit"):
        next(pool.attempts("k"))
    pool.update([])
    with pytest.raises(NoBackend):
        next(balancer(lb.Maglev(251), [], seed=0).attempts("k"))


def test_goes_down_the_walk_then_back_but_not_to_the_last(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0)
    one, two, three = walk(pool)
    assert run(pool, [GATEWAY] * 7) == [one, two, three, one, two, one, two]
    assert run(pool, [GATEWAY] * 3, exclude={two}) == [one, three, one]
    alone = balancer(lb.Maglev(251), ["a"], seed=0)
    assert run(alone, [GATEWAY] * 3) == ["a"] * 3


def test_retry_after_spares_a_backend(balancer):
    clock = FakeClock()
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0, clock=clock)
    one, two = walk(pool)
    ways = []
    for lease in pool.attempts("k", limit=5):
        ways.append((lease.backend.id, lease.delay))
        if len(ways) == 1:
            lease.done(GATEWAY, retry_after=10.0)
            clock.advance(2.0)
        else:
            lease.done(GATEWAY)
            if len(ways) == 3:
                clock.advance(8.0)
    # one is spared until 10; two is the last, but better than one; at 10 one is free again
    assert ways == [(one, 0.0), (two, 0.0), (two, 0.0), (one, 0.0), (two, 0.0)]


def test_when_all_are_to_be_spared_the_lease_says_how_long_to_wait(balancer):
    clock = FakeClock()
    pool = balancer(lb.Maglev(251), ["a"], seed=0, clock=clock)
    course = pool.attempts("k")
    next(course).done(Outcome.OVERLOADED, retry_after=3.0)
    clock.advance(1.0)
    again = next(course)
    assert (again.backend.id, again.delay) == ("a", 2.0)
    again.done(Outcome.OVERLOADED, retry_after=0.5)  # a shorter wish does not take the longer one back
    assert next(course).delay == 2.0


def test_the_gates_hear_which_attempt_it_is(balancer):
    gate = Doorman()
    pool = balancer(lb.Maglev(251), ["a", "b", "c"], seed=0, gates=[gate], clock=FakeClock())
    run(pool, [Outcome.TIMEOUT, GATEWAY, Outcome.SUCCESS], request=Request(bits=5, attempt=1))
    asked = [heard[2] for heard in gate.heard if heard[0] == "admit"]
    assert asked == [
        Request(bits=5, attempt=1),
        Request(bits=5, attempt=2, after_timeout=True),
        Request(bits=5, attempt=3),
    ]
    gate.heard.clear()
    run(pool, [GATEWAY] * 3)
    bits = [heard[2].bits for heard in gate.heard if heard[0] == "admit"]
    assert len(set(bits)) == 1 and bits[0], "retries keep the bits of the request"


def test_the_budget_is_one_more_gate(balancer):
    budget, gate = Doorman(), Doorman()
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0, gates=[gate], clock=FakeClock())
    run(pool, [GATEWAY, Outcome.SUCCESS], budget=budget)
    assert budget.heard == gate.heard and budget.words() == ["admit", "started", "finished"] * 2


def test_retries_cost_no_more_than_their_budget(balancer):
    """All fails, each is tried up to four times: 1.2 requests sent for each that came, plus 10 a second."""
    clock, budget = FakeClock(), RetryBudget()
    pool = balancer(lb.RoundRobin(), ["a", "b", "c", "d"], seed=0, clock=clock)
    for _ in range(5000):
        for lease in pool.attempts(limit=4, budget=budget):
            lease.done(GATEWAY)
        clock.advance(0.002)
    assert 1.2 * 5000 - 1 <= pool.stats().opened <= 1.2 * 5000 + 10 * 20


def test_sessions_follow_their_attempts(balancer):
    clock = FakeClock(1_700_000_000.0)
    pool = balancer(lb.RoundRobin(), ["a", "b", "c"], gates=[Sticky((b"0" * 16,))], seed=0, clock=clock)
    first = pool.acquire()
    ways = []
    for lease in pool.attempts(session=first.choice.cookie):
        ways.append((lease.backend.id, lease.choice.why.value))
        lease.done(GATEWAY)
    assert ways[0] == (first.backend.id, "hit")
    assert [why for _, why in ways[1:]] == ["excluded"] * 2
    assert len({id for id, _ in ways}) == 3


def test_a_lease_that_is_not_ended_is_ended_by_the_next_turn(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    leases = []
    for lease in pool.attempts("k"):
        leases.append(lease)
        lease.status(503 if len(leases) == 1 else 200)
    assert [lease.outcome for lease in leases] == [GATEWAY, Outcome.SUCCESS]
    assert pool.stats().open_leases == 0


def test_leaving_the_loop_leaves_nothing_open(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    for lease in pool.attempts("k"):
        with lease:
            break
    assert pool.stats().open_leases == 0 and lease.outcome is Outcome.SUCCESS


def test_membership_may_change_between_attempts(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    course = pool.attempts("k", limit=5)
    next(course).done(GATEWAY)
    pool.update(["c"])
    lease = next(course)
    assert lease.backend.id == "c"
    lease.done(GATEWAY)
    pool.update([])
    with pytest.raises(StopIteration):
        next(course)


def test_an_ended_course_stays_ended(balancer):
    pool = balancer(lb.Maglev(251), ["a", "b"], seed=0)
    course = pool.attempts("k", limit=1)
    next(course).done(GATEWAY)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(course)
    assert pool.stats().opened == 1


@given(
    outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=8),
    members=st.integers(1, 4),
    limit=st.integers(1, 6),
    excluded=st.sets(st.sampled_from("abcd")),
    pauses=st.lists(st.one_of(st.none(), st.sampled_from([1.0, 5.0])), min_size=8, max_size=8),
)
def test_twins_agree_with_the_rule(outcomes, members, limit, excluded, pauses):
    """The rule said plainly: not tried and not spared; else tried but not last; else not spared; else not last."""
    ids = list("abcd")[:members]
    made = []
    for twin in TWINS:
        clock = FakeClock()
        pool = twin(lb.Maglev(251), ids, seed=0, clock=clock)
        order = [id for id in walk(pool) if id not in excluded]
        trace, tried, spared, ended = [], [], {}, None
        course = pool.attempts("k", limit=limit, exclude=excluded)
        for turn in range(limit + 2):
            now = clock()
            try:
                lease = next(course)
            except StopIteration:
                assert tried and (len(tried) == limit or ended not in RETRIED)
                break
            except NoBackend as refusal:
                assert not order and refusal.reason == "excluded"
                break
            assert not tried or ended in RETRIED
            resting = {id for id, until in spared.items() if until > now}
            if not tried:
                expected = order[0]
            else:
                groups = [
                    [id for id in order if id not in tried and id not in resting],
                    [id for id in order if id not in resting and id != tried[-1]],
                    [id for id in order if id not in resting],
                    [id for id in order if id != tried[-1]],
                    order,
                ]
                expected = next(group[0] for group in groups if group)
            assert lease.backend.id == expected
            assert lease.delay == max(0.0, spared.get(expected, now) - now)
            tried.append(expected)
            ended, pause = outcomes[turn % len(outcomes)], pauses[turn % 8]
            lease.done(ended, retry_after=pause)
            if pause is not None:
                spared[expected] = max(spared.get(expected, 0.0), now + pause)
            trace.append((expected, lease.delay))
            clock.advance(2.0)
        made.append(trace)
        stats = pool.stats()
        assert stats.opened == stats.closed == len(tried)
    assert made[0] == made[1]


def test_bad_input(balancer):
    pool = balancer(lb.Maglev(251), ["a"], seed=0, gates=[gate := Doorman()])
    rows = [
        *(("limit", {"limit": x}) for x in (0, -1, 1.5, True, "3", None)),
        *(("budget", {"budget": x}) for x in (7, RetryBudget, "x", 0.2, gate)),
        *(("on", {"on": x}) for x in ("GATEWAY_ERROR", [7], 7, Outcome.TIMEOUT, None, ["TIMEOUT"])),
        ("exclude", {"exclude": "a"}),
        *(("cost", {"cost": x}) for x in (-1.0, float("nan"), "1")),
        ("session", {"session": "x"}),
        *(("request", {"request": x}) for x in (None, 7, Request("a"))),
    ]
    for parameter, more in rows:
        with pytest.raises(ConfigError) as refused:
            pool.attempts("k", **more)
        assert refused.value.parameter == parameter
    assert gate.heard == [] and pool.stats().opened == 0
