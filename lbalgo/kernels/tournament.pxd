cimport cython
from libc.stdint cimport int64_t, uint64_t
from lbalgo.kernels.hashing cimport GAMMA, WORD, c_mix64 as mix64
from lbalgo.kernels.loads cimport InFlightCounts
from lbalgo.kernels.order cimport Order

ctypedef double[4] Half

cdef uint64_t LOW
cdef int64_t TRIES, GREATEST
cdef double UNIT, UNIT32, INFINITE

cdef class Tournament(Order):
    cdef Py_ssize_t _height
    cdef double _even
    cdef int64_t[::1] _levels, _shares
    cdef double[::1] _weights, _scores
    @cython.locals(place=Py_ssize_t, level=Py_ssize_t, root=Py_ssize_t, begin=Py_ssize_t, i=Py_ssize_t, _=Py_ssize_t,
                   child=Py_ssize_t, tied=int64_t, mark=int64_t, ahead=int64_t, rest=int64_t, least=double, coin=double)
    cdef Py_ssize_t least(self, uint64_t ticket) noexcept
    @cython.locals(weight=double, score=double)
    cdef void _moved(self, Py_ssize_t place, Py_ssize_t row) noexcept
    @cython.locals(level=Py_ssize_t, node=Py_ssize_t, before=double, after=double, least=double, old=double, gone=int64_t,
                   come=int64_t, share=int64_t, was=int64_t)
    cdef void _climb(self, Py_ssize_t place, double score) noexcept
    @cython.locals(begin=Py_ssize_t, node=Py_ssize_t, half=Half, i=Py_ssize_t, one=double, two=double, least=double,
                   share=int64_t)
    cdef void _judge(self, Py_ssize_t level, Py_ssize_t place) noexcept
    @cython.locals(load=InFlightCounts, size=Py_ssize_t, place=Py_ssize_t, level=Py_ssize_t)
    cdef void _grow(self) noexcept
