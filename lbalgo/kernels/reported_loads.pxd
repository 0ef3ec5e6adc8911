cimport cython
from libc.math cimport exp
from lbalgo.kernels.loads cimport LoadState

cdef bint NATIVE
cdef double NEVER, MOST, UNTRIED
cdef int SUCCESS, CANCELLED, PROBATION, TRUSTED, ANSWERED, FAILED, UNSAID
cdef dict NEXT

cdef class ReportLoad(LoadState):
    cdef readonly object spec
    cdef readonly double unknown, errors, blackout, expiry, latest
    cdef Py_ssize_t room
    cdef double[::1] flying, said, made, came, since
    cdef object _make_room(self, Py_ssize_t row)
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=ReportLoad)
    cpdef object merge(self, object other)


cdef class BlendLoad(LoadState):
    cdef readonly object spec
    cdef readonly ReportLoad reports
    cdef readonly double utilisation, errors, tau, ramp, floor, latest
    cdef Py_ssize_t room
    cdef double[::1] costs, failed, heard, when, born, state
    cdef object _make_room(self, Py_ssize_t row)
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    @cython.locals(kept=double, came=int)
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.locals(kept=double)
    cpdef double error_share(self, Py_ssize_t row) except? -1.0
    @cython.locals(age=double, total=double)
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=BlendLoad)
    cpdef object merge(self, object other)

