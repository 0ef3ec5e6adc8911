# cython: language_level=3
"""What every structure shares: ticket in, slot out, one at a time, in bulk, or as a whole order of preference.

A structure is immutable and knows nothing of keys, eligibility or time. `Cursor` is the one mutable thing of a picker:
the next counter value or the state of its generator, handed from picker to picker.
"""
cimport cython
cimport numpy as cnp
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from libc.stdint cimport int32_t, uint64_t

import numpy as np

from lbalgo.columns import array, slots_for, tickets_of, word

from lbalgo.kernels.hashing cimport GAMMA, c_mix64

cnp.import_array()

cdef extern from *:
    """
    /* Whether what is kept is as it was made, of this length, and nobody else holds it or waits for its end. */
    static int lbalgo_unheld(PyObject *kept, npy_intp n, PyArray_Descr *of) {
    #if defined(PYPY_VERSION) || defined(Py_GIL_DISABLED)
        return (void)kept, (void)n, (void)of, 0;
    #else
        PyArrayObject *a = (PyArrayObject *)kept;
        return kept != NULL && Py_REFCNT(kept) == 1 && PyArray_NDIM(a) == 1 && PyArray_DIM(a, 0) == n
            && PyArray_DESCR(a) == of && PyArray_BASE(a) == NULL
            && PyArray_CHKFLAGS(a, NPY_ARRAY_CARRAY | NPY_ARRAY_OWNDATA)
            && *PyObject_GET_WEAKREFS_LISTPTR(kept) == NULL;
    #endif
    }
    """
    bint unheld "lbalgo_unheld" (PyObject *kept, cnp.npy_intp n, cnp.dtype of) noexcept

cdef Py_ssize_t FEW = 64  # slots of an array that is kept
cdef cnp.dtype INT32 = cnp.PyArray_DescrFromType(cnp.NPY_INT32)
cdef PyObject *kept[2]
cdef Py_ssize_t older = 0


cdef object few_slots(cnp.npy_intp n):
    """A short int32 array: a new one, or one of the last two made, if who was given it has let go of it.

    NumPy takes longer to make an array than 16 tickets take to be decided. So does CPython with the tuples of `zip`. Two
    are enough for who holds one until there is the next.
    """
    global older
    cdef Py_ssize_t i
    for i in range(2):
        if unheld(kept[i], n, INT32):
            return <object>kept[i]
    cdef object made = cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT32)
    cdef PyObject *dropped = kept[older]
    Py_INCREF(made)
    kept[older] = <PyObject *>made
    older ^= 1
    Py_XDECREF(dropped)
    return made


@cython.final
cdef class Cursor:
    """The 64 bits that move when a picker without a key picks."""

    def __init__(self, state=0):
        self.state = word("state", state)

    def __repr__(self):
        return f"Cursor({self.state})"


cdef inline bint apart(const void *one, Py_ssize_t size, const void *two, Py_ssize_t other) noexcept nogil:
    """Whether these bytes and those are others."""
    return <const char *>one + size <= <const char *>two or <const char *>two + other <= <const char *>one


cdef class Structure:
    """Base of every compiled structure; alone it is the empty one, whose every lookup answers -1."""

    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil:
        return -1

    cdef uint64_t settle(self, uint64_t ticket) noexcept nogil:
        """The first sequence number at or after `ticket` at which somebody is served."""
        return ticket

    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = <int32_t>self.lookup(tickets[i])

    cdef void turns(self, uint64_t state, bint counting, uint64_t *states, int32_t *slots, Py_ssize_t n) noexcept nogil:
        """What n requests without a key are decided to from this state of the cursor, and its state after each.

        The state is a sequence number, or that of a generator whose outputs are the tickets.
        """
        cdef Py_ssize_t i
        for i in range(n):
            if counting:
                state = self.settle(state)
                slots[i] = <int32_t>self.lookup(state)
                state += 1
            else:
                state += GAMMA
                slots[i] = <int32_t>self.lookup(c_mix64(state))
            states[i] = state

    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil:
        """Where the second step of this ticket's walk leads; the first leads to `lookup`."""
        walk[0] = Walk(ticket, 0, 0, 0)
        return -1

    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil:
        """The next slot, which may have been met before; -1 where a walk cannot go on by steps, or knows no steps."""
        return -1

    cdef object slots_of(self, object tickets, object out):
        """Slots of a one-dimensional uint64 array, in `out` or a new int32 array; short ones cost what the calls do."""
        cdef cnp.ndarray given
        cdef cnp.npy_intp n
        if not (cnp.PyArray_Check(tickets) and cnp.PyArray_NDIM(tickets) == 1
                and cnp.PyArray_TYPE(tickets) == cnp.NPY_UINT64 and cnp.PyArray_ISCARRAY_RO(tickets)):
            tickets = tickets_of(tickets)
        given = tickets
        n = cnp.PyArray_DIM(given, 0)
        if out is None:
            out = few_slots(n) if n <= FEW else cnp.PyArray_SimpleNew(1, &n, cnp.NPY_INT32)
        elif not (cnp.PyArray_Check(out) and cnp.PyArray_NDIM(out) == 1 and cnp.PyArray_DIM(out, 0) == n
                  and cnp.PyArray_TYPE(out) == cnp.NPY_INT32 and cnp.PyArray_ISCARRAY(out)
                  and apart(cnp.PyArray_DATA(given), 8 * n, cnp.PyArray_DATA(out), 4 * n)):
            slots_for(given, out)
        self.fill_apart(<const uint64_t *>cnp.PyArray_DATA(given), <int32_t *>cnp.PyArray_DATA(out), n)
        return out

    cdef void fill_apart(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept:
        """Fills, and where that takes microseconds lets other threads run."""
        if n < 4096:
            self.fill(tickets, out, n)
        else:
            with nogil:
                self.fill(tickets, out, n)

    def slot(self, ticket):
        """The slot a ticket is decided to, -1 if the structure is empty."""
        return self.lookup(word("ticket", ticket))

    def slot_many(self, tickets, out):
        """Slots of a contiguous uint64 array into a contiguous int32 array of the same length."""
        cdef cnp.ndarray given = array("tickets", tickets, np.uint64)
        cdef cnp.ndarray target = array("out", out, np.int32, len(given))
        cdef const uint64_t *source = <const uint64_t *>cnp.PyArray_DATA(given)
        cdef int32_t *slots = <int32_t *>cnp.PyArray_DATA(target)
        cdef Py_ssize_t n = cnp.PyArray_DIM(given, 0)
        self.fill_apart(source, slots, n)

    def walk(self, ticket):
        """Every slot of the structure once, in the base order of the ticket."""
        return self._walk(word("ticket", ticket))

    def _walk(self, uint64_t ticket):
        return iter(())
