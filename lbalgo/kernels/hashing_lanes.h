/* XXH64 of many keys: words of 8 bytes, and bytes wherever they are.
 *
 * One key's hash is a chain of multiplications; many are independent. Of words, a compiler that may use AVX-512 makes
 * vectors of the plain loop; short keys, of whatever sizes, are gathered eight at a time, and no branch depends on what
 * size each has. AVX2 cannot multiply 64-bit words and gains nothing.
 */
#ifndef LBALGO_HASHING_LANES_H
#define LBALGO_HASHING_LANES_H

#include "lanes.h"
#include "xxh64.h"

#define XXH_WORDS                                                                                          \
    for (ptrdiff_t i = 0; i < n; i++) out[i] = xxh64_end(xxh64_eight(seed + XXH64_P5 + 8, words[i]));

static void xxh64_words_portable(const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) { XXH_WORDS }
#if LANES_X86
#define xxh64_words_avx2 xxh64_words_portable
LANES_IN_AVX512 static void xxh64_words_avx512(const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) {
    XXH_WORDS
}
#endif

static inline void xxh64_words(int level, const uint64_t *words, uint64_t *out, ptrdiff_t n, uint64_t seed) {
    LANES_CALL(level, xxh64_words, words, out, n, seed);
}

static inline void prefetch(const void *where) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(where);
#else
    (void)where;
#endif
}

#if LANES_X86
LANES_IN_AVX512 static inline __m512i xxh64_times(__m512i x, uint64_t y) {
    return _mm512_mullo_epi64(x, _mm512_set1_epi64((long long)y));
}

LANES_IN_AVX512 static inline __m512i xxh64_eight_avx512(__m512i h, __m512i word) {
    const __m512i lane = xxh64_times(_mm512_rol_epi64(xxh64_times(word, XXH64_P2), 31), XXH64_P1);
    h = xxh64_times(_mm512_rol_epi64(_mm512_xor_si512(h, lane), 27), XXH64_P1);
    return _mm512_add_epi64(h, _mm512_set1_epi64((long long)XXH64_P4));
}

/* Four bytes each, widened, at these addresses, or 0. */
LANES_IN_AVX512 static inline __m512i xxh64_halves(__mmask8 which, __m512i at) {
    return _mm512_cvtepu32_epi64(_mm512_mask_i64gather_epi32(_mm256_setzero_si256(), which, at, (const void *)0, 1));
}

/* The four bytes that some of eight keys have after their eights, widened. */
LANES_IN_AVX512 static inline __m512i xxh64_four_avx512(__m512i h, __mmask8 some, __m512i four) {
    __m512i mixed = _mm512_xor_si512(h, xxh64_times(four, XXH64_P1));
    mixed = xxh64_times(_mm512_rol_epi64(mixed, 23), XXH64_P2);
    return _mm512_mask_add_epi64(h, some, mixed, _mm512_set1_epi64((long long)XXH64_P3));
}

/* The single bytes after those, 0 to 3 of each key, the first the lowest of `left`. */
LANES_IN_AVX512 static inline __m512i xxh64_ones_avx512(__m512i h, __m512i odd, __m512i left) {
    for (int k = 0; k < 3; k++) {
        const __mmask8 has = _mm512_cmpgt_epi64_mask(odd, _mm512_set1_epi64(k));
        const __m512i byte = _mm512_and_si512(left, _mm512_set1_epi64(0xFF));
        const __m512i mixed = _mm512_rol_epi64(_mm512_xor_si512(h, xxh64_times(byte, XXH64_P5)), 11);
        h = _mm512_mask_mov_epi64(h, has, xxh64_times(mixed, XXH64_P1));
        left = _mm512_srli_epi64(left, 8);
    }
    return h;
}

LANES_IN_AVX512 static inline __m512i xxh64_end_avx512(__m512i h) {
    h = xxh64_times(_mm512_xor_si512(h, _mm512_srli_epi64(h, 33)), XXH64_P2);
    h = xxh64_times(_mm512_xor_si512(h, _mm512_srli_epi64(h, 29)), XXH64_P3);
    return _mm512_xor_si512(h, _mm512_srli_epi64(h, 32));
}

/* Of eight keys of 4 to 31 bytes, of none of which a byte beyond is read: what a key has not is done to it by no mask. */
LANES_IN_AVX512 static inline __m512i xxh64_eight_rows(__m512i at, __m512i size, uint64_t seed) {
    const __m512i none = _mm512_setzero_si512(), three = _mm512_set1_epi64(3);
    __m512i h = _mm512_add_epi64(size, _mm512_set1_epi64((long long)(seed + XXH64_P5)));
    for (int k = 0; k < 24; k += 8) {
        const __mmask8 has = _mm512_cmpge_epu64_mask(size, _mm512_set1_epi64(k + 8));
        if (!has) break;
        const __m512i from = _mm512_add_epi64(at, _mm512_set1_epi64(k));
        h = _mm512_mask_mov_epi64(h, has, xxh64_eight_avx512(h, _mm512_mask_i64gather_epi64(none, has, from, NULL, 1)));
    }
    const __mmask8 four = _mm512_test_epi64_mask(size, _mm512_set1_epi64(4));
    if (four) {
        const __m512i from = _mm512_add_epi64(at, _mm512_and_si512(size, _mm512_set1_epi64(~7LL)));
        h = xxh64_four_avx512(h, four, xxh64_halves(four, from));
    }
    const __m512i odd = _mm512_and_si512(size, three);
    const __mmask8 some = _mm512_test_epi64_mask(odd, odd);
    if (some) { /* the upper ones of the last four */
        const __m512i from = _mm512_sub_epi64(_mm512_add_epi64(at, size), _mm512_set1_epi64(4));
        const __m512i above = _mm512_slli_epi64(_mm512_sub_epi64(_mm512_set1_epi64(4), odd), 3);
        h = xxh64_ones_avx512(h, odd, _mm512_srlv_epi64(xxh64_halves(some, from), above));
    }
    return xxh64_end_avx512(h);
}

/* Of eight keys of at most 16 bytes, 16 apart: two loads are all of them. */
LANES_IN_AVX512 static inline __m512i xxh64_eight_cells(const uint8_t *cells, __m512i size, uint64_t seed) {
    const __m512i four_keys = _mm512_loadu_si512(cells), four_more = _mm512_loadu_si512(cells + 64);
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), next = _mm512_set1_epi64(1);
    const __m512i first = _mm512_permutex2var_epi64(four_keys, even, four_more);
    const __m512i second = _mm512_permutex2var_epi64(four_keys, _mm512_add_epi64(even, next), four_more);
    const __mmask8 one = _mm512_cmpge_epu64_mask(size, _mm512_set1_epi64(8));
    const __mmask8 both = _mm512_cmpge_epu64_mask(size, _mm512_set1_epi64(16));
    __m512i h = _mm512_add_epi64(size, _mm512_set1_epi64((long long)(seed + XXH64_P5)));
    h = _mm512_mask_mov_epi64(h, one, xxh64_eight_avx512(h, first));
    h = _mm512_mask_mov_epi64(h, both, xxh64_eight_avx512(h, second));
    if (both != 0xFF) {
        const __mmask8 four = _mm512_test_epi64_mask(size, _mm512_set1_epi64(4));
        const __m512i rest = _mm512_mask_mov_epi64(first, one, second);
        h = xxh64_four_avx512(h, four, _mm512_and_si512(rest, _mm512_set1_epi64(0xFFFFFFFF)));
        h = xxh64_ones_avx512(h, _mm512_and_si512(size, _mm512_set1_epi64(3)),
                              _mm512_mask_srli_epi64(rest, four, rest, 32));
    }
    return xxh64_end_avx512(h);
}

LANES_IN_AVX512 static void xxh64_rows_avx512(const uint8_t *const *rows, const ptrdiff_t *sizes, uint64_t *out,
                                              ptrdiff_t n, uint64_t seed) {
    const __m512i least = _mm512_set1_epi64(4), span = _mm512_set1_epi64(31 - 4);
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m512i size = _mm512_loadu_si512(sizes + i);
        if (_mm512_cmpgt_epu64_mask(_mm512_sub_epi64(size, least), span))
            for (int k = 0; k < 8; k++) out[i + k] = xxh64_of(rows[i + k], (size_t)sizes[i + k], seed);
        else
            _mm512_storeu_si512(out + i, xxh64_eight_rows(_mm512_loadu_si512(rows + i), size, seed));
    }
    for (; i < n; i++) out[i] = xxh64_of(rows[i], (size_t)sizes[i], seed);
}

/* How many were hashed: all but fewer than eight. */
LANES_IN_AVX512 static ptrdiff_t xxh64_cells_avx512(const uint8_t *cells, const ptrdiff_t *sizes, uint64_t *out,
                                                    ptrdiff_t n, uint64_t seed) {
    ptrdiff_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm512_storeu_si512(out + i, xxh64_eight_cells(cells + 16 * i, _mm512_loadu_si512(sizes + i), seed));
    return i;
}
#endif

/* Keys one after another, wherever they are: they are hashed when there are enough of them for lanes, or at once where
 * there are no lanes. Until `hash_end` they have to stay where they are. */
enum { HASH_ROWS = 64 };

typedef struct {
    int lanes;
    uint64_t seed, *out;
    ptrdiff_t n, sizes[HASH_ROWS];
    const uint8_t *rows[HASH_ROWS];
} hash_batch;

static inline void hash_begin(hash_batch *batch, int level, uint64_t seed, uint64_t *out) {
    batch->lanes = LANES_X86 && level >= LANES_AVX512;
    batch->seed = seed, batch->out = out, batch->n = 0;
}

static inline void hash_end(hash_batch *batch) {
    if (!batch->n) return;
#if LANES_X86
    xxh64_rows_avx512(batch->rows, batch->sizes, batch->out, batch->n, batch->seed);
#endif
    batch->out += batch->n, batch->n = 0;
}

static inline void hash_row(hash_batch *batch, const uint8_t *data, ptrdiff_t size) {
    if (!batch->lanes) {
        *batch->out++ = xxh64_of(data, (size_t)size, batch->seed);
        return;
    }
    batch->rows[batch->n] = data, batch->sizes[batch->n] = size;
    if (++batch->n == HASH_ROWS) hash_end(batch);
}

/* Keys that lie `stride` bytes apart, all of which may be read; hashed before it returns, if none was left to be. */
static inline void hash_cells(hash_batch *batch, const uint8_t *cells, ptrdiff_t stride, const ptrdiff_t *sizes,
                              ptrdiff_t n) {
    ptrdiff_t i = 0;
#if LANES_X86
    if (batch->lanes && stride == 16) i = xxh64_cells_avx512(cells, sizes, batch->out, n, batch->seed), batch->out += i;
#endif
    for (; i < n; i++) hash_row(batch, cells + i * stride, sizes[i]);
    hash_end(batch);
}

#endif
