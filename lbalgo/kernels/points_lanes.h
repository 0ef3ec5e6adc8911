/* Points derived from one word by counting: mix64(start + j * GAMMA).
 *
 * Each is independent of the others, and a compiler that may use AVX-512 makes vectors of the plain loop. AVX2 cannot
 * multiply 64-bit words and gains nothing.
 */
#ifndef LBALGO_POINTS_LANES_H
#define LBALGO_POINTS_LANES_H

#include "lanes.h"
#include "mix_lanes.h"

LANES_BODY void derived_body(uint64_t start, uint64_t *out, ptrdiff_t n) {
    for (ptrdiff_t j = 0; j < n; j++) out[j] = mix_word(start + (uint64_t)(j + 1) * MIX_GAMMA);
}

static void derived_points_portable(uint64_t start, uint64_t *out, ptrdiff_t n) { derived_body(start, out, n); }
#if LANES_X86
#define derived_points_avx2 derived_points_portable
LANES_IN_AVX512 static void derived_points_avx512(uint64_t start, uint64_t *out, ptrdiff_t n) { derived_body(start, out, n); }
#endif

/* The points j = 1 to n of one start. */
static inline void derived_points(int level, uint64_t start, uint64_t *out, ptrdiff_t n) {
    LANES_CALL(level, derived_points, start, out, n);
}

#endif
