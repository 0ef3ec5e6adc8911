# cython: language_level=3
"""JumpBackHash (Ertl 2024) and the consistent order of all buckets made of it (consistent choose-k, Neubeck 2025).

`jump_back` maps a ticket to one of n buckets as `jump` does, in constant expected time: it draws where the ticket
would be in ever smaller ranges whose bounds are powers of two, from the top down, integers only.

`choose` orders all buckets: the sets of the first k are nested in k, uniform over all sets of k of n buckets, and
change by one bucket at most when n grows by one. That needs a function whose answers at *two* sizes are as independent
as they can be. The published one takes the bits of all its ranges from one word, which is enough for each size alone;
of the tickets in bucket 6 of 7, though, 12, 19 and 17 of 48 are in buckets 0, 1 and 2 of 3. So here each range has
words of its own. `SeatMap` serves a ticket by the first bucket of its order that is taken.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import column, count, word
from lbalgo.errors import ConfigError
from lbalgo.kernels.hashing cimport GAMMA, c_mix64
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()

cdef extern from *:
    """
    #define LBALGO_LEVEL 0xD1B54A32D192ED03ULL
    """
    const uint64_t LEVEL "LBALGO_LEVEL"  # any odd constant other than GAMMA: sets the words of one range apart

cdef enum:
    FEW = 64  # so many steps of an order are held on the stack


cdef inline uint64_t floor_power(uint64_t x) noexcept nogil:
    """The greatest power of two that is not above x > 0, x below 2**32."""
    x |= x >> 1
    x |= x >> 2
    x |= x >> 4
    x |= x >> 8
    x |= x >> 16
    return x - (x >> 1)


cdef inline bint odd(uint64_t x) noexcept nogil:
    """Whether x, below 2**32, has an odd number of bits that are set."""
    x ^= x >> 16
    x ^= x >> 8
    x ^= x >> 4
    x ^= x >> 2
    x ^= x >> 1
    return x & 1


cdef Py_ssize_t c_jump_back(uint64_t ticket, uint64_t buckets) noexcept nogil:
    cdef uint64_t v, w, u, q, b
    if buckets <= 1:
        return 0
    ticket += GAMMA
    v = c_mix64(ticket)
    u = (v ^ (v >> 32)) & (2 * floor_power(buckets - 1) - 1)
    while u:
        q = floor_power(u)
        b = q + ((v >> 32 if odd(u) else v) & (q - 1))
        while True:
            if b < buckets:
                return b
            ticket += GAMMA
            w = c_mix64(ticket)
            b = w & (2 * q - 1)
            if b < q:
                break
            if b < buckets:
                return b
            b = (w >> 32) & (2 * q - 1)
            if b < q:
                break
        u ^= q
    return 0


cdef Py_ssize_t c_bucket(uint64_t ticket, uint64_t buckets) noexcept nogil:
    """As `c_jump_back`, with words of its own for each range."""
    cdef uint64_t u, q, b, w, state
    if buckets <= 1:
        return 0
    u = c_mix64(ticket + GAMMA) & (2 * floor_power(buckets - 1) - 1)
    while u:
        q = floor_power(u)
        state = ticket + q * LEVEL
        b = q + (c_mix64(state) & (q - 1))
        while b >= buckets:
            state += GAMMA
            w = c_mix64(state)
            b = w & (2 * q - 1)
            if b < buckets:
                break
            b = (w >> 32) & (2 * q - 1)
        if b >= q:
            return b
        u ^= q
    return 0


cdef Py_ssize_t c_choose_next(uint64_t ticket, int32_t *chosen, Py_ssize_t k, Py_ssize_t buckets) noexcept nogil:
    """The next bucket of the order after the k in `chosen`, which descend; it is put into its place there."""
    cdef Py_ssize_t j, i, candidate, below = buckets
    cdef uint64_t link
    for j in range(k + 1):
        i = k - j
        link = c_mix64(ticket ^ c_mix64(<uint64_t>i)) if i else ticket
        candidate = c_bucket(link, below - i) + i
        if j == k or candidate > chosen[j]:
            break
        below = chosen[j]
    for i in range(k, j, -1):
        chosen[i] = chosen[i - 1]
    chosen[j] = <int32_t>candidate
    return candidate


def jump_back(ticket, buckets):
    """The published function: the bucket, in [0, buckets), of a 64-bit ticket; buckets in [1, 2**31)."""
    return c_jump_back(word("ticket", ticket), count("buckets", buckets))


def choose(ticket, k, buckets):
    """The first k of the ticket's order of all buckets; k in [1, buckets], buckets in [1, 2**31)."""
    cdef uint64_t key = word("ticket", ticket)
    cdef Py_ssize_t i, many = count("k", k), n = count("buckets", buckets)
    if many > n:
        raise ConfigError("k", k, f"must be an integer from 1 to {n}")
    cdef cnp.ndarray chosen = np.empty(many, dtype=np.int32)
    return [c_choose_next(key, <int32_t *>cnp.PyArray_DATA(chosen), i, n) for i in range(many)]


@cython.final
cdef class SeatMap(Structure):
    """Seats in order, each with its slot or -1 for nobody: a ticket is served by the first seat of its order taken."""

    def __cinit__(self, seats, slots):
        cdef Py_ssize_t i
        self.slots = count("slots", slots)
        cdef cnp.ndarray given = column("seats", seats, -1, self.slots - 1, np.int32)
        taken = np.asarray(given)[np.asarray(given) >= 0]
        if len(taken) == 0 or len(np.unique(taken)) != len(taken):
            raise ConfigError("seats", seats, "must name at least one slot, and none twice")
        self.size = cnp.PyArray_DIM(given, 0)
        self.seat = <int32_t *>malloc(4 * self.size)
        if self.seat == NULL:
            raise MemoryError
        for i in range(self.size):
            self.seat[i] = (<int32_t *>cnp.PyArray_DATA(given))[i]

    def __dealloc__(self):
        free(self.seat)

    cdef Py_ssize_t search(self, uint64_t ticket) noexcept nogil:
        """The first slot of the ticket's order; -1 if there is no memory to look for it."""
        cdef int32_t few[FEW]
        cdef int32_t *chosen = &few[0]
        cdef Py_ssize_t k, slot = -1
        if self.size > FEW:
            chosen = <int32_t *>malloc(4 * self.size)
        if chosen == NULL:
            return -1
        for k in range(self.size):
            slot = self.seat[c_choose_next(ticket, chosen, k, self.size)]
            if slot >= 0:
                break
        if self.size > FEW:
            free(chosen)
        return slot

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef Py_ssize_t slot = self.seat[c_bucket(ticket, self.size)]
        return slot if slot >= 0 else self.search(ticket)

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        walk[0] = Walk(ticket, 0, 0, min(self.size, <Py_ssize_t>FEW))
        self.onward(walk)
        return self.onward(walk)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        """The order is made again up to the next slot: cheap for the first few, and there is no room to keep it."""
        cdef int32_t chosen[FEW]
        cdef Py_ssize_t k, seat = 0
        while walk.ahead < walk.left:
            for k in range(walk.ahead + 1):
                seat = c_choose_next(walk.ticket, chosen, k, self.size)
            walk.ahead += 1
            if self.seat[seat] >= 0:
                return self.seat[seat]
        return -1

    def seats(self):
        """The slots by seat, -1 for nobody, as a new int32 array."""
        return np.array([self.seat[i] for i in range(self.size)], dtype=np.int32)

    def _walk(self, uint64_t ticket):
        """Slots in the ticket's order of their seats."""
        cdef cnp.ndarray chosen = np.empty(self.size, dtype=np.int32)
        cdef Py_ssize_t k, slot
        for k in range(self.size):
            slot = self.seat[c_choose_next(ticket, <int32_t *>cnp.PyArray_DATA(chosen), k, self.size)]
            if slot >= 0:
                yield slot
