"""Policies with a live load of their own under the laws of policies, and their loads under those of loads."""

import pytest
from hypothesis import settings

from lbalgo.policies.prequal import Prequal
from lbalgo.testing import LoadContract, PolicyContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)
LAWS = sorted(name for name in vars(LoadContract) if name.startswith("test_"))
LOADS = [Prequal(), Prequal(probes=0.5, pool=2, remove=0.25, tau=0.5)]


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
