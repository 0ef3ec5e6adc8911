from libc.stdint cimport uint8_t, uint64_t

cdef uint64_t c_murmur64a(const uint8_t *data, size_t length, uint64_t seed) noexcept nogil

cdef enum:
    DIGITS = 20  # of 2**64

cdef inline size_t count_up(uint8_t *digits, size_t n) noexcept nogil:
    """The next decimal number in place of one of n digits; how many it has."""
    cdef size_t i = n
    while i and digits[i - 1] == 57:
        i -= 1
        digits[i] = 48
    if i:
        digits[i - 1] += 1
        return n
    digits[0] = 49
    digits[n] = 48
    return n + 1
