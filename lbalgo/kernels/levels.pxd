cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from lbalgo.kernels.hashing cimport GAMMA, WORD, c_mix64 as mix64
from lbalgo.kernels.loads cimport InFlightCounts
from lbalgo.kernels.order cimport Order

cdef extern from "bits.h":
    int lowest(uint64_t word) noexcept
    int ones(uint64_t word) noexcept

cdef uint64_t LOW, ONE
cdef Py_ssize_t WIDTH, BELOW, ABOVE, LINE, STEP, TRIES
cdef double UNIT

cdef class Levels(Order):
    cdef Py_ssize_t _words, _height, _summed
    cdef int64_t _base
    cdef uint64_t _inhabited
    cdef uint8_t[::1] _levels
    cdef int64_t[::1] _tied, _folded, _begins
    cdef uint64_t[::1] _bits
    cdef int32_t[::1] _sums
    @cython.locals(level=Py_ssize_t, place=Py_ssize_t, _=Py_ssize_t, tied=int64_t, rank=int64_t)
    cdef Py_ssize_t least(self, uint64_t ticket) noexcept
    @cython.final
    @cython.locals(node=Py_ssize_t, height=Py_ssize_t, begin=Py_ssize_t, i=Py_ssize_t, word=uint64_t)
    cdef inline Py_ssize_t _find(self, Py_ssize_t level, int64_t rank) noexcept
    @cython.locals(before=int64_t, level=int64_t)
    cdef void _moved(self, Py_ssize_t place, Py_ssize_t row) noexcept
    @cython.final
    @cython.locals(node=Py_ssize_t, height=Py_ssize_t)
    cdef inline void _flip(self, Py_ssize_t level, Py_ssize_t place, int32_t change) noexcept
    @cython.locals(place=Py_ssize_t, i=Py_ssize_t, level=Py_ssize_t, least=int64_t)
    cdef void _grow(self) noexcept
