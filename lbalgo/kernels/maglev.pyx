# cython: language_level=3
"""Maglev tables: the fill of Eisenbud et al. (NSDI 2016, 3.4) for any sequence of turns, and the lookup.

A dialect is its turn sequence: `fill` gives each turn's owner its next free preferred position. Preferred positions are
(offset + j * skip) mod size, advanced by addition, so nothing overflows. Turns that would probe for long look at eight
positions at once, and the last of all are ranked instead; fill_lanes.h says why that ends where probing would have.
"""
cimport cython
cimport numpy as cnp
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.spec import is_prime

from lbalgo.kernels.hashing cimport c_mix64
from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure, Walk, remainder, remainder_times

cnp.import_array()

cdef extern from "entries.h" nogil:
    uint32_t entries_bits(uint64_t many) noexcept
    size_t entries_room(uint64_t size, uint32_t bits) noexcept
    void entries_pack(const Entries *entries, const int32_t *source, uint64_t size) noexcept

cdef extern from "table_lanes.h" nogil:
    Py_ssize_t table_head(const uint64_t *tickets) noexcept
    Py_ssize_t table_blocks(int level, const uint64_t *tickets, int32_t *out, Py_ssize_t n, const Entries *entries,
                            uint64_t size) noexcept

cdef extern from "fill_lanes.h" nogil:
    ctypedef struct Fill:
        int32_t *table
        uint32_t *taken
        uint32_t *position
        const uint32_t *skip
        const uint32_t *multiples
        uint32_t size
        const int32_t *turns
        Py_ssize_t period
        Py_ssize_t turn
    uint32_t fill_step(uint32_t position, uint32_t skip, uint32_t size) noexcept
    bint fill_is_taken(const Fill *f, uint32_t p) noexcept
    void fill_claim(Fill *f, int32_t owner, uint32_t p) noexcept
    int32_t fill_turn(Fill *f) noexcept
    void fill_one_by_one(Fill *f, uint32_t count) noexcept
    void fill_groups(int level, Fill *f, uint32_t count) noexcept
    uint32_t fill_least(int level, const uint32_t *empty, uint32_t n, uint32_t p, uint64_t factor,
                        uint32_t size) noexcept

cdef enum:
    FEW = 16  # with fewer owners of unequal weight, eight turns in a row are often of one of them


cdef uint64_t inverse(uint64_t a, uint64_t prime) noexcept nogil:
    """The inverse of a modulo a prime, by Euclid's algorithm."""
    cdef int64_t t = 0, u = 1, r = prime, v = a, q
    while v:
        q = r // v
        t, u = u, t - q * u
        r, v = v, r - q * v
    return t + prime if t < 0 else t


cdef void c_fill(Fill *f, uint32_t *empty, uint64_t *inverses, uint32_t late, int level) noexcept nogil:
    """All but the last `late` turns probe; these take, of the positions still empty, the one they would reach first."""
    cdef uint32_t p, n = 0, j, where, size = f.size, early = size - late
    cdef uint64_t factor, product = 1
    cdef int32_t owner
    cdef Py_ssize_t first
    if f.multiples != NULL:
        fill_one_by_one(f, early // 4)
        fill_groups(level, f, early - early // 4)
    else:
        fill_one_by_one(f, early)
    if late == 0:
        return
    for p in range(size):
        empty[n] = p
        n += not fill_is_taken(f, p)
        if n == late:
            break
    first = f.turn
    for j in range(late):  # products of the skips so far; one inversion then serves all of them
        inverses[j] = product
        product = product * f.skip[fill_turn(f)] % size
    factor = inverse(product, size)
    for j in range(late):
        f.turn = f.turn - 1 if f.turn > 0 else f.period - 1
        inverses[late - 1 - j] = inverses[late - 1 - j] * factor % size
        factor = factor * f.skip[f.turns[f.turn]] % size
    f.turn = first
    while n:
        owner = fill_turn(f)
        p = f.position[owner]
        where = <uint32_t>((p + <uint64_t>fill_least(level, empty, n, p, inverses[late - n], size)
                            * f.skip[owner]) % size)
        fill_claim(f, owner, where)
        j = 0
        while empty[j] != where:
            j += 1
        n -= 1
        empty[j] = empty[n]


cdef void c_multiples(const uint32_t *skip, Py_ssize_t n, uint32_t size, uint32_t *out) noexcept nogil:
    """0 to 7 times each skip, mod size."""
    cdef Py_ssize_t i, k
    for i in range(n):
        out[8 * i] = 0
        for k in range(1, 8):
            out[8 * i + k] = fill_step(out[8 * i + k - 1], skip[i], size)


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
    cdef Py_ssize_t n = cnp.PyArray_DIM(position, 0)
    cdef uint32_t *taken = <uint32_t *>calloc((many >> 5) + 1, 4)
    cdef uint32_t *empty = <uint32_t *>malloc(4 * <size_t>(late + 1))
    cdef uint64_t *inverses = <uint64_t *>malloc(8 * <size_t>late)
    cdef uint32_t *multiples = NULL
    cdef int level = lanes_in_use
    cdef bint grouped = level > 0 and (n >= FEW or (n >= 8 and cnp.PyArray_DIM(order, 0) == n))
    cdef Fill state
    if grouped:
        multiples = <uint32_t *>malloc(32 * <size_t>n)
    try:
        if taken == NULL or empty == NULL or inverses == NULL or (grouped and multiples == NULL):
            raise MemoryError
        state = Fill(<int32_t *>cnp.PyArray_DATA(table), taken, <uint32_t *>cnp.PyArray_DATA(position),
                     <const uint32_t *>cnp.PyArray_DATA(stride), multiples, many,
                     <const int32_t *>cnp.PyArray_DATA(order), cnp.PyArray_DIM(order, 0), 0)
        with nogil:
            if grouped:
                c_multiples(state.skip, n, many, multiples)
            c_fill(&state, empty, inverses, late, level)
    finally:
        free(taken)
        free(empty)
        free(inverses)
        free(multiples)
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
        self.owners.bits = entries_bits(self.slots)
        self.owners.mask = <uint32_t>((<uint64_t>1 << self.owners.bits) - 1)
        self.owners.bytes = <uint8_t *>malloc(entries_room(self.size, self.owners.bits))
        self.span = <uint64_t>self.size * self.owners.bits
        self.salts = <uint64_t *>malloc(8 * self.slots)
        if self.owners.bytes == NULL or self.salts == NULL:
            raise MemoryError
        for i in range(self.slots):
            self.salts[i] = salt[i]
        entries_pack(&self.owners, source, self.size)

    def __dealloc__(self):
        free(self.owners.bytes)
        free(self.salts)

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        if self.owners.bits == 8:
            return self.owners.bytes[remainder(ticket, <uint64_t>self.size, self.inverse)]
        return entries_at(&self.owners, self.place(ticket))

    @cython.final
    cdef Py_ssize_t two_wider(self, uint64_t ticket, Py_ssize_t *second) noexcept nogil:
        cdef uint64_t at = self.place(ticket), behind = at + self.owners.bits
        behind &= -<uint64_t>(behind < self.span)
        second[0] = entries_at(&self.owners, behind)
        return entries_at(&self.owners, at)

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t head = min(n, table_head(tickets))
        cdef Py_ssize_t done = head + table_blocks(lanes_in_use, tickets + head, out + head, n - head, &self.owners,
                                                   <uint64_t>self.size)
        self.fill_singly(tickets, out, head)
        self.fill_singly(tickets + done, out + done, n - done)

    @cython.final
    cdef void fill_singly(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Entries owners = self.owners
        cdef uint64_t size = <uint64_t>self.size, span = self.span, inverse = self.inverse
        cdef Py_ssize_t i
        if owners.bits == 8:
            for i in range(n):
                out[i] = owners.bytes[remainder(tickets[i], size, inverse)]
        else:
            for i in range(n):
                out[i] = <int32_t>entries_at(&owners, remainder_times(owners.bits, tickets[i], span, inverse))

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        cdef Py_ssize_t second = <Py_ssize_t>remainder(ticket, self.size, self.inverse) + 1
        walk.ahead = second if second < self.size else 0
        walk.left = min(4 * self.slots, self.size) - 1
        return self.step(walk)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        return self.step(walk)

    @cython.final
    cdef inline Py_ssize_t step(self, Walk *walk) noexcept nogil:
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
        rest = [(-int(c_mix64(ticket ^ self.salts[slot])), slot) for slot in range(self.slots) if slot not in seen]
        for _, slot in sorted(rest):
            yield slot
