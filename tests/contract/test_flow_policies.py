"""Policies for flows under the laws of keyed policies."""

from hypothesis import settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies.multi_probe import MultiProbe
from lbalgo.testing import MinimalContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)


class TestJet(MinimalContract):
    policy = lb.Jet(lb.Rendezvous(), {"a": 1.0, "b1": 2.0, "never": 0.5})
    weights = some.weights(1e-3, 1e3)
    max_size = 33


class TestJetRing(MinimalContract):
    policy = lb.Jet(lb.RingHash(20), ["b0", "b7"])
    weights = some.weights(1.0, 4.0)
    max_size = 17
    settings = FEW


class TestJetMultiProbe(MinimalContract):
    policy = lb.Jet(MultiProbe(points=2), ["b0", "b7"])
    weights = some.weights(0.5, 4.0)
    max_size = 17
    settings = FEW


class TestSecondChance(MinimalContract):
    policy = lb.SecondChance(bytes(range(16)), rows=509)
    weights = st.sampled_from([1.0, 1.0, 0.0])
    max_size = 17

    def from_dict(self, data):
        return lb.SecondChance.from_dict(data, secret=self.policy.secret)


class TestSecondChanceSeeded(MinimalContract):
    policy = lb.SecondChance(bytes(16), rows=64, hasher=lb.Murmur3(), seed=3)
    weights = st.sampled_from([2.0, 2.0, 0.0])
    max_size = 9
    settings = FEW

    def from_dict(self, data):
        return lb.SecondChance.from_dict(data, secret=self.policy.secret)
