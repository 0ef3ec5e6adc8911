from libc.stdint cimport uint64_t
from lbalgo.kernels.ring cimport Ring
from lbalgo.kernels.structure cimport Structure

cdef class ProbedRing(Structure):
    cdef readonly Ring ring
    cdef readonly Py_ssize_t probes
    cdef uint64_t gap(self, uint64_t probe, Py_ssize_t *owner) noexcept nogil
