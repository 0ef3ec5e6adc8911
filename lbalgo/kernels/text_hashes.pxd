from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

cdef uint32_t c_one_at_a_time(const uint8_t *data, size_t n) noexcept nogil
cdef uint32_t c_fnv1(const uint8_t *data, size_t n, uint32_t h, uint32_t prime) noexcept nogil
cdef uint32_t c_fnv1a(const uint8_t *data, size_t n, uint32_t h, uint32_t prime) noexcept nogil
cdef uint32_t c_crc(const uint8_t *data, size_t n, uint32_t h) noexcept nogil
cdef uint32_t c_murmur(const uint8_t *data, size_t n) noexcept nogil
cdef uint32_t c_murmur3(const uint8_t *data, size_t n) noexcept nogil
cdef uint32_t c_jenkins(const uint8_t *data, size_t n) noexcept nogil

cdef inline uint32_t rotl32(uint32_t x, int r) noexcept nogil:
    return (x << r) | (x >> (32 - r))

cdef inline uint32_t read32(const uint8_t *p) noexcept nogil:
    cdef uint32_t x
    memcpy(&x, p, 4)
    return x
