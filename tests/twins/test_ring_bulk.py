"""Rings in bulk: block by block, each ticket has the slot it has alone, whichever of the two steps decides it."""

import numpy as np
import pytest

from lbalgo.kernels.ring import Ring

WIDE = 2**64
RINGS = {
    "one point": [5],
    "uniform": np.random.default_rng(1).integers(0, WIDE, 3000, dtype=np.uint64).tolist(),
    "clumped": [2**63 + 3 * i for i in range(500)] + [1, WIDE - 1],  # one cell has nearly all: halving
    "pairs": sorted({x + d for x in range(0, WIDE, WIDE // 64) for d in (0, 1)}),  # two edges of equal upper bits
}


@pytest.mark.parametrize("nearest", [False, True], ids=["successor", "nearest"])
@pytest.mark.parametrize("name", RINGS)
def test_batches_of_every_length(name, nearest):
    points = RINGS[name]
    ring = Ring(points, np.arange(len(points)) % 7, 7, nearest)
    near = [(p + d) % WIDE for p in points[:60] for d in (-1, 0, 1)]
    tickets = np.array(near + np.random.default_rng(2).integers(0, WIDE, 200, dtype=np.uint64).tolist(), np.uint64)
    tickets = np.random.default_rng(3).permutation(tickets)
    expected = [ring.slot(ticket) for ticket in tickets.tolist()]
    for n in range(len(tickets)):
        out = np.full(n + 2, -7, np.int32)
        ring.slot_many(tickets[:n], out[1:-1])
        assert out.tolist() == [-7, *expected[:n], -7]


@pytest.mark.parametrize("name", RINGS)
def test_a_batch_against_a_search(name):
    points = np.array(sorted(RINGS[name]), np.uint64)
    tickets = np.random.default_rng(4).integers(0, WIDE, 20_000, dtype=np.uint64)
    out = np.empty(20_000, np.int32)
    Ring(points, np.arange(len(points)), len(points)).slot_many(tickets, out)
    assert (out == np.searchsorted(points, tickets) % len(points)).all()
