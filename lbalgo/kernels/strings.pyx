# cython: language_level=3
"""Hashing NumPy's variable-width strings where they are: no Python object is made for an element.

An element is 16 packed bytes; short strings are inside, longer ones wherever the dtype's allocator has put them, and
only NumPy's own function can tell. The allocator is locked meanwhile, so that nobody moves them, and never by a thread
that waits for the interpreter, or the two would wait for each other. What is missing, and bytes that are no UTF-8, are
left to the plain way, and so are hashes that are functions in Python.

Built for NumPy 2, while all other kernels run with 1.26 too: there nobody imports this, as it has no such arrays.
"""
cimport numpy as cnp
from libc.stdint cimport uint8_t, uint64_t

import numpy as np

from lbalgo.columns import array, strings_of
from lbalgo.reference.strings import hash_element, hash_strings as hash_plainly

from lbalgo.kernels.hashing cimport KIND_XXH64, KeyHasher
from lbalgo.kernels.lanes cimport lanes_in_use

cnp.import_array()

cdef extern from "numpy/arrayobject.h" nogil:  # as NumPy's own declarations, which do not say that no GIL is needed
    ctypedef struct npy_string_allocator
    ctypedef struct npy_packed_static_string
    ctypedef struct npy_static_string:
        size_t size
        const char *buf
    ctypedef struct PyArray_StringDTypeObject
    npy_string_allocator *NpyString_acquire_allocator(const PyArray_StringDTypeObject *dtype) noexcept
    void NpyString_release_allocator(npy_string_allocator *allocator) noexcept
    int NpyString_load(npy_string_allocator *allocator, const npy_packed_static_string *packed,
                       npy_static_string *text) noexcept

cdef extern from "hashing_lanes.h" nogil:
    ctypedef struct hash_batch:
        pass
    void hash_begin(hash_batch *batch, int level, uint64_t seed, uint64_t *out) noexcept
    void hash_row(hash_batch *batch, const uint8_t *data, Py_ssize_t size) noexcept
    void hash_end(hash_batch *batch) noexcept

cdef extern from "utf8.h" nogil:
    bint is_utf8(const uint8_t *data, size_t length) noexcept


cdef Py_ssize_t hash_while_text(const PyArray_StringDTypeObject *dtype, const char *at, Py_ssize_t step,
                                uint64_t *out, Py_ssize_t n, uint64_t seed) noexcept nogil:
    """How many elements from the first on are there and are UTF-8; these are hashed."""
    cdef npy_string_allocator *allocator = NpyString_acquire_allocator(dtype)
    cdef npy_static_string text
    cdef const uint8_t *data
    cdef hash_batch batch
    cdef Py_ssize_t i = 0
    hash_begin(&batch, lanes_in_use, seed, out)
    while i < n and NpyString_load(allocator, <const npy_packed_static_string *>(at + i * step), &text) == 0:
        data = <const uint8_t *>text.buf
        if not is_utf8(data, text.size):
            break
        hash_row(&batch, data, text.size)
        i += 1
    hash_end(&batch)
    NpyString_release_allocator(allocator)
    return i


def hash_strings(KeyHasher hasher not None, keys, out):
    """Hashes of a one-dimensional array of `StringDType` into a uint64 array."""
    if hasher.kind != KIND_XXH64:
        return hash_plainly(hasher, keys, out)
    cdef cnp.ndarray given = strings_of("keys", keys), target = array("out", out, np.uint64, len(keys))
    cdef const PyArray_StringDTypeObject *dtype = <const PyArray_StringDTypeObject *>cnp.PyArray_DESCR(given)
    cdef const char *start = <const char *>cnp.PyArray_DATA(given)
    cdef uint64_t *tickets = <uint64_t *>cnp.PyArray_DATA(target)
    cdef Py_ssize_t i = 0, n = cnp.PyArray_DIM(given, 0), step = cnp.PyArray_STRIDE(given, 0)
    while True:
        with nogil:
            i += hash_while_text(dtype, start + i * step, step, tickets + i, n - i, hasher.seed)
        if i == n:
            break
        tickets[i] = hash_element(hasher, keys, i)
        i += 1
