"""The `random()` of the GNU C library, from which several real systems draw: an additive feedback generator.

Thirty-one words are seeded by the minimal standard generator x -> 16807 x mod (2**31 - 1); from then on each word is
the sum, modulo 2**32, of the words 31 and 3 places back. The first 310 sums are thrown away; a draw is a sum without
its lowest bit, 31 bits.

Costs: a draw O(1), a seed 344 steps; memory 31 words.
Source: the C library's documented default state of 128 bytes (type 3, degree 31, separation 3).
"""

from __future__ import annotations

from collections import deque

from lbalgo.spec import check_integer

DEGREE, SEPARATION, DISCARDED = 31, 3, 310
MULTIPLIER, MODULUS, QUOTIENT, REMAINDER = 16807, 2**31 - 1, 127773, 2836


class GlibcRandom:
    """The sequence of `random()` after `srandom(seed)`.

    Parameters
    ----------
    seed : in [0, 2**32); a program that never seeds has 1, and 0 means 1.

    Raises
    ------
    ConfigError : the seed is no such integer.

    Examples
    --------
    >>> draws = GlibcRandom(1)
    >>> draws(), draws(), draws()
    (1804289383, 846930886, 1681692777)
    """

    def __init__(self, seed: int = 1) -> None:
        word = check_integer("seed", seed, low=0, high=2**32 - 1) or 1
        word -= (word >> 31) << 32  # the library keeps it in a signed word
        words = [word]
        for _ in range(DEGREE - 1):
            high = abs(word) // QUOTIENT * (-1 if word < 0 else 1)  # division as C has it, towards 0
            word = MULTIPLIER * (word - high * QUOTIENT) - REMAINDER * high
            word += MODULUS if word < 0 else 0
            words.append(word)
        self._words = deque((w & 0xFFFFFFFF for w in words), DEGREE)
        for _ in range(SEPARATION):
            self._words.append(self._words[0])
        for _ in range(DISCARDED):
            self()

    def __call__(self) -> int:
        """The next draw, in [0, 2**31)."""
        word = (self._words[0] + self._words[DEGREE - SEPARATION]) & 0xFFFFFFFF
        self._words.append(word)
        return word >> 1
