from libc.stdint cimport uint8_t, uint32_t

cdef void c_md5(const uint8_t *data, size_t n, uint32_t *out) noexcept nogil
cdef uint32_t c_sha256_end(const uint8_t *data, size_t n) noexcept nogil
