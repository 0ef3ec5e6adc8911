cimport cython
from libc.stdint cimport int32_t, uint8_t, uint64_t
from lbalgo.kernels.hashing cimport GAMMA, KeyHasher, WORD, c_fold as fold, c_mix64 as mix64, c_mix_folded as mix_folded
from lbalgo.kernels.maglev cimport MaglevTable
from lbalgo.kernels.structure cimport Cursor, Structure, Walk

cdef extern from "short_keys.h":
    bint short_ticket(object key, uint64_t seed, uint64_t *ticket) noexcept

cdef object NOTHING
cdef Py_ssize_t TURNS
cdef uint64_t ACCEPT, NEVER
cdef double MOST, MANY
cdef int KEYED, COUNTER, RANDOM

@cython.final
cdef class TicketPicker:
    cdef readonly object policy
    cdef readonly object view
    cdef readonly tuple backends
    cdef readonly Structure structure
    cdef readonly Cursor cursor
    cdef readonly KeyHasher hasher
    cdef readonly int source
    cdef readonly bint plain
    cdef bint able
    cdef MaglevTable _table  # the structure, if the first two of a walk are asked at once; else None
    cdef bint _xxh64
    cdef uint64_t _full  # the threshold of who accepts all, or none that there is
    cdef Py_ssize_t _turn  # the next of those that are decided, TURNS if none is
    cdef uint64_t[145] _states  # where the cursor stands before the first of TURNS and after each, and room for more
    cdef int32_t[144] _served  # whom they are decided to, and as much room for what a structure finds beyond them
    cdef uint64_t[::1] coins  # of each backend, folded
    cdef uint64_t[::1] thresholds
    cdef uint64_t[::1] bars  # thresholds, and 0 of who is not eligible
    cdef uint8_t[::1] eligible
    cdef inline uint64_t _peek(self, object key) except? 0
    cdef inline void _spend(self, object key, uint64_t ticket) noexcept
    cdef inline bint _accepts(self, Py_ssize_t slot, uint64_t folded) noexcept
    cdef inline bint _takes(self, Py_ssize_t slot, uint64_t folded) noexcept
    cdef inline Py_ssize_t _decide(self, uint64_t ticket) except -2
    @cython.locals(slot=Py_ssize_t)
    cdef inline Py_ssize_t _decide_by_coins(self, uint64_t ticket) except -2
    @cython.locals(folded=uint64_t, one=Py_ssize_t, two=Py_ssize_t, first=Py_ssize_t, full=Py_ssize_t)
    cdef inline Py_ssize_t _decide_of_two(self, uint64_t ticket) except -2
    @cython.locals(slot=Py_ssize_t, spare=Py_ssize_t, walk=Walk, folded=uint64_t, _=Py_ssize_t)
    cdef Py_ssize_t _go_on(self, uint64_t ticket) except -2
    @cython.locals(i=Py_ssize_t)
    cdef void _decide_many(self, const uint64_t[::1] tickets, int32_t[::1] out) except *
    cdef inline object _serve(self, object key)
    cdef object _serve_late(self)
    @cython.locals(i=Py_ssize_t, state=uint64_t, ticket=uint64_t)
    cdef void _foresee(self, uint64_t[::1] out) noexcept
    cdef inline Py_ssize_t _next(self, object key) except -1
    @cython.locals(slot=Py_ssize_t, ticket=uint64_t)
    cdef Py_ssize_t _next_by_key(self, object key) except -1
    @cython.locals(slot=Py_ssize_t, ticket=uint64_t)
    cdef inline Py_ssize_t _next_drawn(self) except -1
    cdef inline bint _at_hand(self) noexcept
    @cython.locals(turn=Py_ssize_t)
    cdef inline Py_ssize_t _take(self) noexcept
    @cython.locals(i=Py_ssize_t, ticket=uint64_t, counting=bint)
    cdef int _look_ahead(self) except -1

cdef extern from *:
    bint unlikely(bint holds) noexcept nogil

cdef extern from "short_entry.h":
    object item "lbalgo_item" (void *items, Py_ssize_t at)
    void short_entry(object kind, const char *name) noexcept

cdef object serve "lbalgo_serve" (object picker, object key)
