"""Who is chosen, and what is written down of it: keys and exclusion, every kind of picker, those of one's own."""

import threading

import pytest

import lbalgo
import lbalgo.reference.balancer as plain
from lbalgo import UnknownBackend
from lbalgo.active import Balancer
from lbalgo.testing import FakeClock
from tests.balancer.doubles import TWINS, Diary, Least

POLICIES = [
    lbalgo.RoundRobin(), lbalgo.Random(), lbalgo.Maglev(251), lbalgo.LeastConnections(), lbalgo.PowerOfTwo(), Least(),
]  # fmt: skip


@pytest.fixture(params=TWINS, ids=["active", "plain"])
def balancer(request):
    return request.param


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_nobody_excluded_is_chosen(balancer, policy):
    lb = balancer(policy, ["a", "b", "c", "d"], seed=3)
    held = [lb.acquire("k", exclude={"a", "b", "d"}) for _ in range(5)]
    assert {lease.backend.id for lease in held} == {"c"}
    assert lb.stats().in_flight == {"a": 0, "b": 0, "c": 5, "d": 0}


def test_a_retry_goes_to_the_keys_next_owner(balancer):
    """And is counted as such, if the first choice for this very key was excluded."""
    lb = balancer(lbalgo.Maglev(251), ["a", "b", "c", "d"], seed=3)
    for key in range(40):
        first, second, third, _ = (backend.id for backend in lb.picker.walk(key))
        assert lb.acquire(key, exclude={second, third}).backend.id == first
        assert lb.stats().excluded_fallbacks == 2 * key
        assert lb.acquire(key, exclude={first}).backend.id == second
        assert lb.acquire(key, exclude={first, second}).backend.id == third


class Bare:
    """No more than the protocol of a picker: the last backend, whatever happens."""

    def __init__(self, backends):
        self.backends = backends

    def pick(self, key=None, *, exclude=()):
        return [backend for backend in self.backends if backend.id not in exclude][-1]

    def walk(self, key=None):
        return reversed(self.backends)


class Last:
    def build(self, view, *, previous=None):
        return Bare(view.backends)


def test_a_picker_needs_no_more_than_the_protocol(balancer):
    lb = balancer(Last(), ["a", "b"], seed=0)
    lb.update(["a", "b", "c"])
    assert [lb.acquire().backend.id, lb.acquire(exclude={"c"}).backend.id] == ["c", "b"]
    assert lb.stats().excluded_fallbacks == 1


def test_a_policy_may_give_its_picker_back(balancer):
    """The view is the new one all the same, and the books are kept for its members."""

    class Keeping:
        def build(self, view, *, previous=None):
            return previous or Bare(view.backends)

    lb = balancer(Keeping(), ["a"], seed=0)
    picker = lb.picker
    lb.update({"a": 1.0, "b": 2.0})
    assert lb.picker is picker
    assert (lb.view.ids, lb.view.weights.tolist()) == (("a", "b"), [1.0, 2.0])
    lease = lb.acquire()
    assert lease.backend.id == "a"
    assert lb.stats().in_flight == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    "base", [lbalgo.RoundRobin(), lbalgo.LeastConnections(), Least()], ids=["ticket", "load", "own"]
)
def test_a_picker_of_strangers_is_refused_by_name(balancer, base):
    class Elsewhere:
        def build(self, view, *, previous=None):
            return base.build(["somebody"])

    lb = balancer(Elsewhere(), ["a"], seed=0)
    with pytest.raises(UnknownBackend) as caught:
        lb.acquire()
    assert caught.value.id == "somebody"
    assert lb.stats().opened == 0


def test_a_load_that_is_given_up_hears_of_its_own_leases_only(balancer):
    load = Diary()

    class Once:
        def build(self, view, *, previous=None):
            return Least(load if previous is None else None).build(view)

    lb = balancer(Once(), ["a"], clock=FakeClock())
    first = lb.acquire()
    lb.update(["a", "b"])
    lb.acquire().done()
    first.done()
    assert [call[0] for call in load.calls] == ["started", "finished"]


@pytest.mark.parametrize("policy", [lbalgo.RoundRobin(), lbalgo.LeastConnections()], ids=["ticket", "count"])
def test_mere_counts_need_no_clock(policy):
    readings = []

    def clock():
        readings.append(None)
        return 0.0

    lb = Balancer(policy, ["a", "b"], seed=0, clock=clock)
    readings.clear()
    lb.acquire().done()
    assert not readings


def test_of_the_plain_twin_one_thread_at_a_time_chooses():
    """Compiled the interpreter's lock is held where it matters; the plain one holds its own around all of it."""
    inside, go_on, entered = threading.Event(), threading.Event(), []

    class Slow(Bare):
        def pick(self, key=None, *, exclude=()):
            entered.append(key)
            inside.set()
            assert go_on.wait(5.0)
            return super().pick(key)

    class Slowly:
        def build(self, view, *, previous=None):
            return Slow(view.backends)

    lb = plain.Balancer(Slowly(), ["a"], seed=0)
    threads = [threading.Thread(target=lambda n=n: lb.acquire(n).done()) for n in range(2)]
    threads[0].start()
    assert inside.wait(5.0)
    threads[1].start()
    threads[1].join(0.2)
    try:
        assert entered == [0]
    finally:
        go_on.set()
        for thread in threads:
            thread.join()
    assert (entered, lb.stats().closed) == ([0, 1], 2)
