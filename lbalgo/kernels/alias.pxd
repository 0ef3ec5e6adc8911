cimport cython
from libc.stdint cimport int32_t, uint64_t
from lbalgo.kernels.structure cimport Structure, lbalgo_high

cdef enum:
    STEP = 1  # what a link adds before it is mixed, so that ticket 0 does not map to itself

cdef extern from "turn_lanes.h":
    ctypedef struct alias_bucket:
        uint64_t cut
        int32_t[2] owners

cdef class AliasTable(Structure):
    cdef readonly Py_ssize_t size
    cdef uint64_t quotient
    cdef uint64_t remainder
    cdef alias_bucket *buckets
    cdef uint64_t *salts
    cdef uint64_t edge(self, uint64_t bucket) noexcept nogil
    cdef int fill_buckets(self, const int32_t *owners, uint64_t *left) except -1
    @cython.final
    cdef inline Py_ssize_t owner(self, uint64_t ticket) noexcept nogil:
        """`lookup` of a table that is not empty, for callers that have no time for a call."""
        cdef uint64_t bucket = lbalgo_high(ticket, <uint64_t>self.size)
        return self.buckets[bucket].owners[ticket >= self.buckets[bucket].cut]
