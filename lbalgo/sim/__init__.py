"""Clients, balancers and servers simulated in virtual time, by the library's own policies, signals and loads."""

from lbalgo.active import Stream
from lbalgo.sim.arrivals import Bursts, Paced, Poisson, Ramp
from lbalgo.sim.changes import Cold, Crash, FailFast, Faulty, Join, Leave, Slow, Weigh, deploy
from lbalgo.sim.distributions import Bimodal, Constant, Exponential, LogNormal, Pareto, Sampled
from lbalgo.sim.intervals import Interval, interval
from lbalgo.sim.keys import HotKey, KeySequence, UniformKeys, ZipfKeys
from lbalgo.sim.result import Result
from lbalgo.sim.running import run
from lbalgo.sim.scenario import Board, Scenario
from lbalgo.sim.servers import Servers

__all__ = [
    "Bimodal",
    "Board",
    "Bursts",
    "Cold",
    "Constant",
    "Crash",
    "Exponential",
    "FailFast",
    "Faulty",
    "HotKey",
    "Interval",
    "Join",
    "KeySequence",
    "Leave",
    "LogNormal",
    "Paced",
    "Pareto",
    "Poisson",
    "Ramp",
    "Result",
    "Sampled",
    "Scenario",
    "Servers",
    "Slow",
    "Stream",
    "UniformKeys",
    "Weigh",
    "ZipfKeys",
    "deploy",
    "interval",
    "run",
]
