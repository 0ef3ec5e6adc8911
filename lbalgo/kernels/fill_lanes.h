/* The fill of a Maglev table: which positions the turns get, in three stages that all do what probing one by one does.
 *
 * While a quarter is taken, a turn probes. Then eight turns at a time each look at their next eight positions, all
 * before one of them claims any: otherwise every look would wait for the claim before it. They claim in order, and each
 * probes on from where it looked: what it has passed was taken, and stays so, even if its owner has had two turns among
 * the eight. The last turns would probe for long: there the empty positions are listed, and the least rank (steps from
 * the owner's next position) among them is where probing would have ended. Ranks are quotients modulo a prime, by
 * Shoup's multiplication.
 *
 * What is taken is a set of bits, so that the set of a large table stays in a near cache.
 */
#ifndef LBALGO_FILL_LANES_H
#define LBALGO_FILL_LANES_H

#include "lanes.h"

typedef struct {
    int32_t *table;
    uint32_t *taken;           /* bits */
    uint32_t *position;        /* of each owner the next preferred one */
    const uint32_t *skip;
    const uint32_t *multiples; /* 0 to 7 skips of each owner, mod size; NULL where there are no groups */
    uint32_t size;
    const int32_t *turns;
    ptrdiff_t period, turn;
} Fill;

static inline uint32_t fill_step(uint32_t position, uint32_t skip, uint32_t size) {
    uint32_t total = position + skip, wrapped = total - size;
    return total < wrapped ? total : wrapped;
}

static inline int fill_is_taken(const Fill *f, uint32_t p) { return f->taken[p >> 5] >> (p & 31) & 1; }

static inline void fill_claim(Fill *f, int32_t owner, uint32_t p) {
    f->taken[p >> 5] |= (uint32_t)1 << (p & 31);
    f->table[p] = owner;
    f->position[owner] = fill_step(p, f->skip[owner], f->size);
}

static inline int32_t fill_turn(Fill *f) {
    int32_t owner = f->turns[f->turn];
    f->turn = f->turn + 1 < f->period ? f->turn + 1 : 0;
    return owner;
}

static inline void fill_probe(Fill *f, int32_t owner, uint32_t p) {
    while (fill_is_taken(f, p)) p = fill_step(p, f->skip[owner], f->size);
    fill_claim(f, owner, p);
}

static inline void fill_one_by_one(Fill *f, uint32_t count) {
    Fill mine = *f;
    while (count--) {
        int32_t owner = fill_turn(&mine);
        fill_probe(&mine, owner, mine.position[owner]);
    }
    f->turn = mine.turn;
}

static void fill_groups_portable(Fill *f, uint32_t count) { fill_one_by_one(f, count); }

/* The least rank of the n distances from p, where factor is the inverse of a skip. */
#define FILL_LEAST_RANK                                                                         \
    uint64_t ratio = (factor << 32) / size;                                                     \
    int32_t least = (int32_t)size;                                                              \
    for (uint32_t j = 0; j < n; j++) {                                                          \
        int32_t distance = (int32_t)(empty[j] - p);                                             \
        distance += (int32_t)size & (distance >> 31);                                           \
        int32_t rank = (int32_t)((uint32_t)distance * (uint32_t)factor                          \
                                 - (uint32_t)(((uint32_t)distance * ratio) >> 32) * size - size); \
        rank += (int32_t)size & (rank >> 31);                                                   \
        least = rank < least ? rank : least;                                                    \
    }                                                                                           \
    return (uint32_t)least

static uint32_t fill_least_portable(const uint32_t *empty, uint32_t n, uint32_t p, uint64_t factor, uint32_t size) {
    FILL_LEAST_RANK;
}

#if LANES_X86
LANES_IN_AVX2 static uint32_t fill_least_avx2(const uint32_t *empty, uint32_t n, uint32_t p, uint64_t factor,
                                              uint32_t size) {
    FILL_LEAST_RANK;
}

/* The eight positions from p on into at; bits of those that are free. */
LANES_IN_AVX2 static inline unsigned fill_look(const Fill *f, int32_t owner, uint32_t p, uint32_t *at) {
    __m256i v = _mm256_add_epi32(_mm256_set1_epi32((int32_t)p),
                                 _mm256_lddqu_si256((const __m256i *)(f->multiples + 8 * (size_t)owner)));
    v = _mm256_min_epu32(v, _mm256_sub_epi32(v, _mm256_set1_epi32((int32_t)f->size)));
    _mm256_storeu_si256((__m256i *)at, v);
    __m256i word = _mm256_i32gather_epi32((const int *)f->taken, _mm256_srli_epi32(v, 5), 4);
    __m256i bit = _mm256_andnot_si256(v, _mm256_set1_epi32(31)); /* 31 - position mod 32: to the sign */
    return 255u & ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(word, bit)));
}

LANES_IN_AVX2 static void fill_groups_avx2(Fill *f, uint32_t count) {
    Fill mine = *f;
    uint32_t at[8][8];
    unsigned open[8];
    int32_t who[8];
    for (; count >= 8; count -= 8) {
        for (int j = 0; j < 8; j++) {
            int32_t owner = who[j] = fill_turn(&mine);
            uint32_t p = mine.position[owner];
            while (!(open[j] = fill_look(&mine, owner, p, at[j])))
                p = fill_step(at[j][7], mine.skip[owner], mine.size);
        }
        for (int j = 0; j < 8; j++) {
            fill_probe(&mine, who[j], at[j][__builtin_ctz(open[j])]);
        }
    }
    f->turn = mine.turn;
    fill_one_by_one(f, count);
}
#define fill_groups_avx512 fill_groups_avx2
#define fill_least_avx512 fill_least_avx2
#endif

static inline void fill_groups(int level, Fill *f, uint32_t count) { LANES_CALL(level, fill_groups, f, count); }

static inline uint32_t fill_least(int level, const uint32_t *empty, uint32_t n, uint32_t p, uint64_t factor,
                                  uint32_t size) {
    return LANES_CALL(level, fill_least, empty, n, p, factor, size);
}

#endif
