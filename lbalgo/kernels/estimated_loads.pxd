cimport cython
from libc.math cimport exp
from lbalgo.kernels.loads cimport LoadState

cdef bint NATIVE
cdef double NAN, NEVER, MOST, LONGEST, UNTRIED, FAINT, LONG
cdef int CANCELLED, TIMEOUT

cdef class LatencyLoad(LoadState):
    cdef readonly object spec
    cdef readonly double tau, initial, latest
    cdef double rate
    cdef readonly bint peak, pending
    cdef bint lasting  # whether `faded` is kept
    cdef double epoch, until
    cdef Py_ssize_t room
    cdef double[::1] flying, costs, average, when, seen, faded
    cdef object _make_room(self, Py_ssize_t row)
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    @cython.locals(bound=bint)
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.locals(kept=double)
    cdef void _sample(self, Py_ssize_t row, double took, bint bound) noexcept
    @cython.locals(faded=double)
    cdef inline void _fade(self, Py_ssize_t row) noexcept
    cdef void _fade_all(self) noexcept
    cdef inline double _now(self, Py_ssize_t row) noexcept
    @cython.locals(latency=double)
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=LatencyLoad)
    cpdef object merge(self, object other)


cdef class AgeLoad(LoadState):
    cdef readonly object spec
    cdef readonly LoadState load
    cdef readonly double latest
    cdef Py_ssize_t room
    cdef double[::1] flying, costs, begun, zero
    cdef object _make_room(self, Py_ssize_t row)
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    @cython.locals(mean=double, then=double)
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.locals(load=double, age=double)
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=AgeLoad)
    cpdef object merge(self, object other)

