# cython: language_level=3
"""Points on the circle of 2**64 positions, each with an owner, and who is met from a ticket (Karger et al. 1997).

The kernel knows no dialect: whoever has points and owners gets a ring. The tickets of a point end at its *edge*: at the
point itself, or, on a nearest ring, half-way to the next point. So both kinds are looked up alike, by the first edge at
or after the ticket. The top bits of a ticket name a *cell*, which knows who owns the tickets up to its first edge and,
if it has no other, those above: for four tickets of five or more, while points are uniform, one cache line decides, by
arithmetic rather than by a branch to mispredict. Others search the cell's edges, by halving if they are many.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int32_t, uint32_t, uint64_t

import numpy as np

from lbalgo.columns import column, count, words
from lbalgo.errors import ConfigError
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define lbalgo_fetch(address) __builtin_prefetch(address)
    #else
    #define lbalgo_fetch(address) ((void)(address))
    #endif
    """
    void lbalgo_fetch(const void *address) noexcept nogil

cdef enum:
    SCAN = 8  # more edges than this in a cell are searched by halving
    BLOCK = 64  # tickets of a batch that go through each step together
    CROWD = 32  # more points than this in a bucket are not sorted by insertion

cdef object CELL = np.dtype("u4, u4, i4, i4")  # the struct in ring.pxd


@cython.final
cdef class Ring(Structure):
    """A ring of points; the ticket's successor, or its nearest point, names the slot."""

    def __cinit__(self, points, owners, slots, bint nearest=False):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray where = words("points", points)
        cdef cnp.ndarray whose = column("owners", owners, 0, members - 1, np.int32)
        cdef cnp.ndarray at, edge, owner, cells
        cdef Py_ssize_t n = cnp.PyArray_DIM(where, 0)
        if n >= <Py_ssize_t>1 << 31:
            raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
        if cnp.PyArray_DIM(whose, 0) != n:
            raise ConfigError("owners", owners, "must be as many as there are points")
        self.size, self.slots, self.nearest, self.shift = n, members, nearest, 63
        self.members = np.count_nonzero(np.bincount(whose))
        at, owner = in_order(where, whose, n)
        edge = half_way(at, owner, n) if nearest else at
        while <Py_ssize_t>1 << (64 - self.shift) < n:
            self.shift -= 1
        cells = np.zeros((1 << (64 - self.shift)) + 1, dtype=CELL)
        self.arrays = at, edge, owner, cells
        self.at = <const uint64_t *>cnp.PyArray_DATA(at)
        self.edge = <const uint64_t *>cnp.PyArray_DATA(edge)
        self.owner = <const int32_t *>cnp.PyArray_DATA(owner)
        self.cells = <Cell *>cnp.PyArray_DATA(cells)
        divide(self.cells, self.shift, self.edge, self.owner, n)

    cdef Py_ssize_t seek(self, uint64_t ticket) noexcept nogil:
        """The first index whose edge is not below the ticket; `size` past the last."""
        cdef const Cell *cell = self.cells + (ticket >> self.shift)
        cdef Py_ssize_t middle, low = cell[0].index, high = cell[1].index
        while high - low > SCAN:
            middle = (low + high) >> 1
            if self.edge[middle] < ticket:
                low = middle + 1
            else:
                high = middle
        while self.edge[low] < ticket:
            low += 1
        return low

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        cdef const Cell *cell = self.cells + (ticket >> self.shift)
        cdef uint32_t rest = <uint32_t>(ticket >> (self.shift - 32))
        cdef int32_t slot = cell.owner ^ ((cell.owner ^ cell.after) & -<int32_t>(rest > cell.edge))
        if slot < 0 or rest == cell.edge:
            return self.owner[self.seek(ticket)]
        return slot

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        """Block by block: what the cells know, without a branch, then the others; memory is asked for a step ahead."""
        cdef Py_ssize_t start = 0, end = 0, ahead = 0, i, open
        cdef Py_ssize_t[BLOCK] late
        cdef const Cell *cell
        cdef uint32_t rest
        while end < n:
            start, end = end, ahead
            ahead = end + BLOCK if n - end > BLOCK else n
            for i in range(end, ahead):
                lbalgo_fetch(self.cells + (tickets[i] >> self.shift))
            open = 0
            for i in range(start, end):
                cell = self.cells + (tickets[i] >> self.shift)
                rest = <uint32_t>(tickets[i] >> (self.shift - 32))
                out[i] = cell.owner ^ ((cell.owner ^ cell.after) & -<int32_t>(rest > cell.edge))
                late[open] = i
                open += (out[i] < 0) | (rest == cell.edge)
            for i in range(open):
                cell = self.cells + (tickets[late[i]] >> self.shift)
                lbalgo_fetch(self.edge + cell.index)
                lbalgo_fetch(self.owner + cell.index)
            for i in range(open):
                out[late[i]] = self.owner[self.seek(tickets[late[i]])]

    cdef Walk begin(self, uint64_t ticket) noexcept nogil:
        cdef Py_ssize_t i = self.seek(ticket)
        if i == self.size:
            i = 0
        if self.nearest and ticket - self.at[i] - 1 < self.at[i] - ticket:
            i = i + 1 if i + 1 < self.size else 0
        return Walk(ticket, i, i - 1 if i else self.size - 1, self.size)

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        """Distances run from 0 clockwise and from 1 back, hence the - 1."""
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
        return np.roll(self.arrays[0][:self.size], -(self.edge[0] < self.at[0]))

    def owners(self):
        """The owners of the points in order, as a new int32 array."""
        return np.roll(self.arrays[2][:self.size], -(self.edge[0] < self.at[0]))

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


cdef tuple in_order(cnp.ndarray where, cnp.ndarray whose, Py_ssize_t n):
    """The points in order and their owners, and after the last the highest position, which is the first one's owner's.

    A stable bucket sort by top bits, unless a bucket is crowded.
    """
    cdef int shift = 63
    while <Py_ssize_t>1 << (64 - shift) < 2 * n:
        shift -= 1
    cdef cnp.ndarray start = np.zeros((1 << (64 - shift)) + 2, dtype=np.uint32)
    cdef cnp.ndarray at = np.empty(n + 1, dtype=np.uint64), owner = np.empty(n + 1, dtype=np.int32)
    if not arrange(<uint32_t *>cnp.PyArray_DATA(start), shift, <const uint64_t *>cnp.PyArray_DATA(where),
                   <const int32_t *>cnp.PyArray_DATA(whose), n, <uint64_t *>cnp.PyArray_DATA(at),
                   <int32_t *>cnp.PyArray_DATA(owner)):
        order = np.argsort(where, kind="stable")
        at[:n], owner[:n] = where[order], whose[order]
    at[n], owner[n] = ~np.uint64(0), owner[0]
    return at, owner


cdef bint arrange(uint32_t *start, int shift, const uint64_t *where, const int32_t *whose, Py_ssize_t n, uint64_t *at,
                  int32_t *owner) noexcept nogil:
    """Sorts by the buckets where[i] >> shift, whose counts are 0 yet; False if one of them is crowded."""
    cdef Py_ssize_t i, j
    cdef uint64_t point
    cdef int32_t slot
    for i in range(n):
        j = (where[i] >> shift) + 2
        start[j] += 1
        if start[j] > CROWD:
            return False
    for i in range(2, (<Py_ssize_t>1 << (64 - shift)) + 2):
        start[i] += start[i - 1]
    for i in range(n):
        j = start[(where[i] >> shift) + 1]
        start[(where[i] >> shift) + 1] += 1
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
    return True


cdef cnp.ndarray half_way(cnp.ndarray at, cnp.ndarray owner, Py_ssize_t n):
    """The edges of a nearest ring, in order; if the last lies past 0 it comes first, and its point and owner too."""
    edge = at.copy()
    edge[:n] += (np.roll(at[:n], -1) - at[:n]) >> np.uint64(1)
    if at[0] == at[n - 1]:  # all points at one position: the gap after the last is the whole circle
        edge[n - 1] ^= np.uint64(1 << 63)
    if edge[n - 1] < at[n - 1]:
        for part in (at, owner, edge):
            part[:n] = np.roll(part[:n], 1)
        owner[n] = owner[0]
    return edge


cdef void divide(Cell *cells, int shift, const uint64_t *edge, const int32_t *owner, Py_ssize_t n) noexcept nogil:
    """Makes zeroed cells know the edges in them; of one more than there are, the index."""
    cdef Py_ssize_t b, points, i
    for i in range(n):
        cells[edge[i] >> shift].index += 1
    i = 0
    for b in range(<Py_ssize_t>1 << (64 - shift)):
        points = cells[b].index
        cells[b].index = <uint32_t>i
        cells[b].edge = <uint32_t>(edge[i] >> (shift - 32))
        cells[b].owner = owner[i]
        cells[b].after = owner[i + (points == 1)] | -<int32_t>(points > 1)
        i += points
    cells[b + 1].index = <uint32_t>n
