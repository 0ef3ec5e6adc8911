"""HAProxy's algorithms and signals under the laws of policies and signals; those that do not hold, with the reason."""

from hypothesis import settings
from hypothesis import strategies as st

from lbalgo import State
from lbalgo.compat.haproxy import (
    Check,
    Expr,
    First,
    Hash,
    HashType,
    HealthChecks,
    LeastConn,
    Observe,
    OnError,
    Random,
    RoundRobin,
    SlowStart,
    StaticRR,
    Version,
)
from lbalgo.testing import KeyedContract, PolicyContract, SignalContract

FEW = settings(max_examples=settings.default.max_examples // 12, deadline=None)


class Dialect:
    weights = st.sampled_from([1.0, 2.0, 5.0, 0.0])
    max_size = 12
    ordered = True  # numeric ids, and so points and tables, go by listing order
    settings = FEW

    def eligible(self, view):
        """HAProxy knows no panic, and servers that are degraded are up."""
        able = (view.weights > 0) & (view.states <= State.DEGRADED)
        return frozenset(i for i, is_able in zip(view.ids, able.tolist(), strict=True) if is_able)


class Keyed(Dialect, KeyedContract):
    test_signals_move_only_what_fell_or_rose = None  # state and slow start rebuild the structure; numeric ids stay
    test_keys_only_return_while_signals_rise = None  # likewise
    test_no_rebuild_restarts_a_sequence = None  # a turn whose point went is over
    test_listing_order_is_irrelevant = None  # numeric ids, and the map, go by listing order


class TestConsistent(Keyed):
    policy = Hash(Expr(), HashType.parse("consistent"))


class TestMapBased(Keyed):
    policy = Hash(Expr(), HashType.parse("map-based wt6 avalanche"), version=Version.V3_4)


class TestBounded(Dialect, PolicyContract):
    policy = Hash(Expr(), HashType.parse("consistent crc32"), hash_balance_factor=125)
    keyed = True
    test_no_rebuild_restarts_a_sequence = None  # a turn whose point went is over


class TestRoundRobin(Dialect, PolicyContract):
    policy = RoundRobin()
    test_no_rebuild_restarts_a_sequence = None  # who comes back takes another place


class TestRoundRobinSince32(TestRoundRobin):
    policy = RoundRobin(version=Version.V3_2, tgroup=1)


class TestStaticRR(Dialect, PolicyContract):
    policy = StaticRR()


class TestLeastConn(Dialect, PolicyContract):
    policy = LeastConn()
    test_no_rebuild_restarts_a_sequence = None  # who comes back takes the last place


class TestLeastConnSince32(TestLeastConn):
    policy = LeastConn(version=Version.V3_4, seed=None)


class TestFirst(Dialect, PolicyContract):
    policy = First()


class TestRandom(Dialect, PolicyContract):
    policy = Random(draws=3, hash_balance_factor=150)


class TestSlowStart(SignalContract):
    settings = FEW
    longest = 12.0

    def signal(self):
        return SlowStart(10)


class TestHealthChecks(SignalContract):
    settings = FEW

    def signal(self):
        check = Check(observe=Observe.LAYER7, error_limit=2, on_error=OnError.MARK_DOWN, fastinter=0.5)
        return HealthChecks(check, weights={"a": 3}, spread_checks=5)
