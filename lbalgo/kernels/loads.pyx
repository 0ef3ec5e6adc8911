# cython: language_level=3
"""Live loads by row: what changes with every request and is read when a request is picked for.

`LoadState` is what a picker or a balancer holds: C methods for compiled callers, the `Load` protocol on top for
everybody else. A row past the last one used has load 0; rows grow by doubling, so a start costs O(1) amortised.
"""
cimport cython
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.math cimport NAN, isfinite, isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from collections.abc import Mapping

import numpy as np

from lbalgo import types
from lbalgo.columns import array
from lbalgo.errors import ConfigError
from lbalgo.spec import check_real, check_row

cdef Py_ssize_t LEAST_ROWS = 1024  # 8 KiB at once, so that the rows of most pools are there before their first request
cdef double MOST = 1e300  # loads end here, so that no sum of them is infinite
cdef tuple OUTCOMES = tuple(types.OUTCOME_CODES)


cdef double c_amount(str name, object value) except? -1.0:
    """A finite number >= 0."""
    if type(value) is float and isfinite(<double>value) and <double>value >= 0.0:
        return <double>value
    return check_real(name, value, low=0.0)


cdef Py_ssize_t c_row(object row) except -1:
    """A row: an integer in [0, 2**31)."""
    cdef int over = 0
    cdef long long at
    if type(row) is int:  # what nearly all are
        at = PyLong_AsLongLongAndOverflow(row, &over)
        if over == 0 and 0 <= at <= 0x7FFFFFFF:
            return at
    return check_row(row)


cdef int c_code(object outcome) except -1:
    """An outcome's code."""
    cdef int code
    for code in range(len(OUTCOMES)):
        if OUTCOMES[code] is outcome:
            return code
    raise ConfigError("outcome", outcome, "must be an Outcome")


cdef double c_instant(object now) except? -1.0:
    """A finite number of seconds."""
    if type(now) is float and isfinite(<double>now):
        return <double>now
    return check_real("now", now)


cdef class LoadState:
    """Base of every compiled load; alone it is the load that is 0 everywhere.

    `margin` is what one request more would add to it: what a picker compares is (load + margin) / weight.
    """

    def __cinit__(self):
        self.margin = 1.0

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        """`started`, unchecked."""
        pass

    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *:
        """`finished`, unchecked; a latency or beginning of NaN is unknown."""
        pass

    cdef void pass_(self, double now) except *:
        """`advance`, unchecked."""
        pass

    cdef double value(self, Py_ssize_t row) except? -1.0:
        """`at`, unchecked."""
        return 0.0

    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *:
        """`value` of n rows, from rows[start] on."""
        cdef Py_ssize_t i
        for i in range(n):
            out[i] = self.value(rows[start + i])

    def started(self, row, cost, now):
        """A request of this cost was sent to the backend in `row` at `now` (seconds)."""
        self.start_(c_row(row), c_amount("cost", cost), c_instant(now))

    def finished(self, row, outcome, latency, now, cost=1.0):
        """A request to the backend in `row` ended at `now` (seconds), `latency` seconds long (None: unknown)."""
        cdef Py_ssize_t at = c_row(row)
        cdef int code = c_code(outcome)
        cdef double took = NAN if latency is None else c_amount("latency", latency)
        cdef double when = c_instant(now)
        self.close_(at, c_amount("cost", cost), when - took, code, took, when)

    def advance(self, now):
        """Time is `now` (seconds); matters only to loads that change with it."""
        self.pass_(c_instant(now))

    def at(self, row):
        """The load of the backend in `row`, finite and >= 0, at the latest instant it was told."""
        return self.value(check_row(row))

    def restart(self, row):
        """`row` belongs to another backend from now on: its load is forgotten."""
        check_row(row)

    def snapshot(self):
        """What is worth keeping, as plain data: nothing, of what is in flight."""
        return {"type": "LoadState"}

    def restore(self, state, now):
        """Go on from a snapshot, as if taken at `now` (seconds)."""
        if not isinstance(state, Mapping) or dict(state) != {"type": "LoadState"}:
            raise ConfigError("state", state, "must be a snapshot of a load with nothing to keep")
        check_real("now", now)

    cpdef object merge(self, object other):
        """Know what another of the same kind knows too: nothing, of what is in flight."""
        if type(other) is not type(self):
            raise ConfigError("other", other, f"must be like {self!r}")


@cython.final
cdef class InFlightCounts(LoadState):
    """Requests started and not finished, by row, each as much as its cost."""

    def __init__(self, counts=(), costs=None):
        cdef Py_ssize_t row
        cdef list given = list(counts)
        cdef list held = given if costs is None else list(costs)
        if len(held) != len(given):
            raise ConfigError("costs", costs, "must be as many as counts")
        for row in range(len(given)):
            check_row(given[row], f"counts[{row}]")
            check_real(f"costs[{row}]", held[row], low=0.0)
        self.ones = True
        self.reserve(max(len(given), 1))
        for row in range(len(given)):
            self.flying[row] = given[row]
        if given != held:
            self.differ()
            for row in range(len(given)):
                self.costs[row] = held[row]

    def __dealloc__(self):
        free(self.flying)
        free(self.costs)

    cdef void reserve(self, Py_ssize_t size) except *:
        if size <= self.size:
            return
        size = max(size, 2 * self.size, LEAST_ROWS)
        cdef int64_t *flying = <int64_t *>calloc(size, sizeof(int64_t))
        cdef double *costs = NULL if self.ones else <double *>calloc(size, sizeof(double))
        if flying == NULL or (costs == NULL and not self.ones):
            free(flying)
            free(costs)
            raise MemoryError
        if self.size:
            memcpy(flying, self.flying, self.size * sizeof(int64_t))
        if self.costs != NULL:
            memcpy(costs, self.costs, self.size * sizeof(double))
        free(self.flying)
        free(self.costs)
        self.flying, self.costs, self.size = flying, costs, size

    cdef void differ(self) except *:
        """From now on requests may cost something else than 1."""
        cdef Py_ssize_t row
        self.costs = <double *>malloc(self.size * sizeof(double))
        if self.costs == NULL:
            raise MemoryError
        for row in range(self.size):
            self.costs[row] = <double>self.flying[row]
        self.ones = False

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        """One more in flight."""
        if row >= self.size:
            self.reserve(row + 1)
        if cost != 1.0 and self.ones:
            self.differ()
        self.flying[row] += 1
        if not self.ones:
            self.costs[row] = min(self.costs[row] + cost, MOST)
        self.note(row)

    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *:
        """One fewer in flight."""
        if row >= self.size or self.flying[row] == 0:
            raise ConfigError("row", row, "has nothing in flight")
        if cost != 1.0 and self.ones:
            self.differ()
        self.flying[row] -= 1
        if not self.ones:
            self.costs[row] -= cost
            if self.flying[row] == 0 or self.costs[row] < 0.0:
                self.costs[row] = 0.0  # what rounding, or a cost that was not the one it began with, has left
        self.note(row)

    cdef double value(self, Py_ssize_t row) except? -1.0:
        """What is in flight."""
        if row >= self.size:
            return 0.0
        return <double>self.flying[row] if self.costs == NULL else self.costs[row]

    cdef void values(self, int64_t[::1] rows, Py_ssize_t start, Py_ssize_t n, double *out) except *:
        cdef Py_ssize_t i, row
        for i in range(n):
            row = rows[start + i]
            if row >= self.size:
                out[i] = 0.0
            elif self.costs == NULL:
                out[i] = <double>self.flying[row]
            else:
                out[i] = self.costs[row]

    def total(self, rows):
        """What is in flight in all of these rows, a contiguous int64 array, in whole units of cost."""
        cdef const int64_t[::1] given = array("rows", rows, np.int64)
        cdef double total = 0.0
        cdef Py_ssize_t i
        for i in range(given.shape[0]):
            if 0 <= given[i] < self.size:
                total += self.read(given[i])
        return int(total)

    def restart(self, row):
        """`row` belongs to another backend from now on: nothing of it is in flight."""
        cdef Py_ssize_t at = check_row(row)
        if at < self.size:
            self.flying[at] = 0
            if self.costs != NULL:
                self.costs[at] = 0.0
            self.note(at)

    def __repr__(self):
        return f"InFlightCounts({', '.join(map(repr, _trimmed(self)))})"

    def __reduce__(self):
        return InFlightCounts, _trimmed(self)


cdef tuple _trimmed(InFlightCounts load):
    cdef Py_ssize_t n = load.size, row
    while n and load.flying[n - 1] == 0:
        n -= 1
    counts, costs = [load.flying[row] for row in range(n)], [load.read(row) for row in range(n)]
    return (counts,) if costs == counts else (counts, costs)


@cython.final
cdef class ForeignLoad(LoadState):
    """Any object with the `Load` protocol, as a `LoadState`; its margin is 1 unless it says another."""

    def __init__(self, load):
        self.load = load
        self.margin = check_real("load.margin", getattr(load, "margin", 1.0), low=0.0)

    cdef void start_(self, Py_ssize_t row, double cost, double now) except *:
        self.load.started(row, cost, now)

    cdef void close_(self, Py_ssize_t row, double cost, double began, int outcome_code, double latency, double now) except *:
        self.load.finished(row, OUTCOMES[outcome_code], None if isnan(latency) else latency, now, cost)

    cdef void pass_(self, double now) except *:
        self.load.advance(now)

    cdef double value(self, Py_ssize_t row) except? -1.0:
        return check_real(f"load.at({row})", self.load.at(row), low=0.0)

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
