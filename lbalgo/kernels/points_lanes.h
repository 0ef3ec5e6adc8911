/* Points derived from one word by counting: mix64(start + j * GAMMA).
 *
 * Each is independent of the others, and a compiler that may use AVX-512 makes vectors of the plain loop. AVX2 cannot
 * multiply 64-bit words and gains nothing.
 */
#ifndef LBALGO_POINTS_LANES_H
#define LBALGO_POINTS_LANES_H

#include "lanes.h"

#define POINTS_DERIVED                                            \
    for (ptrdiff_t j = 0; j < n; j++) {                           \
        uint64_t z = start + (uint64_t)(j + 1) * 0x9E3779B97F4A7C15ULL; \
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;              \
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;              \
        out[j] = z ^ (z >> 31);                                   \
    }

static void derived_points_portable(uint64_t start, uint64_t *out, ptrdiff_t n) { POINTS_DERIVED }
#if LANES_X86
#define derived_points_avx2 derived_points_portable
LANES_IN_AVX512 static void derived_points_avx512(uint64_t start, uint64_t *out, ptrdiff_t n) { POINTS_DERIVED }
#endif

/* The points j = 1 to n of one start. */
static inline void derived_points(int level, uint64_t start, uint64_t *out, ptrdiff_t n) {
    LANES_CALL(level, derived_points, start, out, n);
}

#endif
