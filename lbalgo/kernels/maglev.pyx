# cython: language_level=3
"""Maglev tables: the fill of Eisenbud et al. (NSDI 2016, 3.4) for any sequence of turns, and the lookup.

A dialect is its turn sequence: `fill` gives each turn's owner its next free preferred position. Preferred positions are
(offset + j * skip) mod size, advanced by addition, so nothing overflows; a bitset says which are taken, so that probing
stays inside the first-level cache.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from lbalgo.kernels.hashing cimport c_mix64
from lbalgo.kernels.structure cimport Structure

cnp.import_array()


cdef void c_fill(int32_t *table, uint64_t *taken, uint32_t *position, const uint32_t *skip, uint32_t size,
                 const int32_t *turns, Py_ssize_t period) noexcept nogil:
    cdef Py_ssize_t filled, t = 0
    cdef uint32_t p, s
    cdef int32_t owner
    for filled in range(size):
        owner = turns[t]
        t += 1
        if t == period:
            t = 0
        p = position[owner]
        s = skip[owner]
        while (taken[p >> 6] >> (p & 63)) & 1:
            p += s
            p -= size & -<uint32_t>(p >= size)
        taken[p >> 6] |= <uint64_t>1 << (p & 63)
        table[p] = owner
        p += s
        p -= size & -<uint32_t>(p >= size)
        position[owner] = p


def fill(turns, offset, skip, uint32_t size):
    """The table that turns[0], turns[1], … (repeated from the start when exhausted) make, as int32 of length `size`."""
    cdef cnp.ndarray order = np.ascontiguousarray(turns, dtype=np.int32)
    cdef cnp.ndarray position = np.array(offset, dtype=np.uint32)
    cdef cnp.ndarray step = np.ascontiguousarray(skip, dtype=np.uint32)
    cdef cnp.ndarray table = np.empty(size, dtype=np.int32)
    cdef Py_ssize_t period = cnp.PyArray_DIM(order, 0)
    cdef uint64_t *taken = <uint64_t *>calloc((size >> 6) + 1, 8)
    if taken == NULL:
        raise MemoryError
    with nogil:
        c_fill(<int32_t *>cnp.PyArray_DATA(table), taken, <uint32_t *>cnp.PyArray_DATA(position),
               <const uint32_t *>cnp.PyArray_DATA(step), size, <const int32_t *>cnp.PyArray_DATA(order), period)
    free(taken)
    return table


@cython.final
cdef class MaglevTable(Structure):
    """A filled table: ticket mod size is a position, the position's owner is the slot."""

    def __cinit__(self, table, salts):
        cdef cnp.ndarray owners = np.ascontiguousarray(table, dtype=np.int32)
        cdef cnp.ndarray marks = np.ascontiguousarray(salts, dtype=np.uint64)
        cdef const int32_t *source = <const int32_t *>cnp.PyArray_DATA(owners)
        cdef const uint64_t *words = <const uint64_t *>cnp.PyArray_DATA(marks)
        cdef Py_ssize_t i
        self.size = cnp.PyArray_DIM(owners, 0)
        self.slots = cnp.PyArray_DIM(marks, 0)
        self.salts = <uint64_t *>malloc(8 * self.slots)
        if self.slots <= 65536:
            self.narrow = <uint16_t *>malloc(2 * self.size)
        else:
            self.wide = <int32_t *>malloc(4 * self.size)
        if self.salts == NULL or (self.narrow == NULL and self.wide == NULL):
            raise MemoryError
        for i in range(self.slots):
            self.salts[i] = words[i]
        for i in range(self.size):
            if self.narrow != NULL:
                self.narrow[i] = <uint16_t>source[i]
            else:
                self.wide[i] = source[i]

    def __dealloc__(self):
        free(self.narrow)
        free(self.wide)
        free(self.salts)

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef uint64_t position = ticket % <uint64_t>self.size
        return self.narrow[position] if self.narrow != NULL else self.wide[position]

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef uint64_t size = <uint64_t>self.size
        cdef Py_ssize_t i
        if self.narrow != NULL:
            for i in range(n):
                out[i] = self.narrow[tickets[i] % size]
        else:
            for i in range(n):
                out[i] = self.wide[tickets[i] % size]

    def table(self):
        """The owners by position, as a new int32 array."""
        out = np.empty(self.size, dtype=np.int32)
        self.slot_many(np.arange(self.size, dtype=np.uint64), out)
        return out

    def walk(self, uint64_t ticket):
        """The owners of the next positions, at most 4 * slots of them, then rendezvous order of the rest."""
        cdef Py_ssize_t step, slot, position = ticket % <uint64_t>self.size
        seen = set()
        for step in range(min(4 * self.slots, self.size)):
            slot = self.narrow[position] if self.narrow != NULL else self.wide[position]
            if slot not in seen:
                seen.add(slot)
                yield slot
            position = position + 1 if position + 1 < self.size else 0
        rest = [(-int(c_mix64(ticket ^ self.salts[slot])), slot) for slot in range(self.slots) if slot not in seen]
        for _, slot in sorted(rest):
            yield slot
