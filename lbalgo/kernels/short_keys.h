/* Tickets of the commonest keys, without a call: ASCII strings and bytes of fewer than 32 bytes, and whole numbers.

   A number is its 8 bytes, little-endian. What is not such a key, or no key at all, is left to the hasher. */

#ifndef LBALGO_SHORT_KEYS_H
#define LBALGO_SHORT_KEYS_H

#include "xxh64.h"

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
    *ticket = xxh64_short(text, (size_t)n, seed);
    return 1;
}

#endif
