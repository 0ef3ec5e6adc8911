# cython: language_level=3
"""What each backend's outcomes have said lately: runs of errors, and successes and responses of the interval.

One row per slot, four counters a row, no time and no decision: `note` costs a few nanoseconds on the path of every
request and answers whether a run of errors has just reached its threshold. The signal that owns the rows decides.
"""
cimport cython
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from lbalgo.errors import ConfigError
from lbalgo.spec import check_integer

cdef int64_t LARGEST = 0x7FFFFFFFFFFFFFFF
cdef enum Kind:
    SUCCESS
    SERVER
    GATEWAY
    NOTHING
cdef enum:
    CODES = 7
cdef Kind[7] KINDS = [SUCCESS, SERVER, GATEWAY, SUCCESS, GATEWAY, GATEWAY, NOTHING]  # by outcome code


@cython.final
cdef class Evidence:
    """Counters of consecutive errors and of successes and responses, one row per slot."""

    def __init__(self, error_threshold=0, gateway_threshold=0):
        cdef int64_t errors = check_integer("error_threshold", error_threshold, low=0, high=LARGEST)
        cdef int64_t gateway = check_integer("gateway_threshold", gateway_threshold, low=0, high=LARGEST)
        self.error_threshold = errors
        self.gateway_threshold = gateway

    def __dealloc__(self):
        free(self.table)

    def __len__(self):
        return self.size

    def __reduce__(self):
        return Evidence, (self.error_threshold, self.gateway_threshold), self.rows()

    def __setstate__(self, rows):
        self.load(rows)

    cdef bint note(self, Py_ssize_t slot, int code) noexcept:
        """Count an outcome; whether a run of errors has just reached its threshold. Unknown slots and codes: False."""
        cdef Row *row
        if slot < 0 or slot >= self.size or code < 0 or code >= CODES:
            return False
        cdef Kind kind = KINDS[code]
        if kind == NOTHING:
            return False
        row = self.table + slot
        row.total += 1
        if kind == SUCCESS:
            row.errors = row.gateway = 0
            row.successes += 1
            return False
        row.errors += 1
        row.gateway = row.gateway + 1 if kind == GATEWAY else 0
        return row.errors == self.error_threshold or (kind == GATEWAY and row.gateway == self.gateway_threshold)

    def record(self, slot, code):
        """`note` for callers in Python: an invalid slot or code is a ConfigError."""
        return self.note(self._slot(slot), check_integer("code", code, low=0, high=CODES - 1))

    def streaks(self, slot):
        """The present runs of errors and of gateway errors."""
        cdef Row *row = self.table + self._slot(slot)
        return row.errors, row.gateway

    def clear(self, slot, errors=True, gateway=True):
        """End the run of errors, of gateway errors, or both."""
        cdef Row *row = self.table + self._slot(slot)
        if errors:
            row.errors = 0
        if gateway:
            row.gateway = 0

    def take(self):
        """Successes and responses since the last take, by slot; both start again from 0."""
        cdef Py_ssize_t i
        taken = [self.table[i].successes for i in range(self.size)], [self.table[i].total for i in range(self.size)]
        for i in range(self.size):
            self.table[i].successes = self.table[i].total = 0
        return taken

    def rows(self):
        """Every slot's (errors in a row, gateway errors in a row, successes, responses)."""
        cdef Py_ssize_t i
        return [(self.table[i].errors, self.table[i].gateway, self.table[i].successes, self.table[i].total)
                for i in range(self.size)]

    def load(self, rows):
        """Replace all rows, and with them the number of slots."""
        cdef list copies = checked(rows)
        cdef Py_ssize_t i, n = len(copies)
        cdef Row *table = <Row *>calloc(n + 1, sizeof(Row))
        if table == NULL:
            raise MemoryError
        for i in range(n):
            table[i].errors, table[i].gateway, table[i].successes, table[i].total = copies[i]
        free(self.table)
        self.table = table
        self.size = n

    cdef Py_ssize_t _slot(self, slot) except -1:
        """The slot as a C index, or ConfigError."""
        if self.size == 0:
            raise ConfigError("slot", slot, "there are no slots")
        return check_integer("slot", slot, low=0, high=self.size - 1)

    def __repr__(self):
        return f"Evidence(error_threshold={self.error_threshold}, gateway_threshold={self.gateway_threshold})"


def checked(rows):
    """Rows of four counts; else ConfigError."""
    copies = [list(row) for row in rows]
    for row in copies:
        if len(row) != 4:
            raise ConfigError("rows", row, "must be four counts")
        for count in row:
            check_integer("rows", count, low=0, high=LARGEST)
    return copies
