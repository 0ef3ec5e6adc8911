/* Text of 4-byte code points as UTF-8: ASCII, which is most of it, many texts at a time in lanes; the rest one by one. */
#ifndef LBALGO_TEXT_LANES_H
#define LBALGO_TEXT_LANES_H

#include "lanes.h"

/* Texts of `width` code points cut to bytes, `stride` apart, and their sizes without the NULs at their ends; how many of
 * them until one is not ASCII. What is stored beyond a text, up to a multiple of 16 bytes, means nothing. */
static inline ptrdiff_t cut_texts_portable(const uint32_t *runes, ptrdiff_t width, ptrdiff_t n, uint8_t *text,
                                           ptrdiff_t stride, ptrdiff_t *sizes) {
    for (ptrdiff_t i = 0; i < n; i++, runes += width, text += stride) {
        uint32_t all = 0;
        ptrdiff_t size = width;
        for (ptrdiff_t j = 0; j < width; j++) {
            all |= runes[j];
            text[j] = (uint8_t)runes[j];
        }
        if (all >= 0x80) return i;
        while (size && !text[size - 1]) size--;
        sizes[i] = size;
    }
    return n;
}

enum { CUT_AHEAD = 4096 }; /* bytes: the processor's own fetching ahead ends with the page */

#if LANES_X86
LANES_IN_AVX512 static ptrdiff_t cut_texts_avx512(const uint32_t *runes, ptrdiff_t width, ptrdiff_t n, uint8_t *text,
                                                  ptrdiff_t stride, ptrdiff_t *sizes) {
    const __m512i beyond = _mm512_set1_epi32(~0x7F);
    const uint32_t *const end = runes + n * width;
    const ptrdiff_t last = (width - 1) & ~(ptrdiff_t)15; /* where the last sixteen begin, not all of which are the text's */
    const __mmask16 whole = 0xFFFF, within = (__mmask16)(0xFFFF >> (16 - (width - last)));
    const __m512i all = _mm512_set1_epi32(-1), some_of_last = _mm512_maskz_mov_epi32(within, all);
    for (ptrdiff_t i = 0; i < n; i++, runes += width, text += stride) {
        ptrdiff_t size = 0;
        for (ptrdiff_t j = 0; j <= last; j += 16) {
            _mm_prefetch((const char *)(runes + j) + CUT_AHEAD, _MM_HINT_T0);
            const __m512i sixteen = end - runes - j >= 16 /* a load by mask that is not aligned takes ten times as long */
                                        ? _mm512_and_si512(j < last ? all : some_of_last, _mm512_loadu_si512(runes + j))
                                        : _mm512_maskz_loadu_epi32(j < last ? whole : within, runes + j);
            const unsigned some = _mm512_test_epi32_mask(sixteen, sixteen);
            if (_mm512_test_epi32_mask(sixteen, beyond)) return i;
            _mm_storeu_si128((__m128i *)(text + j), _mm512_cvtepi32_epi8(sixteen));
            if (some) size = j + 32 - __builtin_clz(some);
        }
        sizes[i] = size;
    }
    return n;
}

/* Eight code points, or those that are there and NULs. */
LANES_IN_AVX2 static inline __m256i cut_load_avx2(const uint32_t *runes, ptrdiff_t there) {
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    if (there >= 8) return _mm256_lddqu_si256((const __m256i *)runes);
    return _mm256_maskload_epi32((const int *)runes, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)there), places));
}

LANES_IN_AVX2 static ptrdiff_t cut_texts_avx2(const uint32_t *runes, ptrdiff_t width, ptrdiff_t n, uint8_t *text,
                                              ptrdiff_t stride, ptrdiff_t *sizes) {
    const __m256i beyond = _mm256_set1_epi32(~0x7F);
    for (ptrdiff_t i = 0; i < n; i++, runes += width, text += stride) {
        ptrdiff_t size = 0;
        for (ptrdiff_t j = 0; j < width; j += 16) {
            _mm_prefetch((const char *)(runes + j) + CUT_AHEAD, _MM_HINT_T0);
            const __m256i low = cut_load_avx2(runes + j, width - j);
            const __m256i high = width - j > 8 ? cut_load_avx2(runes + j + 8, width - j - 8) : _mm256_setzero_si256();
            /* halves of 16 bits, in each half of the vector four of `low` and four of `high` */
            const __m256i mixed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
            const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(mixed), _mm256_extracti128_si256(mixed, 1));
            const unsigned some = 0xFFFF & ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
            if (!_mm256_testz_si256(_mm256_or_si256(low, high), beyond)) return i;
            _mm_storeu_si128((__m128i *)(text + j), bytes);
            if (some) size = j + 32 - __builtin_clz(some);
        }
        sizes[i] = size;
    }
    return n;
}
#endif

static inline ptrdiff_t cut_texts(int level, const uint32_t *runes, ptrdiff_t width, ptrdiff_t n, uint8_t *text,
                                  ptrdiff_t stride, ptrdiff_t *sizes) {
    return LANES_CALL(level, cut_texts, runes, width, n, text, stride, sizes);
}

/* The UTF-8 form of `n` code points, at most 4 n bytes, into `out`; its length, or -1 - i if the i-th has none. */
static ptrdiff_t utf8_of(const uint32_t *runes, ptrdiff_t n, uint8_t *out) {
    uint8_t *to = out;
    uint32_t all = 0;
    for (ptrdiff_t i = 0; i < n; i++) { /* mostly ASCII */
        all |= runes[i];
        out[i] = (uint8_t)runes[i];
    }
    if (all < 0x80) return n;
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t r = runes[i];
        if (r < 0x80) {
            *to++ = (uint8_t)r;
        } else if (r < 0x800) {
            *to++ = (uint8_t)(0xC0 | r >> 6);
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        } else if (r < 0x10000) {
            if (r >= 0xD800 && r < 0xE000) return -1 - i; /* half of a surrogate pair */
            *to++ = (uint8_t)(0xE0 | r >> 12);
            *to++ = (uint8_t)(0x80 | (r >> 6 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        } else {
            if (r > 0x10FFFF) return -1 - i;
            *to++ = (uint8_t)(0xF0 | r >> 18);
            *to++ = (uint8_t)(0x80 | (r >> 12 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r >> 6 & 0x3F));
            *to++ = (uint8_t)(0x80 | (r & 0x3F));
        }
    }
    return to - out;
}

#endif
