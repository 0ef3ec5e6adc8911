"""Tables divide by multiplying: exact for every ticket, above all where a quotient steps, scalar and in bulk."""

import random

import numpy as np
import pytest

from tests.both import both

SIZES = [1, 2, 3, 5, 7, 64, 65, 1000, 65537, 65538]
LAST = 2**64 - 1


def edges(size):
    """Tickets beside multiples of the size, the first and the last of them, and others."""
    draw = random.Random(size)
    quotients = [0, 1, LAST // size, *(draw.randrange(LAST // size + 1) for _ in range(300))]
    tickets = [q * size + d for q in quotients for d in (-1, 0, 1)] + [draw.getrandbits(64) for _ in range(300)]
    return [ticket for ticket in [*tickets, 2**63 - 1, 2**63, LAST - 1, LAST] if 0 <= ticket <= LAST]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["period", "maglev"])
def test_a_position_is_the_remainder(name, size):
    tickets = edges(size)
    for module in both(name):
        places = np.arange(size, dtype=np.int32)
        table = module.Period(places, size) if name == "period" else module.MaglevTable(places, np.arange(size))
        out = np.empty(len(tickets), np.int32)
        table.slot_many(np.array(tickets, np.uint64), out)
        expected = [ticket % size for ticket in tickets]
        assert out.tolist() == expected
        assert [table.slot(ticket) for ticket in tickets] == expected
        assert [next(table.walk(ticket)) for ticket in tickets[:50]] == expected[:50]


@pytest.mark.parametrize("size", SIZES[:8])
def test_a_generation_is_the_quotient(size):
    draw = random.Random(size)
    strides = [65535, *(draw.randint(1, 65535) for _ in range(size - 1))]
    tickets = edges(size)
    said = []
    for module in both("stride"):
        table = module.Stride(np.arange(size), strides, size)
        said.append([(table.slot(ticket), next(table.walk(ticket))) for ticket in tickets])
    assert all(answers == said[0] for answers in said)
    assert all(slot == head for slot, head in said[0])
