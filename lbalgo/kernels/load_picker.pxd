cimport cython
from libc.math cimport floor
from libc.stdint cimport int32_t, int64_t, uint64_t
from lbalgo.kernels.alias cimport AliasTable
from lbalgo.kernels.estimated_loads cimport LatencyLoad
from lbalgo.kernels.hashing cimport GAMMA, WORD, c_mix64 as mix64
from lbalgo.kernels.loads cimport InFlightCounts, LoadState
from lbalgo.kernels.levels cimport Levels
from lbalgo.kernels.order cimport Order
from lbalgo.kernels.structure cimport Cursor
from lbalgo.kernels.tournament cimport Tournament
from lbalgo.kernels.urn cimport Urn, BALL_OWN, ball_if, ball_own, ball_owner

ctypedef Py_ssize_t[64] Drawn  # BLOCK of them
ctypedef double[64] Loads
ctypedef uint64_t[128] States  # DRAWN of them
ctypedef int32_t[128] Slots

cdef object NOTHING
cdef Py_ssize_t BLOCK, SPARSE, DRAWN, REPEATS
cdef double PARTS, UNIT, SURE, INFINITE, CLOSE, LOW, HIGH, LEAST

@cython.final
cdef class LoadPicker:
    cdef readonly object policy
    cdef readonly object view
    cdef readonly tuple backends
    cdef readonly object spec
    cdef readonly LoadState load
    cdef readonly object rows
    cdef readonly Py_ssize_t unused
    cdef readonly object table
    cdef AliasTable _alias
    cdef Urn _urn
    cdef readonly Py_ssize_t choices
    cdef readonly bint first
    cdef readonly Py_ssize_t count
    cdef readonly int exponent
    cdef bint _whole
    cdef Py_ssize_t _top
    cdef LatencyLoad _peaks  # if that is the load, and it may be compared by them; else None
    cdef int64_t[::1] _slots
    cdef int64_t[::1] _lanes
    cdef int64_t[::1] _rows
    cdef double[::1] _weights
    cdef readonly double margin
    cdef readonly Order order
    cdef uint64_t[::1] _words  # of each slot, where an alias table draws
    cdef Urn _named  # the urn by names, which are what a word says
    cdef int32_t[::1] _slot_of  # each name
    # What a pick of two needs lies together.
    cdef bint _pairs  # whether two are drawn ahead
    cdef readonly Cursor cursor
    cdef LoadState _counted
    cdef tuple _at  # the backend of each name
    cdef uint64_t _stride
    cdef uint64_t _ahead  # where the cursor stands before the pair at hand
    cdef Py_ssize_t _turn  # the pair at hand, DRAWN if none is
    cdef uint64_t[130] _drawn  # pairs of words; after the last, one whose two are one, and so not at hand
    @cython.locals(counts=InFlightCounts, whole=bint, straight=bint, known=Py_ssize_t, slot=Py_ssize_t, weight=double)
    cdef object _prepare(self, object lanes)
    cdef inline object _serve(self)
    cdef object _serve_late(self)
    @cython.locals(slot=Py_ssize_t)
    cdef Py_ssize_t _next(self) except -1
    cdef inline void _spend(self) noexcept
    cdef inline double _score(self, Py_ssize_t slot) except? -1.0
    cdef inline Py_ssize_t _decide(self, uint64_t state) except -2
    @cython.locals(loads=Loads, least=double, tied=double, bound=double, score=double, best=Py_ssize_t, start=Py_ssize_t,
                   size=Py_ssize_t, i=Py_ssize_t, slot=Py_ssize_t)
    cdef Py_ssize_t _least_read(self, uint64_t ticket) except -2
    @cython.locals(place=Py_ssize_t)
    cdef inline Py_ssize_t _least(self, uint64_t ticket) except -2
    @cython.locals(coin=double)
    cdef inline bint _wins(self, uint64_t ticket, uint64_t slot, double tied) noexcept
    @cython.locals(drawn=Drawn, least=double, score=double, best=Py_ssize_t, slot=Py_ssize_t, i=Py_ssize_t,
                   found=Py_ssize_t, draw=Py_ssize_t, fresh=bint)
    cdef Py_ssize_t _least_drawn(self, uint64_t state) except -2
    @cython.locals(state=uint64_t, slot=Py_ssize_t, one=Py_ssize_t, two=Py_ssize_t)
    cdef Py_ssize_t _lesser(self) except -1
    @cython.locals(one=uint64_t, two=uint64_t)
    cdef inline bint _at_hand(self) noexcept
    @cython.locals(one=uint64_t, two=uint64_t, mine=int64_t, its=int64_t)
    cdef inline Py_ssize_t _take(self) noexcept
    @cython.locals(draw=Py_ssize_t, wins=Py_ssize_t, score=double)
    cdef Py_ssize_t _lesser_read(self, uint64_t state, Py_ssize_t one, Py_ssize_t two) except -1
    @cython.locals(peaks=LatencyLoad, row=Py_ssize_t, second=Py_ssize_t, mine=double, its=double)
    cdef inline int _fainter(self, Py_ssize_t slot, Py_ssize_t other) noexcept
    @cython.locals(states=States, slots=Slots, i=Py_ssize_t)
    cdef void _look_ahead(self, uint64_t state) noexcept
    @cython.locals(ticket=uint64_t)
    cdef inline Py_ssize_t _draw(self, uint64_t state, Py_ssize_t draw) noexcept

cdef extern from "short_entry.h":
    object item "lbalgo_item" (void *items, Py_ssize_t at)
    void short_entry(object kind, const char *name) noexcept

cdef object serve "lbalgo_serve" (object picker, object key)
