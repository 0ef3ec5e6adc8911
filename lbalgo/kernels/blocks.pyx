# cython: language_level=3
"""MD5 (RFC 1321) and SHA-256 (FIPS 180-4), which go over a text in blocks of 64 bytes.

Points of rings are made of names of one block: then no call of a library for each is what makes this fast.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from math import isqrt, sin

from lbalgo.kernels.text_hashes cimport rotl32

cdef enum:
    BLOCK = 64
    LENGTH_AT = 56  # where the text's length stands in the last block

cdef uint32_t SINES[64]
cdef uint32_t CUBIC[64]  # fractions of the cube roots of the first primes
cdef uint32_t SQUARE[8]  # and of their square roots
cdef int TURNS[16]
TURNS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]


def cube_root(x):
    """The whole part of the cube root of an integer."""
    low, high = 0, 1 << (x.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= x else (low, middle - 1)
    return low


def fill_tables():
    """The constants of both, as their descriptions say how they come about."""
    primes = [p for p in range(2, 312) if all(p % q for q in range(2, isqrt(p) + 1))]
    for i, prime in enumerate(primes):
        SINES[i] = int(abs(sin(i + 1)) * 2**32)
        CUBIC[i] = cube_root(prime << 96) & 0xFFFFFFFF
        if i < 8:
            SQUARE[i] = isqrt(prime << 64) & 0xFFFFFFFF


fill_tables()


cdef inline void turn(uint32_t *v, uint32_t f, uint32_t word, int stage, int i) noexcept nogil:
    """One step of MD5: v are a, b, c, d."""
    cdef uint32_t moved = v[1] + rotl32(v[0] + f + word + SINES[16 * stage + i], TURNS[4 * stage + (i & 3)])
    v[0] = v[3]
    v[3] = v[2]
    v[2] = v[1]
    v[1] = moved


cdef void md5_block(const uint32_t *w, uint32_t *state) noexcept nogil:
    cdef uint32_t v[4]
    cdef int i
    memcpy(v, state, 16)
    for i in range(16):
        turn(v, v[3] ^ (v[1] & (v[2] ^ v[3])), w[i], 0, i)
    for i in range(16):
        turn(v, v[2] ^ (v[3] & (v[1] ^ v[2])), w[(5 * i + 1) & 15], 1, i)
    for i in range(16):
        turn(v, v[1] ^ v[2] ^ v[3], w[(3 * i + 5) & 15], 2, i)
    for i in range(16):
        turn(v, v[2] ^ (v[1] | ~v[3]), w[(7 * i) & 15], 3, i)
    for i in range(4):
        state[i] += v[i]


cdef inline uint32_t swapped(uint32_t x) noexcept nogil:
    return (x << 24) | ((x & 0xFF00) << 8) | ((x >> 8) & 0xFF00) | (x >> 24)


cdef void sha256_block(const uint32_t *words, uint32_t *state) noexcept nogil:
    cdef uint32_t w[64]
    cdef uint32_t a, b, c, d, e, f, g, h, s, t
    cdef int i
    for i in range(16):
        w[i] = swapped(words[i])
    for i in range(16, 64):
        s = rotl32(w[i - 15], 25) ^ rotl32(w[i - 15], 14) ^ (w[i - 15] >> 3)
        t = rotl32(w[i - 2], 15) ^ rotl32(w[i - 2], 13) ^ (w[i - 2] >> 10)
        w[i] = w[i - 16] + s + w[i - 7] + t
    a, b, c, d, e, f, g, h = state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]
    for i in range(64):
        t = h + (rotl32(e, 26) ^ rotl32(e, 21) ^ rotl32(e, 7)) + (g ^ (e & (f ^ g))) + CUBIC[i] + w[i]
        s = (rotl32(a, 30) ^ rotl32(a, 19) ^ rotl32(a, 10)) + ((a & b) | (c & (a | b)))
        h = g
        g = f
        f = e
        e = d + t
        d = c
        c = b
        b = a
        a = t + s
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h


cdef void blocks(const uint8_t *data, size_t n, uint32_t *state, bint sha) noexcept nogil:
    """Goes over a text and its end: a bit, zeros, and its length in bits, of whose words SHA-256 has the high one first."""
    cdef uint32_t w[16]
    cdef uint64_t bits = <uint64_t>n * 8
    cdef bint ended = False
    while True:
        memset(w, 0, BLOCK)
        memcpy(w, data, n if n < BLOCK else BLOCK)
        if n < BLOCK and not ended:
            (<uint8_t *>w)[n] = 0x80
            ended = True
        if ended and n < LENGTH_AT:
            w[14] = swapped(<uint32_t>(bits >> 32)) if sha else <uint32_t>bits
            w[15] = swapped(<uint32_t>bits) if sha else <uint32_t>(bits >> 32)
        if sha:
            sha256_block(w, state)
        else:
            md5_block(w, state)
        if ended and n < LENGTH_AT:
            return
        data += n if n < BLOCK else BLOCK
        n -= n if n < BLOCK else BLOCK


cdef void c_md5(const uint8_t *data, size_t n, uint32_t *out) noexcept nogil:
    out[0], out[1], out[2], out[3] = 0x67452301, <uint32_t>0xEFCDAB89, <uint32_t>0x98BADCFE, 0x10325476
    blocks(data, n, out, False)


cdef uint32_t c_sha256_end(const uint8_t *data, size_t n) noexcept nogil:
    """The last four bytes, little-endian."""
    cdef uint32_t state[8]
    memcpy(state, SQUARE, 32)
    blocks(data, n, state, True)
    return swapped(state[7])
