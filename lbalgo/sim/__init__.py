"""Clients, balancers and servers simulated in virtual time, by the library's own policies, signals and loads."""

from lbalgo.active import Stream
from lbalgo.sim.arrivals import Bursts, Paced, Poisson, Ramp
from lbalgo.sim.changes import Cold, Crash, FailFast, Faulty, Join, Leave, Slow, Weigh, deploy
from lbalgo.sim.checking import Checks
from lbalgo.sim.courses import Hedge, Retries, Timeout
from lbalgo.sim.distributions import Bimodal, Constant, Exponential, LogNormal, Pareto, Sampled
from lbalgo.sim.intervals import Interval, interval
from lbalgo.sim.keys import HotKey, KeySequence, UniformKeys, ZipfKeys
from lbalgo.sim.network import Network, Path
from lbalgo.sim.reading import read_toml
from lbalgo.sim.result import Result
from lbalgo.sim.running import run
from lbalgo.sim.scenario import Board, Scenario
from lbalgo.sim.servers import Servers
from lbalgo.sim.studies import Study, replicate, sweep, vary
from lbalgo.sim.telling import Probes, Reports, Vitals, feedback, load_report, probe
from lbalgo.sim.traces import InOrder, Recorded, Trace, read_trace

__all__ = [
    "Bimodal",
    "Board",
    "Bursts",
    "Checks",
    "Cold",
    "Constant",
    "Crash",
    "Exponential",
    "FailFast",
    "Faulty",
    "Hedge",
    "HotKey",
    "InOrder",
    "Interval",
    "Join",
    "KeySequence",
    "Leave",
    "LogNormal",
    "Network",
    "Paced",
    "Pareto",
    "Path",
    "Poisson",
    "Probes",
    "Ramp",
    "Recorded",
    "Reports",
    "Result",
    "Retries",
    "Sampled",
    "Scenario",
    "Servers",
    "Slow",
    "Stream",
    "Study",
    "Timeout",
    "Trace",
    "UniformKeys",
    "Vitals",
    "Weigh",
    "ZipfKeys",
    "deploy",
    "feedback",
    "interval",
    "load_report",
    "probe",
    "read_toml",
    "read_trace",
    "replicate",
    "run",
    "sweep",
    "vary",
]
