/* XXH64 of many 8-byte words, and text of 4-byte code points packed into UTF-8.
 *
 * One word's hash is a chain of multiplications; many are independent, and a compiler that may use AVX-512 makes vectors
 * of the plain loop. AVX2 cannot multiply 64-bit words and gains nothing.
 */
#ifndef LBALGO_HASHING_LANES_H
#define LBALGO_HASHING_LANES_H

#include "lanes.h"

#define XXH_P1 11400714785074694791ULL
#define XXH_P2 14029467366897019727ULL
#define XXH_P3 1609587929392839161ULL
#define XXH_P4 9650029242287828579ULL
#define XXH_P5 2870177450012600261ULL

#define XXH_ROTL(x, r) (((x) << (r)) | ((x) >> (64 - (r))))
#define XXH_WORDS                                                  \
    const uint64_t start = seed + XXH_P5 + 8;                      \
    for (ptrdiff_t i = 0; i < n; i++) {                            \
        uint64_t k = words[i] * XXH_P2, h;                         \
        k = XXH_ROTL(k, 31) * XXH_P1;                              \
        h = start ^ k;                                             \
        h = XXH_ROTL(h, 27) * XXH_P1 + XXH_P4;                     \
        h = (h ^ (h >> 33)) * XXH_P2;                              \
        h = (h ^ (h >> 29)) * XXH_P3;                              \
        out[i] = h ^ (h >> 32);                                    \
    }

static void xxh64_words_portable(const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) { XXH_WORDS }
#if LANES_X86
#define xxh64_words_avx2 xxh64_words_portable
LANES_IN_AVX512 static void xxh64_words_avx512(const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) {
    XXH_WORDS
}
#endif

static inline void xxh64_words(int level, const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) {
    LANES_CALL(level, xxh64_words, words, out, n, seed);
}

static inline void prefetch(const void *where) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(where);
#else
    (void)where;
#endif
}

/* `n` code points cut to bytes; all of them in one: below 0x80, the bytes are their ASCII. */
#define CUT_RUNES                                                  \
    uint32_t all = 0;                                              \
    for (ptrdiff_t i = 0; i < n; i++) {                            \
        all |= runes[i];                                           \
        out[i] = (uint8_t)runes[i];                                \
    }                                                              \
    return all;

static inline uint32_t cut_runes_portable(const uint32_t *runes, uint8_t *out, ptrdiff_t n) { CUT_RUNES }
#if LANES_X86
LANES_IN_AVX2 static uint32_t cut_runes_avx2(const uint32_t *runes, uint8_t *out, ptrdiff_t n) { CUT_RUNES }
LANES_IN_AVX512 static uint32_t cut_runes_avx512(const uint32_t *runes, uint8_t *out, ptrdiff_t n) {
    uint32_t all = 0;
    ptrdiff_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m512i sixteen = _mm512_loadu_si512(runes + i);
        _mm_storeu_si128((__m128i *)(out + i), _mm512_cvtepi32_epi8(sixteen));
        all |= (uint32_t)_mm512_reduce_or_epi32(sixteen);
    }
    for (; i < n; i++) {
        all |= runes[i];
        out[i] = (uint8_t)runes[i];
    }
    return all;
}
#endif

/* The UTF-8 form of `n` code points, at most 4 n bytes, into `out`; its length, or -1 - i if the i-th has none. */
static ptrdiff_t utf8_of(int level, const uint32_t *runes, ptrdiff_t n, uint8_t *out) {
    uint8_t *to = out;
    if (LANES_CALL(level, cut_runes, runes, out, n) < 0x80) return n;
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t r = runes[i];
        if (r < 0x80) {
            *to++ = (uint8_t)r;
        } else if (r < 0x800) {
            *to++ = (uint8_t)(0xC0 | r >> 6);
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        } else if (r < 0x10000) {
            if (r >= 0xD800 && r < 0xE000) return -1 - i; /* half of a surrogate pair */
            *to++ = (uint8_t)(0xE0 | r >> 12);
            *to++ = (uint8_t)(0x80 | (r >> 6 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        } else {
            if (r > 0x10FFFF) return -1 - i;
            *to++ = (uint8_t)(0xF0 | r >> 18);
            *to++ = (uint8_t)(0x80 | (r >> 12 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r >> 6 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        }
    }
    return to - out;
}

#endif
