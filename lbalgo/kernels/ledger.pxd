cimport cython
from libc.stdint cimport int64_t

cdef tuple OUTCOMES

@cython.final
cdef class Ledger:
    cdef readonly int64_t opened, panic_picks
    cdef public int64_t fallbacks
    cdef readonly dict refused, unadmitted
    cdef cython.longlong[::1] flying, closed
    cdef void open_(self, Py_ssize_t row, bint panic) noexcept
    cdef void close_(self, Py_ssize_t row, int code) noexcept
    @cython.locals(row=Py_ssize_t, wider=cython.longlong[::1])
    cdef object grow(self, Py_ssize_t rows)
    @cython.locals(row=Py_ssize_t, code=int, opened=int64_t, panic_picks=int64_t)
    cdef object stats(self, object ids, object pool)

cdef object zeros(Py_ssize_t n)
