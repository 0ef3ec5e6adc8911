/* What bulk kernels are measured against: the plain loop of each, one ticket after another. */
#include <math.h>
#include <stdint.h>

/* Least there is to do: read 8 bytes, write 4. */
void stream(const uint64_t *tickets, int32_t *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)tickets[i];
}

/* What of a table's lookup no arithmetic saves: the entries of positions that are known already. */
void entries(const uint32_t *positions, int32_t *out, int64_t n, const uint16_t *table) {
    for (int64_t i = 0; i < n; i++) out[i] = table[positions[i]];
}

void jump_loop(const uint64_t *tickets, int32_t *out, int64_t n, int64_t buckets) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t key = tickets[i];
        int64_t b = -1, j = 0;
        while (j < buckets) {
            b = j;
            key = key * 2862933555777941757ULL + 1;
            j = (int64_t)((double)(b + 1) * ((double)(1LL << 31) / (double)((key >> 33) + 1)));
        }
        out[i] = (int32_t)b;
    }
}

static uint64_t draw(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z >> 12;
}

/* Equal weights: the largest draw. */
void rendezvous_loop(const uint64_t *tickets, int32_t *out, int64_t n, const uint64_t *salts, int64_t size) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t most = 0;
        for (int64_t j = 0; j < size; j++) {
            uint64_t k = draw(tickets[i] ^ salts[j]);
            if (j == 0 || k > most) {
                most = k;
                out[i] = (int32_t)j;
            }
        }
    }
}

/* Any weights: the least -ln(u) / w, by one logarithm of the C library for each. */
void rendezvous_logarithms(const uint64_t *tickets, int32_t *out, int64_t n, const uint64_t *salts,
                           const double *weights, int64_t size) {
    for (int64_t i = 0; i < n; i++) {
        double least = INFINITY;
        for (int64_t j = 0; j < size; j++) {
            double score = -log(((double)draw(tickets[i] ^ salts[j]) + 0.5) * 0x1p-52) / weights[j];
            if (score < least) {
                least = score;
                out[i] = (int32_t)j;
            }
        }
    }
}
