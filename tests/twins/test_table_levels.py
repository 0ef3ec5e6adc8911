"""Maglev's lookup in bulk: every SIMD level reads the entry at ticket mod size, at any size and for any ticket."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbalgo.kernels.maglev import MaglevTable
from tests.levels import LEVELS, at_every_level, level
from tests.twins.test_division import edges

LAST = 2**64 - 1
BOUNDARIES = [2**14 - 1, 2**14, 65537, 655373, 2**22, 2**22 + 1]  # of the ways to a remainder, and what is built


def table(size, slots):
    """Entries that tell positions apart as well as so many slots can; at 0 it is not what memory beyond would hold."""
    return MaglevTable(((np.arange(size) + 1) % slots).astype(np.int32), np.zeros(slots, np.uint64))


def slots_of(structure, tickets):
    out = np.full(len(tickets) + 1, -7, np.int32)
    structure.slot_many(tickets, out[:-1])
    assert out[-1] == -7
    return out[:-1].tolist()


@given(
    st.lists(st.integers(0, LAST) | st.sampled_from([0, 2**40 - 1, 2**40, 2**63, LAST]), max_size=200),
    st.one_of(st.integers(1, 100), st.integers(1, 70_000)),
    st.sampled_from([3, 256, 257, 65_521, 65_536, 65_537]),
)
@example([], 7, 3)
@example([LAST] * 64, 1, 3)
def test_every_level_reads_the_same_entries(tickets, size, slots):
    structure, expected = table(size, slots), [(ticket % size + 1) % slots for ticket in tickets]
    for found in at_every_level(lambda: slots_of(structure, np.array(tickets, np.uint64))):
        assert found == expected


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("slots", [251, 65_536, 65_537], ids=["small", "narrow", "wide"])
@pytest.mark.parametrize("size", [1, 2, 3, 49, 64, 257, 5003, *BOUNDARIES])
def test_tickets_beside_multiples_of_the_size(name, slots, size):
    """Where a quotient steps, the last of them included, whose products are the largest; 49 * (1 / 49) is below 1."""
    tickets = edges(size)
    tickets += [q * size + d for q in range(LAST // size - 40, LAST // size + 1) for d in (0, size - 1)]
    tickets = [ticket for ticket in tickets if ticket <= LAST]
    with level(name):
        assert slots_of(table(size, slots), np.array(tickets, np.uint64)) == [(t % size + 1) % slots for t in tickets]


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("size", BOUNDARIES)
def test_many_tickets_of_any_kind(name, size):
    tickets = np.random.default_rng(size).integers(0, 2**64, 200_000, dtype=np.uint64)
    with level(name):
        found = np.array(slots_of(table(size, 65_537), tickets))
    assert (found == (tickets % np.uint64(size) + np.uint64(1)) % np.uint64(65_537)).all()


@pytest.mark.parametrize("name", LEVELS)
def test_batches_of_every_length(name):
    tickets = np.random.default_rng(3).integers(0, 2**64, 300, dtype=np.uint64)
    for slots in (256, 257, 65_537):
        structure = table(65537, slots)
        with level(name):
            for n in range(200):
                given = tickets[n % 9 : n % 9 + n]
                assert slots_of(structure, given) == [(t % 65537 + 1) % slots for t in given.tolist()]
