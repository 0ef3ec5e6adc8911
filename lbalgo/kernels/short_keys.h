/* Tickets of the commonest keys, without a call: ASCII strings and bytes of fewer than 32 bytes, and whole numbers.

   This is XXH64 where a text is too short for its four lanes; `hashing.pyx` has the rest of it, and every other key. A
   number is its 8 bytes, little-endian. What is not such a key, or no key at all, is left to the hasher. */

#ifndef LBALGO_SHORT_KEYS_H
#define LBALGO_SHORT_KEYS_H

#include <stdint.h>
#include <string.h>

#define LBALGO_PRIME1 11400714785074694791ULL
#define LBALGO_PRIME2 14029467366897019727ULL
#define LBALGO_PRIME3 1609587929392839161ULL
#define LBALGO_PRIME4 9650029242287828579ULL
#define LBALGO_PRIME5 2870177450012600261ULL

static inline uint64_t lbalgo_turned(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

static inline uint64_t lbalgo_eight(uint64_t h, uint64_t word) {
    h ^= lbalgo_turned(word * LBALGO_PRIME2, 31) * LBALGO_PRIME1;
    return lbalgo_turned(h, 27) * LBALGO_PRIME1 + LBALGO_PRIME4;
}

static inline uint64_t lbalgo_short_xxh64(const uint8_t *p, size_t n, uint64_t seed) {
    uint64_t h = seed + LBALGO_PRIME5 + n, word;
    uint32_t half;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = lbalgo_eight(h, word);
    }
    if (n >= 4) {
        memcpy(&half, p, 4);
        h = lbalgo_turned(h ^ half * LBALGO_PRIME1, 23) * LBALGO_PRIME2 + LBALGO_PRIME3;
        n -= 4, p += 4;
    }
    for (; n; n--, p++)
        h = lbalgo_turned(h ^ *p * LBALGO_PRIME5, 11) * LBALGO_PRIME1;
    h = (h ^ (h >> 33)) * LBALGO_PRIME2;
    h = (h ^ (h >> 29)) * LBALGO_PRIME3;
    return h ^ (h >> 32);
}

/* The value of an int in [0, 2**64): 1, or 0 and no exception set. The library's own function takes numbers of more than
   30 bits apart byte by byte, which costs more than the rest of a pick; where the layout is known, digits are read. */
static inline int lbalgo_number(PyObject *key, uint64_t *number) {
#if !defined(PYPY_VERSION) && !defined(Py_LIMITED_API) && PyLong_SHIFT == 30 && \
    PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030F0000
#if PY_VERSION_HEX < 0x030C0000
    const digit *d = ((PyLongObject *)key)->ob_digit;
    Py_ssize_t n = Py_SIZE(key);
    if (n < 0)
        return 0;
#else
    const digit *d = ((PyLongObject *)key)->long_value.ob_digit;
    Py_ssize_t n = (Py_ssize_t)(((PyLongObject *)key)->long_value.lv_tag >> 3);
    if ((((PyLongObject *)key)->long_value.lv_tag & 3) == 2)
        return 0;
#endif
    if (n > 3 || (n == 3 && d[2] > 15))
        return 0;
    *number = n > 0 ? d[0] : 0;
    if (n > 1)
        *number |= (uint64_t)d[1] << 30;
    if (n > 2)
        *number |= (uint64_t)d[2] << 60;
    return 1;
#else
    *number = PyLong_AsUnsignedLongLong(key);
    if (*number != UINT64_MAX || !PyErr_Occurred())
        return 1;
    PyErr_Clear();
    return 0;
#endif
}

/* 1 and the ticket, or 0 and no exception set. */
static inline int short_ticket(PyObject *key, uint64_t seed, uint64_t *ticket) {
    const uint8_t *text;
    Py_ssize_t n;
    uint64_t number;
    if (PyUnicode_CheckExact(key)) {
        if (!PyUnicode_IS_COMPACT_ASCII(key))
            return 0;
        text = (const uint8_t *)PyUnicode_DATA(key), n = PyUnicode_GET_LENGTH(key);
    } else if (PyBytes_CheckExact(key)) {
        text = (const uint8_t *)PyBytes_AS_STRING(key), n = PyBytes_GET_SIZE(key);
    } else if (PyLong_CheckExact(key)) {
        if (!lbalgo_number(key, &number))
            return 0;
        text = (const uint8_t *)&number, n = 8;
    } else
        return 0;
    if (n >= 32)
        return 0;
    *ticket = lbalgo_short_xxh64(text, (size_t)n, seed);
    return 1;
}

#endif
