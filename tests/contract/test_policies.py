"""Every policy of ours under the laws that apply to it; a law crossed out is set to None, with the reason."""

from hypothesis import settings
from hypothesis import strategies as st

from lbalgo import (
    XXH3,
    BoundedLoad,
    Jump,
    LeastConnections,
    LeastLoaded,
    Lookup,
    Maglev,
    Murmur3,
    PowerOfTwo,
    Random,
    Rendezvous,
    RingHash,
    RoundRobin,
    SipHash,
    Ties,
    WeightedRoundRobin,
)
from lbalgo.testing import KeyedContract, MinimalContract, PolicyContract, TicketContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)  # for the second and third way to set up a policy


def last_bytes(data):
    """A hash a user might bring: too short, and blind to all but the end."""
    return int.from_bytes(data[-4:], "big")


class TestRoundRobin(TicketContract):
    policy = RoundRobin()
    weights = some.weights(1e-300, 1e300)


class TestWeightedRoundRobin(TicketContract):
    policy = WeightedRoundRobin()


class TestWeightedRoundRobinWhole(TicketContract):
    policy = WeightedRoundRobin()
    weights = some.whole_weights(12)
    settings = FEW


class TestWeightedRoundRobinStrides(TicketContract):
    policy = WeightedRoundRobin(max_period=1)
    weights = some.weights(1e-300, 1e300)
    settings = FEW


class TestRandom(TicketContract):
    policy = Random()
    weights = some.weights(1e-300, 1e300)


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


class TestRingHash(MinimalContract):
    policy = RingHash(points=10)
    weights = some.weights(0.0625, 4.0)


class TestRingHashNearest(MinimalContract):
    policy = RingHash(points=3, lookup=Lookup.NEAREST, hasher=last_bytes)
    weights = some.weights(0.25, 8.0)
    settings = FEW

    def from_dict(self, data):
        return RingHash.from_dict(data, hasher=last_bytes)


class TestRendezvous(MinimalContract):
    policy = Rendezvous()
    weights = some.weights(1e-300, 1e300)


class TestRendezvousSeeded(MinimalContract):
    policy = Rendezvous(hasher=Murmur3(), seed=2**32 - 1)
    settings = FEW


class TestJump(MinimalContract):
    policy = Jump()
    ordered = True
    weights = st.sampled_from([1.0, 1.0, 0.0])
    joiners = st.just(1.0)  # a bucket at the end takes part in the jump even if its weight is 0
    test_listing_order_is_irrelevant = None  # buckets are positions in the list


class TestLeastLoaded(PolicyContract):
    policy = LeastLoaded()


class TestLeastConnectionsFirst(PolicyContract):
    policy = LeastConnections(Ties.FIRST)
    weights = some.weights(1e-300, 1e300)
    settings = FEW


class TestPowerOfTwo(PolicyContract):
    policy = PowerOfTwo()
    weights = some.weights(1e-300, 1e300)


class TestBoundedLoad(KeyedContract):
    policy = BoundedLoad(Rendezvous(), 1.5)
    weights = some.weights(1e-3, 1e3)
    max_size = 33
    settings = FEW
    test_bulk_equals_scalar = None  # a decision depends on the loads, so there are no tickets
    test_shares_are_a_law = None
    test_equal_fingerprints_mean_equal_mappings = None
