"""A request costs the balancer one object, the lease, and nothing that stays when it has ended."""

import gc
import sys
import tracemalloc

import pytest

import lbalgo as lb

pytestmark = pytest.mark.skipif(lb.kernels() != "cython", reason="the plain twin keeps its numbers in objects")
POLICIES = [lb.WeightedRoundRobin(), lb.PowerOfTwo(), lb.Maglev()]
REQUESTS = 10_000
SLACK = 64  # blocks, where a second object a request would be REQUESTS of them
SPARE = 512  # bytes that may be in use at once beside what was before; the loop's own iterator is one


@pytest.fixture
def balancer(request):
    """Nothing falls due while the test runs, so that nothing happens but requests."""
    signals = lb.SlowStart(60.0), lb.OutlierEjection(interval=1e6)
    return lb.Balancer(request.param, ["a", "b", "c"], signals=signals, seed=1)


@pytest.fixture
def uncollected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("balancer", POLICIES, indirect=True, ids=lambda policy: type(policy).__name__)
def test_an_open_request_holds_one_object(balancer, uncollected):
    leases = [None] * REQUESTS
    key = "user"
    for _ in range(100):
        balancer.acquire(key).done()
    before = sys.getallocatedblocks()
    for k in range(REQUESTS):
        leases[k] = balancer.acquire(key)
    opened = sys.getallocatedblocks()
    for lease in leases:
        lease.done()
    ended = sys.getallocatedblocks()
    assert 0 <= opened - before <= REQUESTS + SLACK
    assert ended - opened <= SLACK


@pytest.mark.parametrize("balancer", POLICIES, indirect=True, ids=lambda policy: type(policy).__name__)
def test_requests_one_after_the_other_take_no_memory(balancer, uncollected):
    def many():
        for _ in range(REQUESTS):
            balancer.acquire(key).done()
            with balancer.acquire(key):
                pass

    key = "user"
    many()
    tracemalloc.start()
    try:
        many()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        many()
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= SPARE
