# How a ring is built: points in order, edges, cells.


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


cdef tuple merged(Ring before, const Change *change):
    """The points of a ring that stay and those that come, and their owners now, all in order."""
    cdef cnp.ndarray at = before.arrays[0], owner = before.arrays[2], out, slots
    cdef Py_ssize_t n = before.size + change.many - 2 * change.lost
    if before.nearest:
        at, owner = before.points(), before.owners()
    out, slots = np.empty(n + 1, dtype=np.uint64), np.empty(n + 1, dtype=np.int32)
    with nogil:
        blend(<const uint64_t *>cnp.PyArray_DATA(at), <const int32_t *>cnp.PyArray_DATA(owner), before.size, change,
              <uint64_t *>cnp.PyArray_DATA(out), <int32_t *>cnp.PyArray_DATA(slots))
    return out, slots


cdef void blend(const uint64_t *at, const int32_t *owner, Py_ssize_t n, const Change *change, uint64_t *out,
                int32_t *slots) noexcept nogil:
    """Merges points that come into those that stay, which come before their equals; one that goes is written over."""
    cdef Py_ssize_t i = 0, j, k = 0, low, high, middle
    for j in range(change.many + 1):
        low, high = i, n
        while j < change.many and low < high:
            middle = (low + high) >> 1
            if at[middle] <= change.points[j]:
                low = middle + 1
            else:
                high = middle
        while i < high:
            out[k] = at[i]
            slots[k] = change.places[owner[i]]
            k += 1
            i += 1
        if j == change.many:
            break
        if change.whose[j] < 0:
            k -= 1
        else:
            out[k] = change.points[j]
            slots[k] = change.whose[j]
            k += 1


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


cdef inline void describe(Cell *cell, int shift, const uint64_t *edge, const int32_t *owner) noexcept nogil:
    """Makes a cell that knows its index, as the next one does, know its first edge and the owners."""
    cdef uint32_t i = cell[0].index, many = cell[1].index - i
    cell.edge = <uint32_t>(edge[i] >> (shift - 32))
    cell.owner = owner[i]
    cell.after = owner[i + (many == 1)] | -<int32_t>(many > 1)


cdef void divide(Cell *cells, int shift, const uint32_t *start, const uint64_t *edge,
                 const int32_t *owner) noexcept nogil:
    """Makes all cells, whose edges begin where `start` says, know theirs; of one more than there are, the index."""
    cdef Py_ssize_t b
    cells[0].index = 0
    for b in range(<Py_ssize_t>1 << (64 - shift)):
        cells[b + 1].index = start[b + 1]
        describe(cells + b, shift, edge, owner)


cdef bint closed(uint64_t *at, int32_t *owner, Py_ssize_t n, int32_t *held) noexcept nogil:
    """Puts after the last point the highest position, which is the first one's owner's; whether two points are equal.

    How many points each slot has is counted in `held`.
    """
    cdef Py_ssize_t i
    cdef bint ties = False
    at[n], owner[n] = <uint64_t>-1, owner[0]
    for i in range(n):
        held[owner[i]] += 1
        ties |= (i + 1 < n) & (at[i] == at[i + 1])
    return ties
