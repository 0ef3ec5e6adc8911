"""The relatives of the keyed policies under the laws that apply to them."""

from hypothesis import settings
from hypothesis import strategies as st

import lbalgo as lb
from lbalgo.policies.hot_key_spread import HotKeySpread
from lbalgo.policies.jump_back import JumpBack
from lbalgo.policies.multi_probe import MultiProbe
from lbalgo.policies.stable_table import StableTable
from lbalgo.policies.top_k import TopK
from lbalgo.testing import KeyedContract, MinimalContract
from lbalgo.testing import strategies as some

FEW = settings(max_examples=settings.default.max_examples // 4)


class TestMultiProbe(MinimalContract):
    policy = MultiProbe(points=2)
    weights = some.weights(0.25, 4.0)
    max_size = 65


class TestMultiProbeSeeded(MinimalContract):
    policy = MultiProbe(probes=3, points=10, hasher=lb.XXH3(), seed=5)
    weights = some.weights(0.0625, 4.0)
    max_size = 33
    settings = FEW


class TestJumpBack(MinimalContract):
    policy = JumpBack()
    weights = st.sampled_from([1.0, 1.0, 0.0])
    max_size = 33


class TestJumpBackSeated(MinimalContract):
    policy = JumpBack(hasher=lb.Murmur3(), seed=3, seats=("x", "a", "b0", "c"))
    weights = st.sampled_from([2.0, 2.0, 0.0])
    max_size = 33
    settings = FEW


class TestStableTable(MinimalContract):
    policy = StableTable(table_size=1009)
    weights = some.weights(1.0, 4.0)
    max_size = 33


class TestStableTableSmall(MinimalContract):
    policy = StableTable(table_size=11, seed=4)
    weights = some.weights(1.0, 1.0)
    max_size = 8
    settings = FEW


class TestTopK(MinimalContract):
    policy = TopK(lb.Rendezvous(), k=2)
    weights = some.weights(1e-3, 1e3)
    max_size = 33


class TestTopKOverTables(KeyedContract):
    policy = TopK(lb.Maglev(table_size=251), spread=False)
    weights = some.weights(1.0, 4.0)
    max_size = 8
    settings = FEW


class TestHotKeySpread(MinimalContract):
    policy = HotKeySpread(lb.Rendezvous(), k=3, share=0.1)
    weights = some.weights(1e-3, 1e3)
    max_size = 33
    test_bulk_equals_scalar = None  # a decision depends on what has been counted, so there are no tickets
    test_shares_are_a_law = None
    test_equal_fingerprints_mean_equal_mappings = None
