/* Turns worked out ahead: whom the next requests without a key go to, by alias table or by strides.
 *
 * What is alike for every turn is done for a block of them first, in a loop without branches that the compiler makes
 * vectors of, for each level by itself: a generator's outputs and their buckets, or which numbers serve somebody. What
 * is left for each turn by itself are its loads, and its stores, which the next turn's cover where nobody was served.
 * AVX-512 loads eight buckets at once, which takes half as long as one by one.
 *
 * Strides: the number n of position i and generation g serves its owner where (rate * g + i * 32767) mod 65535 and the
 * rate reach 65535 together. Sums are taken mod 65535, which is 2**16 - 1, by adding their halves: below 2**32 they are
 * then below 2**17, and with an offset and once more at most 65537.
 */
#ifndef LBALGO_TURN_LANES_H
#define LBALGO_TURN_LANES_H

#include "lanes.h"
#include "mix_lanes.h"

enum { TURN_BLOCK = 16, TURN_TOP = 65535 };

/* One of the equal pieces that an alias table cuts all tickets into, and whose those below and from its cut are. */
typedef struct {
    uint64_t cut;
    int32_t owners[2];
} alias_bucket;

/* n turns, a multiple of TURN_BLOCK, of a SplitMix64 generator in this state, and its state after each. */
LANES_BODY void alias_turns_body(uint64_t state, uint64_t *states, int32_t *slots, ptrdiff_t n, const alias_bucket *buckets,
                                 uint64_t size) {
    for (ptrdiff_t from = 0; from < n; from += TURN_BLOCK) {
        uint64_t drawn[TURN_BLOCK], at[TURN_BLOCK];
        for (int i = 0; i < TURN_BLOCK; i++) {
            states[from + i] = state + (uint64_t)(i + 1) * MIX_GAMMA;
            const uint64_t z = drawn[i] = mix_word(states[from + i]);
            at[i] = ((z >> 32) * size + (((z & 0xFFFFFFFFu) * size) >> 32)) >> 32;
        }
        for (int i = 0; i < TURN_BLOCK; i++) slots[from + i] = buckets[at[i]].owners[drawn[i] >= buckets[at[i]].cut];
        state = states[from + TURN_BLOCK - 1];
    }
}

/* One position of a generation, and those after it, which go on with its beginning and the generation that follows. */
typedef struct {
    const int32_t *owners;   /* of each position; as are the others, TURN_BLOCK more than there are positions */
    const uint32_t *rates;   /* the stride, 1 to 65535 */
    const uint32_t *offsets; /* position * 32767 mod 65535 */
    const uint32_t *later;   /* how many generations after the first */
} turn_strides;

/* Appends those of a block that are served, and says how many; what stands behind them is of no meaning. */
typedef ptrdiff_t (*turn_keep)(const uint32_t *served, uint64_t ticket, const int32_t *owners, uint64_t *states,
                               int32_t *slots);

LANES_BODY ptrdiff_t keep_each(const uint32_t *served, uint64_t ticket, const int32_t *owners, uint64_t *states,
                               int32_t *slots) {
    ptrdiff_t found = 0;
    for (int i = 0; i < TURN_BLOCK; i++) {
        states[found] = ticket + (uint64_t)i + 1;
        slots[found] = owners[i];
        found += served[i];
    }
    return found;
}

/* The first n numbers from `ticket` on that serve somebody, and one to each of them; there is room for TURN_BLOCK more
 * of them, and numbers do not reach 2**64. */
LANES_BODY void stride_turns_body(uint64_t ticket, uint64_t *states, int32_t *slots, ptrdiff_t n, const turn_strides *of,
                                  uint64_t size, turn_keep keep) {
    uint64_t at = ticket % size, generation = ticket / size % TURN_TOP;
    for (ptrdiff_t found = 0; found < n;) {
        const uint32_t *rates = of->rates + at, *offsets = of->offsets + at, *later = of->later + at;
        uint32_t served[TURN_BLOCK];
        for (int i = 0; i < TURN_BLOCK; i++) {
            uint32_t g = (uint32_t)generation + later[i];
            g = g >= TURN_TOP ? g - TURN_TOP : g;
            uint32_t x = rates[i] * g;
            x = (x & 0xFFFFu) + (x >> 16) + offsets[i];
            x = (x & 0xFFFFu) + (x >> 16);
            x = x >= TURN_TOP ? x - TURN_TOP : x;
            served[i] = x + rates[i] >= TURN_TOP;
        }
        found += keep(served, ticket, of->owners + at, states + found, slots + found);
        ticket += TURN_BLOCK;
        at += TURN_BLOCK;
        while (at >= size) {
            at -= size;
            generation = generation + 1 < TURN_TOP ? generation + 1 : 0;
        }
    }
}

#if LANES_X86
LANES_IN_AVX512 static void alias_turns_avx512(uint64_t state, uint64_t *states, int32_t *slots, ptrdiff_t n,
                                               const alias_bucket *buckets, uint64_t size) {
    const __m512i pieces = _mm512_set1_epi64((long long)size), eight = _mm512_set1_epi64((long long)(8 * MIX_GAMMA));
    const __m512i numbers = _mm512_setr_epi64(1, 2, 3, 4, 5, 6, 7, 8);
    __m512i next = _mm512_mullo_epi64(numbers, _mm512_set1_epi64((long long)MIX_GAMMA));
    next = _mm512_add_epi64(next, _mm512_set1_epi64((long long)state));
    for (ptrdiff_t from = 0; from < n; from += 8, next = _mm512_add_epi64(next, eight)) {
        const __m512i z = mix_eight(next);
        const __m512i low = _mm512_srli_epi64(_mm512_mul_epu32(z, pieces), 32); /* there are fewer than 2**31 pieces */
        const __m512i high = _mm512_mul_epu32(_mm512_srli_epi64(z, 32), pieces);
        const __m512i at = _mm512_slli_epi64(_mm512_srli_epi64(_mm512_add_epi64(high, low), 32), 4);
        const __m512i cut = _mm512_i64gather_epi64(at, &buckets->cut, 1);
        const __m512i owners = _mm512_i64gather_epi64(at, buckets->owners, 1);
        const __mmask8 above = _mm512_cmpge_epu64_mask(z, cut);
        const __m512i owner = _mm512_mask_srli_epi64(owners, above, owners, 32);
        _mm512_storeu_si512(states + from, next);
        _mm256_storeu_si256((__m256i *)(slots + from), _mm512_cvtepi64_epi32(owner));
    }
}

LANES_IN_AVX512 LANES_BODY ptrdiff_t keep_packed(const uint32_t *served, uint64_t ticket, const int32_t *owners,
                                                 uint64_t *states, int32_t *slots) {
    __m512i flags = _mm512_loadu_si512(served), first = _mm512_set1_epi64((long long)ticket);
    __mmask16 mask = _mm512_test_epi32_mask(flags, flags);
    __mmask8 low = (__mmask8)mask, high = (__mmask8)(mask >> 8);
    int half = __builtin_popcount(low);
    _mm512_storeu_si512(slots, _mm512_maskz_compress_epi32(mask, _mm512_loadu_si512(owners)));
    __m512i one = _mm512_add_epi64(first, _mm512_set_epi64(8, 7, 6, 5, 4, 3, 2, 1));
    __m512i two = _mm512_add_epi64(first, _mm512_set_epi64(16, 15, 14, 13, 12, 11, 10, 9));
    _mm512_storeu_si512(states, _mm512_maskz_compress_epi64(low, one));
    _mm512_storeu_si512(states + half, _mm512_maskz_compress_epi64(high, two));
    return half + __builtin_popcount(high);
}
#endif

#define TURN_ALIAS (uint64_t state, uint64_t *states, int32_t *slots, ptrdiff_t n, const alias_bucket *buckets, \
                    uint64_t size) {                                                                            \
        alias_turns_body(state, states, slots, n, buckets, size);                                               \
    }
#define TURN_STRIDE(keep) (uint64_t ticket, uint64_t *states, int32_t *slots, ptrdiff_t n, const turn_strides *of, \
                           uint64_t size) {                                                                        \
        stride_turns_body(ticket, states, slots, n, of, size, keep);                                               \
    }
static void alias_turns_portable TURN_ALIAS
static void stride_turns_portable TURN_STRIDE(keep_each)
#if LANES_X86
LANES_IN_AVX2 static void alias_turns_avx2 TURN_ALIAS
LANES_IN_AVX2 static void stride_turns_avx2 TURN_STRIDE(keep_each)
LANES_IN_AVX512 static void stride_turns_avx512 TURN_STRIDE(keep_packed)
#endif

static inline void alias_turns(int level, uint64_t state, uint64_t *states, int32_t *slots, ptrdiff_t n,
                               const alias_bucket *buckets, uint64_t size) {
    LANES_CALL(level, alias_turns, state, states, slots, n, buckets, size);
}

static inline void stride_turns(int level, uint64_t ticket, uint64_t *states, int32_t *slots, ptrdiff_t n,
                                const turn_strides *of, uint64_t size) {
    LANES_CALL(level, stride_turns, ticket, states, slots, n, of, size);
}

#endif
