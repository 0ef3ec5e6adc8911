# cython: language_level=3
"""32-bit hashes of single texts, and of numbered names by the thousand, which rings are made of.

`lbalgo.columns.DIGESTS` says which number is which hash. A name is a prefix and a decimal number, counted up in place.
`chained` is a CRC-32 that goes on from a state over the four bytes of the result before it.
"""
cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

import numpy as np

from lbalgo.columns import bytes_of, column, digest_kind, prefixes_of
from lbalgo.errors import ConfigError

from lbalgo.kernels.blocks cimport c_md5, c_sha256_end
from lbalgo.kernels.points cimport DIGITS, count_up
from lbalgo.kernels.text_hashes cimport (
    c_crc,
    c_fnv1,
    c_fnv1a,
    c_jenkins,
    c_murmur,
    c_murmur3,
    c_one_at_a_time,
)

cnp.import_array()

cdef enum:
    WORDS = -1  # instead of a kind: the four words of MD5


cdef uint32_t c_digest32(int kind, const uint8_t *data, size_t n) noexcept nogil:
    """The hash that has this place in `lbalgo.columns.DIGESTS`."""
    cdef uint32_t words[4]
    if kind == 0:
        c_md5(data, n, words)
        return words[0]
    if kind == 1:
        return c_sha256_end(data, n)
    if kind == 2:
        return c_one_at_a_time(data, n)
    if kind == 3:
        return c_fnv1(data, n, <uint32_t>0x84222325, 0x1B3)
    if kind == 4:
        return c_fnv1a(data, n, <uint32_t>0x84222325, 0x1B3)
    if kind == 5:
        return c_fnv1(data, n, <uint32_t>0x811C9DC5, 0x01000193)
    if kind == 6:
        return c_fnv1a(data, n, <uint32_t>0x811C9DC5, 0x01000193)
    if kind == 7:
        return (c_crc(data, n, 0) >> 16) & 0x7FFF
    if kind == 8:
        return c_murmur(data, n)
    if kind == 9:
        return c_murmur3(data, n)
    return c_jenkins(data, n)


cdef void c_numbered(int kind, uint8_t *room, size_t length, Py_ssize_t many, uint32_t *out) noexcept nogil:
    cdef size_t digits = 1
    cdef Py_ssize_t k
    room[length] = 48
    for k in range(many):
        if kind == WORDS:
            c_md5(room, length + digits, out)
            out += 4
        else:
            out[0] = c_digest32(kind, room, length + digits)
            out += 1
        digits = count_up(room + length, digits)


cdef cnp.ndarray names(int kind, object prefixes, object counts):
    cdef list given = [p.encode() if isinstance(p, str) else p for p in prefixes_of(prefixes)]
    cdef cnp.ndarray many = column("counts", counts, 0, 2**31 - 1, np.int32)
    cdef Py_ssize_t i, n = len(given), each = 4 if kind == WORDS else 1
    if cnp.PyArray_DIM(many, 0) != n:
        raise ConfigError("counts", counts, "must be one for each prefix")
    cdef const int32_t *count = <const int32_t *>cnp.PyArray_DATA(many)
    cdef cnp.ndarray out = np.empty(each * int(many.sum(dtype=np.int64)), dtype=np.uint32)
    cdef uint32_t *at = <uint32_t *>cnp.PyArray_DATA(out)
    cdef size_t length
    cdef bytes prefix
    cdef uint8_t *room = <uint8_t *>malloc(max(map(len, given)) + DIGITS + 1)
    if room == NULL:
        raise MemoryError
    for i in range(n):
        prefix = given[i]
        length = PyBytes_GET_SIZE(prefix)
        memcpy(room, PyBytes_AS_STRING(prefix), length)
        with nogil:
            c_numbered(kind, room, length, count[i], at)
        at += each * count[i]
    free(room)
    return out


def digest32(kind, data):
    """The hash of these bytes."""
    cdef int which = digest_kind(kind)
    cdef bytes text = bytes_of("data", data)
    return c_digest32(which, <const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


def numbered32(kind, prefixes, counts):
    """Hashes of prefixes[i] + b"0", + b"1", …, counts[i] of them, one prefix after the other, as uint32."""
    return names(digest_kind(kind), prefixes, counts)


def numbered_md5(prefixes, counts):
    """The four words of each name's MD5, as uint32."""
    return names(WORDS, prefixes, counts)


def chained(states, counts):
    """From each CRC-32 counts[i] results, each over the four bytes of the one before, first of 0; as uint32."""
    cdef cnp.ndarray start = column("states", states, 0, 2**32 - 1, np.uint32)
    cdef cnp.ndarray many = column("counts", counts, 0, 2**31 - 1, np.int32)
    cdef Py_ssize_t i, k, n = cnp.PyArray_DIM(start, 0)
    if cnp.PyArray_DIM(many, 0) != n:
        raise ConfigError("counts", counts, "must be one for each state")
    cdef const uint32_t *state = <const uint32_t *>cnp.PyArray_DATA(start)
    cdef const int32_t *count = <const int32_t *>cnp.PyArray_DATA(many)
    cdef cnp.ndarray out = np.empty(int(many.sum(dtype=np.int64)), dtype=np.uint32)
    cdef uint32_t *at = <uint32_t *>cnp.PyArray_DATA(out)
    cdef uint32_t before
    with nogil:
        for i in range(n):
            before = 0
            for k in range(count[i]):
                before = c_crc(<const uint8_t *>&before, 4, state[i])
                at[0] = before
                at += 1
    return out
