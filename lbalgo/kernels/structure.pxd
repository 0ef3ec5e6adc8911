from libc.stdint cimport int32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    /* The upper half of a product of 64-bit words. */
    static inline uint64_t lbalgo_high(uint64_t a, uint64_t b) {
    #ifdef __SIZEOF_INT128__
        return (uint64_t)(((unsigned __int128)a * b) >> 64);
    #else
        uint64_t low = (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
        uint64_t one = (a >> 32) * (b & 0xFFFFFFFFu) + (low >> 32);
        uint64_t two = (a & 0xFFFFFFFFu) * (b >> 32) + (one & 0xFFFFFFFFu);
        return (a >> 32) * (b >> 32) + (one >> 32) + (two >> 32);
    #endif
    }
    """
    uint64_t lbalgo_high(uint64_t a, uint64_t b) noexcept nogil

cdef inline uint64_t quotient(uint64_t ticket, uint64_t size, uint64_t inverse) noexcept nogil:
    """ticket // size, where inverse = (2**64 - 1) // size: a division costs a table's pick more than all the rest.

    inverse > 2**64 / size - 1, so the upper half of ticket * inverse is the quotient or one less.
    """
    cdef uint64_t guess = lbalgo_high(ticket, inverse)
    return guess + (ticket - guess * size >= size)

cdef inline uint64_t remainder_times(uint64_t unit, uint64_t ticket, uint64_t span, uint64_t inverse) noexcept nogil:
    """ticket % size times a unit, where span = size * unit, at most 2**63; as `quotient`."""
    cdef uint64_t rest = ticket * unit - lbalgo_high(ticket, inverse) * span
    return rest - span if rest >= span else rest

cdef inline uint64_t remainder(uint64_t ticket, uint64_t size, uint64_t inverse) noexcept nogil:
    """ticket % size, as `quotient`."""
    return remainder_times(1, ticket, size, inverse)

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
    cdef void turns(self, uint64_t state, bint counting, uint64_t *states, int32_t *slots, Py_ssize_t n) noexcept nogil
    cdef void fill(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil
    cdef void fill_apart(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept
    cdef object slots_of(self, object tickets, object out)
    cdef Py_ssize_t begin(self, uint64_t ticket, Walk *walk) noexcept nogil
    cdef Py_ssize_t onward(self, Walk *walk) noexcept nogil
