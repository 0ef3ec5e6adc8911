from libc.stdint cimport int32_t, uint64_t

cdef class Cursor:
    cdef public uint64_t state

cdef class Structure:
    cdef readonly Py_ssize_t slots
    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil
    cdef uint64_t settle(self, uint64_t ticket) noexcept nogil
    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil
