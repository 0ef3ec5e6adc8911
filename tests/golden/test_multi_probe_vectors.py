"""All 6000 answers of go-mpchash's compatibility test, which lists them in `testdata/compat.out`.

Nodes and keys are "shard-1" to "shard-6000". A node's point is its SipHash-2-4 under the key (0, 0); a key's probes are
h1 + i * h2, i = 0 to 20, its hashes under (1, 0) and (2, 0). The file is kept here as its SHA-256.
"""

import hashlib

import numpy as np
import pytest

from lbalgo.active import siphash24
from tests.both import BUILT, both

FIRST = ["shard-1389", "shard-4257", "shard-4744", "shard-4613", "shard-3027"]
PART = "65d3286fe4eeb0d562f43b897f29600c9fcee7f294d4799875c79efe85f39177"  # of the first 200 lines
WHOLE = "edbb00a17f56bd0d9360a0e030747be0f973b9dcc447e9bc9fb7d66534102d3c"
NAMES = [f"shard-{i}".encode() for i in range(1, 6001)]
POINTS = np.array([siphash24(name, 0, 0) for name in NAMES], dtype=np.uint64)


def probes(name):
    return [(siphash24(name, 1, 0) + i * siphash24(name, 2, 0)) % 2**64 for i in range(21)]


@pytest.mark.parametrize("module", both("probed_ring"))
def test_the_first(module):
    ring = module.ProbedRing(POINTS, np.arange(6000), 6000, 21)
    assert [NAMES[ring.nearest(probes(name))].decode() for name in NAMES[:5]] == FIRST


def test_the_file():
    """All of it by the compiled twin; by the plain one, which takes minutes for that, its first 200 lines."""
    ring = both("probed_ring")[-1].ProbedRing(POINTS, np.arange(6000), 6000, 21)
    names, digest = (NAMES, WHOLE) if BUILT else (NAMES[:200], PART)
    lines = "".join(f"{NAMES[ring.nearest(probes(name))].decode()}\n" for name in names)
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
