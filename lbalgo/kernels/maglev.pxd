from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t, uint8_t
cimport cython
from lbalgo.kernels.structure cimport Structure, Walk, remainder

cdef class MaglevTable(Structure):
    cdef readonly Py_ssize_t size
    cdef uint64_t inverse  # (2**64 - 1) // size
    cdef uint8_t *small  # the owners in the least width that holds them: this, or
    cdef uint16_t *narrow
    cdef int32_t *wide
    cdef uint64_t *salts
    cdef inline Py_ssize_t owner(self, uint64_t position) noexcept nogil:
        if self.small != NULL:
            return self.small[position]
        return self.narrow[position] if self.narrow != NULL else self.wide[position]
    @cython.final
    cdef inline Py_ssize_t step(self, Walk *walk) noexcept nogil
    @cython.final
    cdef inline Py_ssize_t two(self, uint64_t ticket, Py_ssize_t *second) noexcept nogil:
        """`lookup`, and where the walk's second step leads."""
        cdef uint64_t at = remainder(ticket, self.size, self.inverse), behind = at + 1
        behind &= -<uint64_t>(behind < <uint64_t>self.size)
        second[0] = self.owner(behind)
        return self.owner(at)
