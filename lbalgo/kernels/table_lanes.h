/* Many tickets' entries of a table: ticket mod size is the position, for a block of eight tickets at once.
 *
 * Remainders are exact, from quotients in doubles, with no division. Where the quotients are below 2**50, that of the
 * ticket itself is taken, every step rounded down: it is right or one too small, for the steps lose less than
 * 3.5 * 2**-52 of it, and a remainder of up to twice the size is put right by an unsigned minimum. AVX2 has no
 * conversion of 64-bit words, and the quotients of small tables are larger: there the upper 24 bits of the ticket are
 * first replaced by their product with 2**40 mod size, which leaves the same remainder, of a number below
 * 2**24 * size + 2**40. With a size of at most 2**22 it is exact in a double, and one half more too, which is added:
 * then every quotient is 1 / (2 * size) or more from the nearest integer, and the two roundings on the way to it move
 * it by less, 2**-52 of it together.
 *
 * The entries are loaded one by one: an instruction that gathers is no faster, since the first cache has to fetch most
 * of them from the second. Positions are computed TABLE_AHEAD tickets before their entries are loaded: then no load
 * waits for a remainder, and those that wait for a slow cache have others beside them.
 */
#ifndef LBALGO_TABLE_LANES_H
#define LBALGO_TABLE_LANES_H

#include <math.h>

#include "lanes.h"

#define TABLE_AHEAD 64 /* positions known before their entries are loaded */

/* Entries of the leading tickets, in whole blocks and no fewer than TABLE_AHEAD, of that table of `size` which is not
 * NULL; returns how many. */
static inline ptrdiff_t table_blocks_portable(const uint64_t *tickets, int32_t *out, ptrdiff_t n, const uint8_t *small,
                                              const uint16_t *narrow, const int32_t *wide, uint64_t size) {
    (void)tickets, (void)out, (void)n, (void)small, (void)narrow, (void)wide, (void)size;
    return 0; /* a division by multiplying, one at a time, is the caller's */
}

#if LANES_X86
LANES_BODY void table_take(const uint32_t *at, int32_t *out, const uint8_t *small, const uint16_t *narrow,
                           const int32_t *wide) {
    if (small != NULL) {
        for (int j = 0; j < 8; j++) out[j] = small[at[j]];
    } else if (narrow != NULL) {
        for (int j = 0; j < 8; j++) out[j] = narrow[at[j]];
    } else {
        for (int j = 0; j < 8; j++) out[j] = wide[at[j]];
    }
}

LANES_IN_AVX2 static ptrdiff_t table_blocks_avx2(const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                 const uint8_t *small, const uint16_t *narrow, const int32_t *wide,
                                                 uint64_t size) {
    if (size > 1 << 22 || n < TABLE_AHEAD) return 0;
    const __m256i low = _mm256_set1_epi64x((1LL << 40) - 1);
    const __m256i factor = _mm256_set1_epi64x((long long)((1ULL << 40) % size));
    const __m256d whole = _mm256_set1_pd((double)size), inverse = _mm256_set1_pd(1.0 / (double)size);
    const __m256d binade = _mm256_set1_pd(4503599627370496.0), base = _mm256_set1_pd(4503599627370495.5);
    uint32_t at[TABLE_AHEAD];
    n -= n % 8;
    for (ptrdiff_t i = 0; i < n + TABLE_AHEAD; i += 8) {
        uint32_t *here = at + i % TABLE_AHEAD;
        if (i >= TABLE_AHEAD) table_take(here, out + i - TABLE_AHEAD, small, narrow, wide);
        for (int j = 0; j < 8 && i < n; j += 4) {
            __m256i t = _mm256_lddqu_si256((const __m256i *)(tickets + i + j));
            __m256i s = _mm256_mul_epu32(_mm256_srli_epi64(t, 40), factor);
            s = _mm256_add_epi64(s, _mm256_and_si256(t, low));
            /* the mantissa of 2**52 + s, less 2**52 - 1/2 */
            __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(s, _mm256_castpd_si256(binade))), base);
            __m256d q = _mm256_round_pd(_mm256_mul_pd(d, inverse), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
            __m128i r = _mm256_cvttpd_epi32(_mm256_sub_pd(d, _mm256_mul_pd(q, whole)));
            _mm_storeu_si128((__m128i *)(here + j), r);
        }
    }
    return n;
}

LANES_IN_AVX512 static ptrdiff_t table_blocks_avx512(const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                     const uint8_t *small, const uint16_t *narrow, const int32_t *wide,
                                                     uint64_t size) {
    if (size < 1 << 14 || size > UINT32_MAX) return table_blocks_avx2(tickets, out, n, small, narrow, wide, size);
    if (n < TABLE_AHEAD) return 0;
    const __m512i whole = _mm512_set1_epi64((long long)size);
    const __m512d inverse = _mm512_set1_pd(nextafter(1.0 / (double)size, 0.0));
    uint32_t at[TABLE_AHEAD];
    n -= n % 8;
    for (ptrdiff_t i = 0; i < n + TABLE_AHEAD; i += 8) {
        uint32_t *here = at + i % TABLE_AHEAD;
        if (i >= TABLE_AHEAD) table_take(here, out + i - TABLE_AHEAD, small, narrow, wide);
        if (i < n) {
            __m512i t = _mm512_loadu_si512(tickets + i);
            __m512d d = _mm512_cvt_roundepu64_pd(t, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
            d = _mm512_mul_round_pd(d, inverse, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
            __m512i r = _mm512_sub_epi64(t, _mm512_mullo_epi64(_mm512_cvttpd_epu64(d), whole));
            r = _mm512_min_epu64(r, _mm512_sub_epi64(r, whole));
            _mm256_storeu_si256((__m256i *)here, _mm512_cvtepi64_epi32(r));
        }
    }
    return n;
}
#endif

static inline ptrdiff_t table_blocks(int level, const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                     const uint8_t *small, const uint16_t *narrow, const int32_t *wide, uint64_t size) {
    return LANES_CALL(level, table_blocks, tickets, out, n, small, narrow, wide, size);
}

#endif
