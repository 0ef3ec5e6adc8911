// The yardstick for ring builds: points named by backend and number, hashed by XXH64 and sorted by std::sort.
#include <algorithm>
#include <cstddef>

#include "xxh64.h"

struct Point {
  uint64_t at;
  int32_t owner;
};

// Point k of a name: XXH64 of name + "_" + decimal(k), k < count. `ring` has room for all of them.
extern "C" void named_ring(const char **names, const int32_t *counts, int64_t n, Point *ring) {
  Point *end = ring;
  uint8_t text[256];
  for (int64_t i = 0; i < n; i++) {
    size_t length = strlen(names[i]);
    memcpy(text, names[i], length);
    text[length++] = '_';
    for (int32_t k = 0; k < counts[i]; k++) {
      uint8_t digits[12];
      size_t many = 0;
      int32_t rest = k;
      do { digits[many++] = '0' + rest % 10; rest /= 10; } while (rest);
      for (size_t d = 0; d < many; d++) text[length + d] = digits[many - 1 - d];
      *end++ = {xxh64(text, length + many, 0), static_cast<int32_t>(i)};
    }
  }
  std::sort(ring, end, [](const Point &a, const Point &b) { return a.at < b.at; });
}
