"""Jump, one ticket and in bulk: every SIMD level gives what the plain function gives."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lbalgo.reference.jump as plain
from lbalgo.kernels.jump import JumpBuckets, jump
from tests.levels import LEVELS, at_every_level, lanes, level

FACTOR, TERM = 2862933555777941757, 1  # of the keys
BUCKETS = st.one_of(st.integers(1, 12), st.integers(1, 2000), st.sampled_from([65535, 65536, 65537, 200_003]))
TICKETS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**63, 2**64 - 1]))


def slots(structure, tickets):
    """As `slot_many` finds them, into the middle of an array that must stay as it is around them."""
    out = np.full(len(tickets) + 2, -7, np.int32)
    structure.slot_many(tickets, out[1:-1])
    assert out[0] == out[-1] == -7
    return out[1:-1].tolist()


def before(key, jumps):
    """The ticket whose key is this one after so many jumps."""
    for _ in range(jumps):
        key = (key - TERM) * pow(FACTOR, -1, 2**64) % 2**64
    return key


WHOLE = st.builds(  # a factor is a power of two, and so a product whole: what is rounded must not change it
    lambda power, low, jumps: before(((1 << power) - 1) << 33 | low, jumps),
    st.integers(0, 31),
    st.integers(0, 2**33 - 1),
    st.integers(1, 9),
)
EDGES = st.sampled_from([25, 26, 400, 401, 2**31 - 1])  # of who is asked how early, and the most


@given(TICKETS | WHOLE, BUCKETS | EDGES)
@example(2**64 - 1, 1)
@example(before(0, 1), 2**31 - 1)
@example(before((2**31 - 1) << 33, 1), 2**31 - 1)
def test_one_ticket_jumps_alike(ticket, buckets):
    expected = plain.jump(ticket, buckets)
    assert at_every_level(lambda: jump(ticket, buckets)) == [expected] * len(lanes.levels())


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("buckets", [1, 2, 25, 26, 400, 401, 100_000, 2**31 - 1])
def test_many_tickets_one_by_one(name, buckets):
    tickets = np.random.default_rng(buckets).integers(0, 2**64, 3000, dtype=np.uint64).tolist()
    with level(name):
        assert [jump(ticket, buckets) for ticket in tickets] == [plain.jump(ticket, buckets) for ticket in tickets]


@given(st.lists(TICKETS, max_size=140), BUCKETS)
@example([], 5)
@example([2**64 - 1], 1)
@example(list(range(33)), 65537)
def test_every_level_jumps_alike(tickets, buckets):
    whole = JumpBuckets(np.ones(buckets, bool))
    expected = [plain.jump(ticket, buckets) for ticket in tickets]
    for found in at_every_level(lambda: slots(whole, np.array(tickets, np.uint64))):
        assert found == expected


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("buckets", [1, 2, 3, 1000, 65536, 70_000])
def test_tails_of_every_length_and_arrays_that_start_anywhere(name, buckets):
    """No length is a multiple of all widths of blocks, and no element but the first need be aligned to a vector."""
    tickets = np.random.default_rng(buckets).integers(0, 2**64, 200, dtype=np.uint64)
    expected = [plain.jump(ticket, buckets) for ticket in tickets.tolist()]
    structure = JumpBuckets(np.ones(buckets, bool))
    with level(name):
        for n in range(100):
            assert slots(structure, tickets[n % 7 : n % 7 + n]) == expected[n % 7 : n % 7 + n]
        assert slots(structure, tickets) == expected


@pytest.mark.parametrize("name", LEVELS)
def test_many_tickets_of_few_buckets(name):
    """100 000 of them: places in doubles round where a place in an integer does not, if ever."""
    tickets = np.random.default_rng(7).integers(0, 2**64, 100_000, dtype=np.uint64)
    for buckets in (2, 100, 65537):
        structure = JumpBuckets(np.ones(buckets, bool))
        with level(name):
            assert slots(structure, tickets) == [structure.slot(ticket) for ticket in tickets.tolist()]


QUOTIENTS = """
#include "jump_lanes.h"
#if LANES_X86
LANES_IN_AVX512 static int wrong(uint64_t first, uint64_t n) {
    int found = 0;
    for (uint64_t x = first; x < first + n; x += 8) {
        double factors[8];
        uint64_t keys[8];
        for (int i = 0; i < 8; i++) keys[i] = (x + i - 1) << 33 | (x * 2654435761u & 0x1FFFFFFFFu);
        _mm512_storeu_pd(factors, jump_factors_of_8(_mm512_loadu_si512(keys)));
        for (int i = 0; i < 8; i++) found += factors[i] != 2147483648.0 / (double)(int64_t)(x + i);
    }
    return found;
}
int quotients(uint64_t first, uint64_t n) { return wrong(first, n); }
#endif
"""


@pytest.mark.skipif("avx512" not in lanes.levels(), reason="this processor has no such level")
@pytest.mark.parametrize("first", [1, 2**24 + 1, 2**30 + 1, 2**31 - 2**22 + 1])
def test_factors_without_a_division_are_its_quotients(tmp_path, first):
    """A thousandth of them are wrong where the last correction is left out, and hardly any bucket."""
    source, target = tmp_path / "quotients.c", tmp_path / "quotients.so"
    source.write_text(QUOTIENTS)
    headers = Path(__file__).parents[2] / "lbalgo" / "kernels"
    made = ["cc", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-I", str(headers), "-o", str(target), str(source)]
    subprocess.run(made, check=True)
    quotients = ctypes.CDLL(str(target)).quotients
    quotients.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
    assert quotients(first, 2**22) == 0


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.lists(TICKETS, max_size=70))
def test_closed_buckets_at_every_level(mask, tickets):
    fast, slow = JumpBuckets(np.array(mask)), plain.JumpBuckets(mask)
    expected = [slow.slot(ticket) for ticket in tickets]
    for found in at_every_level(lambda: slots(fast, np.array(tickets, np.uint64))):
        assert found == expected
