# cython: language_level=3
"""Two distinct backends of whole weights are drawn by one ticket, from an urn with as many balls of each as it weighs."""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from lbalgo.columns import MOST_BALLS, column, count, word
from lbalgo.errors import ConfigError

cnp.import_array()


@cython.final
cdef class Urn:
    """Balls of at least two owners, which are distinct slots, in this order; at most 2**20 in all."""

    def __cinit__(self, owners, weights, slots):
        self.slots = count("slots", slots)
        cdef cnp.ndarray given = column("owners", owners, 0, self.slots - 1, np.int32)
        cdef cnp.ndarray balls = column("weights", weights, 1, MOST_BALLS, np.int32)
        cdef const int32_t *of = <const int32_t *>cnp.PyArray_DATA(given)
        cdef const int32_t *own = <const int32_t *>cnp.PyArray_DATA(balls)
        cdef Py_ssize_t i, ball, start = 0
        if len(given) < 2 or len(set(given.tolist())) < len(given):
            raise ConfigError("owners", owners, "must be at least two, distinct")
        if len(balls) != len(given) or balls.sum(dtype=np.int64) > MOST_BALLS:
            raise ConfigError("weights", weights, f"must be one for each owner, at most {MOST_BALLS} in all")
        self.size, self.balls = len(given), balls.sum(dtype=np.int64)
        self.owners = <int32_t *>malloc(4 * self.balls)
        self.spans = <Span *>calloc(self.slots, sizeof(Span))
        if self.owners == NULL or self.spans == NULL:
            raise MemoryError
        for i in range(self.size):
            self.spans[of[i]] = Span(<int32_t>start, own[i])
            for ball in range(start, start + own[i]):
                self.owners[ball] = of[i]
            start += own[i]

    def __dealloc__(self):
        free(self.owners)
        free(self.spans)

    def pair(self, ticket):
        """The two slots that a ticket names."""
        cdef uint64_t given = word("ticket", ticket)
        cdef Py_ssize_t one = self.owner(given)
        return one, self.other(given, one)
