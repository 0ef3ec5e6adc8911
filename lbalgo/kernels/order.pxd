cimport cython
from libc.stdint cimport int64_t, uint64_t
from lbalgo.kernels.loads cimport InFlightCounts

cdef uint64_t JOURNAL

cdef class Order:
    cdef readonly InFlightCounts load
    cdef readonly bint first
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _top
    cdef uint64_t _seen
    cdef bint _grown, _straight
    cdef int64_t[::1] _places, _rows
    cdef Py_ssize_t least(self, uint64_t ticket) noexcept
    @cython.locals(load=InFlightCounts, change=uint64_t, row=Py_ssize_t, place=Py_ssize_t)
    cdef void _follow(self) noexcept
    cdef void _moved(self, Py_ssize_t place, Py_ssize_t row) noexcept
    cdef void _grow(self) noexcept
