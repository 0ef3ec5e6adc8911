# cython: language_level=3
"""32-bit hashes of short texts, as libhashkit has them: with its seeds, and with the signed `char` of x86.

One-at-a-time and lookup3 (Jenkins), FNV-1 and FNV-1a (Noll) with basis and prime of the caller, CRC-32, MurmurHash2 and
MurmurHash3 x86_32 (Appleby), whose seed is a constant times the length. Words are read in the machine's order, which is
little-endian on every platform this is built for.
"""
from libc.stdint cimport int8_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

cdef enum:
    MURMUR = 0x5BD1E995

cdef uint32_t CRC[256]


cdef void fill_table() noexcept:
    cdef uint32_t c
    cdef int i, k
    for i in range(256):
        c = i
        for k in range(8):
            c = (c >> 1) ^ (<uint32_t>0xEDB88320 & (0 - (c & 1)))
        CRC[i] = c


fill_table()


cdef inline uint32_t rest32(const uint8_t *p, size_t n) noexcept nogil:
    """The last n bytes, fewer than four."""
    cdef uint32_t x = 0
    cdef size_t i
    for i in range(n):
        x |= <uint32_t>p[i] << (8 * i)
    return x


cdef uint32_t c_one_at_a_time(const uint8_t *data, size_t n) noexcept nogil:
    cdef uint32_t h = 0
    cdef size_t i
    for i in range(n):
        h += <uint32_t><int8_t>data[i]
        h += h << 10
        h ^= h >> 6
    h += h << 3
    h ^= h >> 11
    return h + (h << 15)


cdef uint32_t c_fnv1(const uint8_t *data, size_t n, uint32_t h, uint32_t prime) noexcept nogil:
    cdef size_t i
    for i in range(n):
        h = (h * prime) ^ <uint32_t><int8_t>data[i]
    return h


cdef uint32_t c_fnv1a(const uint8_t *data, size_t n, uint32_t h, uint32_t prime) noexcept nogil:
    cdef size_t i
    for i in range(n):
        h = (h ^ <uint32_t><int8_t>data[i]) * prime
    return h


cdef uint32_t c_crc(const uint8_t *data, size_t n, uint32_t h) noexcept nogil:
    """The CRC-32 that goes on from another's result; 0 to begin with."""
    cdef size_t i
    h = ~h
    for i in range(n):
        h = CRC[(h ^ data[i]) & 0xFF] ^ (h >> 8)
    return ~h


cdef uint32_t c_murmur(const uint8_t *data, size_t n) noexcept nogil:
    cdef uint32_t h = (<uint32_t>0xDEADBEEF * <uint32_t>n) ^ <uint32_t>n, k
    cdef size_t i, whole = n & ~<size_t>3
    for i in range(0, whole, 4):
        k = read32(data + i) * MURMUR
        h = (h * MURMUR) ^ ((k ^ (k >> 24)) * MURMUR)
    if n > whole:
        h = (h ^ rest32(data + whole, n - whole)) * MURMUR
    h = (h ^ (h >> 13)) * MURMUR
    return h ^ (h >> 15)


cdef uint32_t c_murmur3(const uint8_t *data, size_t n) noexcept nogil:
    cdef uint32_t h = <uint32_t>0xDEADBEEF * <uint32_t>n
    cdef size_t i, whole = n & ~<size_t>3
    for i in range(0, whole, 4):
        h ^= rotl32(read32(data + i) * <uint32_t>0xCC9E2D51, 15) * <uint32_t>0x1B873593
        h = rotl32(h, 13) * 5 + <uint32_t>0xE6546B64
    h ^= rotl32(rest32(data + whole, n - whole) * <uint32_t>0xCC9E2D51, 15) * <uint32_t>0x1B873593
    h ^= <uint32_t>n
    h = (h ^ (h >> 16)) * <uint32_t>0x85EBCA6B
    h = (h ^ (h >> 13)) * <uint32_t>0xC2B2AE35
    return h ^ (h >> 16)


cdef inline void mix(uint32_t *a, uint32_t *b, uint32_t *c, int r, int s, int t) noexcept nogil:
    a[0] = (a[0] - c[0]) ^ rotl32(c[0], r)
    c[0] += b[0]
    b[0] = (b[0] - a[0]) ^ rotl32(a[0], s)
    a[0] += c[0]
    c[0] = (c[0] - b[0]) ^ rotl32(b[0], t)
    b[0] += a[0]


cdef uint32_t c_jenkins(const uint8_t *data, size_t n) noexcept nogil:
    cdef uint32_t a = <uint32_t>0xDEADBEEF + 13 + <uint32_t>n
    cdef uint32_t b = a, c = a
    cdef uint32_t tail[3]
    while n > 12:
        a += read32(data)
        b += read32(data + 4)
        c += read32(data + 8)
        mix(&a, &b, &c, 4, 6, 8)
        mix(&a, &b, &c, 16, 19, 4)
        data += 12
        n -= 12
    if n == 0:
        return c
    memset(tail, 0, 12)
    memcpy(tail, data, n)
    a += tail[0]
    b += tail[1]
    c += tail[2]
    c = (c ^ b) - rotl32(b, 14)
    a = (a ^ c) - rotl32(c, 11)
    b = (b ^ a) - rotl32(a, 25)
    c = (c ^ b) - rotl32(b, 16)
    a = (a ^ c) - rotl32(c, 4)
    b = (b ^ a) - rotl32(a, 14)
    return (c ^ b) - rotl32(b, 24)
