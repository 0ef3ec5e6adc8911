/* The yardstick for table builds: the fill of Eisenbud et al. (NSDI 2016, 3.4) as its pseudocode reads, one 64-bit
   remainder for every probe. Turns go round; the output has to equal that of lbalgo's kernel. */
#include <stdint.h>

void fill(int32_t *table, uint64_t *next, const uint32_t *offset, const uint32_t *skip, const int32_t *turns,
          int64_t period, uint64_t size) {
  for (uint64_t j = 0; j < size; j++) table[j] = -1;
  int64_t t = 0;
  for (uint64_t filled = 0; filled < size; filled++) {
    int32_t owner = turns[t];
    t = t + 1 == period ? 0 : t + 1;
    uint64_t c = (offset[owner] + next[owner] * skip[owner]) % size;
    while (table[c] >= 0) {
      next[owner]++;
      c = (offset[owner] + next[owner] * skip[owner]) % size;
    }
    table[c] = owner;
    next[owner]++;
  }
}
