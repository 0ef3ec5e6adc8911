# How a ring is changed: a few points come, a few go, and what lies between is moved.
#
# From one point that comes or goes to the next, all points stay as they are, slots shift by one step above one of them,
# and the indices of cells by how many more points have come than gone. Only a cell with such a point, and those before
# it that know the first point after them, are described anew.


cdef struct Change:
    const int32_t *places  # the slot now of each slot, or -1
    int32_t above, step  # slots above the one shift by the other
    const uint64_t *points  # that come or go, in order; from one position first who goes
    int32_t *whose  # owners of those that come; ~ the slots before of those that go
    uint32_t *gone  # indices of points that go, in order
    int32_t *left  # how many points of each slot stay
    Py_ssize_t many, lost  # points that come or go, and that go


cdef bint lose(Ring before, Change *change) noexcept nogil:
    """Finds the points that go, and puts them first where points come to; whether each was there, and its owner's."""
    cdef Py_ssize_t i, j, k
    cdef uint64_t point
    cdef int32_t owner
    change.lost = 0
    for j in range(change.many):
        owner, point, k = change.whose[j], change.points[j], j
        if owner >= 0:
            continue
        while k > 0 and change.points[k - 1] == point:
            if change.whose[k - 1] < 0:
                return False
            change.whose[k] = change.whose[k - 1]
            k -= 1
        change.whose[k] = owner
        i = before.seek(point)
        if i == before.size:
            i = 0
        if before.at[i] != point or before.owner[i] != ~owner:
            return False
        change.gone[change.lost] = <uint32_t>i
        change.lost += 1
        change.left[~owner] -= 1
    return True


cdef bint all_placed(const Change *change, Py_ssize_t slots) noexcept nogil:
    """Whether each slot before of which points stay has a place."""
    cdef Py_ssize_t slot
    cdef bint lacks = False
    for slot in range(slots):
        lacks |= (change.places[slot] < 0) & (change.left[slot] > 0)
    return not lacks


cdef bint stepped(Change *change, Py_ssize_t slots) noexcept nogil:
    """Whether slots shift as a change can say: above one of them, by one step."""
    cdef Py_ssize_t slot
    change.above, change.step = <int32_t>0x7FFFFFFF, 0
    for slot in range(slots):
        if change.places[slot] < 0:
            continue
        if change.step == 0 and change.places[slot] != slot:
            change.above, change.step = <int32_t>(slot - 1), <int32_t>(change.places[slot] - slot)
        if change.places[slot] != slot + (change.step if slot > change.above else 0):
            return False
    return True


cdef void hold(const Change *change, Py_ssize_t slots, int32_t *held) noexcept nogil:
    """Counts the points of each slot now: those that stay of slots that have a place, and those that come."""
    cdef Py_ssize_t i
    for i in range(slots):
        if change.places[i] >= 0:
            held[change.places[i]] += change.left[i]
    for i in range(change.many):
        if change.whose[i] >= 0:
            held[change.whose[i]] += 1


cdef bint carry(Ring before, const Change *change, uint64_t *at, int32_t *owner, Cell *cells) noexcept nogil:
    """Fills the arrays of a changed ring; whether a point comes to where one is already."""
    cdef const Cell *old = before.cells
    cdef int shift = before.shift
    cdef Py_ssize_t end = <Py_ssize_t>1 << (64 - shift), n = before.size
    cdef Py_ssize_t i = 0, k = 0, b = 0, j = 0, lost = 0, stop, cell
    cdef bint ties = False, comes
    cdef int level = lanes_in_use
    cdef uint64_t point
    while True:
        comes = j < change.many and change.whose[j] >= 0
        stop = n if j == change.many else after(before, change.points[j]) if comes else change.gone[lost]
        memcpy(at + k, before.at + i, (stop - i) * sizeof(uint64_t))
        ring_slots(before.owner + i, owner + k, stop - i, change.above, change.step)
        k, i = k + stop - i, stop
        if j == change.many:
            break
        point = change.points[j]
        cell = <Py_ssize_t>(point >> shift)
        if b <= cell:
            ring_cells(level, <const int32_t *>(old + b), <int32_t *>(cells + b), cell + 1 - b, <int32_t>(k - i),
                       change.above, change.step)
            b = cell + 1
        if comes:
            ties |= k > 0 and at[k - 1] == point
            at[k], owner[k] = point, change.whose[j]
            k += 1
        else:
            i, lost = i + 1, lost + 1
        j += 1
    ring_cells(level, <const int32_t *>(old + b), <int32_t *>(cells + b), end + 1 - b, <int32_t>(k - i),
               change.above, change.step)
    at[k], owner[k] = <uint64_t>-1, owner[0]
    for j in range(change.many):
        mend(cells, <Py_ssize_t>(change.points[j] >> shift), shift, at, owner)
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
