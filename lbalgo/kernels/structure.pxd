from libc.stdint cimport int32_t, uint64_t

cdef class Cursor:
    cdef public uint64_t state

cdef struct Walk:
    uint64_t ticket  # as given, or its latest rehash
    Py_ssize_t ahead, behind  # the next place, and the next one back where a walk goes both ways
    Py_ssize_t left  # how many steps may be taken yet

cdef class Structure:
    cdef readonly Py_ssize_t slots
    cdef Py_ssize_t lookup(self, uint64_t ticket) noexcept nogil
    cdef uint64_t settle(self, uint64_t ticket) noexcept nogil
    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil
    cdef Walk begin(self, uint64_t ticket) noexcept nogil
    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil
