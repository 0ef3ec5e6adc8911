"""HAProxy 2.6 and 3.x: which server a request is given, and why.

Policies are called as ``balance`` calls the algorithms: `RoundRobin`, `StaticRR`, `LeastConn`, `First`, `Random`, and
`Hash` with what is hashed (`Source`, `Uri`, `UrlParam`, `Hdr`, `Expr`). Backends are `Server` objects, or anything with
an id and an integer weight from 0 to 256. `HealthChecks` and `SlowStart` are signals; `Health`, `Agent` and the
functions of limits stand alone.

A snapshot's decisions are those of one thread of one process: several threads or processes each have their own turns.
"""

from __future__ import annotations

from lbalgo.compat.haproxy.agent import Agent, AgentReply, parse_agent
from lbalgo.compat.haproxy.checks import HealthChecks
from lbalgo.compat.haproxy.config import load
from lbalgo.compat.haproxy.farm import Farm, FarmMachine, Standing
from lbalgo.compat.haproxy.hash import Affinity, Hash, HashPicker
from lbalgo.compat.haproxy.hashing import Function, HashType, Method, crc32, djb2, full_avalanche, sdbm, wt6
from lbalgo.compat.haproxy.health import Check, Health, Observe, OnError
from lbalgo.compat.haproxy.keys import Expr, Hdr, Source, Uri, UrlParam, source_key
from lbalgo.compat.haproxy.limits import dynamic_maxconn, shown_weight, slowstart_maxconn, slowstart_step
from lbalgo.compat.haproxy.policies import First, LeastConn, Random, RoundRobin, StaticRR
from lbalgo.compat.haproxy.server import HashKey, Server, Version, numeric_ids
from lbalgo.compat.haproxy.slow_start import SlowStart

__all__ = [
    "Affinity",
    "Agent",
    "AgentReply",
    "Check",
    "Expr",
    "Farm",
    "FarmMachine",
    "First",
    "Function",
    "Hash",
    "HashKey",
    "HashPicker",
    "HashType",
    "Hdr",
    "Health",
    "HealthChecks",
    "LeastConn",
    "Method",
    "Observe",
    "OnError",
    "Random",
    "RoundRobin",
    "Server",
    "SlowStart",
    "Source",
    "Standing",
    "StaticRR",
    "Uri",
    "UrlParam",
    "Version",
    "crc32",
    "djb2",
    "dynamic_maxconn",
    "full_avalanche",
    "load",
    "numeric_ids",
    "parse_agent",
    "sdbm",
    "shown_weight",
    "slowstart_maxconn",
    "slowstart_step",
    "source_key",
    "wt6",
]
