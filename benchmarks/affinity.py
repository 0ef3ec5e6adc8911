"""Picks through gates that remember, beside the bare pick; and flow keys, one by one and in bulk."""

from __future__ import annotations

from typing import Any

import numpy as np

import lbalgo as lb
from lbalgo.flow_keys import flow_key, flow_keys
from lbalgo.gates.chances import chances
from lbalgo.gates.flow_table import FlowTable
from lbalgo.gates.jet import Jet
from lbalgo.gates.second_chance import SecondChance
from lbalgo.gates.sticky import Sticky
from lbalgo.policies.stable_table import StableTable

from .timing import Case, over_keys, statement

N = 100
NOW = 1_700_000_000.0
FLOWS = 1 << 14


def known(picker: Any, keys: list[Any]) -> FlowTable:
    """A table in which each key has had two packets, so that it is old."""
    table = FlowTable(4 * len(keys), 1e9)
    for now in (0.0, 1.0):
        for key in keys:
            table.pick(picker, key, now=now)
    return table


def cases(quick: bool) -> list[Case]:
    """N = 100; keys are 5-tuples of IPv4, 13 bytes."""
    keys = [flow_key("192.0.2.1", "198.51.100.7", port, 443) for port in range(1024, 2048)]
    names = [f"10.0.0.{i}" for i in range(N)]
    maglev, rotation = lb.Maglev().build(names), lb.WeightedRoundRobin().build(names)
    jet = Jet(lb.Rendezvous(), [f"10.0.1.{i}" for i in range(10)]).build(names)
    rows, stable = SecondChance(bytes(16)).build(names), StableTable().build(names)
    sticky = Sticky((bytes(16),), pool="web")
    spilling = Sticky((bytes(16),), pool="web", spill=1.25)
    loads = [1.0] * N
    cookie = sticky.pick(rotation, None, now=NOW).cookie
    crowd = FlowTable(FLOWS, 1e9)
    columns = np.arange(FLOWS, dtype=np.uint32), np.full(FLOWS, 7, np.uint32), np.full(FLOWS, 9), np.full(FLOWS, 443)
    return [
        over_keys("Maglev, bare", "f(k)", keys, f=maglev.pick),
        over_keys("Maglev, flow table, known flow", "f(p, k, now=1.0)", keys, f=known(maglev, keys).pick, p=maglev),
        over_keys("Maglev, flow table, new flow", "f(p, k, now=1.0, opening=True)", keys, f=crowd.pick, p=maglev),
        over_keys("Rendezvous, bare", "f(k)", keys, f=jet.base.pick),
        over_keys("Rendezvous under Jet: pick_safe", "f(k)", keys, f=jet.pick_safe),
        over_keys("Rendezvous under Jet, flow table", "f(p, k, now=1.0)", keys, f=known(jet, keys).pick, p=jet),
        over_keys("SecondChance: pick", "f(k)", keys, f=rows.pick),
        over_keys("SecondChance: chances", "f(k)", keys, f=rows.chances),
        over_keys("StableTable: chances", "f(p, k)", keys, f=chances, p=stable),
        statement("WeightedRoundRobin, bare", "f()", f=rotation.pick),
        statement("WeightedRoundRobin, sticky, kept", "f(p, c, now=t)", f=sticky.pick, p=rotation, c=cookie, t=NOW),
        statement("WeightedRoundRobin, sticky, new", "f(p, None, now=t)", f=sticky.pick, p=rotation, t=NOW),
        statement(
            "WeightedRoundRobin, sticky, kept, spill",
            "f(p, c, now=t, loads=x)",
            f=spilling.pick,
            p=rotation,
            c=cookie,
            t=NOW,
            x=loads,
        ),
        statement("flow_key of IPv4 text", "f('192.0.2.1', '198.51.100.7', 9, 443)", f=flow_key),
        statement("flow_key of IPv4 bytes", "f(b'abcd', b'efgh', 9, 443)", f=flow_key),
        statement("flow_keys, bulk", "f(*c)", per=FLOWS, f=flow_keys, c=columns),
        statement("flow_keys, bulk, symmetric", "f(*c, symmetric=True)", per=FLOWS, f=flow_keys, c=columns),
    ]
