cimport cython
from libc.math cimport log, sqrt
from libc.stdint cimport uint64_t
from lbalgo.kernels.hashing cimport GAMMA, WORD, c_mix64 as mix64
from lbalgo.kernels.rendezvous cimport c_neg_logs as neg_logs

cdef double UNIT

@cython.final
cdef class Stream:
    cdef readonly uint64_t state
    cpdef uint64_t next(self) noexcept
    cpdef double uniform(self) noexcept
    @cython.locals(i=Py_ssize_t)
    cdef void _words(self, uint64_t[::1] out) noexcept
    @cython.locals(i=Py_ssize_t)
    cdef void _uniforms(self, double[::1] out) noexcept
    cdef void _exponentials(self, double[::1] out) noexcept
    @cython.locals(i=Py_ssize_t, x=double, y=double, square=double)
    cdef void _normals(self, double[::1] out) noexcept
