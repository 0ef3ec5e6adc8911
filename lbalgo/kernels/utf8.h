/* Whether bytes are UTF-8 as RFC 3629 has it: shortest forms only, no surrogates, nothing beyond U+10FFFF. */
#ifndef LBALGO_UTF8_H
#define LBALGO_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static int is_utf8_beyond_ascii(const uint8_t *p, size_t n) {
    const uint8_t *end = p + n;
    while (p < end) {
        const uint8_t lead = *p++;
        if (lead < 0x80) continue;
        const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (lead < 0xC2 || lead > 0xF4 || end - p < more) return 0;
        /* the second byte is what tells overlong forms, surrogates, and what is too great */
        const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (*p < low || *p > high) return 0;
        for (int i = 1; i < more; i++)
            if ((p[i] & 0xC0) != 0x80) return 0;
        p += more;
    }
    return 1;
}

static inline int is_utf8(const uint8_t *p, size_t n) {
    uint64_t all = 0, eight;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&eight, p + i, 8);
        all |= eight;
    }
    for (; i < n; i++) all |= p[i];
    return !(all & 0x8080808080808080ULL) || is_utf8_beyond_ascii(p, n);
}

#endif
