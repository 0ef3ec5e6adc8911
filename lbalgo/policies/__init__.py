"""Policies: frozen specifications that build pickers, one algorithm a file."""

from lbalgo.policies.jump import Jump
from lbalgo.policies.maglev import Maglev
from lbalgo.policies.rendezvous import Rendezvous
from lbalgo.policies.ring_hash import Lookup, RingHash
from lbalgo.policies.round_robin import RoundRobin, WeightedRoundRobin
from lbalgo.policies.weighted_random import Random

__all__ = ["Jump", "Lookup", "Maglev", "Random", "Rendezvous", "RingHash", "RoundRobin", "WeightedRoundRobin"]
