"""Published values of the jump function, and the peer package, through both twins."""

import jump as peer
import numpy as np
import pytest

import lbalgo as lb
import lbalgo.reference.jump as plain
from lbalgo.active import JumpBuckets, jump

FUNCTIONS = [plain.jump, jump]
VECTORS = [
    (1, 1, 0),
    (42, 57, 43),
    (0xDEAD10CC, 666, 361),
    (256, 1024, 520),
    (0, 60, 0),
    (1, 60, 55),
    (2, 60, 46),
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("ticket", "buckets", "bucket"), VECTORS)
def test_published_values(function, ticket, buckets, bucket):
    assert function(ticket, buckets) == bucket


@pytest.mark.parametrize("kind", [plain.JumpBuckets, JumpBuckets])
@pytest.mark.parametrize(("ticket", "buckets", "bucket"), VECTORS)
def test_structures_and_pickers_give_the_published_values(kind, ticket, buckets, bucket):
    assert kind(np.ones(buckets, dtype=bool)).slot(ticket) == bucket
    picker = lb.Jump().build([f"b{i}" for i in range(buckets)])
    assert picker.slot(ticket) == bucket
    assert picker.pick_many(np.array([ticket], dtype=np.uint64)).tolist() == [bucket]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_peer_package_agrees(function):
    tickets = [*np.random.default_rng(7).integers(0, 2**64, 400, dtype=np.uint64).tolist(), 0, 2**63, 2**64 - 1]
    for buckets in (1, 2, 3, 10, 57, 1000, 65536, 2**31 - 1):
        assert [function(t, buckets) for t in tickets] == [peer.hash(t, buckets) for t in tickets]
