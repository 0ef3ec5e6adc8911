"""Which backend gets the next request, and how that decision stays right: load balancing as pure algorithms."""

from lbalgo import estimators, events, gates, measure
from lbalgo.active import kernels
from lbalgo.balancer import Balancer, Lease
from lbalgo.endpoint import Endpoint
from lbalgo.errors import ConfigError, DuplicateBackend, LBError, NoBackend, UnknownBackend
from lbalgo.events import Stats
from lbalgo.explaining import Explanation, explain
from lbalgo.gates import FlowTable, Jet, SecondChance, Sticky
from lbalgo.hashing import XXH3, XXH64, Hasher, Murmur3, SipHash, hash_key, hash_many
from lbalgo.loads import InFlight
from lbalgo.policies import (
    BoundedLoad,
    HotKeySpread,
    Jump,
    JumpBack,
    LeastConnections,
    LeastLoaded,
    Lookup,
    Maglev,
    MultiProbe,
    PowerOfTwo,
    Random,
    Rendezvous,
    RingHash,
    RoundRobin,
    StableTable,
    TableLayout,
    Ties,
    TopK,
    WeightedRoundRobin,
)
from lbalgo.signals import (
    Breaker,
    ConsecutiveErrors,
    ConsecutiveGatewayErrors,
    FailureEwma,
    FailurePercentage,
    LatencyQuantile,
    OutlierEjection,
    Sequential,
    SlowStart,
    Statistical,
    SuccessRate,
)
from lbalgo.sketches import HeavyHitter, HeavyHitters
from lbalgo.types import Backend, Key, Load, Outcome, Picker, Policy, Signal, State, TicketDecided
from lbalgo.view import View

__version__ = "0.1.0"

__all__ = [
    "XXH3",
    "XXH64",
    "Backend",
    "Balancer",
    "BoundedLoad",
    "Breaker",
    "ConfigError",
    "ConsecutiveErrors",
    "ConsecutiveGatewayErrors",
    "DuplicateBackend",
    "Endpoint",
    "Explanation",
    "FailureEwma",
    "FailurePercentage",
    "FlowTable",
    "Hasher",
    "HeavyHitter",
    "HeavyHitters",
    "HotKeySpread",
    "InFlight",
    "Jet",
    "Jump",
    "JumpBack",
    "Key",
    "LBError",
    "LatencyQuantile",
    "Lease",
    "LeastConnections",
    "LeastLoaded",
    "Load",
    "Lookup",
    "Maglev",
    "MultiProbe",
    "Murmur3",
    "NoBackend",
    "Outcome",
    "OutlierEjection",
    "Picker",
    "Policy",
    "PowerOfTwo",
    "Random",
    "Rendezvous",
    "RingHash",
    "RoundRobin",
    "SecondChance",
    "Sequential",
    "Signal",
    "SipHash",
    "SlowStart",
    "StableTable",
    "State",
    "Statistical",
    "Stats",
    "Sticky",
    "SuccessRate",
    "TableLayout",
    "TicketDecided",
    "Ties",
    "TopK",
    "UnknownBackend",
    "View",
    "WeightedRoundRobin",
    "estimators",
    "events",
    "explain",
    "gates",
    "hash_key",
    "hash_many",
    "kernels",
    "measure",
]
