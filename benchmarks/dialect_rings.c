/* The yardsticks for the other dialects' rings: their own strings hashed and sorted by the C library, as described. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint32_t rot(uint32_t x, int r) { return (x << r) | (x >> (32 - r)); }
static uint32_t word_at(const uint8_t *p) { uint32_t x; memcpy(&x, p, 4); return x; }

static const uint8_t TURNS[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
static uint32_t SINES[64], CUBES[64], CRC[256];
static const uint32_t ROOTS[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* sines[i] = floor(2^32 |sin(i + 1)|), cubes[i] = the fraction of the cube root of the i-th prime: of the caller. */
void dialect_tables(const uint32_t *sines, const uint32_t *cubes) {
  memcpy(SINES, sines, sizeof SINES);
  memcpy(CUBES, cubes, sizeof CUBES);
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xEDB88320 : c >> 1;
    CRC[i] = c;
  }
}

#define STEP(F, WORD, STAGE) \
  s = b + rot(a + (F) + SINES[16 * STAGE + i] + w[WORD], TURNS[STAGE][i & 3]), a = d, d = c, c = b, b = s

static void md5(const uint8_t *p, size_t n, uint32_t out[4]) { /* n < 56 */
  uint32_t w[16] = {0}, a = 0x67452301, b = 0xEFCDAB89, c = 0x98BADCFE, d = 0x10325476, s;
  memcpy(w, p, n);
  ((uint8_t *)w)[n] = 0x80;
  w[14] = 8 * n;
  for (int i = 0; i < 16; i++) STEP((b & c) | (~b & d), i, 0);
  for (int i = 0; i < 16; i++) STEP((d & b) | (~d & c), (5 * i + 1) & 15, 1);
  for (int i = 0; i < 16; i++) STEP(b ^ c ^ d, (3 * i + 5) & 15, 2);
  for (int i = 0; i < 16; i++) STEP(c ^ (b | ~d), 7 * i & 15, 3);
  out[0] = a + 0x67452301, out[1] = b + 0xEFCDAB89, out[2] = c + 0x98BADCFE, out[3] = d + 0x10325476;
}

static uint32_t sha256_end(const uint8_t *p, size_t n) { /* n < 56; the last four bytes, little-endian */
  uint8_t block[64] = {0};
  uint32_t w[64];
  memcpy(block, p, n);
  block[n] = 0x80;
  block[62] = n >> 5, block[63] = n << 3;
  for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(word_at(block + 4 * i));
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (rot(x, 25) ^ rot(x, 14) ^ x >> 3) + (rot(y, 15) ^ rot(y, 13) ^ y >> 10);
  }
  uint32_t a = ROOTS[0], b = ROOTS[1], c = ROOTS[2], d = ROOTS[3], e = ROOTS[4], f = ROOTS[5], g = ROOTS[6], h = ROOTS[7];
  for (int i = 0; i < 64; i++) {
    uint32_t t = h + (rot(e, 26) ^ rot(e, 21) ^ rot(e, 7)) + ((e & f) ^ (~e & g)) + CUBES[i] + w[i];
    uint32_t u = (rot(a, 30) ^ rot(a, 19) ^ rot(a, 10)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t, d = c, c = b, b = a, a = t + u;
  }
  return __builtin_bswap32(h + ROOTS[7]);
}

static uint32_t one_at_a_time(const uint8_t *p, size_t n) {
  uint32_t h = 0;
  for (size_t i = 0; i < n; i++) h += (int8_t)p[i], h += h << 10, h ^= h >> 6;
  h += h << 3, h ^= h >> 11;
  return h + (h << 15);
}

static uint32_t fnv(const uint8_t *p, size_t n, uint32_t h, uint32_t prime, int xor_first) {
  for (size_t i = 0; i < n; i++) h = xor_first ? (h ^ (int8_t)p[i]) * prime : h * prime ^ (int8_t)p[i];
  return h;
}

static uint32_t crc(const uint8_t *p, size_t n, uint32_t h) {
  for (h = ~h; n--; p++) h = CRC[(h ^ *p) & 255] ^ h >> 8;
  return ~h;
}

static uint32_t murmur(const uint8_t *p, size_t n) {
  const uint32_t m = 0x5BD1E995;
  uint32_t h = 0xDEADBEEF * n ^ n, k;
  for (; n >= 4; n -= 4, p += 4) k = word_at(p) * m, k ^= k >> 24, h = h * m ^ k * m;
  if (n) {
    for (size_t i = 0; i < n; i++) h ^= (uint32_t)p[i] << 8 * i;
    h *= m;
  }
  h = (h ^ h >> 13) * m;
  return h ^ h >> 15;
}

static uint32_t murmur3(const uint8_t *p, size_t n) {
  uint32_t h = 0xDEADBEEF * n, k;
  size_t left = n;
  for (; left >= 4; left -= 4, p += 4) h ^= rot(word_at(p) * 0xCC9E2D51, 15) * 0x1B873593, h = rot(h, 13) * 5 + 0xE6546B64;
  k = 0;
  for (size_t i = 0; i < left; i++) k |= (uint32_t)p[i] << 8 * i;
  h ^= rot(k * 0xCC9E2D51, 15) * 0x1B873593;
  h ^= n, h = (h ^ h >> 16) * 0x85EBCA6B, h = (h ^ h >> 13) * 0xC2B2AE35;
  return h ^ h >> 16;
}

static uint32_t jenkins(const uint8_t *p, size_t n) {
  uint32_t a = 0xDEADBEEF + 13 + n, b = a, c = a, tail[3] = {0};
  for (; n > 12; n -= 12, p += 12) {
    a += word_at(p), b += word_at(p + 4), c += word_at(p + 8);
    a -= c, a ^= rot(c, 4), c += b, b -= a, b ^= rot(a, 6), a += c, c -= b, c ^= rot(b, 8), b += a;
    a -= c, a ^= rot(c, 16), c += b, b -= a, b ^= rot(a, 19), a += c, c -= b, c ^= rot(b, 4), b += a;
  }
  if (!n) return c;
  memcpy(tail, p, n);
  a += tail[0], b += tail[1], c += tail[2];
  c ^= b, c -= rot(b, 14), a ^= c, a -= rot(c, 11), b ^= a, b -= rot(a, 25);
  c ^= b, c -= rot(b, 16), a ^= c, a -= rot(c, 4), b ^= a, b -= rot(a, 14), c ^= b, c -= rot(b, 24);
  return c;
}

typedef struct { uint32_t point; int32_t owner; } mark;

static int by_mark(const void *a, const void *b) {
  uint32_t x = ((const mark *)a)->point, y = ((const mark *)b)->point;
  return (x > y) - (x < y);
}

static void sorted(mark *ring, int64_t total, uint32_t *points, int32_t *owners) {
  qsort(ring, total, sizeof(mark), by_mark);
  for (int64_t i = 0; i < total; i++) points[i] = ring[i].point, owners[i] = ring[i].owner;
  free(ring);
}

/* Point k of a name: the hash of name + separator + decimal(k); kind 0, MD5, gives four for each. */
void numbered_ring(const char **names, const int32_t *counts, int64_t n, int kind, const char *separator, int64_t total,
                   uint32_t *points, int32_t *owners) {
  mark *ring = malloc(total * sizeof(mark)), *at = ring;
  uint8_t text[256];
  uint32_t four[4];
  for (int64_t i = 0; i < n; i++) {
    size_t length = strlen(names[i]), gap = strlen(separator);
    memcpy(text, names[i], length);
    memcpy(text + length, separator, gap);
    length += gap;
    for (int32_t k = 0; k < counts[i]; k++) {
      uint8_t digits[12];
      size_t many = 0, size;
      int32_t rest = k;
      do { digits[many++] = '0' + rest % 10; rest /= 10; } while (rest);
      for (size_t d = 0; d < many; d++) text[length + d] = digits[many - 1 - d];
      size = length + many;
      if (kind == 0) {
        md5(text, size, four);
        for (int j = 0; j < 4; j++) *at++ = (mark){four[j], i};
        continue;
      }
      uint32_t h = 0;
      switch (kind) {
        case 1: md5(text, size, four), h = four[0]; break;
        case 2: h = sha256_end(text, size); break;
        case 3: h = one_at_a_time(text, size); break;
        case 4: h = fnv(text, size, 0x84222325, 0x1B3, 0); break;
        case 5: h = fnv(text, size, 0x84222325, 0x1B3, 1); break;
        case 6: h = fnv(text, size, 0x811C9DC5, 0x01000193, 0); break;
        case 7: h = fnv(text, size, 0x811C9DC5, 0x01000193, 1); break;
        case 8: h = crc(text, size, 0) >> 16 & 0x7FFF; break;
        case 9: h = murmur(text, size); break;
        case 10: h = murmur3(text, size); break;
        case 11: h = jenkins(text, size); break;
      }
      *at++ = (mark){h, i};
    }
  }
  sorted(ring, total, points, owners);
}

/* nginx: a CRC-32 of host, 0 byte, port, from which each point goes on over the four bytes of the one before. */
void chained_ring(const char **hosts, const char **ports, const int32_t *counts, int64_t n, int64_t total,
                  uint32_t *points, int32_t *owners) {
  mark *ring = malloc(total * sizeof(mark)), *at = ring;
  for (int64_t i = 0; i < n; i++) {
    uint32_t base = crc((const uint8_t *)ports[i], strlen(ports[i]),
                        crc((const uint8_t *)"", 1, crc((const uint8_t *)hosts[i], strlen(hosts[i]), 0)));
    uint32_t before = 0;
    for (int32_t k = 0; k < counts[i]; k++) {
      before = crc((const uint8_t *)&before, 4, base);
      *at++ = (mark){before, i};
    }
  }
  sorted(ring, total, points, owners);
}

/* HAProxy: the avalanche of base + k. */
void counted_ring(const uint32_t *bases, const int32_t *counts, int64_t n, int64_t total, uint32_t *points, int32_t *owners) {
  mark *ring = malloc(total * sizeof(mark)), *at = ring;
  for (int64_t i = 0; i < n; i++)
    for (int32_t k = 0; k < counts[i]; k++) {
      uint32_t a = bases[i] + k;
      a = (a + 0x7ED55D16) + (a << 12);
      a = (a ^ 0xC761C23C) ^ (a >> 19);
      a = (a + 0x165667B1) + (a << 5);
      a = (a + 0xD3A2646C) ^ (a << 9);
      a = (a + 0xFD7046C5) + (a << 3);
      a = (a ^ 0xB55A4F09) ^ (a >> 16);
      *at++ = (mark){a * 3221225473U, i};
    }
  sorted(ring, total, points, owners);
}
