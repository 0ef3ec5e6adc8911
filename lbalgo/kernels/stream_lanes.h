/* Exponential numbers in lanes: -ln((k + 1/2) * 2**-52), k the upper 52 bits of each word of a SplitMix64 stream.
 *
 * The operations are those of `race_neg_log` in the same order, so the bits are the same at every level. What has no
 * lanes below AVX-512, integers to doubles, is done by sums with powers of two, which are exact. The compiler does the
 * rest: one loop without a branch, compiled for each level. */
#ifndef LBALGO_STREAM_LANES_H
#define LBALGO_STREAM_LANES_H

#include <string.h>

#include "lanes.h"

#if defined(__GNUC__) || defined(__clang__)
#define STREAM_INLINE static inline __attribute__((always_inline))
#else
#define STREAM_INLINE static inline
#endif

STREAM_INLINE double stream_double(uint64_t bits) {
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

STREAM_INLINE uint64_t stream_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

/* An integer below 2**53 as a double: its halves beside 2**52 and 2**84, which are then taken off again. */
STREAM_INLINE double stream_real(uint64_t whole) {
    double low = stream_double((whole & 0xFFFFFFFFU) | 0x4330000000000000ULL);
    double high = stream_double((whole >> 32) | 0x4530000000000000ULL);
    return (high - (0x1p84 + 0x1p52)) + low;
}

STREAM_INLINE double stream_exponential(uint64_t word) {
    const uint64_t one = 0x3FF0000000000000ULL, half_root = 0x3FE6A09E667F3BCDULL; /* bits of 1.0 and of sqrt(1/2) */
    uint64_t bits = stream_bits(stream_real(2 * (word >> 12) + 1)) + (one - half_root);
    double c = 1076.0 - (stream_double((bits >> 52) | 0x4330000000000000ULL) - 0x1p52), f, s, z, zz, r;
    f = stream_double((bits & 0xFFFFFFFFFFFFFULL) + half_root) - 1.0;
    s = f / (2.0 + f);
    z = s * s;
    zz = z * z;
    r = z * ((2.0 / 3 + zz * (2.0 / 7 + zz * (2.0 / 11 + zz * (2.0 / 15 + zz * (2.0 / 19)))))
             + z * (2.0 / 5 + zz * (2.0 / 9 + zz * (2.0 / 13 + zz * (2.0 / 17 + zz * (2.0 / 21))))));
    return c * 0.6931471805599401 - (f - (s * (f - r) + c * 5.2412386838766985e-15));
}

STREAM_INLINE void stream_body(uint64_t state, double *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        uint64_t z = state + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        out[i] = stream_exponential(z ^ (z >> 31));
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
