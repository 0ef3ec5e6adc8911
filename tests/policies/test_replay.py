"""Every policy: a recorded stream of tickets and events gives the same picks, in another picker and in plain Python."""

import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

import lbalgo as lb
from benchmarks import regret
from lbalgo.policies import C3, Feedback, Idle, JoinIdleQueue, Prequal, Probe
from tests.bad_input.told import live

PICKS = 300
POOL = [lb.Endpoint(f"b{i}", zone=("here", "there")[i % 2], priority=i % 3 // 2) for i in range(20)]
SAID = {
    Prequal: lambda x: Probe(int(9 * x), x),
    C3: lambda x: Feedback(9 * x, x),
    JoinIdleQueue: lambda x: Idle(),
}


def chosen(case):
    """The policy of a line of the table; where each client has its own, the one of client 3."""
    policy, more = case
    return (policy.policy(3) if isinstance(policy, regret.Each) else policy), "keys" in more


POLICIES = {name: chosen(case) for group in regret.POLICIES.values() for name, case in group.items()}


def course(name, tickets=None):
    """The tickets and picks of a run in which requests begin and end, and all that listens is told things.

    With `tickets`, each pick has the recorded one; whatever came of it before stands in the loads, and so must here.
    """
    policy, keyed = POLICIES[name]
    picker = policy.build(POOL)
    picker.reseed(1 if tickets is None else 2)
    load = getattr(picker, "load", None)
    said = SAID.get(type(policy), lambda x: lb.Report(x, 9.0, x))
    rng, now, flying, found = np.random.default_rng(5), 0.0, [], []
    for at in range(PICKS):
        now += rng.exponential(0.3)
        took, told, worth, bad = rng.exponential(3.0), int(rng.integers(20)), float(rng.random()), rng.random() < 0.1
        slots = {backend.id: slot for slot, backend in enumerate(picker.backends)}
        rows = getattr(picker, "rows", None)
        if load is not None:
            for end in sorted(each for each in flying if each[0] <= now):
                flying.remove(end)
                load.finished(end[1], lb.Outcome.SERVER_ERROR if end[3] else lb.Outcome.SUCCESS, end[2], end[0])
            load.advance(now)
            if hasattr(live(load), "reported") and f"b{told}" in slots:
                slot = slots[f"b{told}"]
                live(load).reported(slot if rows is None else int(rows[slot]), said(worth), now)
        if tickets is not None:
            picker.reseed(tickets[at])
        state, picked = picker.cursor.state, picker.pick(f"key-{told}" if keyed else None).id
        found.append((state, picked))
        if load is not None:
            row = slots[picked] if rows is None else int(rows[slots[picked]])
            load.started(row, 1.0, now)
            flying.append((now + took, row, took, bool(bad)))
    return [state for state, _ in found], [picked for _, picked in found]


@pytest.mark.parametrize("name", POLICIES)
def test_a_recorded_stream_of_tickets_gives_the_same_picks(name):
    tickets, picks = course(name)
    assert course(name, tickets) == (tickets, picks)
    assert len(set(picks)) > 3


def digest():
    """One number for the picks of every policy."""
    return {name: zlib.crc32(" ".join(course(name)[1]).encode()) for name in POLICIES}


def test_the_plain_twins_pick_the_same():
    """Whatever a policy is compiled of, in a process where nothing is its picks are the same."""
    code = "import lbalgo, tests.policies.test_replay as t; print(lbalgo.kernels()); print(t.digest())"
    done = subprocess.run(
        [sys.executable, *(["-S"] if sys.flags.no_site else []), "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LBALGO_KERNELS": "python", "LBALGO_SIMD": ""},
    )
    kernels, there = done.stdout.splitlines()
    assert kernels == "python"
    assert there == str(digest())
