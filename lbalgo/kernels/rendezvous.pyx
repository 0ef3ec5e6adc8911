# cython: language_level=3
"""Weighted rendezvous as an exponential race: least -ln(u) / w wins, with a logarithm that is the same everywhere.

u = (k + 1/2) * 2**-52, k the upper 52 bits of mix64(ticket ^ salt) before its last shift, a value per (ticket, backend).
The logarithm uses exact steps and IEEE + - * / only, falls strictly from one k to the next, and is never below 1 - u;
from this follow

* pruning: a backend whose (1 - u) / w is above the best score so far needs no logarithm. Stretch by stretch the least
  (1 - u) / w is scored first, so that few others are; a slack of 2**-50 covers the roundings of both bounds;
* the even race: equal weights compare by k alone, with the same answers;
* the race that is even but for a few: who wins the even race of those alike is compared with the few, and of these
  scored are only those who weigh more or draw more.

Equal scores go to the larger k, equal k to the first id, which is the order the backends are given in. The races
themselves are in `rendezvous_lanes.h` and `weighted_lanes.h`, at every SIMD level.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint64_t

import heapq
import math

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer

from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure

cnp.import_array()

cdef extern from "rendezvous_lanes.h" nogil:
    ctypedef struct race_leader:
        Py_ssize_t place
        uint64_t draw
    uint64_t race_fold(uint64_t x) noexcept
    uint64_t race_draw(uint64_t folded) noexcept
    race_leader race_even(int level, const uint64_t *salts, Py_ssize_t size, uint64_t ticket) noexcept
    void race_even_many(int level, const uint64_t *salts, Py_ssize_t size, const int32_t *owners,
                        const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept
cdef extern from "stream_lanes.h" nogil:
    void stream_fill(int level, uint64_t state, double *out, Py_ssize_t n) noexcept

cdef extern from "weighted_lanes.h" nogil:
    double race_neg_log(uint64_t k) noexcept
    Py_ssize_t race_first(int level, const uint64_t *salts, const double *weights, const double *inverses,
                          Py_ssize_t size, uint64_t ticket) noexcept
    Py_ssize_t race_rest(const uint64_t *salts, const double *weights, const double *inverses, const int32_t *apart,
                         Py_ssize_t rest, double usual, Py_ssize_t winner, uint64_t most, uint64_t ticket) noexcept
cdef enum:
    FEW = 8  # of so many racers one may weigh something else
    FAR = -900  # binades below the heaviest; below 2**-59 nobody can win, so that anything as small does as well
    WIDEST = 1 << 16  # exponents of weight x factor are within +-4300


cdef double c_neg_log(uint64_t k) noexcept nogil:
    return race_neg_log(k)


cdef void c_neg_logs(uint64_t state, double *out, Py_ssize_t n) noexcept nogil:
    """`neg_log` of the upper 52 bits of each of the next n words of SplitMix64."""
    stream_fill(lanes_in_use, state, out, n)


def neg_log(k):
    """-ln((k + 1/2) * 2**-52) for k in [0, 2**52); the same bits on every machine."""
    return c_neg_log(check_integer("k", k, low=0, high=2**52 - 1))


@cython.final
cdef class RendezvousRace(Structure):
    """Backends in order of id, each with its salt and its weight as mantissa * 2**exponent; the least score wins."""

    def __cinit__(self, salts, owners, mantissas, exponents, slots):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray salt = words("salts", salts), folded = salt ^ salt >> np.uint64(30)
        cdef cnp.ndarray owner = column("owners", owners, 0, members - 1, np.int32)
        cdef cnp.ndarray mantissa = np.array(mantissas, dtype=np.float64)
        cdef cnp.ndarray power = column("exponents", exponents, -WIDEST, WIDEST, np.int64)
        if mantissa.ndim != 1 or not ((mantissa >= 0.5) & (mantissa < 1.0)).all():
            raise ConfigError("mantissas", mantissas, "must be in [0.5, 1)")
        if not len(salt) == len(owner) == len(mantissa) == len(power):
            raise ConfigError("salts", salts, "must be as many as owners, mantissas and exponents")
        cdef cnp.ndarray weight = np.ldexp(mantissa, np.maximum(power - power.max(), FAR))
        cdef cnp.ndarray inverse = 2.0**-52 / weight
        self.columns = (folded, owner, mantissa, power, weight, inverse)
        self.salts = <const uint64_t *>cnp.PyArray_DATA(folded)
        self.owners = <const int32_t *>cnp.PyArray_DATA(owner)
        self.mantissas = <const double *>cnp.PyArray_DATA(mantissa)
        self.powers = <const int64_t *>cnp.PyArray_DATA(power)
        self.weights = <const double *>cnp.PyArray_DATA(weight)
        self.inverses = <const double *>cnp.PyArray_DATA(inverse)
        self.size = cnp.PyArray_DIM(salt, 0)
        self.slots = members
        self.even = bool((mantissa == mantissa[0]).all() and (power == power[0]).all())

        if not self.even:
            self._part(folded, weight)

    cdef _part(self, cnp.ndarray salt, cnp.ndarray weight):
        """Sets those apart who weigh not what most do, if they are few."""
        usual = np.partition(weight, self.size // 2)[self.size // 2]
        cdef cnp.ndarray others = np.flatnonzero(weight != usual).astype(np.int32)
        if FEW * len(others) > self.size:
            return
        cdef cnp.ndarray places = np.flatnonzero(weight == usual).astype(np.int32)
        cdef cnp.ndarray salts = salt[places]
        self.columns += (others, places, salts)
        self.alike, self.rest, self.usual = len(places), len(others), usual
        self.their_salts = <const uint64_t *>cnp.PyArray_DATA(salts)
        self.their_places = <const int32_t *>cnp.PyArray_DATA(places)
        self.apart = <const int32_t *>cnp.PyArray_DATA(others)

    cdef Py_ssize_t best(self, Py_ssize_t winner, uint64_t most, uint64_t ticket) noexcept nogil:
        """The place of who wins the race, given that of who wins among those alike and what was drawn there."""
        return race_rest(self.salts, self.weights, self.inverses, self.apart, self.rest, self.usual, winner, most,
                         ticket)

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef race_leader leader
        if self.even:
            return self.owners[race_even(lanes_in_use, self.salts, self.size, ticket).place]
        if self.rest:
            leader = race_even(lanes_in_use, self.their_salts, self.alike, ticket)
            return self.owners[self.best(self.their_places[leader.place], leader.draw, ticket)]
        return self.owners[race_first(lanes_in_use, self.salts, self.weights, self.inverses, self.size, ticket)]

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        if self.even:
            race_even_many(lanes_in_use, self.salts, self.size, self.owners, tickets, out, n)
        elif self.rest:
            race_even_many(lanes_in_use, self.their_salts, self.alike, self.their_places, tickets, out, n)
            for i in range(n):
                out[i] = self.owners[self.best(out[i], race_draw(race_fold(tickets[i]) ^ self.salts[out[i]]), tickets[i])]
        else:
            for i in range(n):
                out[i] = <int32_t>self.lookup(tickets[i])

    def _walk(self, uint64_t ticket):
        """Every slot of the race once, by ascending score; O(N) to start, O(log N) a step."""
        cdef uint64_t k
        cdef Py_ssize_t j
        order = []
        for j in range(self.size):
            k = race_draw(race_fold(ticket) ^ self.salts[j])
            if self.even:
                order.append((-<int64_t>k, j))
            else:
                score, power = math.frexp(c_neg_log(k) / self.mantissas[j])
                order.append((power - self.powers[j], score, -<int64_t>k, j))
        heapq.heapify(order)
        while order:
            *_, j = heapq.heappop(order)
            yield self.owners[j]
