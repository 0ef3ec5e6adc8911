"""A lease may be all that is left of its balancer: ending it must not pull the ground from under itself."""

import gc
import subprocess
import sys
import weakref

import pytest

import lbalgo as lb

LAST = """
import lbalgo as lb
for _ in range(200):
    lease = lb.Balancer(lb.Maglev(251), ["a"], signals=[lb.OutlierEjection()], seed=1).acquire("k")
    {end}
    del lease
print("fine")
"""
ENDS = {
    "done": "lease.done(lb.Outcome.SERVER_ERROR)",
    "block": "\n    with lease: pass",
    "status": "\n    with lease: lease.status(503)",
    "dropped": "pass",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_lease_ends_after_its_balancer_is_let_go(end):
    """In a process of its own, since what could happen is a crash."""
    code = LAST.format(end=end)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def test_an_open_lease_keeps_its_balancer_and_an_ended_one_lets_it_go():
    balancer = lb.Balancer(lb.Maglev(251), ["a"], seed=1)
    alive, lease = weakref.ref(balancer), balancer.acquire("k")
    del balancer
    gc.collect()
    assert alive() is not None and alive().stats().open_leases == 1
    lease.done()
    gc.collect()
    assert alive() is None
