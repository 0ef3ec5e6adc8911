# cython: language_level=3
"""Smooth weighted round robin: one period of turns, made by a greedy rule and read by number."""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

import numpy as np

from lbalgo.columns import column, count
from lbalgo.errors import ConfigError

from lbalgo.kernels.structure cimport Structure, remainder

cnp.import_array()


cdef void c_smooth(const int64_t *weight, int64_t *value, const int32_t *start, int32_t *head, Py_ssize_t classes,
                   const int32_t *member, int32_t *out, int64_t total) noexcept nogil:
    cdef Py_ssize_t d, best
    cdef int64_t t
    for t in range(total):
        best = 0
        for d in range(classes):
            value[d] += weight[d]
            if value[d] > value[best] or (value[d] == value[best] and member[head[d]] < member[head[best]]):
                best = d
        out[t] = member[head[best]]
        head[best] += 1
        if head[best] == start[best + 1]:
            head[best] = start[best]
            value[best] -= total


def smooth_period(weights):
    """One period of smooth weighted round robin over integer weights > 0: each index, weights[index] times, as int32."""
    cdef cnp.ndarray given = column("weights", weights, 1, 2**31 - 1, np.int64)
    if given.sum() >= 2**31:
        raise ConfigError("weights", weights, "must sum to less than 2**31")
    cdef cnp.ndarray member = np.argsort(given, kind="stable").astype(np.int32)
    values, counts = np.unique(given, return_counts=True)
    cdef cnp.ndarray weight = values
    cdef cnp.ndarray start = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    cdef cnp.ndarray head = start.copy()
    cdef cnp.ndarray value = np.zeros(len(values), dtype=np.int64)
    cdef cnp.ndarray out = np.empty(int(given.sum()), dtype=np.int32)
    cdef int64_t total = cnp.PyArray_DIM(out, 0)
    cdef Py_ssize_t classes = cnp.PyArray_DIM(weight, 0)
    with nogil:
        c_smooth(<const int64_t *>cnp.PyArray_DATA(weight), <int64_t *>cnp.PyArray_DATA(value),
                 <const int32_t *>cnp.PyArray_DATA(start), <int32_t *>cnp.PyArray_DATA(head), classes,
                 <const int32_t *>cnp.PyArray_DATA(member), <int32_t *>cnp.PyArray_DATA(out), total)
    return out


@cython.final
cdef class Period(Structure):
    """A sequence that repeats: number mod size is a position, the position's owner is the slot."""

    def __cinit__(self, sequence, slots):
        cdef Py_ssize_t places = count("slots", slots)
        cdef cnp.ndarray given = column("sequence", sequence, 0, places - 1, np.int32)
        cdef const int32_t *source = <const int32_t *>cnp.PyArray_DATA(given)
        cdef Py_ssize_t i
        self.size = cnp.PyArray_DIM(given, 0)
        self.inverse = <uint64_t>-1 // <uint64_t>self.size
        self.slots = places
        self.span = self.size * max(1, LEAST // self.size)
        self.owners = <int32_t *>malloc(4 * self.span)
        self.places = <int32_t *>malloc(4 * self.size)
        self.first = <int32_t *>calloc(places + 2, 4)
        if self.owners == NULL or self.places == NULL or self.first == NULL:
            raise MemoryError
        for i in range(self.span):
            self.owners[i] = source[i % self.size]
        for i in range(self.size):
            self.first[source[i] + 2] += 1
        for i in range(2, places + 2):
            self.members += self.first[i] > 0
            self.first[i] += self.first[i - 1]
        for i in range(self.size):  # a counting sort; afterwards first[s]:first[s + 1] are the places of slot s
            self.places[self.first[source[i] + 1]] = <int32_t>i
            self.first[source[i] + 1] += 1

    def __dealloc__(self):
        free(self.owners)
        free(self.places)
        free(self.first)

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return self.owners[self.place(ticket)]

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef uint64_t size = <uint64_t>self.size, inverse = self.inverse
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = self.owners[remainder(tickets[i], size, inverse)]

    cdef void turns(self, uint64_t state, bint counting, uint64_t *states, int32_t *slots, Py_ssize_t n) noexcept nogil:
        """As of every structure; up to the last of all numbers it is what is kept, copied."""
        cdef Py_ssize_t i, some, found = 0, at = self.place(state)
        if not counting or state > <uint64_t>-1 - <uint64_t>n:
            Structure.turns(self, state, counting, states, slots, n)
            return
        for i in range(n):
            states[i] = state + 1 + <uint64_t>i
        while found < n:
            some = min(self.span - at, n - found)
            memcpy(slots + found, self.owners + at, 4 * some)
            found += some
            at = 0

    def table(self):
        """The owners by position, as a new int32 array."""
        out = np.empty(self.size, dtype=np.int32)
        self.slot_many(np.arange(self.size, dtype=np.uint64), out)
        return out

    cdef Py_ssize_t after(self, Py_ssize_t slot, Py_ssize_t position) noexcept:
        """Steps from `position` to the slot's next place."""
        cdef Py_ssize_t middle, low = self.first[slot], high = self.first[slot + 1]
        while low < high:
            middle = (low + high) >> 1
            if self.places[middle] < position:
                low = middle + 1
            else:
                high = middle
        if low < self.first[slot + 1]:
            return self.places[low] - position
        return self.places[self.first[slot]] + self.size - position

    def _walk(self, uint64_t ticket):
        """The owners of the next positions; the first 4 * members positions are read, the rest is sorted by place."""
        cdef Py_ssize_t step, slot, begin = ticket % <uint64_t>self.size, position = begin
        seen = set()
        for step in range(min(4 * self.members, self.size)):
            slot = self.owners[position]
            if slot not in seen:
                seen.add(slot)
                yield slot
                if len(seen) == self.members:
                    return
            position = position + 1 if position + 1 < self.size else 0
        rest = [
            (self.after(slot, begin), slot)
            for slot in range(self.slots)
            if self.first[slot] < self.first[slot + 1] and slot not in seen
        ]
        for _, slot in sorted(rest):
            yield slot
