cimport cython
from libc.stdint cimport int64_t

cdef class LoadState:
    cdef double *counts  # by row, if the load is a mere count; else NULL
    cdef Py_ssize_t size
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    cdef void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.final
    cdef inline double read(self, Py_ssize_t row) except? -1.0:
        """`value`, without a call if the load is a mere count."""
        if row < self.size:
            return self.counts[row]
        return self.value(row)
    @cython.final
    cdef inline double count(self, Py_ssize_t row) noexcept:
        """`value` of a row below `size`."""
        return self.counts[row]
    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *

cdef class InFlightCounts(LoadState):
    cdef void reserve(self, Py_ssize_t size) except *

cdef class ForeignLoad(LoadState):
    cdef readonly object load
