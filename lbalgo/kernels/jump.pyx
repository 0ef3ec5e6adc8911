# cython: language_level=3
"""Jump consistent hash (Lamping and Veach 2014): 64 bits and a number of buckets to a bucket, no table at all.

A key's bucket changes as buckets are added only by jumping to the newest one, and the next jump after bucket b is at
floor((b + 1) / r) for r uniform in (0, 1]: the loop visits only the jumps, H_n of them in the mean. Multiply, divide
and truncate in IEEE doubles, so every machine agrees. In bulk, tickets jump in step (`jump_lanes.h`).
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

from lbalgo.columns import count, word
from lbalgo.columns import flags as flags_of
from lbalgo.kernels.hashing cimport GAMMA, c_mix64
from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()

cdef extern from "jump_lanes.h" nogil:
    Py_ssize_t jump_first(int level, uint64_t ticket, Py_ssize_t buckets) noexcept
    void jump_many(int level, const uint64_t *tickets, int32_t *out, Py_ssize_t n, Py_ssize_t buckets) noexcept


cdef Py_ssize_t c_jump(uint64_t ticket, Py_ssize_t buckets) noexcept nogil:
    return jump_first(lanes_in_use, ticket, buckets)


def jump(ticket, buckets):
    """The published function: the bucket, in [0, buckets), of a 64-bit ticket; buckets in [1, 2**31)."""
    return c_jump(word("ticket", ticket), count("buckets", buckets))


@cython.final
cdef class JumpBuckets(Structure):
    """Buckets in order, some of which may be closed: a ticket that jumps into a closed one is rehashed."""

    def __cinit__(self, mask):
        cdef cnp.ndarray flags = flags_of("mask", mask)
        cdef const uint8_t *source = <const uint8_t *>cnp.PyArray_DATA(flags)
        cdef Py_ssize_t i
        self.slots = cnp.PyArray_DIM(flags, 0)
        self.whole = bool(flags.all())
        self.open = <uint8_t *>malloc(self.slots)
        if self.open == NULL:
            raise MemoryError
        for i in range(self.slots):
            self.open[i] = source[i]

    def __dealloc__(self):
        free(self.open)

    cdef Py_ssize_t reopen(self, uint64_t ticket) noexcept nogil:
        """The first open bucket of the walk of a ticket whose own is closed."""
        cdef Walk walk = Walk(ticket, 0, 0, 4 * self.slots - 1)
        cdef uint64_t best = 0, score
        cdef Py_ssize_t i, slot = self.onward(&walk)
        if slot >= 0:
            return slot
        for i in range(self.slots):
            if self.open[i]:
                score = c_mix64(ticket ^ c_mix64(<uint64_t>i))
                if slot < 0 or score > best:
                    best, slot = score, i
        return slot

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef Py_ssize_t slot = c_jump(ticket, self.slots)
        return slot if self.whole or self.open[slot] else self.reopen(ticket)

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        jump_many(lanes_in_use, tickets, out, n, self.slots)
        if not self.whole:
            for i in range(n):
                if not self.open[out[i]]:
                    out[i] = <int32_t>self.reopen(tickets[i])

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        walk.ticket, walk.left = ticket, 4 * self.slots - 1
        if not self.whole and not self.open[c_jump(ticket, self.slots)]:
            self.onward(walk)
        return self.onward(walk)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        cdef Py_ssize_t slot
        while walk.left > 0:
            walk.left -= 1
            walk.ticket = c_mix64(walk.ticket + GAMMA)
            slot = c_jump(walk.ticket, self.slots)
            if self.open[slot]:
                return slot
        return -1

    def _walk(self, uint64_t ticket):
        """Open buckets by jumps of the ticket and its rehashes, 4 * slots in all, then by rendezvous of the rest."""
        cdef Walk walk
        cdef Py_ssize_t slot = self.lookup(ticket)
        seen = {slot}
        yield slot
        slot = self.begin(ticket, &walk)
        while slot >= 0:
            if slot not in seen:
                seen.add(slot)
                yield slot
            slot = self.onward(&walk)
        rest = [(-int(c_mix64(ticket ^ c_mix64(<uint64_t>slot))), slot) for slot in range(self.slots)
                if self.open[slot] and slot not in seen]
        for _, slot in sorted(rest):
            yield slot
