/* XXH64 as its specification reads, for the yardsticks. */
#ifndef YARDSTICK_XXH64_H
#define YARDSTICK_XXH64_H

#include <stdint.h>
#include <string.h>

static uint64_t rotl(uint64_t x, int r) { return (x << r) | (x >> (64 - r)); }
static uint64_t read64(const uint8_t *p) { uint64_t x; memcpy(&x, p, 8); return x; }
static uint32_t read32(const uint8_t *p) { uint32_t x; memcpy(&x, p, 4); return x; }

static const uint64_t P1 = 11400714785074694791ULL, P2 = 14029467366897019727ULL, P3 = 1609587929392839161ULL,
                      P4 = 9650029242287828579ULL, P5 = 2870177450012600261ULL;

static uint64_t lane(uint64_t acc, uint64_t word) { return rotl(acc + word * P2, 31) * P1; }

static uint64_t xxh64(const uint8_t *p, size_t n, uint64_t seed) {
  const uint8_t *end = p + n;
  uint64_t h = seed + P5;
  if (n >= 32) {
    uint64_t v[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    for (; p + 32 <= end; p += 32)
      for (int i = 0; i < 4; i++) v[i] = lane(v[i], read64(p + 8 * i));
    h = rotl(v[0], 1) + rotl(v[1], 7) + rotl(v[2], 12) + rotl(v[3], 18);
    for (int i = 0; i < 4; i++) h = (h ^ lane(0, v[i])) * P1 + P4;
  }
  h += n;
  for (; p + 8 <= end; p += 8) h = rotl(h ^ lane(0, read64(p)), 27) * P1 + P4;
  if (p + 4 <= end) { h = rotl(h ^ read32(p) * P1, 23) * P2 + P3; p += 4; }
  for (; p < end; p++) h = rotl(h ^ *p * P5, 11) * P1;
  h = (h ^ (h >> 33)) * P2;
  h = (h ^ (h >> 29)) * P3;
  return h ^ (h >> 32);
}

#endif
