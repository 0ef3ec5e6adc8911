# How a ring is changed: a few points come, a few go, and what lies between is moved.
#
# From one point that comes or goes to the next, all points stay as they are, slots shift by one step above one of them,
# and the indices of cells by how many more points have come than gone. Only a cell with such a point, and those before
# it that know the first point after them, are described anew.


cdef struct Change:
    int32_t above, step  # slots above the one shift by the other
    bint all_stay  # no slot lacks a place
    const uint64_t *more  # points that come, in order
    const int32_t *whose
    uint32_t *gone  # indices of points that go, in order
    Py_ssize_t came, lost


cdef bint stepped(const int32_t *places, Py_ssize_t slots, Change *change) noexcept nogil:
    """Whether slots shift as a change can say: above one of them, by one step."""
    cdef Py_ssize_t slot
    change.above, change.step, change.all_stay = <int32_t>0x7FFFFFFF, 0, True
    for slot in range(slots):
        if places[slot] < 0:
            change.all_stay = False
            continue
        if change.step == 0 and places[slot] != slot:
            change.above, change.step = <int32_t>(slot - 1), <int32_t>(places[slot] - slot)
        if places[slot] != slot + (change.step if slot > change.above else 0):
            return False
    return True


cdef Py_ssize_t losses(const int32_t *places, const int32_t *owner, Py_ssize_t n, uint32_t *gone,
                       Py_ssize_t most) noexcept nogil:
    """Finds the points whose owners have no place; how many, or -1 if there are more than that."""
    cdef Py_ssize_t i, lost = 0
    for i in range(n):
        if places[owner[i]] < 0:
            if lost == most:
                return -1
            gone[lost] = <uint32_t>i
            lost += 1
    return lost


cdef void owners_of(const uint8_t *owned, const int32_t *places, Py_ssize_t slots, const int32_t *whose, Py_ssize_t m,
                    uint8_t *owns) noexcept nogil:
    """Notes who owns a point: owners that keep a place, and those of points that come."""
    cdef Py_ssize_t i
    for i in range(slots):
        if places[i] >= 0:
            owns[places[i]] = owned[i]
    for i in range(m):
        owns[whose[i]] = 1


cdef bint carry(Ring before, const Change *change, uint64_t *at, int32_t *owner, Cell *cells) noexcept nogil:
    """Fills the arrays of a changed ring; whether a point comes to where one is already."""
    cdef const Cell *old = before.cells
    cdef int shift = before.shift
    cdef Py_ssize_t end = <Py_ssize_t>1 << (64 - shift), n = before.size
    cdef Py_ssize_t i = 0, k = 0, b = 0, came = 0, lost = 0, stop, cell
    cdef bint ties = False, comes
    cdef int level = lanes_in_use
    cdef uint64_t point
    while True:
        comes = came < change.came
        stop = after(before, change.more[came]) if comes else n
        if lost < change.lost and change.gone[lost] < stop:
            stop, comes = change.gone[lost], False
        memcpy(at + k, before.at + i, (stop - i) * sizeof(uint64_t))
        ring_slots(before.owner + i, owner + k, stop - i, change.above, change.step)
        k, i = k + stop - i, stop
        if not comes and i == n:
            break
        point = change.more[came] if comes else before.at[i]
        cell = <Py_ssize_t>(point >> shift)
        if b <= cell:
            ring_cells(level, <const int32_t *>(old + b), <int32_t *>(cells + b), cell + 1 - b, <int32_t>(k - i),
                       change.above, change.step)
            b = cell + 1
        if comes:
            ties |= k > 0 and at[k - 1] == point
            at[k], owner[k] = point, change.whose[came]
            k, came = k + 1, came + 1
        else:
            i, lost = i + 1, lost + 1
    ring_cells(level, <const int32_t *>(old + b), <int32_t *>(cells + b), end + 1 - b, <int32_t>(k - i),
               change.above, change.step)
    at[k], owner[k] = <uint64_t>-1, owner[0]
    for came in range(change.came):
        mend(cells, <Py_ssize_t>(change.more[came] >> shift), shift, at, owner)
    for lost in range(change.lost):
        mend(cells, <Py_ssize_t>(before.at[change.gone[lost]] >> shift), shift, at, owner)
    mend(cells, end, shift, at, owner)
    return ties


cdef Py_ssize_t after(Ring ring, uint64_t point) noexcept nogil:
    """The first index whose point is above this one; `size` past the last."""
    cdef const Cell *cell = ring.cells + (point >> ring.shift)
    cdef Py_ssize_t middle, low = cell[0].index, high = cell[1].index
    while low < high:
        middle = (low + high) >> 1
        if ring.at[middle] <= point:
            low = middle + 1
        else:
            high = middle
    return low


cdef void mend(Cell *cells, Py_ssize_t b, int shift, const uint64_t *at, const int32_t *owner) noexcept nogil:
    """Describes anew a cell, if it is not the one more than there are, and those before it that know what follows."""
    if b < <Py_ssize_t>1 << (64 - shift):
        describe(cells + b, shift, at, owner)
    while b > 0 and cells[b].index - cells[b - 1].index < 2:
        b -= 1
        describe(cells + b, shift, at, owner)
        if cells[b].index < cells[b + 1].index:
            break
