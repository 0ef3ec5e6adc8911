"""Where machines draw random numbers of 31 bits from: lbalgo's own words, or a real library's `random()`.

A real system's random decisions can be told only if its generator and its seed are known. Where they are, a policy's
`srandom` names the seed; where not, the draws come from lbalgo's 64-bit words, which a balancer seeds.

Costs: a draw O(1); the additive generators take 31 words, and some hundred steps when they are seeded.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from lbalgo.active import mix64
from lbalgo.columns import WORD
from lbalgo.reference.hashing import GAMMA
from lbalgo.spec import check_integer

DEGREE, SEPARATION, DISCARDED = 31, 3, 310
MULTIPLIER, MODULUS = 16807, 2**31 - 1


class Draws(Protocol):
    """A generator of integers in [0, 2**31)."""

    def __call__(self) -> int:
        """The next draw."""
        ...


class WordDraws:
    """The upper 31 bits of lbalgo's generator (SplitMix64), the same that draws for pickers without a key.

    Parameters
    ----------
    seed : state to start from, in [0, 2**64).

    Examples
    --------
    >>> draws = WordDraws(1)
    >>> draws(), draws()
    (1216681718, 1601554128)
    """

    def __init__(self, seed: int = 0) -> None:
        self.state = check_integer("seed", seed, low=0, high=WORD)

    def __call__(self) -> int:
        """The next draw, in [0, 2**31)."""
        self.state = (self.state + GAMMA) & WORD
        return mix64(self.state) >> 33


class FreeBSDRandom:
    """The sequence of FreeBSD's `random()` after `srandom(seed)`, which Varnish carries as its testable generator.

    Thirty-one words are seeded by x -> (16807 (x mod (2**31 - 2) + 1) mod (2**31 - 1)) - 1, which is the minimal
    standard generator on 1 to 2**31 - 2 shifted to begin at 0. From then on each word is the sum, modulo 2**32, of the
    words 31 and 3 places back; the first 310 sums are thrown away; a draw is a sum without its lowest bit.

    Parameters
    ----------
    seed : in [0, 2**32).

    Raises
    ------
    ConfigError : the seed is no such integer.

    Source: FreeBSD random(3): TYPE_3, degree 31, separation 3.

    Examples
    --------
    >>> draws = FreeBSDRandom(42)
    >>> draws(), draws()
    (745791173, 418148062)
    """

    def __init__(self, seed: int = 1) -> None:
        words = [check_integer("seed", seed, low=0, high=2**32 - 1)]
        for _ in range(DEGREE - 1):
            words.append(MULTIPLIER * (words[-1] % (MODULUS - 1) + 1) % MODULUS - 1)
        # the sums begin at word 3, to which word 0 is added: the one 31 places back is word 3 itself
        self._words = deque(words[SEPARATION:] + words[:SEPARATION], DEGREE)
        for _ in range(DISCARDED):
            self()

    def __call__(self) -> int:
        """The next draw, in [0, 2**31)."""
        word = (self._words[0] + self._words[DEGREE - SEPARATION]) & 0xFFFFFFFF
        self._words.append(word)
        return word >> 1
