cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef extern from "balls.h" nogil:
    enum: BALL_OWN
    uint64_t ball(uint64_t owner, uint64_t start, uint64_t own) noexcept
    Py_ssize_t ball_owner(uint64_t ball) noexcept
    int64_t ball_own(uint64_t ball) noexcept
    uint64_t ball_named(uint64_t ticket, uint64_t balls, uint64_t *left) noexcept
    uint64_t ball_other(const uint64_t *of, uint64_t balls, uint64_t first, uint64_t left) noexcept
    uint64_t ball_if(bint second, uint64_t one, uint64_t two) noexcept

@cython.final
cdef class Urn:
    cdef readonly Py_ssize_t size, slots, balls
    cdef uint64_t *words  # the balls
    cdef inline Py_ssize_t owner(self, uint64_t ticket) noexcept nogil:
        """The slot of the ball that a ticket names."""
        cdef uint64_t left
        return ball_owner(self.words[ball_named(ticket, <uint64_t>self.balls, &left)])
    cdef inline Py_ssize_t other(self, uint64_t ticket) noexcept nogil:
        """The slot of the ball that it names next, once all of the first one's owner are taken out."""
        cdef uint64_t left, balls = <uint64_t>self.balls
        cdef uint64_t first = self.words[ball_named(ticket, balls, &left)]
        return ball_owner(ball_other(self.words, balls, first, left))
    cdef void turns(self, uint64_t state, uint64_t step, uint64_t *pairs, Py_ssize_t n) noexcept nogil
