/* Who wins a rendezvous race of unequal weights.
 *
 * The bounds (1 - u) / w of a stretch of racers are computed first, in lanes over salts, and the least of them is
 * scored; then only those whose bound is within the best score (rendezvous.pyx says why that is enough). A bound is
 * exact but for one multiplication, so that all levels have the same ones; the few logarithms are plain C always.
 */
#ifndef LBALGO_WEIGHTED_LANES_H
#define LBALGO_WEIGHTED_LANES_H

#include <math.h>

#include "neg_log.h"
#include "rendezvous_lanes.h"

#define RACE_BOUNDS 128                   /* in a stretch */
#define RACE_TOP 4503599627370495.5       /* 2**52 - 1/2: this less k is (1 - u) * 2**52 */
#define RACE_SLACK 8.8817841970012523e-16 /* 2**-50 */
#define RACE_WIDE 9.0949470177292824e-13  /* 2**-40 */

/* Draws and bounds of up to RACE_BOUNDS racers, and the least bound; the ticket is folded. */
static inline double race_bounds_portable(const uint64_t *salts, const double *inverses, ptrdiff_t n, uint64_t ticket,
                                          uint64_t *k, double *bound) {
    double low = HUGE_VAL;
    for (ptrdiff_t j = 0; j < n; j++) {
        k[j] = race_draw(ticket ^ salts[j]);
        bound[j] = (RACE_TOP - (double)(int64_t)k[j]) * inverses[j];
        low = bound[j] < low ? bound[j] : low;
    }
    return low;
}

/* The first place at or after j whose bound is not above the limit; n if there is none. */
static inline ptrdiff_t race_next_portable(const double *bound, ptrdiff_t j, ptrdiff_t n, double limit) {
    while (j < n && bound[j] > limit) j++;
    return j;
}

#if LANES_X86
LANES_IN_AVX512 static double race_bounds_avx512(const uint64_t *salts, const double *inverses, ptrdiff_t n,
                                                 uint64_t ticket, uint64_t *k, double *bound) {
    const __m512i t = _mm512_set1_epi64((long long)ticket);
    const __m512d top = _mm512_set1_pd(RACE_TOP);
    __m512d low = _mm512_set1_pd(HUGE_VAL);
    for (ptrdiff_t j = 0; j < n; j += 8) {
        __mmask8 there = n - j < 8 ? (__mmask8)((1u << (n - j)) - 1) : 0xFF;
        __m512i draw = race_mix_avx512(_mm512_xor_si512(t, _mm512_maskz_loadu_epi64(there, salts + j)));
        draw = _mm512_srli_epi64(draw, 12);
        __m512d b = _mm512_sub_pd(top, _mm512_cvtepi64_pd(draw));
        b = _mm512_mul_pd(b, _mm512_maskz_loadu_pd(there, inverses + j));
        _mm512_storeu_si512(k + j, draw); /* whole: a load waits long for a store by mask */
        _mm512_storeu_pd(bound + j, b);
        low = _mm512_mask_min_pd(low, there, low, b);
    }
    return _mm512_reduce_min_pd(low);
}

LANES_IN_AVX512 static ptrdiff_t race_next_avx512(const double *bound, ptrdiff_t j, ptrdiff_t n, double limit) {
    const __m512d most = _mm512_set1_pd(limit);
    for (; j + 8 <= n; j += 8) {
        unsigned within = _mm512_cmp_pd_mask(_mm512_loadu_pd(bound + j), most, _CMP_LE_OQ);
        if (within) return j + __builtin_ctz(within);
    }
    return race_next_portable(bound, j, n, limit);
}

LANES_IN_AVX2 static double race_bounds_avx2(const uint64_t *salts, const double *inverses, ptrdiff_t n,
                                             uint64_t ticket, uint64_t *k, double *bound) {
    const __m256i t = _mm256_set1_epi64x((long long)ticket);
    const __m256d binade = _mm256_set1_pd(4503599627370496.0), top = _mm256_set1_pd(RACE_TOP);
    __m256d low = _mm256_set1_pd(HUGE_VAL);
    ptrdiff_t j = 0;
    for (; j + 4 <= n; j += 4) {
        __m256i draw = race_mix_avx2(_mm256_xor_si256(t, _mm256_lddqu_si256((const __m256i *)(salts + j))));
        draw = _mm256_srli_epi64(draw, 12);
        /* the mantissa of 2**52 + k */
        __m256d b = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(draw, _mm256_castpd_si256(binade))), binade);
        b = _mm256_mul_pd(_mm256_sub_pd(top, b), _mm256_loadu_pd(inverses + j));
        _mm256_storeu_si256((__m256i *)(k + j), draw);
        _mm256_storeu_pd(bound + j, b);
        low = _mm256_min_pd(low, b);
    }
    double lows[4], least = race_bounds_portable(salts + j, inverses + j, n - j, ticket, k + j, bound + j);
    _mm256_storeu_pd(lows, low);
    for (int l = 0; l < 4; l++) least = lows[l] < least ? lows[l] : least;
    return least;
}

LANES_IN_AVX2 static ptrdiff_t race_next_avx2(const double *bound, ptrdiff_t j, ptrdiff_t n, double limit) {
    const __m256d most = _mm256_set1_pd(limit);
    for (; j + 4 <= n; j += 4) {
        unsigned within = (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(bound + j), most, _CMP_LE_OQ));
        if (within) return j + __builtin_ctz(within);
    }
    return race_next_portable(bound, j, n, limit);
}
#endif

/* -ln((k + 1/2) * 2**-52) for k in [0, 2**52). */
static inline double race_neg_log(uint64_t k) { return neg_log_of((double)(int64_t)(2 * k + 1)); }

/* Who wins; `inverses` are 2**-52 / weights. The slack of the limit covers the roundings of score and bound. */
static inline ptrdiff_t race_first(int level, const uint64_t *salts, const double *weights, const double *inverses,
                                   ptrdiff_t size, uint64_t ticket) {
    uint64_t k[RACE_BOUNDS], most = 0;
    double bound[RACE_BOUNDS], score, best = HUGE_VAL, limit = HUGE_VAL;
    ptrdiff_t winner = 0;
    ticket = race_fold(ticket);
    if (size < 16) level = LANES_PORTABLE; /* for so few, no lanes */
    for (ptrdiff_t start = 0; start < size; start += RACE_BOUNDS) {
        ptrdiff_t n = size - start < RACE_BOUNDS ? size - start : RACE_BOUNDS, j, next = 0;
        double low = LANES_CALL(level, race_bounds, salts + start, inverses + start, n, ticket, k, bound);
        if (low > limit) continue;
        j = LANES_CALL(level, race_next, bound, 0, n, low);
        while (j < n) { /* who leads by the bounds, then all within the limit in order */
            score = race_neg_log(k[j]) / weights[start + j];
            if (score < best || (score == best && (k[j] > most || (k[j] == most && start + j < winner)))) {
                best = score;
                most = k[j];
                winner = start + j;
                limit = best * (1.0 + RACE_SLACK);
            }
            j = LANES_CALL(level, race_next, bound, next, n, limit);
            next = j + 1;
        }
    }
    return winner;
}

/* Who wins where most weigh the same: the winner of those, who drew `most`, or one of the rest, whose places are
 * `apart`, from the i-th of them on; the ticket is folded.
 *
 * -ln(u) is at most (1 - u) / u, so that mostly no logarithm is needed to see that nobody else can win. The slack of
 * that limit is wide, for the roundings of both.
 */
static inline ptrdiff_t race_scored(const uint64_t *salts, const double *weights, const double *inverses,
                                    const int32_t *apart, ptrdiff_t i, ptrdiff_t rest, ptrdiff_t winner, uint64_t most,
                                    uint64_t ticket) {
    double u = ((double)(int64_t)most + 0.5) / 4503599627370496.0, best = -1.0;
    double limit = (RACE_TOP - (double)(int64_t)most) * inverses[winner] / u * (1.0 + RACE_WIDE);
    for (; i < rest; i++) {
        ptrdiff_t j = apart[i];
        uint64_t k = race_draw(ticket ^ salts[j]);
        if ((RACE_TOP - (double)(int64_t)k) * inverses[j] > limit) continue;
        if (best < 0.0) best = race_neg_log(most) / weights[winner];
        double score = race_neg_log(k) / weights[j];
        if (score < best || (score == best && (k > most || (k == most && j < winner)))) {
            best = score;
            most = k;
            winner = j;
        }
        limit = best * (1.0 + RACE_SLACK);
    }
    return winner;
}

/* The same, of all the rest, where those alike weigh `usual`.
 *
 * Who weighs no more and draws less cannot win, by exact scores or rounded ones. Mostly this is true of all the rest,
 * and known as soon as the even race is: the limit above comes much later, and would hold up the picks that follow.
 */
static inline ptrdiff_t race_rest(const uint64_t *salts, const double *weights, const double *inverses,
                                  const int32_t *apart, ptrdiff_t rest, double usual, ptrdiff_t winner, uint64_t most,
                                  uint64_t ticket) {
    ptrdiff_t i = 0;
    ticket = race_fold(ticket);
    while (i < rest && weights[apart[i]] <= usual && race_draw(ticket ^ salts[apart[i]]) < most) i++;
    return i == rest ? winner : race_scored(salts, weights, inverses, apart, i, rest, winner, most, ticket);
}

#endif
