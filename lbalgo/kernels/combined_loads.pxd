cimport cython
from lbalgo.kernels.loads cimport ForeignLoad, LoadState

cdef bint NATIVE
cdef double NEVER, MOST
cdef int SUCCESS, CANCELLED

cdef class CombinedLoad(LoadState):
    cdef readonly object spec
    cdef readonly tuple parts
    cdef readonly bint product
    cdef double[::1] weights
    @cython.locals(part=LoadState)
    cdef void pass_(self, double now) except *
    @cython.locals(part=LoadState)
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    @cython.locals(part=LoadState)
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.locals(part=LoadState, total=double, i=Py_ssize_t)
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=CombinedLoad)
    cpdef object merge(self, object other)


cdef class PenaltyLoad(LoadState):
    cdef readonly object spec
    cdef readonly LoadState load
    cdef readonly double penalty
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    @cython.locals(least=double)
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=PenaltyLoad)
    cpdef object merge(self, object other)


cdef class OverdueLoad(LoadState):
    cdef readonly object spec
    cdef readonly LoadState load
    cdef readonly double after, latest
    cdef Py_ssize_t room
    cdef double[::1] last
    cdef object _make_room(self, Py_ssize_t row)
    cdef void pass_(self, double now) except *
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.locals(total=double)
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.locals(its=OverdueLoad)
    cpdef object merge(self, object other)

