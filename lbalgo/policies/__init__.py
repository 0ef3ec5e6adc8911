"""Policies: frozen specifications that build pickers, one algorithm a file."""

from lbalgo.policies.adaptive_choices import AdaptiveChoices
from lbalgo.policies.bounded_load import BoundedLoad
from lbalgo.policies.by_priority import ByPriority
from lbalgo.policies.by_score import ByScore
from lbalgo.policies.by_zone import ByZone
from lbalgo.policies.c3 import C3, Feedback
from lbalgo.policies.choosing import Best, BestOf, Softmax
from lbalgo.policies.hot_key_spread import HotKeySpread
from lbalgo.policies.join_idle_queue import Idle, JoinIdleQueue
from lbalgo.policies.jump import Jump
from lbalgo.policies.jump_back import JumpBack
from lbalgo.policies.least_loaded import LeastConnections, LeastLoaded, Ties
from lbalgo.policies.maglev import Maglev
from lbalgo.policies.multi_probe import MultiProbe
from lbalgo.policies.orca_weights import OrcaWeights
from lbalgo.policies.pid_weights import PidWeights
from lbalgo.policies.power_of_two import PowerOfTwo
from lbalgo.policies.prequal import Prequal
from lbalgo.policies.probe_answers import Estimate, ProbeAnswers
from lbalgo.policies.probe_pool import Probe
from lbalgo.policies.random_aperture import RandomAperture
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import Lookup, RingHash
from lbalgo.policies.round_robin import RoundRobin, WeightedRoundRobin
from lbalgo.policies.stable_table import StableTable
from lbalgo.policies.subset import Subset
from lbalgo.policies.subsetting import Aperture, DeterministicSubset, RandomSubset, Ringsteady, Rocksteadier
from lbalgo.policies.table_layout import TableLayout
from lbalgo.policies.top_k import TopK
from lbalgo.policies.weighted_by_report import WeightedByReport
from lbalgo.policies.weighted_random import Random

__all__ = [
    "C3",
    "AdaptiveChoices",
    "Aperture",
    "Best",
    "BestOf",
    "BoundedLoad",
    "ByPriority",
    "ByScore",
    "ByZone",
    "DeterministicSubset",
    "Estimate",
    "Feedback",
    "HotKeySpread",
    "Idle",
    "JoinIdleQueue",
    "Jump",
    "JumpBack",
    "LeastConnections",
    "LeastLoaded",
    "Lookup",
    "Maglev",
    "MultiProbe",
    "OrcaWeights",
    "PidWeights",
    "PowerOfTwo",
    "Prequal",
    "Probe",
    "ProbeAnswers",
    "Random",
    "RandomAperture",
    "RandomSubset",
    "Rendezvous",
    "RingHash",
    "Ringsteady",
    "Rocksteadier",
    "RoundRobin",
    "Softmax",
    "StableTable",
    "Subset",
    "TableLayout",
    "Ties",
    "TopK",
    "WeightedByReport",
    "WeightedRoundRobin",
]
