from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t, uint8_t
from lbalgo.kernels.structure cimport Structure

cdef class MaglevTable(Structure):
    cdef readonly Py_ssize_t size
    cdef uint64_t inverse  # (2**64 - 1) // size
    cdef uint8_t *small  # the owners in the least width that holds them: this, or
    cdef uint16_t *narrow
    cdef int32_t *wide
    cdef uint64_t *salts
    cdef Py_ssize_t owner(self, uint64_t position) noexcept nogil
