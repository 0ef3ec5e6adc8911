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
from libc.string cimport memcpy

import numpy as np

from lbalgo.columns import array, column, count, words
from lbalgo.errors import ConfigError
from lbalgo.kernels.lanes cimport lanes_in_use
from lbalgo.kernels.structure cimport Structure, Walk

cnp.import_array()

include "columns.pxi"

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define lbalgo_fetch(address) __builtin_prefetch(address)
    #else
    #define lbalgo_fetch(address) ((void)(address))
    #endif
    """
    void lbalgo_fetch(const void *address) noexcept nogil

cdef extern from "ring_lanes.h" nogil:
    void ring_slots(const int32_t *start, int32_t *to, Py_ssize_t n, int32_t above, int32_t step) noexcept
    void ring_cells(int level, const int32_t *start, int32_t *to, Py_ssize_t n, int32_t shift, int32_t above,
                    int32_t step) noexcept

cdef enum:
    SCAN = 8  # more edges than this in a cell are searched by halving
    BLOCK = 64  # tickets of a batch that go through each step together
    CROWD = 32  # more points than this in a bucket are not sorted by insertion

cdef object CELL = np.dtype("u4, u4, i4, i4")  # the struct in ring.pxd


@cython.final
cdef class Ring(Structure):
    """A ring of points; the ticket's successor, or its nearest point, names the slot.

    With a ring `before` of no two points at one position, its points are here too: those of its slot i are of slot
    places[i]. A point goes if its owner is said to be ~i; all points of a slot must if it has no place, but -1.
    """

    def __cinit__(self, points, owners, slots, bint nearest=False, Ring before=None, places=None):
        cdef Py_ssize_t members = count("slots", slots)
        cdef cnp.ndarray where, whose, at, owner, edge, start, held, moved, gone, left
        cdef Change change
        cdef Py_ssize_t n
        cdef bint there
        if before is not None:
            moved = column_of("places", places, -1, members - 1)
            if cnp.PyArray_DIM(moved, 0) != before.slots:
                raise ConfigError("places", places, f"must be one for each of {before.slots} slots")
            if before.ties:
                raise ConfigError("before", before, "must have no two points at one position")
        if before is not None and len(points) == 0 and len(owners) == 0:
            where, whose = np.empty(0, np.uint64), np.empty(0, np.int32)
        else:
            where = words_of("points", points)
            whose = column_of("owners", owners, 0 if before is None else -before.slots, members - 1)
        n = cnp.PyArray_DIM(where, 0)
        if n + (0 if before is None else before.size) >= <Py_ssize_t>1 << 31:
            raise ConfigError("points", points, "must be 1 to 2**31 - 1 of them")
        if cnp.PyArray_DIM(whose, 0) != n:
            raise ConfigError("owners", owners, "must be as many as there are points")
        self.slots, self.nearest = members, nearest
        at, owner, start = in_order(where, whose)
        if before is not None:
            gone, left = np.empty(n, np.uint32), cnp.PyArray_NewCopy(before.arrays[4], cnp.NPY_CORDER)
            change.places = <const int32_t *>cnp.PyArray_DATA(moved)
            change.points, change.whose = <const uint64_t *>cnp.PyArray_DATA(at), <int32_t *>cnp.PyArray_DATA(owner)
            change.gone, change.left = <uint32_t *>cnp.PyArray_DATA(gone), <int32_t *>cnp.PyArray_DATA(left)
            change.many = n
            with nogil:
                there = lose(before, &change)
            if not there:
                raise ConfigError("points", points, "must be their owners' where they go")
            if not all_placed(&change, before.slots):
                raise ConfigError("places", places, "must be some where points stay")
            if before.size + n == 2 * change.lost:
                raise ConfigError("places", places, "must leave the ring a point")
            if carried(self, before, &change):
                return
            at, owner = merged(before, &change)
            start = None
        n = cnp.PyArray_DIM(at, 0) - 1
        held = np.zeros(members, np.int32)
        with nogil:
            self.ties = closed(<uint64_t *>cnp.PyArray_DATA(at), <int32_t *>cnp.PyArray_DATA(owner), n,
                               <int32_t *>cnp.PyArray_DATA(held))
        edge = half_way(at, owner, n) if nearest else at
        if nearest or start is None:
            start = starts(n)
            locate(<uint32_t *>cnp.PyArray_DATA(start), shift_of(n), <const uint64_t *>cnp.PyArray_DATA(edge), n)
        take(self, at, edge, owner, held, n)
        with nogil:
            divide(self.cells, self.shift, <const uint32_t *>cnp.PyArray_DATA(start), self.edge, self.owner)

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

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        cdef Py_ssize_t i = self.seek(ticket)
        if i == self.size:
            i = 0
        if self.nearest and ticket - self.at[i] - 1 < self.at[i] - ticket:
            i = i + 1 if i + 1 < self.size else 0
        walk.ticket, walk.ahead, walk.behind, walk.left = ticket, i, i - 1 if i else self.size - 1, self.size
        self.onward(walk)
        return self.onward(walk)

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
        cdef Walk walk
        cdef Py_ssize_t slot = self.lookup(ticket)
        seen = {slot}
        yield slot
        slot = self.begin(ticket, &walk)
        while len(seen) < self.members:
            if slot not in seen:
                seen.add(slot)
                yield slot
            slot = self.onward(&walk)


include "ring_building.pxi"
include "ring_change.pxi"


def moves(tuple ids, weights, tuple ids_now, weights_now):
    """The slot now of each id before, -1 if it has gone; and whose weights differ, the lesser and the greater weight.

    Who weighs more is named by its slot, who weighs less or has gone by ~slot, its slot before. Lists that begin and
    end alike are compared from both ends; only what is between is looked up.
    """
    cdef Py_ssize_t n = len(ids), m = len(ids_now), head = 0, tail = 0, i, least = min(n, m)
    cdef const double *before = weights_of("weights", weights, n)
    cdef const double *now = weights_of("weights_now", weights_now, m)
    cdef cnp.ndarray places = np.empty(n, np.int32), weighed = np.zeros(m)
    cdef int32_t *place = <int32_t *>cnp.PyArray_DATA(places)
    cdef double *had = <double *>cnp.PyArray_DATA(weighed)
    cdef double weighs
    cdef list owners = [], low = [], high = []
    while head < least and ids[head] == ids_now[head]:
        place[head] = <int32_t>head
        head += 1
    while tail < least - head and ids[n - 1 - tail] == ids_now[m - 1 - tail]:
        place[n - 1 - tail] = <int32_t>(m - 1 - tail)
        tail += 1
    between = {ids_now[i]: i for i in range(head, m - tail)} if head < n - tail else {}
    for i in range(head, n - tail):
        place[i] = between.get(ids[i], -1)
    for i in range(n):
        weighs = 0.0
        if place[i] >= 0:
            weighs, had[place[i]] = now[place[i]], before[i]
        if before[i] > weighs:
            owners.append(~i)
            low.append(weighs)
            high.append(before[i])
    for i in range(m):
        if now[i] > had[i]:
            owners.append(i)
            low.append(had[i])
            high.append(now[i])
    return places, owners, low, high


cdef const double *weights_of(str name, weights, Py_ssize_t n) except? NULL:
    """Where the weights are, which have to be as many as the ids."""
    array(name, weights, np.float64)
    if cnp.PyArray_DIM(weights, 0) != n:
        raise ConfigError(name, weights, "must be one for each id")
    return <const double *>cnp.PyArray_DATA(weights)


cdef void take(Ring self, cnp.ndarray at, cnp.ndarray edge, cnp.ndarray owner, cnp.ndarray held, Py_ssize_t n):
    """Makes these arrays the ring's, with room for their cells; `held` says how many points each slot has."""
    cdef cnp.ndarray cells
    cdef const int32_t *holds = <const int32_t *>cnp.PyArray_DATA(held)
    cdef Py_ssize_t slot
    self.size, self.shift, self.members = n, shift_of(n), 0
    for slot in range(self.slots):
        self.members += holds[slot] > 0
    cells = np.empty((1 << (64 - self.shift)) + 1, dtype=CELL)
    self.arrays = at, edge, owner, cells, held
    self.at = <const uint64_t *>cnp.PyArray_DATA(at)
    self.edge = <const uint64_t *>cnp.PyArray_DATA(edge)
    self.owner = <const int32_t *>cnp.PyArray_DATA(owner)
    self.cells = <Cell *>cnp.PyArray_DATA(cells)


cdef bint carried(Ring self, Ring before, Change *change):
    """Makes this the ring before, changed where it changes; False where that takes more than to move the rest.

    It does on a nearest ring, whose neighbours' edges move too, if the number of cells changes, and if slots do
    not keep their order.
    """
    cdef Py_ssize_t n = before.size + change.many - 2 * change.lost
    cdef cnp.ndarray at, owner, held
    if before.nearest or self.nearest or shift_of(n) != before.shift or not stepped(change, before.slots):
        return False
    at, owner, held = np.empty(n + 1, np.uint64), np.empty(n + 1, np.int32), np.zeros(self.slots, np.int32)
    hold(change, before.slots, <int32_t *>cnp.PyArray_DATA(held))
    take(self, at, at, owner, held, n)
    with nogil:
        self.ties = carry(before, change, <uint64_t *>cnp.PyArray_DATA(at), <int32_t *>cnp.PyArray_DATA(owner),
                          self.cells)
    return True
