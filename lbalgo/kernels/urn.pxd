cimport cython
from libc.stdint cimport int32_t, uint64_t
from lbalgo.kernels.structure cimport lbalgo_high

cdef struct Span:  # of one slot
    int32_t start  # its first ball
    int32_t balls

@cython.final
cdef class Urn:
    cdef readonly Py_ssize_t size, slots, balls
    cdef int32_t *owners  # of each ball
    cdef Span *spans
    cdef inline Py_ssize_t owner(self, uint64_t ticket) noexcept nogil:
        """The slot of the ball that a ticket names."""
        return self.owners[lbalgo_high(ticket, <uint64_t>self.balls)]
    cdef inline Py_ssize_t other(self, uint64_t ticket, Py_ssize_t slot) noexcept nogil:
        """The slot of the ball that it names next, where `slot` is its owner."""
        cdef Span out = self.spans[slot]
        cdef uint64_t at = lbalgo_high(ticket * <uint64_t>self.balls, <uint64_t>(self.balls - out.balls))
        return self.owners[at + (out.balls if at >= <uint64_t>out.start else 0)]
