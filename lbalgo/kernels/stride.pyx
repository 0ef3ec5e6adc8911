# cython: language_level=3
"""Static strides: whose turn it is computed from the number alone, for weights that make no short period."""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import column, count
from lbalgo.errors import ConfigError

from lbalgo.kernels.structure cimport Structure, quotient

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
        self.owners = <int32_t *>malloc(4 * self.size)
        self.rates = <uint32_t *>malloc(4 * self.size)
        if self.owners == NULL or self.rates == NULL:
            raise MemoryError
        for i in range(self.size):
            self.owners[i] = source[i]
            self.rates[i] = rate[i]

    def __dealloc__(self):
        free(self.owners)
        free(self.rates)

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

    cdef void turns(self, uint64_t ticket, uint64_t *numbers, int32_t *slots, Py_ssize_t n) noexcept nogil:
        """The first n numbers at or after `ticket` at which somebody is served, and whom; no branch depends on that."""
        cdef uint64_t size = <uint64_t>self.size
        cdef uint64_t generation = quotient(ticket, size, self.inverse), i = ticket - generation * size
        cdef uint32_t rate
        cdef Py_ssize_t found = 0
        generation %= TOP
        while found < n:
            rate = self.rates[i]
            numbers[found], slots[found] = ticket, self.owners[i]
            found += (rate * generation + i * HALF) % TOP >= TOP - rate
            ticket += 1
            i += 1
            if ticket == 0:
                i = generation = 0
            elif i == size:
                i = 0
                generation = generation + 1 if generation + 1 < TOP else 0

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
