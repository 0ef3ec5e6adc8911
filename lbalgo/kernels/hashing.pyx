# cython: language_level=3
"""Key hashing: XXH64 and SipHash-2-4 on a key's own bytes, and bulk forms over arrays.

XXH64 is in `xxh64.h`; SipHash-2-4 after Aumasson and Bernstein 2012. A key is
bytes-like, a str (its UTF-8 form) or an int in [0, 2**64) (8 bytes, little-endian). Words are read in the machine's
order, which is little-endian on every platform this is built for.
"""
cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_Check
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from lbalgo.kernels.lanes cimport lanes_in_use

import numpy as np

from lbalgo.columns import array, cells_of, hasher_parts, no_text, spans_of, word
from lbalgo.errors import ConfigError

cnp.import_array()

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    bint PyLong_Check(object o)
    bint PyBool_Check(object o)
    uint64_t PyLong_AsUnsignedLongLong(object o) except? 0xFFFFFFFFFFFFFFFF
    bint PyUnicode_IS_COMPACT_ASCII(object o)
    Py_ssize_t PyUnicode_GET_LENGTH(object o)
    void *PyUnicode_DATA(object o)
    Py_ssize_t PySequence_Fast_GET_SIZE(object o)
    void *PySequence_Fast_GET_ITEM(object o, Py_ssize_t i)
    bint ascii_text "PyUnicode_CheckExact" (void *o)
    bint ascii_compact "PyUnicode_IS_COMPACT_ASCII" (void *o)
    Py_ssize_t ascii_length "PyUnicode_GET_LENGTH" (void *o)
    void *ascii_data "PyUnicode_DATA" (void *o)

cdef extern from "xxh64.h" nogil:
    uint64_t xxh64_of(const uint8_t *data, size_t length, uint64_t seed) noexcept

cdef extern from "hashing_lanes.h" nogil:
    void xxh64_words(int level, const uint64_t *words, uint64_t *out, Py_ssize_t n, uint64_t seed) noexcept
    ctypedef struct hash_batch:
        pass
    enum: HASH_ROWS
    void hash_begin(hash_batch *batch, int level, uint64_t seed, uint64_t *out) noexcept
    void hash_row(hash_batch *batch, const uint8_t *data, Py_ssize_t size) noexcept
    void hash_end(hash_batch *batch) noexcept
    void hash_cells(hash_batch *batch, const uint8_t *cells, Py_ssize_t stride, const Py_ssize_t *sizes,
                    Py_ssize_t n) noexcept
    void prefetch(const void *where) noexcept

cdef extern from "text_lanes.h" nogil:
    Py_ssize_t cut_texts(int level, const uint32_t *runes, Py_ssize_t width, Py_ssize_t n, uint8_t *text,
                         Py_ssize_t stride, Py_ssize_t *sizes) noexcept
    Py_ssize_t utf8_of(const uint32_t *runes, Py_ssize_t n, uint8_t *out) noexcept

cdef enum:
    AHEAD = 8  # keys of a sequence fetched ahead
    FEW = 8192  # bytes of text before it is hashed

cdef inline uint64_t rotl(uint64_t x, int r) noexcept nogil:
    return (x << r) | (x >> (64 - r))


cdef inline uint64_t read64(const uint8_t *p) noexcept nogil:
    cdef uint64_t x
    memcpy(&x, p, 8)
    return x


cdef uint64_t c_xxh64(const uint8_t *data, size_t length, uint64_t seed) noexcept nogil:
    return xxh64_of(data, length, seed)


cdef uint64_t c_siphash24(const uint8_t *data, size_t length, uint64_t k0, uint64_t k1) noexcept nogil:
    cdef uint64_t v[4]
    cdef uint64_t word, last = <uint64_t>(length & 0xFF) << 56
    cdef size_t whole = length & ~<size_t>7, i
    v[0] = k0 ^ <uint64_t>0x736F6D6570736575
    v[1] = k1 ^ <uint64_t>0x646F72616E646F6D
    v[2] = k0 ^ <uint64_t>0x6C7967656E657261
    v[3] = k1 ^ <uint64_t>0x7465646279746573
    for i in range(0, whole, 8):
        word = read64(data + i)
        v[3] ^= word
        sip_round(v)
        sip_round(v)
        v[0] ^= word
    for i in range(whole, length):
        last |= <uint64_t>data[i] << (8 * (i & 7))
    v[3] ^= last
    sip_round(v)
    sip_round(v)
    v[0] ^= last
    v[2] ^= 0xFF
    for i in range(4):
        sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


cdef inline void sip_round(uint64_t *v) noexcept nogil:
    v[0] += v[1]
    v[1] = rotl(v[1], 13) ^ v[0]
    v[0] = rotl(v[0], 32)
    v[2] += v[3]
    v[3] = rotl(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3] = rotl(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1] = rotl(v[1], 17) ^ v[2]
    v[2] = rotl(v[2], 32)


cdef inline Py_ssize_t size_of(const uint8_t *cell, Py_ssize_t width) noexcept nogil:
    """Without the NULs at the end."""
    while width and not cell[width - 1]:
        width -= 1
    return width


def mix64(x):
    """SplitMix64's finaliser."""
    return c_mix64(word("word", x))


def xxh64(data, seed=0):
    """XXH64 of a bytes-like object."""
    cdef uint64_t start = word("seed", seed)
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return c_xxh64(<const uint8_t *>view.buf, view.len, start)
    finally:
        PyBuffer_Release(&view)


def siphash24(data, k0, k1):
    """SipHash-2-4 of a bytes-like object under the 128-bit key (k0, k1)."""
    cdef uint64_t one = word("k0", k0), two = word("k1", k1)
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return c_siphash24(<const uint8_t *>view.buf, view.len, one, two)
    finally:
        PyBuffer_Release(&view)


cdef inline Py_ssize_t length_of(object values, int number) noexcept:
    """Of a contiguous, aligned, one-dimensional array of this number of dtype; -1 of anything else."""
    if (cnp.PyArray_Check(values) and cnp.PyArray_TYPE(values) == number and cnp.PyArray_NDIM(values) == 1
            and cnp.PyArray_ISCARRAY_RO(values)):
        return cnp.PyArray_DIM(values, 0)
    return -1


cdef uint64_t *room(object out, Py_ssize_t n) except? NULL:
    """Where the n items of a contiguous, aligned, writeable, one-dimensional uint64 array are; refuses any other."""
    if length_of(out, cnp.NPY_UINT64) != n or not cnp.PyArray_ISCARRAY(out):
        array("out", out, np.uint64, n)
    return <uint64_t *>cnp.PyArray_DATA(out)


cdef Py_ssize_t rows(object data, int number, object dtype, Py_ssize_t width, object out) except -1:
    """How many keys of `width` items each a contiguous array has, as many as `out`; refuses any other."""
    cdef Py_ssize_t n = length_of(out, cnp.NPY_UINT64), items = length_of(data, number)
    if n < 0 or items < 0 or width < 1 or items % width or items // width != n:
        cells_of(data, dtype, width, out)
    return n


@cython.final
cdef class KeyHasher:
    """Keys to 64-bit tickets: XXH64 with a seed, SipHash with a secret, or a function of bytes finalised by mix64."""

    def __cinit__(self, kind, seed=0, k0=0, k1=0, function=None):
        self.kind, self.seed, self.k0, self.k1, self.function = hasher_parts(kind, seed, k0, k1, function)

    cdef uint64_t digest(self, const uint8_t *data, size_t length) except? 0:
        if self.kind == KIND_XXH64:
            return c_xxh64(data, length, self.seed)
        if self.kind == KIND_SIPHASH:
            return c_siphash24(data, length, self.k0, self.k1)
        value = self.function(PyBytes_FromStringAndSize(<const char *>data, length))
        if not PyLong_Check(value) or PyBool_Check(value) or not 0 <= value < (1 << 64):
            raise ConfigError("hasher", value, "must return an int in [0, 2**64)")
        if self.kind == KIND_RAW:
            return PyLong_AsUnsignedLongLong(value)
        return c_mix64(PyLong_AsUnsignedLongLong(value) ^ c_mix64(self.seed))

    cdef uint64_t hash(self, object key) except? 0:
        if self.kind == KIND_XXH64 and PyUnicode_Check(key) and PyUnicode_IS_COMPACT_ASCII(key):
            return c_xxh64(<const uint8_t *>PyUnicode_DATA(key), PyUnicode_GET_LENGTH(key), self.seed)
        return self.hash_other(key)

    cdef uint64_t hash_other(self, object key) except? 0:
        """As `hash`, which keeps the commonest case clear of what the others need."""
        cdef uint64_t word
        cdef Py_ssize_t size
        cdef const char *text
        if PyUnicode_Check(key):
            try:
                text = PyUnicode_AsUTF8AndSize(key, &size)
            except UnicodeEncodeError:
                raise ConfigError("key", key, "must have a UTF-8 form") from None
            return self.digest(<const uint8_t *>text, size)
        if PyBytes_CheckExact(key):
            return self.digest(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        if PyLong_Check(key) and not PyBool_Check(key):
            try:
                word = PyLong_AsUnsignedLongLong(key)
            except OverflowError:
                raise ConfigError("key", key, "must be in [0, 2**64)") from None
            return self.digest(<const uint8_t *>&word, 8)
        if isinstance(key, (bytes, bytearray, memoryview)):
            data = bytes(key)
            return self.digest(<const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        raise TypeError(f"a key is bytes, str or int, not {type(key).__name__}")

    def __call__(self, key):
        return self.hash(key)

    def words(self, values, out):
        """Hashes of a contiguous uint64 array, each as its 8 bytes, into another."""
        cdef Py_ssize_t i, n = length_of(values, cnp.NPY_UINT64)
        if n < 0:
            array("values", values, np.uint64)
        cdef const uint64_t *v = <const uint64_t *>cnp.PyArray_DATA(<cnp.ndarray>values)
        cdef uint64_t *o = room(out, n)
        if self.kind == KIND_XXH64:
            with nogil:
                xxh64_words(lanes_in_use, v, o, n, self.seed)
        else:
            for i in range(n):
                o[i] = self.digest(<const uint8_t *>&v[i], 8)

    def spans(self, data, offsets, out):
        """Hashes of data[offsets[i]:offsets[i + 1]], contiguous uint8 and int64 arrays, into a uint64 array."""
        spans_of(data, offsets)
        cdef const uint8_t *base = <const uint8_t *>cnp.PyArray_DATA(<cnp.ndarray>data)
        cdef const int64_t *e = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>offsets)
        cdef Py_ssize_t i, n = cnp.PyArray_DIM(<cnp.ndarray>offsets, 0) - 1
        cdef uint64_t *o = room(out, n)
        cdef hash_batch batch
        if self.kind == KIND_XXH64:
            with nogil:
                hash_begin(&batch, lanes_in_use, self.seed, o)
                for i in range(n):
                    hash_row(&batch, base + e[i], e[i + 1] - e[i])
                hash_end(&batch)
        else:
            for i in range(n):
                o[i] = self.digest(base + e[i], e[i + 1] - e[i])

    def cells(self, data, Py_ssize_t width, out):
        """Hashes of keys of `width` bytes each, of a contiguous uint8 array, without the NULs at their ends."""
        cdef Py_ssize_t i, n = rows(data, cnp.NPY_UINT8, np.uint8, width, out)
        cdef const uint8_t *at = <const uint8_t *>cnp.PyArray_DATA(<cnp.ndarray>data)
        cdef uint64_t *o = room(out, n)
        cdef hash_batch batch
        if self.kind == KIND_XXH64:
            with nogil:
                hash_begin(&batch, lanes_in_use, self.seed, o)
                for i in range(n):
                    hash_row(&batch, at, size_of(at, width))
                    at += width
                hash_end(&batch)
        else:
            for i in range(n):
                o[i] = self.digest(at, size_of(at, width))
                at += width

    def runes(self, data, Py_ssize_t width, out):
        """Hashes of texts of `width` code points each, of a contiguous uint32 array, without the NULs at their ends."""
        cdef Py_ssize_t i = 0, m, size, length = 0, n = rows(data, cnp.NPY_UINT32, np.uint32, width, out)
        cdef uint64_t *o = room(out, n)
        cdef Py_ssize_t stride = (width + 15) & ~<Py_ssize_t>15, most = max(1, min(HASH_ROWS, FEW // stride))
        cdef const uint32_t *start = <const uint32_t *>cnp.PyArray_DATA(<cnp.ndarray>data)
        cdef const uint32_t *at
        cdef Py_ssize_t sizes[HASH_ROWS]
        cdef hash_batch batch
        cdef uint8_t *text = <uint8_t *>malloc(max(most, 4) * stride)
        if text is NULL:
            raise MemoryError
        try:
            with nogil:
                hash_begin(&batch, lanes_in_use, self.seed, o)
                while i < n:
                    if self.kind == KIND_XXH64:
                        m = cut_texts(lanes_in_use, start + i * width, width, min(n - i, most), text, stride, sizes)
                        hash_cells(&batch, text, stride, sizes, m)
                        i += m
                        if m == most or i == n:
                            continue
                    at, size = start + i * width, width  # not ASCII, or for another hash
                    while size and not at[size - 1]:
                        size -= 1
                    length = utf8_of(at, size, text)
                    if length < 0:
                        break
                    if self.kind == KIND_XXH64:
                        hash_row(&batch, text, length)
                        hash_end(&batch)
                    else:
                        with gil:
                            o[i] = self.digest(text, length)
                    i += 1
            if length < 0:
                no_text(data, i * width, size)
        finally:
            free(text)

    def sequence(self, keys, out):
        """Hashes of a sequence of keys of any kind, into a uint64 array."""
        given = keys if type(keys) is list or type(keys) is tuple else tuple(keys)
        cdef Py_ssize_t i = 0, n = PySequence_Fast_GET_SIZE(given)
        cdef uint64_t *o = room(out, n)
        cdef hash_batch batch
        cdef void *key
        if self.kind == KIND_XXH64:
            hash_begin(&batch, lanes_in_use, self.seed, o)
            while i < n:  # plain ASCII, for which nobody's code runs
                key = PySequence_Fast_GET_ITEM(given, i)
                if i + AHEAD < n:
                    prefetch(PySequence_Fast_GET_ITEM(given, i + AHEAD))
                if not (ascii_text(key) and ascii_compact(key)):
                    break
                hash_row(&batch, <const uint8_t *>ascii_data(key), ascii_length(key))
                i += 1
            hash_end(&batch)
        rest = tuple(given) if i < n else ()  # a hash that is a function may change the list
        while i < n:
            o[i] = self.hash(rest[i])
            i += 1
