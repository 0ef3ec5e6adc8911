from libc.stdint cimport int64_t

cdef struct Row:
    int64_t errors
    int64_t gateway
    int64_t successes
    int64_t total

cdef class Evidence:
    cdef readonly int64_t error_threshold
    cdef readonly int64_t gateway_threshold
    cdef Py_ssize_t size
    cdef Row *table
    cdef bint note(self, Py_ssize_t slot, int code) noexcept
    cdef Py_ssize_t _slot(self, slot) except -1
