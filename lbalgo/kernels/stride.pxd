cimport cython
from libc.stdint cimport int32_t, uint32_t, uint64_t
from lbalgo.kernels.structure cimport Structure, remainder

cdef enum:
    TOP = 65535  # the greatest stride
    HALF = 32767  # neighbours start half a turn apart

cdef class Stride(Structure):
    cdef readonly Py_ssize_t size
    cdef uint64_t inverse  # (2**64 - 1) // size
    cdef int32_t *owners
    cdef uint32_t *rates
    cdef uint32_t *offsets
    cdef uint32_t *later
    cdef bint serves(self, uint64_t i, uint64_t generation) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t owner(self, uint64_t ticket) noexcept nogil:
        """`lookup` of a number at which somebody is served, for callers that have no time for a call."""
        return self.owners[remainder(ticket, <uint64_t>self.size, self.inverse)]
