from libc.stdint cimport int32_t, uint8_t, uint64_t
from lbalgo.kernels.structure cimport Structure

cdef Py_ssize_t c_jump(uint64_t ticket, Py_ssize_t buckets) noexcept nogil

cdef class JumpBuckets(Structure):
    cdef uint8_t *open
    cdef bint whole
    cdef Py_ssize_t reopen(self, uint64_t ticket) noexcept nogil
