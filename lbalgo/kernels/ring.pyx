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
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

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
    """A ring of points; the ticket's successor, or its nearest point, names the slot.

    With a ring `before`, its points are here too: those of its slot i are of slot places[i], or gone where that is -1.
    """

    def __cinit__(self, points, owners, slots, bint nearest=False, Ring before=None, places=None):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray where, whose, at, owner, edge, start, cells, moved, owns
        cdef Py_ssize_t n
        if before is not None:
            moved = column("places", places, -1, members - 1, np.int32)
            if cnp.PyArray_DIM(moved, 0) != before.slots:
                raise ConfigError("places", places, f"must be one for each of {before.slots} slots")
        if before is not None and len(points) == 0 and len(owners) == 0:
            where, whose = np.empty(0, np.uint64), np.empty(0, np.int32)
        else:
            where, whose = words("points", points), column("owners", owners, 0, members - 1, np.int32)
        n = cnp.PyArray_DIM(where, 0) + (0 if before is None else before.size)
        if n >= <Py_ssize_t>1 << 31:
            raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
        if cnp.PyArray_DIM(whose, 0) != cnp.PyArray_DIM(where, 0):
            raise ConfigError("owners", owners, "must be as many as there are points")
        at, owner, start = in_order(where, whose)
        if before is not None:
            at, owner = merged(before, moved, at, owner)
            start = None
        n = cnp.PyArray_DIM(at, 0) - 1
        if n == 0:
            raise ConfigError("places", places, "must leave the ring a point")
        self.size, self.slots, self.nearest, self.shift = n, members, nearest, shift_of(n)
        owns = np.zeros(members, np.uint8)
        with nogil:
            self.ties = closed(<uint64_t *>cnp.PyArray_DATA(at), <int32_t *>cnp.PyArray_DATA(owner), n,
                               <uint8_t *>cnp.PyArray_DATA(owns))
        self.members = np.count_nonzero(owns)
        if nearest:
            edge, start = half_way(at, owner, n), None
        else:
            edge = at
        if start is None:
            start = starts(n)
            locate(<uint32_t *>cnp.PyArray_DATA(start), self.shift, <const uint64_t *>cnp.PyArray_DATA(edge), n)
        cells = np.empty((1 << (64 - self.shift)) + 1, dtype=CELL)
        self.arrays = at, edge, owner, cells
        self.at = <const uint64_t *>cnp.PyArray_DATA(at)
        self.edge = <const uint64_t *>cnp.PyArray_DATA(edge)
        self.owner = <const int32_t *>cnp.PyArray_DATA(owner)
        self.cells = <Cell *>cnp.PyArray_DATA(cells)
        with nogil:
            divide(self.cells, self.shift, <const uint32_t *>cnp.PyArray_DATA(start), self.edge, self.owner, n)
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


cdef int shift_of(Py_ssize_t n) noexcept nogil:
    """How far a position is shifted to name its cell: there are as many cells as points, or up to twice as many."""
    cdef int shift = 63
    while <Py_ssize_t>1 << (64 - shift) < n:
        shift -= 1
    return shift


cdef cnp.ndarray starts(Py_ssize_t n):
    """Of the cells of n points and one more: where their points will be found to begin."""
    return np.zeros((1 << (64 - shift_of(n))) + 2, dtype=np.uint32)


cdef tuple in_order(cnp.ndarray where, cnp.ndarray whose):
    """The points in order, their owners, both with room for one more, and where each cell begins, or None.

    A stable bucket sort by cells, unless one of them is crowded.
    """
    cdef Py_ssize_t n = cnp.PyArray_DIM(where, 0)
    cdef cnp.ndarray start = starts(n)
    cdef cnp.ndarray at = np.empty(n + 1, dtype=np.uint64), owner = np.empty(n + 1, dtype=np.int32)
    cdef bint done
    with nogil:
        done = arrange(<uint32_t *>cnp.PyArray_DATA(start), shift_of(n), <const uint64_t *>cnp.PyArray_DATA(where),
                       <const int32_t *>cnp.PyArray_DATA(whose), n, <uint64_t *>cnp.PyArray_DATA(at),
                       <int32_t *>cnp.PyArray_DATA(owner))
    if not done:
        order = np.argsort(where, kind="stable")
        at[:n], owner[:n] = where[order], whose[order]
        start = None
    return at, owner, start


cdef bint arrange(uint32_t *start, int shift, const uint64_t *where, const int32_t *whose, Py_ssize_t n, uint64_t *at,
                  int32_t *owner) noexcept nogil:
    """Sorts by the buckets where[i] >> shift, whose counts are 0 yet; False if one of them is crowded."""
    cdef Py_ssize_t i, j
    cdef uint64_t point
    cdef int32_t slot
    cdef uint32_t most = 0
    for i in range(n):
        start[(where[i] >> shift) + 2] += 1
    for i in range(2, (<Py_ssize_t>1 << (64 - shift)) + 2):
        most = max(most, start[i])
        start[i] += start[i - 1]
    if most > CROWD:
        return False
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


cdef tuple merged(Ring before, cnp.ndarray places, cnp.ndarray more, cnp.ndarray whose):
    """The points of a ring whose slots have these places now, -1 for none, and more points, all in order."""
    cdef cnp.ndarray at = before.arrays[0], owner = before.arrays[2]
    cdef Py_ssize_t m = cnp.PyArray_DIM(more, 0) - 1, n = before.size
    if before.nearest:
        at, owner = before.points(), before.owners()
    cdef cnp.ndarray out = np.empty(n + m + 1, dtype=np.uint64), slots = np.empty(n + m + 1, dtype=np.int32)
    with nogil:
        n = blend(<const uint64_t *>cnp.PyArray_DATA(at), <const int32_t *>cnp.PyArray_DATA(owner), n,
                  <const int32_t *>cnp.PyArray_DATA(places), <const uint64_t *>cnp.PyArray_DATA(more),
                  <const int32_t *>cnp.PyArray_DATA(whose), m, <uint64_t *>cnp.PyArray_DATA(out),
                  <int32_t *>cnp.PyArray_DATA(slots))
    return out[:n + 1], slots[:n + 1]


cdef Py_ssize_t blend(const uint64_t *at, const int32_t *owner, Py_ssize_t n, const int32_t *places,
                      const uint64_t *more, const int32_t *whose, Py_ssize_t m, uint64_t *out,
                      int32_t *slots) noexcept nogil:
    """Merges `more` into the points that keep a place; how many there are then. The old come before their equals."""
    cdef Py_ssize_t i = 0, j, k = 0, low, high, middle
    for j in range(m + 1):
        low, high = i, n
        while j < m and low < high:
            middle = (low + high) >> 1
            if at[middle] <= more[j]:
                low = middle + 1
            else:
                high = middle
        while i < high:
            out[k] = at[i]
            slots[k] = places[owner[i]]
            k += slots[k] >= 0
            i += 1
        if j < m:
            out[k] = more[j]
            slots[k] = whose[j]
            k += 1
    return k


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


cdef void locate(uint32_t *start, int shift, const uint64_t *edge, Py_ssize_t n) noexcept nogil:
    """Where the edges of each cell begin, for zeroed cells and one more."""
    cdef Py_ssize_t i
    for i in range(n):
        start[(edge[i] >> shift) + 1] = <uint32_t>(i + 1)
    for i in range(1, (<Py_ssize_t>1 << (64 - shift)) + 1):
        start[i] = max(start[i], start[i - 1])


cdef void divide(Cell *cells, int shift, const uint32_t *start, const uint64_t *edge, const int32_t *owner,
                 Py_ssize_t n) noexcept nogil:
    """Makes cells know the edges in them, which begin where `start` says; of one more than there are, the index."""
    cdef Py_ssize_t b, many, i
    for b in range(<Py_ssize_t>1 << (64 - shift)):
        i = start[b]
        many = <Py_ssize_t>start[b + 1] - i
        cells[b].index = <uint32_t>i
        cells[b].edge = <uint32_t>(edge[i] >> (shift - 32))
        cells[b].owner = owner[i]
        cells[b].after = owner[i + (many == 1)] | -<int32_t>(many > 1)
    cells[<Py_ssize_t>1 << (64 - shift)].index = <uint32_t>n


cdef bint closed(uint64_t *at, int32_t *owner, Py_ssize_t n, uint8_t *owns) noexcept nogil:
    """Puts after the last point the highest position, which is the first one's owner's; whether two points are equal.

    Who owns a point is noted in `owns`.
    """
    cdef Py_ssize_t i
    cdef bint ties = False
    at[n], owner[n] = <uint64_t>-1, owner[0]
    for i in range(n):
        owns[owner[i]] = 1
        ties |= (i + 1 < n) & (at[i] == at[i + 1])
    return ties
