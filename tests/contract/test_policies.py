"""Every policy of ours under the laws that apply to it; a law crossed out is set to None, with the reason."""

from hypothesis import settings

from lbalgo import XXH3, Maglev, Murmur3, Random, RoundRobin, SipHash, WeightedRoundRobin
from lbalgo.testing import KeyedContract, TicketContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)  # for the second and third way to set up a policy


class TestRoundRobin(TicketContract):
    policy = RoundRobin()


class TestWeightedRoundRobin(TicketContract):
    policy = WeightedRoundRobin()


class TestWeightedRoundRobinWhole(TicketContract):
    policy = WeightedRoundRobin()
    weights = some.whole_weights(12)
    settings = FEW


class TestWeightedRoundRobinStrides(TicketContract):
    policy = WeightedRoundRobin(max_period=1)
    settings = FEW


class TestRandom(TicketContract):
    policy = Random()


class TestMaglev(KeyedContract):
    policy = Maglev(table_size=1009)
    weights = some.weights(1.0, 4.0)
    max_size = 33


class TestMaglevLarge(KeyedContract):
    policy = Maglev(hasher=XXH3(), seed=7)
    weights = some.weights(1.0, 8.0)
    settings = FEW


class TestMaglevSecret(KeyedContract):
    policy = Maglev(table_size=251, hasher=SipHash(bytes(range(16))))
    weights = some.weights(1.0, 4.0)
    max_size = 8
    settings = FEW

    def from_dict(self, data):
        return Maglev.from_dict(data, hasher=self.policy.hasher)


class TestMaglevSmall(KeyedContract):
    policy = Maglev(table_size=11, hasher=Murmur3())
    weights = some.weights(1.0, 1.0)
    max_size = 8
    settings = FEW
