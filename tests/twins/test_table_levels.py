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


def slots_of(structure, tickets, at=16):
    """The slots, written where they belong and nowhere else: from number `at` on of an array that is longer."""
    out = np.full(at + len(tickets) + 16, -7, np.int32)
    structure.slot_many(tickets, out[at:-16])
    assert (out[:at] == -7).all()
    assert (out[-16:] == -7).all()
    return out[at:-16].tolist()


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
@pytest.mark.parametrize("slots", [251, 1000, 65_537])
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
    tickets = np.random.default_rng(3).integers(0, 2**64, 400, dtype=np.uint64)
    for slots in (256, 257, 65_537):
        structure = table(65537, slots)
        with level(name):
            for n in range(350):
                given = tickets[n % 9 : n % 9 + n]
                assert slots_of(structure, given, n % 16) == [(t % 65537 + 1) % slots for t in given.tolist()]


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("n", [63, 64, 79, 80, 127, 128, 143, 144, 160, 300])
def test_arrays_that_begin_anywhere_in_a_cache_line(name, n):
    tickets = np.random.default_rng(n).integers(0, 2**64, n + 8, dtype=np.uint64)
    structure = table(65537, 1000)
    expected = [(t % 65537 + 1) % 1000 for t in tickets.tolist()]
    with level(name):
        for skipped in range(8):
            for at in range(16):
                assert slots_of(structure, tickets[skipped : skipped + n], at) == expected[skipped : skipped + n]


@pytest.mark.parametrize("slots", sorted({2**k + d for k in range(21) for d in (0, 1)}))
@pytest.mark.parametrize("size", [2, 16411])
def test_entries_of_every_width(size, slots):
    """On both sides of a power of two, beyond which they are a bit wider; the greatest entry beside any other."""
    entries = np.random.default_rng(slots).integers(0, slots, size).astype(np.int32)
    entries[::2], entries[-2:] = slots - 1, [0, slots - 1]
    structure, positions = MaglevTable(entries, np.zeros(slots, np.uint64)), np.arange(size, dtype=np.uint64)
    for found in at_every_level(lambda: slots_of(structure, positions)):
        assert found == entries.tolist()
    assert [structure.slot(p) for p in range(0, size, 7)] == entries[::7].tolist()


@pytest.mark.parametrize("slots", [2**25, 2**26 + 1])
def test_the_widest_entries(slots):
    """25 bits lie in four bytes wherever they begin, 27 do not; more than 25 are made 32."""
    entries = (np.arange(20_011) * 7919 % slots).astype(np.int32)
    entries[::3] = slots - 1
    structure, positions = MaglevTable(entries, np.zeros(slots, np.uint64)), np.arange(len(entries), dtype=np.uint64)
    for found in at_every_level(lambda: slots_of(structure, positions)):
        assert found == entries.tolist()
    assert [structure.slot(p) for p in range(64)] == entries[:64].tolist()


def test_places_beyond_what_the_lanes_hold():
    """More than 2**32 bits of entries: the last positions are found one by one."""
    size, slots = 253_000_000, 65_537  # half a gigabyte
    entries = np.zeros(size, np.int32)
    entries[-100:] = np.arange(slots - 100, slots)
    structure, positions = (
        MaglevTable(entries, np.zeros(slots, np.uint64)),
        np.arange(size - 200, size, dtype=np.uint64),
    )
    for found in at_every_level(lambda: slots_of(structure, positions)):
        assert found == entries[-200:].tolist()
