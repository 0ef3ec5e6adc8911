"""Plain twin of `lbalgo.kernels.rendezvous`: the exponential race, every score computed, and its own logarithm."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

from lbalgo.reference.hashing import mix64
from lbalgo.reference.structure import Structure

LN2_HIGH, LN2_LOW = 97551793252583 * 2.0**-47, 5.2412386838766985e-15  # their sum is ln 2 to 2**-100
FAR = -900  # binades below the heaviest; below 2**-59 nobody can win, so that anything as small does as well


def neg_log(k: int) -> float:
    """-ln((k + 1/2) * 2**-52) for k in [0, 2**52); the same bits on every machine."""
    odd = 2 * k + 1
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
        top = max(int(e) for e in exponents)
        self._racers = [
            (int(salt), int(owner), float(m), int(e), math.ldexp(m, max(int(e) - top, FAR)))
            for salt, owner, m, e in zip(salts, owners, mantissas, exponents, strict=True)
        ]
        self.size = len(self._racers)
        self.slots = slots
        self.even = len({(m, e) for _, _, m, e, _ in self._racers}) == 1

    def lookup(self, ticket: int) -> int:
        """The owner of the least score; ties to the larger u, then to the first id."""
        best, winner = (math.inf, 0), -1
        for salt, owner, _, _, weight in self._racers:
            k = mix64(ticket ^ salt) >> 12
            score = (neg_log(k) / weight, -k)
            if score < best:
                best, winner = score, owner
        return winner

    def walk(self, ticket: int) -> Iterator[int]:
        """Every slot of the race once, by ascending score; O(N) to start, O(log N) a step."""
        order = []
        for rank, (salt, owner, mantissa, exponent, _) in enumerate(self._racers):
            k = mix64(ticket ^ salt) >> 12
            score, power = math.frexp(neg_log(k) / mantissa)
            order.append((power - exponent, score, -k, rank, owner))
        heapq.heapify(order)
        while order:
            yield heapq.heappop(order)[-1]
