"""Which backend gets the next request, and how that decision stays right: load balancing as pure algorithms."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lbalgo import estimators, events, gates, measure
from lbalgo.active import kernels
from lbalgo.balancer import Balancer, Lease
from lbalgo.closing import close_plan
from lbalgo.draining import check_drain
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, DuplicateBackend, LBError, NoBackend, NotAdmitted, UnknownBackend
from lbalgo.events import Stats
from lbalgo.explaining import Explanation, explain
from lbalgo.findings import Finding
from lbalgo.gates import FlowTable, Jet, SecondChance, Sticky
from lbalgo.hashing import XXH3, XXH64, Hasher, Murmur3, SipHash, hash_key, hash_many
from lbalgo.lifecycle import Lifecycle
from lbalgo.loads import (
    Blend,
    FailurePenalty,
    InFlight,
    InFlightAge,
    LatencyEwma,
    Overdue,
    PeakEwma,
    Product,
    Reported,
    Sum,
)
from lbalgo.policies import (
    C3,
    AdaptiveChoices,
    Aperture,
    Best,
    BestOf,
    BoundedLoad,
    ByPriority,
    ByScore,
    ByZone,
    DeterministicSubset,
    Feedback,
    HotKeySpread,
    Idle,
    JoinIdleQueue,
    Jump,
    JumpBack,
    LeastConnections,
    LeastLoaded,
    Lookup,
    Maglev,
    MultiProbe,
    OrcaWeights,
    PidWeights,
    PowerOfTwo,
    Prequal,
    Probe,
    Random,
    RandomSubset,
    Rendezvous,
    RingHash,
    Ringsteady,
    Rocksteadier,
    RoundRobin,
    Softmax,
    StableTable,
    Subset,
    TableLayout,
    Ties,
    TopK,
    WeightedByReport,
    WeightedRoundRobin,
)
from lbalgo.report import Report
from lbalgo.signals import (
    ActiveHealth,
    Breaker,
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    Drain,
    DrainOrder,
    FailureEwma,
    FailurePercentage,
    GrpcCheck,
    HttpCheck,
    LatencyQuantile,
    OutlierEjection,
    Probing,
    Sequential,
    SlowStart,
    Statistical,
    SuccessRate,
    TcpCheck,
    Verdict,
)
from lbalgo.sketches import HeavyHitter, HeavyHitters
from lbalgo.types import Backend, Key, Load, Outcome, Picker, Policy, Signal, State, TicketDecided
from lbalgo.view import View

if TYPE_CHECKING:
    from lbalgo import advice, sim
    from lbalgo.advice.advise import advise

__version__ = "0.1.0"

__all__ = [
    "C3",
    "XXH3",
    "XXH64",
    "ActiveHealth",
    "AdaptiveChoices",
    "Aperture",
    "Backend",
    "Balancer",
    "Best",
    "BestOf",
    "Blend",
    "BoundedLoad",
    "Breaker",
    "ByPriority",
    "ByScore",
    "ByZone",
    "ConfigError",
    "ConsecutiveErrors",
    "ConsecutiveGatewayErrors",
    "DeterministicSubset",
    "Drain",
    "DrainOrder",
    "DuplicateBackend",
    "Endpoint",
    "Explanation",
    "FailureEwma",
    "FailurePenalty",
    "FailurePercentage",
    "Feedback",
    "Finding",
    "FlowTable",
    "GrpcCheck",
    "Hasher",
    "HeavyHitter",
    "HeavyHitters",
    "HotKeySpread",
    "HttpCheck",
    "Idle",
    "InFlight",
    "InFlightAge",
    "Jet",
    "JoinIdleQueue",
    "Jump",
    "JumpBack",
    "Key",
    "LBError",
    "LatencyEwma",
    "LatencyQuantile",
    "Lease",
    "LeastConnections",
    "LeastLoaded",
    "Lifecycle",
    "Load",
    "Lookup",
    "Maglev",
    "MultiProbe",
    "Murmur3",
    "NoBackend",
    "NotAdmitted",
    "OrcaWeights",
    "Outcome",
    "OutlierEjection",
    "Overdue",
    "PeakEwma",
    "Picker",
    "PidWeights",
    "Policy",
    "PowerOfTwo",
    "Prequal",
    "Probe",
    "Probing",
    "Product",
    "Random",
    "RandomSubset",
    "Rendezvous",
    "Report",
    "Reported",
    "RingHash",
    "Ringsteady",
    "Rocksteadier",
    "RoundRobin",
    "SecondChance",
    "Sequential",
    "Signal",
    "SipHash",
    "SlowStart",
    "Softmax",
    "StableTable",
    "State",
    "Statistical",
    "Stats",
    "Sticky",
    "Subset",
    "SuccessRate",
    "Sum",
    "TableLayout",
    "TcpCheck",
    "TicketDecided",
    "Ties",
    "TopK",
    "UnknownBackend",
    "Verdict",
    "View",
    "WeightedByReport",
    "WeightedRoundRobin",
    "advice",
    "advise",
    "check_drain",
    "close_plan",
    "estimators",
    "events",
    "explain",
    "gates",
    "hash_key",
    "hash_many",
    "kernels",
    "measure",
    "sim",
]


def __getattr__(name: str) -> Any:
    """What a proxy does not need, simulation and advice, is imported when it is asked for."""
    if name in ("advice", "sim"):
        return import_module(f"lbalgo.{name}")
    if name == "advise":
        return import_module("lbalgo.advice").advise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
