"""Published values of the jump function, and the answers of a peer package, through both twins."""

import hashlib
import struct

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


TICKETS = [*np.random.default_rng(7).integers(0, 2**64, 400, dtype=np.uint64).tolist(), 0, 2**63, 2**64 - 1]
PEER = {  # buckets: first half of SHA-256 over jump-consistent-hash 3.6.0's answers to TICKETS, as little-endian int32
    1: "518b7b737f21597acd7af18f1641a2c9",
    2: "d4838d175f7cc33ddfdbcd5793a0203f",
    3: "530dc10a32619d290c4915507a99a62a",
    10: "40ada87f8b8d2f18d4124a947a117e4c",
    57: "080a5e3c1524b908cbf9a4f69c2d92e3",
    1000: "5f9ee92a5efa369740523b42bfe34bcf",
    65536: "6febeb05b40b0713962296bed85d5106",
    2147483647: "c6e31f5d1bfcd33065d23bbafbe6d05d",
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("buckets", PEER)
def test_the_peer_package_agrees(function, buckets):
    answers = struct.pack(f"<{len(TICKETS)}i", *(function(t, buckets) for t in TICKETS))
    assert hashlib.sha256(answers).hexdigest()[:32] == PEER[buckets]
