# cython: language_level=3
"""Maglev tables: the fill of Eisenbud et al. (NSDI 2016, 3.4) for any sequence of turns, and the lookup.

A dialect is its turn sequence: `fill` gives each turn's owner its next free preferred position. Preferred positions are
(offset + j * skip) mod size, advanced by addition, so nothing overflows. The last turns would probe for long: nearly
all is taken. There the empty positions are listed instead, and each turn finds by one modular division per empty
position how many steps away that is; the least wins, which is exactly where probing would have ended.
"""
cimport cython
cimport numpy as cnp
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.spec import is_prime

from lbalgo.kernels.hashing cimport c_mix64
from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure, Walk, remainder

cnp.import_array()

cdef extern from "table_lanes.h" nogil:
    Py_ssize_t table_blocks(int level, const uint64_t *tickets, int32_t *out, Py_ssize_t n, const uint8_t *small,
                            const uint16_t *narrow, const int32_t *wide, uint64_t size) noexcept


cdef inline uint32_t step(uint32_t position, uint32_t skip, uint32_t size) noexcept nogil:
    """(position + skip) mod size without a branch: the least of the sum and, as unsigned, the sum less the size."""
    cdef uint32_t total = position + skip
    cdef uint32_t wrapped = total - size
    return total if total < wrapped else wrapped


cdef uint64_t inverse(uint64_t a, uint64_t prime) noexcept nogil:
    """The inverse of a modulo a prime, by Euclid's algorithm."""
    cdef int64_t t = 0, u = 1, r = prime, v = a, q
    while v:
        q = r // v
        t, u = u, t - q * u
        r, v = v, r - q * v
    return t + prime if t < 0 else t


cdef void c_fill(int32_t *table, uint8_t *taken, uint32_t *position, const uint32_t *skip, uint32_t size,
                 const int32_t *turns, Py_ssize_t period, uint32_t *empty, uint64_t *inverses,
                 uint32_t late) noexcept nogil:
    """All but the last `late` turns probe; these take, of the positions still empty, the one they would reach first."""
    cdef Py_ssize_t t = 0, first
    cdef uint32_t filled, p, s, n = 0, j, where
    cdef int32_t owner, distance, rank, least
    cdef uint64_t factor, ratio, product = 1
    for filled in range(size - late):
        owner = turns[t]
        t = t + 1 if t + 1 < period else 0
        p, s = position[owner], skip[owner]
        while taken[p]:
            p = step(p, s, size)
        taken[p] = 1
        table[p] = owner
        position[owner] = step(p, s, size)
    if late == 0:
        return
    for p in range(size):
        empty[n] = p
        n += taken[p] == 0
        if n == late:
            break
    first = t
    for j in range(late):  # products of the skips so far; one inversion then serves all of them
        inverses[j] = product
        product = product * skip[turns[t]] % size
        t = t + 1 if t + 1 < period else 0
    factor = inverse(product, size)
    for j in range(late):
        t = t - 1 if t > 0 else period - 1
        inverses[late - 1 - j] = inverses[late - 1 - j] * factor % size
        factor = factor * skip[turns[t]] % size
    t = first
    while n:  # rank = (empty position - next preferred) / skip mod size, the quotient by Shoup's multiplication
        owner = turns[t]
        t = t + 1 if t + 1 < period else 0
        p, s, factor = position[owner], skip[owner], inverses[late - n]
        ratio = (factor << 32) // size
        least = size
        for j in range(n):
            distance = empty[j] - p
            distance += size & (distance >> 31)
            rank = <int32_t>(<uint32_t>distance * <uint32_t>factor
                             - <uint32_t>((<uint32_t>distance * ratio) >> 32) * size) - <int32_t>size
            rank += size & (rank >> 31)
            least = rank if rank < least else least
        where = <uint32_t>((p + <uint64_t>least * s) % size)
        table[where] = owner
        position[owner] = step(where, s, size)
        j = 0
        while empty[j] != where:
            j += 1
        n -= 1
        empty[j] = empty[n]


def fill(turns, offset, skip, size):
    """The table that turns[0], turns[1], … (repeated from the start when exhausted) make, as int32 of length `size`.

    The size is a prime below 2**31, so that every owner's positions are all of the table; offsets are in [0, size),
    skips in [1, size), turns owners that have both.
    """
    cdef uint32_t many = count("size", size)
    if not is_prime(size):
        raise ConfigError("size", size, "must be prime")
    cdef cnp.ndarray position = column("offset", offset, 0, size - 1, np.uint32)
    cdef cnp.ndarray stride = column("skip", skip, 1, size - 1, np.uint32)
    cdef cnp.ndarray order = column("turns", turns, 0, len(position) - 1, np.int32)
    if len(stride) != len(position):
        raise ConfigError("skip", skip, "must be as many as offset")
    cdef cnp.ndarray table = np.empty(many, dtype=np.int32)
    cdef uint32_t late = min(<uint32_t>(2 * sqrt(<double>many)), many)
    cdef uint8_t *taken = <uint8_t *>calloc(many, 1)
    cdef uint32_t *empty = <uint32_t *>malloc(4 * <size_t>(late + 1))
    cdef uint64_t *inverses = <uint64_t *>malloc(8 * <size_t>late)
    try:
        if taken == NULL or empty == NULL or inverses == NULL:
            raise MemoryError
        with nogil:
            c_fill(<int32_t *>cnp.PyArray_DATA(table), taken, <uint32_t *>cnp.PyArray_DATA(position),
                   <const uint32_t *>cnp.PyArray_DATA(stride), many, <const int32_t *>cnp.PyArray_DATA(order),
                   cnp.PyArray_DIM(order, 0), empty, inverses, late)
    finally:
        free(taken)
        free(empty)
        free(inverses)
    return table


@cython.final
cdef class MaglevTable(Structure):
    """A filled table: ticket mod size is a position, the position's owner is the slot."""

    def __cinit__(self, table, salts):
        cdef cnp.ndarray marks = words("salts", salts)
        cdef cnp.ndarray owners = column("table", table, 0, len(marks) - 1, np.int32)
        cdef const int32_t *source = <const int32_t *>cnp.PyArray_DATA(owners)
        cdef const uint64_t *salt = <const uint64_t *>cnp.PyArray_DATA(marks)
        cdef Py_ssize_t i
        self.size = cnp.PyArray_DIM(owners, 0)
        self.inverse = <uint64_t>-1 // <uint64_t>self.size
        self.slots = cnp.PyArray_DIM(marks, 0)
        self.salts = <uint64_t *>malloc(8 * self.slots)
        if self.slots <= 256:
            self.small = <uint8_t *>malloc(self.size)
        elif self.slots <= 65536:
            self.narrow = <uint16_t *>malloc(2 * self.size)
        else:
            self.wide = <int32_t *>malloc(4 * self.size)
        if self.salts == NULL or (self.small == NULL and self.narrow == NULL and self.wide == NULL):
            raise MemoryError
        for i in range(self.slots):
            self.salts[i] = salt[i]
        for i in range(self.size):
            if self.small != NULL:
                self.small[i] = <uint8_t>source[i]
            elif self.narrow != NULL:
                self.narrow[i] = <uint16_t>source[i]
            else:
                self.wide[i] = source[i]

    def __dealloc__(self):
        free(self.small)
        free(self.narrow)
        free(self.wide)
        free(self.salts)

    cdef inline Py_ssize_t owner(self, uint64_t position) noexcept nogil:
        if self.small != NULL:
            return self.small[position]
        return self.narrow[position] if self.narrow != NULL else self.wide[position]

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return self.owner(remainder(ticket, self.size, self.inverse))

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef uint64_t size = <uint64_t>self.size, inverse = self.inverse
        cdef Py_ssize_t i, done
        done = table_blocks(lanes_in_use, tickets, out, n, self.small, self.narrow, self.wide, size)
        for i in range(done, n):
            out[i] = <int32_t>self.owner(remainder(tickets[i], size, inverse))

    cdef Walk begin(self, uint64_t ticket) noexcept nogil:
        return Walk(ticket, <Py_ssize_t>remainder(ticket, self.size, self.inverse), 0, min(4 * self.slots, self.size))

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        cdef Py_ssize_t position = walk.ahead
        if walk.left == 0:
            return -1
        walk.left -= 1
        walk.ahead = position + 1 if position + 1 < self.size else 0
        return self.owner(position)

    def table(self):
        """The owners by position, as a new int32 array."""
        out = np.empty(self.size, dtype=np.int32)
        self.slot_many(np.arange(self.size, dtype=np.uint64), out)
        return out

    def _walk(self, uint64_t ticket):
        """The owners of the next positions, at most 4 * slots of them, then rendezvous order of the rest."""
        cdef Walk walk = self.begin(ticket)
        cdef Py_ssize_t slot = self.onward(&walk)
        seen = set()
        while slot >= 0:
            if slot not in seen:
                seen.add(slot)
                yield slot
            slot = self.onward(&walk)
        rest = [(-int(c_mix64(ticket ^ self.salts[slot])), slot) for slot in range(self.slots) if slot not in seen]
        for _, slot in sorted(rest):
            yield slot
