# cython: language_level=3
"""Weighted rendezvous as an exponential race: least -ln(u) / w wins, with a logarithm that is the same everywhere.

u = (k + 1/2) * 2**-52, k the upper 52 bits of mix64(ticket ^ salt), a value per (ticket, backend). `c_neg_log` uses
exact steps and IEEE + - * / only, falls strictly from one k to the next, and is never below 1 - u; from this follow

* pruning: a backend whose (1 - u) / w is above the best score so far needs no logarithm. Block by block the least
  (1 - u) / w is scored first, so that few others are; the slack of 2**-50 covers the roundings of both bounds;
* the even race: equal weights compare by k alone, with the same answers.

Equal scores go to the larger k, equal k to the first id, which is the order the backends are given in.
"""
cimport cython
cimport numpy as cnp
from libc.math cimport HUGE_VAL
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

import heapq
import math

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer

from lbalgo.kernels.hashing cimport c_mix64
from lbalgo.kernels.structure cimport Structure

cnp.import_array()

cdef extern from *:
    """
    #define ONE 0x3FF0000000000000ULL
    #define HALF_ROOT 0x3FE6A09E667F3BCDULL
    #define MANTISSA 0xFFFFFFFFFFFFFULL
    """
    const uint64_t ONE, HALF_ROOT, MANTISSA  # bits of 1.0 and of sqrt(1/2)
cdef enum:
    BLOCK = 64
    FAR = -900  # binades below the heaviest; below 2**-59 nobody can win, so that anything as small does as well
    WIDEST = 1 << 16  # exponents of weight x factor are within +-4300


cdef double c_neg_log(uint64_t k) noexcept nogil:
    """-ln((k + 1/2) * 2**-52) for k in [0, 2**52), within 1.75 units in the last place, strictly falling in k.

    m * 2**-c with m in [sqrt(1/2), sqrt(2)) and f = m - 1, s = f / (2 + f): ln m = 2 atanh(s) = f - s * (f - r) with
    r = 2 (s**2/3 + s**4/5 + ...). c * 0.693... is exact in its high part (47 bits).
    """
    cdef double m = <double>(2 * k + 1), f, s, z, zz, r, c
    cdef uint64_t bits
    memcpy(&bits, &m, 8)
    bits += ONE - HALF_ROOT  # carries into the exponent where the mantissa is at least sqrt(2)
    c = <double>(1076 - <int>(bits >> 52))
    bits = (bits & MANTISSA) + HALF_ROOT
    memcpy(&m, &bits, 8)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    zz = z * z
    r = z * ((2.0 / 3 + zz * (2.0 / 7 + zz * (2.0 / 11 + zz * (2.0 / 15 + zz * (2.0 / 19)))))
             + z * (2.0 / 5 + zz * (2.0 / 9 + zz * (2.0 / 13 + zz * (2.0 / 17 + zz * (2.0 / 21))))))
    return c * 0.6931471805599401 - (f - (s * (f - r) + c * 5.2412386838766985e-15))


def neg_log(k):
    """-ln((k + 1/2) * 2**-52) for k in [0, 2**52); the same bits on every machine."""
    return c_neg_log(check_integer("k", k, low=0, high=2**52 - 1))


cdef Py_ssize_t c_first_even(const uint64_t *salts, Py_ssize_t size, uint64_t ticket) noexcept nogil:
    """Who wins among equal weights."""
    cdef Py_ssize_t j, winner = 0
    cdef uint64_t k, better, most = c_mix64(ticket ^ salts[0]) >> 12
    for j in range(1, size):
        k = c_mix64(ticket ^ salts[j]) >> 12
        better = -<uint64_t>(k > most)  # a mask: a branch here would be guessed wrong once or twice a pick
        most ^= (most ^ k) & better
        winner ^= (winner ^ j) & <Py_ssize_t>better
    return winner


cdef Py_ssize_t c_first(const uint64_t *salts, const double *weights, const double *inverses, Py_ssize_t size,
                        uint64_t ticket) noexcept nogil:
    """Who wins; `inverses` are 2**-52 / weights."""
    cdef uint64_t[BLOCK] k
    cdef double[BLOCK] least
    cdef double score, low, best = HUGE_VAL, limit = HUGE_VAL
    cdef uint64_t most = 0
    cdef Py_ssize_t start = 0, winner = 0, step, j, n, lead
    while start < size:
        n = size - start if size - start < BLOCK else BLOCK
        lead, low = 0, HUGE_VAL
        for j in range(n):
            k[j] = c_mix64(ticket ^ salts[start + j]) >> 12
            least[j] = (4503599627370495.5 - <double><int64_t>k[j]) * inverses[start + j]  # (1 - u) / w
            lead ^= (lead ^ j) & -<Py_ssize_t>(least[j] < low)
            low = least[j] if least[j] < low else low
        if low <= limit:
            for step in range(-1, n):
                j = lead if step < 0 else step
                if least[j] > limit:
                    continue
                score = c_neg_log(k[j]) / weights[start + j]
                if score < best or (score == best and (k[j] > most or (k[j] == most and start + j < winner))):
                    best, most, winner = score, k[j], start + j
                    limit = best * (1.0 + 2.0**-50)
        start += BLOCK
    return winner


@cython.final
cdef class RendezvousRace(Structure):
    """Backends in order of id, each with its salt and its weight as mantissa * 2**exponent; the least score wins."""

    def __cinit__(self, salts, owners, mantissas, exponents, slots):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray salt = words("salts", salts)
        cdef cnp.ndarray owner = column("owners", owners, 0, members - 1, np.int32)
        cdef cnp.ndarray mantissa = np.array(mantissas, dtype=np.float64)
        cdef cnp.ndarray power = column("exponents", exponents, -WIDEST, WIDEST, np.int64)
        if mantissa.ndim != 1 or not ((mantissa >= 0.5) & (mantissa < 1.0)).all():
            raise ConfigError("mantissas", mantissas, "must be in [0.5, 1)")
        if not len(salt) == len(owner) == len(mantissa) == len(power):
            raise ConfigError("salts", salts, "must be as many as owners, mantissas and exponents")
        cdef cnp.ndarray weight = np.ldexp(mantissa, np.maximum(power - power.max(), FAR))
        cdef cnp.ndarray inverse = 2.0**-52 / weight
        self.columns = (salt, owner, mantissa, power, weight, inverse)
        self.salts = <const uint64_t *>cnp.PyArray_DATA(salt)
        self.owners = <const int32_t *>cnp.PyArray_DATA(owner)
        self.mantissas = <const double *>cnp.PyArray_DATA(mantissa)
        self.powers = <const int64_t *>cnp.PyArray_DATA(power)
        self.weights = <const double *>cnp.PyArray_DATA(weight)
        self.inverses = <const double *>cnp.PyArray_DATA(inverse)
        self.size = cnp.PyArray_DIM(salt, 0)
        self.slots = members
        self.even = bool((mantissa == mantissa[0]).all() and (power == power[0]).all())

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        if self.even:
            return self.owners[c_first_even(self.salts, self.size, ticket)]
        return self.owners[c_first(self.salts, self.weights, self.inverses, self.size, ticket)]

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = <int32_t>self.lookup(tickets[i])

    def _walk(self, uint64_t ticket):
        """Every slot of the race once, by ascending score; O(N) to start, O(log N) a step."""
        cdef uint64_t k
        cdef Py_ssize_t j
        order = []
        for j in range(self.size):
            k = c_mix64(ticket ^ self.salts[j]) >> 12
            if self.even:
                order.append((-<int64_t>k, j))
            else:
                score, power = math.frexp(c_neg_log(k) / self.mantissas[j])
                order.append((power - self.powers[j], score, -<int64_t>k, j))
        heapq.heapify(order)
        while order:
            *_, j = heapq.heappop(order)
            yield self.owners[j]
