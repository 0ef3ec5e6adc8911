/* What stays of a ring when slots and indices shift: slots above one of them by a step, the indices of cells by another.
 *
 * A compiler makes vectors of the loop over slots, for any processor. The words of a cell it would take apart; so one
 * cell, or two with AVX2, is said to be a vector. AVX-512 gains nothing over that.
 */
#ifndef LBALGO_RING_LANES_H
#define LBALGO_RING_LANES_H

#include <string.h>

#include "lanes.h"

static inline void ring_slots(const int32_t *restrict from, int32_t *restrict to, ptrdiff_t n, int32_t above,
                              int32_t step) {
    for (ptrdiff_t i = 0; i < n; i++) to[i] = from[i] + (step & -(int32_t)(from[i] > above));
}

static inline void ring_cells_portable(const int32_t *restrict from, int32_t *restrict to, ptrdiff_t n, int32_t shift,
                                       int32_t above, int32_t step) {
#if defined(__GNUC__) || defined(__clang__)
    typedef int32_t four __attribute__((vector_size(16)));
    const four add = {shift, 0, 0, 0}, over = {above, above, above, above}, by = {0, 0, step, step};
    four cell;
    for (ptrdiff_t i = 0; i < 4 * n; i += 4) {
        memcpy(&cell, from + i, sizeof cell);
        cell += add + (by & (cell > over));
        memcpy(to + i, &cell, sizeof cell);
    }
#else
    for (ptrdiff_t i = 0; i < 4 * n; i += 4) {
        to[i] = from[i] + shift;
        to[i + 1] = from[i + 1];
        ring_slots(from + i + 2, to + i + 2, 2, above, step);
    }
#endif
}

#if LANES_X86
LANES_IN_AVX2 static void ring_cells_avx2(const int32_t *restrict from, int32_t *restrict to, ptrdiff_t n,
                                          int32_t shift, int32_t above, int32_t step) {
    const __m256i add = _mm256_setr_epi32(shift, 0, 0, 0, shift, 0, 0, 0), over = _mm256_set1_epi32(above);
    const __m256i by = _mm256_setr_epi32(0, 0, step, step, 0, 0, step, step);
    ptrdiff_t i = 0;
    for (; i + 2 <= n; i += 2) {
        const __m256i two = _mm256_lddqu_si256((const __m256i *)(from + 4 * i));
        const __m256i moved = _mm256_add_epi32(add, _mm256_and_si256(by, _mm256_cmpgt_epi32(two, over)));
        _mm256_storeu_si256((__m256i *)(to + 4 * i), _mm256_add_epi32(two, moved));
    }
    ring_cells_portable(from + 4 * i, to + 4 * i, n - i, shift, above, step);
}
#define ring_cells_avx512 ring_cells_avx2
#endif

/* `n` cells of four words each: an index, part of an edge, and two owners, of which -1 stays. */
static inline void ring_cells(int level, const int32_t *from, int32_t *to, ptrdiff_t n, int32_t shift, int32_t above,
                              int32_t step) {
    LANES_CALL(level, ring_cells, from, to, n, shift, above, step);
}

#endif
