/* Many tickets' entries of a table: ticket mod size is the position, for a block of sixteen tickets at once.
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
 * The entries are loaded one by one, and eight of them shifted to their first bits at once: an instruction that gathers
 * is no faster, since the first cache has to fetch most of them from the second. Where they begin is found TABLE_AHEAD
 * tickets before they are loaded: then what is stored for that has reached the first cache, no load waits for a
 * remainder, and those that wait for a slow cache have others beside them.
 */
#ifndef LBALGO_TABLE_LANES_H
#define LBALGO_TABLE_LANES_H

#include <math.h>

#include "entries.h"
#include "lanes.h"

#define TABLE_AHEAD 128 /* tickets whose places are known before their entries are loaded */
#define TABLE_LEAST 64  /* fewer are not worth a block */

/* Tickets, at most seven, before one that a cache line begins with: no load of eight is then of two lines. */
static inline ptrdiff_t table_head(const uint64_t *tickets) { return (ptrdiff_t)(-(uintptr_t)tickets % 64 / 8); }

/* Entries of the leading tickets, in whole blocks; returns how many. */
static inline ptrdiff_t table_blocks_portable(const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                              const Entries *entries, uint64_t size) {
    (void)tickets, (void)out, (void)n, (void)entries, (void)size;
    return 0; /* a division by multiplying, one at a time, is the caller's */
}

#if LANES_X86
/* Where the entries of sixteen tickets begin: bytes, and bits after them. */
typedef struct {
    uint32_t at[16], shift[16];
} Places;

/* The words at eight places. */
LANES_IN_AVX2 static inline __m256i table_words(const uint8_t *bytes, const uint32_t *at) {
    int w[8];
    for (int j = 0; j < 8; j += 2) { /* two places by one load, as loads are what there are most of */
        uint64_t two;
        memcpy(&two, at + j, 8);
        w[j] = (int)entries_word(bytes + (uint32_t)two);
        w[j + 1] = (int)entries_word(bytes + (two >> 32));
    }
    return _mm256_setr_epi32(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
}

LANES_IN_AVX2 static inline __m128i table_positions_avx2(const uint64_t *tickets, __m256i factor, __m256d whole,
                                                         __m256d inverse) {
    const __m256i low = _mm256_set1_epi64x((1LL << 40) - 1);
    const __m256d binade = _mm256_set1_pd(4503599627370496.0), base = _mm256_set1_pd(4503599627370495.5);
    __m256i t = _mm256_lddqu_si256((const __m256i *)tickets);
    __m256i s = _mm256_mul_epu32(_mm256_srli_epi64(t, 40), factor);
    s = _mm256_add_epi64(s, _mm256_and_si256(t, low));
    /* the mantissa of 2**52 + s, less 2**52 - 1/2 */
    __m256d d = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(s, _mm256_castpd_si256(binade))), base);
    __m256d q = _mm256_round_pd(_mm256_mul_pd(d, inverse), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    return _mm256_cvttpd_epi32(_mm256_sub_pd(d, _mm256_mul_pd(q, whole)));
}

LANES_IN_AVX2 static inline void table_place_avx2(const uint64_t *tickets, __m256i factor, __m256d whole,
                                                  __m256d inverse, __m256i bits, Places *to) {
    for (int j = 0; j < 16; j += 8) {
        __m256i bit = _mm256_set_m128i(table_positions_avx2(tickets + j + 4, factor, whole, inverse),
                                       table_positions_avx2(tickets + j, factor, whole, inverse));
        bit = _mm256_mullo_epi32(bit, bits);
        _mm256_storeu_si256((__m256i *)(to->at + j), _mm256_srli_epi32(bit, 3));
        _mm256_storeu_si256((__m256i *)(to->shift + j), _mm256_and_si256(bit, _mm256_set1_epi32(7)));
    }
}

/* Bytes go through no vector: there is little room in what computes them, beside the positions. */
LANES_IN_AVX2 static inline void table_take_avx2(const uint8_t *bytes, const Places *from, int single, __m256i mask,
                                                 int32_t *out) {
    for (int j = 0; j < 16 && single; j++) out[j] = bytes[from->at[j]];
    for (int j = 0; j < 16 && !single; j += 8) {
        __m256i shift = _mm256_lddqu_si256((const __m256i *)(from->shift + j));
        __m256i entries = _mm256_and_si256(_mm256_srlv_epi32(table_words(bytes, from->at + j), shift), mask);
        _mm256_storeu_si256((__m256i *)(out + j), entries);
    }
}

LANES_IN_AVX2 static ptrdiff_t table_blocks_avx2(const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                 const Entries *entries, uint64_t size) {
    if (size > 1 << 22 || n < TABLE_LEAST) return 0;
    const __m256i factor = _mm256_set1_epi64x((long long)((1ULL << 40) % size));
    const __m256d whole = _mm256_set1_pd((double)size), inverse = _mm256_set1_pd(1.0 / (double)size);
    const __m256i bits = _mm256_set1_epi32((int)entries->bits), mask = _mm256_set1_epi32((int)entries->mask);
    const uint8_t *bytes = entries->bytes;
    const int single = entries->bits == 8;
    Places places[TABLE_AHEAD / 16];
    ptrdiff_t i = 0;
    n -= n % 16;
    for (; i < n && i < TABLE_AHEAD; i += 16)
        table_place_avx2(tickets + i, factor, whole, inverse, bits, places + i / 16);
    for (i = 0; i < n; i += 16) {
        Places *here = places + i / 16 % (TABLE_AHEAD / 16);
        table_take_avx2(bytes, here, single, mask, out + i);
        if (i + TABLE_AHEAD < n)
            table_place_avx2(tickets + i + TABLE_AHEAD, factor, whole, inverse, bits, here);
    }
    return n;
}

LANES_IN_AVX512 static inline __m512i table_quotients_avx512(__m512i tickets, __m512d inverse) {
    __m512d d = _mm512_cvt_roundepu64_pd(tickets, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    return _mm512_cvttpd_epu64(_mm512_mul_round_pd(d, inverse, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
}

/* Remainders are below 2**32 before they are put right, so that the lower halves of all that leads to them will do. */
LANES_IN_AVX512 static inline void table_place_avx512(const uint64_t *tickets, __m512i size, __m512d inverse,
                                                      __m512i bits, Places *to) {
    const __m512i lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    __m512i a = _mm512_loadu_si512(tickets), b = _mm512_loadu_si512(tickets + 8);
    __m512i q = _mm512_permutex2var_epi32(table_quotients_avx512(a, inverse), lower, table_quotients_avx512(b, inverse));
    __m512i r = _mm512_sub_epi32(_mm512_permutex2var_epi32(a, lower, b), _mm512_mullo_epi32(q, size));
    __m512i bit = _mm512_mullo_epi32(_mm512_min_epu32(r, _mm512_sub_epi32(r, size)), bits);
    _mm512_storeu_si512(to->at, _mm512_srli_epi32(bit, 3));
    _mm512_storeu_si512(to->shift, _mm512_and_si512(bit, _mm512_set1_epi32(7)));
}

LANES_IN_AVX512 static inline __m512i table_take_avx512(const uint8_t *bytes, const Places *from, __m512i mask) {
    __m512i words = _mm512_castsi256_si512(table_words(bytes, from->at));
    words = _mm512_inserti64x4(words, table_words(bytes, from->at + 8), 1);
    return _mm512_and_si512(_mm512_srlv_epi32(words, _mm512_loadu_si512(from->shift)), mask);
}

/* What is stored is a cache line of `out`: the last of the sixteen entries before, then the first of these. */
LANES_IN_AVX512 static ptrdiff_t table_blocks_avx512(const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                     const Entries *entries, uint64_t size) {
    if (size < 1 << 14) return table_blocks_avx2(tickets, out, n, entries, size);
    if (size * entries->bits > INT32_MAX || n < TABLE_LEAST) return 0;
    const __m512i whole = _mm512_set1_epi32((int)size);
    const __m512d inverse = _mm512_set1_pd(nextafter(1.0 / (double)size, 0.0));
    const __m512i bits = _mm512_set1_epi32((int)entries->bits), mask = _mm512_set1_epi32((int)entries->mask);
    const int back = (int)((uintptr_t)out % 64 / 4);
    const __m512i order = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i line = _mm512_add_epi32(order, _mm512_set1_epi32(16 - back));
    const uint8_t *bytes = entries->bytes;
    Places places[TABLE_AHEAD / 16];
    ptrdiff_t i = 0;
    n -= n % 16;
    for (; i < n && i < TABLE_AHEAD; i += 16) table_place_avx512(tickets + i, whole, inverse, bits, places + i / 16);
    __m512i before = table_take_avx512(bytes, places, mask);
    _mm512_storeu_si512(out, before);
    for (i = 16; i < n; i += 16) {
        Places *here = places + i / 16 % (TABLE_AHEAD / 16), *taken = places + (i / 16 - 1) % (TABLE_AHEAD / 16);
        ptrdiff_t ahead = i - 16 + TABLE_AHEAD;
        if (ahead < n) table_place_avx512(tickets + ahead, whole, inverse, bits, taken);
        __m512i these = table_take_avx512(bytes, here, mask);
        _mm512_storeu_si512(out + i - back, _mm512_permutex2var_epi32(before, line, these));
        before = these;
    }
    _mm512_storeu_si512(out + n - 16, before);
    return n;
}
#endif

static inline ptrdiff_t table_blocks(int level, const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                     const Entries *entries, uint64_t size) {
    return LANES_CALL(level, table_blocks, tickets, out, n, entries, size);
}

#endif
