from lbalgo.kernels.loads cimport LoadState
cimport cython

cdef double UNKNOWN
cdef tuple OUTCOMES
cdef int CODES, CANCELLED, TIMEOUT, LOCAL_ERROR

cdef class Lease

cdef class Desk:
    cdef list abandoned
    cdef object end_(self, Lease lease, int code, double latency, double pause)

@cython.final
cdef class Lease:
    cdef readonly object backend
    cdef Desk desk
    cdef LoadState load
    cdef object visit
    cdef Py_ssize_t row
    cdef int said, ended
    cdef double began, cost, pause
    @cython.locals(desk=Desk)
    cdef inline object _end(self, int code, double took, double pause)

@cython.locals(code=int)
cdef int _code(object outcome) except -1

cdef extern from "short_entry.h":
    void short_entry(object kind, const char *name) noexcept

@cython.locals(one=Lease)
cdef object serve "lbalgo_serve" (object lease, object outcome)
