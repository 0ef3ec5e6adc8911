cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef class LoadState:
    cdef int64_t *flying  # requests in flight by row, if the load is a mere count; else NULL
    cdef double *costs  # what they cost together, NULL as long as each costs 1
    cdef Py_ssize_t size  # rows of both
    cdef readonly double margin
    cdef bint ones  # whether all it holds are counts of requests of cost 1
    cdef void start_(self, Py_ssize_t row, double cost, double now) except *
    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *
    @cython.final
    cdef inline void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *:
        """`close_` of a request of cost 1 that began at an unknown instant."""
        self.close_(row, 1.0, float("nan"), outcome_code, latency, now)
    cdef void pass_(self, double now) except *
    cdef double value(self, Py_ssize_t row) except? -1.0
    @cython.final
    cdef inline double read(self, Py_ssize_t row) except? -1.0:
        """`value`, without a call if the load is a mere count."""
        if row < self.size:
            return <double>self.flying[row] if self.costs == NULL else self.costs[row]
        return self.value(row)
    @cython.final
    cdef inline int64_t flight(self, Py_ssize_t row) noexcept:
        """How many requests are in flight to a row below `size`, if the load is a mere count."""
        return self.flying[row]
    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *
    cpdef object merge(self, object other)

@cython.final
cdef class InFlightCounts(LoadState):
    cdef int32_t[256] journal
    cdef readonly uint64_t changes
    cdef void reserve(self, Py_ssize_t size) except *
    cdef void differ(self) except *
    @cython.final
    cdef inline void note(self, Py_ssize_t row) noexcept:
        """The row's load has changed: whoever keeps an order of loads can read it in the journal."""
        self.journal[self.changes % 256] = <int32_t>row
        self.changes += 1
    @cython.final
    cdef inline int begun(self, Py_ssize_t row) except -1:
        """`start_` of a request of cost 1, for callers that have no time for a call."""
        if row >= self.size:
            self.reserve(row + 1)
        self.flying[row] += 1
        if self.costs != NULL:
            self.costs[row] += 1.0
        self.note(row)
        return 0
    @cython.final
    cdef inline void over(self, Py_ssize_t row) noexcept:
        """`close_` of one that has begun, where all cost 1."""
        self.flying[row] -= 1
        if self.costs != NULL:
            self.costs[row] -= 1.0
        self.note(row)

cdef class ForeignLoad(LoadState):
    cdef readonly object load
