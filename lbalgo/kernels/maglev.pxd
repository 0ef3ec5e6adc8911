from libc.stdint cimport int32_t, uint32_t, uint64_t, uint8_t
cimport cython
from lbalgo.kernels.structure cimport Structure, Walk, remainder, remainder_times

cdef extern from "entries.h" nogil:
    ctypedef struct Entries:
        uint8_t *bytes
        uint32_t bits
        uint32_t mask
    uint32_t entries_at(const Entries *entries, uint64_t bit) noexcept

cdef class MaglevTable(Structure):
    cdef readonly Py_ssize_t size
    cdef uint64_t inverse  # (2**64 - 1) // size
    cdef uint64_t span  # bits of all entries
    cdef Entries owners
    cdef uint64_t *salts
    cdef inline Py_ssize_t owner(self, uint64_t position) noexcept nogil:
        return entries_at(&self.owners, position * self.owners.bits)
    @cython.final
    cdef inline uint64_t place(self, uint64_t ticket) noexcept nogil:
        """The bit that the entry at ticket mod size begins at."""
        return remainder_times(self.owners.bits, ticket, self.span, self.inverse)
    @cython.final
    cdef void fill_singly(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t step(self, Walk *walk) noexcept nogil
    @cython.final
    cdef Py_ssize_t two_wider(self, uint64_t ticket, Py_ssize_t *second) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t two(self, uint64_t ticket, Py_ssize_t *second) noexcept nogil:
        """`lookup`, and where the walk's second step leads."""
        cdef uint64_t at, behind
        if self.owners.bits != 8:
            return self.two_wider(ticket, second)
        at = remainder(ticket, <uint64_t>self.size, self.inverse)
        behind = at + 1
        behind &= -<uint64_t>(behind < <uint64_t>self.size)
        second[0] = self.owners.bytes[behind]
        return self.owners.bytes[at]
