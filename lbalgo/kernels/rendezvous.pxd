cimport numpy as cnp
from libc.stdint cimport int32_t, int64_t, uint64_t
from lbalgo.kernels.structure cimport Structure

cdef double c_neg_log(uint64_t k) noexcept nogil
cdef void c_neg_logs(uint64_t state, double *out, Py_ssize_t n) noexcept nogil

cdef class RendezvousRace(Structure):
    cdef readonly Py_ssize_t size
    cdef readonly bint even
    cdef object columns
    cdef const uint64_t *salts  # folded, see rendezvous_lanes.h
    cdef const double *mantissas
    cdef const int64_t *powers
    cdef const double *weights
    cdef const double *inverses
    cdef const int32_t *owners
    cdef Py_ssize_t alike, rest  # racers of the weight that most have, and others; 0 where the race is even or uneven
    cdef double usual  # that weight
    cdef const uint64_t *their_salts
    cdef const int32_t *their_places
    cdef const int32_t *apart  # places of the others
    cdef _part(self, cnp.ndarray salt, cnp.ndarray weight)
    cdef Py_ssize_t best(self, Py_ssize_t winner, uint64_t most, uint64_t ticket) noexcept nogil
