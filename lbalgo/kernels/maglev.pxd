from libc.stdint cimport int32_t, uint32_t, uint64_t, uint8_t
cimport cython
from lbalgo.kernels.structure cimport Structure, Walk, lbalgo_high

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
        """The bit that the entry at ticket mod size begins at: `remainder`, all of it times the bits of an entry."""
        cdef uint64_t rest = ticket * self.owners.bits - lbalgo_high(ticket, self.inverse) * self.span
        return rest - self.span if rest >= self.span else rest
    @cython.final
    cdef void fill_singly(self, const uint64_t *tickets, int32_t *out, Py_ssize_t n) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t step(self, Walk *walk) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t two(self, uint64_t ticket, Py_ssize_t *second) noexcept nogil:
        """`lookup`, and where the walk's second step leads."""
        cdef uint64_t at = self.place(ticket), behind = at + self.owners.bits
        behind &= -<uint64_t>(behind < self.span)
        second[0] = entries_at(&self.owners, behind)
        return entries_at(&self.owners, at)
