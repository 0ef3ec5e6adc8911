"""Every load of ours under the laws of loads."""

import pytest

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
from lbalgo.testing import LoadContract

LOADS = [
    InFlight(),
    PeakEwma(),
    PeakEwma(0.5, initial=0.03),
    LatencyEwma(),
    LatencyEwma(1.0, peak=True, initial=1.0),
    InFlightAge(),
    InFlightAge(InFlight()),
    FailurePenalty(),
    FailurePenalty(InFlight(), 1.0),
    Sum(InFlight(), Reported(), weights=(1.0, 10.0)),
    Product(InFlight(), InFlightAge(LatencyEwma(peak=True))),
    Reported(),
    Blend(),
    Blend(tau=0.1, ramp=1.0, floor=1.0),
    Overdue(),
    Overdue(FailurePenalty(Product(InFlight(), InFlightAge())), 5.0),
]
LAWS = sorted(name for name in vars(LoadContract) if name.startswith("test_"))


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("load", LOADS, ids=repr)
def test_laws(load, law):
    contract = LoadContract()
    contract.load = load
    getattr(contract, law)()
