/* Pairs drawn from an urn ahead: whom the next picks will compare.
 *
 * Of a pair the second load waits for the first. AVX-512 has eight pairs on their way at once, and the first loads of the
 * next eight before their second. */
#ifndef LBALGO_URN_LANES_H
#define LBALGO_URN_LANES_H

#include "balls.h"
#include "lanes.h"
#include "mix_lanes.h"

enum { URN_BLOCK = 16 }; /* pairs at once */

/* n pairs, a multiple of URN_BLOCK and not 0, one ball after the other; of the tickets of a SplitMix64 generator in this
 * state, whose state moves by `step` from one to the next. */
LANES_BODY void urn_turns_body(uint64_t state, uint64_t step, uint64_t *pairs, ptrdiff_t n, const uint64_t *of,
                               uint64_t balls) {
    for (ptrdiff_t from = 0; from < n; from += URN_BLOCK, state += URN_BLOCK * step) {
        uint64_t left[URN_BLOCK], at[URN_BLOCK];
        for (int i = 0; i < URN_BLOCK; i++) {
            at[i] = ball_named(mix_word(state + (uint64_t)i * step + MIX_GAMMA), balls, &left[i]);
        }
        for (int i = 0; i < URN_BLOCK; i++) {
            pairs[2 * (from + i)] = of[at[i]];
            pairs[2 * (from + i) + 1] = ball_other(of, balls, of[at[i]], left[i]);
        }
    }
}

#if LANES_X86
/* The balls that eight tickets name; and what is left of each ticket, the lower halves of two words. */
LANES_IN_AVX512 static inline __m512i urn_ones(__m512i z, const uint64_t *of, __m512i balls, __m512i *high,
                                               __m512i *low) {
    *low = _mm512_mul_epu32(z, balls);
    *high = _mm512_add_epi64(_mm512_mul_epu32(_mm512_srli_epi64(z, 32), balls), _mm512_srli_epi64(*low, 32));
    return _mm512_i64gather_epi64(_mm512_srli_epi64(*high, 32), of, 8);
}

/* The balls that they name next. */
LANES_IN_AVX512 static inline __m512i urn_others(__m512i one, const uint64_t *of, __m512i balls, __m512i high,
                                                 __m512i low) {
    const __m512i own = _mm512_srli_epi64(one, BALL_OWN), rest = _mm512_sub_epi64(balls, own);
    const __m512i starts = _mm512_set1_epi64((1 << (BALL_OWN - BALL_START)) - 1);
    const __m512i start = _mm512_and_si512(_mm512_srli_epi64(one, BALL_START), starts);
    __m512i at = _mm512_srli_epi64(_mm512_mul_epu32(low, rest), 32);
    at = _mm512_srli_epi64(_mm512_add_epi64(_mm512_mul_epu32(high, rest), at), 32);
    at = _mm512_mask_add_epi64(at, _mm512_cmpge_epu64_mask(at, start), at, own);
    return _mm512_i64gather_epi64(at, of, 8);
}

LANES_IN_AVX512 static void urn_turns_avx512(uint64_t state, uint64_t step, uint64_t *pairs, ptrdiff_t n,
                                             const uint64_t *of, uint64_t balls) {
    const __m512i all = _mm512_set1_epi64((long long)balls), eight = _mm512_set1_epi64((long long)(8 * step));
    const __m512i front = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), back = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    const __m512i numbers = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    __m512i next = _mm512_mullo_epi64(numbers, _mm512_set1_epi64((long long)step));
    next = _mm512_add_epi64(next, _mm512_set1_epi64((long long)(state + MIX_GAMMA)));
    uint64_t *tickets = pairs + n; /* each is read before its place is wanted for pairs */
    for (ptrdiff_t i = 0; i < n; i += 8, next = _mm512_add_epi64(next, eight)) {
        _mm512_storeu_si512(tickets + i, mix_eight(next));
    }
    __m512i high, low, one = urn_ones(_mm512_loadu_si512(tickets), of, all, &high, &low);
    for (ptrdiff_t from = 0; from < n; from += 8) {
        __m512i later_high, later_low;
        const __m512i later = _mm512_loadu_si512(tickets + (from + 8 < n ? from + 8 : from));
        const __m512i later_one = urn_ones(later, of, all, &later_high, &later_low);
        const __m512i two = urn_others(one, of, all, high, low);
        _mm512_storeu_si512(pairs + 2 * from, _mm512_permutex2var_epi64(one, front, two));
        _mm512_storeu_si512(pairs + 2 * from + 8, _mm512_permutex2var_epi64(one, back, two));
        one = later_one, high = later_high, low = later_low;
    }
}
#endif

#define URN_TURNS (uint64_t state, uint64_t step, uint64_t *pairs, ptrdiff_t n, const uint64_t *of, uint64_t balls) { \
        urn_turns_body(state, step, pairs, n, of, balls);                                                          \
    }
static void urn_turns_portable URN_TURNS
#if LANES_X86
LANES_IN_AVX2 static void urn_turns_avx2 URN_TURNS
#endif

static inline void urn_turns(int level, uint64_t state, uint64_t step, uint64_t *pairs, ptrdiff_t n, const uint64_t *of,
                             uint64_t balls) {
    LANES_CALL(level, urn_turns, state, step, pairs, n, of, balls);
}

#endif
