# cython: language_level=3
"""The alias method on whole tickets: every backend owns a counted number of the 2**64 tickets.

k buckets cut the 64-bit tickets into equal pieces (within one ticket); each piece holds at most two backends, below and
from its cut. Bucket and coin come from one ticket by one multiplication, so nothing is drawn and nothing is rounded.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import column, words
from lbalgo.errors import ConfigError

from lbalgo.kernels.hashing cimport c_mix64
from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure

cdef extern from "turn_lanes.h" nogil:
    void alias_turns(int level, uint64_t state, uint64_t *states, int32_t *slots, Py_ssize_t n,
                     const alias_bucket *buckets, uint64_t size) noexcept

cnp.import_array()


@cython.final
cdef class AliasTable(Structure):
    """Owners with their numbers of tickets, which sum to 2**64 (one owner alone has 0, that is 2**64 mod 2**64)."""

    def __cinit__(self, owners, counts, salts):
        cdef cnp.ndarray marks = words("salts", salts)
        cdef cnp.ndarray given = column("owners", owners, 0, len(marks) - 1, np.int32)
        cdef cnp.ndarray left = words("counts", counts)
        cdef const uint64_t *salt = <const uint64_t *>cnp.PyArray_DATA(marks)
        cdef Py_ssize_t i
        total = 1 << 64 if len(left) > 1 else 0
        if len(left) != len(given) or sum(left.tolist()) != total or (len(left) > 1 and not left.all()):
            raise ConfigError("counts", counts, "must be one for each owner, positive, with the sum 2**64")
        self.size = cnp.PyArray_DIM(given, 0)
        self.slots = cnp.PyArray_DIM(marks, 0)
        self.quotient = <uint64_t>-1 // self.size  # of 2**64 by size, and the remainder
        self.remainder = <uint64_t>-1 % self.size + 1
        if self.remainder == <uint64_t>self.size:
            self.quotient += 1
            self.remainder = 0
        self.buckets = <alias_bucket *>malloc(self.size * sizeof(alias_bucket))
        self.salts = <uint64_t *>malloc(8 * self.slots)
        if self.buckets == NULL or self.salts == NULL:
            raise MemoryError
        for i in range(self.slots):
            self.salts[i] = salt[i]
        self.fill_buckets(<const int32_t *>cnp.PyArray_DATA(given), <uint64_t *>cnp.PyArray_DATA(left))

    def __dealloc__(self):
        free(self.buckets)
        free(self.salts)

    cdef uint64_t edge(self, uint64_t bucket) noexcept nogil:
        """The first ticket of a bucket: ceil(bucket * 2**64 / size)."""
        return bucket * self.quotient + (bucket * self.remainder + self.size - 1) // self.size

    cdef int fill_buckets(self, const int32_t *owners, uint64_t *left) except -1:
        """Vose's pairing: who has less than a bucket fills its own, and one who has more tops it up."""
        cdef Py_ssize_t b, poor, rich, lows = 0, highs = self.size
        cdef int32_t *stack = <int32_t *>malloc(4 * self.size)  # the poor from the left, the rich from the right
        if stack == NULL:
            raise MemoryError
        for b in range(self.size):
            self.buckets[b].cut = self.edge(b)
            self.buckets[b].owners[0] = self.buckets[b].owners[1] = owners[b]
            if left[b] < self.edge(b + 1) - self.edge(b):
                stack[lows] = <int32_t>b
                lows += 1
            else:
                highs -= 1
                stack[highs] = <int32_t>b
        while lows > 0:
            lows -= 1
            poor, rich = stack[lows], stack[highs]
            self.buckets[poor].cut = self.edge(poor) + left[poor]
            self.buckets[poor].owners[1] = owners[rich]
            left[rich] -= self.edge(poor + 1) - self.buckets[poor].cut
            if left[rich] < self.edge(rich + 1) - self.edge(rich):
                highs += 1
                stack[lows] = <int32_t>rich
                lows += 1
        free(stack)
        return 0

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return self.owner(ticket)

    cdef void turns(self, uint64_t state, bint counting, uint64_t *states, int32_t *slots, Py_ssize_t n) noexcept nogil:
        """As of every structure; it has no sequence numbers."""
        alias_turns(lanes_in_use, state, states, slots, n, self.buckets, self.size)

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = <int32_t>self.lookup(tickets[i])

    def owned(self):
        """How many of the 2**64 tickets each slot owns, counted from the table."""
        counts = [0] * self.slots
        for b in range(self.size):
            low, cut = int(self.edge(b)), int(self.buckets[b].cut)
            high = int(self.edge(b + 1)) if b + 1 < self.size else 1 << 64
            counts[self.buckets[b].owners[0]] += cut - low
            counts[self.buckets[b].owners[1]] += high - cut
        return counts

    def _walk(self, uint64_t ticket):
        """The owners of a chain of rehashed tickets, at most 4 * size of them, then rendezvous order of the rest."""
        cdef uint64_t link = ticket
        cdef Py_ssize_t step, slot
        seen = set()
        for step in range(4 * self.size):
            slot = self.lookup(link)
            if slot not in seen:
                seen.add(slot)
                yield slot
                if len(seen) == self.size:
                    return
            link = c_mix64(link + STEP)
        members = {self.buckets[step].owners[0] for step in range(self.size)}
        for _, slot in sorted([(-int(c_mix64(ticket ^ self.salts[slot])), slot) for slot in members - seen]):
            yield slot
