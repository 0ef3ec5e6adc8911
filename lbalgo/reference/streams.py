"""`Stream`: random numbers that belong to one purpose.

A stream is SplitMix64 whose start is a hash of a seed and of what the numbers are for: when requests arrive, how much
work they are, who sends them. So two studies with one seed see the same arrivals and the same work whatever else is
different between them, and drawing more of one thing never shifts another.

Words, uniform and exponential numbers have the same bits everywhere; normal ones take the C library's logarithm.

This one text is both twins, as in `lbalgo.reference.pickers`; types are in `kernels/streams.pxd`.

Costs: 2 ns a word, 1 to 5 ns an exponential by SIMD level, compiled; memory 8 bytes a stream.
Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; Marsaglia and Bray, "A
convenient method for generating normal variables", SIAM Review 6 (1964).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lbalgo.columns import word
from lbalgo.spec import check_integer

try:  # the compiler needs to see this import; at run time nobody needs Cython installed
    import cython
except ModuleNotFoundError:
    from lbalgo.reference import shadow as cython

if not cython.compiled:
    from math import log, sqrt

    from lbalgo.reference.hashing import GAMMA, WORD, mix64
    from lbalgo.reference.rendezvous import neg_log

if TYPE_CHECKING:
    from lbalgo.types import F64, U64

UNIT = 2.0**-53


class Stream:
    """A sequence of random numbers, the same for the same seed and purpose.

    Parameters
    ----------
    seed : an int in [0, 2**64).
    purpose : what the numbers are for, an int in [0, 2**64).

    Raises
    ------
    ConfigError, TypeError : they are something else.
    """

    def __init__(self, seed: int, purpose: int = 0) -> None:
        self.state = mix64((mix64(word("seed", seed)) + word("purpose", purpose)) & WORD)

    def next(self) -> int:
        """The next 64 bits."""
        self.state = (self.state + GAMMA) & WORD
        return mix64(self.state)

    def uniform(self) -> float:
        """A number in [0, 1), a multiple of 2**-53."""
        return (self.next() >> 11) * UNIT

    def words(self, n: int) -> U64:
        """So many times 64 bits."""
        out = np.empty(check_integer("n", n, low=0), np.uint64)
        self._words(out)
        return out

    def uniforms(self, n: int) -> F64:
        """So many numbers in [0, 1)."""
        out = np.empty(check_integer("n", n, low=0))
        self._uniforms(out)
        return out

    def exponentials(self, n: int) -> F64:
        """So many numbers > 0 of mean 1, exponentially distributed."""
        out = np.empty(check_integer("n", n, low=0))
        self._exponentials(out)
        return out

    def normals(self, n: int) -> F64:
        """So many numbers of mean 0 and variance 1, normally distributed."""
        out = np.empty(check_integer("n", n, low=0))
        self._normals(out)
        return out

    def _words(self, out: Any) -> None:
        for i in range(len(out)):
            out[i] = self.next()

    def _uniforms(self, out: Any) -> None:
        for i in range(len(out)):
            out[i] = self.uniform()

    def _exponentials(self, out: Any) -> None:
        if cython.compiled:
            if len(out):
                neg_logs(self.state, cython.address(out[0]), len(out))  # type: ignore[name-defined]  # noqa: F821
            self.state = (self.state + len(out) * GAMMA) & WORD
        else:
            for i in range(len(out)):
                out[i] = neg_log(self.next() >> 12)

    def _normals(self, out: Any) -> None:
        for i in range(len(out)):
            while True:
                x = 2.0 * self.uniform() - 1.0
                y = 2.0 * self.uniform() - 1.0
                square = x * x + y * y
                if 0.0 < square < 1.0:
                    break
            out[i] = x * sqrt(-2.0 * log(square) / square)

    def __repr__(self) -> str:
        return f"<Stream at {self.state:#x}>"
