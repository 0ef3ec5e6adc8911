from libc.stdint cimport int32_t, uint64_t
from lbalgo.kernels.structure cimport Structure

cdef Py_ssize_t c_jump_back(uint64_t ticket, uint64_t buckets) noexcept nogil
cdef Py_ssize_t c_bucket(uint64_t ticket, uint64_t buckets) noexcept nogil
cdef Py_ssize_t c_choose_next(uint64_t ticket, int32_t *chosen, Py_ssize_t k, Py_ssize_t buckets) noexcept nogil

cdef class SeatMap(Structure):
    cdef readonly Py_ssize_t size
    cdef int32_t *seat
    cdef Py_ssize_t search(self, uint64_t ticket) noexcept nogil
