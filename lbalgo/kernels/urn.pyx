# cython: language_level=3
"""Two distinct backends of whole weights are drawn by one ticket, from an urn with as many balls of each as it weighs."""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import LAST_OWNER, MOST_BALLS, column, count, word
from lbalgo.errors import ConfigError

from lbalgo.kernels.lanes cimport lanes_in_use

cdef extern from "urn_lanes.h" nogil:
    void urn_turns(int level, uint64_t state, uint64_t step, uint64_t *pairs, Py_ssize_t n, const uint64_t *of,
                   uint64_t balls) noexcept

cnp.import_array()


@cython.final
cdef class Urn:
    """Balls of at least two owners, which are distinct slots, in this order; at most 2**20 in all."""

    def __cinit__(self, owners, weights, slots):
        self.slots = count("slots", slots)
        cdef cnp.ndarray given = column("owners", owners, 0, min(self.slots - 1, LAST_OWNER), np.int32)
        cdef cnp.ndarray balls = column("weights", weights, 1, MOST_BALLS, np.int32)
        cdef const int32_t *of = <const int32_t *>cnp.PyArray_DATA(given)
        cdef const int32_t *own = <const int32_t *>cnp.PyArray_DATA(balls)
        cdef Py_ssize_t i, at, start = 0
        if len(given) < 2 or len(set(given.tolist())) < len(given):
            raise ConfigError("owners", owners, "must be at least two, distinct")
        if len(balls) != len(given) or balls.sum(dtype=np.int64) > MOST_BALLS:
            raise ConfigError("weights", weights, f"must be one for each owner, at most {MOST_BALLS} in all")
        self.size, self.balls = len(given), balls.sum(dtype=np.int64)
        self.words = <uint64_t *>malloc(8 * self.balls)
        if self.words == NULL:
            raise MemoryError
        for i in range(self.size):
            for at in range(start, start + own[i]):
                self.words[at] = ball(of[i], start, own[i])
            start += own[i]

    def __dealloc__(self):
        free(self.words)

    cdef void turns(self, uint64_t state, uint64_t step, uint64_t *pairs, Py_ssize_t n) noexcept nogil:
        """The pairs of n tickets, a multiple of 16, whose generator moves by `step` from one to the next."""
        urn_turns(lanes_in_use, state, step, pairs, n, self.words, <uint64_t>self.balls)

    def named(self, names):
        """The same balls, in the same order, of owners who have other names: one for each slot, distinct."""
        given = column("names", names, 0, LAST_OWNER, np.int32)
        if len(given) != self.slots:
            raise ConfigError("names", names, f"must be one for each of {self.slots} slots")
        cdef Py_ssize_t at = 0
        owners, weights = [], []
        while at < self.balls:
            owners.append(given[ball_owner(self.words[at])])
            weights.append(ball_own(self.words[at]))
            at += ball_own(self.words[at])
        return Urn(owners, weights, int(given.max()) + 1)

    def pair(self, ticket):
        """The two slots that a ticket names."""
        cdef uint64_t given = word("ticket", ticket)
        return self.owner(given), self.other(given)
