/* What bulk hashing is measured against: XXH64 of keys one after another, which lie there as bytes, but for the last. */
#include <stdint.h>
#include <string.h>

#define P1 11400714785074694791ULL
#define P2 14029467366897019727ULL
#define P3 1609587929392839161ULL
#define P4 9650029242287828579ULL
#define P5 2870177450012600261ULL

static inline uint64_t turn(uint64_t x, int r) { return x << r | x >> (64 - r); }
static inline uint64_t whole(const uint8_t *p) { uint64_t w; memcpy(&w, p, 8); return w; }
static inline uint32_t half(const uint8_t *p) { uint32_t w; memcpy(&w, p, 4); return w; }
static inline uint64_t stir(uint64_t a, uint64_t w) { return turn(a + w * P2, 31) * P1; }

static uint64_t xxh64(const uint8_t *p, int64_t length, uint64_t seed) {
    const uint8_t *end = p + length;
    uint64_t h = seed + P5;
    if (length >= 32) {
        uint64_t v[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
        for (; p + 32 <= end; p += 32)
            for (int i = 0; i < 4; i++) v[i] = stir(v[i], whole(p + 8 * i));
        h = turn(v[0], 1) + turn(v[1], 7) + turn(v[2], 12) + turn(v[3], 18);
        for (int i = 0; i < 4; i++) h = (h ^ stir(0, v[i])) * P1 + P4;
    }
    h += (uint64_t)length;
    for (; p + 8 <= end; p += 8) h = turn(h ^ stir(0, whole(p)), 27) * P1 + P4;
    if (p + 4 <= end) {
        h = turn(h ^ half(p) * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++) h = turn(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

/* Keys of one width, end to end. */
void hash_cells(const uint8_t *data, uint64_t *out, int64_t n, int64_t width) {
    for (int64_t i = 0; i < n; i++) out[i] = xxh64(data + i * width, width, 0);
}

/* Keys wherever they are. */
void hash_pointers(const uint8_t **keys, uint64_t *out, int64_t n, const int64_t *lengths) {
    for (int64_t i = 0; i < n; i++) out[i] = xxh64(keys[i], lengths[i], 0);
}

/* ASCII in 4 bytes a character, NULs at the ends, of at most 64: cut to bytes, and hashed. */
void hash_texts(const uint32_t *runes, uint64_t *out, int64_t n, int64_t width) {
    uint8_t text[64];
    for (int64_t i = 0; i < n; i++, runes += width) {
        int64_t length = width;
        while (length && !runes[length - 1]) length--;
        for (int64_t j = 0; j < length; j++) text[j] = (uint8_t)runes[j];
        out[i] = xxh64(text, length, 0);
    }
}
