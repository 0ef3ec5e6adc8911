/* Jump consistent hash: of one ticket, and of many.
 *
 * One ticket jumps as fast as its longest chain of dependent steps lets it. The keys of the jumps, and the factors made
 * of them, do not depend on where it is, so that four at a time are made ahead in a vector, and the divisions are none
 * of the chain's: what is left is b + 1 times the factor, truncated, and 1. How many jumps there will be cannot be
 * foreseen, and a branch that goes wrong costs as much as several of them, so that it is asked for the first time when
 * most tickets have arrived: in the mean it takes H_n jumps, with a variance below that. Who has arrived jumps on beyond
 * the end, which is not taken down.
 *
 * Many tickets: those of a block jump in step, until all of them have arrived.
 *
 * One jump is a chain of multiply, divide and truncate; the vectors of a block fill the cycles that it takes. In vectors
 * a place is a double throughout: it is below 2**62, truncated, and exact wherever it is less than `buckets`. A ticket
 * that has arrived jumps on with the others, each time beyond where it is, since the factor that multiplies the place
 * and 1 is at least 1.
 */
#ifndef LBALGO_JUMP_LANES_H
#define LBALGO_JUMP_LANES_H

#include "lanes.h"

#define JUMP_FACTOR 2862933555777941757ULL
#define JUMP_VECTORS 4 /* in a block */

static inline ptrdiff_t jump_first_portable(uint64_t ticket, ptrdiff_t buckets) {
    int64_t b = -1, j = 0;
    while (j < buckets) {
        b = j;
        ticket = ticket * JUMP_FACTOR + 1;
        j = (int64_t)((double)(b + 1) * (2147483648.0 / (double)((ticket >> 33) + 1)));
    }
    return (ptrdiff_t)b;
}

static inline void jump_many_portable(const uint64_t *tickets, int32_t *out, ptrdiff_t n, ptrdiff_t buckets) {
    for (ptrdiff_t i = 0; i < n; i++) out[i] = (int32_t)jump_first_portable(tickets[i], buckets);
}

#if LANES_X86
#define JUMP_BINADE 4503599627370496.0 /* 2**52: a sum with it has no fraction */

/* 2**31 / ((t >> 33) + 1) of each, by multiplying: a division takes as long as all the rest of a jump.
 *
 * An approximation to 2**-14 is corrected by e + e**2 + e**3, of which 2**-56 is left beside the rounding to the 53 bits
 * of a double. What is left then, exact by a fused product, goes into the last rounding: the quotient before that is
 * exact to 2**-104, and none of an integer below 2**32 is nearer than 2**-86 to the middle between two doubles. So it is
 * the quotient correctly rounded, which is what dividing gives. */
LANES_IN_AVX512 static inline __m512d jump_factors_of_8(__m512i t) {
    /* as the mantissa of 2**21 + x * 2**-31, less 2**21 - 2**-31 */
    const __m512i binade = _mm512_castpd_si512(_mm512_set1_pd(2097152.0));
    const __m512d one = _mm512_set1_pd(1.0);
    __m512d x = _mm512_castsi512_pd(_mm512_or_si512(_mm512_srli_epi64(t, 33), binade));
    x = _mm512_sub_pd(x, _mm512_set1_pd(2097152.0 - 0x1p-31));
    __m512d y = _mm512_rcp14_pd(x), e = _mm512_fnmadd_pd(x, y, one);
    y = _mm512_fmadd_pd(_mm512_fmadd_pd(_mm512_fmadd_pd(e, e, e), e, e), y, y);
    return _mm512_fmadd_pd(_mm512_fnmadd_pd(x, y, one), y, y);
}

LANES_IN_AVX512 static void jump_block_avx512(const uint64_t *tickets, int32_t *out, double buckets) {
    const __m512i factor = _mm512_set1_epi64((long long)JUMP_FACTOR), one = _mm512_set1_epi64(1);
    const __m512d end = _mm512_set1_pd(buckets), binade = _mm512_set1_pd(JUMP_BINADE);
    const __m512d less = _mm512_set1_pd(JUMP_BINADE - 1.0);
    __m512i t[JUMP_VECTORS];
    __m512d next[JUMP_VECTORS], last[JUMP_VECTORS]; /* the place and 1 */
    for (int v = 0; v < JUMP_VECTORS; v++) {
        t[v] = _mm512_loadu_si512(tickets + 8 * v);
        next[v] = last[v] = _mm512_set1_pd(1.0);
    }
    __mmask8 going;
    do {
        going = 0;
        for (int v = 0; v < JUMP_VECTORS; v++) {
            t[v] = _mm512_add_epi64(_mm512_mullo_epi64(t[v], factor), one);
            __m512d place = _mm512_mul_pd(next[v], jump_factors_of_8(t[v]));
            __mmask8 short_of = _mm512_cmp_pd_mask(place, end, _CMP_LT_OQ);
            next[v] = _mm512_add_round_pd(place, binade, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
            next[v] = _mm512_sub_pd(next[v], less);
            last[v] = _mm512_mask_mov_pd(last[v], short_of, next[v]);
            going |= short_of;
        }
    } while (going);
    for (int v = 0; v < JUMP_VECTORS; v++) {
        __m256i slots = _mm256_sub_epi32(_mm512_cvttpd_epi32(last[v]), _mm256_set1_epi32(1));
        _mm256_storeu_si256((__m256i *)(out + 8 * v), slots);
    }
}

/* x * y, of which AVX2 has only products of halves. */
LANES_IN_AVX2 static inline __m256i jump_times_avx2(__m256i x, __m256i y) {
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), y),
                                     _mm256_mul_epu32(x, _mm256_srli_epi64(y, 32)));
    return _mm256_add_epi64(_mm256_mul_epu32(x, y), _mm256_slli_epi64(cross, 32));
}

/* 2**31 / ((t >> 33) + 1) of each. */
LANES_IN_AVX2 static inline __m256d jump_factors_avx2(__m256i t) {
    /* as the mantissa of 2**52 + x, less 2**52 - 1: x + 1 */
    const __m256i binade = _mm256_castpd_si256(_mm256_set1_pd(4503599627370496.0));
    __m256d x = _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(t, 33), binade));
    return _mm256_div_pd(_mm256_set1_pd(2147483648.0), _mm256_sub_pd(x, _mm256_set1_pd(4503599627370495.0)));
}

LANES_IN_AVX2 static void jump_block_avx2(const uint64_t *tickets, int32_t *out, double buckets) {
    const __m256i factor = _mm256_set1_epi64x((long long)JUMP_FACTOR), one = _mm256_set1_epi64x(1);
    const __m256d end = _mm256_set1_pd(buckets), unit = _mm256_set1_pd(1.0);
    __m256i t[JUMP_VECTORS];
    __m256d b[JUMP_VECTORS], j[JUMP_VECTORS], going;
    for (int v = 0; v < JUMP_VECTORS; v++) {
        t[v] = _mm256_lddqu_si256((const __m256i *)(tickets + 4 * v));
        b[v] = j[v] = _mm256_setzero_pd();
    }
    do {
        going = _mm256_setzero_pd();
        for (int v = 0; v < JUMP_VECTORS; v++) {
            __m256d short_of = _mm256_cmp_pd(j[v], end, _CMP_LT_OQ);
            b[v] = _mm256_blendv_pd(b[v], j[v], short_of);
            going = _mm256_or_pd(going, short_of);
            t[v] = _mm256_add_epi64(jump_times_avx2(t[v], factor), one);
            j[v] = _mm256_round_pd(_mm256_mul_pd(_mm256_add_pd(j[v], unit), jump_factors_avx2(t[v])),
                                   _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
        }
    } while (_mm256_movemask_pd(going));
    for (int v = 0; v < JUMP_VECTORS; v++) _mm_storeu_si128((__m128i *)(out + 4 * v), _mm256_cvttpd_epi32(b[v]));
}

/* The n-th key from here is ticket * factor**n + 1 + factor + ... + factor**(n - 1); n from 1 to 4. */
static const uint64_t JUMP_FACTORS[4] = {JUMP_FACTOR, 4657504019466213897ULL, 319261122735221477ULL,
                                         10219403707702531153ULL};
static const uint64_t JUMP_TERMS[4] = {1, 2862933555777941758ULL, 7520437575244155655ULL, 7839698697979377132ULL};

/* One jump: the place in doubles, where b + 1 is from then on, and where it was last before the end. */
#define JUMP_STEP(factor, next_of)     \
    place = _mm_mul_sd(next, factor);  \
    next = next_of(place);             \
    last = _mm_blendv_pd(last, next, _mm_cmplt_sd(place, end));

/* Four jumps at a time, of which the factors of the next four are made ahead. Whether the ticket has arrived is asked
   after `asked_after` jumps, and then after each four; with `halfway` 1 also after the two before. */
#define JUMP_FIRST(times, factors_of, next_of, halfway, asked_after)                                         \
    const __m256i factor = _mm256_set1_epi64x((long long)JUMP_FACTORS[3]),                                   \
                  term = _mm256_set1_epi64x((long long)JUMP_TERMS[3]);                                       \
    const __m128d end = _mm_set_sd((double)buckets);                                                         \
    __m128d place, next = _mm_set_sd(1.0), last = next;                                                      \
    __m256i t = times(_mm256_set1_epi64x((long long)ticket), _mm256_lddqu_si256((const __m256i *)JUMP_FACTORS)); \
    t = _mm256_add_epi64(t, _mm256_lddqu_si256((const __m256i *)JUMP_TERMS));                                \
    __m256d ahead = factors_of(t);                                                                           \
    int unasked = asked_after;                                                                               \
    do {                                                                                                     \
        const __m128d low = _mm256_castpd256_pd128(ahead), high = _mm256_extractf128_pd(ahead, 1);           \
        t = _mm256_add_epi64(times(t, factor), term);                                                        \
        ahead = factors_of(t);                                                                               \
        JUMP_STEP(low, next_of)                                                                              \
        JUMP_STEP(_mm_unpackhi_pd(low, low), next_of)                                                        \
        if (halfway && unasked <= 2 && !_mm_comilt_sd(place, end)) break;                                    \
        JUMP_STEP(high, next_of)                                                                             \
        JUMP_STEP(_mm_unpackhi_pd(high, high), next_of)                                                      \
        unasked -= 4;                                                                                        \
    } while (unasked > 0 || _mm_comilt_sd(place, end));                                                      \
    return (ptrdiff_t)_mm_cvtsd_si64(last) - 1;

LANES_IN_AVX512 static inline __m256d jump_factors_avx512(__m256i t) {
    __m256i x = _mm256_add_epi64(_mm256_srli_epi64(t, 33), _mm256_set1_epi64x(1));
    return _mm256_div_pd(_mm256_set1_pd(2147483648.0), _mm256_cvtepi64_pd(x));
}

/* The truncated product and 1, whole or not: the next double above, which takes a cycle where a sum takes three or four,
   rounded up. */
LANES_IN_AVX2 static inline __m128d jump_next_avx2(__m128d place) {
    __m128d above = _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(place), _mm_set1_epi64x(1)));
    return _mm_ceil_sd(above, above);
}

/* The same by a sum rounded towards 0. */
LANES_IN_AVX512 static inline __m128d jump_next_avx512(__m128d place) {
    place = _mm_add_round_sd(place, _mm_set_sd(JUMP_BINADE), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    return _mm_sub_sd(place, _mm_set_sd(JUMP_BINADE - 1.0));
}

LANES_IN_AVX2 static ptrdiff_t jump_first_avx2(uint64_t ticket, ptrdiff_t buckets) {
    JUMP_FIRST(jump_times_avx2, jump_factors_avx2, jump_next_avx2, 0, 4 + 4 * (buckets > 25) + 4 * (buckets > 400))
}

/* Its jumps take longer, so that two more or less of them weigh more than one more branch. */
LANES_IN_AVX512 static ptrdiff_t jump_first_avx512(uint64_t ticket, ptrdiff_t buckets) {
    JUMP_FIRST(_mm256_mullo_epi64, jump_factors_avx512, jump_next_avx512, 1,
               4 + 2 * ((buckets > 20) + (buckets > 60) + (buckets > 400) + (buckets > 4000) + (buckets > 40000)))
}

/* Block by block; the last block is filled up with its own last ticket. */
static inline void jump_blocks(void (*block)(const uint64_t *, int32_t *, double), ptrdiff_t width,
                               const uint64_t *tickets, int32_t *out, ptrdiff_t n, ptrdiff_t buckets) {
    ptrdiff_t i = 0, j;
    for (; i + width <= n; i += width) block(tickets + i, out + i, (double)buckets);
    if (n - i > 2) {
        uint64_t given[8 * JUMP_VECTORS];
        int32_t found[8 * JUMP_VECTORS];
        for (j = 0; j < width; j++) given[j] = tickets[i + j < n ? i + j : n - 1];
        block(given, found, (double)buckets);
        for (j = 0; i + j < n; j++) out[i + j] = found[j];
    } else {
        jump_many_portable(tickets + i, out + i, n - i, buckets);
    }
}

static void jump_many_avx2(const uint64_t *tickets, int32_t *out, ptrdiff_t n, ptrdiff_t buckets) {
    jump_blocks(jump_block_avx2, 4 * JUMP_VECTORS, tickets, out, n, buckets);
}

static void jump_many_avx512(const uint64_t *tickets, int32_t *out, ptrdiff_t n, ptrdiff_t buckets) {
    jump_blocks(jump_block_avx512, 8 * JUMP_VECTORS, tickets, out, n, buckets);
}
#endif

static inline void jump_many(int level, const uint64_t *tickets, int32_t *out, ptrdiff_t n, ptrdiff_t buckets) {
    LANES_CALL(level, jump_many, tickets, out, n, buckets);
}

static inline ptrdiff_t jump_first(int level, uint64_t ticket, ptrdiff_t buckets) {
    return LANES_CALL(level, jump_first, ticket, buckets);
}

#endif
