cimport cython
from libc.stdint cimport int64_t, uint64_t
from lbalgo.kernels.hashing cimport GAMMA, WORD, c_mix64 as mix64
from lbalgo.kernels.loads cimport InFlightCounts

ctypedef double[4] Half

cdef uint64_t JOURNAL, LOW
cdef Py_ssize_t TRIES
cdef double UNIT, UNIT32, INFINITE, UNKNOWN

@cython.final
cdef class Tournament:
    cdef readonly InFlightCounts load
    cdef readonly bint first
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _top, _height
    cdef double _heaviest
    cdef uint64_t _seen
    cdef bint _grown
    cdef int64_t[::1] _places, _rows, _levels
    cdef double[::1] _scores, _shares
    @cython.locals(place=Py_ssize_t, level=Py_ssize_t, begin=Py_ssize_t, below=Py_ssize_t, i=Py_ssize_t, _=Py_ssize_t,
                   child=Py_ssize_t, head=Py_ssize_t, tied=Py_ssize_t, there=Py_ssize_t, same=bint, least=double, coin=double)
    cdef Py_ssize_t least(self, uint64_t ticket) noexcept
    @cython.locals(i=Py_ssize_t, last=Py_ssize_t, total=double, mark=double)
    cdef Py_ssize_t _draw(self, Py_ssize_t level, Py_ssize_t begin, double least, uint64_t ticket) noexcept
    @cython.locals(begin=Py_ssize_t, i=Py_ssize_t, total=double)
    cdef double _share(self, Py_ssize_t level, Py_ssize_t node) noexcept
    @cython.locals(load=InFlightCounts, change=uint64_t, row=Py_ssize_t, place=Py_ssize_t, score=double)
    cdef void _follow(self) noexcept
    @cython.locals(level=Py_ssize_t, node=Py_ssize_t, before=double, after=double, least=double, fresh=double)
    cdef void _climb(self, Py_ssize_t place, double score) noexcept
    @cython.locals(half=Half, i=Py_ssize_t, one=double, two=double)
    cdef double _least_of(self, Py_ssize_t begin) noexcept
    @cython.locals(load=InFlightCounts, size=Py_ssize_t, place=Py_ssize_t, level=Py_ssize_t, node=Py_ssize_t)
    cdef void _grow(self) noexcept
