"""Rendezvous at every SIMD level, against NumPy's: sizes beyond every stretch and tails of every length.

The twins are compared over small pools elsewhere; over large ones the plain twin is too slow to be the judge.
"""

import numpy as np
import pytest

from lbalgo.kernels.rendezvous import RendezvousRace, neg_log
from tests.levels import LEVELS, level
from tests.words import undrawn

STRETCH = 4096  # places that fit into the bits below a draw
GROUP = 8  # salts that share one, where they are many
SIZES = (1, *range(7, 10), *range(15, 18), *range(127, 130), 135, 136, *range(4095, 4098))
LARGE = (8200, 32_767, 32_769, 65_535, 65_537, 70_003)


def mixed(z):
    """SplitMix64's finaliser of an array."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def first(salts, weights, tickets):
    """Who wins each, by every score; ties to the larger draw, then to the first."""
    winners = []
    for ticket in tickets:
        draws = mixed(salts ^ ticket) >> np.uint64(12)
        if (weights == weights[0]).all():
            winners.append(int(draws.argmax()))
            continue
        near = np.argsort((2.0**52 - 0.5 - draws.astype(np.float64)) / weights)[:64]  # and the exact scores of these
        winners.append(int(min(near, key=lambda j: (neg_log(int(draws[j])) / weights[j], -int(draws[j]), j))))
    return winners


def race(salts, weights):
    mantissas, exponents = np.frexp(weights)
    return RendezvousRace(salts, np.arange(len(salts)), mantissas, exponents.astype(np.int64), len(salts))


def check(salts, weights, tickets):
    structure, expected = race(salts, weights), first(salts, weights, tickets)
    out = np.full(len(tickets) + 1, -7, np.int32)
    structure.slot_many(tickets, out[:-1])
    assert out.tolist() == [*expected, -7]
    assert [structure.slot(ticket) for ticket in tickets.tolist()] == expected


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("even", [True, False], ids=["even", "weighted"])
@pytest.mark.parametrize("n", SIZES + LARGE)
def test_pools_of_every_size(name, even, n):
    rng = np.random.default_rng(n)
    salts = rng.integers(0, 2**64, n, dtype=np.uint64)
    weights = np.ones(n) if even else rng.integers(1, 4, n).astype(np.float64)
    with level(name):
        check(salts, weights, rng.integers(0, 2**64, 37 if n < 5000 else 19, dtype=np.uint64))


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("even", [True, False], ids=["even", "weighted"])
@pytest.mark.parametrize("size", [21, 133])
def test_batches_of_every_length(name, even, size):
    rng = np.random.default_rng(5)
    salts, tickets = (rng.integers(0, 2**64, n, dtype=np.uint64) for n in (size, 80))
    weights = np.ones(size) if even else rng.integers(1, 4, size).astype(np.float64)
    with level(name):
        for n in range(70):
            check(salts, weights, tickets[n % 5 : n % 5 + n])


@pytest.mark.parametrize("name", LEVELS)
def test_the_place_of_the_winner_is_any(name):
    """One salt draws the most there is, wherever it stands: in any lane, in a tail, in a later stretch."""
    rng, ticket = np.random.default_rng(6), 0xABCDEF0123456789
    salts = mixed(rng.integers(0, 2**63, GROUP * STRETCH + 21, dtype=np.uint64))
    best = np.uint64(undrawn(2**64 - 1) ^ ticket)
    tickets = np.full(33, ticket, np.uint64)
    with level(name):
        for at in (
            0,
            1,
            7,
            8,
            4087,
            4088,
            4095,
            4096,
            4097,
            4103,
            4104,
            32_759,
            32_767,
            32_768,
            32_783,
            32_784,
            32_788,
        ):
            given = salts.copy()
            given[at] = best
            out = np.empty(33, np.int32)
            structure = race(given, np.ones(len(given)))
            structure.slot_many(tickets, out)
            assert set(out.tolist()) == {structure.slot(ticket)} == {at}


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("draw", [0, 1, 2**52 - 1])
@pytest.mark.parametrize("n", [2, 33, 131, STRETCH, STRETCH + 1, 2 * STRETCH + 5, GROUP * STRETCH + 5])
def test_all_tie_and_the_first_wins(name, draw, n):
    """Also where all draw 0, the least there is, in the last place of a stretch too."""
    ticket = 12345
    salts = np.array([undrawn(draw << 12 | (j & 4095)) ^ ticket for j in range(n)], np.uint64)
    structure, out = race(salts, np.ones(n)), np.empty(35, np.int32)
    with level(name):
        structure.slot_many(np.full(35, ticket, np.uint64), out)
        assert set(out.tolist()) == {structure.slot(ticket)} == {0}
