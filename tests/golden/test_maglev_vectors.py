"""The Maglev paper's Table 1 and Envoy's published tables, through the same fill as the native rule."""

import numpy as np
import pytest
import xxhash

import lbalgo.reference.maglev as plain
from lbalgo.active import maglev_fill

FILLS = [plain.fill, maglev_fill]


@pytest.mark.parametrize("fill", FILLS)
def test_paper_table_1(fill):
    offset, skip = [3, 0, 3], [4, 2, 1]
    assert list(fill([0, 1, 2], offset, skip, 7)) == [1, 0, 1, 0, 2, 2, 0]
    assert list(fill([0, 2], offset, skip, 7)) == [0, 0, 0, 0, 2, 2, 2]


def envoy(fill, keys, size, turns=None):
    """Envoy: hosts sorted by key, offset by XXH64 seed 0, skip by seed 1."""
    offset = [xxhash.xxh64_intdigest(k.encode(), 0) % size for k in keys]
    skip = [xxhash.xxh64_intdigest(k.encode(), 1) % (size - 1) + 1 for k in keys]
    return np.asarray(fill(turns or list(range(len(keys))), offset, skip, size))


@pytest.mark.parametrize("fill", FILLS)
def test_envoy_addresses(fill):
    table = envoy(fill, [f"127.0.0.1:{p}" for p in range(90, 96)], 7)
    assert (table + 90).tolist() == [92, 94, 90, 91, 95, 90, 93]


@pytest.mark.parametrize("fill", FILLS)
def test_envoy_hostnames(fill):
    assert (envoy(fill, [str(p) for p in range(90, 96)], 7) + 90).tolist() == [92, 95, 90, 93, 94, 91, 90]


@pytest.mark.parametrize("fill", FILLS)
def test_envoy_weights(fill):
    """Weights 1 and 2: Envoy's turn rule gives turns 0 1 1, repeated."""
    target, turns = [0.0, 0.0], []
    for iteration in range(1, 30):
        for i, w in enumerate((1 / 3, 2 / 3)):
            if iteration * w >= target[i]:
                turns.append(i)
                target[i] += 2 / 3
    table = envoy(fill, ["127.0.0.1:90", "127.0.0.1:91"], 17, turns)
    assert table.tolist() == [1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1]
