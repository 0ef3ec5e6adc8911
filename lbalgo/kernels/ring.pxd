from libc.stdint cimport int32_t, uint32_t, uint64_t
from lbalgo.kernels.structure cimport Structure

cdef class Ring(Structure):
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t members
    cdef readonly bint nearest
    cdef int shift
    cdef uint64_t *at
    cdef int32_t *owner
    cdef uint32_t *start
    cdef Py_ssize_t seek(self, uint64_t ticket) noexcept nogil
    cdef Py_ssize_t choose(self, uint64_t ticket, Py_ssize_t i) noexcept nogil
