/* Exponential numbers in lanes: -ln((k + 1/2) * 2**-52), k the upper 52 bits of each word of a SplitMix64 stream.
 *
 * The logarithm is that of `neg_log.h`, so the bits are the same at every level. What has no lanes below AVX-512,
 * integers to doubles, is done by sums with powers of two, which are exact. The compiler does the rest: one loop without
 * a branch, compiled for each level. */
#ifndef LBALGO_STREAM_LANES_H
#define LBALGO_STREAM_LANES_H

#include "lanes.h"
#include "mix_lanes.h"
#include "neg_log.h"

/* An integer below 2**53 as a double: its halves beside 2**52 and 2**84, which are then taken off again. */
NEG_LOG_INLINE double stream_real(uint64_t whole) {
    double low = neg_log_double((whole & 0xFFFFFFFFU) | 0x4330000000000000ULL);
    double high = neg_log_double((whole >> 32) | 0x4530000000000000ULL);
    return (high - (0x1p84 + 0x1p52)) + low;
}

NEG_LOG_INLINE double stream_exponential(uint64_t word) { return neg_log_of(stream_real(2 * (word >> 12) + 1)); }

NEG_LOG_INLINE void stream_body(uint64_t state, double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        out[i] = stream_exponential(mix_word(state + (uint64_t)(i + 1) * MIX_GAMMA));
    }
}

static void stream_fill_portable(uint64_t state, double *out, ptrdiff_t n) { stream_body(state, out, n); }

#if LANES_X86
LANES_IN_AVX2 static void stream_fill_avx2(uint64_t state, double *out, ptrdiff_t n) { stream_body(state, out, n); }

LANES_IN_AVX512 static void stream_fill_avx512(uint64_t state, double *out, ptrdiff_t n) { stream_body(state, out, n); }
#endif

/* The next n exponential numbers of a stream; it is then n * GAMMA further. */
static inline void stream_fill(int level, uint64_t state, double *out, ptrdiff_t n) {
    LANES_CALL(level, stream_fill, state, out, n);
}

#endif
