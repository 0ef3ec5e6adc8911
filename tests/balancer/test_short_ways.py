"""However a request is begun and ended, by position or by name, by our own pickers or any: it is the same request."""

import pytest

import lbalgo as lb
from lbalgo import ConfigError, NoBackend, Outcome
from tests.balancer.doubles import TWINS

OUTCOMES = [None, *Outcome]


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


def counted(balancer):
    stats = balancer.stats()
    return stats.opened, stats.closed, dict(stats.outcomes), dict(stats.in_flight), dict(stats.no_backend)


@pytest.mark.parametrize(
    "policy", [lb.Maglev(251), lb.PowerOfTwo(), lb.WeightedRoundRobin()], ids=lambda p: type(p).__name__
)
@pytest.mark.parametrize("key", [None, "user", b"user", 7])
def test_a_key_by_name_is_a_key_by_position(balancer, policy, key):
    one, other = (balancer(policy, {"a": 1.0, "b": 2.5, "c": 3.0}, seed=5) for _ in range(2))
    for _ in range(20):
        assert one.acquire(key).backend == other.acquire(key=key, exclude=()).backend
    assert counted(one) == counted(other)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_by_name_is_an_outcome_by_position(balancer, outcome):
    one, other = (balancer(lb.Maglev(251), ["a", "b"], signals=[lb.OutlierEjection()], seed=5) for _ in range(2))
    lease, twin = one.acquire("k"), other.acquire("k")
    assert lease.done(outcome) is None and twin.done(outcome=outcome, latency=None) is None
    assert lease.outcome is twin.outcome is (outcome or Outcome.SUCCESS)
    lease.done(Outcome.TIMEOUT)
    assert counted(one) == counted(other)


def test_too_many_arguments_and_names_that_are_none(balancer):
    desk = balancer(lb.Maglev(251), ["a"], seed=1)
    with pytest.raises(TypeError):
        desk.acquire("k", ())
    with pytest.raises(TypeError):
        desk.acquire(nothing=1)
    lease = desk.acquire("k")
    with pytest.raises(TypeError):
        lease.done(Outcome.SUCCESS, 0.1)
    with pytest.raises(TypeError):
        lease.done(nothing=1)
    with pytest.raises(TypeError):
        lease.__exit__()
    with pytest.raises(TypeError):
        lease.__exit__(None, None)
    with pytest.raises(ConfigError, match="outcome"):
        lease.done("success")
    assert desk.stats().open_leases == 1
    assert lease.__exit__(kind=None, error=None, trace=None) is False
    assert desk.stats().open_leases == 0


class Hasher:
    """A hash of one's own, which does something first, once."""

    happens = None

    def __call__(self, key):
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return len(key)


def test_a_pool_that_changes_amid_a_pick_is_picked_from_again(balancer):
    hasher = Hasher()
    desk = balancer(lb.Maglev(251, hasher=hasher), ["a", "b"], seed=1)
    hasher.happens = lambda: desk.update(["c"])
    lease = desk.acquire("k")
    assert lease.backend.id == "c"
    assert desk.stats().in_flight["c"] == 1


def test_what_refuses_amid_a_pick_is_counted_and_what_fails_is_not(balancer):
    def refuse():
        raise NoBackend("overloaded")

    hasher = Hasher()
    desk = balancer(lb.Maglev(251, hasher=hasher), ["a", "b"], seed=1)
    hasher.happens = refuse
    with pytest.raises(NoBackend):
        desk.acquire("k")
    hasher.happens = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        desk.acquire("k")
    with pytest.raises(TypeError):
        desk.acquire(1.5)
    stats = desk.stats()
    assert (stats.opened, stats.no_backend) == (0, {"overloaded": 1})


@pytest.mark.parametrize("machines", [1, 2, 3])
def test_every_machine_notes_every_end_and_those_judge_that_have_seen_enough(balancer, machines):
    signals = [lb.OutlierEjection(detectors=(lb.ConsecutiveErrors(3 + k),)) for k in range(machines)]
    desk = balancer(lb.Maglev(251), ["a"], signals=signals, seed=1)
    for outcome in (Outcome.SERVER_ERROR, Outcome.SUCCESS, Outcome.CANCELLED, Outcome.SERVER_ERROR, Outcome.TIMEOUT):
        desk.acquire("k").done(outcome)
    assert [signal.evidence.rows() for signal in signals] == [[(2, 1, 1, 4)]] * machines
    assert desk.stats().ejections == {}
    desk.acquire("k").done(Outcome.SERVER_ERROR)
    assert sum(desk.stats().ejections.values()) == 1
