# cython: language_level=3
"""Static strides: whose turn it is computed from the number alone, for weights that make no short period."""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import column, count
from lbalgo.errors import ConfigError

from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure, quotient

cdef extern from "turn_lanes.h" nogil:
    ctypedef struct turn_strides:
        const int32_t *owners
        const uint32_t *rates
        const uint32_t *offsets
        const uint32_t *later
    enum:
        TURN_BLOCK
    void stride_turns(int level, uint64_t ticket, uint64_t *states, int32_t *slots, Py_ssize_t n,
                      const turn_strides *given, uint64_t size) noexcept

cdef uint64_t FAR = 2**64 - 2**40  # before it no search for some turns reaches the last number

cnp.import_array()


@cython.final
cdef class Stride(Structure):
    """Static strides: backend n mod k is served in generation n div k iff adding its stride then passes 65535."""

    def __cinit__(self, owners, strides, slots):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray given = column("owners", owners, 0, members - 1, np.int32)
        cdef cnp.ndarray rates = column("strides", strides, 1, TOP, np.uint32)
        cdef const int32_t *source = <const int32_t *>cnp.PyArray_DATA(given)
        cdef const uint32_t *rate = <const uint32_t *>cnp.PyArray_DATA(rates)
        cdef Py_ssize_t i
        if len(rates) != len(given) or rates.max() != TOP:
            raise ConfigError("strides", strides, f"must be one for each owner, from 1 to {TOP}, and {TOP} among them")
        self.size = cnp.PyArray_DIM(given, 0)
        self.inverse = <uint64_t>-1 // <uint64_t>self.size
        self.slots = members
        cdef Py_ssize_t places = self.size + TURN_BLOCK  # the beginning again, that blocks need not mind the end
        self.owners = <int32_t *>malloc(4 * places)
        self.rates = <uint32_t *>malloc(4 * places)
        self.offsets = <uint32_t *>malloc(4 * places)
        self.later = <uint32_t *>malloc(4 * places)
        if self.owners == NULL or self.rates == NULL or self.offsets == NULL or self.later == NULL:
            raise MemoryError
        for i in range(places):
            self.owners[i] = source[i % self.size]
            self.rates[i] = rate[i % self.size]
            self.offsets[i] = <uint32_t>(<uint64_t>(i % self.size) * HALF % TOP)
            self.later[i] = <uint32_t>(i // self.size)

    def __dealloc__(self):
        free(self.owners)
        free(self.rates)
        free(self.offsets)
        free(self.later)

    cdef bint serves(self, uint64_t i, uint64_t generation) noexcept nogil:
        return (self.rates[i] * (generation % TOP) + i * HALF) % TOP >= TOP - self.rates[i]

    cdef uint64_t settle(self, uint64_t ticket) noexcept nogil:
        cdef uint64_t size = <uint64_t>self.size
        cdef uint64_t generation = quotient(ticket, size, self.inverse), i = ticket - generation * size
        while not self.serves(i, generation):
            ticket += 1
            i += 1
            if ticket == 0:
                i = generation = 0
            elif i == size:
                i = 0
                generation += 1
        return ticket

    cdef void turns(self, uint64_t state, bint counting, uint64_t *states, int32_t *slots, Py_ssize_t n) noexcept nogil:
        """As of every structure, a block of numbers at once."""
        cdef turn_strides given = turn_strides(self.owners, self.rates, self.offsets, self.later)
        if state < FAR:
            stride_turns(lanes_in_use, state, states, slots, n, &given, self.size)
        else:
            Structure.turns(self, state, counting, states, slots, n)

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return self.owner(self.settle(ticket))

    def strides(self):
        """(slot, stride) of every backend, in the order of its turns."""
        return [(self.owners[i], self.rates[i]) for i in range(self.size)]

    def _walk(self, uint64_t ticket):
        """The backends in the order of their next turns; 4 * size numbers are tried, the rest is computed and sorted."""
        cdef uint64_t size = <uint64_t>self.size, number = self.settle(ticket)
        cdef uint64_t begin = number % size, i = begin, generation = 0, first = number // size % TOP
        cdef uint64_t step, value
        seen = set()
        for step in range(4 * size):
            if i not in seen and self.serves(i, first + generation):
                seen.add(i)
                yield self.owners[i]
                if len(seen) == self.size:
                    return
            i += 1
            if i == size:
                i = 0
                generation += 1
        rest = []
        for i in range(size):
            if i not in seen:
                generation = i < begin
                value = (self.rates[i] * ((first + generation) % TOP) + i * HALF) % TOP
                rest.append((generation + (TOP - value - 1) // self.rates[i], i))
        for generation, i in sorted(rest):
            yield self.owners[i]
