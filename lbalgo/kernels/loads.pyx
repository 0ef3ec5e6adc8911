# cython: language_level=3
"""Live loads by row: what changes with every request and is read when a request is picked for.

`LoadState` is what a picker or a balancer holds: C methods for compiled callers, the `Load` protocol on top for
everybody else. A row past the last one used has load 0; rows grow by doubling, so a start costs O(1) amortised.
"""
cimport cython
from libc.math cimport NAN, isfinite, isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from lbalgo import types
from lbalgo.columns import array
from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_row
from lbalgo.types import Outcome

cdef Py_ssize_t LEAST_ROWS = 1024  # 8 KiB at once, so that the rows of most pools are there before their first request
cdef dict CODES = types.OUTCOME_CODES
cdef tuple OUTCOMES = tuple(CODES)


cdef double c_amount(str name, object value) except? -1.0:
    """A finite number >= 0."""
    if type(value) is float and isfinite(<double>value) and <double>value >= 0.0:
        return <double>value
    return check_real(name, value, low=0.0)


cdef double c_instant(object now) except? -1.0:
    """A finite number of seconds."""
    if type(now) is float and isfinite(<double>now):
        return <double>now
    return check_real("now", now)


cdef class LoadState:
    """Base of every compiled load; alone it is the load that is 0 everywhere."""

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        pass

    cdef void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *:
        pass

    cdef double value(self, Py_ssize_t row) except? -1.0:
        return 0.0

    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *:
        """`value` of n rows, from rows[start] on."""
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = self.value(rows[start + i])

    def started(self, row, cost, now):
        """A request of this cost was sent to the backend in `row` at `now` (seconds)."""
        self.start_(check_row(row), c_amount("cost", cost), c_instant(now))

    def finished(self, row, outcome, latency, now):
        """A request to the backend in `row` ended at `now` (seconds), `latency` seconds long (None: unknown)."""
        cdef Py_ssize_t at = check_row(row)
        if not isinstance(outcome, Outcome):
            raise ConfigError("outcome", outcome, "must be an Outcome")
        self.finish_(at, CODES[outcome], NAN if latency is None else c_amount("latency", latency), c_instant(now))

    def advance(self, now):
        """Time is `now` (seconds); matters only to loads that decay."""
        c_instant(now)

    def at(self, row):
        """The load of the backend in `row`, finite and >= 0."""
        return self.value(check_row(row))

    def restart(self, row):
        """`row` belongs to another backend from now on: its load is forgotten."""
        check_row(row)


@cython.final
cdef class InFlightCounts(LoadState):
    """Requests started and not finished, by row."""

    def __init__(self, counts=()):
        cdef Py_ssize_t row
        cdef list given = list(counts)
        for row in range(len(given)):
            check_row(given[row], f"counts[{row}]")
        self.reserve(max(len(given), 1))
        for row in range(len(given)):
            self.counts[row] = given[row]

    def __dealloc__(self):
        free(self.counts)

    cdef void reserve(self, Py_ssize_t size) except *:
        if size <= self.size:
            return
        size = max(size, 2 * self.size, LEAST_ROWS)
        cdef double *grown = <double *>calloc(size, sizeof(double))  # doubles count exactly up to 2**53
        if grown == NULL:
            raise MemoryError
        if self.size:
            memcpy(grown, self.counts, self.size * sizeof(double))
        free(self.counts)
        self.counts, self.size = grown, size

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        if row >= self.size:
            self.reserve(row + 1)
        self.counts[row] += 1

    cdef void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *:
        if row >= self.size or self.counts[row] == 0:
            raise ConfigError("row", row, "has nothing in flight")
        self.counts[row] -= 1

    cdef double value(self, Py_ssize_t row) except? -1.0:
        return self.counts[row] if row < self.size else 0.0

    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *:
        cdef Py_ssize_t i, row
        for i in range(n):
            row = rows[start + i]
            out[i] = self.counts[row] if row < self.size else 0.0

    def total(self, rows):
        """How many are in flight in all of these rows, a contiguous int64 array."""
        cdef const int64_t[::1] given = array("rows", rows, np.int64)
        cdef double total = 0.0
        cdef Py_ssize_t i
        for i in range(given.shape[0]):
            if 0 <= given[i] < self.size:
                total += self.counts[given[i]]
        return int(total)

    def restart(self, row):
        """`row` belongs to another backend from now on: nothing of it is in flight."""
        cdef Py_ssize_t at = check_row(row)
        if at < self.size:
            self.counts[at] = 0

    def __repr__(self):
        return f"InFlightCounts({_trimmed(self)})"

    def __reduce__(self):
        return InFlightCounts, (_trimmed(self),)


cdef list _trimmed(InFlightCounts load):
    cdef Py_ssize_t n = load.size, row
    while n and load.counts[n - 1] == 0:
        n -= 1
    return [int(load.counts[row]) for row in range(n)]


@cython.final
cdef class ForeignLoad(LoadState):
    """Any object with the `Load` protocol, as a `LoadState`."""

    def __init__(self, load):
        self.load = load

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        self.load.started(row, cost, now)

    cdef void finish_(self, Py_ssize_t row, int outcome_code, double latency, double now) except *:
        self.load.finished(row, OUTCOMES[outcome_code], None if isnan(latency) else latency, now)

    cdef double value(self, Py_ssize_t row) except? -1.0:
        return check_real(f"load.at({row})", self.load.at(row), low=0.0)

    def advance(self, now):
        """Time is `now` (seconds)."""
        self.load.advance(c_instant(now))

    def restart(self, row):
        """`row` belongs to another backend from now on; a load that has no `restart` remembers."""
        at = check_row(row)
        forget = getattr(self.load, "restart", None)
        if forget is not None:
            forget(at)

    def __repr__(self):
        return f"ForeignLoad({self.load!r})"

    def __reduce__(self):
        return ForeignLoad, (self.load,)
