/* Who wins a rendezvous race of equal weights: one ticket over many salts, and many tickets at once.
 *
 * A draw is k, the upper 52 bits of mix64(ticket ^ salt). The largest k wins, and of equal ones the first. The 12 bits
 * below k hold 4095 less the place in a stretch of 4096 salts: a maximum of such words is draw, place and tie at once,
 * by one instruction. The maxima of stretches are compared by k alone.
 *
 * Lanes are salts where there is one ticket, and tickets where there are many.
 */
#ifndef LBALGO_RENDEZVOUS_LANES_H
#define LBALGO_RENDEZVOUS_LANES_H

#include "lanes.h"

#define RACE_STRETCH 4096
#define RACE_VECTORS 2 /* of tickets, that go over the salts together */
#define RACE_MIX1 0xBF58476D1CE4E5B9ULL
#define RACE_MIX2 0x94D049BB133111EBULL

static inline uint64_t race_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * RACE_MIX1;
    z = (z ^ (z >> 27)) * RACE_MIX2;
    return z ^ (z >> 31);
}

static inline uint64_t race_draw(uint64_t z) { return race_mix(z) >> 12; }

/* The draw, and below it the place, 4095 less j. */
static inline uint64_t race_word(uint64_t z, ptrdiff_t j) { return (race_mix(z) | 4095) - (uint64_t)j; }

/* Who leads: the place, and what was drawn there. */
typedef struct {
    ptrdiff_t place;
    uint64_t draw;
} race_leader;

static inline race_leader race_even_portable(const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
        ptrdiff_t n = size - start < RACE_STRETCH ? size - start : RACE_STRETCH;
        uint64_t best = 0;
        for (ptrdiff_t j = 0; j < n; j++) {
            uint64_t word = race_word(ticket ^ salts[start + j], j);
            best = word > best ? word : best;
        }
        if (start == 0 || best >> 12 > leader.draw) {
            leader.draw = best >> 12;
            leader.place = start + 4095 - (ptrdiff_t)(best & 4095);
        }
    }
    return leader;
}

static inline void race_even_many_portable(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                           const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) out[i] = owners[race_even_portable(salts, size, tickets[i]).place];
}

#if LANES_X86
/* ---- AVX-512 */

LANES_IN_AVX512 static inline __m512i race_mix_avx512(__m512i z) {
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 30)), _mm512_set1_epi64((long long)RACE_MIX1));
    z = _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), _mm512_set1_epi64((long long)RACE_MIX2));
    return _mm512_xor_si512(z, _mm512_srli_epi64(z, 31));
}

/* The draw, and below it the place. */
LANES_IN_AVX512 static inline __m512i race_word_avx512(__m512i z, __m512i place) {
    return _mm512_ternarylogic_epi64(race_mix_avx512(z), _mm512_set1_epi64(~4095LL), place, 0xEA); /* (a & b) | c */
}

LANES_IN_AVX512 static race_leader race_even_avx512(const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    const __m512i t = _mm512_set1_epi64((long long)ticket), eight = _mm512_set1_epi64(8);
    const __m512i places = _mm512_sub_epi64(_mm512_set1_epi64(4095), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
        ptrdiff_t n = size - start < RACE_STRETCH ? size - start : RACE_STRETCH, j = 0;
        __m512i best = _mm512_setzero_si512(), place = places;
        for (; j + 8 <= n; j += 8) {
            __m512i salt = _mm512_loadu_si512(salts + start + j);
            best = _mm512_max_epu64(best, race_word_avx512(_mm512_xor_si512(t, salt), place));
            place = _mm512_sub_epi64(place, eight);
        }
        if (j < n) {
            __mmask8 rest = (__mmask8)((1u << (n - j)) - 1);
            __m512i salt = _mm512_maskz_loadu_epi64(rest, salts + start + j);
            best = _mm512_mask_max_epu64(best, rest, best, race_word_avx512(_mm512_xor_si512(t, salt), place));
        }
        uint64_t word = _mm512_reduce_max_epu64(best);
        if (start == 0 || word >> 12 > leader.draw) {
            leader.draw = word >> 12;
            leader.place = start + 4095 - (ptrdiff_t)(word & 4095);
        }
    }
    return leader;
}

LANES_IN_AVX512 static void race_even_many_avx512(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                                  const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    const __m512i one = _mm512_set1_epi64(1), low = _mm512_set1_epi64(4095);
    ptrdiff_t i = 0;
    for (; i + 8 * RACE_VECTORS <= n; i += 8 * RACE_VECTORS) {
        __m512i t[RACE_VECTORS], best[RACE_VECTORS], most[RACE_VECTORS], winner[RACE_VECTORS];
        for (int v = 0; v < RACE_VECTORS; v++) t[v] = _mm512_loadu_si512(tickets + i + 8 * v);
        for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
            ptrdiff_t end = size - start < RACE_STRETCH ? size : start + RACE_STRETCH;
            __m512i place = low;
            for (int v = 0; v < RACE_VECTORS; v++) best[v] = _mm512_setzero_si512();
            for (ptrdiff_t j = start; j < end; j++) {
                __m512i salt = _mm512_set1_epi64((long long)salts[j]);
                for (int v = 0; v < RACE_VECTORS; v++)
                    best[v] = _mm512_max_epu64(best[v], race_word_avx512(_mm512_xor_si512(t[v], salt), place));
                place = _mm512_sub_epi64(place, one);
            }
            for (int v = 0; v < RACE_VECTORS; v++) {
                __m512i k = _mm512_srli_epi64(best[v], 12);
                __m512i j = _mm512_sub_epi64(_mm512_set1_epi64(start + 4095), _mm512_and_si512(best[v], low));
                __mmask8 better = start == 0 ? 0xFF : _mm512_cmpgt_epu64_mask(k, most[v]);
                most[v] = start == 0 ? k : _mm512_mask_mov_epi64(most[v], better, k);
                winner[v] = start == 0 ? j : _mm512_mask_mov_epi64(winner[v], better, j);
            }
        }
        for (int v = 0; v < RACE_VECTORS; v++) {
            int64_t at[8];
            _mm512_storeu_si512(at, winner[v]);
            for (int l = 0; l < 8; l++) out[i + 8 * v + l] = owners[at[l]];
        }
    }
    for (; i < n; i++) out[i] = owners[race_even_avx512(salts, size, tickets[i]).place];
}

/* ---- AVX2, which has neither 64-bit products nor unsigned comparisons */

/* x * c, with c and c's halves exchanged. */
LANES_IN_AVX2 static inline __m256i race_times_avx2(__m256i x, uint64_t c) {
    const __m256i plain = _mm256_set1_epi64x((long long)c);
    const __m256i crossed = _mm256_set1_epi64x((long long)(c << 32 | c >> 32));
    __m256i cross = _mm256_mullo_epi32(x, crossed); /* low * high below, high * low above */
    __m256i upper = _mm256_add_epi32(cross, _mm256_slli_epi64(cross, 32));
    return _mm256_add_epi64(_mm256_mul_epu32(x, plain), _mm256_blend_epi32(_mm256_setzero_si256(), upper, 0xAA));
}

LANES_IN_AVX2 static inline __m256i race_mix_avx2(__m256i z) {
    z = race_times_avx2(_mm256_xor_si256(z, _mm256_srli_epi64(z, 30)), RACE_MIX1);
    z = race_times_avx2(_mm256_xor_si256(z, _mm256_srli_epi64(z, 27)), RACE_MIX2);
    return _mm256_xor_si256(z, _mm256_srli_epi64(z, 31));
}

/* The greater of best and the draw with the place below it. Place brings in the sign bit, for a signed comparison. */
LANES_IN_AVX2 static inline __m256i race_most_avx2(__m256i best, __m256i z, __m256i place) {
    __m256i word = _mm256_xor_si256(_mm256_and_si256(race_mix_avx2(z), _mm256_set1_epi64x(~4095LL)), place);
    return _mm256_blendv_epi8(best, word, _mm256_cmpgt_epi64(word, best));
}

LANES_IN_AVX2 static race_leader race_even_avx2(const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    const __m256i t = _mm256_set1_epi64x((long long)ticket), four = _mm256_set1_epi64x(4);
    const __m256i places = _mm256_sub_epi64(_mm256_set1_epi64x(INT64_MIN + 4095), _mm256_setr_epi64x(0, 1, 2, 3));
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
        ptrdiff_t n = size - start < RACE_STRETCH ? size - start : RACE_STRETCH, j = 0;
        __m256i best = _mm256_set1_epi64x(INT64_MIN), place = places;
        uint64_t words[4], word = 0;
        for (; j + 4 <= n; j += 4) {
            __m256i salt = _mm256_lddqu_si256((const __m256i *)(salts + start + j));
            best = race_most_avx2(best, _mm256_xor_si256(t, salt), place);
            place = _mm256_sub_epi64(place, four);
        }
        _mm256_storeu_si256((__m256i *)words, _mm256_xor_si256(best, _mm256_set1_epi64x(INT64_MIN)));
        for (int l = 0; l < 4; l++) word = words[l] > word ? words[l] : word;
        for (; j < n; j++) {
            uint64_t other = race_word(ticket ^ salts[start + j], j);
            word = other > word ? other : word;
        }
        if (start == 0 || word >> 12 > leader.draw) {
            leader.draw = word >> 12;
            leader.place = start + 4095 - (ptrdiff_t)(word & 4095);
        }
    }
    return leader;
}

LANES_IN_AVX2 static void race_even_many_avx2(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                              const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    const __m256i one = _mm256_set1_epi64x(1), low = _mm256_set1_epi64x(4095);
    const __m256i least = _mm256_set1_epi64x(INT64_MIN);
    ptrdiff_t i = 0;
    for (; i + 4 * RACE_VECTORS <= n; i += 4 * RACE_VECTORS) {
        __m256i t[RACE_VECTORS], best[RACE_VECTORS], most[RACE_VECTORS], winner[RACE_VECTORS];
        for (int v = 0; v < RACE_VECTORS; v++) t[v] = _mm256_lddqu_si256((const __m256i *)(tickets + i + 4 * v));
        for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
            ptrdiff_t end = size - start < RACE_STRETCH ? size : start + RACE_STRETCH;
            __m256i place = _mm256_xor_si256(least, low);
            for (int v = 0; v < RACE_VECTORS; v++) best[v] = least;
            for (ptrdiff_t j = start; j < end; j++) {
                __m256i salt = _mm256_set1_epi64x((long long)salts[j]);
                for (int v = 0; v < RACE_VECTORS; v++)
                    best[v] = race_most_avx2(best[v], _mm256_xor_si256(t[v], salt), place);
                place = _mm256_sub_epi64(place, one);
            }
            for (int v = 0; v < RACE_VECTORS; v++) {
                __m256i k = _mm256_srli_epi64(_mm256_xor_si256(best[v], least), 12);
                __m256i j = _mm256_sub_epi64(_mm256_set1_epi64x(start + 4095), _mm256_and_si256(best[v], low));
                __m256i better = start == 0 ? _mm256_set1_epi64x(-1) : _mm256_cmpgt_epi64(k, most[v]);
                most[v] = start == 0 ? k : _mm256_blendv_epi8(most[v], k, better);
                winner[v] = start == 0 ? j : _mm256_blendv_epi8(winner[v], j, better);
            }
        }
        for (int v = 0; v < RACE_VECTORS; v++) {
            int64_t at[4];
            _mm256_storeu_si256((__m256i *)at, winner[v]);
            for (int l = 0; l < 4; l++) out[i + 4 * v + l] = owners[at[l]];
        }
    }
    for (; i < n; i++) out[i] = owners[race_even_avx2(salts, size, tickets[i]).place];
}

#endif

static inline race_leader race_even(int level, const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    return LANES_CALL(level, race_even, salts, size, ticket);
}

static inline void race_even_many(int level, const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                  const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    LANES_CALL(level, race_even_many, salts, size, owners, tickets, out, n);
}

#endif
