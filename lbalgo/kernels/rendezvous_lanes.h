/* Who wins a rendezvous race of equal weights: one ticket over many salts, and many tickets at once.
 *
 * A draw is k, the upper 52 bits of the last product of mix64(ticket ^ salt): mix64 without its last shift, which is for
 * the lower bits. mix64 begins with x ^ (x >> 30), and that of ticket ^ salt is that of the one ^ that of the other: so it
 * is done once for each, and all salts here, and tickets within, are folded already.
 *
 * The largest k wins, and of equal ones the first. The 12 bits below k hold 4095 less the place in a stretch of 4096
 * salts: a maximum of such words is draw, place and tie at once, by one instruction. The maxima of stretches are compared
 * by k alone. AVX2 has a maximum of doubles only: there the place has 9 bits, and what is above k makes of the word a
 * number that is positive and finite.
 *
 * Lanes are salts where there is one ticket, and tickets where there are many. Many tickets over many salts: a group of
 * salts has one place, and their products compete whole, which leaves out the making of a word for each. Who of the
 * group it was is found once for each ticket, by drawing again: the first with the draw, as everywhere.
 */
#ifndef LBALGO_RENDEZVOUS_LANES_H
#define LBALGO_RENDEZVOUS_LANES_H

#include "lanes.h"
#include "mix_lanes.h"

#define RACE_STRETCH 4096
#define RACE_VECTORS 2 /* of tickets, that go over the salts together */
#define RACE_GROUP 8 /* salts that share a place */
#define RACE_MANY 128 /* salts from which on they do */

static inline uint64_t race_fold(uint64_t x) { return x ^ (x >> 30); }

/* Of a folded word the product whose upper bits are drawn. */
static inline uint64_t race_mix(uint64_t z) {
    z *= MIX_FIRST;
    return (z ^ (z >> 27)) * MIX_SECOND;
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
    const uint64_t t = race_fold(ticket);
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
        ptrdiff_t n = size - start < RACE_STRETCH ? size - start : RACE_STRETCH;
        uint64_t best = 0;
        for (ptrdiff_t j = 0; j < n; j++) {
            uint64_t word = race_word(t ^ salts[start + j], j);
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
    z = _mm512_mullo_epi64(z, _mm512_set1_epi64((long long)MIX_FIRST));
    return _mm512_mullo_epi64(_mm512_xor_si512(z, _mm512_srli_epi64(z, 27)), _mm512_set1_epi64((long long)MIX_SECOND));
}

/* Of a product the draw, and below it the place. */
LANES_IN_AVX512 static inline __m512i race_placed_avx512(__m512i product, __m512i place) {
    return _mm512_ternarylogic_epi64(product, _mm512_set1_epi64(~4095LL), place, 0xEA); /* (a & b) | c */
}

LANES_IN_AVX512 static inline __m512i race_word_avx512(__m512i z, __m512i place) {
    return race_placed_avx512(race_mix_avx512(z), place);
}

LANES_IN_AVX512 static race_leader race_even_avx512(const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    const __m512i t = _mm512_set1_epi64((long long)race_fold(ticket)), eight = _mm512_set1_epi64(8);
    const __m512i places = _mm512_sub_epi64(_mm512_set1_epi64(4095), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_STRETCH) {
        ptrdiff_t n = size - start < RACE_STRETCH ? size - start : RACE_STRETCH, j = 0;
        __m512i best = _mm512_setzero_si512(), place = places;
        if (n >= 32) { /* vectors that go together have one place, and get their own when they come together */
            __m512i most[4] = {best, best, best, best};
            for (; j + 32 <= n; j += 32) {
                for (int v = 0; v < 4; v++) {
                    __m512i salt = _mm512_loadu_si512(salts + start + j + 8 * v);
                    most[v] = _mm512_max_epu64(most[v], race_word_avx512(_mm512_xor_si512(t, salt), place));
                }
                place = _mm512_sub_epi64(place, _mm512_set1_epi64(32));
            }
            for (int v = 0; v < 4; v++)
                best = _mm512_max_epu64(best, _mm512_sub_epi64(most[v], _mm512_set1_epi64(8 * v)));
        }
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

/* The greater, for each ticket, of what was drawn and the draw of one salt more. */
LANES_IN_AVX512 static inline void race_join_avx512(__m512i *words, const __m512i *t, uint64_t salt) {
    for (int v = 0; v < RACE_VECTORS; v++) {
        const __m512i z = _mm512_xor_si512(t[v], _mm512_set1_epi64((long long)salt));
        words[v] = _mm512_max_epu64(words[v], race_mix_avx512(z));
    }
}

/* Of a group of salts the place of the first with this draw, which one of them has. */
LANES_IN_AVX512 static inline ptrdiff_t race_find_avx512(const uint64_t *salts, ptrdiff_t size, ptrdiff_t group, uint64_t t,
                                                         uint64_t draw) {
    const ptrdiff_t from = group * RACE_GROUP, n = size - from < RACE_GROUP ? size - from : RACE_GROUP;
    const __m512i salt = _mm512_maskz_loadu_epi64((__mmask8)((1u << n) - 1), salts + from); /* what is none comes last */
    const __m512i drawn = _mm512_srli_epi64(race_mix_avx512(_mm512_xor_si512(_mm512_set1_epi64((long long)t), salt)), 12);
    return from + __builtin_ctz(_mm512_cmpeq_epu64_mask(drawn, _mm512_set1_epi64((long long)draw)));
}

/* By groups of 1 or of RACE_GROUP salts; how many tickets are done. */
LANES_IN_AVX512 LANES_BODY ptrdiff_t race_groups_avx512(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                                        const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                        const ptrdiff_t group) {
    const __m512i one = _mm512_set1_epi64(1), low = _mm512_set1_epi64(4095);
    ptrdiff_t i = 0;
    for (; i + 8 * RACE_VECTORS <= n; i += 8 * RACE_VECTORS) {
        __m512i t[RACE_VECTORS], best[RACE_VECTORS], most[RACE_VECTORS], winner[RACE_VECTORS];
        for (int v = 0; v < RACE_VECTORS; v++) {
            __m512i ticket = _mm512_loadu_si512(tickets + i + 8 * v);
            t[v] = _mm512_xor_si512(ticket, _mm512_srli_epi64(ticket, 30));
        }
        for (ptrdiff_t start = 0; start < size; start += group * RACE_STRETCH) {
            ptrdiff_t end = size - start < group * RACE_STRETCH ? size : start + group * RACE_STRETCH;
            __m512i place = low;
            for (int v = 0; v < RACE_VECTORS; v++) best[v] = _mm512_setzero_si512();
            for (ptrdiff_t j = start; j < end; j += group) {
                __m512i words[RACE_VECTORS];
                for (int v = 0; v < RACE_VECTORS; v++)
                    words[v] = race_mix_avx512(_mm512_xor_si512(t[v], _mm512_set1_epi64((long long)salts[j])));
                if (j + group <= end)
                    for (ptrdiff_t k = 1; k < group; k++) race_join_avx512(words, t, salts[j + k]);
                else
                    for (ptrdiff_t k = j + 1; k < end; k++) race_join_avx512(words, t, salts[k]);
                for (int v = 0; v < RACE_VECTORS; v++)
                    best[v] = _mm512_max_epu64(best[v], race_placed_avx512(words[v], place));
                place = _mm512_sub_epi64(place, one);
            }
            for (int v = 0; v < RACE_VECTORS; v++) {
                __m512i k = _mm512_srli_epi64(best[v], 12);
                __m512i j = _mm512_sub_epi64(_mm512_set1_epi64(start / group + 4095), _mm512_and_si512(best[v], low));
                __mmask8 better = start == 0 ? 0xFF : _mm512_cmpgt_epu64_mask(k, most[v]);
                most[v] = start == 0 ? k : _mm512_mask_mov_epi64(most[v], better, k);
                winner[v] = start == 0 ? j : _mm512_mask_mov_epi64(winner[v], better, j);
            }
        }
        for (int v = 0; v < RACE_VECTORS; v++) {
            uint64_t at[8], drawn[8], folded[8];
            _mm512_storeu_si512(at, winner[v]);
            _mm512_storeu_si512(drawn, most[v]);
            _mm512_storeu_si512(folded, t[v]);
            for (int l = 0; l < 8; l++) {
                ptrdiff_t place = (ptrdiff_t)at[l];
                if (group > 1) place = race_find_avx512(salts, size, place, folded[l], drawn[l]);
                out[i + 8 * v + l] = owners[place];
            }
        }
    }
    return i;
}

LANES_IN_AVX512 static void race_even_many_avx512(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                                  const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    ptrdiff_t i = size < RACE_MANY ? race_groups_avx512(salts, size, owners, tickets, out, n, 1)
                                   : race_groups_avx512(salts, size, owners, tickets, out, n, RACE_GROUP);
    for (; i < n; i++) out[i] = owners[race_even_avx512(salts, size, tickets[i]).place];
}

/* ---- AVX2, which has neither 64-bit products nor a maximum of 64-bit integers */

#define RACE_SHORT 512                    /* a stretch */
#define RACE_POSITIVE 0x2000000000000000LL /* of doubles with this bit, and none above, all are normal numbers */

/* The draw, and below it the place in a short stretch, 511 less j. */
static inline uint64_t race_short(uint64_t z, ptrdiff_t j) {
    return ((race_mix(z) >> 3) & ~511ULL) | RACE_POSITIVE | (uint64_t)(RACE_SHORT - 1 - j);
}

static inline uint64_t race_short_draw(uint64_t word) { return (word ^ RACE_POSITIVE) >> 9; }

LANES_IN_AVX2 static inline __m256i race_times_avx2(__m256i x, uint64_t c) {
    const __m256i low = _mm256_set1_epi64x((long long)c), high = _mm256_set1_epi64x((long long)(c >> 32));
    __m256i upper = _mm256_shuffle_epi32(x, 0xF5);
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(upper, low), _mm256_mul_epu32(x, high));
    return _mm256_add_epi64(_mm256_mul_epu32(x, low), _mm256_slli_epi64(cross, 32));
}

LANES_IN_AVX2 static inline __m256i race_fold_avx2(__m256i x) { return _mm256_xor_si256(x, _mm256_srli_epi64(x, 30)); }

LANES_IN_AVX2 static inline __m256i race_mix_avx2(__m256i z) {
    z = race_times_avx2(z, MIX_FIRST);
    return race_times_avx2(_mm256_xor_si256(z, _mm256_srli_epi64(z, 27)), MIX_SECOND);
}

/* The draw as the bits of a positive double, and below it what is of no meaning. */
LANES_IN_AVX2 static inline __m256i race_positive_avx2(__m256i z) {
    return _mm256_or_si256(_mm256_srli_epi64(race_mix_avx2(z), 3), _mm256_set1_epi64x(RACE_POSITIVE));
}

LANES_IN_AVX2 static inline __m256i race_max_avx2(__m256i one, __m256i two) {
    return _mm256_castpd_si256(_mm256_max_pd(_mm256_castsi256_pd(one), _mm256_castsi256_pd(two)));
}

/* The greater of best and the draw with the place below it, which brings in the bit above. */
LANES_IN_AVX2 static inline __m256i race_most_avx2(__m256i best, __m256i z, __m256i place) {
    __m256i draw = _mm256_and_si256(_mm256_srli_epi64(race_mix_avx2(z), 3), _mm256_set1_epi64x(~511LL));
    return race_max_avx2(best, _mm256_or_si256(draw, place));
}

LANES_IN_AVX2 static race_leader race_even_avx2(const uint64_t *salts, ptrdiff_t size, uint64_t ticket) {
    const uint64_t folded = race_fold(ticket);
    const __m256i t = _mm256_set1_epi64x((long long)folded), four = _mm256_set1_epi64x(4);
    const __m256i least = _mm256_set1_epi64x(RACE_POSITIVE);
    const __m256i places = _mm256_sub_epi64(_mm256_set1_epi64x(RACE_POSITIVE + 511), _mm256_setr_epi64x(0, 1, 2, 3));
    race_leader leader = {0, 0};
    for (ptrdiff_t start = 0; start < size; start += RACE_SHORT) {
        ptrdiff_t n = size - start < RACE_SHORT ? size - start : RACE_SHORT, j = 0;
        __m256i best = least, place = places;
        uint64_t words[4], word = 0;
        for (; j + 4 <= n; j += 4) {
            __m256i salt = _mm256_lddqu_si256((const __m256i *)(salts + start + j));
            best = race_most_avx2(best, _mm256_xor_si256(t, salt), place);
            place = _mm256_sub_epi64(place, four);
        }
        _mm256_storeu_si256((__m256i *)words, best);
        for (int l = 0; l < 4; l++) word = words[l] > word ? words[l] : word;
        for (; j < n; j++) {
            uint64_t other = race_short(folded ^ salts[start + j], j);
            word = other > word ? other : word;
        }
        if (start == 0 || race_short_draw(word) > leader.draw) {
            leader.draw = race_short_draw(word);
            leader.place = start + 511 - (ptrdiff_t)(word & 511);
        }
    }
    return leader;
}

/* The greater, for each ticket, of what was drawn and the draw of one salt more. */
LANES_IN_AVX2 static inline void race_join_avx2(__m256i *words, const __m256i *t, uint64_t salt) {
    for (int v = 0; v < RACE_VECTORS; v++) {
        const __m256i z = _mm256_xor_si256(t[v], _mm256_set1_epi64x((long long)salt));
        words[v] = race_max_avx2(words[v], race_positive_avx2(z));
    }
}

/* Of a group of salts the place of the first with this draw, which one of them has. */
LANES_IN_AVX2 static inline ptrdiff_t race_find_avx2(const uint64_t *salts, ptrdiff_t size, ptrdiff_t group, uint64_t t,
                                                     uint64_t draw) {
    const ptrdiff_t from = group * RACE_GROUP;
    const __m256i sought = _mm256_set1_epi64x((long long)draw), left = _mm256_set1_epi64x(size - from);
    unsigned found = 0;
    for (int k = 0; k < RACE_GROUP; k += 4) {
        const __m256i there = _mm256_cmpgt_epi64(left, _mm256_setr_epi64x(k, k + 1, k + 2, k + 3));
        const __m256i salt = _mm256_maskload_epi64((const long long *)salts + from + k, there);
        const __m256i drawn = _mm256_srli_epi64(race_mix_avx2(_mm256_xor_si256(_mm256_set1_epi64x((long long)t), salt)), 12);
        found |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(drawn, sought))) << k;
    }
    return from + __builtin_ctz(found);
}

/* By groups of 1 or of RACE_GROUP salts; how many tickets are done. */
LANES_IN_AVX2 LANES_BODY ptrdiff_t race_groups_avx2(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                                    const uint64_t *tickets, int32_t *out, ptrdiff_t n,
                                                    const ptrdiff_t group) {
    const __m256i one = _mm256_set1_epi64x(1), low = _mm256_set1_epi64x(RACE_SHORT - 1);
    const __m256i least = _mm256_set1_epi64x(RACE_POSITIVE);
    ptrdiff_t i = 0;
    for (; i + 4 * RACE_VECTORS <= n; i += 4 * RACE_VECTORS) {
        __m256i t[RACE_VECTORS], best[RACE_VECTORS], most[RACE_VECTORS], winner[RACE_VECTORS];
        for (int v = 0; v < RACE_VECTORS; v++)
            t[v] = race_fold_avx2(_mm256_lddqu_si256((const __m256i *)(tickets + i + 4 * v)));
        for (ptrdiff_t start = 0; start < size; start += group * RACE_SHORT) {
            const ptrdiff_t end = size - start < group * RACE_SHORT ? size : start + group * RACE_SHORT;
            __m256i place = low;
            for (int v = 0; v < RACE_VECTORS; v++) best[v] = least;
            for (ptrdiff_t j = start; j < end; j += group) {
                __m256i words[RACE_VECTORS];
                for (int v = 0; v < RACE_VECTORS; v++)
                    words[v] = race_positive_avx2(_mm256_xor_si256(t[v], _mm256_set1_epi64x((long long)salts[j])));
                if (j + group <= end)
                    for (ptrdiff_t k = 1; k < group; k++) race_join_avx2(words, t, salts[j + k]);
                else
                    for (ptrdiff_t k = j + 1; k < end; k++) race_join_avx2(words, t, salts[k]);
                for (int v = 0; v < RACE_VECTORS; v++)
                    best[v] = race_max_avx2(best[v], _mm256_or_si256(_mm256_andnot_si256(low, words[v]), place));
                place = _mm256_sub_epi64(place, one);
            }
            for (int v = 0; v < RACE_VECTORS; v++) {
                __m256i k = _mm256_srli_epi64(_mm256_xor_si256(best[v], least), 9);
                __m256i j = _mm256_sub_epi64(_mm256_set1_epi64x(start / group + 511), _mm256_and_si256(best[v], low));
                __m256i better = start == 0 ? _mm256_set1_epi64x(-1) : _mm256_cmpgt_epi64(k, most[v]);
                most[v] = start == 0 ? k : _mm256_blendv_epi8(most[v], k, better);
                winner[v] = start == 0 ? j : _mm256_blendv_epi8(winner[v], j, better);
            }
        }
        for (int v = 0; v < RACE_VECTORS; v++) {
            uint64_t at[4], drawn[4], folded[4];
            _mm256_storeu_si256((__m256i *)at, winner[v]);
            _mm256_storeu_si256((__m256i *)drawn, most[v]);
            _mm256_storeu_si256((__m256i *)folded, t[v]);
            for (int l = 0; l < 4; l++) {
                ptrdiff_t place = (ptrdiff_t)at[l];
                if (group > 1) place = race_find_avx2(salts, size, place, folded[l], drawn[l]);
                out[i + 4 * v + l] = owners[place];
            }
        }
    }
    return i;
}

LANES_IN_AVX2 static void race_even_many_avx2(const uint64_t *salts, ptrdiff_t size, const int32_t *owners,
                                              const uint64_t *tickets, int32_t *out, ptrdiff_t n) {
    ptrdiff_t i = size < RACE_MANY ? race_groups_avx2(salts, size, owners, tickets, out, n, 1)
                                   : race_groups_avx2(salts, size, owners, tickets, out, n, RACE_GROUP);
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
