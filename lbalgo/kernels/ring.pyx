# cython: language_level=3
"""Points on the circle of 2**64 positions, each with an owner, and who is met from a ticket (Karger et al. 1997).

The kernel knows no dialect: whoever has points and owners gets a ring. Points are put in order by a stable bucket sort
on their top bits; the bucket boundaries stay as the index of the lookup, so that uniform points, of which a bucket
holds at most half a point in the mean, are found in O(1), and others by binary search inside their bucket.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()

cdef enum:
    SCAN = 8  # more points than this in a bucket are searched by halving
    CROWD = 32  # more points than this in a bucket are not sorted by insertion
    GROUP = 32  # tickets whose memory accesses overlap in bulk


@cython.final
cdef class Ring(Structure):
    """A ring of points; the ticket's successor, or its nearest point, names the slot."""

    def __cinit__(self, points, owners, slots, bint nearest=False):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray where = words("points", points)
        cdef cnp.ndarray whose = column("owners", owners, 0, members - 1, np.int32)
        cdef Py_ssize_t i, n = cnp.PyArray_DIM(where, 0)
        cdef int bits = 1
        if n >= <Py_ssize_t>1 << 31:
            raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
        if cnp.PyArray_DIM(whose, 0) != n:
            raise ConfigError("owners", owners, "must be as many as there are points")
        while (<Py_ssize_t>1 << bits) < 2 * n:
            bits += 1
        self.size, self.slots, self.nearest, self.shift = n, members, nearest, 64 - bits
        self.at = <uint64_t *>malloc(8 * (n + 1))
        self.owner = <int32_t *>malloc(4 * (n + 1))
        self.start = <uint32_t *>calloc((<size_t>1 << bits) + 2, 4)
        if self.at == NULL or self.owner == NULL or self.start == NULL:
            raise MemoryError
        self.members = np.count_nonzero(np.bincount(whose))
        if crowd(self.start, <const uint64_t *>cnp.PyArray_DATA(where), n, self.shift) > CROWD:
            order = np.argsort(where, kind="stable")
            where, whose = where[order], whose[order]
        arrange(self.start, self.at, self.owner, <const uint64_t *>cnp.PyArray_DATA(where),
                <const int32_t *>cnp.PyArray_DATA(whose), n, bits)

    def __dealloc__(self):
        free(self.at)
        free(self.owner)
        free(self.start)

    cdef Py_ssize_t seek(self, uint64_t ticket) noexcept nogil:
        """The first index whose point is not below the ticket; `size` past the last."""
        cdef uint64_t bucket = ticket >> self.shift
        cdef Py_ssize_t middle, low = self.start[bucket], high = self.start[bucket + 1]
        while high - low > SCAN:
            middle = (low + high) >> 1
            if self.at[middle] < ticket:
                low = middle + 1
            else:
                high = middle
        while self.at[low] < ticket:
            low += 1
        return low

    cdef Py_ssize_t choose(self, uint64_t ticket, Py_ssize_t i) noexcept nogil:
        """The slot, given what `seek` found; distances run from 0 clockwise and from 1 back, hence the - 1."""
        cdef Py_ssize_t j, back
        if not self.nearest:
            return self.owner[i]
        j = i - 1 if i else self.size - 1
        back = -<Py_ssize_t>(ticket - self.at[j] - 1 < self.at[i if i < self.size else 0] - ticket)
        return self.owner[(j & back) | (i & ~back)]

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return self.choose(ticket, self.seek(ticket))

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = <int32_t>self.choose(tickets[i], self.seek(tickets[i]))

    cdef Walk begin(self, uint64_t ticket) noexcept nogil:
        cdef Py_ssize_t i = self.seek(ticket)
        if i == self.size:
            i = 0
        return Walk(ticket, i, i - 1 if i else self.size - 1, self.size)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        cdef Py_ssize_t i = walk.ahead, j = walk.behind
        if walk.left == 0:
            return -1
        walk.left -= 1
        if self.nearest and walk.ticket - self.at[j] - 1 < self.at[i] - walk.ticket:
            walk.behind = j - 1 if j else self.size - 1
            return self.owner[j]
        walk.ahead = i + 1 if i + 1 < self.size else 0
        return self.owner[i]

    def points(self):
        """The points in order, as a new uint64 array."""
        cdef cnp.ndarray out = np.empty(self.size, dtype=np.uint64)
        cdef Py_ssize_t i
        for i in range(self.size):
            (<uint64_t *>cnp.PyArray_DATA(out))[i] = self.at[i]
        return out

    def owners(self):
        """The owners of the points in order, as a new int32 array."""
        cdef cnp.ndarray out = np.empty(self.size, dtype=np.int32)
        cdef Py_ssize_t i
        for i in range(self.size):
            (<int32_t *>cnp.PyArray_DATA(out))[i] = self.owner[i]
        return out

    def _walk(self, uint64_t ticket):
        """Each owner once: clockwise from the ticket, or, on a nearest ring, outward on both sides by distance."""
        cdef Walk walk = self.begin(ticket)
        cdef Py_ssize_t slot
        seen = set()
        while len(seen) < self.members:
            slot = self.onward(&walk)
            if slot not in seen:
                seen.add(slot)
                yield slot


cdef Py_ssize_t crowd(uint32_t *start, const uint64_t *where, Py_ssize_t n, int shift) noexcept nogil:
    """Points by bucket, kept two places on so that `arrange` can make boundaries of them; returns the most."""
    cdef Py_ssize_t i
    cdef uint32_t most = 0
    for i in range(n):
        start[(where[i] >> shift) + 2] += 1
        most = max(most, start[(where[i] >> shift) + 2])
    return most


cdef void arrange(uint32_t *start, uint64_t *at, int32_t *owner, const uint64_t *where, const int32_t *whose,
                  Py_ssize_t n, int bits) noexcept nogil:
    """A stable bucket sort; after it start[b] is the number of points in buckets before b."""
    cdef Py_ssize_t i, j
    cdef uint64_t point
    cdef int32_t slot
    for i in range(2, (<Py_ssize_t>1 << bits) + 2):
        start[i] += start[i - 1]
    for i in range(n):
        j = start[(where[i] >> (64 - bits)) + 1]
        start[(where[i] >> (64 - bits)) + 1] += 1
        at[j] = where[i]
        owner[j] = whose[i]
    for i in range(1, n):
        point, slot, j = at[i], owner[i], i
        while j > 0 and at[j - 1] > point:
            at[j] = at[j - 1]
            owner[j] = owner[j - 1]
            j -= 1
        at[j] = point
        owner[j] = slot
    at[n] = ~<uint64_t>0
    owner[n] = owner[0]
