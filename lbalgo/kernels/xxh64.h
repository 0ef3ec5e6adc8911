/* XXH64, after the published specification (Collet): 64 bits of any bytes.
 *
 * Bytes go in eights, each stirred into the hash by itself; from 32 bytes on in four lanes of eights first. What is
 * left at the end, four and single bytes, follows. Words are read in the machine's order, which is little-endian on
 * every platform this is built for.
 */
#ifndef LBALGO_XXH64_H
#define LBALGO_XXH64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH64_P1 11400714785074694791ULL
#define XXH64_P2 14029467366897019727ULL
#define XXH64_P3 1609587929392839161ULL
#define XXH64_P4 9650029242287828579ULL
#define XXH64_P5 2870177450012600261ULL

static inline uint64_t xxh64_turned(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

static inline uint64_t xxh64_read(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline uint64_t xxh64_lane(uint64_t lane, uint64_t word) {
    return xxh64_turned(lane + word * XXH64_P2, 31) * XXH64_P1;
}

static inline uint64_t xxh64_eight(uint64_t h, uint64_t word) {
    return xxh64_turned(h ^ xxh64_lane(0, word), 27) * XXH64_P1 + XXH64_P4;
}

static inline uint64_t xxh64_four(uint64_t h, uint32_t half) {
    return xxh64_turned(h ^ half * XXH64_P1, 23) * XXH64_P2 + XXH64_P3;
}

static inline uint64_t xxh64_one(uint64_t h, uint8_t byte) {
    return xxh64_turned(h ^ byte * XXH64_P5, 11) * XXH64_P1;
}

static inline uint64_t xxh64_end(uint64_t h) {
    h = (h ^ (h >> 33)) * XXH64_P2;
    h = (h ^ (h >> 29)) * XXH64_P3;
    return h ^ (h >> 32);
}

/* What follows the lanes: the last n bytes, and the end. */
static inline uint64_t xxh64_rest(uint64_t h, const uint8_t *p, size_t n) {
    uint32_t half;
    for (; n >= 8; n -= 8, p += 8) h = xxh64_eight(h, xxh64_read(p));
    if (n >= 4) {
        memcpy(&half, p, 4);
        h = xxh64_four(h, half);
        n -= 4, p += 4;
    }
    for (; n; n--, p++) h = xxh64_one(h, *p);
    return xxh64_end(h);
}

/* Of fewer than 32 bytes. */
static inline uint64_t xxh64_short(const uint8_t *p, size_t n, uint64_t seed) {
    return xxh64_rest(seed + XXH64_P5 + n, p, n);
}

static inline uint64_t xxh64_long(const uint8_t *p, size_t n, uint64_t seed) {
    uint64_t a = seed + XXH64_P1 + XXH64_P2, b = seed + XXH64_P2, c = seed, d = seed - XXH64_P1, h;
    size_t left = n;
    for (; left >= 32; left -= 32, p += 32) {
        a = xxh64_lane(a, xxh64_read(p));
        b = xxh64_lane(b, xxh64_read(p + 8));
        c = xxh64_lane(c, xxh64_read(p + 16));
        d = xxh64_lane(d, xxh64_read(p + 24));
    }
    h = xxh64_turned(a, 1) + xxh64_turned(b, 7) + xxh64_turned(c, 12) + xxh64_turned(d, 18);
    h = (h ^ xxh64_lane(0, a)) * XXH64_P1 + XXH64_P4;
    h = (h ^ xxh64_lane(0, b)) * XXH64_P1 + XXH64_P4;
    h = (h ^ xxh64_lane(0, c)) * XXH64_P1 + XXH64_P4;
    h = (h ^ xxh64_lane(0, d)) * XXH64_P1 + XXH64_P4;
    return xxh64_rest(h + n, p, left);
}

static inline uint64_t xxh64_of(const uint8_t *p, size_t n, uint64_t seed) {
    return n < 32 ? xxh64_short(p, n, seed) : xxh64_long(p, n, seed);
}

#endif
