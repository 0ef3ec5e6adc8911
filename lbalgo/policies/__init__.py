"""Policies: frozen specifications that build pickers, one algorithm a file."""

from lbalgo.policies.bounded_load import BoundedLoad
from lbalgo.policies.jump import Jump
from lbalgo.policies.least_loaded import LeastConnections, LeastLoaded, Ties
from lbalgo.policies.maglev import Maglev
from lbalgo.policies.power_of_two import PowerOfTwo
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import Lookup, RingHash
from lbalgo.policies.round_robin import RoundRobin, WeightedRoundRobin
from lbalgo.policies.weighted_random import Random

__all__ = [
    "BoundedLoad",
    "Jump",
    "LeastConnections",
    "LeastLoaded",
    "Lookup",
    "Maglev",
    "PowerOfTwo",
    "Random",
    "Rendezvous",
    "RingHash",
    "RoundRobin",
    "Ties",
    "WeightedRoundRobin",
]
