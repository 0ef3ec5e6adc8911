# cython: language_level=3
"""Exact shares of a ring, as a mean over the acceptance coins, to the rounding of doubles.

All tickets between two points of a successor ring walk alike, so an arc of tickets is walked at once. On a nearest ring
an arc is cut where the next points on its two sides are equally far, and both pieces are walked on. The points passed
after `step` steps are a window of the ring, so whether an owner has been passed is asked of the distance to its next
point on the other side. A piece is done when its tickets have gone on with chance below 2**-53 or have asked every
eligible backend; what has gone on belongs to the first eligible backend of the walk.
"""
cimport numpy as cnp
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

import numpy as np

from lbalgo.columns import arcs_of

cnp.import_array()

cdef Py_ssize_t CUTS = 1 << 20  # cuts a ring may have in all beyond one an arc; a piece out of cuts goes as its middle ticket

cdef struct Piece:
    uint64_t low  # first ticket
    uint64_t span  # last ticket minus first, so that a piece may be the whole circle
    Py_ssize_t right, left  # next point clockwise, next point back
    Py_ssize_t step, asked, head  # points passed, eligible slots asked, the first of them
    double going  # chance that nobody asked has accepted


cdef void c_recurrence(const int32_t *owner, Py_ssize_t n, int32_t *last, Py_ssize_t slots, int32_t *before,
                       int32_t *after) noexcept nogil:
    """For each point how many points back, and ahead, its owner has the next one: n if it has no other."""
    cdef Py_ssize_t i
    for i in range(slots):
        last[i] = -1
    for i in range(n):
        last[owner[i]] = <int32_t>i
    for i in range(n):
        before[i] = <int32_t>(i - last[owner[i]] + (n if last[owner[i]] >= i else 0))
        after[last[owner[i]]] = before[i]
        last[owner[i]] = <int32_t>i


cdef Py_ssize_t c_walk(Piece *pieces, Py_ssize_t cuts, const uint64_t *at, const int32_t *owner, Py_ssize_t n,
                       const int32_t *before, const int32_t *after, const double *accept, const uint8_t *eligible,
                       Py_ssize_t everybody, bint nearest, double *out) noexcept nogil:
    """Walks the piece on the stack and all that are cut off it."""
    cdef Py_ssize_t depth = 1, place
    cdef uint64_t wide, half, start, reach
    cdef Piece p
    cdef bint turn
    cdef double size
    cdef int32_t slot
    while depth:
        depth -= 1
        p = pieces[depth]
        while True:
            turn = False
            if nearest and p.step < n - 1:
                wide = at[p.right] - at[p.left] - 1
                half = (wide >> 1) + (wide & 1)  # so far from the left point that is as near as the right one
                start = p.low - at[p.left]
                if half >= start:
                    reach = half - start
                    turn = reach >= p.span if cuts else reach >= p.span >> 1
                    if cuts and not turn:
                        cuts -= 1
                        pieces[depth] = p
                        pieces[depth].low += reach + 1
                        pieces[depth].span -= reach + 1
                        depth += 1
                        p.span = reach
                        turn = True
            place = p.left if turn else p.right
            slot = owner[place]
            if eligible[slot] and (after[place] if turn else before[place]) > p.step:
                size = (<double>p.span + 1.0) * 2.0 ** -64
                if p.asked == 0:
                    p.head = slot
                p.asked += 1
                out[slot] += size * p.going * accept[slot]
                p.going *= 1.0 - accept[slot]
                if p.going < 2.0 ** -53 or p.asked == everybody:
                    out[p.head] += size * p.going
                    break
            p.step += 1
            if turn:
                p.left = p.left - 1 if p.left else n - 1
            else:
                p.right = p.right + 1 if p.right + 1 < n else 0


def arc_shares(points, owners, accept, eligible, bint nearest):
    """Shares by slot of the ring with these sorted points and their owners.

    `accept` is, for each slot, the chance that it accepts a ticket (0 where it is not eligible); `eligible` whether it
    may be chosen at all.
    """
    cdef cnp.ndarray where, whose, chance, able
    where, whose, chance, able = arcs_of(points, owners, accept, eligible)
    cdef cnp.ndarray shares = np.zeros(len(chance), dtype=np.float64)
    cdef Py_ssize_t n = cnp.PyArray_DIM(where, 0), slots = cnp.PyArray_DIM(chance, 0), k
    cdef Py_ssize_t everybody = np.count_nonzero(able[np.flatnonzero(np.bincount(whose, minlength=slots))])
    cdef Py_ssize_t cuts = CUTS // n + 1
    cdef cnp.ndarray scratch = np.empty(2 * n + slots, dtype=np.int32)
    cdef const uint64_t *at = <const uint64_t *>cnp.PyArray_DATA(where)
    cdef const int32_t *owner = <const int32_t *>cnp.PyArray_DATA(whose)
    cdef int32_t *before = <int32_t *>cnp.PyArray_DATA(scratch)
    cdef Piece *pieces = <Piece *>malloc((min(n, cuts) + 1) * sizeof(Piece))  # steps of the pieces kept all differ
    if pieces == NULL:
        raise MemoryError
    with nogil:
        c_recurrence(owner, n, before + 2 * n, slots, before, before + n)
        for k in range(n if everybody else 0):
            pieces[0] = Piece(at[k - 1 if k else n - 1] + 1, 0, k, k - 1 if k else n - 1, 0, 0, -1, 1.0)
            pieces[0].span = at[k] - pieces[0].low
            if pieces[0].low != at[k] + 1 or (k == 0 and at[0] == at[n - 1]):  # no arc between points at one position
                c_walk(pieces, cuts, at, owner, n, before, before + n, <const double *>cnp.PyArray_DATA(chance),
                       <const uint8_t *>cnp.PyArray_DATA(able), everybody, nearest,
                       <double *>cnp.PyArray_DATA(shares))
    free(pieces)
    return shares
