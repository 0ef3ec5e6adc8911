"""Plain twin of `lbalgo.kernels.rendezvous`: the exponential race, every score computed, and its own logarithm."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.reference.hashing import WORD
from lbalgo.reference.structure import Structure
from lbalgo.spec import check_integer

LN2_HIGH, LN2_LOW = 97551793252583 * 2.0**-47, 5.2412386838766985e-15  # their sum is ln 2 to 2**-100
FAR = -900  # binades below the heaviest; below 2**-59 nobody can win, so that anything as small does as well
WIDEST = 1 << 16  # exponents of weight x factor are within +-4300


def neg_log(k: int) -> float:
    """-ln((k + 1/2) * 2**-52) for k in [0, 2**52); the same bits on every machine."""
    odd = 2 * check_integer("k", k, low=0, high=2**52 - 1) + 1
    binades = odd.bit_length() - 1
    m, c = odd / (1 << binades), 53 - binades
    if m >= 1.4142135623730951:
        m, c = m / 2, c - 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    zz, a, b = z * z, 0.0, 0.0
    for j in range(19, 2, -4):
        a = 2.0 / j + zz * a
        b = 2.0 / (j + 2) + zz * b
    r = z * (a + z * b)
    return c * LN2_HIGH - (f - (s * (f - r) + c * LN2_LOW))


def draw(ticket: int, salt: int) -> int:
    """k: the upper 52 bits of mix64(ticket ^ salt) before its last shift, which is for the lower ones."""
    x = ticket ^ salt
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB & WORD
    return x >> 12


class RendezvousRace(Structure):
    """Backends in order of id, each with its salt and its weight as mantissa * 2**exponent; the least score wins."""

    __slots__ = ("_racers", "even", "size")

    def __init__(
        self,
        salts: Sequence[int],
        owners: Sequence[int],
        mantissas: Sequence[float],
        exponents: Sequence[int],
        slots: int,
    ) -> None:
        slots = count("slots", slots)
        salt: list[int] = words("salts", salts).tolist()
        owner: list[int] = column("owners", owners, 0, slots - 1, np.int32).tolist()
        power: list[int] = column("exponents", exponents, -WIDEST, WIDEST, np.int64).tolist()
        mantissa = np.array(mantissas, dtype=np.float64)
        if mantissa.ndim != 1 or not ((mantissa >= 0.5) & (mantissa < 1.0)).all():
            raise ConfigError("mantissas", mantissas, "must be in [0.5, 1)")
        if not len(salt) == len(owner) == len(mantissa) == len(power):
            raise ConfigError("salts", salts, "must be as many as owners, mantissas and exponents")
        self._racers = [
            (s, o, m, e, math.ldexp(m, max(e - max(power), FAR)))
            for s, o, m, e in zip(salt, owner, mantissa.tolist(), power, strict=True)
        ]
        self.size = len(self._racers)
        self.slots = slots
        self.even = len({(m, e) for _, _, m, e, _ in self._racers}) == 1

    def lookup(self, ticket: int) -> int:
        """The owner of the least score; ties to the larger u, then to the first id."""
        best, winner = (math.inf, 0), -1
        for salt, owner, _, _, weight in self._racers:
            k = draw(ticket, salt)
            score = (neg_log(k) / weight, -k)
            if score < best:
                best, winner = score, owner
        return winner

    def _walk(self, ticket: int) -> Iterator[int]:
        """Every slot of the race once, by ascending score; O(N) to start, O(log N) a step."""
        order = []
        for rank, (salt, owner, mantissa, exponent, _) in enumerate(self._racers):
            k = draw(ticket, salt)
            score, power = math.frexp(neg_log(k) / mantissa)
            order.append((power - exponent, score, -k, rank, owner))
        heapq.heapify(order)
        while order:
            yield heapq.heappop(order)[-1]
