from libc.stdint cimport int64_t

cdef class LoadState:
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    cdef void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *
    cdef double value(self, Py_ssize_t row) except? -1.0
    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *

cdef class InFlightCounts(LoadState):
    cdef int64_t *counts
    cdef Py_ssize_t size
    cdef void reserve(self, Py_ssize_t size) except *

cdef class ForeignLoad(LoadState):
    cdef readonly object load
