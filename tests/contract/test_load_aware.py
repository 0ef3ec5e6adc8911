"""Policies with a live load of their own under the laws of policies, and their loads under those of loads."""

import pytest
from hypothesis import settings

from lbalgo.loads import InFlight, Reported, Sum
from lbalgo.policies.adaptive_choices import AdaptiveChoices
from lbalgo.policies.c3 import C3
from lbalgo.policies.join_idle_queue import JoinIdleQueue
from lbalgo.policies.orca_weights import OrcaWeights
from lbalgo.policies.pid_weights import PidWeights
from lbalgo.policies.prequal import Prequal
from lbalgo.policies.random_aperture import RandomAperture
from lbalgo.policies.weighted_by_report import WeightedByReport
from lbalgo.testing import LoadContract, PolicyContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)
LAWS = sorted(name for name in vars(LoadContract) if name.startswith("test_"))
LOADS = [
    Prequal(),
    Prequal(probes=0.5, pool=2, remove=0.25, tau=0.5),
    JoinIdleQueue(),
    C3(),
    C3(alpha=0.3, tau=1.0),
    AdaptiveChoices(Sum(InFlight(), Reported()), 0.1),
    OrcaWeights(),
    PidWeights(),
    RandomAperture(),
    RandomAperture(low=0.1, high=0.2, smooth=0.5, least=2, most=7),
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("load", LOADS, ids=repr)
def test_loads(load, law):
    contract = LoadContract()
    contract.load = load
    contract.settings = FEW
    getattr(contract, law)()


class TestPrequal(PolicyContract):
    policy = Prequal()
    weights = some.weights(1e-300, 1e300)
    max_size = 150
    settings = FEW


class TestJoinIdleQueue(PolicyContract):
    policy = JoinIdleQueue(choices=2)
    weights = some.weights(1e-300, 1e300)
    max_size = 150
    settings = FEW


class TestJoinIdleQueueTold(PolicyContract):
    policy = JoinIdleQueue(told=True)
    max_size = 33
    settings = FEW


class TestRandomAperture(PolicyContract):
    policy = RandomAperture()
    weights = some.weights(1e-300, 1e300)
    max_size = 150
    settings = FEW


class TestRandomApertureWide(PolicyContract):
    policy = RandomAperture(client=9, least=5, choices=3)
    max_size = 33
    settings = FEW


class TestC3(PolicyContract):
    policy = C3()
    max_size = 150
    settings = FEW


class TestC3Few(PolicyContract):
    policy = C3(choices=2)
    weights = some.weights(1e-300, 1e300)
    max_size = 33
    settings = FEW


class TestAdaptiveChoices(PolicyContract):
    policy = AdaptiveChoices(Reported(), 0.1)
    weights = some.weights(1e-300, 1e300)
    max_size = 150
    settings = FEW


class TestWeightedByReport(PolicyContract):
    policy = WeightedByReport()
    weights = some.weights(1e-300, 1e300)
    max_size = 150
    settings = FEW


class TestWeightedByReportControlled(PolicyContract):
    policy = WeightedByReport(PidWeights())
    max_size = 33
    settings = FEW
