"""The harness itself: what it draws, what it holds back, and that it sees a decision that differs."""

from __future__ import annotations

import json
import random
import socket
from types import SimpleNamespace

import pytest

from tests.live import comparing, drawing
from tests.live.client import Client, get
from tests.live.comparing import SYSTEMS, Total, drawn
from tests.live.held import play
from tests.live.origins import Origins
from tests.live.servers import LOOPBACK


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_seed_draws_one_configuration_that_json_holds(system):
    for seed in range(1, 30):
        config = drawn(system, seed)
        assert drawn(system, seed) == config == json.loads(json.dumps(config))


@pytest.mark.parametrize("system", SYSTEMS)
def test_quick_mode_draws_every_kind(system):
    module = comparing.importlib.import_module(f"tests.live.{system}")
    assert {drawn(system, seed)["kind"] for seed in range(1, 25)} == set(module.KINDS)


def test_scripts_close_only_what_is_open():
    for seed in range(50):
        steps = drawing.script(random.Random(seed), 100, most=7)
        now = 0
        for step in steps:
            assert -1 <= step < max(now, 0)
            now += 1 if step < 0 else -1
            assert now <= 7
        assert steps.count(-1) == 100


def test_origins_say_who_they_are_and_hold_what_they_are_told_to():
    with Origins(3, refusing=1) as origins:
        for index, port in enumerate(origins.ports):
            with Client(port) as client:
                assert [answer.origin for answer in client.ask([get("/a"), get("/b")] * 50)] == [index] * 100
        assert play(origins.ports[2], [get()] * 3, [-1, -1, 0, -1, 1], origins) == [2, 2, 2]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, origins.refusing[0]))
        with pytest.raises(LookupError):
            origins.release("nobody")
        with socket.create_connection((LOOPBACK, origins.ports[1])) as connection:
            connection.sendall(b"get k\r\n")
            assert connection.recv(100) == b"VALUE k 0 1\r\n1\r\nEND\r\n"


def test_a_decision_that_differs_is_counted_and_named():
    total = Total("x")
    module = SimpleNamespace(predict=lambda config, real: [0, 1, 1])
    comparing._judge(total, 7, {"kind": "k"}, [0, 1, 2], module)
    comparing._judge(total, 8, {"kind": "k"}, [0, 1, 1], module)
    comparing._judge(total, 9, {"kind": "k"}, [0, 1, 1, 1], module)
    assert (total.configurations, total.decisions, total.mismatches) == (3, 10, 2)
    assert [bad.seed for bad in total.disagreeing] == [7, 9]
    assert "from decision 2 on: real [2], ours [1]" in str(total.disagreeing[0])


def test_what_lbalgo_refuses_is_a_mismatch():
    def refuse(config, real):
        raise ValueError("no")

    total = Total("x")
    comparing._judge(total, 7, {"kind": "k"}, [0, 1], SimpleNamespace(predict=refuse))
    assert total.mismatches == 2
    assert "ValueError: no" in str(total.disagreeing[0])
