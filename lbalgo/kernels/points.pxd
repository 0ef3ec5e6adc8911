from libc.stdint cimport uint8_t, uint64_t

cdef uint64_t c_murmur64a(const uint8_t *data, size_t length, uint64_t seed) noexcept nogil
