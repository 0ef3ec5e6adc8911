from libc.stdint cimport int32_t, uint32_t, uint64_t
from lbalgo.kernels.structure cimport Structure

cdef struct Cell:
    uint32_t index  # of the first edge in this cell or after it
    uint32_t edge  # of that edge the 32 bits below those that name a cell
    int32_t owner  # who owns the tickets up to that edge
    int32_t after  # who owns the cell's other tickets; -1 where that takes a search

cdef class Ring(Structure):
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t members
    cdef readonly bint nearest
    cdef readonly bint ties
    cdef object arrays
    cdef int shift
    cdef Cell *cells
    cdef const uint64_t *at
    cdef const uint64_t *edge
    cdef const int32_t *owner
    cdef Py_ssize_t seek(self, uint64_t ticket) noexcept nogil
