"""Every gate of ours under the laws of gates."""

from hypothesis import settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.gates import (
    AIMD,
    AdaptiveConcurrency,
    AdaptiveThrottle,
    DrainGate,
    Fallback,
    Gates,
    Gradient2,
    Hedging,
    Limits,
    Queue,
    RateControl,
    RetryBudget,
    RetryConcurrency,
    RetryQuota,
    Shedding,
    Vegas,
)
from lbalgo.testing import AffinityContract, GateContract

SECRET = (b"0123456789abcdef",)
HORIZON = tuple("abcdef")
FEW = settings(max_examples=settings.default.max_examples // 4)


class TestLimits(GateContract):
    def gate(self):
        return Limits(3, 2, Queue(2))


class TestRetryBudget(GateContract):
    def gate(self):
        return RetryBudget(10.0, 0.2, 0.5)


class TestRetryConcurrency(GateContract):
    def gate(self):
        return RetryConcurrency(50, 1)


class TestRetryQuota(GateContract):
    def gate(self):
        return RetryQuota(20)


class TestHedging(GateContract):
    def gate(self):
        return Hedging(min_samples=3)


class TestAdaptiveThrottle(GateContract):
    def gate(self):
        return AdaptiveThrottle(1.5, 10.0, 10)


class TestRateControl(GateContract):
    def gate(self):
        return RateControl(1.0, 2.0, 0.5)


class TestVegas(GateContract):
    goes_on = False  # the sample under way is gone with the process

    def gate(self):
        return AdaptiveConcurrency(Vegas(initial=3), 1.0, 1)


class TestGradient2(GateContract):
    goes_on = False

    def gate(self):
        return AdaptiveConcurrency(Gradient2(initial=3, least=2), 1.0, 1)


class TestAIMD(GateContract):
    goes_on = False

    def gate(self):
        return AdaptiveConcurrency(AIMD(initial=3, least=2), 1.0, 1)


class TestShedding(GateContract):
    def gate(self):
        return Shedding()


class TestSheddingMuch(GateContract):
    settings = FEW

    def gate(self):
        gate = Shedding()
        gate.measured(0.93, now=0.0)
        return gate


class TestSeveral(GateContract):
    def gate(self):
        return Gates([RetryBudget(), Limits(3), AdaptiveThrottle()])


class TestStickyTurns(AffinityContract):
    policy = lb.RoundRobin()

    def gate(self):
        return lb.Sticky(SECRET)


class TestStickyPicks(AffinityContract):
    policy = lb.PowerOfTwo()
    settings = FEW

    def gate(self):
        return lb.Sticky(SECRET, fallback=Fallback.PICK, idle=60.0, spill=8.0)


class TestFlowTable(AffinityContract):
    policy = lb.Maglev(251)

    def gate(self):
        return lb.FlowTable(1000)


class TestFlowTableOverJet(AffinityContract):
    policy = lb.Jet(lb.Rendezvous(), horizon=HORIZON)  # who is not on it takes what it takes
    settings = FEW

    def ids(self, data, least=1):
        return data.draw(st.lists(st.sampled_from(HORIZON), min_size=least, unique=True), label="ids")

    def gate(self):
        return lb.FlowTable(1000)


class TestDrainGate(GateContract):
    def gate(self):
        return DrainGate(lb.Drain(10.0))
