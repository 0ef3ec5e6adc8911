# cython: language_level=3
"""Points of rings, and turns of dialects whose tables are filled by rounds.

`derived` counts up from one word and mixes. `numbered` hashes prefix + decimal(k) for k = 0, 1, …, the digits counted up in place, by XXH64 or by MurmurHash64A
(Appleby; what libstdc++ calls std::hash). `rounds` gives out turns round by round: in round r an owner of weight w
takes one if r * w has reached what its turns so far have cost, and each costs the greatest weight. Both the product
and the running sum are doubles that round, as where the rule comes from; so each turn's round is found by division,
then put right by the very comparison, and owners are sorted by round: the work is that of the turns taken, however
many rounds pass in which a light owner takes none. `phased` gives out turns by time, sorted in buckets of equal time.
"""
cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

from lbalgo.columns import column, count, kind_of, phases_of, prefixes_of, rates, word, words
from lbalgo.errors import ConfigError

from lbalgo.kernels.hashing cimport c_xxh64
from lbalgo.kernels.lanes cimport lanes_in_use

cnp.import_array()

include "columns.pxi"

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef extern from "points_lanes.h" nogil:
    void derived_points(int level, uint64_t start, uint64_t *out, Py_ssize_t n) noexcept


def derived(starts, counts):
    """Points mix64(start + j * GAMMA), j = 1 … count, of each start in turn, as uint64; sums wrap."""
    cdef cnp.ndarray start = words_of("starts", starts), many = column_of("counts", counts, 0, 2**31 - 1), out
    cdef Py_ssize_t i, total = 0, n = cnp.PyArray_DIM(start, 0)
    cdef const uint64_t *first = <const uint64_t *>cnp.PyArray_DATA(start)
    cdef const int32_t *size = <const int32_t *>cnp.PyArray_DATA(many)
    cdef uint64_t *to
    cdef int level = lanes_in_use
    if cnp.PyArray_DIM(many, 0) != n:
        raise ConfigError("counts", counts, "must be one for each start")
    for i in range(n):
        total += size[i]
    out = np.empty(total, dtype=np.uint64)
    to = <uint64_t *>cnp.PyArray_DATA(out)
    with nogil:
        for i in range(n):
            derived_points(level, first[i], to, size[i])
            to += size[i]
    return out


cdef uint64_t c_murmur64a(const uint8_t *data, size_t length, uint64_t seed) noexcept nogil:
    cdef uint64_t h = seed ^ (<uint64_t>length * 0xC6A4A7935BD1E995ULL), k
    cdef const uint8_t *end = data + (length & ~<size_t>7)
    cdef size_t i
    while data < end:
        memcpy(&k, data, 8)
        k *= 0xC6A4A7935BD1E995ULL
        k = (k ^ (k >> 47)) * 0xC6A4A7935BD1E995ULL
        h = (h ^ k) * 0xC6A4A7935BD1E995ULL
        data += 8
    if length & 7:
        k = 0
        for i in range(length & 7):
            k |= <uint64_t>data[i] << (8 * i)
        h = (h ^ k) * 0xC6A4A7935BD1E995ULL
    h = (h ^ (h >> 47)) * 0xC6A4A7935BD1E995ULL
    return h ^ (h >> 47)


def murmur64a(data, seed=0):
    """MurmurHash64A of a bytes-like object."""
    cdef uint64_t start = word("seed", seed)
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return c_murmur64a(<const uint8_t *>view.buf, view.len, start)
    finally:
        PyBuffer_Release(&view)


cdef struct Prefix:
    const uint8_t *text
    size_t length


cdef void c_numbered(const Prefix *prefixes, const int32_t *counts, Py_ssize_t n, bint murmur, uint64_t seed,
                     const uint8_t *separator, size_t gap, uint8_t *room, uint64_t *out) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef size_t length, digits
    for i in range(n):
        length = prefixes[i].length
        memcpy(room, prefixes[i].text, length)
        memcpy(room + length, separator, gap)
        length += gap
        room[length] = 48
        digits = 1
        for k in range(counts[i]):
            if murmur:
                out[0] = c_murmur64a(room, length + digits, seed)
            else:
                out[0] = c_xxh64(room, length + digits, seed)
            out += 1
            digits = count_up(room + length, digits)


def numbered(prefixes, counts, kind, seed=0, separator=b""):
    """Hashes of prefixes[i] + separator + b"0", + b"1", …, counts[i] of them, one prefix after the other, as uint64.

    Prefixes are bytes, or str for their UTF-8 form. Kind 0 is XXH64, kind 1 MurmurHash64A.
    """
    cdef uint64_t start = word("seed", seed)
    cdef bint murmur = kind_of(kind)
    cdef tuple given = tuple(prefixes) if isinstance(prefixes, (list, tuple)) and prefixes else prefixes_of(prefixes)
    if not isinstance(separator, bytes):
        raise ConfigError("separator", separator, "must be bytes")
    cdef bytes between = separator
    cdef const uint8_t *gap = <const uint8_t *>PyBytes_AS_STRING(between)
    cdef size_t wide = PyBytes_GET_SIZE(between)
    cdef Py_ssize_t size
    cdef cnp.ndarray many = column_of("counts", counts, 0, 2**31 - 1)
    cdef Py_ssize_t i, n = len(given)
    cdef size_t longest = 0
    if cnp.PyArray_DIM(many, 0) != n:
        raise ConfigError("counts", counts, "must be one for each prefix")
    cdef cnp.ndarray out = np.empty(int(many.sum(dtype=np.int64)), dtype=np.uint64)
    cdef Prefix *lines = <Prefix *>malloc(n * sizeof(Prefix))
    cdef uint8_t *room = NULL
    try:
        if lines == NULL:
            raise MemoryError
        for i in range(n):
            if PyUnicode_CheckExact(given[i]):
                lines[i].text = <const uint8_t *>PyUnicode_AsUTF8AndSize(given[i], &size)
                lines[i].length = size
            elif not PyBytes_CheckExact(given[i]):
                prefixes_of(prefixes)  # which refuses it
            else:
                lines[i] = Prefix(<const uint8_t *>PyBytes_AS_STRING(given[i]), PyBytes_GET_SIZE(given[i]))
            longest = max(longest, lines[i].length)
        room = <uint8_t *>malloc(longest + wide + DIGITS + 1)
        if room == NULL:
            raise MemoryError
        with nogil:
            c_numbered(lines, <const int32_t *>cnp.PyArray_DATA(many), n, murmur, start, gap, wide,
                       room, <uint64_t *>cnp.PyArray_DATA(out))
    finally:
        free(lines)
        free(room)
    return out


cdef Py_ssize_t c_rounds(const double *weights, Py_ssize_t n, double most, int64_t last, const double *cost,
                         int32_t *when, int32_t *taken, int32_t *start) noexcept nogil:
    """Rounds, by owner, of all turns up to round `last`, and where the turns of each round begin; how many turns."""
    cdef Py_ssize_t i, total = 0, turn
    cdef int64_t before, now
    cdef double w, inverse, guess
    for i in range(n):
        w = weights[i]
        inverse = 1.0 / w
        before = 0
        turn = 0
        while True:
            guess = cost[turn] * inverse
            if guess > last + 1:
                break
            now = <int64_t>guess
            now = now if now > before else before + 1
            while <double>now * w < cost[turn]:
                now += 1
            while now - 1 > before and <double>(now - 1) * w >= cost[turn]:
                now -= 1
            if now > last:
                break
            when[total] = <int32_t>now
            total += 1
            start[now] += 1
            before = now
            turn += 1
        taken[i] = <int32_t>turn
    return total


def rounds(weights, size):
    """Owners of the first `size` turns as int32; if all weights are equal one round of them, to be repeated."""
    cdef Py_ssize_t many = count("size", size), n, i, j, k = 0, total, room
    cdef cnp.ndarray given = rates("weights", weights)
    cdef const double *w = <const double *>cnp.PyArray_DATA(given)
    n = cnp.PyArray_DIM(given, 0)
    cdef double most = 0.0, sum = 0.0
    cdef bint even = True
    for i in range(n):
        most = w[i] if w[i] > most else most
        sum += w[i]
        even = even and w[i] == w[0]
    if even:
        return np.arange(min(n, many), dtype=np.int32)
    # By round r an owner of weight w has taken at least r * w / most turns; the two more rounds are for rounding.
    cdef int64_t last = <int64_t>(many / (sum / most)) + 2
    cdef int32_t at
    room = <Py_ssize_t>(last * (sum / most)) + 3 * n
    cdef cnp.ndarray cost = np.empty(last + 2, dtype=np.float64)
    cdef cnp.ndarray when = np.empty(room, dtype=np.int32)
    cdef cnp.ndarray taken = np.empty(n, dtype=np.int32)
    cdef cnp.ndarray start = np.zeros(last + 2, dtype=np.int32)
    cdef double *costs = <double *>cnp.PyArray_DATA(cost)
    cdef int32_t *begin = <int32_t *>cnp.PyArray_DATA(start)
    cdef int32_t *found = <int32_t *>cnp.PyArray_DATA(when)
    cdef int32_t *turns = <int32_t *>cnp.PyArray_DATA(taken)
    costs[0] = 0.0
    for i in range(1, last + 2):
        costs[i] = costs[i - 1] + most
    with nogil:
        total = c_rounds(w, n, most, last, costs, found, turns, begin)
        j = 0
        for i in range(1, last + 1):  # how many turns come before each round
            k = begin[i]
            begin[i] = <int32_t>j
            j += k
    cdef cnp.ndarray owners = np.empty(total, dtype=np.int32)
    cdef int32_t *out = <int32_t *>cnp.PyArray_DATA(owners)
    with nogil:
        for i in range(n):
            for j in range(turns[i]):
                at = found[0]
                found += 1
                out[begin[at]] = <int32_t>i
                begin[at] += 1
    assert total >= many
    return owners[:many]


cdef enum:
    CROWD = 32  # more turns than this in one bucket of time are sorted otherwise


cdef Py_ssize_t c_phased(const double *phases, const double *rates, Py_ssize_t n, double until, double scale,
                         Py_ssize_t buckets, double *times, int32_t *owners, int32_t *start) noexcept nogil:
    """Times and owners, by owner, of all turns up to a time, and how many are in each bucket; how many turns."""
    cdef Py_ssize_t i, total = 0
    cdef double k, time
    for i in range(n):
        k = 1.0
        time = (k - phases[i]) / rates[i]
        while time <= until:
            times[total] = time
            owners[total] = <int32_t>i
            total += 1
            start[min(<Py_ssize_t>(time * scale), buckets - 1) + 2] += 1
            k += 1.0
            time = (k - phases[i]) / rates[i]
    return total


cdef bint c_by_time(const double *times, const int32_t *owners, Py_ssize_t total, double scale, Py_ssize_t buckets,
                    int32_t *start, double *at, int32_t *out) noexcept nogil:
    """Sorts by the buckets that were counted, equal times as they came; False if a bucket is crowded."""
    cdef Py_ssize_t i, j
    cdef double time
    cdef int32_t owner, place = 0, most = 0
    for i in range(2, buckets + 2):
        most = max(most, start[i])
        place += start[i]
        start[i] = place
    if most > CROWD:
        return False
    for i in range(total):
        j = min(<Py_ssize_t>(times[i] * scale), buckets - 1) + 1
        place = start[j]
        start[j] = place + 1
        at[place] = times[i]
        out[place] = owners[i]
    for i in range(1, total):
        if at[i - 1] > at[i]:
            time, owner, j = at[i], out[i], i
            while j > 0 and at[j - 1] > time:
                at[j] = at[j - 1]
                out[j] = out[j - 1]
                j -= 1
            at[j] = time
            out[j] = owner
    return True


def phased(phases, rates, size):
    """Owners of the first `size` turns as int32, where turn k >= 1 of an owner falls at (k - phase) / rate.

    Turns at one time are in order of owner. Phases are in [0, 1), rates in (0, 1], their greatest 1.
    """
    cdef Py_ssize_t many = count("size", size), n, total, buckets
    cdef cnp.ndarray first, rate
    first, rate = phases_of(phases, rates)
    n = cnp.PyArray_DIM(rate, 0)
    # By time t an owner has had more than rate * t + phase - 1 turns; the factor is for rounding.
    cdef double until = (many + n) / float(rate.sum()) * (1.0 + 2.0**-40)
    buckets = many + n
    cdef double scale = buckets / until
    cdef cnp.ndarray times = np.empty(many + 3 * n + 16, dtype=np.float64), at = np.empty_like(times)
    cdef cnp.ndarray owners = np.empty(many + 3 * n + 16, dtype=np.int32), out = np.empty_like(owners)
    cdef cnp.ndarray start = np.zeros(buckets + 2, dtype=np.int32)
    cdef bint done
    with nogil:
        total = c_phased(<const double *>cnp.PyArray_DATA(first), <const double *>cnp.PyArray_DATA(rate), n, until,
                         scale, buckets, <double *>cnp.PyArray_DATA(times), <int32_t *>cnp.PyArray_DATA(owners),
                         <int32_t *>cnp.PyArray_DATA(start))
        done = c_by_time(<const double *>cnp.PyArray_DATA(times), <const int32_t *>cnp.PyArray_DATA(owners), total,
                         scale, buckets, <int32_t *>cnp.PyArray_DATA(start), <double *>cnp.PyArray_DATA(at),
                         <int32_t *>cnp.PyArray_DATA(out))
    assert total >= many
    return out[:many] if done else owners[np.argsort(times[:total], kind="stable")[:many]]
