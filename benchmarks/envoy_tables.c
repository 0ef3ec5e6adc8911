/* The yardstick for Envoy's tables: its own strings hashed and sorted by the C library (ring), and the fill by rounds
   with one 64-bit remainder for every probe (Maglev), both as their descriptions read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xxh64.h"

static uint64_t murmur64a(const uint8_t *p, size_t n, uint64_t seed) {
  const uint64_t m = 0xC6A4A7935BD1E995ULL;
  uint64_t h = seed ^ n * m, k;
  for (size_t i = 0; i < n / 8; i++) {
    k = read64(p + 8 * i) * m;
    h = (h ^ (k ^ (k >> 47)) * m) * m;
  }
  if (n & 7) {
    k = 0;
    for (size_t i = 0; i < (n & 7); i++) k |= (uint64_t)p[(n & ~(size_t)7) + i] << 8 * i;
    h = (h ^ k) * m;
  }
  h = (h ^ (h >> 47)) * m;
  return h ^ (h >> 47);
}

typedef struct { uint64_t point; int32_t owner; } entry;

static int by_point(const void *a, const void *b) {
  uint64_t x = ((const entry *)a)->point, y = ((const entry *)b)->point;
  return (x > y) - (x < y);
}

/* keys[i], NUL-terminated, has counts[i] points; returns how many there are. */
uint64_t envoy_ring(const char **keys, const int32_t *counts, int64_t n, int murmur, uint64_t *points, int32_t *owners) {
  int64_t total = 0, at = 0;
  for (int64_t i = 0; i < n; i++) total += counts[i];
  entry *ring = malloc(total * sizeof(entry));
  uint8_t text[256];
  for (int64_t i = 0; i < n; i++) {
    size_t length = strlen(keys[i]);
    memcpy(text, keys[i], length);
    text[length++] = '_';
    for (int32_t k = 0; k < counts[i]; k++) {
      uint8_t digits[12];
      size_t many = 0;
      int32_t rest = k;
      do { digits[many++] = '0' + rest % 10; rest /= 10; } while (rest);
      for (size_t d = 0; d < many; d++) text[length + d] = digits[many - 1 - d];
      ring[at].point = murmur ? murmur64a(text, length + many, 0xC70F6907) : xxh64(text, length + many, 0);
      ring[at++].owner = i;
    }
  }
  qsort(ring, total, sizeof(entry), by_point);
  for (int64_t i = 0; i < total; i++) { points[i] = ring[i].point; owners[i] = ring[i].owner; }
  free(ring);
  return total;
}

void envoy_maglev(const char **keys, const double *weights, int64_t n, uint64_t size, int32_t *table) {
  uint64_t *offset = malloc(n * 8), *skip = malloc(n * 8), *next = calloc(n, 8), filled = 0;
  double *target = calloc(n, sizeof(double)), most = 0.0;
  for (int64_t i = 0; i < n; i++) {
    size_t length = strlen(keys[i]);
    offset[i] = xxh64((const uint8_t *)keys[i], length, 0) % size;
    skip[i] = xxh64((const uint8_t *)keys[i], length, 1) % (size - 1) + 1;
    if (weights[i] > most) most = weights[i];
  }
  for (uint64_t j = 0; j < size; j++) table[j] = -1;
  for (uint32_t round = 1; filled < size; round++)
    for (int64_t i = 0; i < n && filled < size; i++) {
      if (round * weights[i] < target[i]) continue;
      target[i] += most;
      uint64_t c = (offset[i] + skip[i] * next[i]) % size;
      while (table[c] >= 0) c = (offset[i] + skip[i] * ++next[i]) % size;
      table[c] = i;
      next[i]++;
      filled++;
    }
  free(offset), free(skip), free(next), free(target);
}
