cimport cython
from libc.stdint cimport int32_t, uint64_t
from lbalgo.kernels.structure cimport Structure, remainder

cdef enum:
    LEAST = 64

cdef class Period(Structure):
    cdef readonly Py_ssize_t size
    cdef Py_ssize_t span  # how many owners are kept: as many periods as fit in LEAST, or one
    cdef uint64_t inverse  # (2**64 - 1) // size
    cdef Py_ssize_t members
    cdef int32_t *owners
    cdef int32_t *places
    cdef int32_t *first
    cdef Py_ssize_t after(self, Py_ssize_t slot, Py_ssize_t position) noexcept
    @cython.final
    cdef inline Py_ssize_t place(self, uint64_t ticket) noexcept nogil:
        """The position of a sequence number."""
        return remainder(ticket, <uint64_t>self.size, self.inverse)
